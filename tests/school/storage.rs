//! What lies in the photo store: under which names, and whether it fits with the database.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rollcall::db::photos::{self, NewPhoto};
use rollcall::db::{Db, DbError};
use rollcall::domain::ids::{PhotoId, SessionId};
use serde_json::{Value, json};
use walkdir::WalkDir;

use crate::support::{FULL, LEFT, Photos, RIGHT, School, line};

/// Paths of all files in the folder of photos, relative to the school.
fn stored(school: &School) -> BTreeSet<String> {
    let files = WalkDir::new(school.path().join("attendance_photos")).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    files.map(|e| e.path().strip_prefix(school.path()).unwrap().to_str().unwrap().to_owned()).collect()
}

fn check(school: &School, flags: &[&str], code: i32) -> Value {
    school.run(&[&["--json", "admin", "storage", "check"], flags].concat()).expect(code).json()
}

/// As if the file had been written yesterday.
fn put_yesterday(path: &PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
    File::options().write(true).open(path).unwrap().set_modified(yesterday).unwrap();
}

#[test]
fn names_of_stored_photos_tell_the_lesson_and_never_a_free_name() {
    let school = School::enrolled().with_variables(vec![("ROLLCALL_TIME_ZONE".into(), "Asia/Kolkata".into())]);
    school.run(&["roster", "subjects", "add", "Álgebra & Geometry"]).expect(0);
    let named = "Álgebra & Geometry_CSE_A_2026-11-20_0900.jpg";
    let of_somebody = "Ananya_CSE_A_2026-11-21_1015.jpg";
    let photos = Photos::of(&[(FULL, FULL), (LEFT, named), (RIGHT, of_somebody)]);
    let report = school.batch(&photos, 0);
    let key = |lesson: &str, photo: &str| {
        let line = line(&report, photo);
        format!("attendance_photos/{lesson}_{}-{}.jpg", line["session_id"], &line["sha256"].as_str().unwrap()[..12])
    };
    let expected = [
        key("Session_CSE_A_2026-11-17_0900", FULL),
        key("Algebra-Geometry_CSE_A_2026-11-20_0900", named),
        key("Session_CSE_A_2026-11-21_1015", of_somebody),
    ];
    assert_eq!(stored(&school), expected.into());
}

#[test]
fn photos_stored_under_earlier_names_go_on_working() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let report = school.batch(&photos, 0);
    let (session, sha256) = (&report["photos"][0]["session_id"], report["photos"][0]["sha256"].as_str().unwrap());
    let (new, old) = (stored(&school).pop_first().unwrap(), format!("attendance_photos/{session}/{sha256}.jpg"));
    fs::create_dir_all(school.path().join(&old).parent().unwrap()).unwrap();
    fs::rename(school.path().join(new), school.path().join(&old)).unwrap();
    let moved = old.clone();
    let db = Db::open(&school.database_url()).unwrap();
    db.run_blocking::<_, DbError>(|conn| photos::set_object_key(conn, PhotoId(1), &moved)).unwrap();
    drop(db);
    let again = ["--json", "batch", "--reprocess", photos.path().to_str().unwrap()];
    assert_eq!(school.run(&again).expect(0).json()["photos"][0]["status"], "done");
    assert_eq!(stored(&school), [old].into(), "the bytes are stored once");
    assert_eq!(check(&school, &["--hashes"], 0)["missing"]["count"], 0);
}

#[test]
fn a_photo_that_was_refused_is_read_once_the_limit_allows_it() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let folder = photos.path().to_str().unwrap();
    let small = [("ROLLCALL_PHOTOS__MAX_MEGAPIXELS", "1")];
    let refused = school.run_with(&small, &["--json", "batch", folder]).expect(3).json();
    assert_eq!(line(&refused, FULL)["error"]["code"], "IMAGE_TOO_LARGE");
    let report = school.batch(&photos, 0);
    assert_eq!((&line(&report, FULL)["status"], &line(&report, FULL)["error"]), (&json!("done"), &Value::Null));
    check(&school, &["--hashes"], 0);
}

#[test]
fn photos_whose_hashes_begin_alike_do_not_overwrite_each_other() {
    let school = School::enrolled();
    let photos = Photos::of(&[(FULL, FULL)]);
    let report = school.batch(&photos, 0);
    let of_other_bytes = stored(&school).pop_first().unwrap();
    let (session, sha256) = (&report["photos"][0]["session_id"], report["photos"][0]["sha256"].as_str().unwrap());
    let db = Db::open(&school.database_url()).unwrap();
    let (key, id) = (of_other_bytes.clone(), SessionId(session.as_i64().unwrap()));
    let other = format!("{}{}", &sha256[..12], "0".repeat(52));
    let forge = db.run_blocking::<_, DbError>(|conn| {
        let row = photos::list(conn, id)?.remove(0);
        photos::delete(conn, row.id)?;
        let (original_name, bytes) = ("other.jpg".into(), row.bytes);
        let (captured_at, created_at) = (None, row.created_at);
        let new =
            NewPhoto { session_id: id, sha256: other, object_key: key, original_name, bytes, captured_at, created_at };
        photos::insert(conn, &new)
    });
    forge.unwrap();
    drop(db);
    school.batch(&photos, 0);
    assert_eq!(stored(&school), [of_other_bytes, format!("attendance_photos/{session}/{sha256}.jpg")].into());
}

#[test]
fn the_check_finds_what_is_missing_damaged_or_nobodys() {
    let school = School::enrolled();
    school.batch(&Photos::of(&[(FULL, FULL), (LEFT, LEFT), (RIGHT, RIGHT)]), 0);
    let well = check(&school, &["--hashes"], 0);
    assert_eq!((&well["rows"], &well["objects"]), (&well["objects"], &json!(3 + 96)));
    assert_eq!(
        (&well["missing"]["count"], &well["damaged"]["count"], &well["orphans"]["count"]),
        (&json!(0), &json!(0), &json!(0))
    );

    let mut keys = stored(&school).into_iter();
    let (missing, damaged) = (keys.next().unwrap(), keys.next().unwrap());
    fs::remove_file(school.path().join(&missing)).unwrap();
    fs::write(school.path().join(&damaged), "other bytes").unwrap();
    let orphan = "attendance_photos/Session_CSE_A_2026-11-16_0900_77-0123456789ab.jpg";
    let drawn = "attendance_photos/1/annotated/9999.jpg";
    for key in [orphan, drawn] {
        put_yesterday(&school.path().join(key), b"of nobody");
    }
    let portrait = format!("samples/9999/{}.jpg", "0".repeat(64));
    put_yesterday(&school.path().join(&portrait), b"of nobody");
    let on_its_way = school.path().join("attendance_photos/Session_CSE_A_2026-11-16_0900_78-0123456789ab.jpg");
    fs::write(&on_its_way, b"just uploaded").unwrap();
    let foreign = school.path().join("attendance_photos/Thumbs.db");
    put_yesterday(&foreign, b"of the file manager");

    let report = check(&school, &[], 3);
    assert_eq!(
        (&report["missing"], &report["damaged"]["count"]),
        (&json!({ "count": 1, "keys": [missing] }), &json!(0))
    );
    assert_eq!(
        (&report["orphans"]["count"], &report["orphan_bytes"], &report["deleted"]),
        (&json!(3), &json!(27), &json!(0))
    );
    let report = check(&school, &["--hashes"], 3);
    assert_eq!(report["damaged"], json!({ "count": 1, "keys": [damaged] }));

    let text = school.run(&["admin", "storage", "check", "--delete-orphans"]).expect(3).out;
    assert!(text.contains("orphaned: 3 objects, deleted") && text.contains(orphan), "{text}");
    for gone in [orphan, drawn, &portrait] {
        assert!(!school.path().join(gone).exists(), "{gone}");
    }
    assert!(on_its_way.exists() && foreign.exists());
    assert_eq!(check(&school, &[], 3)["orphans"]["count"], 0);
}
