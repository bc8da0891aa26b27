//! `rollcall demo`: the synthetic school from roster to sheets, compared with what is true.

use serde_json::json;

use super::Outcome;
use super::batch::run_with_bar;
use super::enrol::{enrol_with_bar, open_recogniser, summary};
use super::output::{Output, table};
use crate::app::batch::{self, Annotate, Known, Options};
use crate::app::batch_report::BatchReport;
use crate::app::demo::{Comparison, DemoSchool, fresh_folder};
use crate::app::enrol::{self, ConsentGiven, Portraits};
use crate::app::error::Error;
use crate::app::{Mode, School, roster};
use crate::config::Config;
use crate::domain::evaluation::FaceTally;

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {}

pub(super) async fn run(_args: &DemoArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let demo = DemoSchool::find(config)?;
    let config = demo_config(config);
    fresh_folder(&config.data_dir)?;
    output.note("A school of people who do not exist: two classes, 48 students, four photos of three lessons.\n");
    let school = School::create(&config).await?;
    let recogniser = open_recogniser(&config, output).await?;

    let bytes = std::fs::read(demo.roster()).map_err(|e| Error::file(&demo.roster(), &e))?;
    let change = roster::import(&school, bytes, config.term.clone(), Mode::Apply).await?;
    output.note(format_args!("roster\n{}\n", indented(&change.to_string())));

    let portraits = Portraits::Folder(demo.portraits());
    let as_recorded = enrol::Options { class: None, term: None, consent: ConsentGiven::Recorded };
    let enrolled = enrol_with_bar(&school, &recogniser, &portraits, as_recorded, output).await?;
    output.note(format_args!("enrolment\n{}", indented(&summary(&enrolled))));
    let refusals = tokio::task::block_in_place(|| demo.refusals(&recogniser))?;
    let mut all_refused = true;
    for (name, refusal) in &refusals {
        all_refused &= refusal.is_some();
        match refusal {
            Some(e) => output.note(format_args!("  {name}: refused as it must be, {e} [{}]", e.code.as_str())),
            None => output.note(format_args!("  {name}: enrolled, but it had to be refused")),
        }
    }

    let options = Options { class: None, term: None, known: Known::Keep, annotate: Annotate::Yes };
    let plan = batch::plan(&school, &demo.class_photos(), &options).await?;
    output.note("\nclass photos");
    let report = run_with_bar(&school, &recogniser, plan, &options, output).await?;
    let comparison = demo.compare(&report)?;
    output.result(&json!({ "report": report, "comparison": comparison }), describe(&report, &comparison));
    let fine = comparison.nothing_wrong() && all_refused;
    Ok(if fine { Outcome::Done } else { Outcome::SomeFailed })
}

/// The demo keeps its data in a folder of its own and writes its sheets where a school's would be. It never touches the
/// school that the settings name.
fn demo_config(config: &Config) -> Config {
    let mut demo = config.clone();
    demo.exports_dir = Some(config.exports_dir());
    demo.data_dir = config.data_dir.join("demo");
    demo.database_url = None;
    demo.term = String::new();
    demo.report.school = "Demo School (synthetic)".into();
    demo
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn describe(report: &BatchReport, comparison: &Comparison) -> String {
    let header = ["photo", "faces", "found", "false", "right", "wrong", "doubt", "missed", "strangers", "named"];
    let row = |name: &str, t: &FaceTally| {
        let numbers = [
            t.faces,
            t.found,
            t.false_faces,
            t.named_right,
            t.named_wrong,
            t.doubt_right + t.doubt_wrong,
            t.missed + t.undetected,
            t.strangers,
            t.strangers_named + t.false_named,
        ];
        let mut cells = vec![name.to_owned()];
        cells.extend(numbers.map(|n| n.to_string()));
        cells
    };
    let faces = comparison.photos.iter().map(|(name, tally)| row(name, tally));
    let faces = faces.chain([row("all", &comparison.faces)]);
    let sessions = comparison.sessions.iter().map(|(name, t)| {
        let numbers = [t.rows, t.right, t.open, t.wrongly_absent, t.wrongly_present];
        let mut cells = vec![name.clone()];
        cells.extend(numbers.map(|n| n.to_string()));
        cells
    });
    let all_right: Vec<usize> = (1..header.len()).collect();
    let session_header = ["lesson", "students", "right", "open", "wrongly absent", "wrongly present"];
    let mut text = format!(
        "\nfaces, against the truth\n{}\n\nattendance, against the truth\n{}\n",
        indented(&table(&header, &all_right, faces).to_string()),
        indented(&table(&session_header, &[1, 2, 3, 4, 5], sessions).to_string()),
    );
    for file in &report.exports {
        text.push_str(&format!("\nwritten: {file}"));
    }
    text.push_str(
        "\n\nDrawn faces are easy: these figures say that everything works, not how well it does in your rooms.",
    );
    text
}
