//! What is kept, and what room is left.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::storage_figures::{self, StorageFigures};
use crate::config::StorageKind;
use crate::db::health::{Amount, Stored};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{MANAGE, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(MANAGE, get_storage)]
}

/// How many, and what they take.
#[derive(Debug, Serialize, ToSchema)]
struct AmountResponse {
    #[schema(minimum = 0)]
    count: i64,
    #[schema(minimum = 0)]
    bytes: i64,
}

impl From<Amount> for AmountResponse {
    fn from(Amount { count, bytes }: Amount) -> Self {
        Self { count, bytes }
    }
}

/// What a school keeps.
#[derive(Debug, Serialize, ToSchema)]
struct StorageResponse {
    /// `local` for the data folder, `s3` for a bucket.
    #[schema(example = "local")]
    kind: &'static str,
    /// Class photos.
    photos: AmountResponse,
    /// Those of the last 30 days.
    photos_last_30_days: AmountResponse,
    /// Pictures of students, each counted once however many packs know it.
    #[schema(minimum = 0)]
    samples: i64,
    /// What leaves were excused with.
    documents: AmountResponse,
    #[schema(minimum = 0)]
    database_bytes: i64,
    /// Left on the disk of the data folder; `null` where that is unknown. A bucket has no end.
    free_bytes: Option<u64>,
}

impl From<StorageFigures> for StorageResponse {
    fn from(StorageFigures { kind, stored, free_bytes }: StorageFigures) -> Self {
        let Stored { photos, recent_photos, samples, documents, database_bytes } = stored;
        let kind = match kind {
            StorageKind::Local => "local",
            StorageKind::S3 => "s3",
        };
        let photos_last_30_days = recent_photos.into();
        Self {
            kind,
            photos: photos.into(),
            photos_last_30_days,
            samples,
            documents: documents.into(),
            database_bytes,
            free_bytes,
        }
    }
}

/// What is stored, by what the database knows of it, and what room is left.
#[utoipa::path(get, path = "/storage", tag = "storage", responses((status = 200, body = StorageResponse)))]
async fn get_storage(State(service): State<Service>) -> Result<axum::Json<StorageResponse>, Problem> {
    let figures = storage_figures::figures(&service.school).await?;
    Ok(axum::Json(figures.into()))
}
