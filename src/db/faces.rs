//! Faces: one detection in a photo, and what recognition says about it.
//!
//! Detections are written per photo, verdicts per session, because a verdict looks at all photos of the session.

use chrono::NaiveDateTime;
use diesel::dsl::count_star;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, Text};

use super::column::Json;
use super::connection::each_backend;
use super::error::OrNotFound;
use super::schema::{attendance_sessions, faces, session_photos};
use super::{AnyConnection, DbError};
use crate::domain::embedding::Embedding;
use crate::domain::geometry::{BoundingBox, Landmarks};
use crate::domain::ids::{FaceId, MemberId, PhotoId, SessionId};
use crate::domain::quality::FaceQuality;
use crate::domain::status::Verdict;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = faces)]
pub struct FaceRow {
    pub id: FaceId,
    pub photo_id: PhotoId,
    /// Place in the photo's list of detections, from 0.
    pub ordinal: i32,
    /// Box in pixels of the upright photo, origin top left.
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
    pub landmarks: Json<Landmarks>,
    /// 0..1, as the detector says.
    pub detection_score: f32,
    pub quality: Json<FaceQuality>,
    /// Gone once a stranger's session is confirmed.
    pub embedding: Option<Embedding>,
    pub verdict: Option<Verdict>,
    pub member_id: Option<MemberId>,
    /// Of the face and the nearest candidate; lower is nearer.
    pub combined: Option<f64>,
    /// -1..1.
    pub cosine: Option<f64>,
    /// 0..1.
    pub confidence: Option<f64>,
    pub runner_up_member_id: Option<MemberId>,
    pub runner_up_combined: Option<f64>,
    /// Why the verdict is not a plain match.
    pub reason: Option<String>,
    /// Faces of one session with the same number are the same person.
    pub person: Option<i32>,
}

impl FaceRow {
    pub const fn bounds(&self) -> BoundingBox {
        BoundingBox::from_xywh(self.x, self.y, self.w, self.h)
    }
}

#[derive(Debug, Clone, PartialEq, Insertable)]
#[diesel(table_name = faces, treat_none_as_default_value = false)]
pub struct NewFace {
    pub ordinal: i32,
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
    pub landmarks: Json<Landmarks>,
    pub detection_score: f32,
    pub quality: Json<FaceQuality>,
    #[diesel(skip_insertion)]
    pub embedding: Option<Embedding>,
}

/// What recognition says about a stored face. `None` is written as such.
#[derive(Debug, Clone, PartialEq, AsChangeset)]
#[diesel(table_name = faces, treat_none_as_null = true)]
pub struct FaceVerdict {
    #[diesel(skip_update)]
    pub face: FaceId,
    pub verdict: Verdict,
    /// Always for a match, never for a stranger.
    pub member_id: Option<MemberId>,
    pub combined: Option<f64>,
    pub cosine: Option<f64>,
    pub confidence: Option<f64>,
    pub runner_up_member_id: Option<MemberId>,
    pub runner_up_combined: Option<f64>,
    pub reason: Option<String>,
    pub person: Option<i32>,
}

/// The matched face of a member in some photo, as far as pictures are compared by it.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = faces)]
pub struct MemberFaceRow {
    pub photo_id: PhotoId,
    pub member_id: Option<MemberId>,
    pub embedding: Option<Embedding>,
    /// Box in pixels of the upright photo, origin top left.
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
    /// Pixels of the upright photo.
    #[diesel(select_expression = session_photos::width)]
    pub photo_width: Option<i32>,
}

/// Where faces of members are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere<'a> {
    /// In other sessions than this one.
    pub session: SessionId,
    /// Which start from this time (UTC) to that.
    pub days: (NaiveDateTime, NaiveDateTime),
    /// In photos that came before this one, or after.
    pub photos: Came,
    /// In photos that were looked at with this pack and version.
    pub pack: (&'a str, &'a str),
}

/// Photos by the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    Before(PhotoId),
    After(PhotoId),
}

/// Replaces all faces of a photo; returns the new ids in the order of `new`. Records that pointed at the old ones lose
/// the pointer, not their status. Belongs into a transaction.
///
/// # Errors
/// [`DbError::Duplicate`] when two faces have the same ordinal, [`DbError::Reference`] for an unknown photo.
pub fn replace_for_photo(conn: &mut AnyConnection, photo: PhotoId, new: &[NewFace]) -> Result<Vec<FaceId>, DbError> {
    diesel::delete(faces::table.filter(faces::photo_id.eq(photo))).execute(conn)?;
    let rows: Vec<_> = new
        .iter()
        .map(|face| {
            let embedding = face.embedding.as_ref().map(Embedding::to_le_bytes);
            (face, faces::photo_id.eq(photo), faces::embedding.eq(embedding))
        })
        .collect();
    each_backend!(conn, c => diesel::insert_into(faces::table).values(rows).execute(c))?;
    let mut ids: Vec<(i32, FaceId)> =
        faces::table.filter(faces::photo_id.eq(photo)).select((faces::ordinal, faces::id)).load(conn)?;
    ids.sort_unstable_by_key(|(ordinal, _)| *ordinal);
    Ok(new
        .iter()
        .map(|face| {
            let at = ids.binary_search_by_key(&face.ordinal, |(ordinal, _)| *ordinal);
            ids[at.expect("the photo's faces were written above")].1
        })
        .collect())
}

/// The face with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: FaceId) -> Result<FaceRow, DbError> {
    faces::table.find(id).select(FaceRow::as_select()).first(conn).or_not_found("the face")
}

/// The faces of a photo, ordered by ordinal.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_photo(conn: &mut AnyConnection, photo: PhotoId) -> Result<Vec<FaceRow>, DbError> {
    Ok(faces::table.filter(faces::photo_id.eq(photo)).order(faces::ordinal).select(FaceRow::as_select()).load(conn)?)
}

/// All faces of a session, ordered by photo and ordinal.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list_for_session(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<FaceRow>, DbError> {
    Ok(faces::table
        .inner_join(session_photos::table)
        .filter(session_photos::session_id.eq(session))
        .order((faces::photo_id, faces::ordinal))
        .select(FaceRow::as_select())
        .load(conn)?)
}

/// What is said of a face, without what it looks like.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = faces)]
pub struct SaidRow {
    pub verdict: Option<Verdict>,
    pub member_id: Option<MemberId>,
    pub reason: Option<String>,
    pub person: Option<i32>,
}

/// What is said of the faces of a session.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn said_in(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<SaidRow>, DbError> {
    Ok(faces::table
        .filter(faces::photo_id.eq_any(photos_of(session)))
        .order(faces::id)
        .select(SaidRow::as_select())
        .load(conn)?)
}

/// The matched faces of these members in other sessions, by photo.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_members_elsewhere(
    conn: &mut AnyConnection,
    members: &[MemberId],
    place: &Elsewhere<'_>,
) -> Result<Vec<MemberFaceRow>, DbError> {
    let mut query = faces::table
        .inner_join(session_photos::table.inner_join(attendance_sessions::table))
        .filter(faces::member_id.eq_any(members.iter().map(|id| id.0).collect::<Vec<_>>()))
        .filter(faces::verdict.eq(Verdict::Match))
        .filter(faces::embedding.is_not_null())
        .filter(session_photos::session_id.ne(place.session))
        .filter(session_photos::pack_id.eq(place.pack.0))
        .filter(session_photos::pack_version.eq(place.pack.1))
        .filter(attendance_sessions::starts_at.between(place.days.0, place.days.1))
        .into_boxed();
    query = match place.photos {
        Came::Before(photo) => query.filter(faces::photo_id.lt(photo)),
        Came::After(photo) => query.filter(faces::photo_id.gt(photo)),
    };
    Ok(query.order((faces::photo_id, faces::ordinal)).select(MemberFaceRow::as_select()).load(conn)?)
}

/// The matched faces of these photos that have an embedding, by photo.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn matched_in(conn: &mut AnyConnection, photos: &[PhotoId]) -> Result<Vec<MemberFaceRow>, DbError> {
    Ok(faces::table
        .inner_join(session_photos::table)
        .filter(faces::photo_id.eq_any(photos.iter().map(|id| id.0).collect::<Vec<_>>()))
        .filter(faces::verdict.eq(Verdict::Match))
        .filter(faces::embedding.is_not_null())
        .order((faces::photo_id, faces::ordinal))
        .select(MemberFaceRow::as_select())
        .load(conn)?)
}

/// How many faces of a photo have each verdict.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn count_verdicts(conn: &mut AnyConnection, photo: PhotoId) -> Result<Vec<(Verdict, u64)>, DbError> {
    let counted: Vec<(Option<Verdict>, i64)> = faces::table
        .filter(faces::photo_id.eq(photo))
        .filter(faces::verdict.is_not_null())
        .group_by(faces::verdict)
        .select((faces::verdict, count_star()))
        .load(conn)?;
    Ok(counted.into_iter().filter_map(|(verdict, count)| Some((verdict?, u64::try_from(count).ok()?))).collect())
}

/// Replaces the verdicts of a session: faces that are not named have none afterwards. Belongs into a transaction.
///
/// # Errors
/// [`DbError::NotFound`] for a face that is not of this session, [`DbError::Duplicate`] when two faces of one photo
/// match the same member, [`DbError::Rule`] when verdict and member do not go together.
pub fn set_verdicts(conn: &mut AnyConnection, session: SessionId, verdicts: &[FaceVerdict]) -> Result<(), DbError> {
    clear_verdicts(conn, session)?;
    match conn {
        AnyConnection::Postgres(server) => set_at_once(server, session, verdicts)?.then_some(()),
        AnyConnection::Sqlite(_) => set_each(conn, session, verdicts)?.then_some(()),
    }
    .ok_or(DbError::NotFound { what: "the face" })
}

/// Whether all faces are of the session.
fn set_each(conn: &mut AnyConnection, session: SessionId, verdicts: &[FaceVerdict]) -> Result<bool, DbError> {
    for verdict in verdicts {
        let of_session = faces::table.find(verdict.face).filter(faces::photo_id.eq_any(photos_of(session)));
        if diesel::update(of_session).set(verdict).execute(conn)? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The same in one statement: a photo of a hundred faces would wait for the network a hundred times. diesel has no update from
/// a list of values.
fn set_at_once(server: &mut PgConnection, session: SessionId, verdicts: &[FaceVerdict]) -> Result<bool, DbError> {
    fn each<T>(verdicts: &[FaceVerdict], of: impl Fn(&FaceVerdict) -> T) -> Vec<T> {
        verdicts.iter().map(of).collect()
    }
    let set = diesel::sql_query(
        "UPDATE faces SET verdict = said.verdict, member_id = said.member_id, combined = said.combined, \
         cosine = said.cosine, confidence = said.confidence, runner_up_member_id = said.runner_up_member_id, \
         runner_up_combined = said.runner_up_combined, reason = said.reason, person = said.person \
         FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS said (face, verdict, member_id, combined, cosine, \
         confidence, runner_up_member_id, runner_up_combined, reason, person) \
         WHERE faces.id = said.face AND photo_id IN (SELECT id FROM session_photos WHERE session_id = $1)",
    )
    .bind::<BigInt, _>(session.0)
    .bind::<Array<BigInt>, _>(each(verdicts, |v| v.face.0))
    .bind::<Array<Text>, _>(each(verdicts, |v| v.verdict.as_str()))
    .bind::<Array<Nullable<BigInt>>, _>(each(verdicts, |v| v.member_id.map(|id| id.0)))
    .bind::<Array<Nullable<Double>>, _>(each(verdicts, |v| v.combined))
    .bind::<Array<Nullable<Double>>, _>(each(verdicts, |v| v.cosine))
    .bind::<Array<Nullable<Double>>, _>(each(verdicts, |v| v.confidence))
    .bind::<Array<Nullable<BigInt>>, _>(each(verdicts, |v| v.runner_up_member_id.map(|id| id.0)))
    .bind::<Array<Nullable<Double>>, _>(each(verdicts, |v| v.runner_up_combined))
    .bind::<Array<Nullable<Text>>, _>(each(verdicts, |v| v.reason.clone()))
    .bind::<Array<Nullable<Integer>>, _>(each(verdicts, |v| v.person));
    Ok(set.execute(server)? == verdicts.len())
}

/// Deletes the embeddings of the strangers of a session; returns how many. Scores and decisions stay.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn forget_strangers(conn: &mut AnyConnection, session: SessionId) -> Result<usize, DbError> {
    let strangers = faces::table
        .filter(faces::photo_id.eq_any(photos_of(session)))
        .filter(faces::verdict.eq(Verdict::Stranger))
        .filter(faces::embedding.is_not_null());
    Ok(diesel::update(strangers).set(faces::embedding.eq(None::<Vec<u8>>)).execute(conn)?)
}

/// Written one after the other, two faces that swap their members would for a moment match the same one.
fn clear_verdicts(conn: &mut AnyConnection, session: SessionId) -> Result<(), DbError> {
    diesel::update(faces::table.filter(faces::photo_id.eq_any(photos_of(session))))
        .set((
            faces::verdict.eq(None::<Verdict>),
            faces::member_id.eq(None::<MemberId>),
            faces::combined.eq(None::<f64>),
            faces::cosine.eq(None::<f64>),
            faces::confidence.eq(None::<f64>),
            faces::runner_up_member_id.eq(None::<MemberId>),
            faces::runner_up_combined.eq(None::<f64>),
            faces::reason.eq(None::<String>),
            faces::person.eq(None::<i32>),
        ))
        .execute(conn)?;
    Ok(())
}

#[diesel::dsl::auto_type]
fn photos_of(session: SessionId) -> _ {
    session_photos::table.filter(session_photos::session_id.eq(session)).select(session_photos::id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::photos;
    use crate::db::testing::statements::statements;
    use crate::db::testing::{new_face, new_photo, on_each_database, school};

    fn matched(face: FaceId, member: MemberId) -> FaceVerdict {
        FaceVerdict {
            face,
            verdict: Verdict::Match,
            member_id: Some(member),
            combined: Some(14.25),
            cosine: Some(0.7),
            confidence: Some(0.999),
            runner_up_member_id: None,
            runner_up_combined: None,
            reason: None,
            person: Some(0),
        }
    }

    fn stranger(face: FaceId) -> FaceVerdict {
        FaceVerdict {
            verdict: Verdict::Stranger,
            member_id: None,
            confidence: None,
            reason: Some("nobody is near".into()),
            ..matched(face, MemberId(0))
        }
    }

    on_each_database! {
        fn faces_are_replaced_and_read_back_as_written(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let old = replace_for_photo(conn, photo, &[new_face(0), new_face(1), new_face(2)])?;
                // Not in order, and one without an embedding.
                let new = [new_face(1), NewFace { embedding: None, x: 7.25, ..new_face(0) }];
                let ids = replace_for_photo(conn, photo, &new)?;
                let rows = list_for_session(conn, school.session)?;
                assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[1], ids[0]]);
                assert!(ids.iter().all(|id| !old.contains(id)));
                assert_eq!((&rows[0].embedding, &rows[1].embedding), (&None, &new[0].embedding));
                assert_eq!((&rows[1].landmarks, &rows[1].quality), (&new[0].landmarks, &new[0].quality));
                assert_eq!((rows[0].x, rows[0].verdict), (7.25, None));
                assert_eq!(rows[0].bounds().width(), new[1].w);
                assert_eq!(replace_for_photo(conn, photo, &[])?, []);
                assert_eq!(list_for_session(conn, school.session)?, []);
                Ok(())
            }).unwrap();
        }

        fn faces_are_ordered_by_photo_then_ordinal(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let first = photos::insert(conn, &new_photo(school.session, 1))?;
                let second = photos::insert(conn, &new_photo(school.session, 2))?;
                replace_for_photo(conn, second, &[new_face(0)])?;
                replace_for_photo(conn, first, &[new_face(1), new_face(0)])?;
                let order: Vec<_> =
                    list_for_session(conn, school.session)?.iter().map(|row| (row.photo_id, row.ordinal)).collect();
                assert_eq!(order, [(first, 0), (first, 1), (second, 0)]);
                let of_first = of_photo(conn, first)?;
                assert_eq!(of_first, list_for_session(conn, school.session)?[..2]);
                assert_eq!(get(conn, of_first[1].id)?, of_first[1]);
                assert!(matches!(get(conn, FaceId(404)), Err(DbError::NotFound { what: "the face" })));
                Ok(())
            }).unwrap();
        }

        fn a_hundred_faces_fit_into_one_photo(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let faces: Vec<_> = (0..100).map(new_face).collect();
                assert_eq!(replace_for_photo(conn, photo, &faces)?.len(), 100);
                assert_eq!(list_for_session(conn, school.session)?.len(), 100);
                Ok(())
            }).unwrap();
        }

        fn a_server_is_told_all_verdicts_at_once(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let ids = replace_for_photo(conn, photo, &[new_face(0), new_face(1), new_face(2)])?;
                let verdicts = [matched(ids[0], school.members[0]), stranger(ids[1]), stranger(ids[2])];
                let ((), heard) = statements(conn, |conn| set_verdicts(conn, school.session, &verdicts))?;
                let expected = if matches!(conn, AnyConnection::Postgres(_)) { 2 } else { 4 };
                assert_eq!(heard.len(), expected, "those of before are taken back first: {heard:?}");
                set_verdicts(conn, school.session, &[])
            }).unwrap();
        }

        fn two_faces_may_swap_their_members(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let [asha, ravi, _] = school.members;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let ids = replace_for_photo(conn, photo, &[new_face(0), new_face(1)])?;
                set_verdicts(conn, school.session, &[matched(ids[0], asha), matched(ids[1], ravi)])?;
                set_verdicts(conn, school.session, &[matched(ids[0], ravi), matched(ids[1], asha)])?;
                let rows = list_for_session(conn, school.session)?;
                assert_eq!((rows[0].member_id, rows[1].member_id), (Some(ravi), Some(asha)));
                let scores = (rows[0].combined, rows[0].cosine, rows[0].confidence);
                assert_eq!(scores, (Some(14.25), Some(0.7), Some(0.999)));
                Ok(())
            }).unwrap();
        }

        fn a_face_that_is_not_named_has_no_verdict_afterwards(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let ids = replace_for_photo(conn, photo, &[new_face(0), new_face(1)])?;
                set_verdicts(conn, school.session, &[matched(ids[0], school.members[0]), stranger(ids[1])])?;
                set_verdicts(conn, school.session, &[stranger(ids[1])])?;
                let rows = list_for_session(conn, school.session)?;
                assert_eq!((rows[0].verdict, rows[0].member_id, rows[0].person), (None, None, None));
                assert_eq!(rows[1].verdict, Some(Verdict::Stranger));
                assert_eq!(rows[1].reason.as_deref(), Some("nobody is near"));
                Ok(())
            }).unwrap();
        }

        fn one_student_has_one_face_in_a_photo(db) {
            let refused = db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let ids = replace_for_photo(conn, photo, &[new_face(0), new_face(1)])?;
                let member = school.members[0];
                set_verdicts(conn, school.session, &[matched(ids[0], member), matched(ids[1], member)])
            });
            assert!(matches!(refused, Err(DbError::Duplicate { .. })), "{refused:?}");
        }

        fn a_match_needs_a_member_and_a_stranger_has_none(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let face = replace_for_photo(conn, photo, &[new_face(0)])?[0];
                let nobody = FaceVerdict { member_id: None, ..matched(face, MemberId(0)) };
                assert!(matches!(set_verdicts(conn, school.session, &[nobody]), Err(DbError::Rule(_))));
                let somebody = FaceVerdict { member_id: Some(school.members[0]), ..stranger(face) };
                assert!(matches!(set_verdicts(conn, school.session, &[somebody]), Err(DbError::Rule(_))));
                let elsewhere = set_verdicts(conn, SessionId(404), &[stranger(face)]);
                assert!(matches!(elsewhere, Err(DbError::NotFound { .. })));
                Ok(())
            }).unwrap();
        }

        fn strangers_are_forgotten_and_matches_are_not(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let ids = replace_for_photo(conn, photo, &[new_face(0), new_face(1)])?;
                set_verdicts(conn, school.session, &[matched(ids[0], school.members[0]), stranger(ids[1])])?;
                assert_eq!(forget_strangers(conn, school.session)?, 1);
                assert_eq!(forget_strangers(conn, school.session)?, 0);
                let rows = list_for_session(conn, school.session)?;
                assert!(rows[0].embedding.is_some() && rows[1].embedding.is_none());
                assert_eq!(rows[1].combined, Some(14.25), "scores stay");
                Ok(())
            }).unwrap();
        }
    }
}
