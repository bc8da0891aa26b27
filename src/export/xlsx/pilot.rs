//! The pages of a pilot's comparison: what it adds up to, every difference for somebody to look at, and what of the register was
//! left out.

use rust_xlsxwriter::{Format, FormatAlign, IgnoreError, Worksheet, XlsxError};

use crate::domain::interval::Share;
use crate::domain::pilot::{Comparison, Difference, Opinion, Outcome, PilotSheet, Readiness, Tally};
use crate::domain::status::AttendanceStatus;
use crate::export::xlsx::style::{self, Area, put, put_across};
use crate::export::xlsx::text;

/// First and last column of the summary.
const FIRST: u16 = 0;
const LAST: u16 = 8;
/// Widths of the summary's columns, digits.
const WIDTHS: [f64; 9] = [34.0, 10.0, 10.0, 10.0, 12.0, 10.0, 10.0, 13.0, 12.0];
const COUNTED: [&str; 9] =
    ["", "Sessions", "Both present", "Both absent", "Named, not there", "Missed", "Asked", "Not compared", "Agreement"];

/// The page "Summary".
#[derive(Debug)]
pub(super) struct SummaryPage<'a> {
    sheet: &'a PilotSheet,
    /// The next free row.
    row: u32,
}

impl<'a> SummaryPage<'a> {
    pub(super) const fn new(sheet: &'a PilotSheet) -> Self {
        Self { sheet, row: 0 }
    }

    pub(super) fn write(mut self, page: &mut Worksheet) -> Result<(), XlsxError> {
        page.set_name("Summary")?;
        for (col, width) in (FIRST..).zip(WIDTHS) {
            page.set_column_width(col, width)?;
        }
        self.write_heading(page)?;
        self.write_verdict(page)?;
        self.write_shares(page)?;
        self.write_counts(page)?;
        self.write_students(page)?;
        self.write_reasons(page)?;
        self.write_closing_lines(page)?;
        page.set_landscape().set_print_fit_to_pages(1, 0).set_print_area(0, FIRST, self.row, LAST)?;
        style::set_up_print(page, &self.sheet.heading, "pilot");
        Ok(())
    }

    fn write_heading(&mut self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let heading = &self.sheet.heading;
        put(page, 0, FIRST, &heading.school, &style::title())?;
        put_across(page, Area(1, FIRST, 1, LAST), &heading.line(Some("Pilot")), &style::subtitle())?;
        let Comparison { sessions, days, total, .. } = &self.sheet.comparison;
        let text = format!(
            "What the program found by itself, beside the teacher's register: {}, {}, {}",
            counted(*sessions, "session"),
            counted(*days, "day"),
            counted(total.records(), "record")
        );
        put_across(page, Area(2, FIRST, 2, LAST), &text, &style::plain())?;
        self.row = 4;
        Ok(())
    }

    fn write_verdict(&mut self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let verdict = &self.sheet.comparison.verdict;
        let (word, like) = match verdict.readiness {
            Readiness::Ready => ("READY", AttendanceStatus::Present),
            Readiness::NotEnoughYet => ("NOT ENOUGH YET: go on", AttendanceStatus::Late),
            Readiness::NotReady => ("NOT READY", AttendanceStatus::Absent),
        };
        put_across(
            page,
            Area(self.row, FIRST, self.row, LAST),
            word,
            &style::chip(&self.sheet.styles, like).set_font_size(13),
        )?;
        page.set_row_height(self.row, 24)?;
        self.row += 1;
        for reason in &verdict.reasons {
            self.put_wrapped(page, reason, &style::cell())?;
        }
        self.row += 1;
        Ok(())
    }

    fn write_shares(&mut self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let shares = &self.sheet.comparison.shares;
        self.put_header(page, &["What is counted", "Count", "Of", "Share", "from", "to (95 %)"])?;
        let lines: [(&str, &Share); 4] = [
            ("Program and register agree", &shares.agreement),
            ("Names given, not there", &shares.wrong_names),
            ("There, called absent (missed)", &shares.missed),
            ("The program asks", &shares.asked),
        ];
        for (what, share) in lines {
            put(page, self.row, 0, what, &style::cell())?;
            number(page, (self.row, 1), share.count)?;
            number(page, (self.row, 2), share.of)?;
            let ends = share.interval.map(|interval| (interval.low, interval.high)).unzip();
            for (col, part) in (3..).zip([share.share, ends.0, ends.1]) {
                percent(page, (self.row, col), part)?;
            }
            self.row += 1;
        }
        self.row += 1;
        Ok(())
    }

    /// The whole, the classes where there are several, the weeks.
    fn write_counts(&mut self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let comparison = &self.sheet.comparison;
        self.put_header(page, &COUNTED)?;
        if comparison.by_class.len() > 1 {
            for class in &comparison.by_class {
                self.put_tally(page, &class.label, Some(class.sessions), &class.tally, Kind::Part)?;
            }
        }
        for week in &comparison.by_week {
            let label = format!("Week from {}", week.monday);
            self.put_tally(page, &label, Some(week.sessions), &week.tally, Kind::Part)?;
        }
        self.put_tally(page, "Total", Some(comparison.sessions), &comparison.total, Kind::Sum)?;
        self.row += 1;
        Ok(())
    }

    fn write_students(&mut self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let comparison = &self.sheet.comparison;
        if comparison.by_student.is_empty() {
            return Ok(());
        }
        let title = "Students on whom something differs";
        self.put_header(page, &[[title].as_slice(), &COUNTED[1..]].concat())?;
        for student in &comparison.by_student {
            let class = if comparison.by_class.len() > 1 { format!("{} ", student.label) } else { String::new() };
            let label = format!("{class}{} {}", student.roll_no, student.name);
            let records = student.tally.records();
            self.put_tally(page, &label, Some(records), &student.tally, Kind::Part)?;
        }
        self.row += 1;
        Ok(())
    }

    fn write_reasons(&mut self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let comparison = &self.sheet.comparison;
        if !comparison.not_comparable.is_empty() {
            put_across(page, Area(self.row, FIRST, self.row, LAST), "Why records were not compared", &style::header())?;
            self.row += 1;
            for reason in &comparison.not_comparable {
                let text = format!("{}: {}", reason.reason, counted(reason.records, "record"));
                self.put_wrapped(page, &text, &style::cell())?;
            }
            self.row += 1;
        }
        Ok(())
    }

    fn write_closing_lines(&mut self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let comparison = &self.sheet.comparison;
        let mut lines = vec![
            "Late counts as there, excused as not there. The program's side is what it found without anything that a person \
             has said of the session; names given, not there: a wrong name, or a wrong register."
                .to_owned(),
        ];
        if !comparison.left_out.is_empty() {
            let marks = counted(comparison.left_out.iter().map(|l| l.marks).sum(), "mark");
            lines.push(format!("{marks} of the register could not be compared; page \"Left out\" lists them."));
        }
        if comparison.outside > 0 {
            lines.push(format!("{} of other days were not asked about.", counted(comparison.outside, "mark")));
        }
        let sessions = comparison.sessions_without_register.iter();
        let sessions: Vec<String> =
            sessions.map(|s| format!("{} {}", s.label, s.starts_at.format("%Y-%m-%d %H:%M"))).collect();
        if !sessions.is_empty() {
            lines.push(format!("Pilot sessions of which the register says nothing: {}.", sessions.join(", ")));
        }
        lines.iter().try_for_each(|line| self.put_wrapped(page, line, &style::quiet()))
    }

    fn put_header(&mut self, page: &mut Worksheet, titles: &[&str]) -> Result<(), XlsxError> {
        for (col, title) in (FIRST..).zip(titles) {
            let format = style::header();
            let format = if col == FIRST { format } else { format.set_align(FormatAlign::Center) };
            put(page, self.row, col, title, &format)?;
        }
        let lines = titles.iter().zip(WIDTHS).map(|(title, width)| text::lines_needed(title, width - 1.0)).max();
        page.set_row_height(self.row, 4 + 15 * lines.unwrap_or(1))?;
        self.row += 1;
        Ok(())
    }

    fn put_tally(
        &mut self,
        page: &mut Worksheet,
        label: &str,
        sessions: Option<usize>,
        tally: &Tally,
        kind: Kind,
    ) -> Result<(), XlsxError> {
        let dressed = |format: Format| match kind {
            Kind::Part => format,
            Kind::Sum => style::total(format),
        };
        put(page, self.row, FIRST, label, &dressed(style::cell()))?;
        let asked = tally.asked_present + tally.asked_absent;
        let Tally { agree_present, agree_absent, wrong_present, missed, not_comparable, .. } = *tally;
        let numbers = [agree_present, agree_absent, wrong_present, missed, asked, not_comparable];
        for (col, n) in (1..).zip(sessions.into_iter().chain(numbers)) {
            let worst = n > 0 && col == 4 && kind == Kind::Part;
            let format = if worst {
                style::chip(&self.sheet.styles, AttendanceStatus::Absent)
            } else {
                dressed(style::centred())
            };
            page.write_number_with_format(self.row, col, n as f64, &format)?;
        }
        match tally.shares().agreement.share {
            Some(share) => page.write_number_with_format(self.row, LAST, share, &dressed(style::percent()))?,
            None => page.write_blank(self.row, LAST, &dressed(style::percent()))?,
        };
        self.row += 1;
        Ok(())
    }

    /// Text over the whole width; merged cells do not find their height themselves.
    fn put_wrapped(&mut self, page: &mut Worksheet, text: &str, format: &Format) -> Result<(), XlsxError> {
        let lines = text::lines_needed(text, WIDTHS.iter().sum::<f64>() * 0.95);
        page.set_row_height(self.row, 16 * lines.min(20))?;
        put_across(page, Area(self.row, FIRST, self.row, LAST), text, &format.clone().set_text_wrap())?;
        self.row += 1;
        Ok(())
    }
}

/// Whether a row is a part or the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Part,
    Sum,
}

/// The page "Differences": a row each, with room to write down who was right.
pub(super) fn write_differences(sheet: &PilotSheet, page: &mut Worksheet) -> Result<(), XlsxError> {
    const TITLES: [&str; 11] = [
        "Date",
        "Class",
        "Roll no",
        "Name",
        "What",
        "Program",
        "Register",
        "Confidence",
        "Photo",
        "Look at",
        "Who was right?",
    ];
    const HEADER: u32 = 2;
    let differences = &sheet.comparison.differences;
    page.set_name("Differences")?;
    let widths = widths(differences);
    for (col, width) in (0..).zip(widths) {
        page.set_column_width(col, width)?;
    }
    put(page, 0, 0, &sheet.heading.school, &style::title())?;
    let line = format!("{} · {}", sheet.heading.line(Some("Pilot")), counted(differences.len(), "difference"));
    put_across(page, Area(1, 0, 1, 10), &line, &style::subtitle())?;
    for (col, title) in (0..).zip(TITLES) {
        put(page, HEADER, col, title, &style::header())?;
    }
    page.set_row_height(HEADER, 20)?;
    let first = HEADER + 1;
    for (row, difference) in (first..).zip(differences) {
        write_difference(page, row, difference, sheet)?;
        let lines = [(8, difference.photos.join("\n")), (9, difference.reason.clone()), (3, difference.name.clone())];
        let lines = lines.iter().map(|(col, text)| text::lines_needed(text, widths[*col] - 1.0)).max().unwrap_or(1);
        page.set_row_height(row, 15 * lines.min(20))?;
    }
    let last = first + (differences.len() as u32).max(1) - 1;
    page.autofilter(HEADER, 0, last, 10)?.ignore_error_range(first, 2, last, 2, IgnoreError::NumberStoredAsText)?;
    page.set_freeze_panes(first, 4)?.set_landscape().set_print_fit_to_pages(1, 0);
    page.set_repeat_rows(HEADER, HEADER)?.set_print_area(0, 0, last, 10)?;
    style::set_up_print(page, &sheet.heading, "pilot, differences");
    Ok(())
}

fn write_difference(
    page: &mut Worksheet,
    row: u32,
    difference: &Difference,
    sheet: &PilotSheet,
) -> Result<(), XlsxError> {
    let cell = style::cell();
    let date = style::centred().set_num_format("yyyy-mm-dd hh:mm");
    page.write_number_with_format(row, 0, text::serial(difference.starts_at), &date)?;
    put(page, row, 1, &difference.label, &cell)?;
    put(page, row, 2, &difference.roll_no, &cell)?;
    put(page, row, 3, &difference.name, &cell)?;
    let (what, like) = match difference.outcome {
        Outcome::WrongPresent => ("Named, not there", AttendanceStatus::Absent),
        Outcome::Missed => ("Missed", AttendanceStatus::Late),
        _ => ("Asked", AttendanceStatus::Unmarked),
    };
    put(page, row, 4, what, &style::chip(&sheet.styles, like))?;
    let program = match difference.program {
        Opinion::Present => sheet.styles.marks().label(AttendanceStatus::Present),
        Opinion::Absent => sheet.styles.marks().label(AttendanceStatus::Absent),
        _ => sheet.styles.marks().label(AttendanceStatus::Unmarked),
    };
    put(page, row, 5, program, &style::centred())?;
    put(page, row, 6, sheet.styles.marks().label(difference.register), &style::centred())?;
    percent(page, (row, 7), difference.confidence.map(|c| (c * 1e4).round() / 1e4))?;
    put(page, row, 8, &difference.photos.join("\n"), &cell)?;
    put(page, row, 9, &difference.reason, &cell)?;
    put(page, row, 10, "", &cell)
}

fn widths(differences: &[Difference]) -> [f64; 11] {
    let of = |texts: fn(&Difference) -> &str, min, max| text::fitted(differences.iter().map(texts), min, max);
    let photos = differences.iter().flat_map(|d| d.photos.iter().map(String::as_str));
    [
        17.0,
        of(|d| &d.label, 9.0, 16.0),
        of(|d| &d.roll_no, 11.0, 18.0),
        of(|d| &d.name, 20.0, 32.0),
        18.0,
        10.0,
        10.0,
        12.0,
        text::fitted(photos, 16.0, 38.0),
        34.0,
        18.0,
    ]
}

/// The page "Left out": marks of the register that fit nothing.
pub(super) fn write_left_out(sheet: &PilotSheet, page: &mut Worksheet) -> Result<(), XlsxError> {
    const HEADER: u32 = 2;
    page.set_name("Left out")?;
    for (col, width) in (0..).zip([9.0, 28.0, 9.0, 84.0]) {
        page.set_column_width(col, width)?;
    }
    put(page, 0, 0, &sheet.heading.school, &style::title())?;
    let line = "Marks of the register that were not compared; of several with one reason the first line";
    put_across(page, Area(1, 0, 1, 3), line, &style::subtitle())?;
    for (col, title) in (0..).zip(["Line", "Column", "Marks", "Why"]) {
        put(page, HEADER, col, title, &style::header())?;
    }
    let rows = &sheet.comparison.left_out;
    for (row, left_out) in (HEADER + 1..).zip(rows) {
        page.write_number_with_format(row, 0, left_out.line as f64, &style::centred())?;
        put(page, row, 1, left_out.column.as_deref().unwrap_or_default(), &style::cell())?;
        number(page, (row, 2), left_out.marks)?;
        put(page, row, 3, &left_out.reason, &style::cell())?;
        page.set_row_height(row, 15 * text::lines_needed(&left_out.reason, 82.0).min(20))?;
    }
    let last = HEADER + rows.len() as u32;
    page.autofilter(HEADER, 0, last, 3)?.set_freeze_panes(HEADER + 1, 0)?;
    page.set_portrait().set_print_fit_to_pages(1, 0).set_repeat_rows(HEADER, HEADER)?.set_print_area(0, 0, last, 3)?;
    style::set_up_print(page, &sheet.heading, "pilot, left out");
    Ok(())
}

fn number(page: &mut Worksheet, (row, col): (u32, u16), n: usize) -> Result<(), XlsxError> {
    page.write_number_with_format(row, col, n as f64, &style::centred())?;
    Ok(())
}

/// A fraction 0..=1 as a percentage; nothing where there is none.
fn percent(page: &mut Worksheet, (row, col): (u32, u16), part: Option<f64>) -> Result<(), XlsxError> {
    match part {
        Some(part) => page.write_number_with_format(row, col, part, &style::percent())?,
        None => page.write_blank(row, col, &style::percent())?,
    };
    Ok(())
}

/// `1 session`, `2 sessions`.
fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
