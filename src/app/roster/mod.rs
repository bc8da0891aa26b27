//! Who is in which class, from when to when, and who may be recognised: the school's roster and every change of it.
//!
//! [`import`] takes over a file; [`transfer`], [`end`], [`set_activity`] and [`set_consent`] are what happens to one
//! student between two files. Each says in words what it changed, changes nothing when it is called again, and leaves the
//! past alone: a stay that ended still belongs to the sessions of its days. Called by `rollcall roster`.

mod entries;
mod import;
mod listing;
mod person;
mod stays;

use serde::Serialize;

pub use entries::{
    ClassEdit, ClassEntry, MemberEdit, MemberEntry, StudentEdit, StudentEntry, add_member, change_class, change_member,
    change_student, create_class, create_student, create_subject, day_or_today, delete_class, delete_subject,
    rename_subject, today,
};
pub use import::{RosterOutcome, import};
pub use listing::{ListedMember, RosterList, add_subject, list, set_term, subjects, terms};
pub use person::{Activity, set_activity, set_consent};
pub use stays::{Leaving, Transfer, end, transfer};

use super::error::{Code, Error};
use super::freshness::{StaleSessions, stale_sessions};
use super::{Mode, School};
use crate::db::students::StudentRow;
use crate::db::{AnyConnection, classes, students};
use crate::domain::ids::ClassId;

/// What a command changed, or would change.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// False for a preview.
    pub applied: bool,
    /// A sentence for each change; none when everything was so already.
    pub changes: Vec<String>,
    /// Sessions that this may change; none for a preview, or where that is not known.
    pub stale_sessions: Option<StaleSessions>,
}

impl Changed {
    async fn by(school: &School, mode: Mode, changes: Vec<String>) -> Result<Self, Error> {
        let applied = mode == Mode::Apply;
        let stale_sessions = if applied { stale_sessions(school).await? } else { None };
        Ok(Self { applied, changes, stale_sessions })
    }
}

pub(super) fn student(conn: &mut AnyConnection, prn: &str) -> Result<StudentRow, Error> {
    students::find_by_prn(conn, prn.trim())?
        .ok_or_else(|| Error::new(Code::StudentNotFound, format!("there is no student with PRN {prn}")))
}

/// `CSE-A`, with the term where the class has one: `CSE-A (2026-27)`.
fn label(conn: &mut AnyConnection, class: ClassId) -> Result<String, Error> {
    let class = classes::get(conn, class)?;
    let term = if class.term.is_empty() { String::new() } else { format!(" ({})", class.term) };
    Ok(format!("{}-{}{term}", class.name, class.section))
}
