//! The queue as people see it: what waits, runs and failed, and what can be done about it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::error::{Code, Error};
use super::session::Matching;
use super::{School, enrol, photo};
use crate::db::page::{Listed, Page};
use crate::db::reach::ClassJobs;
use crate::db::{AnyConnection, DbError};
use crate::domain::access::{Caller, Reach};
use crate::queue::store::{self, Among, JobCounts, JobFilter, JobRow};
use crate::queue::{JobError, JobId, JobState, Stop, backlog};
use crate::storage::Key;

/// Pause between two looks at a job that somebody waits for.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// Refuses more work of a kind that enough of waits already.
///
/// # Errors
/// `BUSY`, with when to come again.
pub(super) fn require_room(conn: &mut AnyConnection, topic: &str, limit: u32) -> Result<(), Error> {
    if backlog::is_long(conn, topic, limit)? {
        let error = Error::new(Code::Busy, format!("{limit} wait already; try again in a while"));
        return Err(error.again_after(Duration::from_secs(30)));
    }
    Ok(())
}

/// Those of the objects that belong to a job: an export as long as its job is kept, portraits on their way as long as theirs is
/// not finished.
pub(super) fn accounted(conn: &mut AnyConnection, keys: &[Key]) -> Result<HashSet<Key>, DbError> {
    let job = |key: &Key| if let Key::Export { job, .. } = key { Some(*job) } else { None };
    let existing = store::existing(conn, &keys.iter().filter_map(job).collect::<Vec<_>>())?;
    let mut accounted = HashSet::new();
    for key in keys {
        let is_needed = match key {
            Key::Export { job, .. } => existing.contains(job),
            Key::Enrolment { .. } => enrol::is_awaited(conn, key)?,
            _ => false,
        };
        if is_needed {
            accounted.insert(key.clone());
        }
    }
    Ok(accounted)
}

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
    /// Which workers can do it: for photos and portraits, those with this pack.
    pub topic: String,
    pub state: JobState,
    pub attempt: i32,
    pub max_attempts: i32,
    pub photo: Option<i64>,
    /// The class that it is about, where it is about no photo.
    pub class: Option<i64>,
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
            state: row.job_state(),
            photo: row.payload.0.get("photo").and_then(serde_json::Value::as_i64),
            class: row.payload.0.get("class").and_then(serde_json::Value::as_i64),
            kind: row.kind,
            topic: row.topic,
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

/// Which jobs somebody wants to see; `None` is any.
#[derive(Debug, Clone)]
pub struct JobWish {
    pub state: Option<JobState>,
    pub kind: Option<String>,
    pub whose: Whose,
}

/// Whose jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those that the caller has asked for.
    Own,
    /// And, for callers who may see only some classes, those about these; for others all.
    AllWithinReach,
}

/// One page of the jobs that a caller may see, newest first.
///
/// # Errors
/// Database failures.
pub async fn page(school: &School, wish: JobWish, caller: &Caller, page: Page) -> Result<Listed<JobReport>, Error> {
    let own = caller.actor.key();
    let among = match (wish.whose, &caller.reach) {
        (Whose::Own, _) => Some(Among { own, about: ClassJobs(Vec::new()) }),
        (Whose::AllWithinReach, Reach::Only(classes)) => Some(Among { own, about: ClassJobs(classes.clone()) }),
        (Whose::AllWithinReach, Reach::All) => None,
    };
    let filter = JobFilter { state: wish.state, kind: wish.kind, among };
    school.read(move |conn| Ok(store::page(conn, &filter, page)?.map(JobReport::from))).await
}

/// A job.
///
/// # Errors
/// `JOB_NOT_FOUND`.
pub async fn get(school: &School, id: JobId) -> Result<JobReport, Error> {
    school.read(move |conn| Ok(store::get(conn, id).map_err(not_found)?.into())).await
}

/// The same when it is final, at the latest after `patience` or when a stop is asked for.
///
/// # Errors
/// `JOB_NOT_FOUND`.
pub async fn wait(school: &School, id: JobId, patience: Duration, stop: &Stop) -> Result<JobReport, Error> {
    let start = Instant::now();
    loop {
        let job = get(school, id).await?;
        let left = patience.saturating_sub(start.elapsed());
        if job.finished_at.is_some() || left.is_zero() || stop.requested() {
            return Ok(job);
        }
        tokio::time::sleep(LOOK_EVERY.min(left)).await;
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::photo::{self, AcceptedState, Arrival, Order};
    use crate::config::Config;
    use crate::db::Db;
    use crate::db::testing::{class, on_each_database, session};
    use crate::domain::access::{Actor, Role};
    use crate::domain::ids::{ClassId, UserId};
    use crate::queue::Priority;
    use crate::storage::MemoryStore;

    const PHOTO: &[u8] = include_bytes!("../../dataset/demo/class_photos/CSE-A_2026-11-17_0900_full.jpg");

    fn teacher(id: i64, classes: Vec<ClassId>) -> Caller {
        Caller {
            actor: Actor::user(UserId(id), "ann"),
            role: Role::Teacher,
            scopes: vec![],
            reach: Reach::Only(classes),
        }
    }

    /// A school, a class of it, another one, and the job of a photo that user 5 has uploaded to the first.
    fn scene(db: &Db) -> (School, [ClassId; 2], JobId) {
        let school =
            School { db: db.clone(), store: Arc::new(MemoryStore::new()), config: Arc::new(Config::default()) };
        let made = db.run_blocking::<_, DbError>(|conn| Ok((session(conn)?, [class(conn, "9")?, class(conn, "10")?])));
        let (session, classes) = made.unwrap();
        let admitted = wait(async {
            let matching = Matching::of_settings(&school.config)?;
            let order = Order { priority: Priority::Person, run_id: None, owner: Some("user:5".into()) };
            let arrival = Arrival::store(&school, session, PHOTO, "a.jpg".into()).await?;
            photo::admit(&school, &matching, &order, session, vec![arrival]).await
        });
        let AcceptedState::Waiting(job) = admitted.unwrap().remove(0).state else { panic!("it waits") };
        (school, classes, job)
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Runtime::new().unwrap().block_on(future)
    }

    on_each_database! {
        fn teachers_see_their_own_jobs_and_those_of_their_classes(db) {
            let (school, [own, other], job) = scene(db);
            let seen = |caller: Caller, whose| {
                let wish = JobWish { state: Some(JobState::Queued), kind: None, whose };
                let listed = wait(page(&school, wish, &caller, Page::first(9))).unwrap();
                listed.rows.iter().map(|report| report.id).collect::<Vec<_>>()
            };
            assert_eq!(seen(teacher(6, vec![own]), Whose::AllWithinReach), [job.0], "a photo of the class");
            assert!(seen(teacher(6, vec![own]), Whose::Own).is_empty());
            assert!(seen(teacher(6, vec![other]), Whose::AllWithinReach).is_empty());
            assert_eq!(seen(teacher(5, vec![other]), Whose::AllWithinReach), [job.0], "asked for by the caller");
            assert_eq!(seen(teacher(5, vec![]), Whose::Own), [job.0]);
            let admin = Caller { reach: Reach::All, ..teacher(6, vec![]) };
            assert_eq!(seen(admin, Whose::AllWithinReach), [job.0]);
        }

        fn a_job_is_reported_with_its_owner_and_unknown_ones_are_not_found(db) {
            let (school, _, job) = scene(db);
            let report = wait(get(&school, job)).unwrap();
            assert_eq!((report.state, report.owner.as_deref()), (JobState::Queued, Some("user:5")));
            assert_eq!(wait(get(&school, JobId(404))).unwrap_err().code, Code::JobNotFound);
        }
    }
}
