//! Leaves: a student is excused beforehand, for days, with or without a document.
//!
//! A leave shows when a session settles: whoever is on leave and was not seen is excused, whoever was seen is pointed out, and
//! what a person says of a record wins over both. So sessions of these days are settled anew when a leave comes or goes; in one
//! without photos whoever is on leave is excused and nobody else has a record. A session that is confirmed stays as it is and is
//! named in the answer.
//!
//! Leaves are of the classes that the student is in on one of their days: teachers of other years' classes have no business with
//! them.

use std::collections::BTreeMap;

use chrono::{NaiveDate, Utc};
use serde_json::json;

use super::School;
use super::audit::{self, By, Entry};
use super::error::{Code, Error};
use super::freshness::can_be_judged;
use super::session::{self, Matching};
use crate::config::Config;
use crate::db::leaves::{self, LeaveRow, NewLeave, StoredDocument};
use crate::db::members::{EnrolledRow, MemberRow};
use crate::db::{AnyConnection, DbError, classes, members, sessions, students};
use crate::domain::access::Reach;
use crate::domain::days;
use crate::domain::ids::{ClassId, LeaveId, MemberId, SessionId, StudentId};
use crate::domain::leave::{Leave, LeaveKind, MAX_DAYS};
use crate::domain::status::SessionState;
use crate::storage::{Digest, DocumentExtension, Key};

/// Largest document, bytes.
pub const MAX_DOCUMENT_BYTES: u64 = 5 * 1024 * 1024;
/// Longest remark and file name, characters.
const MAX_REMARK: usize = 500;
const MAX_FILE_NAME: usize = 200;

/// A leave to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveEntry {
    pub student: StudentId,
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
    pub kind: LeaveKind,
    pub remark: Option<String>,
}

/// What became of the sessions of a leave's days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    /// Settled anew, also those without photos.
    pub settled: Vec<SessionId>,
    /// Left as they are: somebody has signed them.
    pub confirmed: Vec<SessionId>,
    /// Left as they are: their photos were read with another pack; they follow when they are read again.
    pub unread: Vec<SessionId>,
}

/// A leave of a member of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberLeave {
    pub leave: LeaveRow,
    pub member: EnrolledRow,
}

/// Notes a leave, for somebody who sees the classes of `reach`.
///
/// # Errors
/// `STUDENT_NOT_FOUND`; `FORBIDDEN` when the student is in none of these classes on one of the days; `ALREADY_EXISTS` when the
/// student is on leave on one of the days; `INVALID_REQUEST` for days in the wrong order, more than a year, or a remark that is
/// too long; `MODEL_NOT_LOADED` when sessions are to be settled and the lines of the settings' pack cannot be read.
pub async fn add(school: &School, entry: LeaveEntry, by: By, reach: &Reach) -> Result<(LeaveRow, Effect), Error> {
    let LeaveEntry { student, days, kind, remark } = entry;
    let remark = remark.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    require_possible(days, remark.as_deref())?;
    let (config, created_by, reach) = (school.config.clone(), by.actor.name.clone(), reach.clone());
    school
        .change(move |conn| {
            let stays = locked(conn, student, days)?;
            if reach != Reach::All && !stays.iter().any(|stay| reach.includes(stay.class_id)) {
                let text = format!("{student} is in none of your classes on these days");
                return Err(Error::new(Code::Forbidden, text));
            }
            if let Some(other) = leaves::of_students(conn, &[student], days)?.first() {
                let text = format!("the student is on leave from {} to {} already", other.first_day, other.last_day);
                return Err(Error::new(Code::AlreadyExists, text));
            }
            let now = Utc::now();
            let (first_day, last_day, created_at) = (days.0, days.1, now.naive_utc());
            let new = NewLeave { student_id: student, first_day, last_day, kind, remark, created_by, created_at };
            let row = leaves::insert(conn, &new)?;
            let effect = settle_anew(conn, &stays, days, &config)?;
            let line = Entry::new(&by, "leave.add", now).on(row.id).with(detail(&row, &effect));
            audit::record(conn, &line)?;
            Ok((row, effect))
        })
        .await
}

/// Takes a leave back, with its document.
///
/// # Errors
/// `LEAVE_NOT_FOUND`; `MODEL_NOT_LOADED` as with [`add`]; `STORAGE_ERROR` when the document cannot be deleted: the leave is gone
/// then, and `rollcall admin storage check` finds what is left.
pub async fn remove(school: &School, id: LeaveId, by: By) -> Result<Effect, Error> {
    let config = school.config.clone();
    let gone = school.change(move |conn| {
        let known = leaves::get(conn, id)?;
        let days = (known.first_day, known.last_day);
        let stays = locked(conn, known.student_id, days)?;
        // Its document may have come meanwhile, or the leave have gone.
        let row = leaves::get(conn, id)?;
        leaves::delete(conn, id)?;
        let effect = settle_anew(conn, &stays, days, &config)?;
        audit::record(conn, &Entry::new(&by, "leave.remove", Utc::now()).on(id).with(detail(&row, &effect)))?;
        Ok((row, effect))
    });
    let (row, effect) = gone.await?;
    if let Some(key) = row.document_key {
        delete_object(school, &key).await?;
    }
    Ok(effect)
}

/// The leaves of a class's members on some day of a range, in order of time.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `INVALID_REQUEST` for days in the wrong order.
pub async fn of_class(
    school: &School,
    class: ClassId,
    days: (NaiveDate, NaiveDate),
) -> Result<Vec<MemberLeave>, Error> {
    super::attendance::require_range(days)?;
    school
        .read(move |conn| {
            classes::get(conn, class)?;
            let roll = members::between(conn, class, days.0, days.1)?;
            let of_member = |leave: LeaveRow| {
                let is_whose = |row: &&EnrolledRow| row.student.id == leave.student_id && touches(&leave, &row.member);
                let member = roll.iter().find(is_whose)?.clone();
                Some(MemberLeave { leave, member })
            };
            Ok(leaves::of_class(conn, class, days)?.into_iter().filter_map(of_member).collect())
        })
        .await
}

/// The leaves of a student, in order of time; those that the classes of `reach` have to do with.
///
/// # Errors
/// `STUDENT_NOT_FOUND`.
pub async fn of_student(school: &School, student: StudentId, reach: &Reach) -> Result<Vec<LeaveRow>, Error> {
    let reach = reach.clone();
    school
        .read(move |conn| {
            students::get(conn, student)?;
            let mut found = leaves::of_student(conn, student)?;
            if reach != Reach::All {
                let stays = members::of_student(conn, student)?;
                let own: Vec<&MemberRow> = stays.iter().filter(|stay| reach.includes(stay.class_id)).collect();
                found.retain(|leave| own.iter().any(|stay| touches(leave, stay)));
            }
            Ok(found)
        })
        .await
}

/// Stores the document of a leave in place of the one before: a PDF, a JPEG or a PNG, by its first bytes.
///
/// # Errors
/// `LEAVE_NOT_FOUND`, `UNSUPPORTED_FORMAT` for other files, `IMAGE_TOO_LARGE` beyond [`MAX_DOCUMENT_BYTES`], `STORAGE_ERROR`.
pub async fn set_document(school: &School, id: LeaveId, name: &str, bytes: &[u8]) -> Result<LeaveRow, Error> {
    let extension = DocumentExtension::of(bytes).ok_or_else(|| {
        Error::new(Code::UnsupportedFormat, "a document is a PDF, a JPEG or a PNG; this file is none of them")
    })?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        let text = format!("the document has {} bytes; at most {MAX_DOCUMENT_BYTES}", bytes.len());
        return Err(Error::new(Code::ImageTooLarge, text));
    }
    school.read(move |conn| Ok(leaves::get(conn, id)?)).await?;
    let sha256 = Digest::of(bytes);
    let key = Key::LeaveDocument { leave: id.0, sha256, extension };
    school.store.put(&key, bytes).await?;
    let document = StoredDocument {
        document_key: key.to_string(),
        document_name: name.chars().filter(|c| !c.is_control()).take(MAX_FILE_NAME).collect(),
        document_sha256: sha256.to_string(),
        document_bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
    };
    let changed = school.change(move |conn| {
        let before = leaves::get(conn, id)?.document_key.filter(|before| *before != document.document_key);
        leaves::set_document(conn, id, &document)?;
        Ok((leaves::get(conn, id)?, before))
    });
    let (row, before) = changed.await?;
    if let Some(before) = before {
        delete_object(school, &before).await?;
    }
    Ok(row)
}

/// What the document of a leave is, as HTTP says it; none where there is none.
pub fn content_type(row: &LeaveRow) -> Option<&'static str> {
    Some(row.document_key.as_deref()?.parse::<Key>().ok()?.media_type())
}

/// A document that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub media_type: &'static str,
    pub extension: &'static str,
    pub sha256: String,
    pub bytes: Vec<u8>,
}

/// The document of a leave.
///
/// # Errors
/// `LEAVE_NOT_FOUND`, also for one without a document; `STORAGE_ERROR`.
pub async fn document(school: &School, id: LeaveId) -> Result<Document, Error> {
    let row = school.read(move |conn| Ok(leaves::get(conn, id)?)).await?;
    match row.document_key.as_deref().map(str::parse) {
        Some(Ok(Key::LeaveDocument { leave, sha256, extension })) => {
            let bytes = school.store.get(&Key::LeaveDocument { leave, sha256, extension }).await?;
            let (media_type, extension, sha256) = (extension.media_type(), extension.as_str(), sha256.to_string());
            Ok(Document { media_type, extension, sha256, bytes })
        }
        _ => Err(Error::new(Code::LeaveNotFound, format!("{id} has no document"))),
    }
}

/// Who of the roll is on leave on a day, with the leave.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub(crate) fn on_day(
    conn: &mut AnyConnection,
    roll: &[EnrolledRow],
    day: NaiveDate,
) -> Result<BTreeMap<MemberId, Leave>, DbError> {
    let students: Vec<StudentId> = roll.iter().map(|row| row.student.id).collect();
    let found = leaves::of_students(conn, &students, (day, day))?;
    let of = |row: &EnrolledRow| {
        let leave = found.iter().find(|leave| leave.student_id == row.student.id)?;
        Some((row.member.id, leave.leave()))
    };
    Ok(roll.iter().filter_map(of).collect())
}

fn require_possible((first, last): (NaiveDate, NaiveDate), remark: Option<&str>) -> Result<(), Error> {
    let invalid = |text: String| Err(Error::new(Code::InvalidRequest, text));
    if days::length((first, last))? > MAX_DAYS {
        return invalid(format!("a leave has at most {MAX_DAYS} days"));
    }
    match remark.map_or(0, |remark| remark.chars().count()) {
        length if length > MAX_REMARK => invalid(format!("a remark has at most {MAX_REMARK} characters, not {length}")),
        _ => Ok(()),
    }
}

fn touches(leave: &LeaveRow, stay: &MemberRow) -> bool {
    stay.touches((leave.first_day, leave.last_day))
}

/// What the audit log says of a leave: no remark, no name.
fn detail(leave: &LeaveRow, effect: &Effect) -> serde_json::Value {
    json!({
        "student": leave.student_id, "from": leave.first_day, "to": leave.last_day, "kind": leave.kind.as_str(),
        "document": leave.document_key.is_some(), "settled": effect.settled, "confirmed": effect.confirmed.len(),
        "unread": effect.unread.len(),
    })
}

/// Keeps everybody else from noting leaves of this student, and from settling, signing or making sessions of the classes that the
/// student is in on some of these days, which are returned. Classes come first, in the order of their numbers, and then the
/// student, as where faces are learned: so two of these never wait for each other.
fn locked(
    conn: &mut AnyConnection,
    student: StudentId,
    days: (NaiveDate, NaiveDate),
) -> Result<Vec<MemberRow>, DbError> {
    let mut stays = members::of_student(conn, student)?;
    stays.retain(|stay| stay.touches(days));
    stays.sort_by_key(|stay| stay.class_id);
    for stay in &stays {
        classes::lock(conn, stay.class_id)?;
    }
    students::lock(conn, student)?;
    Ok(stays)
}

/// Settles the sessions of some days of stays anew. The classes are locked by the caller, so that what is read of a session here
/// is what it is until the end: one that is being judged or signed meanwhile is waited for.
fn settle_anew(
    conn: &mut AnyConnection,
    stays: &[MemberRow],
    (first, last): (NaiveDate, NaiveDate),
    config: &Config,
) -> Result<Effect, Error> {
    let zone = config.time_zone;
    let times = session::utc_range(first, last, zone);
    let mut effect = Effect::default();
    let mut matching = None;
    for stay in stays {
        let held = sessions::list(conn, stay.class_id, times.0, times.1)?;
        for row in held.into_iter().filter(|row| stay.is_member_on(session::day(row, zone))) {
            if row.state == SessionState::Confirmed {
                effect.confirmed.push(row.id);
                continue;
            }
            if row.gallery_fingerprint.is_none() {
                // With photos to come, the leave is seen when they are.
                if session::excuse(conn, &row, zone, Utc::now().naive_utc())? {
                    effect.settled.push(row.id);
                }
                continue;
            }
            let matching = match &mut matching {
                Some(known) => known,
                unknown => unknown.insert(Matching::of_settings(config)?),
            };
            if can_be_judged(conn, row.id, matching)? {
                session::settle(conn, row.id, matching, Utc::now().naive_utc())?;
                effect.settled.push(row.id);
            } else {
                effect.unread.push(row.id);
            }
        }
    }
    Ok(effect)
}

async fn delete_object(school: &School, key: &str) -> Result<(), Error> {
    match key.parse::<Key>() {
        Ok(key) => Ok(school.store.delete(&key).await?),
        // What is no path of an object is none that could be deleted.
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
