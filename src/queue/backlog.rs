//! How much waits: for monitoring, and to refuse more before it is too much.

use chrono::NaiveDateTime;
use diesel::dsl::{count_star, min};
use diesel::prelude::*;

use super::store::now;
use super::{JobState, Priority};
use crate::db::schema::jobs;
use crate::db::{AnyConnection, DbError};

/// The unfinished jobs of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Backlog {
    pub kind: String,
    pub queued: i64,
    pub running: i64,
    /// How long the oldest waiting one has waited, seconds; 0 when none waits.
    pub oldest_secs: f64,
}

impl Backlog {
    /// Of a kind of which there are none.
    pub fn empty(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), queued: 0, running: 0, oldest_secs: 0.0 }
    }
}

/// The unfinished jobs, by kind.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn backlog(conn: &mut AnyConnection) -> Result<Vec<Backlog>, DbError> {
    let now = now(conn)?;
    let rows: Vec<(String, String, i64, Option<NaiveDateTime>)> = jobs::table
        .filter(jobs::finished_at.is_null())
        .group_by((jobs::kind, jobs::state))
        .select((jobs::kind, jobs::state, count_star(), min(jobs::created_at)))
        .order((jobs::kind, jobs::state))
        .load(conn)?;
    let mut kinds: Vec<Backlog> = Vec::new();
    for (kind, state, count, oldest) in rows {
        if kinds.last().is_none_or(|last| last.kind != kind) {
            kinds.push(Backlog::empty(kind));
        }
        let of = kinds.last_mut().expect("one was pushed");
        if state == JobState::Queued.as_str() {
            of.queued = count;
            of.oldest_secs = oldest.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0));
        } else {
            of.running = count;
        }
    }
    Ok(kinds)
}

/// Whether at least `limit` jobs that somebody waits for are queued. Looks at no more than that many.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn is_long(conn: &mut AnyConnection, topic: &str, limit: u32) -> Result<bool, DbError> {
    let waiting: Vec<i64> = jobs::table
        .filter(jobs::topic.eq(topic))
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("state = 'queued'"))
        .filter(jobs::priority.le(Priority::Person as i32))
        .select(jobs::id)
        .limit(limit.into())
        .load(conn)?;
    Ok(waiting.len() >= limit as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_each_database;
    use crate::db::transaction;
    use crate::queue::{NewJob, store};

    fn job(key: &str, priority: Priority) -> NewJob {
        NewJob {
            kind: "photo",
            topic: "photo:pack@1".into(),
            payload: serde_json::json!({}),
            dedup_key: key.into(),
            run_id: None,
            priority,
            max_attempts: 3,
            owner: None,
        }
    }

    on_each_database! {
        fn what_waits_is_counted_by_kind_and_people_apart_from_folders(db) {
            db.run_blocking::<_, DbError>(|conn| {
                assert_eq!(backlog(conn)?, []);
                transaction::<_, DbError>(conn, |conn| {
                    store::enqueue(conn, &job("a", Priority::Person))?;
                    store::enqueue(conn, &job("b", Priority::Person))?;
                    store::enqueue(conn, &job("c", Priority::Batch))?;
                    Ok(())
                })?;
                let all = backlog(conn)?;
                assert_eq!((all.len(), all[0].kind.as_str(), all[0].queued, all[0].running), (1, "photo", 3, 0));
                assert!(all[0].oldest_secs >= 0.0);
                assert!(is_long(conn, "photo:pack@1", 2)?);
                assert!(!is_long(conn, "photo:pack@1", 3)?, "a folder's photos are nobody's wait");
                assert!(!is_long(conn, "photo:other@1", 1)?);
                Ok(())
            })
            .unwrap();
        }
    }
}
