//! `rollcall admin storage`: whether photos and database fit together.

use clap::{Args, Subcommand};

use crate::app::School;
use crate::app::error::Error;
use crate::app::storage_check::{self, Depth, Orphans, StorageReport};
use crate::cli::Outcome;
use crate::cli::output::{Output, count};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StorageCommand {
    /// Find photos and portraits that are missing, and stored files that nothing in the database names
    Check(StorageCheckArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StorageCheckArgs {
    /// Read every photo and portrait, and find those that are not what was stored
    #[arg(long)]
    hashes: bool,
    /// Delete what nothing in the database names and is older than an hour
    #[arg(long)]
    delete_orphans: bool,
}

pub(super) async fn run(command: &StorageCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    match command {
        StorageCommand::Check(args) => check(args, config, output).await,
    }
}

async fn check(args: &StorageCheckArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    let depth = if args.hashes { Depth::Hashes } else { Depth::Keys };
    let orphans = if args.delete_orphans { Orphans::Delete } else { Orphans::Keep };
    let report = storage_check::check(&school, depth, orphans).await?;
    output.result(&report, describe(&report, args));
    Ok(if report.is_well() { Outcome::Done } else { Outcome::SomeFailed })
}

fn describe(report: &StorageReport, args: &StorageCheckArgs) -> String {
    let (rows, objects) = (count(report.rows as usize, "row"), count(report.objects as usize, "object"));
    let mut text = format!("{rows} of photos and portraits, {objects} of {} MB", report.bytes.div_ceil(1 << 20));
    let restored = "bring them back from a backup; what was decided from them stays";
    let orphaned = match (args.delete_orphans, report.orphans.count - report.deleted) {
        (true, 0) => "deleted",
        (true, _) => "deleted, but for some that somebody has used meanwhile; check again",
        (false, _) => "named by nothing in the database; --delete-orphans deletes them",
    };
    for (what, found, advice) in [
        ("missing", &report.missing, restored),
        ("damaged", &report.damaged, restored),
        ("orphaned", &report.orphans, orphaned),
    ] {
        if found.count > 0 {
            text.push_str(&format!("\n{what}: {}, {advice}", count(found.count as usize, "object")));
            text.extend(found.keys.iter().map(|key| format!("\n  {key}")));
            let more = found.count - found.keys.len() as u64;
            text.push_str(&if more > 0 { format!("\n  and {more} more") } else { String::new() });
        }
    }
    text + if report.is_well() && report.orphans.count == 0 { "\nall is well" } else { "" }
}
