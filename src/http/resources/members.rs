//! Members: students in a class, with a roll number, from one day to another.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::students::{ConsentState, said};
use crate::app::roster::{self, MemberEdit, MemberEntry};
use crate::db::members::{self, EnrolledRow, MemberRow};
use crate::db::{classes, samples};
use crate::domain::ids::{ClassId, MemberId, StudentId};
use crate::domain::sheet::natural_order;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{CHANGE_ROSTER, READ_ROSTER, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(READ_ROSTER, list_members), row!(CHANGE_ROSTER, add_member), row!(CHANGE_ROSTER, change_member)]
}

/// A student in a class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberResponse {
    id: i64,
    class_id: i64,
    student_id: i64,
    #[schema(example = "14")]
    roll_no: String,
    prn: String,
    name: String,
    /// First day in the class; none: from its beginning.
    from: Option<NaiveDate>,
    /// Last day in the class; none: still in it.
    to: Option<NaiveDate>,
    active: bool,
    consent: ConsentState,
    /// Enrolled pictures of the server's pack; without one a member cannot be recognised.
    #[schema(minimum = 0)]
    samples: u32,
}

impl MemberResponse {
    fn of(row: EnrolledRow, samples: u32) -> Self {
        Self {
            id: row.member.id.0,
            class_id: row.member.class_id.0,
            student_id: row.student.id.0,
            roll_no: row.member.roll_no,
            prn: row.student.prn,
            name: row.student.name,
            from: row.member.valid_from,
            to: row.member.valid_to,
            active: row.student.active,
            consent: row.student.consent.into(),
            samples,
        }
    }
}

/// The members of a class on a day, by roll number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MembersResponse {
    class_id: i64,
    on: NaiveDate,
    items: Vec<MemberResponse>,
}

/// A stay.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StayResponse {
    id: i64,
    class_id: i64,
    student_id: i64,
    roll_no: String,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

impl From<MemberRow> for StayResponse {
    fn from(row: MemberRow) -> Self {
        let MemberRow { id, class_id, student_id, roll_no, valid_from, valid_to } = row;
        Self { id: id.0, class_id: class_id.0, student_id: student_id.0, roll_no, from: valid_from, to: valid_to }
    }
}

/// A student who comes to a class.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddMemberRequest {
    student_id: i64,
    #[schema(min_length = 1, example = "14")]
    roll_no: String,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

/// What changes about a stay; what is left out stays. To take a student off the roll give the last day.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeMemberRequest {
    #[schema(min_length = 1)]
    roll_no: Option<String>,
    /// `null`: from the beginning of the class.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<NaiveDate>)]
    from: Option<Option<NaiveDate>>,
    /// `null`: without end.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<NaiveDate>)]
    to: Option<Option<NaiveDate>>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct MembersQuery {
    /// A day of the school's calendar; otherwise today.
    on: Option<NaiveDate>,
}

/// The members of a class on a day.
#[utoipa::path(get, path = "/classes/{class_id}/members", tag = "classes",
    params(("class_id" = i64, Path), MembersQuery), responses((status = 200, body = MembersResponse)))]
async fn list_members(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<MembersQuery>,
) -> Result<axum::Json<MembersResponse>, Problem> {
    let on = roster::day_or_today(&service.school, query.on)?;
    let pack = service.recogniser.key().clone();
    let read = service.read(move |conn| {
        classes::get(conn, ClassId(id))?;
        let roll = members::active_on(conn, ClassId(id), on)?;
        let students: Vec<StudentId> = roll.iter().map(|row| row.student.id).collect();
        let samples = samples::count_portraits(conn, (&pack.id, &pack.version), &students)?;
        Ok((roll, samples))
    });
    let (mut roll, counts) = read.await?;
    roll.sort_by(|a, b| natural_order(&a.member.roll_no, &b.member.roll_no));
    let of = |row: EnrolledRow| {
        let samples = counts.get(&row.student.id).copied().unwrap_or(0);
        MemberResponse::of(row, samples)
    };
    Ok(axum::Json(MembersResponse { class_id: id, on, items: roll.into_iter().map(of).collect() }))
}

/// Puts a student into a class.
#[utoipa::path(post, path = "/classes/{class_id}/members", tag = "classes", params(("class_id" = i64, Path)),
    request_body = AddMemberRequest, responses((status = 201, body = StayResponse)))]
async fn add_member(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Json(request): Json<AddMemberRequest>,
) -> Result<(StatusCode, axum::Json<StayResponse>), Problem> {
    let AddMemberRequest { student_id, roll_no, from, to } = request;
    let entry = MemberEntry { class: ClassId(id), student: StudentId(student_id), roll_no, from, to };
    let row = roster::add_member(&service.school, entry).await?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

/// Changes roll number or days of a member.
#[utoipa::path(patch, path = "/members/{member_id}", tag = "classes", params(("member_id" = i64, Path)),
    request_body = ChangeMemberRequest, responses((status = 200, body = StayResponse)))]
async fn change_member(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Json(request): Json<ChangeMemberRequest>,
) -> Result<axum::Json<StayResponse>, Problem> {
    let ChangeMemberRequest { roll_no, from, to } = request;
    let row = roster::change_member(&service.school, MemberId(id), MemberEdit { roll_no, from, to }).await?;
    Ok(axum::Json(row.into()))
}
