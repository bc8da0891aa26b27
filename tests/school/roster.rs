//! Rosters as schools have them: transfers, terms, people who leave, consent that is withdrawn.

use std::fs;

use serde_json::{Value, json};

use crate::support::{FULL, LEFT, OTHER_CLASS, Photos, RIGHT, School, demo, line, roll_nos};

/// CSE-A-02, who is in the photos of both days.
const ABENA: &str = "PRN2026CS1014";

fn register(school: &School, class: &str, section: &str, more: &[&str]) -> Vec<Vec<String>> {
    let file = school.path().join("register.csv");
    let days = ["--from", "2026-11-01", "--to", "2026-11-30", "-o", file.to_str().unwrap()];
    school.run(&[["export", "--class", class, "--section", section].as_slice(), &days, more].concat()).expect(0);
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|l| l.split(',').map(str::to_owned).collect()).collect()
}

/// Everything right of the name: counts, percentage, a cell for each session.
fn row(register: &[Vec<String>], roll_no: &str) -> Vec<String> {
    register.iter().find(|row| row[0] == roll_no).unwrap_or_else(|| panic!("{roll_no} in {register:?}"))[3..].to_vec()
}

fn import(school: &School, csv: &str, args: &[&str]) -> crate::support::Ran {
    let file = school.path().join("import.csv");
    fs::write(&file, csv).unwrap();
    school.run(&[["--json", "roster", "import", file.to_str().unwrap()].as_slice(), args].concat())
}

#[test]
fn transferred_student_belongs_to_each_class_on_its_own_days() {
    let school = School::enrolled();
    let transfer = |more: &[&str]| {
        let to = ["--to-class", "AIML", "--to-section", "B", "--roll-no", "AIML-B-99", "--on", "2026-11-17"];
        school.run(&[["--json", "roster", "transfer", "--prn", ABENA].as_slice(), &to, more].concat())
    };
    let preview = transfer(&["--dry-run"]).expect(0).json();
    assert_eq!((&preview["applied"], preview["changes"].as_array().unwrap().len()), (&json!(false), 2));
    assert_eq!(transfer(&[]).expect(0).json()["changes"], preview["changes"], "the preview had changed nothing");
    assert_eq!(transfer(&[]).expect(0).json()["changes"], json!([]), "it is so already");

    let report =
        school.batch(&Photos::of(&[(LEFT, LEFT), (RIGHT, RIGHT), (FULL, FULL), (OTHER_CLASS, OTHER_CLASS)]), 0);
    let session = |path: &str| {
        let id = &line(&report, path)["session_id"];
        report["sessions"].as_array().unwrap().iter().find(|s| s["id"] == *id).unwrap()
    };
    assert!(roll_nos(&session(LEFT)["present"]).contains(&"CSE-A-02".to_owned()), "the last day counts");
    for list in ["present", "absent", "unmarked"] {
        assert!(!roll_nos(&session(FULL)[list]).contains(&"CSE-A-02".to_owned()), "{list}");
        assert!(!roll_nos(&session(OTHER_CLASS)[list]).contains(&"AIML-B-99".to_owned()), "not yet: {list}");
    }
    assert_eq!(session(FULL)["strangers"], 2, "the face is nobody of the class any more");
    assert_eq!(row(&register(&school, "CSE", "A", &[]), "CSE-A-02"), ["1", "0", "0", "0", "0", "100.00", "P", ""]);
    let newcomer = row(&register(&school, "AIML", "B", &[]), "AIML-B-99");
    assert_eq!(newcomer, ["0", "0", "0", "0", "0", "", ""], "not absent before the first day");
}

#[test]
fn transfer_that_does_not_fit_is_refused_and_changes_nothing() {
    let school = School::with_roster();
    let code = |prn: &str, class: &str, roll_no: &str| {
        let to = ["--to-class", class, "--to-section", "B", "--roll-no", roll_no, "--on", "2026-11-17"];
        school.run(&[["--json", "roster", "transfer", "--prn", prn].as_slice(), &to].concat()).expect(1).json()["error"]
            ["code"]
            .clone()
    };
    assert_eq!(code(ABENA, "AIML", "AIML-B-01"), "ROSTER_CONFLICT");
    assert_eq!(code(ABENA, "ECE", "1"), "CLASS_NOT_FOUND");
    assert_eq!(code("nobody", "AIML", "AIML-B-99"), "STUDENT_NOT_FOUND");
    let list = school.run(&["--json", "roster", "list", "--class", "CSE", "--section", "A", "--on", "2026-12-01"]);
    let list = list.expect(0).json();
    assert_eq!(list["members"].as_array().unwrap().len(), 28);
    assert!(list["members"].as_array().unwrap().iter().all(|m| m["to"].is_null()));
}

#[test]
fn stay_that_is_backdated_takes_the_record_with_it_once_the_session_is_judged_again() {
    let school = School::enrolled();
    school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    let end = ["--json", "roster", "end", "--prn", ABENA, "--on", "2026-11-16"];
    assert_eq!(school.run(&end).expect(0).json()["stale_sessions"], json!({ "rematch": 1, "reprocess": 0 }));
    let report = school.run(&["--json", "rematch", "--stale"]).expect(0).json();
    let change = &report["sessions"][0]["changes"];
    assert_eq!(*change, json!([{ "roll_no": "CSE-A-02", "from": "present", "to": null }]));
    let register = register(&school, "CSE", "A", &[]);
    assert_eq!(register.iter().filter(|row| row[1] == ABENA).count(), 1, "a member until the 16th");
    assert_eq!(row(&register, "CSE-A-02")[6], "", "and no more on the 17th");
}

#[test]
fn withdrawn_consent_leaves_nothing_to_compare_with() {
    let school = School::enrolled();
    let samples = |folder: &str| fs::read_dir(school.path().join("samples").join(folder)).map_or(0, Iterator::count);
    let before: usize = fs::read_dir(school.path().join("samples")).unwrap().count();
    let withdraw = ["--json", "roster", "consent", "withdrawn", "--prn", ABENA, "--on", "2026-11-10"];
    let said = school.run(&withdraw).expect(0).json();
    assert!(said["changes"][1].as_str().unwrap().contains("all samples deleted with their pictures (2)"), "{said}");
    let empty = (1..=before).filter(|student| samples(&student.to_string()) == 0).count();
    assert_eq!(empty, 1, "one student's pictures are gone");
    assert_eq!(school.run(&withdraw).expect(0).json()["changes"], json!([]));
    let report = school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    assert_eq!(report["sessions"][0]["unmarked"], json!(["CSE-A-02"]), "neither present nor absent");
    for face in report["photos"][0]["faces"].as_array().unwrap() {
        assert!([&face["roll_no"], &face["runner_up"]["roll_no"]].iter().all(|r| **r != "CSE-A-02"), "{face}");
    }

    let csv = "class,section,name,roll_no,prn,email,consent\nCSE,A,Aarav Nutmegson,CSE-A-01,PRN2026CS1007,,no\n";
    import(&school, csv, &[]).expect(0);
    let empty = (1..=before).filter(|student| samples(&student.to_string()) == 0).count();
    assert_eq!(empty, 2, "a roster that states it does the same");
}

#[test]
fn inactive_student_is_never_looked_for_until_active_again() {
    let school = School::enrolled();
    school.run(&["roster", "deactivate", "--prn", ABENA]).expect(0);
    let photos = Photos::of(&[(FULL, FULL)]);
    assert_eq!(school.batch(&photos, 0)["sessions"][0]["unmarked"], json!(["CSE-A-02"]));
    school.run(&["roster", "activate", "--prn", ABENA]).expect(0);
    let report = school.run(&["--json", "rematch", "--stale"]).expect(0).json();
    let change = &report["sessions"][0]["changes"];
    assert_eq!(*change, json!([{ "roll_no": "CSE-A-02", "from": "unmarked", "to": "present" }]));
}

#[test]
fn import_takes_days_activity_and_terms_and_a_second_one_changes_nothing() {
    let school = School::empty();
    let csv = "class,section,name,roll_no,prn,email,term,from,to,active\n\
               CSE,A,Ann,1,P1,,2025-26,,2026-05-31,\nCSE,A,Ann,7,P1,,2026-27,2026-07-01,,\nCSE,A,Bob,1,P2,,2026-27,,,no\n";
    let preview = import(&school, csv, &["--dry-run"]).expect(0).json();
    let first = import(&school, csv, &[]).expect(0).json();
    for (key, value) in [("students_added", 2), ("members_added", 3)] {
        assert_eq!((&preview[key], &first[key]), (&json!(value), &json!(value)), "{key}");
    }
    let again = import(&school, csv, &[]).expect(0).json();
    assert_eq!(
        (&again["members_added"], &again["days_changed"], &again["unchanged"]),
        (&json!(0), &json!(0), &json!(3))
    );
    let list = |term: &str, on: &str| -> Vec<Value> {
        let args = ["--json", "roster", "list", "--class", "CSE", "--section", "A", "--term", term, "--on", on];
        school.run(&args).expect(0).json()["members"].as_array().unwrap().clone()
    };
    assert_eq!(list("2025-26", "2026-06-01"), [] as [Value; 0], "the stay is over");
    let now = list("2026-27", "2026-07-01");
    assert_eq!((now.len(), &now[0]["active"], &now[1]["roll_no"]), (2, &json!(false), &json!("7")));
}

/// The demo school's class in another term, where everybody has another number.
fn next_term(school: &School) {
    let roster = fs::read_to_string(demo("roster.csv")).unwrap();
    let rows = roster.lines().filter(|l| l.starts_with("class,") || l.starts_with("CSE,"));
    let csv = rows.map(|l| l.replace("CSE-A-", "")).collect::<Vec<_>>().join("\n");
    import(school, &csv, &["--term", "Spring"]).expect(0);
}

#[test]
fn class_of_two_terms_is_told_by_the_day_or_a_question() {
    let school = School::enrolled();
    next_term(&school);
    let photos = Photos::of(&[(FULL, FULL)]);
    let dry_run = ["--json", "batch", photos.path().to_str().unwrap(), "--dry-run"];
    // The settings' term is none of those that the class exists in.
    let question = school.run_with(&[("ROLLCALL_TERM", "Summer")], &dry_run).expect(3).json();
    let question = &question["photos"][0]["target"]["error"];
    assert_eq!(question["code"], "AMBIGUOUS_NAME");
    assert!(question["message"].as_str().unwrap().contains("--term"), "{question}");
    let named = school.run(&[dry_run.as_slice(), &["--term", "spring"]].concat()).expect(0).json();
    assert_eq!(named["photos"][0]["target"]["term"], "Spring");

    school.run(&["roster", "terms", "set", "Spring", "--from", "2027-01-07", "--to", "2027-05-31"]).expect(0);
    photos.add("CSE-A_2027-01-07_0900.jpg", &fs::read(crate::support::class_photo(FULL)).unwrap());
    let report = school.batch(&photos, 0);
    let present = |path: &str| {
        let id = &line(&report, path)["session_id"];
        let session = report["sessions"].as_array().unwrap().iter().find(|s| s["id"] == *id).unwrap();
        roll_nos(&session["present"])
    };
    assert!(present(FULL).contains(&"CSE-A-02".to_owned()), "2026-11-17 is no day of Spring");
    assert!(present("CSE-A_2027-01-07_0900.jpg").contains(&"02".to_owned()), "numbers begin anew");

    let two_terms = ["export", "--class", "CSE", "--section", "A", "--from", "2026-11-01", "--to", "2027-02-01", "-o"];
    let ran = school.run(&[["--json"].as_slice(), &two_terms, &["x.csv"]].concat()).expect(1);
    assert_eq!(ran.json()["error"]["code"], "AMBIGUOUS_NAME");
}

#[test]
fn register_of_a_subject_has_its_sessions_only() {
    let school = School::enrolled();
    school.batch(&Photos::of(&[(FULL, "Algebra_CSE-A_2026-11-20_0900.jpg"), (FULL, FULL)]), 0);
    let added = school.run(&["--json", "roster", "subjects", "add", "algebra"]).expect(0).json();
    assert_eq!(added["sessions"], 1, "a session called so becomes one of it");
    assert_eq!(school.run(&["--json", "roster", "subjects", "list"]).expect(0).json(), json!(["algebra"]));
    assert_eq!(register(&school, "CSE", "A", &["--subject", "Algebra"])[0].len(), 10, "one session");
    assert_eq!(register(&school, "CSE", "A", &[])[0].len(), 11);
}
