//! How long somebody waits who has typed wrong passwords. The counts stand in the database, so that all servers share them.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::app::error::{Code, Error};

/// Wrong passwords in a row that cost nothing but the last.
const FREE: u32 = 5;
const FIRST_WAIT_SECS: i64 = 30;
const LONGEST_WAIT_SECS: i64 = 15 * 60;

/// Failures beyond which the wait grows no longer.
pub(super) const COUNTED: u32 = 10;

/// Until when no password is looked at after so many wrong ones, the last of them now: nothing for the first four, 30 s for the
/// fifth, twice as long for each that follows, never more than 15 min.
pub(super) fn locked_until(failures: u32, last: NaiveDateTime) -> Option<NaiveDateTime> {
    let beyond = failures.checked_sub(FREE)?;
    let secs = FIRST_WAIT_SECS.checked_shl(beyond.min(COUNTED)).map_or(LONGEST_WAIT_SECS, |s| s.min(LONGEST_WAIT_SECS));
    Some(last + TimeDelta::seconds(secs))
}

/// Refuses whoever comes before the wait is over.
///
/// # Errors
/// `TOO_MANY_ATTEMPTS`, with what is left of the wait.
pub(super) fn require_unconfirmed(locked_until: Option<NaiveDateTime>, now: DateTime<Utc>) -> Result<(), Error> {
    let left = locked_until.map_or(TimeDelta::zero(), |until| until - now.naive_utc());
    if left <= TimeDelta::zero() {
        return Ok(());
    }
    let secs = left.num_milliseconds().unsigned_abs().div_ceil(1000).max(1);
    let message = format!("too many wrong passwords; try again in {secs} s");
    Err(Error::new(Code::TooManyAttempts, message).again_after(Duration::from_secs(secs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-01-05T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn waits_double_from_the_fifth_failure_to_a_quarter_of_an_hour() {
        let wait =
            |failures| locked_until(failures, now().naive_utc()).map(|until| (until - now().naive_utc()).num_seconds());
        let waits: Vec<_> = (1..=11).map(wait).collect();
        let expected = [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900].map(|secs| Some(secs).filter(|s| *s > 0));
        assert_eq!(waits, expected);
        assert_eq!((wait(0), wait(u32::MAX)), (None, Some(900)));
        assert_eq!(wait(COUNTED), Some(LONGEST_WAIT_SECS), "further failures need not be counted");
    }

    #[test]
    fn what_is_left_is_said_in_whole_seconds_rounded_up() {
        let until = |ms| Some((now() + TimeDelta::milliseconds(ms)).naive_utc());
        assert!(require_unconfirmed(None, now()).is_ok() && require_unconfirmed(until(0), now()).is_ok());
        let refused = require_unconfirmed(until(12_001), now()).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::TooManyAttempts, Some(Duration::from_secs(13))));
        assert_eq!(require_unconfirmed(until(1), now()).unwrap_err().retry_after, Some(Duration::from_secs(1)));
    }
}
