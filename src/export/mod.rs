//! Sheets as files: Excel workbooks and CSV text, and session sheets that come back with corrections; and measurements as pages
//! ([`html`]).
//!
//! Pure: a sheet in, bytes out; equal sheets give equal bytes. No IO, no clock, no database; what a sheet says is
//! decided in `domain::sheet`. Called by `app::report` and `app::review`, pages by `cli`.
//!
//! Whatever people typed (names, notes, flags) is text and stays text: workbooks hold it in string cells, never in
//! formulas; CSV text is guarded as [`session_csv`] says.

mod csv;
pub mod html;
mod moodle;
mod returned;
mod xlsx;

pub use csv::{Bom, register_csv, register_csv_head, register_csv_rows, session_csv};
pub use moodle::{MoodleUsers, moodle_csv};
pub use returned::{ReturnedError, ReturnedSheet, read_returned};
pub use xlsx::{class_workbook, pilot_workbook, register_workbook, session_workbook};

use thiserror::Error;

/// Why a sheet did not become a file.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Mostly a limit of the format: 16,384 columns, 1,048,576 rows, 32,767 characters in a cell.
    #[error("the workbook of {class} could not be written: {source}; export a shorter range or a single session")]
    Workbook { class: String, source: rust_xlsxwriter::XlsxError },
    #[error("the CSV text of {class} could not be written: {source}")]
    Csv { class: String, source: ::csv::Error },
}
