//! How often somebody may ask: a token bucket for each caller, in this process.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// Attempts to sign in from one address in a minute. Accounts have their own limit, shared by all servers.
const LOGINS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).expect("30 is not zero");
/// Buckets that are full again are forgotten after so many questions.
const SWEEP_EVERY: u64 = 10_000;

type Buckets = RateLimiter<String, DashMapStateStore<String>, DefaultClock>;

/// The buckets of everybody who asked lately.
pub(crate) struct Rates {
    requests: Buckets,
    logins: Buckets,
    asked: AtomicU64,
}

impl Rates {
    /// `per_minute` requests of each; 0 counts as 1.
    pub(super) fn new(per_minute: u32) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        Self {
            requests: RateLimiter::keyed(Quota::per_minute(per_minute)),
            logins: RateLimiter::keyed(Quota::per_minute(LOGINS_PER_MINUTE)),
            asked: AtomicU64::new(0),
        }
    }

    /// Takes one from the bucket of `who`.
    ///
    /// # Errors
    /// How long to wait when it is empty.
    pub(super) fn request(&self, who: &str) -> Result<(), Duration> {
        self.sweep();
        take(&self.requests, who)
    }

    /// The same for an attempt to sign in.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn login(&self, address: &str) -> Result<(), Duration> {
        take(&self.logins, address)
    }

    fn sweep(&self) {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.requests.retain_recent();
            self.logins.retain_recent();
        }
    }
}

fn take(buckets: &Buckets, who: &str) -> Result<(), Duration> {
    buckets.check_key(&who.to_owned()).map_err(|until| until.wait_time_from(DefaultClock::default().now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bucket_says_how_long_to_wait_and_is_nobody_else_s() {
        let rates = Rates::new(3);
        assert!((0..3).all(|_| rates.request("one").is_ok()));
        let wait = rates.request("one").unwrap_err();
        assert!(wait > Duration::from_secs(10) && wait <= Duration::from_secs(20), "{wait:?}");
        assert!(rates.request("two").is_ok());
    }
}
