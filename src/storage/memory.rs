//! Objects in memory, gone with the value: for tests, and for a demo that is to leave nothing behind.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Key, KeyGroup, ObjectStore, StorageError};

/// Keeps objects in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Mutex<HashMap<Key, Vec<u8>>>,
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }

    /// Every change is a single call on the map, so a panic elsewhere cannot have left it half-changed.
    fn objects(&self) -> MutexGuard<'_, HashMap<Key, Vec<u8>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put(&self, key: &Key, bytes: &[u8]) -> Result<(), StorageError> {
        self.objects().insert(*key, bytes.to_vec());
        Ok(())
    }

    async fn get(&self, key: &Key) -> Result<Vec<u8>, StorageError> {
        self.objects().get(key).cloned().ok_or_else(|| StorageError::not_found(key))
    }

    async fn exists(&self, key: &Key) -> Result<bool, StorageError> {
        Ok(self.objects().contains_key(key))
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        self.objects().remove(key);
        Ok(())
    }

    async fn list(&self, group: KeyGroup) -> Result<Vec<Key>, StorageError> {
        let mut keys: Vec<Key> = self.objects().keys().filter(|key| group.contains(key)).copied().collect();
        keys.sort_by_cached_key(Key::to_string);
        Ok(keys)
    }
}
