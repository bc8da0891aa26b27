//! A session's sheet that comes back: what it changes, shown first and then made in its sender's name.

use chrono::{DateTime, Utc};

use super::correct::make;
use super::{Correction, RecordCorrection, Records, lock, read};
use crate::app::error::{Code, Error};
use crate::app::{Mode, School, blocking, report, session};
use crate::db::record_changes::{self, ChangeRow};
use crate::db::{AnyConnection, sessions};
use crate::domain::access::Actor;
use crate::domain::ids::{MemberId, SessionId};
use crate::domain::sheet::{RecordContent, RowChange, RowProblem, SessionNow, SessionRow, SheetChanges, sessions_of};
use crate::domain::status::AttendanceStatus;
use crate::export::{ReturnedSheet, read_returned};

/// What becomes of rows whose record was changed since the sheet was downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictRule {
    /// The record stays.
    #[default]
    Skip,
    /// The sheet wins.
    Overwrite,
}

/// A sheet that came back.
#[derive(Debug, Clone)]
pub struct SheetImport {
    /// None: the one that the sheet says it is of.
    pub session: Option<SessionId>,
    /// A workbook or CSV.
    pub bytes: bytes::Bytes,
    pub mode: Mode,
    pub conflicts: ConflictRule,
}

/// What a sheet has changed, or would change.
#[derive(Debug, Clone, PartialEq)]
pub struct SheetImported {
    pub session: SessionId,
    pub mode: Mode,
    /// In the order of the sheet.
    pub changes: Vec<SheetRowChange>,
    /// Rows that ask for nothing new.
    pub unchanged: usize,
    /// Rows that cannot be followed; they spoil no other.
    pub problems: Vec<RowProblem>,
}

/// A correction that the sheet asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct SheetRowChange {
    pub member: MemberId,
    pub roll_no: String,
    pub name: String,
    pub from: RecordContent,
    pub to: RecordContent,
    pub conflict: Option<Conflict>,
    /// It was made; never so in a preview.
    pub is_applied: bool,
}

/// What the record has become since the sheet was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub status: AttendanceStatus,
    /// Name of who has changed it; none: the program.
    pub by: Option<String>,
    pub at: Option<DateTime<Utc>>,
}

/// Compares a sheet with the session's records and, to be applied, takes over what it asks for, all in one transaction: each record
/// has the actor's name in its history. A row that cannot be followed is told and spoils no other.
///
/// # Errors
/// `INVALID_TABLE` for what is no such sheet, `REQUEST_TOO_LARGE`; `WRONG_SHEET` for that of another session, or of none or several
/// where none was named; `SESSION_NOT_FOUND`, `SESSION_CONFIRMED`.
pub async fn import_sheet(school: &School, import: SheetImport, actor: Actor) -> Result<SheetImported, Error> {
    let SheetImport { session, bytes, mode, conflicts } = import;
    let sheet = blocking(move || Ok(read_returned(&bytes, session)?)).await?;
    let id = session.map_or_else(|| only_session(&sheet), Ok)?;
    let config = school.config.clone();
    let work = move |conn: &mut AnyConnection| {
        let before = match mode {
            Mode::Apply => lock(conn, id, config.time_zone)?,
            Mode::Preview => {
                let session = sessions::get(conn, id)?;
                read(conn, session, config.time_zone)?
            }
        };
        session::require_unconfirmed(&before.session)?;
        let styles = report::rules(conn, &config)?.styles;
        let rows: Vec<SessionRow> = before.records.iter().cloned().map(SessionRow::from).collect();
        let asked = SessionNow { id, rows: &rows, styles: &styles }.compare(&sheet.pages)?;
        let SheetChanges { changes, unchanged, mut problems } = asked;
        problems.extend(sheet.problems);
        let lines = match changes.iter().any(|change| change.is_conflict) {
            true => record_changes::last(conn, id)?,
            false => Vec::new(),
        };
        let mut told: Vec<SheetRowChange> = changes.into_iter().map(|change| tell(&before, &lines, change)).collect();
        if mode == Mode::Apply {
            told.iter_mut()
                .for_each(|one| one.is_applied = one.conflict.is_none() || conflicts == ConflictRule::Overwrite);
            let wanted: Vec<RecordCorrection> = told.iter().filter(|one| one.is_applied).map(correction).collect();
            make(conn, &before, &wanted, &actor)?;
        }
        Ok(SheetImported { session: id, mode, changes: told, unchanged, problems })
    };
    match mode {
        Mode::Preview => school.read(work).await,
        Mode::Apply => school.change(work).await,
    }
}

fn only_session(sheet: &ReturnedSheet) -> Result<SessionId, Error> {
    let found = sessions_of(&sheet.pages);
    match found.first() {
        Some(id) if found.len() == 1 => Ok(*id),
        _ => {
            let what = format!("the sheet is of {} sessions: name the one that is meant", found.len());
            Err(Error::new(Code::WrongSheet, what))
        }
    }
}

/// `lines` are the newest of the session's history, one for each member that has any.
fn tell(before: &Records, lines: &[ChangeRow], change: RowChange) -> SheetRowChange {
    let RowChange { member, roll_no, name, from, to, is_conflict, .. } = change;
    let conflict = is_conflict.then(|| conflict(before, lines, member));
    SheetRowChange { member, roll_no, name, from, to, conflict, is_applied: false }
}

/// The record with who has last said something about it: a person where the last line of its history is what it says now.
fn conflict(before: &Records, lines: &[ChangeRow], member: MemberId) -> Conflict {
    let record = before.find(member).expect("the sheet was compared with these records");
    let is_current = |change: &&ChangeRow| {
        change.member_id == member && change.status == record.status && change.source == record.source
    };
    let last = lines.iter().find(is_current);
    let at = last.map(|change| change.at).or(record.updated_at).map(|at| at.and_utc());
    Conflict { status: record.status, by: last.map(|change| change.actor.clone()), at }
}

fn correction(change: &SheetRowChange) -> RecordCorrection {
    let correction = Correction { status: change.to.status, reason: change.to.note.clone() };
    RecordCorrection { member: change.member, correction, expected: None }
}
