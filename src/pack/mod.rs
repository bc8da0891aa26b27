//! Model packs: a folder with `pack.toml` and ONNX files, opened only when every file is what the manifest says.
//!
//! Reads and hashes; never runs a net (`engine` does, and checks the real shapes there). Called by `app`, `cli` and `engine`.

pub mod detector;
pub mod fetch;
pub mod licence;
pub mod manifest;
mod presence;
pub mod rescore;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use manifest::Manifest;
pub use presence::Presence;

/// Name of the manifest in a pack's folder.
pub const MANIFEST_FILE: &str = "pack.toml";

/// Why a pack cannot be used.
#[derive(Debug, Error)]
pub enum PackError {
    #[error(
        "there is no model pack {name}: {MANIFEST_FILE} is missing; `rollcall models list` shows the packs there are"
    )]
    NotFound { name: String },
    #[error("cannot read {file} of model pack {name}: {source}")]
    Unreadable { name: String, file: String, source: io::Error },
    #[error("{MANIFEST_FILE} of model pack {name}: {reason}")]
    Manifest { name: String, reason: String },
    #[error("{file} of model pack {name} {state}; `rollcall models pull {name}` fetches what is missing")]
    File { name: String, file: String, state: FileState },
}

/// What was found of one file of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileState {
    #[error("is as the manifest says")]
    Good,
    #[error("is missing")]
    Missing,
    #[error("has no sha256 in the manifest and cannot be trusted; `rollcall models import` writes it down")]
    Unpinned,
    #[error("has {found} bytes, the manifest says {expected}")]
    WrongSize { expected: u64, found: u64 },
    #[error("has sha256 {found}, the manifest says {expected}")]
    WrongHash { expected: String, found: String },
}

/// An opened pack: every listed file was there and had its hash.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    dir: PathBuf,
    manifest: Manifest,
}

impl Pack {
    /// Reads the manifest in `dir` and checks all its files.
    ///
    /// # Errors
    /// [`PackError`], naming the pack, the file and the difference; the first bad file ends the check.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        let manifest = read_manifest(dir)?;
        for (file, state) in check_files(dir, &manifest)? {
            if state != FileState::Good {
                return Err(PackError::File { name: folder_name(dir), file, state });
            }
        }
        Ok(Self { dir: dir.to_owned(), manifest })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The pack as results name it, for example `starter@0`.
    pub fn id_version(&self) -> String {
        self.manifest.id_version()
    }

    /// Path of a file of the manifest. Manifests hold plain names only, so it lies in the pack's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The packs under `models_dir` (one folder each), by folder name. Manifests are read, files are not hashed.
///
/// # Errors
/// When `models_dir` itself cannot be listed; a broken manifest is an entry of the list.
pub fn list(models_dir: &Path) -> io::Result<Vec<(String, Result<Manifest, PackError>)>> {
    let mut dirs = Vec::new();
    for entry in fs::read_dir(models_dir)? {
        let path = entry?.path();
        if path.join(MANIFEST_FILE).is_file() {
            dirs.push(path);
        }
    }
    dirs.sort();
    Ok(dirs.into_iter().map(|dir| (folder_name(&dir), read_manifest(&dir))).collect())
}

/// The state of every file of the pack in `dir`, in the order of the manifest.
///
/// # Errors
/// When the manifest is missing or broken, or a file is there but cannot be read.
pub fn verify(dir: &Path) -> Result<Vec<(String, FileState)>, PackError> {
    check_files(dir, &read_manifest(dir)?)
}

fn read_manifest(dir: &Path) -> Result<Manifest, PackError> {
    let name = folder_name(dir);
    let text = match fs::read_to_string(dir.join(MANIFEST_FILE)) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(PackError::NotFound { name }),
        Err(source) => return Err(PackError::Unreadable { name, file: MANIFEST_FILE.to_owned(), source }),
    };
    Manifest::parse(&text).map_err(|reason| PackError::Manifest { name, reason })
}

fn check_files(dir: &Path, manifest: &Manifest) -> Result<Vec<(String, FileState)>, PackError> {
    let check = |file: &manifest::PackFile| match state_of(&dir.join(&file.name), file) {
        Ok(state) => Ok((file.name.clone(), state)),
        Err(source) => Err(PackError::Unreadable { name: folder_name(dir), file: file.name.clone(), source }),
    };
    manifest.files.iter().map(check).collect()
}

fn state_of(path: &Path, expected: &manifest::PackFile) -> io::Result<FileState> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(FileState::Missing),
        Err(e) => return Err(e),
    };
    let Some(expected) = expected.fingerprint() else { return Ok(FileState::Unpinned) };
    let found = file.metadata()?.len();
    if found != expected.bytes {
        return Ok(FileState::WrongSize { expected: expected.bytes, found });
    }
    let found = sha256(&mut file)?;
    if found != expected.sha256 {
        return Ok(FileState::WrongHash { expected: expected.sha256.to_owned(), found });
    }
    Ok(FileState::Good)
}

fn sha256(from: &mut impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn folder_name(dir: &Path) -> String {
    dir.file_name().map_or_else(|| dir.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
    }

    fn copy_of_starter() -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(models().join("starter")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        copy
    }

    #[test]
    fn the_starter_pack_opens() {
        let pack = Pack::open(&models().join("starter")).unwrap();
        assert_eq!(pack.id_version(), "starter@0");
        assert!(pack.file("pnet.onnx").is_file());
    }

    #[test]
    fn a_changed_file_is_found_and_named() {
        let copy = copy_of_starter();
        let path = copy.path().join("rnet.onnx");
        let mut bytes = fs::read(&path).unwrap();
        bytes[1000] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Pack::open(copy.path()).unwrap_err().to_string();
        assert!(error.contains("rnet.onnx") && error.contains("sha256"), "{error}");
        bytes.pop();
        fs::write(&path, &bytes).unwrap();
        let error = Pack::open(copy.path()).unwrap_err().to_string();
        assert!(error.contains("562100 bytes"), "{error}");
    }

    #[test]
    fn verify_speaks_of_every_file() {
        let copy = copy_of_starter();
        fs::remove_file(copy.path().join("embedder.onnx")).unwrap();
        let states = verify(copy.path()).unwrap();
        assert_eq!(states.len(), 4);
        assert_eq!(states.iter().filter(|(_, state)| *state == FileState::Good).count(), 3);
        assert!(states.contains(&("embedder.onnx".to_owned(), FileState::Missing)));
    }

    #[test]
    fn every_manifest_of_the_repository_is_whole_and_names_nobody_uncalibrated() {
        for name in ["buffalo-l", "buffalo-s", "buffalo-s-dequant", "facenet512", "mtcnn-edgeface-xs", "starter"] {
            let manifest = read_manifest(&models().join(name)).unwrap();
            assert_eq!(manifest.id, name);
            assert!(!manifest.licence.commercial_use && !manifest.licence.notes.is_empty(), "{name}");
            assert!(manifest.scoring.is_calibrated() || manifest.scoring.accept <= 1.0, "{name}");
        }
    }

    #[test]
    fn a_manifest_without_its_files_is_not_fetched() {
        let dir = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(models().join("buffalo-s/pack.toml")).unwrap();
        fs::write(dir.path().join(MANIFEST_FILE), &text).unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        let missing = vec!["det_500m.onnx".to_owned(), "w600k_mbf.onnx".to_owned()];
        assert_eq!(Presence::of(dir.path(), &manifest), Presence::NotFetched { missing });
        let error = Pack::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("det_500m.onnx") && error.contains("models pull"), "{error}");
        fs::write(dir.path().join("det_500m.onnx"), "short").unwrap();
        let Presence::Broken { reason } = Presence::of(dir.path(), &manifest) else { panic!("not broken") };
        assert_eq!(reason, "det_500m.onnx has 5 bytes, the manifest says 2524817");
    }

    #[test]
    fn a_file_that_the_manifest_cannot_vouch_for_is_not_opened() {
        let copy = copy_of_starter();
        let path = copy.path().join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).unwrap();
        let known = "sha256 = \"2d2b6d0c8fd0e528213fff3b8955a8b89c8dbd0d092a97ba9c23cba687a4373a\"\nbytes = 5234551\n";
        assert!(text.contains(known));
        fs::write(&path, text.replace(known, "")).unwrap();
        let error = Pack::open(copy.path()).unwrap_err().to_string();
        assert!(error.contains("embedder.onnx") && error.contains("models import"), "{error}");
    }

    #[test]
    fn a_folder_without_manifest_is_no_pack() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(Pack::open(empty.path()), Err(PackError::NotFound { .. })));
    }

    #[test]
    fn list_shows_broken_packs_too() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("b-broken", "id = 3"), ("a-good", include_str!("../../models/starter/pack.toml"))] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join(MANIFEST_FILE), text).unwrap();
        }
        fs::create_dir(dir.path().join("no-pack")).unwrap();
        let packs = list(dir.path()).unwrap();
        assert_eq!(packs.len(), 2);
        assert!(packs[0].0 == "a-good" && packs[0].1.is_ok());
        assert!(packs[1].0 == "b-broken" && packs[1].1.is_err());
    }
}
