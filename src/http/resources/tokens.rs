//! Tokens of other systems.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::words::ScopeName;
use crate::app::auth::tokens::{self, FreshToken, Token, TokenFilter, TokenWish};
use crate::domain::access::Scope;
use crate::domain::ids::TokenId;
use crate::http::extract::{AuditBy, Json, Path, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Audit, MANAGE, ROOT, Replay, Row, row};

/// Changes write their own lines of the audit log.
pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(MANAGE, list_tokens),
        row!(MANAGE, create_token).audit(Audit::Nothing).replay(Replay::Never),
        row!(MANAGE, get_token),
        row!(MANAGE, revoke_token).audit(Audit::Nothing),
    ]
}

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenResponse {
    id: i64,
    /// What it is for.
    name: String,
    /// Its first characters.
    hint: String,
    scopes: Vec<ScopeName>,
    /// User who made it; none for one that was made at the command line.
    created_by: Option<i64>,
    created_at: DateTime<Utc>,
    /// Not valid from then on.
    expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Token> for TokenResponse {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.0,
            name: token.name,
            hint: token.hint,
            scopes: token.scopes.into_iter().map(ScopeName::from).collect(),
            created_by: token.created_by.map(|user| user.0),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
        }
    }
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub(super) struct FreshTokenResponse {
    #[serde(flatten)]
    about: TokenResponse,
    /// The token itself: nobody can read it again.
    token: String,
}

/// A token to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTokenRequest {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(min_items = 1)]
    scopes: Vec<ScopeName>,
    /// Never, where none is given.
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TokenQuery {
    /// Only those that are neither revoked nor over.
    valid: Option<bool>,
}

/// The tokens, newest first.
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(TokenQuery, PageQuery),
    responses((status = 200, body = Page<TokenResponse>)))]
async fn list_tokens(
    State(service): State<Service>,
    Query(query): Query<TokenQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<TokenResponse>>, Problem> {
    let valid = query.valid.unwrap_or(false);
    let filter = if valid { TokenFilter::ValidAt(Utc::now().naive_utc()) } else { TokenFilter::All };
    Ok(axum::Json(page.of(tokens::list(&service.school, filter, page.rows()).await?)))
}

/// Makes a token. It is shown in this answer and never again.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = CreateTokenRequest,
    responses((status = 201, body = FreshTokenResponse, headers(("Location" = String, description = "The new token")))))]
async fn create_token(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Json(request): Json<CreateTokenRequest>,
) -> Result<impl IntoResponse, Problem> {
    let CreateTokenRequest { name, scopes, expires_at } = request;
    let wish = TokenWish { name, scopes: scopes.into_iter().map(Scope::from).collect(), expires_at };
    let FreshToken { token, secret } = tokens::create(&service.school, by, wish, Utc::now()).await?;
    let location = format!("{ROOT}/tokens/{}", token.id.0);
    let fresh = FreshTokenResponse { about: token.into(), token: secret };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(fresh)))
}

/// A token.
#[utoipa::path(get, path = "/tokens/{token_id}", tag = "tokens", params(("token_id" = i64, Path)),
    responses((status = 200, body = TokenResponse)))]
async fn get_token(State(service): State<Service>, Path(id): Path<i64>) -> Result<axum::Json<TokenResponse>, Problem> {
    Ok(axum::Json(tokens::get(&service.school, TokenId(id)).await?.into()))
}

/// Revokes a token: from now on it is nobody's.
#[utoipa::path(delete, path = "/tokens/{token_id}", tag = "tokens", params(("token_id" = i64, Path)),
    responses((status = 204)))]
async fn revoke_token(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    tokens::revoke(&service.school, by, TokenId(id), Utc::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
