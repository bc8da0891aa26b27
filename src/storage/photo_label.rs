//! What the name of a photo's object says to people who look into a bucket: which lesson it shows, never who is on it.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};

use super::BadKey;

/// Subject, class, section and start of a lesson; `Algebra_CSE_A_2026-11-16_0900` as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PhotoLabel {
    session: Word,
    class: Word,
    section: Word,
    /// The school's time, whole minutes, a year of four digits.
    starts_at: NaiveDateTime,
}

/// A part of a name: ASCII letters, digits and single hyphens, at least one character and at most [`LONGEST_WORD`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Word(String);

/// Keeps a whole name below the 255 bytes that file systems allow.
const LONGEST_WORD: usize = 32;

impl PhotoLabel {
    /// A label in which every text is reduced to letters, digits and hyphens; where nothing is left, the kind of the thing
    /// stands. `subject` is one that the school teaches: the free name of a session may name a person and must not be given
    /// here. `starts_at` is the school's time.
    pub fn new(subject: Option<&str>, class: &str, section: &str, starts_at: NaiveDateTime) -> Self {
        // A year that four digits cannot tell is a mistake somewhere else.
        let starts_at = if (0..=9999).contains(&starts_at.year()) { starts_at } else { NaiveDateTime::default() };
        let minute = starts_at.with_second(0).and_then(|at| at.with_nanosecond(0));
        Self {
            session: Word::of(subject.unwrap_or_default(), "Session"),
            class: Word::of(class, "Class"),
            section: Word::of(section, "Section"),
            starts_at: minute.expect("every minute has a second 0 and a nanosecond 0"),
        }
    }
}

impl Word {
    fn of(text: &str, otherwise: &str) -> Self {
        let mut word = String::new();
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                word.push(c);
            } else if (c.is_whitespace() || c.is_ascii_punctuation()) && !word.is_empty() && !word.ends_with('-') {
                word.push('-');
            }
            if word.len() == LONGEST_WORD {
                break;
            }
        }
        word.truncate(word.trim_end_matches('-').len());
        Self(if word.is_empty() { otherwise.to_owned() } else { word })
    }
}

impl fmt::Display for PhotoLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session: Word(session), class: Word(class), section: Word(section), starts_at } = self;
        write!(f, "{session}_{class}_{section}_{}", starts_at.format("%Y-%m-%d_%H%M"))
    }
}

impl FromStr for PhotoLabel {
    type Err = BadKey;

    /// Reads what `Display` wrote, and nothing else.
    fn from_str(text: &str) -> Result<Self, BadKey> {
        let read = || {
            let [session, class, section, date, time] = text.split('_').collect::<Vec<_>>().try_into().ok()?;
            let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
            let time = NaiveTime::parse_from_str(time, "%H%M").ok()?;
            Some(Self::new(Some(session), class, section, date.and_time(time)))
        };
        let label = read().filter(|label: &Self| label.to_string() == text);
        label.ok_or_else(|| BadKey { text: text.to_owned(), what: "the label of a photo" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    #[test]
    fn a_label_tells_the_lesson() {
        let label = PhotoLabel::new(Some("Algebra"), "CSE", "A", at("2026-11-16 09:00:59"));
        assert_eq!(label.to_string(), "Algebra_CSE_A_2026-11-16_0900");
        let label = PhotoLabel::new(None, "Grade 9 / maths", "", at("2026-11-16 09:00:00"));
        assert_eq!(label.to_string(), "Session_Grade-9-maths_Section_2026-11-16_0900");
    }

    #[test]
    fn what_is_no_letter_of_a_path_is_left_out() {
        let label = PhotoLabel::new(Some("../../etc"), "कक्षा", "A_B\0\u{202e}", at("2026-11-16 09:00:00"));
        assert_eq!(label.to_string(), "etc_Class_A-B_2026-11-16_0900");
    }

    #[test]
    fn long_names_are_cut_and_impossible_years_replaced() {
        let label = PhotoLabel::new(Some(&"x ".repeat(500)), &"y".repeat(500), "A", NaiveDateTime::MAX);
        let words = format!("{}_{}", "x-".repeat(16).trim_end_matches('-'), "y".repeat(32));
        assert_eq!(label.to_string(), format!("{words}_A_1970-01-01_0000"));
    }

    #[test]
    fn what_was_not_written_here_is_refused() {
        for text in [
            "Algebra_CSE_A_2026-11-16",
            "Algebra_CSE_A_2026-11-16_900",
            "Algebra_CSE_A_2026-11-16_2400",
            "Algebra_CSE_A_2026-11-31_0900",
            "Algebra_CSE_A_+2026-11-16_0900",
            "Algebra_CSE_A_2026-11-16_0900_1",
            "Al.gebra_CSE_A_2026-11-16_0900",
            "-Algebra_CSE_A_2026-11-16_0900",
            "Al--gebra_CSE_A_2026-11-16_0900",
            "_CSE_A_2026-11-16_0900",
        ] {
            assert!(text.parse::<PhotoLabel>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_label_is_plain_and_reads_back(
            subject: Option<String>,
            class: String,
            section: String,
            secs in -99_000_000_000_i64..999_000_000_000,
        ) {
            let starts_at = chrono::DateTime::from_timestamp(secs, 0).unwrap().naive_utc();
            let label = PhotoLabel::new(subject.as_deref(), &class, &section, starts_at);
            let text = label.to_string();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            prop_assert!(text.len() <= 120 && text.chars().all(is_plain), "{}", text);
            prop_assert_eq!(text.parse(), Ok(label));
        }
    }
}
