//! The trail of the service: a line of the audit log before anything is changed or shown, and another when it was refused.
//!
//! Lines are only ever added, and the first is there before the work begins: there is no change and no look without one.

use chrono::Utc;
use serde_json::json;

use super::School;
use super::error::Error;
use crate::db::audit::{self, NewLine};
use crate::db::{Db, Json};
use crate::domain::access::Actor;

/// Who asks for what.
#[derive(Debug, Clone)]
pub struct Asked {
    pub actor: Actor,
    /// Name of the operation.
    pub action: String,
    /// What it is done to, as its kind and id.
    pub object: Option<(String, i64)>,
    pub request_id: String,
    pub address: String,
}

impl Asked {
    fn line(&self, detail: serde_json::Value) -> NewLine {
        NewLine {
            at: Utc::now().naive_utc(),
            actor_kind: self.actor.kind,
            actor_id: self.actor.id,
            actor: self.actor.name.clone(),
            action: self.action.clone(),
            object_kind: self.object.as_ref().map(|(kind, _)| kind.clone()),
            object_id: self.object.as_ref().map(|(_, id)| *id),
            class_id: None,
            request_id: Some(self.request_id.clone()),
            address: Some(self.address.clone()),
            detail: Json(detail),
        }
    }
}

/// Writes down what is about to be done.
///
/// # Errors
/// Database failures: then it must not be done.
pub async fn begin(school: &School, asked: &Asked) -> Result<(), Error> {
    add(&school.db, asked.line(json!({}))).await
}

/// Writes down that it was not done, with the status that was answered.
///
/// # Errors
/// Database failures.
pub async fn refused(school: &School, asked: &Asked, status: u16) -> Result<(), Error> {
    add(&school.db, asked.line(json!({ "refused": status }))).await
}

async fn add(db: &Db, line: NewLine) -> Result<(), Error> {
    db.transaction(move |conn| Ok(audit::insert(conn, &line).map(|_| ())?)).await
}
