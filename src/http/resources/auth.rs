//! Signing in and out, and who one is.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::Utc;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::{RoleName, ScopeName};
use crate::app::auth::{self, Grant, Password};
use crate::app::error::Code;
use crate::domain::access::{ActorKind, Reach};
use crate::domain::ids::UserId;
use crate::http::extract::{AuditBy, Json, Who};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Audit, Row, Rule, row};

/// Every one of them writes its own line of the audit log, which knows more than the gate.
pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(Rule::Public, login).audit(Audit::Nothing),
        row!(Rule::Public, refresh).audit(Audit::Nothing),
        row!(Rule::Public, logout).audit(Audit::Nothing),
        row!(Rule::SignedIn, get_me),
        row!(Rule::SignedIn, change_my_password).audit(Audit::Nothing),
    ]
}

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    #[schema(min_length = 1)]
    name: String,
    #[schema(format = Password, min_length = 1)]
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshRequest {
    #[schema(min_length = 1)]
    refresh_token: String,
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRequest {
    #[schema(format = Password, min_length = 1)]
    old: String,
    /// At least ten characters.
    #[schema(format = Password, min_length = 10)]
    new: String,
}

/// What somebody gets who has signed in.
#[derive(Serialize, ToSchema)]
pub(super) struct GrantResponse {
    /// For the header `Authorization: Bearer`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Life of the access token, seconds.
    #[schema(minimum = 1)]
    expires_in: u32,
    /// For the next grant; good once.
    refresh_token: String,
}

impl From<Grant> for GrantResponse {
    fn from(grant: Grant) -> Self {
        let Grant { access_token, expires_in, refresh_token } = grant;
        Self { access_token, token_type: "Bearer", expires_in, refresh_token }
    }
}

/// Who somebody is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MeResponse {
    /// Of the user or token.
    id: i64,
    name: String,
    role: RoleName,
    /// Of a token.
    scopes: Vec<ScopeName>,
    /// The only classes a teacher sees; `null` for everybody who sees all.
    class_ids: Option<Vec<i64>>,
    /// Of the school's clocks and calendar, by its IANA name.
    #[schema(example = "Asia/Kolkata")]
    time_zone: String,
}

/// Signs in.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LoginRequest,
    responses((status = 200, body = GrantResponse)))]
async fn login(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Json(request): Json<LoginRequest>,
) -> Result<axum::Json<GrantResponse>, Problem> {
    let shown = (request.name, Password::from(request.password));
    let grant = auth::login(&service.school, &service.keys, shown, by, Utc::now()).await?;
    Ok(axum::Json(grant.into()))
}

/// Gives a new access token, and a new refresh token in place of the one that is sent. One that is sent twice ends the whole
/// sign-in: somebody has stolen it. Within a minute it may be sent again, as long as nobody has used its successor: an answer can
/// be lost.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = RefreshRequest,
    responses((status = 200, body = GrantResponse)))]
async fn refresh(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Json(request): Json<RefreshRequest>,
) -> Result<axum::Json<GrantResponse>, Problem> {
    let grant = auth::refresh(&service.school, &service.keys, &request.refresh_token, by, Utc::now()).await?;
    Ok(axum::Json(grant.into()))
}

/// Ends a sign-in: its refresh tokens are good no more.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", request_body = RefreshRequest, responses((status = 204)))]
async fn logout(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Json(request): Json<RefreshRequest>,
) -> Result<StatusCode, Problem> {
    auth::logout(&service.school, &request.refresh_token, by, Utc::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who the caller is.
#[utoipa::path(get, path = "/auth/me", tag = "auth", responses((status = 200, body = MeResponse)))]
async fn get_me(State(service): State<Service>, who: Who) -> axum::Json<MeResponse> {
    let caller = who.caller;
    axum::Json(MeResponse {
        id: caller.actor.id.unwrap_or_default(),
        name: caller.actor.name,
        role: caller.role.into(),
        scopes: caller.scopes.into_iter().map(ScopeName::from).collect(),
        class_ids: match caller.reach {
            Reach::All => None,
            Reach::Only(classes) => Some(classes.into_iter().map(|class| class.0).collect()),
        },
        time_zone: service.config().time_zone.to_string(),
    })
}

/// Changes the caller's own password. Every other device has to sign in again.
#[utoipa::path(put, path = "/auth/password", tag = "auth", request_body = PasswordRequest,
    responses((status = 200, body = GrantResponse)))]
async fn change_my_password(
    State(service): State<Service>,
    who: Who,
    AuditBy(by): AuditBy,
    Json(request): Json<PasswordRequest>,
) -> Result<axum::Json<GrantResponse>, Problem> {
    let actor = who.actor();
    let Some(id) = actor.id.filter(|_| actor.kind == ActorKind::User) else {
        return Err(Problem::new(Code::Forbidden, "a token has no password"));
    };
    let passwords = (Password::from(request.old), Password::from(request.new));
    let grant =
        auth::change_own_password(&service.school, &service.keys, UserId(id), passwords, by, Utc::now()).await?;
    Ok(axum::Json(grant.into()))
}
