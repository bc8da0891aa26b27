//! Databases for tests, and the smallest school that queries can be tried on.

#[path = "../../tests/support/postgres.rs"]
pub(crate) mod postgres;
pub(crate) mod statements;

use std::sync::LazyLock;

use chrono::{NaiveDate, NaiveDateTime};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::column::Json;
use super::faces::NewFace;
use super::members::{self, NewMember};
use super::photos::{NewPhoto, PhotoResult};
use super::sessions::{self, NewSession};
use super::students::{self, NewStudent};
use super::{AnyConnection, DbError, classes};
use crate::domain::embedding::Embedding;
use crate::domain::geometry::Point;
use crate::domain::ids::{ClassId, MemberId, SessionId, StudentId};
use crate::domain::quality::FaceQuality;
use crate::domain::status::Consent;

/// A place for a SQLite file that is gone with the value.
pub(crate) struct TempSqlite {
    folder: TempDir,
}

impl TempSqlite {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("test.db").display())
    }
}

/// A copy of a migrated database on the shared private server.
pub(crate) fn migrated_postgres() -> super::Db {
    static MIGRATED: LazyLock<String> = LazyLock::new(|| {
        let url = postgres::Server::shared().new_database();
        super::Db::open(&url).unwrap().migrate().unwrap();
        url
    });
    super::Db::open(&postgres::Server::shared().copy_of(&MIGRATED)).unwrap()
}

/// Whether some connection to this database waits for a lock of another; on SQLite as if it did, as nobody can tell.
pub(crate) fn somebody_waits(conn: &mut AnyConnection) -> bool {
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    match conn {
        AnyConnection::Sqlite(_) => true,
        AnyConnection::Postgres(_) => diesel::sql_query(waiting).execute(conn).unwrap() > 0,
    }
}

/// Runs each test on an empty migrated SQLite file and on a database of a private Postgres server.
macro_rules! on_each_database {
    ($(fn $name:ident($db:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            fn check($db: &$crate::db::Db) $body

            #[test]
            fn sqlite() {
                let file = $crate::db::testing::TempSqlite::new();
                let db = $crate::db::Db::create(&file.url()).unwrap();
                db.migrate().unwrap();
                check(&db);
            }

            #[test]
            fn postgres() {
                check(&$crate::db::testing::migrated_postgres());
            }
        }
    )+};
}
pub(crate) use on_each_database;

/// Three members with roll numbers 1, 2, 3 and a session on 2025-09-01.
pub(crate) struct School {
    pub(crate) class: ClassId,
    pub(crate) members: [MemberId; 3],
    pub(crate) session: SessionId,
}

pub(crate) fn school(conn: &mut AnyConnection) -> Result<School, DbError> {
    let class = class(conn, "9")?;
    let mut member = |roll_no: &str| {
        let student = student(conn, &format!("P{roll_no}"))?;
        members::insert(conn, &new_member(class, student, roll_no))
    };
    let members = [member("1")?, member("2")?, member("3")?];
    Ok(School { class, members, session: session_of(conn, class)? })
}

pub(crate) fn class(conn: &mut AnyConnection, name: &str) -> Result<ClassId, DbError> {
    Ok(classes::find_or_insert(conn, name, "A", "2025-26", at("2025-07-01 08:00:00"))?.id)
}

pub(crate) fn student(conn: &mut AnyConnection, prn: &str) -> Result<StudentId, DbError> {
    students::insert(conn, &new_student(prn, Consent::Given))
}

pub(crate) fn session(conn: &mut AnyConnection) -> Result<SessionId, DbError> {
    let class = class(conn, "9")?;
    session_of(conn, class)
}

fn session_of(conn: &mut AnyConnection, class: ClassId) -> Result<SessionId, DbError> {
    Ok(sessions::find_or_insert(conn, &new_session(class, "2025-09-01 03:30:00"))?.id)
}

pub(crate) fn new_student(prn: &str, consent: Consent) -> NewStudent {
    NewStudent {
        prn: prn.into(),
        name: format!("Student {prn}"),
        email: None,
        consent,
        consent_at: None,
        active: true,
        created_at: at("2025-07-01 08:00:00"),
        updated_at: at("2025-07-01 08:00:00"),
    }
}

pub(crate) fn new_member(class_id: ClassId, student_id: StudentId, roll_no: &str) -> NewMember {
    NewMember { class_id, student_id, roll_no: roll_no.into(), valid_from: None, valid_to: None }
}

pub(crate) fn new_session(class_id: ClassId, starts_at: &str) -> NewSession {
    let created_at = at("2025-09-01 08:00:00");
    NewSession { class_id, subject_id: None, name: None, starts_at: at(starts_at), created_at }
}

pub(crate) fn new_photo(session_id: SessionId, image: u8) -> NewPhoto {
    NewPhoto {
        session_id,
        sha256: sha256(image),
        object_key: format!("attendance_photos/{}/{}.jpg", session_id.0, sha256(image)),
        original_name: "9-A_2025-09-01_0900.jpg".into(),
        bytes: 4_000_000,
        captured_at: Some(at("2025-09-01 03:31:12")),
        created_at: at("2025-09-01 08:00:00"),
    }
}

pub(crate) fn photo_result() -> PhotoResult {
    PhotoResult {
        width: 4000,
        height: 3000,
        captured_at: Some(at("2025-09-01 03:31:12")),
        smallest_face_px: Some(24.5),
        faces_left_out: 1,
        warnings: Json(vec!["faces left out".into()]),
        timings: Json(json!({"decode": 55.5, "detect": 210})),
        pack_id: "starter".into(),
        pack_version: "1".into(),
        provider: "cpu".into(),
        policy: Json(json!({"accept": 16.5})),
        processed_at: at("2025-09-01 08:00:05"),
    }
}

pub(crate) fn new_face(ordinal: i32) -> NewFace {
    NewFace {
        ordinal,
        x: 100.5,
        y: 200.0,
        w: 40.25,
        h: 51.0,
        landmarks: Json([Point::new(110.0, 215.5); 5]),
        detection_score: 0.987,
        quality: Json(quality()),
        embedding: Some(Embedding::new(vec![0.1, -0.2, 1.0e-7]).unwrap()),
    }
}

pub(crate) fn quality() -> FaceQuality {
    FaceQuality { side_px: 51.0, sharpness: 320.1, brightness: 120.0, contrast: 44.4, yaw_deg: -12.3, roll_deg: 0.1 }
}

/// 64 digits that stand for the hash of an image.
pub(crate) fn sha256(image: u8) -> String {
    format!("{image:064x}")
}

pub(crate) fn at(utc: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(utc, "%Y-%m-%d %H:%M:%S%.f").unwrap()
}

pub(crate) fn day(date: &str) -> NaiveDate {
    date.parse().unwrap()
}

#[derive(QueryableByName)]
struct PlanLine {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

/// What the database would do for a query, one step a line.
pub(crate) fn plan(conn: &mut AnyConnection, query: &str) -> Result<String, DbError> {
    let lines: Vec<PlanLine> = match conn {
        AnyConnection::Sqlite(sqlite) => diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load(sqlite)?,
        AnyConnection::Postgres(server) => {
            // The rows of EXPLAIN have no name that diesel could ask for.
            server.batch_execute(
                "CREATE OR REPLACE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS \
                 'BEGIN RETURN QUERY EXECUTE ''EXPLAIN '' || query; END'",
            )?;
            let quoted = query.replace('\'', "''");
            diesel::sql_query(format!("SELECT plan AS detail FROM pg_temp.plan('{quoted}') AS plan")).load(server)?
        }
    };
    Ok(lines.iter().map(|line| format!("{}\n", line.detail)).collect())
}
