//! The resources: one file each, with its handlers, what they take and give, and its rows of the table.

mod classes;
mod events;
mod jobs;
mod members;
mod records;
mod review;
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
        records::rows(),
        review::rows(),
        events::rows(),
        jobs::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
