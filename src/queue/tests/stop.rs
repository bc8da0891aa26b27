//! A worker that is told to stop while a job goes on and on.

use std::sync::mpsc;

use tokio::sync::Notify;

use super::*;

/// Works until it is told to end, on a thread that nobody can stop.
#[derive(Debug)]
struct Stubborn {
    db: Db,
    begun: Notify,
    end: Mutex<Option<mpsc::Receiver<()>>>,
    /// Told whether the job could be finished in the end.
    finished: mpsc::Sender<bool>,
}

#[async_trait]
impl Handler for Stubborn {
    fn topics(&self) -> Vec<String> {
        vec!["tests".into()]
    }

    async fn run(&self, job: &Claimed) -> Result<(), Failure> {
        let end = self.end.lock().unwrap().take().unwrap();
        let (db, claim, finished) = (self.db.clone(), job.claim.clone(), self.finished.clone());
        self.begun.notify_one();
        let work = move || {
            end.recv().unwrap();
            finished.send(db.run_blocking(|conn| finish(conn, &claim)).is_ok()).unwrap();
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| passing(&e.to_string()))
    }

    fn give_up(&self, _: &mut AnyConnection, _: &Claimed, _: &JobError) -> Result<(), DbError> {
        panic!("nothing is given up here")
    }

    async fn tidy(&self) {}
}

/// A runner with one job that has begun, and is told to stop then. `meanwhile` comes after that.
fn stopped(
    db: &Db,
    stop_grace: Duration,
    meanwhile: impl FnOnce(mpsc::Sender<()>),
) -> (Vec<JobId>, mpsc::Receiver<bool>) {
    let (end, ends) = mpsc::channel();
    let (finished, told) = mpsc::channel();
    let handler = Stubborn { db: db.clone(), begun: Notify::new(), end: Mutex::new(Some(ends)), finished };
    let handler = Arc::new(handler);
    let options = RunnerOptions { stop_grace, ..options(Until::Stopped) };
    let (runner, stop) = (Runner::new(db.clone(), Arc::clone(&handler), options), Stop::default());
    let mut ended = Vec::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (end_late, stopping) = (end.clone(), stop.clone());
    runtime.block_on(async {
        let stops = async {
            handler.begun.notified().await;
            stopping.now();
            meanwhile(end);
        };
        let mut note = |job| ended.push(job);
        tokio::join!(runner.run(&stop, &mut note), stops).0.unwrap();
    });
    // A job that has not heard of it yet goes on until here.
    let _ = end_late.send(());
    (ended, told)
}

fn state(db: &Db, id: JobId) -> (String, i32) {
    let row = db.run_blocking(|conn| store::get(conn, id)).unwrap();
    (row.state, row.attempt)
}

on_each_database! {
    fn a_job_that_outlasts_the_stop_is_put_back_and_ends_too_late(db) {
        let id = queue(db, &[new("a")])[0];
        let (ended, finished) = stopped(db, Duration::from_millis(50), drop);
        assert_eq!(ended, [id]);
        assert!(!finished.recv().unwrap(), "somebody else may have it by now");
        assert_eq!(state(db, id), ("queued".into(), 0), "it cost no attempt");
        assert_eq!(claim(db, ask("other", 1))[0].claim.attempt, 1);
    }

    fn a_job_that_ends_within_the_grace_counts(db) {
        let id = queue(db, &[new("a")])[0];
        let (ended, finished) = stopped(db, Duration::from_secs(3600), |end| end.send(()).unwrap());
        assert_eq!((ended, finished.recv().unwrap()), (vec![id], true));
        assert_eq!(state(db, id), ("done".into(), 1));
    }
}
