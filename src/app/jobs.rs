//! The queue as people see it: what waits, runs and failed, and what can be done about it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::School;
use super::error::{Code, Error};
use super::photo;
use super::session::Matching;
use crate::db::DbError;
use crate::queue::store::{self, JobCounts, JobRow};
use crate::queue::{JobError, JobId, JobState};

/// The queue at one moment.
#[derive(Debug, Serialize)]
pub struct QueueReport {
    pub counts: JobCounts,
    /// Newest first.
    pub jobs: Vec<JobReport>,
}

/// One job.
#[derive(Debug, Serialize)]
pub struct JobReport {
    pub id: i64,
    pub kind: String,
    /// Which workers can do it: for photos, those with this pack.
    pub topic: String,
    pub state: String,
    pub attempt: i32,
    pub max_attempts: i32,
    pub photo: Option<i64>,
    pub run_id: Option<String>,
    pub worker: Option<String>,
    /// Not before.
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// One for each attempt that failed.
    pub errors: Vec<JobError>,
    /// Who asked for it, as `user:5`.
    pub owner: Option<String>,
    /// How far it has come, in the words of its kind.
    pub progress: Option<serde_json::Value>,
    /// What it has made, in the words of its kind.
    pub result: Option<serde_json::Value>,
}

impl From<JobRow> for JobReport {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            photo: row.payload.0.get("photo").and_then(serde_json::Value::as_i64),
            kind: row.kind,
            topic: row.topic,
            state: row.state,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            run_id: row.run_id,
            worker: row.worker,
            due_at: row.due_at.and_utc(),
            created_at: row.created_at.and_utc(),
            finished_at: row.finished_at.map(|at| at.and_utc()),
            errors: row.errors.0,
            owner: row.owner,
            progress: row.progress.map(|json| json.0),
            result: row.result.map(|json| json.0),
        }
    }
}

/// How many jobs there are, and the newest `count` of one state or of all.
///
/// # Errors
/// Database failures.
pub async fn list(school: &School, state: Option<JobState>, count: usize) -> Result<QueueReport, Error> {
    school
        .read(move |conn| {
            let jobs = store::list(conn, state, count)?.into_iter().map(JobReport::from).collect();
            Ok(QueueReport { counts: store::counts(conn)?, jobs })
        })
        .await
}

/// Gives a failed or cancelled job new attempts.
///
/// # Errors
/// `JOB_NOT_FOUND` when there is none in such a state; `SESSION_CONFIRMED` when it is about a photo of a confirmed session;
/// `ALREADY_EXISTS` when the same work waits already.
pub async fn retry(school: &School, id: JobId) -> Result<(), Error> {
    let matching = Matching::of_settings(&school.config)?;
    school
        .change(move |conn| {
            store::retry(conn, id).map_err(not_found)?;
            let job = store::get(conn, id)?;
            photo::wait_again(conn, &job.payload.0, &matching, id)
        })
        .await
}

/// Ends a job that waits or runs. Its photo fails as `CANCELLED`, so that its session marks nobody absent.
///
/// # Errors
/// `JOB_NOT_FOUND` when there is no such unfinished job.
pub async fn cancel(school: &School, id: JobId) -> Result<(), Error> {
    let matching = Matching::of_settings(&school.config)?;
    school
        .change(move |conn| {
            store::cancel(conn, id).map_err(not_found)?;
            let error = Error::new(Code::Cancelled, "cancelled before it was looked at");
            let job = store::get(conn, id)?;
            Ok(photo::fail(conn, &job.payload.0, &matching, &error)?)
        })
        .await
}

fn not_found(error: DbError) -> Error {
    match error {
        DbError::NotFound { .. } => Error::new(Code::JobNotFound, error.to_string()),
        error => error.into(),
    }
}
