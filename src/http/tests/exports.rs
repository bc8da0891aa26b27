//! Exports over the wire, with a worker beside the server; and waiting for jobs.

use std::sync::Arc;

use reqwest::Response;
use serde_json::{Value, json};

use super::server::{TestServer, problem};
use crate::db::audit::{self, AuditFilter};
use crate::db::page::Page;
use crate::db::testing;
use crate::domain::access::{ActorKind, Role, Scope};
use crate::domain::ids::ClassId;
use crate::storage::testing::{public_store, s3_server};

struct Scene {
    server: TestServer,
    class: ClassId,
    session: i64,
    /// Of a teacher of the class, and of one of another.
    token: String,
    foreign: String,
}

impl Scene {
    async fn of(server: TestServer) -> Self {
        let made = server.school.change(|conn| Ok((testing::school(conn)?, testing::class(conn, "10")?)));
        let (school, other) = made.await.unwrap();
        let token = server.user("teacher", Role::Teacher, &[school.class]).await;
        let foreign = server.user("another", Role::Teacher, &[other]).await;
        Self { server, class: school.class, session: school.session.0, token, foreign }
    }

    fn register(&self) -> Value {
        json!({ "what": "register", "class_id": self.class.0, "from": "2025-09-01", "to": "2025-09-30", "format": "csv" })
    }

    async fn ask(&self, query: &str, token: &str, body: &Value) -> Response {
        let request = self.server.post(&format!("/api/v1/exports{query}")).bearer_auth(token);
        request.json(body).send().await.unwrap()
    }

    async fn get(&self, path: &str, token: &str) -> Response {
        self.server.get(&format!("/api/v1{path}")).bearer_auth(token).send().await.unwrap()
    }
}

#[tokio::test]
async fn a_register_is_made_and_fetched_by_its_link() {
    let scene = Scene::of(TestServer::start().await.with_worker()).await;
    let answer = scene.ask("?wait=60", &scene.token, &scene.register()).await;
    assert_eq!(answer.status(), 200);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let made: Value = answer.json().await.unwrap();
    let id = made["id"].as_i64().unwrap();
    assert_eq!((location, &made["state"]), (format!("/api/v1/jobs/{id}"), &json!("done")));
    assert_eq!((&made["link"], &made["file"]), (&Value::Null, &json!(format!("/api/v1/exports/{id}/file"))));
    let job: Value = scene.get(&format!("/jobs/{id}"), &scene.token).await.json().await.unwrap();
    assert_eq!((&job["kind"], &job["class_id"]), (&json!("export"), &json!(scene.class.0)));
    let named = json!({ "export_id": id, "file_name": made["file_name"], "bytes": made["bytes"] });
    assert_eq!(job["result"], named);

    let export: Value = scene.get(&format!("/exports/{id}"), &scene.token).await.json().await.unwrap();
    let link = export["link"].as_str().unwrap();
    let file = scene.server.get(link).send().await.unwrap();
    assert_eq!(
        (file.status().as_u16(), &file.headers()["content-type"]),
        (200, &"text/csv; charset=utf-8".parse().unwrap())
    );
    let named = format!("inline; filename=\"class-{}_2025-09-01_2025-09-30.csv\"", scene.class.0);
    assert_eq!(file.headers()["content-disposition"].to_str().unwrap(), named);
    let tag = file.headers()["etag"].clone();
    let bytes = file.bytes().await.unwrap();
    assert_eq!(bytes.len() as u64, export["bytes"].as_u64().unwrap());
    let with = |name: &str, value: &str| scene.server.get(link).header(name, value).send();
    let part = with("range", "bytes=3-8").await.unwrap();
    assert_eq!((part.status().as_u16(), &part.bytes().await.unwrap()[..]), (206, &bytes[3..9]));
    assert_eq!(with("if-none-match", tag.to_str().unwrap()).await.unwrap().status(), 304);
    assert_eq!(with("range", "bytes=999999-").await.unwrap().status(), 416);
    let other = link.replace(&format!("/{id}/"), &format!("/{}/", id + 1));
    assert_eq!(problem(scene.server.get(&other).send().await.unwrap()).await, (403, "FORBIDDEN".into()));

    let school = scene.server.school.clone();
    let lines = school.read(|conn| Ok(audit::list(conn, &AuditFilter::default(), Page::first(50))?)).await.unwrap();
    let by_link: Vec<&str> =
        lines.rows.iter().filter(|line| line.actor_kind == ActorKind::Link).map(|line| line.action.as_str()).collect();
    assert!(by_link.contains(&"get_export_file"), "{by_link:?}");
    assert!(lines.rows.iter().any(|line| line.action == "get_export" && line.object_id == Some(id)));
}

#[tokio::test]
async fn a_register_as_csv_comes_as_it_is_read_and_a_workbook_whole() {
    let scene = Scene::of(TestServer::start().await.with_worker()).await;
    let register = format!("/classes/{}/register?from=2025-09-01&to=2025-09-30", scene.class.0);
    let csv = scene.get(&format!("{register}&format=csv"), &scene.token).await;
    assert_eq!((csv.status().as_u16(), csv.content_length()), (200, None), "nobody knows its length when it begins");
    let named = format!("attachment; filename=\"class-{}_2025-09-01_2025-09-30.csv\"", scene.class.0);
    assert_eq!(csv.headers()["content-disposition"].to_str().unwrap(), named);
    let made: Value = scene.ask("?wait=60", &scene.token, &scene.register()).await.json().await.unwrap();
    let stored = scene.get(&format!("/exports/{}/file", made["id"]), &scene.token).await;
    assert_eq!(csv.text().await.unwrap(), stored.text().await.unwrap());
    let xlsx = scene.get(&register, &scene.token).await;
    assert!(xlsx.content_length().is_some_and(|length| length > 0));
    let backwards = format!("/classes/{}/register?from=2025-09-30&to=2025-09-01&format=csv", scene.class.0);
    assert_eq!(problem(scene.get(&backwards, &scene.token).await).await, (400, "INVALID_REQUEST".into()));
}

#[tokio::test]
async fn exports_are_for_those_who_may_see_the_class() {
    let scene = Scene::of(TestServer::start().await.with_worker()).await;
    let session = json!({ "what": "session", "session_id": scene.session });
    for body in [&scene.register(), &session] {
        assert_eq!(problem(scene.ask("", &scene.foreign, body).await).await, (403, "FORBIDDEN".into()));
    }
    let viewer = scene.server.user("viewer", Role::Viewer, &[]).await;
    let made: Value = scene.ask("?wait=60", &viewer, &session).await.json().await.unwrap();
    assert_eq!((&made["state"], &made["what"]), (&json!("done"), &json!("session")));
    for path in ["", "/file"] {
        let path = format!("/exports/{}{path}", made["id"]);
        assert_eq!(problem(scene.get(&path, &scene.foreign).await).await, (403, "FORBIDDEN".into()));
        assert_eq!(scene.get(&path, &scene.token).await.status(), 200, "a teacher of the class");
    }
    let listed: Value = scene.get("/jobs?kind=export", &scene.token).await.json().await.unwrap();
    assert_eq!(listed["items"][0]["id"], made["id"]);
    let none: Value = scene.get("/jobs?kind=export", &scene.foreign).await.json().await.unwrap();
    assert_eq!(none["total"], 0);
}

#[tokio::test]
async fn an_export_that_waits_has_no_file_and_wrong_ones_are_refused() {
    let scene = Scene::of(TestServer::start().await).await;
    let answer = scene.ask("?wait=1", &scene.token, &scene.register()).await;
    assert_eq!(answer.status(), 202);
    let export: Value = answer.json().await.unwrap();
    assert_eq!((&export["state"], &export["file"]), (&json!("queued"), &Value::Null));
    let path = format!("/exports/{}", export["id"]);
    let told: Value = scene.get(&path, &scene.token).await.json().await.unwrap();
    assert_eq!(told, export);
    assert_eq!(problem(scene.get(&format!("{path}/file"), &scene.token).await).await, (409, "EXPORT_NOT_READY".into()));
    let machine = scene.server.token(&[Scope::Attendance]).await;
    assert_eq!(problem(scene.get("/exports/404", &machine).await).await, (404, "EXPORT_NOT_FOUND".into()));
    for (body, expected) in [
        (json!({ "what": "session", "session_id": 404 }), (404, "SESSION_NOT_FOUND")),
        (
            json!({ "what": "workbook", "class_id": 1, "from": "2025-09-02", "to": "2025-09-01" }),
            (400, "INVALID_REQUEST"),
        ),
        (json!({ "what": "session", "session_id": scene.session, "colour": "red" }), (422, "INVALID_REQUEST")),
        (
            json!({ "what": "session", "session_id": scene.session, "format": "csv", "evidence": true }),
            (400, "INVALID_REQUEST"),
        ),
        (
            json!({ "what": "session", "session_id": scene.session, "evidence": false, "strangers": true }),
            (400, "INVALID_REQUEST"),
        ),
    ] {
        let (status, code) = problem(scene.ask("", &machine, &body).await).await;
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
}

#[tokio::test]
async fn a_link_leads_into_the_bucket_where_clients_reach_it() {
    let store = Arc::new(public_store(s3_server::Server::shared()));
    let scene = Scene::of(TestServer::on(|_| {}, Some(store)).await.with_worker()).await;
    let made: Value = scene.ask("?wait=60", &scene.token, &scene.register()).await.json().await.unwrap();
    let export: Value = scene.get(&format!("/exports/{}", made["id"]), &scene.token).await.json().await.unwrap();
    let link = export["link"].as_str().unwrap();
    assert!(link.starts_with("http://localhost:"), "{link}");
    let file = reqwest::get(link).await.unwrap();
    assert_eq!((file.status().as_u16(), file.content_length()), (200, export["bytes"].as_u64()));
    let by_us = scene.get(&format!("/exports/{}/file", made["id"]), &scene.token).await;
    assert_eq!(by_us.bytes().await.unwrap(), file.bytes().await.unwrap());
}

#[tokio::test]
async fn whoever_waits_for_a_job_is_answered_when_it_ends() {
    let scene = Scene::of(TestServer::start().await).await;
    let export: Value = scene.ask("", &scene.token, &scene.register()).await.json().await.unwrap();
    let path = format!("/jobs/{}", export["id"]);
    let waiting: Value = scene.get(&format!("{path}?wait=1"), &scene.token).await.json().await.unwrap();
    assert_eq!(waiting["state"], "queued");
    let patient = format!("{path}?wait=300");
    let (ended, cancelled) = tokio::join!(scene.get(&patient, &scene.token), async {
        scene.server.post(&format!("/api/v1{path}/cancel")).bearer_auth(&scene.token).send().await.unwrap()
    });
    assert_eq!(cancelled.status(), 200);
    assert_eq!(ended.json::<Value>().await.unwrap()["state"], "cancelled");
}
