//! The queue on both databases: what is claimed, kept, lost and given up.

mod people;
mod plans;
mod stop;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use serde_json::json;

use super::store::{self, Ask, Failed, Held};
use super::*;
use crate::db::schema::jobs;
use crate::db::testing::on_each_database;
use crate::db::testing::postgres::Server;
use crate::db::{Db, transaction};

const LEASE: Duration = Duration::from_secs(30);

fn new(key: &str) -> NewJob {
    NewJob {
        kind: "test",
        topic: "tests".into(),
        payload: json!({ "key": key }),
        dedup_key: key.into(),
        run_id: None,
        priority: Priority::Batch,
        max_attempts: 3,
        owner: None,
    }
}

fn ask(worker: &str, count: usize) -> Ask {
    Ask { topics: vec!["tests".into()], worker: worker.into(), run_id: None, count, lease: LEASE }
}

fn claim(db: &Db, ask: Ask) -> Vec<Claimed> {
    db.run_blocking(|conn| transaction::<_, DbError>(conn, |conn| store::claim(conn, &ask))).unwrap()
}

fn keys(jobs: &[Claimed]) -> Vec<&str> {
    jobs.iter().map(|job| job.payload["key"].as_str().unwrap()).collect()
}

fn queue(db: &Db, jobs: &[NewJob]) -> Vec<JobId> {
    db.run_blocking::<_, DbError>(|conn| jobs.iter().map(|job| enqueue(conn, job)).collect()).unwrap()
}

fn passing(message: &str) -> Failure {
    Failure::Passing { code: "DATABASE_ERROR".into(), message: message.into() }
}

/// As if the worker had been silent for longer than any lease.
fn let_leases_run_out(db: &Db) {
    db.run_blocking::<_, DbError>(|conn| {
        let past = store::now(conn)? - chrono::TimeDelta::seconds(1);
        diesel::update(jobs::table.filter(jobs::state.eq("running"))).set(jobs::lease_until.eq(past)).execute(conn)?;
        Ok(())
    })
    .unwrap();
}

fn let_time_come(db: &Db) {
    db.run_blocking::<_, DbError>(|conn| {
        let now = store::now(conn)?;
        diesel::update(jobs::table.filter(jobs::state.eq("queued"))).set(jobs::due_at.eq(now)).execute(conn)?;
        Ok(())
    })
    .unwrap();
}

on_each_database! {
    fn people_go_before_folders_and_first_comes_first(db) {
        queue(db, &[new("a"), new("b"), NewJob { priority: Priority::Person, ..new("c") }, new("d")]);
        assert_eq!(keys(&claim(db, ask("w", 3))), ["c", "a", "b"]);
        assert_eq!(keys(&claim(db, ask("w", 3))), ["d"]);
        assert_eq!(claim(db, ask("w", 3)), []);
    }

    fn jobs_of_the_own_run_go_first_and_then_any_others(db) {
        let mine = |key| NewJob { run_id: Some("run".into()), ..new(key) };
        queue(db, &[new("a"), mine("b"), new("c"), mine("d")]);
        let own = Ask { run_id: Some("run".into()), ..ask("w", 3) };
        assert_eq!(keys(&claim(db, own)), ["b", "d", "a"]);
    }

    fn a_worker_gets_only_what_it_can_do(db) {
        queue(db, &[NewJob { topic: "other pack".into(), ..new("a") }]);
        assert_eq!(claim(db, ask("w", 1)), []);
        assert!(!db.run_blocking(|conn| store::is_due(conn, &["tests".into()])).unwrap());
        assert!(db.run_blocking(|conn| store::is_due(conn, &["tests".into(), "other pack".into()])).unwrap());
    }

    fn a_worker_of_several_topics_takes_what_is_first_in_all_of_them(db) {
        let of = |topic: &str, job| NewJob { topic: topic.into(), ..job };
        queue(db, &[
            of("a", new("1")), of("b", new("2")), of("c", new("3")), of("a", new("4")),
            of("b", NewJob { priority: Priority::Person, ..new("5") }),
        ]);
        let both = |count| Ask { topics: vec!["b".into(), "a".into()], ..ask("w", count) };
        assert_eq!(keys(&claim(db, both(3))), ["5", "1", "2"]);
        assert_eq!(keys(&claim(db, both(3))), ["4"]);
        let own = NewJob { run_id: Some("run".into()), ..of("b", new("6")) };
        queue(db, &[of("a", new("7")), own]);
        assert_eq!(keys(&claim(db, Ask { run_id: Some("run".into()), ..both(3) })), ["6", "7"]);
    }

    fn the_same_work_waits_once_and_can_come_again_when_it_is_finished(db) {
        let [first, second] = queue(db, &[new("a"), NewJob { priority: Priority::Person, ..new("a") }])[..] else {
            panic!("two were queued")
        };
        assert_eq!(first, second);
        let row = db.run_blocking(|conn| store::get(conn, first)).unwrap();
        assert_eq!(row.priority, Priority::Person as i32, "the better priority is kept");
        let job = claim(db, ask("w", 1)).remove(0);
        assert_eq!(queue(db, &[new("a")]), [first], "it runs");
        db.run_blocking(|conn| finish(conn, &job.claim)).unwrap();
        assert_ne!(queue(db, &[new("a")]), [first]);
    }

    fn a_transaction_that_is_rolled_back_queues_nothing(db) {
        let nothing = db.run_blocking(|conn| {
            transaction::<(), DbError>(conn, |conn| {
                enqueue(conn, &new("a"))?;
                Err(DbError::Busy)
            })
        });
        assert!(nothing.is_err());
        assert_eq!(db.run_blocking(store::counts).unwrap(), store::JobCounts::default());
    }

    fn a_job_is_done_by_the_one_who_holds_it(db) {
        queue(db, &[new("a")]);
        let job = claim(db, ask("first", 1)).remove(0);
        let stranger = Claim { worker: "second".into(), ..job.claim.clone() };
        let earlier = Claim { attempt: 0, ..job.claim.clone() };
        db.run_blocking::<_, DbError>(|conn| {
            for not_held in [&stranger, &earlier] {
                assert_eq!(store::hold(conn, not_held)?, Held::No);
                assert!(finish(conn, not_held).is_err());
            }
            assert_eq!(store::renew(conn, std::slice::from_ref(&stranger), LEASE)?, []);
            assert_eq!(store::renew(conn, std::slice::from_ref(&job.claim), LEASE)?, [job.claim.id]);
            assert_eq!(store::hold(conn, &job.claim)?, Held::Yes);
            finish(conn, &job.claim)?;
            assert_eq!(store::hold(conn, &job.claim)?, Held::Finished);
            assert!(finish(conn, &job.claim).is_err(), "no job is finished twice");
            Ok(())
        }).unwrap();
    }

    fn a_lost_workers_job_goes_to_another_and_the_lost_one_cannot_finish_it(db) {
        queue(db, &[new("a")]);
        let lost = claim(db, ask("first", 1)).remove(0);
        assert_eq!(db.run_blocking(|conn| store::expired(conn, 10)).unwrap(), []);
        let_leases_run_out(db);
        db.run_blocking::<_, DbError>(|conn| {
            let expired = store::expired(conn, 10)?;
            assert_eq!(expired, std::slice::from_ref(&lost));
            let ended = store::fail(conn, &expired[0], &store::worker_lost(&lost.claim))?;
            assert!(matches!(ended, Failed::Again(_)));
            Ok(())
        }).unwrap();
        let next = claim(db, ask("second", 1)).remove(0);
        assert_eq!((next.claim.id, next.claim.attempt), (lost.claim.id, 2));
        db.run_blocking::<_, DbError>(|conn| {
            assert_eq!(store::hold(conn, &lost.claim)?, Held::No);
            assert!(finish(conn, &lost.claim).is_err());
            assert_eq!(store::fail(conn, &lost, &passing("late"))?, Failed::NotHeld);
            finish(conn, &next.claim)
        }).unwrap();
        let row = db.run_blocking(|conn| store::get(conn, lost.claim.id)).unwrap();
        let [error] = &row.errors.0[..] else { panic!("{:?}", row.errors) };
        assert_eq!((error.attempt, error.code.as_str(), error.worker.as_str()), (1, WORKER_LOST, "first"));
    }

    fn a_job_that_fails_waits_longer_each_time_and_is_given_up_with_all_its_errors(db) {
        let id = queue(db, &[new("a")])[0];
        let mut waits = Vec::new();
        for attempt in 1..=3 {
            let job = claim(db, ask("w", 1)).remove(0);
            assert_eq!(job.claim.attempt, attempt);
            let (failed, now) = db.run_blocking::<_, DbError>(|conn| {
                let failed = store::fail(conn, &job, &passing(&format!("attempt {attempt}")))?;
                Ok((failed, store::now(conn)?))
            }).unwrap();
            match failed {
                Failed::Again(due_at) => waits.push((due_at - now).num_milliseconds()),
                Failed::GivenUp(error) => assert_eq!((attempt, error.attempt), (3, 3)),
                Failed::NotHeld => panic!("it is held"),
            }
            assert_eq!(claim(db, ask("w", 1)), [], "its time has not come");
            let_time_come(db);
        }
        assert!(waits.len() == 2 && waits[0] > 1000 && waits[1] > waits[0] + 1000, "{waits:?}");
        let row = db.run_blocking(|conn| store::get(conn, id)).unwrap();
        assert_eq!((row.state.as_str(), row.errors.0.len()), ("failed", 3));
        assert_eq!(row.errors.0[1].message, "attempt 2");
        assert!(row.finished_at.is_some());
    }

    fn what_cannot_go_better_is_not_tried_again_and_a_job_put_back_lost_no_attempt(db) {
        let [a, b] = queue(db, &[new("a"), new("b")])[..] else { panic!("two were queued") };
        let jobs = claim(db, ask("w", 2));
        let broken = Failure::Final { code: "INVALID_IMAGE".into(), message: "no picture".into() };
        db.run_blocking::<_, DbError>(|conn| {
            assert!(matches!(store::fail(conn, &jobs[0], &broken)?, Failed::GivenUp(_)));
            assert!(matches!(store::fail(conn, &jobs[1], &Failure::PutBack)?, Failed::Again(_)));
            assert_eq!(store::get(conn, a)?.state, "failed");
            let back = store::get(conn, b)?;
            assert_eq!((back.state.as_str(), back.attempt, back.errors.0.len()), ("queued", 0, 0));
            Ok(())
        }).unwrap();
        assert_eq!(claim(db, ask("w", 2))[0].claim.attempt, 1);
    }

    fn an_outage_costs_no_attempt_however_long_it_lasts_and_is_told_once(db) {
        let id = queue(db, &[NewJob { max_attempts: 1, ..new("a") }])[0];
        let away = Failure::Outage { code: "STORAGE_ERROR".into(), message: "the storage is not available".into() };
        for _ in 0..20 {
            let job = claim(db, ask("w", 1)).remove(0);
            let (failed, now) = db.run_blocking::<_, DbError>(|conn| {
                Ok((store::fail(conn, &job, &away)?, store::now(conn)?))
            }).unwrap();
            let Failed::Again(due_at) = failed else { panic!("{failed:?}") };
            assert!((4_000..7_000).contains(&(due_at - now).num_milliseconds()));
            let_time_come(db);
        }
        let row = db.run_blocking(|conn| store::get(conn, id)).unwrap();
        assert_eq!((row.state.as_str(), row.attempt, row.errors.0.len()), ("queued", 0, 1));
        let job = claim(db, ask("w", 1)).remove(0);
        let given_up = db.run_blocking(|conn| store::fail(conn, &job, &passing("something else"))).unwrap();
        assert!(matches!(given_up, Failed::GivenUp(_)), "other failures count");
        assert_eq!(db.run_blocking(|conn| store::get(conn, id)).unwrap().errors.0.len(), 2);
    }

    fn failed_jobs_can_be_tried_again_and_waiting_ones_cancelled(db) {
        let id = queue(db, &[new("a")])[0];
        let job = claim(db, ask("w", 1)).remove(0);
        db.run_blocking::<_, DbError>(|conn| {
            assert!(store::retry(conn, id).is_err(), "it runs");
            store::cancel(conn, id)?;
            assert!(finish(conn, &job.claim).is_err(), "it was cancelled");
            assert_eq!(store::fail(conn, &job, &passing("x"))?, Failed::NotHeld);
            store::retry(conn, id)?;
            assert!(store::cancel(conn, JobId(404)).is_err());
            Ok(())
        }).unwrap();
        assert_eq!(claim(db, ask("w", 1))[0].claim.attempt, 1);
    }

    fn old_finished_jobs_are_deleted_and_no_others(db) {
        queue(db, &[new("a"), new("b"), new("c"), new("d")]);
        let jobs = claim(db, ask("w", 3));
        db.run_blocking::<_, DbError>(|conn| {
            finish(conn, &jobs[0].claim)?;
            store::fail(conn, &jobs[1], &Failure::Final { code: "X".into(), message: "x".into() })?;
            let (before, after) = (store::now(conn)? - chrono::TimeDelta::hours(1), store::now(conn)?);
            assert_eq!(store::prune(conn, before, 10)?, 0);
            assert_eq!(store::prune(conn, after + chrono::TimeDelta::seconds(1), 1)?, 1, "in portions");
            assert_eq!(store::prune(conn, after + chrono::TimeDelta::seconds(1), 10)?, 1);
            let counts = store::counts(conn)?;
            assert_eq!((counts.queued, counts.running, counts.done, counts.failed), (1, 1, 0, 0));
            assert_eq!(store::unfinished(conn, &jobs.iter().map(|j| j.claim.id).collect::<Vec<_>>())?, [jobs[2].claim.id]);
            assert_eq!(store::list(conn, Some(JobState::Running), 10)?.len(), 1);
            assert_eq!(store::list(conn, None, 10)?.len(), 2);
            Ok(())
        }).unwrap();
    }

    fn workers_at_the_same_time_never_get_the_same_job(db) {
        let many: Vec<NewJob> = (0..60).map(|i| new(&i.to_string())).collect();
        queue(db, &many);
        let taken: Vec<JobId> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|w| scope.spawn(move || {
                let mut taken = Vec::new();
                loop {
                    let jobs = claim(db, ask(&format!("w{w}"), 2));
                    if jobs.is_empty() {
                        return taken;
                    }
                    for job in jobs {
                        db.run_blocking(|conn| finish(conn, &job.claim)).unwrap();
                        taken.push(job.claim.id);
                    }
                }
            })).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        let different: std::collections::BTreeSet<_> = taken.iter().collect();
        assert_eq!((taken.len(), different.len()), (60, 60));
    }
}

/// Attempts of each job, and how they end: `fails` says in which attempts a key fails.
#[derive(Debug, Default)]
struct Counting {
    started: Mutex<BTreeMap<String, u32>>,
    fails: BTreeMap<&'static str, u32>,
    panics: Option<&'static str>,
    given_up: AtomicU32,
    tidied: AtomicU32,
    /// Those of them that it was told of afterwards.
    told: AtomicU32,
    db: Option<Db>,
}

#[async_trait]
impl Handler for Counting {
    fn topics(&self) -> Vec<String> {
        vec!["tests".into()]
    }

    async fn run(&self, job: &Claimed) -> Result<(), Failure> {
        let key = job.payload["key"].as_str().unwrap().to_owned();
        let tries = *self.started.lock().unwrap().entry(key.clone()).and_modify(|n| *n += 1).or_insert(1);
        assert!(self.panics != Some(key.as_str()), "a panic in a job");
        if tries <= self.fails.get(key.as_str()).copied().unwrap_or(0) {
            return Err(passing("not yet"));
        }
        let claim = job.claim.clone();
        let done = self.db.as_ref().unwrap().transaction(move |conn| finish(conn, &claim)).await;
        done.map_err(|e| passing(&e.to_string()))
    }

    fn give_up(&self, _: &mut AnyConnection, _: &Claimed, _: &JobError) -> Result<(), DbError> {
        self.given_up.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn tidy(&self) {
        self.tidied.fetch_add(1, Ordering::Relaxed);
    }

    fn given_up(&self, _: &Claimed) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }
}

fn options(until: Until) -> RunnerOptions {
    RunnerOptions {
        worker: "runner".into(),
        slots: 3,
        lease: Duration::from_secs(2),
        run_id: None,
        until,
        outage_limit: Some(Duration::from_secs(60)),
        stop_grace: Duration::from_secs(3600),
        keep_finished: Duration::from_secs(3600),
    }
}

fn run(db: &Db, handler: Counting, options: RunnerOptions) -> (Arc<Counting>, Vec<JobId>) {
    let handler = Arc::new(Counting { db: Some(db.clone()), ..handler });
    let runner = Runner::new(db.clone(), Arc::clone(&handler), options);
    let mut ended = Vec::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(runner.run(&Stop::default(), &mut |job| ended.push(job))).unwrap();
    (handler, ended)
}

on_each_database! {
    fn a_runner_does_everything_that_waits_once(db) {
        let jobs: Vec<NewJob> = (0..20).map(|i| new(&i.to_string())).collect();
        let ids = queue(db, &jobs);
        let (handler, mut ended) = run(db, Counting::default(), options(Until::Drained));
        ended.sort();
        assert_eq!(ended, ids);
        assert!(handler.started.lock().unwrap().values().all(|n| *n == 1));
        assert_eq!(db.run_blocking(store::counts).unwrap().done, 20);
    }

    fn a_runner_waits_for_its_jobs_through_their_failures(db) {
        let ids = queue(db, &[new("good"), new("late")]);
        let handler = Counting { fails: BTreeMap::from([("late", 1)]), ..Counting::default() };
        let (handler, ended) = run(db, handler, options(Until::Finished(ids)));
        assert_eq!(*handler.started.lock().unwrap(), BTreeMap::from([("good".into(), 1), ("late".into(), 2)]));
        assert_eq!((ended.len(), handler.given_up.load(Ordering::Relaxed)), (3, 0));
        assert_eq!(handler.told.load(Ordering::Relaxed), 0, "it may still go well");
    }

    fn a_runner_deletes_old_finished_jobs(db) {
        queue(db, &[new("old")]);
        run(db, Counting::default(), options(Until::Drained));
        assert_eq!(db.run_blocking(store::counts).unwrap().done, 1, "kept for an hour");
        let at_once = RunnerOptions { keep_finished: Duration::ZERO, ..options(Until::Drained) };
        let (handler, _) = run(db, Counting::default(), at_once);
        assert_eq!(handler.tidied.load(Ordering::Relaxed), 1);
        assert_eq!(db.run_blocking(store::counts).unwrap().done, 0);
    }

    fn a_panic_is_a_failed_attempt_and_the_runner_goes_on(db) {
        let ids = queue(db, &[NewJob { max_attempts: 1, ..new("bad") }, new("good")]);
        let handler = Counting { panics: Some("bad"), ..Counting::default() };
        let (handler, _) = run(db, handler, options(Until::Finished(ids.clone())));
        assert_eq!([&handler.given_up, &handler.told].map(|count| count.load(Ordering::Relaxed)), [1, 1]);
        let rows = db.run_blocking::<_, DbError>(|conn| ids.iter().map(|id| store::get(conn, *id)).collect::<Result<Vec<_>, _>>());
        let rows = rows.unwrap();
        assert_eq!([rows[0].state.as_str(), rows[1].state.as_str()], ["failed", "done"]);
        assert!(rows[0].errors.0[0].message.contains("panic"), "{:?}", rows[0].errors);
    }

    fn a_job_that_kills_its_worker_at_the_last_attempt_is_given_up_as_worker_lost(db) {
        let id = queue(db, &[NewJob { max_attempts: 1, ..new("deadly") }])[0];
        claim(db, ask("dead", 1));
        let_leases_run_out(db);
        let (handler, ended) = run(db, Counting::default(), options(Until::Finished(vec![id])));
        assert_eq!((handler.given_up.load(Ordering::Relaxed), ended), (1, vec![]));
        assert_eq!(handler.told.load(Ordering::Relaxed), 1);
        let row = db.run_blocking(|conn| store::get(conn, id)).unwrap();
        assert_eq!((row.state.as_str(), row.errors.0[0].code.as_str()), ("failed", WORKER_LOST));
    }
}

#[test]
fn a_server_that_restarts_is_waited_for() {
    let server = Server::start();
    let db = Db::open(&server.new_database()).unwrap();
    db.migrate().unwrap();
    let ids = queue(&db, &[new("a"), new("b")]);
    server.restart();
    let (handler, _) = run(&db, Counting::default(), options(Until::Finished(ids)));
    assert_eq!(handler.started.lock().unwrap().len(), 2);
    assert_eq!(db.run_blocking(store::counts).unwrap().done, 2);
}
