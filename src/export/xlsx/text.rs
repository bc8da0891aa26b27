//! What Excel accepts: characters in cells, names of pages, texts inside formulas; and how wide a text is.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::NaiveDateTime;
use rust_xlsxwriter::utility::{column_number_to_name, row_col_to_cell_absolute};

use crate::domain::sheet::{PercentagePolicy, Points, StatusCounts};
use crate::domain::status::AttendanceStatus;

/// Longest name of a page, UTF-16 units (Excel's limit).
const MAX_SHEET_NAME: usize = 31;

/// `text` without the control characters that XML cannot hold; line ends become line feeds. Everything else, of any
/// script, stays. Almost every text is what it was.
pub(super) fn cleaned(text: &str) -> Cow<'_, str> {
    let is_kept = |c: char| matches!(c, '\n' | '\t') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    if text.chars().all(is_kept) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(|c| is_kept(*c)).collect())
}

/// `text` for a page's header or footer, where `&` commands: doubled; at most `max` characters on one line.
pub(super) fn for_footer(text: &str, max: usize) -> String {
    let line: String = cleaned(text).chars().map(|c| if c.is_whitespace() { ' ' } else { c }).take(max).collect();
    line.replace('&', "&&")
}

/// Width of the longest line, in digits of the default font: the unit of Excel's column widths. Capitals count 1.2,
/// East Asian characters and pictographs 2; an estimate from Calibri's metrics, good to about a character in ten.
pub(super) fn width(text: &str) -> f64 {
    let of = |c: char| match c {
        'A'..='Z' | '&' | '%' => 1.2,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' => 2.0,
        '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'..='\u{3fffd}' => 2.0,
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' => 0.0,
        _ => 1.0,
    };
    text.lines().map(|line| line.chars().map(of).sum()).fold(0.0, f64::max)
}

/// Widest of `texts`, with two digits of air, within `min..=max`.
pub(super) fn fitted<'a>(texts: impl Iterator<Item = &'a str>, min: f64, max: f64) -> f64 {
    (texts.map(width).fold(0.0, f64::max) + 2.0).clamp(min, max)
}

/// Lines that `text` takes in a cell `columns` digits wide.
pub(super) fn lines_needed(text: &str, columns: f64) -> u32 {
    text.lines().map(|line| (width(line) / columns).ceil().max(1.0) as u32).sum::<u32>().max(1)
}

/// Days since 1899-12-30, the number that Excel shows as a date and time (ECMA-376 part 1, 18.17.4.1; exact from
/// 1900-03-01 on).
pub(super) fn serial(at: NaiveDateTime) -> f64 {
    let epoch = NaiveDateTime::new(
        chrono::NaiveDate::from_ymd_opt(1899, 12, 30).expect("a day that exists"),
        chrono::NaiveTime::MIN,
    );
    (at - epoch).num_seconds() as f64 / 86_400.0
}

/// Names of the pages of one workbook: valid, at most 31 UTF-16 units, all different without regard to case.
#[derive(Debug)]
pub(super) struct SheetNames {
    taken: HashSet<String>,
}

impl SheetNames {
    /// `own` are the pages that the workbook has besides.
    pub(super) fn new(own: &[&str]) -> Self {
        // Excel keeps "History" for itself.
        Self { taken: own.iter().chain(&["history"]).map(|name| name.to_lowercase()).collect() }
    }

    /// `wanted` as a name: forbidden characters become spaces, too long ones are cut, a repeated one is numbered.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let allowed = |c: char| if "[]:*?/\\".contains(c) || c.is_control() { ' ' } else { c };
        let spaced: String = cleaned(wanted).chars().map(allowed).collect();
        let plain = cut(&spaced.split_whitespace().collect::<Vec<_>>().join(" "), MAX_SHEET_NAME);
        let plain = if plain.is_empty() { "Session".to_owned() } else { plain };
        for number in 1.. {
            let suffix = if number == 1 { String::new() } else { format!(" ({number})") };
            let name = cut(&plain, MAX_SHEET_NAME - suffix.len()) + &suffix;
            if self.taken.insert(name.to_lowercase()) {
                return name;
            }
        }
        unreachable!("a free number exists: a workbook has finitely many pages")
    }
}

/// The longest beginning of `text` within `max` UTF-16 units, without spaces or apostrophes at its ends.
fn cut(text: &str, max: usize) -> String {
    let edge = |c: char| c.is_whitespace() || c == '\'';
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= max
    };
    let kept: String = text.trim_matches(edge).chars().take_while(fits).collect();
    kept.trim_end_matches(edge).to_owned()
}

/// `text` between the quotes of a formula's string.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// `COUNTIF(range,label)` that counts exactly the label: `? * ~` are not wildcards.
pub(super) fn count_formula(range: &str, label: &str) -> String {
    let literal = label.replace('~', "~~").replace('?', "~?").replace('*', "~*");
    format!("COUNTIF({range},{})", quoted(&literal))
}

/// Whether `cell` holds the label, as a rule for colouring.
pub(super) fn equals_rule(cell: &str, label: &str) -> String {
    format!("{cell}={}", quoted(label))
}

/// Points over counted records by `policy`, as a fraction 0..=1; empty text while nothing counts.
/// `count_cell` names the cell that holds the count of a status.
pub(super) fn percentage_formula(policy: PercentagePolicy, count_cell: impl Fn(AttendanceStatus) -> String) -> String {
    let (points, counted) = fraction(policy, ("+", "*"), count_cell);
    format!("IF({counted}=0,\"\",({points})/({counted}))")
}

/// What [`percentage_formula`] leaves in its cell, to the last digit.
pub(super) fn fraction_result(counts: StatusCounts, policy: PercentagePolicy) -> String {
    let fraction = counts.fraction(policy);
    match fraction.counted {
        0 => String::new(),
        counted => (fraction.points() / f64::from(counted)).to_string(),
    }
}

/// What stands above and below the line of `policy`'s fraction, by `name`: joined by `plus`, points written with `times` where
/// they are neither full nor none.
pub(super) fn fraction(
    policy: PercentagePolicy,
    (plus, times): (&str, &str),
    name: impl Fn(AttendanceStatus) -> String,
) -> (String, String) {
    let order = StatusCounts::ORDER;
    let worth = order.into_iter().filter_map(|status| match policy.points(status)? {
        Points::NONE => None,
        Points::FULL => Some(name(status)),
        part => Some(format!("{}{times}{}", part.fraction(), name(status))),
    });
    let worth = worth.collect::<Vec<_>>().join(plus);
    let counted: Vec<String> = order.into_iter().filter(|s| policy.counted(*s)).map(&name).collect();
    (if worth.is_empty() { "0".to_owned() } else { worth }, counted.join(plus))
}

/// `$B$9`.
pub(super) fn absolute(row: u32, col: u16) -> String {
    row_col_to_cell_absolute(row, col)
}

/// `B9`.
pub(super) fn relative(row: u32, col: u16) -> String {
    format!("{}{}", column_number_to_name(col), row + 1)
}

/// `B$9`: follows the column only.
pub(super) fn in_row(row: u32, col: u16) -> String {
    format!("{}${}", column_number_to_name(col), row + 1)
}

/// `$B9`: follows the row only.
pub(super) fn in_column(row: u32, col: u16) -> String {
    format!("${}", relative(row, col))
}

/// `'O''Neil'`: a page's name in a formula or a link.
pub(super) fn page_reference(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use proptest::prelude::*;

    #[test]
    fn names_of_pages_obey_excel() {
        let mut names = SheetNames::new(&["Register"]);
        assert_eq!(names.take("2025-03-03 09:30 [AI/ML]?"), "2025-03-03 09 30 AI ML");
        assert_eq!(names.take("REGISTER"), "REGISTER (2)");
        assert_eq!(names.take("'quoted'"), "quoted");
        assert_eq!(names.take("'?'"), "Session");
    }

    proptest! {
        #[test]
        fn any_names_become_valid_and_different(wanted in proptest::collection::vec("\\PC{0,40}|[a'A]{0,33}", 1..12)) {
            let mut names = SheetNames::new(&["Register"]);
            let mut seen = HashSet::from(["register".to_owned()]);
            for name in wanted {
                let name = names.take(&name);
                prop_assert!(rust_xlsxwriter::utility::check_sheet_name(&name).is_ok(), "{name:?}");
                prop_assert!(!name.trim().is_empty());
                prop_assert!(seen.insert(name.to_lowercase()), "{name:?} twice");
            }
        }
    }

    #[test]
    fn counting_a_label_takes_no_character_for_a_wildcard() {
        assert_eq!(count_formula("D2:D9", "?"), "COUNTIF(D2:D9,\"~?\")");
        assert_eq!(count_formula("D2:D9", "A*~"), "COUNTIF(D2:D9,\"A~*~~\")");
    }

    #[test]
    fn dates_are_the_numbers_excel_knows() {
        let at = NaiveDate::from_ymd_opt(2025, 3, 3).unwrap().and_hms_opt(12, 0, 0).unwrap();
        assert_eq!(serial(at), 45719.5);
    }

    #[test]
    fn footers_show_an_ampersand_and_stay_on_one_line() {
        assert_eq!(for_footer("R&D\nA\u{7}", 10), "R&&D A");
        assert_eq!(for_footer("abcdef", 3), "abc");
    }

    #[test]
    fn widths_follow_the_longest_line_and_wide_scripts() {
        assert_eq!(width("ab\nabcd"), 4.0);
        assert_eq!(width("欠席"), 4.0);
        assert_eq!(lines_needed("abcdef\ng", 3.0), 3);
        assert_eq!(lines_needed("", 3.0), 1);
    }
}
