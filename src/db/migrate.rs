//! Brings a database to the tables this program knows, and tells when it cannot. Migrations only go forward, so what a
//! database was before is kept: [`upgrade`] copies it first.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::NaiveDateTime;
use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::each_backend;
use super::{AnyConnection, Db, DbError, backup, transaction};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

type MigrationError = Box<dyn std::error::Error + Send + Sync>;
type Migrations<DB> = Result<Vec<Box<dyn Migration<DB>>>, MigrationError>;

/// The migrations that a program knows.
#[derive(Clone, Copy)]
struct Known {
    sqlite: fn() -> Migrations<Sqlite>,
    postgres: fn() -> Migrations<Pg>,
}

const KNOWN: Known = Known { sqlite: || SQLITE.migrations(), postgres: || POSTGRES.migrations() };

/// How the tables of a database compare with what this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    Current,
    /// So many migrations are to be run.
    Pending(usize),
    /// The newest migration that this program does not know.
    Newer(String),
}

/// What keeps the data of a database whose tables are about to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backup {
    /// A checked copy in `folder`, named after the database's newest migration and the time (UTC). SQLite only.
    CopyInto { folder: PathBuf, at: NaiveDateTime },
    /// Somebody has one.
    MadeElsewhere,
}

/// What an upgrade has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// Migrations that were run.
    pub migrations: usize,
    /// The copy of the database as it was, when one was made.
    pub copy: Option<PathBuf>,
}

/// Compares the database with the migrations in this program.
///
/// # Errors
/// [`DbError::Migration`] when the database does not answer.
pub(super) fn schema_state(conn: &mut AnyConnection) -> Result<SchemaState, DbError> {
    state(conn, KNOWN)
}

fn state(conn: &mut AnyConnection, known: Known) -> Result<SchemaState, DbError> {
    match conn {
        AnyConnection::Sqlite(conn) => compare(conn, (known.sqlite)()).map_err(failed),
        AnyConnection::Postgres(_) => transaction(conn, |conn| {
            lock(conn)?;
            let AnyConnection::Postgres(conn) = conn else { unreachable!("a connection keeps its kind") };
            compare(conn, (known.postgres)()).map_err(failed)
        }),
    }
}

/// Whether no migration was ever run: there is no data to lose.
///
/// # Errors
/// [`DbError::Migration`] when the database does not answer.
pub(super) fn is_fresh(conn: &mut AnyConnection) -> Result<bool, DbError> {
    Ok(newest_applied(conn)?.is_none())
}

fn newest_applied(conn: &mut AnyConnection) -> Result<Option<String>, DbError> {
    let applied = each_backend!(conn, c => c.applied_migrations()).map_err(failed)?;
    Ok(applied.iter().max().map(ToString::to_string))
}

/// Runs what is pending, all or nothing; a second program doing the same waits and finds nothing to do.
///
/// Returns how many migrations were run.
///
/// # Errors
/// [`DbError::Newer`] before anything is changed, [`DbError::Migration`] when one fails.
pub(super) fn migrate(conn: &mut AnyConnection) -> Result<usize, DbError> {
    migrate_to(conn, KNOWN)
}

fn migrate_to(conn: &mut AnyConnection, known: Known) -> Result<usize, DbError> {
    transaction(conn, |conn| {
        lock(conn)?;
        if let SchemaState::Newer(version) = state(conn, known)? {
            return Err(DbError::Newer { version });
        }
        match conn {
            AnyConnection::Sqlite(conn) => run(conn, (known.sqlite)()),
            AnyConnection::Postgres(conn) => run(conn, (known.postgres)()),
        }
    })
}

/// [`migrate`], after the copy that `backup` asks for. Where nothing is pending or no data is there, nothing is copied.
///
/// # Errors
/// Those of [`migrate`], and [`DbError::BackupImpossible`] or [`DbError::BackupFailed`] before anything is changed.
pub(super) fn upgrade(db: &Db, backup: &Backup) -> Result<Upgrade, DbError> {
    upgrade_to(db, backup, KNOWN)
}

fn upgrade_to(db: &Db, backup: &Backup, known: Known) -> Result<Upgrade, DbError> {
    db.run_blocking(|conn| {
        transaction(conn, |conn| {
            lock(conn)?;
            let mut copy = None;
            if let SchemaState::Pending(_) = state(conn, known)?
                && let Some(version) = newest_applied(conn)?
                && let Backup::CopyInto { folder, at } = backup
            {
                let name = format!("rollcall-{version}-{}.db", at.format("%Y%m%dT%H%M%SZ"));
                // Nobody can write while this transaction is open; a second connection reads what was there before it.
                copy = Some(db.run_blocking(|reader| backup::copy(reader, &folder.join(name)))?);
            }
            Ok(Upgrade { migrations: migrate_to(conn, known)?, copy })
        })
    })
}

/// SQLite's transaction has locked the file already; Postgres programs queue up at a number of our own ("rollcall").
fn lock(conn: &mut AnyConnection) -> Result<(), DbError> {
    match conn {
        AnyConnection::Sqlite(_) => {}
        AnyConnection::Postgres(postgres) => {
            use diesel::RunQueryDsl;
            let key = i64::from_be_bytes(*b"rollcall");
            diesel::sql_query(format!("SELECT pg_advisory_xact_lock({key})")).execute(postgres)?;
        }
    }
    Ok(())
}

fn compare<DB: Backend>(
    conn: &mut impl MigrationHarness<DB>,
    known: Migrations<DB>,
) -> Result<SchemaState, MigrationError> {
    let known = known?;
    let known: Vec<MigrationVersion<'_>> = known.iter().map(|migration| migration.name().version()).collect();
    let applied = conn.applied_migrations()?;
    let newest_unknown = applied.iter().filter(|version| !known.contains(version)).max();
    Ok(match newest_unknown {
        Some(version) => SchemaState::Newer(version.to_string()),
        None if applied.len() == known.len() => SchemaState::Current,
        None => SchemaState::Pending(known.len() - applied.len()),
    })
}

fn run<DB: Backend>(conn: &mut impl MigrationHarness<DB>, known: Migrations<DB>) -> Result<usize, DbError> {
    let run = || -> Result<usize, MigrationError> {
        let applied: BTreeSet<_> = conn.applied_migrations()?.into_iter().collect();
        let mut pending = known?;
        pending.retain(|migration| !applied.contains(&migration.name().version()));
        pending.sort_by(|a, b| a.name().version().cmp(&b.name().version()));
        Ok(conn.run_migrations(&pending)?.len())
    };
    run().map_err(failed)
}

fn failed(error: MigrationError) -> DbError {
    DbError::Migration { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::path::Path;

    use diesel::connection::{BoxableConnection, SimpleConnection};
    use diesel::migration::{MigrationMetadata, MigrationName};

    use super::*;
    use crate::db::students;
    use crate::db::testing::postgres::Server;
    use crate::db::testing::{TempSqlite, at, on_each_database, student};

    /// Records a migration of the future, as a newer program would have left it.
    fn add_future_migration(conn: &mut AnyConnection) -> Result<(), DbError> {
        Ok(conn.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')")?)
    }

    on_each_database! {
        fn migrating_twice_changes_nothing(db) {
            assert_eq!(db.migrate().unwrap(), 0, "the test database is migrated already");
            assert_eq!(db.schema_state().unwrap(), SchemaState::Current);
        }

        fn a_newer_database_is_recognised_and_never_migrated(db) {
            db.run_blocking(add_future_migration).unwrap();
            assert_eq!(db.schema_state().unwrap(), SchemaState::Newer("9999".into()));
            let error = db.migrate().unwrap_err();
            assert!(matches!(&error, DbError::Newer { version } if version == "9999"));
            assert!(error.to_string().contains("update this program"), "{error}");
        }
    }

    /// A migration of the next version.
    struct Next {
        name: NextName,
        sql: &'static str,
    }

    struct NextName;

    impl fmt::Display for NextName {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("9000_next")
        }
    }

    impl MigrationName for NextName {
        fn version(&self) -> MigrationVersion<'_> {
            MigrationVersion::from("9000")
        }
    }

    struct InTransaction;

    impl MigrationMetadata for InTransaction {}

    impl<DB: Backend> Migration<DB> for Next {
        fn run(&self, conn: &mut dyn BoxableConnection<DB>) -> Result<(), MigrationError> {
            Ok(conn.batch_execute(self.sql)?)
        }

        fn revert(&self, _: &mut dyn BoxableConnection<DB>) -> Result<(), MigrationError> {
            unreachable!("migrations only go forward")
        }

        fn metadata(&self) -> &dyn MigrationMetadata {
            &InTransaction
        }

        fn name(&self) -> &dyn MigrationName {
            &self.name
        }
    }

    fn and_next<DB: Backend>(known: Migrations<DB>) -> Migrations<DB> {
        let next = Next { name: NextName, sql: "DELETE FROM students; CREATE TABLE next (id BIGINT);" };
        known.map(|all| all.into_iter().chain([Box::new(next) as Box<dyn Migration<DB>>]).collect())
    }

    fn upgrade_to_next(db: &Db, backup: &Backup) -> Result<Upgrade, DbError> {
        let next = Known { sqlite: || and_next(SQLITE.migrations()), postgres: || and_next(POSTGRES.migrations()) };
        upgrade_to(db, backup, next)
    }

    fn into(folder: &Path) -> Backup {
        Backup::CopyInto { folder: folder.join("backups"), at: at("2026-11-21 09:30:00") }
    }

    fn count_students(db: &Db) -> usize {
        db.run_blocking(|conn| students::find_by_prn(conn, "P1")).unwrap().into_iter().count()
    }

    fn with_a_student() -> (TempSqlite, Db) {
        let file = TempSqlite::new();
        let db = Db::create(&file.url()).unwrap();
        db.migrate().unwrap();
        db.run_blocking(|conn| student(conn, "P1")).unwrap();
        (file, db)
    }

    #[test]
    fn an_upgrade_keeps_the_database_as_it_was() {
        let (file, db) = with_a_student();
        let folder = tempfile::tempdir().unwrap();
        let newest = db.run_blocking(newest_applied).unwrap().unwrap();
        let done = upgrade_to_next(&db, &into(folder.path())).unwrap();
        let copy = folder.path().join(format!("backups/rollcall-{newest}-20261121T093000Z.db"));
        assert_eq!(done, Upgrade { migrations: 1, copy: Some(copy.clone()) });
        assert_eq!(count_students(&db), 0, "the migration of this test deletes everybody");
        assert!(matches!(Db::open(&file.url()), Err(DbError::Newer { version }) if version == "9000"));
        // The copy is a whole database of the version before: this very program works with it.
        let before = Db::open(copy.to_str().unwrap()).unwrap();
        before.require_current().unwrap();
        assert_eq!(count_students(&before), 1);
        let left: Vec<_> = std::fs::read_dir(copy.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        let name = copy.file_name().unwrap().to_string_lossy().into_owned();
        assert!(left.iter().all(|n| n.to_string_lossy().starts_with(&name)), "{left:?}");
    }

    #[test]
    fn what_needs_no_upgrade_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (_file, db) = with_a_student();
        assert_eq!(upgrade(&db, &into(folder.path())).unwrap(), Upgrade { migrations: 0, copy: None });
        let empty = TempSqlite::new();
        let fresh = Db::create(&empty.url()).unwrap();
        assert!(fresh.is_fresh().unwrap() && !db.is_fresh().unwrap());
        assert_eq!(upgrade_to_next(&fresh, &into(folder.path())).unwrap().copy, None);
        assert!(!folder.path().join("backups").exists());
    }

    #[test]
    fn without_its_copy_nothing_is_changed() {
        let (_file, db) = with_a_student();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("backups"), "a file where the folder should be").unwrap();
        let error = upgrade_to_next(&db, &into(folder.path())).unwrap_err();
        assert!(matches!(error, DbError::BackupFailed { .. }), "{error:?}");
        assert_eq!(count_students(&db), 1);
        assert_eq!(db.schema_state().unwrap(), SchemaState::Current);
        assert_eq!(upgrade_to_next(&db, &Backup::MadeElsewhere).unwrap(), Upgrade { migrations: 1, copy: None });
    }

    #[test]
    fn a_postgres_database_is_upgraded_only_with_a_backup_of_its_own() {
        let server = Server::shared();
        let db = Db::open(&server.new_database()).unwrap();
        db.migrate().unwrap();
        db.run_blocking(|conn| student(conn, "P1")).unwrap();
        let error = upgrade_to_next(&db, &into(Path::new("/nowhere"))).unwrap_err();
        assert!(error.to_string().contains("pg_dump") && error.to_string().contains("--i-have-a-backup"), "{error}");
        assert_eq!(count_students(&db), 1);
        assert_eq!(upgrade_to_next(&db, &Backup::MadeElsewhere).unwrap().migrations, 1);
    }

    #[test]
    fn a_newer_database_is_refused_when_opened() {
        let file = TempSqlite::new();
        Db::create(&file.url()).unwrap().migrate().unwrap();
        Db::open(&file.url()).unwrap().run_blocking(add_future_migration).unwrap();
        assert!(matches!(Db::open(&file.url()), Err(DbError::Newer { .. })));
        assert!(matches!(Db::create(&file.url()), Err(DbError::Newer { .. })));
    }

    #[test]
    fn an_empty_database_has_everything_pending_and_is_not_current() {
        let file = TempSqlite::new();
        let db = Db::create(&file.url()).unwrap();
        assert_eq!(db.schema_state().unwrap(), SchemaState::Pending(all()));
        assert!(matches!(db.require_current(), Err(DbError::Outdated { pending }) if pending == all()));
        assert_eq!(db.migrate().unwrap(), all());
        db.require_current().unwrap();
    }

    #[test]
    fn programs_migrating_at_the_same_time_do_it_once() {
        let file = TempSqlite::new();
        Db::create(&file.url()).unwrap();
        let done: usize = std::thread::scope(|scope| {
            let programs: Vec<_> =
                (0..4).map(|_| scope.spawn(|| Db::open(&file.url()).unwrap().migrate().unwrap())).collect();
            programs.into_iter().map(|program| program.join().unwrap()).sum()
        });
        assert_eq!(done, all());
    }

    /// How many migrations this program knows.
    fn all() -> usize {
        MigrationSource::<diesel::sqlite::Sqlite>::migrations(&SQLITE).unwrap().len()
    }
}
