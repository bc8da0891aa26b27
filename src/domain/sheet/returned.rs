//! A session's sheet that comes back with corrections: what it changes, compared with the records as they are now.
//!
//! Each field is compared three ways: what it was when the sheet was written ([`RowKey`]), what the sheet says now, what the record
//! says now. Only what somebody has changed on the sheet is a wish; where the record has changed as well it is a conflict. Pure:
//! files are read by `export`, wishes are carried out by `app::review`.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::row_key::plain_note;
use super::{RowKey, SessionRow, StatusStyles};
use crate::domain::ids::{MemberId, SessionId};
use crate::domain::spelling::fold_identifier;
use crate::domain::status::{AttendanceStatus, RecordSource, words};

/// Longest note, characters.
pub const MAX_NOTE_CHARS: usize = 500;

/// A row of a sheet, as somebody has left it. Texts are as they stand there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReturnedRow {
    /// Row of the page, or line of the file, from 1.
    pub row: u32,
    /// Empty where it is gone.
    pub key: String,
    pub roll_no: String,
    pub prn: String,
    /// The school's label; none without such a column.
    pub label: Option<String>,
    /// The status in rollcall's own word; none without such a column.
    pub word: Option<String>,
    /// None without such a column.
    pub note: Option<String>,
}

/// The session that a sheet is compared with, as it is now.
#[derive(Debug, Clone, Copy)]
pub struct SessionNow<'a> {
    pub id: SessionId,
    pub rows: &'a [SessionRow],
    pub styles: &'a StatusStyles,
}

/// Why a sheet is not this session's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WrongSheet {
    #[error(
        "the sheet is of {found}, not of {expected}: choose that session, or the sheet that was downloaded from this one"
    )]
    OtherSession { found: SessionId, expected: SessionId },
    #[error(
        "the sheet does not say which session it is of: its record keys are gone; download the session's sheet again and make the \
         corrections there"
    )]
    NoKeys,
}

/// What a record says, or is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub status: AttendanceStatus,
    pub note: Option<String>,
}

/// A correction that a sheet asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    pub row: u32,
    pub member: MemberId,
    pub roll_no: String,
    pub name: String,
    pub from: Said,
    pub to: Said,
    /// The record has changed since the sheet was written, or, in a row without a key, a person has set it.
    pub is_conflict: bool,
}

/// A row that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    pub row: u32,
    /// `status`, `label`, `note` or `roll_no`; none for the row as a whole.
    pub column: Option<&'static str>,
    pub code: RowProblemCode,
    pub detail: String,
}

words! {
    /// Why a row cannot be followed.
    RowProblemCode, "a problem of a row": {
        /// No label and no word of the school's five.
        UnknownStatus = "UNKNOWN_STATUS",
        /// Two columns were changed and say different things.
        UnclearStatus = "UNCLEAR_STATUS",
        /// Nobody of the session.
        UnknownMember = "UNKNOWN_MEMBER",
        /// Key, roll number and PRN are of different members.
        UnclearMember = "UNCLEAR_MEMBER",
        /// Another row says something else of the same member.
        DuplicateRow = "DUPLICATE_ROW",
        /// The row was copied here from another session's sheet.
        OtherSession = "OTHER_SESSION",
        NoteTooLong = "NOTE_TOO_LONG",
        /// The row is not one of its table.
        UnreadableRow = "UNREADABLE_ROW",
    }
}

/// What a sheet asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SheetChanges {
    /// In the order of the sheet.
    pub changes: Vec<RowChange>,
    /// Rows that ask for nothing new.
    pub unchanged: usize,
    pub problems: Vec<RowProblem>,
}

/// The sessions whose keys stand on these pages.
pub fn sessions_of(pages: &[Vec<ReturnedRow>]) -> BTreeSet<SessionId> {
    pages.iter().flatten().filter_map(|row| Some(RowKey::parse(&row.key)?.session)).collect()
}

impl SessionNow<'_> {
    /// What the page of this session, one of `pages`, asks for.
    ///
    /// # Errors
    /// [`WrongSheet`] when none of the pages is this session's.
    pub fn compare(&self, pages: &[Vec<ReturnedRow>]) -> Result<SheetChanges, WrongSheet> {
        let is_own = |page: &&Vec<ReturnedRow>| sessions_of(std::slice::from_ref(*page)).contains(&self.id);
        let Some(page) = pages.iter().find(is_own) else {
            return Err(match sessions_of(pages).first() {
                Some(found) => WrongSheet::OtherSession { found: *found, expected: self.id },
                None => WrongSheet::NoKeys,
            });
        };
        let mut wishes = Wishes::default();
        for row in page {
            match self.read(row) {
                Ok(wish) => wishes.add(row.row, wish),
                Err(problem) => wishes.problems.push(problem),
            }
        }
        Ok(wishes.sum())
    }

    fn read(&self, row: &ReturnedRow) -> Result<Wish, RowProblem> {
        let key = RowKey::parse(&row.key);
        if let Some(other) = key.as_ref().filter(|key| key.session != self.id) {
            let detail = format!("the row is of {}, not of {}", other.session, self.id);
            return Err(problem(row, None, RowProblemCode::OtherSession, detail));
        }
        let record = self.member(row, key.as_ref())?;
        // A key that is another member's says nothing of this one.
        let key = key.filter(|key| key.member == record.member);
        let status = self.status(row, key.as_ref())?;
        let note = row.note.as_deref().map(tidied);
        if let Some(length) = note.as_ref().map(|note| note.chars().count()).filter(|length| *length > MAX_NOTE_CHARS) {
            let detail = format!("the note has {length} characters; at most {MAX_NOTE_CHARS} can be kept");
            return Err(problem(row, Some("note"), RowProblemCode::NoteTooLong, detail));
        }
        Ok(wish(row.row, record, key.as_ref(), (status, note)))
    }

    /// Whose row it is: the visible roll number and PRN are what a person reads and counts by, so they win over a key that a
    /// partial sort has left behind; where they contradict each other, the key decides.
    fn member(&self, row: &ReturnedRow, key: Option<&RowKey>) -> Result<&SessionRow, RowProblem> {
        let find = |text: &str, of: fn(&SessionRow) -> &str| {
            let wanted = fold_identifier(text);
            let mut found = self.rows.iter().filter(|record| fold_identifier(of(record)) == wanted);
            found.next().filter(|_| !wanted.is_empty() && found.next().is_none())
        };
        let by_roll_no = find(&row.roll_no, |record| &record.roll_no);
        let by_prn = find(&row.prn, |record| &record.prn);
        let by_key = key.and_then(|key| self.rows.iter().find(|record| record.member == key.member));
        let is = |a: Option<&SessionRow>, b: Option<&SessionRow>| a.map(|r| r.member) == b.map(|r| r.member);
        match (by_roll_no, by_prn) {
            (Some(member), other) | (None, other @ Some(member)) if other.is_none() || is(Some(member), other) => {
                Ok(member)
            }
            (Some(_), Some(_)) => by_key.filter(|_| is(by_key, by_roll_no) || is(by_key, by_prn)).ok_or_else(|| {
                let detail =
                    format!("roll number `{}` and PRN `{}` are two students", shown(&row.roll_no), shown(&row.prn));
                problem(row, Some("roll_no"), RowProblemCode::UnclearMember, detail)
            }),
            _ => by_key.ok_or_else(|| {
                let detail = format!("nobody of the session has roll number `{}`", shown(&row.roll_no));
                problem(row, Some("roll_no"), RowProblemCode::UnknownMember, detail)
            }),
        }
    }

    /// What the row says, in the column that somebody has changed.
    fn status(&self, row: &ReturnedRow, key: Option<&RowKey>) -> Result<Option<AttendanceStatus>, RowProblem> {
        let of_label = |text: &str| self.styles.meaning(text);
        let of_word = |text: &str| text.trim().to_lowercase().parse().ok().or_else(|| self.styles.meaning(text));
        let read = |column, text: &Option<String>, meaning: &dyn Fn(&str) -> Option<AttendanceStatus>| {
            let Some(text) = text else { return Ok(None) };
            meaning(text).map(Some).ok_or_else(|| {
                let allowed = self.styles.marks().all().join(", ");
                let detail = match text.trim() {
                    "" => format!("the cell is empty; write one of {allowed}"),
                    text => format!("`{}` is no status; write one of {allowed}", shown(text)),
                };
                problem(row, Some(column), RowProblemCode::UnknownStatus, detail)
            })
        };
        let (label, word) = (read("label", &row.label, &of_label)?, read("status", &row.word, &of_word)?);
        let is_changed = |status: &AttendanceStatus| key.is_none_or(|key| key.status != *status);
        match (label.filter(is_changed), word.filter(is_changed)) {
            (Some(label), Some(word)) if label != word => {
                let detail = format!("one column says {label}, the other {word}");
                Err(problem(row, Some("status"), RowProblemCode::UnclearStatus, detail))
            }
            (changed, other) => Ok(changed.or(other).or(label).or(word)),
        }
    }
}

impl StatusStyles {
    /// What a text in a status cell means: a short label, a label or rollcall's word, in any case. None for anything else, and
    /// for a text that several have.
    pub fn meaning(&self, text: &str) -> Option<AttendanceStatus> {
        let wanted = text.trim().to_lowercase();
        let only = |of: fn(&super::StatusStyle) -> &str| {
            let mut found = self.all().iter().filter(|style| of(style).to_lowercase() == wanted);
            found.next().filter(|_| found.next().is_none()).map(|style| style.status)
        };
        only(|style| &style.short)
            .or_else(|| only(|style| &style.label))
            .or_else(|| only(|style| style.status.as_str()))
    }
}

/// What a row asks for of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    member: MemberId,
    /// None: nothing.
    change: Option<RowChange>,
}

fn wish(
    row: u32,
    record: &SessionRow,
    key: Option<&RowKey>,
    (status, note): (Option<AttendanceStatus>, Option<String>),
) -> Wish {
    let now = Said { status: record.status, note: record.note.clone() };
    let had_status = key.map_or(record.status, |key| key.status);
    let status = status.filter(|status| *status != had_status);
    let is_same_note = |note: &str| plain_note(note) == plain_note(record.note.as_deref().unwrap_or_default());
    let had_note = |note: &str| key.map_or_else(|| is_same_note(note), |key| key.had_note(note));
    // What the machine notes is its own: nobody needs to clear it away.
    let is_cleared = |note: &str| note.is_empty() && record.source == RecordSource::Auto;
    let note = note.filter(|note| !had_note(note) && !is_cleared(note));
    let is_known = status.is_none_or(|status| status == now.status) && note.as_deref().is_none_or(is_same_note);
    let to = Said {
        status: status.unwrap_or(now.status),
        note: match note {
            Some(note) => Some(note).filter(|note| !note.is_empty()),
            // A person's correction does not carry what the machine has noted.
            None => now.note.clone().filter(|_| record.source != RecordSource::Auto),
        },
    };
    let is_conflict = match key {
        Some(key) => key.version != record.version,
        None => record.source == RecordSource::Manual,
    };
    let (member, roll_no, name) = (record.member, record.roll_no.clone(), record.name.clone());
    let change = (!is_known).then_some(RowChange { row, member, roll_no, name, from: now, to, is_conflict });
    Wish { member, change }
}

/// The wishes of a sheet, one for each member.
#[derive(Debug, Default)]
struct Wishes {
    /// With their rows.
    of_member: BTreeMap<MemberId, (u32, Wish)>,
    /// Members of whom different things are said.
    unclear: BTreeSet<MemberId>,
    problems: Vec<RowProblem>,
}

impl Wishes {
    fn add(&mut self, row: u32, wish: Wish) {
        let Some((first, before)) = self.of_member.get(&wish.member) else {
            self.of_member.insert(wish.member, (row, wish));
            return;
        };
        let said = |wish: &Wish| wish.change.as_ref().map(|change| change.to.clone());
        if said(before) == said(&wish) {
            return;
        }
        let detail = format!("row {first} says something else of the same student: neither is followed");
        self.unclear.insert(wish.member);
        self.problems.push(RowProblem { row, column: None, code: RowProblemCode::DuplicateRow, detail });
    }

    fn sum(self) -> SheetChanges {
        let clear = self.of_member.into_values().filter(|(_, wish)| !self.unclear.contains(&wish.member));
        let (changed, same): (Vec<_>, Vec<_>) = clear.map(|(_, wish)| wish.change).partition(Option::is_some);
        let mut changes: Vec<RowChange> = changed.into_iter().flatten().collect();
        changes.sort_by_key(|change| change.row);
        let mut problems = self.problems;
        problems.sort_by_key(|problem| problem.row);
        SheetChanges { changes, unchanged: same.len(), problems }
    }
}

fn tidied(note: &str) -> String {
    note.trim().replace("\r\n", "\n").replace('\r', "\n")
}

fn problem(row: &ReturnedRow, column: Option<&'static str>, code: RowProblemCode, detail: String) -> RowProblem {
    RowProblem { row: row.row, column, code, detail }
}

/// A cell's text in a message: short, on one line.
fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let line = plain_note(text);
    let cut: String = line.chars().take(MOST).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests;
