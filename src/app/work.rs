//! Working on the queue: what a job of each kind means.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::error::{Code, Error};
use super::{Recogniser, School, photo};
use crate::db::{AnyConnection, DbError};
use crate::queue::{Claimed, Failure, Handler, JobError, JobId, Runner, RunnerOptions, Stop, Until};

/// When a worker ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shift {
    /// Only when it is told to.
    Endless,
    /// When nothing is due.
    Drain,
    /// When these jobs are finished. Those of the run go before all others.
    Run { run_id: String, jobs: Vec<JobId> },
}

/// Works on the queue of a school with a pack until the shift is over or `stop` is asked for. `ended` is told each job that
/// ended here.
///
/// # Errors
/// `DATABASE_ERROR` when the database was away for too long: five minutes for a run, any time for an endless worker.
pub async fn work(
    school: &School,
    recogniser: &Recogniser,
    shift: Shift,
    stop: &Stop,
    ended: &mut (dyn FnMut(JobId) + Send),
) -> Result<(), Error> {
    let settings = &school.config.queue;
    let is_endless = shift == Shift::Endless;
    let (until, run_id) = match shift {
        Shift::Endless => (Until::Stopped, None),
        Shift::Drain => (Until::Drained, None),
        Shift::Run { run_id, jobs } => (Until::Finished(jobs), Some(run_id)),
    };
    let options = RunnerOptions {
        worker: worker_name(),
        slots: school.config.photos.in_flight.map_or_else(default_in_flight, |n| n.get()),
        lease: Duration::from_secs(settings.lease_secs.into()),
        outage_limit: (!is_endless).then_some(Duration::from_secs(300)),
        until,
        run_id,
        keep_finished: Duration::from_secs(u64::from(settings.keep_days) * 24 * 3600),
    };
    let worker = Worker { school: school.clone(), recogniser: recogniser.clone() };
    let runner = Runner::new(school.db.clone(), Arc::new(worker), options);
    Ok(runner.run(stop, ended).await?)
}

/// Host, process and start: a process number is used again, the three together are not.
fn worker_name() -> String {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    format!("{host}-{}-{since}", std::process::id())
}

/// One photo for each core keeps them busy while another decodes; more only costs memory.
fn default_in_flight() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}

/// Does the jobs of a school.
#[derive(Debug)]
struct Worker {
    school: School,
    recogniser: Recogniser,
}

#[async_trait]
impl Handler for Worker {
    fn topic(&self) -> String {
        photo::topic(self.recogniser.key())
    }

    async fn run(&self, job: &Claimed) -> Result<(), Failure> {
        match job.kind.as_str() {
            photo::JOB_KIND => photo::process(&self.school, &self.recogniser, job).await,
            other => Err(Failure::Final {
                code: Code::ProcessingError.as_str(),
                message: format!("this program does not know jobs of the kind {other}; update it"),
            }),
        }
    }

    fn give_up(&self, conn: &mut AnyConnection, job: &Claimed, error: &JobError) -> Result<(), DbError> {
        match job.kind.as_str() {
            photo::JOB_KIND => photo::give_up(conn, job, &self.recogniser.matching(&self.school), error),
            _ => Ok(()),
        }
    }
}
