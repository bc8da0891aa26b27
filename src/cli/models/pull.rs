//! `rollcall models pull`: the files of a pack, from wherever they are, into the school's own models/.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{draw, every_pack, licence, own_folder};
use crate::app::error::{Code, Error};
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::pack::fetch::{self, Origin};

#[derive(Debug, Args)]
pub(in crate::cli) struct PullArgs {
    /// Name of the pack, as `models list` shows it
    name: String,
    /// Folder, or http(s) address of a folder, that holds the pack's files or archives [default: their publishers]
    #[arg(long, value_name = "DIR_OR_URL")]
    from: Option<String>,
    /// You have read the pack's licence and accept it: for scripts, which cannot be asked
    #[arg(long)]
    accept_licence: bool,
}

pub(super) fn run(args: &PullArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let Some(found) = every_pack(config)?.into_iter().find(|p| p.name == args.name) else {
        let message = format!("there is no pack {}; `rollcall models list` shows those that can be pulled", args.name);
        return Err(Error::new(Code::ModelNotLoaded, message));
    };
    let manifest = found.manifest?;
    let origin = origin(args.from.as_deref())?;
    let target = own_folder(config, &found.name);
    licence::settle(&manifest, &target, args.accept_licence)?;
    let bar = output.byte_bar();
    let pulled = fetch::pull(&found.folder, &target, &origin, &mut draw(&bar));
    bar.finish_and_clear();
    let pulled = pulled?;
    let rows = pulled.iter().map(|p| {
        let done = if p.outcome == fetch::Outcome::Fetched { "fetched" } else { "was there" };
        vec![p.file.clone(), p.bytes.to_string(), done.to_owned()]
    });
    let name = &found.name;
    let text = format!(
        "{}\n\n{name} is ready in {}; use it with --pack {name}, or pack = \"{name}\" in rollcall.toml",
        table(&["file", "bytes", ""], &[1], rows),
        target.display(),
    );
    output.result(&json!({ "pack": found.name, "folder": target, "files": pulled }), text);
    Ok(Outcome::Done)
}

/// An address has a scheme of the web; another scheme is a mistake, not a folder.
fn origin(from: Option<&str>) -> Result<Origin, Error> {
    let Some(from) = from else { return Ok(Origin::Published) };
    let lower = from.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return Ok(Origin::Server(from.to_owned()));
    }
    let folder = PathBuf::from(from);
    if folder.is_dir() {
        return Ok(Origin::Folder(folder));
    }
    let message = format!("--from {from}: no such folder, and no address that begins with http:// or https://");
    Err(Error::new(Code::InvalidSettings, message))
}
