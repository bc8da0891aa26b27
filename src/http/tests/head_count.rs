//! A session is signed when it adds up, or with a reason, over the wire.

use reqwest::Response;
use serde_json::{Value, json};

use super::server::TestServer;
use crate::app::session::Matching;
use crate::db::testing::{self, at, new_face, new_photo, photo_result};
use crate::db::{faces, photos};
use crate::domain::access::Role;

/// A class of three whose session has a photo of one stranger; nobody is enrolled, so nobody is decided.
struct Scene {
    server: TestServer,
    path: String,
    members: [i64; 3],
    token: String,
}

impl Scene {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let matching = Matching::of_settings(server.school.config()).unwrap();
        let made = server.school.change(move |conn| {
            let school = testing::school(conn)?;
            let photo = photos::insert(conn, &new_photo(school.session, 1))?;
            let (pack_id, pack_version) = (matching.pack.id.clone(), matching.pack.version.clone());
            let result = photos::PhotoResult { pack_id, pack_version, faces_left_out: 0, ..photo_result() };
            photos::finish(conn, photo, &result)?;
            faces::replace_for_photo(conn, photo, &[new_face(0)])?;
            crate::app::session::settle(conn, school.session, &matching, at("2025-09-01 05:00:00"))?;
            Ok(school)
        });
        let school = made.await.unwrap();
        let token = server.user("teacher", Role::Teacher, &[school.class]).await;
        let path = format!("/api/v1/sessions/{}", school.session.0);
        Self { server, path, members: school.members.map(|member| member.0), token }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.server.get(&format!("{}{path}", self.path)).bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.server.request("POST", &format!("{}{path}", self.path)).bearer_auth(&self.token);
        request.json(body).send().await.unwrap()
    }

    async fn mark(&self, statuses: [&str; 3]) {
        let items: Vec<Value> = self
            .members
            .iter()
            .zip(statuses)
            .map(|(id, status)| json!({ "member_id": id, "status": status }))
            .collect();
        assert_eq!(self.post("/records", &json!({ "items": items })).await.status(), 200);
    }
}

fn codes(body: &Value) -> Vec<&str> {
    body["differences"].as_array().unwrap().iter().map(|difference| difference["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_head_count_tells_before_what_confirming_asks_about() {
    let scene = Scene::start().await;
    let count = scene.get("/head-count").await;
    assert_eq!((&count["people"], &count["strangers"], &count["roll"]), (&json!(1), &json!(1), &json!(3)));
    assert_eq!((&count["statuses"]["unmarked"], &count["adds_up"]), (&json!(3), &json!(false)));
    assert_eq!(codes(&count), ["RECORDS_UNDECIDED", "STRANGERS_UNEXPLAINED"]);
    assert_eq!(codes(&scene.get("/head-count?unmarked=keep&guests=1").await), [""; 0]);

    scene.mark(["present", "late", "absent"]).await;
    let count = scene.get("/head-count?head_count=2").await;
    assert_eq!((codes(&count), &count["adds_up"]), (vec![], &json!(true)));
    let signed = scene.post("/confirm", &json!({ "head_count": 2 })).await;
    assert_eq!(signed.status(), 200);
    let nothing = json!({ "head_count": 2, "guests": null, "differences": [], "reason": null });
    assert_eq!(scene.get("").await["confirmation"], nothing);
}

#[tokio::test]
async fn what_does_not_add_up_is_a_problem_until_there_is_a_reason() {
    let scene = Scene::start().await;
    scene.mark(["present", "late", "absent"]).await;
    let refused = scene.post("/confirm", &json!({ "head_count": 4 })).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["content-type"]),
        (409, &"application/problem+json".parse().unwrap())
    );
    let problem: Value = refused.json().await.unwrap();
    assert_eq!((&problem["code"], codes(&problem)), (&json!("HEAD_COUNT_MISMATCH"), vec!["COUNT_DIFFERS"]));
    let text = "4 heads were counted in the room, 2 marked present or late";
    assert_eq!(problem["differences"][0]["text"], text);
    assert!(problem["detail"].as_str().unwrap().contains(text), "{problem}");
    assert_eq!(scene.get("").await["confirmation"], Value::Null);

    let reason = "two came for the head teacher";
    let signed = scene.post("/confirm", &json!({ "head_count": 4, "guests": 0, "reason": reason })).await;
    assert_eq!(signed.status(), 200);
    let confirmation = scene.get("").await["confirmation"].clone();
    assert_eq!((codes(&confirmation), &confirmation["reason"]), (vec!["COUNT_DIFFERS"], &json!(reason)));
    let sheet = scene.server.get(&format!("{}/sheet?format=xlsx", scene.path)).bearer_auth(&scene.token).send();
    assert_eq!(sheet.await.unwrap().status(), 200);
    assert_eq!(scene.post("/reopen", &json!({})).await.status(), 200);
    assert_eq!(scene.get("").await["confirmation"], Value::Null, "it went with the signature");

    let too_long = "x".repeat(501);
    for wrong in [json!({ "reason": too_long }), json!({ "head_count": -1 }), json!({ "head_count": 10_001 })] {
        let refused = scene.post("/confirm", &wrong).await;
        assert!(matches!(refused.status().as_u16(), 400 | 422), "{wrong}: {}", refused.status());
    }
}
