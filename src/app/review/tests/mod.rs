//! A teacher and a session, on both databases. Faces are vectors along one axis each: equal or strangers to each other.

mod confirmed;
mod corrections;
mod head_count;
mod sheets;
mod signing;

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::app::error::Code;
use crate::app::session::{self, Matching};
use crate::config::Config;
use crate::db::events::{self, EventRow, Topic};
use crate::db::faces::NewFace;
use crate::db::photos::PhotoResult;
use crate::db::samples::{self, NewSample};
use crate::db::testing::{at, new_face, new_photo, photo_result, sha256};
use crate::db::{Db, Json, faces, photos, transaction};
use crate::domain::access::Actor;
use crate::domain::embedding::Embedding;
use crate::domain::ids::{ClassId, PhotoId, UserId};
use crate::domain::status::{AttendanceStatus, SessionState};
use crate::storage::MemoryStore;

use AttendanceStatus::{Absent, Excused, Late, Present, Unmarked as Undecided};

/// A class with three members, each with a sample along the axis of their roll number, and a session with two photos: both
/// show roll number 1 and the same stranger.
pub(super) struct Scene {
    pub(super) school: School,
    pub(super) class: ClassId,
    pub(super) members: [MemberId; 3],
    pub(super) session: SessionId,
    pub(super) photos: [PhotoId; 2],
    runtime: tokio::runtime::Runtime,
}

/// Nobody of the class looks like this.
const STRANGER: usize = 100;

fn along(axis: usize) -> Embedding {
    let mut values = vec![0.0; 512];
    values[axis] = 1.0;
    Embedding::new(values).unwrap()
}

fn face(ordinal: i32, axis: usize) -> NewFace {
    NewFace { embedding: Some(along(axis)), x: 100.0 * ordinal as f32, ..new_face(ordinal) }
}

fn seen_with(pack_version: &str) -> PhotoResult {
    PhotoResult { faces_left_out: 0, warnings: Json(vec![]), pack_version: pack_version.into(), ..photo_result() }
}

pub(super) fn ann() -> Actor {
    Actor::user(UserId(5), "ann")
}

impl Scene {
    pub(super) fn unsettled(db: &Db) -> Self {
        let school =
            School { db: db.clone(), store: Arc::new(MemoryStore::new()), config: Arc::new(Config::default()) };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        db.run_blocking::<_, DbError>(|conn| {
            let small = crate::db::testing::school(conn)?;
            let pack = Matching::of_settings(&school.config).unwrap().pack;
            for (index, member) in small.members.iter().enumerate() {
                let sample = NewSample {
                    student_id: members::get(conn, *member)?.student_id,
                    pack_id: pack.id.clone(),
                    pack_version: pack.version.clone(),
                    sha256: sha256(index as u8 + 1),
                    object_key: String::new(),
                    embedding: along(index + 1),
                    quality: Json(None),
                    weight: 1.0,
                    created_at: at("2025-08-01 08:00:00"),
                };
                samples::insert(conn, &sample)?;
            }
            let photos = [
                photos::insert(conn, &new_photo(small.session, 1))?,
                photos::insert(conn, &new_photo(small.session, 2))?,
            ];
            let (class, members, session) = (small.class, small.members, small.session);
            Ok(Self { school, class, members, session, photos, runtime })
        })
        .unwrap()
    }

    /// Its photos were looked at.
    pub(super) fn settled(db: &Db) -> Self {
        let scene = Self::unsettled(db);
        scene.look_at_photos(&scene.matching().pack.version);
        scene
    }

    pub(super) fn look_at_photos(&self, pack_version: &str) {
        self.change(|conn| {
            for photo in self.photos {
                faces::replace_for_photo(conn, photo, &[face(0, 1), face(1, STRANGER)])?;
                photos::finish(conn, photo, &seen_with(pack_version))?;
            }
            session::settle(conn, self.session, &self.matching(), at("2025-09-01 05:00:00"))
        });
    }

    pub(super) fn matching(&self) -> Matching {
        Matching::of_settings(&self.school.config).unwrap()
    }

    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(super) fn change<T>(&self, work: impl FnOnce(&mut AnyConnection) -> Result<T, DbError>) -> T {
        self.school.db.run_blocking(|conn| transaction(conn, work)).unwrap()
    }

    pub(super) fn records(&self) -> Records {
        self.wait(records(&self.school, self.session)).unwrap()
    }

    pub(super) fn record(&self, index: usize) -> MemberRecord {
        self.records().find(self.members[index]).unwrap().clone()
    }

    pub(super) fn statuses(&self) -> Vec<AttendanceStatus> {
        self.records().records.iter().map(|record| record.status).collect()
    }

    pub(super) fn session(&self) -> SessionRow {
        self.change(|conn| sessions::get(conn, self.session))
    }

    pub(super) fn events(&self) -> Vec<EventRow> {
        self.change(|conn| events::after(conn, Topic::Session(self.session), 0, 99))
    }

    pub(super) fn told(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event.kind == kind).map(|event| event.data.0).collect()
    }

    pub(super) fn history(&self, index: usize) -> Vec<ChangeRow> {
        self.wait(history(&self.school, self.session, self.members[index])).unwrap()
    }

    pub(super) fn correct(&self, index: usize, status: AttendanceStatus) -> Result<MemberRecord, Error> {
        self.correct_seen(index, status, None)
    }

    pub(super) fn correct_seen(
        &self,
        index: usize,
        status: AttendanceStatus,
        expected: Option<String>,
    ) -> Result<MemberRecord, Error> {
        let wanted = RecordCorrection { expected, ..said(self.members[index], status) };
        self.wait(correct(&self.school, self.session, wanted, ann()))
    }

    pub(super) fn withdraw(&self, index: usize) -> Result<Option<MemberRecord>, Error> {
        self.wait(withdraw(&self.school, self.session, self.members[index], ann(), None))
    }

    /// The stranger of the photos has a reason to be there.
    pub(super) fn confirm(&self, unmarked: Unmarked) -> Result<Signed, Error> {
        let signature = Signature { unmarked, reason: Some("a guest".into()), ..Signature::default() };
        self.sign(signature).map_err(|error| match error {
            ConfirmError::Whole(error) => error,
            differences @ ConfirmError::Differences { .. } => panic!("{differences}"),
        })
    }

    pub(super) fn sign(&self, signature: Signature) -> Result<Signed, ConfirmError> {
        self.wait(confirm(&self.school, self.session, ann(), signature))
    }

    pub(super) fn reopen(&self) -> Signed {
        self.wait(reopen(&self.school, self.session, ann(), Some("a parent called".into()))).unwrap()
    }

    /// Everything that a refused change must have left alone.
    pub(super) fn everything(
        &self,
    ) -> (Records, Vec<EventRow>, Vec<ChangeRow>, Vec<faces::FaceRow>, Vec<photos::PhotoRow>) {
        let said = (0..3).flat_map(|index| self.history(index)).collect();
        let (faces, photos) =
            self.change(|conn| Ok((faces::list_for_session(conn, self.session)?, photos::list(conn, self.session)?)));
        (self.records(), self.events(), said, faces, photos)
    }
}

pub(super) fn said(member: MemberId, status: AttendanceStatus) -> RecordCorrection {
    RecordCorrection { member, correction: Correction { status, reason: None }, expected: None }
}

#[track_caller]
pub(super) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.unwrap_err().code
}
