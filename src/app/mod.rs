//! The use cases: one file, one story from request to record. Every change to a school's data goes through here, whoever
//! asks for it.
//!
//! [`School`] is a school's data (database, photos, settings), [`Recogniser`] an opened model pack. Commands that only read
//! or correct need no recogniser.

pub mod annotate;
pub mod attendance;
pub mod audit;
pub mod auth;
pub mod batch;
pub mod batch_report;
pub mod bench;
pub mod crop;
pub mod dataset;
pub mod demo;
pub mod doctor;
pub mod enrol;
pub mod enrolment_health;
pub mod error;
pub mod evaluate;
pub mod events;
pub mod exports;
pub mod faces;
mod freshness;
pub mod idempotency;
pub mod jobs;
pub mod learn;
pub mod leaves;
mod memory_budget;
pub mod packs;
pub mod photo;
mod photo_bytes;
pub mod pilot;
pub mod preview;
pub mod process_memory;
pub mod reach;
pub mod readiness;
pub mod recogniser;
pub mod rematch;
pub mod report;
pub mod review;
pub mod roster;
pub mod session;
pub mod status_styles;
pub mod storage_check;
pub mod storage_figures;
pub mod term;
#[cfg(test)]
pub(crate) mod testing;
pub mod timetable;
pub mod tools;
pub mod trail;
pub mod upload;
pub mod work;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;

pub use recogniser::Recogniser;

use crate::config::{Config, StorageKind};
use crate::db::{AnyConnection, Backup, Db, Upgrade, health};
use crate::storage::{Key, LocalStore, ObjectStore, S3Store};
use error::{Error, Outlook};

/// Whether changes are only shown or also made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Preview,
    Apply,
}

/// How a transaction ends that is taken back in any case.
enum TakenBack<T> {
    Seen(T),
    Failed(Error),
}

impl<T> TakenBack<T> {
    fn after(result: Result<T, Error>) -> Self {
        result.map_or_else(Self::Failed, Self::Seen)
    }
}

impl<T> From<crate::db::DbError> for TakenBack<T> {
    fn from(error: crate::db::DbError) -> Self {
        Self::Failed(error.into())
    }
}

/// Whether whoever asks for an upgrade has a backup already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupElsewhere {
    Yes,
    No,
}

/// A school's data. Cheap to clone.
#[derive(Debug, Clone)]
pub struct School {
    pub(crate) db: Db,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) config: Arc<Config>,
}

impl School {
    /// Opens an existing school.
    ///
    /// # Errors
    /// `DATABASE_MISSING` where there is none; only `init` and `demo` make one. `DATABASE_ERROR` for one that belongs to an
    /// older or newer program, with what to do.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        let existing = |url: &str| {
            let db = Db::open(url)?;
            db.require_current().map(|()| db)
        };
        Self::with(config, existing).await
    }

    /// Makes the database where there is none. One that is there is opened.
    ///
    /// # Errors
    /// As [`School::open`], but for `DATABASE_MISSING`.
    pub async fn create(config: &Config) -> Result<Self, Error> {
        let fresh = |url: &str| {
            let db = Db::create(url)?;
            if db.is_fresh()? {
                db.migrate()?;
            }
            db.require_current().map(|()| db)
        };
        Self::with(config, fresh).await
    }

    /// Brings the tables of an existing database up to date. A SQLite database is copied into `backups/` of the data folder
    /// first, unless somebody `has` a backup; a Postgres one is only touched if somebody has.
    ///
    /// # Errors
    /// `DATABASE_MISSING`, and what the database says.
    pub async fn migrate(config: &Config, has: BackupElsewhere) -> Result<Upgrade, Error> {
        let url = config.database_url();
        let backup = match has {
            BackupElsewhere::Yes => Backup::MadeElsewhere,
            BackupElsewhere::No => {
                Backup::CopyInto { folder: config.data_dir.join("backups"), at: Utc::now().naive_utc() }
            }
        };
        blocking(move || Ok(Db::open(&url)?.upgrade(&backup)?)).await
    }

    /// Copies a SQLite database, of whatever version, into the new file `to`, while others work on it. Returns the keys of its
    /// newest objects: they are not in the copy, and whoever keeps them can see whether they were found.
    ///
    /// # Errors
    /// `DATABASE_MISSING`; `DATABASE_ERROR` for Postgres, which has tools of its own, and when there is no sound copy.
    pub async fn back_up(config: &Config, to: &Path) -> Result<Vec<String>, Error> {
        /// Of photos and of samples.
        const NEWEST: i64 = 20;
        let (url, to) = (config.database_url(), to.to_owned());
        blocking(move || {
            let db = Db::open(&url)?;
            db.copy_to(&to)?;
            Ok(db.run_blocking(|conn| health::object_keys(conn, NEWEST))?)
        })
        .await
    }

    async fn with(
        config: &Config,
        connect: impl FnOnce(&str) -> Result<Db, crate::db::DbError> + Send + 'static,
    ) -> Result<Self, Error> {
        let url = config.database_url();
        let db = blocking(move || Ok(connect(&url)?)).await?;
        Ok(Self { db, store: store(config).await, config: Arc::new(config.clone()) })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the photo store can be talked to; reads nothing that is in it.
    ///
    /// # Errors
    /// `STORAGE_ERROR` when it does not answer or denies access.
    pub async fn storage_answers(&self) -> Result<(), Error> {
        Ok(self.store.exists(&Key::Probe { number: 0 }).await.map(drop)?)
    }

    /// Runs `work` on a connection, away from the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.db.run(work).await
    }

    /// A change that waits while the database is away or another stands in its way: `work` is then begun anew.
    pub(crate) async fn change_patiently<T: Send + 'static>(
        &self,
        work: impl Fn(&mut AnyConnection) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let work = Arc::new(work);
        patiently(|| {
            let work = Arc::clone(&work);
            self.change(move |conn| work(conn))
        })
        .await
    }

    /// The same in one transaction: all of it happens, or nothing. A preview does all of it, too, and takes it back, so
    /// that what it shows is what would be.
    pub(crate) async fn apply<T: Send + 'static>(
        &self,
        mode: Mode,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match mode {
            Mode::Apply => self.change(work).await,
            Mode::Preview => {
                self.db
                    .run(|conn| {
                        let undone = crate::db::transaction(conn, |conn| Err::<T, _>(TakenBack::after(work(conn))));
                        match undone {
                            Ok(seen) | Err(TakenBack::Seen(seen)) => Ok(seen),
                            Err(TakenBack::Failed(error)) => Err(error),
                        }
                    })
                    .await
            }
        }
    }

    /// The same in one transaction: all of it happens, or nothing.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.db.run(move |conn| crate::db::transaction(conn, work)).await
    }
}

/// The store of the settings.
async fn store(config: &Config) -> Arc<dyn ObjectStore> {
    match config.storage.kind {
        StorageKind::Local => Arc::new(LocalStore::new(config.data_dir.clone())),
        StorageKind::S3 => Arc::new(S3Store::open(&config.storage.s3).await),
    }
}

/// Longest time that one step of the work waits for the database or the storage to come back.
const PATIENCE: Duration = Duration::from_secs(120);

/// Tries again what fails only for the moment, for up to two minutes.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, Error>>>(
    mut work: impl FnMut() -> F,
) -> Result<T, Error> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        match work().await {
            Err(error) if error.outlook() == Outlook::Passing && start.elapsed() < PATIENCE => {
                tracing::warn!(code = error.code.as_str(), %error, "trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            result => return result,
        }
    }
}

/// Runs `work` that computes or waits on a thread where that is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => Err(Error::new(error::Code::ProcessingError, format!("the work was stopped: {stopped}"))),
    }
}
