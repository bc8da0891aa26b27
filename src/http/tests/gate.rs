//! What the gate and the layers around it promise to every client.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{PASSWORD, TestServer, problem};
use crate::domain::access::{Role, Scope};

#[tokio::test]
async fn problems_have_a_code_and_the_request_s_id() {
    let server = TestServer::start().await;
    let token = server.user("ann", Role::Admin, &[]).await;
    let get = |path: &str| server.get(path).bearer_auth(&token).header("x-request-id", "from-a-proxy.1").send();
    let answer = get("/api/v1/classes/77").await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "from-a-proxy.1");
    assert_eq!(problem(answer).await, (404, "CLASS_NOT_FOUND".into()));
    assert_eq!(problem(get("/api/v1/nowhere").await.unwrap()).await, (404, "ROUTE_NOT_FOUND".into()));
    assert_eq!(problem(get("/api/v1/classes/x").await.unwrap()).await, (400, "INVALID_REQUEST".into()));
    assert_eq!(problem(get("/api/v1/classes?page=0").await.unwrap()).await, (400, "INVALID_REQUEST".into()));
    let patch = server.request("PATCH", "/api/v1/classes").bearer_auth(&token).send().await.unwrap();
    assert_eq!(problem(patch).await, (405, "METHOD_NOT_ALLOWED".into()));
    let text = server.post("/api/v1/classes").bearer_auth(&token).body("CSE").send().await.unwrap();
    assert_eq!(problem(text).await, (415, "INVALID_REQUEST".into()));
    let odd = server.get("/livez").header("x-request-id", "a b<script>").send().await.unwrap();
    assert_eq!(odd.headers()["x-request-id"].len(), 32, "an id that is not harmless is replaced");
}

#[tokio::test]
async fn who_is_not_known_is_told_so() {
    let server = TestServer::start().await;
    let plain = server.get("/api/v1/classes").send().await.unwrap();
    assert_eq!(plain.headers()["www-authenticate"], "Bearer");
    assert_eq!(problem(plain).await, (401, "UNAUTHENTICATED".into()));
    for credential in ["nonsense", "rc_nonsense", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."] {
        let answer = server.get("/api/v1/classes").bearer_auth(credential).send().await.unwrap();
        assert_eq!(problem(answer).await, (401, "UNAUTHENTICATED".into()), "{credential}");
    }
    let token = server.token(&[Scope::Roster]).await;
    let by_key = server.get("/api/v1/classes").header("X-API-Key", &token).send().await.unwrap();
    assert_eq!(by_key.status(), 200);
}

#[tokio::test]
async fn a_post_with_a_key_is_done_once() {
    let server = TestServer::start().await;
    let token = server.user("ann", Role::Admin, &[]).await;
    let post = |key: &'static str, name: &'static str| {
        let request = server.post("/api/v1/classes").bearer_auth(&token).header("Idempotency-Key", key);
        request.json(&json!({ "name": name, "section": "A" })).send()
    };
    let first = post("k1", "9").await.unwrap();
    assert_eq!(first.status(), 201);
    let location = first.headers()["location"].clone();
    let first: Value = first.json().await.unwrap();
    let again = post("k1", "9").await.unwrap();
    assert_eq!((again.status().as_u16(), &again.headers()["location"]), (201, &location));
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    assert_eq!(problem(post("k1", "10").await.unwrap()).await, (422, "IDEMPOTENCY_CONFLICT".into()));
    assert_eq!(problem(post("k2", "9").await.unwrap()).await, (409, "ALREADY_EXISTS".into()));
    // Another caller's key is another key.
    let other = server.user("bob", Role::Admin, &[]).await;
    let request = server.post("/api/v1/classes").bearer_auth(&other).header("Idempotency-Key", "k1");
    assert_eq!(request.json(&json!({ "name": "11" })).send().await.unwrap().status(), 201);
}

/// A phone whose connection breaks in the middle of a photo sends it again with the same key.
#[tokio::test]
async fn a_form_that_was_cut_off_can_be_sent_again_with_its_key() {
    let server = TestServer::start().await;
    let token = server.user("ann", Role::Admin, &[]).await;
    let session = server.school.change(|conn| Ok(crate::db::testing::session(conn)?)).await.unwrap().0;
    let path = format!("/api/v1/sessions/{session}/photos");
    let post = || server.post(&path).bearer_auth(&token).header("Idempotency-Key", "k1");

    let begin = "--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\n";
    let pieces = futures_util::stream::iter([Ok(begin), Err(std::io::Error::other("the Wi-Fi is gone"))]);
    let cut = post().header("content-type", "multipart/form-data; boundary=x").body(reqwest::Body::wrap_stream(pieces));
    assert!(cut.send().await.is_err());

    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let part = reqwest::multipart::Part::bytes(picture(1)).file_name("a.png");
        let form = reqwest::multipart::Form::new().part("photo", part);
        let answer = post().multipart(form).send().await.unwrap();
        if answer.status() == 202 {
            break;
        }
        // The first one may take a moment to find out.
        assert_eq!(problem(answer).await, (409, "IDEMPOTENCY_CONFLICT".into()));
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn secrets_are_not_kept_for_a_second_answer() {
    let server = TestServer::start().await;
    let token = server.user("ann", Role::Admin, &[]).await;
    let request = server.post("/api/v1/tokens").bearer_auth(&token).header("Idempotency-Key", "k1");
    let answer = request.json(&json!({ "name": "x", "scopes": ["roster"] })).send().await.unwrap();
    assert_eq!(problem(answer).await, (400, "INVALID_REQUEST".into()));
}

#[tokio::test]
async fn everybody_has_a_rate_of_their_own() {
    let server = TestServer::with(|config| config.server.rate_per_minute = 5).await;
    let (one, two) = (server.token(&[Scope::Roster]).await, server.token(&[Scope::Roster]).await);
    for _ in 0..5 {
        assert_eq!(server.get("/api/v1/classes").bearer_auth(&one).send().await.unwrap().status(), 200);
    }
    let refused = server.get("/api/v1/classes").bearer_auth(&one).send().await.unwrap();
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    assert_eq!(problem(refused).await, (429, "TOO_MANY_REQUESTS".into()));
    assert_eq!(server.get("/api/v1/classes").bearer_auth(&two).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn guessing_tokens_is_not_free() {
    let server = TestServer::with(|config| config.server.rate_per_minute = 5).await;
    let mut last = 0;
    for _ in 0..6 {
        last = server.get("/api/v1/classes").bearer_auth("rc_guess").send().await.unwrap().status().as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn changes_and_refusals_are_in_the_audit_log() {
    let server = TestServer::start().await;
    let token = server.user("ann", Role::Admin, &[]).await;
    let post = |body: Value| server.post("/api/v1/classes").bearer_auth(&token).json(&body).send();
    assert_eq!(post(json!({ "name": "9" })).await.unwrap().status(), 201);
    assert_eq!(post(json!({ "name": " " })).await.unwrap().status(), 400);
    let log = server.get("/api/v1/audit?action=create_class").bearer_auth(&token).send().await.unwrap();
    let log: Value = log.json().await.unwrap();
    let lines: Vec<(&str, &Value)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["actor"].as_str().unwrap(), &line["detail"]))
        .collect();
    assert_eq!(lines, [("ann", &json!({ "refused": 400 })), ("ann", &json!({})), ("ann", &json!({}))]);
    assert!(log["items"][0]["address"].as_str().unwrap().starts_with("127."));
}

#[tokio::test]
async fn only_named_origins_may_read_answers() {
    let server =
        TestServer::with(|config| config.server.cors_origins = vec!["https://portal.school.example".into()]).await;
    let from = |origin: &'static str| server.get("/livez").header("origin", origin).send();
    let known = from("https://portal.school.example").await.unwrap();
    assert_eq!(known.headers()["access-control-allow-origin"], "https://portal.school.example");
    assert!(!known.headers().contains_key("access-control-allow-credentials"));
    let other = from("https://evil.example").await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_login_is_answered_the_same_for_wrong_names_and_passwords() {
    let server = TestServer::start().await;
    server.user("ann", Role::Teacher, &[]).await;
    let login = |name: &'static str, password: &'static str| {
        server.post("/api/v1/auth/login").json(&json!({ "name": name, "password": password })).send()
    };
    let mut details = Vec::new();
    for (name, password) in [("ann", "wrong wrong wrong"), ("nobody", PASSWORD)] {
        let answer = login(name, password).await.unwrap();
        assert_eq!(answer.status(), 401);
        details.push(answer.json::<Value>().await.unwrap()["detail"].clone());
    }
    assert_eq!(details[0], details[1]);
    for _ in 0..4 {
        login("ann", "wrong wrong wrong").await.unwrap();
    }
    let locked = login("ann", PASSWORD).await.unwrap();
    assert!(locked.headers().contains_key("retry-after"));
    assert_eq!(problem(locked).await, (429, "TOO_MANY_ATTEMPTS".into()));
}

#[tokio::test]
async fn ready_means_that_everything_answers() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/livez").send().await.unwrap().status(), 200);
    let ready = server.get("/readyz").send().await.unwrap();
    let body: Value = ready.json().await.unwrap();
    assert_eq!((&body["database"]["ok"], &body["storage"]["ok"]), (&json!(true), &json!(true)), "{body}");
    let figures = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(figures.contains("rollcall_http_requests_total"), "{figures}");
    assert!(!figures.contains("\"ann\""), "no label is somebody's name: {figures}");
}

#[tokio::test]
async fn large_answers_are_compressed_for_who_can_read_that() {
    let server = TestServer::start().await;
    let packed = server.get("/openapi.json").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
}

/// A picture that is one; nobody looks at it here.
fn picture(shade: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let grey = image::RgbImage::from_pixel(64, 64, image::Rgb([shade; 3]));
    grey.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes
}

#[tokio::test]
async fn uploads_wait_their_turn_and_a_long_queue_takes_no_more() {
    let server = TestServer::with(|config| config.server.queue_limit = 2).await;
    let session = server.school.change(|conn| Ok(crate::db::testing::session(conn)?)).await.unwrap().0;
    let token = server.token(&[Scope::Record]).await;
    let upload = |pictures: Vec<Vec<u8>>| {
        let form = pictures.into_iter().fold(reqwest::multipart::Form::new(), |form, bytes| {
            form.part("photo", reqwest::multipart::Part::bytes(bytes).file_name("a.png"))
        });
        server.post(&format!("/api/v1/sessions/{session}/photos")).bearer_auth(&token).multipart(form).send()
    };
    let taken = upload(vec![picture(1), b"no picture".to_vec(), picture(2)]).await.unwrap();
    assert_eq!(taken.status(), 202);
    assert!(taken.headers()["location"].to_str().unwrap().starts_with("/api/v1/jobs/"));
    let taken: Value = taken.json().await.unwrap();
    let states: Vec<&str> =
        taken["photos"].as_array().unwrap().iter().map(|photo| photo["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["queued", "failed", "queued"]);
    assert_eq!(taken["photos"][1]["error"]["code"], "UNSUPPORTED_FORMAT");
    let figures = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(figures.contains("rollcall_photos_total{state=\"refused\"} "), "{figures}");
    let refused = upload(vec![picture(3)]).await.unwrap();
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(problem(refused).await, (503, "BUSY".into()));
    let jobs = server.school.read(|conn| Ok(crate::queue::backlog::backlog(conn)?)).await.unwrap();
    assert_eq!(jobs[0].queued, 2);
}

#[tokio::test]
async fn whoever_waits_for_their_photos_does_not_keep_others_from_uploading() {
    let server = TestServer::start().await;
    let session = server.school.change(|conn| Ok(crate::db::testing::session(conn)?)).await.unwrap().0;
    let token = server.token(&[Scope::Record]).await;
    let mut waiting = tokio::task::JoinSet::new();
    // Eight uploads are taken at a time.
    for shade in 1..=10 {
        let part = reqwest::multipart::Part::bytes(picture(shade)).file_name("a.png");
        let form = reqwest::multipart::Form::new().part("photo", part);
        let request = server.post(&format!("/api/v1/sessions/{session}/photos?wait=300")).bearer_auth(&token);
        waiting.spawn(request.multipart(form).send());
        let queued = || async {
            let kinds = server.school.read(|conn| Ok(crate::queue::backlog::backlog(conn)?)).await.unwrap();
            kinds.first().map_or(0, |kind| kind.queued)
        };
        while queued().await < i64::from(shade) {
            assert!(waiting.try_join_next().is_none(), "upload {shade} was not taken");
            tokio::task::yield_now().await;
        }
    }
    // Nobody looks at the photos; a server that stops answers those who wait.
    server.stop();
    while let Some(answer) = waiting.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), 202);
    }
}

#[tokio::test]
async fn an_upload_without_a_usable_photo_changes_nothing() {
    let server = TestServer::start().await;
    let session = server.school.change(|conn| Ok(crate::db::testing::session(conn)?)).await.unwrap();
    let token = server.token(&[Scope::Record]).await;
    let part = reqwest::multipart::Part::bytes(b"no picture".to_vec()).file_name("a.jpg");
    let form = reqwest::multipart::Form::new().part("photo", part);
    let request = server.post(&format!("/api/v1/sessions/{}/photos", session.0)).bearer_auth(&token);
    assert_eq!(problem(request.multipart(form).send().await.unwrap()).await, (415, "UNSUPPORTED_FORMAT".into()));
    let photos = server.school.read(move |conn| Ok(crate::db::photos::list(conn, session)?)).await.unwrap();
    assert!(photos.is_empty());
}
