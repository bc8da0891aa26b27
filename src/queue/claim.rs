//! Taking jobs: those that are due, in the order of the queue, for the length of a lease.
//!
//! All workers of a school ask here, and each as soon as it has ended a job. So on Postgres a claim is one statement, whatever
//! the number of topics: nobody waits for the network while rows are locked. SQLite has one writer at a time and no network;
//! there a look without a lock comes first, so that a worker with nothing to do keeps nobody from writing.
//!
//! Partial indexes hold the waiting jobs apart from the finished ones; a database uses them only where it reads their condition
//! literally, so states that choose an index are written out and not bound. Called by the runner.

use std::time::Duration;

use chrono::NaiveDateTime;
use diesel::dsl::sql;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Text};
use serde_json::{Value, json};

use super::store::{JobRow, later, now, tell};
use super::{Claim, Claimed, JobId, JobState};
use crate::db::schema::jobs;
use crate::db::{AnyConnection, DbError, Json, transaction};

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which jobs it can do.
    pub topics: Vec<String>,
    pub worker: String,
    /// Jobs of this run first.
    pub run_id: Option<String>,
    /// At most so many.
    pub count: usize,
    pub lease: Duration,
}

/// [`claim`] by itself: takes no lock where nothing is due.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn take(conn: &mut AnyConnection, ask: &Ask) -> Result<Vec<Claimed>, DbError> {
    if matches!(conn, AnyConnection::Postgres(_)) {
        return claim(conn, ask);
    }
    if is_due(conn, &ask.topics)? { transaction(conn, |conn| claim(conn, ask)) } else { Ok(Vec::new()) }
}

/// Takes due jobs for the length of the lease, those of the asker's run first. On SQLite it belongs into a transaction.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn claim(conn: &mut AnyConnection, ask: &Ask) -> Result<Vec<Claimed>, DbError> {
    let mut taken = Vec::new();
    if let Some(run) = &ask.run_id {
        taken = claim_of(conn, ask, Whose::Run(run), ask.count)?;
    }
    if taken.len() < ask.count {
        taken.extend(claim_of(conn, ask, Whose::Anybody, ask.count - taken.len())?);
    }
    Ok(taken)
}

/// Whose jobs are looked at.
#[derive(Debug, Clone, Copy)]
enum Whose<'a> {
    Run(&'a str),
    Anybody,
}

fn claim_of(conn: &mut AnyConnection, ask: &Ask, whose: Whose<'_>, count: usize) -> Result<Vec<Claimed>, DbError> {
    match conn {
        AnyConnection::Sqlite(_) => claim_in_steps(conn, ask, whose, count),
        AnyConnection::Postgres(server) => Ok(claim_at_once(server, ask, whose, count)?),
    }
}

/// Whether [`claim`] may find something; takes no lock.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn is_due(conn: &mut AnyConnection, topics: &[String]) -> Result<bool, DbError> {
    let now = now(conn)?;
    for topic in topics {
        if !due(conn, topic, Whose::Anybody, now, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn claim_in_steps(
    conn: &mut AnyConnection,
    ask: &Ask,
    whose: Whose<'_>,
    count: usize,
) -> Result<Vec<Claimed>, DbError> {
    let now = now(conn)?;
    // Each topic is asked by itself, because only then its index tells the order.
    let mut found = Vec::new();
    for topic in &ask.topics {
        found.extend(due(conn, topic, whose, now, count)?);
    }
    found.sort_unstable();
    let ids: Vec<i64> = found.into_iter().map(|(_, _, id)| id).take(count).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    diesel::update(jobs::table.filter(jobs::id.eq_any(&ids)))
        .set((
            jobs::state.eq(JobState::Running.as_str()),
            jobs::attempt.eq(jobs::attempt + 1),
            jobs::worker.eq(&ask.worker),
            jobs::lease_until.eq(later(now, ask.lease)),
            jobs::started_at.eq(now),
        ))
        .execute(conn)?;
    let mut rows: Vec<JobRow> = jobs::table.filter(jobs::id.eq_any(&ids)).select(JobRow::as_select()).load(conn)?;
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
    for row in &rows {
        tell(conn, JobId(row.id), JobState::Running, json!({ "attempt": row.attempt }))?;
    }
    Ok(rows.into_iter().map(JobRow::claimed).collect())
}

/// A due job and its place among those of other topics.
type Due = (i32, NaiveDateTime, i64);

fn due(
    conn: &mut AnyConnection,
    topic: &str,
    whose: Whose<'_>,
    now: NaiveDateTime,
    count: usize,
) -> Result<Vec<Due>, DbError> {
    let waiting = jobs::table
        .filter(sql::<Bool>("state = 'queued'"))
        .filter(jobs::topic.eq(topic))
        .filter(jobs::due_at.le(now))
        .limit(count as i64)
        .select((jobs::priority, jobs::due_at, jobs::id));
    Ok(match whose {
        Whose::Run(run) => waiting
            .filter(jobs::run_id.eq(run))
            .order((jobs::run_id, jobs::topic, jobs::priority, jobs::due_at, jobs::id))
            .load(conn)?,
        Whose::Anybody => waiting.order((jobs::topic, jobs::priority, jobs::due_at, jobs::id)).load(conn)?,
    })
}

/// A job as [`ClaimAtOnce`] returns it.
type Taken = (i64, String, Json<Value>, i32, i32);

fn claim_at_once(server: &mut PgConnection, ask: &Ask, whose: Whose<'_>, count: usize) -> QueryResult<Vec<Claimed>> {
    let taken: Vec<Taken> = ClaimAtOnce { ask, whose, count, lease_secs: ask.lease.as_secs_f64() }.load(server)?;
    let claimed = |(id, kind, payload, attempt, max_attempts): Taken| Claimed {
        claim: Claim { id: JobId(id), worker: ask.worker.clone(), attempt },
        kind,
        payload: payload.0,
        max_attempts,
    };
    Ok(taken.into_iter().map(claimed).collect())
}

/// The claim of Postgres. What others look at in this moment is passed over.
///
/// `LIMIT` is written out and ids come as an array, so that every plan of it, also one that is kept for any values, walks the
/// index of waiting jobs and then the primary key.
#[derive(Debug)]
struct ClaimAtOnce<'a> {
    ask: &'a Ask,
    whose: Whose<'a>,
    count: usize,
    lease_secs: f64,
}

impl QueryFragment<Pg> for ClaimAtOnce<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        /// The clock that leases go by.
        const NOW: &str = "(statement_timestamp() AT TIME ZONE 'UTC')";
        let count = self.count.to_string();
        out.push_sql("WITH due AS MATERIALIZED (SELECT waiting.* FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.ask.topics)?;
        out.push_sql(
            "::text[]) AS wanted (topic), LATERAL (SELECT id, priority, due_at FROM jobs \
             WHERE state = 'queued' AND jobs.topic = wanted.topic",
        );
        if let Whose::Run(run) = &self.whose {
            out.push_sql(" AND run_id = ");
            out.push_bind_param::<Text, _>(run)?;
        }
        let order = match self.whose {
            Whose::Run(_) => "run_id, jobs.topic, priority, due_at, id",
            Whose::Anybody => "jobs.topic, priority, due_at, id",
        };
        out.push_sql(&format!(
            " AND due_at <= {NOW} ORDER BY {order} LIMIT {count} FOR UPDATE SKIP LOCKED) AS waiting), \
             taken AS (UPDATE jobs SET state = 'running', attempt = attempt + 1, started_at = {NOW}, worker = "
        ));
        out.push_bind_param::<Text, _>(&self.ask.worker)?;
        out.push_sql(&format!(", lease_until = {NOW} + INTERVAL '1 second' * "));
        out.push_bind_param::<Double, _>(&self.lease_secs)?;
        out.push_sql(&format!(
            " WHERE id = ANY (ARRAY (SELECT id FROM due ORDER BY priority, due_at, id LIMIT {count})) \
             RETURNING id, kind, payload, attempt, max_attempts, priority, due_at), \
             told AS (INSERT INTO events (at, job_id, kind, data) \
             SELECT {NOW}, id, 'job.running', json_build_object('attempt', attempt) FROM taken) \
             SELECT id, kind, payload, attempt, max_attempts FROM taken ORDER BY priority, due_at, id"
        ));
        Ok(())
    }
}

impl QueryId for ClaimAtOnce<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for ClaimAtOnce<'_> {
    type SqlType = (BigInt, Text, Text, Integer, Integer);
}

impl RunQueryDsl<PgConnection> for ClaimAtOnce<'_> {}
