//! `rollcall pilot`: a class is tried beside the teacher's register before anything counts.

use std::path::PathBuf;

use chrono::{NaiveDate, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Outcome;
use super::output::{Output, TextTable, count, table};
use crate::app::School;
use crate::app::audit::By;
use crate::app::error::Error;
use crate::app::pilot::{self, CompareWish, NamedClass, PilotClass, Switch};
use crate::app::report;
use crate::config::Config;
use crate::domain::pilot::{Comparison, NotCompared, Readiness, Tally};

#[derive(Debug, Subcommand)]
pub(super) enum PilotCommand {
    /// From now on sessions of a class are worked as any other and do not count
    Begin(PilotClassArgs),
    /// From now on sessions of a class count; those of its pilot stay out
    End(PilotClassArgs),
    /// Show the classes that are in pilot or were
    List,
    /// Lay the teacher's register beside what the program found by itself
    Compare(CompareArgs),
}

#[derive(Debug, Args)]
pub(super) struct PilotClassArgs {
    /// Class, as CSE-A or together with --section
    #[arg(long, value_name = "CLASS")]
    class: String,
    /// Section, where --class is the name alone
    #[arg(long, value_name = "SECTION")]
    section: Option<String>,
    /// Term of the class, where today does not tell it
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Class, as CSE-A or together with --section [default: every class with sessions of a pilot]
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Section, where --class is the name alone
    #[arg(long, value_name = "SECTION", requires = "class")]
    section: Option<String>,
    /// Term of the class, where the last day does not tell it
    #[arg(long, value_name = "TERM", requires = "class")]
    term: Option<String>,
    /// The register as CSV: a row for each mark (date,time or session,roll_no,status and, for several classes, class), or a row for
    /// each student and a column for each day
    #[arg(long, value_name = "FILE")]
    register: PathBuf,
    /// First day [default: that of the first session]
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<NaiveDate>,
    /// Last day [default: that of the last session]
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<NaiveDate>,
    /// Workbook to write: a summary, and every difference
    #[arg(short, long, value_name = "FILE.xlsx")]
    output: Option<PathBuf>,
}

impl PilotClassArgs {
    fn named(&self) -> NamedClass {
        NamedClass { class: self.class.clone(), section: self.section.clone(), term: self.term.clone() }
    }
}

pub(super) async fn run(command: &PilotCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    match command {
        PilotCommand::Begin(args) => switch(&school, args, Switch::Begin, output).await?,
        PilotCommand::End(args) => switch(&school, args, Switch::End, output).await?,
        PilotCommand::Compare(args) => compare(&school, args, output).await?,
        PilotCommand::List => {
            let classes = pilot::list(&school).await?;
            output.result(&classes, describe_list(&classes));
        }
    }
    Ok(Outcome::Done)
}

async fn switch(school: &School, args: &PilotClassArgs, to: Switch, output: &Output) -> Result<(), Error> {
    let class = pilot::find(school, args.named(), None::<NaiveDate>).await?;
    let row = pilot::switch(school, class.id, to, By::command(), Utc::now()).await?;
    let (label, since) = (pilot::label(&row), row.pilot_since.map(|at| at.and_utc()));
    let text = match since {
        Some(at) => format!(
            "{label} is in pilot since {} UTC: sessions made from then on do not count",
            at.format("%Y-%m-%d %H:%M")
        ),
        None => format!("{label} is not in pilot: sessions made from now on count, those of the pilot stay out"),
    };
    output.result(&json!({ "class": label, "term": row.term, "pilot_since": since }), text);
    Ok(())
}

async fn compare(school: &School, args: &CompareArgs, output: &Output) -> Result<(), Error> {
    let class = match args.class.clone() {
        None => None,
        Some(class) => {
            let named = NamedClass { class, section: args.section.clone(), term: args.term.clone() };
            Some(pilot::find(school, named, args.to).await?.id)
        }
    };
    let register = std::fs::read(&args.register).map_err(|e| Error::file(&args.register, &e))?;
    let wish = CompareWish { class, register, days: (args.from, args.to) };
    let sheet = pilot::compare(school, wish).await.map_err(|e| e.of(args.register.display()))?;
    let mut text = describe(&sheet.comparison);
    let comparison = sheet.comparison.clone();
    if let Some(file) = &args.output {
        report::write_whole(file, &pilot::workbook(sheet).await?)?;
        text.push_str(&format!("\nwritten: {}", file.display()));
    }
    output.result(&comparison, text);
    Ok(())
}

/// Reasons why marks were left out that are listed; the workbook and `--json` have all of them.
const LISTED: usize = 10;

fn describe(comparison: &Comparison) -> String {
    let verdict = &comparison.verdict;
    let word = match verdict.readiness {
        Readiness::NotEnoughYet => "not enough yet",
        Readiness::NotReady => "not ready",
        Readiness::Ready => "ready",
    };
    let mut text = format!("{} on {}: {word}", count(comparison.sessions, "session"), count(comparison.days, "day"),);
    verdict.reasons.iter().for_each(|reason| text.push_str(&format!("\n  {reason}")));
    text.push_str(&format!("\n\n{}\n\n{}", shares_table(comparison), tally_table(comparison)));
    for NotCompared { reason, records } in &comparison.not_comparable {
        text.push_str(&format!("\nnot compared: {}, {reason}", count(*records, "record")));
    }
    for left_out in comparison.left_out.iter().take(LISTED) {
        let column = left_out.column.as_ref().map(|column| format!(", {column}")).unwrap_or_default();
        let marks = if left_out.marks > 1 { format!(" ({} marks)", left_out.marks) } else { String::new() };
        text.push_str(&format!("\nleft out: line {}{column}: {}{marks}", left_out.line, left_out.reason));
    }
    if let more @ 1.. = comparison.left_out.len().saturating_sub(LISTED) {
        text.push_str(&format!("\nleft out: {more} more; -o FILE.xlsx and --json list them"));
    }
    if comparison.outside > 0 {
        text.push_str(&format!("\nnot asked about: {} of other days", count(comparison.outside, "mark")));
    }
    for session in &comparison.sessions_without_register {
        let at = session.starts_at.format("%Y-%m-%d %H:%M");
        text.push_str(&format!("\nnot in the register: session {} of {} {at}", session.session.0, session.label));
    }
    text
}

fn shares_table(comparison: &Comparison) -> TextTable {
    let shares = &comparison.shares;
    let rows = [
        ("program and register agree", shares.agreement),
        ("names given, not there", shares.wrong_names),
        ("there, called absent (missed)", shares.missed),
        ("the program asks", shares.asked),
    ];
    let percent = |part: Option<f64>| part.map_or_else(|| "-".to_owned(), |part| format!("{:.1} %", 100.0 * part));
    let rows = rows.into_iter().map(|(what, share)| {
        let (low, high) = share.interval.map(|interval| (interval.low, interval.high)).unzip();
        let (n, of) = (share.count.to_string(), share.of.to_string());
        vec![what.to_owned(), n, of, percent(share.share), percent(low), percent(high)]
    });
    table(&["", "count", "of", "share", "from", "to (95 %)"], &[1, 2, 3, 4, 5], rows)
}

fn tally_table(comparison: &Comparison) -> TextTable {
    let header = ["", "sessions", "both present", "both absent", "named, not there", "missed", "asked", "not compared"];
    let row = |label: String, sessions: usize, tally: &Tally| {
        let asked = tally.asked_present + tally.asked_absent;
        let Tally { agree_present, agree_absent, wrong_present, missed, not_comparable, .. } = *tally;
        let numbers = [sessions, agree_present, agree_absent, wrong_present, missed, asked, not_comparable];
        std::iter::once(label).chain(numbers.map(|n| n.to_string())).collect::<Vec<_>>()
    };
    let classes = comparison.by_class.iter().map(|class| row(class.label.clone(), class.sessions, &class.tally));
    let weeks =
        comparison.by_week.iter().map(|week| row(format!("week from {}", week.monday), week.sessions, &week.tally));
    let total = row("total".to_owned(), comparison.sessions, &comparison.total);
    table(&header, &[1, 2, 3, 4, 5, 6, 7], classes.chain(weeks).chain([total]))
}

fn describe_list(classes: &[PilotClass]) -> String {
    if classes.is_empty() {
        return "no class is in pilot; `rollcall pilot begin --class CSE-A` begins one".to_owned();
    }
    let since = |class: &PilotClass| {
        class.since.map_or_else(|| "it is over".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
    };
    let rows = classes.iter().map(|c| vec![c.class.clone(), c.term.clone(), since(c), c.sessions.to_string()]);
    table(&["class", "term", "in pilot since (UTC)", "pilot sessions"], &[3], rows).to_string()
}
