//! Photos, faces and what people say about them, over the wire.

use std::sync::Arc;

use reqwest::Response;
use serde_json::{Value, json};

use super::server::{TestServer, problem};
use crate::app::session::Matching;
use crate::db::audit::{self, AuditFilter};
use crate::db::page::Page;
use crate::db::photos::{NewPhoto, PhotoResult};
use crate::db::testing::{self, new_face, new_photo, photo_result};
use crate::db::{faces, photos};
use crate::domain::access::{ActorKind, Role};
use crate::domain::ids::PhotoId;
use crate::storage::Key;
use crate::storage::testing::{public_store, s3_server};
use crate::vision::annotate::encode_jpeg;

/// A server with a photo that was looked at: one face, and a class of three of whom nobody is enrolled.
struct Scene {
    server: TestServer,
    photo: i64,
    face: i64,
    session: i64,
    member: i64,
    bytes: Vec<u8>,
    /// Of a teacher of the class.
    token: String,
}

impl Scene {
    async fn start() -> Self {
        Self::on(TestServer::start().await).await
    }

    async fn on(server: TestServer) -> Self {
        let pack = Matching::of_settings(server.school.config()).unwrap().pack;
        let bytes = encode_jpeg(&image::RgbImage::from_pixel(320, 320, image::Rgb([90, 60, 30])), 90).unwrap();
        let length = bytes.len() as i64;
        let made = server.school.change(move |conn| {
            let school = testing::school(conn)?;
            let photo = photos::insert(conn, &NewPhoto { bytes: length, ..new_photo(school.session, 1) })?;
            let result = PhotoResult { pack_id: pack.id, pack_version: pack.version, ..photo_result() };
            photos::finish(conn, photo, &result)?;
            let face = faces::replace_for_photo(conn, photo, &[new_face(0)])?[0];
            let row = photos::get(conn, photo)?;
            Ok((school, row, face))
        });
        let (school, row, face) = made.await.unwrap();
        let key: Key = row.object_key.parse().unwrap();
        server.school.store.put(&key, &bytes).await.unwrap();
        let token = server.user("teacher", Role::Teacher, &[school.class]).await;
        let (session, member) = (school.session.0, school.members[1].0);
        Self { server, photo: row.id.0, face: face.0, session, member, bytes, token }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.server.get(&format!("/api/v1{path}")).bearer_auth(&self.token);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.get(path, &[]).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn say(&self, method: &str, body: Option<Value>) -> Response {
        let path = format!("/api/v1/faces/{}/decision", self.face);
        let request = self.server.request(method, &path).bearer_auth(&self.token);
        body.into_iter().fold(request, |request, body| request.json(&body)).send().await.unwrap()
    }
}

#[tokio::test]
async fn a_photo_comes_whole_in_parts_or_not_again() {
    let scene = Scene::start().await;
    let path = format!("/photos/{}/original", scene.photo);
    let whole = scene.get(&path, &[]).await;
    assert_eq!((whole.status().as_u16(), &whole.headers()["content-type"]), (200, &"image/jpeg".parse().unwrap()));
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert_eq!(whole.headers()["cache-control"], "private, no-cache");
    let name = whole.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(name, format!("inline; filename=\"photo-{}.jpg\"", scene.photo));
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.bytes().await.unwrap(), scene.bytes);

    let part = scene.get(&path, &[("range", "bytes=10-19")]).await;
    let length = scene.bytes.len();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"].to_str().unwrap(), format!("bytes 10-19/{length}"));
    assert_eq!(part.bytes().await.unwrap(), scene.bytes[10..20]);
    let beyond = scene.get(&path, &[("range", "bytes=999999-")]).await;
    assert_eq!(beyond.headers()["content-range"].to_str().unwrap(), format!("bytes */{length}"));
    assert_eq!(problem(beyond).await, (416, "INVALID_REQUEST".into()));
    let known = scene.get(&path, &[("if-none-match", &tag)]).await;
    assert_eq!((known.status().as_u16(), known.bytes().await.unwrap().len()), (304, 0));
    let photo = PhotoId(scene.photo);
    let key: Key =
        scene.server.school.read(move |conn| Ok(photos::get(conn, photo)?)).await.unwrap().object_key.parse().unwrap();
    scene.server.school.store.delete(&key).await.unwrap();
    for gone in [&path, &format!("/photos/{}/annotated", scene.photo), &format!("/faces/{}/crop", scene.face)] {
        assert_eq!(problem(scene.get(gone, &[]).await).await, (404, "PHOTO_NOT_FOUND".into()), "{gone}");
    }
    assert_eq!(problem(scene.get("/photos/999999/original", &[]).await).await, (403, "FORBIDDEN".into()));
}

#[tokio::test]
async fn drawings_and_crops_are_pictures_with_versions() {
    let scene = Scene::start().await;
    let annotated = format!("/photos/{}/annotated", scene.photo);
    let crop = format!("/faces/{}/crop", scene.face);
    let mut tags = Vec::new();
    for path in [&annotated, &crop] {
        let answer = scene.get(path, &[]).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &"image/jpeg".parse().unwrap())
        );
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert!(image::load_from_memory(&answer.bytes().await.unwrap()).is_ok(), "{path}");
        assert_eq!(scene.get(path, &[("if-none-match", &tag)]).await.status(), 304, "{path}");
        tags.push(tag);
    }
    let said = json!({ "is": "member", "member_id": scene.member });
    assert_eq!(scene.say("PUT", Some(said)).await.status(), 200);
    assert_eq!(scene.get(&annotated, &[("if-none-match", &tags[0])]).await.status(), 200, "it shows a name now");
    assert_eq!(scene.get(&crop, &[("if-none-match", &tags[1])]).await.status(), 304);
}

#[tokio::test]
async fn links_show_one_photo_to_whoever_has_them_and_looks_are_written_down() {
    let scene = Scene::start().await;
    let path = format!("/api/v1/photos/{}/links", scene.photo);
    let answer = scene.server.post(&path).bearer_auth(&scene.token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let links: Value = answer.json().await.unwrap();
    for kind in ["original", "annotated"] {
        let link = links[kind].as_str().unwrap();
        assert_eq!(scene.server.get(link).send().await.unwrap().status(), 200, "{link}");
    }
    let link = links["original"].as_str().unwrap();
    let elsewhere = link.replace("original", "annotated");
    assert_eq!(problem(scene.server.get(&elsewhere).send().await.unwrap()).await, (403, "FORBIDDEN".into()));
    let school = scene.server.school.clone();
    let lines = school.read(|conn| Ok(audit::list(conn, &AuditFilter::default(), Page::first(50))?)).await.unwrap();
    let looks: Vec<_> = lines.rows.iter().filter(|line| line.actor_kind == ActorKind::Link).collect();
    assert!(looks.iter().any(|line| line.action == "get_photo_original" && line.object_id == Some(scene.photo)));
    assert!(looks.iter().all(|line| line.actor.starts_with("user:")), "{looks:?}");
}

#[tokio::test]
async fn a_link_leads_into_the_bucket_where_clients_reach_it() {
    let store = Arc::new(public_store(s3_server::Server::shared()));
    let scene = Scene::on(TestServer::on(|_| {}, Some(store)).await).await;
    let path = format!("/api/v1/photos/{}/links", scene.photo);
    let links: Value = scene.server.post(&path).bearer_auth(&scene.token).send().await.unwrap().json().await.unwrap();
    let original = links["original"].as_str().unwrap();
    assert!(original.starts_with("http://localhost:"), "{original}");
    assert_eq!(reqwest::get(original).await.unwrap().bytes().await.unwrap(), scene.bytes);
    let annotated = links["annotated"].as_str().unwrap();
    assert_eq!(scene.server.get(annotated).send().await.unwrap().status(), 200, "drawn by this server");
    let school = scene.server.school.clone();
    let lines = school.read(|conn| Ok(audit::list(conn, &AuditFilter::default(), Page::first(50))?)).await.unwrap();
    assert!(lines.rows.iter().any(|line| line.action == "create_photo_links" && line.object_id == Some(scene.photo)));
}

#[tokio::test]
async fn a_teacher_says_who_a_face_is_and_takes_it_back() {
    let scene = Scene::start().await;
    let path = format!("/faces/{}", scene.face);
    let before = scene.json(&path).await;
    assert_eq!((&before["decision"], &before["box"]), (&Value::Null, &json!([100.5, 200.0, 40.25, 51.0])));
    let candidates = scene.json(&format!("{path}/candidates")).await;
    assert_eq!((&candidates["items"], &candidates["none_because"]), (&json!([]), &json!("nobody_enrolled")));

    let said = scene.say("PUT", Some(json!({ "is": "member", "member_id": scene.member }))).await;
    assert_eq!(said.status(), 200);
    let face: Value = said.json().await.unwrap();
    assert_eq!((&face["verdict"], &face["reason"]), (&json!("match"), &json!("decided")));
    assert_eq!((&face["member"]["roll_no"], &face["decision"]["by"]), (&json!("2"), &json!("teacher")));
    assert_eq!(scene.json(&path).await, face);
    assert_eq!(scene.json(&format!("/photos/{}/faces", scene.photo)).await["items"], json!([face]));

    assert_eq!(scene.say("PUT", Some(json!({ "is": "stranger" }))).await.status(), 200);
    let wrong = scene.say("PUT", Some(json!({ "is": "stranger", "member_id": 1 }))).await;
    assert_eq!(problem(wrong).await, (422, "INVALID_REQUEST".into()));
    let unknown = scene.say("PUT", Some(json!({ "is": "member", "member_id": 999_999 }))).await;
    assert_eq!(problem(unknown).await, (404, "MEMBER_NOT_FOUND".into()));
    let undone: Value = scene.say("DELETE", None).await.json().await.unwrap();
    assert_eq!((&undone["decision"], &undone["verdict"]), (&Value::Null, &json!("stranger")));
    assert_eq!(problem(scene.say("DELETE", None).await).await, (404, "DECISION_NOT_FOUND".into()));
}

#[tokio::test]
async fn a_photo_is_told_listed_and_removed() {
    let scene = Scene::start().await;
    let path = format!("/photos/{}", scene.photo);
    let photo = scene.json(&path).await;
    assert_eq!((&photo["state"], &photo["error"], &photo["width"]), (&json!("done"), &Value::Null, &json!(4000)));
    assert_eq!(
        (photo["faces"].as_array().unwrap().len(), photo["bytes"].as_u64().unwrap()),
        (1, scene.bytes.len() as u64)
    );
    let listed = scene.json(&format!("/sessions/{}/photos", scene.session)).await;
    assert_eq!(listed["items"][0]["id"], scene.photo);
    let gone =
        scene.server.request("DELETE", &format!("/api/v1{path}")).bearer_auth(&scene.token).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(scene.json(&format!("/sessions/{}/photos", scene.session)).await["items"], json!([]));
    assert_eq!(scene.get(&path, &[]).await.status(), 403, "a teacher is not told what is nobody's");
}
