use std::io::Write as _;

use futures_util::StreamExt as _;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::app::recogniser::testing::{settings, starter};
use crate::app::roster::{self, ClassEntry, MemberEntry, StudentEntry};
use crate::app::storage_check;
use crate::app::work::{Shift, work};
use crate::config::Config;
use crate::domain::status::Consent;
use crate::queue::{JobState, Stop};
use crate::storage::KeyGroup;

const ANANYA: &str = "Ananya_Foxglove_CSE-A-03";

fn demo(path: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dataset/demo").join(path)).unwrap()
}

fn zipped(files: &[(&str, Vec<u8>)]) -> Bytes {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner().into()
}

/// A school with a class of Ananya, who has consented.
struct Scene {
    school: School,
    class: ClassId,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let school = School::create(&Config { data_dir: folder.path().to_owned(), ..settings() }).await.unwrap();
        let entry = ClassEntry { name: "CSE".into(), section: "A".into(), term: String::new() };
        let class = roster::create_class(&school, entry).await.unwrap().id;
        let (name, roll_no) = ("Ananya Foxglove".into(), String::from("CSE-A-03"));
        let entry = StudentEntry { prn: roll_no.clone(), name, email: None, consent: Consent::Given };
        let student = roster::create_student(&school, entry).await.unwrap().id;
        roster::add_member(&school, MemberEntry { class, student, roll_no, from: None, to: None }).await.unwrap();
        Self { school, class, _folder: folder }
    }

    async fn send(&self, files: &[(&str, Vec<u8>)]) -> Result<JobId, Error> {
        queue_archive(&self.school, starter(), zipped(files), self.class, Some("user:5".into())).await
    }

    async fn portraits(&self) -> JobId {
        let (one, two) = (format!("{ANANYA}/face.jpg"), format!("{ANANYA}/two.jpg"));
        let path = format!("dataset/{ANANYA}/face.jpg");
        self.send(&[(&one, demo(&path)), (&two, demo("bad_portraits/two_faces.jpg"))]).await.unwrap()
    }

    async fn work(&self) {
        work(&self.school, starter(), Shift::Drain, &Stop::default(), &mut |_| {}).await.unwrap();
    }

    async fn stored(&self, group: KeyGroup) -> usize {
        self.school.store.list(group).count().await
    }

    async fn sweep(&self) -> u64 {
        storage_check::sweep_before(&self.school, chrono::Utc::now() + chrono::TimeDelta::hours(1)).await.unwrap()
    }
}

#[tokio::test]
async fn an_archive_is_kept_until_its_portraits_were_looked_at() {
    let scene = Scene::new().await;
    let id = scene.portraits().await;
    assert_eq!((scene.stored(KeyGroup::Enrolments).await, scene.sweep().await), (1, 0), "its job waits");
    scene.work().await;
    let job = jobs::get(&scene.school, id).await.unwrap();
    assert_eq!((job.state, job.class), (JobState::Done, Some(scene.class.0)), "{job:?}");
    let report: EnrolReport = serde_json::from_value(job.result.unwrap()).unwrap();
    let states: Vec<PortraitStatus> = report.photos.iter().map(|photo| photo.status).collect();
    assert_eq!(states, [PortraitStatus::Enrolled, PortraitStatus::Refused]);
    assert!(report.photos[0].sample.is_some());
    assert_eq!(report.photos[1].error.as_ref().unwrap().code, Code::MultipleFacesDetected);
    assert_eq!((scene.stored(KeyGroup::Enrolments).await, scene.stored(KeyGroup::Samples).await), (0, 1));
}

#[tokio::test]
async fn a_cancelled_archive_is_swept_away_and_cannot_be_tried_again() {
    let scene = Scene::new().await;
    let id = scene.portraits().await;
    jobs::cancel(&scene.school, id).await.unwrap();
    scene.work().await;
    assert_eq!(scene.stored(KeyGroup::Enrolments).await, 1, "it is young");
    assert_eq!((scene.sweep().await, scene.stored(KeyGroup::Enrolments).await), (1, 0));
    jobs::retry(&scene.school, id).await.unwrap();
    scene.work().await;
    let job = jobs::get(&scene.school, id).await.unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert!(job.errors[0].message.contains("send it again"), "{:?}", job.errors);
    assert_eq!(scene.stored(KeyGroup::Samples).await, 0);
}

#[tokio::test]
async fn a_second_attempt_knows_what_the_first_has_enrolled() {
    let scene = Scene::new().await;
    let id = scene.portraits().await;
    // As a worker that dies before it can end the job.
    let archive = zipped(&[(&format!("{ANANYA}/face.jpg"), demo(&format!("dataset/{ANANYA}/face.jpg")))]);
    run_archive(&scene.school, starter(), archive, scene.class, &|_, _| {}).await.unwrap();
    scene.work().await;
    let result: Value = jobs::get(&scene.school, id).await.unwrap().result.unwrap();
    assert_eq!((&result["photos"][0]["status"], &result["students_enrolled"]), (&json!("known"), &json!(1)));
    assert_eq!(scene.stored(KeyGroup::Samples).await, 1);
}

#[tokio::test]
async fn an_archive_of_no_use_is_refused_at_once() {
    let scene = Scene::new().await;
    let error = scene.send(&[("notes.txt", b"x".to_vec())]).await.unwrap_err();
    assert!(error.code == Code::InvalidRequest && error.message.contains("notes.txt"), "{error}");
    let no_zip = queue_archive(&scene.school, starter(), Bytes::from_static(b"no zip"), scene.class, None).await;
    assert_eq!(no_zip.unwrap_err().code, Code::UnsupportedFormat);
    let nowhere = queue_archive(&scene.school, starter(), Bytes::new(), ClassId(404), None).await;
    assert_eq!(nowhere.unwrap_err().code, Code::ClassNotFound);
    assert_eq!(scene.stored(KeyGroup::Enrolments).await, 0);
}
