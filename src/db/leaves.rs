//! Leaves: days on which a student is excused beforehand, with or without a document.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

use super::error::OrNotFound;
use super::photos::ObjectRow;
use super::schema::{class_members, leaves};
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, LeaveId, StudentId};
use crate::domain::leave::{Leave, LeaveKind};

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = leaves)]
pub struct LeaveRow {
    pub id: LeaveId,
    pub student_id: StudentId,
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
    pub kind: LeaveKind,
    pub remark: Option<String>,
    /// All four or none.
    pub document_key: Option<String>,
    /// As the file was called.
    pub document_name: Option<String>,
    pub document_sha256: Option<String>,
    pub document_bytes: Option<i64>,
    /// The name at that time.
    pub created_by: String,
    pub created_at: NaiveDateTime,
}

impl LeaveRow {
    /// When and why.
    pub const fn leave(&self) -> Leave {
        Leave { kind: self.kind, first: self.first_day, last: self.last_day }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = leaves)]
pub struct NewLeave {
    pub student_id: StudentId,
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
    pub kind: LeaveKind,
    pub remark: Option<String>,
    pub created_by: String,
    pub created_at: NaiveDateTime,
}

/// What is known of a document that lies in the store.
#[derive(Debug, Clone, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = leaves)]
pub struct StoredDocument {
    pub document_key: String,
    pub document_name: String,
    pub document_sha256: String,
    pub document_bytes: i64,
}

/// # Errors
/// [`DbError::Reference`] for an unknown student, [`DbError::Rule`] when the last day is before the first.
pub fn insert(conn: &mut AnyConnection, new: &NewLeave) -> Result<LeaveRow, DbError> {
    let id: LeaveId = diesel::insert_into(leaves::table).values(new).returning(leaves::id).get_result(conn)?;
    get(conn, id)
}

/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: LeaveId) -> Result<LeaveRow, DbError> {
    leaves::table.find(id).select(LeaveRow::as_select()).first(conn).or_not_found("the leave")
}

/// # Errors
/// [`DbError::NotFound`].
pub fn delete(conn: &mut AnyConnection, id: LeaveId) -> Result<(), DbError> {
    diesel::delete(leaves::table.find(id)).execute(conn)?.or_not_found("the leave")
}

/// # Errors
/// [`DbError::NotFound`].
pub fn set_document(conn: &mut AnyConnection, id: LeaveId, document: &StoredDocument) -> Result<(), DbError> {
    diesel::update(leaves::table.find(id)).set(document).execute(conn)?.or_not_found("the leave")
}

/// The leaves of a student, in order of time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_student(conn: &mut AnyConnection, student: StudentId) -> Result<Vec<LeaveRow>, DbError> {
    Ok(leaves::table
        .filter(leaves::student_id.eq(student))
        .order((leaves::first_day, leaves::id))
        .select(LeaveRow::as_select())
        .load(conn)?)
}

/// The leaves of these students on some day from `first` to `last`, in order of time. Name some hundred students at most.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_students(
    conn: &mut AnyConnection,
    students: &[StudentId],
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Vec<LeaveRow>, DbError> {
    Ok(leaves::table
        .filter(leaves::student_id.eq_any(students.iter().map(|id| id.0).collect::<Vec<_>>()))
        .filter(leaves::first_day.le(last))
        .filter(leaves::last_day.ge(first))
        .order((leaves::first_day, leaves::id))
        .select(LeaveRow::as_select())
        .load(conn)?)
}

/// The leaves of everybody who was ever in a class, as [`of_students`].
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_class(
    conn: &mut AnyConnection,
    class: ClassId,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Vec<LeaveRow>, DbError> {
    let students = class_members::table.filter(class_members::class_id.eq(class)).select(class_members::student_id);
    Ok(leaves::table
        .filter(leaves::student_id.eq_any(students))
        .filter(leaves::first_day.le(last))
        .filter(leaves::last_day.ge(first))
        .order((leaves::first_day, leaves::id))
        .select(LeaveRow::as_select())
        .load(conn)?)
}

/// The first `count` documents after this id.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn objects(conn: &mut AnyConnection, after: i64, count: usize) -> Result<Vec<ObjectRow>, DbError> {
    Ok(leaves::table
        .filter(leaves::id.gt(LeaveId(after)))
        .filter(leaves::document_key.is_not_null())
        .order(leaves::id)
        .limit(count as i64)
        .select((leaves::id, leaves::document_key.assume_not_null(), leaves::document_sha256.assume_not_null()))
        .load::<(LeaveId, String, String)>(conn)?
        .into_iter()
        .map(|(id, object_key, sha256)| ObjectRow { id: id.0, object_key, sha256 })
        .collect())
}

/// Those of `keys` that a leave names. Ask for some hundreds at a time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn named(conn: &mut AnyConnection, keys: &[String]) -> Result<Vec<String>, DbError> {
    Ok(leaves::table
        .filter(leaves::document_key.eq_any(keys))
        .select(leaves::document_key.assume_not_null())
        .load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::members;
    use crate::db::testing::{at, class, day, new_member, on_each_database, sha256, student};

    fn new_leave(student_id: StudentId, first: &str, last: &str) -> NewLeave {
        let (first_day, last_day, created_at) = (day(first), day(last), at("2025-09-01 08:00:00"));
        let (kind, remark, created_by) = (LeaveKind::Sick, Some("flu".into()), "ann".into());
        NewLeave { student_id, first_day, last_day, kind, remark, created_by, created_at }
    }

    fn document(key: &str) -> StoredDocument {
        let document_sha256 = sha256(1);
        let (document_key, document_name, document_bytes) = (key.into(), "note.pdf".into(), 12);
        StoredDocument { document_key, document_name, document_sha256, document_bytes }
    }

    on_each_database! {
        fn leaves_are_found_by_student_class_and_days(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (asha, ravi) = (student(conn, "P1")?, student(conn, "P2")?);
                let nine = class(conn, "9")?;
                members::insert(conn, &new_member(nine, asha, "1"))?;
                let second = insert(conn, &new_leave(asha, "2025-09-08", "2025-09-10"))?;
                let first = insert(conn, &new_leave(asha, "2025-09-01", "2025-09-01"))?;
                insert(conn, &new_leave(ravi, "2025-09-01", "2025-09-30"))?;
                assert_eq!((first.kind, first.remark.as_deref(), &first.document_key), (LeaveKind::Sick, Some("flu"), &None));
                let all = [first.clone(), second.clone()];
                assert_eq!(of_student(conn, asha)?, all);
                assert_eq!(of_class(conn, nine, (day("2025-09-01"), day("2025-09-08")))?, all);
                assert_eq!(of_class(conn, nine, (day("2025-09-02"), day("2025-09-07")))?, []);
                assert_eq!(of_students(conn, &[asha], (day("2025-09-10"), day("2025-09-11")))?, std::slice::from_ref(&second));
                assert_eq!(of_students(conn, &[asha, ravi], (day("2025-09-01"), day("2025-09-01")))?.len(), 2);
                delete(conn, second.id)?;
                assert!(matches!(delete(conn, second.id), Err(DbError::NotFound { what: "the leave" })));
                Ok(())
            }).unwrap();
        }

        fn documents_are_told_page_by_page_and_found_by_their_keys(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let asha = student(conn, "P1")?;
                let first = insert(conn, &new_leave(asha, "2025-09-01", "2025-09-01"))?.id;
                insert(conn, &new_leave(asha, "2025-09-02", "2025-09-02"))?;
                let third = insert(conn, &new_leave(asha, "2025-09-03", "2025-09-03"))?.id;
                set_document(conn, first, &document("leaves/1/a.pdf"))?;
                set_document(conn, third, &document("leaves/3/a.pdf"))?;
                let page = objects(conn, 0, 1)?;
                assert_eq!((page.len(), page[0].id, page[0].object_key.as_str()), (1, first.0, "leaves/1/a.pdf"));
                assert_eq!(objects(conn, first.0, 9)?.len(), 1);
                assert_eq!(named(conn, &["leaves/3/a.pdf".into(), "leaves/9/a.pdf".into()])?, ["leaves/3/a.pdf"]);
                assert_eq!(get(conn, first)?.document_bytes, Some(12));
                Ok(())
            }).unwrap();
        }

        fn days_that_end_before_they_begin_and_unknown_students_are_refused(db) {
            let refused = |new: NewLeave| db.run_blocking(|conn| insert(conn, &new)).unwrap_err();
            let asha = db.run_blocking(|conn| student(conn, "P1")).unwrap();
            assert!(matches!(refused(new_leave(asha, "2025-09-02", "2025-09-01")), DbError::Rule(_)));
            assert!(matches!(refused(new_leave(StudentId(404), "2025-09-02", "2025-09-02")), DbError::Reference));
        }
    }
}
