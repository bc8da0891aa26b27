//! Leaves: a student is excused beforehand, for days, with or without a document.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attendance::RangeQuery;
use super::words::LeaveReason;
use crate::app::leaves::{self, Document, Effect, LeaveEntry, MAX_DOCUMENT_BYTES, MemberLeave};
use crate::db::leaves::LeaveRow;
use crate::domain::ids::{ClassId, LeaveId, SessionId, StudentId};
use crate::http::download::{FileBytes, Part, Served};
use crate::http::extract::{AuditBy, Json, Path, Query, Who};
use crate::http::pictures::{Picture, Pictures};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Audit, Kind, READ_LEAVES, RECORD, ROOT, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_LEAVES, list_student_leaves),
        row!(RECORD, add_leave).audit(Audit::Nothing),
        row!(RECORD, delete_leave).audit(Audit::Nothing),
        row!(RECORD, set_leave_document).kind(Kind::Upload),
        row!(READ_LEAVES, get_leave_document).audit(Audit::Line),
        row!(READ_LEAVES, list_class_leaves),
    ]
}

/// Days on which a student is excused beforehand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaveResponse {
    leave_id: i64,
    student_id: i64,
    /// First day, of the school's calendar.
    from: NaiveDate,
    /// Last day.
    to: NaiveDate,
    kind: LeaveReason,
    remark: Option<String>,
    document: Option<LeaveDocument>,
    /// Name of the user or token at that time.
    created_by: String,
    created_at: DateTime<Utc>,
}

/// What is known of a leave's document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaveDocument {
    /// As the file was called.
    name: String,
    #[schema(minimum = 0)]
    bytes: i64,
    #[schema(example = "application/pdf")]
    content_type: String,
}

impl From<LeaveRow> for LeaveResponse {
    fn from(row: LeaveRow) -> Self {
        let content_type = leaves::content_type(&row).unwrap_or_default().to_owned();
        let bytes = row.document_bytes.unwrap_or_default();
        let document = row.document_name.map(|name| LeaveDocument { name, bytes, content_type });
        Self {
            leave_id: row.id.0,
            student_id: row.student_id.0,
            from: row.first_day,
            to: row.last_day,
            kind: row.kind.into(),
            remark: row.remark,
            document,
            created_by: row.created_by,
            created_at: row.created_at.and_utc(),
        }
    }
}

/// The leaves of a student, in order of time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeavesResponse {
    items: Vec<LeaveResponse>,
}

/// A leave with the member it is about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberLeaveResponse {
    member_id: i64,
    #[schema(example = "14")]
    roll_no: String,
    name: String,
    #[serde(flatten)]
    leave: LeaveResponse,
}

impl From<MemberLeave> for MemberLeaveResponse {
    fn from(MemberLeave { leave, member }: MemberLeave) -> Self {
        let (roll_no, name) = (member.member.roll_no, member.student.name);
        Self { member_id: member.member.id.0, roll_no, name, leave: leave.into() }
    }
}

/// The leaves of a class's members on some day of a range, in order of time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassLeavesResponse {
    class_id: i64,
    items: Vec<MemberLeaveResponse>,
}

/// What became of the sessions of a leave's days.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaveEffect {
    /// Settled anew, also those without photos.
    settled_sessions: Vec<i64>,
    /// Left as they are, because they are confirmed: reopen them, or correct what is wrong.
    confirmed_sessions: Vec<i64>,
    /// Left as they are, because their photos were read with another pack.
    unread_sessions: Vec<i64>,
}

impl From<Effect> for LeaveEffect {
    fn from(Effect { settled, confirmed, unread }: Effect) -> Self {
        let numbers = |ids: Vec<SessionId>| ids.into_iter().map(|id| id.0).collect();
        Self {
            settled_sessions: numbers(settled),
            confirmed_sessions: numbers(confirmed),
            unread_sessions: numbers(unread),
        }
    }
}

/// A leave that was noted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AddedLeave {
    #[serde(flatten)]
    leave: LeaveResponse,
    #[serde(flatten)]
    effect: LeaveEffect,
}

/// A leave to be noted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddLeaveRequest {
    /// First day, of the school's calendar.
    from: NaiveDate,
    /// Last day; a year at most.
    to: NaiveDate,
    kind: LeaveReason,
    #[schema(max_length = 500)]
    remark: Option<String>,
}

/// The document of a leave, as the only file of a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; the file is read as a stream")]
struct DocumentForm {
    /// A PDF, JPEG or PNG of up to 5 MB.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    document: Vec<u8>,
}

/// The leaves of a student, in order of time. A teacher sees those of which a day is one of the student's in a class of theirs.
#[utoipa::path(get, path = "/students/{student_id}/leaves", tag = "attendance", params(("student_id" = i64, Path)),
    responses((status = 200, body = LeavesResponse)))]
async fn list_student_leaves(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
) -> Result<axum::Json<LeavesResponse>, Problem> {
    let rows = leaves::of_student(&service.school, StudentId(id), &who.caller.reach).await?;
    Ok(axum::Json(LeavesResponse { items: rows.into_iter().map(LeaveResponse::from).collect() }))
}

/// Notes a leave. Sessions of these days are settled anew: whoever was not seen is excused, also in those without photos.
/// Confirmed ones stay as they are and are named. A teacher does so for students who are in a class of theirs on one of the days.
#[utoipa::path(post, path = "/students/{student_id}/leaves", tag = "attendance", params(("student_id" = i64, Path)),
    request_body = AddLeaveRequest,
    responses((status = 201, body = AddedLeave, headers(("Location" = String, description = "The student's leaves")))))]
async fn add_leave(
    State(service): State<Service>,
    who: Who,
    AuditBy(by): AuditBy,
    Path(id): Path<i64>,
    Json(request): Json<AddLeaveRequest>,
) -> Result<impl IntoResponse, Problem> {
    let AddLeaveRequest { from, to, kind, remark } = request;
    let entry = LeaveEntry { student: StudentId(id), days: (from, to), kind: kind.into(), remark };
    let (row, effect) = leaves::add(&service.school, entry, by, &who.caller.reach).await?;
    let location = format!("{ROOT}/students/{id}/leaves");
    let added = AddedLeave { leave: row.into(), effect: effect.into() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(added)))
}

/// Takes a leave back, with its document. Sessions of its days are settled anew, as when it came.
#[utoipa::path(delete, path = "/leaves/{leave_id}", tag = "attendance", params(("leave_id" = i64, Path)),
    responses((status = 200, body = LeaveEffect)))]
async fn delete_leave(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Path(id): Path<i64>,
) -> Result<axum::Json<LeaveEffect>, Problem> {
    Ok(axum::Json(leaves::remove(&service.school, LeaveId(id), by).await?.into()))
}

/// Stores the document of a leave, in place of the one before.
#[utoipa::path(put, path = "/leaves/{leave_id}/document", tag = "attendance", params(("leave_id" = i64, Path)),
    request_body(content = DocumentForm, content_type = "multipart/form-data"),
    responses((status = 200, body = LeaveResponse)))]
async fn set_leave_document(
    State(service): State<Service>,
    Path(id): Path<i64>,
    request: Request,
) -> Result<axum::Json<LeaveResponse>, Problem> {
    let Picture { name, bytes, .. } = Pictures::of(request, MAX_DOCUMENT_BYTES).await?.only().await?;
    let bytes = bytes?;
    Ok(axum::Json(leaves::set_document(&service.school, LeaveId(id), &name, &bytes).await?.into()))
}

/// The document of a leave.
#[utoipa::path(get, path = "/leaves/{leave_id}/document", tag = "attendance", params(("leave_id" = i64, Path)),
    responses((status = 200, description = "The file", content(
        (FileBytes = "application/pdf"), (FileBytes = "image/jpeg"), (FileBytes = "image/png")))))]
async fn get_leave_document(
    State(service): State<Service>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Document { media_type, extension, sha256, bytes } = leaves::document(&service.school, LeaveId(id)).await?;
    let file = Served { media_type, file_name: format!("leave-{id}.{extension}"), version: sha256 };
    if let Some(known) = file.if_known(&headers) {
        return Ok(known);
    }
    let length = bytes.len() as u64;
    let part = file.part(&headers, length);
    let sent = match &part {
        Part::Bytes(range) => Bytes::from(bytes).slice(range.start as usize..range.end as usize),
        Part::Whole | Part::Beyond => Bytes::from(bytes),
    };
    Ok(file.partial(part, length, sent))
}

/// The leaves of a class's members on some day of a range, in order of time.
#[utoipa::path(get, path = "/classes/{class_id}/leaves", tag = "attendance",
    params(("class_id" = i64, Path), RangeQuery), responses((status = 200, body = ClassLeavesResponse)))]
async fn list_class_leaves(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(RangeQuery { from, to }): Query<RangeQuery>,
) -> Result<axum::Json<ClassLeavesResponse>, Problem> {
    let found = leaves::of_class(&service.school, ClassId(id), (from, to)).await?;
    let items = found.into_iter().map(MemberLeaveResponse::from).collect();
    Ok(axum::Json(ClassLeavesResponse { class_id: id, items }))
}
