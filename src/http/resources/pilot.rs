//! The pilot of a class: what the program found, beside the teacher's register.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::imports::{FileForm, by_row};
use super::records::RecordStatus;
use super::sheets::file;
use crate::app::pilot::{self, CompareWish};
use crate::app::report::SheetFormat;
use crate::domain::ids::ClassId;
use crate::domain::interval;
use crate::domain::pilot::{
    Comparison, Difference, LeftOut, NotCompared, OfClass, OfStudent, OfWeek, Opinion, Outcome, Readiness, SessionNote,
    Tally,
};
use crate::http::extract::{Path, Query};
use crate::http::pictures::only_file;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Kind, READ_ATTENDANCE, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(READ_ATTENDANCE, compare_pilot).kind(Kind::Upload)]
}

/// What the comparison is written as.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ComparisonFormat {
    #[default]
    Json,
    Xlsx,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ComparisonQuery {
    /// First day; otherwise that of the first session.
    from: Option<NaiveDate>,
    /// Last day; otherwise that of the last session.
    to: Option<NaiveDate>,
    /// Otherwise `json`.
    #[param(inline)]
    format: Option<ComparisonFormat>,
}

/// A word of the comparison, and the same on the wire; the compiler sees to it that none is forgotten.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $domain:ident { $($(#[$note:meta])* $variant:ident)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($(#[$note])* $variant,)+
        }

        impl From<$domain> for $name {
            fn from(word: $domain) -> Self {
                match word {
                    $($domain::$variant => Self::$variant,)+
                }
            }
        }
    )+};
}

words! {
    /// What a pilot says in one word.
    PilotReadiness = Readiness { NotEnoughYet NotReady Ready }

    /// What becomes of a record when the register is laid beside it.
    PilotOutcome = Outcome {
        AgreePresent
        AgreeAbsent
        /// The program named somebody whom the register has not there.
        WrongPresent
        /// The program says absent, the register there.
        Missed
        /// The program asks, and they were there.
        AskedPresent
        /// The program asks, and they were not there.
        AskedAbsent
        /// One of both says nothing.
        NotComparable
    }

    /// What the program says by itself.
    PilotOpinion = Opinion {
        Present Absent Asks NoConsent NoTemplate Inactive PhotosIncomplete EmptyRoom OtherClass
    }
}

/// What a pilot says, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VerdictResponse {
    readiness: PilotReadiness,
    /// A sentence each.
    reasons: Vec<String>,
}

/// How many records have each outcome.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TallyResponse {
    #[schema(minimum = 0)]
    agree_present: usize,
    #[schema(minimum = 0)]
    agree_absent: usize,
    /// Names of students whom the register has not there: wrong names, or a wrong register.
    #[schema(minimum = 0)]
    wrong_present: usize,
    /// There, and called absent.
    #[schema(minimum = 0)]
    missed: usize,
    /// The program asks, and they were there.
    #[schema(minimum = 0)]
    asked_present: usize,
    /// The program asks, and they were not there.
    #[schema(minimum = 0)]
    asked_absent: usize,
    /// One of both says nothing.
    #[schema(minimum = 0)]
    not_comparable: usize,
}

impl From<Tally> for TallyResponse {
    fn from(tally: Tally) -> Self {
        let Tally { agree_present, agree_absent, wrong_present, missed, asked_present, asked_absent, not_comparable } =
            tally;
        Self { agree_present, agree_absent, wrong_present, missed, asked_present, asked_absent, not_comparable }
    }
}

/// A part of what was counted, with the ends of its 95 % Wilson interval.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShareResponse {
    #[schema(minimum = 0)]
    count: usize,
    #[schema(minimum = 0)]
    of: usize,
    /// None when nothing was counted, as are the ends.
    #[schema(minimum = 0, maximum = 1)]
    share: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    low: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    high: Option<f64>,
}

impl From<interval::Share> for ShareResponse {
    fn from(share: interval::Share) -> Self {
        let (low, high) = share.interval.map(|ends| (ends.low, ends.high)).unzip();
        Self { count: share.count, of: share.of, share: share.share, low, high }
    }
}

/// What the counts say.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SharesResponse {
    /// Of the records that both have decided, those on which they say the same.
    agreement: ShareResponse,
    /// Of the names that the program gave, those of students whom the register has not there.
    wrong_names: ShareResponse,
    /// Of those who were there, those whom the program called absent.
    missed: ShareResponse,
    /// Of all comparable records, those on which the program asks.
    asked: ShareResponse,
}

/// One week.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WeekTallyResponse {
    monday: NaiveDate,
    #[schema(minimum = 0)]
    sessions: usize,
    tally: TallyResponse,
}

/// One class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassTallyResponse {
    #[schema(example = "CSE-A")]
    class: String,
    #[schema(minimum = 0)]
    sessions: usize,
    tally: TallyResponse,
}

/// A student on whom something differs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentTallyResponse {
    #[schema(example = "CSE-A")]
    class: String,
    roll_no: String,
    name: String,
    tally: TallyResponse,
}

/// A record on which program and register do not say the same.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PilotDifferenceResponse {
    outcome: PilotOutcome,
    session_id: i64,
    #[schema(example = "CSE-A")]
    class: String,
    /// On the school's clocks.
    #[schema(value_type = String, example = "2026-11-16T09:00:00")]
    starts_at: NaiveDateTime,
    roll_no: String,
    name: String,
    program: PilotOpinion,
    register: RecordStatus,
    /// Of the face that the program took for the student.
    #[schema(minimum = 0, maximum = 1)]
    confidence: Option<f64>,
    /// The file that shows it; the session's photos where no face does.
    photos: Vec<String>,
    /// What to look at.
    reason: String,
    /// Of the register's file.
    #[schema(minimum = 0)]
    line: u64,
}

impl From<Difference> for PilotDifferenceResponse {
    fn from(difference: Difference) -> Self {
        Self {
            outcome: difference.outcome.into(),
            session_id: difference.session.0,
            class: difference.label,
            starts_at: difference.starts_at,
            roll_no: difference.roll_no,
            name: difference.name,
            program: difference.program.into(),
            register: difference.register.into(),
            confidence: difference.confidence,
            photos: difference.photos,
            reason: difference.reason,
            line: difference.line,
        }
    }
}

/// Why records could not be compared, and how many.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NotComparedResponse {
    reason: String,
    #[schema(minimum = 0)]
    records: usize,
}

/// Marks, a row or a column of the register that are not compared.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeftOutResponse {
    /// Of the file; the first of several.
    #[schema(minimum = 0)]
    line: u64,
    column: Option<String>,
    reason: String,
    /// Those that share the reason.
    #[schema(minimum = 0)]
    marks: usize,
}

/// A session of which the register says nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionNoteResponse {
    session_id: i64,
    #[schema(example = "CSE-A")]
    class: String,
    /// On the school's clocks.
    #[schema(value_type = String, example = "2026-11-16T09:00:00")]
    starts_at: NaiveDateTime,
}

/// What the program found in the sessions of the pilot, beside the teacher's register. `total` is the sum of the weeks, and that
/// of the classes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ComparisonResponse {
    verdict: VerdictResponse,
    /// Those compared, and the days that they are on.
    #[schema(minimum = 0)]
    sessions: usize,
    #[schema(minimum = 0)]
    days: usize,
    total: TallyResponse,
    shares: SharesResponse,
    by_week: Vec<WeekTallyResponse>,
    by_class: Vec<ClassTallyResponse>,
    /// Whom the program misses most first.
    by_student: Vec<StudentTallyResponse>,
    /// The worst kind first, then by time and roll number.
    differences: Vec<PilotDifferenceResponse>,
    not_comparable: Vec<NotComparedResponse>,
    /// Marks of the register that fit nothing.
    left_out: Vec<LeftOutResponse>,
    /// Marks of days that nobody asked about.
    #[schema(minimum = 0)]
    outside: usize,
    sessions_without_register: Vec<SessionNoteResponse>,
}

impl From<Comparison> for ComparisonResponse {
    fn from(comparison: Comparison) -> Self {
        let week = |OfWeek { monday, sessions, tally }| WeekTallyResponse { monday, sessions, tally: tally.into() };
        let class =
            |OfClass { label, sessions, tally }| ClassTallyResponse { class: label, sessions, tally: tally.into() };
        let student = |OfStudent { label, roll_no, name, tally }| StudentTallyResponse {
            class: label,
            roll_no,
            name,
            tally: tally.into(),
        };
        let reason = |NotCompared { reason, records }| NotComparedResponse { reason: reason.to_owned(), records };
        let left_out = |LeftOut { line, column, reason, marks }| LeftOutResponse { line, column, reason, marks };
        let session = |SessionNote { session, label, starts_at }| SessionNoteResponse {
            session_id: session.0,
            class: label,
            starts_at,
        };
        let shares = comparison.shares;
        Self {
            verdict: VerdictResponse {
                readiness: comparison.verdict.readiness.into(),
                reasons: comparison.verdict.reasons,
            },
            sessions: comparison.sessions,
            days: comparison.days,
            total: comparison.total.into(),
            shares: SharesResponse {
                agreement: shares.agreement.into(),
                wrong_names: shares.wrong_names.into(),
                missed: shares.missed.into(),
                asked: shares.asked.into(),
            },
            by_week: comparison.by_week.into_iter().map(week).collect(),
            by_class: comparison.by_class.into_iter().map(class).collect(),
            by_student: comparison.by_student.into_iter().map(student).collect(),
            differences: comparison.differences.into_iter().map(PilotDifferenceResponse::from).collect(),
            not_comparable: comparison.not_comparable.into_iter().map(reason).collect(),
            left_out: comparison.left_out.into_iter().map(left_out).collect(),
            outside: comparison.outside,
            sessions_without_register: comparison.sessions_without_register.into_iter().map(session).collect(),
        }
    }
}

/// Lays the teacher's register beside what the program found by itself in the sessions of the class's pilot. Nothing is kept.
///
/// The register is a CSV file in one of two layouts: a row for each mark (date and, where a day has several sessions, time, or the
/// session's number; roll_no; status), or a row for each student (roll_no) and a column for each day, headed `2026-11-16` or
/// `2026-11-16 09:00`. Statuses are p, a, l, e, their words, or the school's own labels. What fits no session or nobody on the roll
/// is told in `left_out`.
#[utoipa::path(post, path = "/classes/{class_id}/pilot-comparison", tag = "classes",
    params(("class_id" = i64, Path), ComparisonQuery),
    request_body(content((String = "text/csv"), (FileForm = "multipart/form-data"))),
    responses((status = 200, content((ComparisonResponse = "application/json"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))))]
async fn compare_pilot(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<ComparisonQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let register = only_file(&service, request, &["text/csv"]).await?.to_vec();
    let wish = CompareWish { class: Some(ClassId(id)), register, days: (query.from, query.to) };
    let sheet = pilot::compare(&service.school, wish).await.map_err(by_row)?;
    Ok(match query.format.unwrap_or_default() {
        ComparisonFormat::Json => axum::Json(ComparisonResponse::from(sheet.comparison)).into_response(),
        ComparisonFormat::Xlsx => file(pilot::workbook(sheet).await?, SheetFormat::Xlsx, &format!("class-{id}_pilot")),
    })
}
