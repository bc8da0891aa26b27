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

impl ReturnedRow {
    /// Length of its texts, bytes.
    pub fn text_bytes(&self) -> usize {
        let Self { row: _, key, roll_no, prn, label, word, note } = self;
        let optional = [label, word, note].into_iter().flatten().map(String::len).sum::<usize>();
        key.len() + roll_no.len() + prn.len() + optional
    }
}

/// A page of a workbook that looks like a session's, or a CSV file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReturnedPage {
    /// As its tab is called; empty for CSV.
    pub name: String,
    /// Of a workbook that is read for one session, pages of others have one row of each of their sessions, with the key alone.
    pub rows: Vec<ReturnedRow>,
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
pub struct RecordContent {
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
    pub from: RecordContent,
    pub to: RecordContent,
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
pub fn sessions_of(pages: &[ReturnedPage]) -> BTreeSet<SessionId> {
    pages.iter().flat_map(ReturnedPage::sessions).map(|(session, _)| session).collect()
}

impl ReturnedPage {
    /// The sessions whose keys stand on the page, with the number of their rows.
    fn sessions(&self) -> BTreeMap<SessionId, usize> {
        let mut rows = BTreeMap::new();
        for key in self.rows.iter().filter_map(|row| RowKey::parse(&row.key)) {
            *rows.entry(key.session).or_default() += 1;
        }
        rows
    }

    /// The session that most of its rows are of: rows without a key are taken for its rows, too.
    fn home(&self) -> Option<SessionId> {
        self.sessions().into_iter().max_by_key(|(_, rows)| *rows).map(|(session, _)| session)
    }

    /// The same; of a page that `session` has nothing on only a key of each session that it is of.
    #[must_use]
    pub fn for_session(self, session: SessionId) -> Self {
        let mut others = BTreeSet::new();
        let key = |row: &ReturnedRow| RowKey::parse(&row.key).map(|key| key.session);
        if self.rows.iter().any(|row| key(row) == Some(session)) {
            return self;
        }
        let rows = self.rows.into_iter().filter(|row| key(row).is_some_and(|other| others.insert(other)));
        let rows = rows.map(|ReturnedRow { row, key, .. }| ReturnedRow { row, key, ..ReturnedRow::default() });
        Self { rows: rows.collect(), ..self }
    }
}

impl SessionNow<'_> {
    /// What those of `pages` ask for on which this session has rows: a copied page may be the corrected one, or the one that
    /// was left as it was, so all of them are read, and what they do not agree about is a problem.
    ///
    /// # Errors
    /// [`WrongSheet`] when none of the pages is this session's.
    pub fn compare(&self, pages: &[ReturnedPage]) -> Result<SheetChanges, WrongSheet> {
        let own: Vec<&ReturnedPage> = pages.iter().filter(|page| page.sessions().contains_key(&self.id)).collect();
        if own.is_empty() {
            return Err(match sessions_of(pages).first() {
                Some(found) => WrongSheet::OtherSession { found: *found, expected: self.id },
                None => WrongSheet::NoKeys,
            });
        }
        let mut wishes = Wishes::of(&own);
        for (page, own) in own.iter().enumerate() {
            let home = own.home();
            for row in &own.rows {
                let place = Place { page, row: row.row };
                match self.read(row, home) {
                    Ok(wish) => wishes.add(place, wish),
                    Err(problem) => wishes.problems.push((place, problem)),
                }
            }
        }
        Ok(wishes.sum())
    }

    /// `home` is the session that most of the page is of.
    fn read(&self, row: &ReturnedRow, home: Option<SessionId>) -> Result<Wish, RowProblem> {
        let key = RowKey::parse(&row.key);
        if let Some(other) = key.as_ref().map(|key| key.session).or(home).filter(|session| *session != self.id) {
            let detail = match key {
                Some(_) => format!("the row is of {other}, not of {}", self.id),
                None => format!("the row does not say which session it is of, and its page is of {other}"),
            };
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
    /// partial sort has left behind; where they contradict each other, the key decides. A roll number alone does not win: numbers
    /// are given anew, and spreadsheets spoil long PRNs.
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
            (Some(member), None) if key.is_some_and(|key| key.member != member.member) => {
                let roll_no = shown(&row.roll_no);
                let detail = match shown(&row.prn).as_str() {
                    "" => format!("roll number `{roll_no}` is not whom the row's key is of, and there is no PRN"),
                    prn => {
                        format!("roll number `{roll_no}` is not whom the row's key is of, and nobody has PRN `{prn}`")
                    }
                };
                Err(problem(row, Some("roll_no"), RowProblemCode::UnclearMember, detail))
            }
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
        // What still holds what was written has not changed, whatever it would mean by now.
        let written = |text: &str| key.filter(|key| key.had_mark(text)).map(|key| key.status);
        let of_label = |text: &str| written(text).or_else(|| self.styles.meaning(text));
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
    let now = RecordContent { status: record.status, note: record.note.clone() };
    let had_status = key.map_or(record.status, |key| key.status);
    let status = status.filter(|status| *status != had_status);
    let is_same_note = |note: &str| plain_note(note) == plain_note(record.note.as_deref().unwrap_or_default());
    let had_note = |note: &str| key.map_or_else(|| is_same_note(note), |key| key.had_note(note));
    // What the machine notes is its own: nobody needs to clear it away.
    let is_cleared = |note: &str| note.is_empty() && record.source == RecordSource::Auto;
    let note = note.filter(|note| !had_note(note) && !is_cleared(note));
    let is_known = status.is_none_or(|status| status == now.status) && note.as_deref().is_none_or(is_same_note);
    let to = RecordContent {
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

/// Where a row stands, in the order of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Among the session's own pages.
    page: usize,
    row: u32,
}

/// The wishes of a sheet, one for each member.
#[derive(Debug, Default)]
struct Wishes<'a> {
    /// Where there are several, their names.
    pages: Vec<&'a str>,
    of_member: BTreeMap<MemberId, (Place, Wish)>,
    /// Members of whom different things are said.
    unclear: BTreeSet<MemberId>,
    problems: Vec<(Place, RowProblem)>,
}

impl<'a> Wishes<'a> {
    fn of(pages: &[&'a ReturnedPage]) -> Self {
        let several = if pages.len() > 1 { pages } else { &[] };
        Self { pages: several.iter().map(|page| page.name.as_str()).collect(), ..Self::default() }
    }

    fn add(&mut self, place: Place, wish: Wish) {
        let Some((first, before)) = self.of_member.get(&wish.member) else {
            self.of_member.insert(wish.member, (place, wish));
            return;
        };
        let said = |wish: &Wish| wish.change.as_ref().map(|change| change.to.clone());
        if said(before) == said(&wish) {
            return;
        }
        let of_page = self.pages.get(first.page).map(|name| format!(" of page `{}`", shown(name))).unwrap_or_default();
        let detail = format!("row {}{of_page} says something else of the same student: neither is followed", first.row);
        self.unclear.insert(wish.member);
        let (row, code) = (place.row, RowProblemCode::DuplicateRow);
        self.problems.push((place, RowProblem { row, column: None, code, detail }));
    }

    fn sum(self) -> SheetChanges {
        let Self { pages, of_member, unclear, mut problems } = self;
        let mut clear: Vec<(Place, Wish)> =
            of_member.into_values().filter(|(_, wish)| !unclear.contains(&wish.member)).collect();
        clear.sort_by_key(|(place, _)| *place);
        let (changed, same): (Vec<_>, Vec<_>) =
            clear.into_iter().map(|(_, wish)| wish.change).partition(Option::is_some);
        problems.sort_by_key(|(place, _)| *place);
        let told = |(place, problem): (Place, RowProblem)| match pages.get(place.page) {
            Some(page) => RowProblem { detail: format!("page `{}`: {}", shown(page), problem.detail), ..problem },
            None => problem,
        };
        let problems = problems.into_iter().map(told).collect();
        SheetChanges { changes: changed.into_iter().flatten().collect(), unchanged: same.len(), problems }
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
