//! A photo's way from upload to record: [`Arrival`] stores it, [`admit`] queues it, `process` looks at it and settles its session,
//! `give_up` notes that it could not be looked at, [`remove`] takes it back.
//!
//! The hash of the bytes is the photo's identity within a session: the same picture twice is one photo. Bytes are stored
//! before the row that names them, and no database connection is held while nets or storage work. Its job is queued in the
//! transaction that writes the row and ends in the one that writes the faces. Locks are taken in the order job, session,
//! photo.

mod admit;
mod advise;
mod fail;
mod known;
mod process;
mod remove;

use std::ops::Range;
use std::time::Duration;

use chrono::Utc;
use serde::{Deserialize, Serialize};

pub use admit::{Accepted, AcceptedState, Arrival, admit};
pub use advise::{AdviceReport, advise};
pub(crate) use fail::{count_given_up, fail, give_up, wait_again};
pub(crate) use known::known;
pub(crate) use process::process;
pub use remove::remove;

use super::error::{Code, Error, Outlook};
use super::events::{self, PhotoStep};
use super::recogniser::PackKey;
use super::session::{self, Matching};
use super::{School, photo_bytes};
use crate::db::photos::PhotoRow;
use crate::db::{AnyConnection, photos, sessions};
use crate::domain::ids::PhotoId;
use crate::queue::{self, Claimed, Failure, JobId, NewJob, Priority};
use crate::storage::{Download, Extension, SignedLink};
use crate::vision::decode::PhotoFormat;

/// Who waits for a photo.
#[derive(Debug, Clone)]
pub struct Order {
    pub priority: Priority,
    /// The batch run that works on it first.
    pub run_id: Option<String>,
    /// Who asked for it, as [`Actor::key`](crate::domain::access::Actor::key) writes it.
    pub owner: Option<String>,
}

/// What a photo's job says.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    photo: PhotoId,
}

/// The kind of a photo's job.
pub(crate) const JOB_KIND: &str = "photo";

/// Which workers can look at a photo: those with the pack that its session is compared by.
pub(crate) fn topic(pack: &PackKey) -> String {
    format!("{JOB_KIND}:{}@{}", pack.id, pack.version)
}

/// A photo has one job at a time.
fn dedup_key(photo: PhotoId) -> String {
    format!("{JOB_KIND}:{}", photo.0)
}

fn job(photo: PhotoId, matching: &Matching, order: &Order, max_attempts: u32) -> NewJob {
    NewJob {
        kind: JOB_KIND,
        topic: topic(&matching.pack),
        payload: serde_json::json!(Payload { photo }),
        dedup_key: dedup_key(photo),
        run_id: order.run_id.clone(),
        priority: order.priority,
        max_attempts,
        owner: order.owner.clone(),
    }
}

/// Puts a photo that was done back to the start: until it was looked at again, its session marks nobody absent, and a run
/// that is stopped in between is continued by any other. Returns its job.
///
/// # Errors
/// `SESSION_CONFIRMED`; database failures.
pub(crate) async fn requeue(school: &School, matching: &Matching, order: &Order, id: PhotoId) -> Result<JobId, Error> {
    let (matching, order, max_attempts) = (matching.clone(), order.clone(), school.config.queue.max_attempts);
    let again = move |conn: &mut AnyConnection| {
        let job = queue::enqueue(conn, &job(id, &matching, &order, max_attempts))?;
        let session = photos::get(conn, id)?.session_id;
        session::require_unconfirmed(&sessions::lock(conn, session)?)?;
        photos::requeue(conn, id)?;
        events::photo(conn, session, id, PhotoStep::Queued(job))?;
        session::settle(conn, session, &matching, Utc::now().naive_utc())?;
        Ok(job)
    };
    school.change_patiently(again).await
}

/// The ending that a photo is stored under.
pub(crate) const fn extension(format: PhotoFormat) -> Extension {
    match format {
        PhotoFormat::Jpeg => Extension::Jpg,
        PhotoFormat::Png => Extension::Png,
        PhotoFormat::WebP => Extension::Webp,
        PhotoFormat::Bmp => Extension::Bmp,
        PhotoFormat::Gif => Extension::Gif,
        PhotoFormat::Tiff => Extension::Tiff,
        PhotoFormat::Heic => Extension::Heic,
    }
}

/// Media type and file ending of a stored photo, from its key; none for one that was not stored.
pub(crate) fn kind_of(object_key: &str) -> Option<(&'static str, &'static str)> {
    let (_, extension) = object_key.rsplit_once('.')?;
    let extension: Extension = extension.parse().ok()?;
    Some((extension.media_type(), extension.as_str()))
}

fn payload(job: &Claimed) -> Result<Payload, Failure> {
    serde_json::from_value(job.payload.clone()).map_err(|e| Failure::Final {
        code: Code::ProcessingError.as_str(),
        message: format!("the job does not say which photo: {e}"),
    })
}

/// How the queue takes an error: whether another attempt may help.
pub(super) fn failure(error: Error) -> Failure {
    let (code, message) = (error.code.as_str(), error.message.clone());
    match error.outlook() {
        Outlook::Final => Failure::Final { code, message },
        Outlook::Lasting | Outlook::Passing => Failure::Passing { code, message },
        Outlook::NotItsFault => Failure::PutBack,
    }
}

/// A photo as it was uploaded, or a part of it, on its way from the store.
///
/// # Errors
/// `PHOTO_NOT_FOUND` when the bytes are gone, `STORAGE_ERROR` when they were never stored or cannot be read now.
pub async fn original(school: &School, row: &PhotoRow, part: Option<Range<u64>>) -> Result<Download, Error> {
    school.store.open(&photo_bytes::key(row)?, part).await.map_err(|error| photo_bytes::gone(row, error))
}

/// A link to a photo in the store itself, where clients reach the store: what the photo is called when it is saved, and how
/// long it opens.
///
/// # Errors
/// `STORAGE_ERROR` when it was never stored, or without credentials to sign with.
pub async fn store_link(
    school: &School,
    row: &PhotoRow,
    (saved_as, valid_for): (&str, Duration),
) -> Result<Option<SignedLink>, Error> {
    Ok(school.store.presign(&photo_bytes::key(row)?, saved_as, valid_for).await?)
}

/// The stored bytes of a photo.
pub(crate) async fn bytes(school: &School, id: PhotoId) -> Result<Vec<u8>, Error> {
    let row = school.read(move |conn| Ok(photos::get(conn, id)?)).await?;
    photo_bytes::read(school, &row).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_photo_that_is_kept_has_a_media_type() {
        assert_eq!(kind_of("attendance_photos/1/ab.jpg"), Some(("image/jpeg", "jpg")));
        assert_eq!(kind_of("attendance_photos/1/ab.heic"), Some(("image/heic", "heic")));
        assert_eq!((kind_of(""), kind_of("a/b.exe")), (None, None));
    }
}
