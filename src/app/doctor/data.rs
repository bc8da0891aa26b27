//! Checks of what a school keeps: database, folders, disk, objects, students, queue.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Utc;

use super::{Check, State, shown};
use crate::app::recogniser::PackKey;
use crate::app::session::Matching;
use crate::app::storage_figures::free_bytes;
use crate::app::{School, blocking};
use crate::config::{Config, StorageKind};
use crate::db::{Db, DbError, SchemaState, health};
use crate::queue::store;
use crate::storage::Key;

/// A write-ahead log beyond this is not emptied because some program keeps an old view of the database open.
const LARGE_WAL_BYTES: u64 = 256 << 20;
/// A server's clock that differs by more gives sessions and jobs wrong times.
const MOST_CLOCK_DIFFERENCE_SECS: i64 = 10;
/// A class photo has 3 to 6 MB: below the first figure a week of them does not fit, below the second hardly one.
const LITTLE_SPACE: u64 = 2 << 30;
const NO_SPACE: u64 = 100 << 20;
/// Newest photos and samples whose objects are looked for.
const OBJECTS: i64 = 200;

/// Whether the database is there, sound, and of this program's version.
pub(super) async fn database(config: &Config) -> Vec<Check> {
    let (url, backups) = (config.database_url(), config.data_dir.join("backups"));
    let looked = blocking(move || {
        let checks = match Db::open(&url) {
            Ok(db) => opened(&db, &url, &backups),
            Err(e) => vec![unopened(&e, &url, &backups)],
        };
        Ok(checks)
    });
    looked.await.unwrap_or_else(|e| vec![Check::fail("database", e.message, "run `rollcall doctor` again")])
}

fn unopened(error: &DbError, url: &str, backups: &Path) -> Check {
    let remedy = match error {
        DbError::Missing { .. } => {
            "make one with `rollcall init`, or name the school's folder with --data-dir".to_owned()
        }
        DbError::BadUrl { .. } => "correct database_url: sqlite:FILE or postgres://USER@HOST/NAME".to_owned(),
        DbError::Newer { .. } => format!("install the newer rollcall; {}", newest_copy(backups)),
        _ if Db::sqlite_file(url).is_some() => format!("the file may be damaged; {}", newest_copy(backups)),
        _ => "see that the server runs and that address, user and password in database_url are right".to_owned(),
    };
    let found = match error {
        // Its remedy stands in the message.
        DbError::Missing { location } => format!("there is no database at {location}"),
        DbError::Newer { version } => format!("it belongs to a newer rollcall: change {version} is unknown here"),
        error => error.to_string(),
    };
    Check::fail("database", found, remedy)
}

fn opened(db: &Db, url: &str, backups: &Path) -> Vec<Check> {
    let file = Db::sqlite_file(url);
    let health = match db.run_blocking(|conn| health::examine(conn, Utc::now())) {
        Ok(health) => health,
        Err(DbError::Busy) => {
            let remedy = "see which other program does not finish, and end it";
            return vec![Check::fail("database", "another program has been writing for ten seconds", remedy)];
        }
        Err(e) => {
            let remedy = match file {
                Some(_) => format!("the file is damaged or cannot be written; {}", newest_copy(backups)),
                None => "look into the server's log".to_owned(),
            };
            return vec![Check::fail("database", e.to_string(), remedy)];
        }
    };
    if let Some(first) = health.damage.first() {
        let found = format!("{} is damaged ({} findings; {first})", health.program, health.damage.len());
        return vec![Check::fail("database", found, format!("stop using it; {}", newest_copy(backups)))];
    }
    let size = file.as_deref().and_then(|file| fs::metadata(file).ok()).map(|m| format!(", {}", megabytes(m.len())));
    let mut checks = vec![Check::ok("database", format!("{}{}, sound", health.program, size.unwrap_or_default()))];
    checks.extend(file.as_deref().and_then(large_wal));
    checks.extend(health.clock_ahead_secs.and_then(wrong_clock));
    checks.push(tables(db));
    checks
}

fn large_wal(file: &Path) -> Option<Check> {
    let wal = PathBuf::from(format!("{}-wal", file.display()));
    let bytes = fs::metadata(wal).ok()?.len();
    let found = format!("the write-ahead log beside it has grown to {}", megabytes(bytes));
    let remedy = "end every program that uses the database; the last one to end empties the log";
    (bytes > LARGE_WAL_BYTES).then(|| Check::warn("database", found, remedy))
}

fn wrong_clock(ahead_secs: i64) -> Option<Check> {
    let found = format!("the server's clock is {ahead_secs} s ahead of this machine's");
    let remedy = "let both machines take their time from the network (NTP)";
    (ahead_secs.abs() > MOST_CLOCK_DIFFERENCE_SECS).then(|| Check::warn("clock", found, remedy))
}

fn tables(db: &Db) -> Check {
    match (db.schema_state(), db.is_fresh()) {
        (Ok(SchemaState::Current), _) => Check::ok("tables", "up to date"),
        (Ok(SchemaState::Pending(_)), Ok(true)) => {
            Check::fail("tables", "the database holds no tables of rollcall", "make them with `rollcall init`")
        }
        (Ok(SchemaState::Pending(missing)), _) => {
            let found = format!("they belong to an older rollcall; changes that are missing: {missing}");
            Check::fail("tables", found, "run `rollcall admin migrate`; it keeps a copy in backups/")
        }
        (Ok(SchemaState::Newer(version)), _) => {
            Check::fail("tables", format!("change {version} is unknown here"), "install the newer rollcall")
        }
        (Err(e), _) => Check::fail("tables", e.to_string(), "run `rollcall doctor` again"),
    }
}

fn newest_copy(backups: &Path) -> String {
    let copies = fs::read_dir(backups).into_iter().flatten().flatten();
    let copies = copies.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "db"));
    let newest = copies.max_by_key(|path| fs::metadata(path).and_then(|m| m.modified()).ok());
    match newest {
        Some(copy) => format!("the newest copy is {}", shown(&copy)),
        None => format!("put a backup in its place (there is none in {})", shown(backups)),
    }
}

/// Whether everything can be written where it belongs.
pub(super) fn folders(config: &Config) -> Vec<Check> {
    let photos: &[&str] = match config.storage.kind {
        StorageKind::Local => &["attendance_photos", "samples"],
        StorageKind::S3 => &[],
    };
    let mut folders: Vec<PathBuf> = photos.iter().chain(&["backups"]).map(|f| config.data_dir.join(f)).collect();
    folders.push(config.exports_dir());
    folders.extend(Db::sqlite_file(&config.database_url()).and_then(|file| Some(folder_of(&file)?.to_owned())));
    let broken: Vec<Check> =
        folders.iter().filter_map(|folder| Some(unwritable(folder, &not_writable(folder)?))).collect();
    if !broken.is_empty() {
        return broken;
    }
    vec![Check::ok("folders", format!("everything below {} can be written", shown(&config.data_dir)))]
}

fn unwritable(folder: &Path, reason: &str) -> Check {
    let remedy = "give the user that runs rollcall the right to write there, or move away what is in the way";
    Check::fail("folders", format!("{} cannot be written: {reason}", shown(folder)), remedy)
}

fn folder_of(file: &Path) -> Option<&Path> {
    let parent = file.parent()?;
    Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Why nothing can be written into `folder`, or into the one in which it would be made.
fn not_writable(folder: &Path) -> Option<String> {
    if !folder.is_dir() {
        if folder.exists() {
            return Some("it is a file, not a folder".to_owned());
        }
        return folder_of(folder).and_then(not_writable);
    }
    let probe = folder.join(format!(".rollcall-doctor-{}", std::process::id()));
    fs::write(&probe, "may be deleted").and_then(|()| fs::remove_file(&probe)).err().map(|e| e.to_string())
}

/// Free space where photos are kept.
pub(super) fn disk(config: &Config) -> Check {
    let Some(free) = free_bytes(&config.data_dir) else {
        return Check::ok("disk", "free space unknown: `df` does not tell");
    };
    let found = format!("{} free", megabytes(free));
    let remedy = "make room, or move the data folder to a larger disk";
    match free {
        0..NO_SPACE => Check::fail("disk", found, remedy),
        NO_SPACE..LITTLE_SPACE => Check::warn("disk", found, remedy),
        _ => Check::ok("disk", found),
    }
}

/// What is in a database that can be used: objects of the newest rows, students, jobs.
pub(super) async fn contents(school: &School) -> Vec<Check> {
    vec![objects(school).await, students(school).await, queue(school).await]
}

async fn objects(school: &School) -> Check {
    let keys = match school.read(|conn| Ok(health::object_keys(conn, OBJECTS)?)).await {
        Ok(keys) => keys,
        Err(e) => return Check::fail("objects", e.message, "run `rollcall doctor` again"),
    };
    let mut missing = Vec::new();
    for text in &keys {
        let there = match text.parse::<Key>() {
            Ok(key) => school.store.exists(&key).await.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match there {
            Ok(true) => {}
            Ok(false) => missing.push(text),
            Err(e) => return Check::fail("objects", e, "see that the photo store is there and can be read"),
        }
    }
    let looked = format!("of the newest {} photos and portraits", keys.len());
    match missing.first() {
        None if keys.is_empty() => Check::ok("objects", "no photo is stored yet"),
        None => Check::ok("objects", format!("{looked}, none is missing")),
        Some(first) => {
            let found = format!("{looked}, {} are missing ({first})", missing.len());
            let remedy = "bring attendance_photos/ and samples/ back from a backup; what was decided from them stays. \
                          `rollcall admin storage check` lists all that are missing";
            Check::fail("objects", found, remedy)
        }
    }
}

async fn students(school: &School) -> Check {
    let pack = match Matching::of_settings(&school.config) {
        Ok(matching) => matching.pack,
        // The pack has a check of its own.
        Err(_) => PackKey { id: String::new(), version: String::new() },
    };
    let (id, version) = (pack.id.clone(), pack.version.clone());
    let census = match school.read(move |conn| Ok(health::census(conn, &id, &version)?)).await {
        Ok(census) => census,
        Err(e) => return Check::fail("students", e.message, "run `rollcall doctor` again"),
    };
    let found = format!(
        "{} active, {} with recorded consent, {} enrolled with {pack}",
        census.active, census.consenting, census.enrolled
    );
    if census.active == 0 {
        return Check::ok("students", "none yet; `rollcall roster import` brings them in");
    }
    if pack.id.is_empty() {
        return Check::ok("students", format!("{} active, {} with recorded consent", census.active, census.consenting));
    }
    if census.consenting == 0 {
        let remedy = "record consents in the roster, or with `rollcall enrol DIR --consent recorded`";
        return Check::warn("students", found, remedy);
    }
    if census.enrolled_otherwise > 0 {
        let found = format!("{found}, {} with other packs only", census.enrolled_otherwise);
        return Check::warn("students", found, "enrol them with this pack, or go back to the other one with --pack");
    }
    if census.enrolled < census.consenting {
        return Check::warn(
            "students",
            found,
            "enrol the others: who has no sample cannot be found and stays unmarked",
        );
    }
    Check::ok("students", found)
}

async fn queue(school: &School) -> Check {
    match school.read(|conn| Ok(store::counts(conn)?)).await {
        Ok(counts) => {
            let found = format!("{} waiting, {} running, {} failed", counts.queued, counts.running, counts.failed);
            match counts.failed {
                0 => Check::ok("queue", found),
                _ => Check::warn("queue", found, "see why with `rollcall admin jobs --state failed`"),
            }
        }
        Err(e) => Check { state: State::Fail, ..Check::warn("queue", e.message, "run `rollcall doctor` again") },
    }
}

fn megabytes(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} kB", bytes.div_ceil(1024)),
        mib @ 1..10_240 => format!("{mib} MB"),
        mib => format!("{} GB", mib >> 10),
    }
}
