//! Told to stop in the middle of the work: what is in hand is finished or put back, the rest waits, the next one goes on.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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

/// A batch that is interrupted after its first photo, with the others to do; its report.
fn interrupted(school: &School, photos: &Photos) -> Value {
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
    signal(&run, "-INT");
    lines.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(3));
    serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
}

fn signal(to: &Child, what: &str) {
    assert!(Command::new("kill").args([what, &to.id().to_string()]).status().unwrap().success());
}

#[test]
fn interrupted_batch_is_finished_by_the_next_one() {
    let (school, photos) = (School::enrolled(), many());
    let report = interrupted(&school, &photos);
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

/// Longest time that a program may take that does not hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every file below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn jobs(school: &School) -> Value {
    school.run(&["--json", "admin", "jobs"]).expect(0).json()
}

#[test]
fn a_worker_that_hangs_on_a_photo_puts_it_back_and_ends() {
    let (school, photos) = (School::enrolled(), many());
    let report = interrupted(&school, &photos);
    let waiting = count(&report, "waiting");
    // A drive that does not answer: whoever opens such a file waits for somebody to write into it.
    let stored = files_below(&school.path().join("attendance_photos"));
    for file in &stored {
        std::fs::rename(file, file.with_extension("away")).unwrap();
        assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
    }
    let mut work = school.command(&["work"]);
    let mut work =
        work.env("ROLLCALL_QUEUE__STOP_GRACE_SECS", "1").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let since = Instant::now();
    while jobs(&school)["counts"]["running"] == 0 {
        assert!(since.elapsed() < PATIENCE, "the worker takes no photo");
        std::thread::sleep(Duration::from_millis(100));
    }
    signal(&work, "-TERM");
    let since = Instant::now();
    let status = loop {
        if let Some(status) = work.try_wait().unwrap() {
            break status;
        }
        if since.elapsed() > PATIENCE {
            work.kill().unwrap();
            panic!("the worker does not end");
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(status.code(), Some(0));
    let after = jobs(&school);
    assert_eq!((&after["counts"]["queued"], &after["counts"]["running"]), (&waiting.into(), &0.into()), "{after}");

    for file in &stored {
        std::fs::rename(file.with_extension("away"), file).unwrap();
    }
    school.run(&["work", "--drain"]).expect(0);
    let counts = &jobs(&school)["counts"];
    assert_eq!((&counts["done"], &counts["failed"]), (&PHOTOS.into(), &0.into()), "it cost no attempt: {counts}");
}
