//! What the pages look like: colours that read in print and in grey, formats, rules for status cells.

use rust_xlsxwriter::{
    ConditionalFormatFormula, DataValidation, DataValidationErrorStyle, Format, FormatAlign, FormatBorder,
    FormatPattern, Worksheet, XlsxError,
};

use crate::domain::sheet::{Colour, SheetHeading, StatusCounts, StatusLabels, StatusStyle, StatusStyles};
use crate::domain::status::AttendanceStatus;
use crate::export::xlsx::text::{cleaned, equals_rule, for_footer, fraction, relative};

const GRID: u32 = 0xB8BEC6;
const HEADER_FILL: u32 = 0x24364B;
const HEADER_INK: u32 = 0xFFFFFF;
const TOTAL_FILL: u32 = 0xF1F3F5;
const QUIET_INK: u32 = 0x4A5560;
const NOTICE_FILL: u32 = 0xFFE9B8;
const NOTICE_INK: u32 = 0x5C3A00;
const LOW_INK: u32 = 0xA8071A;
const LOW_FILL: u32 = 0xFDE3E1;
const NO_MEMBER_FILL: u32 = 0xE6E8EB;
const NO_MEMBER_HATCH: u32 = 0xB4BAC1;

/// Fill and ink made of a status' colour, RGB. Ink on fill has a contrast of at least 7:1 (WCAG 2.1, 1.4.6) whatever the colour;
/// *absent* has the strongest fill, so that with the usual colours it stands out of a grey print.
fn colours(styles: &StatusStyles, status: AttendanceStatus) -> (u32, u32) {
    let strength = if status == AttendanceStatus::Absent { 0.4 } else { 0.18 };
    let Colour(colour) = styles.of(status).colour;
    let fill = colour.map(|channel| (f64::from(channel) * strength + 255.0 * (1.0 - strength)).round() as u8);
    // Black reads on the darkest fill there is (four tenths of black) at 7.4:1, so a step towards it is found.
    let darker = |step: u32| {
        colour.map(|channel| {
            (f64::from(channel) * f64::from(DARKER_STEPS - step) / f64::from(DARKER_STEPS)).round() as u8
        })
    };
    let ink = (0..DARKER_STEPS).map(darker).find(|ink| contrast(*ink, fill) >= 7.0).unwrap_or_default();
    (packed(fill), packed(ink))
}

/// Steps from a colour to black.
const DARKER_STEPS: u32 = 20;

fn packed([red, green, blue]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, red, green, blue])
}

/// Contrast of two colours, 1..=21 (WCAG 2.1).
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance, 0..=1 (WCAG 2.1).
fn luminance([red, green, blue]: [u8; 3]) -> f64 {
    let linear = |channel: u8| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.03928 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// A rectangle of cells: first row, first column, last row, last column; 0-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area(pub(super) u32, pub(super) u16, pub(super) u32, pub(super) u16);

pub(super) fn title() -> Format {
    Format::new().set_bold().set_font_size(14)
}

pub(super) fn subtitle() -> Format {
    Format::new().set_bold()
}

pub(super) fn plain() -> Format {
    Format::new().set_align(FormatAlign::Left)
}

/// Small grey print for how and when.
pub(super) fn quiet() -> Format {
    Format::new().set_font_color(QUIET_INK).set_font_size(9).set_text_wrap().set_align(FormatAlign::Top)
}

/// Small grey print that names the number to its right.
pub(super) fn quiet_right() -> Format {
    Format::new().set_font_color(QUIET_INK).set_font_size(9).set_align(FormatAlign::Right).set_indent(1)
}

pub(super) fn date(num_format: &str) -> Format {
    plain().set_num_format(num_format)
}

pub(super) fn header() -> Format {
    boxed().set_bold().set_font_color(HEADER_INK).set_background_color(HEADER_FILL).set_text_wrap()
}

/// Under a header, what it is about. Light, because LibreOffice shows links in its own dark blue.
pub(super) fn topic() -> Format {
    boxed().set_bold().set_font_color(HEADER_FILL).set_background_color(TOTAL_FILL)
}

/// A header that reads upwards, over a narrow column.
pub(super) fn upright(format: Format) -> Format {
    format.unset_text_wrap().set_rotation(90).set_align(FormatAlign::Center).set_align(FormatAlign::Bottom)
}

fn boxed() -> Format {
    Format::new().set_border(FormatBorder::Thin).set_border_color(GRID).set_align(FormatAlign::VerticalCenter)
}

/// Text of a member's row.
pub(super) fn cell() -> Format {
    boxed().set_align(FormatAlign::Left).set_text_wrap()
}

pub(super) fn centred() -> Format {
    boxed().set_align(FormatAlign::Center)
}

pub(super) fn percent() -> Format {
    centred().set_num_format("0.0%")
}

/// Marks, and whole numbers under them, in a narrow column.
pub(super) fn mark() -> Format {
    centred().set_font_size(10)
}

/// A day on which the student was not in the class.
pub(super) fn no_member() -> Format {
    mark()
        .set_pattern(FormatPattern::LightUp)
        .set_background_color(NO_MEMBER_FILL)
        .set_foreground_color(NO_MEMBER_HATCH)
}

pub(super) fn total(format: Format) -> Format {
    format.set_bold().set_background_color(TOTAL_FILL)
}

/// The colour of a status, for legends.
pub(super) fn chip(styles: &StatusStyles, status: AttendanceStatus) -> Format {
    let (fill, ink) = colours(styles, status);
    centred().set_bold().set_text_wrap().set_background_color(fill).set_font_color(ink)
}

/// `P = Present`, or the label alone where both are the same.
pub(super) fn legend(styles: &StatusStyles, status: AttendanceStatus) -> String {
    let StatusStyle { label, short, .. } = styles.of(status);
    if short.to_lowercase() == label.to_lowercase() { short.clone() } else { format!("{short} = {label}") }
}

/// `Attendance = (P + L) / (P + A + L); E and ? do not count.`
pub(super) fn policy_line(styles: &StatusStyles) -> String {
    let (marks, policy) = (styles.marks(), styles.policy());
    let (attended, counted) = fraction(policy, (" + ", " × "), |status| marks.label(status).to_owned());
    let outside = StatusCounts::ORDER.into_iter().filter(|status| !policy.counted(*status));
    let outside = outside.map(|status| marks.label(status)).collect::<Vec<_>>();
    let verb = if outside.len() == 1 { "does" } else { "do" };
    format!("Attendance = ({attended}) / ({counted}); {} {verb} not count.", outside.join(" and "))
}

/// Where a status stands in [`StatusCounts::ORDER`].
pub(super) fn place(status: AttendanceStatus) -> u16 {
    let index = StatusCounts::ORDER.iter().position(|s| *s == status);
    index.expect("ORDER holds every status") as u16
}

pub(super) fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Amber: wants a person's eye.
pub(super) fn notice(format: Format) -> Format {
    format.set_bold().set_background_color(NOTICE_FILL).set_font_color(NOTICE_INK)
}

/// Amber when the first cell of `area` holds text.
pub(super) fn highlight_notice(page: &mut Worksheet, area: Area) -> Result<(), XlsxError> {
    let format = notice(Format::new());
    let rule = format!("${}<>\"\"", relative(area.0, area.1));
    coloured(page, area, &rule, format)
}

/// Red when the percentage in `percent_cell` (relative to the first row of `area`) is below the one in `line_cell`.
pub(super) fn highlight_low(
    page: &mut Worksheet,
    area: Area,
    percent_cell: &str,
    line_cell: &str,
) -> Result<(), XlsxError> {
    let format = Format::new().set_bold().set_font_color(LOW_INK).set_background_color(LOW_FILL);
    coloured(page, area, &format!("AND(ISNUMBER({percent_cell}),{percent_cell}<{line_cell})"), format)
}

/// Colours the cells of `area` by the label they hold now, not by the one they were written with.
pub(super) fn colour_statuses(page: &mut Worksheet, area: Area, styles: &StatusStyles) -> Result<(), XlsxError> {
    for status in StatusCounts::ORDER {
        let (fill, ink) = colours(styles, status);
        let mut format = Format::new().set_background_color(fill).set_font_color(ink);
        if status != AttendanceStatus::Present {
            format = format.set_bold();
        }
        coloured(page, area, &equals_rule(&relative(area.0, area.1), styles.marks().label(status)), format)?;
    }
    Ok(())
}

fn coloured(page: &mut Worksheet, area: Area, rule: &str, format: Format) -> Result<(), XlsxError> {
    let rule = ConditionalFormatFormula::new().set_rule(rule).set_format(format);
    page.add_conditional_format(area.0, area.1, area.2, area.3, &rule)?;
    Ok(())
}

/// A list to pick a status from; anything else is refused with the list of what is allowed.
pub(super) fn offer_statuses(page: &mut Worksheet, area: Area, labels: &StatusLabels) -> Result<(), XlsxError> {
    let allowed = labels.all().join("  ");
    let list = DataValidation::new()
        .allow_list_strings(&labels.all())?
        .set_error_style(DataValidationErrorStyle::Stop)
        .set_error_title("Not a status")?
        .set_error_message(format!("Choose one of: {allowed}"))?;
    page.add_data_validation(area.0, area.1, area.2, area.3, &list)?;
    Ok(())
}

/// What is common to all printed pages: A4, slim margins, page numbers, class and moment in the footer.
pub(super) fn set_up_print(page: &mut Worksheet, heading: &SheetHeading, what: &str) {
    const A4: u8 = 9;
    let class = for_footer(&format!("{} {what}", heading.class_and_section()), 70);
    let generated = heading.generated_local().format("%Y-%m-%d %H:%M");
    // A space after the size keeps a text that begins with a digit from becoming part of it.
    let footer = format!("&L&8 {class}&C&8 Page &P of &N&R&8 Generated {generated}");
    page.set_paper_size(A4).set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3).set_footer(footer);
}

/// Writes text as text, whatever it looks like.
pub(super) fn put(page: &mut Worksheet, row: u32, col: u16, text: &str, format: &Format) -> Result<(), XlsxError> {
    page.write_string_with_format(row, col, cleaned(text), format)?;
    Ok(())
}

/// The same without a format, for cells that get theirs by the range.
pub(super) fn put_plain(page: &mut Worksheet, row: u32, col: u16, text: &str) -> Result<(), XlsxError> {
    page.write_string(row, col, cleaned(text))?;
    Ok(())
}

/// Writes text over a whole row of columns; a single column needs no merging.
pub(super) fn put_across(page: &mut Worksheet, area: Area, text: &str, format: &Format) -> Result<(), XlsxError> {
    page.merge_range(area.0, area.1, area.2, area.3, "", format)?;
    put(page, area.0, area.1, text, format)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::sheet::Points;

    fn unpacked(rgb: u32) -> [u8; 3] {
        let [_, red, green, blue] = rgb.to_be_bytes();
        [red, green, blue]
    }

    #[test]
    fn every_ink_reads_on_its_fill() {
        let pairs =
            [(HEADER_FILL, HEADER_INK), (TOTAL_FILL, HEADER_FILL), (NOTICE_FILL, NOTICE_INK), (0xFFFFFF, QUIET_INK)];
        for (fill, ink) in pairs {
            assert!(contrast(unpacked(ink), unpacked(fill)) >= 7.0, "{ink:06x} on {fill:06x}");
        }
        assert!(contrast(unpacked(LOW_FILL), unpacked(LOW_INK)) >= 4.5);
    }

    proptest! {
        #[test]
        fn statuses_read_whatever_their_colours(rgb in any::<[u8; 3]>()) {
            let mut styles = StatusStyles::default().all().to_vec();
            styles.iter_mut().for_each(|style| style.colour = Colour(rgb));
            let styles = StatusStyles::new(styles).unwrap();
            for status in StatusCounts::ORDER {
                let (fill, ink) = colours(&styles, status);
                prop_assert!(contrast(unpacked(ink), unpacked(fill)) >= 7.0, "{ink:06x} on {fill:06x}");
            }
        }
    }

    #[test]
    fn absent_is_the_darkest_fill_in_grey() {
        let styles = StatusStyles::default();
        let fill = |status| luminance(unpacked(colours(&styles, status).0));
        for status in StatusCounts::ORDER.into_iter().filter(|s| *s != AttendanceStatus::Absent) {
            assert!(fill(status) > fill(AttendanceStatus::Absent) + 0.1, "{status}");
        }
    }

    #[test]
    fn legend_says_a_label_once() {
        let mut styles = StatusStyles::default().all().to_vec();
        styles[0] = StatusStyle { label: "Da".into(), short: "DA".into(), ..styles[0].clone() };
        styles[4].label = "Open".into();
        let styles = StatusStyles::new(styles).unwrap();
        assert_eq!(legend(&styles, AttendanceStatus::Present), "DA");
        assert_eq!(legend(&styles, AttendanceStatus::Unmarked), "? = Open");
    }

    #[test]
    fn the_policy_is_told_with_its_points() {
        assert_eq!(policy_line(&StatusStyles::default()), "Attendance = (P + L) / (P + A + L); E and ? do not count.");
        let mut styles = StatusStyles::default().all().to_vec();
        styles[2].points = Some(Points::from_fraction(0.5).unwrap());
        styles[3].points = Some(Points::NONE);
        let styles = StatusStyles::new(styles).unwrap();
        assert_eq!(policy_line(&styles), "Attendance = (P + 0.5 × L) / (P + A + L + E); ? does not count.");
    }
}
