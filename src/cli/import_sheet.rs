//! `rollcall import-sheet`: a session's sheet that comes back with corrections.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Outcome;
use super::output::{Output, count, table};
use crate::app::error::Error;
use crate::app::review::{ConflictRule, SheetImport, SheetImported, SheetRowChange, import_sheet};
use crate::app::{Mode, School};
use crate::config::Config;
use crate::domain::access::Actor;
use crate::domain::ids::SessionId;
use crate::domain::sheet::RecordContent;

#[derive(Debug, Args)]
pub(super) struct ImportSheetArgs {
    /// The session's workbook or CSV, with corrections in the columns of status and note
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The session that it must be of [default: the one that the file says]
    #[arg(long, value_name = "N")]
    session: Option<i64>,
    /// Make the changes; otherwise they are only printed
    #[arg(long)]
    apply: bool,
    /// What becomes of rows whose record was changed since the sheet was written
    #[arg(long, value_enum, default_value = "skip", requires = "apply")]
    conflicts: ConflictArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ConflictArg {
    /// The record stays
    Skip,
    /// The sheet wins
    Overwrite,
}

pub(super) async fn run(args: &ImportSheetArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    let bytes = std::fs::read(&args.file).map_err(|e| Error::file(&args.file, &e))?;
    let import = SheetImport {
        session: args.session.map(SessionId),
        bytes: bytes.into(),
        mode: if args.apply { Mode::Apply } else { Mode::Preview },
        conflicts: match args.conflicts {
            ConflictArg::Skip => ConflictRule::Skip,
            ConflictArg::Overwrite => ConflictRule::Overwrite,
        },
    };
    let imported = import_sheet(&school, import, Actor::command()).await?;
    output.result(&as_json(&imported), as_text(&imported));
    let is_left = |change: &SheetRowChange| change.conflict.is_some() && !change.is_applied;
    let is_done = imported.problems.is_empty() && !imported.changes.iter().any(is_left);
    Ok(if is_done { Outcome::Done } else { Outcome::SomeFailed })
}

fn as_text(imported: &SheetImported) -> String {
    let SheetImported { session, changes, problems, .. } = imported;
    let written = |said: &RecordContent| match &said.note {
        Some(note) => format!("{} ({note})", said.status),
        None => said.status.to_string(),
    };
    let row = |change: &SheetRowChange| {
        let conflict = change.conflict.as_ref().map(|conflict| {
            format!("CONFLICT: now {} by {}", conflict.status, conflict.by.as_deref().unwrap_or("the program"))
        });
        let (from, to) = (written(&change.from), written(&change.to));
        vec![change.roll_no.clone(), change.name.clone(), from, to, conflict.unwrap_or_default()]
    };
    let mut text = format!("{session}: {}, {} unchanged", count(changes.len(), "change"), imported.unchanged);
    if !changes.is_empty() {
        text.push_str(&format!("\n{}", table(&["Roll no", "Name", "From", "To", ""], &[], changes.iter().map(row))));
    }
    for problem in problems {
        text.push_str(&format!("\nrow {}: {} [{}]", problem.row, problem.detail, problem.code));
    }
    let made = changes.iter().filter(|change| change.is_applied).count();
    text.push_str(&match imported.mode {
        Mode::Preview => "\nnothing was changed; --apply makes the changes".to_owned(),
        Mode::Apply if made < changes.len() => {
            let left = count(changes.len() - made, "conflict");
            format!("\n{} made, {left} skipped; --conflicts overwrite makes them as well", count(made, "change"))
        }
        Mode::Apply => format!("\n{} made", count(made, "change")),
    });
    text
}

fn as_json(imported: &SheetImported) -> Value {
    let said = |said: &RecordContent| json!({ "status": said.status, "note": said.note });
    let change = |change: &SheetRowChange| {
        let conflict = change.conflict.as_ref();
        json!({
            "member_id": change.member.0, "roll_no": change.roll_no, "name": change.name,
            "from": said(&change.from), "to": said(&change.to),
            "conflict": conflict.map(|c| json!({ "status": c.status, "by": c.by, "at": c.at })),
            "applied": change.is_applied,
        })
    };
    let problems = imported.problems.iter().map(|problem| {
        json!({ "row": problem.row, "column": problem.column, "code": problem.code, "detail": problem.detail })
    });
    json!({
        "session_id": imported.session.0,
        "applied": imported.mode == Mode::Apply,
        "changes": imported.changes.iter().map(change).collect::<Vec<_>>(),
        "unchanged": imported.unchanged,
        "problems": problems.collect::<Vec<_>>(),
    })
}
