//! How the school writes, counts and colours the five statuses.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::records::RecordStatus;
use crate::app::error::Error;
use crate::app::status_styles;
use crate::domain::sheet::{Points, StatusStyle, StatusStyles, StyleError};
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{MANAGE, READ_ROSTER, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(READ_ROSTER, list_status_styles), row!(MANAGE, replace_status_styles), row!(MANAGE, reset_status_styles)]
}

/// How one status is written, counted and coloured.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusStyleItem {
    status: RecordStatus,
    #[schema(min_length = 1, max_length = 30, example = "Present")]
    label: String,
    /// What stands in the cells of sheets, all different.
    #[schema(min_length = 1, max_length = 3, example = "P")]
    short: String,
    /// What a record is worth in percentages, in hundredths; `null`: it does not count. *Present* counts, *unmarked* never does.
    #[schema(minimum = 0, maximum = 1, example = 1.0, required)]
    points: Option<f64>,
    #[schema(pattern = "^#[0-9a-fA-F]{6}$", example = "#1b7f3b")]
    colour: String,
}

impl From<&StatusStyle> for StatusStyleItem {
    fn from(style: &StatusStyle) -> Self {
        Self {
            status: style.status.into(),
            label: style.label.clone(),
            short: style.short.clone(),
            points: style.points.map(Points::fraction),
            colour: style.colour.to_string(),
        }
    }
}

impl TryFrom<StatusStyleItem> for StatusStyle {
    type Error = StyleError;

    fn try_from(item: StatusStyleItem) -> Result<Self, StyleError> {
        let StatusStyleItem { status, label, short, points, colour } = item;
        let points = points.map(Points::from_fraction).transpose()?;
        let (label, short) = (label.trim().to_owned(), short.trim().to_owned());
        Ok(Self { status: status.into(), label, short, points, colour: colour.parse()? })
    }
}

/// The styles of the five statuses.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusStylesBody {
    /// One for each status.
    #[schema(min_items = 5, max_items = 5)]
    items: Vec<StatusStyleItem>,
}

impl From<StatusStyles> for StatusStylesBody {
    fn from(styles: StatusStyles) -> Self {
        Self { items: styles.all().iter().map(StatusStyleItem::from).collect() }
    }
}

/// How the statuses are written, counted and coloured.
#[utoipa::path(get, path = "/status-styles", tag = "attendance", responses((status = 200, body = StatusStylesBody)))]
async fn list_status_styles(State(service): State<Service>) -> Result<axum::Json<StatusStylesBody>, Problem> {
    Ok(axum::Json(status_styles::current(&service.school).await?.into()))
}

/// Sets how all five are written, counted and coloured; sheets and percentages follow at once, those of the past too.
#[utoipa::path(put, path = "/status-styles", tag = "attendance", request_body = StatusStylesBody,
    responses((status = 200, body = StatusStylesBody)))]
async fn replace_status_styles(
    State(service): State<Service>,
    Json(request): Json<StatusStylesBody>,
) -> Result<axum::Json<StatusStylesBody>, Problem> {
    let styles = request.items.into_iter().map(StatusStyle::try_from).collect::<Result<Vec<_>, _>>();
    let styles = styles.and_then(StatusStyles::new).map_err(Error::from)?;
    Ok(axum::Json(status_styles::set(&service.school, styles).await?.into()))
}

/// Forgets what was set: from now on the server's settings say it again, which the answer tells.
#[utoipa::path(delete, path = "/status-styles", tag = "attendance", responses((status = 200, body = StatusStylesBody)))]
async fn reset_status_styles(State(service): State<Service>) -> Result<axum::Json<StatusStylesBody>, Problem> {
    Ok(axum::Json(status_styles::reset(&service.school).await?.into()))
}
