//! How stores fail: one coarse kind, a sentence for people, and the store's own words for the log.

use std::fmt;

use thiserror::Error;

use super::Key;

/// What coarsely went wrong; decides whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageErrorKind {
    /// There is no such object.
    NotFound,
    /// The object has no byte in the range that was asked for.
    OutOfRange,
    /// No space left.
    Full,
    /// The program is not allowed to, or the store is not set up as the settings say.
    Denied,
    /// The store does not answer, or not as it should; may work later.
    Unavailable,
}

/// A failed storage operation. The message names the key and what to do, never a path of the server, a secret or a signed
/// address; the store's own words stay in the source.
#[derive(Debug, Error)]
#[error("{}: {subject}{}{}", match kind {
    StorageErrorKind::NotFound => "there is no object",
    StorageErrorKind::OutOfRange => "the object has no such bytes",
    StorageErrorKind::Full => "the storage is full",
    StorageErrorKind::Denied => "the storage denies access",
    StorageErrorKind::Unavailable => "the storage is not available",
}, if advice.is_some() { "; " } else { "" }, advice.unwrap_or_default())]
pub struct StorageError {
    pub kind: StorageErrorKind,
    subject: String,
    advice: Option<&'static str>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StorageError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        self.kind == StorageErrorKind::Unavailable
    }

    /// What is wrong in particular and what to do about it, where that is known.
    pub const fn advice(&self) -> Option<&'static str> {
        self.advice
    }

    pub(super) fn of(kind: StorageErrorKind, subject: impl fmt::Display) -> Self {
        Self { kind, subject: subject.to_string(), advice: None, source: None }
    }

    pub(super) fn not_found(key: &Key) -> Self {
        Self::of(StorageErrorKind::NotFound, key)
    }

    pub(super) fn advising(self, advice: Option<&'static str>) -> Self {
        Self { advice, ..self }
    }

    pub(super) fn caused_by(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    pub(super) fn io(subject: impl fmt::Display, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::NotFound => StorageErrorKind::NotFound,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageErrorKind::Full,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StorageErrorKind::Denied,
            _ => StorageErrorKind::Unavailable,
        };
        Self::of(kind, subject).caused_by(error)
    }
}
