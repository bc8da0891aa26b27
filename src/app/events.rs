//! Progress of sessions, for those who watch: what happened to its photos, its records, its state.
//!
//! An event is added in the transaction that does what it tells, under the lock of its session; it holds ids and counts,
//! never names. Those of jobs come from `queue`.

use chrono::Utc;
use serde_json::{Map, Value, json};

use super::School;
use super::error::Error;
use crate::db::{AnyConnection, DbError, events, photos, sessions};
use crate::domain::attendance::Settlement;
use crate::domain::decision::Decision;
use crate::domain::ids::{FaceId, MemberId, PhotoId, SessionId};
use crate::domain::status::{AttendanceStatus, RecordSource};
use crate::queue::{JobId, store};

pub use crate::db::events::{EventRow, Topic};

/// Events of one look at most.
const PORTION: u32 = 200;

/// The events of a session or job after one, at most `limit`, in their order; after 0 is from the beginning. They are kept
/// for a week.
///
/// # Errors
/// Database failures.
pub async fn after(school: &School, topic: Topic, last_id: i64, limit: u32) -> Result<Vec<EventRow>, Error> {
    school.read(move |conn| Ok(events::after(conn, topic, last_id, limit)?)).await
}

/// Somebody who watches a session or job: each look brings what happened since the last one.
#[derive(Debug, Clone)]
pub struct Watch {
    topic: Topic,
    last_id: i64,
}

/// What one look brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub events: Vec<EventRow>,
    /// Nothing more will happen: the job is final, and all of it was told.
    pub is_over: bool,
}

impl Watch {
    /// Goes on after the event with this id; after 0 is from the beginning.
    pub const fn after(topic: Topic, last_id: i64) -> Self {
        Self { topic, last_id }
    }

    /// # Errors
    /// `SESSION_NOT_FOUND` or `JOB_NOT_FOUND` when it is not there (any more); database failures.
    pub async fn look(&mut self, school: &School) -> Result<Seen, Error> {
        let Self { topic, last_id } = *self;
        let seen = school.read(move |conn| {
            // Asked first: whatever has ended by then has told everything.
            let is_final = match topic {
                Topic::Session(id) => sessions::get(conn, id).map(|_| false)?,
                Topic::Job(id) => store::get(conn, JobId(id))?.is_final(),
            };
            let events = events::after(conn, topic, last_id, PORTION)?;
            let is_over = is_final && events.len() < PORTION as usize;
            Ok(Seen { events, is_over })
        });
        let seen = seen.await?;
        self.last_id = seen.events.last().map_or(last_id, |event| event.id);
        Ok(seen)
    }
}

/// A step of a photo.
pub(crate) enum PhotoStep<'a> {
    Queued(JobId),
    Done {
        faces: usize,
    },
    Failed {
        code: &'a str,
    },
    /// The photo is gone already.
    Removed,
}

pub(crate) fn photo(
    conn: &mut AnyConnection,
    session: SessionId,
    photo: PhotoId,
    step: PhotoStep<'_>,
) -> Result<(), DbError> {
    let counts = photos::counts(conn, session)?;
    let mut data = json!({
        "photo": photo,
        "photos": {
            "queued": counts.queued, "processing": counts.processing, "done": counts.done, "failed": counts.failed,
        },
    });
    let kind = match step {
        PhotoStep::Queued(job) => {
            data["job"] = json!(job);
            "photo.queued"
        }
        PhotoStep::Done { faces } => {
            data["faces"] = json!(faces);
            "photo.done"
        }
        PhotoStep::Failed { code } => {
            data["code"] = json!(code);
            "photo.failed"
        }
        PhotoStep::Removed => "photo.removed",
    };
    tell(conn, session, kind, data)
}

/// A session was judged by a machine.
pub(crate) fn settled(
    conn: &mut AnyConnection,
    session: SessionId,
    settlement: &Settlement,
    strangers: u32,
) -> Result<(), DbError> {
    let data = json!({
        "state": sessions::get(conn, session)?.state,
        "flags": settlement.flags.iter().map(|flag| flag.as_str()).collect::<Vec<_>>(),
        "records": counted(settlement.records.iter().map(|record| record.status)),
        "strangers": strangers,
    });
    tell(conn, session, "session.settled", data)
}

/// A session has other flags because of what became of another one.
pub(crate) fn flagged(conn: &mut AnyConnection, session: SessionId, flags: &[String]) -> Result<(), DbError> {
    tell(conn, session, "session.flagged", json!({ "flags": flags }))
}

/// Somebody has said something about a record, or taken it back.
pub(crate) fn corrected(
    conn: &mut AnyConnection,
    session: SessionId,
    member: MemberId,
    (status, source): (AttendanceStatus, RecordSource),
) -> Result<(), DbError> {
    tell(conn, session, "record.corrected", json!({ "member": member, "status": status, "source": source }))
}

/// Somebody has said who a face of a photo is, or taken it back.
pub(crate) fn decided(
    conn: &mut AnyConnection,
    session: SessionId,
    (photo, face): (PhotoId, FaceId),
    decision: Option<Decision>,
) -> Result<(), DbError> {
    let mut data = json!({ "photo": photo, "face": face });
    let kind = match decision {
        Some(decision) => {
            data["member"] = json!(decision.member());
            "face.decided"
        }
        None => "face.undecided",
    };
    tell(conn, session, kind, data)
}

pub(crate) fn confirmed(
    conn: &mut AnyConnection,
    session: SessionId,
    statuses: impl Iterator<Item = AttendanceStatus>,
) -> Result<(), DbError> {
    tell(conn, session, "session.confirmed", json!({ "records": counted(statuses) }))
}

pub(crate) fn reopened(conn: &mut AnyConnection, session: SessionId) -> Result<(), DbError> {
    tell(conn, session, "session.reopened", json!({}))
}

/// How many there are of each status, of those that there are none of, too.
fn counted(statuses: impl Iterator<Item = AttendanceStatus>) -> Value {
    let statuses: Vec<AttendanceStatus> = statuses.collect();
    let of = |status: &AttendanceStatus| json!(statuses.iter().filter(|s| *s == status).count());
    let counts: Map<String, Value> =
        AttendanceStatus::ALL.iter().map(|status| (status.to_string(), of(status))).collect();
    Value::Object(counts)
}

fn tell(conn: &mut AnyConnection, session: SessionId, kind: &str, data: Value) -> Result<(), DbError> {
    events::insert(conn, Topic::Session(session), kind, data, Utc::now().naive_utc()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::error::Code;
    use crate::config::Config;
    use crate::db::testing::{on_each_database, session};
    use crate::db::{Db, transaction};
    use crate::queue::{NewJob, Priority};
    use crate::storage::MemoryStore;

    fn school(db: &Db) -> School {
        School { db: db.clone(), store: Arc::new(MemoryStore::new()), config: Arc::new(Config::default()) }
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Runtime::new().unwrap().block_on(future)
    }

    fn change<T>(db: &Db, work: impl FnOnce(&mut AnyConnection) -> Result<T, DbError>) -> T {
        db.run_blocking(|conn| transaction(conn, work)).unwrap()
    }

    fn kinds(seen: &Seen) -> Vec<&str> {
        seen.events.iter().map(|event| event.kind.as_str()).collect()
    }

    on_each_database! {
        fn a_job_is_watched_until_it_has_ended(db) {
            let school = school(db);
            let new = NewJob {
                kind: "test",
                topic: "tests".into(),
                payload: json!({}),
                dedup_key: "a".into(),
                run_id: None,
                priority: Priority::Person,
                max_attempts: 1,
                owner: None,
            };
            let job = change(db, |conn| store::enqueue(conn, &new));
            let mut watch = Watch::after(Topic::Job(job.0), 0);
            let first = wait(watch.look(&school)).unwrap();
            assert_eq!((kinds(&first), first.is_over), (vec!["job.queued"], false));
            assert_eq!(wait(watch.look(&school)).unwrap(), Seen { events: vec![], is_over: false });
            change(db, |conn| store::cancel(conn, job));
            let last = wait(watch.look(&school)).unwrap();
            assert_eq!((kinds(&last), last.is_over), (vec!["job.cancelled"], true));

            let mut late = Watch::after(Topic::Job(job.0), first.events[0].id);
            assert_eq!(wait(late.look(&school)).unwrap(), last, "who comes back goes on where they were");
            let unknown = wait(Watch::after(Topic::Job(404), 0).look(&school));
            assert_eq!(unknown.unwrap_err().code, Code::JobNotFound);
        }

        fn a_long_story_is_told_in_portions_without_a_gap(db) {
            let school = school(db);
            let topic = Topic::Session(change(db, session));
            let count = i64::from(PORTION) + 50;
            change(db, |conn| {
                let now = Utc::now().naive_utc();
                (0..count).try_for_each(|n| events::insert(conn, topic, "n", json!(n), now).map(|_| ()))
            });
            let mut watch = Watch::after(topic, 0);
            let (first, second) = (wait(watch.look(&school)).unwrap(), wait(watch.look(&school)).unwrap());
            assert!(!first.is_over && !second.is_over, "a session may always go on");
            let told: Vec<i64> =
                first.events.iter().chain(&second.events).map(|event| event.data.0.as_i64().unwrap()).collect();
            assert_eq!(told, (0..count).collect::<Vec<_>>());
            assert_eq!(wait(after(&school, topic, second.events[0].id, 1)).unwrap(), second.events[1..2]);
            let unknown = wait(Watch::after(Topic::Session(SessionId(404)), 0).look(&school));
            assert_eq!(unknown.unwrap_err().code, Code::SessionNotFound);
        }
    }
}
