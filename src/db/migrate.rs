//! Brings a database to the tables this program knows, and tells when it cannot. Migrations only go forward.

use diesel::backend::Backend;
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{AnyConnection, DbError, transaction};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// How the tables of a database compare with what this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    Current,
    /// So many migrations are to be run.
    Pending(usize),
    /// The newest migration that this program does not know.
    Newer(String),
}

/// Compares the database with the migrations in this program.
///
/// # Errors
/// [`DbError::Migration`] when the database does not answer.
pub(super) fn schema_state(conn: &mut AnyConnection) -> Result<SchemaState, DbError> {
    match conn {
        AnyConnection::Sqlite(sqlite) => compare(sqlite, SQLITE).map_err(failed),
        AnyConnection::Postgres(_) => transaction(conn, |conn| {
            lock(conn)?;
            let AnyConnection::Postgres(postgres) = conn else { unreachable!("a connection keeps its kind") };
            compare(postgres, POSTGRES).map_err(failed)
        }),
    }
}

/// Runs what is pending, all or nothing; a second program doing the same waits and finds nothing to do.
///
/// Returns how many migrations were run.
///
/// # Errors
/// [`DbError::Newer`] before anything is changed, [`DbError::Migration`] when one fails.
pub(super) fn migrate(conn: &mut AnyConnection) -> Result<usize, DbError> {
    transaction(conn, |conn| {
        lock(conn)?;
        if let SchemaState::Newer(version) = schema_state(conn)? {
            return Err(DbError::Newer { version });
        }
        match conn {
            AnyConnection::Sqlite(sqlite) => run(sqlite, SQLITE),
            AnyConnection::Postgres(postgres) => run(postgres, POSTGRES),
        }
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

type MigrationError = Box<dyn std::error::Error + Send + Sync>;

fn compare<C, DB>(conn: &mut C, source: EmbeddedMigrations) -> Result<SchemaState, MigrationError>
where
    DB: Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known = source.migrations()?;
    let known: Vec<MigrationVersion<'_>> = known.iter().map(|migration| migration.name().version()).collect();
    let applied = conn.applied_migrations()?;
    let newest_unknown = applied.iter().filter(|version| !known.contains(version)).max();
    Ok(match newest_unknown {
        Some(version) => SchemaState::Newer(version.to_string()),
        None if applied.len() == known.len() => SchemaState::Current,
        None => SchemaState::Pending(known.len() - applied.len()),
    })
}

fn run<C, DB>(conn: &mut C, source: EmbeddedMigrations) -> Result<usize, DbError>
where
    DB: Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    Ok(conn.run_pending_migrations(source).map_err(failed)?.len())
}

fn failed(error: MigrationError) -> DbError {
    DbError::Migration { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::db::Db;
    use crate::db::testing::{TempSqlite, on_each_database};

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
