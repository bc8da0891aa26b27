//! `rollcall evaluate detect`: faces found in photos with labelled boxes.

use std::iter;
use std::path::PathBuf;

use clap::Args;

use super::facts::{self, share};
use super::{Inputs, ReportArgs, VariationArgs};
use crate::app::error::Error;
use crate::app::evaluate::detect::{self, DetectReport, LabelledBoxes, SubsetReport};
use crate::app::evaluate::report::Report;
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::domain::detection_curve::DetectionBySize;
use crate::domain::face_size::FaceSize;
use crate::export::html::{Axis, Block, Mark, Page, Plot, Point, Series, Unit};

#[derive(Debug, Args)]
pub(super) struct DetectArgs {
    /// Labelled faces, CSV: image,x,y,w,h and, if known, note or WIDER FACE's flags easy, medium, hard; a face with a note, or
    /// with none of the flags, counts neither way
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// Folder of the photos [default: the folder of the list]
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Least overlap of a found face with a labelled one
    #[arg(long, default_value_t = 0.5, value_name = "IOU")]
    min_iou: f32,
    #[command(flatten)]
    varied: VariationArgs,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: &DetectArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let beside = args.truth.parent().map(PathBuf::from).unwrap_or_default();
    let labelled = LabelledBoxes {
        truth: args.truth.clone(),
        photos: args.photos.clone().unwrap_or(beside),
        min_iou: args.min_iou,
    };
    let inputs = Inputs { lists: vec![args.truth.clone()], seed: None, variations: args.varied.vary.clone() };
    let measure =
        args.report.measured((config, output), inputs, |looker, progress| detect::detect(looker, &labelled, progress));
    let report = measure.await?;
    args.report.print(output, &report, describe(&report), || page(&report))?;
    Ok(Outcome::Done)
}

const SUBSETS: [&str; 6] = ["faces", "labelled", "recall %", "found", "precision %", "average precision %"];
const CONDITIONS: [&str; 6] = ["condition", "recall %", "false", "precision %", "average precision %", "s a photo"];
const SIZES: [&str; 5] = ["size", "labelled", "recall %", "found", "precision %"];

fn describe(report: &Report<DetectReport>) -> String {
    let result = &report.result;
    let seconds = result.seconds_per_photo.map(|s| format!(", {s:.2} s a photo")).unwrap_or_default();
    let mut text = format!(
        "{}\n{} photos{seconds}; overlap of {} or more\n\n{}",
        facts::headline(report),
        result.photos.len(),
        result.min_iou,
        table(&SUBSETS, &[1, 2, 3, 4, 5], result.subsets.iter().map(subset)),
    );
    text.push_str(&format!("\n\n{}", table(&SIZES, &[1, 2, 3, 4], result.subsets[0].by_size.iter().map(by_size))));
    if !report.variations.is_empty() {
        let header = recall_header(report);
        let right: Vec<usize> = (1..header.len()).collect();
        let conditions = table(&CONDITIONS, &[1, 2, 3, 4, 5], report.conditions().map(condition));
        text.push_str(&format!("\n\n{conditions}\n\n{}", table(&header, &right, recalls(report))));
    }
    text
}

/// A column for each of the conditions.
fn recall_header(report: &Report<DetectReport>) -> Vec<&str> {
    iter::once("recall %").chain(report.conditions().map(|(name, _)| name)).collect()
}

fn condition((name, result): (&str, &DetectReport)) -> Vec<String> {
    let all = &result.subsets[0];
    let seconds = result.seconds_per_photo.map_or_else(|| "-".into(), |s| format!("{s:.2}"));
    let wrong = all.precision.of - all.precision.count;
    vec![
        name.into(),
        share(&all.recall),
        wrong.to_string(),
        share(&all.precision),
        facts::percent(all.average_precision),
        seconds,
    ]
}

/// Recall of each size of faces, under each of the conditions.
fn recalls(report: &Report<DetectReport>) -> Vec<Vec<String>> {
    let sizes = report.result.subsets[0].by_size.iter().map(|row| row.size);
    let of = |result: &DetectReport, size| {
        result.subsets[0].by_size.iter().find(|row| row.size == size).map(|row| row.recall)
    };
    let cells =
        |size| report.conditions().map(move |(_, result)| of(result, size).map_or_else(|| "-".into(), |s| share(&s)));
    sizes.map(|size: FaceSize| iter::once(size.to_string()).chain(cells(size)).collect()).collect()
}

fn subset(report: &SubsetReport) -> Vec<String> {
    vec![
        report.subset.to_owned(),
        report.recall.of.to_string(),
        share(&report.recall),
        report.precision.of.to_string(),
        share(&report.precision),
        facts::percent(report.average_precision),
    ]
}

fn by_size(row: &DetectionBySize) -> Vec<String> {
    let (recall, precision) = (&row.recall, &row.precision);
    vec![row.size.to_string(), recall.of.to_string(), share(recall), precision.of.to_string(), share(precision)]
}

fn page(report: &Report<DetectReport>) -> Page {
    let result = &report.result;
    let mut sections = vec![
        facts::section("Figures", vec![facts::table(&SUBSETS, result.subsets.iter().map(subset))]),
        facts::section(
            "By size of the face",
            vec![size_curve(&result.subsets[0]), facts::table(&SIZES, result.subsets[0].by_size.iter().map(by_size))],
        ),
        facts::section("Curve", vec![curves(&result.subsets)]),
    ];
    if !report.variations.is_empty() {
        let header = recall_header(report);
        let blocks = vec![
            facts::table(&CONDITIONS, report.conditions().map(condition)),
            recall_curves(report),
            facts::table(&header, recalls(report)),
        ];
        sections.push(facts::section("Under other conditions", blocks));
    }
    let header = ["photo", "width", "height", "labelled", "found", "false"];
    let rows = result.photos.iter().map(|p| {
        let numbers = [p.width as usize, p.height as usize, p.faces, p.found, p.false_faces];
        std::iter::once(p.photo.clone()).chain(numbers.map(|n| n.to_string())).collect()
    });
    sections.push(facts::section("Photos", vec![facts::table(&header, rows)]));
    let lead = "Which of the labelled faces are found, and what else is taken for a face. Names are not looked at.";
    facts::page(report, "Detection", lead, sections)
}

fn size_curve(subset: &SubsetReport) -> Block {
    let all: Vec<FaceSize> = FaceSize::all().collect();
    let points = |of: fn(&DetectionBySize) -> &crate::domain::interval::Share| -> Vec<Point> {
        subset.by_size.iter().filter_map(|row| facts::point(row.size.index() as f64, of(row))).collect()
    };
    let series = |name: &str, points| Series { name: name.to_owned(), mark: Mark::Dots, points };
    Block::Plot(Plot {
        title: "Recall by labelled size, precision by found size".to_owned(),
        x: Axis::steps(all.iter().map(ToString::to_string).collect()).labelled("longer side of the face", Unit::Number),
        y: Axis::linear(0.0, 1.0).labelled("share", Unit::Percent),
        series: vec![series("recall", points(|row| &row.recall)), series("precision", points(|row| &row.precision))],
        lines: Vec::new(),
    })
}

fn recall_curves(report: &Report<DetectReport>) -> Block {
    let all: Vec<FaceSize> = FaceSize::all().collect();
    let series = |(name, result): (&str, &DetectReport)| Series {
        name: name.to_owned(),
        mark: Mark::Dots,
        points: result.subsets[0]
            .by_size
            .iter()
            .filter_map(|r| facts::point(r.size.index() as f64, &r.recall))
            .collect(),
    };
    Block::Plot(Plot {
        title: "Recall by labelled size".to_owned(),
        x: Axis::steps(all.iter().map(ToString::to_string).collect()).labelled("longer side of the face", Unit::Number),
        y: Axis::linear(0.0, 1.0).labelled("recall", Unit::Percent),
        series: report.conditions().map(series).collect(),
        lines: Vec::new(),
    })
}

fn curves(subsets: &[SubsetReport]) -> Block {
    let series = |subset: &SubsetReport| Series {
        name: subset.subset.to_owned(),
        mark: Mark::Line,
        points: subset.curve.iter().map(|p| Point::at(p.recall, p.precision)).collect(),
    };
    Block::Plot(Plot {
        title: "Precision against recall".to_owned(),
        x: Axis::linear(0.0, 1.0).labelled("recall", Unit::Percent),
        y: Axis::linear(0.0, 1.0).labelled("precision", Unit::Percent),
        series: subsets.iter().map(series).collect(),
        lines: Vec::new(),
    })
}
