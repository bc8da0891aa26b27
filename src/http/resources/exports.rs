//! Exports: sheets that are made in the background and fetched by a link.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::jobs::{JobStage, location};
use super::sheets::{Format, MoodleUser, PilotRule, SessionFileWish, SessionFormatName};
use crate::app::error::{Code, Error};
use crate::app::exports::{self, Export, ExportWish, Sheet};
use crate::app::jobs;
use crate::app::report::{RegisterOf, SessionFile, SheetFormat};
use crate::db::reach;
use crate::domain::ids::{ClassId, SessionId};
use crate::http::download::{FileBytes, Served};
use crate::http::extract::{Json, Path, Query, WaitQuery, Who};
use crate::http::problem::{ErrorCode, Problem};
use crate::http::service::{LINKS_LAST, Service};
use crate::http::table::{Audit, FETCH_SHEETS, Kind, READ_ATTENDANCE, ROOT, Row, row};
use crate::queue::{JobId, JobState};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ATTENDANCE, create_export).kind(Kind::Wait),
        row!(READ_ATTENDANCE, get_export).audit(Audit::Line),
        row!(FETCH_SHEETS, get_export_file).kind(Kind::Stream).audit(Audit::Line),
    ]
}

/// What to export.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum ExportRequest {
    /// The sheet of a session.
    Session {
        session_id: i64,
        /// Otherwise `xlsx`.
        format: Option<SessionFormatName>,
        /// Of `moodle`: by what Moodle is to know the students; otherwise by PRN.
        identifier: Option<MoodleUser>,
        /// Of `xlsx`: whether a second page shows the face that speaks for each student; otherwise it does.
        evidence: Option<bool>,
        /// Of that page: whether it also shows the faces of people who are nobody of the class; otherwise it does not.
        strangers: Option<bool>,
    },
    /// The register of a class: its members, and their status in every session of the days, three years at most.
    Register {
        class_id: i64,
        /// First day.
        from: NaiveDate,
        /// Last day.
        to: NaiveDate,
        /// Only the sessions of this subject, by its name. A session without one is of its lesson's.
        subject: Option<String>,
        /// What becomes of the sessions of a pilot; otherwise they are left out.
        pilot: Option<PilotRule>,
        /// Otherwise `xlsx`.
        format: Option<Format>,
    },
    /// The register with a page for each of its sessions, as `xlsx`.
    Workbook {
        class_id: i64,
        /// First day.
        from: NaiveDate,
        /// Last day.
        to: NaiveDate,
        /// Only the sessions of this subject, by its name. A session without one is of its lesson's.
        subject: Option<String>,
        /// What becomes of the sessions of a pilot; otherwise they are left out.
        pilot: Option<PilotRule>,
    },
}

impl TryFrom<ExportRequest> for ExportWish {
    type Error = Error;

    fn try_from(request: ExportRequest) -> Result<Self, Error> {
        let (sheet, format) = match request {
            ExportRequest::Session { session_id, format, identifier, evidence, strangers } => {
                let file = SessionFile::try_from(SessionFileWish { format, identifier, evidence, strangers })?;
                return Ok(Self::session(SessionId(session_id), file));
            }
            ExportRequest::Register { class_id, from, to, subject, pilot, format } => {
                let pilots = pilot.unwrap_or_default().into();
                (Sheet::Register(RegisterOf { class: ClassId(class_id), days: (from, to), subject, pilots }), format)
            }
            ExportRequest::Workbook { class_id, from, to, subject, pilot } => {
                let pilots = pilot.unwrap_or_default().into();
                (Sheet::Workbook(RegisterOf { class: ClassId(class_id), days: (from, to), subject, pilots }), None)
            }
        };
        Ok(Self::of(sheet, SheetFormat::from(format.unwrap_or_default())))
    }
}

/// Which sheet an export is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ExportKind {
    Session,
    Register,
    Workbook,
}

/// An export.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExportResponse {
    /// That of its job, too.
    id: i64,
    state: JobStage,
    what: ExportKind,
    class_id: i64,
    /// As the file is called when it is saved; known when it is done, as are the others below.
    #[schema(example = "class-3_2026-11-01_2026-11-30.xlsx")]
    file_name: Option<String>,
    #[schema(minimum = 0)]
    bytes: Option<u64>,
    /// Where to fetch it with a token.
    #[schema(example = "/api/v1/exports/7/file")]
    file: Option<String>,
    /// Where whoever has this address fetches it without one, for ten minutes; only told by `GET /exports/{export_id}`. Without
    /// host where the server's settings have no `public_url`.
    link: Option<String>,
    link_expires_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    error: Option<ExportErrorResponse>,
}

/// Why an export failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExportErrorResponse {
    #[schema(value_type = ErrorCode)]
    code: Code,
    message: String,
}

impl From<Export> for ExportResponse {
    fn from(export: Export) -> Self {
        let is_done = export.made.is_some();
        let (file_name, bytes) = export.made.map(|made| (made.file_name, made.bytes)).unzip();
        let error = export.error.filter(|_| export.state == JobState::Failed).map(|error| ExportErrorResponse {
            code: serde_json::from_value(error.code.into()).unwrap_or(Code::ProcessingError),
            message: error.message,
        });
        Self {
            id: export.id.0,
            state: export.state.into(),
            what: match export.wish.sheet {
                Sheet::Session(_) => ExportKind::Session,
                Sheet::Register(_) => ExportKind::Register,
                Sheet::Workbook(_) => ExportKind::Workbook,
            },
            class_id: export.class.0,
            file_name,
            bytes,
            file: is_done.then(|| format!("{ROOT}{}", file_path(export.id))),
            link: None,
            link_expires_at: None,
            error,
        }
    }
}

/// Below [`ROOT`].
fn file_path(id: JobId) -> String {
    format!("/exports/{}/file", id.0)
}

/// Asks for a sheet that may take long, or that somebody else fetches.
///
/// It is made in the background: 202 names the job; with `wait` the answer comes when it is finished (200). `GET` of the export
/// then gives a link. The file is kept as long as its job, some weeks by the settings.
#[utoipa::path(post, path = "/exports", tag = "sheets", params(WaitQuery), request_body = ExportRequest,
    responses((status = 200, description = "It is finished, done or failed", body = ExportResponse),
        (status = 202, description = "It waits", body = ExportResponse,
         headers(("Location" = String, description = "Its job")))))]
async fn create_export(
    State(service): State<Service>,
    who: Who,
    Query(query): Query<WaitQuery>,
    Json(request): Json<ExportRequest>,
) -> Result<Response, Problem> {
    require_reach(&service, &who, &request).await?;
    let id = exports::request(&service.school, request.try_into()?, who.actor().key()).await?;
    let job = jobs::wait(&service.school, id, query.patience(), &service.stop).await?;
    let status = if job.finished_at.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let export = exports::get(&service.school, id).await?;
    Ok((status, [location(id.0)], axum::Json(ExportResponse::from(export))).into_response())
}

/// Refuses what is not of the caller's classes. A session that is not there is found missing later.
async fn require_reach(service: &Service, who: &Who, request: &ExportRequest) -> Result<(), Problem> {
    let class = match request {
        ExportRequest::Register { class_id, .. } | ExportRequest::Workbook { class_id, .. } => Some(ClassId(*class_id)),
        ExportRequest::Session { session_id, .. } => {
            let session = SessionId(*session_id);
            service.read(move |conn| reach::of_session(conn, session)).await?
        }
    };
    class.map_or(Ok(()), |class| who.require(class))
}

/// An export: how far it is and, when it is done, a link to its file. Who was given one is written down.
#[utoipa::path(get, path = "/exports/{export_id}", tag = "sheets", params(("export_id" = i64, Path)),
    responses((status = 200, body = ExportResponse)))]
async fn get_export(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
) -> Result<axum::Json<ExportResponse>, Problem> {
    let export = exports::get(&service.school, JobId(id)).await?;
    if export.made.is_none() {
        return Ok(axum::Json(export.into()));
    }
    let expires_at = (Utc::now() + LINKS_LAST).trunc_subsecs(0);
    let link = match exports::store_link(&service.school, &export, LINKS_LAST).await? {
        Some(link) => link.as_str().to_owned(),
        None => service.link(&file_path(export.id), expires_at, who.actor()),
    };
    let response = ExportResponse::from(export);
    Ok(axum::Json(ExportResponse { link: Some(link), link_expires_at: Some(expires_at), ..response }))
}

/// The file of an export, whole or in part.
#[utoipa::path(get, path = "/exports/{export_id}/file", tag = "sheets",
    params(
        ("export_id" = i64, Path),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
        ("If-None-Match" = Option<String>, Header, description = "Versions that are known already"),
    ),
    responses(
        (status = 200, description = "The file",
            content((FileBytes = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
                (FileBytes = "text/csv")),
            headers(("ETag" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "Part of it",
            content((FileBytes = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
                (FileBytes = "text/csv")),
            headers(("ETag" = String), ("Content-Range" = String))),
        (status = 304, description = "It is known already"),
        (status = 409, description = "It is not done", content((Problem = "application/problem+json"))),
    ))]
async fn get_export_file(
    State(service): State<Service>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = exports::file(&service.school, JobId(id)).await?;
    let (media_type, version) = (file.media_type, file.version());
    let shown = Served { media_type, file_name: file.file_name.clone(), version };
    let open = async |range| Ok(file.open(&service.school, range).await?.body);
    shown.streamed(&service, &headers, file.head.length, open).await
}
