//! CSV that comes back.

use super::{ReturnedError, ReturnedSheet, cut};
use crate::domain::csv_table::{Column, CsvTable};
use crate::domain::sheet::{ReturnedRow, RowProblem, RowProblemCode};
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
    let header = crate::domain::csv_table::header(bytes)?;
    let has = |column: &Column| header.iter().any(|title| column.is_titled(title));
    let (has_status, has_label, has_note) = (has(&STATUS), has(&LABEL), has(&NOTE));
    let CsvTable { rows, problems } = CsvTable::read(bytes, &COLUMNS)?;
    let line = |line: u64| u32::try_from(line).unwrap_or(u32::MAX);
    let text = |row: &crate::domain::csv_table::CsvRow, column| cut(row.get(column));
    let rows = rows.iter().map(|row| ReturnedRow {
        row: line(row.line),
        key: text(row, &KEY),
        roll_no: unguarded(&text(row, &ROLL_NO)),
        prn: unguarded(&text(row, &PRN)),
        label: has_label.then(|| unguarded(&text(row, &LABEL))),
        word: has_status.then(|| unguarded(&text(row, &STATUS))),
        note: has_note.then(|| unguarded(&text(row, &NOTE))),
    });
    let problems = problems.problems.into_iter().map(|problem| RowProblem {
        row: line(problem.line),
        column: None,
        code: RowProblemCode::UnreadableRow,
        detail: problem.message,
    });
    Ok(ReturnedSheet { pages: vec![rows.collect()], problems: problems.collect() })
}
