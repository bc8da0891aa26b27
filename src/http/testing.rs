//! A service for tests of single handlers: real school, real nets, no gate.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::service::Service;
use crate::app::School;
use crate::app::auth::Keys;
use crate::app::recogniser::testing::{settings, starter};
use crate::config::Config;
use crate::queue::Stop;

/// A service with an empty school, gone with the folder.
pub(super) async fn service() -> (Service, TempDir) {
    let folder = TempDir::new().unwrap();
    let config = Config { data_dir: folder.path().to_owned(), ..settings() };
    let school = School::create(&config).await.unwrap();
    let keys = Keys::of(&school).await.unwrap();
    (Service::start(school, starter().clone(), keys, Stop::default()).await, folder)
}

/// The answer to a request, as JSON.
pub(super) async fn answer(routes: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = routes.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let json = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into());
    (status, json)
}

/// A POST with a JSON body.
pub(super) fn json(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

/// A POST with a form of files: part, file name, bytes.
pub(super) fn form(path: &str, files: &[(&str, &str, &[u8])]) -> Request<Body> {
    let mut body = Vec::new();
    for (part, name, bytes) in files {
        let head = format!("content-disposition: form-data; name=\"{part}\"; filename=\"{name}\"");
        body.extend_from_slice(format!("--BOUNDARY\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--BOUNDARY--\r\n");
    let request = Request::post(path).header("content-type", "multipart/form-data; boundary=BOUNDARY");
    request.body(Body::from(body)).unwrap()
}

/// A file of the demo school.
pub(super) fn demo(path: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dataset/demo").join(path)).unwrap()
}
