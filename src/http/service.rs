//! What every handler shares.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;

use super::problem::Problem;
use super::rate::Rates;
use crate::app::auth::Keys;
use crate::app::readiness::Probe;
use crate::app::{Recogniser, School};
use crate::config::Config;
use crate::db::{AnyConnection, DbError};
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
    /// Streams of events; each lasts for minutes.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) rates: Rates,
    pub(crate) metrics: PrometheusHandle,
    /// Ends the streams.
    pub(crate) stop: Stop,
}

/// Uploads and recognitions at a time. Each holds one picture of `photos.max_mb`; what is decoded of it waits in the engine.
const UPLOADS: usize = 8;
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
