//! The program as its users run it: the real binary, the real pack, a real database, the photos of the demo school.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod batch;
mod commands;
mod damage;
mod demo;
mod enrolment;
mod evaluate;
mod import;
mod pack_files;
mod pull;
mod stop;
mod support;
mod web;
