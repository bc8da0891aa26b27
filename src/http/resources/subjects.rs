//! Subjects: what is taught.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::roster;
use crate::db::subjects::{self, SubjectRow};
use crate::domain::ids::SubjectId;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{CHANGE_ROSTER, READ_ROSTER, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ROSTER, list_subjects),
        row!(CHANGE_ROSTER, create_subject),
        row!(CHANGE_ROSTER, change_subject),
        row!(CHANGE_ROSTER, delete_subject),
    ]
}

/// A subject.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SubjectResponse {
    id: i64,
    #[schema(example = "Mathematics")]
    name: String,
}

impl From<SubjectRow> for SubjectResponse {
    fn from(row: SubjectRow) -> Self {
        Self { id: row.id.0, name: row.name }
    }
}

/// All subjects; a school has few.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SubjectsResponse {
    items: Vec<SubjectResponse>,
}

/// What changes about a subject.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeSubjectRequest {
    #[schema(min_length = 1, example = "Maths")]
    name: String,
}

/// A subject to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateSubjectRequest {
    #[schema(min_length = 1, example = "Mathematics")]
    name: String,
}

/// The subjects of the school, by name.
#[utoipa::path(get, path = "/subjects", tag = "subjects", responses((status = 200, body = SubjectsResponse)))]
async fn list_subjects(State(service): State<Service>) -> Result<axum::Json<SubjectsResponse>, Problem> {
    let rows = service.read(subjects::list).await?;
    Ok(axum::Json(SubjectsResponse { items: rows.into_iter().map(SubjectResponse::from).collect() }))
}

/// Makes a subject. Sessions that are called like it become sessions of it.
#[utoipa::path(post, path = "/subjects", tag = "subjects", request_body = CreateSubjectRequest,
    responses((status = 201, body = SubjectResponse)))]
async fn create_subject(
    State(service): State<Service>,
    Json(request): Json<CreateSubjectRequest>,
) -> Result<(StatusCode, axum::Json<SubjectResponse>), Problem> {
    let row = roster::create_subject(&service.school, request.name).await?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

/// Writes a subject otherwise. Sessions without a subject that are called like it become sessions of it.
#[utoipa::path(patch, path = "/subjects/{subject_id}", tag = "subjects", params(("subject_id" = i64, Path)),
    request_body = ChangeSubjectRequest, responses((status = 200, body = SubjectResponse)))]
async fn change_subject(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Json(request): Json<ChangeSubjectRequest>,
) -> Result<axum::Json<SubjectResponse>, Problem> {
    let row = roster::rename_subject(&service.school, SubjectId(id), request.name).await?;
    Ok(axum::Json(row.into()))
}

/// Deletes a subject that no session and no timetable has; 409 `IN_USE` for any other.
#[utoipa::path(delete, path = "/subjects/{subject_id}", tag = "subjects", params(("subject_id" = i64, Path)),
    responses((status = 204)))]
async fn delete_subject(State(service): State<Service>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    roster::delete_subject(&service.school, SubjectId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
