//! Which classes a thing belongs to: for callers who may see only some.

use chrono::NaiveDate;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::schema::{attendance_sessions, class_members, face_samples, faces, leaves, session_photos};
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, FaceId, LeaveId, MemberId, PhotoId, SampleId, SessionId, StudentId};

/// The class of a session; none when there is no such session, as with all of these.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_session(conn: &mut AnyConnection, id: SessionId) -> Result<Option<ClassId>, DbError> {
    Ok(attendance_sessions::table.find(id).select(attendance_sessions::class_id).first(conn).optional()?)
}

/// # Errors
/// As [`of_session`].
pub fn of_photo(conn: &mut AnyConnection, id: PhotoId) -> Result<Option<ClassId>, DbError> {
    Ok(session_photos::table
        .find(id)
        .inner_join(attendance_sessions::table)
        .select(attendance_sessions::class_id)
        .first(conn)
        .optional()?)
}

/// # Errors
/// As [`of_session`].
pub fn of_face(conn: &mut AnyConnection, id: FaceId) -> Result<Option<ClassId>, DbError> {
    let photo: Option<PhotoId> = faces::table.find(id).select(faces::photo_id).first(conn).optional()?;
    photo.map_or(Ok(None), |photo| of_photo(conn, photo))
}

/// # Errors
/// As [`of_session`].
pub fn of_member(conn: &mut AnyConnection, id: MemberId) -> Result<Option<ClassId>, DbError> {
    Ok(class_members::table.find(id).select(class_members::class_id).first(conn).optional()?)
}

/// Every class that a student is or was in.
///
/// # Errors
/// As [`of_session`].
pub fn of_student(conn: &mut AnyConnection, id: StudentId) -> Result<Vec<ClassId>, DbError> {
    Ok(class_members::table
        .filter(class_members::student_id.eq(id))
        .select(class_members::class_id)
        .distinct()
        .load(conn)?)
}

/// The student whom a sample shows.
///
/// # Errors
/// As [`of_session`].
pub fn student_of_sample(conn: &mut AnyConnection, id: SampleId) -> Result<Option<StudentId>, DbError> {
    Ok(face_samples::table.find(id).select(face_samples::student_id).first(conn).optional()?)
}

/// The classes that the student of a leave is in on one of its days.
///
/// # Errors
/// As [`of_session`].
pub fn of_leave(conn: &mut AnyConnection, id: LeaveId) -> Result<Vec<ClassId>, DbError> {
    let leave = leaves::table.find(id).select((leaves::student_id, leaves::first_day, leaves::last_day));
    let leave: Option<(StudentId, NaiveDate, NaiveDate)> = leave.first(conn).optional()?;
    let Some((student, first, last)) = leave else { return Ok(Vec::new()) };
    Ok(class_members::table
        .filter(class_members::student_id.eq(student))
        .filter(class_members::valid_from.is_null().or(class_members::valid_from.le(last)))
        .filter(class_members::valid_to.is_null().or(class_members::valid_to.ge(first)))
        .select(class_members::class_id)
        .distinct()
        .load(conn)?)
}

/// The jobs about some classes: those that look at their photos, which `app` queues under `photo:` and the photo's number, and
/// others, whose keys begin with `class:` and the class's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassJobs(pub Vec<ClassId>);

impl ClassJobs {
    /// Whether `column`, the name of a column of keys, holds one of theirs.
    pub(crate) fn have_key(&self, column: &'static str) -> SqlLiteral<Bool> {
        if self.0.is_empty() {
            return sql("FALSE");
        }
        let classes: Vec<String> = self.0.iter().map(|class| class.0.to_string()).collect();
        let begin: Vec<String> = classes.iter().map(|class| format!("{column} LIKE 'class:{class}:%'")).collect();
        sql(&format!(
            "({column} IN (SELECT 'photo:' || session_photos.id FROM session_photos \
             JOIN attendance_sessions ON attendance_sessions.id = session_photos.session_id \
             WHERE attendance_sessions.class_id IN ({})) OR {})",
            classes.join(", "),
            begin.join(" OR ")
        ))
    }
}
