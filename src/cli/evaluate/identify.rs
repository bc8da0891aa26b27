//! `rollcall evaluate identify`: small faces against drawn rosters.

use std::path::PathBuf;

use clap::Args;

use super::facts::{self, percent, share};
use super::{Inputs, ReportArgs};
use crate::app::error::{Code, Error};
use crate::app::evaluate::identify::{self, IdentifyReport, LabelledPeople};
use crate::app::evaluate::report::Report;
use crate::cli::Outcome;
use crate::cli::output::{Output, count, table};
use crate::config::Config;
use crate::domain::calibration::identification::{Identified, Outcomes, OutcomesBySize, Rosters, TradeOff};
use crate::domain::calibration::sizes::Sizes;
use crate::domain::interval::Share;
use crate::export::html::{Axis, Block, Mark, Page, Plot, Point, Series, Unit};

#[derive(Debug, Args)]
pub(super) struct IdentifyArgs {
    /// Portraits, CSV: image,person and, if known, note; a note takes an image out
    #[arg(long, value_name = "FILE")]
    people: PathBuf,
    /// Folder of the portraits [default: the folder of the list]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Students of the rosters; everybody else is a stranger to them
    #[arg(long, default_value = "30,60,100", value_name = "N,...", value_delimiter = ',',
        value_parser = clap::value_parser!(u16).range(1..=10000))]
    rosters: Vec<u16>,
    /// Rosters drawn of each size
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10000))]
    draws: u16,
    /// Portraits that each student is enrolled with
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    samples: u8,
    /// Smallest face of a probe, pixels
    #[arg(long, default_value_t = 20, value_name = "PX", value_parser = clap::value_parser!(u16).range(12..=1000))]
    smallest_px: u16,
    /// Largest face of a probe, pixels
    #[arg(long, default_value_t = 96, value_name = "PX", value_parser = clap::value_parser!(u16).range(12..=1000))]
    largest_px: u16,
    /// Probes made of each portrait, one in each step from the smallest to the largest
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    sizes: u8,
    /// Seed of everything drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: &IdentifyArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let labelled = args.labelled()?;
    let inputs = Inputs { lists: vec![args.people.clone()], seed: Some(args.seed), ..Inputs::default() };
    let measure = args
        .report
        .measured((config, output), inputs, |looker, progress| identify::identify(looker, &labelled, progress));
    let report = measure.await?;
    args.report.print(output, &report, describe(&report), || page(&report))?;
    Ok(if report.result.refused.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

impl IdentifyArgs {
    fn labelled(&self) -> Result<LabelledPeople, Error> {
        if self.smallest_px > self.largest_px {
            let what = format!("--smallest-px {} is above --largest-px {}", self.smallest_px, self.largest_px);
            return Err(Error::new(Code::InvalidSettings, what));
        }
        let beside = self.people.parent().map(PathBuf::from).unwrap_or_default();
        Ok(LabelledPeople {
            list: self.people.clone(),
            images: self.images.clone().unwrap_or(beside),
            sizes: Sizes {
                smallest_px: f32::from(self.smallest_px),
                largest_px: f32::from(self.largest_px),
                steps: usize::from(self.sizes),
            },
            rosters: Rosters {
                sizes: self.rosters.iter().map(|size| usize::from(*size)).collect(),
                draws: usize::from(self.draws),
                samples: usize::from(self.samples),
                seed: self.seed,
            },
        })
    }
}

const HEADER: [&str; 8] = [
    "",
    "rank 1 %",
    "named right %",
    "named wrong %",
    "doubt %",
    "missed %",
    "strangers named %",
    "strangers in doubt %",
];

fn describe(report: &Report<IdentifyReport>) -> String {
    let result = &report.result;
    let mut text = format!(
        "{}\n{} probes of {} portraits ({} listed) of {} people; {} portraits a student, {} rosters of each size\n",
        facts::headline(report),
        result.probes,
        result.portraits,
        result.listed,
        result.people,
        result.rosters.samples,
        result.rosters.draws,
    );
    let right: Vec<usize> = (1..HEADER.len()).collect();
    for known in &result.identified {
        let rows = known.by_size.iter().map(|row| outcome_row(sizes(row), &row.outcomes, short));
        let rows = rows.chain([outcome_row("all".to_owned(), &known.all, share)]);
        let table = table(&HEADER, &right, rows.collect::<Vec<_>>());
        text.push_str(&format!("\nroster of {}\n{table}\n", known.roster));
    }
    text.push_str("\nmembers not found (FNIR) when strangers named (FPIR) are at most\n");
    let header: Vec<&str> = ["roster", "FPIR", "line", "FNIR %"].to_vec();
    text.push_str(&table(&header, &[0, 1, 2, 3], trade_off_rows(&result.identified)).to_string());
    text.push_str("\n\nfaces found again after shrinking: ");
    let found = result.found.iter().map(|f| format!("{:.0}-{:.0} px {} %", f.from_px, f.to_px, short(&f.found)));
    text.push_str(&found.collect::<Vec<_>>().join(", "));
    if !result.refused.is_empty() {
        text.push_str(&format!("\n\n{} not usable", count(result.refused.len(), "portrait")));
        result.refused.iter().for_each(|refused| text.push_str(&format!("\n  {refused}")));
    }
    text
}

fn sizes(row: &OutcomesBySize) -> String {
    format!("{:.0}-{:.0} px", row.from_px, row.to_px)
}

fn short(share: &Share) -> String {
    share.share.map_or_else(|| "-".to_owned(), percent)
}

fn outcome_row(name: String, o: &Outcomes, say: fn(&Share) -> String) -> Vec<String> {
    let shares =
        [&o.rank_1, &o.named_right, &o.named_wrong, &o.doubted, &o.missed, &o.strangers_named, &o.strangers_doubted];
    std::iter::once(name).chain(shares.map(say)).collect()
}

fn trade_off_rows(all: &[Identified]) -> Vec<Vec<String>> {
    let row = |known: &Identified, point: &TradeOff| {
        let line = point.line.map_or_else(|| "withheld".to_owned(), |line| format!("{line:.2}"));
        let lost = match (&point.false_negatives, &point.withheld) {
            (Some(lost), _) => share(lost),
            (None, why) => why.clone().unwrap_or_default(),
        };
        vec![known.roster.to_string(), point.false_positive_rate.to_string(), line, lost]
    };
    all.iter().flat_map(|known| known.trade_off.iter().map(|point| row(known, point))).collect()
}

fn page(report: &Report<IdentifyReport>) -> Page {
    let result = &report.result;
    let mut sections = Vec::new();
    let by_size = |title: &str, of: fn(&Outcomes) -> &Share| size_curve(result, title, of);
    sections.push(facts::section(
        "By size of the face",
        vec![
            by_size("Members named right, at the pack's lines", |o| &o.named_right),
            by_size("The right person is the nearest of the roster (rank 1)", |o| &o.rank_1),
            found_again(result),
        ],
    ));
    sections.push(facts::section("Members lost against strangers named", vec![trade_off(result)]));
    for known in &result.identified {
        let rows = known.by_size.iter().map(|row| outcome_row(sizes(row), &row.outcomes, share));
        let rows: Vec<_> = rows.chain([outcome_row("all".to_owned(), &known.all, share)]).collect();
        let title = format!("Roster of {}", known.roster);
        sections.push(facts::section(&title, vec![facts::table(&HEADER, rows)]));
    }
    let header = ["roster", "strangers named (FPIR)", "line", "members lost (FNIR) %"];
    sections.push(facts::section("Lines", vec![facts::table(&header, trade_off_rows(&result.identified))]));
    if let Some(scores) = &result.histogram {
        let plot = facts::histogram(report, scores, ["own template", "other people's templates"]);
        sections.push(facts::section("Scores", vec![plot]));
    }
    if !result.refused.is_empty() {
        sections.push(facts::section("Portraits not usable", result.refused.iter().map(facts::text).collect()));
    }
    let lead = "Faces of class-photo size are compared with the students of a class, as a photo's faces are. Some belong to \
                nobody of the class and must stay nameless.";
    facts::page(report, "Identification", lead, sections)
}

fn size_curve(result: &IdentifyReport, title: &str, of: fn(&Outcomes) -> &Share) -> Block {
    let series = |known: &Identified| Series {
        name: format!("roster of {}", known.roster),
        mark: Mark::Dots,
        points: known
            .by_size
            .iter()
            .enumerate()
            .filter_map(|(i, row)| facts::point(i as f64, of(&row.outcomes)))
            .collect(),
    };
    let names = result.identified.first().map(|k| k.by_size.iter().map(sizes).collect()).unwrap_or_default();
    Block::Plot(Plot {
        title: title.to_owned(),
        x: Axis::steps(names).labelled("longer side of the face", Unit::Number),
        y: Axis::linear(0.0, 1.0).labelled("share of member probes", Unit::Percent),
        series: result.identified.iter().map(series).collect(),
        lines: Vec::new(),
    })
}

fn found_again(result: &IdentifyReport) -> Block {
    let points: Vec<Point> =
        result.found.iter().enumerate().filter_map(|(i, row)| facts::point(i as f64, &row.found)).collect();
    let names = result.found.iter().map(|f| format!("{:.0}-{:.0} px", f.from_px, f.to_px)).collect();
    Block::Plot(Plot {
        title: "Faces that the detector finds again after shrinking".to_owned(),
        x: Axis::steps(names).labelled("longer side of the face", Unit::Number),
        y: Axis::linear(0.0, 1.0).labelled("share of portraits", Unit::Percent),
        series: vec![Series { name: "found".to_owned(), mark: Mark::Dots, points }],
        lines: Vec::new(),
    })
}

fn trade_off(result: &IdentifyReport) -> Block {
    let series = |known: &Identified| Series {
        name: format!("roster of {}", known.roster),
        mark: Mark::Dots,
        points: known
            .trade_off
            .iter()
            .filter_map(|p| facts::point(p.false_positive_rate, p.false_negatives.as_ref()?))
            .collect(),
    };
    let series: Vec<Series> = result.identified.iter().map(series).collect();
    let highest = series.iter().flat_map(|s| &s.points).map(|p| p.interval.map_or(p.y, |i| i.1)).fold(0.01, f64::max);
    Block::Plot(Plot {
        title: "Members lost when strangers are named at most so often (DET)".to_owned(),
        x: Axis::log10(0.001, 0.3).labelled("strangers named (FPIR)", Unit::Number),
        y: Axis::linear(0.0, (highest * 1.1).min(1.0)).labelled("members lost (FNIR)", Unit::Percent),
        series,
        lines: Vec::new(),
    })
}
