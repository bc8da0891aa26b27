//! What the program says of the members of a pilot session without anything that a person has said. Written when such a session is
//! settled, read when it is compared with the teacher's register.

use diesel::prelude::*;

use super::schema::{faces, pilot_opinions as opinions, session_photos};
use super::{AnyConnection, DbError};
use crate::domain::ids::{FaceId, MemberId, SessionId};
use crate::domain::pilot::Opinion;

#[derive(Debug, Clone, PartialEq, Insertable)]
#[diesel(table_name = opinions)]
pub struct NewOpinion {
    pub session_id: SessionId,
    pub member_id: MemberId,
    pub opinion: Opinion,
    /// 0..1, where a face speaks for it.
    pub confidence: Option<f64>,
    /// The face that it rests on.
    pub face_id: Option<FaceId>,
}

/// An opinion, with the photo that it rests on.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct OpinionRow {
    pub session_id: SessionId,
    pub member_id: MemberId,
    pub opinion: Opinion,
    pub confidence: Option<f64>,
    /// Name of the file that shows the face.
    pub photo: Option<String>,
}

/// Writes the opinions of a session in place of those that it has. Belongs into the transaction that settles it.
///
/// # Errors
/// [`DbError::Reference`] for an unknown session, member or face.
pub fn replace(conn: &mut AnyConnection, session: SessionId, new: &[NewOpinion]) -> Result<(), DbError> {
    diesel::delete(opinions::table.filter(opinions::session_id.eq(session))).execute(conn)?;
    // One statement each: diesel has no insert of several rows for either database at once.
    for row in new {
        diesel::insert_into(opinions::table).values(row).execute(conn)?;
    }
    Ok(())
}

/// The opinions of a session, ordered by member.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_session(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<OpinionRow>, DbError> {
    Ok(opinions::table
        .left_join(faces::table.inner_join(session_photos::table))
        .filter(opinions::session_id.eq(session))
        .order(opinions::member_id)
        .select((
            opinions::session_id,
            opinions::member_id,
            opinions::opinion,
            opinions::confidence,
            session_photos::original_name.nullable(),
        ))
        .load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{new_face, new_photo, on_each_database, school};
    use crate::db::{faces, photos};

    on_each_database! {
        fn opinions_are_written_anew_and_name_their_photo(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let face = faces::replace_for_photo(conn, photo, &[new_face(0)])?[0];
                let [asha, ravi, _] = school.members;
                let new = |member_id, opinion, face_id: Option<FaceId>| NewOpinion {
                    session_id: school.session, member_id, opinion, confidence: face_id.map(|_| 0.75), face_id,
                };
                let all: Vec<NewOpinion> = school.members.iter().map(|m| new(*m, Opinion::Asks, None)).collect();
                replace(conn, school.session, &all)?;
                replace(conn, school.session, &[new(ravi, Opinion::Absent, None), new(asha, Opinion::Present, Some(face))])?;
                let found = of_session(conn, school.session)?;
                let told = |row: &OpinionRow| (row.member_id, row.opinion, row.confidence, row.photo.clone());
                let name = new_photo(school.session, 1).original_name;
                assert_eq!(found.iter().map(told).collect::<Vec<_>>(), [
                    (asha, Opinion::Present, Some(0.75), Some(name)),
                    (ravi, Opinion::Absent, None, None),
                ]);
                photos::delete(conn, photo)?;
                let without = &of_session(conn, school.session)?[0];
                assert_eq!((without.opinion, &without.photo), (Opinion::Present, &None), "the opinion outlives its face");
                Ok(())
            }).unwrap();
        }

        fn every_opinion_has_its_word_in_the_schema(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                for opinion in Opinion::ALL {
                    let (session_id, member_id) = (school.session, school.members[0]);
                    let row = NewOpinion { session_id, member_id, opinion: *opinion, confidence: None, face_id: None };
                    replace(conn, session_id, &[row])?;
                    assert_eq!(of_session(conn, session_id)?[0].opinion, *opinion);
                }
                Ok(())
            }).unwrap();
        }
    }
}
