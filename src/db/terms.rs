//! Terms whose days a school has set. A class names its term in words; a term that is not here has no days.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::column::key;
use super::connection::each_backend;
use super::schema::terms;
use super::{AnyConnection, DbError};

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = terms)]
pub struct TermRow {
    pub name: String,
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
}

/// Sets the days of a term, in place of those it has; names are compared without case and outer blanks.
///
/// # Errors
/// [`DbError::Rule`] for an empty name, or a last day before the first.
pub fn set(conn: &mut AnyConnection, term: &TermRow) -> Result<(), DbError> {
    let insert = diesel::insert_into(terms::table).values((
        terms::name.eq(term.name.trim()),
        terms::name_key.eq(key(&term.name)),
        terms::first_day.eq(term.first_day),
        terms::last_day.eq(term.last_day),
    ));
    let days = (terms::first_day.eq(term.first_day), terms::last_day.eq(term.last_day));
    each_backend!(conn, c => insert.on_conflict(terms::name_key).do_update().set(days).execute(c))?;
    Ok(())
}

/// All terms with days, in order of time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection) -> Result<Vec<TermRow>, DbError> {
    Ok(terms::table.order((terms::first_day, terms::name_key)).select(TermRow::as_select()).load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{day, on_each_database};

    on_each_database! {
        fn days_are_set_again_and_listed_in_order(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let term = |name: &str, first_day, last_day| {
                    TermRow { name: name.into(), first_day: day(first_day), last_day: day(last_day) }
                };
                set(conn, &term("2026-27", "2026-07-01", "2027-05-31"))?;
                set(conn, &term("Autumn", "2025-07-01", "2025-12-20"))?;
                set(conn, &term(" autumn", "2025-07-02", "2025-12-21"))?;
                let all = list(conn)?;
                assert_eq!(all[0], term("Autumn", "2025-07-02", "2025-12-21"));
                assert_eq!(all.len(), 2);
                let refused = set(conn, &term("x", "2025-07-02", "2025-07-01"));
                assert!(matches!(refused, Err(DbError::Rule(_))), "{refused:?}");
                Ok(())
            }).unwrap();
        }
    }
}
