//! The queue as its users see it: workers beside a batch, failed and cancelled jobs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::{FULL, Photos, School, demo, fifty, substance};

#[test]
fn workers_share_the_work_of_a_batch_and_the_report_is_the_same() {
    let photos = fifty();
    let alone = substance(&School::enrolled().batch(&photos, 0));
    let school = School::enrolled();
    let mut worker = school.command(&["work"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let shared = school.batch(&photos, 0);
    Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap();
    assert!(worker.wait().unwrap().success(), "a worker that is told to stop ends well");
    assert_eq!(substance(&shared), alone);
    let jobs = school.run(&["--json", "admin", "jobs", "--last", "100"]).expect(0).json();
    assert!(jobs["jobs"].as_array().unwrap().iter().all(|job| job["state"] == "done" && job["attempt"] == 1), "{jobs}");
}

/// A batch that was told to stop after its first photo; the number of photos that wait.
fn interrupted(school: &School, photos: &Photos) -> i64 {
    let mut batch = school.command(&["batch", photos.path().to_str().unwrap()]);
    let mut batch = batch.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(batch.stderr.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    Command::new("kill").args(["-TERM", &batch.id().to_string()]).status().unwrap();
    lines.for_each(drop);
    assert_eq!(batch.wait().unwrap().code(), Some(3));
    let left = school.run(&["--json", "admin", "jobs"]).expect(0).json()["counts"]["queued"].as_i64().unwrap();
    assert!(left > 0, "the batch was done before it was stopped");
    left
}

#[test]
fn a_worker_drains_what_an_interrupted_batch_has_left() {
    let (school, photos) = (School::enrolled(), fifty());
    let left = interrupted(&school, &photos);
    let drained = school.run(&["--json", "work", "--drain"]).expect(0).json();
    assert_eq!(drained["jobs"], left);
    let again = school.batch(&photos, 0);
    assert!(again["photos"].as_array().unwrap().iter().all(|photo| photo["status"] == "duplicate"), "{again:#}");
}

#[test]
fn a_photo_of_a_class_without_portraits_can_be_tried_again_after_enrolment() {
    let school = School::with_roster();
    let photos = Photos::of(&[(FULL, FULL)]);
    let failed = school.batch(&photos, 3);
    assert_eq!(failed["photos"][0]["error"]["code"], "NO_ENROLLED_STUDENTS");
    let jobs = school.run(&["--json", "admin", "jobs", "--state", "failed"]).expect(0).json();
    let [job] = &jobs["jobs"].as_array().unwrap()[..] else { panic!("{jobs}") };
    assert_eq!((job["attempt"].as_i64(), job["errors"].as_array().unwrap().len()), (Some(1), 1), "not tried in vain");
    school.run(&["enrol", demo("dataset").to_str().unwrap(), "--consent", "recorded"]).expect(0);
    let id = job["id"].to_string();
    school.run(&["admin", "jobs", "retry", &id]).expect(0);
    school.run(&["work", "--drain"]).expect(0);
    let done = school.batch(&photos, 0);
    assert_eq!(done["photos"][0]["status"], "duplicate");
    assert!(!done["sessions"][0]["present"].as_array().unwrap().is_empty(), "{done:#}");
    assert!(school.run(&["admin", "jobs", "retry", &id]).expect(1).err.contains("JOB_NOT_FOUND"));
}

#[test]
fn a_cancelled_photo_fails_and_its_session_marks_nobody_absent() {
    let (school, photos) = (School::enrolled(), fifty());
    interrupted(&school, &photos);
    // The newest job is the second photo of the last lesson.
    let waiting = school.run(&["--json", "admin", "jobs", "--state", "queued"]).expect(0).json();
    let id = waiting["jobs"][0]["id"].to_string();
    school.run(&["admin", "jobs", "cancel", &id]).expect(0);
    school.run(&["work", "--drain"]).expect(0);
    let statuses = |day: &str| {
        let day = format!("2026-10-{day}");
        let file = school.path().join("register.csv");
        let class = ["--class", "CSE", "--section", "A", "--from", &day, "--to", &day];
        school.run(&[&["export", "-o", file.to_str().unwrap(), "--format", "csv"], &class[..]].concat()).expect(0);
        let sheet = std::fs::read_to_string(file).unwrap();
        let of = |letter: &str| sheet.lines().filter(|line| line.ends_with(letter)).count();
        (of(",P"), of(",A"), of(",?"))
    };
    let (present, absent, unmarked) = statuses("24");
    assert!(present > 0 && absent > 0, "{present} {absent} {unmarked}");
    let (present, absent, unmarked) = statuses("25");
    assert!(present > 0 && absent == 0 && unmarked > 0, "{present} {absent} {unmarked}");
    // The folder's next run looks at it after all.
    let report = school.batch(&photos, 0);
    assert_eq!(report["photos"].as_array().unwrap().iter().filter(|photo| photo["status"] == "done").count(), 1);
    assert!(statuses("25").1 > 0);
}
