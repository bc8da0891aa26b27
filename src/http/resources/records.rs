//! Records: a member's status in a session, as the machine or a person says.
//!
//! Every record has a version, which is also its `ETag`. Whoever sends it along with a change (`If-Match`) is refused with 412
//! when somebody else was faster; who sends none overwrites.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::error::Code;
use crate::app::review::{self, BulkError, Correction, MemberRecord, RecordCorrection, Records};
use crate::db::record_changes::ChangeRow;
use crate::domain::ids::{MemberId, SessionId};
use crate::domain::status::{AttendanceStatus, RecordSource};
use crate::http::extract::{IfMatch, Json, Path, Who};
use crate::http::problem::{ItemProblem, Problem};
use crate::http::service::Service;
use crate::http::table::{READ_ATTENDANCE, RECORD, Row, row};

/// Corrections in one request.
const MAX_ITEMS: usize = 500;

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ATTENDANCE, list_records),
        row!(RECORD, correct_records),
        row!(RECORD, correct_record),
        row!(RECORD, withdraw_correction),
        row!(READ_ATTENDANCE, list_record_history),
    ]
}

/// What a record says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordStatus {
    /// Nobody has decided: outside the percentages.
    Unmarked,
    Present,
    Absent,
    Late,
    Excused,
}

impl From<AttendanceStatus> for RecordStatus {
    fn from(status: AttendanceStatus) -> Self {
        match status {
            AttendanceStatus::Unmarked => Self::Unmarked,
            AttendanceStatus::Present => Self::Present,
            AttendanceStatus::Absent => Self::Absent,
            AttendanceStatus::Late => Self::Late,
            AttendanceStatus::Excused => Self::Excused,
        }
    }
}

impl From<RecordStatus> for AttendanceStatus {
    fn from(status: RecordStatus) -> Self {
        match status {
            RecordStatus::Unmarked => Self::Unmarked,
            RecordStatus::Present => Self::Present,
            RecordStatus::Absent => Self::Absent,
            RecordStatus::Late => Self::Late,
            RecordStatus::Excused => Self::Excused,
        }
    }
}

/// Who says it: a machine, a person, an import.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordOrigin {
    Auto,
    Manual,
    Import,
}

impl From<RecordSource> for RecordOrigin {
    fn from(source: RecordSource) -> Self {
        match source {
            RecordSource::Auto => Self::Auto,
            RecordSource::Manual => Self::Manual,
            RecordSource::Import => Self::Import,
        }
    }
}

/// A record.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordResponse {
    member_id: i64,
    #[schema(example = "14")]
    roll_no: String,
    prn: String,
    name: String,
    status: RecordStatus,
    source: RecordOrigin,
    /// Of an automatic one that a face speaks for.
    #[schema(minimum = 0, maximum = 1)]
    confidence: Option<f64>,
    /// The face that the machine took for the member.
    face_id: Option<i64>,
    /// A person's reason, or why the machine left it open.
    note: Option<String>,
    /// Nothing was written about the member yet where there is none.
    updated_at: Option<DateTime<Utc>>,
    /// For `If-Match`.
    version: String,
}

impl From<MemberRecord> for RecordResponse {
    fn from(record: MemberRecord) -> Self {
        Self {
            member_id: record.member.0,
            roll_no: record.roll_no,
            prn: record.prn,
            name: record.name,
            status: record.status.into(),
            source: record.source.into(),
            confidence: record.confidence,
            face_id: record.face.map(|id| id.0),
            note: record.note,
            updated_at: record.updated_at.map(|at| at.and_utc()),
            version: record.version,
        }
    }
}

/// Records of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordsResponse {
    session_id: i64,
    /// The session is of a pilot: it does not count.
    pilot: bool,
    items: Vec<RecordResponse>,
    /// Of the session with all its records: for `If-Match` when it is confirmed.
    version: String,
}

impl From<Records> for RecordsResponse {
    fn from(records: Records) -> Self {
        Self {
            session_id: records.session.id.0,
            pilot: records.session.pilot,
            items: records.records.into_iter().map(RecordResponse::from).collect(),
            version: records.version,
        }
    }
}

/// What somebody says about a record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CorrectRecordRequest {
    status: RecordStatus,
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Several corrections, all to be made or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CorrectRecordsRequest {
    /// Each about another member.
    #[schema(min_items = 1, max_items = 500)]
    items: Vec<RecordItemRequest>,
}

/// One of several corrections.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordItemRequest {
    member_id: i64,
    status: RecordStatus,
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Refused when the record is another one by now; left out, it is overwritten.
    version: Option<String>,
}

impl From<RecordItemRequest> for RecordCorrection {
    fn from(item: RecordItemRequest) -> Self {
        let correction = Correction { status: item.status.into(), reason: item.reason };
        Self { member: MemberId(item.member_id), correction, expected: item.version }
    }
}

/// Something that was said about a record.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordChangeResponse {
    id: i64,
    at: DateTime<Utc>,
    /// Name of the user or token at that time.
    by: String,
    from_status: RecordStatus,
    from_source: RecordOrigin,
    status: RecordStatus,
    /// `auto` where a correction was withdrawn.
    source: RecordOrigin,
    reason: Option<String>,
}

impl From<ChangeRow> for RecordChangeResponse {
    fn from(row: ChangeRow) -> Self {
        Self {
            id: row.id,
            at: row.at.and_utc(),
            by: row.actor,
            from_status: row.from_status.into(),
            from_source: row.from_source.into(),
            status: row.status.into(),
            source: row.source.into(),
            reason: row.reason,
        }
    }
}

/// What was said about a record, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordHistoryResponse {
    items: Vec<RecordChangeResponse>,
}

/// An entity tag, as `ETag` and `If-Match` carry it.
pub(super) fn etag(version: &str) -> [(header::HeaderName, String); 1] {
    [(header::ETAG, format!("\"{version}\""))]
}

/// The records of a session: everybody on the roll of that day, by roll number.
#[utoipa::path(get, path = "/sessions/{session_id}/records", tag = "records", params(("session_id" = i64, Path)),
    responses((status = 200, body = RecordsResponse,
        headers(("ETag" = String, description = "Version of the session with all its records")))))]
async fn list_records(State(service): State<Service>, Path(id): Path<i64>) -> Result<impl IntoResponse, Problem> {
    let records = review::records(&service.school, SessionId(id)).await?;
    Ok((etag(&records.version), axum::Json(RecordsResponse::from(records))))
}

/// Corrects several records at once: all of them, or none. Items that cannot be made are told in `errors`. The answer holds
/// the corrected records in the order asked for.
#[utoipa::path(post, path = "/sessions/{session_id}/records", tag = "records", params(("session_id" = i64, Path)),
    request_body = CorrectRecordsRequest, responses((status = 200, body = RecordsResponse,
        headers(("ETag" = String, description = "Version of the session with all its records")))))]
async fn correct_records(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    Json(request): Json<CorrectRecordsRequest>,
) -> Result<impl IntoResponse, Problem> {
    if request.items.is_empty() || request.items.len() > MAX_ITEMS {
        let text = format!("items: {} corrections; from 1 to {MAX_ITEMS} can be made at once", request.items.len());
        return Err(Problem::new(Code::InvalidRequest, text));
    }
    let wanted = request.items.into_iter().map(RecordCorrection::from).collect();
    let made = review::correct_many(&service.school, SessionId(id), wanted, who.actor().clone()).await;
    let records = made.map_err(refused)?;
    Ok((etag(&records.version), axum::Json(RecordsResponse::from(records))))
}

/// Several corrections were refused: by one code where all have the same, otherwise as a request that cannot be followed.
fn refused(error: BulkError) -> Problem {
    let text = error.to_string();
    let items = match error {
        BulkError::Whole(error) => return error.into(),
        BulkError::Items(items) => items,
    };
    let first = items.first().map(|item| item.error.code);
    let problem = match first.filter(|first| items.iter().all(|item| item.error.code == *first)) {
        Some(code) => Problem::new(code, text),
        None => Problem::with_status(StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidRequest, text),
    };
    let told = items.into_iter().map(|item| ItemProblem {
        item: format!("items[{}]", item.index),
        code: item.error.code,
        detail: item.error.message,
    });
    problem.with_errors(told.collect())
}

/// Corrects a record, whatever the machine says now or later. With `If-Match` it is refused (412) when somebody else has
/// changed the record since; without, it is overwritten.
#[utoipa::path(patch, path = "/sessions/{session_id}/records/{member_id}", tag = "records",
    params(("session_id" = i64, Path), ("member_id" = i64, Path),
        ("If-Match" = Option<String>, Header, description = "The record's version, as its ETag")),
    request_body = CorrectRecordRequest, responses((status = 200, body = RecordResponse,
        headers(("ETag" = String, description = "The record's new version")))))]
async fn correct_record(
    State(service): State<Service>,
    who: Who,
    Path((session, member)): Path<(i64, i64)>,
    IfMatch(expected): IfMatch,
    Json(request): Json<CorrectRecordRequest>,
) -> Result<impl IntoResponse, Problem> {
    let correction = Correction { status: request.status.into(), reason: request.reason };
    let wanted = RecordCorrection { member: MemberId(member), correction, expected };
    let record = review::correct(&service.school, SessionId(session), wanted, who.actor().clone()).await?;
    Ok((etag(&record.version), axum::Json(RecordResponse::from(record))))
}

/// Takes a correction back: the record is what the machine says. A record that nobody has corrected stays as it is. `If-Match`
/// as with a correction.
#[utoipa::path(delete, path = "/sessions/{session_id}/records/{member_id}/correction", tag = "records",
    params(("session_id" = i64, Path), ("member_id" = i64, Path),
        ("If-Match" = Option<String>, Header, description = "The record's version, as its ETag")),
    responses((status = 200, body = RecordResponse, headers(("ETag" = String, description = "The record's new version"))),
        (status = 204, description = "The member is not on the roll any more, so there is no record")))]
async fn withdraw_correction(
    State(service): State<Service>,
    who: Who,
    Path((session, member)): Path<(i64, i64)>,
    IfMatch(expected): IfMatch,
) -> Result<Response, Problem> {
    let (session, member) = (SessionId(session), MemberId(member));
    let record = review::withdraw(&service.school, session, member, who.actor().clone(), expected).await?;
    Ok(match record {
        Some(record) => (etag(&record.version), axum::Json(RecordResponse::from(record))).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// What people have said about a record, the oldest first.
#[utoipa::path(get, path = "/sessions/{session_id}/records/{member_id}/history", tag = "records",
    params(("session_id" = i64, Path), ("member_id" = i64, Path)),
    responses((status = 200, body = RecordHistoryResponse)))]
async fn list_record_history(
    State(service): State<Service>,
    Path((session, member)): Path<(i64, i64)>,
) -> Result<axum::Json<RecordHistoryResponse>, Problem> {
    let rows = review::history(&service.school, SessionId(session), MemberId(member)).await?;
    Ok(axum::Json(RecordHistoryResponse { items: rows.into_iter().map(RecordChangeResponse::from).collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::error::Error;
    use crate::app::review::ItemError;

    fn problem(codes: &[Code]) -> serde_json::Value {
        let item = |(index, code): (usize, &Code)| ItemError { index: index * 2, error: Error::new(*code, "so it is") };
        let refused = refused(BulkError::Items(codes.iter().enumerate().map(item).collect()));
        serde_json::to_value(refused).unwrap()
    }

    #[test]
    fn refused_corrections_are_told_one_by_one() {
        let same = problem(&[Code::VersionConflict, Code::VersionConflict]);
        assert_eq!((&same["status"], &same["code"]), (&412.into(), &"VERSION_CONFLICT".into()));
        assert_eq!(
            (&same["errors"][1]["item"], &same["errors"][1]["detail"]),
            (&"items[2]".into(), &"so it is".into())
        );
        let mixed = problem(&[Code::VersionConflict, Code::MemberNotFound]);
        assert_eq!((&mixed["status"], &mixed["code"]), (&422.into(), &"INVALID_REQUEST".into()));
        assert_eq!(mixed["errors"][1]["code"], "MEMBER_NOT_FOUND");
    }
}
