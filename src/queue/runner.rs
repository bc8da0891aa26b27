//! Claims jobs, has them done, renews their leases and records how they failed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{NaiveDateTime, TimeDelta};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::store::{self, Ask, Failed};
use super::{Claim, Claimed, Failure, Handler, JobId};
use crate::db::{AnyConnection, Db, DbError, events, transaction};
use crate::telemetry::metric;

/// Pause between two looks into an empty queue, and least time between two looks for lost workers.
const POLL: Duration = Duration::from_millis(500);
/// Longest pause between two tries to reach a database that does not answer.
const OUTAGE_POLL: Duration = Duration::from_secs(5);
/// How often finished jobs are looked through for old ones.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// Events are deleted after so long: nobody watches from so far back.
const KEEP_EVENTS: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest time that a worker which ends may take to put its jobs back.
const PUT_BACK: Duration = Duration::from_secs(5);
/// Rows that one statement prunes or one look takes over, so that none of them lasts long.
const PORTION: usize = 500;

/// Asks workers to stop: jobs in hand are finished or put back, no more are taken. Clones are one.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stop {
    pub fn now(&self) {
        self.0.send_replace(true);
    }

    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when a stop was asked for.
    pub async fn wait(&self) {
        // The sender is in `self`, so it is not gone.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}

/// When a runner ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// Never: only when it is stopped.
    Stopped,
    /// When nothing is due.
    Drained,
    /// When all these jobs are finished, by whomever.
    Finished(Vec<JobId>),
}

/// How a runner works.
#[derive(Debug, Clone)]
pub struct RunnerOptions {
    /// Name of this worker, unique among all that share the database.
    pub worker: String,
    /// Jobs in hand at a time.
    pub slots: usize,
    /// How long a job stays with a worker that says nothing. Renewed three times in that time.
    pub lease: Duration,
    /// The run whose jobs go first.
    pub run_id: Option<String>,
    pub until: Until,
    /// How long the database may be away before the runner ends with its error; `None` waits for ever.
    pub outage_limit: Option<Duration>,
    /// How long jobs in hand may go on after a stop; they are put back then, which costs them no attempt.
    pub stop_grace: Duration,
    /// Finished jobs are deleted after so long.
    pub keep_finished: Duration,
}

/// Works on the jobs of its handler's topics.
#[derive(Debug)]
pub struct Runner<H> {
    db: Db,
    handler: Arc<H>,
    options: RunnerOptions,
    in_hand: InHand,
}

/// What is being worked on; shared with the task that renews the leases.
type InHand = Arc<Mutex<BTreeMap<JobId, Arc<Claimed>>>>;

impl<H: Handler> Runner<H> {
    pub fn new(db: Db, handler: Arc<H>, options: RunnerOptions) -> Self {
        Self { db, handler, options, in_hand: InHand::default() }
    }

    /// Works until [`RunnerOptions::until`] or `stop`; jobs in hand are finished first, those that take too long after a stop
    /// are put back. `ended` is told every job that ended here, whether done, failed or put back.
    ///
    /// # Errors
    /// What the database said when it was away for longer than the limit.
    pub async fn run(&self, stop: &Stop, ended: &mut (dyn FnMut(JobId) + Send)) -> Result<(), DbError> {
        let renewal = tokio::spawn(renew(self.db.clone(), Arc::clone(&self.in_hand), self.options.lease));
        let mut tidying = JoinSet::new();
        let result = self.work(stop, ended, &mut tidying).await;
        renewal.abort();
        // Whoever is told to stop leaves the rest to the next start.
        tokio::select! {
            () = async { while tidying.join_next().await.is_some() {} } => {}
            () = stop.wait() => {}
        }
        result
    }

    async fn work(
        &self,
        stop: &Stop,
        ended: &mut (dyn FnMut(JobId) + Send),
        tidying: &mut JoinSet<()>,
    ) -> Result<(), DbError> {
        let mut working: JoinSet<JobId> = JoinSet::new();
        let mut outage = Outage::default();
        let (mut pruned, mut looked): (Option<Instant>, Option<Instant>) = (None, None);
        let mut until = self.options.until.clone();
        let mut deadline: Option<Instant> = None;
        loop {
            let wanted = self.options.slots.saturating_sub(working.len());
            let taken =
                if wanted == 0 || stop.requested() { Ok(Vec::new()) } else { self.claim(wanted, &mut looked).await };
            let idle = match taken {
                Ok(jobs) => {
                    outage.is_over();
                    let idle = jobs.len() < wanted;
                    for job in jobs {
                        self.start(&mut working, job);
                    }
                    idle
                }
                Err(error) => {
                    outage.goes_on(error, self.options.outage_limit)?;
                    true
                }
            };
            if idle && !outage.lasts() && pruned.is_none_or(|at| at.elapsed() > PRUNE_EVERY) {
                pruned = Some(Instant::now());
                self.prune().await;
                // Not waited for: what it needs may be away, and jobs need not be.
                let handler = Arc::clone(&self.handler);
                tidying.spawn(async move { handler.tidy().await });
            }
            if working.is_empty() && (stop.requested() || (idle && !outage.lasts() && self.is_over(&mut until).await?))
            {
                return Ok(());
            }
            tokio::select! {
                Some(landed) = working.join_next() => {
                    ended(landed.expect("a job's panic is caught where it runs"));
                }
                () = tokio::time::sleep(outage.pause()), if idle || wanted == 0 => {}
                () = stop.wait(), if deadline.is_none() => deadline = Some(Instant::now() + self.options.stop_grace),
                () = until_then(deadline), if deadline.is_some() => {
                    working.abort_all();
                    self.put_back().await.into_iter().for_each(ended);
                    return Ok(());
                }
            }
        }
    }

    /// Jobs that are due, after those of lost workers were taken from them, if it is time to look for these.
    async fn claim(&self, count: usize, looked: &mut Option<Instant>) -> Result<Vec<Arc<Claimed>>, DbError> {
        let handler = Arc::clone(&self.handler);
        let look = looked.is_none_or(|at| at.elapsed() >= POLL);
        let ask = Ask {
            topics: handler.topics(),
            worker: self.options.worker.clone(),
            run_id: self.options.run_id.clone(),
            count,
            lease: self.options.lease,
        };
        let jobs = self
            .db
            .run(move |conn| {
                if look {
                    take_from_lost_workers(conn, handler.as_ref())?;
                }
                store::take(conn, &ask)
            })
            .await?;
        if look {
            *looked = Some(Instant::now());
        }
        let mut in_hand = lock(&self.in_hand);
        let jobs: Vec<Arc<Claimed>> = jobs.into_iter().map(Arc::new).collect();
        in_hand.extend(jobs.iter().map(|job| (job.claim.id, Arc::clone(job))));
        Ok(jobs)
    }

    fn start(&self, working: &mut JoinSet<JobId>, job: Arc<Claimed>) {
        let (db, handler, in_hand) = (self.db.clone(), Arc::clone(&self.handler), Arc::clone(&self.in_hand));
        working.spawn(async move {
            let id = job.claim.id;
            // A task of its own, so that a panic is a failed attempt and not the end of the worker; in a set, so that it does
            // not outlive this one.
            let (doer, task, mut doing) = (Arc::clone(&handler), Arc::clone(&job), JoinSet::new());
            doing.spawn(async move { doer.run(&task).await });
            let result = doing.join_next().await.expect("one task was begun");
            let failure = match result {
                Ok(Ok(())) => None,
                Ok(Err(failure)) => Some(failure),
                Err(panic) => Some(Failure::Passing { code: "PROCESSING_ERROR".into(), message: panic.to_string() }),
            };
            let outcome = match &failure {
                None => "done",
                Some(Failure::Final { .. }) => "failed",
                Some(Failure::Passing { .. }) => "again",
                Some(_) => "put_back",
            };
            metrics::counter!(metric::JOBS, "kind" => job.kind.clone(), "outcome" => outcome).increment(1);
            if let Some(failure) = failure {
                record(&db, handler, job, failure).await;
            }
            lock(&in_hand).remove(&id);
            id
        });
    }

    /// Gives what is still in hand back to the queue; returns what it was. Whatever is made of it here from now on comes too
    /// late to count: the lease is gone.
    async fn put_back(&self) -> Vec<JobId> {
        let jobs: Vec<Arc<Claimed>> = std::mem::take(&mut *lock(&self.in_hand)).into_values().collect();
        let ids: Vec<JobId> = jobs.iter().map(|job| job.claim.id).collect();
        let count = jobs.len();
        for job in &jobs {
            metrics::counter!(metric::JOBS, "kind" => job.kind.clone(), "outcome" => "put_back").increment(1);
        }
        let written = self.db.transaction::<_, DbError>(move |conn| {
            jobs.iter().try_for_each(|job| store::fail(conn, job, &Failure::PutBack).map(drop))
        });
        match tokio::time::timeout(PUT_BACK, written).await {
            Ok(Ok(())) => tracing::warn!(jobs = count, "jobs took too long after the stop and were put back"),
            Ok(Err(error)) => {
                tracing::error!(%error, jobs = count, "jobs in hand could not be put back; their leases run out")
            }
            Err(_) => tracing::error!(jobs = count, "jobs in hand could not be put back in time; their leases run out"),
        }
        ids
    }

    /// Whether there is nothing left to wait for; forgets what it has seen finished.
    async fn is_over(&self, until: &mut Until) -> Result<bool, DbError> {
        let jobs = match until {
            Until::Stopped => return Ok(false),
            Until::Drained => return Ok(true),
            Until::Finished(jobs) => jobs,
        };
        while !jobs.is_empty() {
            let last = jobs[jobs.len().saturating_sub(PORTION)..].to_vec();
            match self.db.run(move |conn| store::unfinished(conn, &last)).await {
                Ok(unfinished) if unfinished.is_empty() => jobs.truncate(jobs.len().saturating_sub(PORTION)),
                Ok(_) => return Ok(false),
                // The next claim will say that the database is away.
                Err(error) if error.is_transient() => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    async fn prune(&self) {
        let keep = self.options.keep_finished;
        let pruned = self.db.run(move |conn| {
            let jobs = prune_older(conn, keep, store::prune)?;
            Ok::<_, DbError>((jobs, prune_older(conn, KEEP_EVENTS, events::prune)?))
        });
        match pruned.await {
            Ok((0, 0)) => {}
            Ok((jobs, events)) => tracing::info!(jobs, events, "old finished jobs and events deleted"),
            Err(error) => tracing::warn!(%error, "old finished jobs and events could not be deleted"),
        }
    }
}

/// Returns at that time.
async fn until_then(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        tokio::time::sleep_until(deadline.into()).await;
    }
}

/// Deletes what is older than `keep` in portions; returns how many there were.
fn prune_older(
    conn: &mut AnyConnection,
    keep: Duration,
    prune: impl Fn(&mut AnyConnection, NaiveDateTime, usize) -> Result<usize, DbError>,
) -> Result<usize, DbError> {
    let before = store::now(conn)? - TimeDelta::from_std(keep).unwrap_or(TimeDelta::MAX);
    let mut deleted = 0;
    loop {
        let portion = transaction::<_, DbError>(conn, |conn| prune(conn, before, PORTION))?;
        deleted += portion;
        if portion < PORTION {
            return Ok(deleted);
        }
    }
}

/// Ends the attempts of workers that are gone: their jobs wait again or, after the last attempt, are given up.
fn take_from_lost_workers(conn: &mut AnyConnection, handler: &dyn Handler) -> Result<(), DbError> {
    // Looked at without a lock first: on SQLite a transaction would stop every other writer.
    if store::expired(conn, 1)?.is_empty() {
        return Ok(());
    }
    let given_up = transaction::<_, DbError>(conn, |conn| {
        let mut given_up = Vec::new();
        for job in store::expired(conn, PORTION)? {
            tracing::warn!(job = job.claim.id.0, worker = job.claim.worker, attempt = job.claim.attempt, "worker lost");
            if let Failed::GivenUp(_) = fail(conn, handler, &job, &store::worker_lost(&job.claim))? {
                given_up.push(job);
            }
        }
        Ok(given_up)
    })?;
    given_up.iter().for_each(|job| handler.given_up(job));
    Ok(())
}

fn fail(conn: &mut AnyConnection, handler: &dyn Handler, job: &Claimed, failure: &Failure) -> Result<Failed, DbError> {
    let failed = store::fail(conn, job, failure)?;
    match &failed {
        Failed::GivenUp(error) => handler.give_up(conn, job, error)?,
        Failed::Again(due_at) => tracing::debug!(job = job.claim.id.0, %due_at, "job waits again"),
        Failed::NotHeld => {}
    }
    Ok(failed)
}

/// Writes down a failure, for as long as it takes: while the database is away the lease may run out, and then the job is
/// somebody else's.
async fn record<H: Handler>(db: &Db, handler: Arc<H>, job: Arc<Claimed>, failure: Failure) {
    if let Failure::Final { code, .. } | Failure::Passing { code, .. } | Failure::Outage { code, .. } = &failure {
        tracing::info!(job = job.claim.id.0, attempt = job.claim.attempt, code, "attempt failed");
    }
    let failure = Arc::new(failure);
    let mut outage = Outage::default();
    loop {
        let (doer, task, failure) = (Arc::clone(&handler), Arc::clone(&job), Arc::clone(&failure));
        let written = db.transaction::<_, DbError>(move |conn| fail(conn, doer.as_ref(), &task, &failure)).await;
        match written {
            Ok(Failed::GivenUp(_)) => return handler.given_up(&job),
            Ok(_) => return,
            Err(error) => {
                // Not even the failure can be written: the lease runs out and the job is claimed again.
                if let Err(error) = outage.goes_on(error, Some(OUTAGE_POLL * 12)) {
                    tracing::error!(%error, "a failed attempt could not be recorded; its lease will run out");
                    return;
                }
            }
        }
        tokio::time::sleep(outage.pause()).await;
    }
}

/// Renews the leases of what is in hand, three times in a lease.
async fn renew(db: Db, in_hand: InHand, lease: Duration) {
    let mut ticks = tokio::time::interval(lease / 3);
    loop {
        ticks.tick().await;
        let claims: Vec<Claim> = lock(&in_hand).values().map(|job| job.claim.clone()).collect();
        if claims.is_empty() {
            continue;
        }
        let asked = claims.clone();
        match db.run(move |conn| store::renew(conn, &asked, lease)).await {
            Ok(held) => {
                for lost in
                    claims.iter().filter(|claim| !held.contains(&claim.id) && lock(&in_hand).contains_key(&claim.id))
                {
                    // Finished in this moment, cancelled, or taken by others: `finish` will tell.
                    tracing::debug!(job = lost.id.0, "lease not renewed");
                }
            }
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
    }
}

fn lock(in_hand: &InHand) -> std::sync::MutexGuard<'_, BTreeMap<JobId, Arc<Claimed>>> {
    in_hand.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A time in which the database does not answer.
#[derive(Debug, Default)]
struct Outage {
    since: Option<Instant>,
    tries: u32,
}

impl Outage {
    fn lasts(&self) -> bool {
        self.since.is_some()
    }

    fn is_over(&mut self) {
        if let Some(since) = self.since.take() {
            tracing::warn!(seconds = since.elapsed().as_secs(), "the database answers again");
        }
        self.tries = 0;
    }

    /// # Errors
    /// `error` itself when it will not pass or has lasted for longer than `limit`.
    fn goes_on(&mut self, error: DbError, limit: Option<Duration>) -> Result<(), DbError> {
        let since = *self.since.get_or_insert_with(|| {
            tracing::warn!(%error, "the database does not answer; waiting for it");
            Instant::now()
        });
        self.tries += 1;
        let too_long = limit.is_some_and(|limit| since.elapsed() > limit);
        if error.is_transient() && !too_long { Ok(()) } else { Err(error) }
    }

    fn pause(&self) -> Duration {
        if self.lasts() { (POLL * self.tries).min(OUTAGE_POLL) } else { POLL }
    }
}
