//! The school's own words for the five meanings.

use thiserror::Error;

use crate::domain::sheet::StatusCounts;
use crate::domain::status::AttendanceStatus;

/// Longest label, characters: it stands in the cells of a register.
const MAX_LABEL_CHARS: usize = 3;

/// Why a label cannot stand on a sheet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LabelError {
    #[error("the label for {status} is empty: give it at least one character")]
    Empty { status: AttendanceStatus },
    #[error("the label `{label}` for {status} is too long: at most {MAX_LABEL_CHARS} characters")]
    TooLong { status: AttendanceStatus, label: String },
    #[error("the labels for {first} and {second} are both `{label}`: every meaning needs its own")]
    Repeated { first: AttendanceStatus, second: AttendanceStatus, label: String },
    #[error(
        "the label `{label}` for {status} would be misread by a spreadsheet: use no comma, no quote, no control \
         character, no spaces around it, none of = + - @ < > in front, and no number"
    )]
    Misread { status: AttendanceStatus, label: String },
}

/// One label per meaning, all different (also when case is ignored, as spreadsheets do). Default: P A L E and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusLabels {
    /// In [`StatusCounts::ORDER`].
    labels: [String; 5],
}

impl Default for StatusLabels {
    fn default() -> Self {
        Self { labels: ["P", "A", "L", "E", "?"].map(String::from) }
    }
}

impl StatusLabels {
    /// Checks that every label survives a spreadsheet: typed, picked from a list, counted and saved as CSV.
    /// `label_of` is asked once for each meaning.
    ///
    /// # Errors
    /// [`LabelError`] names the first label that does not, and why.
    pub fn new(label_of: impl Fn(AttendanceStatus) -> String) -> Result<Self, LabelError> {
        let labels = StatusCounts::ORDER.map(label_of);
        for (index, (status, label)) in StatusCounts::ORDER.into_iter().zip(&labels).enumerate() {
            check(status, label)?;
            let same = |other: &String| other.to_lowercase() == label.to_lowercase();
            if let Some(earlier) = labels[..index].iter().position(same) {
                let first = StatusCounts::ORDER[earlier];
                return Err(LabelError::Repeated { first, second: status, label: label.clone() });
            }
        }
        Ok(Self { labels })
    }

    pub fn label(&self, status: AttendanceStatus) -> &str {
        let index = StatusCounts::ORDER.iter().position(|s| *s == status);
        &self.labels[index.expect("ORDER holds every status")]
    }

    /// All five, in [`StatusCounts::ORDER`].
    pub fn all(&self) -> [&str; 5] {
        self.labels.each_ref().map(String::as_str)
    }
}

fn check(status: AttendanceStatus, label: &str) -> Result<(), LabelError> {
    if label.is_empty() {
        return Err(LabelError::Empty { status });
    }
    if label.chars().count() > MAX_LABEL_CHARS {
        return Err(LabelError::TooLong { status, label: label.to_owned() });
    }
    let misread = label.trim() != label
        || label.starts_with(['=', '+', '-', '@', '<', '>', '＝', '＋', '－', '＠'])
        || label.contains(|c: char| matches!(c, ',' | '"' | '\'' | ';') || c.is_control())
        || label.parse::<f64>().is_ok();
    if misread {
        return Err(LabelError::Misread { status, label: label.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_absent(label: &str) -> Result<StatusLabels, LabelError> {
        StatusLabels::new(|status| match status {
            AttendanceStatus::Absent => label.to_owned(),
            other => StatusLabels::default().label(other).to_owned(),
        })
    }

    #[test]
    fn default_labels_are_the_letters_schools_know() {
        assert_eq!(StatusLabels::default().all(), ["P", "A", "L", "E", "?"]);
        assert_eq!(StatusLabels::default().label(AttendanceStatus::Unmarked), "?");
        assert_eq!(with_absent("A"), Ok(StatusLabels::default()));
    }

    #[test]
    fn labels_of_any_script_are_welcome() {
        for label in ["Ab", "अनु", "غائ", "✗", "欠席", "A*", "~"] {
            assert_eq!(with_absent(label).unwrap().label(AttendanceStatus::Absent), label);
        }
    }

    #[test]
    fn labels_a_spreadsheet_would_misread_are_refused() {
        for label in ["=A", "-", "@A", "<A", "A,B", "A\"", "A\n", " A", "0", "1e3", "inf", "＝A"] {
            assert!(matches!(with_absent(label), Err(LabelError::Misread { .. })), "{label}");
        }
        assert!(matches!(with_absent(""), Err(LabelError::Empty { .. })));
        assert!(matches!(with_absent("gone"), Err(LabelError::TooLong { .. })));
    }

    #[test]
    fn two_meanings_never_share_a_label() {
        let error = with_absent("p").unwrap_err();
        assert_eq!(error.to_string(), "the labels for present and absent are both `p`: every meaning needs its own");
    }
}
