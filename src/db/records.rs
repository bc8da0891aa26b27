//! Records: a member's status in a session, and where it comes from. What a person said is never overwritten by a run.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::schema::{attendance_records as records, attendance_sessions, class_members, students};
use super::{AnyConnection, DbError};
use crate::domain::ids::{FaceId, MemberId, SessionId};
use crate::domain::pilot::PilotSessions;
use crate::domain::status::{AttendanceStatus, RecordSource};

#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = records)]
pub struct RecordRow {
    pub session_id: SessionId,
    pub member_id: MemberId,
    pub status: AttendanceStatus,
    pub source: RecordSource,
    /// 0..1, of an automatic one.
    pub confidence: Option<f64>,
    /// The face that shows the member, if there is one.
    pub face_id: Option<FaceId>,
    pub note: Option<String>,
    pub updated_at: NaiveDateTime,
}

#[derive(Debug, Clone, PartialEq, Insertable)]
#[diesel(table_name = records, treat_none_as_default_value = false)]
pub struct NewRecord {
    pub session_id: SessionId,
    pub member_id: MemberId,
    pub status: AttendanceStatus,
    pub source: RecordSource,
    pub confidence: Option<f64>,
    pub face_id: Option<FaceId>,
    pub note: Option<String>,
    pub updated_at: NaiveDateTime,
}

/// What a member's record in a session says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct MarkRow {
    pub session_id: SessionId,
    pub member_id: MemberId,
    pub status: AttendanceStatus,
}

/// A record of a session with who it is about.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct SessionRecordRow {
    pub member_id: MemberId,
    pub roll_no: String,
    pub prn: String,
    pub name: String,
    pub status: AttendanceStatus,
    pub source: RecordSource,
    pub confidence: Option<f64>,
    /// The face that shows the member, if there is one.
    pub face_id: Option<FaceId>,
    pub note: Option<String>,
    pub updated_at: NaiveDateTime,
}

/// What a member's record in a session says, and who says it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ToldRow {
    pub session_id: SessionId,
    pub status: AttendanceStatus,
    pub source: RecordSource,
    pub note: Option<String>,
}

/// Records that Postgres writes at a time: eight values each, and a statement takes 65,535.
const PORTION: usize = 1_000;

/// Writes records, in place of those the members have in the session; returns how many were written. An automatic
/// record never replaces a manual or imported one: that member is passed over. No member may be named twice for one session.
/// Belongs into a transaction.
///
/// # Errors
/// [`DbError::Reference`] for an unknown session, member or face.
pub fn upsert(conn: &mut AnyConnection, new: &[NewRecord]) -> Result<usize, DbError> {
    use diesel::query_dsl::methods::FilterDsl; // for `DO UPDATE ... WHERE`; the prelude's is for selects

    macro_rules! upsert {
        ($values:expr) => {
            diesel::insert_into(records::table)
                .values($values)
                .on_conflict((records::session_id, records::member_id))
                .do_update()
                .set((
                    records::status.eq(excluded(records::status)),
                    records::source.eq(excluded(records::source)),
                    records::confidence.eq(excluded(records::confidence)),
                    records::face_id.eq(excluded(records::face_id)),
                    records::note.eq(excluded(records::note)),
                    records::updated_at.eq(excluded(records::updated_at)),
                ))
                .filter(records::source.eq(RecordSource::Auto).or(excluded(records::source).ne(RecordSource::Auto)))
        };
    }
    let mut written = 0;
    match conn {
        // One statement each: for SQLite diesel has no `on_conflict` over several rows, and no network is in between.
        AnyConnection::Sqlite(sqlite) => {
            for new in new {
                written += upsert!(new).execute(sqlite)?;
            }
        }
        AnyConnection::Postgres(server) => {
            for portion in new.chunks(PORTION) {
                written += upsert!(portion).execute(server)?;
            }
        }
    }
    Ok(written)
}

/// Removes the automatic records of a session about anybody but `members`; returns how many there were. What a person
/// said stays. Belongs into a transaction.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn delete_automatic_but(
    conn: &mut AnyConnection,
    session: SessionId,
    members: &[MemberId],
) -> Result<usize, DbError> {
    let members: Vec<i64> = members.iter().map(|member| member.0).collect();
    let others = records::table
        .filter(records::session_id.eq(session))
        .filter(records::source.eq(RecordSource::Auto))
        .filter(records::member_id.ne_all(members));
    Ok(diesel::delete(others).execute(conn)?)
}

/// The records of a session, ordered by member.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<RecordRow>, DbError> {
    Ok(records::table
        .filter(records::session_id.eq(session))
        .order(records::member_id)
        .select(RecordRow::as_select())
        .load(conn)?)
}

/// The records of a session with roll number, PRN and name of each member, ordered by member.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_session(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<SessionRecordRow>, DbError> {
    Ok(records::table
        .inner_join(class_members::table.inner_join(students::table))
        .filter(records::session_id.eq(session))
        .order(records::member_id)
        .select((
            records::member_id,
            class_members::roll_no,
            students::prn,
            students::name,
            records::status,
            records::source,
            records::confidence,
            records::face_id,
            records::note,
            records::updated_at,
        ))
        .load(conn)?)
}

/// Removes the record of a member in a session, whoever it is from; nothing where there is none.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn delete(conn: &mut AnyConnection, session: SessionId, member: MemberId) -> Result<(), DbError> {
    let record = records::table.filter(records::session_id.eq(session)).filter(records::member_id.eq(member));
    diesel::delete(record).execute(conn)?;
    Ok(())
}

/// The marks of some members in their class's sessions that start at the first time or later and before the last (UTC); those
/// of a pilot only for somebody who asks for them. In no order. Name some hundred members at most.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn marks_of(
    conn: &mut AnyConnection,
    members: &[MemberId],
    (from, to): (NaiveDateTime, NaiveDateTime),
    pilots: PilotSessions,
) -> Result<Vec<MarkRow>, DbError> {
    let is_pilot: &[bool] = if pilots.take(true) { &[false, true] } else { &[false] };
    Ok(records::table
        .inner_join(attendance_sessions::table)
        .filter(records::member_id.eq_any(members.iter().map(|member| member.0).collect::<Vec<_>>()))
        .filter(attendance_sessions::starts_at.ge(from))
        .filter(attendance_sessions::starts_at.lt(to))
        .filter(attendance_sessions::pilot.eq_any(is_pilot))
        .select((records::session_id, records::member_id, records::status))
        .load(conn)?)
}

/// Those of the sessions whose register was begun: photos of it were judged, or a person or an import has set somebody's status.
/// That somebody is excused beforehand begins none.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn written_in(conn: &mut AnyConnection, sessions: &[SessionId]) -> Result<Vec<SessionId>, DbError> {
    let mut written = Vec::new();
    for portion in sessions.chunks(PORTION) {
        let ids: Vec<i64> = portion.iter().map(|id| id.0).collect();
        let judged = attendance_sessions::table.filter(attendance_sessions::gallery_fingerprint.is_not_null());
        let said = records::source.ne(RecordSource::Auto);
        let found = records::table
            .filter(records::session_id.eq_any(ids))
            .filter(said.or(records::session_id.eq_any(judged.select(attendance_sessions::id))))
            .select(records::session_id)
            .distinct();
        written.extend(found.load::<SessionId>(conn)?);
    }
    Ok(written)
}

/// The records of a member in sessions that start at the first time or later and before the last (UTC), in order of time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn told_of(
    conn: &mut AnyConnection,
    member: MemberId,
    (from, to): (NaiveDateTime, NaiveDateTime),
) -> Result<Vec<ToldRow>, DbError> {
    Ok(records::table
        .inner_join(attendance_sessions::table)
        .filter(records::member_id.eq(member))
        .filter(attendance_sessions::starts_at.ge(from))
        .filter(attendance_sessions::starts_at.lt(to))
        .order((attendance_sessions::starts_at, records::session_id))
        .select((records::session_id, records::status, records::source, records::note))
        .load(conn)?)
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::db::testing::statements::statements;
    use crate::db::testing::{at, new_face, new_photo, new_session, on_each_database, school};
    use crate::db::{faces, photos, sessions};

    fn record(session_id: SessionId, member_id: MemberId, status: AttendanceStatus, source: RecordSource) -> NewRecord {
        NewRecord {
            session_id,
            member_id,
            status,
            source,
            confidence: None,
            face_id: None,
            note: None,
            updated_at: at("2025-09-01 05:00:00"),
        }
    }

    use AttendanceStatus::{Absent, Excused, Late, Present, Unmarked};
    use RecordSource::{Auto, Import, Manual};

    on_each_database! {
        fn automatic_records_of_others_go_and_what_a_person_said_stays(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let [asha, ravi, mina] = school.members;
                upsert(conn, &[
                    record(school.session, asha, Present, Auto),
                    record(school.session, ravi, Absent, Auto),
                    record(school.session, mina, Absent, Manual),
                ])?;
                assert_eq!(delete_automatic_but(conn, school.session, &[asha])?, 1);
                let left: Vec<_> = list(conn, school.session)?.into_iter().map(|row| row.member_id).collect();
                assert_eq!(left, [asha, mina]);
                assert_eq!(delete_automatic_but(conn, school.session, &[])?, 1);
                Ok(())
            }).unwrap();
        }

        fn a_register_is_begun_by_photos_and_people(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let (session, [asha, ravi, _]) = (school.session, school.members);
                let other = sessions::find_or_insert(conn, &new_session(school.class, "2025-09-02 03:30:00"))?.id;
                upsert(conn, &[record(session, asha, Excused, Auto), record(other, asha, Excused, Auto)])?;
                assert_eq!(written_in(conn, &[session, other])?, [], "nobody has looked or said anything");
                upsert(conn, &[record(session, ravi, Late, Manual)])?;
                assert_eq!(written_in(conn, &[session, other])?, [session]);
                let judged = sessions::SessionChange {
                    gallery_fingerprint: Some("abc".into()),
                    ..sessions::SessionChange::at(at("2025-09-02 05:00:00"))
                };
                sessions::update(conn, other, &judged)?;
                assert_eq!(written_in(conn, &[other])?, [other]);
                Ok(())
            }).unwrap();
        }

        fn an_automatic_run_replaces_its_own_records_and_nobody_elses(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let (session, [asha, ravi, mina]) = (school.session, school.members);
                let first = [
                    record(session, asha, Unmarked, Auto),
                    record(session, ravi, Late, Manual),
                    record(session, mina, Excused, Import),
                ];
                assert_eq!(upsert(conn, &first)?, 3);
                let again: Vec<_> = school.members.map(|member| record(session, member, Absent, Auto)).into();
                assert_eq!(upsert(conn, &again)?, 1, "only the automatic one is written");
                let rows = list(conn, session)?;
                let now: Vec<_> = rows.iter().map(|row| (row.member_id, row.status, row.source)).collect();
                assert_eq!(now, [(asha, Absent, Auto), (ravi, Late, Manual), (mina, Excused, Import)]);
                Ok(())
            }).unwrap();
        }

        fn a_server_is_told_all_records_at_once(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let new: Vec<_> = school.members.map(|member| record(school.session, member, Absent, Auto)).into();
                let (written, heard) = statements(conn, |conn| upsert(conn, &new))?;
                let expected = if matches!(conn, AnyConnection::Postgres(_)) { 1 } else { 3 };
                assert_eq!((written, heard.len()), (3, expected), "{heard:?}");
                assert_eq!(upsert(conn, &[])?, 0);
                Ok(())
            }).unwrap();
        }

        fn a_person_may_correct_everything(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let (session, [asha, ravi, mina]) = (school.session, school.members);
                upsert(conn, &[
                    record(session, asha, Absent, Auto),
                    record(session, ravi, Late, Manual),
                    record(session, mina, Late, Import),
                ])?;
                let corrected = NewRecord {
                    note: Some("was at the dentist".into()),
                    updated_at: at("2025-09-01 06:00:00"),
                    ..record(session, asha, Excused, Manual)
                };
                upsert(conn, &[
                    corrected,
                    record(session, ravi, Present, Manual),
                    record(session, mina, Present, Manual),
                ])?;
                let rows = list(conn, session)?;
                assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), [Excused, Present, Present]);
                assert_eq!(rows[0].note.as_deref(), Some("was at the dentist"));
                assert_eq!(rows[0].updated_at, at("2025-09-01 06:00:00"));
                Ok(())
            }).unwrap();
        }

        fn a_record_survives_the_face_it_points_at(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let face = faces::replace_for_photo(conn, photo, &[new_face(0)])?[0];
                let seen = NewRecord {
                    face_id: Some(face),
                    confidence: Some(0.5),
                    ..record(school.session, school.members[0], Present, Auto)
                };
                upsert(conn, &[seen])?;
                assert_eq!(list(conn, school.session)?[0].face_id, Some(face));
                faces::replace_for_photo(conn, photo, &[])?;
                let row = &list(conn, school.session)?[0];
                assert_eq!((row.face_id, row.status, row.confidence), (None, Present, Some(0.5)));
                Ok(())
            }).unwrap();
        }

        fn marks_are_those_of_the_members_in_the_range(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let [asha, ravi, _] = school.members;
                let later = sessions::find_or_insert(conn, &new_session(school.class, "2025-09-08 03:30:00"))?.id;
                let outside = sessions::find_or_insert(conn, &new_session(school.class, "2025-09-09 00:00:00"))?.id;
                upsert(conn, &[
                    record(later, asha, Late, Manual),
                    record(outside, asha, Absent, Auto),
                    record(school.session, ravi, Absent, Auto),
                    record(school.session, asha, Present, Auto),
                ])?;
                let (from, to) = (at("2025-09-01 00:00:00"), at("2025-09-09 00:00:00"));
                let mut marks = marks_of(conn, &[asha, ravi], (from, to), PilotSessions::LeftOut)?;
                marks.sort_unstable_by_key(|mark| (mark.session_id, mark.member_id));
                let seen: Vec<_> = marks.iter().map(|mark| (mark.session_id, mark.member_id, mark.status)).collect();
                assert_eq!(seen, [(school.session, asha, Present), (school.session, ravi, Absent), (later, asha, Late)]);
                let of_ravi = marks_of(conn, &[ravi], (from, to), PilotSessions::Included)?;
                assert_eq!(of_ravi, [MarkRow { session_id: school.session, member_id: ravi, status: Absent }]);
                assert_eq!(marks_of(conn, &[], (from, to), PilotSessions::Included)?, []);
                Ok(())
            }).unwrap();
        }

        fn what_is_told_of_a_member_comes_in_order_of_time(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let asha = school.members[0];
                let before = sessions::find_or_insert(conn, &new_session(school.class, "2025-08-31 03:30:00"))?.id;
                let late = NewRecord { note: Some("bus".into()), ..record(before, asha, Late, Manual) };
                upsert(conn, &[record(school.session, asha, Absent, Auto), late])?;
                let days = |from: &str| (at(from), at("2025-09-02 00:00:00"));
                let told = told_of(conn, asha, days("2025-08-31 00:00:00"))?;
                let first = ToldRow { session_id: before, status: Late, source: Manual, note: Some("bus".into()) };
                assert_eq!((told.len(), &told[0], told[1].session_id), (2, &first, school.session));
                assert_eq!(told_of(conn, asha, days("2025-09-01 00:00:00"))?.len(), 1);
                assert_eq!(told_of(conn, school.members[1], days("2025-08-31 00:00:00"))?, []);
                Ok(())
            }).unwrap();
        }

        fn a_session_takes_its_records_along_and_a_recorded_member_stays(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                upsert(conn, &[record(school.session, school.members[0], Present, Auto)])?;
                let refused = conn.batch_execute("DELETE FROM class_members").map_err(DbError::from);
                assert!(matches!(refused, Err(DbError::Reference)), "{refused:?}");
                conn.batch_execute("DELETE FROM attendance_sessions")?;
                assert_eq!(list(conn, school.session)?, []);
                conn.batch_execute("DELETE FROM class_members")?;
                Ok(())
            }).unwrap();
        }

        fn one_record_is_deleted_and_others_stay(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let [asha, ravi, _] = school.members;
                upsert(conn, &[
                    record(school.session, asha, Late, Manual), record(school.session, ravi, Absent, Auto),
                ])?;
                delete(conn, school.session, asha)?;
                delete(conn, school.session, asha)?;
                let left: Vec<_> = list(conn, school.session)?.into_iter().map(|row| row.member_id).collect();
                assert_eq!(left, [ravi]);
                Ok(())
            }).unwrap();
        }

        fn an_unknown_member_and_an_impossible_confidence_are_refused(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let refused = upsert(conn, &[record(school.session, MemberId(404), Present, Auto)]);
                assert!(matches!(refused, Err(DbError::Reference)), "{refused:?}");
                let possible = record(school.session, school.members[0], Present, Auto);
                let refused = upsert(conn, &[NewRecord { confidence: Some(1.5), ..possible }]);
                assert!(matches!(refused, Err(DbError::Rule(_))), "{refused:?}");
                Ok(())
            }).unwrap();
        }
    }
}
