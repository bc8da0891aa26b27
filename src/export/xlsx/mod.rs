//! Sheets as Excel workbooks that stay alive: totals are formulas with their results stored, statuses are picked from
//! a list and coloured by rule, so that a teacher's corrections are counted and coloured at once.
//!
//! This file puts pages into a workbook; `session`, `evidence` and `register` each write one page, `pilot` those of a
//! comparison, `overview` those behind a register, `outlook` its columns that look ahead, `link` ties them together, `style` holds
//! what they look like, `text` what Excel accepts as text, names and formulas.

mod evidence;
mod link;
mod outlook;
mod overview;
mod pilot;
mod register;
mod session;
mod style;
mod text;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use crate::domain::pilot::PilotSheet;
use crate::domain::sheet::{Evidence, RegisterSheet, SessionSheet, SheetHeading};
use crate::export::ExportError;
use evidence::EvidencePage;
use link::SessionLinks;
use register::RegisterPage;
use session::SessionPage;
use text::SheetNames;

/// A workbook with the page "Attendance": heading, counts, what needs an eye, and a row per member; and, with `evidence`, the
/// page "Evidence" with the face that speaks for each of them.
///
/// # Errors
/// [`ExportError::Workbook`] beyond the limits of the format.
pub fn session_workbook(sheet: &SessionSheet, evidence: Option<&Evidence>) -> Result<Vec<u8>, ExportError> {
    let title = format!("Attendance {}", sheet.starts_at.format("%Y-%m-%d %H:%M"));
    written(&sheet.heading, &title, |workbook| {
        SessionPage::new(sheet, "Attendance".to_owned()).write(workbook.add_worksheet())?;
        evidence.map_or(Ok(()), |evidence| EvidencePage::new(sheet, evidence).write(workbook.add_worksheet()))
    })
}

/// A workbook of a register: "Register" (members down, sessions across, totals and percentages), "Low attendance" (who is below
/// the line), and "Chart" where there are sessions.
///
/// # Errors
/// [`ExportError::Workbook`] beyond the limits of the format.
pub fn register_workbook(sheet: &RegisterSheet) -> Result<Vec<u8>, ExportError> {
    written(sheet.heading(), "Register", |workbook| {
        RegisterPage::new(sheet, SessionLinks::default()).write(workbook.add_worksheet())?;
        write_overviews(sheet, workbook)
    })
}

/// One workbook per class: the register first, a page per session in the order given, and at the end who is below the line and
/// the chart.
///
/// A mark on the register whose session has its own page is a formula that looks it up there by PRN, so the two cannot
/// disagree; corrections belong on the session's page.
///
/// # Errors
/// [`ExportError::Workbook`] beyond the limits of the format.
pub fn class_workbook(register: &RegisterSheet, sessions: &[SessionSheet]) -> Result<Vec<u8>, ExportError> {
    let mut names = SheetNames::new(&["Register", overview::LOW_PAGE, overview::CHART_PAGE]);
    let page = |sheet| SessionPage::new(sheet, names.take(&session::page_name(sheet)));
    let pages: Vec<SessionPage<'_>> = sessions.iter().map(page).collect();
    written(register.heading(), "Class register", |workbook| {
        RegisterPage::new(register, SessionLinks::to(&pages, register.rules().marks()))
            .write(workbook.add_worksheet())?;
        pages.iter().try_for_each(|page| page.write(workbook.add_worksheet()))?;
        write_overviews(register, workbook)
    })
}

/// A workbook of a pilot: "Summary", "Differences", and "Left out" where the register has marks that fit nothing.
///
/// # Errors
/// [`ExportError::Workbook`] beyond the limits of the format.
pub fn pilot_workbook(sheet: &PilotSheet) -> Result<Vec<u8>, ExportError> {
    written(&sheet.heading, "Pilot", |workbook| {
        pilot::SummaryPage::new(sheet).write(workbook.add_worksheet())?;
        pilot::write_differences(sheet, workbook.add_worksheet())?;
        if sheet.comparison.left_out.is_empty() {
            return Ok(());
        }
        pilot::write_left_out(sheet, workbook.add_worksheet())
    })
}

fn write_overviews(register: &RegisterSheet, workbook: &mut Workbook) -> Result<(), XlsxError> {
    overview::write_low(register, workbook.add_worksheet())?;
    if register.sessions().is_empty() {
        return Ok(());
    }
    overview::write_chart(register, workbook.add_worksheet())
}

fn written(
    heading: &SheetHeading,
    title: &str,
    write: impl FnOnce(&mut Workbook) -> Result<(), XlsxError>,
) -> Result<Vec<u8>, ExportError> {
    let class = heading.class_and_section();
    let save = || -> Result<Vec<u8>, XlsxError> {
        let mut workbook = Workbook::new();
        let created = ExcelDateTime::from_timestamp(heading.generated_at.timestamp())?;
        let properties = DocProperties::new()
            .set_title(text::cleaned(&format!("{class} {title}")))
            .set_company(text::cleaned(&heading.school))
            .set_author("rollcall")
            .set_creation_datetime(&created);
        workbook.set_properties(&properties);
        write(&mut workbook)?;
        workbook.save_to_buffer()
    };
    save().map_err(|source| ExportError::Workbook { class, source })
}

#[cfg(test)]
mod tests;
