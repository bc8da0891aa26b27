//! Compares the photo store with the database, both ways: rows whose object is missing or damaged, and objects that no row
//! names.
//!
//! Bytes are stored before their row is written, so a program that dies in between leaves an object without a row, never a
//! row without its object. What jobs store (exports, portraits on their way) lives as long as they need it; workers sweep away
//! what is left. An export that is missing is no finding: it can be made again. Works page by page: what is in memory does not
//! grow with the school.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::error::Error;
use super::{School, jobs, patiently};
use crate::db::photos::ObjectRow;
use crate::db::{AnyConnection, DbError, leaves, photos, samples};
use crate::domain::ids::PhotoId;
use crate::storage::{Download, Hashing, Head, Key, KeyGroup, Listed, StorageErrorKind};

/// Rows, and objects, that are looked at together.
const PAGE: usize = 500;
/// Objects that are asked for at a time.
const IN_FLIGHT: usize = 16;
/// An object without a row that is younger may be a photo on its way.
const GRACE: TimeDelta = TimeDelta::hours(1);
/// Keys of each kind that a report names.
const NAMED: usize = 100;

/// How closely rows are compared with their objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Whether they are there.
    Keys,
    /// Whether they hold what was stored: every object is read.
    Hashes,
}

/// What happens to objects that no row names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    Keep,
    Delete,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct StorageReport {
    /// Rows of photos, samples and leaves that name an object; of samples that share one (of several packs) only the oldest.
    pub rows: u64,
    /// Objects of photos, samples, leaves and jobs.
    pub objects: u64,
    /// Bytes of these objects.
    pub bytes: u64,
    /// Objects that a row names and that are not there.
    pub missing: Findings,
    /// Objects that hold something else than was stored; only looked for by hashes.
    pub damaged: Findings,
    /// Objects that no row names, older than an hour.
    pub orphans: Findings,
    pub orphan_bytes: u64,
    /// How many of the orphans were deleted.
    pub deleted: u64,
}

/// How many, and which come first.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    pub count: u64,
    /// A hundred at most.
    pub keys: Vec<String>,
}

impl Findings {
    fn add(&mut self, key: String) {
        self.count += 1;
        if self.keys.len() < NAMED {
            self.keys.push(key);
        }
    }
}

impl StorageReport {
    /// Whether every row has its object and, now, every object its row.
    pub const fn is_well(&self) -> bool {
        self.missing.count == 0 && self.damaged.count == 0 && self.orphans.count == self.deleted
    }
}

/// Compares everything. The school may go on working meanwhile.
///
/// # Errors
/// `STORAGE_ERROR` and `DATABASE_ERROR` when one of the two cannot be read.
pub async fn check(school: &School, depth: Depth, orphans: Orphans) -> Result<StorageReport, Error> {
    // Outages in the middle are waited for; one at the start is better told at once.
    school.storage_answers().await?;
    let mut report = StorageReport::default();
    for table in [Table::Photos, Table::Samples, Table::Leaves] {
        rows(school, table, depth, &mut report).await?;
    }
    let old_before = Utc::now() - GRACE;
    for group in [KeyGroup::Sessions, KeyGroup::Samples, KeyGroup::Leaves, KeyGroup::Exports, KeyGroup::Enrolments] {
        objects(school, group, (orphans, old_before), &mut report).await?;
    }
    Ok(report)
}

/// Deletes what jobs have stored that are no more, unless it is younger than an hour; returns how many objects.
///
/// # Errors
/// As [`check`].
pub(super) async fn sweep(school: &School) -> Result<u64, Error> {
    sweep_before(school, Utc::now() - GRACE).await
}

/// The same with another limit of age.
pub(super) async fn sweep_before(school: &School, old_before: DateTime<Utc>) -> Result<u64, Error> {
    let mut report = StorageReport::default();
    for group in [KeyGroup::Exports, KeyGroup::Enrolments] {
        objects(school, group, (Orphans::Delete, old_before), &mut report).await?;
    }
    Ok(report.deleted)
}

/// Looks at all objects of a group.
async fn objects(
    school: &School,
    group: KeyGroup,
    (orphans, old_before): (Orphans, DateTime<Utc>),
    report: &mut StorageReport,
) -> Result<(), Error> {
    let mut pages = school.store.list(group).chunks(PAGE);
    while let Some(page) = pages.next().await {
        let page = page.into_iter().collect::<Result<Vec<_>, _>>()?;
        report.objects += page.len() as u64;
        report.bytes += page.iter().map(|object| object.head.length).sum::<u64>();
        let old = page.into_iter().filter(|object| object.head.modified < old_before).collect();
        for orphan in without_row(school, old).await? {
            report.orphan_bytes += orphan.head.length;
            report.orphans.add(orphan.key.to_string());
            if orphans == Orphans::Delete && delete(school, orphan, old_before).await? {
                report.deleted += 1;
            }
        }
    }
    Ok(())
}

/// The tables that name objects.
#[derive(Debug, Clone, Copy)]
enum Table {
    Photos,
    Samples,
    Leaves,
}

impl Table {
    fn page(self, conn: &mut AnyConnection, after: i64) -> Result<Vec<ObjectRow>, DbError> {
        match self {
            Self::Photos => photos::objects(conn, after, PAGE),
            Self::Samples => samples::objects(conn, after, PAGE),
            Self::Leaves => leaves::objects(conn, after, PAGE),
        }
    }

    fn named(self, conn: &mut AnyConnection, keys: &[String]) -> Result<Vec<String>, DbError> {
        match self {
            Self::Photos => photos::named(conn, keys),
            Self::Samples => samples::named(conn, keys),
            Self::Leaves => leaves::named(conn, keys),
        }
    }
}

/// What is wrong with the object of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Missing,
    Damaged,
}

async fn rows(school: &School, table: Table, depth: Depth, report: &mut StorageReport) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let page = patiently(|| school.read(move |conn| Ok(table.page(conn, after)?))).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        report.rows += page.len() as u64;
        let looked =
            stream::iter(page).map(|row| async move { Ok::<_, Error>((flaw(school, &row, depth).await?, row)) });
        let looked: Vec<_> = looked.buffered(IN_FLIGHT).try_collect().await?;
        for (flaw, row) in looked {
            match flaw {
                None => {}
                Some(Flaw::Damaged) => report.damaged.add(row.object_key),
                // Deleted while it was looked for, row and all.
                Some(Flaw::Missing) if !is_named(school, table, &row.object_key).await? => {}
                Some(Flaw::Missing) => report.missing.add(row.object_key),
            }
        }
    }
}

async fn flaw(school: &School, row: &ObjectRow, depth: Depth) -> Result<Option<Flaw>, Error> {
    // What is no path of an object cannot be one.
    let Ok(key) = row.object_key.parse::<Key>() else { return Ok(Some(Flaw::Missing)) };
    match depth {
        Depth::Keys => {
            let exists = patiently(|| async { Ok(school.store.exists(&key).await?) }).await?;
            Ok((!exists).then_some(Flaw::Missing))
        }
        Depth::Hashes => match patiently(|| hash(school, &key)).await? {
            None => Ok(Some(Flaw::Missing)),
            Some(sha256) => Ok((sha256 != row.sha256).then_some(Flaw::Damaged)),
        },
    }
}

/// The hash of what is stored under a key, read piece by piece; `None` where nothing is.
async fn hash(school: &School, key: &Key) -> Result<Option<String>, Error> {
    let Download { mut body, .. } = match school.store.open(key, None).await {
        Err(error) if error.kind == StorageErrorKind::NotFound => return Ok(None),
        download => download?,
    };
    let mut hash = Hashing::default();
    while let Some(piece) = body.try_next().await? {
        hash.update(&piece);
    }
    Ok(Some(hash.finish().to_string()))
}

async fn is_named(school: &School, table: Table, key: &str) -> Result<bool, Error> {
    let keys = [key.to_owned()];
    patiently(|| {
        let keys = keys.clone();
        school.read(move |conn| Ok(!table.named(conn, &keys)?.is_empty()))
    })
    .await
}

/// Those of the objects that nothing in the database accounts for.
async fn without_row(school: &School, objects: Vec<Listed>) -> Result<Vec<Listed>, Error> {
    let keys: Vec<Key> = objects.iter().map(|object| object.key.clone()).collect();
    let accounted = patiently(|| {
        let keys = keys.clone();
        school.read(move |conn| Ok(accounted(conn, &keys)?))
    });
    let accounted = accounted.await?;
    Ok(objects.into_iter().filter(|object| !accounted.contains(&object.key)).collect())
}

fn accounted(conn: &mut AnyConnection, keys: &[Key]) -> Result<HashSet<Key>, DbError> {
    let paths: Vec<String> = keys.iter().map(Key::to_string).collect();
    let mut named: HashSet<String> = photos::named(conn, &paths)?.into_iter().collect();
    named.extend(samples::named(conn, &paths)?);
    named.extend(leaves::named(conn, &paths)?);
    // An annotated photo is named by no row; it belongs to the photo that it was drawn from.
    let drawn_from = |key: &Key| if let Key::Annotated { photo, .. } = key { Some(PhotoId(*photo)) } else { None };
    let drawn: Vec<PhotoId> = keys.iter().filter_map(drawn_from).collect();
    let existing: HashSet<PhotoId> = photos::existing(conn, &drawn)?.into_iter().collect();
    let of_jobs = jobs::accounted(conn, keys)?;
    let is_accounted = |key: &&Key| {
        named.contains(&key.to_string())
            || drawn_from(key).is_some_and(|id| existing.contains(&id))
            || of_jobs.contains(key)
    };
    Ok(keys.iter().filter(is_accounted).cloned().collect())
}

/// Deletes an orphan, unless it has become somebody's since it was listed. Whoever stores a photo writes it anew first, which
/// makes it young.
async fn delete(school: &School, orphan: Listed, old_before: DateTime<Utc>) -> Result<bool, Error> {
    let head = match school.store.head(&orphan.key).await {
        Err(error) if error.kind == StorageErrorKind::NotFound => return Ok(true),
        head => head?,
    };
    let is_young = |Head { modified, .. }: Head| modified >= old_before;
    let key = orphan.key.clone();
    if is_young(head) || without_row(school, vec![orphan]).await?.is_empty() {
        return Ok(false);
    }
    school.store.delete(&key).await?;
    Ok(true)
}
