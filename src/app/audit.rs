//! Who did what: a line for every change and every look at a photo, for as long as the settings keep them.
//!
//! [`record`] adds a line inside the transaction that does what it says, so there is never one without the other. Lines hold
//! ids, roles and counts; names of students, passwords and tokens stay out of them. Actions are written `object.verb`.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::School;
use super::error::Error;
use crate::db::audit::{self, AuditRow, NewLine};
use crate::db::{AnyConnection, DbError, Json, Listed, Page};
use crate::domain::access::{Actor, ActorKind};
use crate::domain::ids::{
    ClassId, FaceId, HolidayId, LeaveId, MemberId, PhotoId, SampleId, SessionId, StudentId, SubjectId, TokenId, UserId,
};

pub use crate::db::audit::AuditFilter;

/// Who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    pub actor: Actor,
    pub request_id: Option<String>,
    /// The network address that the request came from.
    pub address: Option<String>,
}

impl By {
    /// The command line.
    pub fn command() -> Self {
        Self::from(Actor::command())
    }

    /// The same request, now that it is known whose it is.
    #[must_use]
    pub fn acting_as(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }
}

impl From<Actor> for By {
    fn from(actor: Actor) -> Self {
        Self { actor, request_id: None, address: None }
    }
}

/// What something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    pub kind: &'static str,
    pub id: i64,
}

macro_rules! objects {
    ($($id:ident $kind:literal)*) => {$(
        impl From<$id> for Object {
            fn from(id: $id) -> Self {
                Self { kind: $kind, id: id.0 }
            }
        }
    )*};
}

objects! {
    ClassId "class" StudentId "student" MemberId "member" SubjectId "subject" SampleId "sample" SessionId "session"
    PhotoId "photo" FaceId "face" LeaveId "leave" HolidayId "holiday" UserId "user" TokenId "token"
}

/// One line to be.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    by: &'a By,
    action: &'static str,
    object: Option<Object>,
    class: Option<ClassId>,
    detail: Value,
    at: NaiveDateTime,
}

impl<'a> Entry<'a> {
    /// Somebody has done `action`, written `object.verb`.
    pub fn new(by: &'a By, action: &'static str, at: DateTime<Utc>) -> Self {
        Self { by, action, object: None, class: None, detail: json!({}), at: at.naive_utc() }
    }

    /// To this.
    #[must_use]
    pub fn on(self, object: impl Into<Object>) -> Self {
        Self { object: Some(object.into()), ..self }
    }

    /// Which concerns this class.
    #[must_use]
    pub fn in_class(self, class: ClassId) -> Self {
        Self { class: Some(class), ..self }
    }

    /// What else is worth knowing.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }
}

/// Adds the line, in the caller's transaction.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn record(conn: &mut AnyConnection, entry: &Entry<'_>) -> Result<(), DbError> {
    let Entry { by, action, object, class, detail, at } = entry;
    let line = NewLine {
        at: *at,
        actor_kind: by.actor.kind,
        actor_id: by.actor.id,
        actor: by.actor.name.clone(),
        action: (*action).to_owned(),
        object_kind: object.map(|object| object.kind.to_owned()),
        object_id: object.map(|object| object.id),
        class_id: *class,
        request_id: by.request_id.clone(),
        address: by.address.clone(),
        detail: Json(detail.clone()),
    };
    audit::insert(conn, &line).map(drop)
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditLine {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub actor_kind: ActorKind,
    pub actor_id: Option<i64>,
    /// The name at that time.
    pub actor: String,
    pub action: String,
    pub object_kind: Option<String>,
    pub object_id: Option<i64>,
    pub class_id: Option<ClassId>,
    pub request_id: Option<String>,
    pub address: Option<String>,
    pub detail: Value,
}

impl From<AuditRow> for AuditLine {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id,
            at: row.at.and_utc(),
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            actor: row.actor,
            action: row.action,
            object_kind: row.object_kind,
            object_id: row.object_id,
            class_id: row.class_id,
            request_id: row.request_id,
            address: row.address,
            detail: row.detail.0,
        }
    }
}

/// One page of the log, newest first.
///
/// # Errors
/// Database failures.
pub async fn list(school: &School, filter: AuditFilter, page: Page) -> Result<Listed<AuditLine>, Error> {
    school.read(move |conn| Ok(audit::list(conn, &filter, page)?.map(AuditLine::from))).await
}

/// Lines that one statement deletes, so that none of them lasts long.
const PRUNED: u32 = 1000;

/// Deletes lines that are older than the settings keep them; returns how many. For servers, now and then.
///
/// # Errors
/// Database failures.
pub async fn prune(school: &School, now: DateTime<Utc>) -> Result<usize, Error> {
    let keep = match school.config.audit.keep_days {
        0 => return Ok(0),
        days => TimeDelta::days(days.into()),
    };
    let before = (now - keep).naive_utc();
    let mut deleted = 0;
    loop {
        let portion = school.read(move |conn| Ok(audit::prune(conn, before, PRUNED)?)).await?;
        deleted += portion;
        if portion < PRUNED as usize {
            return Ok(deleted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::{run, school};
    use crate::db::testing::on_each_database;

    on_each_database! {
        fn lines_are_kept_for_as_long_as_the_settings_say(db) {
            let mut school = school(db);
            let now = Utc::now();
            run(async {
                for days in [0, 9, 10, 11, 400] {
                    let at = now - TimeDelta::days(days) - TimeDelta::seconds(1);
                    school.change(move |conn| Ok(record(conn, &Entry::new(&By::command(), "test.done", at))?)).await.unwrap();
                }
                let left = async |school: &School| {
                    list(school, AuditFilter::default(), Page::first(9)).await.unwrap().total
                };
                set_keep_days(&mut school, 0);
                assert_eq!((prune(&school, now).await.unwrap(), left(&school).await), (0, 5), "0 is for ever");
                set_keep_days(&mut school, 10);
                assert_eq!((prune(&school, now).await.unwrap(), left(&school).await), (3, 2));
                assert_eq!(prune(&school, now).await.unwrap(), 0);
            });
        }
    }

    fn set_keep_days(school: &mut School, days: u16) {
        let mut config = school.config().clone();
        config.audit.keep_days = days;
        school.config = std::sync::Arc::new(config);
    }
}
