//! The model behind the tools, and whether it works.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::tools::{self, ModelInfo};
use crate::http::service::Service;
use crate::http::table::{RECOGNISE, Row, Rule, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(RECOGNISE, get_model_info), row!(Rule::SignedIn, get_health)]
}

/// The pack in use, and what it runs on.
#[derive(Debug, Serialize, ToSchema)]
struct ModelInfoResponse {
    /// `id@version`, as in all results.
    #[schema(example = "starter@0")]
    pack: String,
    #[schema(example = "starter")]
    id: String,
    #[schema(example = "0")]
    version: String,
    title: String,
    licence: String,
    licence_notes: String,
    commercial_use: bool,
    /// Why nobody has run the pack yet.
    untested: Option<String>,
    #[schema(example = "mtcnn")]
    detector: &'static str,
    input: InputResponse,
    /// Length of the embeddings.
    #[schema(minimum = 1, example = 512)]
    dims: usize,
    /// Embeddings are compared at one length.
    normalise: bool,
    lines: LinesResponse,
    /// What the nets really run on.
    #[schema(example = "cpu")]
    provider: String,
    /// Why that is the CPU where a GPU was hoped for.
    provider_note: Option<String>,
    runtime: RuntimeResponse,
}

/// What the embedder takes.
#[derive(Debug, Serialize, ToSchema)]
struct InputResponse {
    /// Width and height, pixels.
    #[schema(min_items = 2, max_items = 2)]
    size_px: [u32; 2],
    #[schema(example = "nchw")]
    layout: &'static str,
    #[schema(example = "rgb")]
    colour: &'static str,
    /// Grey levels 0..255 go in as `(x - mean) / std`.
    #[schema(min_items = 3, max_items = 3)]
    mean: [f32; 3],
    #[schema(min_items = 3, max_items = 3)]
    std: [f32; 3],
    #[schema(example = "arcface112")]
    alignment: &'static str,
}

/// The lines of the pack, in combined score (lower is nearer), and what they were measured on.
#[derive(Debug, Serialize, ToSchema)]
struct LinesResponse {
    /// False: nobody is named by them, a near face is at most a doubt.
    calibrated: bool,
    /// At or below: a match.
    accept: f32,
    /// At or below: a doubt.
    doubt: f32,
    /// Lead over the runner-up that a match needs.
    margin: f32,
    /// The cosine at the line, for packs that normalise.
    accept_cosine: Option<f32>,
    doubt_cosine: Option<f32>,
    data: String,
    rule: String,
    #[schema(example = "2026-11-21")]
    date: String,
    #[schema(minimum = 0)]
    impostor_comparisons: u64,
    #[schema(minimum = 0)]
    genuine_comparisons: u64,
}

/// The library that runs the nets.
#[derive(Debug, Serialize, ToSchema)]
struct RuntimeResponse {
    #[schema(example = "ONNX Runtime")]
    name: &'static str,
    /// Where the library's file says so.
    #[schema(example = "1.31.1")]
    version: Option<String>,
    build: String,
}

impl From<ModelInfo> for ModelInfoResponse {
    fn from(info: ModelInfo) -> Self {
        let tools::Input { size_px, layout, colour, mean, std, alignment } = info.input;
        let tools::LinesProvenance { data, date, rule, impostor_comparisons, genuine_comparisons } = info.provenance;
        let ((accept, doubt, margin), (accept_cosine, doubt_cosine)) = (info.lines, info.cosines);
        Self {
            pack: format!("{}@{}", info.id, info.version),
            id: info.id,
            version: info.version,
            title: info.title,
            licence: info.licence,
            licence_notes: info.licence_notes,
            commercial_use: info.commercial_use,
            untested: info.untested,
            detector: info.detector,
            input: InputResponse { size_px, layout, colour, mean, std, alignment },
            dims: info.dims,
            normalise: info.normalise,
            lines: LinesResponse {
                calibrated: info.calibrated,
                accept,
                doubt,
                margin,
                accept_cosine,
                doubt_cosine,
                data,
                rule,
                date,
                impostor_comparisons,
                genuine_comparisons,
            },
            provider: info.provider,
            provider_note: info.provider_note,
            runtime: RuntimeResponse { name: "ONNX Runtime", version: info.runtime_version, build: info.runtime_build },
        }
    }
}

/// Whether the service can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct HealthResponse {
    status: HealthState,
    /// Of the program.
    version: &'static str,
    #[schema(example = "starter@0")]
    pack: String,
    #[schema(example = "cpu")]
    provider: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum HealthState {
    Ok,
    Unavailable,
}

/// The pack in use: licence, dimensions, input, lines and where they come from, provider, runtime.
#[utoipa::path(get, path = "/model-info", tag = "tools", responses((status = 200, body = ModelInfoResponse)))]
async fn get_model_info(State(service): State<Service>) -> axum::Json<ModelInfoResponse> {
    axum::Json(tools::model_info(&service.recogniser).into())
}

/// Whether the service works, in short. Also at `/health`, for everybody.
#[utoipa::path(get, path = "/health", tag = "tools",
    responses((status = 200, body = HealthResponse), (status = 503, body = HealthResponse)))]
pub(in crate::http) async fn get_health(State(service): State<Service>) -> (StatusCode, axum::Json<HealthResponse>) {
    let readiness = service.probe.readiness().await;
    let works = readiness.ready && !service.stop.requested();
    let (status, state) = match works {
        true => (StatusCode::OK, HealthState::Ok),
        false => (StatusCode::SERVICE_UNAVAILABLE, HealthState::Unavailable),
    };
    let (pack, provider) = (readiness.pack, readiness.provider);
    (status, axum::Json(HealthResponse { status: state, version: env!("CARGO_PKG_VERSION"), pack, provider }))
}
