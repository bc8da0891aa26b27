//! Sessions: one meeting of a class each.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::students::said;
use super::words::SessionProgress;
use crate::app::session::{self, Created, SessionEdit, SessionEntry, StartsAt};
use crate::db::events::Topic;
use crate::db::sessions::{self, Reconciled, SessionFilter, SessionRow};
use crate::db::{events, photos, records};
use crate::domain::ids::{ClassId, SessionId, SubjectId};
use crate::domain::sheet::StatusCounts as Counts;
use crate::domain::status::SessionState;
use crate::http::extract::{Json, Path, Query, Who};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::{DifferenceResponse, Problem};
use crate::http::service::Service;
use crate::http::table::{READ_ATTENDANCE, RECORD, ROOT, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ATTENDANCE, list_sessions),
        row!(RECORD, create_session),
        row!(READ_ATTENDANCE, get_session),
        row!(RECORD, change_session),
        row!(RECORD, delete_session),
    ]
}

/// One meeting of a class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionResponse {
    id: i64,
    class_id: i64,
    subject_id: Option<i64>,
    name: Option<String>,
    starts_at: DateTime<Utc>,
    state: SessionProgress,
    /// What to know before trusting it, such as `photos_pending`, `doubts` or `reused_photo`.
    flags: Vec<String>,
    /// People who are not members, counted over all photos.
    #[schema(minimum = 0)]
    strangers: i32,
    confirmed_at: Option<DateTime<Utc>>,
    confirmed_by: Option<String>,
    /// Who has signed it; only while it is confirmed. Whether it counts does not depend on it: it does once anybody has a record.
    taken_by: Option<TakenBy>,
    /// When it was signed.
    taken_at: Option<DateTime<Utc>>,
    /// What whoever took the register wants to be known.
    remark: Option<String>,
    /// How it added up when it was confirmed; only of one that is.
    confirmation: Option<ConfirmationResponse>,
    /// Made while its class was in pilot: it does not count in registers and percentages.
    pilot: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Who has taken a register.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TakenBy {
    /// `null` for a program, and for an account that is gone.
    user_id: Option<i64>,
    /// The name at that time.
    name: String,
}

/// How a session added up when it was confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConfirmationResponse {
    /// Heads that the teacher counted in the room, guests included.
    #[schema(minimum = 0)]
    head_count: Option<i32>,
    /// People in the room who are not of the class.
    #[schema(minimum = 0)]
    guests: Option<i32>,
    /// What did not add up.
    differences: Vec<DifferenceResponse>,
    /// Why it is right all the same, as the teacher says.
    reason: Option<String>,
}

impl From<Reconciled> for ConfirmationResponse {
    fn from(signed: Reconciled) -> Self {
        Self {
            head_count: signed.head_count,
            guests: signed.guests,
            differences: signed.differences.0.into_iter().map(DifferenceResponse::from).collect(),
            reason: signed.confirm_reason,
        }
    }
}

impl From<SessionRow> for SessionResponse {
    fn from(row: SessionRow) -> Self {
        let confirmation = row.confirmed_at.map(|_| row.reconciled.into());
        Self {
            id: row.id.0,
            class_id: row.class_id.0,
            subject_id: row.subject_id.map(|subject| subject.0),
            name: row.name,
            starts_at: row.starts_at.and_utc(),
            state: row.state.into(),
            flags: row.flags.0,
            strangers: row.strangers,
            confirmed_at: row.confirmed_at.map(|at| at.and_utc()),
            taken_by: row
                .confirmed_by
                .clone()
                .map(|name| TakenBy { user_id: row.confirmed_by_id.map(|id| id.0), name }),
            taken_at: row.confirmed_at.map(|at| at.and_utc()),
            remark: row.remark,
            confirmed_by: row.confirmed_by,
            confirmation,
            pilot: row.pilot,
            created_at: row.created_at.and_utc(),
            updated_at: row.updated_at.and_utc(),
        }
    }
}

/// A session, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionOverview {
    #[serde(flatten)]
    session: SessionResponse,
    photos: PhotoCountsResponse,
    statuses: StatusCounts,
    /// Newest of its events; what is read after this answer holds all that they tell. For `after` of its events; 0 before the
    /// first.
    #[schema(minimum = 0)]
    last_event_id: i64,
}

/// Photos of a session by how far they have come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhotoCountsResponse {
    waiting: usize,
    done: usize,
    failed: usize,
}

/// Members by status.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusCounts {
    present: u32,
    absent: u32,
    late: u32,
    excused: u32,
    /// Waiting for the teacher.
    unmarked: u32,
}

impl From<Counts> for StatusCounts {
    fn from(Counts { present, absent, late, excused, unmarked }: Counts) -> Self {
        Self { present, absent, late, excused, unmarked }
    }
}

/// A session to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateSessionRequest {
    class_id: i64,
    subject_id: Option<i64>,
    /// Otherwise that of the subject.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Otherwise now, to the minute.
    starts_at: Option<DateTime<Utc>>,
}

/// What changes about a session; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeSessionRequest {
    /// `null` removes it.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, max_length = 200)]
    name: Option<Option<String>>,
    /// `null`: of no subject.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<i64>)]
    subject_id: Option<Option<i64>>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, max_length = 500)]
    remark: Option<Option<String>>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionQuery {
    class_id: Option<i64>,
    subject_id: Option<i64>,
    /// First day, of the school's calendar.
    from: Option<NaiveDate>,
    /// Last day.
    to: Option<NaiveDate>,
    #[param(inline)]
    state: Option<SessionProgress>,
}

/// The sessions of the classes that the caller may see, newest first.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(SessionQuery, PageQuery),
    responses((status = 200, body = Page<SessionResponse>)))]
async fn list_sessions(
    State(service): State<Service>,
    who: Who,
    Query(query): Query<SessionQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<SessionResponse>>, Problem> {
    let class = query.class_id.map(ClassId);
    class.map_or(Ok(()), |class| who.require(class))?;
    let (from, to) = session::times_of(&service.school, (query.from, query.to))?;
    let filter = SessionFilter {
        among: who.classes(),
        class,
        from,
        to,
        subject: query.subject_id.map(SubjectId),
        state: query.state.map(SessionState::from),
    };
    let listed = service.read(move |conn| sessions::page(conn, &filter, page.rows())).await?;
    Ok(axum::Json(page.of(listed)))
}

/// Makes a session. The one of the same class, start and name that is there already is answered with 200.
#[utoipa::path(post, path = "/sessions", tag = "sessions", request_body = CreateSessionRequest,
    responses((status = 200, description = "It was there already", body = SessionResponse),
        (status = 201, body = SessionResponse, headers(("Location" = String, description = "The new session")))))]
async fn create_session(
    State(service): State<Service>,
    who: Who,
    Json(request): Json<CreateSessionRequest>,
) -> Result<impl IntoResponse, Problem> {
    let CreateSessionRequest { class_id, subject_id, name, starts_at } = request;
    who.require(ClassId(class_id))?;
    let starts_at = to_the_minute(starts_at.unwrap_or_else(Utc::now));
    let entry = SessionEntry {
        class: ClassId(class_id),
        subject: subject_id.map(SubjectId),
        name,
        starts_at: StartsAt::Utc(starts_at),
    };
    let (status, row) = match session::create(&service.school, entry).await? {
        Created::New(row) => (StatusCode::CREATED, row),
        Created::Existing(row) => (StatusCode::OK, row),
    };
    let session = SessionResponse::from(row);
    Ok((status, [(header::LOCATION, format!("{ROOT}/sessions/{}", session.id))], axum::Json(session)))
}

/// Lessons begin on the minute: who asks twice within one means the same lesson.
fn to_the_minute(at: DateTime<Utc>) -> NaiveDateTime {
    let at = at.naive_utc();
    at.with_second(0).and_then(|at| at.with_nanosecond(0)).unwrap_or(at)
}

/// A session, with counts of its photos and statuses.
#[utoipa::path(get, path = "/sessions/{session_id}", tag = "sessions", params(("session_id" = i64, Path)),
    responses((status = 200, body = SessionOverview)))]
async fn get_session(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<SessionOverview>, Problem> {
    let read = service.read(move |conn| {
        let last_event = events::last_id(conn, Topic::Session(SessionId(id)))?;
        let session = sessions::get(conn, SessionId(id))?;
        Ok((last_event, session, photos::counts(conn, SessionId(id))?, records::list(conn, SessionId(id))?))
    });
    let (last_event_id, session, photos, records) = read.await?;
    let statuses = records.iter().map(|record| record.status).collect::<Counts>().into();
    let photos =
        PhotoCountsResponse { waiting: photos.queued + photos.processing, done: photos.done, failed: photos.failed };
    Ok(axum::Json(SessionOverview { session: session.into(), photos, statuses, last_event_id }))
}

/// Changes name, subject or remark of a session that is not confirmed.
#[utoipa::path(patch, path = "/sessions/{session_id}", tag = "sessions", params(("session_id" = i64, Path)),
    request_body = ChangeSessionRequest, responses((status = 200, body = SessionResponse)))]
async fn change_session(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Json(request): Json<ChangeSessionRequest>,
) -> Result<axum::Json<SessionResponse>, Problem> {
    let ChangeSessionRequest { name, subject_id, remark } = request;
    let edit = SessionEdit { name, subject: subject_id.map(|subject| subject.map(SubjectId)), remark };
    Ok(axum::Json(session::change(&service.school, SessionId(id), edit).await?.into()))
}

/// Deletes a session without photos and without anything that a person has said.
#[utoipa::path(delete, path = "/sessions/{session_id}", tag = "sessions", params(("session_id" = i64, Path)),
    responses((status = 204)))]
async fn delete_session(State(service): State<Service>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    session::delete(&service.school, SessionId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
