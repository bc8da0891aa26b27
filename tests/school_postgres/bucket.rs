//! Schools on Postgres whose photos lie in a bucket: the same results as with folders, and an endpoint that is away loses
//! nothing.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::s3::{ACCESS_KEY, SECRET_KEY, Server};
use crate::service::{Service, real_nets, take_attendance, take_real_attendance};
use crate::support::{FULL, LEFT, OTHER_CLASS, Photos, RIGHT, Ran, School, demo, fifty, substance};

/// Settings and credentials for a bucket, as variables.
pub(crate) fn variables(server: &Server, bucket: &str) -> Vec<(String, String)> {
    [
        ("ROLLCALL_STORAGE__KIND", "s3"),
        ("ROLLCALL_STORAGE__S3__BUCKET", bucket),
        ("ROLLCALL_STORAGE__S3__PREFIX", "green-hill"),
        ("ROLLCALL_STORAGE__S3__ENDPOINT", &server.endpoint()),
        ("ROLLCALL_STORAGE__S3__PATH_STYLE", "true"),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A school with everybody enrolled.
fn enrolled_in(server: &Server, bucket: &str) -> School {
    let school = School::empty_on(crate::server()).with_variables(variables(server, bucket));
    school.run(&["roster", "import", demo("roster.csv").to_str().unwrap()]).expect(0);
    school.run(&["enrol", demo("dataset").to_str().unwrap(), "--consent", "recorded"]).expect(0);
    school
}

#[test]
fn a_school_in_a_bucket_says_the_same_as_one_in_folders() {
    let photos = Photos::of(&[(FULL, FULL), (LEFT, LEFT), (RIGHT, RIGHT), (OTHER_CLASS, OTHER_CLASS)]);
    let in_folders = School::empty_on(None);
    in_folders.run(&["roster", "import", demo("roster.csv").to_str().unwrap()]).expect(0);
    in_folders.run(&["enrol", demo("dataset").to_str().unwrap(), "--consent", "recorded"]).expect(0);
    let expected = substance(&in_folders.batch(&photos, 0));

    let server = Server::shared();
    let bucket = server.new_bucket();
    let school = enrolled_in(server, &bucket);
    assert_eq!(substance(&school.batch(&photos, 0)), expected);
    let keys = server.keys(&bucket);
    assert_eq!(keys.iter().filter(|key| key.starts_with("green-hill/samples/")).count(), 96);
    assert_eq!(keys.iter().filter(|key| key.starts_with("green-hill/attendance_photos/Session_")).count(), 4);
    assert_eq!(keys.len(), 100, "{keys:?}");
    assert!(!school.path().join("samples").exists(), "nothing lies in folders");

    let again = school.batch(&photos, 0);
    assert!(again["photos"].as_array().unwrap().iter().all(|photo| photo["status"] == "duplicate"), "{again}");
    assert_eq!((substance(&again), server.keys(&bucket)), (expected, keys));

    let (from_bucket, from_folders) = (school.path().join("portraits"), in_folders.path().join("portraits"));
    for (school, folder) in [(&school, &from_bucket), (&in_folders, &from_folders)] {
        school.run(&["export", "dataset", "-o", folder.to_str().unwrap()]).expect(0);
    }
    // Which portrait comes first depends on which was enrolled first.
    let pictures = |folder: &Path| {
        let files =
            std::fs::read_dir(folder.join("Ananya_Foxglove_CSE-A-03")).unwrap().map(|file| file.unwrap().path());
        let pictures = files.filter(|file| file.extension().is_some_and(|kind| kind == "jpg"));
        pictures.map(|file| std::fs::read(file).unwrap()).collect::<BTreeSet<_>>()
    };
    assert!(pictures(&from_bucket) == pictures(&from_folders), "the portraits are the same");
    assert_eq!(pictures(&from_bucket).len(), 2);
    let report = school.run(&["--json", "admin", "storage", "check", "--hashes"]).expect(0).json();
    assert_eq!((&report["rows"], &report["objects"]), (&json!(100), &json!(100)));
}

#[test]
fn a_lesson_is_taken_over_rest_with_two_workers() {
    let server = Server::shared();
    let bucket = server.new_bucket();
    let school = School::empty_on(crate::server()).with_variables(variables(server, &bucket));
    take_attendance(&school, &Service::start(&school, 2));
    // 16 portraits and 3 photos.
    assert_eq!(server.keys(&bucket).len(), 19);
}

#[test]
fn a_lesson_with_real_photos_is_taken_over_rest_with_two_workers() {
    let Some(nets) = real_nets() else { return };
    let server = Server::shared();
    let mut settings = variables(server, &server.new_bucket());
    settings.push(nets);
    take_real_attendance(&School::empty_on(crate::server()).with_variables(settings), 2);
}

#[test]
fn the_check_and_the_doctor_look_into_the_bucket() {
    let server = Server::start();
    let bucket = server.new_bucket();
    let school = School::enrolled().with_variables(variables(&server, &bucket));
    let doctor = |school: &School, code| school.run(&["--json", "doctor"]).expect(code).json();
    let found = |report: &Value| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["check"] == "storage").unwrap().clone()
    };
    // The portraits were stored in folders before the settings were changed.
    let report = doctor(&school, 1);
    assert_eq!(found(&report)["state"], "ok");
    assert_eq!(server.keys(&bucket), [].into(), "the probe is gone");
    let missing = school.run(&["--json", "admin", "storage", "check"]).expect(3).json();
    assert_eq!((&missing["missing"]["count"], &missing["objects"]), (&json!(96), &json!(0)));

    let mut wrong = variables(&server, &bucket);
    wrong.last_mut().unwrap().1 = "not-the-secret".into();
    let denied = found(&doctor(&School::enrolled().with_variables(wrong), 1));
    assert!(denied["found"].as_str().unwrap().contains("the secret key is not the one"), "{denied}");
    assert!(!denied.to_string().contains("not-the-secret"));

    let mut none = variables(&server, &bucket);
    none.retain(|(name, _)| !name.starts_with("AWS_"));
    // There is no machine that could have a role.
    none.push(("AWS_EC2_METADATA_DISABLED".into(), "true".into()));
    let anonymous = found(&doctor(&School::enrolled().with_variables(none), 1));
    assert!(anonymous["found"].as_str().unwrap().contains("no credentials were found"), "{anonymous}");

    server.stop();
    let away = found(&doctor(&school, 1));
    assert!(away["found"].as_str().unwrap().contains("the storage is not available"), "{away}");
    assert!(away["remedy"].as_str().unwrap().contains("storage.s3.endpoint"), "{away}");
    let error = school.run(&["--json", "admin", "storage", "check"]).expect(1).json();
    assert_eq!(error["error"]["code"], "STORAGE_ERROR");
}

/// Waits until it is so.
#[track_caller]
fn until(what: &str, batch: &mut Child, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        assert!(batch.try_wait().unwrap().is_none(), "the batch ended before: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_batch_waits_for_an_endpoint_that_is_away_and_loses_nothing() {
    let photos = fifty();
    let calm = substance(&School::enrolled().batch(&photos, 0));
    let server = Server::start();
    let bucket = server.new_bucket();
    let school = enrolled_in(&server, &bucket);
    let mut command = school.command(&["--json", "batch", photos.path().to_str().unwrap()]);
    // One attempt: whatever the outage cost would be the end of a photo.
    command.env("ROLLCALL_QUEUE__MAX_ATTEMPTS", "1").env("ROLLCALL_PHOTOS__IN_FLIGHT", "2");
    let mut batch = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stored =
        |count: usize| server.keys(&bucket).iter().filter(|key| key.contains("attendance_photos")).count() >= count;
    let job_with = |field: &str, value: &Value| {
        let jobs = school.run(&["--json", "admin", "jobs", "--last", "100"]).expect(0).json();
        jobs["jobs"].as_array().unwrap().iter().any(|job| &job[field] == value || job[field][0]["code"] == *value)
    };
    let (mut out, mut err) = (batch.stdout.take().unwrap(), batch.stderr.take().unwrap());
    let ran = std::thread::scope(|scope| {
        let text = scope.spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let said = scope.spawn(move || {
            let mut said = String::new();
            err.read_to_string(&mut said).unwrap();
            said
        });
        until("some photos are stored", &mut batch, || stored(10));
        server.stop();
        std::thread::sleep(Duration::from_secs(3));
        server.resume();
        until("all photos are stored", &mut batch, || stored(50));
        until("a photo was looked at", &mut batch, || job_with("state", &json!("done")));
        server.stop();
        until("a photo could not be read", &mut batch, || job_with("errors", &json!("STORAGE_ERROR")));
        server.resume();
        let code = batch.wait().unwrap().code().unwrap();
        Ran { code, out: text.join().unwrap(), err: said.join().unwrap() }
    });
    let ran = ran.expect(0);
    assert_eq!(substance(&ran.json()), calm);
    for words in ["trying again", "the storage does not answer", "the storage answers again"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let counts = school.run(&["--json", "admin", "jobs"]).expect(0).json()["counts"].clone();
    assert_eq!((&counts["done"], &counts["failed"], &counts["queued"]), (&json!(50), &json!(0), &json!(0)));
    let report = school.run(&["--json", "admin", "storage", "check", "--hashes"]).expect(0).json();
    assert_eq!((&report["rows"], &report["objects"]), (&json!(146), &json!(146)));
}
