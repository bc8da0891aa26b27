//! Sheets as CSV: one header row, one row per member, for other programs and for spreadsheets.

use std::borrow::Cow;

use chrono::NaiveDateTime;
use csv::{ByteRecord, Terminator, WriterBuilder};

use crate::domain::sheet::{RegisterSheet, RowKey, SessionRow, SessionSheet, SheetHeading, StatusCounts};
use crate::export::ExportError;

/// Whether the text begins with the UTF-8 byte order mark. Excel needs it to read names beyond ASCII; most other
/// programs are better off without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bom {
    With,
    Without,
}

const DATE_TIME: &str = "%Y-%m-%dT%H:%M:%S";

/// UTF-8, comma separated, lines end in CR LF (RFC 4180); a row per member in the sheet's order.
///
/// Last comes `record_key`, by which the row is known again when the file comes back with corrections.
///
/// `status` is the word rollcall uses everywhere (`present`, `unmarked`, ...), `label` the school's own. `confidence`
/// is 0..=1 with four digits. Text that a spreadsheet would take for a formula gets an apostrophe in front, as OWASP
/// advises against CSV injection: text that begins with `= + - @`, their full-width forms, a tab or a line break, also
/// behind spaces and invisible characters, and the same behind a tab, a line break or a semicolon within the text,
/// where a spreadsheet of another locale starts a new cell.
///
/// # Errors
/// [`ExportError::Csv`]; writing to memory gives no cause for it.
pub fn session_csv(sheet: &SessionSheet, bom: Bom) -> Result<Vec<u8>, ExportError> {
    let mut table = Table::new(bom);
    table.row([
        "class",
        "section",
        "term",
        "subject",
        "session",
        "starts_at",
        "time_zone",
        "roll_no",
        "prn",
        "name",
        "status",
        "label",
        "confidence",
        "source",
        "note",
        "pilot",
        "taken_by",
        "taken_at",
        "remark",
        "record_key",
    ]);
    let heading = &sheet.heading;
    let taken_by = sheet.taken.as_ref().map(|taken| taken.by.as_str()).unwrap_or_default();
    let taken_at = sheet.taken.as_ref().map(|taken| taken.at.format(DATE_TIME).to_string()).unwrap_or_default();
    for row in &sheet.rows {
        let confidence = row.confidence.filter(|c| c.is_finite()).map(|c| format!("{c:.4}"));
        table.row([
            heading.class.as_str(),
            &heading.section,
            &heading.term,
            heading.subject.as_deref().unwrap_or_default(),
            sheet.name.as_deref().unwrap_or_default(),
            &sheet.starts_at.format(DATE_TIME).to_string(),
            heading.time_zone.name(),
            &row.roll_no,
            &row.prn,
            &row.name,
            row.status.as_str(),
            sheet.rules.marks().label(row.status),
            confidence.as_deref().unwrap_or_default(),
            row.source.as_str(),
            row.note.as_deref().unwrap_or_default(),
            if sheet.pilot { "does not count" } else { "" },
            taken_by,
            &taken_at,
            sheet.remark.as_deref().unwrap_or_default(),
            &key_of(sheet, row),
        ]);
    }
    table.finish(heading)
}

/// A row per member: roll number, PRN, name, the five totals, the percentage (two digits, empty while nothing counts)
/// and a column per session headed `2025-03-03 09:30 Lecture 12`, holding the school's label or nothing where the
/// student was not a member. Form and safety as in [`session_csv`].
///
/// # Errors
/// As [`session_csv`].
pub fn register_csv(sheet: &RegisterSheet, bom: Bom) -> Result<Vec<u8>, ExportError> {
    let mut text = register_csv_head(sheet, bom)?;
    text.extend(register_csv_rows(sheet)?);
    Ok(text)
}

/// The header row of [`register_csv`] alone: of a register whose members are still to come.
///
/// # Errors
/// As [`session_csv`].
pub fn register_csv_head(sheet: &RegisterSheet, bom: Bom) -> Result<Vec<u8>, ExportError> {
    let mut table = Table::new(bom);
    let totals = StatusCounts::ORDER.map(|status| status.as_str().to_owned());
    let sessions = sheet.sessions().iter().map(|s| session_heading(s.starts_at, s.name.as_deref()));
    let fixed = ["roll_no", "prn", "name"].map(str::to_owned);
    table.row(fixed.into_iter().chain(totals).chain(["percentage".to_owned()]).chain(sessions));
    table.finish(sheet.heading())
}

/// The rows of [`register_csv`] without the header: of some members, to be written after those of others.
///
/// # Errors
/// As [`session_csv`].
pub fn register_csv_rows(sheet: &RegisterSheet) -> Result<Vec<u8>, ExportError> {
    let mut table = Table::new(Bom::Without);
    for row in sheet.rows() {
        let totals = StatusCounts::ORDER.map(|status| row.counts.of(status).to_string());
        let percentage = row.summary.percent.map(|p| format!("{p:.2}")).unwrap_or_default();
        let label = |cell: &Option<_>| cell.map(|status| sheet.rules().marks().label(status)).unwrap_or_default();
        let fixed = [row.roll_no.as_str(), &row.prn, &row.name];
        let counted = totals.iter().map(String::as_str).chain([percentage.as_str()]);
        table.row(fixed.into_iter().chain(counted).chain(row.cells.iter().map(label)));
    }
    table.finish(sheet.heading())
}

fn session_heading(starts_at: NaiveDateTime, name: Option<&str>) -> String {
    let time = starts_at.format("%Y-%m-%d %H:%M");
    name.map_or_else(|| time.to_string(), |name| format!("{time} {name}"))
}

/// Collects rows; the first error is kept until the end, as writing to memory has none to expect.
pub(super) struct Table {
    writer: csv::Writer<Vec<u8>>,
    outcome: Result<(), csv::Error>,
}

impl Table {
    pub(super) fn new(bom: Bom) -> Self {
        let start = match bom {
            Bom::With => "\u{feff}".as_bytes().to_vec(),
            Bom::Without => Vec::new(),
        };
        let writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(start);
        Self { writer, outcome: Ok(()) }
    }

    pub(super) fn row<T: AsRef<str>>(&mut self, fields: impl IntoIterator<Item = T>) {
        let record: ByteRecord = fields.into_iter().map(|f| guarded(f.as_ref()).into_owned().into_bytes()).collect();
        if self.outcome.is_ok() {
            self.outcome = self.writer.write_byte_record(&record);
        }
    }

    pub(super) fn finish(self, heading: &SheetHeading) -> Result<Vec<u8>, ExportError> {
        let bytes = self.outcome.and_then(|()| self.writer.into_inner().map_err(|e| e.into_error().into()));
        bytes.map_err(|source| ExportError::Csv { class: heading.class_and_section(), source })
    }
}

/// With the note as a reader will find it, who trims fields before the guards are taken off.
fn key_of(sheet: &SessionSheet, row: &SessionRow) -> String {
    let note = unguarded(guarded(row.note.as_deref().unwrap_or_default()).trim());
    RowKey::new(sheet.id, row, sheet.rules.marks().label(row.status), &note).to_string()
}

/// `text` with an apostrophe before everything that a spreadsheet would run as a formula.
fn guarded(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at_cell_start = true;
    for (at, c) in text.char_indices() {
        let breaks = matches!(c, '\t' | '\r' | '\n');
        let dangerous = matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') || (breaks && at == 0);
        if at_cell_start && dangerous {
            // In front of the whole text at its start, so that leading spaces cannot hide the trigger.
            let guard_at = if out.is_empty() && text[..at].chars().all(is_blank) { 0 } else { at };
            out.push_str(&text[copied..guard_at]);
            out.push('\'');
            copied = guard_at;
        }
        at_cell_start = breaks || c == ';' || (at_cell_start && is_blank(c));
    }
    if copied == 0 && out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// [`guarded`] text without the apostrophes that it was given. One that somebody has typed at the same place is lost with them.
pub(super) fn unguarded(text: &str) -> String {
    let is_break = |c: &char| matches!(c, '\t' | '\r' | '\n');
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        let last = before.chars().rev().find(|c| !is_blank(*c) || is_break(c));
        let can_start = last.is_none_or(|c| c == ';' || is_break(&c));
        if !(c == '\'' && can_start && !after.starts_with('\'') && guarded(after).starts_with('\'')) {
            out.push(c);
        }
    }
    out
}

/// Spaces of every width and characters nobody sees.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '"' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sheet::Taken;
    use crate::domain::sheet::fixtures::{self, member};
    use crate::domain::status::AttendanceStatus::{Absent, Present, Unmarked};
    use proptest::prelude::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn session_has_a_line_per_member() {
        let mut sheet = fixtures::session(&[Present, Unmarked]);
        sheet.rows[1].name = "O'Neil, \"Kit\"\nسارة 🎓".into();
        sheet.rows[1].note = Some("=HYPERLINK(\"x\")".into());
        let key = |row: usize, mark: &str| {
            RowKey::new(sheet.id, &sheet.rows[row], mark, sheet.rows[row].note.as_deref().unwrap_or_default())
        };
        let expected = format!(
            "class,section,term,subject,session,starts_at,time_zone,roll_no,prn,name,status,label,confidence,source,note,pilot,taken_by,taken_at,remark,record_key\r\n\
             CSE,A,2025-26,Machine Learning,Lecture 12,2025-03-03T09:30:00,Asia/Kolkata,R1,PRN0001,Student 1,present,P,0.9700,auto,,,,,,{}\r\n\
             CSE,A,2025-26,Machine Learning,Lecture 12,2025-03-03T09:30:00,Asia/Kolkata,R2,PRN0002,\"O'Neil, \"\"Kit\"\"\nسارة 🎓\",unmarked,?,,auto,\"'=HYPERLINK(\"\"x\"\")\",,,,,{}\r\n",
            key(0, "P"),
            key(1, "?")
        );
        assert_eq!(text(session_csv(&sheet, Bom::Without).unwrap()), expected);
        sheet.taken = Some(Taken { by: "+Ann".into(), at: sheet.starts_at });
        sheet.remark = Some("fire drill".into());
        let signed = text(session_csv(&sheet, Bom::Without).unwrap());
        assert!(signed.lines().nth(1).unwrap().contains(",'+Ann,2025-03-03T09:30:00,fire drill,s1-m1-"), "{signed}");
        (sheet.taken, sheet.remark) = (None, None);
        sheet.pilot = true;
        let pilot = text(session_csv(&sheet, Bom::Without).unwrap());
        assert!(pilot.lines().nth(1).unwrap().contains(",auto,,does not count,,,,s1-m1-present-"), "{pilot}");
    }

    #[test]
    fn register_has_totals_before_the_sessions() {
        let sheet = fixtures::register(&[vec![Some(Present), Some(Present), Some(Absent)], vec![Some(Unmarked)]]);
        let expected = "roll_no,prn,name,present,absent,late,excused,unmarked,percentage,2025-03-03 09:30 Lecture 1,2025-03-04 09:30 Lecture 2,2025-03-05 09:30 Lecture 3\r\n\
             CSE-A-1,PRN0001,Student 1,2,1,0,0,0,66.67,P,P,A\r\n\
             CSE-A-2,PRN0002,Student 2,0,0,0,0,3,,?,?,?\r\n";
        assert_eq!(text(register_csv(&sheet, Bom::Without).unwrap()), expected);
    }

    #[test]
    fn a_day_without_membership_is_an_empty_field() {
        let mut gone = member(1);
        gone.to = fixtures::FIRST_DAY.pred_opt();
        let sheet = fixtures::empty_register().filled(vec![gone], vec![fixtures::column(0)], &[]);
        assert!(
            text(register_csv(&sheet, Bom::Without).unwrap()).ends_with("CSE-A-1,PRN0001,Student 1,0,0,0,0,0,,\r\n")
        );
    }

    #[test]
    fn byte_order_mark_comes_first_and_only_on_request() {
        let sheet = fixtures::session(&[Present]);
        let (with, without) = (session_csv(&sheet, Bom::With).unwrap(), session_csv(&sheet, Bom::Without).unwrap());
        assert_eq!(with.strip_prefix(b"\xef\xbb\xbf"), Some(without.as_slice()));
    }

    #[test]
    fn formulas_are_disarmed_wherever_a_cell_can_begin() {
        for (typed, written) in [
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("  =1", "'  =1"),
            ("\u{3000}＝1", "'\u{3000}＝1"),
            ("\u{200b}\u{feff}@x", "'\u{200b}\u{feff}@x"),
            ("sick;=1+1", "sick;'=1+1"),
            ("line\n -2", "line\n '-2"),
            ("\"=1", "'\"=1"),
        ] {
            assert_eq!(guarded(typed), written, "{typed:?}");
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for typed in ["", "Anne-Marie", "a=b", "O'Neil", "R-1", "सारा", "a; b", "?", " x"] {
            assert!(matches!(guarded(typed), Cow::Borrowed(same) if same == typed), "{typed:?}");
        }
    }

    #[test]
    fn apostrophes_of_people_stay() {
        for typed in ["O'Neil; =1", "a'=b", "'til noon", "it's -2"] {
            assert_eq!(unguarded(&guarded(typed)), typed);
        }
    }

    proptest! {
        #[test]
        fn guards_are_taken_off_again(text in "[ \t=+@;\na\"é-]{0,12}") {
            prop_assert_eq!(unguarded(&guarded(&text)), text);
        }

        #[test]
        fn every_field_comes_back_guarded_and_none_begins_a_formula(name in any::<String>(), lead in "[ \t=+@;\n-]{0,4}") {
            let mut sheet = fixtures::session(&[Present]);
            sheet.rows[0].name = format!("{lead}{name}");
            let bytes = session_csv(&sheet, Bom::Without).unwrap();
            let mut reader = csv::Reader::from_reader(bytes.as_slice());
            let record = reader.records().next().unwrap().unwrap();
            let expected = guarded(&sheet.rows[0].name).into_owned();
            prop_assert_eq!(&record[9], expected);
            let first = record[9].chars().find(|c| !is_blank(*c));
            prop_assert!(!first.is_some_and(|c| "=+-@＝＋－＠".contains(c)), "{:?}", &record[9]);
            let unguarded: String = record[9].replace('\'', "");
            prop_assert_eq!(unguarded, sheet.rows[0].name.replace('\'', ""));
        }
    }
}
