//! `rollcall evaluate pairs`: verification on pairs of portraits.

use std::path::PathBuf;

use clap::Args;

use super::facts::{self, percent, range};
use super::{Inputs, ReportArgs};
use crate::app::error::Error;
use crate::app::evaluate::pairs::{self, HardPair, LabelledPairs, PairReport, Pairing};
use crate::app::evaluate::report::Report;
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::domain::calibration::verification::TrueAccepts;
use crate::export::html::{Axis, Block, Card, Mark, Page, Picture, Plot, Point, Section, Series, Unit};

#[derive(Debug, Args)]
#[group(id = "pairing", required = true, multiple = false, args = ["pairs", "people"])]
pub(super) struct PairsArgs {
    /// Pairs of portraits, CSV: image_a,image_b,same; same is 1 for one person, 0 for two
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Portraits, CSV: image,person and, if known, note; every one is compared with every other
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// Folder of the portraits [default: the folder of the list]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Folds of the cross-validation, for --pairs
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(2..=100))]
    folds: u8,
    /// Seed of the intervals
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: &PairsArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let pairing = match (&args.pairs, &args.people) {
        (Some(pairs), _) => Pairing::Listed(pairs.clone()),
        (None, people) => Pairing::Everybody(people.clone().expect("one of the two is required")),
    };
    let list = pairing.file().to_owned();
    let beside = list.parent().map(PathBuf::from).unwrap_or_default();
    let labelled = LabelledPairs {
        pairing,
        images: args.images.clone().unwrap_or(beside),
        folds: usize::from(args.folds),
        seed: args.seed,
        crops: args.report.crops(),
    };
    let inputs = Inputs { lists: vec![list], seed: Some(args.seed), ..Inputs::default() };
    let measure =
        args.report.measured((config, output), inputs, |looker, progress| pairs::pairs(looker, &labelled, progress));
    let report = measure.await?;
    args.report.print(output, &report, describe(&report), || page(&report))?;
    Ok(if report.result.failed.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

fn describe(report: &Report<PairReport>) -> String {
    let result = &report.result;
    let mut text = format!(
        "{}\n{} same and {} different pairs of {} pictures of {} people\n",
        facts::headline(report),
        result.same,
        result.different,
        result.images,
        result.people
    );
    for line in summary(result) {
        text.push_str(&format!("\n{line}"));
    }
    let header = ["false matches", "line", "true accepts %", "95 % interval"];
    let rows = result.true_accepts.iter().map(true_accepts);
    text.push_str(&format!("\n\n{}", table(&header, &[0, 1, 2, 3], rows)));
    if !result.failed.is_empty() {
        text.push_str(&format!("\n\n{} pairs left out, because these pictures failed:", result.pairs_left_out));
        result.failed.iter().for_each(|failed| text.push_str(&format!("\n  {failed}")));
    }
    text
}

/// Accuracy and equal error rate, as far as they are known.
fn summary(result: &PairReport) -> Vec<String> {
    let accuracy = result.accuracy.map(|accuracy| {
        let cosine = result.best_cosine.map(|c| format!(" (cosine {c:.3})")).unwrap_or_default();
        let (mean, std) = (percent(accuracy.mean), percent(accuracy.std));
        format!("accuracy {mean} % ± {std} over {} folds; best line {:.2}{cosine}", accuracy.folds, accuracy.best_line)
    });
    let equal = result.equal_error.map(|equal| {
        format!("equal error rate {} % ({}) at {:.2}", percent(equal.rate), range(equal.interval), equal.line)
    });
    accuracy.into_iter().chain(equal).collect()
}

fn true_accepts(row: &TrueAccepts) -> Vec<String> {
    let cells = match (&row.measured, &row.withheld) {
        (Some(at), _) => [format!("{:.2}", at.line), percent(at.true_accept_rate), range(at.interval)],
        (None, why) => ["withheld".to_owned(), why.clone().unwrap_or_default(), String::new()],
    };
    std::iter::once(row.false_match_rate.to_string()).chain(cells).collect()
}

fn page(report: &Report<PairReport>) -> Page {
    let result = &report.result;
    let mut figures: Vec<Block> = summary(result).into_iter().map(facts::text).collect();
    let header = ["false matches", "line", "true accepts %", "95 % interval"];
    figures.push(facts::table(&header, result.true_accepts.iter().map(true_accepts)));
    let mut sections = vec![facts::section("Figures", figures), facts::section("Curve", vec![roc(result)])];
    if let Some(scores) = &result.histogram {
        let plot = facts::histogram(report, scores, ["one person", "different people"]);
        sections.push(facts::section("Scores", vec![plot]));
    }
    sections.push(hard("Nearest pairs of different people", &result.nearest_different));
    sections.push(hard("Farthest pairs of one person", &result.farthest_same));
    if !result.failed.is_empty() {
        sections.push(facts::section("Pictures that failed", result.failed.iter().map(facts::text).collect()));
    }
    let lead = "Are two portraits of one person or of two? This proves that weights and pixels are right; it says little \
                about class photos.";
    facts::page(report, "Pairs of portraits", lead, sections)
}

fn roc(result: &PairReport) -> Block {
    let points: Vec<Point> = result.curve.iter().map(|p| Point::at(p.false_match_rate, p.true_accept_rate)).collect();
    let measured = result.true_accepts.iter().filter_map(|row| {
        let at = row.measured?;
        let interval = at.interval.map(|i| (i.low, i.high));
        Some(Point { x: row.false_match_rate, y: at.true_accept_rate, interval })
    });
    let measured: Vec<Point> = measured.collect();
    let lowest = points.iter().map(|p| p.y).chain(measured.iter().filter_map(|p| p.interval.map(|i| i.0)));
    let floor = (lowest.fold(1.0, f64::min) * 20.0).floor() / 20.0;
    let left = points.first().map_or(0.1, |p| p.x).min(0.1);
    let series = |name: &str, mark, points| Series { name: name.to_owned(), mark, points };
    Block::Plot(Plot {
        title: "True accepts against false matches (ROC)".to_owned(),
        x: Axis::log10(left, 1.0).labelled("false match rate", Unit::Number),
        y: Axis::linear(floor.min(0.95), 1.0).labelled("true accept rate", Unit::Percent),
        series: vec![series("all pairs", Mark::Line, points), series("with interval", Mark::Dots, measured)],
        lines: Vec::new(),
    })
}

fn hard(title: &str, pairs: &[HardPair]) -> Section {
    let card = |pair: &HardPair| Card {
        pictures: pair
            .crops
            .iter()
            .zip([&pair.a, &pair.b])
            .map(|(jpeg, name)| Picture { jpeg: jpeg.clone(), caption: name.clone() })
            .collect(),
        lines: vec![format!("score {:.2}", pair.combined)],
        ..Card::default()
    };
    let why = "Look at these first: one of the pictures may carry the wrong name.";
    facts::section(title, vec![facts::text(why), Block::Gallery(pairs.iter().map(card).collect())])
}
