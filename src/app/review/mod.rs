//! What a teacher does to a session after the machine: looks at its records, corrects them, signs them.
//!
//! Every change is one transaction under the session's lock: the record, a line of its history and an event, or nothing.
//! Whoever changes a record may say which version of it they have seen, and is refused when it is another one by now. A
//! session that was confirmed is not changed by anybody until it is reopened. Called by `http` and `cli`.

mod correct;
mod reconcile;
mod sheet;
mod sign;
#[cfg(test)]
mod tests;
mod version;

pub use correct::{BulkError, Correction, ItemError, RecordCorrection, correct, correct_many, withdraw};
pub use reconcile::{Reconciliation, head_count};
pub use sheet::{ConflictRule, SheetImport, SheetImported, SheetRowChange, import_sheet};
pub(crate) use sign::reopen_in;
pub use sign::{ConfirmError, Signature, Signed, Unmarked, confirm, reopen};

use std::collections::HashMap;

use chrono::NaiveDateTime;
use chrono_tz::Tz;

use super::error::{Code, Error};
use super::{School, session};
use crate::db::members::EnrolledRow;
use crate::db::record_changes::{self, ChangeRow};
use crate::db::records::{self, SessionRecordRow};
use crate::db::sessions::{self, SessionRow};
use crate::db::{AnyConnection, DbError, members};
use crate::domain::ids::{FaceId, MemberId, SessionId};
use crate::domain::sheet::{MAX_NOTE_CHARS, natural_order};
use crate::domain::status::{AttendanceStatus, RecordSource};

/// A record with who it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberRecord {
    pub member: MemberId,
    pub roll_no: String,
    pub prn: String,
    pub name: String,
    pub status: AttendanceStatus,
    pub source: RecordSource,
    /// 0..1, of an automatic one.
    pub confidence: Option<f64>,
    pub face: Option<FaceId>,
    /// Why it is as it is: a person's reason, or what the machine says to the teacher.
    pub note: Option<String>,
    /// UTC; none while nothing was written about the member.
    pub updated_at: Option<NaiveDateTime>,
    /// On the roll of that day and not marked inactive: the session waits until it is decided.
    pub is_awaited: bool,
    /// Changes whenever the record does.
    pub version: String,
}

/// The records of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    pub session: SessionRow,
    /// Everybody on the roll of that day, and others who have a record, by roll number.
    pub records: Vec<MemberRecord>,
    /// Changes whenever one of them or the session's state does.
    pub version: String,
}

impl Records {
    fn unmarked(&self) -> usize {
        self.records.iter().filter(|r| r.is_awaited && r.status == AttendanceStatus::Unmarked).count()
    }

    fn find(&self, member: MemberId) -> Option<&MemberRecord> {
        self.records.iter().find(|record| record.member == member)
    }

    fn require(&self, member: MemberId) -> Result<&MemberRecord, Error> {
        let nobody = || format!("{member} is not in the class of {} on its day", self.session.id);
        self.find(member).ok_or_else(|| Error::new(Code::MemberNotFound, nobody()))
    }
}

/// The records of a session as they are now.
///
/// # Errors
/// `SESSION_NOT_FOUND`.
pub async fn records(school: &School, session: SessionId) -> Result<Records, Error> {
    let zone = school.config.time_zone;
    school
        .read(move |conn| {
            let session = sessions::get(conn, session)?;
            Ok(read(conn, session, zone)?)
        })
        .await
}

/// What was said about a member's record, the oldest first.
///
/// # Errors
/// `SESSION_NOT_FOUND`; `MEMBER_NOT_FOUND` for somebody of another class.
pub async fn history(school: &School, session: SessionId, member: MemberId) -> Result<Vec<ChangeRow>, Error> {
    school
        .read(move |conn| {
            let class = sessions::get(conn, session)?.class_id;
            if members::get(conn, member)?.class_id != class {
                return Err(Error::new(Code::MemberNotFound, format!("{member} is not in the class of {session}")));
            }
            Ok(record_changes::of_record(conn, session, member)?)
        })
        .await
}

/// The session, locked until the end of the caller's transaction, with its records.
fn lock(conn: &mut AnyConnection, id: SessionId, zone: Tz) -> Result<Records, DbError> {
    let session = sessions::lock(conn, id)?;
    read(conn, session, zone)
}

/// The records of a session that was read.
pub(super) fn read(conn: &mut AnyConnection, session: SessionRow, zone: Tz) -> Result<Records, DbError> {
    let changes: HashMap<MemberId, i64> = record_changes::last_ids(conn, session.id)?.into_iter().collect();
    let roll = members::active_on(conn, session.class_id, session::day(&session, zone))?;
    let written = records::of_session(conn, session.id)?;
    let mut records: Vec<MemberRecord> = Vec::with_capacity(roll.len());
    let blank = roll.iter().filter(|row| written.iter().all(|record| record.member_id != row.member.id));
    records.extend(blank.map(not_written));
    let is_awaited = |member| roll.iter().any(|row| row.member.id == member && row.student.active);
    records.extend(written.into_iter().map(|row| {
        let is_awaited = is_awaited(row.member_id);
        MemberRecord { is_awaited, ..MemberRecord::from(row) }
    }));
    for record in &mut records {
        let said = changes.get(&record.member).copied();
        record.version = version::of_record((record.status, record.source), record.note.as_deref(), said);
    }
    records.sort_by(|a, b| natural_order(&a.roll_no, &b.roll_no).then(a.member.cmp(&b.member)));
    let versions = records.iter().map(|record| (record.member, record.version.as_str()));
    let version = version::of_session(session.state, versions);
    Ok(Records { session, records, version })
}

fn not_written(row: &EnrolledRow) -> MemberRecord {
    MemberRecord {
        member: row.member.id,
        roll_no: row.member.roll_no.clone(),
        prn: row.student.prn.clone(),
        name: row.student.name.clone(),
        status: AttendanceStatus::Unmarked,
        source: RecordSource::Auto,
        confidence: None,
        face: None,
        note: None,
        updated_at: None,
        is_awaited: row.student.active,
        version: String::new(),
    }
}

impl From<SessionRecordRow> for MemberRecord {
    fn from(row: SessionRecordRow) -> Self {
        Self {
            member: row.member_id,
            roll_no: row.roll_no,
            prn: row.prn,
            name: row.name,
            status: row.status,
            source: row.source,
            confidence: row.confidence,
            face: row.face_id,
            note: row.note,
            updated_at: Some(row.updated_at),
            is_awaited: false,
            version: String::new(),
        }
    }
}

/// A reason without outer blanks; none that says nothing.
fn tidied(reason: Option<String>) -> Option<String> {
    reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty())
}

fn require_short(reason: Option<&str>) -> Result<(), Error> {
    match reason.map_or(0, |reason| reason.chars().count()) {
        characters if characters > MAX_NOTE_CHARS => {
            let text = format!("a reason has at most {MAX_NOTE_CHARS} characters, this one has {characters}");
            Err(Error::new(Code::InvalidRequest, text))
        }
        _ => Ok(()),
    }
}

/// Refuses a change to something that is not as its author has seen it.
fn require_version(seen: Option<&str>, now: &str, what: impl std::fmt::Display) -> Result<(), Error> {
    match seen {
        Some(seen) if seen != now => {
            let text = format!("{what} was changed by somebody else since you looked at it; look again");
            Err(Error::new(Code::VersionConflict, text))
        }
        _ => Ok(()),
    }
}
