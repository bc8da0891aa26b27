use chrono::{NaiveDate, NaiveDateTime};
use proptest::prelude::*;

use super::*;
use crate::domain::class_label::class_refs;

const SCHOOL: [(&str, &str); 4] = [("CSE", "A"), ("CSE", "B"), ("AIML", "B"), ("Data Science", "A")];
const CSE_A: ClassId = ClassId(1);
const CSE_B: ClassId = ClassId(2);
const AIML_B: ClassId = ClassId(3);
const DATA_SCIENCE_A: ClassId = ClassId(4);

fn read_among(classes: &[(&str, &str)], path: &str, asked: Option<ClassId>) -> Result<NamedPhoto, NameError> {
    read_photo_name(Path::new(path), &ClassLabels::new(class_refs(classes)), asked)
}

fn read(path: &str) -> Result<NamedPhoto, NameError> {
    read_among(&SCHOOL, path, None)
}

fn date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 16).unwrap()
}

fn at(hour: u32, minute: u32) -> NamedTime {
    NamedTime::Moment(date().and_hms_opt(hour, minute, 0).unwrap())
}

fn photo(class: ClassId, session: Option<&str>, time: NamedTime) -> Result<NamedPhoto, NameError> {
    Ok(NamedPhoto { class, session: session.map(str::to_owned), time })
}

#[track_caller]
fn assert_ambiguous(result: &Result<NamedPhoto, NameError>, count: usize) {
    assert!(matches!(result, Err(NameError::Ambiguous { candidates }) if candidates.len() == count), "{result:?}");
}

#[track_caller]
fn assert_unknown(result: &Result<NamedPhoto, NameError>, expected: &str) {
    assert!(matches!(result, Err(NameError::UnknownClass { said, .. }) if said == expected), "{result:?}");
}

#[test]
fn the_file_names_of_the_contract() {
    let nine = at(9, 0);
    assert_eq!(read("CSE-A_2026-11-16_0900.jpg"), photo(CSE_A, None, nine));
    assert_eq!(read("CSE-A_2026-11-16_0900_left.jpg"), photo(CSE_A, None, nine));
    assert_eq!(read("Operating_Systems_CSE-A_2026-11-16_0900_2.jpg"), photo(CSE_A, Some("Operating Systems"), nine));
    assert_eq!(read("Maths_AIML_B_2026-11-16_1100.jpeg"), photo(AIML_B, Some("Maths"), at(11, 0)));
    assert_eq!(read("AIML_B_2026-11-16_1100.png"), photo(AIML_B, None, at(11, 0)));
}

#[test]
fn spelling_is_forgiven() {
    let expected = photo(DATA_SCIENCE_A, Some("Lab 2"), at(9, 0));
    for path in [
        "Lab_2_Data_Science-A_2026-11-16_0900.jpg",
        "lab 2 DATA SCIENCE-A 20261116 09-00 (1).JPG",
        "Lab_2_data science_a_20261116_090000.jpg",
        "Lab_2_-_Data_Science_-_A_2026-11-16T0900.jpg",
        "some/folder/Lab__2__Data_Science-A__2026.11.16__0900.jpg",
    ] {
        let read = read(path).map(|p| NamedPhoto { session: p.session.map(|s| s.replace("lab", "Lab")), ..p });
        assert_eq!(read, expected, "{path}");
    }
}

#[test]
fn a_class_folder_names_the_class() {
    assert_eq!(read("CSE-A/left.jpg"), photo(CSE_A, None, NamedTime::Unsaid));
    assert_eq!(read("cse_a/left.jpg"), photo(CSE_A, None, NamedTime::Unsaid));
    assert_eq!(read("week 1/Data Science-A/monday/IMG_1234.jpg"), photo(DATA_SCIENCE_A, None, NamedTime::Unsaid));
    assert_eq!(read("CSE-A/Maths_2026-11-16_0900.jpg"), photo(CSE_A, Some("Maths"), at(9, 0)));
    assert_eq!(read("CSE-A/CSE-A_2026-11-16_0900.jpg"), photo(CSE_A, None, at(9, 0)));
}

#[test]
fn a_session_folder_may_carry_the_whole_name() {
    assert_eq!(read("Maths_CSE-A_2026-11-16_0900/left.jpg"), photo(CSE_A, Some("Maths"), at(9, 0)));
    assert_eq!(read("CSE-A/2026-11-16/left.jpg"), photo(CSE_A, None, NamedTime::Date(date())));
    assert_eq!(read("2026-11-16/CSE-A/Maths_2026-11-16_0900.jpg"), photo(CSE_A, Some("Maths"), at(9, 0)));
    assert_ambiguous(&read("CSE-A/2026-11-17/CSE-A_2026-11-16_0900.jpg"), 3);
}

#[test]
fn a_name_without_time_leaves_it_to_the_camera() {
    assert_eq!(read("CSE-A_2026-11-16.jpg"), photo(CSE_A, None, NamedTime::Date(date())));
    assert_eq!(read("Maths_CSE-A_2026-11-16_left.jpg"), photo(CSE_A, Some("Maths"), NamedTime::Date(date())));
    assert_eq!(read("CSE-A_left.jpg"), photo(CSE_A, None, NamedTime::Unsaid));
    assert_eq!(read("2026-11-16_0900_CSE-A_left.jpg"), photo(CSE_A, None, at(9, 0)));
}

#[test]
fn names_of_cameras_are_no_sessions() {
    assert_eq!(read("CSE-A/IMG_20261116_090000.jpg"), photo(CSE_A, None, at(9, 0)));
    assert_eq!(read("CSE-A/20261116_090000.jpg"), photo(CSE_A, None, at(9, 0)));
    assert_eq!(read("CSE-A/PXL_20261116_040000123.jpg"), photo(CSE_A, None, NamedTime::Unsaid));
    assert_eq!(read("CSE-A/IMG-20261116-WA0003.jpg"), photo(CSE_A, None, NamedTime::Unsaid));
    assert_eq!(read("CSE-A/IMG_12345678.jpg"), photo(CSE_A, None, NamedTime::Unsaid));
    let sent = read("CSE-A/WhatsApp Image 2026-11-16 at 09.03.12.jpeg");
    assert_eq!(sent, photo(CSE_A, None, NamedTime::Date(date())));
}

#[test]
fn a_session_called_like_a_class_does_not_confuse() {
    assert_eq!(read("CSE-B_CSE-A_2026-11-16_0900.jpg"), photo(CSE_A, Some("CSE-B"), at(9, 0)));
    assert_eq!(read("AIML_B_CSE_A_2026-11-16_0900.jpg"), photo(CSE_A, Some("AIML B"), at(9, 0)));
    assert_eq!(read("CSE-A_CSE-A_2026-11-16_0900.jpg"), photo(CSE_A, Some("CSE-A"), at(9, 0)));
}

#[test]
fn anything_behind_the_time_does_not_confuse() {
    assert_eq!(read("CSE-A_2026-11-16_0900_CSE-B.jpg"), photo(CSE_A, None, at(9, 0)));
    assert_eq!(read("CSE-A_2026-11-16_0900_IMG_20261117_101112.jpg"), photo(CSE_A, None, at(9, 0)));
    assert_ambiguous(&read("CSE-A_2026-11-16_0900_CSE-B_2026-11-16_1000.jpg"), 2);
    assert_ambiguous(&read("CSE-A_2026-11-16_0900_CSE-A_2026-11-16_1000.jpg"), 2);
}

#[test]
fn the_separator_tells_hyphenated_classes_apart() {
    let classes = [("CSE", "A"), ("DS-CSE", "A")];
    let read = |path| read_among(&classes, path, None);
    let nine = at(9, 0);
    assert_eq!(read("DS-CSE-A_2026-11-16_0900.jpg"), photo(ClassId(2), None, nine));
    assert_eq!(read("DS_CSE-A_2026-11-16_0900.jpg"), photo(ClassId(1), Some("DS"), nine));
    assert_eq!(read("DS-CSE_A_2026-11-16_0900.jpg"), photo(ClassId(2), None, nine));
    assert_eq!(read("DS_DS-CSE-A_2026-11-16_0900.jpg"), photo(ClassId(2), Some("DS"), nine));
    assert_eq!(read("DS-CSE-A/left.jpg"), photo(ClassId(2), None, NamedTime::Unsaid));
    // Without the class DS-CSE this is a class that nobody imported, not a session of CSE-A.
    assert_unknown(&read_among(&classes[..1], "DS-CSE-A_2026-11-16_0900.jpg", None), "DS-CSE-A");
}

#[test]
fn two_classes_that_fit_are_ambiguous() {
    let spaced = [("CSE", "A"), ("DS CSE", "A")];
    for path in ["DS_CSE-A_2026-11-16_0900.jpg", "DS_CSE_A_2026-11-16_0900.jpg", "DS CSE-A/left.jpg"] {
        assert_ambiguous(&read_among(&spaced, path, None), 2);
    }
    let error = read_among(&spaced, "DS_CSE-A_2026-11-16_0900.jpg", None).unwrap_err().to_string();
    assert!(error.contains("session \"DS\" of CSE-A at 2026-11-16 09:00:00"), "{error}");
    assert!(error.contains("as DS CSE-A at"), "{error}");
    let split = [("CSE-A", "B"), ("CSE", "A-B")];
    assert_ambiguous(&read_among(&split, "CSE-A-B_2026-11-16_0900.jpg", None), 2);
    assert_eq!(read_among(&split, "CSE_A-B_2026-11-16_0900.jpg", None), photo(ClassId(2), None, at(9, 0)));
}

#[test]
fn another_place_may_decide_between_readings() {
    let classes = [("CSE", "A"), ("DS CSE", "A")];
    let name = "DS_CSE-A_2026-11-16_0900.jpg";
    let (first, second) = (photo(ClassId(1), Some("DS"), at(9, 0)), photo(ClassId(2), None, at(9, 0)));
    assert_eq!(read_among(&classes, &format!("CSE-A/{name}"), None), first);
    assert_eq!(read_among(&classes, name, Some(ClassId(1))), first);
    assert_eq!(read_among(&classes, name, Some(ClassId(2))), second);
}

#[test]
fn contradictions_are_ambiguous() {
    assert_ambiguous(&read("CSE-A/CSE-B_2026-11-16_0900.jpg"), 2);
    assert_ambiguous(&read("CSE-A/AIML-B/left.jpg"), 2);
    assert_ambiguous(&read("CSE-A/CSE-B_board.jpg"), 2);
    assert_ambiguous(&read_among(&SCHOOL, "CSE-A/left.jpg", Some(CSE_B)), 2);
    assert_ambiguous(&read_among(&SCHOOL, "CSE-A_2026-11-16_0900.jpg", Some(CSE_B)), 2);
}

#[test]
fn the_class_asked_for_counts_where_the_name_says_nothing() {
    let read = |path| read_among(&SCHOOL, path, Some(CSE_B));
    assert_eq!(read("left.jpg"), photo(CSE_B, None, NamedTime::Unsaid));
    assert_eq!(read("monday/Maths_2026-11-16_0900.jpg"), photo(CSE_B, Some("Maths"), at(9, 0)));
    assert_eq!(read("CSE-B_2026-11-16_0900.jpg"), photo(CSE_B, None, at(9, 0)));
    assert_eq!(read("Data-Structures_2026-11-16_0900.jpg"), photo(CSE_B, Some("Data-Structures"), at(9, 0)));
    assert_unknown(&read_among(&SCHOOL, "left.jpg", Some(ClassId(9))), "class 9");
}

#[test]
fn a_class_that_does_not_exist_is_never_taken_for_another() {
    assert_unknown(&read("ECE-A_2026-11-16_0900.jpg"), "ECE-A");
    assert_unknown(&read("ECE-A/left.jpg"), "ECE-A");
    assert_unknown(&read("CSE-A/ECE-A_2026-11-16_0900.jpg"), "ECE-A");
    assert_unknown(&read_among(&SCHOOL, "ECE-A_2026-11-16_0900.jpg", Some(CSE_A)), "ECE-A");
    assert_unknown(&read_among(&SCHOOL, "ECE-C/left.jpg", Some(CSE_A)), "ECE-C");
    assert_unknown(&read_among(&[], "CSE-A_2026-11-16_0900.jpg", None), "CSE-A");
    assert_unknown(&read("left.jpg"), "left");
}

#[test]
fn an_unknown_class_comes_with_the_one_that_was_meant() {
    let error = read("CES-A_2026-11-16_0900.jpg").unwrap_err();
    let nearest = Some("CSE-A".to_owned());
    assert_eq!(error, NameError::UnknownClass { said: "CES-A".to_owned(), nearest });
    let text = "no class is called \"CES-A\" (is CSE-A meant?); import its roster or rename the photo";
    assert_eq!(error.to_string(), text);
}

#[test]
fn times_that_no_clock_shows_are_errors() {
    for (path, text) in [
        ("CSE-A_2026-11-16_2560.jpg", "2026-11-16 2560"),
        ("CSE-A_2026-02-30_0900.jpg", "2026-02-30"),
        ("CSE-A/2026-13-01_0900.jpg", "2026-13-01"),
    ] {
        assert_eq!(read(path), Err(NameError::BadTimestamp { text: text.to_owned() }), "{path}");
    }
}

#[test]
fn photos_are_told_from_other_files() {
    for path in ["a.jpg", "CSE-A/b.JPEG", "c.heic", "d.tif", "e.gif", "f.2.webp"] {
        assert!(looks_like_photo(Path::new(path)), "{path}");
    }
    for path in [
        "Thumbs.db",
        "manifest.csv",
        "notes.txt",
        "x.xlsx",
        "y.json",
        ".hidden.jpg",
        "._a.jpg",
        ".trash/a.jpg",
        "jpg",
        "__MACOSX/a.jpg",
    ] {
        assert!(!looks_like_photo(Path::new(path)), "{path}");
    }
}

/// Class names that hold separators, and sections.
fn school() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = "[A-C]{1,2}([-_ ][A-C]{1,2})?";
    proptest::collection::vec((name.prop_map(String::from), "[AB1]".prop_map(String::from)), 1..6)
}

fn moment() -> impl Strategy<Value = NaiveDateTime> {
    (0i64..(150 * 365 * 1440)).prop_map(|minutes| {
        NaiveDate::from_ymd_opt(1950, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap() + chrono::TimeDelta::minutes(minutes)
    })
}

proptest! {
    #[test]
    fn a_name_by_the_rule_is_read_back_or_refused(
        classes in school(), pick in any::<prop::sample::Index>(), session in "([A-C]{1,2}_){0,2}",
        between in "[-_]", moment in moment(), rest in "(_[a-z0-9]{1,5})?",
    ) {
        let (name, section) = pick.get(&classes).clone();
        let refs: Vec<(&str, &str)> = classes.iter().map(|(n, s)| (n.as_str(), s.as_str())).collect();
        let path = format!("{session}{name}{between}{section}_{}{rest}.jpg", moment.format("%Y-%m-%d_%H%M"));
        match read_among(&refs, &path, None) {
            Ok(photo) => {
                let found = &classes[photo.class.0 as usize - 1];
                prop_assert_eq!((fold(&found.0), fold(&found.1)), (fold(&name), fold(&section)), "{}", path);
                prop_assert_eq!(photo.time, NamedTime::Moment(moment));
                prop_assert_eq!(photo.session.map(|s| fold(&s)), Some(fold(&session)).filter(|s| !s.is_empty()));
            }
            Err(NameError::Ambiguous { candidates }) => prop_assert!(candidates.len() > 1),
            Err(other) => prop_assert!(false, "{}: {}", path, other),
        }
    }

    #[test]
    fn arbitrary_paths_never_panic(path in "\\PC{0,60}", asked in proptest::option::of(0i64..6)) {
        let _ = read_among(&SCHOOL, &path, asked.map(ClassId));
        let _ = looks_like_photo(Path::new(&path));
    }

    #[test]
    fn paths_of_familiar_words_never_panic_and_never_leave_the_school(
        path in "((CSE|AIML|DS|A|B|2026-11-16|20261116|0900|9|é|IMG)[-_ /]{0,2}){0,9}(\\.jpg)?",
        asked in proptest::option::of(1i64..5),
    ) {
        if let Ok(photo) = read_among(&SCHOOL, &path, asked.map(ClassId)) {
            prop_assert!((1..=4).contains(&photo.class.0));
            prop_assert!(asked.is_none_or(|id| photo.class == ClassId(id)));
        }
    }
}
