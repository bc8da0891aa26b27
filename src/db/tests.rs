//! What the database promises as a whole: opening, transactions, several writers, and the schema's own rules.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use super::students;
use super::testing::{TempSqlite, new_student, on_each_database, plan};
use super::{AnyConnection, Db, DbError, transaction};
use crate::domain::status::Consent;

/// The error of a caller above `db`.
#[derive(Debug, PartialEq, Eq)]
enum AppError {
    Refused,
    Db(String),
}

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        Self::Db(error.to_string())
    }
}

fn insert(conn: &mut AnyConnection, prn: &str) -> Result<(), DbError> {
    students::insert(conn, &new_student(prn, Consent::Unknown)).map(|_| ())
}

fn exists(db: &Db, prn: &str) -> bool {
    db.run_blocking(|conn| students::find_by_prn(conn, prn)).unwrap().is_some()
}

fn count_students(db: &Db) -> i64 {
    db.run_blocking::<i64, DbError>(|conn| Ok(super::schema::students::table.count().get_result(conn)?)).unwrap()
}

on_each_database! {
    fn a_transaction_is_all_or_nothing_and_keeps_the_callers_error(db) {
        let result = db.run_blocking(|conn| transaction(conn, |conn| {
            insert(conn, "P1")?;
            Err::<(), _>(AppError::Refused)
        }));
        assert_eq!(result, Err(AppError::Refused));
        assert!(!exists(db, "P1"));
        db.run_blocking(|conn| transaction(conn, |conn| insert(conn, "P1"))).unwrap();
        assert!(exists(db, "P1"));
    }

    fn an_inner_transaction_may_fail_alone(db) {
        db.run_blocking(|conn| transaction(conn, |conn| {
            insert(conn, "P1")?;
            let inner = transaction(conn, |conn| {
                insert(conn, "P2")?;
                insert(conn, "P1")
            });
            assert!(matches!(inner, Err(DbError::Duplicate { .. })), "{inner:?}");
            insert(conn, "P3")
        })).unwrap();
        assert_eq!(["P1", "P2", "P3"].map(|prn| exists(db, prn)), [true, false, true]);
    }

    fn a_panic_in_a_transaction_leaves_nothing_and_blocks_nobody(db) {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            db.run_blocking::<(), DbError>(|conn| transaction(conn, |conn| {
                insert(conn, "P1")?;
                panic!("a bug in the caller")
            }))
        }));
        assert!(panicked.is_err());
        db.run_blocking(|conn| transaction(conn, |conn| insert(conn, "P2"))).unwrap();
        assert_eq!(["P1", "P2"].map(|prn| exists(db, prn)), [false, true]);
    }

    fn writers_at_the_same_time_lose_nothing(db) {
        const WRITERS: usize = 4;
        const EACH: usize = 25;
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                scope.spawn(move || for i in 0..EACH {
                    // Reads first and then writes: begun as a mere reader, this would be refused instead of waiting.
                    db.run_blocking(|conn| transaction(conn, |conn| {
                        let prn = format!("{writer}-{i}");
                        assert_eq!(students::find_by_prn(conn, &prn)?, None);
                        insert(conn, &prn)
                    })).unwrap();
                });
            }
        });
        assert_eq!(count_students(db), (WRITERS * EACH) as i64);
    }

    fn async_callers_get_values_errors_and_panics(db) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            db.transaction(|conn| insert(conn, "P1")).await.unwrap();
            assert!(db.run(|conn| students::find_by_prn(conn, "P1")).await.unwrap().is_some());
            let refused = db.transaction(|conn| {
                insert(conn, "P2")?;
                Err::<(), _>(AppError::Refused)
            }).await;
            assert_eq!(refused, Err(AppError::Refused));
            let db = db.clone();
            let buggy = async move { db.run(|_| -> Result<(), DbError> { panic!("a bug") }).await };
            let panicked = tokio::spawn(buggy).await;
            assert!(panicked.unwrap_err().is_panic());
        });
        assert!(!exists(db, "P2"));
    }
}

#[test]
fn opening_creates_nothing_and_says_what_does() {
    let file = TempSqlite::new();
    let error = Db::open(&file.url()).unwrap_err();
    assert!(matches!(error, DbError::Missing { .. }), "{error:?}");
    assert!(error.to_string().contains("`rollcall init` makes one"), "{error}");
    assert!(matches!(Db::open(&file.url()), Err(DbError::Missing { .. })), "the first attempt left no file");
    Db::create(&file.url()).unwrap();
    Db::open(&file.url()).unwrap();
}

#[test]
fn what_is_not_a_database_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "This is a text that is long enough to be taken for the head of a database file.".repeat(20))
        .unwrap();
    let error = Db::open(file.to_str().unwrap()).unwrap_err();
    assert!(matches!(error, DbError::Unopenable { .. }), "{error:?}");
    let in_no_folder = Db::create("sqlite:/nowhere/at/all.db").unwrap_err();
    assert!(matches!(in_no_folder, DbError::Unopenable { .. }), "{in_no_folder:?}");
}

#[test]
fn every_pooled_sqlite_connection_has_its_pragmas() {
    #[derive(QueryableByName)]
    struct Pragmas {
        #[diesel(sql_type = Text)]
        journal_mode: String,
        #[diesel(sql_type = Integer)]
        foreign_keys: i32,
        #[diesel(sql_type = Integer)]
        timeout: i32,
        #[diesel(sql_type = Integer)]
        synchronous: i32,
    }
    let file = TempSqlite::new();
    let db = Db::create(&file.url()).unwrap();
    // Held together, so that each is another connection.
    let mut connections: Vec<_> = (0..super::POOL_SIZE).map(|_| db.pool.get().unwrap()).collect();
    for conn in &mut connections {
        let pragmas: Pragmas = diesel::sql_query(
            "SELECT * FROM pragma_journal_mode, pragma_foreign_keys, pragma_busy_timeout, pragma_synchronous",
        )
        .get_result(&mut **conn)
        .unwrap();
        assert_eq!(pragmas.journal_mode, "wal");
        assert_eq!((pragmas.foreign_keys, pragmas.timeout), (1, 10_000));
        assert_eq!(pragmas.synchronous, 1, "NORMAL");
    }
}

#[test]
fn every_foreign_key_has_an_index_that_starts_with_it() {
    #[derive(Debug, QueryableByName)]
    struct ForeignKey {
        #[diesel(sql_type = Text)]
        column: String,
        #[diesel(sql_type = BigInt)]
        indexes: i64,
    }
    let file = TempSqlite::new();
    let db = Db::create(&file.url()).unwrap();
    db.migrate().unwrap();
    // A partial index does not count: it cannot serve a look-up by the key alone.
    let keys: Vec<ForeignKey> = db
        .run_blocking::<_, DbError>(|conn| {
            Ok(diesel::sql_query(
                "SELECT t.name || '.' || k.\"from\" AS column, \
                    (SELECT count(*) FROM pragma_index_list(t.name) i, pragma_index_info(i.name) c \
                     WHERE i.partial = 0 AND c.seqno = 0 AND c.name = k.\"from\") AS indexes \
                 FROM sqlite_schema t, pragma_foreign_key_list(t.name) k WHERE t.type = 'table'",
            )
            .load(conn)?)
        })
        .unwrap();
    assert_eq!(keys.len(), 31, "{keys:?}");
    for key in keys {
        assert!(key.indexes > 0, "{} has no index", key.column);
    }
}

/// The migrations differ only where the databases have no common word.
#[test]
fn the_migrations_of_both_databases_say_the_same() {
    // Longer ones first. What stands on the right is Postgres' own word or nothing.
    const WORDS: &[(&str, &str)] = &[
        ("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
        (") STRICT;", ");"),
        ("INTEGER NOT NULL CHECK (active IN (0, 1))", "BOOLEAN NOT NULL"),
        ("INTEGER NOT NULL DEFAULT 0 CHECK (pilot IN (0, 1))", "BOOLEAN NOT NULL DEFAULT FALSE"),
        ("'0001-01-01'", "DATE '0001-01-01'"),
        ("BLOB", "BYTEA"),
    ];
    let folder = |database: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let names = |database: &str| -> std::collections::BTreeSet<_> {
        std::fs::read_dir(folder(database)).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
    let all = |database: &str| -> String {
        let up = |name| std::fs::read_to_string(folder(database).join(name).join("up.sql")).unwrap();
        names(database).into_iter().map(up).collect()
    };
    let (sqlite, postgres) = (all("sqlite"), all("postgres"));
    let statements = |sql: &str| -> Vec<String> {
        let lines = sql.lines().filter(|line| !line.starts_with("--") && !line.is_empty());
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let (sqlite, postgres) = (statements(&sqlite), statements(&postgres));
    assert_eq!(sqlite.len(), postgres.len());
    for (sqlite, postgres) in sqlite.iter().zip(&postgres) {
        let mut expected = WORDS.iter().fold(sqlite.clone(), |line, (from, to)| line.replace(from, to));
        if let Some((_, rest)) = expected.split_once("json_valid(") {
            let (column, _) = rest.split_once(')').unwrap();
            expected = expected.replace(&format!("json_valid({column})"), &format!("{column}::json IS NOT NULL"));
        }
        let mut found = postgres.replace(" COLLATE \"C\"", "");
        // A column's type: what SQLite calls TEXT may be a time or a date, and its numbers have one width.
        for (wide, narrow) in
            [("TIMESTAMP", "TEXT"), (" DATE,", " TEXT,"), (" DATE NOT", " TEXT NOT"), ("DOUBLE PRECISION", "REAL")]
        {
            if !sqlite.contains("0001-01-01") && expected.contains(narrow.trim()) {
                found = found.replace(wide, narrow);
            }
        }
        if sqlite.contains("INTEGER") && !sqlite.contains("AUTOINCREMENT") {
            found = found.replace("BIGINT", "INTEGER");
        }
        assert_eq!(found, expected);
    }
}

/// Foreign keys as the database itself lists them.
#[derive(Debug, QueryableByName)]
struct ForeignKey {
    #[diesel(sql_type = Text)]
    of_table: String,
    #[diesel(sql_type = Text)]
    of_column: String,
}

fn foreign_keys(conn: &mut AnyConnection) -> Result<Vec<ForeignKey>, DbError> {
    Ok(match conn {
        AnyConnection::Sqlite(sqlite) => diesel::sql_query(
            "SELECT m.name AS of_table, k.\"from\" AS of_column FROM sqlite_master m, pragma_foreign_key_list(m.name) k \
             WHERE m.type = 'table'",
        )
        .load(sqlite)?,
        AnyConnection::Postgres(server) => diesel::sql_query(
            "SELECT k.conrelid::regclass::text AS of_table, a.attname::text AS of_column FROM pg_constraint k \
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] WHERE k.contype = 'f'",
        )
        .load(server)?,
    })
}

on_each_database! {
    fn what_refers_to_a_deleted_row_is_found_by_an_index(db) {
        db.run_blocking::<_, DbError>(|conn| {
            let keys = foreign_keys(conn)?;
            assert!(keys.len() >= 12, "{keys:?}");
            if matches!(conn, AnyConnection::Postgres(_)) {
                // Small tables are read whole; the question is whether a large one would have to be.
                conn.batch_execute("SET enable_seqscan = off")?;
            }
            for ForeignKey { of_table, of_column } in keys {
                let plan = plan(conn, &format!("SELECT 1 FROM {of_table} WHERE {of_column} = 1"))?;
                let by_index = plan.contains(&format!("({of_column}=?")) || plan.contains(&format!("Index Cond: ({of_column} ="));
                assert!(by_index, "{of_table}.{of_column}\n{plan}");
            }
            Ok(())
        }).unwrap();
    }
}

#[test]
fn errors_for_users_hold_no_sql() {
    let file = TempSqlite::new();
    let db = Db::create(&file.url()).unwrap();
    let error = db.run_blocking(|conn| insert(conn, "P1")).unwrap_err();
    assert!(matches!(error, DbError::Query(_)), "{error:?}");
    assert_eq!(error.to_string(), "the database failed", "the table's name is for the log");
    let error = db.run_blocking::<(), DbError>(|conn| Ok(conn.batch_execute("SELEKT 1")?)).unwrap_err();
    assert!(!error.to_string().contains("SELEKT"));
}
