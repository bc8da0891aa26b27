//! Where photos and other bytes live: one trait, one enum with every path that is ever written.
//!
//! Objects are written whole and never changed; what stands under a key is complete. Nothing here knows what the bytes
//! mean, and nobody outside builds a path by hand: [`Key`] is the only way in, so no name from outside reaches a file
//! system. Called by `app`.

mod key;
mod local;
mod memory;
#[cfg(test)]
mod testing;

use async_trait::async_trait;
use thiserror::Error;

pub use key::{BadKey, Digest, Extension, Key, KeyGroup};
pub use local::LocalStore;
pub use memory::MemoryStore;

/// A place that keeps bytes under keys.
#[async_trait]
pub trait ObjectStore: std::fmt::Debug + Send + Sync {
    /// Writes an object whole, in place of one that is there. Whoever reads meanwhile gets the old one or the new one.
    ///
    /// # Errors
    /// [`StorageErrorKind::Unavailable`], [`StorageErrorKind::Full`] or [`StorageErrorKind::Denied`]; nothing is left
    /// behind.
    async fn put(&self, key: &Key, bytes: &[u8]) -> Result<(), StorageError>;

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`StorageErrorKind::NotFound`] when there is none, [`StorageErrorKind::Unavailable`] or
    /// [`StorageErrorKind::Denied`].
    async fn get(&self, key: &Key) -> Result<Vec<u8>, StorageError>;

    /// Whether there is an object.
    ///
    /// # Errors
    /// [`StorageErrorKind::Unavailable`] or [`StorageErrorKind::Denied`].
    async fn exists(&self, key: &Key) -> Result<bool, StorageError>;

    /// Removes an object; one that is not there counts as removed.
    ///
    /// # Errors
    /// [`StorageErrorKind::Unavailable`] or [`StorageErrorKind::Denied`].
    async fn delete(&self, key: &Key) -> Result<(), StorageError>;

    /// The keys of all objects in a group, sorted by path. What else lies there (a file that somebody put by hand, the
    /// rest of an interrupted write) is passed over.
    ///
    /// # Errors
    /// [`StorageErrorKind::Unavailable`] or [`StorageErrorKind::Denied`].
    async fn list(&self, group: KeyGroup) -> Result<Vec<Key>, StorageError>;
}

/// What coarsely went wrong; decides whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageErrorKind {
    /// There is no such object.
    NotFound,
    /// No space left.
    Full,
    /// The program is not allowed to.
    Denied,
    /// The store does not answer, or not as it should; may work later.
    Unavailable,
}

/// A failed storage operation. The message names the key, never a path of the server; that stays in the source.
#[derive(Debug, Error)]
#[error("{}: {subject}", match kind {
    StorageErrorKind::NotFound => "there is no object",
    StorageErrorKind::Full => "the storage is full",
    StorageErrorKind::Denied => "the storage denies access",
    StorageErrorKind::Unavailable => "the storage is not available",
})]
pub struct StorageError {
    pub kind: StorageErrorKind,
    subject: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StorageError {
    fn not_found(key: &Key) -> Self {
        Self { kind: StorageErrorKind::NotFound, subject: key.to_string(), source: None }
    }

    fn io(subject: impl std::fmt::Display, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::NotFound => StorageErrorKind::NotFound,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageErrorKind::Full,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StorageErrorKind::Denied,
            _ => StorageErrorKind::Unavailable,
        };
        Self { kind, subject: subject.to_string(), source: Some(Box::new(error)) }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        self.kind == StorageErrorKind::Unavailable
    }
}
