//! `rollcall rematch`: sessions judged again from their stored faces.

use chrono::NaiveDate;
use clap::{ArgGroup, Args};

use super::output::{Output, count};
use super::{ClassArgs, Outcome};
use crate::app::error::{Code, Error};
use crate::app::rematch::{self, Confirmed, RematchOutcome, RematchReport, RematchedSession, StaleSessions, Which};
use crate::app::term::ClassWish;
use crate::app::{Mode, School};
use crate::config::Config;
use crate::domain::ids::SessionId;
use crate::domain::sheet::PILOT_NOTICE;
use crate::domain::status::AttendanceStatus;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["session", "class", "stale"])))]
pub(super) struct RematchArgs {
    /// One session, by its number
    #[arg(long, value_name = "N")]
    session: Option<i64>,
    #[command(flatten)]
    class: ClassArgs,
    /// Term of the class, where the days do not tell it
    #[arg(long, value_name = "TERM", requires = "class")]
    term: Option<String>,
    /// First day, together with --to [default: all days]
    #[arg(long, value_name = "YYYY-MM-DD", requires_all = ["class", "to"])]
    from: Option<NaiveDate>,
    /// Last day, together with --from
    #[arg(long, value_name = "YYYY-MM-DD", requires_all = ["class", "from"])]
    to: Option<NaiveDate>,
    /// Every session whose gallery, pack or policy has changed since it was settled
    #[arg(long)]
    stale: bool,
    /// Also sessions that a teacher has confirmed: they wait for the teacher again afterwards
    #[arg(long)]
    confirmed: bool,
    /// Print what would change and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl RematchArgs {
    fn which(&self) -> Result<Which, Error> {
        let days = self.from.zip(self.to);
        if let Some((from, to)) = days.filter(|(from, to)| from > to) {
            return Err(Error::new(Code::InvalidSettings, format!("--from {from} is after --to {to}")));
        }
        Ok(match (self.session, self.class.pair()) {
            (Some(id), _) => Which::One(SessionId(id)),
            (None, Some((name, section))) => {
                let class = ClassWish { name: name.into(), section: section.into(), term: self.term.clone() };
                Which::Class(class, days)
            }
            (None, None) => Which::Stale,
        })
    }
}

pub(super) async fn run(args: &RematchArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let which = args.which()?;
    let school = School::open(config).await?;
    let bar = output.bar(0, "sessions");
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let confirmed = if args.confirmed { Confirmed::Include } else { Confirmed::LeaveAlone };
    let mode = if args.dry_run { Mode::Preview } else { Mode::Apply };
    let report = rematch::run(&school, which, confirmed, mode, &progress).await;
    bar.finish_and_clear();
    let report = report?;
    output.result(&report, describe(&report));
    let is_left = |s: &RematchedSession| matches!(s.outcome, RematchOutcome::OtherPack | RematchOutcome::NoPhotos);
    Ok(if report.sessions.iter().any(is_left) { Outcome::SomeFailed } else { Outcome::Done })
}

fn describe(report: &RematchReport) -> String {
    let of = |outcome: RematchOutcome| report.sessions.iter().filter(|s| s.outcome == outcome).count();
    let changed = report.sessions.iter().filter(|s| !s.changes.is_empty()).count();
    let heading = if report.applied { "" } else { "nothing was changed; this would be:\n" };
    let all = of(RematchOutcome::Rematched);
    let mut text =
        format!("{heading}{} judged again with pack {}, {changed} changed", count(all, "session"), report.pack);
    for session in &report.sessions {
        let lines = session_lines(session);
        if !lines.is_empty() {
            text.push_str(&format!("\n\n{}{lines}", title(session)));
        }
    }
    text
}

fn title(session: &RematchedSession) -> String {
    let name = session.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let at = session.starts_at.format("%Y-%m-%d %H:%M");
    let stale = if session.stale { " STALE" } else { "" };
    let pilot = if session.pilot { format!(" {PILOT_NOTICE}") } else { String::new() };
    format!("session {} {}-{}{name} {at} UTC{stale}{pilot}", session.id, session.class, session.section)
}

/// What a person should know of the session; nothing for one that is as it was.
fn session_lines(session: &RematchedSession) -> String {
    match session.outcome {
        RematchOutcome::Rematched => {
            let word = |status: Option<AttendanceStatus>| status.map_or("not on the roll", AttendanceStatus::as_str);
            let lines =
                session.changes.iter().map(|c| format!("\n  {}: {} -> {}", c.roll_no, word(c.from), word(c.to)));
            lines.collect()
        }
        RematchOutcome::Confirmed => "\n  confirmed by a teacher and left alone; --confirmed includes it".to_owned(),
        RematchOutcome::OtherPack => {
            "\n  its photos were read with another pack; `rollcall batch DIR --reprocess` reads them again".to_owned()
        }
        RematchOutcome::NoPhotos => "\n  no photo of it was read; run its batch again".to_owned(),
    }
}

/// Advice after a change of enrolment or roster; empty where nothing waits.
pub(super) fn stale_line(stale: Option<StaleSessions>) -> String {
    let StaleSessions { rematch, reprocess } = stale.unwrap_or_default();
    let mut text = String::new();
    if rematch > 0 {
        let sessions = count(rematch, "session");
        text.push_str(&format!("\n{sessions} could change: `rollcall rematch --stale` judges them again"));
    }
    if reprocess > 0 {
        let sessions = count(reprocess, "session");
        text.push_str(&format!(
            "\n{sessions} with photos read by another pack: `rollcall batch DIR --reprocess` reads them again"
        ));
    }
    text
}
