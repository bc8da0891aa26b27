//! What sessions knew of members who were in them: for the health of an enrolment. Reads only.
//!
//! Four queries for a class, however many members and sessions: the newest sessions, when their photos were looked at, who
//! was there, and which faces name somebody.

use chrono::NaiveDateTime;
use diesel::dsl::max;
use diesel::prelude::*;

use super::schema::{attendance_records as records, attendance_sessions as sessions, faces, session_photos as photos};
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, MemberId, SessionId};
use crate::domain::status::{AttendanceStatus, PhotoState, RecordSource, SessionState, Verdict};

/// A session whose photos were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedAt {
    pub session: SessionId,
    pub starts_at: NaiveDateTime,
    /// When the last of its photos was done.
    pub seen_at: NaiveDateTime,
}

/// A face that was said to be, or may be, a member.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct NamedFace {
    pub session: SessionId,
    pub member: MemberId,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub combined: Option<f64>,
    /// 0..1.
    pub confidence: Option<f64>,
}

/// The newest `count` sessions of a class, newest first; of them those whose photos were done with this version (id, version)
/// of a pack.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn looked_at(
    conn: &mut AnyConnection,
    class: ClassId,
    (pack_id, pack_version): (&str, &str),
    count: u32,
) -> Result<Vec<LookedAt>, DbError> {
    let newest: Vec<(SessionId, NaiveDateTime)> = sessions::table
        .filter(sessions::class_id.eq(class))
        .order((sessions::starts_at.desc(), sessions::id.desc()))
        .limit(count.into())
        .select((sessions::id, sessions::starts_at))
        .load(conn)?;
    let seen: Vec<(SessionId, Option<NaiveDateTime>)> = photos::table
        .filter(photos::session_id.eq_any(numbers(newest.iter().map(|row| row.0))))
        .filter(photos::state.eq(PhotoState::Done))
        .filter(photos::pack_id.eq(pack_id))
        .filter(photos::pack_version.eq(pack_version))
        .group_by(photos::session_id)
        .select((photos::session_id, max(photos::processed_at)))
        .load(conn)?;
    let of = |(session, starts_at)| {
        let seen_at = seen.iter().find(|row| row.0 == session)?.1?;
        Some(LookedAt { session, starts_at, seen_at })
    };
    Ok(newest.into_iter().filter_map(of).collect())
}

/// Who was in these sessions as far as a person vouches for it: set by hand or an import, or in a confirmed session.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn present(conn: &mut AnyConnection, of: &[SessionId]) -> Result<Vec<(SessionId, MemberId)>, DbError> {
    let is_final = sessions::state.eq(SessionState::Confirmed).or(records::source.ne(RecordSource::Auto));
    Ok(records::table
        .inner_join(sessions::table)
        .filter(records::session_id.eq_any(numbers(of.iter().copied())))
        .filter(records::status.eq_any([AttendanceStatus::Present.as_str(), AttendanceStatus::Late.as_str()]))
        .filter(is_final)
        .select((records::session_id, records::member_id))
        .load(conn)?)
}

/// The faces of these sessions that name somebody.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn named_faces(conn: &mut AnyConnection, of: &[SessionId]) -> Result<Vec<NamedFace>, DbError> {
    Ok(faces::table
        .inner_join(photos::table)
        .filter(photos::session_id.eq_any(numbers(of.iter().copied())))
        .filter(faces::member_id.is_not_null())
        .filter(faces::verdict.is_not_null())
        .select((
            photos::session_id,
            faces::member_id.assume_not_null(),
            faces::verdict.assume_not_null(),
            faces::reason,
            faces::combined,
            faces::confidence,
        ))
        .load(conn)?)
}

fn numbers(of: impl Iterator<Item = SessionId>) -> Vec<i64> {
    of.map(|session| session.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::faces::FaceVerdict;
    use crate::db::photos::PhotoResult;
    use crate::db::records::NewRecord;
    use crate::db::sessions::SessionChange;
    use crate::db::testing::{at, new_face, new_photo, new_session, on_each_database, photo_result, school};
    use crate::db::{faces as face_rows, photos as photo_rows, records as record_rows, sessions as session_rows};

    on_each_database! {
        fn only_the_newest_sessions_that_the_pack_has_seen(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let at_hour = |hour| new_session(school.class, &format!("2025-09-02 0{hour}:00:00"));
                let later = session_rows::find_or_insert(conn, &at_hour(4))?.id;
                session_rows::find_or_insert(conn, &at_hour(5))?;
                let mut done = |session, image, pack_version: &str| {
                    let photo = photo_rows::insert(conn, &new_photo(session, image))?;
                    let result = PhotoResult { pack_version: pack_version.into(), ..photo_result() };
                    photo_rows::finish(conn, photo, &result)
                };
                let PhotoResult { pack_id, pack_version, processed_at, .. } = photo_result();
                done(school.session, 1, &pack_version)?;
                done(later, 2, &pack_version)?;
                done(later, 3, "another")?;
                let mut of = |version: &str, count| {
                    let rows = looked_at(conn, school.class, (&pack_id, version), count)?;
                    Ok::<_, DbError>(rows.into_iter().map(|row| (row.session, row.seen_at)).collect::<Vec<_>>())
                };
                assert_eq!(of(&pack_version, 9)?, [(later, processed_at), (school.session, processed_at)]);
                assert_eq!(of("another", 9)?, [(later, processed_at)]);
                assert_eq!(of(&pack_version, 2)?, [(later, processed_at)], "the third is older than the newest two");
                Ok(())
            }).unwrap();
        }

        fn presence_counts_where_a_person_vouches_for_it(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let [asha, ravi, mina] = school.members;
                let said = |member_id, status, source| NewRecord {
                    session_id: school.session,
                    member_id,
                    status,
                    source,
                    confidence: None,
                    face_id: None,
                    note: None,
                    updated_at: at("2025-09-01 05:00:00"),
                };
                record_rows::upsert(conn, &[
                    said(asha, AttendanceStatus::Present, RecordSource::Auto),
                    said(ravi, AttendanceStatus::Late, RecordSource::Manual),
                    said(mina, AttendanceStatus::Absent, RecordSource::Manual),
                ])?;
                assert_eq!(present(conn, &[school.session])?, [(school.session, ravi)]);
                let now = at("2025-09-01 06:00:00");
                let signed = SessionChange { state: Some(SessionState::Confirmed), ..SessionChange::at(now) };
                session_rows::update(conn, school.session, &signed)?;
                let mut all = present(conn, &[school.session])?;
                all.sort_unstable();
                assert_eq!(all, [(school.session, asha), (school.session, ravi)]);
                assert_eq!(present(conn, &[])?, []);
                Ok(())
            }).unwrap();
        }

        fn faces_that_name_somebody_are_found_by_session(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photo_rows::insert(conn, &new_photo(school.session, 1))?;
                let ids = face_rows::replace_for_photo(conn, photo, &[new_face(0), new_face(1), new_face(2)])?;
                let of = |face, verdict, member_id| FaceVerdict {
                    face,
                    verdict,
                    member_id,
                    combined: Some(14.25),
                    cosine: Some(0.7),
                    confidence: Some(0.5),
                    runner_up_member_id: None,
                    runner_up_combined: None,
                    reason: Some("clear".into()),
                    person: None,
                };
                let verdicts =
                    [of(ids[0], Verdict::Match, Some(school.members[1])), of(ids[1], Verdict::Stranger, None)];
                face_rows::set_verdicts(conn, school.session, &verdicts)?;
                let expected = NamedFace {
                    session: school.session,
                    member: school.members[1],
                    verdict: Verdict::Match,
                    reason: Some("clear".into()),
                    combined: Some(14.25),
                    confidence: Some(0.5),
                };
                assert_eq!(named_faces(conn, &[school.session])?, [expected]);
                Ok(())
            }).unwrap();
        }
    }
}
