//! Whether a program lives, whether it can work, and its figures. For orchestrators and monitoring; nothing here names anybody.
//!
//! A server answers this beside everything else; a worker, which answers nothing else, has a [`HealthServer`] for it.

use std::net::SocketAddr;

use axum::extract::{FromRef, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use super::service::Service;
use super::{address_of, listen_at, no_method, no_route, observe};
use crate::app::error::Error;
use crate::app::readiness::{Probe, Readiness};
use crate::app::{Recogniser, School};
use crate::queue::Stop;
use crate::telemetry;

/// Prometheus' text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is asked about a program. Cheap to clone.
#[derive(Clone)]
pub(super) struct Health {
    probe: Probe,
    metrics: PrometheusHandle,
    stop: Stop,
}

impl FromRef<Service> for Health {
    fn from_ref(service: &Service) -> Self {
        Self { probe: service.probe.clone(), metrics: service.metrics.clone(), stop: service.stop.clone() }
    }
}

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S>
where
    Health: FromRef<S>,
{
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/metrics", get(figures))
}

/// The process answers.
async fn livez() -> &'static str {
    "ok\n"
}

/// Everything that the work needs is there, and it is not about to end.
async fn readyz(State(health): State<Health>) -> Response {
    let readiness: Readiness = health.probe.readiness().await;
    let ready = readiness.ready && !health.stop.requested();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

async fn figures(State(health): State<Health>) -> Response {
    // Without the database its figures stay as they were, and `/readyz` says why.
    if let Err(error) = health.probe.measure_queue().await {
        tracing::warn!(code = error.code.as_str(), "the queue could not be measured: {error}");
    }
    ([(header::CONTENT_TYPE, METRICS_TEXT)], health.metrics.render()).into_response()
}

/// The health of a worker, for those who look after it.
pub struct HealthServer {
    listener: TcpListener,
    health: Health,
}

impl HealthServer {
    /// Listens at `address`; begins to count, and has the nets look at a face once.
    ///
    /// # Errors
    /// `INVALID_SETTINGS` when the address cannot be listened at.
    pub async fn bind(address: SocketAddr, school: School, recogniser: &Recogniser, stop: Stop) -> Result<Self, Error> {
        let listener = listen_at(address).await?;
        let metrics = telemetry::metrics();
        let probe = Probe::start(&school, recogniser).await;
        Ok(Self { listener, health: Health { probe, metrics, stop } })
    }

    /// Where it listens; tells the port when it was asked for as 0.
    ///
    /// # Errors
    /// `PROCESSING_ERROR` when the system does not know.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        address_of(&self.listener)
    }

    /// Answers for as long as it is run: also after a stop, until the photos in hand are done.
    pub async fn run(self) {
        let routes = routes().fallback(no_route).method_not_allowed_fallback(no_method);
        let router: Router = routes.layer(from_fn(observe::observe)).with_state(self.health);
        if let Err(error) = axum::serve(self.listener, router).await {
            tracing::error!("health is not told any more: {error}");
        }
    }
}

impl std::fmt::Debug for HealthServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HealthServer").field("listener", &self.listener).finish_non_exhaustive()
    }
}
