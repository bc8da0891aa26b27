//! `rollcall evaluate --calibrate`: the lines of a pack from labelled portraits.

mod records;

use std::path::PathBuf;

use chrono::Utc;
use clap::Args;

use super::{Inputs, ReportArgs, facts};
use crate::app::error::{Code, Error};
use crate::app::evaluate::calibrate::{self, Calibrated, LabelledPortraits};
use crate::app::evaluate::report::Report;
use crate::cli::Outcome;
use crate::cli::output::{Output, count, table};
use crate::config::Config;
use crate::domain::calibration::fit::{Plan, Slice};
use crate::domain::calibration::open_set::Classes;
use crate::domain::calibration::sizes::Sizes;
use crate::domain::calibration::trials::Templates;
use crate::export::html::Page;
use crate::pack::rescore::{rescore, scoring_block};

#[derive(Debug, Args)]
#[command(next_help_heading = "Calibration")]
pub(super) struct CalibrateArgs {
    /// Set accept, doubt, margin and likelihood ratio of the pack from portraits of people it was not trained on, or the lines
    /// from the school's own confirmed records
    #[arg(long, required = true, requires = "evidence")]
    calibrate: bool,
    /// Portraits, CSV: image,person and, if known, note; a note takes an image out
    #[arg(long, value_name = "FILE", group = "evidence")]
    people: Option<PathBuf>,
    /// The faces of all confirmed sessions, under the names that teachers have signed for
    #[arg(long, group = "evidence", conflicts_with_all = ["images", "data", "smallest_px", "largest_px", "sizes", "samples",
        "class_size", "classes"])]
    from_records: bool,
    /// Folder of the portraits [default: the folder of the list]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// What the pack shall say of the data [default: the name of the list's folder]
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Write the result into the pack's pack.toml instead of only printing it
    #[arg(long)]
    write: bool,
    /// Smallest face of a probe, pixels
    #[arg(long, default_value_t = 24, value_name = "PX", value_parser = clap::value_parser!(u16).range(12..=1000))]
    smallest_px: u16,
    /// Largest face of a probe, pixels
    #[arg(long, default_value_t = 80, value_name = "PX", value_parser = clap::value_parser!(u16).range(12..=1000))]
    largest_px: u16,
    /// Probes made of each portrait, one in each step from the smallest to the largest
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    sizes: u8,
    /// Most samples of a template
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    samples: u8,
    /// Students in the classes that the margin is measured in
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    class_size: u16,
    /// Classes drawn
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10000))]
    classes: u16,
    /// Seed of everything drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    report: ReportArgs,
}

/// Draws of everybody's samples; as many as there are sizes by default, so that each probe of a portrait meets others.
const TEMPLATE_DRAWS: usize = 4;

impl CalibrateArgs {
    /// Puts the lines into the pack that the settings name.
    fn write_if_asked(&self, calibrated: &Calibrated, config: &Config, output: &Output) -> Result<(), Error> {
        if self.write {
            let dir = config.pack_dir().expect("the pack was just opened");
            rescore(&dir, &calibrated.scoring(), &calibrated.comment())?;
            output.note(format!("written to {}", dir.join(crate::pack::MANIFEST_FILE).display()));
        }
        Ok(())
    }

    fn plan(&self) -> Result<Plan, Error> {
        if self.smallest_px > self.largest_px {
            let what = format!("--smallest-px {} is above --largest-px {}", self.smallest_px, self.largest_px);
            return Err(Error::new(Code::InvalidSettings, what));
        }
        Ok(Plan {
            sizes: Sizes {
                smallest_px: f32::from(self.smallest_px),
                largest_px: f32::from(self.largest_px),
                steps: usize::from(self.sizes),
            },
            templates: Templates { max_samples: usize::from(self.samples), draws: TEMPLATE_DRAWS, seed: self.seed },
            classes: Classes { size: usize::from(self.class_size), count: usize::from(self.classes), seed: self.seed },
        })
    }
}

pub(super) async fn run(args: &CalibrateArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    if args.from_records {
        return records::run(args, config, output).await;
    }
    let plan = args.plan()?;
    let list = args.people.clone().expect("--calibrate requires --people");
    let beside = list.parent().map(PathBuf::from).unwrap_or_default();
    let folder = beside.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let labelled = LabelledPortraits {
        list,
        images: args.images.clone().unwrap_or(beside),
        data: args.data.clone().unwrap_or(folder),
        date: Utc::now().date_naive(),
    };
    let inputs = Inputs { lists: vec![labelled.list.clone()], seed: Some(args.seed), ..Inputs::default() };
    let measure = args
        .report
        .measured((config, output), inputs, |looker, progress| calibrate::calibrate(looker, &labelled, plan, progress));
    let report = measure.await?;
    let calibrated = &report.result;
    args.write_if_asked(calibrated, config, output)?;
    args.report.print(output, &report, describe(&report), || page(&report))?;
    Ok(if calibrated.refused.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

fn describe(report: &Report<Calibrated>) -> String {
    let calibrated = &report.result;
    let found = &calibrated.calibration;
    let mut text = format!(
        "{}\n{} people, {} of {} portraits, {} probes, {} genuine and {} impostor comparisons\n\n",
        facts::headline(report),
        found.people,
        found.images,
        calibrated.listed,
        found.probes,
        found.genuine,
        found.impostors
    );
    text.push_str(&scoring_block(&calibrated.scoring(), &calibrated.comment()));
    text.push_str(&format!("\n{}\n", uncertainty(calibrated)));
    let slices = found.by_size.iter().chain(&found.by_samples);
    text.push_str(&format!("\n{}\n", table(&SLICES, &[1, 2, 3], slices.map(slice))));
    text.push_str(&in_classes(calibrated));
    text.push_str("\n\nnearest comparisons of different people (is one of these pictures labelled wrongly?)\n");
    for near in &found.nearest {
        text.push_str(&format!("  {:.2}  {} and {}\n", near.combined, near.image, near.person));
    }
    text.push_str(&left_out(calibrated));
    text.trim_end().to_owned()
}

const SLICES: [&str; 4] = ["genuine comparisons", "count", "accepted %", "within doubt %"];

fn page(report: &Report<Calibrated>) -> Page {
    let calibrated = &report.result;
    let found = &calibrated.calibration;
    let block = scoring_block(&calibrated.scoring(), &calibrated.comment());
    let slices = found.by_size.iter().chain(&found.by_samples);
    let nearest =
        found.nearest.iter().map(|near| vec![near.image.clone(), near.person.clone(), format!("{:.2}", near.combined)]);
    let sections = vec![
        facts::section("For the pack", block.lines().map(facts::text).collect()),
        facts::section("How certain the lines are", vec![facts::text(uncertainty(calibrated))]),
        facts::section("Genuine comparisons", vec![facts::table(&SLICES, slices.map(slice))]),
        facts::section("In classes", vec![facts::text(in_classes(calibrated))]),
        facts::section(
            "Nearest comparisons of different people",
            vec![
                facts::text("Is one of these pictures labelled wrongly?"),
                facts::table(&["image", "person", "score"], nearest),
            ],
        ),
    ];
    let lead = "Lines, margin and likelihood ratio of a pack from labelled portraits.";
    facts::page(report, "Calibration", lead, sections)
}

fn slice(slice: &Slice) -> Vec<String> {
    let (accepted, within_doubt) = (facts::share(&slice.accepted), facts::share(&slice.within_doubt));
    vec![slice.of.clone(), slice.genuine.to_string(), accepted, within_doubt]
}

/// Where the lines may lie with other people.
fn uncertainty(calibrated: &Calibrated) -> String {
    let found = &calibrated.calibration;
    let said = [("accept", &found.accept), ("doubt", &found.doubt)].map(|(name, line)| match line.interval {
        Some(interval) => format!("{name} {:.2} ({:.2} to {:.2})", line.combined, interval.low, interval.high),
        None => format!("{name} {:.2} (too few people to say how certain)", line.combined),
    });
    format!("with other people, 95 %: {}", said.join(", "))
}

/// Verdicts in classes that are drawn from the people.
fn in_classes(calibrated: &Calibrated) -> String {
    let open = &calibrated.calibration.open_set;
    let percent = |part: usize, all: usize| format!("{:.3} %", 100.0 * part as f64 / all.max(1) as f64);
    format!(
        "\nin classes of {}: of member probes {} right, {} wrong, {} doubt, {} missed; of stranger probes {} named, {} doubt",
        calibrated.plan.classes.size,
        percent(open.named_right, open.members),
        percent(open.named_wrong, open.members),
        percent(open.doubted, open.members),
        percent(open.missed, open.members),
        percent(open.strangers_named, open.strangers),
        percent(open.strangers_doubted, open.strangers),
    )
}

fn left_out(calibrated: &Calibrated) -> String {
    let lists = [
        (count(calibrated.noted.len(), "portrait") + " taken out by a note", &calibrated.noted),
        (count(calibrated.refused.len(), "portrait") + " not usable", &calibrated.refused),
        (count(calibrated.unseen.len(), "probe") + " without a face found", &calibrated.unseen),
    ];
    let list = |(title, items): (String, &Vec<String>)| {
        let items: String = items.iter().map(|item| format!("\n  {item}")).collect();
        format!("\n{title}{items}")
    };
    lists.into_iter().filter(|(_, items)| !items.is_empty()).map(list).collect()
}
