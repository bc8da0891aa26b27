//! `rollcall admin`: what an administrator does to the database, the queue, the photo store, users and tokens.

mod audit;
mod backup;
mod jobs;
mod migrate;
mod password;
mod storage;
mod token;
mod user;

use clap::Subcommand;

use super::Outcome;
use super::output::Output;
use crate::app::error::Error;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Bring the tables of an older database up to date; a copy of it is kept in backups/
    Migrate(migrate::MigrateArgs),
    /// Copy a SQLite database into a new file, checked, while others work on it
    Backup(backup::BackupArgs),
    /// Look at the queue, try failed jobs again, cancel waiting ones
    Jobs(jobs::JobsArgs),
    /// Compare the photo store with the database
    #[command(subcommand)]
    Storage(storage::StorageCommand),
    /// Say who may sign in, and what they may do
    #[command(subcommand)]
    User(user::UserCommand),
    /// Make and end tokens of other systems
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Show who did what
    Audit(audit::AuditArgs),
}

pub(super) async fn run(command: &AdminCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    match command {
        AdminCommand::Migrate(args) => migrate::run(args, config, output).await?,
        AdminCommand::Backup(args) => backup::run(args, config, output).await?,
        AdminCommand::Jobs(args) => jobs::run(args, config, output).await?,
        AdminCommand::Storage(command) => return storage::run(command, config, output).await,
        AdminCommand::User(command) => user::run(command, config, output).await?,
        AdminCommand::Token(command) => token::run(command, config, output).await?,
        AdminCommand::Audit(args) => audit::run(args, config, output).await?,
    }
    Ok(Outcome::Done)
}
