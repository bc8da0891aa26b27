//! The teacher's signature under a session.

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::records::etag;
use crate::app::review::{self, Signed, Unmarked};
use crate::domain::ids::SessionId;
use crate::http::extract::{IfMatch, Json, Path, Who};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{RECORD, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(RECORD, confirm_session), row!(RECORD, reopen_session)]
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

/// How a session is to be confirmed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmSessionRequest {
    #[serde(default)]
    #[schema(default = "refuse")]
    unmarked: UndecidedRecords,
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
/// strangers are deleted. With `If-Match` it is refused (412) when a record was changed since. One that is confirmed already
/// stays as it is.
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
    let unmarked = match request.unmarked {
        UndecidedRecords::Refuse => Unmarked::Refuse,
        UndecidedRecords::Keep => Unmarked::Keep,
    };
    let signed = review::confirm(&service.school, SessionId(id), who.actor().clone(), expected, unmarked).await?;
    Ok((etag(&signed.version), axum::Json(SignedSessionResponse::from(signed))))
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
