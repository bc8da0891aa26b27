//! Faces whose names a teacher has signed for: what a school's own calibration rests on.
//!
//! A face counts when its session is confirmed, it is a match, and the record of its student says present or late.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::column::Json;
use super::schema::{
    attendance_records as records, attendance_sessions as sessions, class_members, faces, session_photos,
};
use super::{AnyConnection, DbError};
use crate::domain::embedding::Embedding;
use crate::domain::ids::{ClassId, FaceId, SessionId, StudentId};
use crate::domain::quality::FaceQuality;
use crate::domain::status::{AttendanceStatus, SessionState, Verdict};

/// A face and whose it is.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct ConfirmedFace {
    pub face: FaceId,
    pub student: StudentId,
    pub class: ClassId,
    pub session: SessionId,
    /// UTC.
    pub starts_at: NaiveDateTime,
    pub quality: Json<FaceQuality>,
}

/// How many ids one query names: well below what either database takes.
const IDS_PER_QUERY: usize = 500;

/// All of them that were seen with this version (id, version) of a pack, those of the newest sessions first. Without their
/// vectors, which [`embeddings`] reads.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn newest_first(
    conn: &mut AnyConnection,
    (pack_id, pack_version): (&str, &str),
) -> Result<Vec<ConfirmedFace>, DbError> {
    let record = records::session_id.eq(sessions::id).and(records::member_id.nullable().eq(faces::member_id));
    let of_member = class_members::id.nullable().eq(faces::member_id);
    Ok(faces::table
        .inner_join(session_photos::table.inner_join(sessions::table))
        .inner_join(class_members::table.on(of_member))
        .inner_join(records::table.on(record))
        .filter(sessions::state.eq(SessionState::Confirmed))
        .filter(faces::verdict.eq(Verdict::Match))
        .filter(faces::embedding.is_not_null())
        .filter(session_photos::pack_id.eq(pack_id))
        .filter(session_photos::pack_version.eq(pack_version))
        .filter(records::status.eq_any([AttendanceStatus::Present, AttendanceStatus::Late]))
        .order((sessions::starts_at.desc(), faces::id))
        .select((
            faces::id,
            class_members::student_id,
            sessions::class_id,
            sessions::id,
            sessions::starts_at,
            faces::quality,
        ))
        .load(conn)?)
}

/// The vectors of these faces, in the order of their ids; a face without one is left out.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn embeddings(conn: &mut AnyConnection, of: &[FaceId]) -> Result<Vec<(FaceId, Embedding)>, DbError> {
    let mut ids: Vec<i64> = of.iter().map(|face| face.0).collect();
    ids.sort_unstable();
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS_PER_QUERY) {
        let rows: Vec<(FaceId, Option<Embedding>)> = faces::table
            .filter(faces::id.eq_any(ids))
            .order(faces::id)
            .select((faces::id, faces::embedding))
            .load(conn)?;
        found.extend(rows.into_iter().filter_map(|(face, embedding)| Some((face, embedding?))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::faces::FaceVerdict;
    use crate::db::records::NewRecord;
    use crate::db::testing::{at, new_face, new_photo, on_each_database, photo_result, school};
    use crate::db::{faces as face_rows, photos, records as record_rows, sessions as session_rows};
    use crate::domain::ids::MemberId;
    use crate::domain::status::RecordSource;

    fn verdict(face: FaceId, member: Option<MemberId>) -> FaceVerdict {
        FaceVerdict {
            face,
            verdict: if member.is_some() { Verdict::Match } else { Verdict::Stranger },
            member_id: member,
            combined: Some(12.0),
            cosine: Some(0.7),
            confidence: Some(0.9),
            runner_up_member_id: None,
            runner_up_combined: None,
            reason: None,
            person: None,
        }
    }

    on_each_database! {
        fn a_face_counts_once_its_session_is_signed_and_its_student_was_there(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                photos::finish(conn, photo, &photo_result())?;
                let ids = face_rows::replace_for_photo(conn, photo, &[new_face(0), new_face(1), new_face(2)])?;
                let [here, marked_absent, _] = school.members;
                let verdicts = [
                    verdict(ids[0], Some(here)), verdict(ids[1], Some(marked_absent)), verdict(ids[2], None),
                ];
                face_rows::set_verdicts(conn, school.session, &verdicts)?;
                let record = |member_id, status| NewRecord {
                    session_id: school.session,
                    member_id,
                    status,
                    source: RecordSource::Manual,
                    confidence: None,
                    face_id: None,
                    note: None,
                    updated_at: at("2025-09-01 09:00:00"),
                };
                record_rows::upsert(
                    conn,
                    &[record(here, AttendanceStatus::Late), record(marked_absent, AttendanceStatus::Absent)],
                )?;
                assert_eq!(newest_first(conn, ("starter", "1"))?, []);
                let teacher = session_rows::Signer { name: "A teacher", user: None };
                let signed = (teacher, at("2025-09-01 10:00:00"));
                session_rows::confirm(conn, school.session, signed, &session_rows::Reconciled::default())?;
                let found = newest_first(conn, ("starter", "1"))?;
                assert_eq!(found.iter().map(|face| face.face).collect::<Vec<_>>(), [ids[0]]);
                assert_eq!((found[0].class, found[0].session), (school.class, school.session));
                assert_eq!(newest_first(conn, ("starter", "2"))?, [], "of another version of the pack");
                let vectors = embeddings(conn, &[ids[0], FaceId(404)])?;
                assert_eq!(vectors, [(ids[0], new_face(0).embedding.unwrap())]);
                Ok(())
            }).unwrap();
        }
    }
}
