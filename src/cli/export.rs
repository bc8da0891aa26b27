//! `rollcall export`: a session or a register as Excel or CSV.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::Output;
use super::{ClassArgs, Outcome};
use crate::app::School;
use crate::app::error::{Code, Error};
use crate::app::report::{self, RegisterWish, SheetFormat};
use crate::app::term::ClassWish;
use crate::config::Config;
use crate::domain::ids::SessionId;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
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
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Xlsx,
    Csv,
}

pub(super) async fn run(args: &ExportArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    let format = args.format();
    let bytes = match (args.session, args.class.pair(), args.from, args.to) {
        (Some(id), ..) => report::session_file(&school, SessionId(id), format).await?,
        (None, Some(_), Some(from), Some(to)) if from > to => {
            return Err(Error::new(Code::InvalidSettings, format!("--from {from} is after --to {to}")));
        }
        (None, Some((class, section)), Some(from), Some(to)) => {
            let class = ClassWish { name: class.into(), section: section.into(), term: args.term.clone() };
            let wanted = RegisterWish { class, days: (from, to), subject: args.subject.clone() };
            report::register_file(&school, wanted, format).await?
        }
        _ => return Err(Error::new(Code::InvalidSettings, "name a session, or a class with --from and --to")),
    };
    report::write_whole(&args.output, &bytes)?;
    output.result(&json!({ "file": args.output, "bytes": bytes.len() }), format!("written: {}", args.output.display()));
    Ok(Outcome::Done)
}

impl ExportArgs {
    fn format(&self) -> SheetFormat {
        let is_csv = self.output.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        match self.format {
            Some(FormatArg::Csv) => SheetFormat::Csv,
            Some(FormatArg::Xlsx) => SheetFormat::Xlsx,
            None if is_csv => SheetFormat::Csv,
            None => SheetFormat::Xlsx,
        }
    }
}
