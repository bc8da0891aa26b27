//! `rollcall export`: a session or a register as Excel or CSV, a session also for Moodle.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::output::{Output, count};
use super::{ClassArgs, Outcome};
use crate::app::error::{Code, Error};
use crate::app::report::{
    self, MoodleIdentifier, RegisterWish, SessionFile, SessionFormat, SessionOptions, SheetFormat,
};
use crate::app::term::ClassWish;
use crate::app::{School, dataset};
use crate::config::Config;
use crate::domain::ids::SessionId;
use crate::domain::pilot::PilotSessions;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ExportArgs {
    #[command(subcommand)]
    what: Option<ExportCommand>,
    /// One session, by its number
    #[arg(long, value_name = "N", conflicts_with_all = ["class", "from", "to"], required_unless_present = "class")]
    session: Option<i64>,
    #[command(flatten)]
    class: ClassArgs,
    /// Term of the class, where the days do not tell it
    #[arg(long, value_name = "TERM", requires = "class")]
    term: Option<String>,
    /// Only the sessions of this subject
    #[arg(long, value_name = "NAME", requires = "class")]
    subject: Option<String>,
    /// With the sessions of a pilot, which do not count
    #[arg(long, requires = "class")]
    with_pilot: bool,
    /// Leave out the page with each student's face as it was found
    #[arg(long, requires = "session")]
    no_evidence: bool,
    /// Show on that page also the faces of people who are nobody of the class
    #[arg(long, requires = "session")]
    strangers: bool,
    /// Of Moodle's form: by what it is to know the students [default: prn, its ID number]
    #[arg(long, value_enum, requires = "session")]
    identifier: Option<IdentifierArg>,
    /// First day of the register
    #[arg(long, value_name = "YYYY-MM-DD", requires = "class", required_unless_present = "session")]
    from: Option<NaiveDate>,
    /// Last day of the register
    #[arg(long, value_name = "YYYY-MM-DD", requires = "class", required_unless_present = "session")]
    to: Option<NaiveDate>,
    /// Kind of file [default: by the ending of the output file, otherwise xlsx]
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// File to write
    #[arg(short, long, value_name = "FILE", required = true)]
    output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum ExportCommand {
    /// Write portraits and templates as folders: <Student_Name>_<Roll_No>/ with face_embedding.<pack>.npy
    Dataset(DatasetArgs),
}

#[derive(Debug, Args)]
struct DatasetArgs {
    #[command(flatten)]
    class: ClassArgs,
    /// Term of the classes [default: today's]
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// Folder to write to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Xlsx,
    Csv,
    /// CSV for Moodle's attendance plugin, of one session
    Moodle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum IdentifierArg {
    Prn,
    Email,
}

pub(super) async fn run(args: &ExportArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    if let Some(ExportCommand::Dataset(args)) = &args.what {
        return dataset(&school, args, output).await;
    }
    let file = args.output.as_deref().expect("clap requires a file where there is no subcommand");
    let length = match (args.session, args.class.pair(), args.from, args.to) {
        (Some(id), ..) => write(file, &report::session_file(&school, SessionId(id), args.session_file(file)?).await?)?,
        (None, Some(_), Some(from), Some(to)) if from > to => {
            return Err(Error::new(Code::InvalidSettings, format!("--from {from} is after --to {to}")));
        }
        (None, Some((class, section)), Some(from), Some(to)) => {
            let class = ClassWish { name: class.into(), section: section.into(), term: args.term.clone() };
            let wanted = RegisterWish { class, days: (from, to), subject: args.subject.clone(), pilots: args.pilots() };
            let register = report::one_register(&school, wanted).await?;
            match args.register_format(file)? {
                SheetFormat::Csv => report::write_register_csv(&school, register, file).await?,
                SheetFormat::Xlsx => write(file, &report::register_of(&school, register, SheetFormat::Xlsx).await?)?,
            }
        }
        _ => return Err(Error::new(Code::InvalidSettings, "name a session, or a class with --from and --to")),
    };
    output.result(&json!({ "file": file, "bytes": length }), format!("written: {}", file.display()));
    Ok(Outcome::Done)
}

/// Returns the length.
fn write(file: &Path, bytes: &[u8]) -> Result<u64, Error> {
    report::write_whole(file, bytes)?;
    Ok(bytes.len() as u64)
}

async fn dataset(school: &School, args: &DatasetArgs, output: &Output) -> Result<Outcome, Error> {
    let report = dataset::export(school, args.output.clone(), (args.class.pair(), args.term.as_deref())).await?;
    let mut text = format!(
        "{} of pack {}: {} written, {} as they were, {} left alone",
        count(report.students, "student"),
        report.pack,
        count(report.files_written, "file"),
        report.files_unchanged,
        report.problems.len(),
    );
    for problem in &report.problems {
        text.push_str(&format!("\n{}: {} [{}]", problem.path, problem.error.message, problem.error.code.as_str()));
    }
    output.result(&report, text);
    Ok(if report.problems.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

impl ExportArgs {
    const fn pilots(&self) -> PilotSessions {
        if self.with_pilot { PilotSessions::Included } else { PilotSessions::LeftOut }
    }

    fn session_file(&self, file: &Path) -> Result<SessionFile, Error> {
        let format = match self.wanted(file) {
            FormatArg::Csv => SessionFormat::Csv,
            FormatArg::Moodle => SessionFormat::Moodle,
            FormatArg::Xlsx => SessionFormat::Xlsx,
        };
        let identifier = self.identifier.map(|identifier| match identifier {
            IdentifierArg::Prn => MoodleIdentifier::Prn,
            IdentifierArg::Email => MoodleIdentifier::Email,
        });
        let (evidence, strangers) = (self.no_evidence.then_some(false), self.strangers.then_some(true));
        SessionFile::of(format, SessionOptions { identifier, evidence, strangers })
    }

    /// Of a register.
    fn register_format(&self, file: &Path) -> Result<SheetFormat, Error> {
        match self.wanted(file) {
            FormatArg::Csv => Ok(SheetFormat::Csv),
            FormatArg::Xlsx => Ok(SheetFormat::Xlsx),
            FormatArg::Moodle => {
                Err(Error::new(Code::InvalidSettings, "Moodle takes the marks of one session: name it with --session"))
            }
        }
    }

    fn wanted(&self, file: &Path) -> FormatArg {
        let is_csv = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        self.format.unwrap_or(if is_csv { FormatArg::Csv } else { FormatArg::Xlsx })
    }
}
