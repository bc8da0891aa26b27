//! The teacher's signature under a session.

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::records::etag;
use super::sessions::StatusCounts;
use crate::app::error::Code;
use crate::app::review::{self, ConfirmError, Reconciliation, Signature, Signed, Unmarked};
use crate::domain::head_count::{DifferenceNote, Told};
use crate::domain::ids::SessionId;
use crate::http::extract::{IfMatch, Json, Path, Query, Who};
use crate::http::problem::{DifferenceResponse, Problem};
use crate::http::service::Service;
use crate::http::table::{READ_ATTENDANCE, RECORD, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(RECORD, confirm_session), row!(RECORD, reopen_session), row!(READ_ATTENDANCE, get_head_count)]
}

/// What becomes of records that nobody has decided.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum UndecidedRecords {
    /// The session is not confirmed while there are any.
    #[default]
    Refuse,
    /// They stay open, outside the percentages.
    Keep,
}

impl From<UndecidedRecords> for Unmarked {
    fn from(undecided: UndecidedRecords) -> Self {
        match undecided {
            UndecidedRecords::Refuse => Self::Refuse,
            UndecidedRecords::Keep => Self::Keep,
        }
    }
}

/// How a session is to be confirmed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmSessionRequest {
    #[serde(default)]
    #[schema(default = "refuse")]
    unmarked: UndecidedRecords,
    /// Heads that the teacher counted in the room, guests included.
    #[schema(minimum = 0, maximum = 10000)]
    head_count: Option<u32>,
    /// People in the room who are not of the class; otherwise none.
    #[schema(minimum = 0, maximum = 10000)]
    guests: Option<u32>,
    /// Why the session is right although it does not add up: kept with it, in the audit log and on its sheet. With a reason no
    /// difference is in the way.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// What would be said when the session is confirmed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HeadCountQuery {
    /// Heads counted in the room, guests included.
    #[param(minimum = 0)]
    head_count: Option<u32>,
    /// People in the room who are not of the class.
    #[param(minimum = 0)]
    guests: Option<u32>,
    /// What becomes of records that nobody has decided.
    #[param(inline)]
    unmarked: Option<UndecidedRecords>,
}

/// What a session adds up to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeadCountResponse {
    session_id: i64,
    /// Different people on all its photos: named, doubts and strangers.
    people: u32,
    /// Members with a face of their own.
    named: u32,
    /// Members who may be on the photos and are not named.
    doubts: u32,
    /// People who are nobody of the class, as far as is known.
    strangers: u32,
    /// Those among them of whom somebody has said so.
    strangers_decided: u32,
    /// Members on the roll of that day who are not marked inactive.
    roll: u32,
    statuses: StatusCounts,
    /// Whether it can be confirmed without a reason.
    adds_up: bool,
    /// What does not add up.
    differences: Vec<DifferenceResponse>,
}

impl HeadCountResponse {
    fn of(session_id: i64, Reconciliation { count, differences }: Reconciliation) -> Self {
        Self {
            session_id,
            people: count.people,
            named: count.named,
            doubts: count.doubts,
            strangers: count.strangers,
            strangers_decided: count.strangers_decided,
            roll: count.roll,
            statuses: count.statuses.into(),
            adds_up: differences.is_empty(),
            differences: differences.iter().map(|difference| DifferenceNote::from(difference).into()).collect(),
        }
    }
}

/// Why a session is reopened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReopenSessionRequest {
    /// For the audit log.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// A session after it was confirmed or reopened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedSessionResponse {
    session_id: i64,
    confirmed: bool,
    confirmed_at: Option<DateTime<Utc>>,
    /// Name of the user or token at that time.
    confirmed_by: Option<String>,
    /// Records that nobody has decided.
    #[schema(minimum = 0)]
    unmarked: usize,
    /// Faces of strangers whose embeddings were deleted by this.
    #[schema(minimum = 0)]
    forgotten_faces: usize,
    /// Of the session with all its records.
    version: String,
}

impl From<Signed> for SignedSessionResponse {
    fn from(signed: Signed) -> Self {
        Self {
            session_id: signed.session.id.0,
            confirmed: signed.session.confirmed_at.is_some(),
            confirmed_at: signed.session.confirmed_at.map(|at| at.and_utc()),
            confirmed_by: signed.session.confirmed_by,
            unmarked: signed.unmarked,
            forgotten_faces: signed.forgotten_faces,
            version: signed.version,
        }
    }
}

/// Confirms a session: from now on it takes no photos, and nothing changes its records until it is reopened. The embeddings of
/// strangers are deleted. With `If-Match` it is refused (412) when a record was changed since. Where who was seen, who is marked and
/// how many were counted do not go together, a reason is needed (409 `HEAD_COUNT_MISMATCH` with the `differences` otherwise); they
/// are told beforehand by `GET /sessions/{session_id}/head-count`. One that is confirmed already stays as it is.
#[utoipa::path(post, path = "/sessions/{session_id}/confirm", tag = "sessions",
    params(("session_id" = i64, Path),
        ("If-Match" = Option<String>, Header, description = "The version of its records, as their ETag")),
    request_body = ConfirmSessionRequest, responses((status = 200, body = SignedSessionResponse,
        headers(("ETag" = String, description = "Version of the session with all its records")))))]
async fn confirm_session(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    IfMatch(expected): IfMatch,
    Json(request): Json<ConfirmSessionRequest>,
) -> Result<impl IntoResponse, Problem> {
    let ConfirmSessionRequest { unmarked, head_count, guests, reason } = request;
    let signature = Signature { expected, unmarked: unmarked.into(), head_count, guests, reason };
    let signed = review::confirm(&service.school, SessionId(id), who.actor().clone(), signature).await;
    let signed = signed.map_err(unsigned)?;
    Ok((etag(&signed.version), axum::Json(SignedSessionResponse::from(signed))))
}

fn unsigned(error: ConfirmError) -> Problem {
    let text = error.to_string();
    match error {
        ConfirmError::Whole(error) => error.into(),
        ConfirmError::Differences { differences, .. } => {
            let differences = differences.iter().map(|difference| DifferenceNote::from(difference).into()).collect();
            Problem::new(Code::HeadCountMismatch, text).with_differences(differences)
        }
    }
}

/// What a session adds up to: who was seen, who is marked, and what would be asked about if it was confirmed with the same words.
#[utoipa::path(get, path = "/sessions/{session_id}/head-count", tag = "sessions",
    params(("session_id" = i64, Path), HeadCountQuery), responses((status = 200, body = HeadCountResponse)))]
async fn get_head_count(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<HeadCountQuery>,
) -> Result<axum::Json<HeadCountResponse>, Problem> {
    let told = Told {
        head_count: query.head_count,
        guests: query.guests.unwrap_or(0),
        keeps_undecided: matches!(query.unmarked, Some(UndecidedRecords::Keep)),
    };
    let counted = review::head_count(&service.school, SessionId(id), told).await?;
    Ok(axum::Json(HeadCountResponse::of(id, counted)))
}

/// Reopens a confirmed session: it takes photos and corrections again. One that is not confirmed stays as it is.
#[utoipa::path(post, path = "/sessions/{session_id}/reopen", tag = "sessions", params(("session_id" = i64, Path)),
    request_body = ReopenSessionRequest, responses((status = 200, body = SignedSessionResponse,
        headers(("ETag" = String, description = "Version of the session with all its records")))))]
async fn reopen_session(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    Json(request): Json<ReopenSessionRequest>,
) -> Result<impl IntoResponse, Problem> {
    let signed = review::reopen(&service.school, SessionId(id), who.actor().clone(), request.reason).await?;
    Ok((etag(&signed.version), axum::Json(SignedSessionResponse::from(signed))))
}
