//! One student: what attendance adds up to in each class, and every record day by day.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::{names, require_range};
use crate::app::error::Error;
use crate::app::report::{Extent, Outline};
use crate::app::{School, session};
use crate::config::Config;
use crate::db::classes::{self, ClassRow};
use crate::db::members::{self, EnrolledRow};
use crate::db::records::{self, ToldRow};
use crate::db::{AnyConnection, students};
use crate::domain::ids::{ClassId, SessionId, StudentId, SubjectId};
use crate::domain::pilot::PilotSessions;
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
/// `STUDENT_NOT_FOUND`; `INVALID_REQUEST` for days in the wrong order, too far away, or more than three years.
pub async fn student_attendance(
    school: &School,
    student: StudentId,
    days: (NaiveDate, NaiveDate),
    among: Option<Vec<ClassId>>,
    now: DateTime<Utc>,
) -> Result<StudentAttendance, Error> {
    require_range(days)?;
    let config = school.config.clone();
    school
        .read(move |conn| {
            let person = students::get(conn, student)?;
            let mut found =
                StudentAttendance { student, classes: Vec::new(), days: BTreeMap::new(), subjects: names(conn)? };
            let is_seen = |class: &ClassId| among.as_ref().is_none_or(|among| among.contains(class));
            let stays = members::of_student(conn, student)?;
            for member in stays.into_iter().filter(|stay| stay.touches(days) && is_seen(&stay.class_id)) {
                found.add(conn, EnrolledRow { member, student: person.clone() }, days, (&config, now))?;
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
        (config, now): (&Config, DateTime<Utc>),
    ) -> Result<(), Error> {
        let (member, class) = (stay.member.id, stay.member.class_id);
        let (from, to) = session::utc_range(days.0, days.1, config.time_zone);
        let told = records::told_of(conn, member, (from, to))?;
        let extent = Extent { class, days, subject: None, pilots: PilotSessions::LeftOut };
        let sheet = Outline::read(conn, extent, vec![stay], config, now)?.filled(conn)?;
        let told: HashMap<SessionId, ToldRow> = told.into_iter().map(|row| (row.session_id, row)).collect();
        let cells = sheet.rows().first().map(|row| row.cells.as_slice()).unwrap_or_default();
        for (column, cell) in sheet.sessions().iter().zip(cells) {
            let Some(status) = *cell else { continue };
            let told = told.get(&column.id);
            self.days.entry(column.starts_at.date()).or_default().push(DayRecord {
                session: column.id,
                class,
                starts_at: column.at,
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
