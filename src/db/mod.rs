//! The database: pool, transactions, migrations, and one file per table group.
//!
//! Nouns are modules, verbs are functions: `students::insert`, `members::active_on`. A query takes
//! `&mut AnyConnection`, the caller owns the transaction; `*Row` is what a query returns, `New*` what an insert takes.
//! Times in rows are UTC. Nothing here decides anything: rules live in `domain`, what belongs into one transaction in
//! `app`. The rules that must hold whoever writes (unique, foreign key, check) stand in the schema too, see
//! `migrations/`.
//!
//! SQLite is the embedded default, Postgres the production database; queries are written once for both, see
//! [`AnyConnection`]. Diesel is synchronous: async callers go through [`Db::run`] and [`Db::transaction`], which move
//! to a blocking thread. No connection is held during inference or storage IO.

pub mod audit;
mod backup;
pub mod classes;
mod column;
pub mod confirmed_faces;
mod connection;
mod error;
pub mod events;
pub mod face_decisions;
pub mod faces;
pub mod health;
pub mod holidays;
pub mod idempotency;
pub mod leaves;
mod location;
pub mod members;
mod migrate;
pub mod page;
pub mod photos;
pub mod pilot_opinions;
pub mod reach;
pub mod record_changes;
pub mod records;
pub mod samples;
pub(crate) mod schema;
pub mod sessions;
pub mod sightings;
pub mod statistics;
pub mod status_styles;
pub mod students;
pub mod subjects;
pub mod terms;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod timetable;
pub mod tokens;
pub mod users;

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, Connection, TransactionManager};
use diesel::r2d2::{Error as PoolError, ManageConnection, Pool, R2D2Connection};

pub use column::Json;
pub use connection::AnyConnection;
pub(crate) use connection::each_backend;
pub use error::DbError;
pub use migrate::{Backup, SchemaState, Upgrade};
pub use page::{Listed, Page};

use location::Location;

/// Connections per program. SQLite has one writer at a time whatever the number; readers use the others.
const POOL_SIZE: u32 = 8;
/// How long a caller waits for a free connection before it hears [`DbError::Busy`].
const POOL_WAIT: Duration = Duration::from_secs(30);

/// A handle to the database; clones share one pool.
#[derive(Debug, Clone)]
pub struct Db {
    pool: Pool<Opener>,
}

impl Db {
    /// Opens an existing database: `sqlite:FILE`, a plain file name, or `postgres://...`. Never creates one.
    ///
    /// # Errors
    /// [`DbError::Missing`] when there is none, [`DbError::Newer`] when a newer program has changed it,
    /// [`DbError::Unopenable`] when it is something else or not allowed, [`DbError::BadUrl`].
    pub fn open(url: &str) -> Result<Self, DbError> {
        let location = Location::parse(url)?;
        if !location.exists() {
            return Err(DbError::Missing { location: location.to_string() });
        }
        Self::connect(location)
    }

    /// Opens a database, making an empty SQLite file where there is none. [`Db::migrate`] fills it with tables.
    ///
    /// A Postgres database is made by its server's administrator, so there it must exist.
    ///
    /// # Errors
    /// Those of [`Db::open`] but [`DbError::Missing`].
    pub fn create(url: &str) -> Result<Self, DbError> {
        Self::connect(Location::parse(url)?)
    }

    fn connect(location: Location) -> Result<Self, DbError> {
        // One connection by hand first: the pool would retry in silence and then only say that it has waited.
        location
            .connect()
            .map_err(|error| DbError::Unopenable { location: location.to_string(), reason: error.to_string() })?;
        let pool = Pool::builder()
            .max_size(POOL_SIZE)
            .min_idle(Some(1))
            .connection_timeout(POOL_WAIT)
            .build_unchecked(Opener { location });
        let db = Self { pool };
        match db.schema_state()? {
            SchemaState::Newer(version) => Err(DbError::Newer { version }),
            SchemaState::Current | SchemaState::Pending(_) => Ok(db),
        }
    }

    /// The file of a SQLite database; `None` for a server's.
    pub fn sqlite_file(url: &str) -> Option<std::path::PathBuf> {
        match Location::parse(url) {
            Ok(Location::Sqlite(file)) => Some(file),
            _ => None,
        }
    }

    /// Runs `work` with a connection, on this thread. Each statement commits by itself.
    ///
    /// # Errors
    /// [`DbError::Busy`] when no connection became free, and those of `work`.
    pub fn run_blocking<T, E: From<DbError>>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut conn = self.pool.get().map_err(|_| DbError::Busy)?;
        work(&mut conn)
    }

    /// [`Db::run_blocking`] on a thread where blocking is allowed.
    ///
    /// # Errors
    /// As [`Db::run_blocking`], and [`DbError::Stopped`] when the program is shutting down.
    ///
    /// # Panics
    /// When `work` does.
    pub async fn run<T, E>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let db = self.clone();
        match tokio::task::spawn_blocking(move || db.run_blocking(work)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(DbError::Stopped.into()),
            },
        }
    }

    /// [`transaction`] on a connection of the pool and a thread where blocking is allowed.
    ///
    /// # Errors
    /// As [`Db::run`] and [`transaction`].
    pub async fn transaction<T, E>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run(|conn| transaction(conn, work)).await
    }

    /// Compares the tables with what this program knows.
    ///
    /// # Errors
    /// [`DbError::Migration`] when the database does not answer, [`DbError::Busy`].
    pub fn schema_state(&self) -> Result<SchemaState, DbError> {
        self.run_blocking(migrate::schema_state)
    }

    /// Brings the tables up to date, all or nothing; returns how many migrations were run.
    ///
    /// # Errors
    /// [`DbError::Newer`], [`DbError::Migration`], [`DbError::Busy`].
    pub fn migrate(&self) -> Result<usize, DbError> {
        self.run_blocking(migrate::migrate)
    }

    /// Whether the database has no tables of ours yet.
    ///
    /// # Errors
    /// As [`Db::schema_state`].
    pub fn is_fresh(&self) -> Result<bool, DbError> {
        self.run_blocking(migrate::is_fresh)
    }

    /// [`Db::migrate`] for a database with data in it: what it was is kept first, as `backup` says.
    ///
    /// # Errors
    /// Those of [`Db::migrate`]; [`DbError::BackupImpossible`] and [`DbError::BackupFailed`] before anything is changed.
    pub fn upgrade(&self, backup: &Backup) -> Result<Upgrade, DbError> {
        migrate::upgrade(self, backup)
    }

    /// Writes a copy of a SQLite database into the file `to`, which appears whole and checked or not at all. Others may work on
    /// the database meanwhile; the copy is what it was at one moment.
    ///
    /// # Errors
    /// [`DbError::BackupImpossible`] for Postgres, [`DbError::BackupFailed`] when there is such a file already, when it cannot be
    /// written, or when the database is damaged; [`DbError::Busy`].
    pub fn copy_to(&self, to: &std::path::Path) -> Result<(), DbError> {
        if to.exists() {
            let (copy, reason) = (to.display().to_string(), "there is such a file already".to_owned());
            return Err(DbError::BackupFailed { copy, reason });
        }
        self.run_blocking(|conn| backup::copy(conn, to)).map(|_| ())
    }

    /// Refuses a database on which this program's queries would fail.
    ///
    /// # Errors
    /// [`DbError::Outdated`] or [`DbError::Newer`], saying what to do.
    pub fn require_current(&self) -> Result<(), DbError> {
        match self.schema_state()? {
            SchemaState::Current => Ok(()),
            SchemaState::Pending(pending) => Err(DbError::Outdated { pending }),
            SchemaState::Newer(version) => Err(DbError::Newer { version }),
        }
    }
}

/// Runs `work` in a transaction: committed when it returns `Ok`, otherwise nothing has happened.
///
/// On SQLite the outermost one is `BEGIN IMMEDIATE`: it waits for its turn to write at the start. A transaction that
/// begins by reading and then writes would fail at once, without waiting, when somebody has written in between. Inside
/// another transaction this is a savepoint.
///
/// # Errors
/// Those of `work`, and [`DbError`] when the transaction cannot be begun or committed.
pub fn transaction<T, E: From<DbError>>(
    conn: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
) -> Result<T, E> {
    begin(conn).map_err(DbError::from)?;
    match work(conn) {
        Ok(value) => {
            <AnyConnection as Connection>::TransactionManager::commit_transaction(conn).map_err(DbError::from)?;
            Ok(value)
        }
        Err(error) => match <AnyConnection as Connection>::TransactionManager::rollback_transaction(conn) {
            // The connection is lost or already rolled back; the reason is what `work` has reported.
            Ok(()) | Err(diesel::result::Error::BrokenTransactionManager) => Err(error),
            Err(rollback) => Err(DbError::from(rollback).into()),
        },
    }
}

fn begin(conn: &mut AnyConnection) -> diesel::QueryResult<()> {
    let status = <AnyConnection as Connection>::TransactionManager::transaction_manager_status_mut(conn);
    let is_outermost = status.transaction_depth()?.is_none();
    match conn {
        AnyConnection::Sqlite(sqlite) if is_outermost => {
            AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE")
        }
        _ => <AnyConnection as Connection>::TransactionManager::begin_transaction(conn),
    }
}

/// Opens and checks connections for the pool.
#[derive(Debug)]
struct Opener {
    location: Location,
}

impl ManageConnection for Opener {
    type Connection = AnyConnection;
    type Error = PoolError;

    fn connect(&self) -> Result<AnyConnection, PoolError> {
        self.location.connect().map_err(PoolError::ConnectionError)
    }

    fn is_valid(&self, conn: &mut AnyConnection) -> Result<(), PoolError> {
        conn.ping().map_err(PoolError::QueryError)
    }

    /// A connection whose user panicked may hold an open transaction; closing it rolls back.
    fn has_broken(&self, conn: &mut AnyConnection) -> bool {
        std::thread::panicking() || conn.is_broken()
    }
}
