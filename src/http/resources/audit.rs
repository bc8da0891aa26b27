//! The audit log.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::words::ActorKindName;
use crate::app::audit::{self, AuditFilter, AuditLine};
use crate::domain::access::ActorKind;
use crate::domain::ids::ClassId;
use crate::http::extract::Query;
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::http::table::{MANAGE, Row, row};

pub(super) fn rows() -> Vec<Row> {
    vec![row!(MANAGE, list_audit_log)]
}

/// One line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLineResponse {
    id: i64,
    at: DateTime<Utc>,
    actor_kind: ActorKindName,
    /// Of the user or token.
    actor_id: Option<i64>,
    /// The name at that time.
    actor: String,
    #[schema(example = "create_class")]
    action: String,
    /// What it was done to, as `session` and its id.
    object_kind: Option<String>,
    object_id: Option<i64>,
    class_id: Option<i64>,
    request_id: Option<String>,
    address: Option<String>,
    /// Ids, counts and states; `refused` holds the status of a request that was not done.
    #[schema(value_type = Object)]
    detail: Value,
}

impl From<AuditLine> for AuditLineResponse {
    fn from(line: AuditLine) -> Self {
        Self {
            id: line.id,
            at: line.at,
            actor_kind: line.actor_kind.into(),
            actor_id: line.actor_id,
            actor: line.actor,
            action: line.action,
            object_kind: line.object_kind,
            object_id: line.object_id,
            class_id: line.class_id.map(|class| class.0),
            request_id: line.request_id,
            address: line.address,
            detail: line.detail,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    actor_kind: Option<ActorKindName>,
    /// Of the user or token; together with its kind.
    actor_id: Option<i64>,
    /// A whole action, or what it begins with up to a dot.
    action: Option<String>,
    object_kind: Option<String>,
    /// Together with its kind.
    object_id: Option<i64>,
    class_id: Option<i64>,
    /// Not earlier.
    from: Option<DateTime<Utc>>,
    /// Earlier.
    until: Option<DateTime<Utc>>,
}

/// Who did what, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(AuditQuery, PageQuery),
    responses((status = 200, body = Page<AuditLineResponse>)))]
async fn list_audit_log(
    State(service): State<Service>,
    Query(query): Query<AuditQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<AuditLineResponse>>, Problem> {
    let filter = AuditFilter {
        actor_kind: query.actor_kind.map(ActorKind::from),
        actor_id: query.actor_id,
        action: query.action,
        object_kind: query.object_kind,
        object_id: query.object_id,
        class_id: query.class_id.map(ClassId),
        from: query.from.map(|at| at.naive_utc()),
        until: query.until.map(|at| at.naive_utc()),
    };
    Ok(axum::Json(page.of(audit::list(&service.school, filter, page.rows()).await?)))
}
