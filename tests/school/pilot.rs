//! A pilot from its beginning to its end, beside a register that is the truth of the drawn school.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{FULL, LEFT, Photos, RIGHT, School, demo};

/// The register of CSE-A as its teacher keeps it on paper: a row for each student, a column for each lesson, all of it true.
fn true_register(school: &School) -> PathBuf {
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    let truth = fs::read_to_string(demo("attendance.csv")).unwrap();
    for lesson in ["CSE-A_2026-11-16_0900", "CSE-A_2026-11-17_0900"] {
        for line in truth.lines() {
            let [session, roll_no, present] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
            if session == lesson {
                let mark = if present == "1" { "P" } else { "A" };
                match rows.iter_mut().find(|(known, _)| known == roll_no) {
                    Some((_, marks)) => marks.push(mark),
                    None => rows.push((roll_no.to_owned(), vec![mark])),
                }
            }
        }
    }
    let mut text = String::from("Roll No;2026-11-16 09:00;2026-11-17\n");
    rows.iter().for_each(|(roll_no, marks)| text.push_str(&format!("{roll_no};{}\n", marks.join(";"))));
    let file = school.path().join("register.csv");
    fs::write(&file, text).unwrap();
    file
}

fn register(school: &School, more: &[&str]) -> String {
    let file = school.path().join("out.csv");
    let days = ["--class", "CSE", "--section", "A", "--from", "2026-11-01", "--to", "2026-11-30"];
    school.run(&[&["export"], &days[..], more, &["-o", file.to_str().unwrap()]].concat()).expect(0);
    fs::read_to_string(file).unwrap()
}

fn count(tally: &Value, outcome: &str) -> u64 {
    tally[outcome].as_u64().unwrap()
}

#[test]
fn a_school_tries_the_program_before_anything_counts() {
    let school = School::enrolled();
    let begun = school.run(&["pilot", "begin", "--class", "CSE-A"]).expect(0);
    assert!(begun.out.starts_with("CSE-A is in pilot since "), "{begun:?}");
    let photos = Photos::of(&[(LEFT, LEFT), (RIGHT, RIGHT), (FULL, FULL)]);
    let report = school.batch(&photos, 0);
    assert_eq!((&report["sessions"][0]["pilot"], &report["sessions"][1]["pilot"]), (&json!(true), &json!(true)));
    let told = school.run(&["batch", photos.path().to_str().unwrap()]).expect(0);
    assert!(told.out.contains("PILOT: does not count"), "{told:?}");
    assert!(!register(&school, &[]).contains("2026-11-1"), "no session is on the register");
    assert!(register(&school, &["--with-pilot"]).contains("2026-11-17 09:00 PILOT"));

    let file = true_register(&school);
    let workbook = school.path().join("pilot.xlsx");
    let compare = ["pilot", "compare", "--class", "CSE-A", "--register", file.to_str().unwrap()];
    let found = school.run(&[&["--json"], &compare[..], &["-o", workbook.to_str().unwrap()]].concat()).expect(0).json();
    assert_eq!((&found["sessions"], &found["days"], &found["left_out"]), (&json!(2), &json!(2), &json!([])));
    let total = &found["total"];
    let present = |status: &str| -> u64 {
        report["sessions"].as_array().unwrap().iter().map(|s| s[status].as_array().unwrap().len() as u64).sum()
    };
    assert_eq!(count(total, "agree_present") + count(total, "wrong_present"), present("present"));
    assert_eq!(count(total, "agree_absent") + count(total, "missed"), present("absent"));
    assert_eq!(count(total, "wrong_present"), 0, "nobody of the drawn school is named who is not there: {found:#}");
    assert!(count(total, "agree_present") > 30, "{found:#}");
    assert_eq!(found["verdict"]["readiness"], "not_enough_yet");
    assert!(fs::read(&workbook).unwrap().starts_with(b"PK"));
    let text = school.run(&compare).expect(0).out;
    assert!(text.starts_with("2 sessions on 2 days: not enough yet"), "{text}");

    let ended = school.run(&["--json", "pilot", "end", "--class", "CSE", "--section", "A"]).expect(0).json();
    assert_eq!(ended["pilot_since"], Value::Null);
    let later = Photos::of(&[(FULL, "CSE-A_2026-11-23_0900.jpg")]);
    assert_eq!(school.batch(&later, 0)["sessions"][0]["pilot"], false);
    let header = register(&school, &[]).lines().next().unwrap().to_owned();
    assert!(header.contains("2026-11-23") && !header.contains("2026-11-1"), "{header}");
    let listed = school.run(&["--json", "pilot", "list"]).expect(0).json();
    assert_eq!((&listed[0]["class"], &listed[0]["sessions"]), (&json!("CSE-A"), &json!(2)));

    let actions = school.run(&["--json", "admin", "audit"]).expect(0).out;
    assert!(actions.contains("class.begin_pilot") && actions.contains("class.end_pilot"), "{actions}");
    let wrong = school.run(&["pilot", "begin", "--class", "CSE-B"]).expect(1);
    assert!(wrong.err.contains("is CSE-A meant?"), "{wrong:?}");
}
