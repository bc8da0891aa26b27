//! `rollcall roster import`: the school's list of students.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Outcome;
use super::output::Output;
use crate::app::error::Error;
use crate::app::{Mode, School, roster};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum RosterCommand {
    /// Import a CSV file: class,section,name,roll_no,prn,email and, if known, consent
    Import(ImportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// CSV file with the columns class,section,name,roll_no,prn,email and, if known, consent
    file: PathBuf,
    /// The term that the classes belong to [default: the settings' term]
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// Print what would change and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(command: &RosterCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let RosterCommand::Import(args) = command;
    let school = School::open(config).await?;
    let bytes = std::fs::read(&args.file).map_err(|e| Error::file(&args.file, &e))?;
    let term = args.term.clone().unwrap_or_else(|| config.term.clone());
    let mode = if args.dry_run { Mode::Preview } else { Mode::Apply };
    let change = roster::import(&school, bytes, term, mode).await.map_err(|e| e.of(args.file.display()))?;
    let heading = if args.dry_run { "nothing was changed; this would be:\n" } else { "" };
    output.result(&change, format!("{heading}{change}"));
    Ok(Outcome::Done)
}
