//! What attendance adds up to: a class over a range, a student in all classes, the school day by day. Reads only.
//!
//! The numbers are those of the register: every session that was held counts, signed or not, but those of a pilot.

mod statistics;
mod student;

use std::collections::HashMap;

use chrono::NaiveDate;

pub use statistics::{ClassStatistics, DayStatistics, ProcessingStatistics, Statistics, statistics};
pub use student::{DayRecord, StudentAttendance, StudentInClass, student_attendance};

use super::error::{Code, Error};
use super::report::{heading, rules};
use super::{School, session, timetable};
use crate::config::Config;
use crate::db::members::EnrolledRow;
use crate::db::{AnyConnection, members, records, sessions, subjects};
use crate::domain::ids::{ClassId, MemberId, StudentId, SubjectId};
use crate::domain::pilot::PilotSessions;
use crate::domain::sheet::{RegisterColumn, RegisterMember, RegisterRecord, RegisterSheet};

/// Longest range, days: three years.
const MAX_DAYS: i64 = 1100;
/// Members whose records one statement asks for.
const PORTION: usize = 500;

/// What is to be added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttendanceWish {
    pub class: ClassId,
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
    /// Only sessions and lessons of this subject.
    pub subject: Option<SubjectId>,
}

/// A class over a range.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassAttendance {
    pub sheet: RegisterSheet,
    /// Who the members are.
    pub students: HashMap<MemberId, StudentId>,
    /// Names of the subjects.
    pub subjects: HashMap<SubjectId, String>,
}

impl ClassAttendance {
    /// Sessions that were held.
    pub fn taken(&self) -> usize {
        self.sheet.sessions().len()
    }

    /// Those, and the lessons of the timetable that have none.
    pub fn planned(&self) -> usize {
        self.taken() + self.sheet.open_lessons().len()
    }
}

/// The members of a class with what their attendance adds up to.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `SUBJECT_NOT_FOUND`; `INVALID_REQUEST` for days in the wrong order or more than three years; what is wrong
/// with the settings' labels.
pub async fn class_attendance(school: &School, wish: AttendanceWish) -> Result<ClassAttendance, Error> {
    require_range(wish.days)?;
    let config = school.config.clone();
    school
        .read(move |conn| {
            wish.subject.map(|subject| subjects::get(conn, subject)).transpose()?;
            let (first, last) = wish.days;
            let roll = members::between(conn, wish.class, first, last)?;
            let students = roll.iter().map(|row| (row.member.id, row.student.id)).collect();
            let sheet = sheet_of(conn, &wish, roll, &config)?;
            Ok(ClassAttendance { sheet, students, subjects: names(conn)? })
        })
        .await
}

/// # Errors
/// `INVALID_REQUEST` for days in the wrong order or more than three years.
pub(super) fn require_range((first, last): (NaiveDate, NaiveDate)) -> Result<(), Error> {
    let invalid = |text: String| Err(Error::new(Code::InvalidRequest, text));
    if last < first {
        return invalid(format!("the last day {last} is before the first, {first}"));
    }
    match (last - first).num_days() {
        days if days >= MAX_DAYS => invalid(format!("{} days are asked for; at most {MAX_DAYS} at once", days + 1)),
        _ => Ok(()),
    }
}

fn names(conn: &mut AnyConnection) -> Result<HashMap<SubjectId, String>, Error> {
    Ok(subjects::list(conn)?.into_iter().map(|row| (row.id, row.name)).collect())
}

/// The register of those on the `roll`.
fn sheet_of(
    conn: &mut AnyConnection,
    wish: &AttendanceWish,
    roll: Vec<EnrolledRow>,
    config: &Config,
) -> Result<RegisterSheet, Error> {
    let AttendanceWish { class, days: (first, last), subject } = *wish;
    let zone = config.time_zone;
    let times = session::utc_range(first, last, zone);
    let mut held = sessions::list(conn, class, times.0, times.1)?;
    held.retain(|row| !row.pilot && subject.is_none_or(|subject| row.subject_id == Some(subject)));
    let columns: Vec<RegisterColumn> = held
        .iter()
        .map(|row| RegisterColumn {
            id: row.id,
            starts_at: session::local(row.starts_at, zone),
            name: None,
            subject: row.subject_id,
            taken: None,
        })
        .collect();
    let ids: Vec<MemberId> = roll.iter().map(|row| row.member.id).collect();
    let mut marks = Vec::with_capacity(ids.len() * held.len());
    for ids in ids.chunks(PORTION) {
        marks.extend(records::marks_of(conn, ids, times, PilotSessions::LeftOut)?);
    }
    let marks: Vec<RegisterRecord> = marks
        .into_iter()
        .map(|mark| RegisterRecord { session: mark.session_id, member: mark.member_id, status: mark.status })
        .collect();
    let roll = roll.into_iter().map(register_member).collect();
    let open = timetable::open_lessons(conn, class, (first, last), subject, config)?;
    let sheet = RegisterSheet::new(heading(conn, class, config)?, rules(conn, config)?, first, last);
    Ok(sheet.with_open_lessons(open).filled(roll, columns, &marks))
}

/// A row of the roll as registers know it.
pub(super) fn register_member(row: EnrolledRow) -> RegisterMember {
    RegisterMember {
        id: row.member.id,
        roll_no: row.member.roll_no,
        prn: row.student.prn,
        name: row.student.name,
        from: row.member.valid_from,
        to: row.member.valid_to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_run_forwards_and_end() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert!(require_range((day("2026-01-01"), day("2026-01-01"))).is_ok());
        assert!(require_range((day("2026-01-01"), day("2029-01-04"))).is_ok());
        for wrong in [(day("2026-01-02"), day("2026-01-01")), (day("2026-01-01"), day("2029-01-05"))] {
            assert_eq!(require_range(wrong).unwrap_err().code, Code::InvalidRequest, "{wrong:?}");
        }
        assert!(require_range((NaiveDate::MIN, NaiveDate::MAX)).is_err());
    }
}
