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

/// A list of two portraits of each.
fn people(students: &[String]) -> String {
    let rows: String = students.iter().map(|s| format!("{s}/face.jpg,{s}\n{s}/face_2.jpg,{s}\n")).collect();
    format!("image,person\n{rows}")
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
    let result = &report["result"];
    assert_eq!((&result["same"], &result["different"], &result["pairs_left_out"]), (&7.into(), &7.into(), &1.into()));
    assert_eq!(result["failed"].as_array().unwrap().len(), 1);
    assert!(result["failed"][0].as_str().unwrap().starts_with("nobody/face.jpg: "), "{report}");
    assert!(result["accuracy"]["mean"].as_f64().unwrap() > 0.8, "{report}");
    assert!((-1.0..1.0).contains(&result["best_cosine"].as_f64().unwrap()));
    // Seven different pairs cannot show a rate of 1 in 100.
    assert!(result["true_accepts"][0]["line"].is_null(), "{report}");
    assert!(result["true_accepts"][0]["withheld"].as_str().unwrap().contains("1000 are needed"), "{report}");
}

#[test]
fn everybody_is_compared_with_everybody_and_the_report_says_with_what() {
    let dir = tempfile::tempdir().unwrap();
    let (list, page) = (dir.path().join("people.csv"), dir.path().join("report.html"));
    fs::write(&list, people(&students(6))).unwrap();
    let args = ["pairs", "--people", list.to_str().unwrap(), "--commit", "abc123", "--html", page.to_str().unwrap()];
    let report = run(&list, &args).expect(0).json();
    // 12 pictures: 6 pairs of one person, and 66 - 6 of two.
    assert_eq!((&report["counts"]["same_pairs"], &report["counts"]["different_pairs"]), (&6.into(), &60.into()));
    assert_eq!((&report["measurement"], &report["program"]["commit"]), (&"pairs".into(), &"abc123".into()));
    assert_eq!(
        (&report["pack"]["id"], &report["provider"], &report["seed"]),
        (&"starter".into(), &"cpu".into(), &1.into())
    );
    assert_eq!(report["pack"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(report["lists"][0]["name"], "people.csv");
    assert!(report["policy"]["accept"].as_f64().unwrap() > 10.0, "{report}");
    let html = fs::read_to_string(page).unwrap();
    assert!(html.contains("<svg") && html.contains("data:image/jpeg;base64,") && html.contains("abc123"), "{html}");
    assert!(!html.contains("<script") && !html.contains("src=\"http"), "a page that needs nothing else");
}

#[test]
fn a_measurement_goes_on_where_another_was_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("people.csv");
    let looks = |count: usize, more: &[&str]| {
        fs::write(&list, people(&students(count))).unwrap();
        let args = [&["pairs", "--people", list.to_str().unwrap()], more].concat();
        let report = run(&list, &args).expect(0).json();
        let count = |name: &str| report["counts"][name].as_u64().unwrap();
        let error = report["result"]["equal_error"]["rate"].as_f64().unwrap();
        (count("pictures_looked_at"), count("pictures_remembered"), error)
    };
    assert_eq!(looks(2, &[]).0, 4);
    let (looked_at, remembered, error) = looks(3, &[]);
    assert_eq!((looked_at, remembered), (2, 4));
    assert_eq!(looks(3, &[]), (0, 6, error));
    assert_eq!(looks(3, &["--no-cache"]), (6, 0, error));
    let elsewhere = dir.path().join("elsewhere");
    assert_eq!(looks(3, &["--cache", elsewhere.to_str().unwrap()]), (6, 0, error));
}

#[test]
fn members_are_known_in_drawn_rosters_and_strangers_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (list, page) = (dir.path().join("people.csv"), dir.path().join("report.html"));
    fs::write(&list, people(&students(8))).unwrap();
    let list = list.to_str().unwrap();
    let args = ["identify", "--people", list, "--samples", "1", "--rosters", "4,100", "--draws", "3", "--sizes", "1"];
    let more = ["--smallest-px", "60", "--largest-px", "80", "--html", page.to_str().unwrap()];
    let report = run(Path::new(list), &[args.as_slice(), &more].concat()).expect(0).json();
    let known = report["result"]["identified"].as_array().unwrap();
    // Nobody beyond the eight can be in a roster of a hundred, and nobody is left to be a stranger to it.
    assert_eq!((&known[0]["roster"], &known[1]["roster"]), (&4.into(), &8.into()));
    let probes = report["counts"]["probes"].as_u64().unwrap();
    assert_eq!(known[1]["rank_1"]["of"].as_u64().unwrap(), probes * 3);
    assert_eq!(known[1]["strangers_named"]["of"], 0);
    assert_eq!(
        known[0]["rank_1"]["of"].as_u64().unwrap() + known[0]["strangers_named"]["of"].as_u64().unwrap(),
        probes * 3
    );
    assert!(known[1]["rank_1"]["share"].as_f64().unwrap() > 0.9, "{report}");
    assert!(known[0]["trade_off"][4]["withheld"].as_str().unwrap().contains("10000 are needed"), "{report}");
    assert!(fs::read_to_string(page).unwrap().contains("roster of 8"));
    // Two portraits each: none is left for a probe when both are in the template.
    let error = run(Path::new(list), &["identify", "--people", list, "--samples", "2"]).expect(1).json();
    assert!(error["error"]["message"].as_str().unwrap().contains("3 portraits"), "{error}");
}

#[test]
fn the_demo_schools_faces_are_found_and_counted_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("report.html");
    let (truth, photos) = (demo("truth.csv"), demo("class_photos"));
    let paths = ["--truth", truth.to_str().unwrap(), "--photos", photos.to_str().unwrap()];
    let all = ["--json", "evaluate", "detect", "--html", page.to_str().unwrap()];
    let report = Ran::of(command(dir.path(), &[all.as_slice(), &paths].concat()).output().unwrap()).expect(0).json();
    let faces = report["counts"]["faces"].as_u64().unwrap();
    let subset = &report["result"]["subsets"][0];
    assert_eq!((&report["counts"]["photos"], &subset["recall"]["of"]), (&4.into(), &faces.into()));
    assert!(subset["average_precision"].as_f64().unwrap() > 0.9, "{report}");
    let sizes = subset["by_size"].as_array().unwrap();
    assert_eq!(sizes.iter().map(|row| row["recall"]["of"].as_u64().unwrap()).sum::<u64>(), faces);
    assert!(fs::read_to_string(page).unwrap().contains("Precision against recall"));
}

#[test]
fn faces_that_go_wrong_in_class_photos_are_shown_with_their_portraits() {
    let dir = tempfile::tempdir().unwrap();
    let (truth, photos, page) = (demo("truth.csv"), demo("class_photos"), dir.path().join("report.html"));
    // Everybody is enrolled under the next student's name.
    let folders = students(usize::MAX);
    let mut of_class: Vec<&String> = folders.iter().filter(|name| name.contains("_CSE-A-")).collect();
    of_class.sort_by_key(|name| name.rsplit('_').next().map(str::to_owned));
    let mut rows = "image,person\n".to_owned();
    for (folder, next) in of_class.iter().zip(of_class.iter().cycle().skip(1)) {
        rows += &format!("{folder}/face.jpg,{}\n", next.rsplit('_').next().unwrap());
    }
    let list = dir.path().join("enrolment.csv");
    fs::write(&list, rows).unwrap();
    let cse: String = fs::read_to_string(&truth).unwrap();
    let (header, rest) = cse.split_once('\n').unwrap();
    let rows: Vec<&str> = rest.lines().filter(|row| row.starts_with("CSE-A_2026-11-17")).collect();
    let truth = dir.path().join("truth.csv");
    fs::write(&truth, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    let portraits = demo("dataset");
    let args = [
        "--json",
        "evaluate",
        "class-photos",
        "--truth",
        truth.to_str().unwrap(),
        "--photos",
        photos.to_str().unwrap(),
        "--enrolment",
        list.to_str().unwrap(),
        "--portraits",
        portraits.to_str().unwrap(),
        "--html",
        page.to_str().unwrap(),
    ];
    let report = Ran::of(command(dir.path(), &args).output().unwrap()).expect(0).json();
    let result = &report["result"];
    let count = |name: &str| result["total"][name].as_u64().unwrap();
    assert!(count("named_wrong") > 5 && count("named_right") == 0, "{report}");
    let wrong = &result["mistakes"][0];
    assert_eq!(wrong["outcome"], "named_wrong");
    assert_ne!(wrong["truth"], wrong["said"]);
    assert!(wrong["own"].as_f64().unwrap() > wrong["combined"].as_f64().unwrap(), "{wrong}");
    assert_eq!(result["names_right"]["share"], 0.0);
    let by_size = result["by_size"].as_array().unwrap();
    assert_eq!(by_size.iter().map(|row| row["named_wrong"].as_u64().unwrap()).sum::<u64>(), count("named_wrong"));
    let html = fs::read_to_string(page).unwrap();
    let (is, said) =
        (format!("is {}", wrong["truth"].as_str().unwrap()), format!("said {}", wrong["said"].as_str().unwrap()));
    assert!(html.contains(&is) && html.contains(&said) && html.contains("card wrong"), "{is}; {said}");
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
    fs::write(&list, people(&students(3))).unwrap();
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
        &["evaluate", "pairs"],
        &["evaluate", "pairs", "--pairs", "x.csv", "--people", "y.csv"],
        &["evaluate", "detect", "--truth", "x.csv", "--cache", "here", "--no-cache"],
    ] {
        Ran::of(command(dir.path(), args).output().unwrap()).expect(2);
    }
    let help = Ran::of(command(dir.path(), &["evaluate", "--help"]).output().unwrap()).expect(0);
    assert!(help.out.contains("--calibrate") && help.out.contains("pairs"), "{help:?}");
}
