//! `rollcall doctor` on schools in which something is really broken.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::Value;
use walkdir::WalkDir;

use crate::support::{FULL, Photos, Ran, School, command, repository};

/// The check of this name that is worst.
#[track_caller]
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rank = |state: &Value| ["ok", "warn", "fail"].iter().position(|s| state == s).unwrap();
    let checks = report["checks"].as_array().unwrap().iter().filter(|c| c["check"] == name);
    checks.max_by_key(|c| rank(&c["state"])).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

/// The program says with this exit code that `name` is not well, and both what it found and what it advises have the words.
#[track_caller]
fn complains(ran: Ran, code: i32, name: &str, found: &str, remedy: &str) {
    let report = ran.expect(code).json();
    let check = check(&report, name);
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("state"), if code == 1 { "fail" } else { "warn" }, "{check:#}");
    assert!(text("found").contains(found), "{check:#}");
    assert!(text("remedy").contains(remedy), "{check:#}");
}

fn doctor(school: &School) -> Ran {
    school.run(&["--json", "doctor"])
}

fn sql(school: &School, statements: &str) {
    let file = school.path().join("rollcall.db");
    SqliteConnection::establish(file.to_str().unwrap()).unwrap().batch_execute(statements).unwrap();
}

#[test]
fn a_school_in_order_is_well() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    school.batch(&photos, 0);
    let report = doctor(&school).expect(0).json();
    assert_eq!(report["state"], "ok");
    let names: Vec<&str> = report["checks"].as_array().unwrap().iter().map(|c| c["check"].as_str().unwrap()).collect();
    let expected = [
        "settings", "database", "tables", "folders", "disk", "objects", "students", "queue", "runtime", "pack", "nets",
        "provider",
    ];
    assert_eq!(names, expected);
    for name in expected {
        assert_eq!((&check(&report, name)["state"], &check(&report, name)["remedy"]), (&"ok".into(), &Value::Null));
    }
    assert!(check(&report, "students")["found"].as_str().unwrap().contains("48 enrolled with starter@0"));
    assert!(check(&report, "objects")["found"].as_str().unwrap().contains("none is missing"));
    let text = school.run(&["doctor"]).expect(0).out;
    assert!(text.ends_with("all is well\n"), "{text}");
    let left: Vec<_> = WalkDir::new(school.path()).into_iter().map(|e| e.unwrap().file_name().to_owned()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("doctor")), "{left:?}");
}

#[test]
fn no_database_is_the_first_thing_to_mend_and_the_rest_is_still_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let ran = || Ran::of(command(dir.path(), &["--json", "doctor"]).output().unwrap());
    complains(ran(), 1, "database", "there is no database", "rollcall init");
    assert_eq!(check(&ran().json(), "nets")["state"], "ok");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "looking makes nothing");
    fs::write(dir.path().join("rollcall.db"), "").unwrap();
    complains(ran(), 1, "tables", "no tables", "rollcall init");
}

#[test]
fn databases_of_other_versions_are_told_apart() {
    let newer = School::empty();
    sql(&newer, "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')");
    complains(doctor(&newer), 1, "database", "change 9999 is unknown", "newer rollcall");
    let older = School::empty();
    sql(&older, "DELETE FROM __diesel_schema_migrations WHERE version > '0001'");
    complains(doctor(&older), 1, "tables", "older rollcall", "rollcall admin migrate");
}

#[test]
fn a_damaged_database_is_found_and_the_newest_copy_named() {
    let school = School::enrolled();
    let backups = school.path().join("backups");
    fs::create_dir(&backups).unwrap();
    fs::write(backups.join("rollcall-0001-20260101T000000Z.db"), "").unwrap();
    let path = school.path().join("rollcall.db");
    // What is in the log goes into the file first, so that the damage is not overwritten by it.
    sql(&school, "PRAGMA wal_checkpoint(TRUNCATE)");
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::File::options().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(length / 2)).unwrap();
    file.write_all(&vec![0xA5; (length / 4) as usize]).unwrap();
    drop(file);
    complains(doctor(&school), 1, "database", "", "rollcall-0001-20260101T000000Z.db");
    fs::write(&path, "This is a text and no database, which is longer than the head of one.".repeat(30)).unwrap();
    complains(doctor(&school), 1, "database", "not a database", "rollcall-0001-20260101T000000Z.db");
}

#[test]
fn what_is_in_the_way_of_a_folder_is_named() {
    let school = School::empty();
    let photos = school.path().join("attendance_photos");
    fs::remove_dir(&photos).unwrap();
    fs::write(&photos, "a file").unwrap();
    complains(doctor(&school), 1, "folders", "attendance_photos cannot be written: it is a file", "move away");
}

#[test]
fn a_photo_that_is_gone_is_missed() {
    let school = School::enrolled();
    school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    let stored = WalkDir::new(school.path().join("attendance_photos")).into_iter().map(Result::unwrap);
    let photo = stored.into_iter().find(|entry| entry.file_type().is_file()).unwrap();
    fs::remove_file(photo.path()).unwrap();
    let report = doctor(&school);
    assert!(report.out.contains(photo.file_name().to_str().unwrap()), "{report:?}");
    complains(report, 1, "objects", "1 are missing", "backup");
}

#[test]
fn students_who_cannot_be_found_are_counted() {
    let school = School::with_roster();
    complains(doctor(&school), 3, "students", "48 active, 0 with recorded consent", "consent");
    sql(&school, "UPDATE students SET consent = 'given' WHERE id <= 3");
    complains(doctor(&school), 3, "students", "3 with recorded consent, 0 enrolled", "enrol");
}

#[test]
fn failed_jobs_are_counted() {
    let school = School::enrolled();
    sql(
        &school,
        "INSERT INTO jobs (kind, topic, payload, priority, state, attempt, max_attempts, due_at, errors, created_at,
                           finished_at)
         VALUES ('photo', 'starter@0', '{}', 0, 'failed', 4, 4, '2026-11-16 09:00:00', '[]', '2026-11-16 09:00:00',
                 '2026-11-16 09:05:00')",
    );
    complains(doctor(&school), 3, "queue", "1 failed", "rollcall admin jobs");
}

#[test]
fn a_missing_or_broken_runtime_is_told_with_where_it_belongs() {
    let school = School::empty();
    let with = |path: &Path| school.run_with(&[("ROLLCALL_ORT", path.to_str().unwrap())], &["--json", "doctor"]);
    complains(with(Path::new("/nowhere/libonnxruntime.so")), 1, "runtime", "/nowhere", "runtime/");
    let no_library = school.path().join("libonnxruntime.so");
    fs::write(&no_library, "not a library").unwrap();
    complains(with(&no_library), 1, "runtime", "cannot be used", "ROLLCALL_ORT");
}

#[test]
fn a_changed_byte_of_the_pack_is_found() {
    let school = School::empty();
    let copy = school.path().join("models/starter");
    fs::create_dir_all(&copy).unwrap();
    for entry in fs::read_dir(repository().join("models/starter")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    doctor(&school).expect(0);
    let net = copy.join("rnet.onnx");
    let mut bytes = fs::read(&net).unwrap();
    bytes[1000] ^= 1;
    fs::write(&net, bytes).unwrap();
    complains(doctor(&school), 1, "pack", "rnet.onnx", "bring the pack's files again");
    complains(school.run(&["--json", "--pack", "none", "doctor"]), 1, "pack", "\"none\"", "rollcall models list");
}

#[test]
fn a_provider_that_is_not_there_is_told() {
    if Path::new("/proc/driver/nvidia/version").exists() {
        println!("skipped: this machine has an NVIDIA driver");
        return;
    }
    let school = School::empty();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.current_dir(repository()).env_clear().args(["--json", "--provider", "cuda", "--data-dir"]);
    let ran = Ran::of(command.arg(school.path()).arg("doctor").output().unwrap());
    complains(ran, 1, "provider", "no NVIDIA driver", "--provider cpu");
}

#[test]
fn settings_that_cannot_be_read_are_a_finding_too() {
    let school = School::empty();
    fs::write(school.path().join("rollcall.toml"), "time_zone = \"Mars/Olympus\"\n").unwrap();
    complains(doctor(&school), 1, "settings", "time_zone", "rollcall.toml");
    fs::write(school.path().join("rollcall.toml"), "[log]\nlevel = \"==\"\n").unwrap();
    complains(doctor(&school), 1, "settings", "log.level", "rollcall.toml");
}
