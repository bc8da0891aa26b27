//! Commands on a school: what is missing, what is refused, what is printed.

use std::fs;

use calamine::{Reader, Xlsx, open_workbook};

use crate::support::{FULL, Photos, Ran, School, command, demo};

#[test]
fn every_command_but_init_and_demo_says_that_there_is_no_database() {
    let dir = tempfile::tempdir().unwrap();
    for args in
        [["--json", "batch", "."].as_slice(), &["--json", "enrol", "."], &["--json", "roster", "import", "x.csv"]]
    {
        let ran = Ran::of(command(dir.path(), args).output().unwrap()).expect(1);
        assert_eq!(ran.json()["error"]["code"], "DATABASE_MISSING", "{args:?}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is created");
}

#[test]
fn the_readmes_first_commands_lead_to_a_sheet() {
    let (school, sheet) = (School::empty(), "november.xlsx");
    school.run(&["roster", "import", demo("roster.csv").to_str().unwrap(), "--term", "2026-27"]).expect(0);
    school.run(&["enrol", demo("dataset").to_str().unwrap(), "--consent", "recorded"]).expect(0);
    let photos = Photos::of(&[(FULL, FULL)]);
    school.batch(&photos, 0);
    let file = school.path().join(sheet);
    let days = ["--from", "2026-11-01", "--to", "2026-11-30", "-o", file.to_str().unwrap()];
    school.run(&[&["export", "--class", "CSE", "--section", "A"], &days[..]].concat()).expect(0);
    assert!(fs::metadata(file).unwrap().len() > 5000);
}

#[test]
fn wrong_usage_is_exit_code_two() {
    let dir = tempfile::tempdir().unwrap();
    for args in
        [["batch"].as_slice(), &["no-such-command"], &["batch", ".", "--class", "CSE"], &["export", "-o", "x.xlsx"]]
    {
        Ran::of(command(dir.path(), args).output().unwrap()).expect(2);
    }
    Ran::of(command(dir.path(), &["--help"]).output().unwrap()).expect(0);
}

#[test]
fn roster_preview_changes_nothing_and_import_is_idempotent() {
    let school = School::empty();
    let file = crate::support::demo("roster.csv");
    let file = file.to_str().unwrap();
    let preview = school.run(&["--json", "roster", "import", file, "--dry-run"]).expect(0).json();
    assert_eq!((&preview["applied"], &preview["members_added"]), (&false.into(), &48.into()));
    let first = school.run(&["--json", "roster", "import", file]).expect(0).json();
    assert_eq!(first["members_added"], 48, "the preview had changed nothing");
    let again = school.run(&["--json", "roster", "import", file]).expect(0).json();
    assert_eq!((&again["members_added"], &again["unchanged"]), (&0.into(), &48.into()));
}

#[test]
fn roster_with_bad_rows_names_them_and_changes_nothing() {
    let school = School::empty();
    let file = school.path().join("bad.csv");
    fs::write(&file, "class,section,name,roll_no,prn,email\nCSE,A,Ann,1,P1,\nCSE,A,Bob,1,P2,\nCSE,A,,3,P3,\n").unwrap();
    let ran = school.run(&["--json", "roster", "import", file.to_str().unwrap()]).expect(1);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "INVALID_TABLE");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("line 3") && message.contains("line 4"), "{message}");
    fs::write(&file, "class,section,name,roll_no,prn,email\nCSE,A,Ann,1,P1,\n").unwrap();
    let good = school.run(&["--json", "roster", "import", file.to_str().unwrap()]).expect(0).json();
    assert_eq!(good["students_added"], 1);
}

#[test]
fn roll_numbers_may_be_swapped() {
    let school = School::empty();
    let import = |rows: &str| {
        let file = school.path().join("roster.csv");
        fs::write(&file, format!("class,section,name,roll_no,prn,email\n{rows}")).unwrap();
        school.run(&["--json", "roster", "import", file.to_str().unwrap()]).expect(0).json()
    };
    import("CSE,A,Ann,1,P1,\nCSE,A,Bob,2,P2,\n");
    assert_eq!(import("CSE,A,Ann,2,P1,\nCSE,A,Bob,1,P2,\n")["roll_no_changed"], 2);
    assert_eq!(import("CSE,A,Ann,2,P1,\nCSE,A,Bob,1,P2,\n")["unchanged"], 2);
}

#[test]
fn exports_open_and_names_are_never_formulas() {
    let school = School::enrolled();
    let roster = school.path().join("formula.csv");
    fs::write(&roster, "class,section,name,roll_no,prn,email\nCSE,A,=1+1,CSE-A-99,PRN-99,\n").unwrap();
    school.run(&["roster", "import", roster.to_str().unwrap()]).expect(0);
    let report = school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    let id = report["sessions"][0]["id"].to_string();
    let (xlsx, csv) = (school.path().join("s.xlsx"), school.path().join("s.csv"));
    school.run(&["export", "--session", &id, "-o", xlsx.to_str().unwrap()]).expect(0);
    school.run(&["export", "--session", &id, "-o", csv.to_str().unwrap()]).expect(0);
    let mut book: Xlsx<_> = open_workbook(&xlsx).unwrap();
    let sheet = book.sheet_names()[0].clone();
    let cells = book.worksheet_range(&sheet).unwrap();
    assert!(cells.cells().any(|(_, _, cell)| *cell == "=1+1"), "the name stands as text");
    let formulas = book.worksheet_formula(&sheet).unwrap();
    assert!(formulas.cells().all(|(_, _, formula)| formula != "1+1"));
    assert!(fs::read_to_string(&csv).unwrap().contains("'=1+1"));

    let register = school.path().join("r.xlsx");
    let range = ["export", "--class", "CSE", "--section", "A", "--from", "2026-11-01", "--to", "2026-11-30", "-o"];
    school.run(&[range.as_slice(), &[register.to_str().unwrap()]].concat()).expect(0);
    assert!(open_workbook::<Xlsx<_>, _>(&register).is_ok());
}

#[test]
fn exports_of_nothing_are_errors() {
    let school = School::with_roster();
    let code = |args: &[&str]| school.run(&[&["--json"], args].concat()).expect(1).json()["error"]["code"].clone();
    assert_eq!(code(&["export", "--session", "7", "-o", "x.xlsx"]), "SESSION_NOT_FOUND");
    let days = ["--from", "2026-11-02", "--to", "2026-11-01", "-o", "x.xlsx"];
    assert_eq!(code(&[["export", "--class", "CSE", "--section", "A"].as_slice(), &days].concat()), "INVALID_SETTINGS");
    let days = ["--from", "2026-11-01", "--to", "2026-11-02", "-o", "x.xlsx"];
    assert_eq!(code(&[["export", "--class", "NO", "--section", "A"].as_slice(), &days].concat()), "CLASS_NOT_FOUND");
}

/// ONNX Runtime writes an identifier of the machine into the cache folder, unless it is told not to before it is loaded.
#[test]
fn nothing_is_written_outside_of_the_school() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let env = [("HOME", path), ("XDG_CACHE_HOME", path), ("XDG_DATA_HOME", path), ("TMPDIR", path)];
    for command in [&["batch", photos.path().to_str().unwrap()][..], &["doctor"]] {
        school.run_with(&env, command).expect(0);
    }
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_session_goes_out_as_a_sheet_and_comes_back_corrected() {
    let school = School::enrolled();
    school.batch(&Photos::of(&[(FULL, FULL)]), 0);
    let file = |name: &str| school.path().join(name).to_str().unwrap().to_owned();
    let (xlsx, csv, moodle) = (file("session.xlsx"), file("session.csv"), file("moodle.csv"));
    school.run(&["export", "--session", "1", "--strangers", "-o", &xlsx]).expect(0);
    school.run(&["export", "--session", "1", "-o", &csv]).expect(0);
    school.run(&["export", "--session", "1", "--format", "moodle", "-o", &moodle]).expect(0);
    let mut workbook: Xlsx<_> = open_workbook(&xlsx).unwrap();
    assert_eq!(workbook.sheet_names(), ["Attendance", "Evidence"]);
    assert!(workbook.worksheet_range("Evidence").unwrap().height() > 20);
    assert!(fs::metadata(&xlsx).unwrap().len() < 3_000_000);
    assert!(fs::read_to_string(&moodle).unwrap().starts_with("idnumber,scantime,status,remarks\r\n"));
    for (options, why) in [
        (&["--strangers", "--format", "csv"][..], "strangers is of the format xlsx only, not of csv"),
        (&["--no-evidence", "--format", "moodle"], "evidence is of the format xlsx only, not of moodle"),
        (&["--identifier", "email"], "identifier is of the format moodle only, not of xlsx"),
        (&["--strangers", "--no-evidence"], "choose one of both"),
    ] {
        let refused = school.run(&[&["export", "--session", "1", "-o", &file("refused")], options].concat()).expect(1);
        assert!(refused.err.contains(why), "{options:?}: {}", refused.err);
        assert!(!fs::exists(file("refused")).unwrap());
    }

    let untouched = school.run(&["--json", "import-sheet", &xlsx]).expect(0).json();
    assert_eq!((&untouched["session_id"], untouched["changes"].as_array().unwrap().len()), (&1.into(), 0));
    let text = fs::read_to_string(&csv).unwrap();
    fs::write(&csv, text.replacen(",present,P,", ",present,E,", 1)).unwrap();
    let preview = school.run(&["--json", "import-sheet", &csv]).expect(0).json();
    assert_eq!((&preview["applied"], &preview["changes"][0]["to"]["status"]), (&false.into(), &"excused".into()));
    let applied = school.run(&["import-sheet", &csv, "--apply"]).expect(0);
    assert!(applied.out.contains("1 change made"), "{}", applied.out);
    let again = school.run(&["--json", "import-sheet", &csv, "--apply"]).expect(0).json();
    assert_eq!(again["changes"].as_array().unwrap().len(), 0);
    // The workbook is older than the correction, but nobody has changed that row in it.
    let stale = school.run(&["--json", "import-sheet", &xlsx, "--apply"]).expect(0).json();
    assert_eq!(stale["changes"].as_array().unwrap().len(), 0);
    school.run(&["import-sheet", &file("none.xlsx")]).expect(1);
    school.run(&["import-sheet", &xlsx, "--session", "2"]).expect(1);
}
