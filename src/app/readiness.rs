//! Whether this process can do its work now: database, tables, storage, pack, a real recognition. For `/readyz` and for figures
//! that are asked of the database.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Mutex;

use super::doctor::recognition::DRAWN_FACE;
use super::error::{Code, Error};
use super::{Recogniser, School, photo};
use crate::queue::backlog::{self, Backlog};
use crate::storage::{Digest, Extension, Key};
use crate::telemetry::metric;

/// Longest time that one part may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer is good for so long: probes come from several sides.
const FRESH: Duration = Duration::from_secs(2);

/// One part, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    pub ok: bool,
    /// What is wrong, for whoever operates the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Everything that work needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    pub ready: bool,
    pub database: Part,
    pub storage: Part,
    pub recognition: Part,
    /// `id@version`.
    pub pack: String,
    /// What ONNX Runtime really runs on.
    pub provider: String,
    /// Why that is the CPU although a GPU was hoped for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_note: Option<String>,
}

/// Looks at the parts, not more often than needed. Clones share what was seen.
#[derive(Debug, Clone)]
pub struct Probe {
    school: School,
    recogniser: Recogniser,
    recognition: Part,
    seen: Arc<Mutex<Option<(Instant, Readiness)>>>,
    /// Kinds of jobs whose number was told: one of which nothing is left is 0, not what it was. Photos are told
    /// from the start.
    told: Arc<SyncMutex<BTreeSet<String>>>,
}

impl Probe {
    /// Runs a face that was drawn for this through all nets, which also warms them up.
    pub async fn start(school: &School, recogniser: &Recogniser) -> Self {
        let nets = recogniser.clone();
        let seen = super::blocking(move || nets.analyse_portrait(DRAWN_FACE)).await;
        let labels = [("pack", recogniser.pack()), ("provider", recogniser.provider())];
        metrics::gauge!(metric::ENGINE, &labels).set(1.0);
        // Told from the start, so that the first error is seen as one.
        metrics::counter!(metric::PROVIDER_ERRORS, "provider" => recogniser.provider()).absolute(0);
        let recognition = part(seen.and_then(|photo| {
            let is_seen = photo.faces.iter().any(|face| face.embedding.is_ok());
            let blind =
                || Error::new(Code::ProcessingError, "the nets do not see the face that was drawn for this check");
            is_seen.then_some(()).ok_or_else(blind)
        }));
        Self {
            school: school.clone(),
            recogniser: recogniser.clone(),
            recognition,
            seen: Arc::default(),
            told: Arc::new(SyncMutex::new(BTreeSet::from([photo::JOB_KIND.to_owned()]))),
        }
    }

    /// How everything is now.
    pub async fn readiness(&self) -> Readiness {
        let mut seen = self.seen.lock().await;
        if let Some((at, readiness)) = seen.as_ref()
            && at.elapsed() < FRESH
        {
            return readiness.clone();
        }
        let readiness = self.look().await;
        *seen = Some((Instant::now(), readiness.clone()));
        readiness
    }

    async fn look(&self) -> Readiness {
        let (database, storage) = tokio::join!(within(self.database()), within(self.storage()));
        let recognition = self.recognition.clone();
        Readiness {
            ready: database.ok && storage.ok && recognition.ok,
            database,
            storage,
            recognition,
            pack: self.recogniser.pack(),
            provider: self.recogniser.provider(),
            provider_note: self.recogniser.fallback_reason().map(str::to_owned),
        }
    }

    async fn database(&self) -> Result<(), Error> {
        let db = self.school.db.clone();
        super::blocking(move || Ok(db.require_current()?)).await
    }

    /// Asks for an object that nobody has written: a store that says "no" answers.
    async fn storage(&self) -> Result<(), Error> {
        let nobody = Key::Sample { student: 0, sha256: Digest::new([0; 32]), extension: Extension::Jpg };
        Ok(self.school.store.exists(&nobody).await.map(|_| ())?)
    }

    /// Brings the figures of the queue up to date; they are asked of the database, because many programs share it.
    ///
    /// # Errors
    /// Database failures.
    pub async fn measure_queue(&self) -> Result<(), Error> {
        let mut waiting = self.school.read(|conn| Ok(backlog::backlog(conn)?)).await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend(waiting.iter().map(|kind| kind.kind.clone()));
        let is_over = |kind: &&String| waiting.iter().all(|of| of.kind != **kind);
        let over: Vec<Backlog> = told.iter().filter(is_over).map(Backlog::empty).collect();
        waiting.extend(over);
        for kind in waiting {
            let gauge = |state: &'static str| metrics::gauge!(metric::QUEUE_JOBS, "kind" => kind.kind.clone(), "state" => state);
            gauge("queued").set(kind.queued as f64);
            gauge("running").set(kind.running as f64);
            metrics::gauge!(metric::QUEUE_OLDEST, "kind" => kind.kind.clone()).set(kind.oldest_secs);
        }
        Ok(())
    }
}

async fn within(work: impl Future<Output = Result<(), Error>>) -> Part {
    let late = |_| Error::new(Code::Timeout, format!("no answer in {} s", PATIENCE.as_secs()));
    part(tokio::time::timeout(PATIENCE, work).await.map_err(late).and_then(|done| done))
}

fn part(done: Result<(), Error>) -> Part {
    match done {
        Ok(()) => Part { ok: true, problem: None },
        Err(error) => Part { ok: false, problem: Some(format!("{error} [{}]", error.code.as_str())) },
    }
}
