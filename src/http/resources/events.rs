//! Server-sent events: what happens to a session or a job, for those who watch.
//!
//! A stream goes on where a client says it was (`Last-Event-ID`, or `after` at the first time), so that nothing is missed when
//! a connection breaks. It ends when nothing more can happen, when the server stops, and after a while by itself: the client
//! comes back, and shows again who it is.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};

use crate::app::School;
use crate::app::error::Code;
use crate::app::events::{EventRow, Seen, Topic, Watch};
use crate::domain::ids::SessionId;
use crate::http::extract::{Path, Query, header_text};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{Kind, READ_ATTENDANCE, Row, row};
use crate::queue::Stop;

/// Pause between two looks at what has happened.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A comment is sent so often, so that proxies do not take a quiet stream for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Longest life of a stream: access tokens do not live longer.
const LONGEST: Duration = Duration::from_secs(15 * 60);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx to hand on what comes as it comes.
const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

pub(super) fn rows() -> Vec<Row> {
    vec![row!(READ_ATTENDANCE, watch_session).kind(Kind::Stream), row!(READ_ATTENDANCE, watch_job).kind(Kind::Stream)]
}

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// Id of the last event that is known; without it all that are kept are told. `Last-Event-ID` counts before it.
    #[param(minimum = 0, maximum = 9223372036854775807_i64)]
    after: Option<u64>,
}

/// What stands in `data:`. Its `id` and `kind` are also the event's own.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventResponse {
    id: i64,
    /// `photo.queued`, `photo.done`, `photo.failed`, `photo.removed`, `face.decided`, `face.undecided`, `session.settled`,
    /// `session.flagged`, `record.corrected`, `session.confirmed` or `session.reopened`; of a job `job.` and its state, or
    /// `job.progress`.
    #[schema(example = "photo.done")]
    kind: String,
    at: DateTime<Utc>,
    /// Ids and counts.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<EventRow> for EventResponse {
    fn from(row: EventRow) -> Self {
        Self { id: row.id, kind: row.kind, at: row.at.and_utc(), data: row.data.0 }
    }
}

/// What happens to a session: its photos, its records, its confirmation. Each event is told once, in order; comments are sent
/// in quiet times.
#[utoipa::path(get, path = "/sessions/{session_id}/events", tag = "sessions",
    params(("session_id" = i64, Path), EventQuery, ("Last-Event-ID" = Option<i64>, Header, description = "Where to go on")),
    responses((status = 200, body = EventResponse, content_type = "text/event-stream")))]
async fn watch_session(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    watch(&service, Topic::Session(SessionId(id)), &query, &headers).await
}

/// What happens to a job, until it is final. 204 when it is and there is nothing more to tell.
#[utoipa::path(get, path = "/jobs/{job_id}/events", tag = "jobs",
    params(("job_id" = i64, Path), EventQuery, ("Last-Event-ID" = Option<i64>, Header, description = "Where to go on")),
    responses((status = 200, body = EventResponse, content_type = "text/event-stream"),
        (status = 204, description = "The job is final, and everything was told")))]
async fn watch_job(
    State(service): State<Service>,
    Path(id): Path<i64>,
    Query(query): Query<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    watch(&service, Topic::Job(id), &query, &headers).await
}

async fn watch(service: &Service, topic: Topic, query: &EventQuery, headers: &HeaderMap) -> Result<Response, Problem> {
    let permit = service.room_for_stream()?;
    let mut watch = Watch::after(topic, last_id(query, headers)?);
    let seen = watch.look(&service.school).await?;
    Ok(Watcher::new(service.school.clone(), service.stop.clone(), watch, permit).answer(seen))
}

/// The event that the client has seen last.
fn last_id(query: &EventQuery, headers: &HeaderMap) -> Result<i64, Problem> {
    let said = match header_text(headers, LAST_EVENT_ID) {
        Some(text) => text.trim().parse().ok(),
        None => Some(query.after.unwrap_or(0)),
    };
    let id = said.and_then(|id| i64::try_from(id).ok());
    id.ok_or_else(|| Problem::new(Code::InvalidRequest, "Last-Event-ID and `after` must be the id of an event, or 0"))
}

/// A client that watches.
struct Watcher {
    school: School,
    stop: Stop,
    watch: Watch,
    /// Seen, and not told yet.
    waiting: VecDeque<EventRow>,
    is_over: bool,
    until: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    fn new(school: School, stop: Stop, watch: Watch, permit: OwnedSemaphorePermit) -> Self {
        let until = Instant::now() + LONGEST;
        Self { school, stop, watch, waiting: VecDeque::new(), is_over: false, until, _permit: permit }
    }

    fn answer(mut self, seen: Seen) -> Response {
        if seen.is_over && seen.events.is_empty() {
            // Browsers come back after the end of a stream, but not after this.
            return StatusCode::NO_CONTENT.into_response();
        }
        self.note(seen);
        let events = Sse::new(self.stream()).keep_alive(KeepAlive::new().interval(HEARTBEAT));
        ([NO_BUFFERING], events).into_response()
    }

    fn note(&mut self, seen: Seen) {
        self.waiting.extend(seen.events);
        self.is_over = seen.is_over;
    }

    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut watcher| async move {
            let event = watcher.next().await?;
            Some((Ok(told(event)), watcher))
        })
    }

    /// The next event, as soon as there is one; none at the end.
    async fn next(&mut self) -> Option<EventRow> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.is_over || Instant::now() >= self.until {
                return None;
            }
            tokio::select! {
                () = self.stop.wait() => return None,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            match self.watch.look(&self.school).await {
                Ok(seen) => self.note(seen),
                // It will be back; the heartbeat goes on meanwhile.
                Err(error) if error.code == Code::DatabaseError => {
                    tracing::warn!(code = error.code.as_str(), "events cannot be read: {error}");
                }
                // Deleted.
                Err(_) => return None,
            }
        }
    }
}

fn told(event: EventRow) -> Event {
    let empty = Event::default().id(event.id.to_string()).event(event.kind.clone());
    empty.json_data(EventResponse::from(event)).expect("ids, text and JSON are JSON")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::HeaderValue;
    use http_body_util::BodyExt;
    use serde_json::json;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::config::Config;
    use crate::db::testing::on_each_database;
    use crate::db::{Db, DbError, events, transaction};
    use crate::queue::{JobId, NewJob, Priority, store};
    use crate::storage::MemoryStore;

    fn queued(db: &Db) -> JobId {
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
        db.run_blocking(|conn| transaction::<_, DbError>(conn, |conn| store::enqueue(conn, &new))).unwrap()
    }

    fn school(db: &Db) -> School {
        School { db: db.clone(), store: Arc::new(MemoryStore::new()), config: Arc::new(Config::default()) }
    }

    async fn watching(db: &Db, topic: Topic, last_id: i64, stop: &Stop) -> (Response, Arc<Semaphore>) {
        let streams = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&streams).try_acquire_owned().unwrap();
        let mut watch = Watch::after(topic, last_id);
        let seen = watch.look(&school(db)).await.unwrap();
        (Watcher::new(school(db), stop.clone(), watch, permit).answer(seen), streams)
    }

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Runtime::new().unwrap().block_on(future)
    }

    on_each_database! {
        fn a_stream_tells_what_was_and_what_comes_and_ends_with_its_job(db) {
            let job = queued(db);
            wait(async {
                let (response, streams) = watching(db, Topic::Job(job.0), 0, &Stop::default()).await;
                assert_eq!(response.headers()["content-type"], "text/event-stream");
                assert_eq!(response.headers()["x-accel-buffering"], "no");
                assert_eq!(streams.available_permits(), 0);
                let (told, ()) = tokio::join!(text(response), async {
                    school(db).change(move |conn| Ok(store::cancel(conn, job)?)).await.unwrap();
                });
                let kinds: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
                assert_eq!(kinds, ["job.queued", "job.cancelled"], "{told}");
                let ids: Vec<i64> = told.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
                assert!(ids.is_sorted() && ids.len() == 2, "{told}");
                let data = told.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                let data: Value = serde_json::from_str(data).unwrap();
                assert_eq!((&data["id"], &data["kind"], &data["data"]), (&json!(ids[0]), &json!("job.queued"), &json!({})));
                assert_eq!(streams.available_permits(), 1, "its place is free again");

                let (again, _) = watching(db, Topic::Job(job.0), ids[0], &Stop::default()).await;
                let told = text(again).await;
                assert!(told.contains("job.cancelled") && !told.contains("job.queued"), "{told}");
                let (nothing, _) = watching(db, Topic::Job(job.0), ids[1], &Stop::default()).await;
                assert_eq!(nothing.status(), StatusCode::NO_CONTENT);
            });
        }

        fn a_server_that_stops_ends_its_streams(db) {
            let session = db.run_blocking(crate::db::testing::session).unwrap();
            let topic = Topic::Session(session);
            let add = |conn: &mut _| events::insert(conn, topic, "session.reopened", json!({}), Utc::now().naive_utc());
            db.run_blocking(add).unwrap();
            wait(async {
                let stop = Stop::default();
                let (response, _) = watching(db, topic, 0, &stop).await;
                let (told, ()) = tokio::join!(text(response), async { stop.now() });
                assert_eq!(told.matches("event: session.reopened").count(), 1, "{told}");
            });
        }
    }

    #[test]
    fn a_stream_goes_on_where_the_client_was() {
        let with = |header: Option<&'static str>, after: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.extend(header.map(|text| (LAST_EVENT_ID, HeaderValue::from_static(text))));
            last_id(&EventQuery { after }, &headers).ok()
        };
        assert_eq!(with(None, None), Some(0));
        assert_eq!(with(None, Some(7)), Some(7));
        assert_eq!(with(Some("9"), Some(7)), Some(9), "an old address does not take a client back");
        assert_eq!(with(Some("x"), Some(7)), None);
        assert_eq!(with(Some("-1"), None), None);
        assert_eq!(with(None, Some(u64::MAX)), None);
    }
}
