//! Sheets of a year: `cargo bench --bench export`.
//!
//! The workbook of a class of 100 over 200 sessions, against the library writing the very same cells: the finished workbook is
//! read back, and every value and formula in it is written bare, once without any format and once with one on every cell, which
//! is what a sheet with borders needs. Then the register CSV of 10,000 students. STUDENTS, SESSIONS and ROUNDS change the size;
//! medians of runs in turn.

#![expect(clippy::unwrap_used, reason = "a failed step ends the run")]

use std::hint::black_box;
use std::io::Cursor;
use std::time::Instant;

use calamine::{Data, Reader as _, Xlsx};
use chrono::{DateTime, Days, NaiveDate};
use rollcall::domain::ids::{MemberId, SessionId};
use rollcall::domain::sheet::{
    RegisterColumn, RegisterMember, RegisterRecord, RegisterSheet, SessionRow, SessionSheet, SheetHeading, SheetRules,
    StatusCounts,
};
use rollcall::domain::status::{AttendanceStatus, RecordSource, SessionState};
use rollcall::export::{Bom, class_workbook, register_csv, register_workbook};
use rust_xlsxwriter::{Format, FormatBorder, Formula, Workbook, Worksheet};

fn heading() -> SheetHeading {
    SheetHeading {
        school: "Springfield College".into(),
        class: "CSE".into(),
        section: "A".into(),
        term: "2025-26".into(),
        subject: None,
        time_zone: chrono_tz::Asia::Kolkata,
        generated_at: DateTime::from_timestamp(1_741_000_000, 0).unwrap(),
    }
}

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 3, 3).unwrap()
}

fn status(student: u32, session: u32) -> AttendanceStatus {
    StatusCounts::ORDER[[0, 0, 0, 1, 0, 2, 0, 0, 3, 4][(student * 7 + session * 3) as usize % 10]]
}

fn register(students: u32, sessions: u32) -> RegisterSheet {
    let member = |n: u32| RegisterMember {
        id: MemberId(n.into()),
        roll_no: format!("CSE-A-{n}"),
        prn: format!("PRN{n:06}"),
        name: format!("Student Number {n}"),
        from: None,
        to: None,
    };
    let column = |n: u32| RegisterColumn {
        id: SessionId(n.into()),
        at: (first_day() + Days::new(n.into())).and_hms_opt(4, 0, 0).unwrap(),
        starts_at: (first_day() + Days::new(n.into())).and_hms_opt(9, 30, 0).unwrap(),
        name: Some(format!("Lecture {n}")),
        subject: None,
        was_held: true,
        taken: None,
    };
    let record = |student: u32, session: u32| RegisterRecord {
        session: SessionId(session.into()),
        member: MemberId(student.into()),
        status: status(student, session),
    };
    let records: Vec<_> = (0..students).flat_map(|m| (0..sessions).map(move |s| record(m, s))).collect();
    let last = first_day() + Days::new(sessions.into());
    RegisterSheet::new(heading(), SheetRules::default(), first_day(), last).filled(
        (0..students).map(member).collect(),
        (0..sessions).map(column).collect(),
        &records,
    )
}

fn session(students: u32, number: u32) -> SessionSheet {
    let row = |n: u32| {
        let status = status(n, number);
        SessionRow {
            member: MemberId(n.into()),
            roll_no: format!("CSE-A-{n}"),
            prn: format!("PRN{n:06}"),
            name: format!("Student Number {n}"),
            status,
            confidence: (status == AttendanceStatus::Present).then_some(0.9 + (n % 100) as f32 / 1000.0),
            source: RecordSource::Auto,
            note: n.is_multiple_of(20).then(|| "came ten minutes late".to_owned()),
            version: "0123456789abcdef".to_owned(),
        }
    };
    SessionSheet {
        id: SessionId(number.into()),
        heading: heading(),
        rules: SheetRules::default(),
        name: Some(format!("Lecture {number}")),
        starts_at: (first_day() + Days::new(number.into())).and_hms_opt(9, 30, 0).unwrap(),
        state: SessionState::Review,
        pilot: false,
        taken: None,
        remark: None,
        photos: 2,
        strangers: 1,
        flags: vec!["some faces may be students of the class: please decide".into()],
        provenance: "pack starter@1 on cpu".into(),
        rows: (0..students).map(row).collect(),
    }
}

/// What stands in a cell.
enum Cell {
    Text(String),
    Number(f64),
    /// With its result.
    Formula(String, String),
}

struct Page {
    name: String,
    cells: Vec<(u32, u16, Cell)>,
}

/// All values and formulas of a workbook.
fn cells_of(workbook: &[u8]) -> Vec<Page> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(workbook.to_vec())).unwrap();
    let mut pages = Vec::new();
    for name in book.sheet_names() {
        let (values, formulas) = (book.worksheet_range(&name).unwrap(), book.worksheet_formula(&name).unwrap());
        let (top, left) = values.start().unwrap();
        let mut cells = Vec::new();
        for (row, col, value) in values.cells() {
            let (row, col) = (top + row as u32, left + col as u32);
            let formula = formulas.get_value((row, col)).filter(|formula| !formula.is_empty());
            let cell = match (formula, value) {
                (Some(formula), value) => Cell::Formula(formula.clone(), value.to_string()),
                (None, Data::Empty) => continue,
                (None, Data::Float(number)) => Cell::Number(*number),
                (None, Data::DateTime(at)) => Cell::Number(at.as_f64()),
                (None, other) => Cell::Text(other.to_string()),
            };
            cells.push((row, col as u16, cell));
        }
        pages.push(Page { name, cells });
    }
    pages
}

fn bare(pages: &[Page], format: Option<&Format>) -> Vec<u8> {
    let mut workbook = Workbook::new();
    for page in pages {
        let sheet = workbook.add_worksheet();
        sheet.set_name(&page.name).unwrap();
        for (row, col, cell) in &page.cells {
            put(sheet, (*row, *col), cell, format);
        }
    }
    workbook.save_to_buffer().unwrap()
}

fn put(sheet: &mut Worksheet, (row, col): (u32, u16), cell: &Cell, format: Option<&Format>) {
    let written = match (cell, format) {
        (Cell::Text(text), None) => sheet.write_string(row, col, text),
        (Cell::Text(text), Some(format)) => sheet.write_string_with_format(row, col, text, format),
        (Cell::Number(number), None) => sheet.write_number(row, col, *number),
        (Cell::Number(number), Some(format)) => sheet.write_number_with_format(row, col, *number, format),
        (Cell::Formula(text, result), None) => {
            sheet.write_formula(row, col, Formula::new(text).set_result(result.as_str()))
        }
        (Cell::Formula(text, result), Some(format)) => {
            sheet.write_formula_with_format(row, col, Formula::new(text).set_result(result.as_str()), format)
        }
    };
    written.unwrap();
}

fn ms_of(work: impl FnOnce() -> Vec<u8>) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64() * 1e3
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints how long `ours` takes, and the library for the same cells.
fn compare(what: &str, rounds: u32, ours: impl Fn() -> Vec<u8>) {
    let file = ours();
    let pages = cells_of(&file);
    let cells: usize = pages.iter().map(|page| page.cells.len()).sum();
    let boxed = Format::new().set_border(FormatBorder::Thin);
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        times[0].push(ms_of(&ours));
        times[1].push(ms_of(|| bare(&pages, None)));
        times[2].push(ms_of(|| bare(&pages, Some(&boxed))));
    }
    let [ours, plain, formatted] = times.each_mut().map(|times| median(times));
    println!(
        "{what:>18} {cells:>8} {:>8} {ours:>9.1} {plain:>9.1} {formatted:>9.1} {:>7.2} {:>7.2}",
        file.len() / 1024,
        ours / plain,
        ours / formatted
    );
}

fn number(variable: &str, default: u32) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    // `cargo test` builds and runs benches too; this one is only for `cargo bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let (students, sessions, rounds) = (number("STUDENTS", 100), number("SESSIONS", 200), number("ROUNDS", 7));
    let sheet = register(students, sessions);
    let pages: Vec<SessionSheet> = (0..sessions).map(|n| session(students, n)).collect();
    println!("{students} students, {sessions} sessions; medians of {rounds}, in turn");
    println!(
        "{:>18} {:>8} {:>8} {:>9} {:>9} {:>9} {:>7} {:>7}",
        "", "cells", "KiB", "ours ms", "bare ms", "boxed ms", "x bare", "x boxed"
    );
    compare("register", rounds, || register_workbook(&sheet).unwrap());
    compare("register and pages", rounds, || class_workbook(&sheet, &pages).unwrap());
    let many = register(10_000, 50);
    let mut times: Vec<f64> = (0..rounds).map(|_| ms_of(|| register_csv(&many, Bom::Without).unwrap())).collect();
    println!("CSV of 10,000 students and 50 sessions: {:.0} ms", median(&mut times));
}
