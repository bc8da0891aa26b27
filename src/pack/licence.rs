//! Whether the person who runs this program has accepted the licence of a pack, remembered in the pack's folder.
//!
//! What was accepted is kept as text: a manifest with other terms asks anew. Asking is the business of `cli`.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::manifest::Licence;

/// Name of the note in a pack's folder.
pub const ACCEPTED_FILE: &str = "licence-accepted.toml";

/// The terms as they were accepted, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Accepted {
    /// ISO date and time, UTC.
    at: String,
    /// How the person said so.
    by: String,
    text: String,
    notes: String,
    commercial_use: bool,
}

/// Whether these very terms were accepted for the pack in `dir`.
pub fn is_accepted(dir: &Path, licence: &Licence) -> bool {
    let Ok(text) = fs::read_to_string(dir.join(ACCEPTED_FILE)) else { return false };
    toml::from_str::<Accepted>(&text).is_ok_and(|accepted| {
        (accepted.text, accepted.notes, accepted.commercial_use)
            == (licence.text.clone(), licence.notes.clone(), licence.commercial_use)
    })
}

/// Remembers that the terms were accepted, `at` a time and `by` a way of saying so. Makes the folder.
///
/// # Errors
/// When the note cannot be written.
pub fn accept(dir: &Path, licence: &Licence, at: &str, by: &str) -> io::Result<()> {
    let accepted = Accepted {
        at: at.to_owned(),
        by: by.to_owned(),
        text: licence.text.clone(),
        notes: licence.notes.clone(),
        commercial_use: licence.commercial_use,
    };
    let text = toml::to_string(&accepted).map_err(io::Error::other)?;
    fs::create_dir_all(dir)?;
    fs::write(dir.join(ACCEPTED_FILE), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_terms_ask_anew() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pack");
        let terms = Licence { text: "research only".into(), commercial_use: false, notes: "two\nlines".into() };
        assert!(!is_accepted(&folder, &terms));
        accept(&folder, &terms, "2026-11-21T10:00:00Z", "--accept-licence").unwrap();
        assert!(is_accepted(&folder, &terms));
        let changed = Licence { text: "research, non-commercial only".into(), ..terms.clone() };
        assert!(!is_accepted(&folder, &changed));
        assert!(!is_accepted(&folder, &Licence { commercial_use: true, ..terms }));
    }
}
