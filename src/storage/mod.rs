//! Where photos and other bytes live: one trait, one enum with every path that is ever written.
//!
//! Objects are written whole; what stands under a key is complete. Nothing here knows what the bytes mean, and nobody
//! outside builds a path by hand: [`Key`] is the only way in, so no name from outside reaches a file system. Called by
//! `app`.

mod digest;
mod error;
mod key;
mod local;
mod memory;
mod photo_label;
mod s3;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;

pub use digest::{Digest, Hashing, ShortDigest};
pub use error::{StorageError, StorageErrorKind};
pub use key::{BadKey, DocumentExtension, ExportExtension, Extension, Key, KeyGroup};
pub use local::LocalStore;
pub use memory::MemoryStore;
pub use photo_label::PhotoLabel;
pub use s3::S3Store;

/// A place that keeps bytes under keys.
///
/// Every call may also fail with [`StorageErrorKind::Unavailable`] or [`StorageErrorKind::Denied`].
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// Writes an object whole, in place of one that is there. Whoever reads meanwhile gets the old one or the new one.
    ///
    /// # Errors
    /// [`StorageErrorKind::Full`]; nothing is left behind, whatever the error.
    async fn put(&self, key: &Key, bytes: &[u8]) -> Result<(), StorageError>;

    /// The same with the content of a file, which is never in memory as a whole.
    ///
    /// # Errors
    /// As [`ObjectStore::put`]; a file that cannot be read is [`StorageErrorKind::Unavailable`].
    async fn put_file(&self, key: &Key, file: &Path) -> Result<(), StorageError>;

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`StorageErrorKind::NotFound`] when there is none.
    async fn get(&self, key: &Key) -> Result<Vec<u8>, StorageError>;

    /// Reads an object piece by piece: all of it, or the bytes of `range`, whose end may lie beyond the object's.
    ///
    /// # Errors
    /// [`StorageErrorKind::NotFound`] when there is none; [`StorageErrorKind::OutOfRange`] when it has no byte in `range`.
    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Download, StorageError>;

    /// What is known of an object without reading it.
    ///
    /// # Errors
    /// [`StorageErrorKind::NotFound`] when there is none.
    async fn head(&self, key: &Key) -> Result<Head, StorageError>;

    /// Whether there is an object.
    ///
    /// # Errors
    /// See the trait.
    async fn exists(&self, key: &Key) -> Result<bool, StorageError> {
        match self.head(key).await {
            Err(error) if error.kind == StorageErrorKind::NotFound => Ok(false),
            head => head.map(|_| true),
        }
    }

    /// Removes an object; one that is not there counts as removed.
    ///
    /// # Errors
    /// See the trait.
    async fn delete(&self, key: &Key) -> Result<(), StorageError>;

    /// The objects of a group, in no order, fetched as they are asked for. What else lies there (a file that somebody put by
    /// hand, the rest of an interrupted write) is passed over. The stream ends after its first error.
    fn list(&self, group: KeyGroup) -> BoxStream<'static, Result<Listed, StorageError>>;

    /// A link under which anybody can read the object for so long, from the store itself; what is saved from it is called
    /// `saved_as`, of plain letters, digits, dots and dashes. `None` for a store that nobody reaches from outside: the program
    /// then hands the bytes out. Does not look whether there is an object.
    ///
    /// # Errors
    /// [`StorageErrorKind::Denied`] without credentials to sign with.
    async fn presign(&self, key: &Key, saved_as: &str, valid_for: Duration)
    -> Result<Option<SignedLink>, StorageError>;
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the whole object.
    pub length: u64,
    /// When it was written, in whole seconds or better.
    pub modified: DateTime<Utc>,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: Key,
    pub head: Head,
}

/// Bytes that come in pieces. It ends after its first error.
pub type Body = BoxStream<'static, Result<Bytes, StorageError>>;

/// An object, or a part of one, on its way.
pub struct Download {
    /// Of the whole object.
    pub head: Head,
    /// Which of its bytes come.
    pub range: Range<u64>,
    pub body: Body,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("head", &self.head).field("range", &self.range).finish_non_exhaustive()
    }
}

/// An address that is a permission as well: it is not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedLink(String);

impl SignedLink {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SignedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedLink({}?...)", self.0.split('?').next().unwrap_or_default())
    }
}

/// The bytes of an object of `length` that are asked for; `None` when it has none of them.
fn within(range: Option<Range<u64>>, length: u64) -> Option<Range<u64>> {
    let Some(Range { start, end }) = range else { return Some(0..length) };
    let end = end.min(length);
    (start < end).then_some(start..end)
}
