//! Classes: name and section of one term.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::audit::By;
use crate::app::pilot::{self, Switch};
use crate::app::roster::{self, ClassEdit, ClassEntry};
use crate::db::classes::{self, ClassFilter, ClassRow};
use crate::domain::ids::ClassId;
use crate::http::extract::{Json, Path, Query, Who};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{CHANGE_ROSTER, READ_ROSTER, ROOT, Row, row};

use axum::extract::State;

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ROSTER, list_classes),
        row!(CHANGE_ROSTER, create_class),
        row!(READ_ROSTER, get_class),
        row!(CHANGE_ROSTER, change_class),
        row!(CHANGE_ROSTER, delete_class),
    ]
}

/// A class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassResponse {
    id: i64,
    #[schema(example = "CSE")]
    name: String,
    /// Empty for a class without sections.
    #[schema(example = "A")]
    section: String,
    #[schema(example = "2026-27")]
    term: String,
    created_at: DateTime<Utc>,
    /// There while the class is in pilot: sessions that are made now are worked as any other and do not count.
    pilot_since: Option<DateTime<Utc>>,
}

impl From<ClassRow> for ClassResponse {
    fn from(row: ClassRow) -> Self {
        let ClassRow { id, name, section, term, created_at, pilot_since } = row;
        Self {
            id: id.0,
            name,
            section,
            term,
            created_at: created_at.and_utc(),
            pilot_since: pilot_since.map(|at| at.and_utc()),
        }
    }
}

/// A class to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateClassRequest {
    #[schema(min_length = 1, example = "CSE")]
    name: String,
    /// Empty for a class without sections.
    #[serde(default)]
    #[schema(example = "A")]
    section: String,
    /// Otherwise the term of the server's settings.
    #[schema(example = "2026-27")]
    term: Option<String>,
}

/// What changes about a class; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeClassRequest {
    /// Folders and files of photos that name the class must name it so from then on.
    #[schema(min_length = 1, example = "CSE")]
    name: Option<String>,
    /// Empty for a class without sections.
    #[schema(example = "A")]
    section: Option<String>,
    /// Whether sessions made from now on are of the pilot. Those that are there stay what they are.
    pilot: Option<bool>,
}

/// Which classes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ClassQuery {
    /// Part of the name or section.
    search: Option<String>,
    term: Option<String>,
}

/// The classes that the caller may see.
#[utoipa::path(get, path = "/classes", tag = "classes", params(ClassQuery, PageQuery),
    responses((status = 200, body = Page<ClassResponse>)))]
async fn list_classes(
    State(service): State<Service>,
    who: Who,
    Query(query): Query<ClassQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<ClassResponse>>, Problem> {
    let filter = ClassFilter { search: query.search, term: query.term, among: who.classes() };
    let listed = service.read(move |conn| classes::page(conn, &filter, page.rows())).await?;
    Ok(axum::Json(page.of(listed)))
}

/// Makes a class.
#[utoipa::path(post, path = "/classes", tag = "classes", request_body = CreateClassRequest,
    responses((status = 201, body = ClassResponse, headers(("Location" = String, description = "The new class")))))]
async fn create_class(
    State(service): State<Service>,
    Json(request): Json<CreateClassRequest>,
) -> Result<impl IntoResponse, Problem> {
    let term = request.term.unwrap_or_else(|| service.config().term.clone());
    let entry = ClassEntry { name: request.name, section: request.section, term };
    let class: ClassResponse = roster::create_class(&service.school, entry).await?.into();
    let location = format!("{ROOT}/classes/{}", class.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(class)))
}

/// A class.
#[utoipa::path(get, path = "/classes/{class_id}", tag = "classes", params(("class_id" = i64, Path)),
    responses((status = 200, body = ClassResponse)))]
async fn get_class(State(service): State<Service>, Path(id): Path<i64>) -> Result<axum::Json<ClassResponse>, Problem> {
    let row = service.read(move |conn| classes::get(conn, ClassId(id))).await?;
    Ok(axum::Json(row.into()))
}

/// Writes a class otherwise, begins or ends its pilot: while it lasts, sessions are worked as any other and do not count.
#[utoipa::path(patch, path = "/classes/{class_id}", tag = "classes", params(("class_id" = i64, Path)),
    request_body = ChangeClassRequest, responses((status = 200, body = ClassResponse)))]
async fn change_class(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    Json(request): Json<ChangeClassRequest>,
) -> Result<axum::Json<ClassResponse>, Problem> {
    let ChangeClassRequest { name, section, pilot } = request;
    let class = ClassId(id);
    let mut row = roster::change_class(&service.school, class, ClassEdit { name, section }).await?;
    if let Some(pilot) = pilot {
        let to = if pilot { Switch::Begin } else { Switch::End };
        row = pilot::switch(&service.school, class, to, By::from(who.actor().clone()), Utc::now()).await?;
    }
    Ok(axum::Json(row.into()))
}

/// Deletes a class that nobody was ever in, with its timetable and holidays; 409 `IN_USE` for any other.
#[utoipa::path(delete, path = "/classes/{class_id}", tag = "classes", params(("class_id" = i64, Path)),
    responses((status = 204)))]
async fn delete_class(State(service): State<Service>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    roster::delete_class(&service.school, ClassId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
