//! A photo of one lesson that comes again for another.

use std::fs;

use serde_json::{Value, json};

use crate::support::{FULL, LEFT, Photos, School, class_photo, jpeg, line};

const NEXT_DAY: &str = "CSE-A_2026-11-18_0900.jpg";
const DAY_AFTER: &str = "CSE-A_2026-11-19_0900.jpg";

fn session<'r>(report: &'r Value, path: &str) -> &'r Value {
    let id = &line(report, path)["session_id"];
    report["sessions"].as_array().unwrap().iter().find(|session| session["id"] == *id).unwrap()
}

fn has_flag(report: &Value, path: &str) -> bool {
    session(report, path)["flags"].as_array().unwrap().contains(&json!("reused_photo"))
}

/// Half the size, a fifth cut away, a little brighter, saved again.
fn copied(demo: &str) -> Vec<u8> {
    let picture = image::open(class_photo(demo)).unwrap().into_rgb8();
    let (width, height) = picture.dimensions();
    let part = image::imageops::crop_imm(&picture, width / 10, height / 10, width * 4 / 5, height * 4 / 5).to_image();
    let small = image::imageops::resize(&part, width / 2, height / 2, image::imageops::FilterType::Triangle);
    jpeg(&image::imageops::brighten(&small, 12), 80)
}

#[test]
fn a_photo_that_comes_again_for_another_lesson_is_pointed_out_there() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL), (LEFT, LEFT)]);
    let first = school.batch(&photos, 0);
    photos.add(NEXT_DAY, &fs::read(class_photo(FULL)).unwrap());
    photos.add(DAY_AFTER, &copied(FULL));
    let report = school.batch(&photos, 0);
    assert!(![FULL, LEFT].into_iter().any(|path| has_flag(&report, path)), "{report:#}");
    let id = |path: &str| session(&report, path)["id"].as_i64().unwrap();
    let before = format!("used for session {} before (2026-11-17 09:00)", id(FULL));
    assert_eq!(line(&report, NEXT_DAY)["warnings"], json!([format!("the same photo was {before}")]));
    let warnings = line(&report, DAY_AFTER)["warnings"].clone();
    assert_eq!(warnings[0], format!("nearly the same photo was {before}"));
    assert_eq!(
        warnings[1],
        format!("nearly the same photo was used for session {} before (2026-11-18 09:00)", id(NEXT_DAY))
    );
    assert!(has_flag(&report, NEXT_DAY) && has_flag(&report, DAY_AFTER));
    assert_eq!(session(&report, NEXT_DAY)["present"], session(&first, FULL)["present"], "nothing is taken away");

    // Looked at again, judged again: the same.
    let again = school.run(&["--json", "batch", photos.path().to_str().unwrap(), "--reprocess"]).expect(0).json();
    assert_eq!(again["sessions"], report["sessions"]);
    for path in [FULL, LEFT, NEXT_DAY, DAY_AFTER] {
        assert_eq!(line(&again, path)["warnings"], line(&report, path)["warnings"], "{path}");
    }
    school.run(&["rematch", "--session", &id(NEXT_DAY).to_string()]).expect(0);
    assert_eq!(school.batch(&photos, 0)["sessions"], report["sessions"]);

    let told = school.run(&["batch", photos.path().to_str().unwrap()]).expect(0).out;
    assert!(told.contains("reused_photo") && told.contains(&before), "{told}");
    let number = id(NEXT_DAY).to_string();
    let range = ["--class", "CSE", "--section", "A", "--from", "2026-11-18", "--to", "2026-11-18", "--format", "csv"];
    let file = school.path().join("register.csv");
    school.run(&[&["export"][..], &range, &["-o", file.to_str().unwrap()]].concat()).expect(0);
    assert!(fs::read_to_string(&file).unwrap().contains("CHECK PHOTOS"));
    school.run(&["export", "--session", &number, "-o", school.path().join("s.xlsx").to_str().unwrap()]).expect(0);
}

#[test]
fn a_lesson_whose_name_changes_is_told_to_be_there_twice() {
    let school = School::enrolled();
    school.batch(&Photos::of(&[(FULL, "Algebra_CSE-A_2026-11-20_0900.jpg")]), 0);
    let renamed = Photos::of(&[(FULL, "Geometry_CSE-A_2026-11-20_0900.jpg")]);
    let report = school.batch(&renamed, 0);
    let warning = &line(&report, "Geometry_CSE-A_2026-11-20_0900.jpg")["warnings"][0];
    let text = warning.as_str().unwrap_or_default();
    assert!(text.contains("Algebra") && text.ends_with("one lesson under two names?"), "{report:#}");
}
