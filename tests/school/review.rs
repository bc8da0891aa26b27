//! A session that a teacher has confirmed, and everything that comes afterwards.

use std::fs;
use std::path::Path;

use rollcall::app::School as Data;
use rollcall::app::review::{self, Signature, Unmarked};
use rollcall::config::Config;
use rollcall::db::{Db, DbError, photos};
use rollcall::domain::access::Actor;
use rollcall::domain::ids::{PhotoId, SessionId};
use rollcall::domain::status::PhotoState;
use rollcall::queue::{NewJob, Priority, store};
use serde_json::{Value, json};

use crate::support::{FULL, LEFT, Photos, School, line};

const SESSION: SessionId = SessionId(1);
const SECOND: &str = "CSE-A_2026-11-17_0900_left.jpg";

/// The school as the service opens it.
fn with_data<T, F: Future<Output = T>>(school: &School, work: impl FnOnce(Data) -> F) -> T {
    let config =
        Config { data_dir: school.path().to_owned(), database_url: Some(school.database_url()), ..Config::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { work(Data::open(&config).await.unwrap()).await })
}

fn confirm(school: &School) {
    let confirmed = with_data(school, |data| async move {
        // The photo shows somebody who is not of the class.
        let reason = Some("a visitor".to_owned());
        let signature = Signature { unmarked: Unmarked::Keep, reason, ..Signature::default() };
        review::confirm(&data, SESSION, Actor::command(), signature).await
    });
    confirmed.unwrap();
}

fn reopen(school: &School) {
    with_data(school, |data| async move { review::reopen(&data, SESSION, Actor::command(), None).await }).unwrap();
}

/// A school with one confirmed session of one photo, the folder, and the report of the run that looked at it.
fn confirmed() -> (School, Photos, Value) {
    let (school, photos) = (School::enrolled(), Photos::of(&[(FULL, FULL)]));
    let report = school.batch(&photos, 0);
    confirm(&school);
    (school, photos, report)
}

/// The session as a report tells it, but for its state.
fn session(report: &Value) -> Value {
    let mut session = report["sessions"][0].clone();
    session["state"] = Value::Null;
    session
}

fn stored_photos(dir: &Path) -> usize {
    let count = |entry: fs::DirEntry| if entry.path().is_dir() { stored_photos(&entry.path()) } else { 1 };
    fs::read_dir(dir).unwrap().map(|entry| count(entry.unwrap())).sum()
}

#[test]
fn a_folder_that_comes_again_leaves_a_confirmed_session_alone() {
    let (school, photos, first) = confirmed();
    let known = school.batch(&photos, 0);
    assert_eq!(known["photos"][0]["status"], "duplicate");
    assert_eq!(known["sessions"][0]["state"], "confirmed");

    let again = ["--json", "batch", photos.path().to_str().unwrap(), "--reprocess"];
    let refused = school.run(&again).expect(3).json();
    assert_eq!(
        (&refused["photos"][0]["status"], &refused["photos"][0]["error"]["code"]),
        (&json!("failed"), &json!("SESSION_CONFIRMED"))
    );
    assert_eq!(session(&refused), session(&first));

    let before = stored_photos(&school.path().join("attendance_photos"));
    photos.add(SECOND, &fs::read(crate::support::class_photo(LEFT)).unwrap());
    let late = school.batch(&photos, 3);
    assert_eq!(line(&late, FULL)["status"], "duplicate");
    assert_eq!(
        (&line(&late, SECOND)["status"], &line(&late, SECOND)["error"]["code"]),
        (&json!("failed"), &json!("SESSION_CONFIRMED"))
    );
    assert_eq!(session(&late), session(&first));
    assert_eq!(stored_photos(&school.path().join("attendance_photos")), before, "nothing of it was kept");

    reopen(&school);
    let taken = school.batch(&photos, 0);
    assert_eq!((&line(&taken, SECOND)["status"], &taken["sessions"][0]["state"]), (&json!("done"), &json!("review")));
}

#[test]
fn a_job_that_comes_too_late_leaves_a_confirmed_session_alone() {
    let (school, photos, first) = confirmed();
    let db = Db::open(&school.database_url()).unwrap();
    let late = NewJob {
        kind: "photo",
        topic: "photo:starter@0".into(),
        payload: json!({ "photo": 1 }),
        dedup_key: "photo:1".into(),
        run_id: None,
        priority: Priority::Person,
        max_attempts: 3,
        owner: None,
    };
    db.run_blocking(|conn| store::enqueue(conn, &late)).unwrap();
    school.run(&["work", "--drain"]).expect(0);
    let failed = school.run(&["--json", "admin", "jobs", "--state", "failed"]).expect(0).json();
    assert_eq!(failed["jobs"][0]["errors"][0]["code"], "SESSION_CONFIRMED");
    let photo = db.run_blocking::<_, DbError>(|conn| photos::get(conn, PhotoId(1))).unwrap();
    assert_eq!(photo.state, PhotoState::Done);
    assert_eq!(session(&school.batch(&photos, 0)), session(&first));

    let id = failed["jobs"][0]["id"].to_string();
    assert!(school.run(&["admin", "jobs", "retry", &id]).expect(1).err.contains("SESSION_CONFIRMED"));
    reopen(&school);
    school.run(&["admin", "jobs", "retry", &id]).expect(0);
    school.run(&["work", "--drain"]).expect(0);
    assert_eq!(session(&school.batch(&photos, 0))["present"], session(&first)["present"]);
}
