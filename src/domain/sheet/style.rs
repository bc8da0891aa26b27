//! How a school writes, counts and colours the five meanings: a label, a short label, points and a colour for each.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::domain::sheet::{LabelError, PercentagePolicy, StatusCounts, StatusLabels};
use crate::domain::status::AttendanceStatus;

/// Longest label, characters: it stands in legends, headers and lists.
const MAX_LABEL_CHARS: usize = 30;

/// What one record is worth: hundredths, so that sums are exact and 3 of 4 is 75 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(u8);

impl Points {
    pub const NONE: Self = Self(0);
    pub const FULL: Self = Self(100);

    /// # Errors
    /// [`StyleError::Points`] beyond 100.
    pub fn from_hundredths(hundredths: i32) -> Result<Self, StyleError> {
        let within = u8::try_from(hundredths).ok().filter(|points| *points <= Self::FULL.0);
        within.map(Self).ok_or_else(|| StyleError::Points { found: (f64::from(hundredths) / 100.0).to_string() })
    }

    /// Of 0..=1, rounded to a hundredth.
    ///
    /// # Errors
    /// [`StyleError::Points`] for anything else.
    pub fn from_fraction(fraction: f64) -> Result<Self, StyleError> {
        if (0.0..=1.0).contains(&fraction) {
            return Ok(Self((fraction * 100.0).round() as u8));
        }
        Err(StyleError::Points { found: fraction.to_string() })
    }

    pub const fn hundredths(self) -> u8 {
        self.0
    }

    /// 0..=1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// A colour, red, green and blue of 0..=255.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl fmt::Display for Colour {
    /// `#1b7f3b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([red, green, blue]) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl FromStr for Colour {
    type Err = StyleError;

    fn from_str(text: &str) -> Result<Self, StyleError> {
        let bad = || StyleError::Colour { found: text.to_owned() };
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let rgb = u32::from_str_radix(digits.ok_or_else(bad)?, 16).map_err(|_| bad())?;
        let [_, red, green, blue] = rgb.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

/// One meaning as the school writes, counts and colours it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusStyle {
    pub status: AttendanceStatus,
    /// `Present`.
    pub label: String,
    /// `P`: what stands in the cells of sheets.
    pub short: String,
    /// What a record is worth; none: it does not count.
    pub points: Option<Points>,
    pub colour: Colour,
}

/// Why styles cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StyleError {
    #[error("there must be one style for each of the five statuses; {status} has {found}")]
    Number { status: AttendanceStatus, found: usize },
    #[error(
        "the label `{label}` for {status} must have 1 to {MAX_LABEL_CHARS} characters, none of them a control character"
    )]
    Label { status: AttendanceStatus, label: String },
    #[error(transparent)]
    Mark(#[from] LabelError),
    #[error("{found} are no points: give a number from 0 to 1, or none for what does not count")]
    Points { found: String },
    #[error("`{found}` is no colour: write it as #rrggbb")]
    Colour { found: String },
    #[error("present must count: give it points")]
    PresentUncounted,
    #[error("unmarked cannot count, as nobody has decided: give it no points")]
    UnmarkedCounted,
}

/// A style for each meaning, in [`StatusCounts::ORDER`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusStyles {
    styles: [StatusStyle; 5],
    marks: StatusLabels,
}

impl Default for StatusStyles {
    /// Present P 1, Absent A 0, Late L 1, Excused E and Unmarked ? without points.
    fn default() -> Self {
        Self::with_marks(StatusLabels::default())
    }
}

impl StatusStyles {
    /// Checks that sheets and percentages can be made with them; `styles` come in any order.
    ///
    /// # Errors
    /// [`StyleError`] names the first that cannot stand, and why.
    pub fn new(styles: Vec<StatusStyle>) -> Result<Self, StyleError> {
        let of = |status: AttendanceStatus| styles.iter().filter(move |style| style.status == status);
        for status in StatusCounts::ORDER {
            let found = of(status).count();
            if found != 1 {
                return Err(StyleError::Number { status, found });
            }
        }
        styles.iter().try_for_each(check)?;
        let the = |status| of(status).next().expect("each status was counted once").clone();
        let marks = StatusLabels::new(|status| the(status).short)?;
        Ok(Self { styles: StatusCounts::ORDER.map(the), marks })
    }

    /// The usual labels, points and colours with these marks as short labels.
    pub fn with_marks(marks: StatusLabels) -> Self {
        let style = |status| {
            let (label, points, colour) = usual(status);
            let (label, short) = (label.to_owned(), marks.label(status).to_owned());
            StatusStyle { status, label, short, points, colour }
        };
        Self { styles: StatusCounts::ORDER.map(style), marks }
    }

    /// The same, but what an excused absence is worth.
    #[must_use]
    pub fn with_excused(mut self, points: Option<Points>) -> Self {
        self.styles[place(AttendanceStatus::Excused)].points = points;
        self
    }

    pub fn of(&self, status: AttendanceStatus) -> &StatusStyle {
        &self.styles[place(status)]
    }

    /// In [`StatusCounts::ORDER`].
    pub fn all(&self) -> &[StatusStyle; 5] {
        &self.styles
    }

    /// The short labels.
    pub const fn marks(&self) -> &StatusLabels {
        &self.marks
    }

    pub fn policy(&self) -> PercentagePolicy {
        PercentagePolicy::new(|status| self.of(status).points)
    }
}

fn place(status: AttendanceStatus) -> usize {
    StatusCounts::ORDER.iter().position(|s| *s == status).expect("ORDER holds every status")
}

fn check(style: &StatusStyle) -> Result<(), StyleError> {
    let StatusStyle { status, label, points, .. } = style;
    let status = *status;
    let length = label.chars().count();
    if label.trim().is_empty() || length > MAX_LABEL_CHARS || label.chars().any(char::is_control) {
        return Err(StyleError::Label { status, label: label.clone() });
    }
    match (status, points) {
        (AttendanceStatus::Present, None) => Err(StyleError::PresentUncounted),
        (AttendanceStatus::Unmarked, Some(_)) => Err(StyleError::UnmarkedCounted),
        _ => Ok(()),
    }
}

/// Label, points and colour where the school has said nothing. Each has a contrast of 3:1 at least on white and on a
/// dark page (`#1a1f26`), as WCAG 2.2 asks of what tells things apart.
const fn usual(status: AttendanceStatus) -> (&'static str, Option<Points>, Colour) {
    match status {
        AttendanceStatus::Present => ("Present", Some(Points::FULL), Colour([0x1b, 0x7f, 0x3b])),
        AttendanceStatus::Absent => ("Absent", Some(Points::NONE), Colour([0xcf, 0x40, 0x36])),
        AttendanceStatus::Late => ("Late", Some(Points::FULL), Colour([0xb2, 0x6a, 0x00])),
        AttendanceStatus::Excused => ("Excused", None, Colour([0x3d, 0x7b, 0xc9])),
        AttendanceStatus::Unmarked => ("Unmarked", None, Colour([0x84, 0x60, 0xb8])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use AttendanceStatus::{Absent, Excused, Late, Present, Unmarked};

    fn changed(status: AttendanceStatus, change: impl Fn(&mut StatusStyle)) -> Result<StatusStyles, StyleError> {
        let mut styles = StatusStyles::default().all().to_vec();
        styles.iter_mut().filter(|style| style.status == status).for_each(change);
        StatusStyles::new(styles)
    }

    #[test]
    fn styles_come_in_any_order_and_are_kept_in_one() {
        let mut styles = StatusStyles::default().all().to_vec();
        styles.reverse();
        assert_eq!(StatusStyles::new(styles), Ok(StatusStyles::default()));
    }

    #[test]
    fn each_status_has_exactly_one() {
        let mut styles = StatusStyles::default().all().to_vec();
        styles.pop();
        assert_eq!(StatusStyles::new(styles.clone()), Err(StyleError::Number { status: Unmarked, found: 0 }));
        styles.push(styles[0].clone());
        assert_eq!(StatusStyles::new(styles), Err(StyleError::Number { status: Present, found: 2 }));
    }

    #[test]
    fn what_sheets_cannot_show_is_refused() {
        assert!(matches!(
            changed(Late, |s| s.short = "late".into()),
            Err(StyleError::Mark(LabelError::TooLong { .. }))
        ));
        assert!(matches!(changed(Late, |s| s.short = "p".into()), Err(StyleError::Mark(LabelError::Repeated { .. }))));
        assert!(matches!(changed(Late, |s| s.short = "=1".into()), Err(StyleError::Mark(LabelError::Misread { .. }))));
        assert!(matches!(changed(Late, |s| s.label = " ".into()), Err(StyleError::Label { .. })));
        assert!(matches!(changed(Late, |s| s.label = "x".repeat(31)), Err(StyleError::Label { .. })));
    }

    #[test]
    fn present_counts_and_unmarked_never_does() {
        assert_eq!(changed(Present, |s| s.points = None), Err(StyleError::PresentUncounted));
        assert_eq!(changed(Unmarked, |s| s.points = Some(Points::NONE)), Err(StyleError::UnmarkedCounted));
        let half = changed(Late, |s| s.points = Points::from_fraction(0.5).ok()).unwrap();
        assert_eq!(half.policy().points(Late).map(Points::fraction), Some(0.5));
        assert_eq!((half.policy().points(Excused), half.policy().points(Absent)), (None, Some(Points::NONE)));
    }

    #[test]
    fn what_marks_of_the_settings_give_can_be_set_again() {
        let marks = StatusLabels::new(|status| match status {
            Absent => "abs".into(),
            other => StatusLabels::default().label(other).to_owned(),
        });
        let styles = StatusStyles::with_marks(marks.unwrap());
        assert_eq!((styles.of(Absent).label.as_str(), styles.of(Absent).short.as_str()), ("Absent", "abs"));
        assert_eq!(StatusStyles::new(styles.all().to_vec()), Ok(styles));
    }

    #[test]
    fn points_are_hundredths_from_0_to_1() {
        assert_eq!(Points::from_fraction(0.333).map(Points::hundredths), Ok(33));
        for wrong in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
            assert!(Points::from_fraction(wrong).is_err(), "{wrong}");
        }
        assert!(Points::from_hundredths(101).is_err() && Points::from_hundredths(-1).is_err());
    }

    proptest! {
        #[test]
        fn colours_read_back(rgb in any::<[u8; 3]>()) {
            prop_assert_eq!(Colour(rgb).to_string().parse(), Ok(Colour(rgb)));
        }

        #[test]
        fn what_is_no_colour_is_refused(text in "#?[0-9a-g+]{5,7}") {
            let is_colour = text.len() == 7 && text.starts_with('#') && !text.contains(['g', '+']);
            prop_assert_eq!(text.parse::<Colour>().is_ok(), is_colour, "{}", text);
        }
    }
}
