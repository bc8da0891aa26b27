//! `rollcall models verify`: every file against its manifest, byte for byte.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::every_pack;
use crate::app::error::{Code, Error};
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::pack::{self, FileState};

#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// Name of the pack [default: all packs]
    name: Option<String>,
}

/// A pack that was never fetched is nothing bad, unless it was asked for by name.
pub(super) fn run(args: &VerifyArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let packs = every_pack(config)?;
    let wanted = packs.iter().filter(|p| args.name.as_ref().is_none_or(|name| *name == p.name));
    let checked: Vec<(&str, Vec<Checked>)> = wanted.map(|p| (p.name.as_str(), verify(&p.folder))).collect();
    if checked.is_empty() {
        let wanted = args.name.as_deref().unwrap_or("any pack");
        return Err(Error::new(Code::ModelNotLoaded, format!("{wanted} is in no models/ folder")));
    }
    let json: Vec<_> = checked.iter().map(|(name, files)| json!({ "pack": name, "files": files })).collect();
    let rows = checked.iter().flat_map(|(name, files)| {
        files
            .iter()
            .map(move |f| vec![(*name).to_owned(), f.file.clone(), f.problem.clone().unwrap_or_else(|| "ok".into())])
    });
    let text = table(&["pack", "file", "state"], &[], rows).to_string();
    output.result(&json, text);
    let fine = |files: &[Checked]| {
        let never_fetched = args.name.is_none() && files.iter().all(|f| f.missing);
        never_fetched || files.iter().all(|f| f.problem.is_none())
    };
    Ok(if checked.iter().all(|(_, files)| fine(files)) { Outcome::Done } else { Outcome::SomeFailed })
}

#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    problem: Option<String>,
    #[serde(skip)]
    missing: bool,
}

fn verify(dir: &Path) -> Vec<Checked> {
    let problem = |file: String, problem: Option<String>, missing| Checked { file, problem, missing };
    match pack::verify(dir) {
        Ok(files) => files
            .into_iter()
            .map(|(file, state)| {
                let said = (state != FileState::Good).then(|| state.to_string());
                problem(file, said, state == FileState::Missing)
            })
            .collect(),
        Err(e) => vec![problem(pack::MANIFEST_FILE.into(), Some(e.to_string()), false)],
    }
}
