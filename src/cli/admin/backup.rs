//! `rollcall admin backup`: a copy of a SQLite database while others work on it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::app::School;
use crate::app::error::Error;
use crate::cli::output::Output;
use crate::config::Config;

#[derive(Debug, Args)]
pub(in crate::cli) struct BackupArgs {
    /// The copy; photos are not in it, see deploy/backup.sh
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: &BackupArgs, config: &Config, output: &Output) -> Result<(), Error> {
    let newest = School::back_up(config, &args.file).await?;
    let report = json!({ "backup": args.file, "newest_objects": newest });
    output.result(&report, format!("the database is copied to {}", args.file.display()));
    Ok(())
}
