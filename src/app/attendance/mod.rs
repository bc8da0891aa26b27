//! What attendance adds up to: a class over a range, a student in all classes, the school day by day. Reads only.
//!
//! The numbers are those of the register: every session that was held counts, signed or not, but those of a pilot. It was held
//! once anybody has a record in it.

mod statistics;
mod student;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};

pub use statistics::{ClassStatistics, DayStatistics, ProcessingStatistics, Statistics, statistics};
pub use student::{DayRecord, StudentAttendance, StudentInClass, student_attendance};

use super::School;
use super::error::{Code, Error};
use super::report::{Extent, Outline};
use crate::db::{AnyConnection, members, subjects};
use crate::domain::days;
use crate::domain::ids::{ClassId, MemberId, StudentId, SubjectId};
use crate::domain::pilot::PilotSessions;
use crate::domain::sheet::RegisterSheet;

/// Longest range, days: three years.
const MAX_DAYS: i64 = 1100;

/// What is to be added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttendanceWish {
    pub class: ClassId,
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
    /// Only sessions and lessons of this subject. A session without one is of its lesson's.
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
        self.sheet.held()
    }

    /// Those, and the lessons of the timetable that were not held.
    pub fn planned(&self) -> usize {
        self.taken() + self.sheet.open_lessons().len()
    }
}

/// The members of a class with what their attendance adds up to.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `SUBJECT_NOT_FOUND`; `INVALID_REQUEST` for days in the wrong order, too far away, or more than three years;
/// what is wrong with the settings' labels.
pub async fn class_attendance(
    school: &School,
    wish: AttendanceWish,
    now: DateTime<Utc>,
) -> Result<ClassAttendance, Error> {
    require_range(wish.days)?;
    let config = school.config.clone();
    school
        .read(move |conn| {
            let AttendanceWish { class, days, subject } = wish;
            let subject = subject.map(|subject| subjects::get(conn, subject)).transpose()?;
            let roll = members::between(conn, class, days.0, days.1)?;
            let students = roll.iter().map(|row| (row.member.id, row.student.id)).collect();
            let extent = Extent { class, days, subject, pilots: PilotSessions::LeftOut };
            let sheet = Outline::read(conn, extent, roll, &config, now)?.filled(conn)?;
            Ok(ClassAttendance { sheet, students, subjects: names(conn)? })
        })
        .await
}

/// What every range of days is asked with that something is added up over.
///
/// # Errors
/// `INVALID_REQUEST` for days in the wrong order, too far away, or more than three years.
pub(super) fn require_range(days: (NaiveDate, NaiveDate)) -> Result<(), Error> {
    match days::length(days)? {
        asked if asked > MAX_DAYS => {
            let text = format!("{asked} days are asked for; at most {MAX_DAYS} at once");
            Err(Error::new(Code::InvalidRequest, text))
        }
        _ => Ok(()),
    }
}

fn names(conn: &mut AnyConnection) -> Result<HashMap<SubjectId, String>, Error> {
    Ok(subjects::list(conn)?.into_iter().map(|row| (row.id, row.name)).collect())
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
