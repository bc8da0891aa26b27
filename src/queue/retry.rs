//! When a job that failed is tried again. Pure.

use std::time::Duration;

/// Wait after the first failed attempt; each further one doubles it.
const FIRST: Duration = Duration::from_secs(2);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(300);

/// Wait for something that does not answer.
const OUTAGE: Duration = Duration::from_secs(5);

/// The wait before the next attempt, after `attempt` (1, 2, ...) has failed: 2 s, 4 s, 8 s ... up to five minutes, and up to
/// a quarter more, different for each job, so that what failed together does not come back together.
pub(super) fn backoff(attempt: i32, job: i64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
    let wait = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    spread(wait, job)
}

/// The wait while something that every job needs does not answer: 5 s and up to a quarter more. It does not grow, because no
/// attempts are used up and work shall go on soon after it answers again.
pub(super) fn outage_pause(job: i64) -> Duration {
    spread(OUTAGE, job)
}

fn spread(wait: Duration, job: i64) -> Duration {
    // The fractional parts of the multiples of the golden ratio are spread evenly over 0..1.
    let spread = (job as f64 * 0.618_033_988_749_895).rem_euclid(1.0);
    wait + wait.mul_f64(0.25 * spread)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wait_doubles_and_is_capped() {
        let whole_secs = |attempt| backoff(attempt, 0).as_secs();
        assert_eq!([1, 2, 3, 4, 9].map(whole_secs), [2, 4, 8, 16, 300]);
    }

    #[test]
    fn jobs_that_failed_together_come_back_apart() {
        let waits: std::collections::BTreeSet<_> = (1..=50).map(|job| backoff(3, job).as_millis() / 10).collect();
        assert!(waits.len() > 45, "{} different waits", waits.len());
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_the_first_or_longer_than_the_cap(attempt: i32, job: i64) {
            let wait = backoff(attempt, job);
            prop_assert!(wait >= FIRST && wait <= LONGEST.mul_f64(1.25));
        }
    }
}
