//! Photos that could not be looked at, and those among them that are to be looked at once more.

use chrono::Utc;

use super::Payload;
use crate::app::error::Error;
use crate::app::events::{self, PhotoStep};
use crate::app::session::{self, Matching};
use crate::db::photos::PhotoRow;
use crate::db::{AnyConnection, DbError, photos, sessions};
use crate::domain::status::{PhotoState, SessionState};
use crate::queue::{Claimed, JobError, JobId};
use crate::telemetry::metric;

/// Stores a photo as failed, with the code, and settles its session, which then marks nobody absent. A confirmed session and
/// the photos it was confirmed with stay as they are.
///
/// # Errors
/// Database failures.
pub(crate) fn give_up(
    conn: &mut AnyConnection,
    job: &Claimed,
    matching: &Matching,
    error: &JobError,
) -> Result<(), DbError> {
    fail_as(conn, &job.payload, matching, (&error.code, &error.message))
}

/// The same for a job that nobody works on any more.
///
/// # Errors
/// Database failures.
pub(crate) fn fail(
    conn: &mut AnyConnection,
    payload: &serde_json::Value,
    matching: &Matching,
    error: &Error,
) -> Result<(), DbError> {
    fail_as(conn, payload, matching, (&error.code.as_str(), &error.message))
}

/// Counts a photo that was given up, once that is certain.
pub(crate) fn count_given_up() {
    metrics::counter!(metric::PHOTOS, "state" => "failed").increment(1);
}

fn fail_as(
    conn: &mut AnyConnection,
    payload: &serde_json::Value,
    matching: &Matching,
    (code, message): (&str, &str),
) -> Result<(), DbError> {
    let Some(row) = photo_of(conn, payload)? else { return Ok(()) };
    let now = Utc::now().naive_utc();
    let session = sessions::lock(conn, row.session_id)?;
    if session.state == SessionState::Confirmed && matches!(row.state, PhotoState::Done | PhotoState::Failed) {
        return Ok(());
    }
    photos::fail(conn, row.id, code, message, now)?;
    events::photo(conn, row.session_id, row.id, PhotoStep::Failed { code })?;
    session::settle(conn, row.session_id, matching, now)?;
    // Who waits for the photo is shown the reason; the log keeps the numbers beside those of the photos that are done.
    tracing::info!(session = row.session_id.0, photo = row.id.0, code, "photo failed");
    Ok(())
}

/// A photo that had failed waits for its job once more.
///
/// # Errors
/// `SESSION_CONFIRMED`; database failures.
pub(crate) fn wait_again(
    conn: &mut AnyConnection,
    payload: &serde_json::Value,
    matching: &Matching,
    job: JobId,
) -> Result<(), Error> {
    let Some(row) = photo_of(conn, payload)? else { return Ok(()) };
    session::require_unconfirmed(&sessions::lock(conn, row.session_id)?)?;
    photos::requeue(conn, row.id)?;
    events::photo(conn, row.session_id, row.id, PhotoStep::Queued(job))?;
    Ok(session::settle(conn, row.session_id, matching, Utc::now().naive_utc())?)
}

/// The photo that a job is about; it may be gone before its job is.
pub(super) fn photo_of(conn: &mut AnyConnection, payload: &serde_json::Value) -> Result<Option<PhotoRow>, DbError> {
    let Ok(Payload { photo }) = serde_json::from_value(payload.clone()) else { return Ok(None) };
    match photos::get(conn, photo) {
        Err(DbError::NotFound { .. }) => Ok(None),
        row => row.map(Some),
    }
}
