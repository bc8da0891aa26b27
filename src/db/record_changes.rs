//! What people said about records, in order. Lines are added and read, never changed; they go with their session.

use diesel::dsl::max;
use diesel::prelude::*;

use chrono::NaiveDateTime;

use super::schema::record_changes as changes;
use super::{AnyConnection, DbError};
use crate::domain::access::ActorKind;
use crate::domain::ids::{MemberId, SessionId};
use crate::domain::status::{AttendanceStatus, RecordSource};

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = changes)]
pub struct ChangeRow {
    pub id: i64,
    pub session_id: SessionId,
    pub member_id: MemberId,
    pub from_status: AttendanceStatus,
    pub from_source: RecordSource,
    pub status: AttendanceStatus,
    /// `Auto` where a correction was withdrawn.
    pub source: RecordSource,
    pub reason: Option<String>,
    pub actor_kind: ActorKind,
    /// Of the user or token.
    pub actor_id: Option<i64>,
    /// The name at that time.
    pub actor: String,
    /// UTC.
    pub at: NaiveDateTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = changes)]
pub struct NewChange {
    pub session_id: SessionId,
    pub member_id: MemberId,
    pub from_status: AttendanceStatus,
    pub from_source: RecordSource,
    pub status: AttendanceStatus,
    pub source: RecordSource,
    pub reason: Option<String>,
    pub actor_kind: ActorKind,
    pub actor_id: Option<i64>,
    pub actor: String,
    pub at: NaiveDateTime,
}

/// Adds a line, in the transaction that changes the record and under its session's lock; returns its id.
///
/// # Errors
/// [`DbError::Reference`] for an unknown session or member; [`DbError::Rule`] for an actor who is neither a user, a token
/// nor the command line.
pub fn insert(conn: &mut AnyConnection, new: &NewChange) -> Result<i64, DbError> {
    Ok(diesel::insert_into(changes::table).values(new).returning(changes::id).get_result(conn)?)
}

/// What was said about one record, the oldest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_record(conn: &mut AnyConnection, session: SessionId, member: MemberId) -> Result<Vec<ChangeRow>, DbError> {
    Ok(changes::table
        .filter(changes::session_id.eq(session))
        .filter(changes::member_id.eq(member))
        .order(changes::id)
        .select(ChangeRow::as_select())
        .load(conn)?)
}

/// The newest line of every member that anything was said about in a session, ordered by member.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn last_ids(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<(MemberId, i64)>, DbError> {
    let newest: Vec<(MemberId, Option<i64>)> = changes::table
        .filter(changes::session_id.eq(session))
        .group_by(changes::member_id)
        .order(changes::member_id)
        .select((changes::member_id, max(changes::id)))
        .load(conn)?;
    Ok(newest.into_iter().filter_map(|(member, id)| Some((member, id?))).collect())
}

/// Those lines themselves.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn last(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<ChangeRow>, DbError> {
    let ids: Vec<i64> = last_ids(conn, session)?.into_iter().map(|(_, id)| id).collect();
    Ok(changes::table
        .filter(changes::id.eq_any(ids))
        .order(changes::member_id)
        .select(ChangeRow::as_select())
        .load(conn)?)
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::db::testing::{at, on_each_database, school};

    fn change(session_id: SessionId, member_id: MemberId, status: AttendanceStatus) -> NewChange {
        NewChange {
            session_id,
            member_id,
            from_status: AttendanceStatus::Absent,
            from_source: RecordSource::Auto,
            status,
            source: RecordSource::Manual,
            reason: Some("came with the second bus".into()),
            actor_kind: ActorKind::User,
            actor_id: Some(5),
            actor: "ann".into(),
            at: at("2025-09-01 05:00:00.25"),
        }
    }

    use AttendanceStatus::{Late, Present};

    on_each_database! {
        fn lines_of_a_record_are_listed_as_they_were_said(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let (session, [asha, ravi, mina]) = (school.session, school.members);
                let first = insert(conn, &change(session, asha, Late))?;
                let other = insert(conn, &change(session, ravi, Present))?;
                let by_token = NewChange {
                    actor_kind: ActorKind::Token, reason: None, ..change(session, asha, Present)
                };
                let second = insert(conn, &by_token)?;
                let rows = of_record(conn, session, asha)?;
                assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [first, second]);
                let expected = ChangeRow {
                    id: first,
                    session_id: session,
                    member_id: asha,
                    from_status: AttendanceStatus::Absent,
                    from_source: RecordSource::Auto,
                    status: Late,
                    source: RecordSource::Manual,
                    reason: Some("came with the second bus".into()),
                    actor_kind: ActorKind::User,
                    actor_id: Some(5),
                    actor: "ann".into(),
                    at: at("2025-09-01 05:00:00.25"),
                };
                assert_eq!(rows[0], expected);
                assert_eq!((rows[1].actor_kind, rows[1].reason.as_deref()), (ActorKind::Token, None));
                assert_eq!(last_ids(conn, session)?, [(asha, second), (ravi, other)]);
                assert_eq!(of_record(conn, session, mina)?, []);
                Ok(())
            }).unwrap();
        }

        fn lines_go_with_their_session_and_hold_their_member(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                insert(conn, &change(school.session, school.members[0], Late))?;
                let refused = conn.batch_execute("DELETE FROM class_members").map_err(DbError::from);
                assert!(matches!(refused, Err(DbError::Reference)), "{refused:?}");
                conn.batch_execute("DELETE FROM attendance_sessions")?;
                assert_eq!(last_ids(conn, school.session)?, []);
                Ok(())
            }).unwrap();
        }

        fn nobody_and_links_say_nothing_about_records(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let by_link =
                    NewChange { actor_kind: ActorKind::Link, ..change(school.session, school.members[0], Late) };
                let refused = insert(conn, &by_link);
                assert!(matches!(refused, Err(DbError::Rule(_))), "{refused:?}");
                Ok(())
            }).unwrap();
        }
    }
}
