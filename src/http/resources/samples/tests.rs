use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::Request;
use axum::routing::{delete, get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::app::roster::{self, StudentEntry};
use crate::domain::status::Consent;
use crate::http::testing::{answer, demo, form, json as json_request, service};

const FACE: &str = "dataset/Ananya_Foxglove_CSE-A-03/face.jpg";

async fn routes(consent: Consent) -> (Router, String, tempfile::TempDir) {
    let (service, folder) = service().await;
    let entry = StudentEntry { prn: "P1".into(), name: "Ananya Foxglove".into(), email: None, consent };
    let student = roster::create_student(&service.school, entry).await.unwrap().id.0;
    let routes = Router::new()
        .route("/students/{student_id}/samples", get(list_samples))
        .route("/students/{student_id}/samples", post(add_samples))
        .route("/samples/{sample_id}", delete(delete_sample))
        .route("/samples/{sample_id}/image", get(get_sample_image))
        .layer(DefaultBodyLimit::max(64 << 20))
        .with_state(service);
    (routes, format!("/students/{student}/samples"), folder)
}

async fn listed(routes: &Router, path: &str) -> Vec<serde_json::Value> {
    let (_, list) = answer(routes, Request::get(path).body(Body::empty()).unwrap()).await;
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn pictures_are_taken_one_by_one_and_a_bad_one_spoils_no_other() {
    let (routes, path, _folder) = routes(Consent::Given).await;
    let (good, two) = (demo(FACE), demo("bad_portraits/two_faces.jpg"));
    let files: [(&str, &str, &[u8]); 3] =
        [("photos", "good.jpg", &good), ("photos", "two.jpg", &two), ("photos", "x.txt", b"no")];
    let (status, dry) = answer(&routes, form(&format!("{path}?dry_run=true"), &files)).await;
    assert_eq!((status.as_u16(), dry["photos"][0]["status"].as_str()), (200, Some("enrolled")), "{dry}");
    assert!(listed(&routes, &path).await.is_empty());
    let (status, added) = answer(&routes, form(&path, &files)).await;
    assert_eq!(status.as_u16(), 201, "{added}");
    let states: Vec<&str> = added["photos"].as_array().unwrap().iter().map(|p| p["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["enrolled", "refused", "refused"]);
    assert_eq!(added["photos"][1]["error"]["code"], "MULTIPLE_FACES_DETECTED");
    let body = json!({ "photos": [STANDARD.encode(&good)] });
    let (status, again) = answer(&routes, json_request(&path, &body)).await;
    assert_eq!((status.as_u16(), again["photos"][0]["status"].as_str()), (200, Some("known")), "{again}");
    let samples = listed(&routes, &path).await;
    assert_eq!((samples.len(), &samples[0]["id"]), (1, &added["photos"][0]["sample_id"]));
    let image = Request::get(format!("/samples/{}/image", samples[0]["id"])).body(Body::empty()).unwrap();
    assert_eq!(answer(&routes, image).await.0.as_u16(), 200);
    let gone = Request::delete(format!("/samples/{}", samples[0]["id"])).body(Body::empty()).unwrap();
    assert_eq!(answer(&routes, gone).await.0.as_u16(), 204);
    assert!(listed(&routes, &path).await.is_empty());
}

#[tokio::test]
async fn nothing_taken_is_a_problem_with_every_item() {
    let (routes, path, _folder) = routes(Consent::Given).await;
    let body = json!({ "photos": [STANDARD.encode(demo("bad_portraits/blurred.jpg")), "!"] });
    let (status, problem) = answer(&routes, json_request(&path, &body)).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("LOW_QUALITY")), "{problem}");
    assert_eq!(problem["errors"][1]["item"], "photos[1]");
    assert_eq!(problem["errors"][1]["code"], "INVALID_IMAGE");
    let (status, _) = answer(&routes, json_request(&path, &json!({ "photos": [] }))).await;
    assert_eq!(status.as_u16(), 400);
    let (status, _) = answer(&routes, json_request("/students/404/samples", &body)).await;
    assert_eq!(status.as_u16(), 404);
}

#[tokio::test]
async fn without_consent_no_picture_is_looked_at() {
    let (routes, path, _folder) = routes(Consent::Unknown).await;
    let (status, problem) = answer(&routes, form(&path, &[("photos", "a.jpg", b"not even a picture")])).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("CONSENT_REQUIRED")), "{problem}");
}
