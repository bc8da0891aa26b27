//! `rollcall models`: which packs there are, how their files come here, whether they are whole, how fast they run.

mod import;
mod licence;
mod list;
mod pull;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;

use super::Outcome;
use super::output::Output;
use crate::app::error::Error;
use crate::app::packs::{Found, every_pack};
use crate::config::Config;
use crate::pack::fetch::Progress;

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the packs of every models/ folder with their state and licence
    List,
    /// Fetch the files of a pack from its publisher, or from a folder or server of your own
    Pull(pull::PullArgs),
    /// Put files that you have into the packs that want them; they are known by their bytes
    Import(import::ImportArgs),
    /// Check every file of a pack against its manifest
    Verify(verify::VerifyArgs),
    /// The same as `rollcall bench`
    Bench(super::bench::BenchArgs),
}

pub(super) async fn run(command: &ModelsCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    match command {
        ModelsCommand::List => list::run(config, output),
        ModelsCommand::Pull(args) => tokio::task::block_in_place(|| pull::run(args, config, output)),
        ModelsCommand::Import(args) => tokio::task::block_in_place(|| import::run(args, config, output)),
        ModelsCommand::Verify(args) => verify::run(args, config, output),
        ModelsCommand::Bench(args) => super::bench::run(args, config, output).await,
    }
}

/// Where the files of a pack go: the school's own models/, never the folder of the program.
fn own_folder(config: &Config, pack: &str) -> PathBuf {
    config.data_dir.join("models").join(pack)
}

/// Draws how far each file has come.
fn draw(bar: &indicatif::ProgressBar) -> impl FnMut(Progress<'_>) {
    let mut shown = String::new();
    move |progress| {
        if shown != progress.file {
            progress.file.clone_into(&mut shown);
            bar.reset();
            bar.set_length(progress.of_bytes);
            bar.set_message(shown.clone());
        }
        bar.set_position(progress.bytes);
    }
}
