//! `rollcall models list`: every pack with its state, its licence and what it may be used for.

use serde::Serialize;

use super::{Found, every_pack};
use crate::app::error::Error;
use crate::cli::Outcome;
use crate::cli::output::Output;
use crate::config::Config;
use crate::pack::{Presence, licence};

/// A pack as programs read it.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    folder: String,
    active: bool,
    /// `ready`, `not_fetched` or `broken`.
    #[serde(flatten)]
    presence: Presence,
    version: Option<String>,
    title: Option<String>,
    licence: Option<String>,
    licence_notes: Option<String>,
    commercial_use: Option<bool>,
    licence_accepted: bool,
    /// False: every face is at most a doubt.
    calibrated: Option<bool>,
    /// Why nobody has run the pack yet.
    untested: Option<String>,
}

/// Packs that were not fetched are offers, not failures; a broken one is.
pub(super) fn run(config: &Config, output: &Output) -> Result<Outcome, Error> {
    let active = config.pack_dir();
    let packs: Vec<Listed> = every_pack(config)?
        .into_iter()
        .map(|found| {
            let in_use = active.as_deref() == Some(found.folder.as_path());
            listed(found, in_use)
        })
        .collect();
    let text = packs.iter().map(describe).collect::<Vec<_>>().join("\n\n");
    let any_broken = packs.iter().any(|p| matches!(p.presence, Presence::Broken { .. }));
    output.result(&packs, text);
    Ok(if any_broken { Outcome::SomeFailed } else { Outcome::Done })
}

fn listed(found: Found, active: bool) -> Listed {
    let known = found.manifest.as_ref().ok();
    Listed {
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

fn describe(pack: &Listed) -> String {
    let active = if pack.active { " (in use)" } else { "" };
    let known = |text: &Option<String>| text.clone().unwrap_or_default();
    let state = match &pack.presence {
        Presence::Ready => "ready".to_owned(),
        Presence::NotFetched { missing } => {
            format!("not fetched ({} missing): rollcall models pull {}", missing.join(", "), pack.name)
        }
        Presence::Broken { reason } => format!("broken: {reason}"),
    };
    let mut lines = vec![format!("{} {}{active}: {}", pack.name, known(&pack.version), known(&pack.title)), state];
    if let Some(reason) = &pack.untested {
        lines.push(format!("untested: {reason}"));
    }
    if pack.calibrated == Some(false) {
        lines.push("not calibrated: every face is at most a doubt".to_owned());
    }
    if let Some(commercial) = pack.commercial_use {
        lines.push(format!("commercial use {}", if commercial { "allowed" } else { "NOT allowed" }));
        lines.push(format!("licence: {}", known(&pack.licence)));
    }
    lines.push(pack.folder.clone());
    lines.join("\n  ")
}
