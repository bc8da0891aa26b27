//! What of a pack is on this machine, told from names and sizes alone: quick enough for a list. Hashes are compared when a
//! pack is opened or verified.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::manifest::{Manifest, PackFile};

/// What of a pack is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Presence {
    /// Every file is there in its size.
    Ready,
    /// Files are missing; those that are there are whole.
    NotFetched { missing: Vec<String> },
    /// A file is there that cannot be what the manifest says, or of which the manifest cannot say what it must be.
    Broken { reason: String },
}

impl Presence {
    /// Looks at the folder `dir` of the pack.
    pub fn of(dir: &Path, manifest: &Manifest) -> Self {
        let mut missing = Vec::new();
        for file in &manifest.files {
            match fs::metadata(dir.join(&file.name)) {
                Err(_) => missing.push(file.name.clone()),
                Ok(found) => {
                    if let Some(reason) = complaint(file, found.len()) {
                        return Self::Broken { reason };
                    }
                }
            }
        }
        if missing.is_empty() { Self::Ready } else { Self::NotFetched { missing } }
    }
}

fn complaint(file: &PackFile, found: u64) -> Option<String> {
    let name = &file.name;
    match file.fingerprint() {
        None => Some(format!("{name} has no sha256 in the manifest; `rollcall models import` writes it down")),
        Some(expected) if expected.bytes != found => {
            Some(format!("{name} has {found} bytes, the manifest says {}", expected.bytes))
        }
        Some(_) => None,
    }
}
