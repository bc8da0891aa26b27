//! How both databases go about the queue's own statements when the table is full: what is asked at every job walks an index and
//! touches as much as it returns, however many jobs wait and are finished.

use diesel::connection::SimpleConnection;

use super::*;
use crate::db::testing::at;
use crate::db::testing::statements::{Statement, statements, touched};
use crate::queue::backlog;

/// Enough that every other plan is dearer. `benches/queue.rs` has a hundred times as many.
const FINISHED: u32 = 20_000;
const WAITING: u32 = 2_000;
/// Rows that one step of a claim may touch, and pages that it may read or write: a job lies in nine indexes and each level of
/// each is a page. Neither depends on how many jobs there are.
const MOST_ROWS: f64 = 16.0;
const MOST_PAGES: f64 = 400.0;

/// Jobs finished long ago, and jobs that wait.
fn fill(conn: &mut AnyConnection, finished: u32, waiting: u32) -> Result<(), DbError> {
    let series = |n: u32| match conn {
        AnyConnection::Sqlite(_) => {
            format!("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n})")
        }
        AnyConnection::Postgres(_) => format!("WITH s(i) AS (SELECT generate_series(1, {n}))"),
    };
    let columns = "kind, topic, payload, dedup_key, run_id, priority, state, attempt, max_attempts, due_at, errors, \
                   created_at, finished_at";
    let (of_finished, of_waiting) = (series(finished), series(waiting));
    let time = |text: &str| match conn {
        AnyConnection::Sqlite(_) => format!("'{text}'"),
        AnyConnection::Postgres(_) => format!("TIMESTAMP '{text}'"),
    };
    let (old, none) = (
        time("2026-01-01 00:00:00"),
        if matches!(conn, AnyConnection::Sqlite(_)) { "NULL" } else { "NULL::timestamp" },
    );
    conn.batch_execute(&format!(
        "INSERT INTO jobs ({columns}) {of_finished} SELECT 'test', 'tests', '{{}}', 'f' || i, 'r', 10, 'done', 1, 3, {old}, \
         '[]', {old}, {old} FROM s; \
         INSERT INTO jobs ({columns}) {of_waiting} SELECT 'test', 'tests', '{{}}', 'k' || i, 'r', 10, 'queued', 0, 3, {old}, \
         '[]', {old}, {none} FROM s; ANALYZE"
    ))?;
    Ok(())
}

/// The statements about jobs that `work` sends; those that begin and end transactions, and those that ask the time, are not.
fn about_jobs(
    conn: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<(), DbError>,
) -> Result<Vec<Statement>, DbError> {
    let ((), mut heard) = statements(conn, work)?;
    heard.retain(|statement| statement.is_of("jobs"));
    assert!(!heard.is_empty(), "nothing was asked");
    Ok(heard)
}

/// No statement reads the table through, sorts it, or touches more than a few rows and pages.
fn assert_bounded(conn: &mut AnyConnection, heard: &[Statement]) -> Result<(), DbError> {
    for statement in heard {
        let plan = statement.plan(conn)?;
        let told = format!("{}\n{plan}", statement.sql);
        assert!(!plan.contains("Seq Scan on jobs") && !plan.contains("SCAN jobs"), "{told}");
        assert!(!plan.contains("TEMP B-TREE") || !statement.sql.contains("queued"), "{told}");
        let (rows, pages) = touched(&plan);
        assert!(rows <= MOST_ROWS && pages <= MOST_PAGES, "{rows} rows, {pages} pages\n{told}");
    }
    Ok(())
}

fn walks(conn: &mut AnyConnection, heard: &[Statement], index: &str) -> Result<bool, DbError> {
    for statement in heard {
        if statement.plan(conn)?.contains(index) {
            return Ok(true);
        }
    }
    Ok(false)
}

on_each_database! {
    fn a_claim_walks_its_index_however_many_jobs_there_are(db) {
        db.run_blocking::<_, DbError>(|conn| {
            fill(conn, FINISHED, WAITING)?;
            let topics = vec!["others".to_owned(), "tests".to_owned(), "more".to_owned()];
            let any = Ask { topics, ..ask("w", 4) };
            let own = Ask { run_id: Some("r".into()), ..any.clone() };
            for (ask, index) in [(any, "jobs_claim"), (own, "jobs_claim_run")] {
                let heard = about_jobs(conn, |conn| {
                    assert_eq!(store::take(conn, &ask)?.len(), 4);
                    Ok(())
                })?;
                assert!(walks(conn, &heard, index)?, "{heard:?}");
                assert_bounded(conn, &heard)?;
            }
            Ok(())
        }).unwrap();
    }

    fn a_look_in_vain_and_a_look_for_lost_workers_cost_nothing(db) {
        db.run_blocking::<_, DbError>(|conn| {
            fill(conn, FINISHED, WAITING)?;
            let nothing = Ask { topics: vec!["others".into()], ..ask("w", 4) };
            let heard = about_jobs(conn, |conn| {
                assert_eq!(store::take(conn, &nothing)?, []);
                assert!(!store::is_due(conn, &nothing.topics)?);
                assert!(store::is_due(conn, &["tests".into()])?);
                Ok(())
            })?;
            assert_bounded(conn, &heard)?;
            store::take(conn, &ask("lost", 9))?;
            let past = store::now(conn)? - chrono::TimeDelta::seconds(1);
            diesel::update(jobs::table.filter(jobs::state.eq("running"))).set(jobs::lease_until.eq(past)).execute(conn)?;
            conn.batch_execute("ANALYZE")?;
            let heard = about_jobs(conn, |conn| {
                assert_eq!(store::expired(conn, 500)?.len(), 9);
                Ok(())
            })?;
            assert!(walks(conn, &heard, "jobs_lease")?, "{heard:?}");
            assert_bounded(conn, &heard)
        }).unwrap();
    }

    fn a_job_is_queued_held_renewed_and_ended_by_its_key(db) {
        db.run_blocking::<_, DbError>(|conn| {
            fill(conn, FINISHED, WAITING)?;
            let heard = about_jobs(conn, |conn| {
                enqueue(conn, &new("fresh"))?;
                enqueue(conn, &new("k7"))?;
                let job = store::take(conn, &ask("w", 1))?.remove(0);
                assert_eq!(store::hold(conn, &job.claim)?, Held::Yes);
                assert_eq!(store::renew(conn, std::slice::from_ref(&job.claim), LEASE)?, [job.claim.id]);
                assert_eq!(store::unfinished(conn, &[job.claim.id])?, [job.claim.id]);
                finish(conn, &job.claim)
            })?;
            let mut plans = heard;
            // A plan that is carried out would do it twice.
            plans.retain(|statement| !statement.sql.starts_with("INSERT"));
            assert!(walks(conn, &plans, "jobs_dedup")?, "{plans:?}");
            assert_bounded(conn, &plans)
        }).unwrap();
    }

    fn what_is_counted_for_monitoring_leaves_finished_jobs_alone(db) {
        db.run_blocking::<_, DbError>(|conn| {
            fill(conn, FINISHED, WAITING)?;
            let heard = about_jobs(conn, |conn| {
                assert_eq!(backlog::backlog(conn)?[0].queued, i64::from(WAITING));
                assert!(backlog::is_long(conn, "tests", 0)?);
                assert_eq!(store::prune(conn, at("2026-01-02 00:00:00"), 5)?, 5);
                Ok(())
            })?;
            for statement in &heard {
                let plan = statement.plan(conn)?;
                assert!(!plan.contains("Seq Scan on jobs"), "{}\n{plan}", statement.sql);
                assert!(!plan.lines().any(|line| line.trim() == "SCAN jobs"), "{}\n{plan}", statement.sql);
            }
            let (rows, _) = touched(&heard[0].plan(conn)?);
            assert!(rows <= f64::from(WAITING), "{rows} rows");
            Ok(())
        }).unwrap();
    }
}
