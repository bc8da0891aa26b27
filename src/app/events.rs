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
use crate::domain::ids::{MemberId, PhotoId, SessionId};
use crate::domain::status::{AttendanceStatus, RecordSource};
use crate::queue::JobId;

pub use crate::db::events::{EventRow, Topic};

/// The events of a session or job after one, at most `limit`, in their order; after 0 is from the beginning. They are kept
/// for a week.
///
/// # Errors
/// Database failures.
pub async fn after(school: &School, topic: Topic, last_id: i64, limit: u32) -> Result<Vec<EventRow>, Error> {
    school.read(move |conn| Ok(events::after(conn, topic, last_id, limit)?)).await
}

/// A step of a photo.
pub(crate) enum PhotoStep<'a> {
    Queued(JobId),
    Done { faces: usize },
    Failed { code: &'a str },
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

/// Somebody has said something about a record, or taken it back.
pub(crate) fn corrected(
    conn: &mut AnyConnection,
    session: SessionId,
    member: MemberId,
    (status, source): (AttendanceStatus, RecordSource),
) -> Result<(), DbError> {
    tell(conn, session, "record.corrected", json!({ "member": member, "status": status, "source": source }))
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
