//! All files of one pack, from its publishers, a folder or a server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::archive::Archive;
use super::error::FetchError;
use super::http::Client;
use super::part::{Part, write_text};
use super::{OnProgress, Progress};
use crate::pack::manifest::{self, Fingerprint, Manifest, PackFile};
use crate::pack::{FileState, MANIFEST_FILE, PackError, folder_name, read_manifest, state_of};

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The addresses of the manifest.
    Published,
    /// A folder that holds the files, or the archives that hold them.
    Folder(PathBuf),
    /// An address below which the files, or the archives that hold them, are found by their names.
    Server(String),
}

/// One file of a pulled pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pulled {
    pub file: String,
    pub bytes: u64,
    pub outcome: Outcome,
}

/// What was done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Fetched,
    AlreadyThere,
}

/// Brings every file of the pack described in `described` into the folder `target`, which is made, and puts the manifest
/// there last. Files that are whole already are left alone, so a second call goes on where the first one stopped.
///
/// # Errors
/// [`FetchError`]; what has arrived by then stays. Files that cannot be fetched at all are an error before the first byte.
pub fn pull(
    described: &Path,
    target: &Path,
    origin: &Origin,
    progress: OnProgress<'_>,
) -> Result<Vec<Pulled>, FetchError> {
    let manifest = read_manifest(described)?;
    let pull = Pull { manifest: &manifest, target, origin, client: Client::new() };
    let known = pull.known_files()?;
    fs::create_dir_all(target).map_err(FetchError::io(target))?;
    let mut pulled = Vec::new();
    for (file, expected) in known {
        let outcome = if pull.is_whole(file)? {
            Outcome::AlreadyThere
        } else {
            pull.fetch(file, expected, progress)?;
            Outcome::Fetched
        };
        pulled.push(Pulled { file: file.name.clone(), bytes: expected.bytes, outcome });
    }
    pull.drop_archives()?;
    settle_manifest(described, target)?;
    Ok(pulled)
}

/// Puts the manifest of `described` into `target`, unless that has its own.
pub(super) fn settle_manifest(described: &Path, target: &Path) -> Result<(), FetchError> {
    let place = target.join(MANIFEST_FILE);
    if place.is_file() {
        return Ok(());
    }
    let source = described.join(MANIFEST_FILE);
    let text = fs::read_to_string(&source).map_err(FetchError::io(&source))?;
    write_text(&place, &text)
}

struct Pull<'a> {
    manifest: &'a Manifest,
    target: &'a Path,
    origin: &'a Origin,
    client: Client,
}

impl<'a> Pull<'a> {
    /// The files with what they must be; an error when one of them is unknown or has nowhere to come from.
    fn known_files(&self) -> Result<Vec<(&'a PackFile, Fingerprint<'a>)>, FetchError> {
        let pack = || self.manifest.id.clone();
        let known = |file: &'a PackFile| {
            let unpinned = || FetchError::Unpinned { pack: pack(), file: file.name.clone() };
            let expected = file.fingerprint().ok_or_else(unpinned)?;
            let homeless = file.source_url.is_none() && file.archive.is_none();
            if *self.origin == Origin::Published && homeless && !self.is_whole(file)? {
                return Err(FetchError::NoSource { pack: pack(), file: file.name.clone() });
            }
            Ok((file, expected))
        };
        self.manifest.files.iter().map(known).collect()
    }

    fn is_whole(&self, file: &PackFile) -> Result<bool, FetchError> {
        let state = state_of(&self.target.join(&file.name), file).map_err(|source| PackError::Unreadable {
            name: folder_name(self.target),
            file: file.name.clone(),
            source,
        })?;
        Ok(state == FileState::Good)
    }

    fn archive_of(&self, file: &PackFile) -> Option<&'a manifest::Archive> {
        self.manifest.archives.iter().find(|a| file.archive.as_ref() == Some(&a.name))
    }

    fn fetch(&self, file: &PackFile, expected: Fingerprint<'_>, progress: OnProgress<'_>) -> Result<(), FetchError> {
        match self.origin {
            Origin::Published => match (&file.source_url, self.archive_of(file)) {
                (Some(url), _) => self.download(url, &file.name, expected, progress),
                (None, Some(archive)) => {
                    self.fetch_from_archive(&archive.source_url, archive, file, expected, progress)
                }
                (None, None) => unreachable!("files without a source were refused before"),
            },
            Origin::Server(base) => self.fetch_from_server(base, file, expected, progress),
            Origin::Folder(folder) => self.fetch_from_folder(folder, file, expected, progress),
        }
    }

    /// The file itself, or else its archive.
    fn fetch_from_server(
        &self,
        base: &str,
        file: &PackFile,
        expected: Fingerprint<'_>,
        progress: OnProgress<'_>,
    ) -> Result<(), FetchError> {
        let at = |name: &str| format!("{}/{name}", base.trim_end_matches('/'));
        match (self.download(&at(&file.name), &file.name, expected, progress), self.archive_of(file)) {
            (Err(FetchError::Status { status: 404, .. }), Some(archive)) => {
                self.fetch_from_archive(&at(&archive.name), archive, file, expected, progress)
            }
            (answer, _) => answer,
        }
    }

    fn fetch_from_folder(
        &self,
        folder: &Path,
        file: &PackFile,
        expected: Fingerprint<'_>,
        progress: OnProgress<'_>,
    ) -> Result<(), FetchError> {
        let part = Part::of(self.target, &file.name);
        let mut told = |bytes| progress(Progress { file: &file.name, bytes, of_bytes: expected.bytes });
        let itself = folder.join(&file.name);
        if itself.is_file() {
            let mut from = File::open(&itself).map_err(FetchError::io(&itself))?;
            return part.fill(&mut from, &itself.display().to_string(), expected, &mut told);
        }
        let archive = self.archive_of(file).map(|a| a.name.clone());
        match archive.as_ref().map(|name| folder.join(name)).filter(|path| path.is_file()) {
            Some(path) => Archive::open(&path)?.extract(expected, &part, &mut told),
            None => Err(FetchError::NotInFolder { file: file.name.clone(), folder: folder.to_owned(), archive }),
        }
    }

    /// Fetches the archive, unless another file of it was wanted before, and unpacks the one file.
    fn fetch_from_archive(
        &self,
        url: &str,
        archive: &manifest::Archive,
        file: &PackFile,
        expected: Fingerprint<'_>,
        progress: OnProgress<'_>,
    ) -> Result<(), FetchError> {
        let place = self.target.join(&archive.name);
        if !place.is_file() {
            self.download(url, &archive.name, archive.fingerprint(), progress)?;
        }
        let part = Part::of(self.target, &file.name);
        let mut told = |bytes| progress(Progress { file: &file.name, bytes, of_bytes: expected.bytes });
        Archive::open(&place)?.extract(expected, &part, &mut told)
    }

    fn download(
        &self,
        url: &str,
        name: &str,
        expected: Fingerprint<'_>,
        progress: OnProgress<'_>,
    ) -> Result<(), FetchError> {
        let mut told = |bytes| progress(Progress { file: name, bytes, of_bytes: expected.bytes });
        self.client.download(url, &Part::of(self.target, name), expected, &mut told)
    }

    /// Archives are not part of the pack.
    fn drop_archives(&self) -> Result<(), FetchError> {
        for archive in &self.manifest.archives {
            let place = self.target.join(&archive.name);
            if place.is_file() {
                fs::remove_file(&place).map_err(FetchError::io(&place))?;
            }
        }
        Ok(())
    }
}
