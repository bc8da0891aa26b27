//! Ctrl-C in the middle of a batch: what is in hand is finished, the rest waits, the next run goes on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{FULL, Photos, School, class_photo, jpeg};

const PHOTOS: usize = 12;

fn many() -> Photos {
    let picture = image::open(class_photo(FULL)).unwrap().into_rgb8();
    let small = image::imageops::thumbnail(&picture, 1500, 1000);
    let photos = Photos::none();
    for i in 0..PHOTOS {
        photos.add(&format!("CSE-A_2026-11-{:02}_0900.jpg", i + 1), &jpeg(&small, 70 + i as u8));
    }
    photos
}

fn count(report: &Value, status: &str) -> usize {
    report["photos"].as_array().unwrap().iter().filter(|p| p["status"] == status).count()
}

#[test]
fn interrupted_batch_is_finished_by_the_next_one() {
    let (school, photos) = (School::enrolled(), many());
    let file = school.path().join("report.json");
    let folder = photos.path().to_str().unwrap();
    let mut run = school
        .command(&["batch", folder, "--report", file.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first finished photo is told on standard error; then comes the signal, with eleven still to do.
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("25 faces"));
    let sent = Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    lines.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(3));

    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let (done, waiting) = (count(&report, "done"), count(&report, "waiting"));
    assert_eq!((done + waiting, &report["interrupted"]), (PHOTOS, &Value::Bool(true)));
    assert!(done >= 1 && waiting >= 1, "{done} done, {waiting} waiting");

    let second = school.batch(&photos, 0);
    assert_eq!((count(&second, "duplicate"), count(&second, "done")), (done, waiting));
    assert_eq!(second["sessions"].as_array().unwrap().len(), PHOTOS);
    for session in second["sessions"].as_array().unwrap() {
        let people = ["present", "absent", "unmarked"].map(|list| session[list].as_array().unwrap().len());
        assert_eq!((people.iter().sum::<usize>(), &session["state"]), (28, &"review".into()), "{session}");
        assert!(people[0] > 0, "{session}");
    }
}
