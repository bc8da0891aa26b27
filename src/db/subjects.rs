//! Subjects: what is taught in a session.

use diesel::prelude::*;

use super::column::key;
use super::connection::each_backend;
use super::error::OrNotFound;
use super::schema::subjects;
use super::{AnyConnection, DbError};
use crate::domain::ids::SubjectId;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = subjects)]
pub struct SubjectRow {
    pub id: SubjectId,
    pub name: String,
}

/// The subject with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: SubjectId) -> Result<SubjectRow, DbError> {
    subjects::table.find(id).select(SubjectRow::as_select()).first(conn).or_not_found("the subject")
}

/// The subject of that name, compared without case and outer blanks, or else a new one.
///
/// # Errors
/// [`DbError::Rule`] for an empty name.
pub fn find_or_insert(conn: &mut AnyConnection, name: &str) -> Result<SubjectRow, DbError> {
    if let Some(row) = find(conn, name)? {
        return Ok(row);
    }
    let insert =
        diesel::insert_into(subjects::table).values((subjects::name.eq(name.trim()), subjects::name_key.eq(key(name))));
    each_backend!(conn, c => insert.on_conflict_do_nothing().execute(c))?;
    find(conn, name)?.ok_or(DbError::NotFound { what: "the subject" })
}

/// Writes a subject otherwise (without outer blanks). Its sessions stay its own, under the names that they have.
///
/// # Errors
/// [`DbError::NotFound`]; [`DbError::Duplicate`] when another is called so; [`DbError::Rule`] for an empty name.
pub fn rename(conn: &mut AnyConnection, id: SubjectId, name: &str) -> Result<(), DbError> {
    diesel::update(subjects::table.find(id))
        .set((subjects::name.eq(name.trim()), subjects::name_key.eq(key(name))))
        .execute(conn)?
        .or_not_found("the subject")
}

/// Deletes a subject. Sessions of it become sessions of none.
///
/// # Errors
/// [`DbError::NotFound`]; [`DbError::Reference`] while a timetable has it.
pub fn delete(conn: &mut AnyConnection, id: SubjectId) -> Result<(), DbError> {
    diesel::delete(subjects::table.find(id)).execute(conn)?.or_not_found("the subject")
}

/// All subjects, by name.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection) -> Result<Vec<SubjectRow>, DbError> {
    Ok(subjects::table.order(subjects::name_key).select(SubjectRow::as_select()).load(conn)?)
}

/// The subject of that name, if there is one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find(conn: &mut AnyConnection, name: &str) -> Result<Option<SubjectRow>, DbError> {
    Ok(subjects::table
        .filter(subjects::name_key.eq(key(name)))
        .select(SubjectRow::as_select())
        .first(conn)
        .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_each_database;

    on_each_database! {
        fn a_subject_is_found_again_whatever_its_case(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let maths = find_or_insert(conn, "Mathematics")?;
                assert_eq!(find_or_insert(conn, " mathematics ")?, maths);
                assert_ne!(find_or_insert(conn, "Physics")?.id, maths.id);
                assert_eq!(find(conn, "Chemistry")?, None);
                assert_eq!(get(conn, maths.id)?, maths);
                assert!(matches!(get(conn, SubjectId(404)), Err(DbError::NotFound { what: "the subject" })));
                Ok(())
            }).unwrap();
        }

        fn a_subject_is_renamed_unless_another_is_called_so(db) {
            let (maths, physics) = db.run_blocking::<_, DbError>(|conn| {
                let (maths, physics) = (find_or_insert(conn, "Mathematics")?, find_or_insert(conn, "Physics")?);
                rename(conn, maths.id, " Maths ")?;
                assert_eq!(find(conn, "maths")?, Some(SubjectRow { id: maths.id, name: "Maths".into() }));
                assert_eq!(find(conn, "Mathematics")?, None);
                delete(conn, maths.id)?;
                assert!(matches!(delete(conn, maths.id), Err(DbError::NotFound { what: "the subject" })));
                assert!(matches!(rename(conn, maths.id, "x"), Err(DbError::NotFound { what: "the subject" })));
                Ok((find_or_insert(conn, "Mathematics")?, physics))
            }).unwrap();
            let taken = db.run_blocking(move |conn| rename(conn, physics.id, &maths.name));
            assert!(matches!(taken, Err(DbError::Duplicate { .. })), "{taken:?}");
        }
    }
}
