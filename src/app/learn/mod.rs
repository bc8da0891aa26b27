//! Faces of confirmed sessions join the templates of the students they show, where a school wants that
//! (`learning.from_confirmed`).
//!
//! A signature queues a job, because pictures are decoded and stored, which nobody should wait for who signs; and because a
//! job is tried again. Which faces may be learned is decided by `domain::learning`; how little they may weigh by
//! `domain::template`. What was learned is a sample that names its session and face. It goes when the session is reopened,
//! with the student's consent, when somebody deletes it, or with [`forget`].

mod job;
#[cfg(test)]
mod tests;

use serde_json::json;

use super::error::Error;
use super::{School, roster};
use crate::config::Config;
use crate::db::samples::{self, LearnedOf};
use crate::db::{AnyConnection, DbError, sessions, students};
use crate::domain::ids::{SessionId, StudentId};
use crate::queue::{self, NewJob, Priority};
use crate::storage::Key;

pub(crate) use job::process;

/// The kind of the job.
pub(crate) const JOB_KIND: &str = "learn";
/// Its topic, which every worker has.
pub(crate) const TOPIC: &str = "learn";

/// Queues what there is to be learned from a session that was confirmed in this transaction.
///
/// # Errors
/// [`DbError::NotFound`] without such a session; [`DbError::Busy`].
pub(super) fn confirmed(conn: &mut AnyConnection, config: &Config, id: SessionId) -> Result<(), DbError> {
    if !config.learning.from_confirmed {
        return Ok(());
    }
    let session = sessions::get(conn, id)?;
    // Every signature is a job of its own: what was reopened in between may say something else now.
    let signed = session.confirmed_at.map_or(0, |at| at.and_utc().timestamp_micros());
    let job = NewJob {
        kind: JOB_KIND,
        topic: TOPIC.to_owned(),
        payload: json!(job::Payload { class: session.class_id, session: id }),
        dedup_key: format!("class:{}:{JOB_KIND}:{}:{signed}", session.class_id.0, id.0),
        run_id: None,
        priority: Priority::Batch,
        max_attempts: config.queue.max_attempts,
        owner: None,
    };
    queue::enqueue(conn, &job).map(drop)
}

/// Pictures of samples that were deleted in a transaction; to be deleted when it has ended well.
#[derive(Debug, Default)]
#[must_use = "what no sample names any more must not stay in the store"]
pub(crate) struct Pictures(Vec<String>);

/// Takes away what was learned from a session that is reopened in this transaction.
///
/// # Errors
/// Database failures.
pub(super) fn reopened(conn: &mut AnyConnection, session: SessionId) -> Result<Pictures, DbError> {
    samples::delete_learned(conn, LearnedOf::Session(session)).map(Pictures)
}

impl Pictures {
    /// Deletes them, but for those that a sample names again. The rows are gone already: where this fails, they are left
    /// over for the storage check to find.
    pub(super) async fn delete(self, school: &School) {
        let Self(mut keys) = self;
        if let Err(error) = delete_unnamed(school, &mut keys).await {
            tracing::warn!(
                code = error.code.as_str(),
                left = keys.len(),
                "pictures of learned faces are left over: {error}"
            );
        }
    }
}

async fn delete_unnamed(school: &School, keys: &mut Vec<String>) -> Result<(), Error> {
    while let Some(last) = keys.last().cloned() {
        if let Ok(key) = last.parse::<Key>() {
            let named = school.read(move |conn| Ok(samples::named(conn, &[last])?)).await?;
            if named.is_empty() {
                school.store.delete(&key).await?;
            }
        }
        keys.pop();
    }
    Ok(())
}

/// Forgets everything that was learned of a student, by every pack, with the pictures. Portraits stay. Returns how many samples
/// there were.
///
/// # Errors
/// `STUDENT_NOT_FOUND`; database failures.
pub async fn forget(school: &School, student: StudentId) -> Result<usize, Error> {
    forget_of(school, move |conn| Ok(students::get(conn, student)?.id)).await
}

/// The same for a student with this PRN.
///
/// # Errors
/// As [`forget`].
pub async fn forget_by_prn(school: &School, prn: String) -> Result<usize, Error> {
    forget_of(school, move |conn| Ok(roster::student(conn, &prn)?.id)).await
}

async fn forget_of(
    school: &School,
    whose: impl FnOnce(&mut AnyConnection) -> Result<StudentId, Error> + Send + 'static,
) -> Result<usize, Error> {
    let gone = school.change(move |conn| {
        let student = whose(conn)?;
        Ok(samples::delete_learned(conn, LearnedOf::Student(student))?)
    });
    let keys = gone.await?;
    let count = keys.len();
    Pictures(keys).delete(school).await;
    Ok(count)
}
