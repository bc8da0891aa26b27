//! `evaluate` on the demo school's portraits: what is counted, what is left out and named, what is refused.

use std::fs;
use std::path::Path;

use crate::support::{Ran, command, demo};

/// A list beside the demo portraits is not wanted: the list lies elsewhere, the pictures are named with `--images`.
fn run(list: &Path, args: &[&str]) -> Ran {
    let images = demo("dataset");
    let dir = list.parent().unwrap();
    let all = [&["--json", "evaluate"], args, &["--images", images.to_str().unwrap()]].concat();
    Ran::of(command(dir, &all).output().unwrap())
}

/// Folders of students, in alphabetical order.
fn students(count: usize) -> Vec<String> {
    let folders = fs::read_dir(demo("dataset")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut folders: Vec<String> = folders.filter(|name| !name.starts_with('.')).collect();
    folders.sort();
    folders.truncate(count);
    folders
}

#[test]
fn pairs_count_what_can_be_compared_and_name_what_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("pairs.csv");
    let students = students(8);
    let mut rows = "image_a,image_b,same\n".to_owned();
    for pair in students.windows(2) {
        rows += &format!("{0}/face.jpg,{0}/face_2.jpg,1\n{0}/face.jpg,{1}/face.jpg,0\n", pair[0], pair[1]);
    }
    rows += &format!("{}/face.jpg,nobody/face.jpg,0\n", students[0]);
    fs::write(&list, rows).unwrap();
    let report = run(&list, &["pairs", "--pairs", list.to_str().unwrap(), "--folds", "2"]).expect(3).json();
    assert_eq!((&report["same"], &report["different"], &report["pairs_left_out"]), (&7.into(), &7.into(), &1.into()));
    assert_eq!(report["failed"].as_array().unwrap().len(), 1);
    assert!(report["failed"][0].as_str().unwrap().starts_with("nobody/face.jpg: "), "{report}");
    assert!(report["accuracy"]["mean"].as_f64().unwrap() > 0.8, "{report}");
    assert!((-1.0..1.0).contains(&report["best_cosine"].as_f64().unwrap()));
    // Seven different pairs cannot show a rate of 1 in 100.
    assert!(report["roc"][1]["line"].is_null(), "{report}");
}

#[test]
fn a_pair_must_say_whether_it_is_one_person() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("pairs.csv");
    fs::write(&list, "image_a,image_b,same\na.jpg,b.jpg,perhaps\n").unwrap();
    let error = &run(&list, &["pairs", "--pairs", list.to_str().unwrap()]).expect(1).json()["error"];
    assert_eq!(error["code"], "INVALID_TABLE");
    assert!(error["message"].as_str().unwrap().contains("line 2"), "{error}");
}

#[test]
fn too_few_portraits_set_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("people.csv");
    let rows: String = students(3).iter().map(|s| format!("{s}/face.jpg,{s}\n{s}/face_2.jpg,{s}\n")).collect();
    fs::write(&list, format!("image,person\n{rows}")).unwrap();
    // Written to, had there been a line: the pack's own folder is the repository's.
    let before = fs::read(crate::support::repository().join("models/starter/pack.toml")).unwrap();
    let ran = run(&list, &["--calibrate", "--people", list.to_str().unwrap(), "--write"]).expect(1);
    assert_eq!(ran.json()["error"]["code"], "INVALID_TABLE");
    assert_eq!(fs::read(crate::support::repository().join("models/starter/pack.toml")).unwrap(), before);
}

#[test]
fn calibration_and_measurements_are_not_mixed_up() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        ["evaluate"].as_slice(),
        &["evaluate", "--people", "x.csv"],
        &["evaluate", "--calibrate"],
        &["evaluate", "--calibrate", "--people", "x.csv", "pairs", "--pairs", "x.csv"],
    ] {
        Ran::of(command(dir.path(), args).output().unwrap()).expect(2);
    }
    let help = Ran::of(command(dir.path(), &["evaluate", "--help"]).output().unwrap()).expect(0);
    assert!(help.out.contains("--calibrate") && help.out.contains("pairs"), "{help:?}");
}
