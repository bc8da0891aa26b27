//! The resources: one file each, with its handlers, what they take and give, and its rows of the table.

mod classes;
mod members;
pub(super) mod model;
mod students;
mod subjects;
mod tools;

use super::table::Row;

/// The whole table.
pub(super) fn rows() -> Vec<Row> {
    [classes::rows(), subjects::rows(), students::rows(), members::rows(), tools::rows(), model::rows()].into_iter().flatten().collect()
}
