//! The resources: one file each, with its handlers, what they take and give, and its rows of the table.

mod classes;
mod members;
mod sheets;
mod students;
mod subjects;
mod uploads;

use super::table::Row;

/// The whole table.
pub(super) fn rows() -> Vec<Row> {
    [
        classes::rows(),
        subjects::rows(),
        students::rows(),
        members::rows(),
        uploads::rows(),
        sheets::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
