//! Sheets over the wire: fetched, corrected, sent back.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::server::{TestServer, problem};
use crate::db::testing::{self, School};
use crate::domain::access::Role;

struct Scene {
    server: TestServer,
    made: School,
    teacher: String,
}

impl Scene {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let made = server.school.change(|conn| Ok(testing::school(conn)?)).await.unwrap();
        let teacher = server.user("teacher", Role::Teacher, &[made.class]).await;
        Self { server, made, teacher }
    }

    async fn sheet(&self, query: &str) -> reqwest::Response {
        let path = format!("/api/v1/sessions/{}/sheet?{query}", self.made.session.0);
        self.server.get(&path).bearer_auth(&self.teacher).send().await.unwrap()
    }

    async fn send_back(&self, query: &str, name: &str, bytes: Vec<u8>) -> reqwest::Response {
        let path = format!("/api/v1/sessions/{}/sheet-import?{query}", self.made.session.0);
        let form = Form::new().part("file", Part::bytes(bytes).file_name(name.to_owned()));
        self.server.post(&path).bearer_auth(&self.teacher).multipart(form).send().await.unwrap()
    }
}

#[tokio::test]
async fn a_corrected_sheet_is_previewed_then_applied() {
    let scene = Scene::start().await;
    let csv = scene.sheet("format=csv").await.text().await.unwrap();
    let corrected = csv.replacen(",unmarked,?,", ",late,?,", 1);
    assert_ne!(csv, corrected);
    let preview = scene.send_back("", "session.csv", corrected.clone().into_bytes()).await;
    assert_eq!(preview.status(), 200);
    let member = scene.made.members[0].0;
    let change = |applied: bool| {
        json!({ "member_id": member, "roll_no": "1", "name": "Student P1", "from": { "status": "unmarked", "note": null },
            "to": { "status": "late", "note": null }, "conflict": null, "applied": applied })
    };
    let expected = |applied: bool| {
        json!({ "session_id": scene.made.session.0, "applied": applied, "changes": [change(applied)],
            "unchanged": 2, "problems": [] })
    };
    assert_eq!(preview.json::<Value>().await.unwrap(), expected(false));
    let applied = scene.send_back("mode=apply", "session.csv", corrected.clone().into_bytes()).await;
    assert_eq!(applied.json::<Value>().await.unwrap(), expected(true));

    let back = csv.replacen(",unmarked,?,", ",here,?,", 1).replacen(",unmarked,?,", ",excused,?,", 1);
    let told = scene.send_back("", "session.csv", back.into_bytes()).await.json::<Value>().await.unwrap();
    let unknown = json!({ "row": 2, "column": "status", "code": "UNKNOWN_STATUS",
        "detail": "`here` is no status; write one of P, A, L, E, ?" });
    assert_eq!((&told["problems"], told["changes"].as_array().unwrap().len()), (&json!([unknown]), 1));
    let conflicting = csv.replacen(",unmarked,?,", ",excused,?,", 1);
    let told = scene.send_back("", "session.csv", conflicting.into_bytes()).await.json::<Value>().await.unwrap();
    let conflict = &told["changes"][0]["conflict"];
    assert_eq!((&conflict["status"], &conflict["by"]), (&json!("late"), &json!("teacher")));
    assert!(conflict["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{conflict}");
}

#[tokio::test]
async fn a_workbook_comes_back_and_what_is_none_is_refused_by_code() {
    let scene = Scene::start().await;
    let fetched = scene.sheet("").await;
    assert_eq!(
        fetched.headers()["content-disposition"],
        format!("attachment; filename=\"session-{}.xlsx\"", scene.made.session.0)
    );
    let workbook = fetched.bytes().await.unwrap().to_vec();
    let told = scene.send_back("mode=apply&conflicts=overwrite", "session.xlsx", workbook.clone()).await;
    assert_eq!(told.json::<Value>().await.unwrap()["unchanged"], 3);
    let half = scene.send_back("", "session.xlsx", workbook[..workbook.len() / 2].to_vec()).await;
    assert_eq!(problem(half).await, (422, "INVALID_TABLE".into()));
    let other = scene.send_back("", "x.csv", b"roll_no,status\n1,late\n".to_vec()).await;
    assert_eq!(problem(other).await, (409, "WRONG_SHEET".into()));
    let large = scene.send_back("", "x.csv", vec![b'x'; 17 * 1024 * 1024]).await;
    assert_eq!(problem(large).await, (413, "REQUEST_TOO_LARGE".into()));
}

#[tokio::test]
async fn evidence_and_strangers_are_as_asked_and_moodle_has_its_form() {
    let scene = Scene::start().await;
    let pages = async |query: &str| {
        let bytes = scene.sheet(query).await.bytes().await.unwrap();
        let workbook: calamine::Xlsx<_> = calamine::Reader::new(std::io::Cursor::new(bytes.to_vec())).unwrap();
        calamine::Reader::sheet_names(&workbook)
    };
    assert_eq!(pages("evidence=false").await, ["Attendance"]);
    assert_eq!(pages("strangers=true").await, ["Attendance", "Evidence"]);
    let moodle = scene.sheet("format=moodle&identifier=email").await;
    assert!(moodle.headers()["content-disposition"].to_str().unwrap().contains("moodle-session-"));
    assert_eq!(moodle.text().await.unwrap(), "email,scantime,status,remarks\r\n", "nobody is decided yet");
    for refused in ["format=pdf", "identifier=prn", "format=csv&strangers=false", "evidence=false&strangers=true"] {
        assert_eq!(problem(scene.sheet(refused).await).await, (400, "INVALID_REQUEST".into()), "{refused}");
    }
    let class = scene.made.class;
    let pilot = scene.server.school.change(move |conn| {
        crate::db::classes::set_pilot(conn, class, Some(testing::at("2025-08-01 00:00:00")))?;
        Ok(crate::db::sessions::find_or_insert(conn, &testing::new_session(class, "2025-09-02 03:30:00"))?.id)
    });
    let path = format!("/api/v1/sessions/{}/sheet?format=moodle", pilot.await.unwrap().0);
    let refused = scene.server.get(&path).bearer_auth(&scene.teacher).send().await.unwrap();
    assert_eq!(problem(refused).await, (409, "PILOT_SESSION".into()));
}
