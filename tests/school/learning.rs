//! Templates that learn from a session that a teacher has confirmed, and how well the students are enrolled.

use std::collections::BTreeSet;
use std::fs;

use rollcall::app::School as Data;
use rollcall::app::review::{self, Signature, Unmarked};
use rollcall::config::{Config, Learning};
use rollcall::domain::access::Actor;
use rollcall::domain::ids::SessionId;
use serde_json::Value;

use crate::support::{FULL, LEFT, Photos, School};

const SETTINGS: &str = "[learning]\nfrom_confirmed = true\n";

/// The school as the service opens it, with the settings of its folder.
fn with_data<T, F: Future<Output = T>>(school: &School, work: impl FnOnce(Data) -> F) -> T {
    let config = Config {
        data_dir: school.path().to_owned(),
        database_url: Some(school.database_url()),
        learning: Learning { from_confirmed: true, ..Learning::default() },
        ..Config::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { work(Data::open(&config).await.unwrap()).await })
}

fn health(school: &School) -> Value {
    let args = ["--json", "enrol", "health", "--class", "CSE", "--section", "A", "--on", "2026-11-17"];
    school.run(&args).expect(0).json()
}

/// Roll number and learned faces of those who have any.
fn learned(health: &Value) -> Vec<(String, u64)> {
    let members = health["members"].as_array().unwrap().iter();
    let of = |m: &Value| (m["roll_no"].as_str().unwrap().to_owned(), m["learned"].as_u64().unwrap());
    members.map(of).filter(|(_, learned)| *learned > 0).collect()
}

fn samples_stored(school: &School) -> BTreeSet<String> {
    let students = fs::read_dir(school.path().join("samples")).unwrap().map(|entry| entry.unwrap().path());
    let pictures = students.flat_map(|student| fs::read_dir(student).unwrap());
    pictures.map(|entry| entry.unwrap().path().display().to_string()).collect()
}

#[test]
fn a_signed_session_teaches_and_what_it_taught_can_be_taken_back() {
    let school = School::enrolled();
    fs::write(school.path().join("rollcall.toml"), SETTINGS).unwrap();
    let photos = Photos::of(&[(FULL, FULL), (LEFT, LEFT)]);
    let report = school.batch(&photos, 0);
    let first = report["sessions"].as_array().unwrap().iter().find(|s| s["starts_at"].as_str().unwrap() > "2026-11-17");
    let (first, portraits) = (first.unwrap(), samples_stored(&school));
    let session = SessionId(first["id"].as_i64().unwrap());
    let confirm = || {
        let signed = with_data(&school, |data| async move {
            let signature = Signature {
                expected: None,
                unmarked: Unmarked::Keep,
                head_count: None,
                guests: None,
                reason: Some("two visitors".to_owned()),
            };
            review::confirm(&data, session, Actor::command(), signature).await
        });
        signed.unwrap();
        school.run(&["work", "--drain"]).expect(0);
    };
    assert_eq!(learned(&health(&school)), []);
    confirm();

    let after = health(&school);
    let taught = learned(&after);
    let present: Vec<&str> = first["present"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    assert!(!taught.is_empty() && taught.iter().all(|(roll_no, faces)| present.contains(&&**roll_no) && *faces == 1));
    assert_eq!(samples_stored(&school).len(), portraits.len() + taught.len());
    let found = after["members"].as_array().unwrap().iter().find(|m| m["roll_no"] == taught[0].0.as_str()).unwrap();
    assert_eq!((found["sightings"]["matched"].as_u64(), found["sightings"]["missed"].as_u64()), (Some(1), Some(0)));
    // The other session waits for the teacher: it can be judged by what was learned. The signed one is left as it is.
    let stale = school.run(&["--json", "rematch", "--stale", "--dry-run"]).expect(0).json();
    let stale: Vec<&Value> = stale["sessions"].as_array().unwrap().iter().map(|s| &s["id"]).collect();
    assert!(stale.len() == 1 && stale[0] != &first["id"], "{stale:?}");

    let prn = found["prn"].as_str().unwrap();
    let gone = school.run(&["--json", "enrol", "forget-learned", "--prn", prn]).expect(0).json();
    assert_eq!(gone["deleted"].as_u64(), Some(1));
    assert_eq!(learned(&health(&school)), taught[1..]);
    // A rematch that is asked for judges the signed session without its own faces; a preview leaves them where they are.
    let id = session.0.to_string();
    school.run(&["rematch", "--session", &id, "--confirmed", "--dry-run"]).expect(0);
    assert_eq!(learned(&health(&school)), taught[1..]);
    school.run(&["rematch", "--session", &id, "--confirmed"]).expect(0);
    assert_eq!((learned(&health(&school)), samples_stored(&school)), (vec![], portraits));
    confirm();
    assert_eq!(learned(&health(&school)), taught, "signed again, it teaches again");
}

#[test]
fn the_health_of_a_class_is_a_table_with_something_to_do() {
    let school = School::with_roster();
    let class = ["enrol", "health", "--class", "CSE", "--section", "A", "--order", "urgency"];
    let text = school.run(&class).expect(0).out;
    assert!(text.contains("0 of") && text.contains("missed") && text.contains("no consent on record"), "{text}");
    school.run(&["enrol", "health", "--class", "CSE", "--section", "A", "--sessions", "0"]).expect(2);
    school.run(&["enrol", "forget-learned", "--prn", "nobody"]).expect(1);
}
