//! `rollcall models list`: every pack with its state, its licence and what it may be used for.

use crate::app::error::Error;
use crate::app::packs::{self, ListedPack};
use crate::cli::Outcome;
use crate::cli::output::Output;
use crate::config::Config;
use crate::pack::Presence;

/// Packs that were not fetched are offers, not failures; a broken one is.
pub(super) fn run(config: &Config, output: &Output) -> Result<Outcome, Error> {
    let packs = packs::list(config)?;
    let text = packs.iter().map(describe).collect::<Vec<_>>().join("\n\n");
    let any_broken = packs.iter().any(|p| matches!(p.presence, Presence::Broken { .. }));
    output.result(&packs, text);
    Ok(if any_broken { Outcome::SomeFailed } else { Outcome::Done })
}

fn describe(pack: &ListedPack) -> String {
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
