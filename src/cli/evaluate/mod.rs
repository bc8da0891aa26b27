//! `rollcall evaluate`: recognition measured against labelled pictures.

mod calibrate;
mod class_photos;
mod detect;
pub(super) mod facts;
mod identify;
mod pairs;

use std::path::PathBuf;

use chrono::Utc;
use clap::{Args, Subcommand};

use super::Outcome;
use super::enrol::open_recogniser;
use super::output::Output;
use crate::app::error::Error;
use crate::app::evaluate::crops::Crops;
use crate::app::evaluate::looker::Looker;
use crate::app::evaluate::report::{Asked, Measurement, Report, Varied};
use crate::app::evaluate::variation::Variation;
use crate::app::recogniser::Recogniser;
use crate::config::{self, Config};
use crate::export::html::Page;

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
    /// Small faces against rosters drawn from labelled portraits, with strangers among them
    Identify(identify::IdentifyArgs),
    /// Faces found in photos with labelled boxes, by size
    Detect(detect::DetectArgs),
    /// Verification accuracy on pairs of portraits, as benchmarks such as LFW state it
    Pairs(pairs::PairsArgs),
}

/// Where results go and what is remembered.
#[derive(Debug, Args)]
#[command(next_help_heading = "Report and memory")]
struct ReportArgs {
    /// Also write the report as one HTML file with plots and pictures of faces
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Keep what was seen in pictures here, so that a measurement that is stopped or repeated does not look again [default:
    /// cache/evaluate/ in the data folder]
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Keep nothing and look at every picture
    #[arg(long)]
    no_cache: bool,
    /// Commit that the report names [default: the one that the program was built from]
    #[arg(long, value_name = "ID")]
    commit: Option<String>,
}

/// Under which conditions photos are looked at, beside those of the settings.
#[derive(Debug, Args)]
struct VariationArgs {
    /// Measure once more with photos shrunk to a longer side (fit=640) or to a share of their sides (shrink=0.5), out of focus
    /// (blur=2, a standard deviation in pixels), through a poor JPEG (jpeg=40), or with another smallest face (min-face=12);
    /// several at once with commas; can be given again
    #[arg(long, value_name = "WHAT")]
    vary: Vec<Variation>,
}

/// Lists that a measurement reads, the seed of what it draws, and under which other conditions it is repeated.
#[derive(Default)]
struct Inputs {
    lists: Vec<PathBuf>,
    seed: Option<u64>,
    variations: Vec<Variation>,
}

pub(super) async fn run(args: &EvaluateArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    match &args.command {
        Some(EvaluateCommand::ClassPhotos(args)) => class_photos::run(args, config, output).await,
        Some(EvaluateCommand::Identify(args)) => identify::run(args, config, output).await,
        Some(EvaluateCommand::Detect(args)) => detect::run(args, config, output).await,
        Some(EvaluateCommand::Pairs(args)) => pairs::run(args, config, output).await,
        None => calibrate::run(&args.calibrate, config, output).await,
    }
}

impl ReportArgs {
    /// Faces are cut out only for a report that shows them.
    const fn crops(&self) -> Crops {
        if self.html.is_some() { Crops::Cut } else { Crops::None }
    }

    /// Opens the pack and runs `measure` on it under a progress bar, once more for each variation.
    async fn measured<T: Measurement>(
        &self,
        (config, output): (&Config, &Output),
        inputs: Inputs,
        measure: impl Fn(&Looker<'_>, &(dyn Fn(usize, usize) + Sync)) -> Result<T, Error>,
    ) -> Result<Report<T>, Error> {
        let recogniser = open_recogniser(config, output).await?;
        let asked = Asked {
            lists: inputs.lists,
            seed: inputs.seed,
            commit: self.commit.clone().unwrap_or_else(|| config::commit().to_owned()),
            started_at: Utc::now(),
        };
        let looker = self.looker(&recogniser, config)?;
        let result = under_bar(&looker, output, &measure)?;
        let mut variations = Vec::with_capacity(inputs.variations.len());
        for variation in inputs.variations {
            let other = match variation.min_face_px() {
                Some(min_face_px) => {
                    let mut config = config.clone();
                    config.photos.min_face_px = min_face_px;
                    open_recogniser(&config, output).await?
                }
                None => recogniser.clone(),
            };
            let looker = self.looker(&other, config)?.varied(variation.clone());
            let result = under_bar(&looker, output, &measure)?;
            variations.push(Varied { variation: variation.to_string(), result });
        }
        Ok(Report { variations, ..Report::of(result, &looker, &asked)? })
    }

    fn looker<'a>(&self, recogniser: &'a Recogniser, config: &Config) -> Result<Looker<'a>, Error> {
        if self.no_cache {
            return Ok(Looker::forgetful(recogniser));
        }
        let default = || config.data_dir.join("cache").join("evaluate");
        Looker::remembering(recogniser, &self.cache.clone().unwrap_or_else(default))
    }

    /// Prints the report, and writes the page where one is asked for.
    fn print<T: Measurement>(
        &self,
        output: &Output,
        report: &Report<T>,
        text: String,
        page: impl FnOnce() -> Page,
    ) -> Result<(), Error> {
        if let Some(file) = &self.html {
            std::fs::write(file, page().html()).map_err(|e| Error::file(file, &e))?;
            output.note(format!("written to {}; it shows faces, so keep it as you keep the photos", file.display()));
        }
        output.result(report, text);
        Ok(())
    }
}

/// Measures while a bar shows how far it is.
fn under_bar<T>(
    looker: &Looker<'_>,
    output: &Output,
    measure: impl Fn(&Looker<'_>, &(dyn Fn(usize, usize) + Sync)) -> Result<T, Error>,
) -> Result<T, Error> {
    let bar = output.bar(0, "pictures");
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let result = tokio::task::block_in_place(|| measure(looker, &progress));
    bar.finish_and_clear();
    if looker.is_outdated() {
        output.note("what was kept of earlier runs was made otherwise; every picture was looked at anew");
    }
    result
}
