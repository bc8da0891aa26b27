//! The one table of routes: who may call what, how long it may last, whether it is written down. The router is built from
//! it, the OpenAPI document too, and a test asks every row as every role.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, Paths};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::gate::{Gate, gate};
use super::openapi;
use super::service::Service;
use crate::domain::access::{Access, Role, Scope};

/// Where the routes of the table begin.
pub(crate) const ROOT: &str = "/api/v1";
/// Largest body that is not an upload, bytes.
const MAX_JSON: usize = 1024 * 1024;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Everybody; for signing in.
    Public,
    /// Everybody who has signed in, about themselves.
    SignedIn,
    Only(Access),
    /// Those, and whoever has a signed link to this very address.
    LinkOr(Access),
}

/// How a request behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Answered within the time limit, with a small body.
    Plain,
    /// Brings pictures or tables.
    Upload,
    /// Answered when something is done, if the client wants to wait for it; with a small body.
    Wait,
    /// Takes pictures away, or watches: lasts as long as the client listens.
    Stream,
}

/// What is written into the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audit {
    Nothing,
    /// A change, or a look at a picture of somebody.
    Line,
}

/// Whether an answer may be kept for a request that comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    Kept,
    /// It holds a secret that is shown once.
    Never,
}

/// A route.
pub(crate) struct Row {
    pub(crate) method: String,
    /// Below [`ROOT`].
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the tests that ask every row"))]
    pub(crate) path: String,
    /// Name of the operation, also in the audit log.
    pub(crate) operation: String,
    pub(crate) rule: Rule,
    pub(crate) kind: Kind,
    pub(crate) audit: Audit,
    pub(crate) replay: Replay,
    routes: UtoipaMethodRouter<Service>,
}

/// Everybody of the school.
const PEOPLE: &[Role] = &[Role::Admin, Role::Teacher, Role::Viewer];
const STAFF: &[Role] = &[Role::Admin, Role::Teacher];
const ADMIN: &[Role] = &[Role::Admin];

/// Look at classes, students, members, subjects.
pub(crate) const READ_ROSTER: Rule = only(PEOPLE, Scope::Roster);
/// Change them.
pub(crate) const CHANGE_ROSTER: Rule = only(ADMIN, Scope::Enrol);
/// Enrol faces of students: teachers those of their own classes.
pub(crate) const ENROL: Rule = only(STAFF, Scope::Enrol);
/// Look at portraits.
pub(crate) const SEE_PORTRAITS: Rule = Rule::LinkOr(Access { roles: PEOPLE, scope: Some(Scope::Enrol) });
/// Look at sessions, records, sheets.
pub(crate) const READ_ATTENDANCE: Rule = only(PEOPLE, Scope::Attendance);
/// Look at class photos.
pub(crate) const SEE_PHOTOS: Rule = Rule::LinkOr(Access { roles: PEOPLE, scope: Some(Scope::Attendance) });
/// Fetch sheets, by link too.
pub(crate) const FETCH_SHEETS: Rule = Rule::LinkOr(Access { roles: PEOPLE, scope: Some(Scope::Attendance) });
/// Look at leaves and what excuses them.
pub(crate) const READ_LEAVES: Rule = only(STAFF, Scope::Attendance);
/// Take attendance.
pub(crate) const RECORD: Rule = only(STAFF, Scope::Record);
/// Compare pictures that belong to nobody here.
pub(crate) const RECOGNISE: Rule = only(STAFF, Scope::Recognise);
/// See which models there are.
pub(crate) const READ_PACKS: Rule = only(PEOPLE, Scope::Recognise);
/// Look after the service.
pub(crate) const MANAGE: Rule = only(ADMIN, Scope::Manage);

const fn only(roles: &'static [Role], scope: Scope) -> Rule {
    Rule::Only(Access { roles, scope: Some(scope) })
}

/// A row of the table: `row!(READ_ROSTER, classes::list_classes)`.
macro_rules! row {
    ($rule:expr, $($handler:tt)+) => {
        $crate::http::table::Row::new($rule, utoipa_axum::routes!($($handler)+))
    };
}
pub(crate) use row;

impl Row {
    pub(crate) fn new(rule: Rule, routes: UtoipaMethodRouter<Service>) -> Self {
        let (path, method, operation) = described(&routes.1);
        let audit = if method == "GET" { Audit::Nothing } else { Audit::Line };
        Self { method, path, operation, rule, kind: Kind::Plain, audit, replay: Replay::Kept, routes }
    }

    pub(crate) fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn audit(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }

    pub(crate) fn replay(self, replay: Replay) -> Self {
        Self { replay, ..self }
    }

    /// Names of the path's parameters.
    #[cfg(test)]
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// Path, method and name of the one operation that `routes!` has described.
fn described(paths: &Paths) -> (String, String, String) {
    let (path, item) = paths.paths.first_key_value().expect("a row has one path");
    let methods: [(&str, &Option<Operation>); 5] = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    let (method, operation) = methods
        .into_iter()
        .find_map(|(method, operation)| Some((method, operation.as_ref()?)))
        .expect("a row has one method");
    let operation = operation.operation_id.clone().unwrap_or_default();
    (path.clone(), method.to_owned(), operation)
}

/// Every route below [`ROOT`].
pub(crate) fn rows() -> Vec<Row> {
    super::resources::rows()
}

/// The router of the table, every route behind its gate, and its description.
pub(super) fn build(service: &Service) -> (Router<Service>, OpenApi) {
    let mut router = OpenApiRouter::new();
    for row in rows() {
        let gate_of_row = Gate::of(&row, service.clone());
        let max_body = match row.kind {
            Kind::Upload => service.config().server.max_upload_mb as usize * 1024 * 1024,
            Kind::Plain | Kind::Wait | Kind::Stream => MAX_JSON,
        };
        let Row { rule, kind, method, routes: (schemas, mut paths, handler), .. } = row;
        paths.paths.values_mut().for_each(|item| openapi::complete(item, rule, kind, &method));
        let handler =
            handler.route_layer(from_fn_with_state(gate_of_row, gate)).route_layer(DefaultBodyLimit::max(max_body));
        router = router.routes((schemas, paths, handler));
    }
    OpenApiRouter::new().nest(ROOT, router).split_for_parts()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::rows;

    /// Two types of one name would be described as one of them.
    #[test]
    fn every_name_of_the_document_means_one_thing() {
        let mut known: HashMap<String, serde_json::Value> = HashMap::new();
        for row in rows() {
            for (name, schema) in row.routes.0 {
                let schema = serde_json::to_value(&schema).unwrap();
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "{name} is two things; one of them is in {}", row.path);
            }
        }
        assert!(known.len() > 40);
    }
}
