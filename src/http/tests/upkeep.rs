//! What an administrator puts in order: names of classes and subjects, and what room is left.

use reqwest::Response;
use serde_json::{Value, json};

use super::server::{TestServer, problem};
use crate::db::sessions::NewSession;
use crate::db::testing::{self, new_session};
use crate::db::{sessions, subjects};
use crate::domain::access::Role;

async fn send(server: &TestServer, token: &str, method: &str, path: &str, body: &Value) -> Response {
    server.request(method, &format!("/api/v1{path}")).bearer_auth(token).json(body).send().await.unwrap()
}

#[tokio::test]
async fn classes_are_renamed_and_deleted_while_they_are_empty() {
    let server = TestServer::start().await;
    let made = server.school.change(|conn| Ok((testing::school(conn)?.class, testing::class(conn, "typo")?)));
    let (used, typo) = made.await.unwrap();
    let admin = server.user("admin", Role::Admin, &[]).await;
    let teacher = server.user("teacher", Role::Teacher, &[used]).await;
    let path = format!("/classes/{}", used.0);

    let name = json!({ "name": "Ten", "section": "" });
    assert_eq!(send(&server, &teacher, "PATCH", &path, &name).await.status(), 403);
    let renamed: Value = send(&server, &admin, "PATCH", &path, &name).await.json().await.unwrap();
    assert_eq!((&renamed["name"], &renamed["section"]), (&"Ten".into(), &"".into()));
    let only_section: Value =
        send(&server, &admin, "PATCH", &path, &json!({ "section": "C" })).await.json().await.unwrap();
    assert_eq!((&only_section["name"], &only_section["section"]), (&"Ten".into(), &"C".into()));
    let taken = send(&server, &admin, "PATCH", &path, &json!({ "name": "typo", "section": "A" })).await;
    assert_eq!(problem(taken).await, (409, "ALREADY_EXISTS".into()));
    let nameless = send(&server, &admin, "PATCH", &path, &json!({ "name": " " })).await;
    assert_eq!(problem(nameless).await, (400, "INVALID_REQUEST".into()));

    assert_eq!(problem(send(&server, &admin, "DELETE", &path, &json!({})).await).await, (409, "IN_USE".into()));
    let typo = format!("/classes/{}", typo.0);
    assert_eq!(send(&server, &admin, "DELETE", &typo, &json!({})).await.status(), 204);
    assert_eq!(problem(send(&server, &admin, "GET", &typo, &json!({})).await).await, (404, "CLASS_NOT_FOUND".into()));
}

#[tokio::test]
async fn subjects_are_renamed_and_deleted_while_nothing_is_of_them() {
    let server = TestServer::start().await;
    let made = server.school.change(|conn| {
        let class = testing::class(conn, "9")?;
        let (maths, physics) =
            (subjects::find_or_insert(conn, "Mathematics")?, subjects::find_or_insert(conn, "Physics")?);
        let lesson = |subject_id, name: Option<&str>, starts_at| NewSession {
            subject_id,
            name: name.map(str::to_owned),
            ..new_session(class, starts_at)
        };
        let of_maths = sessions::find_or_insert(conn, &lesson(Some(maths.id), None, "2025-09-01 03:30:00"))?;
        let called = sessions::find_or_insert(conn, &lesson(None, Some("Algebra"), "2025-09-02 03:30:00"))?;
        Ok((maths.id, physics.id, of_maths.id, called.id))
    });
    let (maths, physics, of_maths, called) = made.await.unwrap();
    let admin = server.user("admin", Role::Admin, &[]).await;
    let (maths, physics) = (format!("/subjects/{}", maths.0), format!("/subjects/{}", physics.0));

    let renamed: Value =
        send(&server, &admin, "PATCH", &maths, &json!({ "name": "Algebra" })).await.json().await.unwrap();
    assert_eq!(renamed["name"], "Algebra");
    for session in [of_maths, called] {
        let path = format!("/sessions/{}", session.0);
        let session: Value = send(&server, &admin, "GET", &path, &json!({})).await.json().await.unwrap();
        assert_eq!(session["subject_id"], renamed["id"]);
    }
    let taken = send(&server, &admin, "PATCH", &physics, &json!({ "name": " algebra" })).await;
    assert_eq!(problem(taken).await, (409, "ALREADY_EXISTS".into()));
    assert_eq!(problem(send(&server, &admin, "DELETE", &maths, &json!({})).await).await, (409, "IN_USE".into()));
    assert_eq!(send(&server, &admin, "DELETE", &physics, &json!({})).await.status(), 204);
    let gone = send(&server, &admin, "DELETE", &physics, &json!({})).await;
    assert_eq!(problem(gone).await, (404, "SUBJECT_NOT_FOUND".into()));
}

#[tokio::test]
async fn an_administrator_sees_what_is_stored_and_what_room_is_left() {
    let server = TestServer::start().await;
    server.school.change(|conn| Ok(testing::school(conn)?)).await.unwrap();
    let admin = server.user("admin", Role::Admin, &[]).await;
    let viewer = server.user("viewer", Role::Viewer, &[]).await;
    assert_eq!(send(&server, &viewer, "GET", "/storage", &json!({})).await.status(), 403);
    let storage: Value = send(&server, &admin, "GET", "/storage", &json!({})).await.json().await.unwrap();
    assert_eq!(storage["kind"], "local");
    assert!(storage["database_bytes"].as_u64().unwrap() > 10_000, "{storage}");
    assert!(storage["free_bytes"].as_u64().unwrap() > 0, "{storage}");
    assert_eq!(storage["photos"]["count"], storage["photos_last_30_days"]["count"]);
}
