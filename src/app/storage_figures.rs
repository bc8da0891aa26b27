//! What a school's photos take, and how much room is left: for whoever looks after the machine.
//!
//! Adds up what the database knows. Whether every object is really there is [`super::storage_check`]'s to say.

use std::path::Path;
use std::process::Command;

use chrono::{TimeDelta, Utc};

use super::error::Error;
use super::{School, blocking};
use crate::config::StorageKind;
use crate::db::health::{self, Stored};

/// The pace at which photos come is that of so long.
pub const RECENT: TimeDelta = TimeDelta::days(30);

/// What is kept, where, and what room there is.
#[derive(Debug, Clone, Copy)]
pub struct StorageFigures {
    pub kind: StorageKind,
    /// Its recent photos are those within [`RECENT`].
    pub stored: Stored,
    /// Where the data folder is; none: unknown.
    pub free_bytes: Option<u64>,
}

/// Adds up what the school keeps.
///
/// # Errors
/// Database failures.
pub async fn figures(school: &School) -> Result<StorageFigures, Error> {
    let recent = (Utc::now() - RECENT).naive_utc();
    let stored = school.read(move |conn| Ok(health::stored(conn, recent)?)).await?;
    let folder = school.config().data_dir.clone();
    let free_bytes = blocking(move || Ok(free_bytes(&folder))).await?;
    Ok(StorageFigures { kind: school.config().storage.kind, stored, free_bytes })
}

/// What is free for us where a folder is; none where `df` does not tell.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    // POSIX fixes the form of `df -Pk`: a heading, then one line whose fourth word is what is free, in kibibytes.
    let told = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let free_kb: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    free_kb.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_that_of_an_existing_folder() {
        assert!(free_bytes(&std::env::temp_dir()).is_some_and(|bytes| bytes > 0));
        assert_eq!(free_bytes(Path::new("/no/such/folder")), None);
    }
}
