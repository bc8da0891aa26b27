//! What attendance adds up to: the members of a class over a range, a student in all classes.
//!
//! Percentages are those of the register: every session that was held counts, signed or not, but those of a pilot. It was held
//! once anybody has a record in it.

use std::collections::{BTreeMap, HashMap};

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::records::{RecordOrigin, RecordStatus};
use crate::app::attendance::{self, AttendanceWish, ClassAttendance, DayRecord, StudentAttendance, StudentInClass};
use crate::app::error::Code;
use crate::domain::ids::{ClassId, StudentId, SubjectId};
use crate::domain::sheet::{RegisterRow, StatusCounts, SubjectSummary, Summary};
use crate::http::extract::{Path, Query, Who};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{READ_ATTENDANCE, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(READ_ATTENDANCE, get_class_attendance), row!(READ_ATTENDANCE, get_student_attendance)]
}

/// What the records of a member add up to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AttendanceCounters {
    present: u32,
    late: u32,
    absent: u32,
    excused: u32,
    /// Nobody has decided: outside the percentages, but planned.
    unmarked: u32,
    /// Of the records that count.
    #[schema(minimum = 0)]
    points: f64,
    /// Records that count.
    counted: u32,
    /// Points over records that count; `null` while there are none.
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<f64>,
    /// Points over all that is planned in the range: records that count, undecided ones, and lessons of the timetable that were not
    /// held, over or to come. A session was held once anybody has a record in it.
    #[schema(minimum = 0, maximum = 100)]
    percent_all: Option<f64>,
    /// What the percentage can still become: with *present* in every lesson to come.
    #[schema(minimum = 0, maximum = 100)]
    percent_reachable: Option<f64>,
    /// Absences since the member was last present or late.
    consecutive_absences: u32,
    /// Whether `percent` is below the line that was asked for.
    below: bool,
    subjects: Vec<SubjectAttendance>,
}

/// A subject of a member.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SubjectAttendance {
    /// `null`: sessions without a subject.
    subject_id: Option<i64>,
    subject: Option<String>,
    /// Sessions that were held: somebody has a record in them.
    taken: u32,
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<f64>,
}

impl AttendanceCounters {
    fn of(counts: StatusCounts, summary: &Summary, subjects: &HashMap<SubjectId, String>, below: f64) -> Self {
        let StatusCounts { present, absent, late, excused, unmarked } = counts;
        let Summary { percent, percent_all, percent_reachable, consecutive_absences, .. } = *summary;
        let subject = |of: &SubjectSummary| SubjectAttendance {
            subject_id: of.subject.map(|id| id.0),
            subject: of.subject.and_then(|id| subjects.get(&id).cloned()),
            taken: of.taken,
            percent: of.percent,
        };
        Self {
            present,
            late,
            absent,
            excused,
            unmarked,
            points: summary.fraction.points(),
            counted: summary.fraction.counted,
            percent,
            percent_all,
            percent_reachable,
            consecutive_absences,
            below: percent.is_some_and(|percent| percent < below),
            subjects: summary.subjects.iter().map(subject).collect(),
        }
    }
}

/// A member of a class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberAttendance {
    member_id: i64,
    student_id: i64,
    #[schema(example = "14")]
    roll_no: String,
    prn: String,
    name: String,
    #[serde(flatten)]
    counters: AttendanceCounters,
}

/// The members of a class over a range, by roll number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassAttendanceResponse {
    class_id: i64,
    from: NaiveDate,
    to: NaiveDate,
    /// Sessions that were held, and lessons of the timetable that were not; without a timetable as many as were held.
    #[schema(minimum = 0)]
    planned: usize,
    /// Sessions that were held: somebody has a record in them. One that was opened by mistake, or whose photos still wait, was not.
    #[schema(minimum = 0)]
    taken: usize,
    /// The line of low attendance.
    #[schema(minimum = 0, maximum = 100)]
    below: f64,
    items: Vec<MemberAttendance>,
}

impl ClassAttendanceResponse {
    fn of(class: ClassId, found: &ClassAttendance, below: f64) -> Self {
        let (from, to) = found.sheet.range();
        let member = |row: &RegisterRow| MemberAttendance {
            member_id: row.member.0,
            student_id: found.students.get(&row.member).map_or(0, |student| student.0),
            roll_no: row.roll_no.clone(),
            prn: row.prn.clone(),
            name: row.name.clone(),
            counters: AttendanceCounters::of(row.counts, &row.summary, &found.subjects, below),
        };
        let items = found.sheet.rows().iter().map(member).collect();
        Self { class_id: class.0, from, to, planned: found.planned(), taken: found.taken(), below, items }
    }
}

/// A student in a class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentClassAttendance {
    class_id: i64,
    #[schema(example = "CSE")]
    class: String,
    section: String,
    member_id: i64,
    #[serde(flatten)]
    counters: AttendanceCounters,
}

/// What a session says of a student.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentRecord {
    session_id: i64,
    class_id: i64,
    starts_at: DateTime<Utc>,
    subject: Option<String>,
    status: RecordStatus,
    note: Option<String>,
    source: RecordOrigin,
}

/// A day of a student.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentDay {
    date: NaiveDate,
    records: Vec<StudentRecord>,
}

/// A student over a range.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentAttendanceResponse {
    student_id: i64,
    /// The classes that the student was in, of those that the caller may see.
    classes: Vec<StudentClassAttendance>,
    /// Days with sessions of these classes that were held.
    days: Vec<StudentDay>,
}

impl StudentAttendanceResponse {
    fn of(found: StudentAttendance, below: f64) -> Self {
        let StudentAttendance { student, classes, days, subjects } = found;
        let class = |StudentInClass { class, sheet }: StudentInClass| {
            let row = sheet.rows().first()?;
            let counters = AttendanceCounters::of(row.counts, &row.summary, &subjects, below);
            let (class_id, member_id) = (class.id.0, row.member.0);
            Some(StudentClassAttendance { class_id, class: class.name, section: class.section, member_id, counters })
        };
        let record = |record: DayRecord| StudentRecord {
            session_id: record.session.0,
            class_id: record.class.0,
            starts_at: record.starts_at.and_utc(),
            subject: record.subject.and_then(|id| subjects.get(&id).cloned()),
            status: record.status.into(),
            note: record.note,
            source: record.source.into(),
        };
        let day = |(date, records): (NaiveDate, Vec<DayRecord>)| StudentDay {
            date,
            records: records.into_iter().map(record).collect(),
        };
        Self {
            student_id: student.0,
            classes: classes.into_iter().filter_map(class).collect(),
            days: BTreeMap::into_iter(days).map(day).collect(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ClassAttendanceQuery {
    /// First day, of the school's calendar.
    from: NaiveDate,
    /// Last day.
    to: NaiveDate,
    /// Only sessions and lessons of this subject. A session without one is of its lesson's.
    subject_id: Option<i64>,
    /// The line of low attendance, percent; otherwise that of the server's settings.
    #[param(minimum = 0, maximum = 100)]
    below: Option<f64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RangeQuery {
    /// First day, of the school's calendar.
    pub(super) from: NaiveDate,
    /// Last day.
    pub(super) to: NaiveDate,
}

/// What the attendance of a class adds up to, member by member; a range has three years at most.
#[utoipa::path(get, path = "/classes/{class_id}/attendance", tag = "attendance",
    params(("class_id" = i64, Path), ClassAttendanceQuery), responses((status = 200, body = ClassAttendanceResponse)))]
async fn get_class_attendance(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<ClassAttendanceQuery>,
) -> Result<axum::Json<ClassAttendanceResponse>, Problem> {
    let ClassAttendanceQuery { from, to, subject_id, below } = query;
    let below = below.unwrap_or(service.config().report.low_attendance_percent);
    if !(0.0..=100.0).contains(&below) {
        return Err(Problem::new(Code::InvalidRequest, format!("below: {below} is not from 0 to 100")));
    }
    let wish = AttendanceWish { class: ClassId(id), days: (from, to), subject: subject_id.map(SubjectId) };
    let found = attendance::class_attendance(&service.school, wish, Utc::now()).await?;
    Ok(axum::Json(ClassAttendanceResponse::of(wish.class, &found, below)))
}

/// A student's attendance: what it adds up to in each class, and every record day by day.
#[utoipa::path(get, path = "/students/{student_id}/attendance", tag = "attendance",
    params(("student_id" = i64, Path), RangeQuery), responses((status = 200, body = StudentAttendanceResponse)))]
async fn get_student_attendance(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    Query(RangeQuery { from, to }): Query<RangeQuery>,
) -> Result<axum::Json<StudentAttendanceResponse>, Problem> {
    let below = service.config().report.low_attendance_percent;
    let (student, among) = (StudentId(id), who.classes());
    let found = attendance::student_attendance(&service.school, student, (from, to), among, Utc::now()).await?;
    Ok(axum::Json(StudentAttendanceResponse::of(found, below)))
}
