//! Which classes a thing belongs to, for callers who may see only some of them.

use crate::app::error::Error;
use crate::db::{AnyConnection, DbError, reach};
use crate::domain::ids::{ClassId, FaceId, LeaveId, MemberId, PhotoId, SampleId, SessionId, StudentId};
use crate::queue::{JobId, store};

/// A thing as an address names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Class(ClassId),
    Session(SessionId),
    Photo(PhotoId),
    Face(FaceId),
    Member(MemberId),
    /// Of every class that the student is or was in.
    Student(StudentId),
    Sample(SampleId),
    /// Of the classes that the student is in on its days.
    Leave(LeaveId),
    Job(JobId),
    Export(JobId),
}

/// Whose a thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Belongs {
    /// Of these classes; none where there is no such thing.
    To(Vec<ClassId>),
    /// The caller has asked for it.
    ToCaller,
}

/// Whose `named` is; `caller` is written as owners of jobs are.
///
/// # Errors
/// Database failures.
pub fn classes_of(conn: &mut AnyConnection, named: Named, caller: Option<&str>) -> Result<Belongs, Error> {
    let one = |class: Option<ClassId>| Belongs::To(class.into_iter().collect());
    Ok(match named {
        Named::Class(id) => Belongs::To(vec![id]),
        Named::Session(id) => one(reach::of_session(conn, id)?),
        Named::Photo(id) => one(reach::of_photo(conn, id)?),
        Named::Face(id) => one(reach::of_face(conn, id)?),
        Named::Member(id) => one(reach::of_member(conn, id)?),
        Named::Student(id) => Belongs::To(reach::of_student(conn, id)?),
        Named::Sample(id) => {
            let student = reach::student_of_sample(conn, id)?;
            of_student(conn, student)?
        }
        Named::Leave(id) => Belongs::To(reach::of_leave(conn, id)?),
        Named::Job(id) => return of_job(conn, id, caller),
        // Whoever has asked for it may have lost the class since.
        Named::Export(id) => return of_job(conn, id, None),
    })
}

fn of_student(conn: &mut AnyConnection, student: Option<StudentId>) -> Result<Belongs, Error> {
    let classes = student.map(|student| reach::of_student(conn, student)).transpose()?;
    Ok(Belongs::To(classes.unwrap_or_default()))
}

/// A job is of the class that it or its photo is about, and of whoever asked for it.
fn of_job(conn: &mut AnyConnection, id: JobId, caller: Option<&str>) -> Result<Belongs, Error> {
    let job = match store::get(conn, id) {
        Err(DbError::NotFound { .. }) => return Ok(Belongs::To(Vec::new())),
        job => job?,
    };
    if caller.is_some() && job.owner.as_deref() == caller {
        return Ok(Belongs::ToCaller);
    }
    let number = |field: &str| job.payload.0.get(field).and_then(serde_json::Value::as_i64);
    let class = match number("class") {
        Some(class) => Some(ClassId(class)),
        None => number("photo").map(|id| reach::of_photo(conn, PhotoId(id))).transpose()?.flatten(),
    };
    Ok(Belongs::To(class.into_iter().collect()))
}
