//! `rollcall enrol`: portraits in, templates out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::enrolment::{self, EnrolmentCommand};
use super::output::{Output, count, table};
use super::rematch::stale_line;
use super::{ClassArgs, Outcome};
use crate::app::enrol::{self, ConsentGiven, EnrolReport, PortraitStatus, Portraits};
use crate::app::error::Error;
use crate::app::{Recogniser, School};
use crate::config::Config;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct EnrolArgs {
    #[command(subcommand)]
    command: Option<EnrolmentCommand>,
    /// Folder of <Student_Name>_<Roll_No>/*.jpg
    #[arg(required_unless_present_any = ["csv", "re_embed"], conflicts_with = "csv")]
    dir: Option<PathBuf>,
    /// CSV file instead: class,section,roll_no,image or prn,image; images relative to the file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    class: ClassArgs,
    /// Term of the classes [default: today's]
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// State that the school holds the consent of everybody in this folder or file
    #[arg(long, value_enum, value_name = "STATE")]
    consent: Option<Consent>,
    /// Import face_embedding.npy files (NumPy, <f4) that the nets of this pack have made, instead of pictures
    #[arg(long, value_name = "PACK", conflicts_with = "csv")]
    npy_pack: Option<String>,
    /// Embed every stored portrait again, with the pack that --pack or the settings name
    #[arg(long, conflicts_with_all = ["dir", "csv", "npy_pack", "class", "term", "consent"])]
    re_embed: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Consent {
    /// Consent is on record at the school
    Recorded,
}

pub(super) async fn run(args: &EnrolArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    if let Some(command) = &args.command {
        return enrolment::run(command, &school, output).await;
    }
    let consent = if args.consent.is_some() { ConsentGiven::Recorded } else { ConsentGiven::AsInRoster };
    let options = enrol::Options { class: args.class.pair(), term: args.term.as_deref(), consent };
    let report = match (&args.dir, &args.csv, &args.npy_pack) {
        (Some(dir), _, Some(pack)) => {
            with_bar(output, async |progress| enrol::run_npy(&school, (dir.clone(), pack), options, progress).await)
                .await
        }
        (Some(dir), _, None) => portraits(&school, Portraits::Folder(dir.clone()), options, config, output).await,
        (None, Some(csv), _) => portraits(&school, Portraits::Table(csv.clone()), options, config, output).await,
        (None, None, _) => {
            let recogniser = open_recogniser(config, output).await?;
            with_bar(output, async |progress| enrol::re_embed(&school, &recogniser, progress).await).await
        }
    };
    let report = report?;
    output.result(&report, summary(&report));
    Ok(if report.photos.iter().all(|p| p.status.is_fine()) { Outcome::Done } else { Outcome::SomeFailed })
}

async fn portraits(
    school: &School,
    portraits: Portraits,
    options: enrol::Options<'_>,
    config: &Config,
    output: &Output,
) -> Result<EnrolReport, Error> {
    let recogniser = open_recogniser(config, output).await?;
    enrol_with_bar(school, &recogniser, &portraits, options, output).await
}

/// Loads the pack and says loudly when it does not run on what was hoped for, or cannot name anybody yet.
pub(super) async fn open_recogniser(config: &Config, output: &Output) -> Result<Recogniser, Error> {
    let recogniser = Recogniser::open(config).await?;
    if let Some(reason) = recogniser.fallback_reason() {
        let reason = reason.trim_end_matches('.');
        output.note(format_args!("running on the CPU ({reason}); `--provider cpu` asks for it and is silent"));
    }
    if !recogniser.is_calibrated() {
        let pack = recogniser.pack();
        output.note(format_args!(
            "the lines of {pack} are not calibrated: nobody will be named, near faces become doubts"
        ));
    }
    Ok(recogniser)
}

pub(super) async fn enrol_with_bar(
    school: &School,
    recogniser: &Recogniser,
    portraits: &Portraits,
    options: enrol::Options<'_>,
    output: &Output,
) -> Result<EnrolReport, Error> {
    with_bar(output, async |progress| enrol::run(school, recogniser, portraits, options, progress).await).await
}

async fn with_bar(
    output: &Output,
    work: impl AsyncFnOnce(&(dyn Fn(usize, usize) + Sync)) -> Result<EnrolReport, Error>,
) -> Result<EnrolReport, Error> {
    let bar = output.bar(0, "portraits");
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let report = work(&progress).await;
    bar.finish_and_clear();
    report
}

/// What was enrolled in one line, and every portrait that was not in one line each.
pub(super) fn summary(report: &EnrolReport) -> String {
    let of = |status: PortraitStatus| report.photos.iter().filter(|p| p.status == status).count();
    let mut text = format!(
        "{} of {} enrolled; {}: {} new, {} known already, {} refused, {} failed",
        report.students_enrolled,
        count(report.students, "student"),
        count(report.photos.len(), "portrait"),
        of(PortraitStatus::Enrolled),
        of(PortraitStatus::Known),
        of(PortraitStatus::Refused),
        of(PortraitStatus::Failed),
    );
    let problems = report.photos.iter().filter(|p| !p.status.is_fine());
    let rows = problems.map(|p| {
        let code = p.error.as_ref().map(|e| e.code.as_str()).unwrap_or_default();
        let message = p.error.as_ref().map(|e| e.message.clone()).unwrap_or_default();
        vec![p.path.clone(), code, message]
    });
    let problems = table(&["portrait", "code", "reason"], &[], rows);
    if !problems.is_empty() {
        text.push_str(&format!("\n\n{problems}"));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text.push_str(&stale_line(report.stale_sessions));
    text
}
