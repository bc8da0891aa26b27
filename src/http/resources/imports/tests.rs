use axum::body::Body;
use axum::routing::post;
use axum::{Extension, Router};

use super::*;
use crate::app::work::{Shift, work};
use crate::domain::access::{Actor, Caller, Reach, Role};
use crate::domain::ids::UserId;
use crate::http::testing::{answer, demo, form, service};
use crate::queue::{JobId, Stop};

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

#[tokio::test]
async fn an_archive_is_a_job_that_can_be_waited_for() {
    let (service, _folder) = service().await;
    let routes = Router::new()
        .route("/roster/imports", post(import_roster))
        .route("/enrolments", post(import_enrolments))
        .layer(Extension(Who { caller: admin() }))
        .with_state(service.clone());
    let roster = "class,section,name,roll_no,prn,email,consent\nCSE,A,Ananya Foxglove,CSE-A-03,P3,,yes\n";
    answer(&routes, csv("/roster/imports?mode=apply", roster)).await;
    let face = demo("dataset/Ananya_Foxglove_CSE-A-03/face.jpg");
    let archive =
        zipped(&[("Ananya_Foxglove_CSE-A-03/face.jpg", &face), ("Ananya_Foxglove_CSE-A-03/text.jpg", b"no picture")]);
    let send = |query: &str| form(&format!("/enrolments?class_id=1{query}"), &[("file", "portraits.zip", &archive)]);
    let (status, waiting) = answer(&routes, send("")).await;
    assert_eq!(
        (status.as_u16(), waiting["state"].as_str(), waiting["kind"].as_str()),
        (202, Some("queued"), Some("enrolment"))
    );

    let stop = Stop::default();
    let worker = async {
        work(&service.school, &service.recogniser, Shift::Endless, &stop, &mut |_| {}).await.unwrap();
    };
    let waits = async {
        // The one that was sent first is done first.
        let (status, again) = answer(&routes, send("&wait=300")).await;
        stop.now();
        (status, again)
    };
    let ((), (status, again)) = tokio::join!(worker, waits);
    assert_eq!((status.as_u16(), again["photos"][0]["status"].as_str()), (200, Some("known")), "{again}");
    assert_eq!(again["photos"][1]["error"]["code"], "UNSUPPORTED_FORMAT", "{again}");
    let job = jobs::get(&service.school, JobId(waiting["id"].as_i64().unwrap())).await.unwrap();
    let told = serde_json::to_value(JobResponse::from(job)).unwrap();
    assert_eq!(told["result"]["photos"][0]["status"], "enrolled");
    assert!(told["result"]["photos"][0]["sample_id"].is_i64(), "{told}");
    let (status, none) = answer(&routes, form("/enrolments?class_id=1", &[("file", "a.zip", &zipped(&[]))])).await;
    assert_eq!((status.as_u16(), none["code"].as_str()), (400, Some("INVALID_REQUEST")), "{none}");
}

fn admin() -> Caller {
    Caller { actor: Actor::user(UserId(1), "ann"), role: Role::Admin, scopes: Vec::new(), reach: Reach::All }
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
