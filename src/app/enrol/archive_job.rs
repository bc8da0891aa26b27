//! An archive of portraits as a job: hundreds of portraits last longer than a request may.
//!
//! The archive lies in the store until its job is finished. Whoever finishes it deletes the archive; what a worker leaves that
//! dies in between, or a job that failed or was cancelled, is swept away with the next hour. A second attempt finds known what
//! the first has enrolled.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use super::archive::{Archive, run_archive};
use super::{EnrolReport, PortraitStatus, roster_of_class};
use crate::app::error::{Code, Error};
use crate::app::photo::failure;
use crate::app::recogniser::PackKey;
use crate::app::work::{bad_payload, finish_with, storage_failure};
use crate::app::{Recogniser, School, blocking, jobs};
use crate::db::{AnyConnection, DbError};
use crate::domain::ids::ClassId;
use crate::queue::store::{self, Held};
use crate::queue::{self, Claim, Claimed, Failure, JobId, NewJob, Priority};
use crate::storage::{Key, StorageErrorKind};

/// The kind of the job of an archive.
pub const JOB_KIND: &str = "enrolment";
/// Pause between two notes of how far a job is.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// Which workers can enrol: those with the pack that samples are made by.
pub(crate) fn topic(pack: &PackKey) -> String {
    format!("{JOB_KIND}:{}@{}", pack.id, pack.version)
}

/// What the job says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Payload {
    /// That all students of the archive are in.
    class: ClassId,
    /// Of the archive; drawn by lot.
    archive: u64,
}

impl Payload {
    const fn key(self) -> Key {
        Key::Enrolment { class: self.class.0, number: self.archive }
    }
}

fn dedup_key(class: i64, archive: u64) -> String {
    format!("class:{class}:{JOB_KIND}:{archive}")
}

/// Whether an unfinished job needs this archive.
pub(crate) fn is_awaited(conn: &mut AnyConnection, archive: &Key) -> Result<bool, DbError> {
    let Key::Enrolment { class, number } = archive else { return Ok(false) };
    Ok(store::unfinished_of_key(conn, &dedup_key(*class, *number))?.is_some())
}

/// Keeps an archive of portraits of a class and queues its enrolment for `owner`. Its list is read now, its pictures are looked
/// at later.
///
/// # Errors
/// `CLASS_NOT_FOUND`; `UNSUPPORTED_FORMAT` for bytes that are no zip archive, `REQUEST_TOO_LARGE` for one with too much in it,
/// `INVALID_REQUEST` for one without a picture in a folder; `BUSY` when too many wait already; storage failures.
pub async fn queue_archive(
    school: &School,
    recogniser: &Recogniser,
    archive: Bytes,
    class: ClassId,
    owner: Option<String>,
) -> Result<JobId, Error> {
    let roster = roster_of_class(school, class).await?;
    let (listed, limits) = (archive.clone(), *recogniser.limits());
    let found = blocking(move || Archive::open(listed)?.portraits(&roster.entries, &limits)).await?;
    if let (tasks, reports, warnings) = &found
        && tasks.is_empty()
        && reports.is_empty()
    {
        let what = format!("there is no picture in a student's folder; {}", warnings.join("; "));
        return Err(Error::new(Code::InvalidRequest, what));
    }
    let (topic, limit) = (topic(recogniser.key()), school.config.server.queue_limit);
    let asked = topic.clone();
    school.read(move |conn| jobs::require_room(conn, &asked, limit)).await?;
    let payload = Payload { class, archive: number()? };
    let job = NewJob {
        kind: JOB_KIND,
        topic,
        payload: json!(payload),
        dedup_key: dedup_key(class.0, payload.archive),
        run_id: None,
        priority: Priority::Person,
        max_attempts: school.config.queue.max_attempts,
        owner,
    };
    // Stored first: a job never waits for an archive that is not there.
    school.store.put(&payload.key(), &archive).await?;
    school.change(move |conn| Ok(queue::enqueue(conn, &job)?)).await
}

/// Such that no two archives meet.
fn number() -> Result<u64, Error> {
    getrandom::u64().map_err(|e| Error::new(Code::ProcessingError, format!("the system gives no random numbers: {e}")))
}

/// Enrols the portraits of an archive and ends its job with the report.
///
/// # Errors
/// What failed, for the queue to try again; that the job is no longer this worker's, or was cancelled.
pub(crate) async fn process_archive(school: &School, recogniser: &Recogniser, job: &Claimed) -> Result<(), Failure> {
    let payload: Payload = serde_json::from_value(job.payload.clone()).map_err(|e| bad_payload(&e))?;
    let key = payload.key();
    let archive = match school.store.get(&key).await {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) if error.kind == StorageErrorKind::NotFound => {
            let message = "the archive was deleted when the job had ended; send it again".to_owned();
            return Err(Failure::Final { code: Code::InvalidRequest.as_str(), message });
        }
        Err(error) => return Err(storage_failure(school, error.into()).await),
    };
    let (progress, seen) = watch::channel((0, 0));
    let tell = |done, all| {
        progress.send_replace((done, all));
    };
    let report = tokio::select! {
        report = run_archive(school, recogniser, archive, payload.class, &tell) => report.map_err(failure)?,
        lost = note_progress(school, &job.claim, seen) => return Err(lost),
    };
    require_tried(school, &report, job).await?;
    finish_with(school, &job.claim, json!(report)).await?;
    if let Err(error) = school.store.delete(&key).await {
        tracing::warn!(job = job.claim.id.0, "an archive of portraits is deleted later: {error}");
    }
    Ok(())
}

/// Portraits that something around them kept from being looked at are tried again, for as long as there are attempts.
async fn require_tried(school: &School, report: &EnrolReport, job: &Claimed) -> Result<(), Failure> {
    let failed = report.photos.iter().filter(|photo| photo.status == PortraitStatus::Failed);
    let Some(error) = failed.clone().find_map(|photo| photo.error.as_ref()) else { return Ok(()) };
    if let Err(away) = school.storage_answers().await {
        return Err(storage_failure(school, away).await);
    }
    if job.claim.attempt >= job.max_attempts {
        return Ok(());
    }
    let message = format!("{} of {} portraits: {}", failed.count(), report.photos.len(), error.message);
    Err(Failure::Passing { code: error.code.as_str(), message })
}

/// Writes down how far the job is; ends only when it is no longer held.
async fn note_progress(school: &School, claim: &Claim, mut seen: watch::Receiver<(usize, usize)>) -> Failure {
    loop {
        tokio::time::sleep(NOTED_EVERY).await;
        if !seen.has_changed().unwrap_or(false) {
            continue;
        }
        let (done, all) = *seen.borrow_and_update();
        let claim = claim.clone();
        let noted = school
            .change(move |conn| Ok(store::set_progress(conn, &claim, &json!({ "portraits": all, "done": done }))?))
            .await;
        match noted {
            Ok(Held::Yes) => {}
            Ok(Held::Finished | Held::No) => return Failure::LeaseLost,
            // The work itself will find out when it lasts.
            Err(error) => tracing::debug!(code = error.code.as_str(), "progress was not noted: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
