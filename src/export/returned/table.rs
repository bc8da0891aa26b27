//! CSV that comes back.

use super::{MAX_ROWS, ReturnedError, ReturnedSheet, cut, too_many_rows};
use crate::domain::csv_table::{Column, CsvRow, CsvTable};
use crate::domain::sheet::{ReturnedPage, ReturnedRow, RowProblem, RowProblemCode};
use crate::export::csv::unguarded;

const KEY: Column = Column::optional("record_key", &["key"]);
const ROLL_NO: Column = Column::optional("roll_no", &["roll number", "roll"]);
const PRN: Column = Column::optional("prn", &[]);
const STATUS: Column = Column::optional("status", &[]);
const LABEL: Column = Column::optional("label", &[]);
const NOTE: Column = Column::free_text("note", &["remarks"]);
const COLUMNS: [Column; 6] = [KEY, ROLL_NO, PRN, STATUS, LABEL, NOTE];

/// Reads the columns that can be corrected and those that tell whose row it is; others are left alone.
pub(super) fn read(bytes: &[u8]) -> Result<ReturnedSheet, ReturnedError> {
    let Some(CsvTable { rows, problems }) = CsvTable::read_at_most(MAX_ROWS, bytes, &COLUMNS)? else {
        return Err(too_many_rows());
    };
    let line = |line: u64| u32::try_from(line).unwrap_or(u32::MAX);
    let text = |row: &CsvRow, column| row.find(column).map(|text| unguarded(&cut(text)));
    let rows = rows.iter().map(|row| ReturnedRow {
        row: line(row.line),
        key: cut(row.get(&KEY)),
        roll_no: text(row, &ROLL_NO).unwrap_or_default(),
        prn: text(row, &PRN).unwrap_or_default(),
        label: text(row, &LABEL),
        word: text(row, &STATUS),
        note: text(row, &NOTE),
    });
    let problems = problems.problems.into_iter().map(|problem| RowProblem {
        row: line(problem.line),
        column: None,
        code: RowProblemCode::UnreadableRow,
        detail: problem.message,
    });
    let page = ReturnedPage { name: String::new(), rows: rows.collect() };
    Ok(ReturnedSheet { pages: vec![page], problems: problems.collect() })
}
