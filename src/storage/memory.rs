//! Objects in memory, gone with the value: for tests, and for a demo that is to leave nothing behind.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::{Download, Head, Key, KeyGroup, Listed, ObjectStore, SignedLink, StorageError, StorageErrorKind, within};

/// Keeps objects in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Mutex<HashMap<Key, Object>>,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    modified: DateTime<Utc>,
}

impl Object {
    fn head(&self) -> Head {
        Head { length: self.bytes.len() as u64, modified: self.modified }
    }
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    /// Every change is a single call on the map, so a panic elsewhere cannot have left it half-changed.
    fn objects(&self) -> MutexGuard<'_, HashMap<Key, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &Key) -> Result<Object, StorageError> {
        self.objects().get(key).cloned().ok_or_else(|| StorageError::not_found(key))
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put(&self, key: &Key, bytes: &[u8]) -> Result<(), StorageError> {
        let object = Object { bytes: Bytes::copy_from_slice(bytes), modified: Utc::now() };
        self.objects().insert(key.clone(), object);
        Ok(())
    }

    async fn put_file(&self, key: &Key, file: &Path) -> Result<(), StorageError> {
        let unreadable = |error| StorageError::of(StorageErrorKind::Unavailable, key).caused_by(error);
        let bytes = tokio::fs::read(file).await.map_err(unreadable)?;
        self.put(key, &bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Vec<u8>, StorageError> {
        Ok(self.find(key)?.bytes.into())
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Download, StorageError> {
        let object = self.find(key)?;
        let head = object.head();
        let range = within(range, head.length).ok_or_else(|| StorageError::of(StorageErrorKind::OutOfRange, key))?;
        // Bounded by the length of what is in memory.
        let piece = object.bytes.slice(range.start as usize..range.end as usize);
        Ok(Download { head, range, body: stream::iter([Ok(piece)]).boxed() })
    }

    async fn head(&self, key: &Key) -> Result<Head, StorageError> {
        Ok(self.find(key)?.head())
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        self.objects().remove(key);
        Ok(())
    }

    fn list(&self, group: KeyGroup) -> BoxStream<'static, Result<Listed, StorageError>> {
        let objects = self.objects();
        let listed = objects.iter().filter(|(key, _)| group.contains(key));
        let listed: Vec<_> = listed.map(|(key, object)| Ok(Listed { key: key.clone(), head: object.head() })).collect();
        stream::iter(listed).boxed()
    }

    async fn presign(&self, _: &Key, _: &str, _: Duration) -> Result<Option<SignedLink>, StorageError> {
        Ok(None)
    }
}
