//! Showing the terms of a pack and asking for them, once.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use chrono::{SecondsFormat, Utc};

use crate::app::error::{Code, Error};
use crate::pack::Manifest;
use crate::pack::licence;
use crate::telemetry;

/// Shows the licence of a pack and has it accepted: by the flag, or by a person at the terminal. What was accepted is
/// remembered in `dir`, the pack's folder in the school's own models/.
///
/// # Errors
/// `LICENCE_NOT_ACCEPTED` when nobody can be asked or the answer is no.
pub(super) fn settle(manifest: &Manifest, dir: &Path, accepted_by_flag: bool) -> Result<(), Error> {
    if licence::is_accepted(dir, &manifest.licence) {
        return Ok(());
    }
    telemetry::bars().suspend(|| eprintln!("{}", terms(manifest)));
    let by = if accepted_by_flag {
        "--accept-licence"
    } else if io::stdin().is_terminal() && io::stderr().is_terminal() {
        ask(manifest)?;
        "typed yes"
    } else {
        return Err(refused(manifest, "nobody is there to accept its licence; read it above and add --accept-licence"));
    };
    let at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    licence::accept(dir, &manifest.licence, &at, by).map_err(|e| Error::file(dir, &e))
}

fn terms(manifest: &Manifest) -> String {
    let said = &manifest.licence;
    let commercial = if said.commercial_use { "allowed" } else { "NOT allowed" };
    let notes: String = said.notes.trim().lines().map(|line| format!("\n  {line}")).collect();
    format!("{}: {}\n  licence: {}\n  commercial use {commercial}{notes}", manifest.id, manifest.title, said.text)
}

fn ask(manifest: &Manifest) -> Result<(), Error> {
    let typed = telemetry::bars().suspend(|| {
        eprint!("Do you accept these terms? Type yes: ");
        io::stderr().flush()?;
        let mut typed = String::new();
        io::stdin().read_line(&mut typed).map(|_| typed)
    });
    let typed = typed.map_err(|e| Error::new(Code::LicenceNotAccepted, format!("the answer cannot be read: {e}")))?;
    if typed.trim().eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        Err(refused(manifest, "its licence was not accepted"))
    }
}

fn refused(manifest: &Manifest, why: &str) -> Error {
    Error::new(Code::LicenceNotAccepted, format!("nothing of {} was brought here: {why}", manifest.id))
}
