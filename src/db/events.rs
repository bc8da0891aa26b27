//! Progress for those who watch a session or a job: small facts that are told in order and deleted after some days.
//!
//! Whoever adds an event holds the lock of the session or job that it is about. So ids of one topic grow in the order of
//! commits, and who has seen one id never misses an event with a smaller one. Written by `app` and `queue`.

use chrono::NaiveDateTime;
use diesel::dsl::max;
use diesel::prelude::*;
use serde_json::Value;

use super::column::Json;
use super::schema::events;
use super::{AnyConnection, DbError};
use crate::domain::ids::SessionId;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = events)]
pub struct EventRow {
    pub id: i64,
    /// UTC.
    pub at: NaiveDateTime,
    pub session_id: Option<SessionId>,
    pub job_id: Option<i64>,
    /// What happened, as `photo.done`.
    pub kind: String,
    /// Ids and counts, never names.
    pub data: Json<Value>,
}

/// What events are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Session(SessionId),
    /// By the number of the job.
    Job(i64),
}

/// Adds an event; returns its id.
///
/// # Errors
/// [`DbError::Reference`] for an unknown session, [`DbError::Rule`] for an empty kind.
pub fn insert(
    conn: &mut AnyConnection,
    topic: Topic,
    kind: &str,
    data: Value,
    at: NaiveDateTime,
) -> Result<i64, DbError> {
    let (session, job) = match topic {
        Topic::Session(id) => (Some(id), None),
        Topic::Job(id) => (None, Some(id)),
    };
    let new = (
        events::at.eq(at),
        events::session_id.eq(session.map(|id| id.0)),
        events::job_id.eq(job),
        events::kind.eq(kind),
        events::data.eq(Json(data)),
    );
    Ok(diesel::insert_into(events::table).values(new).returning(events::id).get_result(conn)?)
}

/// The events of a topic after an id, at most `limit`, in their order.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn after(conn: &mut AnyConnection, topic: Topic, last_id: i64, limit: u32) -> Result<Vec<EventRow>, DbError> {
    let query = events::table.filter(events::id.gt(last_id)).limit(limit.into()).select(EventRow::as_select());
    Ok(match topic {
        Topic::Session(id) => {
            query.filter(events::session_id.eq(id)).order((events::session_id, events::id)).load(conn)
        }
        Topic::Job(id) => query.filter(events::job_id.eq(id)).order((events::job_id, events::id)).load(conn),
    }?)
}

/// Id of the newest event of a topic; 0 without any. What is read afterwards holds all that events up to it tell.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn last_id(conn: &mut AnyConnection, topic: Topic) -> Result<i64, DbError> {
    let newest = events::table.select(max(events::id)).into_boxed();
    let newest = match topic {
        Topic::Session(id) => newest.filter(events::session_id.eq(id)),
        Topic::Job(id) => newest.filter(events::job_id.eq(id)),
    };
    Ok(newest.first::<Option<i64>>(conn)?.unwrap_or(0))
}

/// Deletes up to `count` events from before a time (UTC), the oldest first; returns how many.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn prune(conn: &mut AnyConnection, before: NaiveDateTime, count: usize) -> Result<usize, DbError> {
    let old: Vec<i64> = events::table
        .filter(events::at.lt(before))
        .order(events::at)
        .limit(count as i64)
        .select(events::id)
        .load(conn)?;
    Ok(diesel::delete(events::table.filter(events::id.eq_any(old))).execute(conn)?)
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use serde_json::json;

    use super::*;
    use crate::db::testing::{at, on_each_database, plan, session};

    const NOON: &str = "2025-09-01 12:00:00";

    fn kinds(rows: &[EventRow]) -> Vec<&str> {
        rows.iter().map(|row| row.kind.as_str()).collect()
    }

    on_each_database! {
        fn events_of_one_topic_are_told_in_order_from_any_of_them_on(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let topic = Topic::Session(session(conn)?);
                let first = insert(conn, topic, "photo.queued", json!({ "photo": 1 }), at(NOON))?;
                insert(conn, Topic::Job(1), "job.done", json!({}), at(NOON))?;
                insert(conn, topic, "photo.done", json!({ "photo": 1 }), at(NOON))?;
                insert(conn, topic, "session.settled", json!({}), at(NOON))?;
                let all = after(conn, topic, 0, 9)?;
                assert_eq!(kinds(&all), ["photo.queued", "photo.done", "session.settled"]);
                let Topic::Session(session_id) = topic else { unreachable!("made above") };
                let expected = EventRow {
                    id: first,
                    at: at(NOON),
                    session_id: Some(session_id),
                    job_id: None,
                    kind: "photo.queued".into(),
                    data: Json(json!({ "photo": 1 })),
                };
                assert_eq!(all[0], expected);
                assert_eq!(kinds(&after(conn, topic, first, 1)?), ["photo.done"]);
                assert_eq!(kinds(&after(conn, Topic::Job(1), 0, 9)?), ["job.done"]);
                assert_eq!(after(conn, Topic::Job(2), 0, 9)?, []);
                assert_eq!(last_id(conn, topic)?, all[2].id);
                assert_eq!(last_id(conn, Topic::Job(2))?, 0);
                Ok(())
            }).unwrap();
        }

        fn old_events_are_deleted_in_portions_and_those_of_a_session_go_with_it(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let topic = Topic::Session(session(conn)?);
                for (kind, time) in [("a", NOON), ("b", "2025-09-01 12:00:01"), ("c", "2025-09-02 12:00:00")] {
                    insert(conn, topic, kind, json!({}), at(time))?;
                }
                assert_eq!(prune(conn, at("2025-09-02 00:00:00"), 1)?, 1);
                assert_eq!(kinds(&after(conn, topic, 0, 9)?), ["b", "c"]);
                assert_eq!(prune(conn, at("2025-09-02 00:00:00"), 9)?, 1);
                conn.batch_execute("DELETE FROM attendance_sessions")?;
                assert_eq!(after(conn, topic, 0, 9)?, []);
                Ok(())
            }).unwrap();
        }

        fn watching_reads_an_index_and_not_the_table(db) {
            db.run_blocking::<_, DbError>(|conn| {
                for topic in ["session_id", "job_id"] {
                    let query = format!("SELECT * FROM events WHERE id > 7 AND {topic} = 3 ORDER BY {topic}, id LIMIT 9");
                    conn.batch_execute(if matches!(conn, AnyConnection::Postgres(_)) { "SET enable_seqscan = off" } else { "" })?;
                    let plan = plan(conn, &query)?;
                    let index = if topic == "job_id" { "events_job" } else { "events_session" };
                    assert!(plan.contains(index) && !plan.to_lowercase().contains("sort") && !plan.contains("TEMP B-TREE"), "{plan}");
                }
                Ok(())
            }).unwrap();
        }
    }
}
