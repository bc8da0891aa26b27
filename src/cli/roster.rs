//! `rollcall roster`: the school's list of students, and what happens to one of them between two lists.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::output::{Output, count, table};
use super::rematch::stale_line;
use super::{ClassArgs, Outcome, RollArgs};
use crate::app::error::Error;
use crate::app::roster::{self, Activity, Changed, Leaving, RosterList, Transfer};
use crate::app::term::ClassWish;
use crate::app::{Mode, School};
use crate::config::Config;
use crate::domain::status::Consent;
use crate::domain::term::TermDays;

#[derive(Debug, Subcommand)]
pub(super) enum RosterCommand {
    /// Import a CSV file: class,section,name,roll_no,prn,email and, if known, consent,term,from,to,active
    Import(ImportArgs),
    /// Show who is in a class on a day
    List(RollArgs),
    /// Move a student to another class of the term from a day on
    Transfer(TransferArgs),
    /// End a student's stay in a class, or in all classes
    End(EndArgs),
    /// A student is at the school again
    Activate(StudentArgs),
    /// A student is not at the school for the time being: never looked for, in any class
    Deactivate(StudentArgs),
    /// Record that consent was given or withdrawn; a withdrawal deletes the student's samples and pictures
    Consent(ConsentArgs),
    /// Subjects: a session called like one is a session of it
    #[command(subcommand)]
    Subjects(SubjectsCommand),
    /// First and last days of terms: they tell the term of a class that exists in several
    #[command(subcommand)]
    Terms(TermsCommand),
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// CSV file with the columns class,section,name,roll_no,prn,email and, if known, consent,term,from,to,active
    file: PathBuf,
    /// The term that the classes belong to [default: the settings' term]
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// Print what would change and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct TransferArgs {
    #[command(flatten)]
    student: StudentArgs,
    /// Class that is left, together with --from-section; needed by a student of several
    #[arg(long, value_name = "CLASS", requires = "from_section")]
    from_class: Option<String>,
    /// Section that is left
    #[arg(long, value_name = "SECTION", requires = "from_class")]
    from_section: Option<String>,
    /// New class
    #[arg(long, value_name = "CLASS")]
    to_class: String,
    /// New section
    #[arg(long, value_name = "SECTION")]
    to_section: String,
    /// Roll number in the new class
    #[arg(long, value_name = "N")]
    roll_no: String,
    /// First day in the new class
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: NaiveDate,
    /// Term of the classes, where the day does not tell it
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct EndArgs {
    #[command(flatten)]
    student: StudentArgs,
    #[command(flatten)]
    class: ClassArgs,
    /// Term of the class, where the day does not tell it
    #[arg(long, value_name = "TERM", requires = "class")]
    term: Option<String>,
    /// Last day in the class
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: NaiveDate,
}

#[derive(Debug, Args)]
pub(super) struct StudentArgs {
    /// The student's permanent number
    #[arg(long, value_name = "PRN")]
    prn: String,
    /// Print what would change and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConsentArgs {
    #[command(flatten)]
    student: StudentArgs,
    /// What was said
    #[arg(value_enum)]
    said: Said,
    /// The day it was said [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Said {
    Given,
    Withdrawn,
}

#[derive(Debug, Subcommand)]
pub(super) enum SubjectsCommand {
    /// Add a subject
    Add {
        /// Name of the subject, as sessions are called
        name: String,
    },
    /// List the subjects
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum TermsCommand {
    /// Set the first and last day of a term
    Set {
        /// The term
        name: String,
        /// First day
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: NaiveDate,
        /// Last day
        #[arg(long, value_name = "YYYY-MM-DD")]
        to: NaiveDate,
    },
    /// List the terms whose days are set
    List,
}

pub(super) async fn run(command: &RosterCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    match command {
        RosterCommand::Import(args) => import(&school, args, output).await?,
        RosterCommand::List(args) => {
            let list = roster::list(&school, args.class(), args.on).await?;
            output.result(&list, describe_list(&list));
        }
        RosterCommand::Transfer(args) => {
            let change = roster::transfer(&school, args.transfer(), args.student.mode()).await?;
            output.result(&change, describe(&change));
        }
        RosterCommand::End(args) => {
            let change = roster::end(&school, args.leaving(), args.student.mode()).await?;
            output.result(&change, describe(&change));
        }
        RosterCommand::Activate(args) => activity(&school, args, Activity::Active, output).await?,
        RosterCommand::Deactivate(args) => activity(&school, args, Activity::Inactive, output).await?,
        RosterCommand::Consent(args) => {
            let said = match args.said {
                Said::Given => Consent::Given,
                Said::Withdrawn => Consent::Withdrawn,
            };
            let (prn, mode) = (args.student.prn.clone(), args.student.mode());
            let change = roster::set_consent(&school, prn, (said, args.on), mode).await?;
            output.result(&change, describe(&change));
        }
        RosterCommand::Subjects(command) => subjects(&school, command, output).await?,
        RosterCommand::Terms(command) => terms(&school, command, output).await?,
    }
    Ok(Outcome::Done)
}

impl StudentArgs {
    const fn mode(&self) -> Mode {
        if self.dry_run { Mode::Preview } else { Mode::Apply }
    }
}

impl TransferArgs {
    fn transfer(&self) -> Transfer {
        let (name, section) = (self.to_class.clone(), self.to_section.clone());
        Transfer {
            prn: self.student.prn.clone(),
            from: self.from_class.clone().zip(self.from_section.clone()),
            to: ClassWish { name, section, term: self.term.clone() },
            roll_no: self.roll_no.clone(),
            on: self.on,
        }
    }
}

impl EndArgs {
    fn leaving(&self) -> Leaving {
        let class = self.class.pair().map(|(name, section)| ClassWish {
            name: name.into(),
            section: section.into(),
            term: self.term.clone(),
        });
        Leaving { prn: self.student.prn.clone(), class, on: self.on }
    }
}

async fn import(school: &School, args: &ImportArgs, output: &Output) -> Result<(), Error> {
    let bytes = std::fs::read(&args.file).map_err(|e| Error::file(&args.file, &e))?;
    let term = args.term.clone().unwrap_or_else(|| school.config().term.clone());
    let mode = if args.dry_run { Mode::Preview } else { Mode::Apply };
    let change = roster::import(school, bytes, term, mode).await.map_err(|e| e.of(args.file.display()))?;
    let stale = stale_line(change.stale_sessions);
    output.result(&change, format!("{}{change}{stale}", heading(mode == Mode::Apply)));
    Ok(())
}

async fn activity(school: &School, args: &StudentArgs, activity: Activity, output: &Output) -> Result<(), Error> {
    let change = roster::set_activity(school, args.prn.clone(), activity, args.mode()).await?;
    output.result(&change, describe(&change));
    Ok(())
}

async fn subjects(school: &School, command: &SubjectsCommand, output: &Output) -> Result<(), Error> {
    match command {
        SubjectsCommand::Add { name } => {
            let sessions = roster::add_subject(school, name.clone()).await?;
            let text = format!("{} of this name became one of it", count(sessions, "session"));
            output.result(&json!({ "subject": name, "sessions": sessions }), text);
        }
        SubjectsCommand::List => {
            let subjects = roster::subjects(school).await?;
            output.result(&subjects, subjects.join("\n"));
        }
    }
    Ok(())
}

async fn terms(school: &School, command: &TermsCommand, output: &Output) -> Result<(), Error> {
    match command {
        TermsCommand::Set { name, from, to } => {
            let term = TermDays { name: name.trim().to_owned(), first_day: *from, last_day: *to };
            roster::set_term(school, term).await?;
            output.result(&json!({ "term": name.trim(), "from": from, "to": to }), format!("{name}: {from} to {to}"));
        }
        TermsCommand::List => {
            let terms = roster::terms(school).await?;
            let value: Vec<_> =
                terms.iter().map(|t| json!({ "term": t.name, "from": t.first_day, "to": t.last_day })).collect();
            let rows = terms.iter().map(|t| vec![t.name.clone(), t.first_day.to_string(), t.last_day.to_string()]);
            output.result(&value, table(&["term", "first day", "last day"], &[], rows));
        }
    }
    Ok(())
}

const fn heading(applied: bool) -> &'static str {
    if applied { "" } else { "nothing was changed; this would be:\n" }
}

fn describe(change: &Changed) -> String {
    if change.changes.is_empty() {
        return format!("it is so already{}", stale_line(change.stale_sessions));
    }
    format!("{}{}{}", heading(change.applied), change.changes.join("\n"), stale_line(change.stale_sessions))
}

fn describe_list(list: &RosterList) -> String {
    let day = |day: Option<NaiveDate>| day.map(|d| d.to_string()).unwrap_or_default();
    let rows = list.members.iter().map(|m| {
        vec![
            m.roll_no.clone(),
            m.prn.clone(),
            m.name.clone(),
            day(m.from),
            day(m.to),
            if m.active { String::new() } else { "inactive".to_owned() },
            m.consent.to_string(),
            m.samples.map(|n| n.to_string()).unwrap_or_default(),
        ]
    });
    let header = ["roll no", "PRN", "name", "from", "to", "", "consent", "samples"];
    let term = if list.term.is_empty() { String::new() } else { format!(" of term {}", list.term) };
    let title =
        format!("{}-{}{term} on {}: {}", list.class, list.section, list.on, count(list.members.len(), "member"));
    format!("{title}\n\n{}", table(&header, &[7], rows))
}
