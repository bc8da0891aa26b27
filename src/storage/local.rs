//! Objects as files below a folder.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::mpsc;
use walkdir::WalkDir;

use super::{
    Body, Download, Head, Key, KeyGroup, Listed, ObjectStore, SignedLink, StorageError, StorageErrorKind, within,
};

/// Bytes read at a time.
const PIECE: usize = 64 << 10;
/// Objects that a listing is ahead of its reader.
const LISTED_AHEAD: usize = 256;

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
        let write = move || write_whole(&root, &path, |file| file.write_all(&bytes));
        blocking(write).await.map_err(|error| StorageError::io(key, error))
    }

    async fn put_file(&self, key: &Key, file: &Path) -> Result<(), StorageError> {
        let unreadable = |error| StorageError::of(StorageErrorKind::Unavailable, key).caused_by(error);
        let file = file.to_owned();
        let mut source = blocking(move || File::open(file)).await.map_err(unreadable)?;
        let (root, path) = (Arc::clone(&self.root), self.path(key));
        let write = move || write_whole(&root, &path, |file| io::copy(&mut source, file).map(drop));
        blocking(write).await.map_err(|error| StorageError::io(key, error))
    }

    async fn get(&self, key: &Key) -> Result<Vec<u8>, StorageError> {
        tokio::fs::read(self.path(key)).await.map_err(|error| StorageError::io(key, error))
    }

    async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Download, StorageError> {
        let path = self.path(key);
        let opened = blocking(move || {
            let mut file = File::open(path)?;
            let head = head_of(&file.metadata()?)?;
            let range = within(range, head.length);
            if let Some(range) = &range {
                file.seek(SeekFrom::Start(range.start))?;
            }
            Ok((file, head, range))
        });
        let (file, head, range) = opened.await.map_err(|error| StorageError::io(key, error))?;
        let range = range.ok_or_else(|| StorageError::of(StorageErrorKind::OutOfRange, key))?;
        let body = pieces(key.clone(), file, range.end - range.start);
        Ok(Download { head, range, body })
    }

    async fn head(&self, key: &Key) -> Result<Head, StorageError> {
        let metadata = tokio::fs::metadata(self.path(key)).await;
        metadata.and_then(|metadata| head_of(&metadata)).map_err(|error| StorageError::io(key, error))
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        match tokio::fs::remove_file(self.path(key)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::io(key, error)),
            _ => Ok(()),
        }
    }

    fn list(&self, group: KeyGroup) -> BoxStream<'static, Result<Listed, StorageError>> {
        let (root, (found, listed)) = (Arc::clone(&self.root), mpsc::channel(LISTED_AHEAD));
        tokio::task::spawn_blocking(move || {
            for object in objects_below(&root, group) {
                let (is_last, object) = (object.is_err(), object.map_err(|error| StorageError::io(group, error)));
                // Nobody to tell: whoever asked has gone.
                if found.blocking_send(object).is_err() || is_last {
                    return;
                }
            }
        });
        stream::unfold(listed, |mut listed| async { Some((listed.recv().await?, listed)) }).boxed()
    }

    async fn presign(&self, _: &Key, _: &str, _: Duration) -> Result<Option<SignedLink>, StorageError> {
        Ok(None)
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

fn write_whole(root: &Path, path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().expect("every key has a folder");
    let is_new_folder = !folder.is_dir();
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(unfinished_name());
    let written = write_flushed(&unfinished, fill).and_then(|()| fs::rename(&unfinished, path));
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

fn write_flushed(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    fill(&mut file)?;
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

/// A folder in the place of an object is none.
fn head_of(metadata: &fs::Metadata) -> io::Result<Head> {
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Head { length: metadata.len(), modified: metadata.modified()?.into() })
}

/// The next `length` bytes of a file. A file that ends before them was changed by somebody else, and its bytes are worth
/// nothing.
fn pieces(key: Key, file: File, length: u64) -> Body {
    let key = Arc::new(key);
    let next = move |(file, left): (File, u64)| {
        let key = Arc::clone(&key);
        async move {
            if left == 0 {
                return Ok(None);
            }
            let read = blocking(move || piece(&file, left).map(|piece| (piece, file)));
            let (piece, file) = read.await.map_err(|error| StorageError::io(key, error))?;
            let left = left - piece.len() as u64;
            Ok(Some((piece, (file, left))))
        }
    };
    stream::try_unfold((file, length), next).boxed()
}

/// Some of the next `left` bytes.
fn piece(mut file: &File, left: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))];
    let n = file.read(&mut piece)?;
    piece.truncate(n);
    if n == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(piece.into()) }
}

fn objects_below(root: &Path, group: KeyGroup) -> impl Iterator<Item = io::Result<Listed>> {
    // A folder that is not there, or a file that is gone by now, is no failure.
    let there = |error: &io::Error| error.kind() != io::ErrorKind::NotFound;
    WalkDir::new(root.join(group.prefix())).into_iter().filter_map(move |entry| {
        let listed = entry.map_err(io::Error::from).and_then(|entry| {
            let Some(key) = key_of(root, &entry).filter(|key| group.contains(key)) else { return Ok(None) };
            Ok(Some(Listed { key, head: head_of(&entry.metadata()?)? }))
        });
        listed.map_or_else(|error| there(&error).then_some(Err(error)), |found| found.map(Ok))
    })
}

fn key_of(root: &Path, entry: &walkdir::DirEntry) -> Option<Key> {
    let path = entry.path().strip_prefix(root).expect("the walk started below the root");
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts?.join("/").parse().ok().filter(|_| entry.file_type().is_file())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::storage::StorageErrorKind;
    use crate::storage::testing::{annotated, listed, photo};

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
        let photos = folder.path().join("attendance_photos");
        fs::write(photos.join("Thumbs.db"), "x").unwrap();
        fs::write(photos.join(unfinished_name()), "half").unwrap();
        fs::create_dir_all(folder.path().join(annotated(12, 7).to_string())).unwrap();
        assert_eq!(listed(&store, KeyGroup::Sessions).await, [photo(12, b"one").to_string()].into());
    }

    #[tokio::test]
    async fn readers_see_the_old_or_the_new_object_never_half_of_one() {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::new(folder.path());
        let key = annotated(12, 7);
        let sizes = [1_usize << 20, 3 << 19];
        store.put(&key, &vec![0; sizes[0]]).await.unwrap();
        let writer = tokio::spawn({
            let (store, key) = (store.clone(), key.clone());
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
