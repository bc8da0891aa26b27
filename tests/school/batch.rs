//! `rollcall batch`: names, report, second runs.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{FULL, LEFT, OTHER_CLASS, Photos, RIGHT, School, class_photo, line, roll_nos};

fn error_code(report: &Value, path: &str) -> Value {
    line(report, path)["error"]["code"].clone()
}

#[test]
fn report_is_what_the_contract_says() {
    let school = School::enrolled();
    let photos = Photos::of(&[(LEFT, LEFT), (RIGHT, RIGHT)]);
    let file = school.path().join("report.json");
    let args = ["batch", photos.path().to_str().unwrap(), "--report", file.to_str().unwrap()];
    school.run(&args).expect(0);
    let report: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for (key, is) in [
        ("run_id", report["run_id"].is_string()),
        ("started_at", report["started_at"].is_string()),
        ("finished_at", report["finished_at"].is_string()),
        ("pack", report["pack"] == "starter@0"),
        ("provider", report["provider"] == "cpu"),
    ] {
        assert!(is, "{key} in {report:#}");
    }
    let photo = line(&report, LEFT);
    let sha256: String =
        Sha256::digest(fs::read(class_photo(LEFT)).unwrap()).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(photo["sha256"], sha256.as_str());
    assert_eq!((&photo["status"], &photo["error"]), (&json!("done"), &Value::Null));
    assert_eq!((&photo["width"], &photo["height"], &photo["faces_left_out"]), (&json!(3000), &json!(2000), &json!(0)));
    assert!(photo["smallest_face_px"].as_f64().unwrap() > 40.0 && photo["warnings"] == json!([]));
    for stage in ["decode", "detect", "align", "embed", "match", "store"] {
        assert!(photo["timings_ms"][stage].as_f64().unwrap() > 0.0, "{stage}");
    }
    for face in photo["faces"].as_array().unwrap() {
        let bounds: Vec<f64> = face["box"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        let [x, y, w, h] = bounds[..] else { panic!("{face}") };
        assert!(x >= 0.0 && y >= 0.0 && x + w <= 3000.0 && y + h <= 2000.0, "{face}");
        assert_eq!(face["verdict"], "match");
        assert!(face["roll_no"].as_str().unwrap().starts_with("CSE-A-"));
        for number in ["detection_score", "combined", "cosine", "confidence"] {
            assert!(face[number].is_f64(), "{number} in {face}");
        }
        assert!(face["runner_up"]["roll_no"].is_string() && face["runner_up"]["combined"].is_f64());
    }
    let session = &report["sessions"][0];
    assert_eq!(report["sessions"].as_array().unwrap().len(), 1, "both halves of the room are one lesson");
    assert_eq!(photo["session_id"], session["id"]);
    assert_eq!(
        (&session["class"], &session["section"], &session["state"]),
        (&json!("CSE"), &json!("A"), &json!("review"))
    );
    assert_eq!(session["starts_at"], "2026-11-16T09:00:00Z");
    assert_eq!((roll_nos(&session["present"]).len(), roll_nos(&session["absent"]).len()), (23, 5));
    for list in ["late", "excused", "unmarked", "flags"] {
        assert_eq!(session[list], json!([]), "{list}");
    }
    assert_eq!(session["strangers"], 0);
}

#[test]
fn second_run_does_nothing_twice_and_reprocessing_gives_the_same() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    photos.add("CSE-A_2026-11-17_0905_copy.jpg", &fs::read(class_photo(FULL)).unwrap());
    let first = school.batch(&photos, 0);
    let states: Vec<&Value> = first["photos"].as_array().unwrap().iter().map(|p| &p["status"]).collect();
    assert_eq!(states, ["done", "duplicate"], "the same bytes in one lesson are one photo");
    let second = school.batch(&photos, 0);
    assert!(second["photos"].as_array().unwrap().iter().all(|p| p["status"] == "duplicate"));
    assert_eq!(first["sessions"], second["sessions"]);
    let args = ["--json", "batch", photos.path().to_str().unwrap(), "--reprocess"];
    let third = school.run(&args).expect(0).json();
    assert_eq!(line(&third, FULL)["status"], "done");
    assert_eq!(first["sessions"], third["sessions"]);
    assert_eq!(line(&first, FULL)["faces"], line(&third, FULL)["faces"]);
}

#[test]
fn photo_that_comes_later_joins_its_lesson() {
    let school = School::enrolled();
    let photos = Photos::of(&[(LEFT, LEFT)]);
    let before = school.batch(&photos, 0);
    photos.add(RIGHT, &fs::read(class_photo(RIGHT)).unwrap());
    let after = school.batch(&photos, 0);
    assert_eq!(before["sessions"][0]["id"], after["sessions"][0]["id"]);
    let (then, now) = (roll_nos(&before["sessions"][0]["present"]), roll_nos(&after["sessions"][0]["present"]));
    assert!(then.iter().all(|roll_no| now.contains(roll_no)) && now.len() == 23, "{then:?} {now:?}");
}

#[test]
fn photos_say_their_class_by_name_folder_list_or_flag() {
    let school = School::enrolled();
    let photos = Photos::of(&[
        (FULL, "CSE-A/2026-11-20_0900.jpg"),
        (LEFT, "Algebra_CSE_A_2026-11-21_0900.jpg"),
        (OTHER_CLASS, "listed.jpg"),
    ]);
    let list = "photo,class,section,session,timestamp\nlisted.jpg,AIML,B,Vectors,2026-11-22T10:00\n";
    photos.add("manifest.csv", list.as_bytes());
    let report = school.batch(&photos, 0);
    let session = |path: &str| {
        let id = &line(&report, path)["session_id"];
        report["sessions"].as_array().unwrap().iter().find(|s| s["id"] == *id).unwrap()
    };
    let about = |path: &str| {
        (session(path)["class"].clone(), session(path)["name"].clone(), session(path)["starts_at"].clone())
    };
    assert_eq!(about("CSE-A/2026-11-20_0900.jpg"), (json!("CSE"), Value::Null, json!("2026-11-20T09:00:00Z")));
    let algebra = about("Algebra_CSE_A_2026-11-21_0900.jpg");
    assert_eq!(algebra, (json!("CSE"), json!("Algebra"), json!("2026-11-21T09:00:00Z")));
    assert_eq!(about("listed.jpg"), (json!("AIML"), json!("Vectors"), json!("2026-11-22T10:00:00Z")));

    let plain = Photos::of(&[(FULL, "2026-11-23_0900.jpg")]);
    let args = ["--json", "batch", plain.path().to_str().unwrap(), "--class", "CSE", "--section", "A"];
    assert_eq!(school.run(&args).expect(0).json()["sessions"][0]["class"], "CSE");
}

#[test]
fn names_that_do_not_say_enough_are_lines_of_the_report() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, "ECE-Z_2026-11-17_0900.jpg"), (FULL, "CSE-A_window.jpg"), (FULL, FULL)]);
    let report = school.batch(&photos, 3);
    assert_eq!(error_code(&report, "ECE-Z_2026-11-17_0900.jpg"), "AMBIGUOUS_NAME");
    assert_eq!(error_code(&report, "CSE-A_window.jpg"), "NO_TIMESTAMP");
    assert_eq!(line(&report, FULL)["status"], "done");
}

#[test]
fn dry_run_places_photos_and_changes_nothing() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let args = ["--json", "batch", photos.path().to_str().unwrap(), "--dry-run"];
    let plan = school.run(&args).expect(0).json();
    assert_eq!(plan["photos"][0]["target"]["class"], "CSE");
    assert_eq!(school.batch(&photos, 0)["photos"][0]["status"], "done", "nothing had been taken in");
}

#[test]
fn only_students_of_the_class_are_ever_named() {
    let school = School::enrolled();
    let report = school.batch(&Photos::of(&[(OTHER_CLASS, "CSE-A_2026-11-18_0900.jpg")]), 0);
    let photo = &report["photos"][0];
    assert_eq!(photo["faces"].as_array().unwrap().len(), 18);
    for face in photo["faces"].as_array().unwrap() {
        assert_ne!(face["verdict"], "match", "{face}");
        let named = [&face["roll_no"], &face["runner_up"]["roll_no"]];
        assert!(named.iter().all(|r| r.is_null() || r.as_str().unwrap().starts_with("CSE-A")), "{face}");
    }
    let strangers = report["sessions"][0]["strangers"].as_u64().unwrap();
    assert!(strangers > 9, "most of them look like nobody of the class: {strangers}");
    assert_eq!(report["sessions"][0]["present"], json!([]));
}

#[test]
fn class_without_anybody_enrolled_is_an_error_not_a_search() {
    let school = School::with_roster();
    let photos = Photos::of(&[(FULL, FULL)]);
    let report = school.batch(&photos, 3);
    assert_eq!(error_code(&report, FULL), "NO_ENROLLED_STUDENTS");
    assert_eq!(roll_nos(&report["sessions"][0]["unmarked"]).len(), 28, "nobody is absent");
}

#[test]
fn logs_hold_numbers_and_no_names() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let env = [("ROLLCALL_LOG__LEVEL", "trace"), ("ROLLCALL_LOG__FORMAT", "json")];
    let ran = school.run_with(&env, &["batch", photos.path().to_str().unwrap()]).expect(0);
    let done =
        ran.err.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()).find(|l| l["message"] == "photo done");
    let done = done.unwrap();
    assert_eq!(done["faces"], 25);
    assert!(done["detect_ms"].as_u64().unwrap() > 0);
    for row in fs::read_to_string(crate::support::demo("roster.csv")).unwrap().lines().skip(1) {
        let name = row.split(',').nth(2).unwrap();
        assert!(!ran.err.contains(name), "{name} stands in the log");
    }
}
