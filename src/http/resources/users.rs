//! People who sign in.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::words::{PersonRole, RoleName};
use crate::app::auth::Password;
use crate::app::auth::users::{self, Newcomer, User, UserChange, UserFilter};
use crate::domain::access::Role;
use crate::domain::ids::{ClassId, UserId};
use crate::http::extract::{AuditBy, Json, Path, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Audit, MANAGE, ROOT, Row, row};

/// Changes write their own lines of the audit log.
pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(MANAGE, list_users),
        row!(MANAGE, create_user).audit(Audit::Nothing),
        row!(MANAGE, get_user),
        row!(MANAGE, change_user).audit(Audit::Nothing),
        row!(MANAGE, set_user_password).audit(Audit::Nothing),
    ]
}

/// Somebody who signs in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserResponse {
    id: i64,
    name: String,
    display_name: String,
    role: RoleName,
    active: bool,
    /// Of a teacher; others see all.
    classes: Vec<UserClassResponse>,
    /// No password is looked at before, because too many were wrong.
    locked_until: Option<DateTime<Utc>>,
    password_changed_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A class that a teacher sees.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserClassResponse {
    id: i64,
    name: String,
    section: String,
    term: String,
}

impl From<User> for UserResponse {
    fn from(user: User) -> Self {
        let class =
            |c: users::UserClass| UserClassResponse { id: c.id.0, name: c.class, section: c.section, term: c.term };
        Self {
            id: user.id.0,
            name: user.name,
            display_name: user.display_name,
            role: user.role.into(),
            active: user.active,
            classes: user.classes.into_iter().map(class).collect(),
            locked_until: user.locked_until,
            password_changed_at: user.password_changed_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A user to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateUserRequest {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Otherwise the name.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f]*\S[^\u0000-\u001f]*$")]
    display_name: Option<String>,
    role: PersonRole,
    /// At least ten characters.
    #[schema(format = Password, min_length = 10)]
    password: String,
    /// The only classes that a teacher sees.
    #[serde(default)]
    class_ids: Vec<i64>,
}

/// What changes about a user; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeUserRequest {
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\u0000-\u001f]*\S[^\u0000-\u001f]*$")]
    display_name: Option<String>,
    role: Option<PersonRole>,
    /// False: may not sign in any more, and is signed out everywhere.
    active: Option<bool>,
    /// In place of those there are.
    class_ids: Option<Vec<i64>>,
}

/// A new password for somebody who has forgotten theirs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPasswordRequest {
    /// At least ten characters.
    #[schema(format = Password, min_length = 10)]
    password: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// Part of the name.
    search: Option<String>,
    role: Option<RoleName>,
    active: Option<bool>,
}

/// The users, by name.
#[utoipa::path(get, path = "/users", tag = "users", params(UserQuery, PageQuery),
    responses((status = 200, body = Page<UserResponse>)))]
async fn list_users(
    State(service): State<Service>,
    Query(query): Query<UserQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<UserResponse>>, Problem> {
    let filter = UserFilter { role: query.role.map(Role::from), active: query.active, search: query.search };
    Ok(axum::Json(page.of(users::list(&service.school, filter, page.rows()).await?)))
}

/// Makes a user, who may sign in at once.
#[utoipa::path(post, path = "/users", tag = "users", request_body = CreateUserRequest,
    responses((status = 201, body = UserResponse, headers(("Location" = String, description = "The new user")))))]
async fn create_user(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Json(request): Json<CreateUserRequest>,
) -> Result<impl IntoResponse, Problem> {
    let CreateUserRequest { name, display_name, role, password, class_ids } = request;
    let classes = class_ids.into_iter().map(ClassId).collect();
    let new = Newcomer { name, display_name, role: role.into(), password: Password::from(password), classes };
    let user = UserResponse::from(users::create(&service.school, by, new, Utc::now()).await?);
    let location = format!("{ROOT}/users/{}", user.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(user)))
}

/// A user.
#[utoipa::path(get, path = "/users/{user_id}", tag = "users", params(("user_id" = i64, Path)),
    responses((status = 200, body = UserResponse)))]
async fn get_user(State(service): State<Service>, Path(id): Path<i64>) -> Result<axum::Json<UserResponse>, Problem> {
    Ok(axum::Json(users::get(&service.school, UserId(id)).await?.into()))
}

/// Changes a user.
#[utoipa::path(patch, path = "/users/{user_id}", tag = "users", params(("user_id" = i64, Path)),
    request_body = ChangeUserRequest, responses((status = 200, body = UserResponse)))]
async fn change_user(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Path(id): Path<i64>,
    Json(request): Json<ChangeUserRequest>,
) -> Result<axum::Json<UserResponse>, Problem> {
    let ChangeUserRequest { display_name, role, active, class_ids } = request;
    let classes = class_ids.map(|ids| ids.into_iter().map(ClassId).collect());
    let change = UserChange { display_name, role: role.map(Role::from), active, classes };
    let user = users::change(&service.school, by, UserId(id), change, Utc::now()).await?;
    Ok(axum::Json(user.into()))
}

/// Gives somebody a new password. They are signed out everywhere.
#[utoipa::path(put, path = "/users/{user_id}/password", tag = "users", params(("user_id" = i64, Path)),
    request_body = SetPasswordRequest, responses((status = 204)))]
async fn set_user_password(
    State(service): State<Service>,
    AuditBy(by): AuditBy,
    Path(id): Path<i64>,
    Json(request): Json<SetPasswordRequest>,
) -> Result<StatusCode, Problem> {
    users::set_password(&service.school, by, UserId(id), Password::from(request.password), Utc::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
