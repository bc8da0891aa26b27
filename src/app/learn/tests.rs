use std::sync::Arc;

use futures_util::TryStreamExt as _;
use image::{Rgb, RgbImage};

use super::*;
use crate::app::error::Code;
use crate::app::freshness::Freshness;
use crate::app::review::{self, Signature, Unmarked};
use crate::app::roster::set_consent;
use crate::app::testing::{Class, noon, painted, wait};
use crate::app::{Mode, enrol};
use crate::config::{Config, Learning};
use crate::db::samples::SampleSummary;
use crate::db::sessions::NewSession;
use crate::db::testing::on_each_database;
use crate::db::{faces, members, photos};
use crate::domain::access::Actor;
use crate::domain::ids::{FaceId, PhotoId};
use crate::domain::quality::EnrolLines;
use crate::domain::status::{AttendanceStatus, Consent, Origin, Verdict};
use crate::queue::store;
use crate::storage::KeyGroup;
use crate::vision::annotate::encode_jpeg;

/// Clearly the first member, less clearly the second, somebody unknown.
const LOOKS: &[(&[(usize, f32)], usize)] = &[(&[(0, 0.8)], 1), (&[(1, 0.57)], 2), (&[], 3)];

/// The same people another day: another picture of each.
const LATER: &[(&[(usize, f32)], usize)] = &[(&[(0, 0.8)], 4), (&[(1, 0.57)], 5), (&[], 6)];

/// A class of a school that lets templates learn; its faces are good enough.
fn class(db: &crate::db::Db) -> Class {
    let mut class = Class::new(db);
    let learning = Learning { from_confirmed: true, max_samples: 1 };
    let enrol = EnrolLines { min_face_px: 40.0, ..EnrolLines::default() };
    class.school.config = Arc::new(Config { learning, enrol, ..Config::default() });
    class
}

/// A photo of the class's session whose picture is stored; its faces are returned.
fn photo(class: &Class, image: u8, looks: &[(&[(usize, f32)], usize)]) -> Vec<FaceId> {
    let (photo, faces) = class.photo(image, looks);
    store_picture(class, photo, image);
    faces
}

/// The same with everybody somewhere else: a photo of another lesson.
fn later_photo(class: &Class, image: u8, looks: &[(&[(usize, f32)], usize)]) {
    let (photo, _) = class.photo_in(class.session, image, &painted(looks, 40.0));
    store_picture(class, photo, image);
}

fn store_picture(class: &Class, photo: PhotoId, image: u8) {
    let key: Key = class.run(|conn| photos::get(conn, photo)).object_key.parse().unwrap();
    let picture = encode_jpeg(&RgbImage::from_fn(300, 200, |x, y| Rgb([x as u8, y as u8, image])), 95).unwrap();
    wait(class.school.store.put(&key, &picture)).unwrap();
}

fn confirm(class: &Class) {
    let signature = Signature {
        expected: None,
        unmarked: Unmarked::Keep,
        head_count: None,
        guests: None,
        reason: Some("somebody was visiting".to_owned()),
    };
    wait(review::confirm(&class.school, class.session, Actor::command(), signature)).unwrap();
}

fn reopen(class: &Class) {
    wait(review::reopen(&class.school, class.session, Actor::command(), None)).unwrap();
}

fn learn(class: &Class) -> usize {
    wait(job::learn(&class.school, &class.matching, class.session)).unwrap()
}

/// The class meets a second time.
fn next_session(class: &mut Class) -> SessionId {
    let (class_id, first) = (class.id, class.session);
    let starts_at = noon();
    class.session = class.run(|conn| {
        let new = NewSession { class_id, subject_id: None, name: None, starts_at, created_at: noon() };
        Ok(sessions::find_or_insert(conn, &new)?.id)
    });
    first
}

fn student(class: &Class, index: usize) -> StudentId {
    class.run(|conn| members::get(conn, class.members[index])).student_id
}

fn samples_of(class: &Class, index: usize) -> Vec<SampleSummary> {
    let student = student(class, index);
    class.run(|conn| samples::of_student(conn, student))
}

fn learned(class: &Class, index: usize) -> usize {
    samples_of(class, index).iter().filter(|s| s.origin == Origin::Session).count()
}

fn pictures(class: &Class, index: usize) -> usize {
    let keys = class.school.store.list(KeyGroup::Student(student(class, index).0));
    wait(keys.try_collect::<Vec<_>>()).unwrap().len()
}

fn jobs(class: &Class) -> usize {
    let all = class.run(|conn| store::list(conn, None, 99));
    all.iter().filter(|job| job.kind == JOB_KIND).count()
}

fn is_stale(class: &Class, session: SessionId) -> bool {
    class.run(|conn| {
        let row = sessions::get(conn, session)?;
        Freshness::new(class.matching.clone()).is_stale(conn, &row)
    })
}

on_each_database! {
    fn without_the_setting_a_signature_teaches_nothing(db) {
        let class = Class::new(db);
        photo(&class, 1, LOOKS);
        confirm(&class);
        assert_eq!((jobs(&class), learn(&class)), (0, 0));
    }

    fn a_signed_and_certain_face_becomes_a_sample_that_says_where_it_is_from(db) {
        let class = class(db);
        let faces = photo(&class, 1, LOOKS);
        assert_eq!(class.face(faces[1]).verdict, Some(Verdict::Match), "a match, but only just");
        assert_eq!(learn(&class), 0, "nobody has signed");
        confirm(&class);
        assert_eq!((jobs(&class), learn(&class), learn(&class)), (1, 1, 0));
        assert_eq!((learned(&class, 0), learned(&class, 1), learned(&class, 2)), (1, 0, 0));
        let sample = samples_of(&class, 0).pop().unwrap();
        assert_eq!((sample.session_id, sample.face_id), (Some(class.session), Some(faces[0])));
        let picture = wait(enrol::picture_of(&class.school, sample.id)).unwrap();
        assert_eq!(image::load_from_memory(&picture.bytes).unwrap().width(), 56, "40 pixels and room, cut at the border");
        // A photo that is looked at again has new faces; the sample stays with its session.
        let photo = class.face(faces[0]).photo_id;
        class.run(|conn| faces::replace_for_photo(conn, photo, &[]));
        let sample = samples_of(&class, 0).pop().unwrap();
        assert_eq!((sample.session_id, sample.face_id), (Some(class.session), None));
    }

    fn what_was_learned_makes_open_sessions_stale_and_confirmed_ones_not(db) {
        let mut class = class(db);
        photo(&class, 1, LOOKS);
        let first = next_session(&mut class);
        photo(&class, 2, LOOKS);
        let second = std::mem::replace(&mut class.session, first);
        confirm(&class);
        assert_eq!(learn(&class), 1);
        assert_eq!((is_stale(&class, first), is_stale(&class, second)), (false, true));
        class.session = second;
        class.settle();
        assert!(!is_stale(&class, second));
        // What somebody enrols or takes away is another matter.
        let portrait = samples_of(&class, 0)[0].id;
        wait(enrol::delete_sample(&class.school, portrait)).unwrap();
        assert!(is_stale(&class, first) && is_stale(&class, second));
    }

    fn a_reopened_session_takes_its_faces_back_with_their_pictures(db) {
        let class = class(db);
        photo(&class, 1, LOOKS);
        confirm(&class);
        assert_eq!((learn(&class), pictures(&class, 0)), (1, 1));
        reopen(&class);
        assert_eq!((learned(&class, 0), pictures(&class, 0), learn(&class)), (0, 0, 0));
        confirm(&class);
        assert_eq!((jobs(&class), learn(&class), pictures(&class, 0)), (2, 1, 1));
    }

    fn a_student_learns_so_many_faces_and_can_forget_them(db) {
        let mut class = class(db);
        photo(&class, 1, LOOKS);
        confirm(&class);
        assert_eq!(learn(&class), 1);
        let first = next_session(&mut class);
        later_photo(&class, 2, LATER);
        confirm(&class);
        assert_eq!(learn(&class), 0, "one is the limit of this school");
        let asha = student(&class, 0);
        assert_eq!(wait(forget(&class.school, asha)).unwrap(), 1);
        assert_eq!((samples_of(&class, 0).len(), pictures(&class, 0)), (1, 0), "the portrait stays");
        assert_eq!(learn(&class), 1);
        assert_ne!(samples_of(&class, 0).pop().unwrap().session_id, Some(first));
        assert_eq!(wait(forget(&class.school, StudentId(404))).unwrap_err().code, Code::StudentNotFound);
    }

    fn what_the_teacher_says_is_not_there_is_not_learned(db) {
        let class = class(db);
        photo(&class, 1, LOOKS);
        class.correct(class.members[0], AttendanceStatus::Absent);
        confirm(&class);
        assert_eq!(learn(&class), 0);
    }

    fn a_session_of_confusion_teaches_nothing(db) {
        let class = class(db);
        photo(&class, 1, LOOKS);
        class.run(|conn| {
            let flags = Some(crate::db::Json(vec!["mostly_strangers".to_owned()]));
            sessions::update(conn, class.session, &sessions::SessionChange { flags, ..sessions::SessionChange::at(noon()) })
        });
        confirm(&class);
        assert_eq!(learn(&class), 0);
    }

    fn without_its_photo_a_face_is_not_learned(db) {
        let class = class(db);
        class.photo(1, LOOKS);
        confirm(&class);
        assert_eq!((learn(&class), learned(&class, 0)), (0, 0));
    }

    fn consent_that_is_withdrawn_takes_learned_faces_too(db) {
        let class = class(db);
        photo(&class, 1, LOOKS);
        confirm(&class);
        assert_eq!(learn(&class), 1);
        let withdrawn = (Consent::Withdrawn, None);
        wait(set_consent(&class.school, "P1".into(), withdrawn, Mode::Apply)).unwrap();
        assert_eq!((samples_of(&class, 0).len(), pictures(&class, 0), learn(&class)), (0, 0, 0));
    }
}

#[test]
fn one_signature_is_one_job() {
    let file = crate::db::testing::TempSqlite::new();
    let db = crate::db::Db::create(&file.url()).unwrap();
    db.migrate().unwrap();
    let class = class(&db);
    photo(&class, 1, LOOKS);
    confirm(&class);
    confirm(&class);
    assert_eq!(jobs(&class), 1);
    let row = class.run(|conn| store::list(conn, None, 9)).pop().unwrap();
    assert_eq!((row.payload.0["class"].as_i64(), row.topic.as_str()), (Some(class.id.0), TOPIC));
}
