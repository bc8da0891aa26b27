//! The tests of `tests/school`, each school in a database of a private Postgres server.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "../school/backup.rs"]
mod backup;
#[path = "../school/batch.rs"]
mod batch;
mod bucket;
#[path = "../school/commands.rs"]
mod commands;
#[path = "../school/damage.rs"]
mod damage;
#[path = "../school/dataset.rs"]
mod dataset;
#[path = "../school/enrolment.rs"]
mod enrolment;
#[path = "../school/kill.rs"]
mod kill;
#[path = "../school/learning.rs"]
mod learning;
mod outage;
#[path = "../school/pilot.rs"]
mod pilot;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../school/queue.rs"]
mod queue;
mod queue_depth;
#[path = "../school/rematch.rs"]
mod rematch;
#[path = "../school/review.rs"]
mod review;
#[path = "../school/roster.rs"]
mod roster;
#[expect(dead_code, reason = "the tests of the store itself disturb it in more ways")]
#[path = "../support/s3.rs"]
mod s3;
#[path = "../school/service.rs"]
mod service;
mod service_outage;
#[path = "../school/stop.rs"]
mod stop;
#[path = "../school/storage.rs"]
mod storage;
#[path = "../school/support.rs"]
mod support;
#[path = "../school/users.rs"]
mod users;

/// Where schools are kept: each in a database of its own.
fn server() -> Option<&'static postgres::Server> {
    Some(postgres::Server::shared())
}
