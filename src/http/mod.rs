//! The REST service: the school's data and the recogniser for programs and people in other places.
//!
//! Handlers translate: a request into a call of `app`, what comes back into JSON. Every change goes through `app`; what is only
//! read may come from `db`. Who may do what stands in `table`, how errors look in `problem`. Called by `cli`.

mod client;
mod download;
mod extract;
mod face;
mod gate;
mod health;
mod idempotency;
mod observe;
mod openapi;
mod page;
mod pictures;
mod problem;
mod rate;
mod reach;
mod resources;
mod service;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod ui;
mod unread;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, Method};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::Utc;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::auth::{self, Keys};
use crate::app::error::{Code, Error};
use crate::app::{Recogniser, School, audit, idempotency as answers};
use crate::queue::Stop;
pub use health::HealthServer;
use problem::Problem;
use resources::model::get_health;
use service::Service;

/// How often what is over is deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// A service that listens but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
    school: School,
    stop: Stop,
}

impl Server {
    /// Listens at the address of the settings.
    ///
    /// # Errors
    /// `INVALID_SETTINGS` when the address cannot be listened at, or an origin is none.
    pub async fn bind(school: School, recogniser: Recogniser, keys: Keys, stop: Stop) -> Result<Self, Error> {
        let listener = listen_at(school.config().server.listen).await?;
        let service = Service::start(school.clone(), recogniser, keys, stop.clone()).await;
        Ok(Self { listener, router: router(service)?, school, stop })
    }

    /// Where it listens; tells the port when the settings say 0.
    ///
    /// # Errors
    /// `PROCESSING_ERROR` when the system does not know.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        address_of(&self.listener)
    }

    /// Answers until the stop; requests in flight are finished, for as long as the settings let them.
    ///
    /// # Errors
    /// `PROCESSING_ERROR` when the system takes the listener away.
    pub async fn run(self) -> Result<(), Error> {
        let (stop, ended) = (self.stop.clone(), self.stop.clone());
        let make = self.router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(self.listener, make).with_graceful_shutdown(async move { stop.wait().await });
        let grace = Duration::from_secs(self.school.config().server.stop_grace_secs.into());
        let overdue = async move {
            ended.wait().await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            () = sweep(self.school) => Ok(()),
            served = serving => served.map_err(|e| Error::new(Code::ProcessingError, format!("serving ended: {e}"))),
            () = overdue => {
                tracing::warn!("requests still in flight after {} s were cut off", grace.as_secs());
                Ok(())
            }
        }
    }
}

async fn listen_at(address: SocketAddr) -> Result<TcpListener, Error> {
    let cannot = |e| Error::new(Code::InvalidSettings, format!("cannot listen at {address}: {e}"));
    TcpListener::bind(address).await.map_err(cannot)
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|e| Error::new(Code::ProcessingError, format!("no address: {e}")))
}

/// Deletes tokens, stored answers and lines of the audit log that are over, for as long as the server lives.
async fn sweep(school: School) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let now = Utc::now();
        let swept = [
            ("tokens", auth::prune(&school, now).await),
            ("answers", answers::prune(&school, now).await),
            ("lines of the audit log", audit::prune(&school, now).await),
        ];
        for (what, swept) in swept {
            match swept {
                Ok(rows) => tracing::debug!(rows, what, "old rows deleted"),
                Err(error) => tracing::warn!(code = error.code.as_str(), "old rows could not be deleted: {error}"),
            }
        }
    }
}

/// Everything that is answered.
fn router(service: Service) -> Result<Router, Error> {
    let (api, described) = table::build(&service);
    let document = openapi::document(described);
    let cors = cors(&service)?;
    Ok(Router::new()
        .merge(api)
        .merge(health::routes())
        .route("/health", get(get_health))
        .merge(openapi::routes(document))
        .merge(ui::routes())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CompressionLayer::new().gzip(true))
        .layer(cors)
        .layer(header("x-content-type-options", "nosniff"))
        .layer(header("referrer-policy", "no-referrer"))
        .layer(header("cache-control", "no-store"))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(observe::observe))
        .layer(from_fn(unread::read_the_rest))
        .with_state(service))
}

/// A header for every answer that does not say otherwise.
fn header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// Other origins only where the settings name them. Tokens travel in headers, so nothing needs cookies of other origins.
fn cors(service: &Service) -> Result<CorsLayer, Error> {
    let origins = &service.config().server.cors_origins;
    let bad =
        |origin: &String| Error::new(Code::InvalidSettings, format!("server.cors_origins: {origin:?} is no origin"));
    let origins: Vec<HeaderValue> = origins.iter().map(|o| o.parse().map_err(|_| bad(o))).collect::<Result<_, _>>()?;
    let ours = ["x-api-key", "idempotency-key", "x-request-id", "last-event-id"].map(HeaderName::from_static);
    let standard =
        [header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH, header::RANGE];
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(standard.into_iter().chain(ours).collect::<Vec<_>>())
        .expose_headers([header::ETAG, header::LOCATION, header::RETRY_AFTER, observe::REQUEST_ID])
        .max_age(Duration::from_secs(3600)))
}

async fn no_route(request: Request) -> Problem {
    Problem::new(Code::RouteNotFound, format!("there is nothing at {}", request.uri().path()))
}

async fn no_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(Code::MethodNotAllowed, format!("{path} does not know {method}"))
}

/// A bug ends one request, not the server.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    tracing::error!(panic = text.unwrap_or_default(), "a handler panicked");
    Problem::new(Code::ProcessingError, "something went wrong inside; it was written to the log").into_response()
}
