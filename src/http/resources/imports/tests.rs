use axum::Router;
use axum::body::Body;
use axum::routing::post;

use super::*;
use crate::http::testing::{answer, form, service};

const ROSTER: &str = "class,section,name,roll_no,prn,email,consent\nCSE,A,Ann Lee,7,P7,,yes\nCSE,A,Bob Ray,8,P8,,\n";

async fn routes() -> (Router, tempfile::TempDir) {
    let (service, folder) = service().await;
    (Router::new().route("/roster/imports", post(import_roster)).with_state(service), folder)
}

fn csv(path: &str, text: &str) -> Request {
    Request::post(path).header("content-type", "text/csv; charset=utf-8").body(Body::from(text.to_owned())).unwrap()
}

#[tokio::test]
async fn a_preview_changes_nothing_and_an_import_what_was_previewed() {
    let (routes, _folder) = routes().await;
    let (status, preview) = answer(&routes, csv("/roster/imports", ROSTER)).await;
    assert_eq!((status.as_u16(), preview["applied"].as_bool()), (200, Some(false)), "{preview}");
    let term = &preview["terms"][0];
    assert_eq!(
        (term["classes_added"][0].as_str(), term["members_added"][1]["roll_no"].as_str()),
        (Some("CSE-A"), Some("8"))
    );
    assert_eq!(
        (&term["students_added"][0]["consent"], &term["students_added"][1]["consent"]),
        (&"given".into(), &"unknown".into())
    );
    let (_, applied) =
        answer(&routes, form("/roster/imports?mode=apply", &[("file", "roster.csv", ROSTER.as_bytes())])).await;
    assert_eq!(applied["applied"], true);
    assert_eq!(applied["terms"], preview["terms"], "the preview has changed nothing");
    let (_, again) = answer(&routes, csv("/roster/imports?mode=apply", ROSTER)).await;
    assert_eq!(
        (again["terms"][0]["unchanged"].as_u64(), again["terms"][0]["members_added"].as_array().unwrap().len()),
        (Some(2), 0)
    );
}

#[tokio::test]
async fn rows_that_cannot_be_used_are_named() {
    let (routes, _folder) = routes().await;
    let (status, problem) = answer(&routes, csv("/roster/imports?mode=apply", &ROSTER.replace("P8", ""))).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("INVALID_TABLE")), "{problem}");
    assert_eq!(problem["errors"][0]["item"], "line 3, prn");
    let json =
        Request::post("/roster/imports").header("content-type", "application/json").body(Body::from("{}")).unwrap();
    assert_eq!(answer(&routes, json).await.0.as_u16(), 415);
}
