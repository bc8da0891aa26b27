//! Samples of one student, from pictures that were sent: added, looked at, deleted.
//!
//! The same way as for folders, one picture at a time: [`add_sample`] for each, then [`conclude`] once, which looks at
//! what the student's samples say together.

use bytes::Bytes;

use super::one::{self, require_consent};
use super::{PortraitReport, health, refused};
use crate::app::error::{Code, Error};
use crate::app::{Mode, Recogniser, School};
use crate::db::samples;
use crate::domain::ids::{SampleId, StudentId};
use crate::storage::Key;

/// A picture that was sent for a student.
#[derive(Debug)]
pub struct Portrait {
    /// How the sender knows it.
    pub name: String,
    /// Its bytes, or why they were not taken.
    pub bytes: Result<Bytes, Error>,
}

/// Enrols a picture of a student who has consented; a preview says what would become of it and keeps nothing. A picture
/// that cannot be used is a result, not a failure.
///
/// # Errors
/// `STUDENT_NOT_FOUND`, `CONSENT_REQUIRED`: what is true of all pictures of the student.
pub async fn add_sample(
    school: &School,
    recogniser: &Recogniser,
    student: StudentId,
    portrait: Portrait,
    mode: Mode,
) -> Result<PortraitReport, Error> {
    school.read(move |conn| require_consent(conn, student, false)).await?;
    let path = portrait.name;
    let taken = match portrait.bytes {
        Ok(bytes) => {
            let portrait = one::Portrait { path: path.clone(), student, member: None, roll_no: None, bytes };
            one::take(school, recogniser, portrait, mode).await
        }
        Err(error) => Err(error),
    };
    match taken {
        // Withdrawn while the picture was looked at.
        Err(error) if error.code == Code::ConsentRequired => Err(error),
        Err(error) => Ok(refused(path, None, &error)),
        Ok(report) => Ok(report),
    }
}

/// Looks at everything that the student has enrolled. Pictures that contradict each other are put in question in
/// `reports`; returned is what a person should look at.
///
/// # Errors
/// Database failures.
pub async fn conclude(
    school: &School,
    recogniser: &Recogniser,
    student: StudentId,
    reports: &mut [PortraitReport],
) -> Result<Vec<String>, Error> {
    let health = health::of_student(school, recogniser.matching(school), student).await?;
    if health.disagree {
        reports.iter_mut().for_each(PortraitReport::question);
    }
    Ok(health.warnings)
}

/// Deletes a sample and, unless a sample of another pack has the same, its picture. The picture goes first: a failure in
/// between leaves a sample that can be deleted again, never a picture that nobody knows of.
///
/// # Errors
/// `SAMPLE_NOT_FOUND`; `STORAGE_ERROR` when the picture cannot be deleted.
pub async fn delete_sample(school: &School, id: SampleId) -> Result<(), Error> {
    let found = school.read(move |conn| {
        let sample = samples::summary(conn, id)?;
        let is_shared = samples::shares_image(conn, &sample)?;
        Ok((sample, is_shared))
    });
    let (sample, is_shared) = found.await?;
    if let (false, Ok(key)) = (is_shared, sample.object_key.parse::<Key>()) {
        school.store.delete(&key).await?;
    }
    school.change(move |conn| Ok(samples::delete(conn, id)?)).await
}

/// The picture that a sample was made from.
#[derive(Debug)]
pub struct StoredPicture {
    pub bytes: Vec<u8>,
    pub media_type: &'static str,
}

/// # Errors
/// `SAMPLE_NOT_FOUND`, also for a sample that came without a picture; `STORAGE_ERROR`.
pub async fn picture_of(school: &School, id: SampleId) -> Result<StoredPicture, Error> {
    let sample = school.read(move |conn| Ok(samples::summary(conn, id)?)).await?;
    let Ok(key) = sample.object_key.parse::<Key>() else {
        return Err(Error::new(Code::SampleNotFound, format!("{id} came without a picture")));
    };
    let Key::Sample { extension, .. } = key else {
        return Err(Error::new(Code::SampleNotFound, format!("{id} came without a portrait")));
    };
    Ok(StoredPicture { bytes: school.store.get(&key).await?, media_type: extension.media_type() })
}

#[cfg(test)]
mod tests;
