//! Whether what a path names belongs to a class that the caller may see. The one place for it: handlers need not ask for what
//! stands in their path.

use axum::extract::RawPathParams;

use super::problem::Problem;
use super::service::Service;
use crate::app::error::Code;
use crate::app::reach::{Belongs, Named, classes_of};
use crate::domain::access::{Caller, Reach};
use crate::domain::ids::{ClassId, FaceId, LeaveId, MemberId, PhotoId, SampleId, SessionId, StudentId};
use crate::queue::JobId;

/// Refuses a path that names something of other people's classes.
pub(super) async fn require(service: &Service, caller: &Caller, path: &RawPathParams) -> Result<(), Problem> {
    let Reach::Only(own) = &caller.reach else { return Ok(()) };
    for (name, value) in path {
        let Some(named) = named(name, value) else { continue };
        let key = caller.actor.key();
        let belongs = service.school.read(move |conn| classes_of(conn, named, key.as_deref())).await?;
        let is_own = match belongs {
            Belongs::ToCaller => true,
            Belongs::To(classes) => classes.iter().any(|class| own.binary_search(class).is_ok()),
        };
        if !is_own {
            let what = name.strip_suffix("_id").unwrap_or(name);
            return Err(Problem::new(Code::Forbidden, format!("{what} {value} is not of your classes")));
        }
    }
    Ok(())
}

/// What a parameter of a path means. A number that is none is left to the handler, which says so.
fn named(name: &str, value: &str) -> Option<Named> {
    let id: i64 = value.parse().ok()?;
    Some(match name {
        "class_id" => Named::Class(ClassId(id)),
        "session_id" => Named::Session(SessionId(id)),
        "photo_id" => Named::Photo(PhotoId(id)),
        "face_id" => Named::Face(FaceId(id)),
        "member_id" => Named::Member(MemberId(id)),
        "student_id" => Named::Student(StudentId(id)),
        "sample_id" => Named::Sample(SampleId(id)),
        "leave_id" => Named::Leave(LeaveId(id)),
        "job_id" => Named::Job(JobId(id)),
        "export_id" => Named::Export(JobId(id)),
        _ => return None,
    })
}
