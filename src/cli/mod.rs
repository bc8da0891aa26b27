//! The command line: one file per command, each of which calls `app` and prints what came back.
//!
//! Results go to standard output, as text for people or with `--json` as one JSON value for machines. Progress, logs and
//! errors go to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some items failed.

mod admin;
mod batch;
mod bench;
mod demo;
mod doctor;
mod enrol;
mod enrolment;
mod evaluate;
mod export;
mod import_sheet;
mod init;
mod models;
mod output;
mod pilot;
mod rematch;
mod roster;
mod serve;
mod signals;
mod work;

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::error::{Code, Error};
use crate::app::process_memory;
use crate::app::term::ClassWish;
use crate::config::{Config, Overrides, Provider};
use crate::telemetry;
use output::{Format, Output};

/// Turns photos of a classroom into attendance.
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, max_term_width = 110, propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Folder of the school: dataset/, attendance_photos/, exports/, models/, rollcall.db [default: .]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Settings file [default: rollcall.toml of the data folder]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database [default: sqlite:DATA_DIR/rollcall.db]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Model pack, a folder of models/ [default: starter]
    #[arg(long, global = true, value_name = "NAME")]
    pack: Option<String>,
    /// What the nets run on [default: auto]
    #[arg(long, global = true, value_enum)]
    provider: Option<ProviderArg>,
    /// Memory to keep within, such as 512MB or 1GB: as many photos are decoded at a time as fit [default: no limit]
    #[arg(long, global = true, value_name = "SIZE", value_parser = megabytes)]
    memory_budget: Option<NonZeroU32>,
    /// Print one JSON value instead of text
    #[arg(long, global = true)]
    json: bool,
}

/// `512MB`, `512 MiB`, `1GB` or `1024`, which are megabytes; a megabyte is 1024 x 1024 bytes.
fn megabytes(text: &str) -> Result<NonZeroU32, String> {
    let text = text.trim().to_ascii_uppercase();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let factor = match unit.trim() {
        "" | "M" | "MB" | "MIB" => 1,
        "G" | "GB" | "GIB" => 1024,
        _ => return Err("a number of MB or GB is expected, such as 512MB or 2GB".to_owned()),
    };
    let number: u32 = text[..text.len() - unit.len()].parse().map_err(|_| "a whole number is expected".to_owned())?;
    number.checked_mul(factor).and_then(NonZeroU32::new).ok_or_else(|| "from 1 MB to 4 million GB".to_owned())
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProviderArg {
    Auto,
    Cpu,
    Cuda,
    Tensorrt,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a data folder with an empty database
    Init(init::InitArgs),
    /// Run the synthetic school: roster, enrolment, photos, sheets, and what was right and wrong
    Demo(demo::DemoArgs),
    /// Bring in the school's list of students
    #[command(subcommand)]
    Roster(roster::RosterCommand),
    /// Enrol students from portrait photos, and see how well they are enrolled
    Enrol(enrol::EnrolArgs),
    /// Take attendance from a folder of class photos
    Batch(batch::BatchArgs),
    /// Work on photos that wait in the queue, beside other programs or alone
    Work(work::WorkArgs),
    /// Serve REST: attendance for programs and people in other places
    Serve(serve::ServeArgs),
    /// Judge sessions again from their stored faces, after late enrolment or changes of the roster
    Rematch(rematch::RematchArgs),
    /// Write a session or a register as Excel or CSV, or all portraits as folders
    Export(export::ExportArgs),
    /// Take over what was corrected in a session's workbook or CSV
    ImportSheet(import_sheet::ImportSheetArgs),
    /// Try the program beside the teacher's register before anything counts
    #[command(subcommand)]
    Pilot(pilot::PilotCommand),
    /// Look at the model packs
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Measure recognition against labelled photos
    Evaluate(evaluate::EvaluateArgs),
    /// Measure how fast this machine is with a pack
    Bench(bench::BenchArgs),
    /// Say what is wrong with database, storage, runtime, pack and GPU, and how to mend it
    Doctor,
    /// Look after the database and the queue
    #[command(subcommand)]
    Admin(admin::AdminCommand),
}

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Some items failed; each was reported.
    SomeFailed,
    /// What was looked at is broken; what and how was said.
    Broken,
}

/// The roll of a class on a day, as flags name it.
#[derive(Debug, Clone, Args)]
struct RollArgs {
    /// Class
    #[arg(long, value_name = "CLASS")]
    class: String,
    /// Section
    #[arg(long, value_name = "SECTION")]
    section: String,
    /// Term of the class, where the day does not tell it
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// The day of the roll [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<NaiveDate>,
}

impl RollArgs {
    fn class(&self) -> ClassWish {
        ClassWish { name: self.class.clone(), section: self.section.clone(), term: self.term.clone() }
    }
}

/// A class as flags name it: both or none.
#[derive(Debug, Clone, Args)]
struct ClassArgs {
    /// Class, together with --section
    #[arg(long, value_name = "CLASS", requires = "section")]
    class: Option<String>,
    /// Section, together with --class
    #[arg(long, value_name = "SECTION", requires = "class")]
    section: Option<String>,
}

impl ClassArgs {
    fn pair(&self) -> Option<(&str, &str)> {
        self.class.as_deref().zip(self.section.as_deref())
    }
}

/// Runs the program on its arguments, the program's own name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    process_memory::share_one_heap();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(message) => {
            // Nowhere to report a closed terminal to.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { 2 } else { 0 });
        }
    };
    let output = Output::new(if cli.global.json { Format::Json } else { Format::Text });
    match start(&cli, &output) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(3),
        Ok(Outcome::Broken) => ExitCode::FAILURE,
        Err(error) => {
            log_causes(&error);
            output.error(&error);
            ExitCode::FAILURE
        }
    }
}

/// What the message does not say, such as the database's own words, goes to the log.
fn log_causes(error: &Error) {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let causes: Vec<String> = causes.skip(1).map(ToString::to_string).collect();
    if !causes.is_empty() {
        tracing::error!(code = error.code.as_str(), cause = causes.join(": "), "failed");
    }
}

/// How long calls may go on that nobody waits for any more when a command has ended.
const LAST_CALLS: Duration = Duration::from_secs(2);

fn start(cli: &Cli, output: &Output) -> Result<Outcome, Error> {
    let config = match settings(&cli.global) {
        Ok(config) => config,
        Err(wrong) if matches!(cli.command, Command::Doctor) => return Ok(doctor::without_settings(wrong, output)),
        Err(wrong) => return Err(Error::new(Code::InvalidSettings, wrong)),
    };
    tracing::debug!(?config, "settings");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(Code::ProcessingError, format!("the program's threads could not be started: {e}")))?;
    let outcome = runtime.block_on(dispatch(&cli.command, &config, output));
    // A call that hangs, such as one to a dead network drive, would otherwise hold the program for ever.
    runtime.shutdown_timeout(LAST_CALLS);
    outcome
}

/// Reads the settings and starts logging by them.
fn settings(global: &Global) -> Result<Config, String> {
    let config = Config::load(global.config.as_deref(), &global.overrides()).map_err(|e| e.to_string())?;
    telemetry::start(&config.log)?;
    Ok(config)
}

async fn dispatch(command: &Command, config: &Config, output: &Output) -> Result<Outcome, Error> {
    match command {
        Command::Init(args) => init::run(args, config, output).await,
        Command::Demo(args) => demo::run(args, config, output).await,
        Command::Roster(command) => roster::run(command, config, output).await,
        Command::Enrol(args) => enrol::run(args, config, output).await,
        Command::Batch(args) => batch::run(args, config, output).await,
        Command::Serve(args) => serve::run(args, config, output).await,
        Command::Work(args) => work::run(args, config, output).await,
        Command::Rematch(args) => rematch::run(args, config, output).await,
        Command::Export(args) => export::run(args, config, output).await,
        Command::ImportSheet(args) => import_sheet::run(args, config, output).await,
        Command::Pilot(command) => pilot::run(command, config, output).await,
        Command::Models(command) => models::run(command, config, output).await,
        Command::Evaluate(args) => evaluate::run(args, config, output).await,
        Command::Bench(args) => bench::run(args, config, output).await,
        Command::Doctor => doctor::run(config, output).await,
        Command::Admin(command) => admin::run(command, config, output).await,
    }
}

impl Global {
    fn overrides(&self) -> Overrides {
        Overrides {
            data_dir: self.data_dir.clone(),
            database_url: self.database_url.clone(),
            pack: self.pack.clone(),
            provider: self.provider.map(|p| match p {
                ProviderArg::Auto => Provider::Auto,
                ProviderArg::Cpu => Provider::Cpu,
                ProviderArg::Cuda => Provider::Cuda,
                ProviderArg::Tensorrt => Provider::Tensorrt,
            }),
            memory_budget_mb: self.memory_budget,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
