//! A copy of a whole SQLite database, made while others read it, and checked before anybody relies on it.

use std::fs;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};

use super::{AnyConnection, DbError};

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// Writes the database as `conn` sees it into the new file `to`, which appears whole and checked or not at all.
///
/// # Errors
/// [`DbError::BackupImpossible`] on Postgres, whose own tools do this; [`DbError::BackupFailed`] when the copy cannot be
/// written or is not sound.
pub(super) fn copy(conn: &mut AnyConnection, to: &Path) -> Result<PathBuf, DbError> {
    let AnyConnection::Sqlite(conn) = conn else { return Err(DbError::BackupImpossible) };
    let failed = |reason: String| DbError::BackupFailed { copy: to.display().to_string(), reason };
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
    let unfinished = to.with_extension("unfinished");
    let written = write_and_check(conn, &unfinished)
        .and_then(|()| fs::rename(&unfinished, to).map_err(|e| e.to_string()))
        .and_then(|()| flush(folder));
    if let Err(reason) = written {
        // The reason counts; a rest that cannot be removed is no backup by its name.
        let _ = fs::remove_file(&unfinished);
        return Err(failed(reason));
    }
    Ok(to.to_owned())
}

/// Everything that SQLite finds wrong with the file behind `conn`; nothing when it is sound.
///
/// # Errors
/// [`DbError::Query`] when the file is too broken to be looked at.
pub(super) fn damage(conn: &mut SqliteConnection) -> Result<Vec<String>, DbError> {
    let found: Vec<Finding> = diesel::sql_query("PRAGMA integrity_check(20)").load(conn)?;
    Ok(found.into_iter().map(|finding| finding.integrity_check).filter(|finding| finding != "ok").collect())
}

fn write_and_check(conn: &mut SqliteConnection, to: &Path) -> Result<(), String> {
    if to.exists() {
        fs::remove_file(to).map_err(|e| e.to_string())?;
    }
    let name = to.to_str().ok_or("its name is not UTF-8")?;
    conn.batch_execute(&format!("VACUUM INTO '{}'", name.replace('\'', "''"))).map_err(|e| e.to_string())?;
    let mut copy = SqliteConnection::establish(name).map_err(|e| e.to_string())?;
    match damage(&mut copy).map_err(|e| e.to_string())?.first() {
        None => {}
        Some(finding) => return Err(format!("the copy is not sound: {finding}")),
    }
    flush(to)
}

/// On the disk, and not only handed to the system.
fn flush(file_or_folder: &Path) -> Result<(), String> {
    fs::File::open(file_or_folder).and_then(|file| file.sync_all()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::testing::{TempSqlite, student};

    #[test]
    fn a_damaged_database_is_not_taken_for_a_backup() {
        let file = TempSqlite::new();
        let db = Db::create(&file.url()).unwrap();
        db.migrate().unwrap();
        for number in 0..500 {
            db.run_blocking(|conn| student(conn, &format!("P{number}"))).unwrap();
        }
        drop(db);
        let path = file.url().replace("sqlite:", "");
        let mut bytes = fs::read(&path).unwrap();
        // The second half of the pages, where students and their index lie, becomes noise.
        let half = bytes.len() / 2;
        bytes[half..].iter_mut().enumerate().for_each(|(i, byte)| *byte ^= (i % 251) as u8);
        fs::write(&path, bytes).unwrap();
        let mut conn = SqliteConnection::establish(&path).unwrap();
        assert!(damage(&mut conn).map_or(true, |found| !found.is_empty()));
        let folder = tempfile::tempdir().unwrap();
        let error = copy(&mut AnyConnection::Sqlite(conn), &folder.path().join("copy.db")).unwrap_err();
        assert!(matches!(error, DbError::BackupFailed { .. }), "{error:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left that looks like a backup");
    }
}
