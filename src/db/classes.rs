//! Classes: name and section of one term. Names are kept as written and compared without case and outer blanks.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::column::key;
use super::connection::each_backend;
use super::error::OrNotFound;
use super::page::{Listed, Page, containing};
use super::schema::classes;
use super::{AnyConnection, DbError};
use crate::domain::ids::ClassId;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = classes)]
pub struct ClassRow {
    pub id: ClassId,
    pub name: String,
    /// Empty for a class without sections.
    pub section: String,
    pub term: String,
    pub created_at: NaiveDateTime,
    /// UTC; there while the class is in pilot: sessions made then do not count.
    pub pilot_since: Option<NaiveDateTime>,
}

#[derive(Insertable)]
#[diesel(table_name = classes)]
struct NewClass<'a> {
    name: &'a str,
    section: &'a str,
    term: &'a str,
    name_key: String,
    section_key: String,
    term_key: String,
    created_at: NaiveDateTime,
}

/// The class with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: ClassId) -> Result<ClassRow, DbError> {
    classes::table.find(id).select(ClassRow::as_select()).first(conn).or_not_found("the class")
}

/// Until the end of the caller's transaction nobody else locks this class, or gets a session of it by
/// [`sessions::lock`](super::sessions::lock). On SQLite a [`transaction`](super::transaction) is alone already.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn lock(conn: &mut AnyConnection, id: ClassId) -> Result<(), DbError> {
    let class = classes::table.find(id);
    let found: QueryResult<ClassId> = match conn {
        AnyConnection::Sqlite(sqlite) => class.select(classes::id).first(sqlite),
        AnyConnection::Postgres(postgres) => class.for_no_key_update().select(classes::id).first(postgres),
    };
    found.map(drop).or_not_found("the class")
}

/// The class of that name, section and term, if there is one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find(conn: &mut AnyConnection, name: &str, section: &str, term: &str) -> Result<Option<ClassRow>, DbError> {
    let row = classes::table
        .filter(classes::term_key.eq(key(term)))
        .filter(classes::name_key.eq(key(name)))
        .filter(classes::section_key.eq(key(section)))
        .select(ClassRow::as_select())
        .first(conn)
        .optional()?;
    Ok(row)
}

/// [`find`], or else a new class written as given (without outer blanks).
///
/// # Errors
/// [`DbError::Rule`] for an empty name.
pub fn find_or_insert(
    conn: &mut AnyConnection,
    name: &str,
    section: &str,
    term: &str,
    now: NaiveDateTime,
) -> Result<ClassRow, DbError> {
    if let Some(row) = find(conn, name, section, term)? {
        return Ok(row);
    }
    let new = NewClass {
        name: name.trim(),
        section: section.trim(),
        term: term.trim(),
        name_key: key(name),
        section_key: key(section),
        term_key: key(term),
        created_at: now,
    };
    let insert = diesel::insert_into(classes::table).values(&new);
    each_backend!(conn, c => insert.on_conflict_do_nothing().execute(c))?;
    find(conn, name, section, term)?.ok_or(DbError::NotFound { what: "the class" })
}

/// Begins (`Some`, UTC) or ends the pilot of a class. Sessions stay what they were made as.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn set_pilot(conn: &mut AnyConnection, id: ClassId, since: Option<NaiveDateTime>) -> Result<(), DbError> {
    diesel::update(classes::table.find(id)).set(classes::pilot_since.eq(since)).execute(conn)?.or_not_found("the class")
}

/// All classes, of one term or of all, ordered by term, name and section.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection, term: Option<&str>) -> Result<Vec<ClassRow>, DbError> {
    let mut query = classes::table.select(ClassRow::as_select()).into_boxed();
    if let Some(term) = term {
        query = query.filter(classes::term_key.eq(key(term)));
    }
    Ok(query.order((classes::term_key, classes::name_key, classes::section_key)).load(conn)?)
}

/// Which classes are listed; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct ClassFilter {
    /// A part of the name or section.
    pub search: Option<String>,
    pub term: Option<String>,
    pub among: Option<Vec<ClassId>>,
}

/// One page of the classes, ordered by term, name and section.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn page(conn: &mut AnyConnection, filter: &ClassFilter, page: Page) -> Result<Listed<ClassRow>, DbError> {
    let wanted = || {
        let mut query = classes::table.into_boxed();
        if let Some(term) = &filter.term {
            query = query.filter(classes::term_key.eq(key(term)));
        }
        if let Some(part) = &filter.search {
            let part = containing(&key(part));
            let (name, section) = (classes::name_key.like(part.clone()), classes::section_key.like(part));
            query = query.filter(name.escape('\\').or(section.escape('\\')));
        }
        if let Some(among) = &filter.among {
            query = query.filter(classes::id.eq_any(among.iter().map(|id| id.0).collect::<Vec<_>>()));
        }
        query
    };
    let total = wanted().count().get_result(conn)?;
    let query = wanted().order((classes::term_key, classes::name_key, classes::section_key));
    let rows = query.limit(page.sql_limit()).offset(page.sql_offset()).select(ClassRow::as_select()).load(conn)?;
    Ok(Listed::new(rows, total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::sessions;
    use crate::db::testing::{at, class, new_session, on_each_database};

    on_each_database! {
        fn names_are_kept_as_written_and_compared_without_case(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let first = find_or_insert(conn, "10th Grade", " A ", "2025-26", at("2025-07-01 08:00:00"))?;
                let again = find_or_insert(conn, " 10TH grade", "a", "2025-26", at("2025-07-02 08:00:00"))?;
                assert_eq!(first, again);
                assert_eq!((first.name.as_str(), first.section.as_str()), ("10th Grade", "A"));
                assert_eq!(find(conn, "10th grade", "A", "2025-26")?.as_ref(), Some(&first));
                assert_eq!(get(conn, first.id)?, first);
                // Not only ASCII letters have a case.
                let first = find_or_insert(conn, "École", "Ü", "2025-26", at("2025-07-01 08:00:00"))?;
                assert_eq!(find(conn, "éCOLE", "ü", "2025-26")?, Some(first));
                Ok(())
            }).unwrap();
        }

        fn the_same_name_in_another_term_or_section_is_another_class(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let now = at("2025-07-01 08:00:00");
                let all = [("9", "B", "2025"), ("9", "A", "2025"), ("9", "A", "2024"), ("10", "", "2025")];
                for (name, section, term) in all {
                    find_or_insert(conn, name, section, term, now)?;
                }
                let names = |rows: Vec<ClassRow>| {
                    rows.into_iter().map(|row| format!("{} {}{}", row.term, row.name, row.section)).collect::<Vec<_>>()
                };
                assert_eq!(names(list(conn, None)?), ["2024 9A", "2025 10", "2025 9A", "2025 9B"]);
                assert_eq!(names(list(conn, Some("2024"))?), ["2024 9A"]);
                assert_eq!(find(conn, "9", "C", "2025")?, None);
                Ok(())
            }).unwrap();
        }

        fn a_session_is_of_the_pilot_for_good_when_it_was_made_in_one(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let made = |conn: &mut AnyConnection, starts_at: &str| {
                    sessions::find_or_insert(conn, &new_session(class, starts_at)).map(|row| (row.id, row.pilot))
                };
                let (before, counts) = made(conn, "2025-09-01 03:30:00")?;
                assert!(!counts);
                let since = at("2025-09-01 12:00:00");
                set_pilot(conn, class, Some(since))?;
                assert_eq!(get(conn, class)?.pilot_since, Some(since));
                let (within, is_pilot) = made(conn, "2025-09-02 03:30:00")?;
                assert!(is_pilot);
                set_pilot(conn, class, None)?;
                assert_eq!(get(conn, class)?.pilot_since, None);
                assert_eq!(made(conn, "2025-09-02 03:30:00")?, (within, true), "found again, not made again");
                assert!(!made(conn, "2025-09-03 03:30:00")?.1);
                assert_eq!(sessions::count_pilots(conn)?, [(class, 1)]);
                assert!(!sessions::get(conn, before)?.pilot && sessions::get(conn, within)?.pilot);
                assert!(matches!(set_pilot(conn, ClassId(404), None), Err(DbError::NotFound { .. })));
                Ok(())
            }).unwrap();
        }

        fn a_class_needs_a_name(db) {
            let refused = db.run_blocking(|conn| find_or_insert(conn, " ", "A", "2025", at("2025-07-01 08:00:00")));
            assert!(matches!(refused, Err(DbError::Rule(_))), "{refused:?}");
        }
    }
}
