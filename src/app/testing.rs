//! A class with templates and a session with faces, without nets: everything that verdicts are made of is written straight
//! into the database.

use std::sync::Arc;

use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;

use super::School;
use super::recogniser::PackKey;
use super::session::{self, Matching};
use crate::config::Config;
use crate::db::faces::{FaceRow, NewFace};
use crate::db::photos::PhotoResult;
use crate::db::records::{NewRecord, RecordRow};
use crate::db::samples::{self, NewSample};
use crate::db::testing::{at, day, new_face, new_photo, new_session, new_student, photo_result, sha256};
use crate::db::{
    AnyConnection, Db, DbError, Json, classes, faces, members, photos, records, sessions, students, transaction,
};
use crate::domain::assign::tests::{looks_like, scoring64};
use crate::domain::embedding::Embedding;
use crate::domain::ids::{ClassId, FaceId, MemberId, PhotoId, SessionId, StudentId};
use crate::domain::status::{AttendanceStatus, Consent, RecordSource};
use crate::storage::MemoryStore;

/// Whom a face looks like: axes of the templates with their weights, and the number of the look that is its own.
pub(super) type Look<'a> = (&'a [(usize, f32)], usize);

/// A class whose member `i` of [`Class::members`] looks exactly along axis `i`, and a session of it on 2025-09-01.
pub(super) struct Class {
    pub(super) school: School,
    pub(super) matching: Matching,
    pub(super) id: ClassId,
    pub(super) session: SessionId,
    /// Roll numbers 1, 2, 3: enrolled.
    pub(super) members: [MemberId; 3],
    /// On the roll, with consent, without a template.
    pub(super) unenrolled: MemberId,
    /// On the roll, no consent.
    pub(super) without_consent: MemberId,
    /// Left the class the day before the session.
    pub(super) left: MemberId,
}

impl Class {
    pub(super) fn new(db: &Db) -> Self {
        let config = Arc::new(Config::default());
        let school = School { db: db.clone(), store: Arc::new(MemoryStore::new()), config };
        let pack = PackKey { id: "starter".into(), version: "1".into() };
        let matching = Matching { pack, scoring: scoring64(), zone: Tz::UTC, lesson_window: TimeDelta::hours(3) };
        db.run_blocking::<_, DbError>(|conn| {
            let base = crate::db::testing::school(conn)?;
            for (axis, member) in base.members.iter().enumerate() {
                let student = members::get(conn, *member)?.student_id;
                samples::insert(conn, &sample(student, looks_like(&[(axis, 1.0)], axis), axis as u8))?;
            }
            let mut join = |roll_no: &str, consent, last: Option<&str>| {
                let student = students::insert(conn, &new_student(&format!("P{roll_no}"), consent))?;
                let new = crate::db::testing::new_member(base.class, student, roll_no);
                members::insert(conn, &members::NewMember { valid_to: last.map(day), ..new })
            };
            Ok(Self {
                unenrolled: join("4", Consent::Given, None)?,
                without_consent: join("5", Consent::Unknown, None)?,
                left: join("6", Consent::Given, Some("2025-08-31"))?,
                school,
                matching,
                id: base.class,
                session: base.session,
                members: base.members,
            })
        })
        .unwrap()
    }

    pub(super) fn run<T>(&self, work: impl FnOnce(&mut AnyConnection) -> Result<T, DbError>) -> T {
        self.school.db.run_blocking(|conn| transaction(conn, work)).unwrap()
    }

    /// A photo of the session that was looked at, and its faces from left to right.
    pub(super) fn photo(&self, image: u8, looks: &[Look]) -> (PhotoId, Vec<FaceId>) {
        self.photo_in(self.session, image, &painted(looks, 0.0))
    }

    /// A photo of some session of the class, taken when that began.
    pub(super) fn photo_in(&self, session: SessionId, image: u8, faces: &[NewFace]) -> (PhotoId, Vec<FaceId>) {
        let (photo, faces) = self.run(|conn| {
            let photo = photos::insert(conn, &new_photo(session, image))?;
            let captured_at = Some(sessions::get(conn, session)?.starts_at);
            photos::finish(conn, photo, &PhotoResult { faces_left_out: 0, captured_at, ..photo_result() })?;
            Ok((photo, faces::replace_for_photo(conn, photo, faces)?))
        });
        self.settle_one(session);
        (photo, faces)
    }

    /// The same faces as another run might find them: a little to the side, with other ids.
    pub(super) fn look_again(&self, photo: PhotoId, looks: &[Look], shift_px: f32) -> Vec<FaceId> {
        let faces = self.run(|conn| faces::replace_for_photo(conn, photo, &painted(looks, shift_px)));
        self.settle();
        faces
    }

    /// The class in pilot, with a new session of it in the place of the first, which counts.
    pub(super) fn in_pilot(mut self) -> Self {
        self.session = self.run(|conn| {
            classes::set_pilot(conn, self.id, Some(at("2025-09-01 12:00:00")))?;
            Ok(sessions::find_or_insert(conn, &new_session(self.id, "2025-09-02 03:30:00"))?.id)
        });
        self
    }

    pub(super) fn settle(&self) {
        self.settle_one(self.session);
    }

    pub(super) fn settle_one(&self, session: SessionId) {
        self.run(|conn| session::settle(conn, session, &self.matching, noon()));
    }

    pub(super) fn face(&self, id: FaceId) -> FaceRow {
        self.run(|conn| faces::get(conn, id))
    }

    /// All verdicts and records, without the time at which they were written.
    pub(super) fn everything(&self) -> (Vec<FaceRow>, Vec<RecordRow>) {
        self.run(|conn| {
            let mut rows = records::list(conn, self.session)?;
            rows.iter_mut().for_each(|row| row.updated_at = NaiveDateTime::default());
            Ok((faces::list_for_session(conn, self.session)?, rows))
        })
    }

    pub(super) fn status(&self, member: MemberId) -> AttendanceStatus {
        let rows = self.run(|conn| records::list(conn, self.session));
        rows.into_iter().find(|row| row.member_id == member).unwrap().status
    }

    /// What a teacher sets by hand.
    pub(super) fn correct(&self, member: MemberId, status: AttendanceStatus) {
        let said = NewRecord {
            session_id: self.session,
            member_id: member,
            status,
            source: RecordSource::Manual,
            confidence: None,
            face_id: None,
            note: None,
            updated_at: noon(),
        };
        self.run(|conn| records::upsert(conn, &[said]));
    }
}

/// Runs what the service awaits.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Faces in a row, so far to the side.
pub(super) fn painted(looks: &[Look], shift_px: f32) -> Vec<NewFace> {
    let face = |(i, (parts, look)): (usize, &Look)| NewFace {
        x: 100.0 * i as f32 + shift_px,
        y: 50.0,
        w: 40.0,
        h: 40.0,
        embedding: Some(seen(parts, *look)),
        ..new_face(i as i32)
    };
    looks.iter().enumerate().map(face).collect()
}

/// Nine tenths of what is left of a face is its own look, shared by all faces of that look.
fn seen(parts: &[(usize, f32)], look: usize) -> Embedding {
    let used: f32 = parts.iter().map(|p| p.1 * p.1).sum();
    let mut all = parts.to_vec();
    all.push((16 + look, (0.9 * (1.0 - used)).sqrt()));
    looks_like(&all, look)
}

fn sample(student: StudentId, embedding: Embedding, image: u8) -> NewSample {
    NewSample {
        student_id: student,
        pack_id: "starter".into(),
        pack_version: "1".into(),
        sha256: sha256(image),
        object_key: format!("samples/{}/{}.jpg", student.0, sha256(image)),
        embedding,
        quality: Json(None),
        weight: 1.0,
        created_at: noon(),
    }
}

pub(super) fn noon() -> NaiveDateTime {
    at("2025-09-01 12:00:00")
}

/// A school on a test's database, with photos in memory and the default settings.
pub(crate) fn school(db: &Db) -> School {
    School { db: db.clone(), store: Arc::new(MemoryStore::new()), config: Arc::new(Config::default()) }
}

/// Runs a test that waits for things, on several threads as the program does.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test)
}
