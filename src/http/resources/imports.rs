//! Many at once: a roster file, an archive of portraits.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::jobs::{JobResponse, location};
use super::samples::{PortraitResponse, outcome};
use super::students::ConsentState;
use crate::app::enrol::EnrolReport;
use crate::app::error::{Code, Error};
use crate::app::roster::{self, RosterOutcome};
use crate::app::{Mode, enrol, jobs};
use crate::domain::csv_table::CsvProblems;
use crate::domain::ids::ClassId;
use crate::domain::roster_diff::{Membership, RosterDiff, StudentField};
use crate::http::extract::{Query, Room, WaitQuery, Who};
use crate::http::pictures::only_file;
use crate::http::problem::{ItemProblem, Problem};
use crate::http::service::Service;
use crate::http::table::{CHANGE_ROSTER, ENROL, Kind, Row, row};
use crate::queue::JobState;

pub(super) fn rows() -> Vec<Row> {
    vec![row!(CHANGE_ROSTER, import_roster).kind(Kind::Upload), row!(ENROL, import_enrolments).kind(Kind::Upload)]
}

/// Whether changes are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ImportMode {
    /// Only said.
    #[default]
    Preview,
    Apply,
}

impl From<ImportMode> for Mode {
    fn from(mode: ImportMode) -> Self {
        match mode {
            ImportMode::Preview => Self::Preview,
            ImportMode::Apply => Self::Apply,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Otherwise a preview.
    #[param(inline)]
    mode: Option<ImportMode>,
    /// The term of rows that name none; otherwise that of the server's settings.
    term: Option<String>,
}

/// A file.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only described")]
pub(super) struct FileForm {
    #[schema(value_type = String, format = Binary)]
    file: (),
}

/// What a roster file changes, or would change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RosterImportResponse {
    /// False for a preview.
    applied: bool,
    /// In the order of the file.
    terms: Vec<TermDifferenceResponse>,
    /// The difference in words, a line each.
    summary: Vec<String>,
    /// Sessions whose verdicts may change by it; none for a preview.
    #[schema(minimum = 0)]
    stale_sessions: Option<u64>,
}

/// What changes in one term.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TermDifferenceResponse {
    term: String,
    #[schema(example = json!(["CSE-A"]))]
    classes_added: Vec<String>,
    students_added: Vec<StudentAddedResponse>,
    students_changed: Vec<StudentChangedResponse>,
    consent_changed: Vec<ConsentChangedResponse>,
    members_added: Vec<MembershipDifferenceResponse>,
    roll_no_changed: Vec<RollNoChangedResponse>,
    days_changed: Vec<DaysChangedResponse>,
    /// They stay: a list that somebody cut short must not empty a class.
    members_not_in_file: Vec<MembershipDifferenceResponse>,
    /// Rows of the file that change nothing.
    #[schema(minimum = 0)]
    unchanged: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentAddedResponse {
    prn: String,
    name: String,
    email: Option<String>,
    consent: ConsentState,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentChangedResponse {
    prn: String,
    field: ChangedField,
    from: String,
    to: String,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ChangedField {
    Name,
    Email,
    /// From or to `active` or `inactive`.
    Activity,
}

impl From<StudentField> for ChangedField {
    fn from(field: StudentField) -> Self {
        match field {
            StudentField::Name => Self::Name,
            StudentField::Email => Self::Email,
            StudentField::Activity => Self::Activity,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConsentChangedResponse {
    prn: String,
    name: String,
    from: ConsentState,
    to: ConsentState,
}

/// A stay in a class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MembershipDifferenceResponse {
    #[schema(example = "CSE-A")]
    class: String,
    prn: String,
    name: String,
    roll_no: String,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

impl From<&Membership> for MembershipDifferenceResponse {
    fn from(stay: &Membership) -> Self {
        Self {
            class: stay.class.to_string(),
            prn: stay.prn.clone(),
            name: stay.name.clone(),
            roll_no: stay.roll_no.clone(),
            from: stay.days.from,
            to: stay.days.to,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RollNoChangedResponse {
    #[schema(example = "CSE-A")]
    class: String,
    prn: String,
    name: String,
    from: String,
    to: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DaysChangedResponse {
    #[schema(example = "CSE-A")]
    class: String,
    prn: String,
    name: String,
    before: DaysResponse,
    after: DaysResponse,
}

/// First and last day of a stay; none leaves it open.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DaysResponse {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

impl From<RosterOutcome> for RosterImportResponse {
    fn from(outcome: RosterOutcome) -> Self {
        let summary = outcome.to_string().lines().map(String::from).collect();
        Self {
            applied: outcome.mode == Mode::Apply,
            summary,
            stale_sessions: outcome.stale_sessions.map(|stale| (stale.rematch + stale.reprocess) as u64),
            terms: outcome.diffs.iter().map(|(term, diff)| TermDifferenceResponse::of(term, diff)).collect(),
        }
    }
}

impl TermDifferenceResponse {
    fn of(term: &str, diff: &RosterDiff) -> Self {
        let stays = |stays: &[Membership]| stays.iter().map(MembershipDifferenceResponse::from).collect();
        let added = |s: &crate::domain::roster_diff::RosterStudent| StudentAddedResponse {
            prn: s.prn.clone(),
            name: s.name.clone(),
            email: s.email.clone(),
            consent: s.consent.into(),
        };
        let (students, consents) = (diff.students_changed.iter(), diff.consent_changed.iter());
        let (numbers, days) = (diff.roll_no_changed.iter(), diff.days_changed.iter());
        Self {
            term: term.to_owned(),
            classes_added: diff.classes_added.iter().map(ToString::to_string).collect(),
            students_added: diff.students_added.iter().map(added).collect(),
            students_changed: students
                .map(|c| StudentChangedResponse {
                    prn: c.prn.clone(),
                    field: c.field.into(),
                    from: c.from.clone(),
                    to: c.to.clone(),
                })
                .collect(),
            consent_changed: consents
                .map(|c| ConsentChangedResponse {
                    prn: c.prn.clone(),
                    name: c.name.clone(),
                    from: c.from.into(),
                    to: c.to.into(),
                })
                .collect(),
            members_added: stays(&diff.members_added),
            roll_no_changed: numbers
                .map(|c| RollNoChangedResponse {
                    class: c.class.to_string(),
                    prn: c.prn.clone(),
                    name: c.name.clone(),
                    from: c.from.clone(),
                    to: c.to.clone(),
                })
                .collect(),
            days_changed: days
                .map(|c| DaysChangedResponse {
                    class: c.class.to_string(),
                    prn: c.prn.clone(),
                    name: c.name.clone(),
                    before: DaysResponse { from: c.from.from, to: c.from.to },
                    after: DaysResponse { from: c.to.from, to: c.to.to },
                })
                .collect(),
            members_not_in_file: stays(&diff.members_not_in_file),
            unchanged: diff.unchanged,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EnrolmentsQuery {
    /// The class that all students of the archive are in.
    class_id: i64,
}

/// What became of the portraits of an archive.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnrolmentsResponse {
    #[schema(example = "starter@0")]
    pack: String,
    #[schema(example = "cpu")]
    provider: String,
    /// With a portrait in the archive.
    #[schema(minimum = 0)]
    students: usize,
    /// Those of them who can be found by face now.
    #[schema(minimum = 0)]
    students_enrolled: usize,
    /// Every picture, and every folder that is nobody's.
    photos: Vec<PortraitResponse>,
    /// Students that look alike, files left aside.
    warnings: Vec<String>,
}

/// Compares a roster file (columns class, section, name, roll_no, prn, email and, if known, consent, term, from, to, active) with
/// what is known, and takes it over with `mode=apply`. Rows that cannot be used are named in `errors`; nothing is changed then.
#[utoipa::path(post, path = "/roster/imports", tag = "students", params(ImportQuery),
    request_body(content((String = "text/csv"), (FileForm = "multipart/form-data"))),
    responses((status = 200, body = RosterImportResponse)))]
async fn import_roster(
    State(service): State<Service>,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<axum::Json<RosterImportResponse>, Problem> {
    let file = only_file(&service, request, &["text/csv"]).await?;
    let term = query.term.unwrap_or_else(|| service.config().term.clone());
    let mode = query.mode.unwrap_or_default().into();
    let imported = roster::import(&service.school, file.to_vec(), term, mode).await;
    Ok(axum::Json(imported.map_err(by_row)?.into()))
}

/// A table's problems, each with its row.
pub(super) fn by_row(error: Error) -> Problem {
    let table = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<CsvProblems>());
    let Some(CsvProblems { problems }) = table else { return error.into() };
    let item = |line: u64, column: Option<&str>| match (line, column) {
        (0, _) => "file".to_owned(),
        (line, Some(column)) => format!("line {line}, {column}"),
        (line, None) => format!("line {line}"),
    };
    let errors = problems.iter().map(|problem| ItemProblem {
        item: item(problem.line, problem.column.as_deref()),
        code: error.code,
        detail: problem.message.clone(),
    });
    let errors: Vec<ItemProblem> = errors.collect();
    Problem::from(error).with_errors(errors)
}

impl From<EnrolReport> for EnrolmentsResponse {
    fn from(report: EnrolReport) -> Self {
        Self {
            pack: report.pack,
            provider: report.provider,
            students: report.students,
            students_enrolled: report.students_enrolled,
            photos: report.photos.into_iter().map(PortraitResponse::from).collect(),
            warnings: report.warnings,
        }
    }
}

/// What the job of an archive has made, as clients read it.
pub(super) fn enrolled(result: Value) -> Option<Value> {
    let report: EnrolReport = serde_json::from_value(result).ok()?;
    serde_json::to_value(EnrolmentsResponse::from(report)).ok()
}

/// Enrols the portraits of a zip archive of `<Student_Name>_<Roll_No>/*.jpg`, as the command line does with such a folder. A
/// picture that cannot be used spoils no other.
///
/// It is done in the background: 202 names the job, whose `result` is an `EnrolmentsResponse`. With `wait` the answer comes
/// when it is done: 201 when any picture was taken, 200 when all of use were known, 422 with `errors` when none can be used.
#[utoipa::path(post, path = "/enrolments", tag = "enrolment", params(EnrolmentsQuery, WaitQuery),
    request_body(content((Vec<u8> = "application/zip"), (FileForm = "multipart/form-data"))),
    responses((status = 200, body = EnrolmentsResponse), (status = 201, body = EnrolmentsResponse),
        (status = 202, description = "It waits", body = JobResponse,
         headers(("Location" = String, description = "The job")))))]
async fn import_enrolments(
    State(service): State<Service>,
    who: Who,
    Query(query): Query<EnrolmentsQuery>,
    Query(wait): Query<WaitQuery>,
    room: Room,
    request: Request,
) -> Result<Response, Problem> {
    let class = ClassId(query.class_id);
    who.require(class)?;
    let file = only_file(&service, request, &["application/zip", "application/x-zip-compressed"]).await?;
    let id = enrol::queue_archive(&service.school, &service.recogniser, file, class, who.actor().key()).await?;
    let waiting = room.wait(&service, wait);
    let job = jobs::wait(&service.school, id, waiting.patience, &service.stop).await?;
    if let (JobState::Failed | JobState::Cancelled, error) = (job.state, job.errors.last()) {
        let code = error.and_then(|error| serde_json::from_value(error.code.clone().into()).ok());
        let detail = error.map_or_else(|| "cancelled".to_owned(), |error| error.message.clone());
        return Err(Problem::new(code.unwrap_or(Code::Cancelled), detail));
    }
    let report = job.result.clone().and_then(|result| serde_json::from_value::<EnrolReport>(result).ok());
    let Some(report) = report else {
        return Ok((StatusCode::ACCEPTED, [location(id.0)], axum::Json(JobResponse::from(job))).into_response());
    };
    let response = EnrolmentsResponse::from(report);
    let status = outcome(&response.photos, Mode::Apply)?;
    Ok((status, [location(id.0)], axum::Json(response)).into_response())
}

#[cfg(test)]
mod tests;
