//! `rollcall evaluate pairs`: verification on pairs of portraits.

use std::path::PathBuf;

use clap::Args;

use super::measured;
use crate::app::error::Error;
use crate::app::evaluate::pairs::{self, LabelledPairs, PairReport};
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct PairsArgs {
    /// Pairs of portraits, CSV: image_a,image_b,same; same is 1 for one person, 0 for two
    #[arg(long, value_name = "FILE")]
    pairs: PathBuf,
    /// Folder of the portraits [default: the folder of the pairs file]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Folds of the cross-validation
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(2..=100))]
    folds: u8,
}

pub(super) async fn run(args: &PairsArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let beside = args.pairs.parent().map(PathBuf::from).unwrap_or_default();
    let labelled = LabelledPairs {
        pairs: args.pairs.clone(),
        images: args.images.clone().unwrap_or(beside),
        folds: usize::from(args.folds),
    };
    let report = measured(config, output, |recogniser, progress| pairs::pairs(recogniser, &labelled, progress)).await?;
    output.result(&report, describe(&report));
    Ok(if report.failed.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

fn describe(report: &PairReport) -> String {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let mut text = format!(
        "{} on {}: {} same and {} different pairs of {} pictures, {:.0} s\n",
        report.pack, report.provider, report.same, report.different, report.images, report.seconds
    );
    if let Some(accuracy) = report.accuracy {
        let cosine = report.best_cosine.map(|c| format!(" (cosine {c:.3})")).unwrap_or_default();
        text.push_str(&format!(
            "\naccuracy {} % ± {} over {} folds; best line {:.2}{cosine}",
            percent(accuracy.mean),
            percent(accuracy.std),
            accuracy.folds,
            accuracy.best_line
        ));
    }
    if let Some(equal) = report.equal_error {
        text.push_str(&format!("\nequal error rate {} % at {:.2}", percent(equal.rate), equal.line));
    }
    let rows = report.roc.iter().map(|point| {
        let known = point.line.is_finite();
        let line = if known { format!("{:.2}", point.line) } else { "too few pairs".to_owned() };
        vec![point.far.to_string(), line, if known { percent(point.tar) } else { String::new() }]
    });
    text.push_str(&format!("\n\n{}", table(&["false accepts", "line", "true accepts %"], &[0, 1, 2], rows)));
    if !report.failed.is_empty() {
        text.push_str(&format!("\n\n{} pairs left out, because these pictures failed:", report.pairs_left_out));
        report.failed.iter().for_each(|failed| text.push_str(&format!("\n  {failed}")));
    }
    text
}
