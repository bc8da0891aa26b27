//! `Idempotency-Key`: a POST that comes twice, because an answer was lost on its way, is done once.
//!
//! The key belongs to its caller and to one request: the same key with another address or body is refused. Answers of 400 and
//! more that may change by waiting are not kept, so that the same request can be sent again; of forms, only what was done.

use std::panic::{AssertUnwindSafe, resume_unwind};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use futures_util::FutureExt as _;
use http_body_util::BodyExt;

use super::extract::header_text;
use super::observe;
use super::problem::Problem;
use super::service::Service;
use crate::app::School;
use crate::app::error::Code;
use crate::app::idempotency::{self, Begun, Claim, StoredAnswer};
use crate::domain::access::Caller;

pub(super) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is a stored one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Headers of an answer that are kept beside its body.
const KEPT_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// Runs the handler, once for each key.
pub(super) async fn once(
    service: &Service,
    caller: Option<&Caller>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (Some(key), Some(caller)) = (key_of(&request)?, caller) else { return Ok(next.run(request).await) };
    let max_bytes = service.config().server.max_upload_mb as usize * 1024 * 1024;
    let (request, fingerprint) = fingerprint(request, max_bytes).await?;
    let school = &service.school;
    let claim = match idempotency::begin(school, caller, &key, fingerprint, Utc::now()).await? {
        Begun::Fresh(claim) => claim,
        Begun::Replay(stored) => return Ok(replay(stored)),
        Begun::InProgress => {
            let text = "a request with this Idempotency-Key is being worked on";
            return Err(Problem::new(Code::IdempotencyConflict, text).retry_after(1));
        }
        Begun::Mismatch => {
            let text = "this Idempotency-Key was used for another request";
            return Err(Problem::with_status(StatusCode::UNPROCESSABLE_ENTITY, Code::IdempotencyConflict, text));
        }
    };
    // Goes on when its client has gone away or was told to come again: what is done then has its answer under the key, and what
    // is not done has let go of it.
    let work = under_claim(school.clone(), claim, request, next);
    match tokio::spawn(observe::for_this_request(work)).await {
        Ok(answer) => answer,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(Problem::new(Code::Busy, "the server is stopping").retry_after(2)),
        },
    }
}

async fn under_claim(school: School, claim: Claim, request: Request, next: Next) -> Result<Response, Problem> {
    let is_whole = is_json(request.headers());
    let response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            idempotency::abandon(&school, claim).await?;
            resume_unwind(panic);
        }
    };
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(|whole| whole.to_bytes()).unwrap_or_default();
    // A form may be refused because its end got lost on the way.
    if is_lasting(parts.status) && (is_whole || parts.status.is_success()) {
        let stored = StoredAnswer { status: parts.status.as_u16(), headers: kept(&parts.headers), body: body.to_vec() };
        idempotency::complete(&school, claim, stored).await?;
    } else {
        idempotency::abandon(&school, claim).await?;
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn key_of(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(KEY).filter(|_| request.method() == Method::POST) else { return Ok(None) };
    let unprintable = |_| Problem::new(Code::InvalidRequest, "Idempotency-Key must be visible characters");
    value.to_str().map(|key| Some(key.to_owned())).map_err(unprintable)
}

/// What a key stands for: method, address and, unless it is a form of files, the body. How large it may be is also held by the
/// handler's own limit.
async fn fingerprint(request: Request, max_bytes: usize) -> Result<(Request, String), Problem> {
    let (parts, body) = request.into_parts();
    let (hashed, body) = if is_json(&parts.headers) {
        let read = axum::body::to_bytes(body, max_bytes).await;
        let bytes: Bytes = read.map_err(|_| Problem::new(Code::RequestTooLarge, "the body is too large"))?;
        (bytes.clone(), Body::from(bytes))
    } else {
        (Bytes::new(), body)
    };
    let (method, uri) = (parts.method.as_str(), parts.uri.to_string());
    let fingerprint = idempotency::fingerprint(&[method.as_bytes(), uri.as_bytes(), &hashed]);
    Ok((Request::from_parts(parts, body), fingerprint))
}

fn is_json(headers: &HeaderMap) -> bool {
    header_text(headers, header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"))
}

/// Whether the same request would be answered the same tomorrow.
fn is_lasting(status: StatusCode) -> bool {
    let passing = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT];
    !status.is_server_error() && !passing.contains(&status)
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = KEPT_HEADERS.iter().filter_map(|name| Some((name.to_string(), header_text(headers, name)?.to_owned())));
    kept.collect()
}

fn replay(stored: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let mut response = (status, stored.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in stored.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
