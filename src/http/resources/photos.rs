//! Photos of sessions: what became of them, and the pictures themselves.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::faces::{PhotoFaceResponse, faces_of};
use super::uploads::PhotoProgress;
use crate::app::batch_report::TimingsMs;
use crate::app::error::Code;
use crate::app::photo::AdviceReport;
use crate::app::{annotate, photo, preview};
use crate::db::faces::{self, FaceRow};
use crate::db::photos::{self, PhotoRow};
use crate::db::sessions;
use crate::domain::ids::{PhotoId, SessionId};
use crate::http::download::{FileBytes, Served};
use crate::http::extract::{Path, Query, Who};
use crate::http::problem::{ErrorCode, Problem};
use crate::http::service::{LINKS_LAST, Service};
use crate::http::table::{Audit, Kind, READ_ATTENDANCE, RECORD, Replay, Row, SEE_PHOTOS, row};

/// Longer side of a preview where nobody says another, pixels: enough for a large screen and faces in the last row.
const PREVIEW_PX: u32 = 2048;
/// What may be asked for.
const PREVIEW_RANGE_PX: std::ops::RangeInclusive<u32> = 64..=8192;

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ATTENDANCE, list_photos),
        row!(READ_ATTENDANCE, get_photo),
        row!(RECORD, delete_photo),
        row!(SEE_PHOTOS, get_photo_original).kind(Kind::Stream).audit(Audit::Line),
        row!(SEE_PHOTOS, get_photo_preview).audit(Audit::Line),
        row!(SEE_PHOTOS, get_photo_annotated).audit(Audit::Line),
        row!(READ_ATTENDANCE, create_photo_links).replay(Replay::Never),
    ]
}

/// A photo of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhotoResponse {
    id: i64,
    session_id: i64,
    state: PhotoProgress,
    /// Why it failed; only of one that did.
    error: Option<PhotoErrorResponse>,
    /// The file's name when it came.
    file_name: String,
    /// Of the bytes as they came: the same photo of a session is there once.
    #[schema(min_length = 64, max_length = 64)]
    sha256: String,
    #[schema(minimum = 0)]
    bytes: i64,
    /// Pixels of the upright photo; known once it was looked at.
    width: Option<i32>,
    height: Option<i32>,
    /// Longer side of the smallest face, pixels.
    smallest_face_px: Option<f32>,
    /// Faces beyond the limit, which were not looked at.
    #[schema(minimum = 0)]
    faces_left_out: i32,
    /// What the result should be read with. Names other sessions of the class that have the same picture.
    warnings: Vec<String>,
    /// By the camera's clock, which is taken for the school's; none where it does not say.
    captured_at: Option<DateTime<Utc>>,
    /// What can be done about it while the class is there.
    advice: Vec<AdviceResponse>,
    /// The pack it was looked at with, as `id@version`.
    pack: Option<String>,
    /// What the nets ran on.
    provider: Option<String>,
    timings_ms: Option<TimingsResponse>,
    processed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// What to do about a photo.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdviceResponse {
    /// Stable name of its kind; there may be more of them later.
    #[schema(example = "SMALL_FACES")]
    code: String,
    /// For the teacher.
    text: String,
}

/// Why a photo failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhotoErrorResponse {
    #[schema(value_type = ErrorCode)]
    code: Code,
    message: String,
}

/// Wall-clock time of each stage, milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TimingsResponse {
    decode: f32,
    detect: f32,
    align: f32,
    embed: f32,
    #[serde(rename = "match")]
    matching: f32,
    store: f32,
}

impl From<TimingsMs> for TimingsResponse {
    fn from(timings: TimingsMs) -> Self {
        let TimingsMs { decode, detect, align, embed, matching, store } = timings;
        Self { decode, detect, align, embed, matching, store }
    }
}

impl PhotoResponse {
    /// `faces` are those of the photo.
    fn of<'a>(row: PhotoRow, faces: impl IntoIterator<Item = &'a FaceRow>) -> Self {
        let advice =
            photo::advise(&row, faces).into_iter().map(|AdviceReport { code, text }| AdviceResponse { code, text });
        let advice = advice.collect();
        let error = row.error_code.map(|code| PhotoErrorResponse {
            code: serde_json::from_value(code.into()).unwrap_or(Code::ProcessingError),
            message: row.error_message.unwrap_or_default(),
        });
        let warnings = row.warnings.0.into_iter().chain(row.guard_warnings.0).collect();
        Self {
            id: row.id.0,
            session_id: row.session_id.0,
            state: row.state.into(),
            error,
            file_name: row.original_name,
            sha256: row.sha256,
            bytes: row.bytes,
            width: row.width,
            height: row.height,
            smallest_face_px: row.smallest_face_px,
            faces_left_out: row.faces_left_out,
            warnings,
            captured_at: row.captured_at.map(|at| at.and_utc()),
            advice,
            pack: row.pack_id.zip(row.pack_version).map(|(id, version)| format!("{id}@{version}")),
            provider: row.provider,
            timings_ms: serde_json::from_value::<TimingsMs>(row.timings.0).ok().map(TimingsResponse::from),
            processed_at: row.processed_at.map(|at| at.and_utc()),
            created_at: row.created_at.and_utc(),
        }
    }
}

/// The photos of a session, in the order they came.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhotosResponse {
    session_id: i64,
    items: Vec<PhotoResponse>,
}

/// A photo with its faces.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhotoWithFacesResponse {
    #[serde(flatten)]
    photo: PhotoResponse,
    /// Largest first.
    faces: Vec<PhotoFaceResponse>,
}

/// Addresses that show one photo to whoever has them, for a short time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhotoLinksResponse {
    /// Of the bucket, where clients reach it (`storage.s3.public_endpoint`); otherwise of this server, like the other.
    original: String,
    /// Without host where the server's settings have no `public_url`.
    annotated: String,
    expires_at: DateTime<Utc>,
}

/// The photos of a session.
#[utoipa::path(get, path = "/sessions/{session_id}/photos", tag = "photos", params(("session_id" = i64, Path)),
    responses((status = 200, body = PhotosResponse)))]
async fn list_photos(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<PhotosResponse>, Problem> {
    let listed = service.read(move |conn| {
        sessions::get(conn, SessionId(id))?;
        Ok((photos::list(conn, SessionId(id))?, faces::list_for_session(conn, SessionId(id))?))
    });
    let (rows, faces) = listed.await?;
    let of = |row: PhotoRow| {
        let photo = row.id;
        PhotoResponse::of(row, faces.iter().filter(|face| face.photo_id == photo))
    };
    let items = rows.into_iter().map(of).collect();
    Ok(axum::Json(PhotosResponse { session_id: id, items }))
}

/// A photo, what became of it, and its faces.
#[utoipa::path(get, path = "/photos/{photo_id}", tag = "photos", params(("photo_id" = i64, Path)),
    responses((status = 200, body = PhotoWithFacesResponse)))]
async fn get_photo(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<PhotoWithFacesResponse>, Problem> {
    let read = service.read(move |conn| {
        let row = photos::get(conn, PhotoId(id))?;
        let rows = faces::of_photo(conn, row.id)?;
        let photo = PhotoResponse::of(row.clone(), &rows);
        Ok(PhotoWithFacesResponse { photo, faces: faces_of(conn, &row, rows)? })
    });
    Ok(axum::Json(read.await?))
}

/// Removes a photo with its faces and what was said about them; its session is settled from the others. A photo that is
/// being worked on is cancelled first.
#[utoipa::path(delete, path = "/photos/{photo_id}", tag = "photos", params(("photo_id" = i64, Path)),
    responses((status = 204, description = "It is gone")))]
async fn delete_photo(State(service): State<Service>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    let matching = service.recogniser.matching(&service.school);
    photo::remove(&service.school, &matching, PhotoId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A photo as it was uploaded, whole or in part. Every look is written down.
#[utoipa::path(get, path = "/photos/{photo_id}/original", tag = "photos",
    params(
        ("photo_id" = i64, Path),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
        ("If-None-Match" = Option<String>, Header, description = "Versions that are known already"),
    ),
    responses(
        (status = 200, description = "The photo",
            content((FileBytes = "image/jpeg"), (FileBytes = "image/png"), (FileBytes = "image/webp"),
                (FileBytes = "image/gif"), (FileBytes = "image/bmp"), (FileBytes = "image/tiff"), (FileBytes = "image/heic")),
            headers(("ETag" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "Part of it",
            content((FileBytes = "image/jpeg"), (FileBytes = "image/png"), (FileBytes = "image/webp"),
                (FileBytes = "image/gif"), (FileBytes = "image/bmp"), (FileBytes = "image/tiff"), (FileBytes = "image/heic")),
            headers(("ETag" = String), ("Content-Range" = String))),
        (status = 304, description = "It is known already"),
    ))]
async fn get_photo_original(
    State(service): State<Service>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = service.read(move |conn| photos::get(conn, PhotoId(id))).await?;
    let Some((media_type, extension)) = photo::kind_of(&row.object_key) else {
        return Err(Problem::new(
            Code::PhotoNotFound,
            format!("photo {id} could not be read when it came; no bytes are kept"),
        ));
    };
    let file_name = file_name(id, extension);
    let picture = Served { media_type, file_name, version: row.sha256.clone() };
    let length = u64::try_from(row.bytes).unwrap_or(0);
    let open = async |range| Ok(photo::original(&service.school, &row, range).await?.body);
    picture.streamed(&service, &headers, length, open).await
}

/// How large a preview is.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewQuery {
    /// Longer side, pixels; otherwise 2048. Photos are never enlarged.
    #[param(minimum = 64, maximum = 8192)]
    longest_px: Option<u32>,
}

/// A photo for a screen: upright, shrunk, as JPEG whatever it came as. Every look is written down.
#[utoipa::path(get, path = "/photos/{photo_id}/preview", tag = "photos",
    params(
        ("photo_id" = i64, Path),
        PreviewQuery,
        ("If-None-Match" = Option<String>, Header, description = "Versions that are known already"),
    ),
    responses(
        (status = 200, description = "The picture", content((FileBytes = "image/jpeg")), headers(("ETag" = String))),
        (status = 304, description = "It is known already"),
    ))]
async fn get_photo_preview(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<PreviewQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let longest_px = query.longest_px.unwrap_or(PREVIEW_PX);
    if !PREVIEW_RANGE_PX.contains(&longest_px) {
        let (least, most) = (PREVIEW_RANGE_PX.start(), PREVIEW_RANGE_PX.end());
        let what = format!("longest_px is {longest_px}; it can be {least} to {most}");
        return Err(Problem::new(Code::InvalidRequest, what));
    }
    let preview = preview::find(&service.school, PhotoId(id), longest_px).await?;
    let file_name = format!("photo-{id}-preview.jpg");
    let picture = Served { media_type: "image/jpeg", file_name, version: preview.version() };
    if let Some(known) = picture.if_known(&headers) {
        return Ok(known);
    }
    let _room = service.room_for_picture().await?;
    Ok(picture.whole(preview.draw(&service.school).await?))
}

/// A photo with its verdicts drawn in: roll numbers, no names. Every look is written down.
#[utoipa::path(get, path = "/photos/{photo_id}/annotated", tag = "photos",
    params(
        ("photo_id" = i64, Path),
        ("If-None-Match" = Option<String>, Header, description = "Versions that are known already"),
    ),
    responses(
        (status = 200, description = "The drawing", content((FileBytes = "image/jpeg")), headers(("ETag" = String))),
        (status = 304, description = "It is known already"),
        (status = 409, description = "The photo was not looked at yet",
            content((Problem = "application/problem+json"))),
    ))]
async fn get_photo_annotated(
    State(service): State<Service>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sketch = annotate::sketch(&service.school, PhotoId(id)).await?;
    let file_name = format!("photo-{id}-annotated.jpg");
    let picture = Served { media_type: "image/jpeg", file_name, version: sketch.version().to_owned() };
    if let Some(known) = picture.if_known(&headers) {
        return Ok(known);
    }
    let _room = service.room_for_picture().await?;
    Ok(picture.whole(sketch.draw(&service.school).await?))
}

/// Makes links to a photo for places that cannot send a token, such as an `img` of a page. They last ten minutes. That they were
/// made is written down, and looks by links of this server are, with whom they were made for; a bucket keeps its own log.
#[utoipa::path(post, path = "/photos/{photo_id}/links", tag = "photos", params(("photo_id" = i64, Path)),
    responses((status = 200, body = PhotoLinksResponse)))]
async fn create_photo_links(
    State(service): State<Service>,
    who: Who,
    Path(id): Path<i64>,
) -> Result<axum::Json<PhotoLinksResponse>, Problem> {
    let row = service.read(move |conn| photos::get(conn, PhotoId(id))).await?;
    let expires_at = (Utc::now() + LINKS_LAST).trunc_subsecs(0);
    let link = |what: &str| service.link(&format!("/photos/{id}/{what}"), expires_at, who.actor());
    let original = match photo::kind_of(&row.object_key) {
        Some((_, extension)) => {
            photo::store_link(&service.school, &row, (&file_name(id, extension), LINKS_LAST)).await?
        }
        None => None,
    };
    let original = original.map_or_else(|| link("original"), |link| link.as_str().to_owned());
    Ok(axum::Json(PhotoLinksResponse { original, annotated: link("annotated"), expires_at }))
}

/// As a photo that is saved is called.
fn file_name(id: i64, extension: &str) -> String {
    format!("photo-{id}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Json;
    use crate::db::testing::{new_photo, on_each_database, photo_result, session};

    on_each_database! {
        fn a_photo_tells_what_became_of_it(db) {
            let rows = db.run_blocking::<_, crate::db::DbError>(|conn| {
                let session = session(conn)?;
                let (done, failed) = (photos::insert(conn, &new_photo(session, 1))?, photos::insert(conn, &new_photo(session, 2))?);
                let timings = Json(serde_json::json!(TimingsMs { decode: 55.5, ..TimingsMs::default() }));
                photos::finish(conn, done, &photos::PhotoResult { timings, ..photo_result() })?;
                photos::fail(conn, failed, "INVALID_IMAGE", "it ends in the middle", photo_result().processed_at)?;
                photos::list(conn, session)
            });
            let told: Vec<_> =
                rows.unwrap().into_iter().map(|row| serde_json::to_value(PhotoResponse::of(row, &[])).unwrap()).collect();
            assert_eq!((&told[0]["state"], &told[0]["error"]), (&"done".into(), &serde_json::Value::Null));
            assert_eq!((&told[0]["pack"], &told[0]["timings_ms"]["decode"]), (&"starter@1".into(), &55.5.into()));
            assert_eq!(told[0]["processed_at"], "2025-09-01T08:00:05Z");
            let error = serde_json::json!({ "code": "INVALID_IMAGE", "message": "it ends in the middle" });
            assert_eq!((&told[1]["state"], &told[1]["error"]), (&"failed".into(), &error));
            assert_eq!(told[1]["timings_ms"], serde_json::Value::Null);
        }
    }
}
