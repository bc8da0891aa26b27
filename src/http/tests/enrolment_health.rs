//! How well students are enrolled, over the wire: who may see it, in which order, and forgetting what was learned.

use serde_json::Value;

use super::server::{TestServer, problem};
use crate::app::session::Matching;
use crate::db::samples::{self, NewSample};
use crate::db::testing::{self, new_face, new_photo, quality, sha256};
use crate::db::{Json, faces, members, photos};
use crate::domain::access::Role;
use crate::domain::embedding::Embedding;
use crate::domain::ids::{ClassId, StudentId};
use crate::storage::{Digest, Extension, Key};

struct Scene {
    server: TestServer,
    class: ClassId,
    /// Of roll number 2, who has a portrait and a learned face; nobody else has anything.
    student: StudentId,
    learned: Key,
}

impl Scene {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let pack = Matching::of_settings(server.school.config()).unwrap().pack;
        let made = server.school.change(move |conn| {
            let school = testing::school(conn)?;
            let student = members::get(conn, school.members[1])?.student_id;
            let learned = Key::Sample { student: student.0, sha256: Digest::of(b"face"), extension: Extension::Jpg };
            let sample = NewSample {
                student_id: student,
                pack_id: pack.id,
                pack_version: pack.version,
                sha256: sha256(1),
                object_key: String::new(),
                embedding: Embedding::new(vec![1.0; 512]).unwrap(),
                quality: Json(Some(quality())),
                weight: 0.5,
                created_at: testing::at("2025-08-01 08:00:00"),
            };
            samples::insert(conn, &sample)?;
            let photo = photos::insert(conn, &new_photo(school.session, 1))?;
            let face = faces::replace_for_photo(conn, photo, &[new_face(0)])?[0];
            let sample = NewSample { sha256: sha256(2), object_key: learned.to_string(), ..sample };
            samples::insert_learned(conn, &sample, (school.session, face))?;
            Ok((school.class, student, learned))
        });
        let (class, student, learned) = made.await.unwrap();
        server.school.store.put(&learned, b"face").await.unwrap();
        Self { server, class, student, learned }
    }

    async fn get(&self, token: &str, path: &str) -> Value {
        let answer = self.server.get(&format!("/api/v1{path}")).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn refused(&self, token: &str, path: &str) -> (u16, String) {
        problem(self.server.get(&format!("/api/v1{path}")).bearer_auth(token).send().await.unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teacher_sees_the_health_of_own_classes_page_by_page() {
    let scene = Scene::start().await;
    let own = scene.server.user("own", Role::Teacher, &[scene.class]).await;
    let other = scene.server.user("other", Role::Teacher, &[]).await;
    let path = format!("/classes/{}/enrolment-health", scene.class.0);
    let page = scene.get(&own, &format!("{path}?on=2025-09-01&per_page=2&order=urgency")).await;
    assert_eq!((page["total"].as_u64(), page["summary"]["recognisable"].as_u64()), (Some(3), Some(1)), "{page}");
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((&items[0]["roll_no"], &items[0]["suggestions"][0]["code"]), (&"1".into(), &"NO_SAMPLE".into()));
    let last = scene.get(&own, &format!("{path}?on=2025-09-01&per_page=2&order=urgency&page=2")).await;
    let last = &last["items"][0];
    assert_eq!(
        (&last["roll_no"], last["portraits"].as_u64(), last["learned"].as_u64()),
        (&"2".into(), Some(1), Some(1))
    );
    assert_eq!(last["suggestions"][0]["code"], "LOW_QUALITY");
    let of_student = format!("/students/{}/enrolment-health", scene.student.0);
    let one = scene.get(&own, &of_student).await;
    assert_eq!(one["items"][0]["class_id"].as_i64(), Some(scene.class.0), "{one}");
    for path in [&path, &of_student] {
        assert_eq!(scene.refused(&other, path).await, (403, "FORBIDDEN".into()));
        assert_eq!(scene.refused(&own, &format!("{path}?sessions=0")).await, (400, "INVALID_REQUEST".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn learned_faces_say_where_they_are_from_and_are_forgotten_on_demand() {
    let scene = Scene::start().await;
    let own = scene.server.user("own", Role::Teacher, &[scene.class]).await;
    let viewer = scene.server.user("viewer", Role::Viewer, &[]).await;
    let path = format!("/students/{}/samples", scene.student.0);
    let samples = scene.get(&own, &path).await;
    let origins: Vec<_> = samples["items"].as_array().unwrap().iter().map(|s| s["origin"].as_str().unwrap()).collect();
    assert_eq!(origins, ["portrait", "session"]);
    assert!(samples["items"][1]["session_id"].is_i64() && samples["items"][1]["face_id"].is_i64(), "{samples}");
    let forget = async |token: &str| {
        let request = scene.server.post(&format!("/api/v1{path}/forget-learned")).bearer_auth(token);
        request.send().await.unwrap()
    };
    assert_eq!(problem(forget(&viewer).await).await, (403, "FORBIDDEN".into()));
    let gone: Value = forget(&own).await.json().await.unwrap();
    assert_eq!(gone["deleted"].as_u64(), Some(1));
    assert!(!scene.server.school.store.exists(&scene.learned).await.unwrap());
    assert_eq!(scene.get(&own, &path).await["items"].as_array().unwrap().len(), 1, "the portrait stays");
}
