//! Requests that may come twice: each has a key of its caller's choice, and keeps the answer that the first one got.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::column::Json;
use super::connection::each_backend;
use super::schema::idempotency_keys;
use super::{AnyConnection, DbError};

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
pub struct KeyRow {
    pub id: i64,
    /// Of what is asked, SHA-256 in hexadecimal digits.
    pub fingerprint: String,
    /// Of the answer; none while the first request is at work.
    pub status: Option<i32>,
    pub headers: Json<Vec<(String, String)>>,
    pub body: Option<Vec<u8>>,
    pub created_at: NaiveDateTime,
}

/// The key of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Whose keys these are, as `user:5`.
    pub caller: String,
    pub key: String,
    pub fingerprint: String,
    pub created_at: NaiveDateTime,
}

/// Takes a key that nobody has; `None` when this caller has it already.
///
/// # Errors
/// [`DbError::Rule`] for an empty key or what is no fingerprint.
pub fn insert(conn: &mut AnyConnection, new: &NewKey) -> Result<Option<i64>, DbError> {
    let insert = diesel::insert_into(idempotency_keys::table).values((
        idempotency_keys::caller.eq(&new.caller),
        idempotency_keys::key.eq(&new.key),
        idempotency_keys::fingerprint.eq(&new.fingerprint),
        idempotency_keys::headers.eq("[]"),
        idempotency_keys::created_at.eq(new.created_at),
    ));
    let id = each_backend!(conn, c => {
        insert.on_conflict_do_nothing().returning(idempotency_keys::id).get_result(c).optional()
    })?;
    Ok(id)
}

/// What is known of a caller's key.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find(conn: &mut AnyConnection, caller: &str, key: &str) -> Result<Option<KeyRow>, DbError> {
    let row = idempotency_keys::table
        .filter(idempotency_keys::caller.eq(caller))
        .filter(idempotency_keys::key.eq(key))
        .select(KeyRow::as_select())
        .first(conn)
        .optional()?;
    Ok(row)
}

/// An answer, as it is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: i32,
    pub headers: Json<Vec<(String, String)>>,
    pub body: Vec<u8>,
}

/// Keeps the answer of a request at work. One that was given up meanwhile is left alone.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn complete(conn: &mut AnyConnection, id: i64, answer: &Answer) -> Result<(), DbError> {
    let at_work = idempotency_keys::table.find(id).filter(idempotency_keys::status.is_null());
    let kept = (
        idempotency_keys::status.eq(answer.status),
        idempotency_keys::headers.eq(&answer.headers),
        idempotency_keys::body.eq(&answer.body),
    );
    diesel::update(at_work).set(kept).execute(conn)?;
    Ok(())
}

/// Lets go of a key whose request got no answer; returns whether it was still held.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn release(conn: &mut AnyConnection, id: i64) -> Result<bool, DbError> {
    let at_work = idempotency_keys::table.find(id).filter(idempotency_keys::status.is_null());
    Ok(diesel::delete(at_work).execute(conn)? > 0)
}

/// Lets go of a key, whatever is kept with it.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn forget(conn: &mut AnyConnection, id: i64) -> Result<(), DbError> {
    diesel::delete(idempotency_keys::table.find(id)).execute(conn)?;
    Ok(())
}

/// Deletes up to `count` keys that were taken before a time (UTC); returns how many.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn prune(conn: &mut AnyConnection, before: NaiveDateTime, count: u32) -> Result<usize, DbError> {
    let old: Vec<i64> = idempotency_keys::table
        .filter(idempotency_keys::created_at.lt(before))
        .order(idempotency_keys::created_at)
        .limit(i64::from(count))
        .select(idempotency_keys::id)
        .load(conn)?;
    Ok(diesel::delete(idempotency_keys::table.filter(idempotency_keys::id.eq_any(old))).execute(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{at, on_each_database, sha256};

    fn new(caller: &str, key: &str) -> NewKey {
        NewKey { caller: caller.into(), key: key.into(), fingerprint: sha256(1), created_at: at("2026-01-05 08:00:00") }
    }

    fn answer(body: &[u8]) -> Answer {
        Answer { status: 201, headers: Json(vec![("location".into(), "/x/1".into())]), body: body.into() }
    }

    on_each_database! {
        fn a_key_is_taken_once_for_each_caller_and_keeps_its_answer(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let id = insert(conn, &new("user:1", "k"))?.unwrap();
                assert_eq!(insert(conn, &new("user:1", "k"))?, None);
                assert!(insert(conn, &new("user:2", "k"))?.is_some());
                let row = find(conn, "user:1", "k")?.unwrap();
                assert_eq!((row.id, row.status, row.body, row.fingerprint), (id, None, None, sha256(1)));
                complete(conn, id, &answer(&[0, 255]))?;
                complete(conn, id, &answer(b"a second one"))?;
                let row = find(conn, "user:1", "k")?.unwrap();
                assert_eq!((row.status, row.body, row.headers), (Some(201), Some(vec![0, 255]), answer(b"").headers));
                assert_eq!(find(conn, "user:1", "other")?, None);
                Ok(())
            }).unwrap();
        }

        fn a_key_without_an_answer_can_be_released(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let id = insert(conn, &new("user:1", "k"))?.unwrap();
                assert!(release(conn, id)? && !release(conn, id)?);
                let id = insert(conn, &new("user:1", "k"))?.unwrap();
                complete(conn, id, &answer(b"done"))?;
                assert!(!release(conn, id)?, "an answer is not thrown away");
                forget(conn, id)?;
                assert_eq!(find(conn, "user:1", "k")?, None);
                Ok(())
            }).unwrap();
        }

        fn old_keys_are_deleted(db) {
            db.run_blocking::<_, DbError>(|conn| {
                for key in ["a", "b", "c"] {
                    insert(conn, &new("user:1", key))?;
                }
                insert(conn, &NewKey { created_at: at("2026-01-06 08:00:00"), ..new("user:1", "d") })?;
                assert_eq!(prune(conn, at("2026-01-05 08:00:00"), 9)?, 0);
                assert_eq!(prune(conn, at("2026-01-06 08:00:00"), 2)?, 2);
                assert_eq!(prune(conn, at("2026-01-06 08:00:00"), 2)?, 1);
                assert!(find(conn, "user:1", "d")?.is_some());
                Ok(())
            }).unwrap();
        }
    }
}
