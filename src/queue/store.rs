//! The SQL of the queue; that of taking jobs is in `claim`.
//!
//! Partial indexes hold the waiting and the running jobs apart from the finished ones; a database uses them only where it
//! reads their condition literally, so states that choose an index are written out and not bound.

use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

pub use super::claim::{Ask, claim, is_due, take};
pub use super::listing::{Among, JobFilter, page};
use super::retry::{backoff, outage_pause};
use super::{Claim, Claimed, Failure, JobError, JobId, JobState, NewJob, WORKER_LOST};
use crate::db::events::{self, Topic};
use crate::db::schema::jobs;
use crate::db::{AnyConnection, DbError, Json, each_backend};

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub struct JobRow {
    pub id: i64,
    pub kind: String,
    pub topic: String,
    pub payload: Json<Value>,
    pub dedup_key: Option<String>,
    pub run_id: Option<String>,
    pub priority: i32,
    pub state: String,
    pub attempt: i32,
    pub max_attempts: i32,
    /// UTC; not claimed earlier.
    pub due_at: NaiveDateTime,
    /// UTC; while it runs.
    pub lease_until: Option<NaiveDateTime>,
    /// Of the last attempt.
    pub worker: Option<String>,
    /// One for each attempt that failed.
    pub errors: Json<Vec<JobError>>,
    pub created_at: NaiveDateTime,
    pub started_at: Option<NaiveDateTime>,
    pub finished_at: Option<NaiveDateTime>,
    /// Who asked for it, as `user:5`.
    pub owner: Option<String>,
    /// How far it has come, in the words of its kind.
    pub progress: Option<Json<Value>>,
    /// What it has made, in the words of its kind.
    pub result: Option<Json<Value>>,
}

impl JobRow {
    /// Nothing more happens to it, unless it is tried again.
    pub fn is_final(&self) -> bool {
        self.finished_at.is_some()
    }

    pub fn job_state(&self) -> JobState {
        JobState::of_word(&self.state)
    }

    pub(super) fn claimed(self) -> Claimed {
        let claim = Claim { id: JobId(self.id), worker: self.worker.unwrap_or_default(), attempt: self.attempt };
        Claimed { claim, kind: self.kind, payload: self.payload.0, max_attempts: self.max_attempts }
    }
}

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct JobCounts {
    pub queued: i64,
    pub running: i64,
    pub done: i64,
    pub failed: i64,
    pub cancelled: i64,
}

/// The clock that leases go by: the server's where several machines share one, otherwise this machine's. UTC.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn now(conn: &mut AnyConnection) -> Result<NaiveDateTime, DbError> {
    Ok(match conn {
        AnyConnection::Sqlite(_) => Utc::now().naive_utc(),
        AnyConnection::Postgres(server) => {
            diesel::select(sql::<Timestamp>("clock_timestamp() AT TIME ZONE 'UTC'")).get_result(server)?
        }
    })
}

/// Queues a job, in the transaction that causes it. An unfinished one with the same key is that job: it then belongs to the
/// new run, keeps the better priority, and belongs to whoever asked first.
///
/// # Errors
/// [`DbError::Busy`] when others begin and end such jobs faster than this one can be queued.
pub fn enqueue(conn: &mut AnyConnection, new: &NewJob) -> Result<JobId, DbError> {
    // The one that was in the way may be finished before it is looked at.
    for _ in 0..3 {
        if insert(conn, new)? {
            let id = unfinished_of_key(conn, &new.dedup_key)?.ok_or(DbError::Busy)?;
            tell(conn, id, JobState::Queued, json!({}))?;
            return Ok(id);
        }
        if let Some(id) = unfinished_of_key(conn, &new.dedup_key)? {
            adopt(conn, id, new)?;
            return Ok(id);
        }
    }
    Err(DbError::Busy)
}

/// Whether it was inserted; otherwise there was an unfinished one.
fn insert(conn: &mut AnyConnection, new: &NewJob) -> Result<bool, DbError> {
    let now = now(conn)?;
    let insert = diesel::insert_into(jobs::table).values((
        jobs::kind.eq(new.kind),
        jobs::topic.eq(&new.topic),
        jobs::payload.eq(Json(new.payload.clone())),
        jobs::dedup_key.eq(&new.dedup_key),
        jobs::run_id.eq(&new.run_id),
        jobs::priority.eq(new.priority as i32),
        jobs::state.eq(JobState::Queued.as_str()),
        jobs::attempt.eq(0),
        jobs::max_attempts.eq(i32::try_from(new.max_attempts).unwrap_or(i32::MAX)),
        jobs::due_at.eq(now),
        jobs::errors.eq(Json(Vec::<JobError>::new())),
        jobs::created_at.eq(now),
        jobs::owner.eq(&new.owner),
    ));
    Ok(each_backend!(conn, c => insert.on_conflict_do_nothing().execute(c))? == 1)
}

/// Tells those who watch a job what it is now. The caller holds its row.
pub(super) fn tell(conn: &mut AnyConnection, id: JobId, state: JobState, data: Value) -> Result<(), DbError> {
    let kind = format!("job.{}", state.as_str());
    events::insert(conn, Topic::Job(id.0), &kind, data, Utc::now().naive_utc()).map(|_| ())
}

/// The unfinished job with this key.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn unfinished_of_key(conn: &mut AnyConnection, key: &str) -> Result<Option<JobId>, DbError> {
    let found = jobs::table.filter(jobs::dedup_key.eq(key)).filter(jobs::finished_at.is_null()).select(jobs::id);
    Ok(found.first(conn).optional()?.map(JobId))
}

fn adopt(conn: &mut AnyConnection, id: JobId, new: &NewJob) -> Result<(), DbError> {
    diesel::update(jobs::table.find(id.0))
        .set((new.run_id.as_ref().map(|run| jobs::run_id.eq(run)), jobs::topic.eq(&new.topic)))
        .execute(conn)?;
    diesel::update(jobs::table.find(id.0))
        .filter(jobs::priority.gt(new.priority as i32))
        .set(jobs::priority.eq(new.priority as i32))
        .execute(conn)?;
    if let Some(owner) = &new.owner {
        diesel::update(jobs::table.find(id.0))
            .filter(jobs::owner.is_null())
            .set(jobs::owner.eq(owner))
            .execute(conn)?;
    }
    Ok(())
}

/// Running jobs whose lease has run out, at most `count`: their workers are dead or hang. Postgres passes over those that
/// somebody else is looking at.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn expired(conn: &mut AnyConnection, count: usize) -> Result<Vec<Claimed>, DbError> {
    let now = now(conn)?;
    let late = jobs::table
        .filter(sql::<Bool>("state = 'running'"))
        .filter(jobs::lease_until.lt(now))
        .order(jobs::lease_until)
        .limit(count as i64);
    let rows: Vec<JobRow> = match conn {
        AnyConnection::Sqlite(sqlite) => late.select(JobRow::as_select()).load(sqlite)?,
        AnyConnection::Postgres(server) => late.for_update().skip_locked().select(JobRow::as_select()).load(server)?,
    };
    Ok(rows.into_iter().map(JobRow::claimed).collect())
}

/// What was lost with a worker, as an attempt's failure.
pub fn worker_lost(claim: &Claim) -> Failure {
    let message = format!("the worker {} stopped without a word in attempt {}", claim.worker, claim.attempt);
    Failure::Passing { code: WORKER_LOST.to_owned(), message }
}

/// Prolongs the leases of a worker's jobs; returns those that it still holds.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn renew(conn: &mut AnyConnection, claims: &[Claim], lease: Duration) -> Result<Vec<JobId>, DbError> {
    let now = now(conn)?;
    let mut held = Vec::with_capacity(claims.len());
    for claim in claims {
        let changed = diesel::update(jobs::table.find(claim.id.0))
            .filter(jobs::state.eq(JobState::Running.as_str()))
            .filter(jobs::worker.eq(&claim.worker))
            .filter(jobs::attempt.eq(claim.attempt))
            .set(jobs::lease_until.eq(later(now, lease)))
            .execute(conn)?;
        if changed == 1 {
            held.push(claim.id);
        }
    }
    Ok(held)
}

/// Whether a claim is still good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Yes,
    /// This very attempt has finished the job already: its transaction was committed, only the answer was lost.
    Finished,
    No,
}

/// Whether a claim is still good, to be asked before anything is written: on Postgres nobody else can take the job until the
/// end of the caller's transaction.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn hold(conn: &mut AnyConnection, claim: &Claim) -> Result<Held, DbError> {
    let find = jobs::table.find(claim.id.0);
    let row: Option<JobRow> = match conn {
        AnyConnection::Sqlite(sqlite) => find.select(JobRow::as_select()).first(sqlite).optional()?,
        AnyConnection::Postgres(server) => find.for_update().select(JobRow::as_select()).first(server).optional()?,
    };
    Ok(match row {
        Some(row) if row.worker.as_ref() == Some(&claim.worker) && row.attempt == claim.attempt => {
            match row.state.as_str() {
                "running" => Held::Yes,
                "done" => Held::Finished,
                _ => Held::No,
            }
        }
        _ => Held::No,
    })
}

/// Ends a job that was done, in the transaction that writes its result and has asked [`hold`].
///
/// # Errors
/// [`DbError::NotFound`] when the claim is no longer good: the caller's transaction must not be committed.
pub fn finish(conn: &mut AnyConnection, claim: &Claim) -> Result<(), DbError> {
    let now = now(conn)?;
    end(conn, claim, JobState::Done, now, None)?;
    tell(conn, claim.id, JobState::Done, json!({ "attempt": claim.attempt }))
}

/// Writes down how far a job has come, and tells those who watch it. Belongs into a transaction.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn set_progress(conn: &mut AnyConnection, claim: &Claim, progress: &Value) -> Result<Held, DbError> {
    let held = hold(conn, claim)?;
    if held == Held::Yes {
        diesel::update(jobs::table.find(claim.id.0)).set(jobs::progress.eq(progress.to_string())).execute(conn)?;
        let at = Utc::now().naive_utc();
        events::insert(conn, Topic::Job(claim.id.0), "job.progress", progress.clone(), at)?;
    }
    Ok(held)
}

/// Writes down what a job has made, in the transaction that ends with [`finish`].
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn set_result(conn: &mut AnyConnection, claim: &Claim, result: &Value) -> Result<Held, DbError> {
    let held = hold(conn, claim)?;
    if held == Held::Yes {
        diesel::update(jobs::table.find(claim.id.0)).set(jobs::result.eq(result.to_string())).execute(conn)?;
    }
    Ok(held)
}

/// What became of a job that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// It is tried again at this time, UTC.
    Again(NaiveDateTime),
    GivenUp(JobError),
    /// Somebody else has it, or it was cancelled.
    NotHeld,
}

/// Writes down how an attempt failed: the job waits for its next attempt or is given up.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn fail(conn: &mut AnyConnection, job: &Claimed, failure: &Failure) -> Result<Failed, DbError> {
    let claim = &job.claim;
    if hold(conn, claim)? != Held::Yes {
        return Ok(Failed::NotHeld);
    }
    let now = now(conn)?;
    let (code, message) = match failure {
        Failure::LeaseLost => return Ok(Failed::NotHeld),
        Failure::PutBack => return put_back(conn, claim, now),
        Failure::Final { code, message } | Failure::Passing { code, message } | Failure::Outage { code, message } => {
            (code, message)
        }
    };
    let error = JobError {
        attempt: claim.attempt,
        at: now,
        worker: claim.worker.clone(),
        code: code.clone(),
        message: message.clone(),
    };
    let Json(mut errors) = jobs::table.find(claim.id.0).select(jobs::errors).first::<Json<Vec<JobError>>>(conn)?;
    if matches!(failure, Failure::Outage { .. }) {
        // However long it lasts, it is told once, with the time when it was met last.
        errors.retain(|before| before.attempt != claim.attempt || before.code != *code);
    }
    errors.push(error.clone());
    if let Some((attempts, wait)) = next_try(job, failure) {
        let due_at = later(now, wait);
        requeue(conn, claim.id, attempts, due_at)?;
        diesel::update(jobs::table.find(claim.id.0)).set(jobs::errors.eq(Json(errors))).execute(conn)?;
        tell(conn, claim.id, JobState::Queued, json!({ "attempt": claim.attempt, "code": code }))?;
        return Ok(Failed::Again(due_at));
    }
    end(conn, claim, JobState::Failed, now, Some(errors))?;
    tell(conn, claim.id, JobState::Failed, json!({ "attempt": claim.attempt, "code": code }))?;
    Ok(Failed::GivenUp(error))
}

/// How many attempts count from now on, and how long the next one waits; `None` when the job is given up.
fn next_try(job: &Claimed, failure: &Failure) -> Option<(i32, Duration)> {
    let Claim { id, attempt, .. } = &job.claim;
    match failure {
        Failure::Outage { .. } => Some((attempt - 1, outage_pause(id.0))),
        // A lost worker's lease was wait enough.
        Failure::Passing { code, .. } if *attempt < job.max_attempts && code == WORKER_LOST => {
            Some((*attempt, Duration::ZERO))
        }
        Failure::Passing { .. } if *attempt < job.max_attempts => Some((*attempt, backoff(*attempt, id.0))),
        _ => None,
    }
}

/// As if the attempt had not been.
fn put_back(conn: &mut AnyConnection, claim: &Claim, now: NaiveDateTime) -> Result<Failed, DbError> {
    requeue(conn, claim.id, claim.attempt - 1, now)?;
    tell(conn, claim.id, JobState::Queued, json!({}))?;
    Ok(Failed::Again(now))
}

fn requeue(conn: &mut AnyConnection, id: JobId, attempt: i32, due_at: NaiveDateTime) -> Result<(), DbError> {
    diesel::update(jobs::table.find(id.0))
        .set((
            jobs::state.eq(JobState::Queued.as_str()),
            jobs::attempt.eq(attempt),
            jobs::due_at.eq(due_at),
            jobs::lease_until.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
    Ok(())
}

fn end(
    conn: &mut AnyConnection,
    claim: &Claim,
    state: JobState,
    now: NaiveDateTime,
    errors: Option<Vec<JobError>>,
) -> Result<(), DbError> {
    let ended = diesel::update(jobs::table.find(claim.id.0))
        .filter(jobs::state.eq(JobState::Running.as_str()))
        .filter(jobs::worker.eq(&claim.worker))
        .filter(jobs::attempt.eq(claim.attempt))
        .set((
            jobs::state.eq(state.as_str()),
            jobs::finished_at.eq(now),
            jobs::lease_until.eq(None::<NaiveDateTime>),
            errors.map(|errors| jobs::errors.eq(Json(errors))),
        ))
        .execute(conn)?;
    if ended == 1 { Ok(()) } else { Err(DbError::NotFound { what: "the claimed job" }) }
}

/// Gives a failed or cancelled job new attempts. The caller sees to what the job is about.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such job in such a state; [`DbError::Duplicate`] when the same work waits already.
pub fn retry(conn: &mut AnyConnection, id: JobId) -> Result<(), DbError> {
    let now = now(conn)?;
    let changed = diesel::update(jobs::table.find(id.0))
        .filter(jobs::state.eq_any([JobState::Failed.as_str(), JobState::Cancelled.as_str()]))
        .set((
            jobs::state.eq(JobState::Queued.as_str()),
            jobs::attempt.eq(0),
            jobs::due_at.eq(now),
            jobs::finished_at.eq(None::<NaiveDateTime>),
            jobs::progress.eq(None::<String>),
            jobs::result.eq(None::<String>),
        ))
        .execute(conn)?;
    match changed {
        1 => tell(conn, id, JobState::Queued, json!({})),
        _ => Err(DbError::NotFound { what: "a failed or cancelled job of this number" }),
    }
}

/// Ends a job that waits or runs; what a worker makes of it afterwards is thrown away.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such unfinished job.
pub fn cancel(conn: &mut AnyConnection, id: JobId) -> Result<(), DbError> {
    let now = now(conn)?;
    let changed = diesel::update(jobs::table.find(id.0))
        .filter(jobs::finished_at.is_null())
        .set((
            jobs::state.eq(JobState::Cancelled.as_str()),
            jobs::finished_at.eq(now),
            jobs::lease_until.eq(None::<NaiveDateTime>),
        ))
        .execute(conn)?;
    match changed {
        1 => tell(conn, id, JobState::Cancelled, json!({})),
        _ => Err(DbError::NotFound { what: "an unfinished job of this number" }),
    }
}

/// The same for the unfinished job with this key, if there is one; tells which. Until the end of the caller's transaction its
/// worker cannot end it.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn cancel_by_key(conn: &mut AnyConnection, key: &str) -> Result<Option<JobId>, DbError> {
    let Some(id) = unfinished_of_key(conn, key)? else { return Ok(None) };
    match cancel(conn, id) {
        Ok(()) => Ok(Some(id)),
        // Finished between the two looks.
        Err(DbError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Those of some jobs that there are, finished or not.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn existing(conn: &mut AnyConnection, ids: &[i64]) -> Result<Vec<i64>, DbError> {
    Ok(jobs::table.filter(jobs::id.eq_any(ids)).select(jobs::id).load(conn)?)
}

/// The job with this number.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: JobId) -> Result<JobRow, DbError> {
    let found = jobs::table.find(id.0).select(JobRow::as_select()).first(conn).optional()?;
    found.ok_or(DbError::NotFound { what: "the job" })
}

/// The newest jobs, of one state or of all.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection, state: Option<JobState>, count: usize) -> Result<Vec<JobRow>, DbError> {
    let mut query = jobs::table.order(jobs::id.desc()).limit(count as i64).select(JobRow::as_select()).into_boxed();
    if let Some(state) = state {
        query = query.filter(jobs::state.eq(state.as_str()));
    }
    Ok(query.load(conn)?)
}

/// Which of these jobs are not finished. Ask for some hundreds at a time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn unfinished(conn: &mut AnyConnection, ids: &[JobId]) -> Result<Vec<JobId>, DbError> {
    let found = jobs::table
        .filter(jobs::id.eq_any(ids.iter().map(|id| id.0)))
        .filter(jobs::finished_at.is_null())
        .select(jobs::id)
        .load::<i64>(conn)?;
    Ok(found.into_iter().map(JobId).collect())
}

/// How many jobs are in each state.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn counts(conn: &mut AnyConnection) -> Result<JobCounts, DbError> {
    let of_state: Vec<(String, i64)> =
        jobs::table.group_by(jobs::state).select((jobs::state, diesel::dsl::count_star())).load(conn)?;
    let mut counts = JobCounts::default();
    for (state, count) in of_state {
        match state.as_str() {
            "queued" => counts.queued = count,
            "running" => counts.running = count,
            "done" => counts.done = count,
            "failed" => counts.failed = count,
            _ => counts.cancelled = count,
        }
    }
    Ok(counts)
}

/// Deletes up to `count` jobs that were finished before a time (UTC); returns how many.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn prune(conn: &mut AnyConnection, before: NaiveDateTime, count: usize) -> Result<usize, DbError> {
    let old: Vec<i64> = jobs::table
        .filter(jobs::finished_at.lt(before))
        .order(jobs::finished_at)
        .limit(count as i64)
        .select(jobs::id)
        .load(conn)?;
    Ok(diesel::delete(jobs::table.filter(jobs::id.eq_any(old))).execute(conn)?)
}

pub(super) fn later(now: NaiveDateTime, wait: Duration) -> NaiveDateTime {
    now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1))
}
