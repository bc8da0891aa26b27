//! The page of one session.
//!
//! Few rows stand above the table, because they stay on the screen while the members scroll.

use rust_xlsxwriter::{Format, FormatAlign, Formula, IgnoreError, Worksheet, XlsxError};

use crate::domain::sheet::{RowKey, SessionRow, SessionSheet, StatusCounts, StatusLabels};
use crate::domain::status::AttendanceStatus;
use crate::export::returned::KEY_TITLE;
use crate::export::xlsx::style::{self, Area, put, put_across, put_plain};
use crate::export::xlsx::text;

const ROLL: u16 = 0;
pub(super) const PRN: u16 = 1;
const NAME: u16 = 2;
pub(super) const STATUS: u16 = 3;
const CONFIDENCE: u16 = 4;
const SOURCE: u16 = 5;
const NOTE: u16 = 6;
/// Hidden: by it the row is known again when the sheet comes back.
const KEY: u16 = 7;

const LEGEND: u32 = 3;
const COUNTS: u32 = 4;
const WAITING: u32 = 5;
const STUDENTS: u16 = 5;
const PERCENTAGE: u16 = 6;

/// One session's page: what it shows and where.
#[derive(Debug)]
pub(super) struct SessionPage<'a> {
    sheet: &'a SessionSheet,
    page_name: String,
    notices: String,
    widths: [f64; 7],
}

/// What the page of a session is called in a class workbook, before [`text::SheetNames`] makes it valid.
pub(super) fn page_name(sheet: &SessionSheet) -> String {
    let time = sheet.starts_at.format("%Y-%m-%d %H.%M");
    match &sheet.name {
        Some(name) => format!("{time} {name}"),
        None => time.to_string(),
    }
}

impl<'a> SessionPage<'a> {
    pub(super) fn new(sheet: &'a SessionSheet, page_name: String) -> Self {
        Self { sheet, page_name, notices: sheet.notices().join(" · "), widths: widths(sheet) }
    }

    pub(super) fn sheet(&self) -> &'a SessionSheet {
        self.sheet
    }

    pub(super) fn page_name(&self) -> &str {
        &self.page_name
    }

    /// The first and last row of the members; one empty row when there is none.
    pub(super) fn rows(&self) -> (u32, u32) {
        let first = self.header_row() + 1;
        (first, first + (self.sheet.rows.len() as u32).max(1) - 1)
    }

    fn header_row(&self) -> u32 {
        WAITING + 1 + u32::from(!self.notices.is_empty())
    }

    pub(super) fn write(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        page.set_name(self.page_name.as_str())?.set_formula_result_default("");
        for (col, width) in (0..).zip(self.widths) {
            page.set_column_width(col, width)?;
        }
        page.set_column_hidden(KEY)?;
        self.write_heading(page)?;
        self.write_counts(page)?;
        self.write_notices(page)?;
        self.write_table(page)?;
        self.write_closing_lines(page)?;
        self.set_up(page)
    }

    fn write_heading(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let (sheet, heading) = (self.sheet, &self.sheet.heading);
        put(page, 0, ROLL, &heading.school, &style::title())?;
        put_across(page, Area(1, ROLL, 1, NAME), &heading.line(None), &style::subtitle())?;
        let topic = [heading.subject.as_deref(), sheet.name.as_deref()];
        let topic = topic.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        put_across(page, Area(1, STATUS, 1, NOTE), &topic, &style::subtitle())?;

        // The zone stands in the number format, so that the cell is a date and still says whose clock it is.
        let zoned = format!("ddd d mmm yyyy, hh:mm \"({})\"", heading.time_zone.name());
        let format = style::date(&zoned);
        page.merge_range(2, ROLL, 2, NAME, "", &format)?;
        page.write_number_with_format(2, ROLL, text::serial(sheet.starts_at), &format)?;
        let plural = if sheet.photos == 1 { "" } else { "s" };
        let state = style::capitalised(sheet.state.as_str());
        let state = match &sheet.taken {
            Some(taken) => format!("{state} by {}, {}", taken.by, taken.at.format("%Y-%m-%d %H:%M")),
            None => state,
        };
        put_across(
            page,
            Area(2, STATUS, 2, NOTE),
            &format!("{state} · {} photo{plural}", sheet.photos),
            &style::plain(),
        )
    }

    /// The legend with the counts under it.
    fn write_counts(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let (styles, counts) = (&self.sheet.rules.styles, self.sheet.counts());
        let bold = style::centred().set_bold();
        for (col, status) in (0..).zip(StatusCounts::ORDER) {
            put(page, LEGEND, col, &style::legend(styles, status), &style::chip(styles, status))?;
            let formula = text::count_formula(&self.status_range(), styles.marks().label(status));
            let formula = Formula::new(formula).set_result(counts.of(status).to_string());
            page.write_formula_with_format(COUNTS, col, formula, &bold)?;
        }
        put(page, LEGEND, STUDENTS, "Students", &style::total(style::centred()))?;
        page.write_number_with_format(COUNTS, STUDENTS, f64::from(counts.total()), &bold)?;
        put(page, LEGEND, PERCENTAGE, "Attendance", &style::total(style::centred()))?;
        let cell = |status| text::relative(COUNTS, style::place(status));
        let formula = text::percentage_formula(self.sheet.rules.policy(), cell);
        let formula = Formula::new(formula).set_result(text::fraction_result(counts, self.sheet.rules.policy()));
        page.write_formula_with_format(COUNTS, PERCENTAGE, formula, &style::percent().set_bold())?;
        page.set_row_height(COUNTS, 20)?;
        Ok(())
    }

    fn status_range(&self) -> String {
        let (first, last) = self.rows();
        format!("{}:{}", text::absolute(first, STATUS), text::absolute(last, STATUS))
    }

    /// Who waits for the teacher (counted, so the line goes when the last one is decided), then what cannot change.
    fn write_notices(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let unmarked = self.sheet.counts().unmarked;
        let cell = text::relative(COUNTS, style::place(AttendanceStatus::Unmarked));
        let formula = format!(
            "IF({cell}=0,\"\",IF({cell}=1,\"1 needs the teacher's decision\",{cell}&\" need the teacher's decision\"))"
        );
        let result = match unmarked {
            0 => String::new(),
            1 => "1 needs the teacher's decision".to_owned(),
            n => format!("{n} need the teacher's decision"),
        };
        let wrapped = style::plain().set_text_wrap();
        page.merge_range(WAITING, ROLL, WAITING, NOTE, "", &wrapped)?;
        page.write_formula_with_format(WAITING, ROLL, Formula::new(formula).set_result(result), &wrapped)?;
        let mut last = WAITING;
        if !self.notices.is_empty() {
            last += 1;
            self.put_wrapped(page, last, &self.notices, &wrapped)?;
        }
        style::highlight_notice(page, Area(WAITING, ROLL, last, NOTE))
    }

    fn write_table(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let header = self.header_row();
        let titles = ["Roll no", "PRN", "Name", "Status", "Confidence", "Source", "Note"];
        for (col, title) in (0..).zip(titles) {
            let centred = (STATUS..=SOURCE).contains(&col);
            let format = if centred { style::header().set_align(FormatAlign::Center) } else { style::header() };
            put(page, header, col, title, &format)?;
        }
        put_plain(page, header, KEY, KEY_TITLE)?;
        page.set_row_height(header, 20)?;
        let (first, last) = self.rows();
        for (row, member) in (first..).zip(&self.sheet.rows) {
            write_member(page, row, member, self.sheet.rules.marks())?;
            let note = text::cleaned(member.note.as_deref().unwrap_or_default());
            let mark = self.sheet.rules.marks().label(member.status);
            put_plain(page, row, KEY, &RowKey::new(self.sheet.id, member, mark, &note).to_string())?;
            match self.lines_of(member).min(20) {
                1 => {}
                lines => drop(page.set_row_height(row, 15 * lines)?),
            }
        }
        if !self.sheet.rows.is_empty() {
            self.format_members(page)?;
        }
        // Sorting by the filter's buttons takes the hidden column along.
        page.autofilter(header, ROLL, last, KEY)?;
        // Roll numbers and PRNs are names made of digits: text, and rightly so.
        page.ignore_error_range(first, ROLL, last, PRN, IgnoreError::NumberStoredAsText)?;
        let statuses = Area(first, STATUS, last, STATUS);
        style::colour_statuses(page, statuses, &self.sheet.rules.styles)?;
        style::offer_statuses(page, statuses, self.sheet.rules.marks())
    }

    /// The library looks a format up at each cell that is written with one, which takes longer than to write it; by columns it
    /// does so seven times.
    fn format_members(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let (first, last) = self.rows();
        let (text, centred) = (style::cell(), style::centred());
        page.set_range_format(first, ROLL, last, NAME, &text)?;
        page.set_range_format(first, STATUS, last, STATUS, &centred)?;
        page.set_range_format(first, CONFIDENCE, last, CONFIDENCE, &style::percent())?;
        page.set_range_format(first, SOURCE, last, SOURCE, &centred)?;
        page.set_range_format(first, NOTE, last, NOTE, &text)?;
        Ok(())
    }

    /// Lines of the tallest text in a member's row. Excel would find out, LibreOffice would not.
    fn lines_of(&self, member: &SessionRow) -> u32 {
        let note = member.note.as_deref().unwrap_or_default();
        let texts = [(ROLL, member.roll_no.as_str()), (PRN, &member.prn), (NAME, &member.name), (NOTE, note)];
        let lines = texts.map(|(col, text)| text::lines_needed(text, self.widths[usize::from(col)] - 1.0));
        lines.into_iter().max().expect("an array of four has a largest")
    }

    fn write_closing_lines(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let row = self.last_row() - 1;
        let rules = &self.sheet.rules;
        self.put_wrapped(page, row, &style::policy_line(&rules.styles), &style::quiet())?;
        let recognised = format!("Recognised by {}", self.sheet.provenance);
        self.put_wrapped(page, row + 1, &recognised, &style::quiet())
    }

    fn last_row(&self) -> u32 {
        self.rows().1 + 3
    }

    /// Text over the page's whole width; merged cells do not find their height themselves.
    fn put_wrapped(&self, page: &mut Worksheet, row: u32, text: &str, format: &Format) -> Result<(), XlsxError> {
        let lines = text::lines_needed(text, self.widths.iter().sum::<f64>() * 0.95);
        page.set_row_height(row, 15 * lines.min(20))?;
        put_across(page, Area(row, ROLL, row, NOTE), text, format)
    }

    fn set_up(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let header = self.header_row();
        // A class of usual size gets onto one sheet of paper, at no less than about 80 %; 0 = as many as it takes.
        const LINES_ON_ONE_SHEET: u32 = 70;
        let lines: u32 = self.sheet.rows.iter().map(|member| self.lines_of(member)).sum();
        let pages_tall = u16::from(lines <= LINES_ON_ONE_SHEET);
        page.set_freeze_panes(header + 1, 0)?.set_portrait().set_print_fit_to_pages(1, pages_tall);
        page.set_repeat_rows(header, header)?.set_print_area(0, ROLL, self.last_row(), NOTE)?;
        style::set_up_print(page, &self.sheet.heading, &self.sheet.starts_at.format("%Y-%m-%d %H:%M").to_string());
        Ok(())
    }
}

/// Without formats.
fn write_member(page: &mut Worksheet, row: u32, member: &SessionRow, labels: &StatusLabels) -> Result<(), XlsxError> {
    put_plain(page, row, ROLL, &member.roll_no)?;
    put_plain(page, row, PRN, &member.prn)?;
    put_plain(page, row, NAME, &member.name)?;
    put_plain(page, row, STATUS, labels.label(member.status))?;
    if let Some(c) = member.confidence.filter(|c| c.is_finite()) {
        // Four digits: an f32 written as f64 would show its binary tail.
        page.write_number(row, CONFIDENCE, (f64::from(c) * 1e4).round() / 1e4)?;
    }
    put_plain(page, row, SOURCE, member.source.as_str())?;
    put_plain(page, row, NOTE, member.note.as_deref().unwrap_or_default())
}

fn widths(sheet: &SessionSheet) -> [f64; 7] {
    let rows = &sheet.rows;
    let legends = StatusCounts::ORDER.map(|status| style::legend(&sheet.rules.styles, status));
    let legend = |index: usize| std::iter::once(legends[index].as_str());
    let labels = sheet.rules.marks().all();
    [
        text::fitted(rows.iter().map(|r| r.roll_no.as_str()).chain(legend(0)), 12.0, 20.0),
        text::fitted(rows.iter().map(|r| r.prn.as_str()).chain(legend(1)), 12.0, 22.0),
        text::fitted(rows.iter().map(|r| r.name.as_str()).chain(legend(2)), 24.0, 40.0),
        text::fitted(labels.into_iter().chain(legend(3)), 13.0, 24.0),
        text::fitted(legend(4), 14.0, 24.0),
        12.0,
        text::fitted(rows.iter().filter_map(|r| r.note.as_deref()), 18.0, 36.0),
    ]
}
