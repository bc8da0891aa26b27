//! What is known of every request: its id, a log line, figures for `/metrics`.
//!
//! Outermost of all layers. Logs hold method, route, status, time and ids; never a query, a header or a name.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::telemetry::metric;

/// Comes with a request, or is made; goes back with the answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id taken over from a client or proxy.
const MAX_ID_LENGTH: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// Id of the request that this task answers; empty outside of one.
pub(super) fn request_id() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// The same work for the same request, in a task of its own.
pub(super) fn for_this_request<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    CURRENT.scope(request_id(), work).in_current_span()
}

/// Gives a request its id, and notes how it went.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = id_of(&request).unwrap_or_else(fresh_id);
    let method = request.method().clone();
    // The route, not the path: paths hold ids, and there are too many of them to count.
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let mut response = CURRENT.scope(id.clone(), next.run(request)).await;
    let (status, secs) = (response.status().as_u16(), start.elapsed().as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    tracing::info!(request_id = id, %method, route, status, ms = (secs * 1000.0).round() as u64, "request");
    let labels = [("method", method.to_string()), ("route", route), ("status", status.to_string())];
    metrics::counter!(metric::REQUESTS, &labels).increment(1);
    metrics::histogram!(metric::REQUEST_SECONDS, &labels[..2]).record(secs);
    response
}

/// A client's own id, if it is harmless to print.
fn id_of(request: &Request) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    (!id.is_empty() && id.len() <= MAX_ID_LENGTH && id.chars().all(plain)).then(|| id.to_owned())
}

/// 128 random bits.
fn fresh_id() -> String {
    let mut bytes = [0; 16];
    // Without random numbers an id is still needed: requests are then told apart by their time alone.
    if getrandom::fill(&mut bytes).is_err() {
        bytes = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos()).to_le_bytes();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
