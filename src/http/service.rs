//! What every handler shares.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use super::rate::Rates;
use super::table::ROOT;
use crate::app::auth::{self, Keys};
use crate::app::error::Code;
use crate::app::readiness::Probe;
use crate::app::{Recogniser, School};
use crate::config::Config;
use crate::db::{AnyConnection, DbError};
use crate::domain::access::Actor;
use crate::queue::Stop;
use crate::telemetry;

/// A running service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Service(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) school: School,
    pub(crate) recogniser: Recogniser,
    pub(crate) keys: Keys,
    pub(crate) probe: Probe,
    /// Requests being answered; none free means busy.
    pub(crate) requests: Arc<Semaphore>,
    /// Requests that hold pictures in memory.
    pub(crate) uploads: Arc<Semaphore>,
    /// Pictures that are fetched, drawn or cut at the moment.
    pub(crate) pictures: Arc<Semaphore>,
    /// Streams of events, and clients that wait; each lasts for minutes.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) rates: Rates,
    pub(crate) metrics: PrometheusHandle,
    /// Ends the streams.
    pub(crate) stop: Stop,
}

/// Uploads and recognitions at a time. Each holds one picture of `photos.max_mb`; what is decoded of it waits in the engine.
const UPLOADS: usize = 8;
/// Pictures in memory at a time, for people to look at; who comes later waits.
const PICTURES: usize = 8;
/// How long a link opens: long enough to load a page, too short to be passed on.
pub(crate) const LINKS_LAST: Duration = Duration::from_secs(600);
/// Watchers at a time.
const STREAMS: usize = 512;

impl Service {
    pub(super) async fn start(school: School, recogniser: Recogniser, keys: Keys, stop: Stop) -> Self {
        let metrics = telemetry::metrics();
        let probe = Probe::start(&school, &recogniser).await;
        let server = &school.config().server;
        Self(Arc::new(Shared {
            requests: Arc::new(Semaphore::new(server.max_requests as usize)),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            pictures: Arc::new(Semaphore::new(PICTURES)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            rates: Rates::new(server.rate_per_minute),
            school,
            recogniser,
            keys,
            probe,
            metrics,
            stop,
        }))
    }

    pub(crate) fn config(&self) -> &Config {
        self.0.school.config()
    }

    /// Asks the database, away from the async threads.
    ///
    /// # Errors
    /// What `query` says, as a problem.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut AnyConnection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, Problem> {
        Ok(self.0.school.read(|conn| Ok(query(conn)?)).await?)
    }

    /// Waits until there is room in memory for one more picture.
    ///
    /// # Errors
    /// `BUSY` when there is none within the time that a request has.
    pub(crate) async fn room_for_picture(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = || Problem::new(Code::Busy, "too many pictures are looked at at the moment").retry_after(2);
        match tokio::time::timeout(self.request_timeout(), Arc::clone(&self.0.pictures).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    /// Room for one more answer that lasts as long as its client listens.
    ///
    /// # Errors
    /// `BUSY` when there is none.
    pub(crate) fn room_for_stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = |_| Problem::new(Code::Busy, "too many clients listen at the moment").retry_after(2);
        Arc::clone(&self.0.streams).try_acquire_owned().map_err(busy)
    }

    /// A signed address of a route below [`ROOT`], for `asker`; without host where the settings have no public one.
    pub(crate) fn link(&self, path: &str, expires: DateTime<Utc>, asker: &Actor) -> String {
        let query = auth::sign_link(&self.0.keys, path, expires, asker);
        format!("{}{ROOT}{path}?{query}", self.config().server.public_url)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.config().server.request_timeout_secs.into())
    }
}

impl std::ops::Deref for Service {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("school", &self.0.school).finish_non_exhaustive()
    }
}
