//! `rollcall models import`: files that somebody has already, into the packs that want them.

use std::path::PathBuf;

use clap::Args;

use super::{Found, draw, every_pack, licence, own_folder};
use crate::app::error::{Code, Error};
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::pack::Presence;
use crate::pack::fetch::{self, Destination};

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// ONNX files, or zip archives that hold them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only for this pack; needed for files that you have converted yourself, whose sha256 no manifest can know
    #[arg(long = "as", value_name = "NAME")]
    pack: Option<String>,
    /// You have read the licences and accept them: for scripts, which cannot be asked
    #[arg(long)]
    accept_licence: bool,
}

pub(super) fn run(args: &ImportArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let packs = candidates(args, config)?;
    let destinations: Vec<Destination> = packs
        .iter()
        .map(|p| Destination { described: p.folder.clone(), target: own_folder(config, &p.name) })
        .collect();
    let wanting = fetch::wanted_by(&args.files, &destinations, args.pack.is_some())?;
    for pack in packs.iter().filter(|p| wanting.contains(&p.name)) {
        if let Ok(manifest) = &pack.manifest {
            licence::settle(manifest, &own_folder(config, &pack.name), args.accept_licence)?;
        }
    }
    let bar = output.byte_bar();
    let imported = fetch::import(&args.files, &destinations, args.pack.is_some(), &mut draw(&bar));
    bar.finish_and_clear();
    let imported = imported?;
    let rows = imported.placed.iter().map(|p| {
        let pinned = p.pinned.as_ref().map(|sha256| format!("sha256 {sha256} is now in its manifest"));
        vec![p.pack.clone(), p.file.clone(), pinned.unwrap_or_default()]
    });
    let text = format!("{}\n\n{}", table(&["pack", "file", ""], &[], rows), states(&wanting, config)?);
    output.result(&imported, text);
    Ok(Outcome::Done)
}

/// The packs that may take the files: the one that was named, or all whose manifest can be read.
fn candidates(args: &ImportArgs, config: &Config) -> Result<Vec<Found>, Error> {
    let mut packs = every_pack(config)?;
    if let Some(name) = &args.pack {
        packs.retain(|p| p.name == *name);
        let Some(found) = packs.pop() else {
            let message = format!("there is no pack {name}; `rollcall models list` shows those there are");
            return Err(Error::new(Code::ModelNotLoaded, message));
        };
        return Ok(vec![Found { manifest: Ok(found.manifest?), ..found }]);
    }
    packs.retain(|p| p.manifest.is_ok());
    Ok(packs)
}

/// What each pack still lacks.
fn states(names: &[String], config: &Config) -> Result<String, Error> {
    let packs = every_pack(config)?;
    let state = |pack: &Found| match pack.manifest.as_ref().map(|manifest| Presence::of(&pack.folder, manifest)) {
        Ok(Presence::Ready) => format!("{} is ready in {}", pack.name, pack.folder.display()),
        Ok(Presence::NotFetched { missing }) => format!("{} still lacks {}", pack.name, missing.join(", ")),
        Ok(Presence::Broken { reason }) => format!("{} is broken: {reason}", pack.name),
        Err(e) => e.to_string(),
    };
    Ok(packs.iter().filter(|p| names.contains(&p.name)).map(state).collect::<Vec<_>>().join("\n"))
}
