//! The teacher's signature: a session is confirmed, and reopened.

use chrono::{NaiveDateTime, Utc};
use serde_json::json;

use super::{Records, lock, require_version};
use crate::app::error::{Code, Error};
use crate::app::{School, events};
use crate::db::audit::{self, NewLine};
use crate::db::sessions::SessionRow;
use crate::db::{AnyConnection, DbError, Json, faces, photos, sessions};
use crate::domain::access::Actor;
use crate::domain::ids::SessionId;
use crate::domain::status::SessionState;

/// What becomes of records that nobody has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmarked {
    /// The session is not confirmed while there are any.
    Refuse,
    /// They stay open: outside the percentages.
    Keep,
}

/// A session after it was confirmed or reopened.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    pub session: SessionRow,
    /// Records that nobody has decided.
    pub unmarked: usize,
    /// Faces of strangers whose embeddings were deleted by this.
    pub forgotten_faces: usize,
    /// Of the session with all its records.
    pub version: String,
}

/// Confirms a session: from now on it takes no photos and nothing changes its records. The embeddings of strangers are
/// deleted; scores and decisions stay. `expected` is the version of the whole that the actor has seen. A session that is
/// confirmed already stays as it is.
///
/// # Errors
/// `SESSION_NOT_FOUND`, `VERSION_CONFLICT`; `SESSION_NOT_READY` while photos wait, or records are unmarked and must not be.
pub async fn confirm(
    school: &School,
    session: SessionId,
    actor: Actor,
    expected: Option<String>,
    unmarked: Unmarked,
) -> Result<Signed, Error> {
    let zone = school.config.time_zone;
    school
        .change(move |conn| {
            let before = lock(conn, session, zone)?;
            if before.session.state == SessionState::Confirmed {
                return Ok(signed(before, 0));
            }
            require_version(expected.as_deref(), &before.version, session)?;
            require_ready(conn, &before, unmarked)?;
            let forgotten = faces::forget_strangers(conn, session)?;
            sessions::confirm(conn, session, &actor.name, Utc::now().naive_utc())?;
            events::confirmed(conn, session, before.records.iter().map(|record| record.status))?;
            Ok(signed(lock(conn, session, zone)?, forgotten))
        })
        .await
}

/// Reopens a confirmed session: it waits for the teacher again, with the records that it has. One that is not confirmed
/// stays as it is. The reason goes into the audit log.
///
/// # Errors
/// `SESSION_NOT_FOUND`.
pub async fn reopen(
    school: &School,
    session: SessionId,
    actor: Actor,
    reason: Option<String>,
) -> Result<Signed, Error> {
    let zone = school.config.time_zone;
    school
        .change(move |conn| {
            let row = sessions::lock(conn, session)?;
            let now = Utc::now().naive_utc();
            if row.state == SessionState::Confirmed {
                reopen_in(conn, session, now)?;
                audit::insert(conn, &line(&actor, &row, reason.as_deref(), now))?;
            }
            Ok(signed(lock(conn, session, zone)?, 0))
        })
        .await
}

/// Takes the signature from a confirmed session that the caller has locked.
pub(crate) fn reopen_in(conn: &mut AnyConnection, session: SessionId, now: NaiveDateTime) -> Result<(), DbError> {
    sessions::reopen(conn, session, now)?;
    events::reopened(conn, session)
}

fn require_ready(conn: &mut AnyConnection, before: &Records, unmarked: Unmarked) -> Result<(), Error> {
    let counts = photos::counts(conn, before.session.id)?;
    let waiting = counts.queued + counts.processing;
    let not_ready = |what: String| Err(Error::new(Code::SessionNotReady, what));
    if waiting > 0 {
        return not_ready(format!("{} has photos that wait: {waiting}; come again when they are done", before.session.id));
    }
    match before.unmarked() {
        open if open > 0 && unmarked == Unmarked::Refuse => {
            let id = before.session.id;
            not_ready(format!("{id} has records that nobody has decided: {open}; decide them, or keep them open"))
        }
        _ => Ok(()),
    }
}

fn signed(records: Records, forgotten_faces: usize) -> Signed {
    let unmarked = records.unmarked();
    Signed { session: records.session, unmarked, forgotten_faces, version: records.version }
}

fn line(actor: &Actor, session: &SessionRow, reason: Option<&str>, at: NaiveDateTime) -> NewLine {
    NewLine {
        at,
        actor_kind: actor.kind,
        actor_id: actor.id,
        actor: actor.name.clone(),
        action: "session.reopen".into(),
        object_kind: Some("session".into()),
        object_id: Some(session.id.0),
        class_id: Some(session.class_id),
        request_id: None,
        address: None,
        detail: Json(json!({ "reason": reason })),
    }
}
