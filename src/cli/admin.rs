//! `rollcall admin`: what an administrator does to the database.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Outcome;
use super::output::{Output, count};
use crate::app::error::Error;
use crate::app::{BackupElsewhere, School};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Bring the tables of an older database up to date; a copy of it is kept in backups/
    Migrate(MigrateArgs),
}

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Make no copy: you have a backup. Needed for Postgres, which is backed up with pg_dump
    #[arg(long)]
    i_have_a_backup: bool,
}

pub(super) async fn run(command: &AdminCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let AdminCommand::Migrate(args) = command;
    let has = if args.i_have_a_backup { BackupElsewhere::Yes } else { BackupElsewhere::No };
    let done = School::migrate(config, has).await?;
    let mut text = match done.migrations {
        0 => "up to date".to_owned(),
        some => format!("{} made", count(some, "change")),
    };
    if let Some(copy) = &done.copy {
        text += &format!("; the database as it was is kept in {}", copy.display());
    }
    output.result(&json!({ "changes": done.migrations, "backup": done.copy }), text);
    Ok(Outcome::Done)
}
