//! The program as its users run it: the real binary, the real pack, a real database, the photos of the demo school.
//!
//! On SQLite here; `tests/school_postgres` runs the same tests on Postgres.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod backup;
mod batch;
mod both;
mod browser;
mod commands;
mod damage;
mod dataset;
mod demo;
mod doctor;
mod enrolment;
mod evaluate;
mod guards;
mod hostile;
mod import;
mod kill;
mod learning;
mod memory;
mod pack_files;
mod page;
mod pilot;
#[expect(dead_code, reason = "other test programs restart their server")]
#[path = "../support/postgres.rs"]
mod postgres;
mod pull;
mod queue;
mod rematch;
mod review;
mod roster;
mod service;
mod stop;
mod storage;
mod support;
mod upgrade;
mod users;
mod web;

/// Where schools are kept: each in a file of its own.
fn server() -> Option<&'static postgres::Server> {
    None
}
