//! What people said about faces: who it is, or that it is nobody of the class.
//!
//! Kept by place in the photo, not by face, because faces are written anew whenever a photo is looked at again.
//! [`crate::domain::decision`] finds the faces they are about.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::schema::{face_decisions, session_photos};
use super::{AnyConnection, DbError};
use crate::domain::access::{Actor, ActorKind};
use crate::domain::decision::{Decided, Decision};
use crate::domain::geometry::BoundingBox;
use crate::domain::ids::{MemberId, PhotoId, SessionId};

#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = face_decisions)]
pub struct DecisionRow {
    pub id: i64,
    pub photo_id: PhotoId,
    /// Box in pixels of the upright photo, origin top left.
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
    /// None: nobody of the class.
    pub member_id: Option<MemberId>,
    pub actor_kind: ActorKind,
    /// Of the user or token.
    pub actor_id: Option<i64>,
    /// The name at that time.
    pub actor: String,
    /// UTC.
    pub at: NaiveDateTime,
}

impl DecisionRow {
    /// What was said, and where.
    pub const fn decided(&self) -> Decided {
        let decision = match self.member_id {
            Some(member) => Decision::Member(member),
            None => Decision::Stranger,
        };
        Decided { place: BoundingBox::from_xywh(self.x, self.y, self.w, self.h), decision }
    }
}

#[derive(Debug, Clone, PartialEq, Insertable)]
#[diesel(table_name = face_decisions)]
pub struct NewDecision {
    pub photo_id: PhotoId,
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
    pub member_id: Option<MemberId>,
    pub actor_kind: ActorKind,
    pub actor_id: Option<i64>,
    pub actor: String,
    pub at: NaiveDateTime,
}

impl NewDecision {
    /// Said by `actor` of what is at `decided.place` of a photo.
    pub fn of(photo: PhotoId, decided: Decided, actor: &Actor, at: NaiveDateTime) -> Self {
        let Decided { place, decision } = decided;
        Self {
            photo_id: photo,
            x: place.x1,
            y: place.y1,
            w: place.width(),
            h: place.height(),
            member_id: decision.member(),
            actor_kind: actor.kind,
            actor_id: actor.id,
            actor: actor.name.clone(),
            at,
        }
    }
}

/// Writes a decision down. Belongs into a transaction that holds the session's lock.
///
/// # Errors
/// [`DbError::Reference`] for an unknown photo or member, [`DbError::Rule`] for somebody who cannot decide (a link, nobody)
/// and for a place without area.
pub fn insert(conn: &mut AnyConnection, new: &NewDecision) -> Result<i64, DbError> {
    Ok(diesel::insert_into(face_decisions::table).values(new).returning(face_decisions::id).get_result(conn)?)
}

/// The decisions of a photo, the oldest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_photo(conn: &mut AnyConnection, photo: PhotoId) -> Result<Vec<DecisionRow>, DbError> {
    Ok(face_decisions::table
        .filter(face_decisions::photo_id.eq(photo))
        .order(face_decisions::id)
        .select(DecisionRow::as_select())
        .load(conn)?)
}

/// The decisions of all photos of a session, the oldest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_session(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<DecisionRow>, DbError> {
    Ok(face_decisions::table
        .inner_join(session_photos::table)
        .filter(session_photos::session_id.eq(session))
        .order(face_decisions::id)
        .select(DecisionRow::as_select())
        .load(conn)?)
}

/// Removes decisions; returns how many there were.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn delete(conn: &mut AnyConnection, ids: &[i64]) -> Result<usize, DbError> {
    Ok(diesel::delete(face_decisions::table.filter(face_decisions::id.eq_any(ids))).execute(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::photos;
    use crate::db::testing::{at, new_photo, on_each_database, school, session};
    use crate::domain::ids::UserId;

    fn decided(decision: Decision) -> Decided {
        Decided { place: BoundingBox::from_xywh(10.5, 20.0, 40.0, 50.25), decision }
    }

    fn new(photo: PhotoId, decision: Decision) -> NewDecision {
        NewDecision::of(photo, decided(decision), &Actor::user(UserId(5), "ann"), at("2025-09-01 05:00:00"))
    }

    on_each_database! {
        fn decisions_read_back_as_written_and_go_with_their_photo(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                let other = photos::insert(conn, &new_photo(school.session, 2))?;
                let asha = Decision::Member(school.members[0]);
                let first = insert(conn, &new(photo, asha))?;
                let second = insert(conn, &new(other, Decision::Stranger))?;
                let rows = of_session(conn, school.session)?;
                assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [first, second]);
                assert_eq!((rows[0].decided(), rows[1].decided()), (decided(asha), decided(Decision::Stranger)));
                assert_eq!((rows[0].actor_kind, rows[0].actor_id, rows[0].actor.as_str()), (ActorKind::User, Some(5), "ann"));
                assert_eq!(of_photo(conn, photo)?, rows[..1]);
                photos::delete(conn, photo)?;
                assert_eq!(of_session(conn, school.session)?, rows[1..]);
                assert_eq!((delete(conn, &[second])?, delete(conn, &[second])?), (1, 0));
                Ok(())
            }).unwrap();
        }

        fn only_people_programs_and_the_command_line_decide_and_only_about_something(db) {
            let photo = db.run_blocking::<_, DbError>(|conn| {
                let session = session(conn)?;
                photos::insert(conn, &new_photo(session, 1))
            });
            let photo = photo.unwrap();
            let try_to = |change: fn(&mut NewDecision)| {
                let mut new = new(photo, Decision::Stranger);
                change(&mut new);
                db.run_blocking(|conn| insert(conn, &new))
            };
            assert!(try_to(|new| new.actor_kind = ActorKind::Token).is_ok());
            assert!(matches!(try_to(|new| new.actor_kind = ActorKind::Link), Err(DbError::Rule(_))));
            assert!(matches!(try_to(|new| new.w = 0.0), Err(DbError::Rule(_))));
            assert!(matches!(try_to(|new| new.member_id = Some(MemberId(404))), Err(DbError::Reference)));
            assert!(matches!(try_to(|new| new.photo_id = PhotoId(404)), Err(DbError::Reference)));
        }
    }
}
