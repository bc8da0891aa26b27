//! Who did what, and when. Lines are added, read and, when they are old, deleted; never changed.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use serde_json::Value;

use super::column::Json;
use super::page::{Listed, Page};
use super::schema::audit_log;
use super::{AnyConnection, DbError};
use crate::domain::access::ActorKind;
use crate::domain::ids::ClassId;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub struct AuditRow {
    pub id: i64,
    pub at: NaiveDateTime,
    pub actor_kind: ActorKind,
    /// Of the user or token.
    pub actor_id: Option<i64>,
    /// The name at that time.
    pub actor: String,
    /// What was done, as `user.create`.
    pub action: String,
    /// What it was done to, as `user` and its id.
    pub object_kind: Option<String>,
    pub object_id: Option<i64>,
    /// The class it concerns.
    pub class_id: Option<ClassId>,
    pub request_id: Option<String>,
    /// The network address it came from.
    pub address: Option<String>,
    pub detail: Json<Value>,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = audit_log)]
pub struct NewLine {
    pub at: NaiveDateTime,
    pub actor_kind: ActorKind,
    pub actor_id: Option<i64>,
    pub actor: String,
    pub action: String,
    pub object_kind: Option<String>,
    pub object_id: Option<i64>,
    pub class_id: Option<ClassId>,
    pub request_id: Option<String>,
    pub address: Option<String>,
    pub detail: Json<Value>,
}

/// Which lines are listed; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actor_kind: Option<ActorKind>,
    /// Of the user or token; together with its kind.
    pub actor_id: Option<i64>,
    /// As `user.create`; or `user` for all that begin with it.
    pub action: Option<String>,
    pub object_kind: Option<String>,
    /// Together with its kind.
    pub object_id: Option<i64>,
    pub class_id: Option<ClassId>,
    /// Not earlier.
    pub from: Option<NaiveDateTime>,
    /// Earlier.
    pub until: Option<NaiveDateTime>,
}

/// Adds a line, in the transaction that does what it says.
///
/// # Errors
/// [`DbError::Rule`] for an empty action.
pub fn insert(conn: &mut AnyConnection, line: &NewLine) -> Result<i64, DbError> {
    Ok(diesel::insert_into(audit_log::table).values(line).returning(audit_log::id).get_result(conn)?)
}

/// One page of the log, newest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection, filter: &AuditFilter, page: Page) -> Result<Listed<AuditRow>, DbError> {
    let total = wanted(filter).count().get_result(conn)?;
    let query = wanted(filter).order(audit_log::id.desc()).limit(page.sql_limit()).offset(page.sql_offset());
    Ok(Listed::new(query.select(AuditRow::as_select()).load(conn)?, total))
}

fn wanted(filter: &AuditFilter) -> audit_log::BoxedQuery<'_, <AnyConnection as Connection>::Backend> {
    let mut query = audit_log::table.into_boxed();
    if let Some(kind) = filter.actor_kind {
        query = query.filter(audit_log::actor_kind.eq(kind));
    }
    if let Some(id) = filter.actor_id {
        query = query.filter(audit_log::actor_id.eq(id));
    }
    if let Some(action) = &filter.action {
        // All texts that begin with `user.`: `/` is the sign after the dot.
        let (first, last) = (format!("{action}."), format!("{action}/"));
        let group = audit_log::action.ge(first).and(audit_log::action.lt(last));
        query = query.filter(audit_log::action.eq(action).or(group));
    }
    if let Some(kind) = &filter.object_kind {
        query = query.filter(audit_log::object_kind.eq(kind));
    }
    if let Some(id) = filter.object_id {
        query = query.filter(audit_log::object_id.eq(id));
    }
    if let Some(class) = filter.class_id {
        query = query.filter(audit_log::class_id.eq(class));
    }
    if let Some(from) = filter.from {
        query = query.filter(audit_log::at.ge(from));
    }
    if let Some(until) = filter.until {
        query = query.filter(audit_log::at.lt(until));
    }
    query
}

/// When an action was last done to an object, newest first, at most `count` times.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn last_times(
    conn: &mut AnyConnection,
    action: &str,
    (object_kind, object_id): (&str, i64),
    count: u32,
) -> Result<Vec<NaiveDateTime>, DbError> {
    let lines = audit_log::table
        .filter(audit_log::object_kind.eq(object_kind))
        .filter(audit_log::object_id.eq(object_id))
        .filter(audit_log::action.eq(action));
    Ok(lines.order(audit_log::id.desc()).limit(i64::from(count)).select(audit_log::at).load(conn)?)
}

/// Deletes up to `count` lines that are older; returns how many.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn prune(conn: &mut AnyConnection, before: NaiveDateTime, count: u32) -> Result<usize, DbError> {
    let old: Vec<i64> = audit_log::table
        .filter(audit_log::at.lt(before))
        .order(audit_log::at)
        .limit(i64::from(count))
        .select(audit_log::id)
        .load(conn)?;
    Ok(diesel::delete(audit_log::table.filter(audit_log::id.eq_any(old))).execute(conn)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::testing::{at, on_each_database};

    fn line(action: &str) -> NewLine {
        NewLine {
            at: at("2026-01-05 08:00:00.5"),
            actor_kind: ActorKind::User,
            actor_id: Some(5),
            actor: "ann".into(),
            action: action.into(),
            object_kind: Some("user".into()),
            object_id: Some(7),
            class_id: Some(ClassId(3)),
            request_id: Some("r-1".into()),
            address: Some("192.0.2.7".into()),
            detail: Json(json!({ "role": ["teacher", "admin"] })),
        }
    }

    fn actions(page: Listed<AuditRow>) -> (Vec<String>, u64) {
        (page.rows.into_iter().map(|row| row.action).collect(), page.total)
    }

    on_each_database! {
        fn a_line_reads_back_as_written(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let id = insert(conn, &line("user.change"))?;
                let page = list(conn, &AuditFilter::default(), Page::first(9))?;
                let expected = AuditRow {
                    id,
                    at: at("2026-01-05 08:00:00.5"),
                    actor_kind: ActorKind::User,
                    actor_id: Some(5),
                    actor: "ann".into(),
                    action: "user.change".into(),
                    object_kind: Some("user".into()),
                    object_id: Some(7),
                    class_id: Some(ClassId(3)),
                    request_id: Some("r-1".into()),
                    address: Some("192.0.2.7".into()),
                    detail: Json(json!({ "role": ["teacher", "admin"] })),
                };
                assert_eq!(page, Listed { rows: vec![expected], total: 1 });
                Ok(())
            }).unwrap();
        }

        fn lines_are_listed_newest_first_filtered_and_paged(db) {
            db.run_blocking::<_, DbError>(|conn| {
                insert(conn, &line("user.create"))?;
                insert(conn, &NewLine { object_id: Some(8), at: at("2026-01-06 08:00:00"), ..line("user.change") })?;
                insert(conn, &NewLine { actor_kind: ActorKind::Command, actor_id: None, ..line("userland") })?;
                insert(conn, &NewLine { class_id: None, object_kind: Some("photo".into()), ..line("photo.view") })?;
                let mut of = |filter: AuditFilter, page| Ok::<_, DbError>(actions(list(conn, &filter, page)?));
                let any = AuditFilter::default;
                let some = Page::first(9);
                let (newest, total) = of(any(), Page { limit: 2, offset: 1 })?;
                assert_eq!((newest, total), (vec!["userland".into(), "user.change".into()], 4));
                let group = of(AuditFilter { action: Some("user".into()), ..any() }, some)?;
                assert_eq!(group.0, ["user.change", "user.create"]);
                assert_eq!(of(AuditFilter { action: Some("user.change".into()), ..any() }, some)?.1, 1);
                assert_eq!(of(AuditFilter { actor_kind: Some(ActorKind::Command), ..any() }, some)?.0, ["userland"]);
                let by_ann = AuditFilter { actor_kind: Some(ActorKind::User), actor_id: Some(5), ..any() };
                assert_eq!(of(by_ann, some)?.1, 3);
                let object = AuditFilter { object_kind: Some("user".into()), object_id: Some(7), ..any() };
                assert_eq!(of(object, some)?.0, ["userland", "user.create"]);
                assert_eq!(of(AuditFilter { class_id: Some(ClassId(3)), ..any() }, some)?.1, 3);
                let day = AuditFilter { from: Some(at("2026-01-06 08:00:00")), until: Some(at("2026-01-07 00:00:00")), ..any() };
                assert_eq!(of(day, some)?.0, ["user.change"]);
                assert_eq!(of(AuditFilter { until: Some(at("2026-01-06 08:00:00")), ..any() }, some)?.1, 3);
                Ok(())
            }).unwrap();
        }

        fn last_times_are_those_of_one_object_and_action(db) {
            db.run_blocking::<_, DbError>(|conn| {
                for (second, id, action) in [(1, 7, "x.y"), (2, 7, "x.y"), (3, 8, "x.y"), (4, 7, "x.z"), (5, 7, "x.y")] {
                    let at = at(&format!("2026-01-05 08:00:0{second}"));
                    insert(conn, &NewLine { at, object_id: Some(id), ..line(action) })?;
                }
                let times = last_times(conn, "x.y", ("user", 7), 2)?;
                assert_eq!(times, [at("2026-01-05 08:00:05"), at("2026-01-05 08:00:02")]);
                assert!(last_times(conn, "x.y", ("name", 7), 2)?.is_empty());
                Ok(())
            }).unwrap();
        }
    }
}
