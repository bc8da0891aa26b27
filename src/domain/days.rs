//! Days as people ask for and enter them: of years that every database and clock can hold, in order, and so many at most.
//!
//! SQLite compares days as text, so years have four digits; and near the ends of the calendar no time zone can be reckoned with.
//! Everything that takes a day from outside asks here first.

use chrono::{Days, NaiveDate};
use thiserror::Error;

/// The first day and the last that can be asked for. The day after the last one is a day of four digits, too.
pub const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1900, 1, 1).expect("a day of the calendar");
pub const LAST_DAY: NaiveDate = NaiveDate::from_ymd_opt(9998, 12, 31).expect("a day of the calendar");

/// Why days cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DaysError {
    #[error("{0} is too far away: days are from {FIRST_DAY} to {LAST_DAY}")]
    Beyond(NaiveDate),
    #[error("the last day {last} is before the first, {first}")]
    Backwards { first: NaiveDate, last: NaiveDate },
}

/// Refuses a day that nothing can happen on.
///
/// # Errors
/// [`DaysError::Beyond`].
pub fn require_possible(day: NaiveDate) -> Result<(), DaysError> {
    if is_possible(day) { Ok(()) } else { Err(DaysError::Beyond(day)) }
}

/// Refuses days of which one is impossible, or the last before the first. One that is not said is open.
///
/// # Errors
/// [`DaysError`].
pub fn require_order(first: Option<NaiveDate>, last: Option<NaiveDate>) -> Result<(), DaysError> {
    first.into_iter().chain(last).try_for_each(require_possible)?;
    match (first, last) {
        (Some(first), Some(last)) if last < first => Err(DaysError::Backwards { first, last }),
        _ => Ok(()),
    }
}

/// How many days there are from the first to the last, both included; what is wrong with them.
///
/// # Errors
/// [`DaysError`].
pub fn length((first, last): (NaiveDate, NaiveDate)) -> Result<i64, DaysError> {
    require_order(Some(first), Some(last))?;
    Ok((last - first).num_days() + 1)
}

/// The nearest day that something can happen on, and the one after it.
pub fn nearest_possible(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let day = day.clamp(FIRST_DAY, LAST_DAY);
    (day, day + Days::new(1))
}

fn is_possible(day: NaiveDate) -> bool {
    (FIRST_DAY..=LAST_DAY).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_of_years_that_can_be() {
        for possible in [FIRST_DAY, day("2026-02-28"), LAST_DAY] {
            assert_eq!(require_possible(possible), Ok(()));
        }
        for beyond in [NaiveDate::MIN, day("1899-12-31"), day("9999-01-01"), day("+10000-01-01"), NaiveDate::MAX] {
            assert_eq!(require_possible(beyond), Err(DaysError::Beyond(beyond)));
            assert_eq!(require_order(None, Some(beyond)), Err(DaysError::Beyond(beyond)));
        }
    }

    #[test]
    fn ranges_run_forwards_and_hold_both_ends() {
        let (first, last) = (day("2026-02-27"), day("2026-03-01"));
        assert_eq!(length((first, last)), Ok(3));
        assert_eq!(length((first, first)), Ok(1));
        assert_eq!(length((last, first)), Err(DaysError::Backwards { first: last, last: first }));
        assert_eq!(length((NaiveDate::MIN, first)), Err(DaysError::Beyond(NaiveDate::MIN)));
        assert_eq!((require_order(Some(first), None), require_order(None, None)), (Ok(()), Ok(())));
    }

    #[test]
    fn beyond_the_ends_the_end_is_nearest() {
        assert_eq!(nearest_possible(NaiveDate::MAX), (LAST_DAY, day("9999-01-01")));
        assert_eq!(nearest_possible(NaiveDate::MIN).0, FIRST_DAY);
        assert_eq!(nearest_possible(day("2026-02-28")), (day("2026-02-28"), day("2026-03-01")));
    }
}
