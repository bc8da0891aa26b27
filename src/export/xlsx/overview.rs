//! The pages behind a register: who is below the line, and the class's attendance session by session as a chart.
//!
//! Who is listed was decided when the workbook was made; the numbers beside them follow the register.

use rust_xlsxwriter::{Chart, ChartFormat, ChartSolidFill, ChartType, Formula, IgnoreError, Worksheet, XlsxError};

use crate::domain::sheet::{Colour, RegisterRow, RegisterSheet};
use crate::domain::status::AttendanceStatus;
use crate::export::xlsx::register::{
    CLASS_ROW_AFTER, DATES, FIRST_MEMBER, FIRST_SESSION, IN_A_ROW, PERCENTAGE, PLANNED, REACHABLE,
};
use crate::export::xlsx::style::{self, Area, put, put_across};
use crate::export::xlsx::text;

/// What the pages are called.
pub(super) const LOW_PAGE: &str = "Low attendance";
pub(super) const CHART_PAGE: &str = "Chart";

const HEADER: u32 = 3;
const LAST_COL: u16 = 6;

/// The page of the members below the line, the lowest first.
pub(super) fn write_low(sheet: &RegisterSheet, page: &mut Worksheet) -> Result<(), XlsxError> {
    page.set_name(LOW_PAGE)?.set_formula_result_default("");
    let heading = sheet.heading();
    let line = sheet.rules().low_attendance_percent;
    put(page, 0, 0, &heading.school, &style::title())?;
    put_across(page, Area(1, 0, 1, LAST_COL), &heading.line(heading.subject.as_deref()), &style::subtitle())?;
    let mut low: Vec<(u32, &RegisterRow)> =
        (FIRST_MEMBER..).zip(sheet.rows()).filter(|(_, row)| sheet.rules().is_low(row.summary.percent)).collect();
    low.sort_by(|a, b| a.1.summary.percent.partial_cmp(&b.1.summary.percent).unwrap_or(std::cmp::Ordering::Equal));
    let (from, to) = sheet.range();
    let found = match low.len() {
        0 => format!("Nobody is below {line} % from {from} to {to}."),
        1 => format!("1 member is below {line} % from {from} to {to}."),
        n => format!("{n} members are below {line} % from {from} to {to}."),
    };
    put_across(page, Area(2, 0, 2, LAST_COL), &found, &style::plain())?;
    let rows = sheet.rows();
    let widths = [
        text::fitted(rows.iter().map(|r| r.roll_no.as_str()), 9.0, 18.0),
        text::fitted(rows.iter().map(|r| r.prn.as_str()), 9.0, 20.0),
        text::fitted(rows.iter().map(|r| r.name.as_str()), 24.0, 36.0),
        11.0,
        11.0,
        11.0,
        11.0,
    ];
    let titles = ["Roll no", "PRN", "Name", "Attendance", "Of all planned", "Still reachable", "Absent in a row"];
    for (col, (title, width)) in (0..).zip(titles.into_iter().zip(widths)) {
        put(page, HEADER, col, title, &style::header())?;
        page.set_column_width(col, width)?;
    }
    page.set_row_height(HEADER, 32)?;
    for (row, (of_register, member)) in (HEADER + 1..).zip(low) {
        write_member(page, row, of_register, member)?;
    }
    let last = HEADER + rows.len().max(1) as u32;
    page.ignore_error_range(HEADER + 1, 0, last, 1, IgnoreError::NumberStoredAsText)?;
    page.set_freeze_panes(HEADER + 1, 0)?.set_portrait().set_print_fit_to_pages(1, 0);
    page.set_repeat_rows(HEADER, HEADER)?;
    style::set_up_print(page, heading, "low attendance");
    Ok(())
}

fn write_member(page: &mut Worksheet, row: u32, of_register: u32, member: &RegisterRow) -> Result<(), XlsxError> {
    for (col, text) in (0..).zip([&member.roll_no, &member.prn, &member.name]) {
        put(page, row, col, text, &style::cell())?;
    }
    let summary = &member.summary;
    let percents =
        [(PERCENTAGE, summary.percent), (PLANNED, summary.percent_all), (REACHABLE, summary.percent_reachable)];
    for (col, (of, percent)) in (3..).zip(percents) {
        let result = percent.map(|percent| (percent / 100.0).to_string()).unwrap_or_default();
        let formula = Formula::new(format!("Register!{}", text::absolute(of_register, of))).set_result(result);
        page.write_formula_with_format(row, col, formula, &style::percent())?;
    }
    let formula = Formula::new(format!("Register!{}", text::absolute(of_register, IN_A_ROW)));
    let formula = formula.set_result(summary.consecutive_absences.to_string());
    page.write_formula_with_format(row, LAST_COL, formula, &style::centred())?;
    Ok(())
}

/// The page of the chart: a column for each session, as high as its percentage.
pub(super) fn write_chart(sheet: &RegisterSheet, page: &mut Worksheet) -> Result<(), XlsxError> {
    page.set_name(CHART_PAGE)?;
    let heading = sheet.heading();
    put(page, 0, 0, &heading.school, &style::title())?;
    put(page, 1, 0, &heading.line(heading.subject.as_deref()), &style::subtitle())?;
    let last = FIRST_SESSION + (sheet.sessions().len() as u16).max(1) - 1;
    let class_row = FIRST_MEMBER + (sheet.rows().len() as u32).max(1) - 1 + CLASS_ROW_AFTER;
    let Colour([red, green, blue]) = sheet.rules().styles.of(AttendanceStatus::Present).colour;
    let fill = ChartSolidFill::new().set_color(u32::from_be_bytes([0, red, green, blue])).clone();
    let mut chart = Chart::new(ChartType::Column);
    chart
        .add_series()
        .set_name("Attendance")
        .set_categories(("Register", DATES, FIRST_SESSION, DATES, last))
        .set_values(("Register", class_row, FIRST_SESSION, class_row, last))
        .set_gap(40)
        .set_format(ChartFormat::new().set_solid_fill(&fill));
    chart.title().set_name("Attendance by session");
    chart.legend().set_hidden();
    chart.x_axis().set_num_format("d mmm").set_text_axis(true);
    chart.y_axis().set_min(0).set_max(1).set_num_format("0%");
    chart.set_width(1000).set_height(480);
    page.insert_chart(3, 0, &chart)?;
    page.set_landscape().set_print_fit_to_pages(1, 1);
    style::set_up_print(page, heading, "attendance by session");
    Ok(())
}
