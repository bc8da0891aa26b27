//! Durable jobs in the database, ignorant of what jobs do.
//!
//! A job is a row: it is there when the transaction that caused it is, and it ends in the transaction that keeps its
//! result. Between the two any worker on any machine may claim it for the length of a lease. A worker that dies just
//! stops renewing; the next claim takes the job over, or gives it up after its last attempt. So nothing is lost, and
//! because a worker can only [`finish`] what it still holds, nothing is done twice.
//!
//! Each step of a job is told to those who watch it, as an event `job.<state>`.
//!
//! [`store`] has the SQL, `claim` that of taking jobs; [`Runner`] claims and renews, `retry` says how long to wait. `app` implements [`Handler`].
//! Transactions that touch several of them lock in the order job, session, photo.

pub mod backlog;
mod claim;
mod listing;
mod retry;
mod runner;
pub mod store;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use runner::{Runner, RunnerOptions, Stop, Until};
pub use store::{enqueue, finish};

use crate::db::{AnyConnection, DbError};

/// Code of an attempt that ended because its worker died or hung.
pub const WORKER_LOST: &str = "WORKER_LOST";

/// Identity of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

/// How far a job has come. `Done`, `Failed` and `Cancelled` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a word in the database, which knows no others.
    fn of_word(word: &str) -> Self {
        let all = [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled];
        all.into_iter().find(|state| state.as_str() == word).expect("a check of the schema allows no other word")
    }
}

/// Who is waiting. The smaller number goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody looks at a screen.
    Person = 0,
    /// A folder is worked through.
    Batch = 10,
}

/// A job to be queued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What the handler is to do.
    pub kind: &'static str,
    /// Which workers can do it.
    pub topic: String,
    pub payload: serde_json::Value,
    /// Among unfinished jobs there is only one with this key.
    pub dedup_key: String,
    /// The run that waits for it and works on it first.
    pub run_id: Option<String>,
    pub priority: Priority,
    /// Attempts before it is given up.
    pub max_attempts: u32,
    /// Who asked for it, as `user:5`.
    pub owner: Option<String>,
}

/// A job in the hands of a worker, for as long as the lease lasts.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    pub claim: Claim,
    pub kind: String,
    pub payload: serde_json::Value,
    pub max_attempts: i32,
}

/// What proves that a job is held: nobody else has this attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub id: JobId,
    pub worker: String,
    /// 1 at the first.
    pub attempt: i32,
}

/// What went wrong in one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    pub attempt: i32,
    /// UTC.
    pub at: NaiveDateTime,
    pub worker: String,
    pub code: String,
    pub message: String,
}

/// Why an attempt ended without a result.
#[derive(Debug, Error)]
pub enum Failure {
    /// It will not go better another time.
    #[error("{message}")]
    Final { code: String, message: String },
    /// It may.
    #[error("{message}")]
    Passing { code: String, message: String },
    /// What every job needs does not answer. Not an attempt: the job waits a little, for as long as it takes.
    #[error("{message}")]
    Outage { code: String, message: String },
    /// Not the job's fault and not an attempt: the worker is busy or stops.
    #[error("put back")]
    PutBack,
    /// The lease was lost: somebody else has the job, and what was done here is thrown away.
    #[error("the lease was lost")]
    LeaseLost,
}

/// Does jobs. Called by [`Runner`], several jobs at a time.
#[async_trait]
pub trait Handler: Send + Sync + std::fmt::Debug + 'static {
    /// Which jobs it can do.
    fn topics(&self) -> Vec<String>;

    /// Does a job and ends it with [`finish`] in the transaction that writes the result.
    ///
    /// # Errors
    /// A [`Failure`], which the runner records.
    async fn run(&self, job: &Claimed) -> Result<(), Failure>;

    /// Writes down that a job was given up, in the transaction that does so.
    ///
    /// # Errors
    /// When the database fails; the job then stays as it is and is given up later.
    fn give_up(&self, conn: &mut AnyConnection, job: &Claimed, error: &JobError) -> Result<(), DbError>;

    /// Clears away what jobs have left that are no more. Called when nothing is due, at the start and about once an hour.
    async fn tidy(&self);

    /// Told once that is certain. For figures only.
    fn given_up(&self, _job: &Claimed) {}
}
