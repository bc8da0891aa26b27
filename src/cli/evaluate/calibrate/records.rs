//! `rollcall evaluate --calibrate --from-records`: the lines of a pack from what teachers have confirmed.

use chrono::Utc;

use super::{CalibrateArgs, in_classes, slice, uncertainty};
use crate::app::School;
use crate::app::error::Error;
use crate::app::evaluate::looker::Looker;
use crate::app::evaluate::records::{CalibratedOnRecords, ClassFigures, FACES_PER_STUDENT, calibrate_on_records};
use crate::app::evaluate::report::{Asked, Report};
use crate::cli::Outcome;
use crate::cli::enrol::open_recogniser;
use crate::cli::evaluate::facts;
use crate::cli::output::{Output, table};
use crate::config::{self, Config};
use crate::export::html::Page;
use crate::pack::rescore::scoring_block;

pub(super) async fn run(args: &CalibrateArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    let recogniser = open_recogniser(config, output).await?;
    let asked = Asked {
        lists: Vec::new(),
        seed: Some(args.seed),
        commit: args.report.commit.clone().unwrap_or_else(|| config::commit().to_owned()),
        started_at: Utc::now(),
    };
    let today = Utc::now().with_timezone(&config.time_zone).date_naive();
    let calibrated = calibrate_on_records(&school, &recogniser, (today, args.seed)).await?;
    let report = Report::of(calibrated, &Looker::forgetful(&recogniser), &asked)?;
    args.write_if_asked(&report.result.calibrated, config, output)?;
    args.report.print(output, &report, describe(&report), || page(&report))?;
    Ok(Outcome::Done)
}

const CLASSES: [&str; 8] = [
    "class",
    "students",
    "sessions",
    "faces",
    "accepted %",
    "within doubt %",
    "others accepted",
    "others within doubt",
];

const SLICES: [&str; 4] = ["confirmed faces", "count", "accepted %", "within doubt %"];

fn describe(report: &Report<CalibratedOnRecords>) -> String {
    let result = &report.result;
    let found = &result.calibrated.calibration;
    let slices = found.by_size.iter().chain(&found.by_samples).map(slice);
    let mut text = format!(
        "{} on {}\n{}\n\n{}",
        report.pack_id(),
        report.provider,
        evidence(result),
        scoring_block(&result.calibrated.scoring(), &result.calibrated.comment())
    );
    text.push_str(&format!("\n{}\n{}\n\n{EXPLAINED}\n", before(result), uncertainty(&result.calibrated)));
    text.push_str(&format!("\n{}\n", table(&CLASSES, &[1, 2, 3, 4, 5, 6, 7], result.by_class.iter().map(class))));
    text.push_str(&format!("\n{}\n{}", table(&SLICES, &[1, 2, 3], slices), in_classes(&result.calibrated)));
    text.push_str("\n\nnearest comparisons of different students (was one of these faces confirmed wrongly?)\n");
    for near in &found.nearest {
        text.push_str(&format!("  {:.2}  {} and {}\n", near.combined, near.image, near.person));
    }
    text.trim_end().to_owned()
}

const EXPLAINED: &str = "A face that was missed is only counted where somebody named it by hand, so the shares below are the \
                         best case; the lines do not rest on them. Others: comparisons with other students of the class.";

fn evidence(result: &CalibratedOnRecords) -> String {
    let (evidence, found) = (&result.evidence, &result.calibrated.calibration);
    format!(
        "{} confirmed faces (the newest {FACES_PER_STUDENT} of each) of {} students in {} sessions on {} days; {} genuine and {} \
         impostor comparisons",
        evidence.faces, evidence.students, evidence.sessions, evidence.days, found.genuine, found.impostors
    )
}

fn before(result: &CalibratedOnRecords) -> String {
    let lines = result.lines_before;
    format!("until now: accept {:.2}, doubt {:.2}, margin {:.2}", lines.accept, lines.doubt, lines.margin)
}

fn class(figures: &ClassFigures) -> Vec<String> {
    let of_others = |count: usize| format!("{count} of {}", figures.impostors);
    vec![
        figures.class.clone(),
        figures.students.to_string(),
        figures.sessions.to_string(),
        figures.accepted.of.to_string(),
        facts::share(&figures.accepted),
        facts::share(&figures.within_doubt),
        of_others(figures.impostors_accepted),
        of_others(figures.impostors_doubted),
    ]
}

fn page(report: &Report<CalibratedOnRecords>) -> Page {
    let result = &report.result;
    let found = &result.calibrated.calibration;
    let block = scoring_block(&result.calibrated.scoring(), &result.calibrated.comment());
    let slices = found.by_size.iter().chain(&found.by_samples).map(slice);
    let nearest =
        found.nearest.iter().map(|near| vec![near.image.clone(), near.person.clone(), format!("{:.2}", near.combined)]);
    let sections = vec![
        facts::section("For the pack", block.lines().map(facts::text).chain([facts::text(before(result))]).collect()),
        facts::section("How certain the lines are", vec![facts::text(uncertainty(&result.calibrated))]),
        facts::section(
            "By class",
            vec![facts::text(EXPLAINED), facts::table(&CLASSES, result.by_class.iter().map(class))],
        ),
        facts::section("Confirmed faces", vec![facts::table(&SLICES, slices)]),
        facts::section("In classes", vec![facts::text(in_classes(&result.calibrated))]),
        facts::section(
            "Nearest comparisons of different students",
            vec![
                facts::text("Was one of these faces confirmed wrongly?"),
                facts::table(&["face", "student", "score"], nearest),
            ],
        ),
    ];
    facts::page(report, "Calibration on confirmed records", &evidence(result), sections)
}
