//! Model packs of the server.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::packs::{self, ListedPack};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{READ_PACKS, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(READ_PACKS, list_packs)]
}

/// A pack.
#[derive(Debug, Serialize, ToSchema)]
struct PackResponse {
    #[schema(example = "starter")]
    id: String,
    /// This and all else is unknown where the manifest is broken.
    version: Option<String>,
    title: Option<String>,
    licence: Option<String>,
    commercial_use: Option<bool>,
    /// False: every face is at most a doubt.
    calibrated: Option<bool>,
    /// Why nobody has run the pack yet.
    untested: Option<String>,
    /// All its files are there.
    ready: bool,
    /// Why it is not ready.
    problem: Option<String>,
    /// The server compares with it.
    in_use: bool,
}

impl From<ListedPack> for PackResponse {
    fn from(pack: ListedPack) -> Self {
        let problem = pack.readiness().err();
        Self {
            id: pack.name,
            version: pack.version,
            title: pack.title,
            licence: pack.licence,
            commercial_use: pack.commercial_use,
            calibrated: pack.calibrated,
            untested: pack.untested,
            ready: problem.is_none(),
            problem,
            in_use: pack.active,
        }
    }
}

/// All packs; there are a few.
#[derive(Debug, Serialize, ToSchema)]
struct PacksResponse {
    items: Vec<PackResponse>,
}

/// The model packs that are installed on the server or could be, by id.
#[utoipa::path(get, path = "/packs", tag = "packs", responses((status = 200, body = PacksResponse)))]
async fn list_packs(State(service): State<Service>) -> Result<axum::Json<PacksResponse>, Problem> {
    let items = packs::list(service.config())?.into_iter().map(PackResponse::from).collect();
    Ok(axum::Json(PacksResponse { items }))
}
