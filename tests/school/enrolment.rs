//! Portraits: who is enrolled, who is refused, and why.

use std::fs;

use serde_json::Value;

use crate::support::{School, demo};

/// A folder of one student's portraits.
fn folder(school: &School, student: &str, portraits: &[(&str, &str)]) -> String {
    let dir = school.path().join("portraits");
    fs::create_dir_all(dir.join(student)).unwrap();
    for (from, name) in portraits {
        fs::copy(demo(from), dir.join(student).join(name)).unwrap();
    }
    dir.to_str().unwrap().to_owned()
}

fn codes(report: &Value) -> Vec<&str> {
    report["photos"].as_array().unwrap().iter().filter_map(|p| p["error"]["code"].as_str()).collect()
}

const ANANYA: &str = "Ananya_Foxglove_CSE-A-03";

#[test]
fn without_consent_nobody_is_enrolled() {
    let school = School::with_roster();
    let dir = folder(&school, ANANYA, &[(&format!("dataset/{ANANYA}/face.jpg"), "face.jpg")]);
    let report = school.run(&["--json", "enrol", &dir]).expect(3).json();
    assert_eq!(codes(&report), ["CONSENT_REQUIRED"]);
    assert_eq!(report["students_enrolled"], 0);
    assert!(!school.path().join("samples").exists(), "the picture is not kept");
}

#[test]
fn consent_that_was_withdrawn_is_not_overruled() {
    let school = School::empty();
    let roster = school.path().join("roster.csv");
    fs::write(&roster, "class,section,name,roll_no,prn,email,consent\nCSE,A,Ananya Foxglove,CSE-A-03,P3,,no\n")
        .unwrap();
    school.run(&["roster", "import", roster.to_str().unwrap()]).expect(0);
    let dir = folder(&school, ANANYA, &[(&format!("dataset/{ANANYA}/face.jpg"), "face.jpg")]);
    let report = school.run(&["--json", "enrol", &dir, "--consent", "recorded"]).expect(3).json();
    assert_eq!(codes(&report), ["CONSENT_REQUIRED"]);
}

#[test]
fn unusable_portraits_are_refused_with_reason_and_measure() {
    let school = School::with_roster();
    let bad =
        [("bad_portraits/blurred.jpg", "a.jpg"), ("bad_portraits/two_faces.jpg", "b.jpg"), ("roster.csv", "c.jpg")];
    let dir = folder(&school, ANANYA, &bad);
    let report = school.run(&["--json", "enrol", &dir, "--consent", "recorded"]).expect(3).json();
    assert_eq!(codes(&report), ["LOW_QUALITY", "MULTIPLE_FACES_DETECTED", "UNSUPPORTED_FORMAT"]);
    let message = report["photos"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("sharpness"), "{message}");
}

#[test]
fn portraits_of_two_people_are_a_question() {
    let school = School::with_roster();
    let other = "dataset/Jiro_Orchardly_CSE-A-11/face.jpg";
    let dir = folder(&school, ANANYA, &[(&format!("dataset/{ANANYA}/face.jpg"), "a.jpg"), (other, "b.jpg")]);
    let report = school.run(&["--json", "enrol", &dir, "--consent", "recorded"]).expect(3).json();
    assert_eq!(codes(&report), ["SAMPLES_DISAGREE", "SAMPLES_DISAGREE"]);
    assert_eq!(report["students_enrolled"], 0);
}

#[test]
fn folder_that_fits_nobody_is_named_and_the_rest_goes_on() {
    let school = School::with_roster();
    folder(&school, "Nobody_Known_CSE-A-77", &[(&format!("dataset/{ANANYA}/face.jpg"), "face.jpg")]);
    let dir = folder(&school, ANANYA, &[(&format!("dataset/{ANANYA}/face.jpg"), "face.jpg")]);
    let report = school.run(&["--json", "enrol", &dir, "--consent", "recorded"]).expect(3).json();
    assert_eq!(codes(&report), ["STUDENT_NOT_FOUND"]);
    assert_eq!(report["students_enrolled"], 1);
}

#[test]
fn list_enrols_and_a_second_run_knows_every_picture() {
    let school = School::with_roster();
    let list = school.path().join("portraits.csv");
    let face = |n: &str| demo(&format!("dataset/{ANANYA}/{n}.jpg")).to_str().unwrap().to_owned();
    let rows =
        format!("class,section,roll_no,image\nCSE,A,CSE-A-03,{}\nCSE,A,CSE-A-03,{}\n", face("face"), face("face_2"));
    fs::write(&list, rows).unwrap();
    let enrol = || {
        let args = ["--json", "enrol", "--csv", list.to_str().unwrap(), "--consent", "recorded"];
        school.run(&args).expect(0).json()
    };
    let states = |report: Value| -> Vec<String> {
        report["photos"].as_array().unwrap().iter().map(|p| p["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(enrol()), ["enrolled", "enrolled"]);
    assert_eq!(states(enrol()), ["known", "known"]);
}
