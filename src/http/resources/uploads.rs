//! Class photos on their way in.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::jobs::location;
use crate::app::error::Code;
use crate::app::photo::AcceptedState;
use crate::app::upload::{self, Upload, Uploaded};
use crate::db::photos::{self, PhotoRow};
use crate::domain::ids::{PhotoId, SessionId};
use crate::domain::status::PhotoState;
use crate::http::extract::{Path, Query, Room, WaitQuery, Who};
use crate::http::pictures::{Picture, Pictures};
use crate::http::problem::{ItemProblem, Problem};
use crate::http::service::Service;
use crate::http::table::{Kind, RECORD, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(RECORD, upload_photos).kind(Kind::Upload)]
}

/// How far a photo has come.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PhotoProgress {
    Queued,
    Processing,
    Done,
    Failed,
}

impl From<PhotoState> for PhotoProgress {
    fn from(state: PhotoState) -> Self {
        match state {
            PhotoState::Queued => Self::Queued,
            PhotoState::Processing => Self::Processing,
            PhotoState::Done => Self::Done,
            PhotoState::Failed => Self::Failed,
        }
    }
}

/// One uploaded photo.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadedPhoto {
    /// As the file was called.
    name: String,
    /// None when nothing was kept of it.
    photo_id: Option<i64>,
    /// Of the file's bytes.
    #[schema(min_length = 64, max_length = 64)]
    sha256: String,
    state: PhotoProgress,
    /// The very same bytes were in the session already: this is the first photo's result, nothing was done again.
    duplicate: bool,
    /// The job that looks at it, while there is one.
    job_id: Option<i64>,
    /// Why it failed.
    error: Option<ItemProblem>,
}

/// What became of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadResponse {
    session_id: i64,
    /// Whether every photo was looked at.
    complete: bool,
    photos: Vec<UploadedPhoto>,
}

/// A class photo or several, as files of a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; the files are read as a stream")]
struct PhotosForm {
    /// Repeat it for several photos of the same lesson.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    photo: Vec<u8>,
}

/// Uploads one or many photos of a session.
///
/// They are looked at in the background: 202 names the job of the first, `photos` those of all. With `wait` the answer comes when
/// they were looked at (200). The same photo again is not looked at again.
#[utoipa::path(post, path = "/sessions/{session_id}/photos", tag = "sessions",
    params(("session_id" = i64, Path), WaitQuery), request_body(content = PhotosForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "All of them were looked at", body = UploadResponse),
        (status = 202, description = "They wait", body = UploadResponse,
         headers(("Location" = String, description = "The job of the first photo that waits")))))]
async fn upload_photos(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
    Query(query): Query<WaitQuery>,
    room: Room,
    form: Pictures,
) -> Result<Response, Problem> {
    let mut upload = Upload::begin(&service.school, &service.recogniser, SessionId(id)).await?;
    store_photos(form, &mut upload).await?;
    let uploaded = upload.finish(who.actor().key()).await?;
    let waiting = room.wait(&service, query);
    let complete = upload::wait(&service.school, &uploaded, waiting.patience, &service.stop).await?;
    let ids: Vec<PhotoId> = uploaded.iter().filter_map(|photo| photo.accepted.photo).collect();
    let rows = service.read(move |conn| photos::several(conn, &ids)).await?;
    let photos: Vec<UploadedPhoto> = uploaded.into_iter().map(|photo| described(photo, &rows)).collect();
    let job = photos.iter().find_map(|photo| photo.job_id);
    let headers = job.map(location).into_iter().collect::<HeaderMap>();
    let status = if complete { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, headers, axum::Json(UploadResponse { session_id: id, complete, photos })).into_response())
}

/// Stores the files of the form one after the other: only one is in memory at a time.
async fn store_photos(mut form: Pictures, upload: &mut Upload) -> Result<(), Problem> {
    while let Some(Picture { name, bytes, .. }) = form.next().await? {
        match bytes {
            Ok(bytes) => upload.add(&name, &bytes).await?,
            Err(error) => upload.refuse(&name, &error),
        }
    }
    Ok(())
}

fn described(uploaded: Uploaded, rows: &[PhotoRow]) -> UploadedPhoto {
    let Uploaded { name, accepted } = uploaded;
    let row = rows.iter().find(|row| Some(row.id) == accepted.photo);
    let failed = row.and_then(|row| {
        let code = serde_json::from_value(row.error_code.clone()?.into()).unwrap_or(Code::ProcessingError);
        Some((code, row.error_message.clone().unwrap_or_default()))
    });
    let refused = match &accepted.state {
        AcceptedState::Refused(error) => Some((error.code, error.message.clone())),
        AcceptedState::Waiting(_) | AcceptedState::Done => None,
    };
    let error = failed.or(refused).map(|(code, detail)| ItemProblem { item: name.clone(), code, detail });
    UploadedPhoto {
        photo_id: accepted.photo.map(|photo| photo.0),
        sha256: accepted.sha256,
        state: row.map_or(PhotoProgress::Failed, |row| row.state.into()),
        duplicate: matches!(accepted.state, AcceptedState::Done),
        job_id: match accepted.state {
            AcceptedState::Waiting(job) => Some(job.0),
            AcceptedState::Done | AcceptedState::Refused(_) => None,
        },
        error,
        name,
    }
}
