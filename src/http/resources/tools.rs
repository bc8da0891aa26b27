//! Tools for other systems: faces of pictures that belong to nobody here. Nothing is stored and nobody of the school is
//! compared with.

mod described;
#[cfg(test)]
mod tests;

use axum::extract::State;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::described::{CompareForm, Face, PictureForm, Reference, VerifyForm};
use crate::app::error::{Code, Error};
use crate::app::recogniser::SeenPhoto;
use crate::app::tools::{self, Given, Judge, Judgement, MAX_REFERENCES, Nearness, Subject, Which};
use crate::http::extract::Query;
use crate::http::face::FaceResponse;
use crate::http::pictures::{InlinePicture, Picture, Pictures, Sent, item_problem, max_picture_bytes};
use crate::http::problem::{ItemProblem, Problem};
use crate::http::service::Service;
use crate::http::table::{Audit, Kind, RECOGNISE, Row, row};

/// Part of a form with the picture that is compared.
const PROBE: &str = "probe";
/// Parts of a form with what it is compared with.
const REFERENCES: &str = "references";
/// How long ids of references may be.
const ID_CHARS: std::ops::RangeInclusive<usize> = 1..=200;

pub(super) fn rows() -> Vec<Row> {
    let upload = |row: Row| row.kind(Kind::Upload).audit(Audit::Nothing);
    vec![
        upload(row!(RECOGNISE, detect_faces)),
        upload(row!(RECOGNISE, embed_faces)),
        upload(row!(RECOGNISE, compare_faces)),
        upload(row!(RECOGNISE, verify_faces)),
    ]
}

/// A picture.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PictureRequest {
    image: InlinePicture,
}

/// A face: a picture of one person, or an embedding by the same pack; one of the two. Described as [`Face`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaceRequest {
    image: Option<InlinePicture>,
    embedding: Option<Vec<f32>>,
}

/// A face that a probe is compared with. Described as [`Reference`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceRequest {
    /// Whose face it is, in the words of the caller; several references of one person have the same.
    id: String,
    /// A picture of one person; or else `embedding`.
    image: Option<InlinePicture>,
    embedding: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CompareRequest {
    #[schema(value_type = Face)]
    probe: FaceRequest,
    #[schema(value_type = Vec<Reference>, min_items = 1, max_items = 100)]
    references: Vec<ReferenceRequest>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VerifyRequest {
    #[schema(value_type = Face)]
    first: FaceRequest,
    #[schema(value_type = Face)]
    second: FaceRequest,
}

/// Which faces of a picture are embedded.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum WhichFaces {
    #[default]
    All,
    Largest,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EmbedQuery {
    /// All faces, or only the largest; otherwise all.
    #[param(inline)]
    faces: Option<WhichFaces>,
}

/// The faces of a picture.
#[derive(Debug, Serialize, ToSchema)]
struct DetectResponse {
    #[serde(flatten)]
    seen: SeenResponse,
    /// Largest first.
    faces: Vec<FaceResponse>,
}

/// What is said of every picture.
#[derive(Debug, Serialize, ToSchema)]
struct SeenResponse {
    #[schema(example = "starter@0")]
    pack: String,
    /// What the nets really ran on.
    #[schema(example = "cpu")]
    provider: String,
    /// Of the upright picture, pixels.
    #[schema(minimum = 0)]
    width: u32,
    #[schema(minimum = 0)]
    height: u32,
    /// Faces beyond the limit of the settings: the smallest.
    #[schema(minimum = 0)]
    faces_left_out: u32,
    warnings: Vec<String>,
}

impl SeenResponse {
    fn of(service: &Service, seen: &SeenPhoto) -> Self {
        Self {
            pack: service.recogniser.pack(),
            provider: service.recogniser.provider(),
            width: seen.size.0,
            height: seen.size.1,
            faces_left_out: seen.faces_left_out,
            warnings: seen.warnings.clone(),
        }
    }
}

/// The embeddings of the faces of a picture.
#[derive(Debug, Serialize, ToSchema)]
struct EmbedResponse {
    #[serde(flatten)]
    seen: SeenResponse,
    /// Length of the embeddings.
    #[schema(minimum = 1, example = 512)]
    dims: usize,
    /// Embeddings have length 1; otherwise they are as the net gave them.
    normalised: bool,
    /// Largest first.
    faces: Vec<EmbeddedFaceResponse>,
}

#[derive(Debug, Serialize, ToSchema)]
struct EmbeddedFaceResponse {
    #[serde(flatten)]
    face: FaceResponse,
    embedding: Vec<f32>,
}

/// What two faces are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FaceVerdict {
    /// The same person.
    Match,
    /// To be asked about.
    Doubt,
    /// Different people.
    Different,
}

impl From<Judgement> for FaceVerdict {
    fn from(judgement: Judgement) -> Self {
        match judgement {
            Judgement::Match => Self::Match,
            Judgement::Doubt => Self::Doubt,
            Judgement::Different => Self::Different,
        }
    }
}

/// How near two faces are.
#[derive(Debug, Serialize, ToSchema)]
struct NearnessResponse {
    /// -1..1; 1 for the same vector.
    cosine: f32,
    /// Between the vectors at length 1, 0..2.
    euclidean: f32,
    /// `0.7 * euclidean + 0.3 * 20 * (1 - cosine)` at the scale of the pack's lines; lower is nearer.
    combined: f32,
}

impl From<Nearness> for NearnessResponse {
    fn from(near: Nearness) -> Self {
        Self { cosine: near.cosine, euclidean: near.euclidean, combined: near.combined }
    }
}

/// A face that was handed in.
#[derive(Debug, Serialize, ToSchema)]
struct HandedInResponse {
    /// None for an embedding.
    face: Option<FaceResponse>,
    warnings: Vec<String>,
}

impl From<&Subject> for HandedInResponse {
    fn from(subject: &Subject) -> Self {
        let face = subject.face.as_ref().map(|(detection, quality)| FaceResponse::of(detection, *quality));
        Self { face, warnings: subject.warnings.clone() }
    }
}

/// A probe against its references.
#[derive(Debug, Serialize, ToSchema)]
struct CompareResponse {
    #[schema(example = "starter@0")]
    pack: String,
    #[schema(example = "cpu")]
    provider: String,
    probe: HandedInResponse,
    /// In the order of the request.
    references: Vec<ComparedResponse>,
    best: BestResponse,
}

/// A reference. With `error` it could not be compared.
#[derive(Debug, Serialize, ToSchema)]
struct ComparedResponse {
    id: String,
    nearness: Option<NearnessResponse>,
    /// By the pack's lines, for this reference alone.
    verdict: Option<FaceVerdict>,
    warnings: Vec<String>,
    error: Option<ItemProblem>,
}

/// The nearest reference, judged against all others.
#[derive(Debug, Serialize, ToSchema)]
struct BestResponse {
    id: String,
    #[serde(flatten)]
    nearness: NearnessResponse,
    /// A match must also lead the runner-up by the pack's margin; otherwise it is a doubt.
    verdict: FaceVerdict,
    /// Probability that the probe is this one of the ids, 0..1, under the prior of the settings.
    confidence: f32,
    /// The nearest other id.
    runner_up: Option<RunnerUpResponse>,
}

#[derive(Debug, Serialize, ToSchema)]
struct RunnerUpResponse {
    id: String,
    #[serde(flatten)]
    nearness: NearnessResponse,
}

/// Whether two faces are of one person.
#[derive(Debug, Serialize, ToSchema)]
struct VerifyResponse {
    #[schema(example = "starter@0")]
    pack: String,
    #[schema(example = "cpu")]
    provider: String,
    verdict: FaceVerdict,
    /// Probability that it is one person, 0..1, under the prior of the settings.
    confidence: f32,
    #[serde(flatten)]
    nearness: NearnessResponse,
    first: HandedInResponse,
    second: HandedInResponse,
}

/// Finds the faces of a picture. Nothing is stored.
#[utoipa::path(post, path = "/detect", tag = "tools",
    request_body(content((PictureRequest = "application/json"), (PictureForm = "multipart/form-data"))),
    responses((status = 200, body = DetectResponse)))]
async fn detect_faces(
    State(service): State<Service>,
    sent: Sent<PictureRequest>,
) -> Result<axum::Json<DetectResponse>, Problem> {
    let picture = picture(&service, sent).await?;
    let seen = tools::detect(&service.recogniser, picture).await?;
    let faces = seen.faces.iter().map(FaceResponse::from).collect();
    Ok(axum::Json(DetectResponse { seen: SeenResponse::of(&service, &seen), faces }))
}

/// Embeds the faces of a picture. Nothing is stored.
#[utoipa::path(post, path = "/embed", tag = "tools", params(EmbedQuery),
    request_body(content((PictureRequest = "application/json"), (PictureForm = "multipart/form-data"))),
    responses((status = 200, body = EmbedResponse)))]
async fn embed_faces(
    State(service): State<Service>,
    Query(query): Query<EmbedQuery>,
    sent: Sent<PictureRequest>,
) -> Result<axum::Json<EmbedResponse>, Problem> {
    let picture = picture(&service, sent).await?;
    let which = match query.faces.unwrap_or_default() {
        WhichFaces::All => Which::All,
        WhichFaces::Largest => Which::Largest,
    };
    let (seen, embeddings) = tools::embed(&service.recogniser, picture, which).await?;
    let faces = seen
        .faces
        .iter()
        .zip(embeddings)
        .map(|(face, embedding)| EmbeddedFaceResponse { face: face.into(), embedding: embedding.values().to_vec() });
    Ok(axum::Json(EmbedResponse {
        seen: SeenResponse::of(&service, &seen),
        dims: service.recogniser.dims(),
        normalised: service.recogniser.scoring().normalise,
        faces: faces.collect(),
    }))
}

/// Compares a face with references. Nothing is stored; a reference that cannot be used says why and spoils no other.
#[utoipa::path(post, path = "/compare", tag = "tools",
    request_body(content((CompareRequest = "application/json"), (CompareForm = "multipart/form-data"))),
    responses((status = 200, body = CompareResponse)))]
async fn compare_faces(
    State(service): State<Service>,
    sent: Sent<CompareRequest>,
) -> Result<axum::Json<CompareResponse>, Problem> {
    let (probe, references) = match sent {
        Sent::Json(request) => compared_json(&service, request).await?,
        Sent::Form(form) => compared_form(&service, form).await?,
    };
    let usable: Vec<&(String, Result<Subject, Error>)> =
        references.iter().filter(|(_, subject)| subject.is_ok()).collect();
    let pairs = references.iter().filter_map(|(id, subject)| Some((id.as_str(), &subject.as_ref().ok()?.embedding)));
    let compared = Judge::of(&service.recogniser).compare(&probe.embedding, pairs);
    let Some(best) = compared.best else { return Err(none_usable(&references)) };
    let of = |index: usize| (usable[index].0.clone(), NearnessResponse::from(compared.references[index].0));
    let (id, nearness) = of(best.index);
    let runner_up = best.runner_up.map(|index| {
        let (id, nearness) = of(index);
        RunnerUpResponse { id, nearness }
    });
    let (verdict, confidence) = (best.judgement.into(), best.confidence);
    let best = BestResponse { id, nearness, verdict, confidence, runner_up };
    let mut judged = compared.references.iter();
    let references = references.into_iter().map(|(id, subject)| match subject {
        Ok(subject) => ComparedResponse::of(id, subject, judged.next().copied()),
        Err(error) => ComparedResponse::failed(id, &error),
    });
    Ok(axum::Json(CompareResponse {
        pack: service.recogniser.pack(),
        provider: service.recogniser.provider(),
        probe: (&probe).into(),
        references: references.collect(),
        best,
    }))
}

impl ComparedResponse {
    fn of(id: String, subject: Subject, judged: Option<(Nearness, Judgement)>) -> Self {
        let (nearness, verdict) = judged.map(|(near, judgement)| (near.into(), judgement.into())).unzip();
        Self { id, nearness, verdict, warnings: subject.warnings, error: None }
    }

    fn failed(id: String, error: &Error) -> Self {
        let error = Some(item_problem(id.clone(), error));
        Self { id, nearness: None, verdict: None, warnings: Vec::new(), error }
    }
}

/// Says whether two pictures show the same person. Nothing is stored.
#[utoipa::path(post, path = "/verify", tag = "tools",
    request_body(content((VerifyRequest = "application/json"), (VerifyForm = "multipart/form-data"))),
    responses((status = 200, body = VerifyResponse)))]
async fn verify_faces(
    State(service): State<Service>,
    sent: Sent<VerifyRequest>,
) -> Result<axum::Json<VerifyResponse>, Problem> {
    let (first, second) = match sent {
        Sent::Json(VerifyRequest { first, second }) => {
            let first = subject(&service, given(&service, first.image, first.embedding)).await?;
            (first, subject(&service, given(&service, second.image, second.embedding)).await?)
        }
        Sent::Form(mut form) => {
            let (Some(first), Some(second), None) = (form.next().await?, form.next().await?, form.next().await?) else {
                return Err(Problem::new(Code::InvalidRequest, "send two files, `first` and `second`"));
            };
            let first = subject(&service, first.bytes.map(Given::Picture)).await?;
            (first, subject(&service, second.bytes.map(Given::Picture)).await?)
        }
    };
    let (first, second) = (first.map_err(|e| e.of("first"))?, second.map_err(|e| e.of("second"))?);
    let (near, judgement, confidence) = Judge::of(&service.recogniser).verify(&first.embedding, &second.embedding);
    Ok(axum::Json(VerifyResponse {
        pack: service.recogniser.pack(),
        provider: service.recogniser.provider(),
        verdict: judgement.into(),
        confidence,
        nearness: near.into(),
        first: (&first).into(),
        second: (&second).into(),
    }))
}

/// The one picture of a request.
async fn picture(service: &Service, sent: Sent<PictureRequest>) -> Result<Bytes, Problem> {
    match sent {
        Sent::Form(form) => Ok(form.only().await?.bytes?),
        Sent::Json(request) => Ok(request.image.bytes(max_picture_bytes(service))?),
    }
}

type Compared = (Subject, Vec<(String, Result<Subject, Error>)>);

async fn compared_json(service: &Service, request: CompareRequest) -> Result<Compared, Problem> {
    let CompareRequest { probe, references } = request;
    if references.is_empty() || references.len() > MAX_REFERENCES {
        return Err(wrong_number(references.len()));
    }
    if references.iter().any(|reference| !ID_CHARS.contains(&reference.id.chars().count())) {
        return Err(Problem::new(Code::InvalidRequest, "an id of a reference must have 1 to 200 characters"));
    }
    let probe = given(service, probe.image, probe.embedding);
    let probe = subject(service, probe).await?.map_err(|e| e.of(PROBE))?;
    let mut subjects = Vec::with_capacity(references.len());
    // One after the other: decoded pictures are large.
    for ReferenceRequest { id, image, embedding } in references {
        let reference = subject(service, given(service, image, embedding)).await?;
        subjects.push((id, reference));
    }
    Ok((probe, subjects))
}

async fn compared_form(service: &Service, mut form: Pictures) -> Result<Compared, Problem> {
    let (mut probe, mut subjects) = (None, Vec::new());
    while let Some(Picture { part, name, bytes }) = form.next().await? {
        let seen = subject(service, bytes.map(Given::Picture)).await?;
        match part.as_str() {
            PROBE if probe.is_none() => probe = Some(seen.map_err(|e| e.of(PROBE))?),
            REFERENCES if subjects.len() < MAX_REFERENCES => subjects.push((name, seen)),
            REFERENCES => return Err(wrong_number(MAX_REFERENCES + 1)),
            _ => return Err(Problem::new(Code::InvalidRequest, "send one file `probe` and files `references`")),
        }
    }
    match probe {
        Some(probe) if !subjects.is_empty() => Ok((probe, subjects)),
        Some(_) => Err(wrong_number(0)),
        None => Err(Problem::new(Code::InvalidRequest, "the form has no file `probe`")),
    }
}

fn none_usable(references: &[(String, Result<Subject, Error>)]) -> Problem {
    let failed = references.iter().filter_map(|(id, subject)| Some(item_problem(id, subject.as_ref().err()?)));
    let errors: Vec<ItemProblem> = failed.collect();
    let code = errors.first().map_or(Code::InvalidRequest, |error| error.code);
    Problem::new(code, "none of the references can be compared: see `errors`").with_errors(errors)
}

fn wrong_number(references: usize) -> Problem {
    Problem::new(Code::InvalidRequest, format!("{references} references; send 1 to {MAX_REFERENCES}"))
}

/// What a JSON face hands in.
fn given(service: &Service, image: Option<InlinePicture>, embedding: Option<Vec<f32>>) -> Result<Given, Error> {
    match (image, embedding) {
        (Some(image), None) => image.bytes(max_picture_bytes(service)).map(Given::Picture),
        (None, Some(values)) => Ok(Given::Vector(values)),
        _ => Err(Error::new(Code::InvalidRequest, "give either `image` or `embedding`")),
    }
}

/// The face that was handed in, or what is wrong with it; a problem of the server's own ends the request.
async fn subject(service: &Service, given: Result<Given, Error>) -> Result<Result<Subject, Error>, Problem> {
    let looked = match given {
        Ok(given) => tools::subject(&service.recogniser, given).await,
        Err(error) => Err(error),
    };
    match looked {
        Err(error) if matches!(error.code, Code::ProcessingError | Code::ModelNotLoaded) => Err(error.into()),
        looked => Ok(looked),
    }
}
