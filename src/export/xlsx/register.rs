//! The register of a class: members down, sessions across.
//!
//! Totals stand left of the sessions, next to the names, so that two hundred sessions do not hide them; names and
//! dates stay in view and are repeated on every printed page.

use rust_xlsxwriter::{FormatUnderline, Formula, IgnoreError, Worksheet, XlsxError};

use crate::domain::sheet::{RegisterRow, RegisterSheet, StatusCounts};
use crate::export::xlsx::link::{LookedUp, SessionLinks};
use crate::export::xlsx::outlook::Outlook;
use crate::export::xlsx::style::{self, Area, put, put_across, put_plain};
use crate::export::xlsx::text;

const ROLL: u16 = 0;
const PRN: u16 = 1;
const NAME: u16 = 2;
const TOTALS: u16 = 3;
const LAST_TOTAL: u16 = 7;
pub(super) const PERCENTAGE: u16 = 8;
pub(super) const PLANNED: u16 = 9;
pub(super) const REACHABLE: u16 = 10;
pub(super) const IN_A_ROW: u16 = 11;
pub(super) const FIRST_SESSION: u16 = 12;

const LOW_COUNT: u32 = 1;
const LOW_LINE: u32 = 2;
pub(super) const DATES: u32 = 3;
const TOPICS: u32 = 4;
pub(super) const FIRST_MEMBER: u32 = 5;
/// Rows from the last member to the totals of the class.
pub(super) const CLASS_ROW_AFTER: u32 = 1;
/// Rows from the totals of the class to who took each register, and to the closing lines.
const TAKEN_AFTER: u32 = 6;
const CLOSING_AFTER: u32 = 8;

/// Widths in digits of the default font.
const TOTAL_WIDTH: f64 = 5.7;
const PERCENTAGE_WIDTH: f64 = 8.5;
const OUTLOOK_WIDTH: f64 = 7.5;

/// Excel adds five pixels to every column's digits, seven pixels each.
const COLUMN_PADDING: f64 = 5.0 / 7.0;

/// The register's page: what it shows and where.
#[derive(Debug)]
pub(super) struct RegisterPage<'a> {
    sheet: &'a RegisterSheet,
    links: SessionLinks<'a>,
    name_widths: [f64; 3],
    mark_width: f64,
}

impl<'a> RegisterPage<'a> {
    pub(super) fn new(sheet: &'a RegisterSheet, links: SessionLinks<'a>) -> Self {
        let rows = sheet.rows();
        let name_widths = [
            text::fitted(rows.iter().map(|r| r.roll_no.as_str()), 9.0, 18.0),
            text::fitted(rows.iter().map(|r| r.prn.as_str()), 9.0, 20.0),
            text::fitted(rows.iter().map(|r| r.name.as_str()), 24.0, 36.0),
        ];
        let mark_width = text::fitted(sheet.rules().marks().all().into_iter(), 3.2, 12.0);
        Self { sheet, links, name_widths, mark_width }
    }

    pub(super) fn write(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        page.set_name("Register")?.set_formula_result_default("");
        self.write_heading(page)?;
        self.write_left_headers(page)?;
        self.write_session_headers(page)?;
        for (row, member) in (FIRST_MEMBER..).zip(self.sheet.rows()) {
            self.write_member(page, row, member)?;
        }
        self.format_members(page)?;
        self.write_class_totals(page)?;
        self.write_session_totals(page)?;
        self.write_takers(page)?;
        self.write_closing_lines(page)?;
        self.write_rules(page)?;
        self.set_up(page)
    }

    fn write_heading(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let (heading, (from, to)) = (self.sheet.heading(), self.sheet.range());
        put(page, 0, ROLL, &heading.school, &style::title())?;
        put_across(page, Area(1, ROLL, 1, NAME), &heading.line(heading.subject.as_deref()), &style::subtitle())?;
        let format = style::date("\"From\" ddd d mmm yyyy");
        page.merge_range(2, ROLL, 2, PRN, "", &format)?;
        page.write_number_with_format(2, ROLL, text::serial(from.into()), &format)?;
        page.write_number_with_format(2, NAME, text::serial(to.into()), &style::date("\"to\" ddd d mmm yyyy"))?;

        let caption = style::quiet_right();
        put_across(page, Area(LOW_COUNT, TOTALS, LOW_COUNT, LAST_TOTAL), "Members below the line", &caption)?;
        let range = self.member_range(PERCENTAGE);
        let line = text::absolute(LOW_LINE, PERCENTAGE);
        let low = Formula::new(format!("COUNTIF({range},\"<\"&{line})"));
        let low = low.set_result(self.sheet.low_attendance().count().to_string());
        page.write_formula_with_format(LOW_COUNT, PERCENTAGE, low, &style::centred().set_bold())?;
        put_across(page, Area(LOW_LINE, TOTALS, LOW_LINE, LAST_TOTAL), "Line of low attendance", &caption)?;
        let percent = self.sheet.rules().low_attendance_percent / 100.0;
        page.write_number_with_format(LOW_LINE, PERCENTAGE, percent, &style::percent().set_bold())?;
        Ok(())
    }

    fn write_left_headers(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        for (col, (title, width)) in (0..).zip(["Roll no", "PRN", "Name"].into_iter().zip(self.name_widths)) {
            put_across(page, Area(DATES, col, TOPICS, col), title, &style::header())?;
            page.set_column_width(col, width)?;
        }
        let styles = &self.sheet.rules().styles;
        for (col, status) in (TOTALS..).zip(StatusCounts::ORDER) {
            let chip = style::upright(style::chip(styles, status));
            put_across(page, Area(DATES, col, TOPICS, col), &style::legend(styles, status), &chip)?;
            page.set_column_width(col, TOTAL_WIDTH)?;
        }
        let upright = style::upright(style::header());
        put_across(page, Area(DATES, PERCENTAGE, TOPICS, PERCENTAGE), "Attendance", &upright)?;
        page.set_column_width(PERCENTAGE, PERCENTAGE_WIDTH)?;
        for (col, title) in [(PLANNED, "Of all planned"), (REACHABLE, "Still reachable"), (IN_A_ROW, "Absent in a row")]
        {
            put_across(page, Area(DATES, col, TOPICS, col), title, &upright)?;
            page.set_column_width(col, OUTLOOK_WIDTH)?;
        }
        Ok(())
    }

    fn write_session_headers(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let dates = style::upright(style::header()).set_font_size(9).set_num_format("ddd d mmm  hh:mm");
        // Wrapped, so that a long name stays within its cell.
        let topic = style::upright(style::topic()).set_font_size(9).set_text_wrap();
        let linked = topic.clone().set_underline(FormatUnderline::Single);
        let mut longest: f64 = 0.0;
        for (col, session) in (FIRST_SESSION..).zip(self.sheet.sessions()) {
            page.set_column_width(col, self.mark_width)?;
            page.write_number_with_format(DATES, col, text::serial(session.starts_at), &dates)?;
            let name = session.name.as_deref().unwrap_or_default();
            match self.links.page_link(session.id) {
                Some(link) => {
                    let shown = if name.is_empty() { "open" } else { name };
                    page.write_url_with_format(TOPICS, col, link.set_text(text::cleaned(shown)), &linked)?;
                    longest = longest.max(text::width(shown));
                }
                None => put(page, TOPICS, col, name, &topic)?,
            }
            longest = longest.max(text::width(name));
        }
        // Points: a digit of this size is about 5 high when it lies on its side.
        page.set_row_height(DATES, 92)?;
        page.set_row_height(TOPICS, (longest * 5.0 + 10.0).clamp(6.0, 130.0))?;
        Ok(())
    }

    fn write_member(&self, page: &mut Worksheet, row: u32, member: &RegisterRow) -> Result<(), XlsxError> {
        put_plain(page, row, ROLL, &member.roll_no)?;
        put_plain(page, row, PRN, &member.prn)?;
        put_plain(page, row, NAME, &member.name)?;
        let range = format!("{}:{}", text::in_column(row, FIRST_SESSION), text::in_column(row, self.last_session()));
        for (col, status) in (TOTALS..).zip(StatusCounts::ORDER) {
            let count = text::count_formula(&range, self.sheet.rules().marks().label(status));
            let count = Formula::new(count).set_result(member.counts.of(status).to_string());
            page.write_formula(row, col, count)?;
        }
        page.write_formula(row, PERCENTAGE, self.percentage(row, member.counts))?;
        let rules = self.sheet.rules();
        let outlook = Outlook { policy: rules.policy(), open: member.open, summary: &member.summary };
        let cell = |status| text::relative(row, TOTALS + style::place(status));
        let formulas =
            [outlook.of_all_planned(cell), outlook.reachable(cell), outlook.absences_in_a_row(&range, rules.marks())];
        for (col, (formula, result)) in (PLANNED..).zip(formulas) {
            page.write_formula(row, col, Formula::new(formula).set_result(result))?;
        }
        let looked_up = LookedUp::new(member, text::in_column(row, PRN));
        for (col, (session, mark)) in (FIRST_SESSION..).zip(self.sheet.sessions().iter().zip(&member.cells)) {
            let Some(status) = *mark else { continue };
            let label = self.sheet.rules().marks().label(status);
            match self.links.mark_formula(session.id, &looked_up, *mark) {
                Some(formula) => drop(page.write_formula(row, col, Formula::new(formula).set_result(label))?),
                None => put_plain(page, row, col, label)?,
            }
        }
        Ok(())
    }

    /// The library looks a format up at each cell that is written with one, which takes longer than to write it; by ranges it
    /// does so once for each.
    fn format_members(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        if self.sheet.rows().is_empty() {
            return Ok(());
        }
        let last = self.last_member();
        page.set_range_format(FIRST_MEMBER, ROLL, last, NAME, &style::cell())?;
        page.set_range_format(FIRST_MEMBER, TOTALS, last, LAST_TOTAL, &style::mark())?;
        page.set_range_format(FIRST_MEMBER, PERCENTAGE, last, REACHABLE, &style::percent())?;
        page.set_range_format(FIRST_MEMBER, IN_A_ROW, last, IN_A_ROW, &style::mark())?;
        if !self.sheet.sessions().is_empty() {
            page.set_range_format(FIRST_MEMBER, FIRST_SESSION, last, self.last_session(), &style::mark())?;
        }
        let no_member = style::no_member();
        for (row, member) in (FIRST_MEMBER..).zip(self.sheet.rows()) {
            for (col, _) in (FIRST_SESSION..).zip(&member.cells).filter(|(_, cell)| cell.is_none()) {
                page.write_blank(row, col, &no_member)?;
            }
        }
        Ok(())
    }

    /// The percentage made of the five totals in the same row.
    fn percentage(&self, row: u32, counts: StatusCounts) -> Formula {
        let cell = |status| text::relative(row, TOTALS + style::place(status));
        let formula = text::percentage_formula(self.sheet.rules().policy(), cell);
        Formula::new(formula).set_result(text::fraction_result(counts, self.sheet.rules().policy()))
    }

    /// One row: the class over all sessions, and the percentage of each session.
    fn write_class_totals(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let row = self.class_row();
        let rules = self.sheet.rules();
        let counts = self.sheet.class_counts();
        let bold = style::total(style::mark());
        put_across(page, Area(row, ROLL, row, NAME), "Class: totals, attendance", &style::total(style::cell()))?;
        for (col, status) in (TOTALS..).zip(StatusCounts::ORDER) {
            let sum = format!("SUM({})", self.member_range(col));
            let sum = Formula::new(sum).set_result(counts.of(status).to_string());
            page.write_formula_with_format(row, col, sum, &bold)?;
        }
        let percent = style::total(style::percent());
        page.write_formula_with_format(row, PERCENTAGE, self.percentage(row, counts), &percent)?;
        for col in PLANNED..=IN_A_ROW {
            page.write_blank(row, col, &percent)?;
        }
        let upright = style::upright(style::total(style::percent()));
        for (col, counts) in (FIRST_SESSION..).zip(self.sheet.session_counts()) {
            let cell = |status| text::relative(row + 1 + u32::from(style::place(status)), col);
            let formula = text::percentage_formula(rules.policy(), cell);
            let result = text::fraction_result(counts, rules.policy());
            page.write_formula_with_format(row, col, Formula::new(formula).set_result(result), &upright)?;
        }
        page.set_row_height(row, 48)?;
        Ok(())
    }

    /// Five rows: how many members have each status in each session.
    fn write_session_totals(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let styles = &self.sheet.rules().styles;
        let session_counts = self.sheet.session_counts();
        let mark = style::mark();
        for (row, status) in (self.class_row() + 1..).zip(StatusCounts::ORDER) {
            put_across(page, Area(row, ROLL, row, NAME), &style::legend(styles, status), &style::chip(styles, status))?;
            for (col, counts) in (FIRST_SESSION..).zip(&session_counts) {
                let count = text::count_formula(&self.member_range(col), styles.marks().label(status));
                let count = Formula::new(count).set_result(counts.of(status).to_string());
                page.write_formula_with_format(row, col, count, &mark)?;
            }
        }
        Ok(())
    }

    /// Who has taken each register; empty where it waits for a signature.
    fn write_takers(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let row = self.class_row() + TAKEN_AFTER;
        put_across(page, Area(row, ROLL, row, NAME), "Taken by", &style::cell())?;
        let upright = style::upright(style::cell()).set_font_size(9);
        for (col, session) in (FIRST_SESSION..).zip(self.sheet.sessions()) {
            let taken =
                session.taken.as_ref().map(|taken| format!("{}, {}", taken.by, taken.at.format("%-d %b %H:%M")));
            put(page, row, col, &taken.unwrap_or_default(), &upright)?;
        }
        page.set_row_height(row, 92)?;
        Ok(())
    }

    fn closing_lines(&self) -> Vec<String> {
        let rules = self.sheet.rules();
        let zone = self.sheet.heading().time_zone.name();
        let has_all = self.sheet.held() == self.sheet.sessions().len();
        let untaken = if has_all { "" } else { ", or nobody has taken the register" };
        let mut lines = vec![
            style::policy_line(&rules.styles),
            format!("Hatched: not a member of the class on that day{untaken}. Times are those of {zone}."),
        ];
        lines.extend(self.planned_line());
        if self.links.any() {
            lines.push("Correct marks on the pages of the sessions: this page follows them.".to_owned());
        }
        match self.sheet.pilots_left_out() {
            0 => {}
            1 => lines.push("1 session of the pilot is left out: it does not count.".to_owned()),
            n => lines.push(format!("{n} sessions of the pilot are left out: they do not count.")),
        }
        lines
    }

    fn planned_line(&self) -> Option<String> {
        let open = self.sheet.open_lessons();
        let to_come = open.iter().filter(|lesson| lesson.is_to_come).count();
        let (held, missed) = (self.sheet.held(), open.len() - to_come);
        (!open.is_empty()).then(|| {
            format!("Planned are {held} sessions that were held, and lessons: without a register {missed}, to come {to_come}.")
        })
    }

    fn write_closing_lines(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        // Under the names, which every printed page repeats, and no wider than they are: nothing is cut at a page's end.
        // The small print takes a tenth less than the widths are made for.
        let width: f64 = self.name_widths.iter().sum();
        for (row, line) in (self.class_row() + CLOSING_AFTER..).zip(self.closing_lines()) {
            put_across(page, Area(row, ROLL, row, NAME), &line, &style::quiet())?;
            page.set_row_height(row, 13 * text::lines_needed(&line, width * 1.1))?;
        }
        Ok(())
    }

    fn write_rules(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        let (last, styles) = (self.last_member(), &self.sheet.rules().styles);
        page.ignore_error_range(FIRST_MEMBER, ROLL, last, PRN, IgnoreError::NumberStoredAsText)?;
        style::colour_statuses(page, Area(FIRST_MEMBER, FIRST_SESSION, last, self.last_session()), styles)?;
        for (col, session) in (FIRST_SESSION..).zip(self.sheet.sessions()) {
            // A list on a cell that follows another page would invite to overwrite the formula.
            if self.links.page_link(session.id).is_none() {
                style::offer_statuses(page, Area(FIRST_MEMBER, col, last, col), styles.marks())?;
            }
        }
        let percent = text::in_column(FIRST_MEMBER, PERCENTAGE);
        let line = text::absolute(LOW_LINE, PERCENTAGE);
        style::highlight_low(page, Area(FIRST_MEMBER, ROLL, last, NAME), &percent, &line)?;
        style::highlight_low(page, Area(FIRST_MEMBER, PERCENTAGE, last, PERCENTAGE), &percent, &line)
    }

    fn set_up(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        page.set_freeze_panes(FIRST_MEMBER, TOTALS)?;
        if self.sheet.sessions().len() <= PORTRAIT_SESSIONS {
            page.set_portrait()
        } else {
            page.set_landscape()
        };
        page.set_repeat_rows(DATES, TOPICS)?.set_repeat_columns(ROLL, NAME)?;
        let last_col = self.last_session().max(FIRST_SESSION + 6);
        let last_row = self.class_row() + CLOSING_AFTER - 1 + self.closing_lines().len() as u32;
        page.set_print_area(0, ROLL, last_row, last_col)?;
        style::set_up_print(page, self.sheet.heading(), "register");
        self.split_into_pages(page)
    }

    /// Fits the register to one page's width as long as it stays readable there; a longer one is cut between sessions
    /// into pages, each with the names.
    fn split_into_pages(&self, page: &mut Worksheet) -> Result<(), XlsxError> {
        const SMALLEST_FIT_PERCENT: f64 = 55.0;
        const CUT_PERCENT: u16 = 60;
        let names = self.name_widths.iter().sum::<f64>() + 3.0 * COLUMN_PADDING;
        let totals = TOTAL_WIDTH * 5.0 + PERCENTAGE_WIDTH + OUTLOOK_WIDTH * 3.0 + 9.0 * COLUMN_PADDING;
        let mark = self.mark_width + COLUMN_PADDING;
        let sessions = self.sheet.sessions().len();
        if names + totals + mark * sessions as f64 <= digits_per_page(SMALLEST_FIT_PERCENT) {
            page.set_print_fit_to_pages(1, 0);
            return Ok(());
        }
        let columns = digits_per_page(f64::from(CUT_PERCENT));
        let on_first = ((columns - names - totals) / mark).max(1.0) as usize;
        let on_others = ((columns - names) / mark).max(1.0) as usize;
        let starts = (on_first..sessions).step_by(on_others);
        let breaks: Vec<u32> = starts.map(|session| u32::from(FIRST_SESSION) + session as u32).collect();
        page.set_print_scale(CUT_PERCENT).set_vertical_page_breaks(&breaks)?;
        Ok(())
    }

    fn last_session(&self) -> u16 {
        FIRST_SESSION + (self.sheet.sessions().len() as u16).max(1) - 1
    }

    fn last_member(&self) -> u32 {
        FIRST_MEMBER + (self.sheet.rows().len() as u32).max(1) - 1
    }

    fn class_row(&self) -> u32 {
        self.last_member() + CLASS_ROW_AFTER
    }

    /// The members' cells of a column.
    fn member_range(&self, col: u16) -> String {
        format!("{}:{}", text::in_row(FIRST_MEMBER, col), text::in_row(self.last_member(), col))
    }
}

/// Up to so many sessions the register is higher than wide, and a class fits on one upright page.
const PORTRAIT_SESSIONS: usize = 8;

/// Digits of the default font between the margins of A4 landscape (277 mm; 96 pixels to the inch, 7 to a digit of
/// Calibri 11) at a scale, less a twentieth for fonts that run wider.
fn digits_per_page(scale_percent: f64) -> f64 {
    277.0 / 25.4 * 96.0 / 7.0 * (100.0 / scale_percent) * 0.95
}
