//! Working on the queue: what a job of each kind means.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::error::{Code, Error, Outlook};
use super::{Recogniser, School, enrol, exports, learn, photo, storage_check};
use crate::db::{AnyConnection, DbError};
use crate::queue::store::{self, Held};
use crate::queue::{self, Claim, Claimed, Failure, Handler, JobError, JobId, Runner, RunnerOptions, Stop, Until};

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
/// `DATABASE_ERROR` or `STORAGE_ERROR` when the database or the storage was away for too long: five minutes for a run or a
/// drain. An endless worker waits for both for ever.
pub async fn work(
    school: &School,
    recogniser: &Recogniser,
    shift: Shift,
    stop: &Stop,
    ended: &mut (dyn FnMut(JobId) + Send),
) -> Result<(), Error> {
    let settings = &school.config.queue;
    let outage_limit = (shift != Shift::Endless).then_some(OUTAGE_LIMIT);
    let (until, run_id) = match shift {
        Shift::Endless => (Until::Stopped, None),
        Shift::Drain => (Until::Drained, None),
        Shift::Run { run_id, jobs } => (Until::Finished(jobs), Some(run_id)),
    };
    let options = RunnerOptions {
        worker: worker_name(),
        slots: school.config.photos.in_flight.unwrap_or_else(default_in_flight).get(),
        lease: Duration::from_secs(settings.lease_secs.into()),
        outage_limit,
        until,
        run_id,
        stop_grace: Duration::from_secs(settings.stop_grace_secs.into()),
        keep_finished: Duration::from_secs(u64::from(settings.keep_days) * 24 * 3600),
    };
    let storage = StorageWatch { limit: outage_limit, stop: stop.clone(), away: Mutex::default() };
    let worker = Arc::new(Worker { school: school.clone(), recogniser: recogniser.clone(), storage });
    Runner::new(school.db.clone(), Arc::clone(&worker), options).run(stop, ended).await?;
    worker.storage.verdict()
}

/// A run that nobody watches ends when the database or the storage has been away for so long; its photos wait in the queue.
const OUTAGE_LIMIT: Duration = Duration::from_secs(300);

/// Host, process and start: a process number is used again, the three together are not.
fn worker_name() -> String {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    format!("{host}-{}-{since}", std::process::id())
}

/// One photo for each core keeps them busy while another decodes; more only costs memory.
pub fn default_in_flight() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.min(const { NonZeroUsize::new(4).unwrap() })
}

/// Does the jobs of a school.
#[derive(Debug)]
struct Worker {
    school: School,
    recogniser: Recogniser,
    storage: StorageWatch,
}

#[async_trait]
impl Handler for Worker {
    fn topics(&self) -> Vec<String> {
        let pack = self.recogniser.key();
        vec![photo::topic(pack), enrol::topic(pack), exports::TOPIC.to_owned(), learn::TOPIC.to_owned()]
    }

    async fn run(&self, job: &Claimed) -> Result<(), Failure> {
        let result = match job.kind.as_str() {
            photo::JOB_KIND => photo::process(&self.school, &self.recogniser, job).await,
            enrol::JOB_KIND => enrol::process_archive(&self.school, &self.recogniser, job).await,
            exports::JOB_KIND => exports::make(&self.school, job).await,
            learn::JOB_KIND => learn::process(&self.school, &self.recogniser.matching(&self.school), job).await,
            other => Err(Failure::Final {
                code: Code::ProcessingError.as_str(),
                message: format!("this program does not know jobs of the kind {other}; update it"),
            }),
        };
        self.storage.note(result.as_ref().err());
        result
    }

    fn give_up(&self, conn: &mut AnyConnection, job: &Claimed, error: &JobError) -> Result<(), DbError> {
        match job.kind.as_str() {
            photo::JOB_KIND => photo::give_up(conn, job, &self.recogniser.matching(&self.school), error),
            _ => Ok(()),
        }
    }

    async fn tidy(&self) {
        match storage_check::sweep(&self.school).await {
            Ok(0) => {}
            Ok(objects) => tracing::info!(objects, "what old jobs had stored was deleted"),
            Err(error) => tracing::warn!(code = error.code.as_str(), "old jobs' objects were not deleted: {error}"),
        }
    }

    fn given_up(&self, job: &Claimed) {
        if job.kind == photo::JOB_KIND {
            photo::count_given_up();
        }
    }
}

/// How the queue takes a failure around the storage: one that is away costs no attempt.
pub(super) async fn storage_failure(school: &School, error: Error) -> Failure {
    let is_away = |error: &Error| error.code == Code::StorageError && error.outlook() == Outlook::Passing;
    if is_away(&error) && school.storage_answers().await.is_err_and(|away| is_away(&away)) {
        return Failure::Outage { code: error.code.as_str(), message: error.message };
    }
    photo::failure(error)
}

/// Ends a job with what it has made.
///
/// # Errors
/// That the job is no longer this worker's; database failures.
pub(super) async fn finish_with(school: &School, claim: &Claim, result: serde_json::Value) -> Result<(), Failure> {
    let claim = claim.clone();
    let ended = school.change_patiently(move |conn| {
        let held = store::set_result(conn, &claim, &result)?;
        if held == Held::Yes {
            queue::finish(conn, &claim)?;
        }
        Ok(held)
    });
    match ended.await.map_err(photo::failure)? {
        Held::Yes | Held::Finished => Ok(()),
        Held::No => Err(Failure::LeaseLost),
    }
}

/// A job that another version of the program may have queued.
pub(super) fn bad_payload(error: &serde_json::Error) -> Failure {
    let message = format!("the job does not say what it is about: {error}");
    Failure::Final { code: Code::ProcessingError.as_str(), message }
}

/// Notes how long the storage has been away, says so once, and ends work that must not wait for ever.
#[derive(Debug)]
struct StorageWatch {
    limit: Option<Duration>,
    stop: Stop,
    away: Mutex<Option<Away>>,
}

/// Since when nothing could be read, and what is said about it.
#[derive(Debug)]
struct Away {
    since: Instant,
    message: String,
    is_too_long: bool,
}

impl StorageWatch {
    /// How a job ended tells whether the storage answers.
    fn note(&self, failure: Option<&Failure>) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let message = match failure {
            Some(Failure::Outage { message, .. }) => message,
            // Such a job may not have come as far as the storage.
            Some(Failure::PutBack | Failure::LeaseLost) => return,
            _ => {
                if let Some(away) = away.take_if(|away| !away.is_too_long) {
                    tracing::warn!(seconds = away.since.elapsed().as_secs(), "the storage answers again");
                }
                return;
            }
        };
        let away = away.get_or_insert_with(|| {
            tracing::warn!(error = message, "the storage does not answer; photos wait for it");
            Away { since: Instant::now(), message: message.clone(), is_too_long: false }
        });
        if self.limit.is_some_and(|limit| away.since.elapsed() > limit) {
            away.is_too_long = true;
            self.stop.now();
        }
    }

    /// # Errors
    /// `STORAGE_ERROR` when the work was ended because of it.
    fn verdict(&self) -> Result<(), Error> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match &*away {
            Some(Away { since, message, is_too_long: true }) => {
                let what = format!(
                    "{message}; it has been away for {} minutes, and the photos wait in the queue: run this again when it is back",
                    since.elapsed().as_secs() / 60
                );
                Err(Error::new(Code::StorageError, what))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage() -> Failure {
        Failure::Outage { code: "STORAGE_ERROR".into(), message: "the storage is not available".into() }
    }

    fn watch(limit: Option<Duration>) -> StorageWatch {
        StorageWatch { limit, stop: Stop::default(), away: Mutex::default() }
    }

    #[test]
    fn a_run_ends_when_the_storage_is_away_for_too_long() {
        let watch = watch(Some(Duration::ZERO));
        watch.note(Some(&outage()));
        watch.note(Some(&outage()));
        assert!(watch.stop.requested());
        // A job that still lands does not make it undone.
        watch.note(None);
        let error = watch.verdict().unwrap_err();
        assert!(error.code == Code::StorageError && error.message.contains("wait in the queue"), "{error}");
    }

    #[test]
    fn an_outage_that_passes_is_forgotten_and_an_endless_worker_waits() {
        let passing = watch(Some(Duration::from_secs(300)));
        passing.note(Some(&outage()));
        passing.note(None);
        assert!(passing.away.lock().unwrap().is_none() && passing.verdict().is_ok());
        let endless = watch(None);
        (0..3).for_each(|_| endless.note(Some(&outage())));
        assert!(!endless.stop.requested() && endless.verdict().is_ok());
    }
}
