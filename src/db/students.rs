//! Students: one row per person, whatever classes they are in. Identity is the PRN.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::column::key;
use super::error::OrNotFound;
use super::page::{Listed, Page, containing};
use super::schema::{class_members, students};
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, StudentId};
use crate::domain::status::Consent;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = students)]
pub struct StudentRow {
    pub id: StudentId,
    pub prn: String,
    pub name: String,
    pub email: Option<String>,
    pub consent: Consent,
    /// When the consent was given or withdrawn.
    pub consent_at: Option<NaiveDateTime>,
    /// False for somebody who has left the school.
    pub active: bool,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = students)]
pub struct NewStudent {
    pub prn: String,
    pub name: String,
    pub email: Option<String>,
    pub consent: Consent,
    pub consent_at: Option<NaiveDateTime>,
    pub active: bool,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
}

/// What changes about a student; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = students)]
pub struct StudentChange {
    pub name: Option<String>,
    /// `Some(None)` removes the address.
    pub email: Option<Option<String>>,
    pub consent: Option<Consent>,
    pub consent_at: Option<Option<NaiveDateTime>>,
    pub active: Option<bool>,
    pub updated_at: NaiveDateTime,
}

impl StudentChange {
    /// Nothing but the time of the change; fill in the rest with `..`.
    pub const fn at(updated_at: NaiveDateTime) -> Self {
        Self { name: None, email: None, consent: None, consent_at: None, active: None, updated_at }
    }
}

/// The student with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: StudentId) -> Result<StudentRow, DbError> {
    students::table.find(id).select(StudentRow::as_select()).first(conn).or_not_found("the student")
}

/// [`get`], and until the end of the caller's transaction nobody else changes or gets this student by `lock`.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn lock(conn: &mut AnyConnection, id: StudentId) -> Result<StudentRow, DbError> {
    match conn {
        AnyConnection::Sqlite(sqlite) => students::table.find(id).select(StudentRow::as_select()).first(sqlite),
        AnyConnection::Postgres(postgres) => {
            students::table.find(id).for_no_key_update().select(StudentRow::as_select()).first(postgres)
        }
    }
    .or_not_found("the student")
}

/// The student with this PRN, if there is one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find_by_prn(conn: &mut AnyConnection, prn: &str) -> Result<Option<StudentRow>, DbError> {
    Ok(students::table.filter(students::prn.eq(prn)).select(StudentRow::as_select()).first(conn).optional()?)
}

/// A new student.
///
/// # Errors
/// [`DbError::Duplicate`] when the PRN is taken, [`DbError::Rule`] when it is empty.
pub fn insert(conn: &mut AnyConnection, new: &NewStudent) -> Result<StudentId, DbError> {
    Ok(diesel::insert_into(students::table).values(new).returning(students::id).get_result(conn)?)
}

/// Changes a student.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn update(conn: &mut AnyConnection, id: StudentId, change: &StudentChange) -> Result<(), DbError> {
    diesel::update(students::table.find(id)).set(change).execute(conn)?.or_not_found("the student")
}

/// Which students are listed; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct StudentFilter {
    /// A part of the name or PRN.
    pub search: Option<String>,
    /// Members of this class on a day.
    pub class: Option<(ClassId, NaiveDate)>,
    pub consent: Option<Consent>,
    pub active: Option<bool>,
    /// Whoever is or was in one of these classes.
    pub among: Option<Vec<ClassId>>,
}

/// One page of the students, by name and PRN.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn page(conn: &mut AnyConnection, filter: &StudentFilter, page: Page) -> Result<Listed<StudentRow>, DbError> {
    let wanted = || {
        let mut query = students::table.into_boxed();
        if let Some(part) = &filter.search {
            // SQLite lowers ASCII letters only, so other letters are looked for as they were typed, too.
            let (typed, lowered) = (containing(part.trim()), containing(&key(part)));
            let name = students::name
                .like(typed.clone())
                .escape('\\')
                .or(lower(students::name).like(lowered.clone()).escape('\\'));
            let prn = students::prn.like(typed).escape('\\').or(lower(students::prn).like(lowered).escape('\\'));
            query = query.filter(name.or(prn));
        }
        if let Some((class, day)) = filter.class {
            let members = class_members::table
                .filter(class_members::class_id.eq(class))
                .filter(class_members::valid_from.is_null().or(class_members::valid_from.le(day)))
                .filter(class_members::valid_to.is_null().or(class_members::valid_to.ge(day)));
            query = query.filter(students::id.eq_any(members.select(class_members::student_id)));
        }
        if let Some(consent) = filter.consent {
            query = query.filter(students::consent.eq(consent));
        }
        if let Some(active) = filter.active {
            query = query.filter(students::active.eq(active));
        }
        if let Some(among) = &filter.among {
            let among: Vec<i64> = among.iter().map(|class| class.0).collect();
            let members = class_members::table.filter(class_members::class_id.eq_any(among));
            query = query.filter(students::id.eq_any(members.select(class_members::student_id)));
        }
        query
    };
    let total = wanted().count().get_result(conn)?;
    let query = wanted().order((students::name, students::prn)).limit(page.sql_limit()).offset(page.sql_offset());
    Ok(Listed::new(query.select(StudentRow::as_select()).load(conn)?, total))
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// A text in small letters.
    fn lower(text: Text) -> Text;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{at, new_student, on_each_database};

    on_each_database! {
        fn a_student_reads_back_as_written(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let new = NewStudent {
                    email: Some("asha@school.example".into()),
                    consent_at: Some(at("2025-06-30 23:59:59.5")),
                    ..new_student("P1", Consent::Given)
                };
                let id = insert(conn, &new)?;
                let row = find_by_prn(conn, "P1")?.unwrap();
                assert_eq!(row, get(conn, id)?);
                assert_eq!((row.name, row.email, row.consent, row.active), (new.name, new.email, new.consent, true));
                assert_eq!((row.consent_at, row.created_at), (new.consent_at, new.created_at));
                assert_eq!(find_by_prn(conn, "P2")?, None);
                Ok(())
            }).unwrap();
        }

        fn a_second_student_with_the_same_prn_is_a_duplicate(db) {
            let error = db.run_blocking(|conn| {
                insert(conn, &new_student("P1", Consent::Unknown))?;
                insert(conn, &new_student("P1", Consent::Unknown))
            }).unwrap_err();
            assert!(matches!(error, DbError::Duplicate { .. }), "{error:?}");
            assert_eq!(error.to_string(), "a student with this PRN exists already");
        }

        fn an_update_changes_what_it_names_and_nothing_else(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let new = NewStudent { email: Some("a@b.example".into()), ..new_student("P1", Consent::Given) };
                let id = insert(conn, &new)?;
                let before = get(conn, id)?;
                let later = at("2025-09-01 10:00:00");
                let change = StudentChange {
                    consent: Some(Consent::Withdrawn),
                    consent_at: Some(Some(later)),
                    email: Some(None),
                    ..StudentChange::at(later)
                };
                update(conn, id, &change)?;
                let expected = StudentRow {
                    consent: Consent::Withdrawn,
                    consent_at: Some(later),
                    email: None,
                    updated_at: later,
                    ..before
                };
                assert_eq!(get(conn, id)?, expected);
                Ok(())
            }).unwrap();
        }

        fn an_unknown_student_is_not_found(db) {
            let missing = StudentId(404);
            let error = db.run_blocking(|conn| get(conn, missing)).unwrap_err();
            assert_eq!(error.to_string(), "the student is not in the database");
            let change = StudentChange::at(at("2025-09-01 10:00:00"));
            let error = db.run_blocking(|conn| update(conn, missing, &change)).unwrap_err();
            assert!(matches!(error, DbError::NotFound { .. }));
        }
    }
}
