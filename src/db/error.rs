//! What can go wrong with the database, in words a user may read. SQL stays in the error's source, for the log.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use thiserror::Error;

/// A failed database operation.
#[derive(Debug, Error)]
pub enum DbError {
    #[error("there is no database at {location}; `rollcall init` makes one")]
    Missing { location: String },
    #[error("the database at {location} cannot be opened: {reason}")]
    Unopenable { location: String, reason: String },
    #[error("`{url}` is not a database: expected a file, sqlite:FILE or postgres://...")]
    BadUrl { url: String },
    #[error("the database belongs to a newer rollcall (its change {version} is unknown here); update this program")]
    Newer { version: String },
    #[error("the database belongs to an older rollcall ({pending} changes are missing); run `rollcall admin migrate`")]
    Outdated { pending: usize },
    #[error("the database could not be brought up to date: {reason}")]
    Migration { reason: String },
    #[error(
        "a Postgres database is backed up with its own tools: run `pg_dump --format=custom --file=rollcall.dump` on it; \
         where that was for an upgrade, then `rollcall admin migrate --i-have-a-backup`"
    )]
    BackupImpossible,
    #[error("the database could not be copied to {copy}: {reason}; nothing was changed")]
    BackupFailed { copy: String, reason: String },
    /// A unique rule stopped a second one of the same.
    #[error("{what} exists already")]
    Duplicate { what: &'static str },
    #[error("{what} is not in the database")]
    NotFound { what: &'static str },
    /// A foreign key does not hold: the other end is missing, or still in use.
    #[error("what this entry refers to does not exist, or it is still referred to")]
    Reference,
    /// A check or not-null rule of the schema does not hold.
    #[error("the entry breaks a rule of the database")]
    Rule(#[source] DieselError),
    #[error("the database is busy or does not answer; try again")]
    Busy,
    #[error("the connection to the database was lost")]
    Disconnected(#[source] DieselError),
    #[error("the database work was stopped because the program is shutting down")]
    Stopped,
    #[error("the database failed")]
    Query(#[source] DieselError),
}

impl DbError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Stopped | Self::Disconnected(_))
    }
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound { what: "it" },
            DieselError::DatabaseError(kind, info) => from_database(kind, info),
            // What diesel says of a connection whose transaction ended with it.
            error @ (DieselError::BrokenTransactionManager | DieselError::AlreadyInTransaction) => {
                Self::Disconnected(error)
            }
            error => Self::Query(error),
        }
    }
}

fn from_database(kind: DatabaseErrorKind, info: Box<dyn DatabaseErrorInformation + Send + Sync>) -> DbError {
    match kind {
        DatabaseErrorKind::UniqueViolation => DbError::Duplicate { what: what_is_unique(info.as_ref()) },
        DatabaseErrorKind::ForeignKeyViolation => DbError::Reference,
        DatabaseErrorKind::CheckViolation | DatabaseErrorKind::NotNullViolation => {
            DbError::Rule(DieselError::DatabaseError(kind, info))
        }
        // Postgres has ended one of two transactions that stood in each other's way.
        DatabaseErrorKind::SerializationFailure => DbError::Busy,
        _ if info.message().contains("deadlock detected") => DbError::Busy,
        // SQLite has no kind of error for ON DELETE RESTRICT nor for a lock that was waited for in vain.
        _ if info.message().contains("FOREIGN KEY constraint failed") => DbError::Reference,
        _ if info.message().contains("database is locked") => DbError::Busy,
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
            DbError::Disconnected(DieselError::DatabaseError(kind, info))
        }
        _ if LOST.iter().any(|words| info.message().contains(words)) => {
            DbError::Disconnected(DieselError::DatabaseError(kind, info))
        }
        _ => DbError::Query(DieselError::DatabaseError(kind, info)),
    }
}

/// What libpq and a Postgres server that stops, restarts or fails over say of it (libpq fe-misc.c, Postgres errcodes 57P01 to
/// 57P03 and 25006); diesel hands on the words, not the code.
const LOST: &[&str] = &[
    "server closed the connection",
    "terminating connection",
    "connection to server",
    "could not receive data from server",
    "could not send data to server",
    "no connection to the server",
    "the database system is",
    "read-only transaction",
];

/// The unique thing of each table. Every unique index is named after its table, and SQLite's message names the columns
/// (`UNIQUE constraint failed: students.prn`) or, for an expression, the index; Postgres says table and constraint.
const UNIQUE: &[(&str, &str)] = &[
    ("class_members", "a current member of this class with this roll number, or this student's stay in it,"),
    ("classes", "a class with this name, section and term"),
    ("students", "a student with this PRN"),
    ("subjects", "a subject with this name"),
    ("terms", "a term with this name"),
    ("face_samples", "a sample of this student from this image"),
    ("attendance_sessions", "a session of this class at this time with this name"),
    ("session_photos", "this photo of the session"),
    ("status_styles", "a style of this status, or one with this short mark,"),
    ("faces", "a face with this number, or a face matched to this member, in the photo"),
    ("attendance_records", "a record of this member in this session"),
    ("users", "a user with this name"),
    ("user_classes", "this class of the user"),
    ("refresh_tokens", "this refresh token"),
    ("api_tokens", "this token"),
    ("idempotency_keys", "a request with this key"),
];

fn what_is_unique(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> &'static str {
    let message = info.message();
    let named = info.table_name().unwrap_or_else(|| {
        let place = message.rsplit(": ").next().unwrap_or(message);
        place.strip_prefix("index '").unwrap_or(place)
    });
    let of_table = UNIQUE.iter().find(|(table, _)| {
        named.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
    });
    of_table.map_or("this entry", |(_, what)| what)
}

/// Names what was looked for, where diesel only knows that there was no row.
pub(super) trait OrNotFound<T> {
    fn or_not_found(self, what: &'static str) -> Result<T, DbError>;
}

impl<T> OrNotFound<T> for Result<T, DieselError> {
    fn or_not_found(self, what: &'static str) -> Result<T, DbError> {
        self.map_err(|error| match error {
            DieselError::NotFound => DbError::NotFound { what },
            error => error.into(),
        })
    }
}

/// An update that must hit its one row.
impl OrNotFound<()> for usize {
    fn or_not_found(self, what: &'static str) -> Result<(), DbError> {
        if self == 0 { Err(DbError::NotFound { what }) } else { Ok(()) }
    }
}
