//! `rollcall evaluate`: recognition measured against labelled pictures.

mod calibrate;
mod class_photos;
mod pairs;

use clap::{Args, Subcommand};

use super::Outcome;
use super::enrol::open_recogniser;
use super::output::Output;
use crate::app::Recogniser;
use crate::app::error::Error;
use crate::config::Config;

/// One of the measurements, or `--calibrate` with its options.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, arg_required_else_help = true)]
pub(super) struct EvaluateArgs {
    #[command(subcommand)]
    command: Option<EvaluateCommand>,
    #[command(flatten)]
    calibrate: calibrate::CalibrateArgs,
}

#[derive(Debug, Subcommand)]
enum EvaluateCommand {
    /// Faces found and people named in labelled class photos, against an enrolment list
    ClassPhotos(class_photos::ClassPhotosArgs),
    /// Verification accuracy on pairs of portraits, as benchmarks such as LFW state it
    Pairs(pairs::PairsArgs),
}

pub(super) async fn run(args: &EvaluateArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    match &args.command {
        Some(EvaluateCommand::ClassPhotos(args)) => class_photos::run(args, config, output).await,
        Some(EvaluateCommand::Pairs(args)) => pairs::run(args, config, output).await,
        None => calibrate::run(&args.calibrate, config, output).await,
    }
}

/// Opens the pack and runs `measure` on it under a progress bar.
async fn measured<T>(
    config: &Config,
    output: &Output,
    measure: impl FnOnce(&Recogniser, &(dyn Fn(usize, usize) + Sync)) -> Result<T, Error>,
) -> Result<T, Error> {
    let recogniser = open_recogniser(config, output).await?;
    let bar = output.bar(0, "pictures");
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let result = tokio::task::block_in_place(|| measure(&recogniser, &progress));
    bar.finish_and_clear();
    result
}
