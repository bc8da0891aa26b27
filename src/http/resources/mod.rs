//! The resources: one file each, with its handlers, what they take and give, and its rows of the table.

mod classes;
mod imports;
mod members;
pub(super) mod model;
mod packs;
mod samples;
mod students;
mod subjects;
mod tools;

use super::table::Row;

/// The whole table.
pub(super) fn rows() -> Vec<Row> {
    let all = [
        classes::rows(),
        subjects::rows(),
        students::rows(),
        members::rows(),
        samples::rows(),
        imports::rows(),
        tools::rows(),
        model::rows(),
        packs::rows(),
    ];
    all.into_iter().flatten().collect()
}
