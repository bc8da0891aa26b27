//! `rollcall demo`, as `make demo` runs it.

use std::fs;

use calamine::{Reader, Xlsx, open_workbook};

use crate::support::{Ran, command, repository};

#[test]
fn demo_marks_every_row_right_and_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let report = Ran::of(command(dir.path(), &["--json", "demo"]).output().unwrap()).expect(0).json();
        let rows = &report["comparison"]["rows"];
        let truth = fs::read_to_string(repository().join("dataset/demo/attendance.csv")).unwrap();
        assert_eq!(rows["rows"], truth.lines().count() - 1);
        assert_eq!(rows["right"], rows["rows"], "{rows}");
        let faces = &report["comparison"]["faces"];
        assert_eq!((&faces["found"], &faces["false_faces"]), (&75.into(), &0.into()), "{faces}");
        assert_eq!((&faces["named_right"], &faces["strangers_named"]), (&73.into(), &0.into()), "{faces}");
    }
    let exports = dir.path().join("exports");
    let mut book: Xlsx<_> = open_workbook(exports.join("CSE-A_2026-11-16_to_2026-11-17.xlsx")).unwrap();
    assert_eq!(book.sheet_names().len(), 5, "the register, who is low, a chart, and two lessons");
    let register = book.worksheet_range("Register").unwrap();
    let text = |row: u32, col: u32| register.get_value((row, col)).unwrap().to_string();
    assert_eq!((text(5, 0).as_str(), text(5, 2).as_str()), ("CSE-A-01", "Aarav Nutmegson"));
    let csv = fs::read_to_string(exports.join("AIML-B_2026-11-16.csv")).unwrap();
    assert_eq!(csv.lines().count(), 21);
    let annotated = image::open(exports.join("annotated/CSE-A_2026-11-17_0900_full.jpg")).unwrap();
    assert_eq!(annotated.width(), 3000);
}

#[test]
fn demo_does_not_touch_a_folder_that_is_not_its_own() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("demo")).unwrap();
    fs::write(dir.path().join("demo/rollcall.db"), "a school").unwrap();
    let ran = Ran::of(command(dir.path(), &["demo"]).output().unwrap()).expect(1);
    assert!(ran.err.contains("was not made by the demo"), "{ran:?}");
    assert_eq!(fs::read_to_string(dir.path().join("demo/rollcall.db")).unwrap(), "a school");
}
