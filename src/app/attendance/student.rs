//! One student: what attendance adds up to in each class, and every record day by day.

use std::collections::{BTreeMap, HashMap};

use chrono::{NaiveDate, NaiveDateTime};

use super::{AttendanceWish, names, require_range, sheet_of};
use crate::app::error::Error;
use crate::app::{School, session};
use crate::config::Config;
use crate::db::classes::{self, ClassRow};
use crate::db::members::{self, EnrolledRow};
use crate::db::records::{self, ToldRow};
use crate::db::{AnyConnection, students};
use crate::domain::ids::{ClassId, SessionId, StudentId, SubjectId};
use crate::domain::sheet::RegisterSheet;
use crate::domain::status::{AttendanceStatus, RecordSource};

/// A student over a range.
#[derive(Debug, Clone, PartialEq)]
pub struct StudentAttendance {
    pub student: StudentId,
    /// The stays that touch the range.
    pub classes: Vec<StudentInClass>,
    /// The sessions of those classes, by day.
    pub days: BTreeMap<NaiveDate, Vec<DayRecord>>,
    /// Names of the subjects.
    pub subjects: HashMap<SubjectId, String>,
}

/// A student in a class.
#[derive(Debug, Clone, PartialEq)]
pub struct StudentInClass {
    pub class: ClassRow,
    /// With one row.
    pub sheet: RegisterSheet,
}

/// What one session says of the student.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRecord {
    pub session: SessionId,
    pub class: ClassId,
    /// UTC.
    pub starts_at: NaiveDateTime,
    pub subject: Option<SubjectId>,
    pub status: AttendanceStatus,
    pub note: Option<String>,
    pub source: RecordSource,
}

/// A student's attendance in the classes that the caller may see (`among`; none: all).
///
/// # Errors
/// `STUDENT_NOT_FOUND`; `INVALID_REQUEST` for days in the wrong order or more than three years.
pub async fn student_attendance(
    school: &School,
    student: StudentId,
    days: (NaiveDate, NaiveDate),
    among: Option<Vec<ClassId>>,
) -> Result<StudentAttendance, Error> {
    require_range(days)?;
    let config = school.config.clone();
    school
        .read(move |conn| {
            let person = students::get(conn, student)?;
            let mut found =
                StudentAttendance { student, classes: Vec::new(), days: BTreeMap::new(), subjects: names(conn)? };
            for member in members::of_student(conn, student)? {
                let touches = member.valid_from.is_none_or(|first| first <= days.1)
                    && member.valid_to.is_none_or(|last| days.0 <= last);
                if touches && among.as_ref().is_none_or(|among| among.contains(&member.class_id)) {
                    let stay = EnrolledRow { member, student: person.clone() };
                    found.add(conn, stay, days, &config)?;
                }
            }
            found.days.values_mut().for_each(|records| records.sort_by_key(|r| (r.starts_at, r.session)));
            Ok(found)
        })
        .await
}

impl StudentAttendance {
    fn add(
        &mut self,
        conn: &mut AnyConnection,
        stay: EnrolledRow,
        days: (NaiveDate, NaiveDate),
        config: &Config,
    ) -> Result<(), Error> {
        let (member, class) = (stay.member.id, stay.member.class_id);
        let (from, to) = session::utc_range(days.0, days.1, config.time_zone);
        let told = records::told_of(conn, member, (from, to))?;
        let sheet = sheet_of(conn, &AttendanceWish { class, days, subject: None }, vec![stay], config)?;
        let told: HashMap<SessionId, ToldRow> = told.into_iter().map(|row| (row.session_id, row)).collect();
        let cells = sheet.rows().first().map(|row| row.cells.as_slice()).unwrap_or_default();
        for (column, cell) in sheet.sessions().iter().zip(cells) {
            let Some(status) = *cell else { continue };
            let told = told.get(&column.id);
            self.days.entry(column.starts_at.date()).or_default().push(DayRecord {
                session: column.id,
                class,
                starts_at: session::utc(column.starts_at, config.time_zone),
                subject: column.subject,
                status,
                note: told.and_then(|told| told.note.clone()),
                source: told.map_or(RecordSource::Auto, |told| told.source),
            });
        }
        self.classes.push(StudentInClass { class: classes::get(conn, class)?, sheet });
        Ok(())
    }
}
