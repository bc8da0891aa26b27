//! The model packs of this machine: which there are, in what state, and which is in use.

use std::path::PathBuf;

use serde::Serialize;

use super::error::Error;
use crate::config::Config;
use crate::pack::{self, Manifest, PackError, Presence, licence};

/// A pack of a `models/` folder.
#[derive(Debug)]
pub struct Found {
    pub name: String,
    pub folder: PathBuf,
    pub manifest: Result<Manifest, PackError>,
}

/// A pack as programs read it.
#[derive(Debug, Serialize)]
pub struct ListedPack {
    pub name: String,
    pub folder: String,
    pub active: bool,
    /// `ready`, `not_fetched` or `broken`.
    #[serde(flatten)]
    pub presence: Presence,
    pub version: Option<String>,
    pub title: Option<String>,
    pub licence: Option<String>,
    pub licence_notes: Option<String>,
    pub commercial_use: Option<bool>,
    pub licence_accepted: bool,
    /// False: every face is at most a doubt.
    pub calibrated: Option<bool>,
    /// Why nobody has run the pack yet.
    pub untested: Option<String>,
}

/// The packs of all `models/` folders. Of two with the same name the nearer one counts, as it does when a pack is opened.
///
/// # Errors
/// `FILE_ERROR` when a folder cannot be listed.
pub fn every_pack(config: &Config) -> Result<Vec<Found>, Error> {
    let mut packs: Vec<Found> = Vec::new();
    for models in config.models_dirs() {
        for (name, manifest) in pack::list(&models).map_err(|e| Error::file(&models, &e))? {
            if packs.iter().all(|known| known.name != name) {
                packs.push(Found { folder: models.join(&name), name, manifest });
            }
        }
    }
    packs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packs)
}

/// The same with what is known of each from its manifest and its files' sizes.
///
/// # Errors
/// As [`every_pack`].
pub fn list(config: &Config) -> Result<Vec<ListedPack>, Error> {
    let active = config.pack_dir();
    let listed = |found: Found| {
        let in_use = active.as_deref() == Some(found.folder.as_path());
        ListedPack::of(found, in_use)
    };
    Ok(every_pack(config)?.into_iter().map(listed).collect())
}

impl ListedPack {
    fn of(found: Found, active: bool) -> Self {
        let known = found.manifest.as_ref().ok();
        Self {
            folder: found.folder.display().to_string(),
            active,
            presence: match &found.manifest {
                Ok(manifest) => Presence::of(&found.folder, manifest),
                Err(e) => Presence::Broken { reason: e.to_string() },
            },
            version: known.map(|m| m.version.clone()),
            title: known.map(|m| m.title.clone()),
            licence: known.map(|m| m.licence.text.clone()),
            licence_notes: known.map(|m| m.licence.notes.trim().to_owned()),
            commercial_use: known.map(|m| m.licence.commercial_use),
            licence_accepted: known.is_some_and(|m| licence::is_accepted(&found.folder, &m.licence)),
            calibrated: known.map(|m| m.scoring.is_calibrated()),
            untested: known.and_then(|m| m.untested.clone()),
            name: found.name,
        }
    }

    /// Whether it can be opened, and why not.
    pub fn readiness(&self) -> Result<(), String> {
        match &self.presence {
            Presence::Ready => Ok(()),
            Presence::NotFetched { missing } => Err(format!("not fetched: {} missing", missing.join(", "))),
            Presence::Broken { reason } => Err(reason.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::recogniser::testing::settings;

    #[test]
    fn the_starter_pack_is_ready_and_in_use_and_others_are_offers() {
        let packs = list(&settings()).unwrap();
        let starter = packs.iter().find(|p| p.name == "starter").unwrap();
        assert!(starter.active && starter.readiness().is_ok() && starter.calibrated == Some(true));
        assert_eq!(packs.iter().filter(|p| p.active).count(), 1);
        let offer = packs.iter().find(|p| p.name == "facenet512").unwrap();
        assert!(offer.readiness().is_err_and(|why| !why.is_empty()) && offer.untested.is_some());
    }
}
