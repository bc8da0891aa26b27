//! `rollcall bench`: how fast this machine is with a pack.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Outcome;
use super::enrol::open_recogniser;
use super::evaluate::facts;
use super::output::{Output, count, table};
use crate::app::bench::{self, Canvas, Load, Speed, Spread, Work};
use crate::app::demo::DemoSchool;
use crate::app::error::{Code, Error};
use crate::app::evaluate::report::Program;
use crate::app::work::default_in_flight;
use crate::app::{Recogniser, blocking};
use crate::config::{self, Config};
use crate::engine::Precision;
use crate::export::html::{Axis, Block, Mark, Page, Plot, Point, Series, Unit};

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// Photos to look at [default: the class photos of the demo school]
    photos: Vec<PathBuf>,
    /// How often each is looked at and counted, after once that is not
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    /// Photos looked at at a time; 1 tells how long one takes alone [default: as `batch` has it]
    #[arg(long, value_name = "N")]
    in_flight: Option<NonZeroUsize>,
    /// Instead of photos: painted pictures of 2 to 24 megapixels with up to 100 faces, one at a time
    #[arg(long, conflicts_with_all = ["photos", "in_flight"])]
    sweep: bool,
    /// Only decode the photos: what is left of the time when nets take none
    #[arg(long, conflicts_with = "sweep")]
    decode_only: bool,
    /// Also write the report as one HTML file; with --sweep it has a plot
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Everything that a figure depends on, and the figures.
#[derive(Debug, Serialize)]
struct Report {
    program: Program,
    pack: String,
    provider: String,
    /// `half` or `single`.
    precision: Precision,
    /// Why half precision was tried and is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    single_precision_reason: Option<String>,
    work: Work,
    /// ONNX Runtime, where its file says so.
    runtime: Option<String>,
    machine: Machine,
    runs: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<Speed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sweep: Vec<Swept>,
}

#[derive(Debug, Serialize)]
struct Machine {
    processor: Option<String>,
    cores: usize,
    /// The instructions that nets are computed with depend on it.
    architecture: &'static str,
}

/// A painted picture and how long it took.
#[derive(Debug, Serialize)]
struct Swept {
    width: u32,
    height: u32,
    /// That were painted.
    faces: u32,
    speed: Speed,
}

pub(super) async fn run(args: &BenchArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let recogniser = open_recogniser(config, output).await?;
    let work = if args.decode_only { Work::Decode } else { Work::Recognise };
    let mut report = Report::of(&recogniser, args.runs, work);
    if args.sweep {
        report.sweep = sweep(&recogniser, args.runs, config, output).await?;
    } else {
        let photos = photos(&args.photos, config)?;
        let in_flight = args.in_flight.or(config.photos.in_flight).unwrap_or_else(default_in_flight);
        report.speed = Some(measured(&recogniser, Load { photos, runs: args.runs, in_flight, work }).await?);
    }
    if let Some(file) = &args.html {
        std::fs::write(file, page(&report).html()).map_err(|e| Error::file(file, &e))?;
    }
    output.result(&report, describe(&report));
    Ok(Outcome::Done)
}

async fn measured(recogniser: &Recogniser, load: Load) -> Result<Speed, Error> {
    let recogniser = recogniser.clone();
    blocking(move || bench::measure(&recogniser, &load)).await
}

/// The bytes of the photos that were named, or of those of the demo school.
fn photos(named: &[PathBuf], config: &Config) -> Result<Vec<Vec<u8>>, Error> {
    let mut files = named.to_vec();
    if files.is_empty() {
        let folder = DemoSchool::find(config)?.class_photos();
        let entries = std::fs::read_dir(&folder).map_err(|e| Error::file(&folder, &e))?;
        files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "jpg"));
        files.sort();
    }
    if files.is_empty() {
        return Err(Error::new(Code::FileError, "there is no photo to look at: name some"));
    }
    files.iter().map(|file| std::fs::read(file).map_err(|e| Error::file(file, &e))).collect()
}

/// Four to three, as phones have it.
const SIZES: [[u32; 2]; 4] = [[1632, 1224], [2832, 2124], [4000, 3000], [5656, 4242]];
const FACES: [u32; 5] = [1, 20, 40, 60, 100];
/// Different faces on a painted picture.
const PEOPLE: usize = 20;

async fn sweep(recogniser: &Recogniser, runs: u32, config: &Config, output: &Output) -> Result<Vec<Swept>, Error> {
    let portraits = Canvas::portraits(config, PEOPLE)?;
    let bar = output.bar(SIZES.len() * FACES.len(), "pictures");
    let mut all = Vec::new();
    for ([width, height], faces) in SIZES.into_iter().flat_map(|size| FACES.map(|faces| (size, faces))) {
        let canvas = Canvas { width, height, faces };
        if canvas.has_room() {
            let photos = vec![canvas.painted(&portraits)?];
            let speed =
                measured(recogniser, Load { photos, runs, in_flight: NonZeroUsize::MIN, work: Work::Recognise })
                    .await?;
            all.push(Swept { width, height, faces, speed });
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(all)
}

impl Report {
    fn of(recogniser: &Recogniser, runs: u32, work: Work) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            program: Program { version: env!("CARGO_PKG_VERSION"), commit: config::commit().to_owned() },
            pack: recogniser.pack(),
            provider: recogniser.provider(),
            precision: recogniser.precision(),
            single_precision_reason: recogniser.single_precision_reason().map(str::to_owned),
            work,
            runtime: recogniser.runtime().version.clone(),
            machine: Machine { processor: processor(), cores, architecture: std::env::consts::ARCH },
            runs,
            speed: None,
            sweep: Vec::new(),
        }
    }

    /// `starter@0 on cpu, AMD EPYC, 2 cores, ONNX Runtime 1.31.1`.
    fn headline(&self) -> String {
        let Self { pack, machine, .. } = self;
        let precision = if self.precision == Precision::Half { " in half precision" } else { "" };
        let provider = format!("{}{precision}", self.provider);
        let processor = machine.processor.as_deref().unwrap_or(machine.architecture);
        let runtime = self.runtime.as_deref().map(|version| format!(", ONNX Runtime {version}")).unwrap_or_default();
        format!("{pack} on {provider}, {processor}, {}{runtime}", count(machine.cores, "core"))
    }
}

/// What the processor calls itself; Linux tells.
fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn describe(report: &Report) -> String {
    let mut text = report.headline();
    if let Some(reason) = &report.single_precision_reason {
        text.push_str(&format!("\nin single precision: {reason}"));
    }
    if report.work == Work::Decode {
        text.push_str("\nphotos were decoded and not looked at");
    }
    if let Some(speed) = &report.speed {
        text.push_str(&format!("\n{}\n\n{}", in_words(speed), table(&STAGES, &[1, 2, 3], stage_rows(speed))));
        text.push_str(&format!("\n\n{}", table(&NETS, &[1, 2, 3, 4, 5], net_rows(speed))));
    }
    if !report.sweep.is_empty() {
        let right: Vec<usize> = (1..SWEEP.len()).collect();
        text.push_str(&format!("\n\n{}", table(&SWEEP, &right, report.sweep.iter().map(Swept::row))));
    }
    text
}

fn in_words(speed: &Speed) -> String {
    let inside = match speed.share_in_nets {
        Some(share) => format!("{:.1} % of it inside ONNX Runtime", 100.0 * share),
        None => "the share inside ONNX Runtime is not known here".to_owned(),
    };
    let memory = speed.peak_memory_bytes.map(|bytes| format!("; memory at most {} MB", bytes / (1024 * 1024)));
    format!(
        "{} with {} in {:.2} s, {} at a time: {:.2} photos/s, {:.1} faces/s, {:.1} megapixels/s\n\
         {:.2} s of processor time, {inside}{}",
        count(speed.photos, "photo"),
        count(speed.faces, "face"),
        speed.seconds,
        speed.in_flight,
        speed.photos_per_second,
        speed.faces_per_second,
        speed.megapixels / speed.seconds,
        speed.processor_seconds,
        memory.unwrap_or_default(),
    )
}

const STAGES: [&str; 4] = ["one photo, ms", "least", "median", "most"];
const NETS: [&str; 6] = ["net", "copies x threads", "items", "ms an item", "busy ms", "items in a batch: times"];
const SWEEP: [&str; 9] = ["picture", "megapixels", "faces", "found", "ms", "decode", "detect", "align", "embed"];

fn stage_rows(speed: &Speed) -> Vec<Vec<String>> {
    let row = |name: &str, spread: &Spread| {
        let times = [spread.least, spread.median, spread.most].map(|ms| format!("{ms:.1}"));
        [vec![name.to_owned()], times.to_vec()].concat()
    };
    let stages = ["decode", "detect", "align", "embed"].map(|stage| row(stage, &speed.stages_ms[stage]));
    stages.into_iter().chain([row("all", &speed.photo_ms)]).collect()
}

fn net_rows(speed: &Speed) -> Vec<Vec<String>> {
    /// More sizes than fit on a line say nothing.
    const MOST: usize = 6;
    let row = |net: &bench::NetSpeed| {
        let mut sizes: Vec<_> = net.batches.iter().collect();
        sizes.sort_by_key(|(size, times)| (std::cmp::Reverse(**times), **size));
        let others = sizes.len().saturating_sub(MOST);
        let mut batches: Vec<_> = sizes.iter().take(MOST).map(|(size, times)| format!("{size}: {times}")).collect();
        if others > 0 {
            batches.push(format!("{others} more sizes"));
        }
        vec![
            net.net.to_owned(),
            format!("{} x {}", net.copies, net.threads_each),
            net.items.to_string(),
            format!("{:.3}", net.ms_per_item),
            format!("{:.0}", net.busy_ms),
            batches.join(", "),
        ]
    };
    speed.nets.iter().map(row).collect()
}

impl Swept {
    fn megapixels(&self) -> f64 {
        f64::from(self.width) * f64::from(self.height) / 1e6
    }

    fn row(&self) -> Vec<String> {
        let Self { width, height, faces, speed } = self;
        let stages =
            ["decode", "detect", "align", "embed"].map(|stage| format!("{:.0}", speed.stages_ms[stage].median));
        let found = speed.faces.checked_div(speed.photos).unwrap_or(0);
        let first = [
            format!("{width} x {height}"),
            format!("{:.0}", self.megapixels()),
            faces.to_string(),
            found.to_string(),
            format!("{:.0}", speed.photo_ms.median),
        ];
        [first.to_vec(), stages.to_vec()].concat()
    }
}

fn page(report: &Report) -> Page {
    let mut sections = Vec::new();
    if let Some(speed) = &report.speed {
        sections.push(facts::section("In words", vec![facts::text(in_words(speed))]));
        sections.push(facts::section("One photo", vec![facts::table(&STAGES, stage_rows(speed))]));
        sections.push(facts::section("Nets", vec![facts::table(&NETS, net_rows(speed))]));
    }
    if !report.sweep.is_empty() {
        sections.push(facts::section("By faces and size", vec![Block::Plot(by_faces(&report.sweep))]));
        let rows = report.sweep.iter().map(Swept::row);
        sections.push(facts::section("Median times, milliseconds", vec![facts::table(&SWEEP, rows)]));
    }
    let Program { version, commit } = &report.program;
    let about = [
        ("measured with", report.headline()),
        ("program", format!("rollcall {version}, commit {commit}")),
        ("runs", report.runs.to_string()),
    ];
    let lead = "From the bytes of a photo to embedded faces. Comparing and storing are not in it.";
    let facts = about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Page { title: "Speed".to_owned(), lead: lead.to_owned(), facts, sections }
}

fn by_faces(sweep: &[Swept]) -> Plot {
    let most = sweep.iter().map(|swept| swept.speed.photo_ms.median).fold(1.0, f64::max);
    let series = |[width, _]: [u32; 2]| {
        let of_size: Vec<_> = sweep.iter().filter(|swept| swept.width == width).collect();
        let name = of_size.first().map(|swept| format!("{:.0} megapixels", swept.megapixels())).unwrap_or_default();
        let points = of_size.iter().map(|swept| Point::at(f64::from(swept.faces), swept.speed.photo_ms.median));
        Series { name, mark: Mark::Line, points: points.collect() }
    };
    Plot {
        title: "Time for one photo".to_owned(),
        x: Axis::linear(0.0, 105.0).labelled("faces", Unit::Number),
        y: Axis::linear(0.0, most * 1.05).labelled("milliseconds", Unit::Number),
        series: SIZES.into_iter().map(series).filter(|series| !series.points.is_empty()).collect(),
        lines: Vec::new(),
    }
}
