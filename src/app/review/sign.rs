//! The teacher's signature: a session is confirmed, and reopened.

use chrono::{NaiveDateTime, Utc};
use serde_json::{Value, json};

use super::reconcile::count;
use super::{Records, lock, require_short, require_version, tidied};
use crate::app::error::{Code, Error};
use crate::app::learn::{self, Pictures};
use crate::app::{School, events};
use crate::db::audit::{self, NewLine};
use crate::db::sessions::{Reconciled, SessionRow, Signer};
use crate::db::{AnyConnection, DbError, Json, faces, photos, sessions, users};
use crate::domain::access::{Actor, ActorKind};
use crate::domain::head_count::{Difference, DifferenceNote, Told};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::status::SessionState;

/// What becomes of records that nobody has decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unmarked {
    /// The session is not confirmed while there are any, whatever the reason.
    #[default]
    Refuse,
    /// They stay open: outside the percentages. The doubts behind them stay open, too.
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

/// What the teacher signs with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// The version of the whole that was seen.
    pub expected: Option<String>,
    pub unmarked: Unmarked,
    /// Heads that were counted in the room, guests included.
    pub head_count: Option<u32>,
    /// People in the room who are not of the class. Default: none.
    pub guests: Option<u32>,
    /// Why the session is right although it does not add up.
    pub reason: Option<String>,
}

/// Why a session is not confirmed; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    #[error(transparent)]
    Whole(#[from] Error),
    #[error("{session} does not add up: {}; correct it, or say why it is right all the same", sentences(.differences))]
    Differences { session: SessionId, differences: Vec<Difference> },
}

impl From<DbError> for ConfirmError {
    fn from(error: DbError) -> Self {
        Self::Whole(error.into())
    }
}

fn sentences(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Most heads and guests that are believed.
const MAX_HEADS: u32 = 10_000;

/// Confirms a session: from now on it takes no photos and nothing changes its records. The embeddings of strangers are
/// deleted; scores and decisions stay. What the teacher counted, what does not add up and why it is right all the same are
/// kept with the session and in the audit log. A session that is confirmed already stays as it is.
///
/// # Errors
/// `SESSION_NOT_FOUND`, `VERSION_CONFLICT`; `SESSION_NOT_READY` while photos wait, or records are unmarked and must not be;
/// `INVALID_REQUEST` for a reason that is too long or a number nobody can count; [`ConfirmError::Differences`] for a session
/// that does not add up and for which no reason is given.
pub async fn confirm(
    school: &School,
    session: SessionId,
    actor: Actor,
    signature: Signature,
) -> Result<Signed, ConfirmError> {
    let Signature { expected, unmarked, head_count, guests, reason } = signature;
    let reason = tidied(reason);
    require_short(reason.as_deref())?;
    require_countable(head_count.max(guests))?;
    let told = Told { head_count, guests: guests.unwrap_or(0), keeps_undecided: unmarked == Unmarked::Keep };
    let (zone, config) = (school.config.time_zone, school.config.clone());
    let signing = move |conn: &mut AnyConnection| {
        let before = lock(conn, session, zone)?;
        if before.session.state == SessionState::Confirmed {
            return Ok(signed(before, 0));
        }
        require_version(expected.as_deref(), &before.version, session)?;
        require_ready(conn, &before, unmarked)?;
        let differences = count(conn, &before)?.differences(told);
        if !differences.is_empty() && reason.is_none() {
            return Err(ConfirmError::Differences { session, differences });
        }
        let number = |n: u32| i32::try_from(n).ok();
        let reconciled = Reconciled {
            head_count: head_count.and_then(number),
            guests: guests.and_then(number),
            differences: Json(differences.iter().map(DifferenceNote::from).collect()),
            confirm_reason: reason,
        };
        let now = Utc::now().naive_utc();
        let forgotten = faces::forget_strangers(conn, session)?;
        let user = account_of(conn, &actor)?;
        sessions::confirm(conn, session, (Signer { name: &actor.name, user }, now), &reconciled)?;
        learn::confirmed(conn, &config, session)?;
        events::confirmed(conn, session, before.records.iter().map(|record| record.status))?;
        let codes: Vec<&str> = differences.iter().map(Difference::code).collect();
        let detail = json!({
            "head_count": head_count, "guests": guests, "differences": codes, "reason": reconciled.confirm_reason,
        });
        audit::insert(conn, &line(&actor, &before.session, ("session.confirm", detail), now))?;
        Ok(signed(lock(conn, session, zone)?, forgotten))
    };
    school.db.transaction(signing).await
}

/// The account of a person; none for a program, and where it is gone since the request was let in.
fn account_of(conn: &mut AnyConnection, actor: &Actor) -> Result<Option<UserId>, DbError> {
    let Some(id) = actor.id.filter(|_| actor.kind == ActorKind::User) else { return Ok(None) };
    match users::get(conn, UserId(id)) {
        Ok(user) => Ok(Some(user.id)),
        Err(DbError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn require_countable(most: Option<u32>) -> Result<(), Error> {
    match most {
        Some(n) if n > MAX_HEADS => {
            let text = format!("{n} heads or guests are more than anybody counts in a room; at most {MAX_HEADS}");
            Err(Error::new(Code::InvalidRequest, text))
        }
        _ => Ok(()),
    }
}

/// Reopens a confirmed session: it waits for the teacher again, with the records that it has. One that is not confirmed
/// stays as it is. The reason goes into the audit log.
///
/// # Errors
/// `SESSION_NOT_FOUND`; `INVALID_REQUEST` for a reason that is too long.
pub async fn reopen(
    school: &School,
    session: SessionId,
    actor: Actor,
    reason: Option<String>,
) -> Result<Signed, Error> {
    let reason = tidied(reason);
    require_short(reason.as_deref())?;
    let zone = school.config.time_zone;
    let reopened = school.change(move |conn| {
        let row = sessions::lock(conn, session)?;
        let now = Utc::now().naive_utc();
        let mut pictures = Pictures::default();
        if row.state == SessionState::Confirmed {
            pictures = reopen_in(conn, session, now)?;
            let reopened = ("session.reopen", json!({ "reason": reason }));
            audit::insert(conn, &line(&actor, &row, reopened, now))?;
        }
        Ok((signed(lock(conn, session, zone)?, 0), pictures))
    });
    let (signed, pictures) = reopened.await?;
    pictures.delete(school).await;
    Ok(signed)
}

/// Takes the signature from a confirmed session that the caller has locked, and what was learned under it. Returns pictures to
/// be deleted after the transaction.
pub(crate) fn reopen_in(conn: &mut AnyConnection, session: SessionId, now: NaiveDateTime) -> Result<Pictures, DbError> {
    sessions::reopen(conn, session, now)?;
    events::reopened(conn, session)?;
    learn::reopened(conn, session)
}

fn require_ready(conn: &mut AnyConnection, before: &Records, unmarked: Unmarked) -> Result<(), Error> {
    let counts = photos::counts(conn, before.session.id)?;
    let waiting = counts.queued + counts.processing;
    let not_ready = |what: String| Err(Error::new(Code::SessionNotReady, what));
    if waiting > 0 {
        return not_ready(format!(
            "{} has photos that wait: {waiting}; come again when they are done",
            before.session.id
        ));
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

fn line(actor: &Actor, session: &SessionRow, (action, detail): (&str, Value), at: NaiveDateTime) -> NewLine {
    NewLine {
        at,
        actor_kind: actor.kind,
        actor_id: actor.id,
        actor: actor.name.clone(),
        action: action.into(),
        object_kind: Some("session".into()),
        object_id: Some(session.id.0),
        class_id: Some(session.class_id),
        request_id: None,
        address: None,
        detail: Json(detail),
    }
}
