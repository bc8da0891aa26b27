//! The resources: one file each, with its handlers, what they take and give, and its rows of the table.

mod attendance;
mod audit;
mod auth;
mod classes;
mod enrolment_health;
mod events;
mod exports;
mod faces;
mod imports;
mod jobs;
mod leaves;
mod members;
pub(super) mod model;
mod packs;
mod photos;
mod pilot;
mod records;
mod review;
mod samples;
mod sessions;
mod sheet_imports;
mod sheets;
mod statistics;
mod status_styles;
mod storage;
mod students;
mod subjects;
mod timetable;
mod tokens;
mod tools;
mod uploads;
mod users;
mod words;

use super::table::Row;

/// The whole table.
pub(super) fn rows() -> Vec<Row> {
    [
        auth::rows(),
        users::rows(),
        tokens::rows(),
        audit::rows(),
        classes::rows(),
        subjects::rows(),
        students::rows(),
        members::rows(),
        samples::rows(),
        enrolment_health::rows(),
        imports::rows(),
        pilot::rows(),
        sessions::rows(),
        uploads::rows(),
        photos::rows(),
        faces::rows(),
        records::rows(),
        review::rows(),
        events::rows(),
        jobs::rows(),
        sheets::rows(),
        sheet_imports::rows(),
        status_styles::rows(),
        attendance::rows(),
        statistics::rows(),
        leaves::rows(),
        timetable::rows(),
        exports::rows(),
        tools::rows(),
        model::rows(),
        packs::rows(),
        storage::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
