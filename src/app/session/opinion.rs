//! What the program itself says of a pilot session: the faces of all its photos judged without anything that a person has said
//! about a face or a record. Written by `settle`, so that it stays as it was when the session is confirmed.

use super::Matching;
use crate::db::pilot_opinions::{self, NewOpinion};
use crate::db::{AnyConnection, DbError};
use crate::domain::assign::Probe;
use crate::domain::attendance::{PhotoOutcome, Said, settle};
use crate::domain::fusion::fuse;
use crate::domain::gallery::Gallery;
use crate::domain::ids::{FaceId, SessionId};
use crate::domain::pilot::Opinion;

/// What an opinion is made of.
pub(super) struct Seen<'a> {
    /// Faces of each photo.
    pub(super) probes: &'a [Vec<Probe>],
    pub(super) gallery: &'a Gallery,
    pub(super) photos: &'a [PhotoOutcome],
    /// Strangers whose vectors are forgotten, with their persons.
    pub(super) forgotten: &'a [(FaceId, u32)],
}

/// Writes the opinions of a session in place of those before. Belongs into the transaction that settles it.
pub(super) fn keep(
    conn: &mut AnyConnection,
    session: SessionId,
    seen: &Seen<'_>,
    matching: &Matching,
) -> Result<(), DbError> {
    let unsaid = |probe: &Probe| Probe { said: None, ..probe.clone() };
    let probes: Vec<Vec<Probe>> = seen.probes.iter().map(|photo| photo.iter().map(unsaid).collect()).collect();
    let mut fused = fuse(&probes, seen.gallery, &matching.scoring);
    fused.keep_people(seen.forgotten);
    let settled = settle(seen.gallery.standings(), seen.photos, &fused, Said::default());
    let new = settled.records.iter().filter_map(|record| {
        Some(NewOpinion {
            session_id: session,
            member_id: record.member,
            opinion: Opinion::of(record)?,
            confidence: record.confidence.map(f64::from),
            face_id: record.face,
        })
    });
    pilot_opinions::replace(conn, session, &new.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::Class;
    use crate::db::face_decisions::{self, NewDecision};
    use crate::db::faces;
    use crate::db::testing::{at, on_each_database};
    use crate::domain::access::Actor;
    use crate::domain::decision::{Decided, Decision};
    use crate::domain::geometry::BoundingBox;
    use crate::domain::ids::MemberId;
    use crate::domain::status::AttendanceStatus;

    fn opinions(class: &Class) -> Vec<(MemberId, Opinion)> {
        let rows = class.run(|conn| pilot_opinions::of_session(conn, class.session));
        rows.into_iter().map(|row| (row.member_id, row.opinion)).collect()
    }

    on_each_database! {
        fn the_opinion_is_what_faces_say_whatever_people_say(db) {
            let class = Class::new(db).in_pilot();
            let [asha, ravi, mina] = class.members;
            let (photo, seen) = class.photo(1, &[(&[(0, 0.9)], 0), (&[], 7)]);
            let expected = vec![
                (asha, Opinion::Present),
                (ravi, Opinion::Absent),
                (mina, Opinion::Absent),
                (class.unenrolled, Opinion::NoTemplate),
                (class.without_consent, Opinion::NoConsent),
            ];
            assert_eq!(opinions(&class), expected);

            // The teacher names the stranger Ravi, and takes Asha's name away.
            class.run(|conn| {
                for (face, decision) in [(seen[0], Decision::Stranger), (seen[1], Decision::Member(ravi))] {
                    let face = faces::get(conn, face)?;
                    let place = BoundingBox::from_xywh(face.x, face.y, face.w, face.h);
                    let decided = Decided { place, decision };
                    let new = NewDecision::of(photo, decided, &Actor::command(), at("2025-09-01 06:00:00"));
                    face_decisions::insert(conn, &new)?;
                }
                Ok(())
            });
            class.correct(mina, AttendanceStatus::Late);
            class.settle();
            assert_eq!(class.status(ravi), AttendanceStatus::Present, "the record follows the teacher");
            assert_eq!(class.status(mina), AttendanceStatus::Late);
            assert_eq!(opinions(&class), expected, "the opinion does not");
        }

        fn sessions_that_count_have_no_opinions(db) {
            let class = Class::new(db);
            class.photo(1, &[(&[(0, 0.9)], 0)]);
            assert_eq!(opinions(&class), []);
        }
    }
}
