//! `rollcall admin audit`: who did what.

use clap::Args;
use serde_json::Value;

use crate::app::School;
use crate::app::audit::{self, AuditFilter, AuditLine};
use crate::app::error::Error;
use crate::cli::output::{Output, count, table};
use crate::config::Config;
use crate::db::Page;

#[derive(Debug, Args)]
pub(in crate::cli) struct AuditArgs {
    /// Newest lines shown
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    last: u32,
    /// Only what was done like this, such as user.create, or auth for all of auth.login, auth.fail, ...
    #[arg(long)]
    action: Option<String>,
}

pub(super) async fn run(args: &AuditArgs, config: &Config, output: &Output) -> Result<(), Error> {
    let school = School::open(config).await?;
    let filter = AuditFilter { action: args.action.clone(), ..AuditFilter::default() };
    let lines = audit::list(&school, filter, Page::first(args.last)).await?;
    let header = ["time (UTC)", "who", "did", "to", "from", "detail"];
    let text = match lines.rows.len() {
        0 => "nothing".to_owned(),
        _ => table(&header, &[], lines.rows.iter().map(row)).to_string(),
    };
    output.result(&lines, text);
    output.note(match config.audit.keep_days {
        0 => "lines are kept for ever (audit.keep_days)".to_owned(),
        days => format!("lines older than {} are deleted by the server (audit.keep_days)", count(days.into(), "day")),
    });
    Ok(())
}

fn row(line: &AuditLine) -> Vec<String> {
    let who = match line.actor_id {
        Some(id) => format!("{} ({} {id})", line.actor, line.actor_kind),
        None if line.actor.is_empty() => line.actor_kind.to_string(),
        None => line.actor.clone(),
    };
    // The number that stands for a name nobody has says nothing to people.
    let object = match (line.object_kind.as_deref(), line.object_id) {
        (Some("name"), _) => "an unknown name".into(),
        (Some(kind), Some(id)) => format!("{kind} {id}"),
        (kind, _) => kind.unwrap_or_default().to_owned(),
    };
    let detail = match &line.detail {
        Value::Object(parts) if parts.is_empty() => String::new(),
        detail => detail.to_string(),
    };
    let at = line.at.format("%Y-%m-%d %H:%M:%S").to_string();
    vec![at, who, line.action.clone(), object, line.address.clone().unwrap_or_default(), detail]
}
