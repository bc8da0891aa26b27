//! Samples: enrolled pictures of a student.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::enrol::{self, Portrait, PortraitReport, PortraitStatus};
use crate::app::error::Code;
use crate::app::{Mode, learn};
use crate::db::samples::{self, SampleSummary};
use crate::db::students;
use crate::domain::ids::{SampleId, StudentId};
use crate::domain::status::Origin;
use crate::http::extract::{Path, Query};
use crate::http::face::QualityResponse;
use crate::http::pictures::{InlinePicture, Picture, Sent, max_picture_bytes};
use crate::http::problem::{ItemProblem, Problem};
use crate::http::service::Service;
use crate::http::table::{Audit, ENROL, Kind, READ_ROSTER, Row, SEE_PORTRAITS, row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(READ_ROSTER, list_samples),
        row!(ENROL, add_samples).kind(Kind::Upload),
        row!(ENROL, delete_sample),
        row!(ENROL, forget_learned),
        row!(SEE_PORTRAITS, get_sample_image).audit(Audit::Line),
    ]
}

/// Where the face of a sample comes from.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SampleOrigin {
    /// A picture that somebody enrolled.
    Portrait,
    /// A face that was learned from a confirmed session.
    Session,
}

impl From<Origin> for SampleOrigin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Portrait => Self::Portrait,
            Origin::Session => Self::Session,
        }
    }
}

/// An enrolled picture, or a learned face.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SampleResponse {
    id: i64,
    /// The pack that embedded it. Only samples of the server's pack are compared with.
    #[schema(example = "starter@0")]
    pack: String,
    /// None for an embedding that came without a picture.
    quality: Option<QualityResponse>,
    /// Share in the student's template, above 0. Learned faces together count for a third of it at most.
    weight: f64,
    origin: SampleOrigin,
    /// The confirmed session that a learned one was taken from.
    session_id: Option<i64>,
    /// The face of that session; none once its photo was looked at again.
    face_id: Option<i64>,
    /// There is a picture at `/samples/{sample_id}/image`.
    has_image: bool,
    created_at: DateTime<Utc>,
}

impl From<SampleSummary> for SampleResponse {
    fn from(sample: SampleSummary) -> Self {
        Self {
            id: sample.id.0,
            pack: format!("{}@{}", sample.pack_id, sample.pack_version),
            quality: sample.quality.0.map(QualityResponse::from),
            weight: sample.weight,
            origin: sample.origin.into(),
            session_id: sample.session_id.map(|id| id.0),
            face_id: sample.face_id.map(|id| id.0),
            has_image: !sample.object_key.is_empty(),
            created_at: sample.created_at.and_utc(),
        }
    }
}

/// All samples of a student; there are a few.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SamplesResponse {
    items: Vec<SampleResponse>,
}

/// Pictures of a student.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddSamplesRequest {
    #[schema(min_items = 1)]
    photos: Vec<InlinePicture>,
}

/// Pictures of a student as files, in parts of any name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct AddSamplesForm {
    #[schema(value_type = Vec<String>, min_items = 1)]
    photos: (),
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AddSamplesQuery {
    /// Only say what would become of the pictures.
    #[serde(default)]
    dry_run: bool,
}

/// What became of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PortraitState {
    Enrolled,
    /// The student has this picture already.
    Known,
    /// Kept, but the student's pictures show different people: the student is not recognised until another decides.
    Questioned,
    /// Not usable, for the reason given.
    Refused,
    /// Something around it failed: send it again.
    Failed,
}

/// What became of one picture.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PortraitResponse {
    /// The file's name; `photos[0]` for the first picture of a JSON body.
    name: String,
    status: PortraitState,
    sample_id: Option<i64>,
    /// The roll number, where pictures of several students were sent.
    roll_no: Option<String>,
    /// What was measured on its face.
    quality: Option<QualityResponse>,
    warnings: Vec<String>,
    error: Option<ItemProblem>,
}

impl From<PortraitReport> for PortraitResponse {
    fn from(report: PortraitReport) -> Self {
        let is_question = report.error.as_ref().is_some_and(|e| e.code == Code::SamplesDisagree);
        let status = match report.status {
            _ if is_question => PortraitState::Questioned,
            PortraitStatus::Enrolled => PortraitState::Enrolled,
            PortraitStatus::Known => PortraitState::Known,
            PortraitStatus::Refused => PortraitState::Refused,
            PortraitStatus::Failed => PortraitState::Failed,
        };
        let error = report.error.map(|e| ItemProblem { item: report.path.clone(), code: e.code, detail: e.message });
        Self {
            name: report.path,
            status,
            sample_id: report.sample.map(|id| id.0),
            roll_no: report.roll_no,
            quality: report.quality.map(QualityResponse::from),
            warnings: report.warnings,
            error,
        }
    }
}

/// What became of the pictures of a student.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AddSamplesResponse {
    #[schema(example = "starter@0")]
    pack: String,
    #[schema(example = "cpu")]
    provider: String,
    /// Nothing was kept.
    dry_run: bool,
    /// In the order in which they came.
    photos: Vec<PortraitResponse>,
    /// What a person should look at: classmates that look alike, samples that do not count.
    warnings: Vec<String>,
}

/// The enrolled pictures of a student.
#[utoipa::path(get, path = "/students/{student_id}/samples", tag = "enrolment", params(("student_id" = i64, Path)),
    responses((status = 200, body = SamplesResponse)))]
async fn list_samples(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<SamplesResponse>, Problem> {
    let rows = service.read(move |conn| {
        students::get(conn, StudentId(id))?;
        samples::of_student(conn, StudentId(id))
    });
    Ok(axum::Json(SamplesResponse { items: rows.await?.into_iter().map(SampleResponse::from).collect() }))
}

/// Enrols pictures of a student who has consented. Each shows one face; one that cannot be used spoils no other. Answers 201
/// when any was taken, 200 when all of use were known (or this is a dry run), 422 with `errors` when none can be used.
#[utoipa::path(post, path = "/students/{student_id}/samples", tag = "enrolment",
    params(("student_id" = i64, Path), AddSamplesQuery),
    request_body(content((AddSamplesRequest = "application/json"), (AddSamplesForm = "multipart/form-data"))),
    responses((status = 200, body = AddSamplesResponse), (status = 201, body = AddSamplesResponse)))]
async fn add_samples(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<AddSamplesQuery>,
    sent: Sent<AddSamplesRequest>,
) -> Result<(StatusCode, axum::Json<AddSamplesResponse>), Problem> {
    let student = StudentId(id);
    let mode = if query.dry_run { Mode::Preview } else { Mode::Apply };
    let add = async |portrait| enrol::add_sample(&service.school, &service.recogniser, student, portrait, mode).await;
    let mut reports = Vec::new();
    match sent {
        Sent::Json(request) => {
            for (place, photo) in request.photos.into_iter().enumerate() {
                let bytes = photo.bytes(max_picture_bytes(&service));
                reports.push(add(Portrait { name: format!("photos[{place}]"), bytes }).await?);
            }
        }
        Sent::Form(mut form) => {
            while let Some(Picture { name, bytes, .. }) = form.next().await? {
                reports.push(add(Portrait { name, bytes }).await?);
            }
        }
    }
    let warnings = match mode {
        Mode::Apply => enrol::conclude(&service.school, &service.recogniser, student, &mut reports).await?,
        Mode::Preview => Vec::new(),
    };
    let photos: Vec<PortraitResponse> = reports.into_iter().map(PortraitResponse::from).collect();
    let status = outcome(&photos, mode)?;
    let (pack, provider) = (service.recogniser.pack(), service.recogniser.provider());
    Ok((status, axum::Json(AddSamplesResponse { pack, provider, dry_run: query.dry_run, photos, warnings })))
}

/// 201 when anything was taken, 200 when nothing had to be; a problem when nothing could be.
pub(super) fn outcome(photos: &[PortraitResponse], mode: Mode) -> Result<StatusCode, Problem> {
    let any = |states: &[PortraitState]| photos.iter().any(|photo| states.contains(&photo.status));
    if photos.is_empty() {
        return Err(Problem::new(Code::InvalidRequest, "there is no picture in the request"));
    }
    if mode == Mode::Preview {
        return Ok(StatusCode::OK);
    }
    if any(&[PortraitState::Enrolled, PortraitState::Questioned]) {
        return Ok(StatusCode::CREATED);
    }
    if any(&[PortraitState::Known]) {
        return Ok(StatusCode::OK);
    }
    let errors: Vec<ItemProblem> = photos.iter().filter_map(|photo| photo.error.clone()).collect();
    let code = errors.first().map_or(Code::ProcessingError, |e| e.code);
    let detail = format!("none of the pictures ({}) can be enrolled: see `errors`", photos.len());
    let all_failed = photos.iter().all(|photo| photo.status == PortraitState::Failed);
    let problem = if all_failed {
        Problem::new(code, detail)
    } else {
        Problem::with_status(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    };
    Err(problem.with_errors(errors))
}

/// What was forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForgottenResponse {
    /// Samples that were deleted with their pictures.
    #[schema(minimum = 0)]
    deleted: usize,
}

/// Forgets every face that was learned of a student from confirmed sessions, with the pictures. Portraits stay. The same
/// sessions teach nothing again unless they are reopened and confirmed anew.
#[utoipa::path(post, path = "/students/{student_id}/samples/forget-learned", tag = "enrolment",
    params(("student_id" = i64, Path)), responses((status = 200, body = ForgottenResponse)))]
async fn forget_learned(
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<axum::Json<ForgottenResponse>, Problem> {
    let deleted = learn::forget(&service.school, StudentId(id)).await?;
    Ok(axum::Json(ForgottenResponse { deleted }))
}

/// Deletes a sample with its picture.
#[utoipa::path(delete, path = "/samples/{sample_id}", tag = "enrolment", params(("sample_id" = i64, Path)),
    responses((status = 204)))]
async fn delete_sample(State(service): State<Service>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    enrol::delete_sample(&service.school, SampleId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The picture of a sample, as it was sent.
#[utoipa::path(get, path = "/samples/{sample_id}/image", tag = "enrolment", params(("sample_id" = i64, Path)),
    responses((status = 200, body = [u8], content_type = "image/*")))]
async fn get_sample_image(State(service): State<Service>, Path(id): Path<i64>) -> Result<impl IntoResponse, Problem> {
    let picture = enrol::picture_of(&service.school, SampleId(id)).await?;
    Ok(([(header::CONTENT_TYPE, picture.media_type)], picture.bytes))
}

#[cfg(test)]
mod tests;
