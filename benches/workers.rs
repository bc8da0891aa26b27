//! How well workers add up on one Postgres: `cargo bench --bench workers`.
//!
//! Each worker is a program of its own, as on a machine of its own: own runner, own connections. Its handler only sleeps, so
//! that what is measured is the queue: claims, leases, events, the ends of jobs, and how they stand in each other's way. Printed
//! is the throughput while all workers had work, by the server's own clock, as a share of the same worker alone times their
//! number. The server waits for its disk at each commit, as a school's does. WORKERS (16), SECONDS (8) and ROUNDS (3) change the
//! size of the run; the median of the rounds is told.

#![expect(clippy::unwrap_used, reason = "a failed step ends the run")]

#[path = "../tests/support/postgres.rs"]
#[expect(dead_code, reason = "shared with tests, which need more of it")]
mod postgres;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double};
use rollcall::db::{AnyConnection, Db, DbError, transaction};
use rollcall::queue::store::{self, Held};
use rollcall::queue::{
    self, Claimed, Failure, Handler, JobError, NewJob, Priority, Runner, RunnerOptions, Stop, Until,
};

const TOPIC: &str = "sleep";

/// Milliseconds that a job takes, and jobs in hand of each worker.
const CASES: [(u64, usize); 4] = [(50, 1), (200, 1), (500, 1), (200, 4)];

/// Sleeps, and ends the job as others do: asks whether it is still held, then writes.
#[derive(Debug)]
struct Sleeper {
    db: Db,
    sleep: Duration,
}

#[async_trait]
impl Handler for Sleeper {
    fn topics(&self) -> Vec<String> {
        vec![TOPIC.to_owned()]
    }

    async fn run(&self, job: &Claimed) -> Result<(), Failure> {
        tokio::time::sleep(self.sleep).await;
        let claim = job.claim.clone();
        let done = self.db.transaction::<_, DbError>(move |conn| match store::hold(conn, &claim)? {
            Held::Yes => queue::finish(conn, &claim),
            Held::Finished | Held::No => Ok(()),
        });
        done.await.map_err(|error| Failure::Passing { code: "DATABASE_ERROR".into(), message: error.to_string() })
    }

    fn give_up(&self, _: &mut AnyConnection, _: &Claimed, _: &JobError) -> Result<(), DbError> {
        Ok(())
    }

    async fn tidy(&self) {}
}

/// What a worker's program is told: database, name, milliseconds of a job, jobs in hand.
fn worker(told: &[String]) {
    let [url, name, sleep_ms, slots] = told else { panic!("four words: {told:?}") };
    let db = Db::open(url).unwrap();
    let handler = Sleeper { db: db.clone(), sleep: Duration::from_millis(sleep_ms.parse().unwrap()) };
    let options = RunnerOptions {
        worker: name.clone(),
        slots: slots.parse().unwrap(),
        lease: Duration::from_secs(30),
        run_id: None,
        until: Until::Drained,
        outage_limit: Some(Duration::from_secs(30)),
        stop_grace: Duration::from_secs(30),
        keep_finished: Duration::from_secs(3600),
    };
    let runner = Runner::new(db, Arc::new(handler), options);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("ready");
    std::io::stdin().lines().next();
    runtime.block_on(runner.run(&Stop::default(), &mut |_| {})).unwrap();
}

struct Worker(Child);

impl Worker {
    /// Returns when it waits for its word.
    fn start(url: &str, name: &str, (sleep_ms, slots): (u64, usize)) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["worker", url, name, &sleep_ms.to_string(), &slots.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let ready = BufReader::new(child.stdout.as_mut().unwrap()).lines().next();
        assert_eq!(ready.unwrap().unwrap(), "ready");
        Self(child)
    }

    fn go(&mut self) {
        self.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
}

#[derive(QueryableByName)]
struct Steady {
    #[diesel(sql_type = BigInt)]
    done: i64,
    #[diesel(sql_type = Double)]
    seconds: f64,
}

/// Jobs a second while all workers were busy: between the last of the first jobs and the last job taken, nobody was idle.
fn throughput(server: &postgres::Server, template: &str, workers: usize, case: (u64, usize), seconds: f64) -> f64 {
    let url = server.copy_of(template);
    let db = Db::open(&url).unwrap();
    let in_hand = workers * case.1;
    let jobs = (in_hand as f64 * seconds * 1e3 / case.0 as f64) as usize + in_hand;
    fill(&db, jobs);
    let mut all: Vec<Worker> = (0..workers).map(|n| Worker::start(&url, &format!("w{n}"), case)).collect();
    all.iter_mut().for_each(Worker::go);
    for worker in &mut all {
        assert!(worker.0.wait().unwrap().success());
    }
    let steady: Steady = db
        .run_blocking::<_, DbError>(|conn| {
            let AnyConnection::Postgres(conn) = conn else { panic!("it is Postgres") };
            let busy = format!(
                "WITH began AS (SELECT max(started_at) AS at FROM (SELECT started_at FROM jobs ORDER BY started_at LIMIT \
                 {in_hand}) AS first) SELECT count(*) AS done, \
                 extract(epoch FROM max(started_at) - (SELECT at FROM began))::float8 AS seconds \
                 FROM jobs WHERE state = 'done' AND started_at > (SELECT at FROM began)"
            );
            Ok(diesel::sql_query(busy).get_result(conn)?)
        })
        .unwrap();
    let counts = db.run_blocking(store::counts).unwrap();
    assert_eq!(counts.done as usize, jobs, "each was done");
    steady.done as f64 / steady.seconds
}

fn fill(db: &Db, jobs: usize) {
    let new = |n: usize| NewJob {
        kind: "sleep",
        topic: TOPIC.into(),
        payload: serde_json::json!({ "n": n }),
        dedup_key: n.to_string(),
        run_id: None,
        priority: Priority::Batch,
        max_attempts: 3,
        owner: None,
    };
    let all = |conn: &mut AnyConnection| (0..jobs).try_for_each(|n| queue::enqueue(conn, &new(n)).map(drop));
    db.run_blocking(|conn| transaction::<_, DbError>(conn, all)).unwrap();
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "worker") {
        return worker(&arguments[1..]);
    }
    // `cargo test` builds and runs benches too; this one is only for `cargo bench`.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let (workers, seconds, rounds) = (number("WORKERS", 16), number("SECONDS", 8) as f64, number("ROUNDS", 3));
    let server = postgres::Server::start_with("-c fsync=on");
    let template = server.new_database();
    Db::open(&template).unwrap().migrate().unwrap();
    println!("one worker, then {workers}, in turn; medians of {rounds}; own time: what a job takes beyond its sleep");
    println!(
        "{:>6} {:>8} {:>12} {:>12} {:>10} {:>10}",
        "job ms", "in hand", "1, jobs/s", "all, jobs/s", "own ms", "share"
    );
    for case in CASES {
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            alone.push(throughput(&server, &template, 1, case, seconds));
            together.push(throughput(&server, &template, workers, case, seconds));
        }
        let (alone, together) = (median(alone), median(together));
        let own_ms = case.1 as f64 * 1e3 / alone - case.0 as f64;
        let share = together / (alone * workers as f64);
        println!("{:>6} {:>8} {alone:>12.2} {together:>12.2} {own_ms:>10.2} {share:>10.3}", case.0, case.1);
    }
}
