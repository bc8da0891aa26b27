//! Checks of a bucket: whether what is written into it can be listed, read and removed again, and what its clock says.

use std::error::Error as _;
use std::time::{Instant, SystemTime};

use chrono::{TimeDelta, Utc};
use futures_util::StreamExt as _;

use super::Check;
use crate::app::store;
use crate::config::{Config, Encryption, S3, StorageKind};
use crate::storage::{Head, Key, KeyGroup, ObjectStore, StorageError, StorageErrorKind};

/// Signatures of requests whose time is off by a quarter of an hour are refused; this is said well before.
const MOST_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(2);

/// What is found out about the bucket of the settings; nothing where photos are kept in folders.
pub(super) async fn checks(config: &Config) -> Vec<Check> {
    if config.storage.kind == StorageKind::Local {
        return Vec::new();
    }
    let (s3, start) = (&config.storage.s3, Instant::now());
    match probe(store(config).await.as_ref()).await {
        Ok(head) => {
            let taken_ms = start.elapsed().as_millis();
            let found = format!("{}: wrote, listed, read and removed an object in {taken_ms} ms", shown(s3));
            let mut checks = vec![Check::ok("storage", found)];
            checks.extend(wrong_clock(Utc::now() - head.modified));
            checks
        }
        Err((step, error)) => vec![broken(s3, step, &error)],
    }
}

fn shown(s3: &S3) -> String {
    let place = if s3.endpoint.is_empty() { format!("region {}", s3.region) } else { s3.endpoint.clone() };
    let encryption = match s3.encryption {
        Encryption::None => "",
        Encryption::Aes256 => ", encrypted with keys of the store",
        Encryption::Kms => ", encrypted with a key of the key service",
    };
    format!("bucket {} at {place}{encryption}", s3.bucket)
}

/// Writes an object of its own and takes it away again; says at which step it went wrong.
async fn probe(store: &dyn ObjectStore) -> Result<Head, (&'static str, StorageError)> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let key = Key::Probe { number: since.as_micros() as u64 };
    store.put(&key, b"may be deleted").await.map_err(|e| ("written", e))?;
    let read = async {
        let first = store.list(KeyGroup::Samples).next().await;
        first.transpose().map_err(|e| ("listed", e))?;
        store.get(&key).await.map_err(|e| ("read", e))?;
        store.head(&key).await.map_err(|e| ("read", e))
    };
    let read = read.await;
    store.delete(&key).await.map_err(|e| ("deleted", e))?;
    read
}

fn broken(s3: &S3, step: &str, error: &StorageError) -> Check {
    let cause = error.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let found = format!("{}: nothing can be {step}: {error}{cause}", shown(s3));
    let remedy = match (error.advice(), error.kind) {
        (Some(_), _) => "correct it where the message says, in the settings or where the credentials come from",
        (None, StorageErrorKind::Full) => "make room, or raise the quota",
        (None, StorageErrorKind::Unavailable) => {
            "see that the server runs, that storage.s3.endpoint and storage.s3.region are right, and that no proxy or firewall is \
             in between"
        }
        (None, _) => {
            "give the credentials s3:ListBucket on the bucket and s3:PutObject, s3:GetObject and s3:DeleteObject on what is in it; \
             most servers other than Amazon's also want storage.s3.path_style = true"
        }
    };
    Check::fail("storage", found, remedy)
}

fn wrong_clock(behind: TimeDelta) -> Option<Check> {
    let found = format!("this machine's clock is {} s ahead of the store's", behind.num_seconds());
    let remedy =
        "let the machine take its time from the network (NTP); beyond a quarter of an hour the store refuses it";
    (behind.abs() > MOST_CLOCK_DIFFERENCE).then(|| Check::warn("clock", found, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStore;

    #[tokio::test]
    async fn the_probe_leaves_nothing_behind() {
        let store = MemoryStore::new();
        assert_eq!(probe(&store).await.unwrap().length, 14);
        assert_eq!(format!("{store:?}").matches("Probe").count(), 0, "{store:?}");
    }

    #[test]
    fn a_clock_is_wrong_before_the_store_says_so() {
        assert!(wrong_clock(TimeDelta::seconds(100)).is_none());
        assert!(wrong_clock(TimeDelta::seconds(-200)).is_some_and(|check| check.found.contains("-200 s ahead")));
    }
}
