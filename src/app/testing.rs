//! Schools for tests of the use cases.

use std::sync::Arc;

use super::School;
use crate::config::Config;
use crate::db::Db;
use crate::storage::MemoryStore;

/// A school on a test's database, with photos in memory and the default settings.
pub(crate) fn school(db: &Db) -> School {
    School { db: db.clone(), store: Arc::new(MemoryStore::new()), config: Arc::new(Config::default()) }
}

/// Runs a test that waits for things, on several threads as the program does.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test)
}
