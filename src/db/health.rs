//! What can be said of a database's health, and counts of what is in it. For `rollcall doctor` and administrators; changes
//! nothing.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::dsl::{count, count_star, exists, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::schema::{face_samples, leaves, session_photos, students};
use super::{AnyConnection, DbError, backup, transaction};
use crate::domain::status::{Consent, Origin, PhotoState};

/// A database that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `SQLite 3.50.4` or `Postgres 16.1`.
    pub program: String,
    /// What is wrong inside, in the database's own words; a few of them.
    pub damage: Vec<String>,
    /// How far a server's clock is ahead of ours, seconds. SQLite has no clock of its own.
    pub clock_ahead_secs: Option<i64>,
}

/// How many students there are, and how many of them can be found by face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    pub active: i64,
    /// Active ones whose consent is recorded.
    pub consenting: i64,
    /// Consenting ones with a portrait of the pack.
    pub enrolled: i64,
    /// Consenting ones with samples of other packs only.
    pub enrolled_otherwise: i64,
}

/// How many of something are stored, and what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct Amount {
    pub count: i64,
    pub bytes: i64,
}

/// What is kept of a school, by what the database knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub photos: Amount,
    /// Those of them that came since a moment.
    pub recent_photos: Amount,
    /// Portraits and faces learned, each counted once however many packs have a sample of it.
    pub samples: i64,
    /// What leaves were excused with.
    pub documents: Amount,
    /// The database itself.
    pub database_bytes: i64,
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct NumberRow {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Looks at the database as a whole: every page of a SQLite file, clock and version of a server, and whether it can be
/// written to.
///
/// # Errors
/// [`DbError::Busy`] when somebody else does not stop writing, [`DbError::Query`] when it is too broken to be looked at.
pub fn examine(conn: &mut AnyConnection, now: DateTime<Utc>) -> Result<Health, DbError> {
    transaction(conn, |_| Ok::<_, DbError>(()))?;
    match conn {
        AnyConnection::Sqlite(conn) => {
            let program: TextRow =
                diesel::sql_query("SELECT 'SQLite ' || sqlite_version() AS text").get_result(conn)?;
            let mut damage = backup::damage(conn)?;
            let orphans: NumberRow =
                diesel::sql_query("SELECT count(*) AS number FROM pragma_foreign_key_check").get_result(conn)?;
            if orphans.number > 0 {
                damage.push(format!("{} rows refer to rows that do not exist", orphans.number));
            }
            Ok(Health { program: program.text, damage, clock_ahead_secs: None })
        }
        AnyConnection::Postgres(conn) => {
            let program: TextRow = diesel::sql_query("SELECT 'Postgres ' || current_setting('server_version') AS text")
                .get_result(conn)?;
            let clock: NumberRow =
                diesel::sql_query("SELECT extract(epoch FROM clock_timestamp())::bigint AS number").get_result(conn)?;
            let ahead = clock.number - now.timestamp();
            Ok(Health { program: program.text, damage: Vec::new(), clock_ahead_secs: Some(ahead) })
        }
    }
}

/// Counts students, seen by one version of one pack.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn census(conn: &mut AnyConnection, pack_id: &str, pack_version: &str) -> Result<Census, DbError> {
    let any_sample = || face_samples::table.filter(face_samples::student_id.eq(students::id));
    let of_pack = || {
        let ours = face_samples::pack_id.eq(pack_id).and(face_samples::pack_version.eq(pack_version));
        let ours = ours.and(face_samples::origin.eq(Origin::Portrait));
        exists(any_sample().filter(ours))
    };
    let active = || students::table.filter(students::active.eq(true));
    let consenting = || active().filter(students::consent.eq(Consent::Given));
    let enrolled = consenting().filter(of_pack());
    let otherwise = consenting().filter(exists(any_sample())).filter(diesel::dsl::not(of_pack()));
    Ok(Census {
        active: active().count().get_result(conn)?,
        consenting: consenting().count().get_result(conn)?,
        enrolled: enrolled.count().get_result(conn)?,
        enrolled_otherwise: otherwise.count().get_result(conn)?,
    })
}

/// Adds up what is stored; of photos also those since `recent`, UTC.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn stored(conn: &mut AnyConnection, recent: NaiveDateTime) -> Result<Stored, DbError> {
    // What was refused for its kind or size is noted and not stored.
    let photos = || session_photos::table.filter(session_photos::state.ne(PhotoState::Failed));
    let amount = (count_star(), sql::<BigInt>("CAST(coalesce(sum(bytes), 0) AS BIGINT)"));
    let of_documents = (count_star(), sql::<BigInt>("CAST(coalesce(sum(document_bytes), 0) AS BIGINT)"));
    let size = match conn {
        AnyConnection::Sqlite(_) => {
            "SELECT page_count * page_size AS number FROM pragma_page_count(), pragma_page_size()"
        }
        AnyConnection::Postgres(_) => "SELECT pg_database_size(current_database()) AS number",
    };
    Ok(Stored {
        photos: photos().select(amount.clone()).first(conn)?,
        recent_photos: photos().filter(session_photos::created_at.ge(recent)).select(amount).first(conn)?,
        samples: face_samples::table.select(count(face_samples::object_key).aggregate_distinct()).first(conn)?,
        documents: leaves::table.filter(leaves::document_key.is_not_null()).select(of_documents).first(conn)?,
        database_bytes: diesel::sql_query(size).get_result::<NumberRow>(conn)?.number,
    })
}

/// Keys of objects that must be in the store: of the newest `each` photos that were processed or wait to be, and of the
/// newest `each` samples.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn object_keys(conn: &mut AnyConnection, each: i64) -> Result<Vec<String>, DbError> {
    // What was refused for its kind or size is noted and not stored.
    let kept = session_photos::state.ne(PhotoState::Failed);
    let photos = session_photos::table.filter(kept).order(session_photos::id.desc()).limit(each);
    let mut keys: Vec<String> = photos.select(session_photos::object_key).load(conn)?;
    let samples = face_samples::table.order(face_samples::id.desc()).limit(each);
    keys.extend(samples.select(face_samples::object_key).load::<String>(conn)?);
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Json;
    use crate::db::photos;
    use crate::db::samples::{self, NewSample};
    use crate::db::students as people;
    use crate::db::testing::{at, new_photo, new_student, on_each_database, quality, session, sha256};
    use crate::domain::embedding::Embedding;

    fn sample(conn: &mut AnyConnection, prn: &str, pack_id: &str) -> Result<(), DbError> {
        let student_id = people::find_by_prn(conn, prn)?.unwrap().id;
        samples::insert(
            conn,
            &NewSample {
                student_id,
                pack_id: pack_id.into(),
                pack_version: "1".into(),
                sha256: sha256(1),
                object_key: format!("samples/{}/{}.jpg", student_id.0, sha256(1)),
                embedding: Embedding::new(vec![0.5, 0.5]).unwrap(),
                quality: Json(Some(quality())),
                weight: 1.0,
                created_at: at("2025-07-01 08:00:00"),
            },
        )
        .map(drop)
    }

    on_each_database! {
        fn students_are_counted_by_what_can_be_done_with_them(db) {
            let census = db.run_blocking(|conn| {
                let given = ["P1", "P2", "P3"].map(|prn| new_student(prn, Consent::Given));
                let others = [new_student("P4", Consent::Unknown), new_student("P5", Consent::Withdrawn)];
                let left = people::NewStudent { active: false, ..new_student("P6", Consent::Given) };
                for student in given.into_iter().chain(others).chain([left]) {
                    people::insert(conn, &student)?;
                }
                for (prn, pack) in [("P1", "ours"), ("P1", "theirs"), ("P2", "theirs"), ("P5", "ours"), ("P6", "ours")] {
                    sample(conn, prn, pack)?;
                }
                assert_eq!(object_keys(conn, 3)?.len(), 3);
                census(conn, "ours", "1")
            });
            let expected = Census { active: 5, consenting: 3, enrolled: 1, enrolled_otherwise: 1 };
            assert_eq!(census.unwrap(), expected);
        }

        fn what_is_stored_is_added_up(db) {
            let (stored, bytes) = db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                let kept = [photos::insert(conn, &new_photo(session, 1))?, photos::insert(conn, &new_photo(session, 2))?];
                let refused = photos::insert(conn, &new_photo(session, 3))?;
                photos::fail(conn, refused, "UNSUPPORTED_FORMAT", "no picture", at("2025-09-01 09:00:00"))?;
                let bytes = kept.iter().map(|id| Ok(photos::get(conn, *id)?.bytes)).sum::<Result<i64, DbError>>()?;
                people::insert(conn, &new_student("P1", Consent::Given))?;
                for pack in ["ours", "theirs"] {
                    sample(conn, "P1", pack)?;
                }
                Ok((stored(conn, at("2100-01-01 00:00:00"))?, bytes))
            }).unwrap();
            assert_eq!(stored.photos, Amount { count: 2, bytes });
            assert_eq!(stored.recent_photos, Amount { count: 0, bytes: 0 });
            assert_eq!(stored.samples, 1, "one picture, two packs");
            assert_eq!(stored.documents, Amount { count: 0, bytes: 0 });
            assert!(stored.database_bytes > 10_000, "{stored:?}");
        }

        fn a_sound_database_is_found_sound(db) {
            let health = db.run_blocking(|conn| examine(conn, Utc::now())).unwrap();
            assert_eq!(health.damage, [""; 0]);
            assert!(health.program.starts_with("SQLite 3") || health.program.starts_with("Postgres 1"), "{health:?}");
            assert!(health.clock_ahead_secs.is_none_or(|secs| secs.abs() < 60), "{health:?}");
        }
    }

    #[test]
    fn rows_that_refer_to_nothing_are_damage() {
        use diesel::connection::SimpleConnection;
        let file = crate::db::testing::TempSqlite::new();
        let db = crate::db::Db::create(&file.url()).unwrap();
        db.migrate().unwrap();
        let health = db.run_blocking(|conn| {
            people::insert(conn, &new_student("P1", Consent::Given))?;
            sample(conn, "P1", "ours")?;
            conn.batch_execute("PRAGMA foreign_keys = OFF; DELETE FROM students; PRAGMA foreign_keys = ON;")?;
            examine(conn, Utc::now())
        });
        assert_eq!(health.unwrap().damage, ["1 rows refer to rows that do not exist"]);
    }
}
