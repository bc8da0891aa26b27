//! What a piece of work says to its database, and how the database goes about it.

use std::sync::{Arc, Mutex};

use diesel::connection::{Connection, InstrumentationEvent, SimpleConnection};

use super::plan;
use crate::db::{AnyConnection, DbError};

/// A statement as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    /// As the driver shows them.
    pub(crate) binds: Vec<String>,
}

/// Listens while `work` is done.
pub(crate) fn statements<T>(
    conn: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, DbError>,
) -> Result<(T, Vec<Statement>), DbError> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            ear.lock().unwrap().push(Statement::read(&query.to_string()));
        }
    });
    let done = work(conn);
    conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    Ok((done?, heard))
}

impl Statement {
    /// From the form in which diesel shows a query. Holds for texts without a comma in them.
    fn read(shown: &str) -> Self {
        let (sql, binds) = shown.split_once(" -- binds: ").unwrap_or((shown, "[]"));
        let (mut values, mut depth) = (vec![String::new()], 0);
        let inner = binds.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        for c in inner.unwrap_or_default().chars() {
            depth += i32::from(c == '[') - i32::from(c == ']');
            match c {
                ',' if depth == 0 => values.push(String::new()),
                '"' => {}
                '[' => values.last_mut().unwrap().push('{'),
                ']' => values.last_mut().unwrap().push('}'),
                c => values.last_mut().unwrap().push(c),
            }
        }
        let binds = values.iter().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect();
        Self { sql: sql.to_owned(), binds }
    }

    pub(crate) fn is_of(&self, table: &str) -> bool {
        self.sql.contains(table)
    }

    /// What the database would do, one step a line. Postgres does it, too, and tells rows and pages; it plans for any values,
    /// as it does for a statement that comes again and again.
    pub(crate) fn plan(&self, conn: &mut AnyConnection) -> Result<String, DbError> {
        if matches!(conn, AnyConnection::Sqlite(_)) {
            return plan(conn, &self.sql);
        }
        let literal = |value: &String| match value.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')) {
            Some(value) => format!("'{value}'"),
            None if value == "None" => "NULL".to_owned(),
            None => format!("'{value}'"),
        };
        let values: Vec<String> = self.binds.iter().map(literal).collect();
        let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        conn.batch_execute(&format!("SET plan_cache_mode = force_generic_plan; PREPARE heard AS {}", self.sql))?;
        let plan = plan(conn, &format!("(ANALYZE, BUFFERS) EXECUTE heard{values}"));
        conn.batch_execute("DEALLOCATE heard; RESET plan_cache_mode")?;
        plan
    }
}

/// The most that a step of a plan with figures has touched: rows that one step gave, and pages that all have read.
pub(crate) fn touched(plan: &str) -> (f64, f64) {
    let after = |line: &str, word: &str| -> Option<f64> {
        let rest = &line[line.find(word)? + word.len()..];
        rest.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?.parse().ok()
    };
    let mut most = (0.0_f64, 0.0_f64);
    for line in plan.lines() {
        if let Some((_, actual)) = line.split_once("(actual ") {
            let rows = after(actual, "rows=").unwrap_or(0.0) * after(actual, "loops=").unwrap_or(1.0);
            most.0 = most.0.max(rows);
        }
        if let Some((_, shared)) = line.split_once("Buffers: shared") {
            most.1 = most.1.max(after(shared, "hit=").unwrap_or(0.0) + after(shared, "read=").unwrap_or(0.0));
        }
        if let Some(removed) = after(line, "Rows Removed by Filter: ") {
            most.0 = most.0.max(removed);
        }
    }
    most
}
