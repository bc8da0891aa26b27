//! `rollcall admin token`: tokens of other systems.

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::app::School;
use crate::app::audit::By;
use crate::app::auth::tokens::{self, Token, TokenFilter, TokenWish};
use crate::app::error::Error;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::db::Page;
use crate::domain::access::Scope;
use crate::domain::ids::TokenId;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make a token and print it, once
    Add(AddArgs),
    /// List the tokens
    List(ListArgs),
    /// End a token for good
    Revoke { id: i64 },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// What it is for
    name: String,
    /// What it may do; may be given several times
    #[arg(long, value_enum, required = true)]
    scope: Vec<ScopeArg>,
    /// Days until it is over [default: never]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires_days: Option<u32>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Those that are over or revoked as well
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScopeArg {
    /// Read classes, students, members, subjects
    Roster,
    /// Change them, and enrol
    Enrol,
    /// Read sessions, records, photos, sheets
    Attendance,
    /// Make sessions, upload photos, correct and confirm
    Record,
    /// Detect, embed and compare pictures of nobody here
    Recognise,
    /// Users, tokens, jobs, audit log
    Manage,
}

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::Roster => Self::Roster,
            ScopeArg::Enrol => Self::Enrol,
            ScopeArg::Attendance => Self::Attendance,
            ScopeArg::Record => Self::Record,
            ScopeArg::Recognise => Self::Recognise,
            ScopeArg::Manage => Self::Manage,
        }
    }
}

pub(super) async fn run(command: &TokenCommand, config: &Config, output: &Output) -> Result<(), Error> {
    let school = School::open(config).await?;
    match command {
        TokenCommand::Add(args) => add(&school, args, output).await,
        TokenCommand::List(args) => list(&school, args, output).await,
        TokenCommand::Revoke { id } => {
            tokens::revoke(&school, By::command(), TokenId(*id), Utc::now()).await?;
            output.result(&json!({ "id": id, "revoked": true }), format_args!("token {id} opens nothing any more"));
            Ok(())
        }
    }
}

/// Standard output is the token and nothing else, for `TOKEN=$(rollcall admin token add ...)`.
async fn add(school: &School, args: &AddArgs, output: &Output) -> Result<(), Error> {
    let now = Utc::now();
    let wish = TokenWish {
        name: args.name.clone(),
        scopes: args.scope.iter().copied().map(Scope::from).collect(),
        expires_at: args.expires_days.map(|days| now + TimeDelta::days(days.into())),
    };
    let made = tokens::create(school, By::command(), wish, now).await?;
    let token = &made.token;
    output.note(format_args!("token {} for {}, {}; it is shown only now:", token.id.0, token.name, scopes(token)));
    output.result(&made, &made.secret);
    Ok(())
}

async fn list(school: &School, args: &ListArgs, output: &Output) -> Result<(), Error> {
    let now = Utc::now();
    let filter = if args.all { TokenFilter::All } else { TokenFilter::ValidAt(now.naive_utc()) };
    let tokens = tokens::list(school, filter, Page::first(Page::MAX)).await?;
    let header = ["token", "begins", "for", "may", "made (UTC)", "ends", "last used"];
    let text = match tokens.total {
        0 => "no tokens".to_owned(),
        _ => table(&header, &[0], tokens.rows.iter().map(row)).to_string(),
    };
    output.result(&tokens, text);
    if tokens.total > tokens.rows.len() as u64 {
        output.note(format_args!("these are the newest {} of {}", tokens.rows.len(), tokens.total));
    }
    Ok(())
}

fn row(token: &Token) -> Vec<String> {
    let end = match (token.revoked_at, token.expires_at) {
        (Some(at), _) => format!("revoked {}", minute(at)),
        (None, Some(at)) => minute(at),
        (None, None) => "never".into(),
    };
    let used = token.last_used_at.map_or_else(|| "never".into(), minute);
    let id = token.id.0.to_string();
    vec![id, token.hint.clone(), token.name.clone(), scopes(token), minute(token.created_at), end, used]
}

fn scopes(token: &Token) -> String {
    token.scopes.iter().map(Scope::to_string).collect::<Vec<_>>().join(", ")
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}
