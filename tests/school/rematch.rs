//! Sessions after the fact: late enrolment, new lines, another pack; what stays whatever the faces say.

use std::fs;

use chrono::{NaiveDate, NaiveDateTime};
use rollcall::db::records::NewRecord;
use rollcall::db::sessions::SessionChange;
use rollcall::db::{Db, DbError, classes, members, records, sessions};
use rollcall::domain::ids::SessionId;
use rollcall::domain::status::{AttendanceStatus, RecordSource, SessionState};
use serde_json::{Value, json};

use crate::support::{FULL, Photos, School, demo, repository};

const ABENA: &str = "PRN2026CS1014";
const ABENA_FOLDER: &str = "Abena_Pebblebrook_CSE-A-02";

/// A school that has taken attendance while CSE-A-02 was not enrolled, and the photos.
fn before_late_enrolment() -> (School, Photos) {
    let school = School::enrolled();
    school.run(&["roster", "consent", "withdrawn", "--prn", ABENA]).expect(0);
    school.run(&["roster", "consent", "given", "--prn", ABENA]).expect(0);
    let photos = Photos::of(&[(FULL, FULL)]);
    assert_eq!(school.batch(&photos, 0)["sessions"][0]["unmarked"], json!(["CSE-A-02"]));
    (school, photos)
}

fn enrol_late(school: &School) -> Value {
    let dir = school.path().join("late").join(ABENA_FOLDER);
    fs::create_dir_all(&dir).unwrap();
    for portrait in ["face.jpg", "face_2.jpg"] {
        fs::copy(demo("dataset").join(ABENA_FOLDER).join(portrait), dir.join(portrait)).unwrap();
    }
    school.run(&["--json", "enrol", school.path().join("late").to_str().unwrap()]).expect(0).json()
}

fn rematch(school: &School, args: &[&str]) -> Value {
    school.run(&[["--json", "rematch"].as_slice(), args].concat()).expect(0).json()
}

fn session_csv(school: &School) -> String {
    let file = school.path().join("session.csv");
    school.run(&["export", "--session", "1", "-o", file.to_str().unwrap()]).expect(0);
    fs::read_to_string(file).unwrap()
}

/// The row of CSE-A-02.
fn abena(csv: &str) -> &str {
    csv.lines().find(|l| l.contains("CSE-A-02")).unwrap()
}

/// What a teacher does, who has no command for it yet.
fn as_teacher(school: &School, work: impl FnOnce(&mut rollcall::db::AnyConnection) -> Result<(), DbError>) {
    let db = Db::open(&school.database_url()).unwrap();
    db.run_blocking(work).unwrap();
}

fn noon() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 11, 17).unwrap().and_hms_opt(12, 0, 0).unwrap()
}

#[test]
fn late_enrolment_makes_the_session_stale_and_rematch_finds_the_student() {
    let (school, photos) = before_late_enrolment();
    assert_eq!(rematch(&school, &["--stale"])["sessions"], json!([]), "nothing has changed yet");
    assert_eq!(enrol_late(&school)["stale_sessions"], json!({ "rematch": 1, "reprocess": 0 }));
    let found = json!([{ "roll_no": "CSE-A-02", "from": "unmarked", "to": "present" }]);
    let preview = rematch(&school, &["--stale", "--dry-run"]);
    assert_eq!((&preview["applied"], &preview["sessions"][0]["changes"]), (&json!(false), &found));
    assert_eq!(preview["sessions"][0]["stale"], true);

    let register = school.path().join("register.csv");
    let days = ["--from", "2026-11-17", "--to", "2026-11-17", "-o", register.to_str().unwrap()];
    let export = [["export", "--class", "CSE", "--section", "A"].as_slice(), &days].concat();
    school.run(&export).expect(0);
    assert!(
        fs::read_to_string(&register).unwrap().contains("2026-11-17 09:00 STALE"),
        "and the preview changed nothing"
    );

    let days = ["--class", "CSE", "--section", "A", "--from", "2026-11-17", "--to", "2026-11-17"];
    assert_eq!(rematch(&school, &days)["sessions"][0]["changes"], found);
    school.run(&export).expect(0);
    assert!(!fs::read_to_string(&register).unwrap().contains("STALE"));
    assert_eq!(rematch(&school, &["--stale"])["sessions"], json!([]));
    assert_eq!(rematch(&school, &["--session", "1"])["sessions"][0]["changes"], json!([]), "it is so already");

    let again = ["--json", "batch", photos.path().to_str().unwrap(), "--reprocess"];
    let reprocessed = school.run(&again).expect(0).json();
    assert!(abena(&session_csv(&school)).contains(",P,"));
    assert_eq!(reprocessed["sessions"][0]["unmarked"], json!([]), "looking at the photo again says the same");
}

#[test]
fn reprocessing_takes_a_late_enrolment_into_account() {
    let (school, photos) = before_late_enrolment();
    enrol_late(&school);
    let known = school.batch(&photos, 0);
    assert_eq!(known["sessions"][0]["unmarked"], json!(["CSE-A-02"]), "a photo that is known is not looked at");
    let args = ["--json", "batch", photos.path().to_str().unwrap(), "--reprocess"];
    let report = school.run(&args).expect(0).json();
    assert_eq!(report["sessions"][0]["unmarked"], json!([]));
    assert_eq!(rematch(&school, &["--stale"])["sessions"], json!([]));
}

#[test]
fn what_a_teacher_said_stays_and_a_confirmed_session_is_left_alone() {
    let (school, _photos) = before_late_enrolment();
    let session = SessionId(1);
    as_teacher(&school, |conn| {
        let class = classes::find(conn, "CSE", "A", "")?.unwrap().id;
        let member = members::find_by_roll_no(conn, class, "CSE-A-02", noon().date())?.unwrap().member.id;
        let said = NewRecord {
            session_id: session,
            member_id: member,
            status: AttendanceStatus::Late,
            source: RecordSource::Manual,
            confidence: None,
            face_id: None,
            note: None,
            updated_at: noon(),
        };
        records::upsert(conn, &[said])?;
        sessions::update(
            conn,
            session,
            &SessionChange { state: Some(SessionState::Confirmed), ..SessionChange::at(noon()) },
        )
    });
    assert_eq!(enrol_late(&school)["stale_sessions"], json!({ "rematch": 0, "reprocess": 0 }));
    let left = rematch(&school, &["--session", "1"]);
    assert_eq!((&left["sessions"][0]["outcome"], &left["sessions"][0]["stale"]), (&json!("confirmed"), &json!(true)));
    let asked = rematch(&school, &["--session", "1", "--confirmed"]);
    assert_eq!(asked["sessions"][0]["outcome"], "rematched");
    assert_eq!(asked["sessions"][0]["changes"], json!([]), "late stays late");
    as_teacher(&school, |conn| {
        assert_eq!(sessions::get(conn, session)?.state, SessionState::Review, "it waits for the teacher again");
        Ok(())
    });
}

/// The starter under another name, or with another line, in the school's own models/.
fn own_pack(school: &School, name: &str, edit: impl Fn(String) -> String) {
    let dir = school.path().join("models").join(name);
    fs::create_dir_all(&dir).unwrap();
    for entry in fs::read_dir(repository().join("models/starter")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
    }
    let manifest = dir.join("pack.toml");
    fs::write(&manifest, edit(fs::read_to_string(&manifest).unwrap())).unwrap();
}

#[test]
fn stricter_line_makes_sessions_stale_and_rematch_applies_it() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    assert_eq!(school.batch(&photos, 0)["sessions"][0]["unmarked"], json!([]));
    own_pack(&school, "starter", |text| text.replace("accept = 17.66", "accept = 1.0"));
    let report = rematch(&school, &["--stale"]);
    let changes = report["sessions"][0]["changes"].as_array().unwrap();
    assert_eq!(changes.iter().filter(|c| c["from"] == "present" && c["to"] == "unmarked").count(), 24);
    let args = ["--json", "batch", photos.path().to_str().unwrap(), "--reprocess"];
    let reprocessed = school.run(&args).expect(0).json();
    assert_eq!(reprocessed["sessions"][0]["present"], json!([]), "looking again says the same");
}

#[test]
fn school_moves_to_another_pack() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let before = school.batch(&photos, 0);
    own_pack(&school, "second", |text| text.replace("id = \"starter\"", "id = \"second\""));

    let left = school.run(&["--json", "--pack", "second", "rematch", "--stale"]).expect(3).json();
    assert_eq!((&left["sessions"][0]["outcome"], &left["sessions"][0]["changes"]), (&json!("other_pack"), &json!([])));

    let re_embed = || school.run(&["--json", "--pack", "second", "enrol", "--re-embed"]).expect(0).json();
    let report = re_embed();
    let states: Vec<&Value> = report["photos"].as_array().unwrap().iter().map(|p| &p["status"]).collect();
    assert_eq!((states.len(), states.iter().all(|s| **s == "enrolled")), (96, true));
    assert_eq!((&report["students_enrolled"], &report["pack"]), (&json!(48), &json!("second@0")));
    assert_eq!(report["stale_sessions"], json!({ "rematch": 0, "reprocess": 1 }));
    assert_eq!(re_embed()["photos"], json!([]), "nothing is done twice");

    let args = ["--json", "--pack", "second", "batch", photos.path().to_str().unwrap(), "--reprocess"];
    let after = school.run(&args).expect(0).json();
    assert_eq!(after["sessions"], before["sessions"], "the same nets see the same");
    let fresh = school.run(&["--json", "--pack", "second", "rematch", "--stale"]).expect(0).json();
    assert_eq!(fresh["sessions"], json!([]));
}
