//! `rollcall evaluate class-photos`: faces found and people named in labelled photos.

use std::path::PathBuf;

use clap::Args;

use super::facts::{self, share};
use super::{Inputs, ReportArgs, VariationArgs};
use crate::app::error::Error;
use crate::app::evaluate::class_photos::{self, ClassPhotoReport, Labelled, Mistake, SizeTally};
use crate::app::evaluate::report::Report;
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::domain::evaluation::{FaceTally, Outcome as Became};
use crate::domain::face_size::FaceSize;
use crate::export::html::{Axis, Block, Card, Mark, Page, Picture, Plot, Point, Series, Tone, Unit};

#[derive(Debug, Args)]
pub(super) struct ClassPhotosArgs {
    /// Labelled faces, CSV: photo,x,y,w,h and, if known, person, class, note; a note takes a face out of the count
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// Folder of the photos
    #[arg(long, value_name = "DIR")]
    photos: PathBuf,
    /// Portraits, CSV: image,person and, if known, class, rank; without it only detection is counted
    #[arg(long, value_name = "FILE")]
    enrolment: Option<PathBuf>,
    /// Folder of the portraits [default: the folder of the enrolment file]
    #[arg(long, value_name = "DIR")]
    portraits: Option<PathBuf>,
    /// Portraits used for each person
    #[arg(long, default_value_t = 100)]
    samples: usize,
    /// Least overlap of a found face with a labelled one
    #[arg(long, default_value_t = 0.4, value_name = "IOU")]
    min_iou: f32,
    #[command(flatten)]
    varied: VariationArgs,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(args: &ClassPhotosArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let beside = args.enrolment.as_ref().and_then(|file| file.parent()).map(PathBuf::from).unwrap_or_default();
    let labelled = Labelled {
        truth: args.truth.clone(),
        photos: args.photos.clone(),
        enrolment: args.enrolment.clone(),
        portraits: args.portraits.clone().unwrap_or(beside),
        samples: args.samples,
        min_iou: args.min_iou,
        crops: args.report.crops(),
    };
    let lists = std::iter::once(&args.truth).chain(&args.enrolment).cloned().collect();
    let inputs = Inputs { lists, seed: None, variations: args.varied.vary.clone() };
    let measure = args
        .report
        .measured((config, output), inputs, |looker, progress| class_photos::class_photos(looker, &labelled, progress));
    let report = measure.await?;
    args.report.print(output, &report, describe(&report), || page(&report))?;
    Ok(Outcome::Done)
}

const COUNTS: [&str; 11] =
    ["faces", "found", "false", "enrolled", "right", "wrong", "doubt", "missed", "unseen", "strangers", "named"];

const EXPLAINED: &str = "right, wrong, doubt, missed (found but under the lines) and unseen (not found) are of the \
                         enrolled; named: strangers and false faces that were given a name";

fn counts(t: &FaceTally) -> Vec<String> {
    let counts = [
        t.faces,
        t.found,
        t.false_faces,
        t.enrolled,
        t.named_right,
        t.named_wrong,
        t.doubt_right + t.doubt_wrong,
        t.missed,
        t.undetected,
        t.strangers,
        t.strangers_named + t.false_named,
    ];
    counts.map(|n| n.to_string()).to_vec()
}

/// One row for each photo, and one for all.
fn photo_rows(result: &ClassPhotoReport) -> Vec<Vec<String>> {
    let row = |name: &str, tally: &FaceTally, seconds: f64| {
        let mut cells = vec![name.to_owned()];
        cells.extend(counts(tally));
        cells.push(format!("{seconds:.2}"));
        cells
    };
    let photos = result.photos.iter().map(|p| row(&p.photo, &p.tally, p.seconds));
    photos.chain([row("all", &result.total, result.seconds_per_photo)]).collect()
}

fn size_rows(result: &ClassPhotoReport) -> Vec<Vec<String>> {
    let row = |row: &SizeTally| {
        let mut cells = vec![row.size.to_string()];
        cells.extend(counts(&row.tally));
        cells.extend([share(&row.recall), share(&row.precision)]);
        cells
    };
    result.by_size.iter().map(row).collect()
}

fn header(first: &'static str, last: &[&'static str]) -> Vec<&'static str> {
    std::iter::once(first).chain(COUNTS).chain(last.iter().copied()).collect()
}

/// The shares that count most, in words.
fn summary(result: &ClassPhotoReport) -> Vec<String> {
    let detection = format!(
        "of the labelled faces found: {} %; of the found faces real: {} %",
        share(&result.recall),
        share(&result.precision)
    );
    let names = format!(
        "of the enrolled people there named right: {} %; of the names given right: {} %",
        share(&result.named),
        share(&result.names_right)
    );
    if result.people_listed == 0 { vec![detection] } else { vec![detection, names] }
}

/// A row for each of the conditions.
fn condition_rows(report: &Report<ClassPhotoReport>) -> Vec<Vec<String>> {
    let row = |(name, result): (&str, &ClassPhotoReport)| {
        let mut cells = vec![name.to_owned()];
        cells.extend(counts(&result.total));
        cells.push(share(&result.named));
        cells
    };
    report.conditions().map(row).collect()
}

fn describe(report: &Report<ClassPhotoReport>) -> String {
    let result = &report.result;
    let right: Vec<usize> = (1..=COUNTS.len() + 2).collect();
    let mut text = format!(
        "{}\n{} of {} people enrolled, {} portraits not usable\n\n{}\n\n{}\n\n{}\n\n{EXPLAINED}",
        facts::headline(report),
        result.people_enrolled,
        result.people_listed,
        result.refused.len(),
        table(&header("photo", &["s"]), &right, photo_rows(result)),
        table(&header("size", &["recall %", "precision %"]), &right, size_rows(result)),
        summary(result).join("\n"),
    );
    if !report.variations.is_empty() {
        let table = table(&header("condition", &["named right %"]), &right[..right.len() - 1], condition_rows(report));
        text.push_str(&format!("\n\n{table}"));
    }
    text
}

fn page(report: &Report<ClassPhotoReport>) -> Page {
    let result = &report.result;
    let mut figures: Vec<Block> = summary(result).into_iter().map(facts::text).collect();
    figures.push(facts::table(&header("photo", &["s"]), photo_rows(result)));
    figures.push(facts::text(EXPLAINED));
    let by_size = facts::table(&header("size", &["recall %", "precision %"]), size_rows(result));
    let mut sections = vec![
        facts::section("Figures", figures),
        facts::section("By size of the face", vec![size_curve(result), by_size]),
    ];
    if !report.variations.is_empty() {
        let blocks = vec![
            condition_curve(report),
            facts::table(&header("condition", &["named right %"]), condition_rows(report)),
        ];
        sections.push(facts::section("Under other conditions", blocks));
    }
    if let Some(scores) = &result.histogram {
        let plot = facts::histogram(report, scores, ["enrolled, own template", "strangers, nearest template"]);
        sections.push(facts::section("Scores", vec![plot]));
    }
    let cards: Vec<Card> = result.mistakes.iter().filter(|m| m.crops[0].is_some()).map(card).collect();
    let shown = format!("{} of {} faces that went wrong or wait for a person.", cards.len(), result.mistakes.len());
    sections.push(facts::section("Faces to look at", vec![facts::text(shown), Block::Gallery(cards)]));
    if !result.refused.is_empty() {
        sections.push(facts::section("Portraits not usable", result.refused.iter().map(facts::text).collect()));
    }
    let lead = "Who is found and named in class photos, with the enrolment, the lines and the one-to-one assignment of the \
                product. Every photo is a session of its own.";
    facts::page(report, "Class photos", lead, sections)
}

fn size_curve(result: &ClassPhotoReport) -> Block {
    let place = |row: &SizeTally| row.size.index() as f64;
    let points = |of: fn(&SizeTally) -> &crate::domain::interval::Share| -> Vec<Point> {
        result.by_size.iter().filter_map(|row| facts::point(place(row), of(row))).collect()
    };
    let named = result.by_size.iter().filter(|row| row.tally.enrolled > 0);
    let named: Vec<Point> = named
        .map(|row| Point::at(place(row), f64::from(row.tally.named_right) / f64::from(row.tally.enrolled)))
        .collect();
    let series = |name: &str, points| Series { name: name.to_owned(), mark: Mark::Dots, points };
    let names = FaceSize::all().map(|size| size.to_string()).collect();
    Block::Plot(Plot {
        title: "Found, real and named right, by size".to_owned(),
        x: Axis::steps(names).labelled("longer side of the face", Unit::Number),
        y: Axis::linear(0.0, 1.0).labelled("share", Unit::Percent),
        series: vec![
            series("recall", points(|row| &row.recall)),
            series("precision", points(|row| &row.precision)),
            series("enrolled named right", named),
        ],
        lines: Vec::new(),
    })
}

/// What becomes of the enrolled who are there as conditions get worse.
fn condition_curve(report: &Report<ClassPhotoReport>) -> Block {
    let all: Vec<(&str, &FaceTally)> = report.conditions().map(|(name, result)| (name, &result.total)).collect();
    let series = |name: &str, of: fn(&FaceTally) -> u32| Series {
        name: name.to_owned(),
        mark: Mark::Dots,
        points: all
            .iter()
            .enumerate()
            .filter(|(_, (_, tally))| tally.enrolled > 0)
            .map(|(i, (_, tally))| Point::at(i as f64, f64::from(of(tally)) / f64::from(tally.enrolled)))
            .collect(),
    };
    Block::Plot(Plot {
        title: "What becomes of the enrolled".to_owned(),
        x: Axis::steps(all.iter().map(|(name, _)| (*name).to_owned()).collect()).labelled("condition", Unit::Number),
        y: Axis::linear(0.0, 1.0).labelled("share of the enrolled", Unit::Percent),
        series: vec![
            series("named right", |t| t.named_right),
            series("asked about", |t| t.doubt_right + t.doubt_wrong),
            series("named wrong", |t| t.named_wrong),
            series("not found", |t| t.undetected),
        ],
        lines: Vec::new(),
    })
}

fn card(mistake: &Mistake) -> Card {
    let (tone, what) = match mistake.outcome {
        Became::NamedWrong => (Tone::Wrong, "named wrong"),
        Became::StrangerNamed => (Tone::Wrong, "stranger named"),
        Became::FalseFaceNamed => (Tone::Wrong, "no face, and named"),
        Became::DoubtWrong => (Tone::Question, "asked about the wrong student"),
        Became::StrangerDoubted => (Tone::Question, "stranger asked about"),
        Became::Missed => (Tone::Question, "student taken for a stranger"),
        Became::DoubtRight => (Tone::Plain, "asked about the right student"),
        Became::Undetected => (Tone::Plain, "student's face not found"),
        Became::FalseFace => (Tone::Plain, "no face"),
        Became::NamedRight => (Tone::Plain, "named right"),
        Became::StrangerLeft | Became::StrangerUndetected => (Tone::Plain, "stranger"),
    };
    let named = |name: &Option<String>, what: &str| name.as_ref().map(|name| format!("{what} {name}"));
    let captions = [Some(mistake.photo.clone()), named(&mistake.truth, "is"), named(&mistake.said, "said")];
    let pictures = mistake
        .crops
        .iter()
        .zip(captions)
        .filter_map(|(crop, caption)| Some(Picture { jpeg: crop.clone()?, caption: caption.unwrap_or_default() }));
    let side_px = mistake.bounds[2].max(mistake.bounds[3]);
    let scores = [("score", mistake.combined), ("own", mistake.own)];
    let scores: Vec<String> =
        scores.iter().filter_map(|(name, score)| score.map(|score| format!("{name} {score:.2}"))).collect();
    let lines = vec![what.to_owned(), format!("{side_px:.0} px; {}", scores.join(", "))];
    Card { tone, pictures: pictures.collect(), lines }
}
