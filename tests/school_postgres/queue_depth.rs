//! What `deploy/kubernetes/keda` asks the database: how many jobs want a worker.

use diesel::sql_types::BigInt;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection};

use crate::support::{FULL, LEFT, Photos, School, repository};

#[derive(QueryableByName)]
struct Depth {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The query as it stands in the manifest.
fn query() -> String {
    let manifest = std::fs::read_to_string(repository().join("deploy/kubernetes/keda/scaledobject.yaml")).unwrap();
    let folded = manifest.split_once("query: >-\n").unwrap().1;
    let lines = folded.lines().take_while(|line| line.starts_with("          ")).map(str::trim);
    lines.collect::<Vec<_>>().join(" ")
}

/// The statements of the manual that let a user see the queue and nothing else.
fn grants() -> Vec<String> {
    let manual = std::fs::read_to_string(repository().join("deploy/kubernetes/README.md")).unwrap();
    let lines = manual.lines().map(str::trim);
    let sql: Vec<_> =
        lines.filter(|l| l.starts_with("CREATE ROLE rollcall_queue") || l.starts_with("GRANT SELECT")).collect();
    assert_eq!(sql.len(), 2, "{sql:?}");
    sql.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_scaler_counts_the_jobs_that_want_a_worker_and_may_read_nothing_else() {
    let school = School::enrolled();
    school.batch(&Photos::of(&[(LEFT, LEFT), (FULL, FULL)]), 0);
    let mut owner = PgConnection::establish(&school.database_url()).unwrap();
    for statement in grants() {
        owner.batch_execute(&statement).unwrap();
    }
    let mut count = |change: &str| {
        owner.batch_execute(change).unwrap();
        let mut scaler = PgConnection::establish(&school.database_url()).unwrap();
        scaler.batch_execute("SET ROLE rollcall_queue").unwrap();
        assert!(scaler.batch_execute("SELECT payload FROM jobs").is_err(), "the scaler may read what a job is about");
        assert!(scaler.batch_execute("SELECT name FROM students").is_err());
        diesel::sql_query(query()).get_result::<Depth>(&mut scaler).unwrap().count
    };
    assert_eq!(count("SELECT 1"), 0, "everything is done");
    let waits = "UPDATE jobs SET state = 'queued', finished_at = NULL, due_at = now() AT TIME ZONE 'utc'";
    assert_eq!(count(waits), 2);
    assert_eq!(count("UPDATE jobs SET due_at = due_at + interval '1 hour'"), 0, "a retry that is not due wants nobody");
    let runs = "UPDATE jobs SET state = 'running', worker = 'w', started_at = due_at, lease_until = due_at";
    assert_eq!(count(runs), 2);
}
