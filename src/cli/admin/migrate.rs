//! `rollcall admin migrate`: the tables of an older database, brought up to date.

use clap::Args;
use serde_json::json;

use crate::app::error::Error;
use crate::app::{BackupElsewhere, School};
use crate::cli::output::{Output, count};
use crate::config::Config;

#[derive(Debug, Args)]
pub(in crate::cli) struct MigrateArgs {
    /// Make no copy: you have a backup. Needed for Postgres, which is backed up with pg_dump
    #[arg(long)]
    i_have_a_backup: bool,
}

pub(super) async fn run(args: &MigrateArgs, config: &Config, output: &Output) -> Result<(), Error> {
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
    Ok(())
}
