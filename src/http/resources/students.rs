//! Students: one person each, known by a PRN, in whatever classes.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::roster::{self, StudentEdit, StudentEntry};
use crate::db::students::{self, StudentFilter, StudentRow};
use crate::db::{classes, members};
use crate::domain::ids::{ClassId, StudentId};
use crate::domain::status::Consent;
use crate::http::extract::{Json, Path, Query, Who};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{CHANGE_ROSTER, READ_ROSTER, ROOT, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ROSTER, list_students),
        row!(CHANGE_ROSTER, create_student),
        row!(READ_ROSTER, get_student),
        row!(CHANGE_ROSTER, change_student),
    ]
}

/// Whether a student may be recognised.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ConsentState {
    Unknown,
    Given,
    Withdrawn,
}

impl From<Consent> for ConsentState {
    fn from(consent: Consent) -> Self {
        match consent {
            Consent::Unknown => Self::Unknown,
            Consent::Given => Self::Given,
            Consent::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<ConsentState> for Consent {
    fn from(consent: ConsentState) -> Self {
        match consent {
            ConsentState::Unknown => Self::Unknown,
            ConsentState::Given => Self::Given,
            ConsentState::Withdrawn => Self::Withdrawn,
        }
    }
}

/// A student.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentResponse {
    id: i64,
    /// The student's permanent number.
    #[schema(example = "2026CSE014")]
    prn: String,
    name: String,
    email: Option<String>,
    consent: ConsentState,
    /// When the consent was given or withdrawn.
    consent_at: Option<DateTime<Utc>>,
    /// False for somebody who has left the school.
    active: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<StudentRow> for StudentResponse {
    fn from(row: StudentRow) -> Self {
        Self {
            id: row.id.0,
            prn: row.prn,
            name: row.name,
            email: row.email,
            consent: row.consent.into(),
            consent_at: row.consent_at.map(|at| at.and_utc()),
            active: row.active,
            created_at: row.created_at.and_utc(),
            updated_at: row.updated_at.and_utc(),
        }
    }
}

/// A student with the classes that they are or were in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudentWithClassesResponse {
    #[serde(flatten)]
    student: StudentResponse,
    memberships: Vec<MembershipResponse>,
}

/// A stay of a student in a class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MembershipResponse {
    member_id: i64,
    class_id: i64,
    class_name: String,
    section: String,
    term: String,
    roll_no: String,
    /// First day in the class; none: from its beginning.
    from: Option<NaiveDate>,
    /// Last day in the class; none: still in it.
    to: Option<NaiveDate>,
}

/// A student to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateStudentRequest {
    #[schema(min_length = 1, example = "2026CSE014")]
    prn: String,
    #[schema(min_length = 1)]
    name: String,
    email: Option<String>,
    /// Otherwise unknown: the student cannot be enrolled then.
    consent: Option<ConsentState>,
}

/// What changes about a student; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeStudentRequest {
    #[schema(min_length = 1)]
    name: Option<String>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// With `withdrawn` all enrolled samples are deleted, with their pictures.
    consent: Option<ConsentState>,
    active: Option<bool>,
}

/// Tells a `null` from what was left out.
pub(super) fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Which students.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StudentQuery {
    /// Part of the name or PRN.
    search: Option<String>,
    /// Members of this class today.
    class_id: Option<i64>,
    consent: Option<ConsentState>,
    active: Option<bool>,
}

/// The students of the classes that the caller may see, by name.
#[utoipa::path(get, path = "/students", tag = "students", params(StudentQuery, PageQuery),
    responses((status = 200, body = Page<StudentResponse>)))]
async fn list_students(
    State(service): State<Service>,
    who: Who,
    Query(query): Query<StudentQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<StudentResponse>>, Problem> {
    let class = query.class_id.map(ClassId);
    class.map_or(Ok(()), |class| who.require(class))?;
    let filter = StudentFilter {
        search: query.search,
        class: class.map(|class| (class, roster::today(&service.school))),
        consent: query.consent.map(Consent::from),
        active: query.active,
        among: who.classes(),
    };
    let listed = service.read(move |conn| students::page(conn, &filter, page.rows())).await?;
    Ok(axum::Json(page.of(listed)))
}

/// Makes a student, in no class yet.
#[utoipa::path(post, path = "/students", tag = "students", request_body = CreateStudentRequest,
    responses((status = 201, body = StudentResponse, headers(("Location" = String, description = "The new student")))))]
async fn create_student(
    State(service): State<Service>,
    Json(request): Json<CreateStudentRequest>,
) -> Result<impl IntoResponse, Problem> {
    let CreateStudentRequest { prn, name, email, consent } = request;
    let consent = consent.map_or(Consent::Unknown, Consent::from);
    let row = roster::create_student(&service.school, StudentEntry { prn, name, email, consent }).await?;
    let student = StudentResponse::from(row);
    let location = format!("{ROOT}/students/{}", student.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(student)))
}

/// A student, and the classes that they are or were in.
#[utoipa::path(get, path = "/students/{student_id}", tag = "students", params(("student_id" = i64, Path)),
    responses((status = 200, body = StudentWithClassesResponse)))]
async fn get_student(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
) -> Result<axum::Json<StudentWithClassesResponse>, Problem> {
    let found = service.read(move |conn| {
        let student = students::get(conn, StudentId(id))?;
        let mut memberships = Vec::new();
        for stay in members::of_student(conn, StudentId(id))? {
            let class = classes::get(conn, stay.class_id)?;
            memberships.push((stay, class));
        }
        Ok((student, memberships))
    });
    let (student, memberships) = found.await?;
    let own = memberships.into_iter().filter(|(stay, _)| who.require(stay.class_id).is_ok());
    let memberships = own
        .map(|(stay, class)| MembershipResponse {
            member_id: stay.id.0,
            class_id: stay.class_id.0,
            class_name: class.name,
            section: class.section,
            term: class.term,
            roll_no: stay.roll_no,
            from: stay.valid_from,
            to: stay.valid_to,
        })
        .collect();
    Ok(axum::Json(StudentWithClassesResponse { student: student.into(), memberships }))
}

/// Changes a student.
#[utoipa::path(patch, path = "/students/{student_id}", tag = "students", params(("student_id" = i64, Path)),
    request_body = ChangeStudentRequest, responses((status = 200, body = StudentResponse)))]
async fn change_student(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Json(request): Json<ChangeStudentRequest>,
) -> Result<axum::Json<StudentResponse>, Problem> {
    let ChangeStudentRequest { name, email, consent, active } = request;
    let edit = StudentEdit { name, email, consent: consent.map(Consent::from), active };
    let row = roster::change_student(&service.school, StudentId(id), edit).await?;
    Ok(axum::Json(row.into()))
}
