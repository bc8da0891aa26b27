//! Session sheets that come back with corrections: the files of this layer read again, as whatever program has saved them.
//!
//! Files come from strangers' programs and may be made to harm: every limit holds before memory is taken, and whatever cannot be
//! read is refused in words. Cells are values; formulas count as what they last gave. What a row means is decided in
//! `domain::sheet`. Called by `app::review`.

mod table;
mod workbook;

use thiserror::Error;

use crate::domain::csv_table::CsvProblems;
use crate::domain::ids::SessionId;
use crate::domain::sheet::{ReturnedPage, RowProblem};

/// Heading of the column that says which record a row is of.
pub(super) const KEY_TITLE: &str = "Record key";

/// Largest file, bytes. A workbook of sixty with faces has under half a megabyte.
const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
/// Most rows of members, on all pages of a session together, and of a file of CSV.
const MAX_ROWS: usize = 50_000;
/// Most of a cell's text, characters; the rest is left out.
const MAX_CELL_CHARS: usize = 2_000;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReturnedSheet {
    /// The rows of each page that looks like a session's; one for CSV.
    pub pages: Vec<ReturnedPage>,
    /// Rows that are none of their table.
    pub problems: Vec<RowProblem>,
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReturnedError {
    #[error("the file is larger than a sheet of a session can be ({what}): send the session's own sheet")]
    TooLarge { what: String },
    #[error("the workbook has {pages} pages, more than the {most} that are looked into: send the session's own sheet")]
    TooManyPages { pages: usize, most: usize },
    #[error("the file cannot be read as a workbook: {what}; save it as .xlsx, or send the sheet as CSV")]
    Workbook { what: String },
    #[error("the workbook has no page with the columns of a session's sheet: {columns} and the hidden \"{KEY_TITLE}\"")]
    NoSheet { columns: &'static str },
    #[error(transparent)]
    Table(#[from] CsvProblems),
}

/// Reads a workbook or CSV. Of a workbook only the pages of one session are kept whole, those of `wanted`, or else of the first
/// that it has a page of.
///
/// # Errors
/// [`ReturnedError`] for what is neither, is not a session's sheet, or is larger than one can be.
pub fn read_returned(bytes: &[u8], wanted: Option<SessionId>) -> Result<ReturnedSheet, ReturnedError> {
    if bytes.len() > MAX_FILE_BYTES {
        let what = format!("{} MB, the limit is {} MB", bytes.len() >> 20, MAX_FILE_BYTES >> 20);
        return Err(ReturnedError::TooLarge { what });
    }
    match bytes {
        [b'P', b'K', 3 | 5, ..] => workbook::read(bytes, wanted),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            Err(ReturnedError::Workbook { what: "it is in the old format or has a password".into() })
        }
        _ => table::read(bytes),
    }
}

fn too_many_rows() -> ReturnedError {
    ReturnedError::TooLarge { what: format!("more than {MAX_ROWS} rows") }
}

/// A text no longer than a cell may be.
fn cut(text: &str) -> String {
    text.chars().take(MAX_CELL_CHARS).collect()
}

#[cfg(test)]
mod tests;
