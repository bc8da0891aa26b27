//! One portrait: consent, bytes, face, sample.

use std::path::Path;

use chrono::Utc;

use super::sources::Task;
use super::{ConsentGiven, PortraitFace, PortraitReport, PortraitStatus, the_one_face};
use crate::app::error::{Code, Error};
use crate::app::photo::extension;
use crate::app::{Recogniser, School, blocking};
use crate::db::samples::NewSample;
use crate::db::students::StudentChange;
use crate::db::{AnyConnection, DbError, Json, samples, students};
use crate::domain::ids::StudentId;
use crate::domain::status::Consent;
use crate::storage::{Digest, Key};
use crate::vision::decode::{DecodeError, DecodeLimits, Oversize, identify};

/// Enrols a portrait. Consent first: without it the picture is not even looked at.
pub(super) async fn enrol(
    school: &School,
    recogniser: &Recogniser,
    task: Task,
    consent: ConsentGiven,
) -> Result<PortraitReport, Error> {
    let student = task.entry.student;
    let stated = consent == ConsentGiven::Recorded || task.consent == Consent::Given;
    school.change(move |conn| require_consent(conn, student, stated)).await?;
    let limits = *recogniser.limits();
    let file = task.file;
    let bytes = blocking(move || read_file(&file, &limits)).await?;
    let digest = Digest::of(&bytes);
    let report = PortraitReport {
        path: task.path,
        roll_no: Some(task.entry.roll_no),
        member: Some(task.entry.member),
        status: PortraitStatus::Known,
        error: None,
        quality: None,
        warnings: Vec::new(),
    };
    if is_known(school, recogniser, student, &digest).await? {
        return Ok(report);
    }
    let (seen, bytes) = {
        let recogniser = recogniser.clone();
        blocking(move || Ok((recogniser.analyse_portrait(&bytes)?, bytes))).await?
    };
    let face = the_one_face(seen, recogniser.enrol_lines())?;
    let status = keep(school, recogniser, (student, digest), &face, &bytes).await?;
    Ok(PortraitReport { status, quality: Some(face.quality), warnings: face.warnings, ..report })
}

async fn is_known(
    school: &School,
    recogniser: &Recogniser,
    student: StudentId,
    digest: &Digest,
) -> Result<bool, Error> {
    let (pack, sha256) = (recogniser.key().clone(), digest.to_string());
    school
        .read(move |conn| Ok(samples::find_by_sha256(conn, student, (&pack.id, &pack.version), &sha256)?.is_some()))
        .await
}

/// Stores the picture and its sample.
async fn keep(
    school: &School,
    recogniser: &Recogniser,
    (student, digest): (StudentId, Digest),
    face: &PortraitFace,
    bytes: &[u8],
) -> Result<PortraitStatus, Error> {
    let extension = extension(identify(bytes, recogniser.limits())?);
    let key = Key::Sample { student: student.0, sha256: digest, extension };
    school.store.put(&key, bytes).await?;
    let new = NewSample {
        student_id: student,
        pack_id: recogniser.key().id.clone(),
        pack_version: recogniser.key().version.clone(),
        sha256: digest.to_string(),
        object_key: key.to_string(),
        weight: f64::from(face.quality.weight()),
        quality: Json(Some(face.quality)),
        embedding: face.embedding.clone(),
        created_at: Utc::now().naive_utc(),
    };
    let kept = insert(school, new).await;
    if let Err(Error { code: Code::ConsentRequired, .. }) = &kept {
        school.store.delete(&key).await?;
    }
    kept
}

/// Writes a sample, unless consent was withdrawn while its picture was looked at.
pub(super) async fn insert(school: &School, new: NewSample) -> Result<PortraitStatus, Error> {
    let inserted = school.change(move |conn| {
        require_consent(conn, new.student_id, false)?;
        Ok(samples::insert(conn, &new))
    });
    match inserted.await? {
        Ok(_) => Ok(PortraitStatus::Enrolled),
        // The same picture lay in the folder twice and both were in flight.
        Err(DbError::Duplicate { .. }) => Ok(PortraitStatus::Known),
        Err(e) => Err(e.into()),
    }
}

/// The bytes of a portrait, unless it is over the limit.
fn read_file(file: &Path, limits: &DecodeLimits) -> Result<Vec<u8>, Error> {
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
