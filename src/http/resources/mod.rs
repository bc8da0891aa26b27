//! The resources: one file each, with its handlers, what they take and give, and its rows of the table.

mod classes;
mod faces;
mod members;
mod photos;
mod students;
mod subjects;

use super::table::Row;

/// The whole table.
pub(super) fn rows() -> Vec<Row> {
    [
        classes::rows(),
        subjects::rows(),
        students::rows(),
        members::rows(),
        photos::rows(),
        faces::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
