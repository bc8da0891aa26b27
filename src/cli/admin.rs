//! `rollcall admin`: what an administrator does to the database.

use clap::Subcommand;
use serde_json::json;

use super::Outcome;
use super::output::{Output, count};
use crate::app::School;
use crate::app::error::Error;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Bring the tables of an older database up to date
    Migrate,
}

pub(super) async fn run(command: &AdminCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let AdminCommand::Migrate = command;
    let changes = School::migrate(config).await?;
    let text = if changes == 0 { "up to date".to_owned() } else { format!("{} made", count(changes, "change")) };
    output.result(&json!({ "changes": changes }), text);
    Ok(Outcome::Done)
}
