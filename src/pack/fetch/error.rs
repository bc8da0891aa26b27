//! Why a pack's files did not arrive.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::pack::PackError;

/// What went wrong, and what to do about it.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(
        "the manifest of {pack} does not know what {file} must be, so it cannot be fetched; make or get it yourself and run \
         `rollcall models import --as {pack} {file}`"
    )]
    Unpinned { pack: String, file: String },
    #[error(
        "nobody publishes {file} of {pack} in this form; name a folder or server that has it with --from, or run \
         `rollcall models import`"
    )]
    NoSource { pack: String, file: String },
    #[error("{file} is not in {folder}{archive}", archive = archive.as_ref().map_or_else(String::new, |a| format!(", nor is {a}")))]
    NotInFolder { file: String, folder: PathBuf, archive: Option<String> },
    #[error("{url} cannot be fetched: {reason}; what has arrived is kept, run the command again to go on")]
    Unreachable { url: String, reason: String },
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{origin} is not the file that the manifest wants: {reason}; nothing of it was kept")]
    WrongBytes { origin: String, reason: String },
    #[error("{archive} cannot be unpacked: {reason}")]
    Archive { archive: String, reason: String },
    #[error("{file} (sha256 {sha256}) is no file of {wanted}{hint}")]
    Unwanted { file: PathBuf, sha256: String, wanted: String, hint: String },
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl FetchError {
    /// What to do with an error of a file at `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
