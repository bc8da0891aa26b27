//! Objects as files below a folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use walkdir::WalkDir;

use super::{Key, KeyGroup, ObjectStore, StorageError};

/// Keeps every object in a file of its key's name.
///
/// A file appears complete or not at all, also when the program or the machine dies: the bytes go into a file beside
/// it, are flushed to the disk, and then take the name.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: Arc<Path>,
}

impl LocalStore {
    /// A store below `root`. The folder is made when the first object is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into().into() }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.to_string())
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put(&self, key: &Key, bytes: &[u8]) -> Result<(), StorageError> {
        // One blocking piece from start to end: a caller that goes away cannot stop it half-way.
        let (root, path, bytes) = (Arc::clone(&self.root), self.path(key), bytes.to_vec());
        blocking(move || write_whole(&root, &path, &bytes)).await.map_err(|error| StorageError::io(key, error))
    }

    async fn get(&self, key: &Key) -> Result<Vec<u8>, StorageError> {
        tokio::fs::read(self.path(key)).await.map_err(|error| StorageError::io(key, error))
    }

    async fn exists(&self, key: &Key) -> Result<bool, StorageError> {
        tokio::fs::try_exists(self.path(key)).await.map_err(|error| StorageError::io(key, error))
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        match tokio::fs::remove_file(self.path(key)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::io(key, error)),
            _ => Ok(()),
        }
    }

    async fn list(&self, group: KeyGroup) -> Result<Vec<Key>, StorageError> {
        let root = Arc::clone(&self.root);
        blocking(move || list_below(&root, group)).await.map_err(|error| StorageError::io(group, error))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

fn write_whole(root: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().expect("every key has a folder");
    let is_new_folder = !folder.is_dir();
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(unfinished_name());
    let written = write_flushed(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = written {
        // The reason of the failure counts; a rest that cannot be removed either is no key and is passed over.
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    sync_folder(folder)?;
    if is_new_folder {
        // The folder itself must be found again as well.
        for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
            sync_folder(above)?;
        }
    }
    Ok(())
}

fn write_flushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name that is nobody's key and that no other writer uses.
fn unfinished_name() -> String {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let since_epoch = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    format!(".unfinished-{}-{since_epoch}-{write}", std::process::id())
}

/// A rename is on the disk once its folder is. Only Unix can open a folder; elsewhere the file system is trusted.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn list_below(root: &Path, group: KeyGroup) -> io::Result<Vec<Key>> {
    let folder = root.join(group.prefix());
    if !folder.try_exists()? {
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry?;
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path().strip_prefix(root).expect("the walk started below the root");
        let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
        keys.extend(parts.and_then(|parts| parts.join("/").parse::<Key>().ok()));
    }
    keys.sort_by_cached_key(Key::to_string);
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::storage::StorageErrorKind;
    use crate::storage::testing::{annotated, photo};

    fn files(root: &Path) -> Vec<String> {
        let entries = WalkDir::new(root).into_iter().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_type().is_file()).map(|e| e.file_name().to_string_lossy().into()).collect()
    }

    #[tokio::test]
    async fn an_object_is_the_one_file_of_its_name() {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::new(folder.path().join("not/yet/there"));
        store.put(&photo(12, b"one"), b"one").await.unwrap();
        let path = folder.path().join("not/yet/there").join(photo(12, b"one").to_string());
        assert_eq!(fs::read(path).unwrap(), b"one");
        assert_eq!(files(folder.path()).len(), 1, "nothing else is left behind");
    }

    #[tokio::test]
    async fn a_failed_write_leaves_nothing_and_keeps_what_was_there() {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::new(folder.path());
        // A folder with something in it stands where the object should go: the rename at the very end fails.
        let key = annotated(12, 7);
        let in_the_way = folder.path().join(key.to_string());
        fs::create_dir_all(&in_the_way).unwrap();
        fs::write(in_the_way.join("kept"), "x").unwrap();
        assert!(store.put(&key, b"bytes").await.is_err());
        assert_eq!(files(folder.path()), ["kept"]);
    }

    #[tokio::test]
    async fn a_root_that_is_a_file_is_an_error_that_hides_its_path() {
        let folder = TempDir::new().unwrap();
        let root = folder.path().join("file");
        fs::write(&root, "x").unwrap();
        let error = LocalStore::new(&root).put(&photo(12, b"one"), b"one").await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Unavailable);
        assert!(!error.to_string().contains(root.to_str().unwrap()), "{error}");
    }

    #[tokio::test]
    async fn files_that_are_no_objects_are_not_listed() {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::new(folder.path());
        store.put(&photo(12, b"one"), b"one").await.unwrap();
        let session = folder.path().join("attendance_photos/12");
        fs::write(session.join("Thumbs.db"), "x").unwrap();
        fs::write(session.join(unfinished_name()), "half").unwrap();
        assert_eq!(store.list(KeyGroup::Sessions).await.unwrap(), [photo(12, b"one")]);
    }

    #[tokio::test]
    async fn readers_see_the_old_or_the_new_object_never_half_of_one() {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::new(folder.path());
        let key = annotated(12, 7);
        let sizes = [1_usize << 20, 3 << 19];
        store.put(&key, &vec![0; sizes[0]]).await.unwrap();
        let writer = tokio::spawn({
            let store = store.clone();
            async move {
                for round in 0..20_usize {
                    store.put(&key, &vec![0; sizes[round % 2]]).await.unwrap();
                }
            }
        });
        while !writer.is_finished() {
            let read = store.get(&key).await.unwrap().len();
            assert!(sizes.contains(&read), "{read} bytes");
            tokio::task::yield_now().await;
        }
        writer.await.unwrap();
    }
}
