//! Files that a person holds in hand, put into the packs that want them.
//!
//! A file is known by its bytes, not by its name: it goes to every pack whose manifest wants its sha256. Archives are
//! looked into. Only where a manifest cannot know the bytes (a conversion) does a name decide, for one pack that the person
//! names, and the sha256 is then written into that pack's manifest: from then on it is that file and no other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml_edit::{ArrayOfTables, DocumentMut, value};

use super::archive::Archive;
use super::error::FetchError;
use super::part::{Part, fingerprint, write_text};
use super::pull::settle_manifest;
use super::{OnProgress, Progress};
use crate::pack::manifest::{Manifest, PackFile};
use crate::pack::{MANIFEST_FILE, PackError, folder_name, read_manifest};

/// What became of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub placed: Vec<Placed>,
}

/// One file in one pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    pub pack: String,
    pub file: String,
    /// The sha256 that was written into the manifest, which could not know it.
    pub pinned: Option<String>,
}

/// Where a pack is described and where its files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub described: PathBuf,
    pub target: PathBuf,
}

/// A file in hand and the place that it is for.
#[derive(Debug)]
struct Match<'a> {
    from: PathBuf,
    pack: &'a Pack,
    file: String,
    pin: Option<(String, u64)>,
}

#[derive(Debug)]
struct Pack {
    manifest: Manifest,
    destination: Destination,
}

/// Which packs want something of `files`, without copying anything: whose licences must be asked for.
///
/// # Errors
/// As [`import`].
pub fn wanted_by(files: &[PathBuf], packs: &[Destination], named: bool) -> Result<Vec<String>, FetchError> {
    let packs = read(packs)?;
    let mut names: Vec<String> = matches(files, &packs, named)?.iter().map(|m| m.pack.manifest.id.clone()).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Puts each of `files` (nets or zip archives) into those of `packs` that want it. `named`: the person has named the one
/// pack, so files of which its manifest knows only the name may be taken by it.
///
/// # Errors
/// [`FetchError::Unwanted`] for a file that no pack wants, before anything is copied; [`FetchError::Io`].
pub fn import(
    files: &[PathBuf],
    packs: &[Destination],
    named: bool,
    progress: OnProgress<'_>,
) -> Result<Imported, FetchError> {
    let packs = read(packs)?;
    let mut placed = Vec::new();
    for found in matches(files, &packs, named)? {
        let Destination { described, target } = &found.pack.destination;
        fs::create_dir_all(target).map_err(FetchError::io(target))?;
        settle_manifest(described, target)?;
        let pinned = match &found.pin {
            Some((sha256, bytes)) => {
                pin(target, &found.file, sha256, *bytes)?;
                Some(sha256.clone())
            }
            None => None,
        };
        put(&found, progress)?;
        placed.push(Placed { pack: found.pack.manifest.id.clone(), file: found.file, pinned });
    }
    Ok(Imported { placed })
}

fn read(packs: &[Destination]) -> Result<Vec<Pack>, FetchError> {
    let read = |destination: &Destination| {
        Ok(Pack { manifest: read_manifest(&destination.described)?, destination: destination.clone() })
    };
    packs.iter().map(read).collect()
}

fn matches<'a>(files: &[PathBuf], packs: &'a [Pack], named: bool) -> Result<Vec<Match<'a>>, FetchError> {
    let mut all = Vec::new();
    for path in files {
        let found = if is_archive(path) { in_archive(path, packs)? } else { by_bytes(path, packs, named)? };
        all.extend(found);
    }
    Ok(all)
}

fn by_bytes<'a>(path: &Path, packs: &'a [Pack], named: bool) -> Result<Vec<Match<'a>>, FetchError> {
    let (sha256, bytes) = fingerprint(path)?;
    let place = |(pack, file): (&'a Pack, &'a PackFile), pin| Match {
        from: path.to_owned(),
        pack,
        file: file.name.clone(),
        pin,
    };
    let is_it = |file: &PackFile| file.fingerprint().is_some_and(|f| f.sha256 == sha256 && f.bytes == bytes);
    let mut found: Vec<_> = wanted(packs, &is_it).into_iter().map(|w| place(w, None)).collect();
    if found.is_empty() && named {
        let name = name_of(path);
        let only_named = |file: &PackFile| file.fingerprint().is_none() && file.name == name;
        let pin = Some((sha256.clone(), bytes));
        found.extend(wanted(packs, &only_named).into_iter().map(|w| place(w, pin.clone())));
    }
    if found.is_empty() { Err(unwanted(path, sha256, packs)) } else { Ok(found) }
}

fn in_archive<'a>(path: &Path, packs: &'a [Pack]) -> Result<Vec<Match<'a>>, FetchError> {
    let mut archive = Archive::open(path)?;
    let mut found = Vec::new();
    for (pack, file) in wanted(packs, &|_| true) {
        if let Some(expected) = file.fingerprint()
            && archive.holds(expected)?
        {
            found.push(Match { from: path.to_owned(), pack, file: file.name.clone(), pin: None });
        }
    }
    if found.is_empty() { Err(unwanted(path, fingerprint(path)?.0, packs)) } else { Ok(found) }
}

fn wanted<'a>(packs: &'a [Pack], is_it: &dyn Fn(&PackFile) -> bool) -> Vec<(&'a Pack, &'a PackFile)> {
    let of_pack = |pack: &'a Pack| pack.manifest.files.iter().filter(|file| is_it(file)).map(move |file| (pack, file));
    packs.iter().flat_map(of_pack).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"))
}

/// Says what would have been taken: a file of the right name and other bytes is the likely mistake.
fn unwanted(path: &Path, sha256: String, packs: &[Pack]) -> FetchError {
    let name = name_of(path);
    let mut hint = String::new();
    for pack in packs {
        for file in pack.manifest.files.iter().filter(|f| f.name == name) {
            hint = match file.fingerprint() {
                Some(expected) => format!("; {} wants a {name} with sha256 {}", pack.manifest.id, expected.sha256),
                None => format!("; if it is the one that you made for {0}, say so with `--as {0}`", pack.manifest.id),
            };
        }
    }
    let wanted = match packs {
        [one] => format!("the pack {}", one.manifest.id),
        _ => "any pack whose manifest is in a models/ folder".to_owned(),
    };
    FetchError::Unwanted { file: path.to_owned(), sha256, wanted, hint }
}

fn put(found: &Match<'_>, progress: OnProgress<'_>) -> Result<(), FetchError> {
    // Read again: the manifest may just have learnt what the file must be.
    let manifest = read_manifest(&found.pack.destination.target)?;
    let file = manifest.files.iter().find(|f| f.name == found.file);
    let Some(expected) = file.and_then(PackFile::fingerprint) else {
        return Err(FetchError::Unpinned { pack: manifest.id.clone(), file: found.file.clone() });
    };
    let part = Part::of(&found.pack.destination.target, &found.file);
    let mut told = |bytes| progress(Progress { file: &found.file, bytes, of_bytes: expected.bytes });
    if is_archive(&found.from) {
        return Archive::open(&found.from)?.extract(expected, &part, &mut told);
    }
    let mut from = File::open(&found.from).map_err(FetchError::io(&found.from))?;
    part.fill(&mut from, &found.from.display().to_string(), expected, &mut told)
}

/// Writes the sha256 and size of a file into the manifest in `dir`, which did not know them; all else stays as it was.
fn pin(dir: &Path, name: &str, sha256: &str, bytes: u64) -> Result<(), FetchError> {
    let path = dir.join(MANIFEST_FILE);
    let text = fs::read_to_string(&path).map_err(FetchError::io(&path))?;
    let broken = |reason: String| PackError::Manifest { name: folder_name(dir), reason };
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| broken(e.to_string()))?;
    let files = document.get_mut("files").and_then(|item| item.as_array_of_tables_mut());
    let listed = |files: &mut ArrayOfTables| {
        let file = files.iter_mut().find(|f| f.get("name").and_then(|n| n.as_str()) == Some(name))?;
        file.insert("sha256", value(sha256));
        file.insert("bytes", value(i64::try_from(bytes).ok()?));
        Some(())
    };
    files.and_then(listed).ok_or_else(|| broken(format!("{name} is not listed under [[files]]")))?;
    let text = document.to_string();
    Manifest::parse(&text).map_err(broken)?;
    write_text(&path, &text)
}
