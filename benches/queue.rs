//! What a job costs the database, with nothing else in the queue and with a year of it: `cargo bench --bench queue`.
//!
//! On SQLite and on Postgres (a private server that waits for its disk), with no other job and with 100,000 waiting and
//! 1,000,000 finished ones (WAITING and FINISHED change that). A claim shall cost the same in both. `queue/held` is Postgres
//! alone: claims while somebody else keeps a transaction open, as a dump does, so that the dead rows of 20,000 ended jobs
//! cannot be cleared away.

#![expect(clippy::unwrap_used, reason = "a failed step ends the run")]

#[path = "../tests/support/postgres.rs"]
#[expect(dead_code, reason = "shared with tests, which need more of it")]
mod postgres;

use std::cell::Cell;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use diesel::connection::SimpleConnection;
use rollcall::db::{AnyConnection, Db, DbError, transaction};
use rollcall::queue::backlog;
use rollcall::queue::store::{self, Ask};
use rollcall::queue::{self, Claimed, NewJob, Priority};
use tempfile::TempDir;

const TOPIC: &str = "photo:starter@1";

fn number(variable: &str, default: u32) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn new(key: &str) -> NewJob {
    NewJob {
        kind: "photo",
        topic: TOPIC.into(),
        payload: serde_json::json!({ "photo": 1 }),
        dedup_key: key.into(),
        run_id: None,
        priority: Priority::Batch,
        max_attempts: 3,
        owner: None,
    }
}

fn ask() -> Ask {
    let lease = Duration::from_secs(60);
    Ask { topics: vec![TOPIC.into(), "export".into()], worker: "bench".into(), run_id: None, count: 1, lease }
}

/// As a worker takes a job.
fn take(conn: &mut AnyConnection) -> Vec<Claimed> {
    let taken = store::take(conn, &ask()).unwrap();
    assert_eq!(taken.len(), 1);
    taken
}

fn end(conn: &mut AnyConnection, job: &Claimed) {
    let ended = transaction::<_, DbError>(conn, |conn| {
        store::hold(conn, &job.claim)?;
        queue::finish(conn, &job.claim)
    });
    ended.unwrap();
}

/// Jobs finished long ago and jobs that wait, written by the database itself.
fn fill(conn: &mut AnyConnection, finished: u32, waiting: u32) {
    let is_sqlite = matches!(conn, AnyConnection::Sqlite(_));
    let series = |n: u32| match is_sqlite {
        true => format!("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n})"),
        false => format!("WITH s(i) AS (SELECT generate_series(1, {n}))"),
    };
    let (old, none) = match is_sqlite {
        true => ("'2026-01-01 00:00:00'", "NULL"),
        false => ("TIMESTAMP '2026-01-01 00:00:00'", "NULL::timestamp"),
    };
    let columns = "kind, topic, payload, dedup_key, priority, state, attempt, max_attempts, due_at, errors, created_at, \
                   finished_at";
    for (count, state, key, end) in [(finished, "done", "f", old), (waiting, "queued", "w", none)] {
        let rows = format!(
            "{} SELECT 'photo', '{TOPIC}', '{{}}', '{key}' || i, 10, '{state}', 0, 3, {old}, '[]', {old}, {end} FROM s",
            series(count)
        );
        if count > 0 {
            conn.batch_execute(&format!("INSERT INTO jobs ({columns}) {rows}")).unwrap();
        }
    }
    conn.batch_execute("ANALYZE").unwrap();
}

fn operations(c: &mut Criterion, db: &Db, name: &str) {
    let mut group = c.benchmark_group(format!("queue/{name}"));
    let number = Cell::new(0_u64);
    let queue_one = |conn: &mut AnyConnection| {
        number.set(number.get() + 1);
        let queued = transaction::<_, DbError>(conn, |conn| queue::enqueue(conn, &new(&format!("b{}", number.get()))));
        queued.unwrap()
    };
    db.run_blocking::<_, DbError>(|conn| {
        group.bench_function("enqueue_take_end", |b| {
            b.iter(|| {
                queue_one(conn);
                take(conn).iter().for_each(|job| end(conn, job));
            });
        });
        Ok(())
    })
    .unwrap();
    // Criterion's setup and routine cannot share one connection.
    group.bench_function("take", |b| {
        let of = |work: &mut dyn FnMut(&mut AnyConnection)| {
            db.run_blocking::<_, DbError>(|conn| {
                work(conn);
                Ok(())
            })
            .unwrap();
        };
        let taken = Cell::new(Vec::new());
        b.iter_batched(
            || {
                of(&mut |conn| {
                    taken.take().iter().for_each(|job| end(conn, job));
                    queue_one(conn);
                });
            },
            |()| of(&mut |conn| taken.set(take(conn))),
            BatchSize::PerIteration,
        );
        of(&mut |conn| taken.take().iter().for_each(|job| end(conn, job)));
    });
    db.run_blocking::<_, DbError>(|conn| {
        let nothing = Ask { topics: vec!["nothing".into()], ..ask() };
        group.bench_function("take_in_vain", |b| b.iter(|| assert!(store::take(conn, &nothing).unwrap().is_empty())));
        group.bench_function("look_for_lost", |b| b.iter(|| store::expired(conn, 1).unwrap()));
        group.sample_size(10);
        group.bench_function("backlog_by_kind", |b| b.iter(|| backlog::backlog(conn).unwrap()));
        group.bench_function("counts", |b| b.iter(|| store::counts(conn).unwrap()));
        Ok(())
    })
    .unwrap();
    group.finish();
}

/// Claims while a snapshot is held from before 20,000 jobs ended.
fn held(c: &mut Criterion, server: &postgres::Server) {
    let db = Db::open(&server.new_database()).unwrap();
    db.migrate().unwrap();
    db.run_blocking::<_, DbError>(|conn| {
        fill(conn, 0, 40_000);
        Ok(())
    })
    .unwrap();
    db.run_blocking::<_, DbError>(|dump| {
        dump.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs").unwrap();
        db.run_blocking::<_, DbError>(|conn| {
            conn.batch_execute(
                "UPDATE jobs SET state = 'done', finished_at = due_at WHERE id IN (SELECT id FROM jobs ORDER BY id LIMIT 20000)",
            )
            .unwrap();
            let mut group = c.benchmark_group("queue/held");
            group.bench_function("take_end", |b| {
                b.iter(|| take(conn).iter().for_each(|job| end(conn, job)));
            });
            group.finish();
            Ok(())
        })
        .unwrap();
        dump.batch_execute("ROLLBACK").unwrap();
        Ok(())
    })
    .unwrap();
}

fn on_both(c: &mut Criterion) {
    let (finished, waiting) = (number("FINISHED", 1_000_000), number("WAITING", 100_000));
    let folder = TempDir::new().unwrap();
    let server = postgres::Server::start_with("-c fsync=on");
    for (name, url) in [
        ("sqlite", format!("sqlite:{}", folder.path().join("bench.db").display())),
        ("postgres", server.new_database()),
    ] {
        let db = Db::create(&url).unwrap();
        db.migrate().unwrap();
        operations(c, &db, &format!("{name}_empty"));
        db.run_blocking::<_, DbError>(|conn| {
            fill(conn, finished, waiting);
            Ok(())
        })
        .unwrap();
        operations(c, &db, &format!("{name}_full"));
    }
    held(c, &server);
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(20);
    targets = on_both
}
criterion_main!(benches);
