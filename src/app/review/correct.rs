//! Corrections: a person says what a record is, whatever the machine says.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, Utc};

use super::{MemberRecord, Records, lock, read, require_short, require_version, tidied};
use crate::app::error::{Code, Error};
use crate::app::freshness::can_be_judged;
use crate::app::session::{self, Matching};
use crate::app::{School, events};
use crate::db::record_changes::{self, NewChange};
use crate::db::records::{self, NewRecord};
use crate::db::{AnyConnection, DbError};
use crate::domain::access::Actor;
use crate::domain::attendance::Ground;
use crate::domain::ids::{MemberId, SessionId};
use crate::domain::status::{AttendanceStatus, RecordSource};

/// What somebody says about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    pub status: AttendanceStatus,
    /// For whoever reads the sheet.
    pub reason: Option<String>,
}

/// One of several corrections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordCorrection {
    pub member: MemberId,
    pub correction: Correction,
    /// The version of the record that its author has seen.
    pub expected: Option<String>,
}

/// Why one of several corrections cannot be made.
#[derive(Debug)]
pub struct ItemError {
    /// Place in the request, from 0.
    pub index: usize,
    pub error: Error,
}

/// Why corrections were not made; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    #[error(transparent)]
    Whole(#[from] Error),
    #[error("{} of the corrections cannot be made; nothing was changed", .0.len())]
    Items(Vec<ItemError>),
}

impl From<DbError> for BulkError {
    fn from(error: DbError) -> Self {
        Self::Whole(error.into())
    }
}

/// Sets a member's record, whatever the machine says now or later. Saying the same again changes nothing. `expected` is the
/// version of the record that the actor has seen.
///
/// # Errors
/// `SESSION_NOT_FOUND`, `SESSION_CONFIRMED`, `MEMBER_NOT_FOUND` for somebody who is not in the class on that day,
/// `VERSION_CONFLICT`, `INVALID_REQUEST` for a reason that is too long.
pub async fn correct(
    school: &School,
    session: SessionId,
    wanted: RecordCorrection,
    actor: Actor,
) -> Result<MemberRecord, Error> {
    let made = correct_many(school, session, vec![wanted], actor).await.map_err(|error| match error {
        BulkError::Whole(error) => error,
        BulkError::Items(mut items) => items.remove(0).error,
    });
    Ok(made?.records.remove(0))
}

/// The same for several members of a session, all or none. Returns their records in the order asked for, and the version of
/// the whole.
///
/// # Errors
/// As [`correct`]; each correction that cannot be made is told.
pub async fn correct_many(
    school: &School,
    session: SessionId,
    mut wanted: Vec<RecordCorrection>,
    actor: Actor,
) -> Result<Records, BulkError> {
    wanted.iter_mut().for_each(|one| one.correction.reason = tidied(one.correction.reason.take()));
    let zone = school.config.time_zone;
    school
        .db
        .transaction(move |conn| {
            let before = lock(conn, session, zone)?;
            session::require_unconfirmed(&before.session)?;
            check(&before, &wanted)?;
            make(conn, &before, &wanted, &actor)?;
            let mut after = read(conn, before.session, zone)?;
            let all = std::mem::take(&mut after.records);
            after.records =
                wanted.iter().filter_map(|one| all.iter().find(|r| r.member == one.member).cloned()).collect();
            Ok(after)
        })
        .await
}

/// Takes a correction back: the record is what the machine says again, or gone for somebody who is not on the roll any more.
/// A record that nobody has corrected stays as it is.
///
/// # Errors
/// As [`correct`]; `MODEL_NOT_LOADED` when the lines of the settings' pack cannot be read.
pub async fn withdraw(
    school: &School,
    session: SessionId,
    member: MemberId,
    actor: Actor,
    expected: Option<String>,
) -> Result<Option<MemberRecord>, Error> {
    let matching = Matching::of_settings(&school.config)?;
    let zone = school.config.time_zone;
    school
        .change(move |conn| {
            let before = lock(conn, session, zone)?;
            session::require_unconfirmed(&before.session)?;
            let record = before.require(member)?;
            require_version(expected.as_deref(), &record.version, format_args!("the record of {member}"))?;
            if record.source != RecordSource::Manual {
                return Ok(Some(record.clone()));
            }
            let say = Say { session, actor: &actor, now: Utc::now().naive_utc() };
            records::delete(conn, session, member)?;
            say.judge_again(conn, &before, member, &matching)?;
            let machine = records::list(conn, session)?.into_iter().find(|row| row.member_id == member);
            let status = machine.map_or(AttendanceStatus::Unmarked, |row| row.status);
            say.note(conn, record, (status, RecordSource::Auto), None)?;
            Ok(read(conn, before.session, zone)?.find(member).cloned())
        })
        .await
}

/// Makes corrections that were checked, in the transaction that has locked the session.
pub(super) fn make(
    conn: &mut AnyConnection,
    before: &Records,
    wanted: &[RecordCorrection],
    actor: &Actor,
) -> Result<(), Error> {
    let say = Say { session: before.session.id, actor, now: Utc::now().naive_utc() };
    for one in wanted {
        say.correct(conn, before.require(one.member)?, &one.correction)?;
    }
    Ok(())
}

fn check(before: &Records, wanted: &[RecordCorrection]) -> Result<(), BulkError> {
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for (index, one) in wanted.iter().enumerate() {
        let checked = if seen.insert(one.member) {
            check_one(before, one)
        } else {
            Err(Error::new(Code::InvalidRequest, format!("{} comes twice", one.member)))
        };
        errors.extend(checked.err().map(|error| ItemError { index, error }));
    }
    if errors.is_empty() { Ok(()) } else { Err(BulkError::Items(errors)) }
}

fn check_one(before: &Records, wanted: &RecordCorrection) -> Result<(), Error> {
    let record = before.require(wanted.member)?;
    require_short(wanted.correction.reason.as_deref())?;
    require_version(wanted.expected.as_deref(), &record.version, format_args!("the record of {}", wanted.member))
}

/// Somebody who says something about a session.
struct Say<'a> {
    session: SessionId,
    actor: &'a Actor,
    now: NaiveDateTime,
}

impl Say<'_> {
    fn correct(&self, conn: &mut AnyConnection, before: &MemberRecord, wanted: &Correction) -> Result<(), DbError> {
        let is_said =
            before.source == RecordSource::Manual && before.status == wanted.status && before.note == wanted.reason;
        if is_said {
            return Ok(());
        }
        // The face that the machine saw says nothing for what a person says; it keeps its own verdict.
        let new = NewRecord {
            session_id: self.session,
            member_id: before.member,
            status: wanted.status,
            source: RecordSource::Manual,
            confidence: None,
            face_id: None,
            note: wanted.reason.clone(),
            updated_at: self.now,
        };
        records::upsert(conn, &[new])?;
        self.note(conn, before, (wanted.status, RecordSource::Manual), wanted.reason.clone())
    }

    /// The history's line and the event.
    fn note(
        &self,
        conn: &mut AnyConnection,
        before: &MemberRecord,
        (status, source): (AttendanceStatus, RecordSource),
        reason: Option<String>,
    ) -> Result<(), DbError> {
        let change = NewChange {
            session_id: self.session,
            member_id: before.member,
            from_status: before.status,
            from_source: before.source,
            status,
            source,
            reason,
            actor_kind: self.actor.kind,
            actor_id: self.actor.id,
            actor: self.actor.name.clone(),
            at: self.now,
        };
        record_changes::insert(conn, &change)?;
        events::corrected(conn, self.session, before.member, (status, source))
    }

    /// Lets the machine say again what it thinks of a member who has no record. Where it has looked at nothing it says
    /// nothing but who is on leave; where it has looked with another pack, nothing can be concluded, and others' records are left alone.
    fn judge_again(
        &self,
        conn: &mut AnyConnection,
        before: &Records,
        member: MemberId,
        matching: &Matching,
    ) -> Result<(), DbError> {
        if before.session.gallery_fingerprint.is_none() {
            return session::excuse(conn, &before.session, matching.zone, self.now).map(drop);
        }
        if can_be_judged(conn, self.session, matching)? {
            return session::settle(conn, self.session, matching, self.now);
        }
        let open = NewRecord {
            session_id: self.session,
            member_id: member,
            status: AttendanceStatus::Unmarked,
            source: RecordSource::Auto,
            confidence: None,
            face_id: None,
            note: session::note(Ground::PhotosIncomplete).map(str::to_owned),
            updated_at: self.now,
        };
        records::upsert(conn, &[open]).map(|_| ())
    }
}
