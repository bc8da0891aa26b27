//! One portrait: consent, bytes, face, sample.

use std::path::PathBuf;

use bytes::Bytes;
use chrono::Utc;

use super::sources::Task;
use super::{ConsentGiven, PortraitReport, PortraitStatus, single_face, usable};
use crate::app::batch_report::told;
use crate::app::error::{Code, Error};
use crate::app::photo::extension;
use crate::app::{Mode, Recogniser, School, blocking};
use crate::db::samples::NewSample;
use crate::db::students::StudentChange;
use crate::db::{AnyConnection, DbError, Json, samples, students};
use crate::domain::embedding::Embedding;
use crate::domain::folder_name::RosterEntry;
use crate::domain::ids::{MemberId, SampleId, StudentId};
use crate::domain::quality::FaceQuality;
use crate::domain::status::Consent;
use crate::storage::{Digest, Key};
use crate::vision::decode::{DecodeError, DecodeLimits, Oversize, identify};

/// A portrait whose bytes are here, and whose it is.
pub(super) struct Portrait {
    /// How the caller knows it.
    pub(super) path: String,
    pub(super) student: StudentId,
    /// Where it is one of a class.
    pub(super) member: Option<MemberId>,
    pub(super) roll_no: Option<String>,
    pub(super) bytes: Bytes,
}

/// Enrols a portrait that `read` fetches. Consent first: without it the picture is not even looked at.
pub(super) async fn enrol<S: Send + 'static>(
    school: &School,
    recogniser: &Recogniser,
    task: Task<S>,
    consent: ConsentGiven,
    read: fn(&S, &DecodeLimits) -> Result<Vec<u8>, Error>,
) -> Result<PortraitReport, Error> {
    let student = task.entry.student;
    let stated = consent == ConsentGiven::Recorded || task.consent == Consent::Given;
    school.change(move |conn| require_consent(conn, student, stated)).await?;
    let (limits, source) = (*recogniser.limits(), task.source);
    let bytes = blocking(move || read(&source, &limits)).await?.into();
    let RosterEntry { member, roll_no, .. } = task.entry;
    let portrait = Portrait { path: task.path, student, member: Some(member), roll_no: Some(roll_no), bytes };
    take(school, recogniser, portrait, Mode::Apply).await
}

/// Looks at a portrait and, unless this is only a preview, keeps it.
pub(super) async fn take(
    school: &School,
    recogniser: &Recogniser,
    portrait: Portrait,
    mode: Mode,
) -> Result<PortraitReport, Error> {
    let Portrait { path, student, member, roll_no, bytes } = portrait;
    let digest = Digest::of(&bytes);
    let sample = known(school, recogniser, student, &digest).await?;
    let report = PortraitReport {
        path,
        roll_no,
        member,
        sample,
        status: PortraitStatus::Known,
        error: None,
        quality: None,
        warnings: Vec::new(),
    };
    if sample.is_some() {
        return Ok(report);
    }
    let (nets, picture) = (recogniser.clone(), bytes.clone());
    let seen = blocking(move || nets.analyse_portrait(&picture)).await?;
    let (face, warnings) = single_face(seen)?;
    let report = PortraitReport { quality: Some(face.quality), warnings, ..report };
    let (quality, embedding) = (
        face.quality,
        match usable(face, recogniser.enrol_lines()) {
            Ok(embedding) => embedding,
            Err(e) => return Ok(PortraitReport { status: PortraitStatus::Refused, error: Some(told(&e)), ..report }),
        },
    );
    match mode {
        Mode::Preview => Ok(PortraitReport { status: PortraitStatus::Enrolled, ..report }),
        Mode::Apply => {
            let kept = keep(school, recogniser, (student, digest), (embedding, quality), &bytes).await?;
            Ok(PortraitReport { status: kept.status(), sample: kept.sample(), ..report })
        }
    }
}

/// The sample that the student has from this picture.
async fn known(
    school: &School,
    recogniser: &Recogniser,
    student: StudentId,
    digest: &Digest,
) -> Result<Option<SampleId>, Error> {
    let (pack, sha256) = (recogniser.key().clone(), digest.to_string());
    school.read(move |conn| Ok(samples::find_by_sha256(conn, student, (&pack.id, &pack.version), &sha256)?)).await
}

/// Stores the picture and its sample.
async fn keep(
    school: &School,
    recogniser: &Recogniser,
    (student, digest): (StudentId, Digest),
    (embedding, quality): (Embedding, FaceQuality),
    bytes: &[u8],
) -> Result<Kept, Error> {
    let extension = extension(identify(bytes, recogniser.limits())?);
    let key = Key::Sample { student: student.0, sha256: digest, extension };
    school.store.put(&key, bytes).await?;
    let new = NewSample {
        student_id: student,
        pack_id: recogniser.key().id.clone(),
        pack_version: recogniser.key().version.clone(),
        sha256: digest.to_string(),
        object_key: key.to_string(),
        weight: f64::from(quality.weight()),
        quality: Json(Some(quality)),
        embedding,
        created_at: Utc::now().naive_utc(),
    };
    let kept = insert(school, new).await;
    if let Err(Error { code: Code::ConsentRequired, .. }) = &kept {
        school.store.delete(&key).await?;
    }
    kept
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    New(SampleId),
    /// The same picture came twice and both were in flight.
    Twice,
}

impl Kept {
    pub(super) const fn status(self) -> PortraitStatus {
        match self {
            Self::New(_) => PortraitStatus::Enrolled,
            Self::Twice => PortraitStatus::Known,
        }
    }

    pub(super) const fn sample(self) -> Option<SampleId> {
        match self {
            Self::New(id) => Some(id),
            Self::Twice => None,
        }
    }
}

/// Writes a sample, unless consent was withdrawn while its picture was looked at.
pub(super) async fn insert(school: &School, new: NewSample) -> Result<Kept, Error> {
    let inserted = school.change(move |conn| {
        require_consent(conn, new.student_id, false)?;
        Ok(samples::insert(conn, &new))
    });
    match inserted.await? {
        Ok(id) => Ok(Kept::New(id)),
        Err(DbError::Duplicate { .. }) => Ok(Kept::Twice),
        Err(e) => Err(e.into()),
    }
}

/// The bytes of a portrait, unless it is over the limit.
pub(super) fn read_file(file: &PathBuf, limits: &DecodeLimits) -> Result<Vec<u8>, Error> {
    let failed = |e: std::io::Error| Error::file(file, &e);
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > limits.max_bytes {
        return Err(DecodeError::from(Oversize::Bytes { bytes: length, limit: limits.max_bytes }).into());
    }
    std::fs::read(file).map_err(failed)
}

/// Records a stated consent, or refuses a student without one; never overrules one that was withdrawn.
pub(super) fn require_consent(conn: &mut AnyConnection, id: StudentId, stated: bool) -> Result<(), Error> {
    let student = students::get(conn, id)?;
    match student.consent {
        Consent::Given => Ok(()),
        Consent::Unknown if stated => {
            let now = Utc::now().naive_utc();
            let change =
                StudentChange { consent: Some(Consent::Given), consent_at: Some(Some(now)), ..StudentChange::at(now) };
            Ok(students::update(conn, id, &change)?)
        }
        Consent::Unknown => Err(Error::new(
            Code::ConsentRequired,
            "no consent on record; import a roster that states it, or enrol with --consent recorded",
        )),
        Consent::Withdrawn => Err(Error::new(
            Code::ConsentRequired,
            "consent was withdrawn; only a roster that states it anew changes that",
        )),
    }
}
