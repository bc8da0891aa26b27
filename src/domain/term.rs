//! Which term is meant where a class exists in several: roll numbers begin anew every term, so `CSE-A` of last year and
//! of this one are two classes with one name.
//!
//! Called by everything that is told a class by name and section together with a day: the batch for a photo's day, sheets
//! for theirs, enrolment for today. A day that several terms fit is a question, never a choice.

use chrono::NaiveDate;
use thiserror::Error;

use crate::domain::spelling::fold_identifier;

/// A term whose first and last day the school has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermDays {
    pub name: String,
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
}

impl TermDays {
    fn holds(&self, day: NaiveDate) -> bool {
        self.first_day <= day && day <= self.last_day
    }
}

/// The days of the term of this name, where they are known.
pub fn days_of<'t>(known: &'t [TermDays], name: &str) -> Option<&'t TermDays> {
    known.iter().find(|term| fold_identifier(&term.name) == fold_identifier(name))
}

/// What was said about the term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TermWish {
    /// The term that a person named for this command: no other will do.
    Named(String),
    /// The settings' term, empty where they name none: decides between several.
    Usual(String),
}

/// Why no term can be told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TermError {
    #[error("not in term {term:?}, only in {}", in_words(.exists_in))]
    NotInTerm { term: String, exists_in: Vec<String> },
    #[error("no term holds {day}: it exists in {}; name one with --term", in_words(.exists_in))]
    NoneHolds { day: NaiveDate, exists_in: Vec<String> },
    #[error("{day} may belong to {}; name the term with --term, or set its days with `rollcall roster term set`",
        in_words(.fitting))]
    Several { day: NaiveDate, fitting: Vec<String> },
}

fn in_words(terms: &[String]) -> String {
    let named: Vec<String> = terms.iter().map(|term| format!("term {term:?}")).collect();
    named.join(", ")
}

/// The place in `exists_in` (the terms that a class of this name exists in, at least one) of the term meant on `day`:
///
/// 1. the term that was named, and no other;
/// 2. the one term whose days hold `day`; of several the usual one;
/// 3. among those without days, the usual one, or with no usual term the only one.
///
/// # Errors
/// [`TermError`]: see its variants.
pub fn term_on(exists_in: &[&str], known: &[TermDays], wish: &TermWish, day: NaiveDate) -> Result<usize, TermError> {
    let is = |place: &usize, name: &str| fold_identifier(exists_in[*place]) == fold_identifier(name);
    let owned = |places: &[usize]| places.iter().map(|place| exists_in[*place].to_owned()).collect::<Vec<_>>();
    let all: Vec<usize> = (0..exists_in.len()).collect();
    let usual = match wish {
        TermWish::Named(name) => {
            let not_there = || TermError::NotInTerm { term: name.clone(), exists_in: owned(&all) };
            return all.iter().copied().find(|place| is(place, name)).ok_or_else(not_there);
        }
        TermWish::Usual(name) => name,
    };
    let days = |place: &usize| known.iter().find(|term| is(place, &term.name));
    let holding: Vec<usize> = all.iter().copied().filter(|p| days(p).is_some_and(|d| d.holds(day))).collect();
    let undated: Vec<usize> = all.iter().copied().filter(|p| days(p).is_none()).collect();
    let is_dated = !holding.is_empty();
    let fitting = if is_dated { holding } else { undated };
    if let Some(place) = fitting.iter().copied().find(|place| is(place, usual)) {
        return Ok(place);
    }
    match fitting[..] {
        [only] if is_dated || usual.is_empty() => Ok(only),
        [_, _, ..] if is_dated || usual.is_empty() => Err(TermError::Several { day, fitting: owned(&fitting) }),
        _ => Err(TermError::NoneHolds { day, exists_in: owned(&all) }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn term(name: &str, first_day: &str, last_day: &str) -> TermDays {
        TermDays { name: name.into(), first_day: day(first_day), last_day: day(last_day) }
    }

    fn usual(name: &str) -> TermWish {
        TermWish::Usual(name.into())
    }

    #[test]
    fn the_days_of_a_term_decide_and_win_over_the_settings() {
        let known = [term("2025-26", "2025-07-01", "2026-05-31"), term("2026-27", "2026-07-01", "2027-05-31")];
        let both = ["2025-26", "2026-27"];
        for settings in ["", "2026-27"] {
            let on = |date: &str| term_on(&both, &known, &usual(settings), day(date));
            assert_eq!(on("2026-05-31"), Ok(0));
            assert_eq!(on("2026-07-01"), Ok(1));
            let between = on("2026-06-15").unwrap_err().to_string();
            assert!(between.contains("no term holds 2026-06-15") && between.contains("--term"), "{between}");
        }
    }

    #[test]
    fn a_term_that_is_named_is_the_only_one() {
        let known = [term("2025-26", "2025-07-01", "2026-05-31")];
        let named = |name: &str| TermWish::Named(name.into());
        assert_eq!(term_on(&["2025-26", "x"], &known, &named(" X"), day("2025-08-01")), Ok(1));
        let error = term_on(&["2025-26"], &known, &named("x"), day("2025-08-01")).unwrap_err();
        assert_eq!(error.to_string(), "not in term \"x\", only in term \"2025-26\"");
    }

    #[test]
    fn without_days_the_settings_decide_and_without_those_a_second_term_is_a_question() {
        let on = |terms: &[&str], settings: &str| term_on(terms, &[], &usual(settings), day("2026-09-01"));
        assert_eq!(on(&["a"], ""), Ok(0), "there is only one");
        assert_eq!(on(&["a", "b"], "B"), Ok(1));
        assert!(matches!(on(&["a", "b"], ""), Err(TermError::Several { .. })));
        assert!(matches!(on(&["a", "b"], "c"), Err(TermError::NoneHolds { .. })), "the class is not in term c");
        assert!(matches!(on(&["a"], "c"), Err(TermError::NoneHolds { .. })));
    }

    #[test]
    fn overlapping_terms_are_a_question_unless_one_is_the_usual() {
        let known = [term("year", "2026-07-01", "2027-05-31"), term("autumn", "2026-07-01", "2026-12-20")];
        let on = |settings: &str, date: &str| term_on(&["year", "autumn"], &known, &usual(settings), day(date));
        assert_eq!(on("autumn", "2026-09-01"), Ok(1));
        assert_eq!(on("autumn", "2027-02-01"), Ok(0), "autumn is over");
        let question = on("", "2026-09-01").unwrap_err().to_string();
        assert!(question.contains("term \"year\", term \"autumn\""), "{question}");
    }

    proptest! {
        #[test]
        fn what_is_chosen_does_not_depend_on_the_order(swap in any::<bool>(), settings in "[abc]?", dated in 0_usize..3) {
            let known: Vec<TermDays> =
                ["a", "b"][..dated].iter().map(|n| term(n, "2026-01-01", "2026-06-30")).collect();
            let (one, other) = if swap { (["a", "b"], ["b", "a"]) } else { (["b", "a"], ["a", "b"]) };
            let chosen = |terms: [&'static str; 2]| {
                term_on(&terms, &known, &usual(&settings), day("2026-03-01")).ok().map(|place| terms[place])
            };
            prop_assert_eq!(chosen(one), chosen(other));
        }
    }
}
