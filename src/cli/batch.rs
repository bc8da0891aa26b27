//! `rollcall batch`: a folder of class photos in, sessions and sheets out.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;

use super::enrol::open_recogniser;
use super::output::{Output, TextTable, count, table};
use super::signals::stop_on_signal;
use super::{ClassArgs, Outcome};
use crate::app::batch::{self, Annotate, Known, Options, Plan};
use crate::app::batch_report::{BatchReport, PhotoReport, PhotoStatus, SessionReport};
use crate::app::error::Error;
use crate::app::{Recogniser, School};
use crate::config::Config;
use crate::domain::sheet::PILOT_NOTICE;
use crate::queue::Stop;

#[derive(Debug, Args)]
pub(super) struct BatchArgs {
    /// Folder of class photos
    dir: PathBuf,
    #[command(flatten)]
    class: ClassArgs,
    /// Term of the classes, where the photos' days do not tell it
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Process photos again that were processed before
    #[arg(long)]
    reprocess: bool,
    /// Print which photo would go to which session and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Write each photo with boxes and roll numbers to exports/annotated/
    #[arg(long)]
    annotate: bool,
}

pub(super) async fn run(args: &BatchArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    let options = Options {
        class: args.class.pair().map(|(c, s)| (c.to_owned(), s.to_owned())),
        term: args.term.clone(),
        known: if args.reprocess { Known::Reprocess } else { Known::Keep },
        annotate: if args.annotate { Annotate::Yes } else { Annotate::No },
    };
    let plan = batch::plan(&school, &args.dir, &options).await?;
    if args.dry_run {
        output.result(&plan, describe_plan(&plan));
        return Ok(if plan.problems() == 0 { Outcome::Done } else { Outcome::SomeFailed });
    }
    let recogniser = open_recogniser(config, output).await?;
    let report = run_with_bar(&school, &recogniser, plan, &options, output).await?;
    if let Some(file) = &args.report {
        write_report(&report, file)?;
    }
    output.result(&report, describe(&report));
    let fine = !report.interrupted && report.photos.iter().all(|p| p.status != PhotoStatus::Failed);
    Ok(if fine { Outcome::Done } else { Outcome::SomeFailed })
}

/// Works through a plan with a progress bar; Ctrl-C lets the photos in hand finish.
pub(super) async fn run_with_bar(
    school: &School,
    recogniser: &Recogniser,
    plan: Plan,
    options: &Options,
    output: &Output,
) -> Result<BatchReport, Error> {
    let bar = output.bar(plan.photos.len(), "photos");
    let progress = |photo: &PhotoReport| tell(photo, &bar, output);
    let stop = Stop::default();
    let listener = stop_on_signal(&stop, "stopping: the photos in hand are finished, the rest waits for the next run");
    let report = batch::run(school, recogniser, plan, options, &progress, &stop).await;
    listener.abort();
    bar.finish_and_clear();
    report
}

fn tell(photo: &PhotoReport, bar: &ProgressBar, output: &Output) {
    bar.inc(1);
    bar.set_message(photo.path.clone());
    if bar.is_hidden() || photo.status == PhotoStatus::Failed {
        output.note(photo_line(photo));
    }
}

fn photo_line(photo: &PhotoReport) -> String {
    match &photo.error {
        Some(error) => format!("{}: failed, {} [{}]", photo.path, error.message, error.code.as_str()),
        None if photo.status == PhotoStatus::Duplicate => format!("{}: known already", photo.path),
        None => {
            let t = &photo.timings_ms;
            let ms = t.decode + t.detect + t.align + t.embed + t.matching + t.store;
            format!("{}: {} in {:.1} s", photo.path, count(photo.faces.len(), "face"), ms / 1000.0)
        }
    }
}

fn write_report(report: &BatchReport, file: &Path) -> Result<(), Error> {
    let json = serde_json::to_vec_pretty(report).expect("the report is plain structures with text keys");
    std::fs::write(file, json).map_err(|e| Error::file(file, &e))
}

/// Sessions, failed photos and files written.
pub(super) fn describe(report: &BatchReport) -> String {
    let of = |status: PhotoStatus| report.photos.iter().filter(|p| p.status == status).count();
    let mut text = format!(
        "{}: {} done, {} known already, {} failed",
        count(report.photos.len(), "photo"),
        of(PhotoStatus::Done),
        of(PhotoStatus::Duplicate),
        of(PhotoStatus::Failed),
    );
    if report.interrupted {
        text.push_str(&format!("; stopped with {} waiting: run the batch again to go on", of(PhotoStatus::Waiting)));
    }
    if !report.sessions.is_empty() {
        text.push_str(&format!("\n\n{}", sessions_table(&report.sessions)));
    }
    for photo in report.photos.iter().filter(|p| p.status == PhotoStatus::Failed) {
        text.push_str(&format!("\n{}", photo_line(photo)));
    }
    for photo in &report.photos {
        photo.warnings.iter().for_each(|warning| text.push_str(&format!("\n{}: {warning}", photo.path)));
        photo.advice.iter().for_each(|advice| text.push_str(&format!("\n{}: {}", photo.path, advice.text)));
    }
    for file in &report.exports {
        text.push_str(&format!("\nwritten: {file}"));
    }
    text
}

fn sessions_table(sessions: &[SessionReport]) -> TextTable {
    let header = ["session", "class", "starts (UTC)", "name", "present", "absent", "?", "strangers", "look at"];
    let rows = sessions.iter().map(|s| {
        vec![
            s.id.to_string(),
            format!("{}-{}", s.class, s.section),
            s.starts_at.format("%Y-%m-%d %H:%M").to_string(),
            s.name.clone().unwrap_or_default(),
            (s.present.len() + s.late.len()).to_string(),
            (s.absent.len() + s.excused.len()).to_string(),
            s.unmarked.len().to_string(),
            s.strangers.to_string(),
            look_at(s),
        ]
    });
    table(&header, &[0, 4, 5, 6, 7], rows)
}

fn look_at(session: &SessionReport) -> String {
    let pilot = session.pilot.then_some(PILOT_NOTICE);
    pilot.into_iter().chain(session.flags.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
}

fn describe_plan(plan: &Plan) -> String {
    let rows = plan.photos.iter().map(|p| match &p.target {
        Ok(t) => vec![
            p.path.clone(),
            format!("{}-{}", t.class, t.section),
            t.starts_at.format("%Y-%m-%d %H:%M").to_string(),
            t.name.clone().unwrap_or_default(),
        ],
        Err(e) => vec![p.path.clone(), "-".into(), e.code.as_str(), e.message.clone()],
    });
    let photos = table(&["photo", "class", "starts (school time)", "session"], &[], rows);
    let sessions = count(plan.sessions(), "session");
    format!(
        "{} would make {sessions}; {} cannot be placed\n\n{photos}",
        count(plan.photos.len(), "photo"),
        plan.problems()
    )
}
