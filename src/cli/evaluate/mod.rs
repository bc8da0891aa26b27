//! `rollcall evaluate`: recognition measured against labelled pictures.

mod class_photos;
mod pairs;

use clap::Subcommand;

use super::Outcome;
use super::enrol::open_recogniser;
use super::output::Output;
use crate::app::Recogniser;
use crate::app::error::Error;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum EvaluateCommand {
    /// Faces found and people named in labelled class photos, against an enrolment list
    ClassPhotos(class_photos::ClassPhotosArgs),
    /// Verification accuracy on pairs of portraits, as benchmarks such as LFW state it
    Pairs(pairs::PairsArgs),
}

pub(super) async fn run(command: &EvaluateCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    match command {
        EvaluateCommand::ClassPhotos(args) => class_photos::run(args, config, output).await,
        EvaluateCommand::Pairs(args) => pairs::run(args, config, output).await,
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
