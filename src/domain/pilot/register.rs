//! The teacher's register as a CSV file, in either usual layout: a row for each mark (class, day and time or session number,
//! roll number, status), or a row for each student and a column for each day.
//!
//! A file that is no register at all is refused. Single rows and cells that cannot be read are listed with their line, never
//! dropped: whoever compares must see what was left aside. Whether sessions and students exist is `placing`'s to find out.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::csv_table::{Column, CsvProblem, CsvProblems, CsvRow, CsvTable, header};
use crate::domain::ids::SessionId;
use crate::domain::photo_time::{NamedTime, Timestamp, named_time};
use crate::domain::roster::ROLL_NO;
use crate::domain::sheet::{StatusCounts, StatusLabels};
use crate::domain::spelling::{fold, fold_identifier};
use crate::domain::status::AttendanceStatus;

const CLASS: Column = Column::optional("class", &["class name"]);
const SECTION: Column = Column::optional("section", &["sec", "div", "division"]);
const DATE: Column = Column::optional("date", &["day"]);
const TIME: Column = Column::optional("time", &["start", "start time", "starts at"]);
const SESSION: Column = Column::optional("session", &["session id", "session no", "session number"]);
const STATUS: Column = Column::filled("status", STATUS_ALIASES);
const STATUS_ALIASES: &[&str] = &["attendance", "mark"];
const LONG: [Column; 7] = [CLASS, SECTION, DATE, TIME, SESSION, ROLL_NO, STATUS];
const WIDE: [Column; 3] = [CLASS, SECTION, ROLL_NO];
/// Columns of days in one file: six lessons a day for half a year.
const MOST_DAYS: usize = 1000;
/// Marks in one file: a school year of 150 students with six lessons a day.
const MOST_MARKS: usize = 200_000;

/// The class as a row names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaidClass {
    /// `CSE-A`.
    Label(String),
    Named {
        name: String,
        section: String,
    },
}

/// The meeting that a mark is about. Times are those of the school's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    Day(NaiveDate),
    At(NaiveDateTime),
    Session(SessionId),
}

/// One mark of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub line: u64,
    /// Heading of its column, where days are columns.
    pub column: Option<String>,
    pub class: Option<SaidClass>,
    pub meeting: Meeting,
    pub roll_no: String,
    pub status: AttendanceStatus,
}

/// Marks, a row or a column that are not compared, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Of the file, from 1; the first of several.
    pub line: u64,
    pub column: Option<String>,
    pub reason: String,
    /// Marks that share this reason.
    pub marks: usize,
}

impl LeftOut {
    pub(super) const fn one(line: u64, column: Option<String>, reason: String) -> Self {
        Self { line, column, reason, marks: 1 }
    }
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Register {
    pub entries: Vec<Entry>,
    pub left_out: Vec<LeftOut>,
}

/// Reads a register in either layout; `labels` are the school's own words for the statuses, `zone` its clocks.
///
/// # Errors
/// What makes the file as a whole unreadable: no table, no roll numbers, neither a column `status` nor one headed by a day, or
/// more of them than anybody keeps.
pub fn parse_register(bytes: &[u8], labels: &StatusLabels, zone: Tz) -> Result<Register, CsvProblems> {
    let words = Words { labels, zone };
    let headings = header(bytes)?;
    let is_status = |h: &String| fold(h) == STATUS.name || STATUS_ALIASES.contains(&fold(h).as_str());
    let register = if headings.iter().any(is_status) {
        words.long(CsvTable::read(bytes, &LONG)?)
    } else {
        words.require_days(&headings)?;
        words.wide(bytes)?
    };
    let marks = register.entries.len();
    if marks > MOST_MARKS {
        let what = format!("file has {marks} marks; at most {MOST_MARKS} are compared at once: take fewer days");
        return Err(CsvProblems::of_line(0, what));
    }
    Ok(register)
}

struct Words<'a> {
    labels: &'a StatusLabels,
    zone: Tz,
}

impl Words<'_> {
    fn long(&self, table: CsvTable) -> Register {
        let mut register = Register { entries: Vec::new(), left_out: left_out(table.problems) };
        for row in &table.rows {
            let read = self.meeting(row).and_then(|meeting| Ok((meeting, self.status(row.get(&STATUS))?)));
            match read {
                Ok((_, None)) => {}
                Ok((meeting, Some(status))) => register.entries.push(entry(row, None, meeting, status)),
                Err(reason) => register.left_out.push(LeftOut::one(row.line, None, reason)),
            }
        }
        register
    }

    fn require_days(&self, headings: &[String]) -> Result<(), CsvProblems> {
        match headings.iter().filter(|h| matches!(self.time(h), Some(Ok(_)))).count() {
            0 => {
                let what = "neither a column \"status\" nor one headed by a day (2026-11-16 or 2026-11-16 09:00)";
                Err(CsvProblems::of_line(0, format!("file has {what}")))
            }
            days if days > MOST_DAYS => {
                Err(CsvProblems::of_line(0, format!("file has {days} columns of days; at most {MOST_DAYS} are read")))
            }
            _ => Ok(()),
        }
    }

    fn wide(&self, bytes: &[u8]) -> Result<Register, CsvProblems> {
        // What begins like a day and is none is a column that somebody misses later.
        let looks_like_one = |h: &str| h.starts_with(|c: char| c.is_ascii_digit());
        let (table, others) = CsvTable::read_with_others(bytes, &WIDE, looks_like_one)?;
        let mut register = Register { entries: Vec::new(), left_out: left_out(table.problems) };
        let days: Vec<Option<Meeting>> = others.headings.iter().map(|h| self.time(h)?.ok()).collect();
        for (heading, _) in others.headings.iter().zip(&days).filter(|(_, day)| day.is_none()) {
            let reason = format!("heading {heading:?} is no day; write 2026-11-16 or 2026-11-16 09:00");
            register.left_out.push(LeftOut::one(1, Some(heading.clone()), reason));
        }
        for (row, cells) in table.rows.iter().zip(&others.cells) {
            for ((heading, day), text) in others.headings.iter().zip(&days).zip(cells) {
                let Some(meeting) = day else { continue };
                let column = Some(heading.clone());
                match self.status(text) {
                    Ok(None) => {}
                    Ok(Some(status)) => register.entries.push(entry(row, column, *meeting, status)),
                    Err(reason) => register.left_out.push(LeftOut::one(row.line, column, reason)),
                }
            }
        }
        Ok(register)
    }

    fn meeting(&self, row: &CsvRow) -> Result<Meeting, String> {
        let session = row.get(&SESSION);
        if let Ok(number) = session.parse() {
            return Ok(Meeting::Session(SessionId(number)));
        }
        let (date, time) = (row.get(&DATE), row.get(&TIME));
        let bad = |text: &str| format!("{text:?} is no time; write a day like 2026-11-16 and a time like 09:00");
        match (self.time(date), self.time(time)) {
            _ if date.is_empty() && time.is_empty() => Err("says neither a day nor the number of a session".to_owned()),
            (None, Some(Ok(meeting))) if date.is_empty() => Ok(meeting),
            (Some(Ok(meeting)), None) if time.is_empty() => Ok(meeting),
            (Some(Ok(Meeting::Day(day))), Some(Ok(Meeting::At(at)))) if day == at.date() => Ok(Meeting::At(at)),
            (Some(Ok(Meeting::Day(day))), None) => {
                let text = format!("{day} {time}");
                match self.time(&text) {
                    // A time that could not be read must not be taken for no time.
                    Some(Ok(Meeting::Day(_))) if !is_midnight(time) => Err(bad(&text)),
                    Some(Ok(meeting)) => Ok(meeting),
                    Some(Err(())) | None => Err(bad(&text)),
                }
            }
            _ => Err(bad([date, time].join(" ").trim())),
        }
    }

    /// The day, or day and time, that a text begins with: `2026-11-16`, `2026-11-16 09:00 Algebra`, `20261116 0900`. `None` for a
    /// text that is none, an error for a day that no calendar has. Midnight is what spreadsheets write behind a day.
    fn time(&self, text: &str) -> Option<Result<Meeting, ()>> {
        let moment = |at: NaiveDateTime| {
            if at.time() == NaiveTime::MIN { Meeting::Day(at.date()) } else { Meeting::At(at) }
        };
        if let Some(timestamp) = Timestamp::parse(text) {
            return Some(Ok(moment(timestamp.local(&self.zone))));
        }
        let mut words = text.split_whitespace();
        let read = named_time(words.next()?, words.next())?;
        Some(match read {
            Ok(NamedTime::Date(day)) => Ok(Meeting::Day(day)),
            Ok(NamedTime::Moment(at)) => Ok(moment(at)),
            Ok(NamedTime::Unsaid) | Err(_) => Err(()),
        })
    }

    /// `None` where the register says nothing.
    fn status(&self, text: &str) -> Result<Option<AttendanceStatus>, String> {
        let own = StatusCounts::ORDER
            .into_iter()
            .find(|status| fold_identifier(self.labels.label(*status)) == fold_identifier(text));
        let word = own.or_else(|| match fold(text).as_str() {
            "" | "-" | "unmarked" => Some(AttendanceStatus::Unmarked),
            "p" | "present" | "1" | "yes" | "y" => Some(AttendanceStatus::Present),
            "a" | "ab" | "absent" | "0" | "no" | "n" => Some(AttendanceStatus::Absent),
            "l" | "late" => Some(AttendanceStatus::Late),
            "e" | "excused" | "leave" => Some(AttendanceStatus::Excused),
            _ => None,
        });
        match word {
            Some(AttendanceStatus::Unmarked) => Ok(None),
            Some(status) => Ok(Some(status)),
            None => Err(format!("{text:?} is no status; write p, a, l or e, or the school's own labels")),
        }
    }
}

fn is_midnight(time: &str) -> bool {
    time.chars().all(|c| matches!(c, '0' | ':'))
}

fn entry(row: &CsvRow, column: Option<String>, meeting: Meeting, status: AttendanceStatus) -> Entry {
    let class = row.get_filled(&CLASS).map(|class| match row.get_filled(&SECTION) {
        Some(section) => SaidClass::Named { name: class.to_owned(), section: section.to_owned() },
        None => SaidClass::Label(class.to_owned()),
    });
    Entry { line: row.line, column, class, meeting, roll_no: row.get(&ROLL_NO).to_owned(), status }
}

fn left_out(problems: CsvProblems) -> Vec<LeftOut> {
    let row = |problem: CsvProblem| LeftOut::one(problem.line, problem.column, problem.message);
    problems.problems.into_iter().map(row).collect()
}
