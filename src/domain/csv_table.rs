//! Reads a table that somebody exported from somewhere: header-driven, tolerant in form, strict in content.
//!
//! Used by the roster, the enrolment list and the photo manifest. Columns stand in any order and case under their usual
//! names; comma, semicolon and tab are told apart by the header; a byte order mark and Excel's `sep=` line are skipped.
//! Every problem of every row is reported with its line, so that a file is repaired in one go. It parses bytes that are
//! already in memory and never touches a file.

use std::fmt;

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::domain::spelling::{edit_distance, fold};

/// Whether a table can do without a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The column must exist and no row may leave it empty.
    Filled,
    /// The column may be missing, and rows may leave it empty.
    Optional,
    /// The same, and its texts may run over several lines.
    FreeText,
}

/// A column as its users know it.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    /// Other headers that mean the same; compared after [`fold`], in which `Roll_No.` is `roll no`.
    pub aliases: &'static [&'static str],
    pub need: Need,
}

impl Column {
    pub const fn filled(name: &'static str, aliases: &'static [&'static str]) -> Self {
        Self { name, aliases, need: Need::Filled }
    }

    pub const fn optional(name: &'static str, aliases: &'static [&'static str]) -> Self {
        Self { name, aliases, need: Need::Optional }
    }

    pub const fn free_text(name: &'static str, aliases: &'static [&'static str]) -> Self {
        Self { name, aliases, need: Need::FreeText }
    }

    /// Whether a heading is this column's.
    pub fn is_titled(&self, heading: &str) -> bool {
        self.headings().contains(&fold(heading))
    }

    /// Its name and the others that mean the same, each after [`fold`].
    fn headings(&self) -> Vec<String> {
        std::iter::once(&self.name).chain(self.aliases).map(|name| fold(name)).collect()
    }
}

/// One thing that is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvProblem {
    /// Line of the file, from 1; 0 when the problem is the file itself.
    pub line: u64,
    pub column: Option<String>,
    pub message: String,
}

impl fmt::Display for CsvProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}", self.line)?;
            match &self.column {
                Some(column) => write!(f, ", {column}: ")?,
                None => f.write_str(": ")?,
            }
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a table, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CsvProblems {
    pub problems: Vec<CsvProblem>,
}

/// So many problems are printed; all of them are in [`CsvProblems::problems`].
const PRINTED_PROBLEMS: usize = 20;

impl CsvProblems {
    /// Notes that `column` of `row` is wrong.
    pub fn add(&mut self, line: u64, column: &str, message: impl Into<String>) {
        self.problems.push(CsvProblem { line, column: Some(column.to_owned()), message: message.into() });
    }

    /// `value`, or the problems when there are any.
    ///
    /// # Errors
    /// These problems, sorted by line.
    pub fn or_ok<T>(mut self, value: T) -> Result<T, Self> {
        if self.problems.is_empty() {
            return Ok(value);
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(self)
    }

    /// One problem of the table as a whole, or of a line.
    pub(crate) fn of_line(line: u64, message: impl Into<String>) -> Self {
        Self { problems: vec![CsvProblem { line, column: None, message: message.into() }] }
    }
}

impl fmt::Display for CsvProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().take(PRINTED_PROBLEMS).enumerate() {
            write!(f, "{}{problem}", if i > 0 { "\n" } else { "" })?;
        }
        match self.problems.len().saturating_sub(PRINTED_PROBLEMS) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for CsvProblems {}

/// One row below the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvRow {
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    /// None under a column that the table lacks.
    fields: Vec<(&'static str, Option<String>)>,
}

impl CsvRow {
    /// The trimmed text under `column`; empty when the table lacks an optional column.
    ///
    /// # Panics
    /// When `column` was not among the columns that the table was read with.
    pub fn get(&self, column: &Column) -> &str {
        self.find(column).unwrap_or_default()
    }

    /// [`CsvRow::get`], `None` when the table lacks the column.
    ///
    /// # Panics
    /// As [`CsvRow::get`].
    pub fn find(&self, column: &Column) -> Option<&str> {
        let found = self.fields.iter().find(|(name, _)| *name == column.name);
        found.expect("a row is asked for the columns that its table was read with").1.as_deref()
    }

    /// [`CsvRow::get`], `None` when empty.
    pub fn get_filled(&self, column: &Column) -> Option<&str> {
        Some(self.get(column)).filter(|text| !text.is_empty())
    }
}

/// The sound rows of a table and what is wrong with the others. Users add what they find and end with
/// [`CsvProblems::or_ok`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvTable {
    pub rows: Vec<CsvRow>,
    pub problems: CsvProblems,
}

impl CsvTable {
    /// Reads `bytes` (UTF-8, with or without byte order mark) as a table with these `columns`; other columns are left
    /// out, blank lines too.
    ///
    /// # Errors
    /// What makes the file as a whole unreadable: not UTF-8, no rows, a missing, doubled or misspelt column.
    pub fn read(bytes: &[u8], columns: &[Column]) -> Result<Self, CsvProblems> {
        Ok(Self::read_with_others(bytes, columns, |_| false)?.0)
    }

    /// The same of a file that may be made to harm: none when it has more than `most` rows, of which no more are ever kept.
    ///
    /// # Errors
    /// As [`CsvTable::read`], and for a header of more than a thousand columns.
    pub fn read_at_most(most: usize, bytes: &[u8], columns: &[Column]) -> Result<Option<Self>, CsvProblems> {
        const MOST_COLUMNS: usize = 1_000;
        let (line, header, records) = opened(bytes)?;
        if header.len() > MOST_COLUMNS {
            return Err(CsvProblems::of_line(line, format!("header has {} columns", header.len())));
        }
        let mut rows = 0;
        let counted = records.inspect(|_| rows += 1).take(most.saturating_add(1));
        let (table, _) = Self::of((line, &header), counted, columns, |_| false)?;
        Ok((rows <= most).then_some(table))
    }

    /// The same as [`CsvTable::read`], with what stands under other headings, those of them that are `wanted`.
    ///
    /// # Errors
    /// As [`CsvTable::read`].
    pub fn read_with_others(
        bytes: &[u8],
        columns: &[Column],
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Self, OtherColumns), CsvProblems> {
        let (line, header, records) = opened(bytes)?;
        Self::of((line, &header), records, columns, wanted)
    }

    fn of(
        (line, header): (u64, &StringRecord),
        records: impl Iterator<Item = (u64, StringRecord)>,
        columns: &[Column],
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Self, OtherColumns), CsvProblems> {
        let places = places(line, header, columns)?;
        let others: Vec<usize> =
            (0..header.len()).filter(|i| !places.contains(&Some(*i)) && wanted(&header[*i])).collect();
        let headings = others.iter().map(|i| header[*i].to_owned()).collect();
        let mut other = OtherColumns { headings, cells: Vec::new() };
        let mut table = Self { rows: Vec::new(), problems: CsvProblems::default() };
        let mut is_bare = true;
        for (line, record) in records {
            is_bare = false;
            let row = CsvRow {
                line,
                fields: columns
                    .iter()
                    .zip(&places)
                    .map(|(column, place)| (column.name, place.map(|i| record.get(i).unwrap_or("").to_owned())))
                    .collect(),
            };
            let found = row_problems(&row, &record, header.len(), columns);
            if found.is_empty() {
                table.rows.push(row);
                other.cells.push(others.iter().map(|i| record.get(*i).unwrap_or("").to_owned()).collect());
            }
            table.problems.problems.extend(found);
        }
        if is_bare {
            return Err(CsvProblems::of_line(0, "file has a header and no rows"));
        }
        Ok((table, other))
    }
}

/// What stands under headings that are not among a reader's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherColumns {
    pub headings: Vec<String>,
    /// For each of [`CsvTable::rows`] the trimmed texts under the headings.
    pub cells: Vec<Vec<String>>,
}

/// The header of a table, for readers that know several layouts.
///
/// # Errors
/// As [`CsvTable::read`] for what is no table at all.
pub fn header(bytes: &[u8]) -> Result<Vec<String>, CsvProblems> {
    Ok(opened(bytes)?.1.iter().map(str::to_owned).collect())
}

/// The header with its line, and the records below it.
fn opened(bytes: &[u8]) -> Result<(u64, StringRecord, impl Iterator<Item = (u64, StringRecord)>), CsvProblems> {
    let (text, delimiter, skipped_lines) = layout(decoded(bytes)?);
    let mut records = records(text, delimiter, skipped_lines);
    let (line, header) = records.next().ok_or_else(|| CsvProblems::of_line(0, "file is empty"))?;
    Ok((line, header, records))
}

/// The text of `bytes`, or why they are no text, in the words of somebody who has a spreadsheet open.
fn decoded(bytes: &[u8]) -> Result<&str, CsvProblems> {
    const SAVE_AS: &str = "save it as \"CSV UTF-8 (comma delimited)\"";
    let refused = |line, what: &str| Err(CsvProblems::of_line(line, format!("{what}; {SAVE_AS}")));
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return refused(0, "file is a workbook, not CSV");
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return refused(0, "file is UTF-16 text, not UTF-8");
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.contains(&0) {
        return refused(0, "file holds zero bytes, as UTF-16 text and workbooks do");
    }
    std::str::from_utf8(bytes).or_else(|error| {
        let line = 1 + line_ends(&bytes[..error.valid_up_to()]);
        refused(line, &format!("not UTF-8 (byte 0x{:02X})", bytes[error.valid_up_to()]))
    })
}

/// The table without Excel's `sep=` line, its delimiter, and how many lines were skipped.
fn layout(text: &str) -> (&str, u8, u64) {
    let first = text.split(['\r', '\n']).next().unwrap_or("");
    if let Some([delimiter]) = first.strip_prefix("sep=").map(str::as_bytes)
        && matches!(delimiter, b',' | b';' | b'\t' | b'|')
    {
        let rest = &text[first.len()..];
        let rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix(['\r', '\n'])).unwrap_or("");
        return (rest, *delimiter, 1);
    }
    let header = text.split(['\r', '\n']).find(|line| !line.trim().is_empty()).unwrap_or("");
    (text, sniffed_delimiter(header), 0)
}

/// The delimiter that stands most often in `header` outside of quotes; a comma when none does.
fn sniffed_delimiter(header: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for b in header.bytes() {
        is_quoted ^= b == b'"';
        if let Some(count) = counts.iter_mut().find(|(delimiter, _)| *delimiter == b && !is_quoted) {
            count.1 += 1;
        }
    }
    // `max_by_key` keeps the last of equals, the comma should win.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter)
}

/// Lines that end in `bytes`: with a line feed, a carriage return and line feed, or, from old Macs, a carriage return.
fn line_ends(bytes: &[u8]) -> u64 {
    let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64
}

/// Every record that holds any text, with its line; each is read when it is asked for.
fn records(text: &str, delimiter: u8, skipped_lines: u64) -> impl Iterator<Item = (u64, StringRecord)> {
    let reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let (mut counted, mut line) = (0, skipped_lines + 1);
    let mut line_of = move |record: &StringRecord| {
        let position = record.position().expect("a record that was read has a position");
        // The position is where the parser stood, in front of line ends that belong to the row above.
        let stood = position.byte() as usize;
        let ends = text.as_bytes()[stood..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        line += line_ends(&text.as_bytes()[counted..stood + ends]);
        counted = stood + ends;
        line
    };
    reader
        .into_records()
        .map(|record| record.expect("flexible records of UTF-8 text in memory cannot fail"))
        .filter(|record| record.iter().any(|field| !field.is_empty()))
        .map(move |record| (line_of(&record), record))
}

/// For every column its place in the header. A header may have any number of columns, so each is folded once.
fn places(line: u64, header: &StringRecord, columns: &[Column]) -> Result<Vec<Option<usize>>, CsvProblems> {
    let mut problems = CsvProblems::default();
    let headings: Vec<Vec<String>> = columns.iter().map(Column::headings).collect();
    let folded: Vec<String> = header.iter().map(fold).collect();
    let unknown: Vec<usize> =
        (0..folded.len()).filter(|i| !headings.iter().any(|names| names.contains(&folded[*i]))).collect();
    let mut places = Vec::with_capacity(columns.len());
    for (column, names) in columns.iter().zip(&headings) {
        let mut found = (0..folded.len()).filter(|i| names.contains(&folded[*i]));
        let place = found.next();
        places.push(place);
        if found.next().is_some() {
            problems.add(line, column.name, "column stands in the header twice");
        }
        if place.is_some() {
            continue;
        }
        let misspelt = unknown.iter().find(|i| is_misspelt(&folded[**i], &names[0]));
        match (misspelt, column.need) {
            (Some(i), _) => problems.add(line, column.name, format!("is column \"{}\" meant? rename it", &header[*i])),
            (None, Need::Filled) => {
                problems.add(line, column.name, format!("column is missing; the header has: {}", shown(header)));
            }
            (None, Need::Optional | Need::FreeText) => {}
        }
    }
    problems.or_ok(places)
}

/// So many columns of a header are named in a problem.
const SHOWN_COLUMNS: usize = 30;

fn shown(header: &StringRecord) -> String {
    let shown = header.iter().take(SHOWN_COLUMNS).collect::<Vec<_>>().join(", ");
    match header.len().saturating_sub(SHOWN_COLUMNS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A misspelt optional column would be left out without a word. Short names are like too many others to tell. Both are
/// folded.
fn is_misspelt(header: &str, name: &str) -> bool {
    name.len() >= 5 && header.len().abs_diff(name.len()) <= 8 && edit_distance(header, name) <= 2
}

fn row_problems(row: &CsvRow, record: &StringRecord, width: usize, columns: &[Column]) -> Vec<CsvProblem> {
    let mut found = CsvProblems::default();
    if record.iter().skip(width).any(|field| !field.is_empty()) {
        let message = format!("row has {} fields, the header {width}; a delimiter inside needs quotes", record.len());
        found.problems.push(CsvProblem { line: row.line, column: None, message });
    }
    for column in columns {
        let text = row.get(column);
        if text.is_empty() && column.need == Need::Filled {
            found.add(row.line, column.name, "is empty");
        }
        if column.need == Need::FreeText {
            continue;
        }
        if text.contains(['\n', '\r']) {
            found.add(row.line, column.name, "runs over several lines; is a quote left open?");
        } else if text.chars().any(char::is_control) {
            found.add(row.line, column.name, "holds a control character");
        }
    }
    found.problems
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: Column = Column::filled("name", &["student"]);
    const ROLL_NO: Column = Column::filled("roll_no", &["roll", "rollno"]);
    const CONSENT: Column = Column::optional("consent", &[]);
    const COLUMNS: [Column; 3] = [NAME, ROLL_NO, CONSENT];

    fn read(text: &str) -> Result<CsvTable, String> {
        CsvTable::read(text.as_bytes(), &COLUMNS).map_err(|problems| problems.to_string())
    }

    fn cells(text: &str) -> Vec<(u64, String, String, String)> {
        let table = read(text).unwrap();
        assert_eq!(table.problems.to_string(), "");
        let cell = |row: &CsvRow, column| row.get(column).to_owned();
        table.rows.iter().map(|r| (r.line, cell(r, &NAME), cell(r, &ROLL_NO), cell(r, &CONSENT))).collect()
    }

    fn row(line: u64, name: &str, roll_no: &str, consent: &str) -> (u64, String, String, String) {
        (line, name.to_owned(), roll_no.to_owned(), consent.to_owned())
    }

    #[test]
    fn header_order_case_aliases_and_extra_columns_do_not_matter() {
        let expected = [row(2, "Ann Lee", "07", "")];
        assert_eq!(cells("name,roll_no\nAnn Lee,07\n"), expected);
        assert_eq!(cells("Phone, ROLL NO. ,Student\n555, 07 ,  Ann Lee\n"), expected);
        assert_eq!(cells("RollNo;Name\r\n07;Ann Lee\r\n"), expected);
        assert_eq!(cells("roll\tname\n07\tAnn Lee"), expected);
        assert_eq!(cells("\u{feff}\"name\",\"roll\"\n\"Ann Lee\",\"07\"\n"), expected);
    }

    #[test]
    fn other_columns_are_read_where_somebody_wants_them() {
        let text = "name;2026-11-16;Phone;roll;2026-11-17\nAnn; P ;555;1;A\nBob\nCy;A;556;3\n";
        let (table, other) = CsvTable::read_with_others(text.as_bytes(), &COLUMNS, |h| h.starts_with('2')).unwrap();
        assert_eq!(table.rows.len(), 2, "Bob has no number");
        assert_eq!(other.headings, ["2026-11-16", "2026-11-17"]);
        assert_eq!(other.cells, [["P", "A"], ["A", ""]]);
        assert_eq!(header(text.as_bytes()).unwrap()[2..4], ["Phone", "roll"]);
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let text = "sep=;\r\n\r\nname;roll\r\n\r\nAnn;1\r\n;;\r\nBob;2\r\n\r\n\r\n";
        assert_eq!(cells(text), [row(5, "Ann", "1", ""), row(7, "Bob", "2", "")]);
        assert_eq!(cells("sep=\t\nname\troll\nAnn,;\t1"), [row(3, "Ann,;", "1", "")]);
        assert_eq!(cells("name,roll\n\n\nAnn,1\nBob,2"), [row(4, "Ann", "1", ""), row(5, "Bob", "2", "")]);
    }

    /// Found by fuzzing: every row of such a file was said to stand on line 1.
    #[test]
    fn a_lone_carriage_return_ends_a_line() {
        assert_eq!(cells("sep=;\rname;roll\r\rAnn;1\rBob;2"), [row(4, "Ann", "1", ""), row(5, "Bob", "2", "")]);
        assert_eq!(
            cells("a;name;roll\rx;\"Ann, Bea, Cy\";1\r\ny;Bob;2\n"),
            [row(2, "Ann, Bea, Cy", "1", ""), row(3, "Bob", "2", "")]
        );
        let broken = CsvTable::read(b"name,roll\rAnn,1\rB\xff,2\r", &COLUMNS).unwrap_err();
        assert!(broken.to_string().starts_with("line 3: not UTF-8"), "{broken}");
    }

    /// Found by fuzzing: every column of the header was compared anew with every name of every column, in its raw form.
    #[test]
    fn a_header_of_a_million_columns_is_looked_at_once() {
        let many = format!("{}name,roll\n", "x,".repeat(1_000_000));
        let error = read(&many).unwrap_err();
        assert_eq!(error, "file has a header and no rows");
        let error = read(&many.replace("roll", "number")).unwrap_err();
        assert!(error.ends_with("x, x and 999972 more") && error.len() < 300, "{error}");
    }

    #[test]
    fn a_quoted_delimiter_in_the_header_is_not_counted() {
        assert_eq!(cells("name;roll;\"a,b,c,d\"\nAnn;1;x\n"), [row(2, "Ann", "1", "")]);
    }

    #[test]
    fn every_bad_row_is_reported() {
        let table = read("name,roll\n,1\nBob,2\nCy,\nDi,4,5\n,\nEd\n").unwrap();
        assert_eq!(table.rows.len(), 1);
        assert_eq!(
            table.problems.to_string(),
            "line 2, name: is empty\nline 4, roll_no: is empty\n\
             line 5: row has 3 fields, the header 2; a delimiter inside needs quotes\nline 7, roll_no: is empty"
        );
    }

    #[test]
    fn an_open_quote_is_named_where_it_begins() {
        let table = read("name,roll\nAnn,1\n\"Bob,2\nCy,3\n").unwrap();
        assert!(table.problems.to_string().starts_with("line 3, name: runs over several lines"), "{}", table.problems);
    }

    #[test]
    fn missing_doubled_and_misspelt_columns_are_refused() {
        assert_eq!(read("name,age\nx,1").unwrap_err(), "line 1, roll_no: column is missing; the header has: name, age");
        assert_eq!(read("name,roll,Student\nx,1,y").unwrap_err(), "line 1, name: column stands in the header twice");
        let misspelt = read("name,roll,consnt\nx,1,yes").unwrap_err();
        assert_eq!(misspelt, "line 1, consent: is column \"consnt\" meant? rename it");
    }

    #[test]
    fn files_that_are_no_utf8_table_are_refused_with_what_to_do() {
        let refusal = |bytes: &[u8]| CsvTable::read(bytes, &COLUMNS).unwrap_err().to_string();
        let save_as = "save it as \"CSV UTF-8 (comma delimited)\"";
        assert_eq!(refusal(b"PK\x03\x04rest"), format!("file is a workbook, not CSV; {save_as}"));
        assert_eq!(refusal(b"\xff\xfen\0a\0"), format!("file is UTF-16 text, not UTF-8; {save_as}"));
        assert!(refusal(b"n\0a\0m\0e\0").starts_with("file holds zero bytes"));
        assert_eq!(refusal(b"name,roll\nJos\xe9,1\n"), format!("line 2: not UTF-8 (byte 0xE9); {save_as}"));
        assert_eq!(refusal(b""), "file is empty");
        assert_eq!(refusal(b"\xef\xbb\xbf\r\n\r\n"), "file is empty");
        assert_eq!(refusal(b"name,roll\n,\n"), "file has a header and no rows");
    }

    #[test]
    fn many_problems_are_counted_not_all_printed() {
        let text = format!("name,roll\n{}", "x,\n".repeat(25));
        let problems = read(&text).unwrap().problems;
        assert_eq!(problems.problems.len(), 25);
        assert!(problems.to_string().ends_with("line 21, roll_no: is empty\nand 5 more"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = CsvTable::read(&bytes, &COLUMNS);
        }

        #[test]
        fn arbitrary_rows_never_panic(text in "[a-z,;\"\r\n\t é]{0,200}") {
            let _ = read(&format!("name,roll,consent\n{text}"));
        }

        #[test]
        fn what_was_written_is_read(rows in proptest::collection::vec(("[!-~é]{1,8}", "[!-~]{1,8}"), 1..8)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["name", "roll_no"]).unwrap();
            for (name, roll_no) in &rows {
                writer.write_record([name, roll_no]).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let expected: Vec<_> = rows.iter().zip(2..).map(|((name, roll), line)| row(line, name, roll, "")).collect();
            prop_assert_eq!(cells(&text), expected);
        }
    }
}
