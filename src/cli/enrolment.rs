//! `rollcall enrol health` and `rollcall enrol forget-learned`: what is enrolled, and taking back what was learned.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::output::{Output, count, table};
use super::{Outcome, RollArgs};
use crate::app::enrolment_health::{self, ClassHealth, MemberHealth, Order, SESSIONS, WhichClass, Wish};
use crate::app::error::Error;
use crate::app::session::Matching;
use crate::app::{School, learn};

#[derive(Debug, Subcommand)]
pub(super) enum EnrolmentCommand {
    /// Say how well the students of a class are enrolled, whom sessions keep missing, and what to do about it
    Health(HealthArgs),
    /// Delete the faces that a student's template has learned from confirmed sessions; portraits stay
    ForgetLearned(ForgetArgs),
}

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    #[command(flatten)]
    roll: RollArgs,
    /// Newest sessions of the class to look at
    #[arg(long, value_name = "N", default_value_t = SESSIONS, value_parser = clap::value_parser!(u32).range(1..=1000))]
    sessions: u32,
    /// Who comes first
    #[arg(long, value_enum, default_value_t = OrderArg::RollNo)]
    order: OrderArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OrderArg {
    RollNo,
    /// Whom sessions keep missing
    Missed,
    /// Who needs something most
    Urgency,
}

#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// The student's permanent number
    #[arg(long, value_name = "PRN")]
    prn: String,
}

pub(super) async fn run(command: &EnrolmentCommand, school: &School, output: &Output) -> Result<Outcome, Error> {
    match command {
        EnrolmentCommand::Health(args) => {
            let matching = Matching::of_settings(school.config())?;
            let wish = Wish { on: args.roll.on, sessions: args.sessions, order: args.order.into() };
            let class =
                enrolment_health::of_class(school, &matching, WhichClass::Named(args.roll.class()), wish).await?;
            output.result(&class, describe(&class));
        }
        EnrolmentCommand::ForgetLearned(args) => {
            let deleted = learn::forget_by_prn(school, args.prn.clone()).await?;
            let text = format!("PRN {}: {} forgotten; portraits stay", args.prn, count(deleted, "learned face"));
            output.result(&json!({ "prn": args.prn, "deleted": deleted }), text);
        }
    }
    Ok(Outcome::Done)
}

impl From<OrderArg> for Order {
    fn from(order: OrderArg) -> Self {
        match order {
            OrderArg::RollNo => Self::RollNo,
            OrderArg::Missed => Self::Missed,
            OrderArg::Urgency => Self::Urgency,
        }
    }
}

fn describe(class: &ClassHealth) -> String {
    let ClassHealth { summary, sessions, pack, on, .. } = class;
    let term = if class.term.is_empty() { String::new() } else { format!(" of term {}", class.term) };
    let title = format!(
        "{}-{}{term} on {on}, pack {pack}: {} of {} can be found by face; {} looked at",
        class.class,
        class.section,
        summary.recognisable,
        count(summary.members, "member"),
        count(*sessions, "session"),
    );
    let header =
        ["roll no", "name", "portraits", "learned", "px", "newest", "nearest", "found", "asked", "missed", "to do"];
    let rows = table(&header, &[2, 3, 4, 7, 8, 9], class.members.iter().map(row));
    format!("{title}\n\n{rows}")
}

/// One line for each member; of what is to be done the most urgent thing in words, the rest as codes.
fn row(member: &MemberHealth) -> Vec<String> {
    let day = |at: Option<DateTime<Utc>>| at.map(|at| at.date_naive().to_string()).unwrap_or_default();
    let nearest = member.nearest.as_ref().map(|nearest| {
        let mark = if nearest.looks_alike { "!" } else { "" };
        format!("{} ({:.2}){mark}", nearest.roll_no, nearest.cosine)
    });
    let first = member.suggestions.first().map(|advice| advice.text.clone()).unwrap_or_default();
    let others: String = member.suggestions.iter().skip(1).map(|advice| format!("; {}", advice.code)).collect();
    vec![
        member.roll_no.clone().unwrap_or_default(),
        member.name.clone(),
        member.portraits.to_string(),
        member.learned.to_string(),
        member.best.map(|best| format!("{:.0}", best.quality.side_px)).unwrap_or_default(),
        day(member.newest_at),
        nearest.unwrap_or_default(),
        member.sightings.matched.to_string(),
        member.sightings.asked.to_string(),
        member.sightings.missed.to_string(),
        format!("{first}{others}"),
    ]
}
