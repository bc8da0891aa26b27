//! A pilot over the wire: begun by an administrator, compared by a teacher of the class.

use reqwest::Response;
use serde_json::{Value, json};

use super::server::{TestServer, problem};
use crate::db::audit::{self, AuditFilter};
use crate::db::page::Page;
use crate::db::testing;
use crate::domain::access::Role;
use crate::domain::ids::ClassId;

struct Scene {
    server: TestServer,
    class: ClassId,
    admin: String,
    teacher: String,
    foreign: String,
}

impl Scene {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let made = server.school.change(|conn| Ok((testing::school(conn)?, testing::class(conn, "10")?)));
        let (school, other) = made.await.unwrap();
        let admin = server.user("admin", Role::Admin, &[]).await;
        let teacher = server.user("teacher", Role::Teacher, &[school.class]).await;
        let foreign = server.user("another", Role::Teacher, &[other]).await;
        Self { server, class: school.class, admin, teacher, foreign }
    }

    async fn change(&self, token: &str, body: &Value) -> Response {
        let path = format!("/api/v1/classes/{}", self.class.0);
        self.server.request("PATCH", &path).bearer_auth(token).json(body).send().await.unwrap()
    }

    async fn session(&self, starts_at: &str) -> Value {
        let body = json!({ "class_id": self.class.0, "starts_at": starts_at });
        let request = self.server.post("/api/v1/sessions").bearer_auth(&self.teacher).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn compare(&self, token: &str, query: &str, register: &'static str) -> Response {
        let path = format!("/api/v1/classes/{}/pilot-comparison{query}", self.class.0);
        let request = self.server.post(&path).bearer_auth(token).header("content-type", "text/csv");
        request.body(register).send().await.unwrap()
    }
}

#[tokio::test]
async fn an_administrator_begins_a_pilot_and_sessions_made_then_say_so() {
    let scene = Scene::start().await;
    assert_eq!(scene.change(&scene.teacher, &json!({ "pilot": true })).await.status(), 403);
    let begun: Value = scene.change(&scene.admin, &json!({ "pilot": true })).await.json().await.unwrap();
    assert!(begun["pilot_since"].is_string(), "{begun}");
    let same: Value = scene.change(&scene.admin, &json!({})).await.json().await.unwrap();
    assert_eq!(same, begun);
    let session = scene.session("2025-09-02T03:30:00Z").await;
    assert_eq!(session["pilot"], true);
    let path = format!("/api/v1/sessions/{}/records", session["id"]);
    let records: Value =
        scene.server.get(&path).bearer_auth(&scene.teacher).send().await.unwrap().json().await.unwrap();
    assert_eq!(records["pilot"], true);
    let ended: Value = scene.change(&scene.admin, &json!({ "pilot": false })).await.json().await.unwrap();
    assert_eq!(ended["pilot_since"], Value::Null);
    assert_eq!(scene.session("2025-09-03T03:30:00Z").await["pilot"], false);
    assert_eq!(scene.session("2025-09-02T03:30:00Z").await["pilot"], true, "it stays of the pilot");
    let filter = AuditFilter { action: Some("class.begin_pilot".into()), ..AuditFilter::default() };
    let lines = scene.server.school.read(move |conn| Ok(audit::list(conn, &filter, Page::first(9))?)).await.unwrap();
    assert_eq!((lines.total, lines.rows[0].actor.as_str()), (1, "admin"));
}

#[tokio::test]
async fn a_teacher_compares_the_pilot_of_their_class_as_json_or_workbook() {
    let scene = Scene::start().await;
    scene.change(&scene.admin, &json!({ "pilot": true })).await;
    scene.session("2025-09-02T03:30:00Z").await;
    let register = "date,roll_no,status\n2025-09-02,1,P\n2025-09-02,77,P\n2025-09-09,1,P\n";
    let answer = scene.compare(&scene.teacher, "?to=2025-09-08", register).await;
    assert_eq!(answer.status(), 200);
    let found: Value = answer.json().await.unwrap();
    assert_eq!(
        (&found["sessions"], &found["total"]["not_comparable"], &found["outside"]),
        (&json!(1), &json!(3), &json!(1))
    );
    assert_eq!(found["not_comparable"], json!([{ "reason": "no photo of the session was looked at", "records": 3 }]));
    assert_eq!((&found["left_out"][0]["line"], &found["verdict"]["readiness"]), (&json!(3), &json!("not_enough_yet")));
    assert_eq!(found["shares"]["agreement"], json!({ "count": 0, "of": 0, "share": null, "low": null, "high": null }));

    let workbook = scene.compare(&scene.teacher, "?format=xlsx", register).await;
    assert!(workbook.headers()["content-disposition"].to_str().unwrap().ends_with("_pilot.xlsx\""));
    assert!(workbook.bytes().await.unwrap().starts_with(b"PK"));

    assert_eq!(scene.compare(&scene.foreign, "", register).await.status(), 403);
    let refused = scene.compare(&scene.teacher, "", "roll_no,name\n1,Ann\n").await;
    assert_eq!(problem(refused).await, (422, "INVALID_TABLE".to_owned()));
    let backwards = scene.compare(&scene.teacher, "?from=2025-09-09&to=2025-09-08", register).await;
    assert_eq!(problem(backwards).await, (400, "INVALID_REQUEST".to_owned()));
}
