//! Whether the server lives, whether it can work, and its figures. For orchestrators and monitoring; nothing here names
//! anybody.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::resources::model::get_health;
use super::service::Service;
use crate::app::readiness::{Readiness, measure_queue};

/// Prometheus' text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/health", get(get_health))
        .route("/metrics", get(figures))
}

/// The process answers.
async fn livez() -> &'static str {
    "ok\n"
}

/// Everything that an answer needs is there.
async fn readyz(State(service): State<Service>) -> Response {
    let readiness: Readiness = service.probe.readiness().await;
    let ready = readiness.ready && !service.stop.requested();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

async fn figures(State(service): State<Service>) -> Response {
    // Without the database its figures stay as they were, and `/readyz` says why.
    if let Err(error) = measure_queue(&service.school).await {
        tracing::warn!(code = error.code.as_str(), "the queue could not be measured: {error}");
    }
    ([(header::CONTENT_TYPE, METRICS_TEXT)], service.metrics.render()).into_response()
}
