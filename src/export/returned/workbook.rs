//! Workbooks that come back, whichever program has saved them.
//!
//! An archive is first unpacked into nothing, to see how large it really is: its own figures may lie. Then cells are read one by
//! one as they come: a sheet that claims a million rows takes no more memory than the cells it has.

use std::io::{self, Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, Reader as _, Xlsx};
use zip::ZipArchive;

use super::{KEY_TITLE, MAX_ROWS, ReturnedError, ReturnedSheet, cut, too_many_rows};
use crate::domain::ids::SessionId;
use crate::domain::sheet::{ReturnedPage, ReturnedRow, sessions_of};
use crate::domain::spelling::fold;

/// Most parts of an archive; each face is one.
const MAX_PARTS: usize = 12_000;
/// Largest part, unpacked, bytes. The page of a thousand members has under a tenth of it.
const MAX_PART_BYTES: u64 = 8 * 1024 * 1024;
/// All parts, unpacked, bytes.
const MAX_UNPACKED_BYTES: u64 = 48 * 1024 * 1024;
/// Most pages: ten lessons on every day of a year. What is kept is bounded by the session's own pages.
const MAX_PAGES: usize = 4_000;
/// Columns that are looked at.
const MAX_COLUMNS: u32 = 64;
/// Text that is kept, of all cells of the session's pages and of the page at hand, bytes.
const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// What stands in the header of a session's page.
const COLUMNS: &str = "\"Roll no\", \"PRN\", \"Status\", \"Note\"";

/// Reads every page with the columns of a session's sheet.
pub(super) fn read(bytes: &[u8], wanted: Option<SessionId>) -> Result<ReturnedSheet, ReturnedError> {
    require_small(bytes)?;
    // The reader trusts files here and there (a range that ends before it begins); a file must not end the program.
    let read = catch_unwind(AssertUnwindSafe(|| pages(bytes, wanted)));
    let pages = read.unwrap_or_else(|_| Err(unreadable("its parts contradict each other")))?;
    if pages.is_empty() {
        return Err(ReturnedError::NoSheet { columns: COLUMNS });
    }
    Ok(ReturnedSheet { pages, problems: Vec::new() })
}

/// Unpacks every part to see how large it is.
fn require_small(bytes: &[u8]) -> Result<(), ReturnedError> {
    let too_large = |what: &str| ReturnedError::TooLarge { what: what.to_owned() };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error.to_string()))?;
    if archive.len() > MAX_PARTS {
        return Err(too_large("too many parts"));
    }
    let mut unpacked = 0;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| unreadable(&error.to_string()))?;
        let length = io::copy(&mut part.take(MAX_PART_BYTES + 1), &mut io::sink());
        let length = length.map_err(|error| unreadable(&error.to_string()))?;
        unpacked += length;
        if length > MAX_PART_BYTES || unpacked > MAX_UNPACKED_BYTES {
            return Err(too_large("its parts unpack to more than a sheet has"));
        }
    }
    Ok(())
}

/// The pages that look like a session's; whole those of `wanted`, or of the first session that is found.
fn pages(bytes: &[u8], mut wanted: Option<SessionId>) -> Result<Vec<ReturnedPage>, ReturnedError> {
    let broken = |error: calamine::XlsxError| unreadable(&error.to_string());
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let names = workbook.sheet_names();
    if names.len() > MAX_PAGES {
        return Err(ReturnedError::TooManyPages { pages: names.len(), most: MAX_PAGES });
    }
    let mut pages: Vec<ReturnedPage> = Vec::new();
    let (mut kept_bytes, mut kept_rows) = (0, 0);
    for name in names {
        // A page of charts has no cells.
        let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else { continue };
        let mut page = Page::default();
        let mut text_bytes = 0;
        while let Some(cell) = cells.next_cell().map_err(broken)? {
            let (row, col) = cell.get_position();
            if col < MAX_COLUMNS {
                text_bytes += page.add(row, col, cell.get_value());
            }
            if kept_rows + page.rows.len() > MAX_ROWS {
                return Err(too_many_rows());
            }
            if kept_bytes + text_bytes > MAX_TEXT_BYTES {
                return Err(ReturnedError::TooLarge { what: "more cells than a sheet has".into() });
            }
        }
        let Some(rows) = page.finish() else { continue };
        let page = ReturnedPage { name, rows };
        wanted = wanted.or_else(|| sessions_of(std::slice::from_ref(&page)).first().copied());
        let page = wanted.map_or_else(ReturnedPage::default, |session| page.for_session(session));
        kept_bytes += page.rows.iter().map(ReturnedRow::text_bytes).sum::<usize>();
        kept_rows += page.rows.len();
        pages.push(page);
    }
    Ok(pages)
}

fn unreadable(what: &str) -> ReturnedError {
    // Libraries quote the file.
    let line: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
    ReturnedError::Workbook { what: line }
}

/// Which column holds what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Key,
    RollNo,
    Prn,
    Status,
    Note,
}

impl Field {
    fn titled(title: &str) -> Option<Self> {
        Some(match fold(title).as_str() {
            title if title == fold(KEY_TITLE) => Self::Key,
            "roll no" | "roll number" => Self::RollNo,
            "prn" => Self::Prn,
            "status" => Self::Status,
            "note" | "remarks" => Self::Note,
            _ => return None,
        })
    }
}

/// A page as its cells come in: above the header nothing is kept but the row at hand.
#[derive(Debug, Default)]
struct Page {
    /// Once the header was seen.
    columns: Option<Vec<(u32, Field)>>,
    /// Cells of the last row that may be the header.
    titles: (u32, Vec<(u32, Field)>),
    rows: Vec<ReturnedRow>,
}

impl Page {
    /// Returns the bytes that it keeps.
    fn add(&mut self, row: u32, col: u32, value: &DataRef<'_>) -> usize {
        let Some(columns) = &self.columns else {
            self.look_for_header(row, col, value);
            return 0;
        };
        let Some((_, field)) = columns.iter().find(|(column, _)| *column == col) else {
            // The rest of the header itself.
            if self.titles.0 == row {
                self.look_for_header(row, col, value);
            }
            return 0;
        };
        if row == self.titles.0 {
            return 0;
        }
        let text = text(value);
        let length = text.len();
        let field = *field;
        set(self.row(row), field, text);
        length
    }

    /// The header has at least roll numbers and statuses; its other titles may come before or behind.
    fn look_for_header(&mut self, row: u32, col: u32, value: &DataRef<'_>) {
        if self.titles.0 != row {
            self.titles = (row, Vec::new());
        }
        if let Some(field) = Field::titled(&text(value))
            && self.titles.1.iter().all(|(_, known)| *known != field)
        {
            self.titles.1.push((col, field));
        }
        let has = |field| self.titles.1.iter().any(|(_, known)| *known == field);
        if has(Field::RollNo) && has(Field::Status) {
            self.columns = Some(self.titles.1.clone());
        }
    }

    /// The row with this index; cells come row by row.
    fn row(&mut self, row: u32) -> &mut ReturnedRow {
        let number = row.saturating_add(1);
        if self.rows.last().is_none_or(|last| last.row != number) {
            let has = |field| self.columns.iter().flatten().any(|(_, known)| *known == field);
            let (label, note) = (Some(String::new()), has(Field::Note).then(String::new));
            self.rows.push(ReturnedRow { row: number, label, note, ..ReturnedRow::default() });
        }
        self.rows.last_mut().expect("a row was pushed where there was none")
    }

    /// The rows of members; nothing of a page without a header and of one without keys, such as the evidence.
    fn finish(self) -> Option<Vec<ReturnedRow>> {
        self.columns.filter(|columns| columns.iter().any(|(_, field)| *field == Field::Key))?;
        let is_member = |row: &ReturnedRow| {
            let has_status = row.label.as_deref().is_some_and(|label| !label.trim().is_empty());
            !row.key.is_empty() || (has_status && !(row.roll_no.is_empty() && row.prn.is_empty()))
        };
        Some(self.rows.into_iter().filter(is_member).collect())
    }
}

fn set(row: &mut ReturnedRow, field: Field, text: String) {
    match field {
        Field::Key => row.key = text,
        Field::RollNo => row.roll_no = text,
        Field::Prn => row.prn = text,
        Field::Status => row.label = Some(text),
        Field::Note => row.note = Some(text),
    }
}

/// A cell's value as text; whole numbers without a point.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => cut(text),
        DataRef::SharedString(text) => cut(text),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::DateTime(at) => at.as_f64().to_string(),
        DataRef::Bool(is_true) => if *is_true { "TRUE" } else { "FALSE" }.to_owned(),
        DataRef::Error(error) => error.to_string(),
    }
}
