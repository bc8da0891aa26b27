//! A database that an older program left, brought up to date with the program's own command.

use std::fs;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::support::{School, repository};

/// The change that every database begins with.
const FIRST: &str = "0001";

/// A school whose tables are those of the very first program, with a student in them.
fn of_the_first_program() -> School {
    let school = School::empty();
    for file in ["rollcall.db", "rollcall.db-wal", "rollcall.db-shm"] {
        let _ = fs::remove_file(school.path().join(file));
    }
    let database = school.path().join("rollcall.db");
    let mut conn = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    conn.batch_execute(include_str!("../../migrations/sqlite/0001_core/up.sql")).unwrap();
    conn.batch_execute(&format!(
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL,
             run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
         INSERT INTO __diesel_schema_migrations (version) VALUES ('{FIRST}');
         INSERT INTO students (prn, name, consent, active, created_at, updated_at)
             VALUES ('P1', 'Ann Lee', 'unknown', 1, '2026-06-01 00:00:00', '2026-06-01 00:00:00');"
    ))
    .unwrap();
    school
}

#[test]
fn an_older_database_is_copied_and_then_brought_up_to_date() {
    let school = of_the_first_program();
    let changes = fs::read_dir(repository().join("migrations/sqlite")).unwrap().count() - 1;
    if changes > 0 {
        // No command works on it, and none migrates it by the way.
        for command in [&["init"][..], &["roster", "import", "any.csv"]] {
            let refused = school.run(command).expect(1);
            assert!(refused.err.contains("rollcall admin migrate"), "{refused:?}");
        }
    }
    let done = school.run(&["--json", "admin", "migrate"]).expect(0).json();
    assert_eq!(done["changes"], changes);
    match done["backup"].as_str() {
        None => assert_eq!(changes, 0, "a change without a copy of what was before"),
        Some(copy) => {
            let name = format!("rollcall-{FIRST}-");
            assert!(changes > 0 && copy.contains(&name), "{copy}");
            let mut copy = SqliteConnection::establish(copy).unwrap();
            copy.batch_execute("UPDATE students SET name = name || '' WHERE prn = 'P1'").unwrap();
        }
    }
    assert_eq!(school.path().join("backups").exists(), changes > 0);
    let again = school.run(&["admin", "migrate"]).expect(0);
    assert_eq!(again.out.trim(), "up to date");
    school.run(&["init"]).expect(0);
}
