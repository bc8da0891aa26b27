//! Broken files, empty rooms: nothing is lost, and nobody is marked absent by accident.

use std::fs;

use serde_json::{Value, json};

use crate::support::{FULL, LEFT, OTHER_CLASS, Photos, RIGHT, School, class_photo, empty_room, line, roll_nos};

fn code<'a>(report: &'a Value, path: &str) -> &'a Value {
    assert_eq!(line(report, path)["status"], "failed");
    &line(report, path)["error"]["code"]
}

#[test]
fn broken_files_are_lines_and_the_rest_goes_on() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let whole = fs::read(class_photo(LEFT)).unwrap();
    photos.add("CSE-A_2026-11-01_0900.jpg", b"this is a text");
    photos.add("CSE-A_2026-11-02_0900.jpg", &whole[..whole.len() / 2]);
    photos.add("CSE-A_2026-11-03_0900.jpg", b"");
    photos.add("CSE-A_2026-11-04_0900.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    photos.add("CSE-A_2026-11-05_0900.jpg", &[whole.as_slice(), &vec![0; 1 << 20]].concat());
    let env = [("ROLLCALL_PHOTOS__MAX_MB", "1")];
    let report = school.run_with(&env, &["--json", "batch", photos.path().to_str().unwrap()]).expect(3).json();
    assert_eq!(code(&report, "CSE-A_2026-11-01_0900.jpg"), "UNSUPPORTED_FORMAT");
    assert_eq!(code(&report, "CSE-A_2026-11-02_0900.jpg"), "INVALID_IMAGE");
    assert_eq!(code(&report, "CSE-A_2026-11-03_0900.jpg"), "INVALID_IMAGE");
    assert_eq!(code(&report, "CSE-A_2026-11-04_0900.heic"), "INVALID_IMAGE");
    assert_eq!(code(&report, "CSE-A_2026-11-05_0900.jpg"), "IMAGE_TOO_LARGE");
    assert_eq!(line(&report, FULL)["status"], "done");
    for session in report["sessions"].as_array().unwrap() {
        let is_whole = session["starts_at"].as_str().unwrap().starts_with("2026-11-17");
        assert_eq!(session["absent"] == json!([]), !is_whole, "{session}");
    }
}

#[test]
fn lesson_with_a_broken_photo_marks_nobody_absent_until_it_is_replaced() {
    let school = School::enrolled();
    let photos = Photos::of(&[(LEFT, LEFT)]);
    photos.add(RIGHT, b"not a photo at all");
    let report = school.batch(&photos, 3);
    let session = &report["sessions"][0];
    assert_eq!((&session["absent"], &session["flags"]), (&json!([]), &json!(["photo_failed"])));
    assert_eq!(roll_nos(&session["present"]).len(), 16);

    photos.add(RIGHT, &fs::read(class_photo(RIGHT)).unwrap());
    let mended = school.batch(&photos, 0);
    let session = &mended["sessions"][0];
    assert_eq!((roll_nos(&session["absent"]).len(), &session["flags"]), (5, &json!([])));
}

#[test]
fn lesson_with_a_file_that_cannot_be_read_marks_nobody_absent() {
    let school = School::enrolled();
    let photos = Photos::of(&[(LEFT, LEFT)]);
    // A file for everybody that nobody can read from its start, not even root.
    std::os::unix::fs::symlink("/proc/self/mem", photos.path().join(RIGHT)).unwrap();
    let report = school.batch(&photos, 3);
    let failed = line(&report, RIGHT);
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("FILE_ERROR")));
    assert_eq!(failed["sha256"], "");
    assert_eq!(report["sessions"][0]["absent"], json!([]));

    fs::remove_file(photos.path().join(RIGHT)).unwrap();
    photos.add(RIGHT, &fs::read(class_photo(RIGHT)).unwrap());
    assert_eq!(roll_nos(&school.batch(&photos, 0)["sessions"][0]["absent"]).len(), 5);
}

#[test]
fn empty_room_leaves_everybody_unmarked() {
    let school = School::enrolled();
    let photos = Photos::none();
    photos.add("CSE-A_2026-11-19_0900.jpg", &empty_room());
    let report = school.batch(&photos, 0);
    let session = &report["sessions"][0];
    let photo = line(&report, "CSE-A_2026-11-19_0900.jpg");
    assert_eq!((&photo["faces"], &photo["advice"][0]["code"]), (&json!([]), &json!("NO_FACE")));
    assert_eq!((&session["flags"], &session["state"]), (&json!(["no_faces"]), &json!("review")));
    assert_eq!(roll_nos(&session["unmarked"]).len(), 28);
}

#[test]
fn a_photo_of_another_class_marks_nobody_absent() {
    let school = School::enrolled();
    let photos = Photos::of(&[(OTHER_CLASS, "CSE-A_2026-11-19_0900.jpg")]);
    let report = school.batch(&photos, 0);
    let session = &report["sessions"][0];
    assert_eq!(session["flags"][0], "mostly_strangers", "{session}");
    assert_eq!((&session["absent"], &session["present"]), (&json!([]), &json!([])), "{session}");
    assert_eq!(roll_nos(&session["unmarked"]).len(), 28);
}

#[test]
fn more_faces_than_the_limit_is_said_and_marks_nobody_absent() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let env = [("ROLLCALL_PHOTOS__MAX_FACES", "10")];
    let report = school.run_with(&env, &["--json", "batch", photos.path().to_str().unwrap()]).expect(0).json();
    let photo = line(&report, FULL);
    assert_eq!((&photo["faces_left_out"], &photo["advice"][0]["code"]), (&json!(15), &json!("FACES_LEFT_OUT")));
    let session = &report["sessions"][0];
    assert_eq!((&session["absent"], roll_nos(&session["present"]).len()), (&json!([]), 10));
    assert!(session["flags"].as_array().unwrap().contains(&json!("faces_left_out")));
}
