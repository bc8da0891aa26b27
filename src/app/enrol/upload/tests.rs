use futures_util::StreamExt as _;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::app::enrol::PortraitStatus;
use crate::app::enrol::archive::run_archive;
use crate::app::recogniser::testing::{settings, starter};
use crate::app::roster::{self, ClassEntry, MemberEntry, StudentEdit, StudentEntry};
use crate::config::Config;
use crate::domain::ids::ClassId;
use crate::domain::status::Consent;
use crate::storage::KeyGroup;

const ANANYA: &str = "dataset/Ananya_Foxglove_CSE-A-03";
const DEVAN: &str = "dataset/Devan_Moonfield_CSE-A-05";

fn demo(path: &str) -> Bytes {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("dataset/demo");
    std::fs::read(root.join(path)).unwrap().into()
}

fn portrait(path: &str) -> Portrait {
    Portrait { name: path.to_owned(), bytes: Ok(demo(path)) }
}

/// A school with a class of Ananya and Devan, who have consented.
struct Fixture {
    school: School,
    class: ClassId,
    ananya: StudentId,
    _folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config { data_dir: folder.path().to_owned(), ..settings() };
        let school = School::create(&config).await.unwrap();
        let entry = ClassEntry { name: "CSE".into(), section: "A".into(), term: String::new() };
        let class = roster::create_class(&school, entry).await.unwrap().id;
        let mut students = Vec::new();
        for (name, roll_no) in [("Ananya Foxglove", "CSE-A-03"), ("Devan Moonfield", "CSE-A-05")] {
            let entry = StudentEntry { prn: roll_no.into(), name: name.into(), email: None, consent: Consent::Given };
            let student = roster::create_student(&school, entry).await.unwrap().id;
            let member = MemberEntry { class, student, roll_no: roll_no.into(), from: None, to: None };
            roster::add_member(&school, member).await.unwrap();
            students.push(student);
        }
        Self { school, class, ananya: students[0], _folder: folder }
    }

    async fn add(&self, portrait: Portrait, mode: Mode) -> PortraitReport {
        add_sample(&self.school, starter(), self.ananya, portrait, mode).await.unwrap()
    }

    async fn pictures(&self) -> usize {
        self.school.store.list(KeyGroup::Samples).count().await
    }
}

#[tokio::test]
async fn a_picture_is_a_sample_once_until_it_is_deleted() {
    let fixture = Fixture::new().await;
    let first = fixture.add(portrait(&format!("{ANANYA}/face.jpg")), Mode::Apply).await;
    assert_eq!((first.status, first.quality.is_some()), (PortraitStatus::Enrolled, true));
    let again = fixture.add(portrait(&format!("{ANANYA}/face.jpg")), Mode::Apply).await;
    assert_eq!((again.status, again.sample), (PortraitStatus::Known, first.sample));
    let sample = first.sample.unwrap();
    let stored = picture_of(&fixture.school, sample).await.unwrap();
    assert_eq!((stored.bytes.as_slice(), stored.media_type), (&demo(&format!("{ANANYA}/face.jpg"))[..], "image/jpeg"));
    delete_sample(&fixture.school, sample).await.unwrap();
    assert_eq!(fixture.pictures().await, 0);
    let gone = delete_sample(&fixture.school, sample).await.unwrap_err();
    assert_eq!(gone.code, Code::SampleNotFound);
}

#[tokio::test]
async fn a_preview_says_what_would_become_of_a_picture_and_keeps_nothing() {
    let fixture = Fixture::new().await;
    let good = fixture.add(portrait(&format!("{ANANYA}/face.jpg")), Mode::Preview).await;
    assert_eq!((good.status, good.sample), (PortraitStatus::Enrolled, None));
    let blurred = fixture.add(portrait("bad_portraits/blurred.jpg"), Mode::Preview).await;
    let code = blurred.error.unwrap().code;
    assert_eq!((blurred.status, code, blurred.quality.is_some()), (PortraitStatus::Refused, Code::LowQuality, true));
    let two = fixture.add(portrait("bad_portraits/two_faces.jpg"), Mode::Preview).await;
    assert_eq!(two.error.unwrap().code, Code::MultipleFacesDetected);
    assert_eq!(fixture.pictures().await, 0);
}

#[tokio::test]
async fn somebody_else_s_picture_is_a_question() {
    let fixture = Fixture::new().await;
    let mut reports = Vec::new();
    for path in [format!("{ANANYA}/face.jpg"), format!("{DEVAN}/face.jpg")] {
        reports.push(fixture.add(portrait(&path), Mode::Apply).await);
    }
    conclude(&fixture.school, starter(), fixture.ananya, &mut reports).await.unwrap();
    for report in &reports {
        assert_eq!(report.error.as_ref().unwrap().code, Code::SamplesDisagree);
        assert!(report.sample.is_some(), "kept, so that another picture can decide");
    }
    // The second picture of Ananya decides, and the other's is named.
    let mut reports = vec![fixture.add(portrait(&format!("{ANANYA}/face_2.jpg")), Mode::Apply).await];
    let warnings = conclude(&fixture.school, starter(), fixture.ananya, &mut reports).await.unwrap();
    assert_eq!(reports[0].status, PortraitStatus::Enrolled);
    assert!(warnings.iter().any(|w| w.contains("1 of 3 samples")), "{warnings:?}");
}

#[tokio::test]
async fn students_that_look_alike_are_warned_of_and_consent_comes_first() {
    let fixture = Fixture::new().await;
    let school = &fixture.school;
    let archive = zipped(&[("Devan_Moonfield_CSE-A-05/face.jpg", DEVAN), ("Ananya_Foxglove_CSE-A-03/face.jpg", DEVAN)]);
    let report = run_archive(school, starter(), archive.into(), fixture.class, &|_, _| {}).await.unwrap();
    assert_eq!((report.students, report.students_enrolled, report.photos.len()), (2, 2, 2));
    assert!(report.warnings.iter().any(|w| w.contains("look alike")), "{:?}", report.warnings);
    let warnings = conclude(school, starter(), fixture.ananya, &mut []).await.unwrap();
    assert!(warnings.iter().any(|w| w.contains("look alike")), "{warnings:?}");
    let withdrawn = StudentEdit { consent: Some(Consent::Withdrawn), ..StudentEdit::default() };
    roster::change_student(school, fixture.ananya, withdrawn).await.unwrap();
    let refused =
        add_sample(school, starter(), fixture.ananya, portrait(&format!("{ANANYA}/face.jpg")), Mode::Apply).await;
    assert_eq!(refused.unwrap_err().code, Code::ConsentRequired);
    let nobody =
        add_sample(school, starter(), StudentId(404), portrait(&format!("{ANANYA}/face.jpg")), Mode::Apply).await;
    assert_eq!(nobody.unwrap_err().code, Code::StudentNotFound);
}

/// An archive of these names with the first picture of a folder each.
fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, folder) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&demo(&format!("{folder}/face.jpg"))).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
