//! Photos: one picture of a session, from queued to done or failed, with what is kept about its processing.

use chrono::NaiveDateTime;
use diesel::dsl::count_star;
use diesel::prelude::*;
use serde_json::Value;

use super::column::Json;
use super::error::OrNotFound;
use super::schema::{attendance_sessions, session_photos};
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, PhotoId, SessionId};
use crate::domain::status::PhotoState;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = session_photos)]
pub struct PhotoRow {
    pub id: PhotoId,
    pub session_id: SessionId,
    /// Of the bytes as uploaded, 64 hex digits.
    pub sha256: String,
    /// Where the bytes are stored.
    pub object_key: String,
    /// The file's name when it came, for people; nothing is looked up by it.
    pub original_name: String,
    pub bytes: i64,
    pub state: PhotoState,
    /// Why a photo failed: an error code and its message. Present exactly when it failed.
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    /// Pixels of the upright photo; known once it was decoded.
    pub width: Option<i32>,
    pub height: Option<i32>,
    /// UTC, from the camera's clock, which is taken for the school's.
    pub captured_at: Option<NaiveDateTime>,
    pub smallest_face_px: Option<f32>,
    pub faces_left_out: i32,
    pub warnings: Json<Vec<String>>,
    /// Milliseconds per stage.
    pub timings: Json<Value>,
    pub pack_id: Option<String>,
    pub pack_version: Option<String>,
    /// What ONNX Runtime really ran on.
    pub provider: Option<String>,
    /// The lines and limits that were in force.
    pub policy: Json<Value>,
    pub processed_at: Option<NaiveDateTime>,
    pub created_at: NaiveDateTime,
    /// What is suspicious about it beside other photos and its lesson; written when the session is settled.
    pub guard_warnings: Json<Vec<String>>,
}

impl PhotoRow {
    /// What the result should be read with: of the photo itself, then beside others.
    pub fn all_warnings(&self) -> Vec<String> {
        self.warnings.0.iter().chain(&self.guard_warnings.0).cloned().collect()
    }
}

/// A photo of another session with bytes that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ElsewhereRow {
    pub id: PhotoId,
    pub session_id: SessionId,
    pub sha256: String,
}

/// What a row says of its object in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// Number of the row.
    pub id: i64,
    pub object_key: String,
    /// Of the object's bytes, 64 hex digits.
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = session_photos)]
pub struct NewPhoto {
    pub session_id: SessionId,
    pub sha256: String,
    pub object_key: String,
    pub original_name: String,
    pub bytes: i64,
    pub captured_at: Option<NaiveDateTime>,
    pub created_at: NaiveDateTime,
}

/// What processing found out about a photo.
#[derive(Debug, Clone, PartialEq, AsChangeset)]
#[diesel(table_name = session_photos)]
pub struct PhotoResult {
    pub width: i32,
    pub height: i32,
    /// UTC; `None` where the camera does not say.
    #[diesel(treat_none_as_null = true)]
    pub captured_at: Option<NaiveDateTime>,
    /// `None` in a photo without a face; a value of an earlier run is then removed.
    #[diesel(treat_none_as_null = true)]
    pub smallest_face_px: Option<f32>,
    pub faces_left_out: i32,
    pub warnings: Json<Vec<String>>,
    pub timings: Json<Value>,
    pub pack_id: String,
    pub pack_version: String,
    pub provider: String,
    pub policy: Json<Value>,
    pub processed_at: NaiveDateTime,
}

/// How many photos of a session are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PhotoCounts {
    pub queued: usize,
    pub processing: usize,
    pub done: usize,
    pub failed: usize,
}

impl PhotoCounts {
    pub const fn total(self) -> usize {
        self.queued + self.processing + self.done + self.failed
    }
}

/// The photo with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: PhotoId) -> Result<PhotoRow, DbError> {
    session_photos::table.find(id).select(PhotoRow::as_select()).first(conn).or_not_found("the photo")
}

/// The photo of a session with these bytes, if there is one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find_in_session(
    conn: &mut AnyConnection,
    session: SessionId,
    sha256: &str,
) -> Result<Option<PhotoRow>, DbError> {
    Ok(session_photos::table
        .filter(session_photos::session_id.eq(session))
        .filter(session_photos::sha256.eq(sha256))
        .select(PhotoRow::as_select())
        .first(conn)
        .optional()?)
}

/// The photos with these bytes in other sessions of a class, those that did not fail, in the order they came.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn elsewhere(
    conn: &mut AnyConnection,
    (class, session): (ClassId, SessionId),
    hashes: &[String],
) -> Result<Vec<ElsewhereRow>, DbError> {
    Ok(session_photos::table
        .inner_join(attendance_sessions::table)
        .filter(attendance_sessions::class_id.eq(class))
        .filter(session_photos::session_id.ne(session))
        .filter(session_photos::sha256.eq_any(hashes))
        .filter(session_photos::state.ne(PhotoState::Failed))
        .order(session_photos::id)
        .select((session_photos::id, session_photos::session_id, session_photos::sha256))
        .load(conn)?)
}

/// How far these photos have come, those that are still there.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn states(conn: &mut AnyConnection, ids: &[PhotoId]) -> Result<Vec<PhotoState>, DbError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    Ok(session_photos::table.filter(session_photos::id.eq_any(ids)).select(session_photos::state).load(conn)?)
}

/// These photos, those that are still there, by id.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn several(conn: &mut AnyConnection, ids: &[PhotoId]) -> Result<Vec<PhotoRow>, DbError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    Ok(session_photos::table
        .filter(session_photos::id.eq_any(ids))
        .order(session_photos::id)
        .select(PhotoRow::as_select())
        .load(conn)?)
}

/// What rows with a higher number than `after` say of their objects, in the order of their numbers, at most `count`. Photos
/// whose bytes were never stored are left out.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn objects(conn: &mut AnyConnection, after: i64, count: usize) -> Result<Vec<ObjectRow>, DbError> {
    Ok(session_photos::table
        .filter(session_photos::id.gt(PhotoId(after)))
        .filter(session_photos::object_key.ne(""))
        .order(session_photos::id)
        .limit(count as i64)
        .select((session_photos::id, session_photos::object_key, session_photos::sha256))
        .load::<(PhotoId, String, String)>(conn)?
        .into_iter()
        .map(|(id, object_key, sha256)| ObjectRow { id: id.0, object_key, sha256 })
        .collect())
}

/// Those of `keys` that a photo names. Ask for some hundreds at a time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn named(conn: &mut AnyConnection, keys: &[String]) -> Result<Vec<String>, DbError> {
    Ok(session_photos::table
        .filter(session_photos::object_key.eq_any(keys))
        .select(session_photos::object_key)
        .load(conn)?)
}

/// Those of `ids` that are there. Ask for some hundreds at a time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn existing(conn: &mut AnyConnection, ids: &[PhotoId]) -> Result<Vec<PhotoId>, DbError> {
    Ok(session_photos::table
        .filter(session_photos::id.eq_any(ids.iter().map(|id| id.0)))
        .select(session_photos::id)
        .load(conn)?)
}

/// The photos of a session in the order they came.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<PhotoRow>, DbError> {
    Ok(session_photos::table
        .filter(session_photos::session_id.eq(session))
        .order(session_photos::id)
        .select(PhotoRow::as_select())
        .load(conn)?)
}

/// How many photos of a session are in each state.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn counts(conn: &mut AnyConnection, session: SessionId) -> Result<PhotoCounts, DbError> {
    let of_state: Vec<(PhotoState, i64)> = session_photos::table
        .filter(session_photos::session_id.eq(session))
        .group_by(session_photos::state)
        .select((session_photos::state, count_star()))
        .load(conn)?;
    let mut counts = PhotoCounts::default();
    for (state, count) in of_state {
        let count = usize::try_from(count).expect("a count is not negative");
        match state {
            PhotoState::Queued => counts.queued = count,
            PhotoState::Processing => counts.processing = count,
            PhotoState::Done => counts.done = count,
            PhotoState::Failed => counts.failed = count,
        }
    }
    Ok(counts)
}

/// A new photo, queued.
///
/// # Errors
/// [`DbError::Duplicate`] when the session has these bytes, [`DbError::Reference`] for an unknown session.
pub fn insert(conn: &mut AnyConnection, new: &NewPhoto) -> Result<PhotoId, DbError> {
    Ok(diesel::insert_into(session_photos::table)
        .values((
            new,
            session_photos::state.eq(PhotoState::Queued),
            session_photos::faces_left_out.eq(0),
            session_photos::warnings.eq(Json(Vec::<String>::new())),
            session_photos::timings.eq(Json(Value::Null)),
            session_photos::policy.eq(Json(Value::Null)),
            session_photos::guard_warnings.eq(Json(Vec::<String>::new())),
        ))
        .returning(session_photos::id)
        .get_result(conn)?)
}

/// Says where the bytes of a photo are that were not stored before.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn set_object_key(conn: &mut AnyConnection, id: PhotoId, key: &str) -> Result<(), DbError> {
    diesel::update(session_photos::table.find(id))
        .set(session_photos::object_key.eq(key))
        .execute(conn)?
        .or_not_found("the photo")
}

/// Removes a photo and its faces.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn delete(conn: &mut AnyConnection, id: PhotoId) -> Result<(), DbError> {
    diesel::delete(session_photos::table.find(id)).execute(conn)?.or_not_found("the photo")
}

/// Puts a photo back to the start, from whatever state. What an earlier run has found stays until the next one ends.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn requeue(conn: &mut AnyConnection, id: PhotoId) -> Result<(), DbError> {
    set_state(conn, id, PhotoState::Queued)
}

/// A photo is being processed.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn start(conn: &mut AnyConnection, id: PhotoId) -> Result<(), DbError> {
    set_state(conn, id, PhotoState::Processing)
}

/// A photo is done.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn finish(conn: &mut AnyConnection, id: PhotoId, result: &PhotoResult) -> Result<(), DbError> {
    diesel::update(session_photos::table.find(id)).set(result).execute(conn)?.or_not_found("the photo")?;
    set_state(conn, id, PhotoState::Done)
}

/// Says what is suspicious about a photo beside others and its lesson.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn set_guard_warnings(conn: &mut AnyConnection, id: PhotoId, warnings: &Json<Vec<String>>) -> Result<(), DbError> {
    diesel::update(session_photos::table.find(id))
        .set(session_photos::guard_warnings.eq(warnings.clone()))
        .execute(conn)?
        .or_not_found("the photo")
}

/// How long the stages of a photo took, told once all of them are over.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn set_timings(conn: &mut AnyConnection, id: PhotoId, timings: &Json<Value>) -> Result<(), DbError> {
    diesel::update(session_photos::table.find(id))
        .set(session_photos::timings.eq(timings.clone()))
        .execute(conn)?
        .or_not_found("the photo")
}

/// A photo has failed, with an error code and a message for people.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn fail(
    conn: &mut AnyConnection,
    id: PhotoId,
    error_code: &str,
    error_message: &str,
    now: NaiveDateTime,
) -> Result<(), DbError> {
    diesel::update(session_photos::table.find(id))
        .set((
            session_photos::state.eq(PhotoState::Failed),
            session_photos::error_code.eq(error_code),
            session_photos::error_message.eq(error_message),
            session_photos::processed_at.eq(now),
        ))
        .execute(conn)?
        .or_not_found("the photo")
}

/// Only a failed photo has an error, so every other state takes it away.
fn set_state(conn: &mut AnyConnection, id: PhotoId, state: PhotoState) -> Result<(), DbError> {
    diesel::update(session_photos::table.find(id))
        .set((
            session_photos::state.eq(state),
            session_photos::error_code.eq(None::<String>),
            session_photos::error_message.eq(None::<String>),
        ))
        .execute(conn)?
        .or_not_found("the photo")
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use serde_json::json;

    use super::*;
    use crate::db::sessions;
    use crate::db::testing::{at, class, new_photo, new_session, on_each_database, photo_result, plan, session};

    on_each_database! {
        fn objects_are_told_page_by_page_and_found_by_their_keys(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                let ids = [1, 2, 3].map(|image| insert(conn, &new_photo(session, image)).unwrap());
                let refused = NewPhoto { object_key: String::new(), ..new_photo(session, 4) };
                insert(conn, &refused)?;
                let keys = [1, 2, 3].map(|image| new_photo(session, image).object_key);
                let first = objects(conn, 0, 2)?;
                assert_eq!(first.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[0].0, ids[1].0]);
                assert_eq!((&first[0].object_key, &first[0].sha256), (&keys[0], &new_photo(session, 1).sha256));
                assert_eq!(objects(conn, first[1].id, 2)?.len(), 1, "what was never stored has no object");
                assert_eq!(named(conn, &[keys[2].clone(), "samples/1/x.jpg".into()])?, [keys[2].clone()]);
                assert_eq!(existing(conn, &[PhotoId(ids[2].0 + 9), ids[1]])?, [ids[1]]);
                if matches!(conn, AnyConnection::Postgres(_)) {
                    // Small tables are read whole; the question is whether a large one would have to be.
                    conn.batch_execute("SET enable_seqscan = off")?;
                }
                let plan = plan(conn, "SELECT object_key FROM session_photos WHERE object_key = 'x'")?;
                assert!(plan.contains("session_photos_object"), "{plan}");
                Ok(())
            }).unwrap();
        }

        fn a_photo_goes_from_queued_to_done(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                let id = insert(conn, &new_photo(session, 1))?;
                let queued = get(conn, id)?;
                assert_eq!((queued.state, queued.faces_left_out), (PhotoState::Queued, 0));
                assert_eq!(queued.policy, Json(Value::Null));
                start(conn, id)?;
                assert_eq!(get(conn, id)?.state, PhotoState::Processing);
                let result = photo_result();
                finish(conn, id, &result)?;
                let expected = PhotoRow {
                    state: PhotoState::Done,
                    width: Some(result.width),
                    height: Some(result.height),
                    captured_at: result.captured_at,
                    smallest_face_px: result.smallest_face_px,
                    faces_left_out: result.faces_left_out,
                    warnings: result.warnings,
                    timings: result.timings,
                    pack_id: Some(result.pack_id),
                    pack_version: Some(result.pack_version),
                    provider: Some(result.provider),
                    policy: result.policy,
                    processed_at: Some(result.processed_at),
                    ..queued
                };
                assert_eq!(get(conn, id)?, expected);
                assert_eq!(expected.timings, Json(json!({"decode": 55.5, "detect": 210})));
                Ok(())
            }).unwrap();
        }

        fn a_later_run_without_faces_leaves_no_face_size_behind(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                let id = insert(conn, &new_photo(session, 1))?;
                finish(conn, id, &photo_result())?;
                finish(conn, id, &PhotoResult { smallest_face_px: None, ..photo_result() })?;
                assert_eq!(get(conn, id)?.smallest_face_px, None);
                Ok(())
            }).unwrap();
        }

        fn a_failed_photo_says_why_until_it_is_queued_again(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                let id = insert(conn, &new_photo(session, 1))?;
                fail(conn, id, "INVALID_IMAGE", "the file ends in the middle", at("2025-09-01 05:00:00"))?;
                let failed = get(conn, id)?;
                assert_eq!((failed.state, failed.error_code.as_deref()), (PhotoState::Failed, Some("INVALID_IMAGE")));
                requeue(conn, id)?;
                let queued = get(conn, id)?;
                assert_eq!((queued.state, queued.error_code, queued.error_message), (PhotoState::Queued, None, None));
                assert!(matches!(start(conn, PhotoId(404)), Err(DbError::NotFound { .. })));
                Ok(())
            }).unwrap();
        }

        fn the_schema_itself_refuses_a_done_photo_without_result_and_an_error_without_failure(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                let id = insert(conn, &new_photo(session, 1))?;
                let photo = session_photos::table.find(id);
                let done = diesel::update(photo).set(session_photos::state.eq(PhotoState::Done)).execute(conn);
                assert!(matches!(done.map_err(DbError::from), Err(DbError::Rule(_))));
                let error = diesel::update(photo).set(session_photos::error_code.eq("X")).execute(conn);
                assert!(matches!(error.map_err(DbError::from), Err(DbError::Rule(_))));
                let word = diesel::update(photo).set(session_photos::state.eq("lost")).execute(conn);
                assert!(matches!(word.map_err(DbError::from), Err(DbError::Rule(_))));
                Ok(())
            }).unwrap();
        }

        fn the_same_bytes_are_found_in_the_session_and_in_others_of_the_class(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                let first = new_photo(session, 1);
                let id = insert(conn, &first)?;
                assert!(matches!(insert(conn, &first), Err(DbError::Duplicate { .. })));
                assert_eq!(find_in_session(conn, session, &first.sha256)?.map(|row| row.id), Some(id));
                let class_of_both = sessions::get(conn, session)?.class_id;
                let next = sessions::find_or_insert(conn, &new_session(class_of_both, "2025-09-02 03:30:00"))?.id;
                let hashes = [new_photo(next, 2).sha256, first.sha256.clone()];
                let row = ElsewhereRow { id, session_id: session, sha256: first.sha256.clone() };
                assert_eq!(elsewhere(conn, (class_of_both, next), &hashes)?, [row]);
                assert_eq!(elsewhere(conn, (class_of_both, session), &hashes)?, [], "its own photos are not elsewhere");
                let other = class(conn, "other")?;
                assert_eq!(elsewhere(conn, (other, next), &hashes)?, []);
                fail(conn, id, "INVALID_IMAGE", "no image", at("2025-09-01 05:00:00"))?;
                assert_eq!(elsewhere(conn, (class_of_both, next), &hashes)?, []);
                assert_eq!(find_in_session(conn, session, &new_photo(session, 2).sha256)?, None);
                Ok(())
            }).unwrap();
        }

        fn photos_are_listed_as_they_came_and_counted_by_state(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                assert_eq!(counts(conn, session)?, PhotoCounts::default());
                let mut ids = Vec::new();
                for image in 1..=5 {
                    ids.push(insert(conn, &new_photo(session, image))?);
                }
                start(conn, ids[0])?;
                finish(conn, ids[1], &photo_result())?;
                fail(conn, ids[2], "INVALID_IMAGE", "no image", at("2025-09-01 05:00:00"))?;
                assert_eq!(list(conn, session)?.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
                let expected = PhotoCounts { queued: 2, processing: 1, done: 1, failed: 1 };
                assert_eq!((counts(conn, session)?, expected.total()), (expected, 5));
                Ok(())
            }).unwrap();
        }
    }
}
