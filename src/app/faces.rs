//! What people say about faces: that it is this member, or nobody of the class.
//!
//! A decision stands until it is undone, whatever is measured later: `session::settle` takes it from here every time. It
//! never enrols anybody, and a status that a person has set wins over it. Without consent nobody is named.

use std::collections::HashMap;

use chrono::Utc;

use super::School;
use super::error::{Code, Error};
use super::session::{self, Matching};
use crate::db::face_decisions::{DecisionRow, NewDecision};
use crate::db::faces::FaceRow;
use crate::db::members::EnrolledRow;
use crate::db::photos::PhotoRow;
use crate::db::sessions::SessionRow;
use crate::db::{AnyConnection, DbError, face_decisions, faces, members, photos, sessions};
use crate::domain::access::Actor;
use crate::domain::assign::{Ranked, nearest};
use crate::domain::decision::{Decided, found_again};
use crate::domain::ids::{FaceId, MemberId, PhotoId, SessionId};
use crate::domain::status::Consent;

pub use crate::domain::decision::Decision;

/// At most so many members are offered for a face.
const MAX_CANDIDATES: usize = 10;

/// Who a face may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidates {
    /// Nearest first.
    pub ranked: Vec<Ranked>,
    /// Why there are none.
    pub none_because: Option<NoCandidates>,
}

/// Why nobody can be offered for a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCandidates {
    /// There are no numbers to compare: the photo gave none, or they were deleted when the session was confirmed.
    NoEmbedding,
    /// Its photo was read with another pack, or waits to be read again.
    OtherPack,
    /// Nobody of the class is enrolled.
    NobodyEnrolled,
}

/// Takes a decision in place of an earlier one about the same face, and settles the session with it. A member must be on the
/// class's roll on the day of the session; an enrolled face is not needed. Returns the face as it is then.
///
/// # Errors
/// `FACE_NOT_FOUND`, `SESSION_CONFIRMED`; `SESSION_NOT_READY` while the photo waits to be looked at; `MEMBER_NOT_FOUND` for
/// somebody who is not on the roll, `CONSENT_REQUIRED`; `ALREADY_EXISTS` when another face of the photo was said to be the
/// member; `INVALID_REQUEST` for an actor who is not known.
pub async fn decide(
    school: &School,
    matching: &Matching,
    face: FaceId,
    decision: Decision,
    actor: &Actor,
) -> Result<FaceRow, Error> {
    let (matching, actor) = (matching.clone(), actor.clone());
    let again = move |conn: &mut AnyConnection| {
        let place = Place::lock(conn, face)?;
        session::require_unconfirmed(&place.session)?;
        if !session::is_comparable(&place.photo, &matching.pack) {
            let what = format!("{} waits to be looked at; decide when it is done", place.photo.id);
            return Err(Error::new(Code::SessionNotReady, what));
        }
        if let Decision::Member(member) = decision {
            require_nameable(conn, &place.session, member, &matching)?;
        }
        let known = Known::read(conn, place.photo.id)?;
        known.require_unnamed(face, decision)?;
        face_decisions::delete(conn, &known.replaced_by(face, decision))?;
        let now = Utc::now().naive_utc();
        let decided = Decided { place: place.face.bounds(), decision };
        face_decisions::insert(conn, &NewDecision::of(place.photo.id, decided, &actor, now))?;
        session::settle(conn, place.session.id, &matching, now)?;
        Ok(faces::get(conn, face)?)
    };
    school.change_patiently(again).await
}

/// Takes a decision back: the face is judged as if nobody had said anything. Returns the face as it is then.
///
/// # Errors
/// `FACE_NOT_FOUND`, `SESSION_CONFIRMED`; `DECISION_NOT_FOUND` when nobody has decided about it.
pub async fn undo(school: &School, matching: &Matching, face: FaceId) -> Result<FaceRow, Error> {
    let matching = matching.clone();
    let again = move |conn: &mut AnyConnection| {
        let place = Place::lock(conn, face)?;
        session::require_unconfirmed(&place.session)?;
        let known = Known::read(conn, place.photo.id)?;
        let Some(decision) = known.about(face) else {
            return Err(Error::new(Code::DecisionNotFound, format!("nobody has decided about {face}")));
        };
        face_decisions::delete(conn, &[decision.id])?;
        session::settle(conn, place.session.id, &matching, Utc::now().naive_utc())?;
        Ok(faces::get(conn, face)?)
    };
    school.change_patiently(again).await
}

/// The members of the session's class whom a face is nearest to, from what is stored of it; at most ten.
///
/// # Errors
/// `FACE_NOT_FOUND`.
pub async fn candidates(school: &School, matching: &Matching, face: FaceId) -> Result<Candidates, Error> {
    let matching = matching.clone();
    school.read(move |conn| Ok(candidates_of(conn, &matching, face)?)).await
}

fn candidates_of(conn: &mut AnyConnection, matching: &Matching, face: FaceId) -> Result<Candidates, DbError> {
    let none = |reason| Candidates { ranked: Vec::new(), none_because: Some(reason) };
    let face = faces::get(conn, face)?;
    let photo = photos::get(conn, face.photo_id)?;
    if !session::is_comparable(&photo, &matching.pack) {
        return Ok(none(NoCandidates::OtherPack));
    }
    let Some(embedding) = &face.embedding else { return Ok(none(NoCandidates::NoEmbedding)) };
    let session = sessions::get(conn, photo.session_id)?;
    let gallery = session::gallery_on_day(conn, &session, matching)?;
    if gallery.candidates().is_empty() {
        return Ok(none(NoCandidates::NobodyEnrolled));
    }
    let vector = matching.scoring.scaled(embedding);
    let ranked = nearest(&vector, &gallery, &matching.scoring, MAX_CANDIDATES);
    Ok(Candidates { ranked, none_because: None })
}

/// The decisions about the faces of a photo.
///
/// # Errors
/// Database failures.
pub fn decisions_of(conn: &mut AnyConnection, photo: PhotoId) -> Result<HashMap<FaceId, DecisionRow>, DbError> {
    let known = Known::read(conn, photo)?;
    let about = |face: &FaceRow| Some((face.id, known.about(face.id)?.clone()));
    Ok(known.faces.iter().filter_map(about).collect())
}

/// What was said of the faces of a session. Somebody who may not be named any more (off the roll, consent withdrawn) is
/// not: that face is nobody's then, and never somebody else's.
pub(super) fn said_of(
    conn: &mut AnyConnection,
    session: SessionId,
    faces: &[FaceRow],
    roll: &[EnrolledRow],
) -> Result<HashMap<FaceId, Decision>, DbError> {
    let mut of_photo: HashMap<PhotoId, Vec<DecisionRow>> = HashMap::new();
    for row in face_decisions::of_session(conn, session)? {
        of_photo.entry(row.photo_id).or_default().push(row);
    }
    let mut said = HashMap::new();
    for (photo, decisions) in of_photo {
        let faces = faces.iter().filter(|f| f.photo_id == photo).cloned().collect();
        let known = Known::of(faces, decisions);
        for (decision, face) in known.decisions.iter().zip(&known.found) {
            if let Some(face) = face {
                said.insert(known.faces[*face].id, still_nameable(decision.decided().decision, roll));
            }
        }
    }
    Ok(said)
}

fn still_nameable(decision: Decision, roll: &[EnrolledRow]) -> Decision {
    let consents = |m: MemberId| roll.iter().any(|r| r.member.id == m && r.student.consent == Consent::Given);
    decision.member().filter(|member| consents(*member)).map_or(Decision::Stranger, Decision::Member)
}

/// Where a face is.
struct Place {
    face: FaceRow,
    photo: PhotoRow,
    session: SessionRow,
}

impl Place {
    /// Locks the session first: until then a worker may write the photo's faces anew.
    fn lock(conn: &mut AnyConnection, face: FaceId) -> Result<Self, DbError> {
        let photo = faces::get(conn, face)?.photo_id;
        let session = photos::get(conn, photo)?.session_id;
        let session = sessions::lock(conn, session)?;
        Ok(Self { face: faces::get(conn, face)?, photo: photos::get(conn, photo)?, session })
    }
}

/// The faces of a photo and what was said about them.
struct Known {
    faces: Vec<FaceRow>,
    decisions: Vec<DecisionRow>,
    /// For each decision the index of its face.
    found: Vec<Option<usize>>,
}

impl Known {
    fn read(conn: &mut AnyConnection, photo: PhotoId) -> Result<Self, DbError> {
        let decisions = face_decisions::of_photo(conn, photo)?;
        Ok(Self::of(faces::of_photo(conn, photo)?, decisions))
    }

    fn of(faces: Vec<FaceRow>, decisions: Vec<DecisionRow>) -> Self {
        let decided: Vec<Decided> = decisions.iter().map(DecisionRow::decided).collect();
        let places: Vec<_> = faces.iter().map(FaceRow::bounds).collect();
        Self { found: found_again(&decided, &places), faces, decisions }
    }

    fn face_of(&self, decision: usize) -> Option<FaceId> {
        self.found[decision].map(|face| self.faces[face].id)
    }

    fn about(&self, face: FaceId) -> Option<&DecisionRow> {
        (0..self.decisions.len()).find(|d| self.face_of(*d) == Some(face)).map(|d| &self.decisions[d])
    }

    /// Refuses a member whom another face of the photo was said to be.
    fn require_unnamed(&self, face: FaceId, decision: Decision) -> Result<(), Error> {
        let Some(member) = decision.member() else { return Ok(()) };
        let named = (0..self.decisions.len()).filter(|d| self.decisions[*d].member_id == Some(member));
        match named.filter_map(|d| self.face_of(d)).find(|other| *other != face) {
            Some(other) => {
                let what = format!("{member} was said to be {other} of the same photo; undo that first");
                Err(Error::new(Code::AlreadyExists, what))
            }
            None => Ok(()),
        }
    }

    /// The decisions that a new one stands in place of: the earlier one about the face, and those about the same member
    /// whose face is not found any more.
    fn replaced_by(&self, face: FaceId, decision: Decision) -> Vec<i64> {
        let is_replaced = |d: &usize| match self.face_of(*d) {
            Some(of) => of == face,
            None => decision.member().is_some() && self.decisions[*d].member_id == decision.member(),
        };
        (0..self.decisions.len()).filter(is_replaced).map(|d| self.decisions[d].id).collect()
    }
}

/// Refuses somebody who is not on the roll or has not consented.
fn require_nameable(
    conn: &mut AnyConnection,
    session: &SessionRow,
    member: MemberId,
    matching: &Matching,
) -> Result<(), Error> {
    let day = session::day(session, matching.zone);
    let roll = members::active_on(conn, session.class_id, day)?;
    let Some(row) = roll.iter().find(|row| row.member.id == member) else {
        let what = format!("{member} is not on the roll of the session's class on {day}");
        return Err(Error::new(Code::MemberNotFound, what));
    };
    if row.student.consent != Consent::Given {
        let what = format!("{member} has no consent on record, so no face may be said to be theirs; mark them by hand");
        return Err(Error::new(Code::ConsentRequired, what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::{Class, Look, noon, wait};
    use crate::db::sessions::SessionChange;
    use crate::db::testing::on_each_database;
    use crate::domain::ids::UserId;
    use crate::domain::status::{AttendanceStatus, SessionState, Verdict};

    fn ann() -> Actor {
        Actor::user(UserId(5), "ann")
    }

    fn say(class: &Class, face: FaceId, decision: Decision) -> Result<FaceRow, Error> {
        wait(decide(&class.school, &class.matching, face, decision, &ann()))
    }

    fn take_back(class: &Class, face: FaceId) -> Result<FaceRow, Error> {
        wait(undo(&class.school, &class.matching, face))
    }

    #[track_caller]
    fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
        result.unwrap_err().code
    }

    fn short(row: &FaceRow) -> (Option<Verdict>, Option<MemberId>, &str) {
        (row.verdict, row.member_id, row.reason.as_deref().unwrap_or_default())
    }

    /// Clearly the first member, a doubt about the second, somebody unknown.
    const LOOKS: &[Look] = &[(&[(0, 0.8)], 1), (&[(1, 0.5)], 2), (&[], 3)];

    on_each_database! {
        fn a_decision_names_a_face_and_undo_restores_what_was_before(db) {
            let class = Class::new(db);
            let (_, ids) = class.photo(1, LOOKS);
            let before = class.everything();
            let [asha, ravi, mina] = class.members;
            let row = say(&class, ids[1], Decision::Member(ravi)).unwrap();
            assert_eq!(short(&row), (Some(Verdict::Match), Some(ravi), "decided"));
            assert!((row.cosine.unwrap() - 0.5).abs() < 1e-3, "as measured: {row:?}");
            assert_eq!(class.status(ravi), AttendanceStatus::Present);
            let row = say(&class, ids[2], Decision::Member(class.unenrolled)).unwrap();
            assert_eq!((short(&row).0, row.combined, row.confidence), (Some(Verdict::Match), None, None));
            assert_eq!(class.status(class.unenrolled), AttendanceStatus::Present);
            assert_eq!((class.status(asha), class.status(mina)), (AttendanceStatus::Present, AttendanceStatus::Absent));
            assert_ne!(class.everything(), before);
            take_back(&class, ids[2]).unwrap();
            take_back(&class, ids[1]).unwrap();
            assert_eq!(class.everything(), before);
            assert_eq!(code(take_back(&class, ids[1])), Code::DecisionNotFound);
        }

        fn a_stranger_by_decision_ends_the_question_and_frees_the_member(db) {
            let class = Class::new(db);
            let (_, ids) = class.photo(1, LOOKS);
            let [asha, ravi, _] = class.members;
            assert_eq!(class.status(ravi), AttendanceStatus::Unmarked);
            say(&class, ids[1], Decision::Stranger).unwrap();
            assert_eq!(class.status(ravi), AttendanceStatus::Absent);
            assert_eq!(short(&say(&class, ids[0], Decision::Stranger).unwrap()), (Some(Verdict::Stranger), None, "decided"));
            assert_eq!(class.status(asha), AttendanceStatus::Absent);
        }

        fn the_later_decision_about_a_face_counts_and_a_member_is_one_face_of_a_photo(db) {
            let class = Class::new(db);
            let (photo, ids) = class.photo(1, LOOKS);
            let [asha, ravi, _] = class.members;
            say(&class, ids[2], Decision::Member(ravi)).unwrap();
            assert_eq!(class.face(ids[1]).verdict, Some(Verdict::Stranger), "the doubt about ravi is gone");
            assert_eq!(code(say(&class, ids[1], Decision::Member(ravi))), Code::AlreadyExists);
            say(&class, ids[2], Decision::Member(asha)).unwrap();
            assert_eq!(short(&class.face(ids[0])).0, Some(Verdict::Stranger), "asha is the other face");
            say(&class, ids[1], Decision::Member(ravi)).unwrap();
            let known = class.run(|conn| decisions_of(conn, photo));
            assert_eq!((known.len(), known[&ids[2]].member_id, known[&ids[2]].actor.as_str()), (2, Some(asha), "ann"));
        }

        fn decisions_find_their_faces_again_when_a_photo_is_looked_at_again(db) {
            let class = Class::new(db);
            let (photo, ids) = class.photo(1, LOOKS);
            let mina = class.members[2];
            say(&class, ids[2], Decision::Member(mina)).unwrap();
            let again = class.look_again(photo, LOOKS, 6.0);
            assert_eq!(short(&class.face(again[2])), (Some(Verdict::Match), Some(mina), "decided"));
            // Nothing is there any more: the decision waits, and a new one about the member takes its place.
            let elsewhere = class.look_again(photo, LOOKS, 60.0);
            assert_eq!(class.face(elsewhere[2]).verdict, Some(Verdict::Stranger));
            assert_eq!(class.status(mina), AttendanceStatus::Absent);
            say(&class, elsewhere[0], Decision::Member(mina)).unwrap();
            let back = class.look_again(photo, LOOKS, 0.0);
            assert_eq!(class.face(back[2]).verdict, Some(Verdict::Stranger));
        }

        fn who_may_not_be_named_is_refused(db) {
            let class = Class::new(db);
            let (_, ids) = class.photo(1, LOOKS);
            let before = class.everything();
            assert_eq!(code(say(&class, ids[2], Decision::Member(class.without_consent))), Code::ConsentRequired);
            assert_eq!(code(say(&class, ids[2], Decision::Member(class.left))), Code::MemberNotFound);
            assert_eq!(code(say(&class, FaceId(404), Decision::Stranger)), Code::FaceNotFound);
            let by_link = Actor { kind: crate::domain::access::ActorKind::Link, ..ann() };
            let said = wait(decide(&class.school, &class.matching, ids[2], Decision::Stranger, &by_link));
            assert_eq!(code(said), Code::InvalidRequest);
            assert_eq!(class.everything(), before);
        }

        fn consent_withdrawn_later_unnames_the_face_and_gives_it_to_nobody(db) {
            let class = Class::new(db);
            let (_, ids) = class.photo(1, LOOKS);
            say(&class, ids[0], Decision::Member(class.unenrolled)).unwrap();
            class.run(|conn| {
                let student = members::get(conn, class.unenrolled)?.student_id;
                let change = crate::db::students::StudentChange {
                    consent: Some(Consent::Withdrawn),
                    ..crate::db::students::StudentChange::at(noon())
                };
                crate::db::students::update(conn, student, &change)
            });
            class.settle();
            assert_eq!(short(&class.face(ids[0])), (Some(Verdict::Stranger), None, "decided"));
            assert_eq!(class.status(class.unenrolled), AttendanceStatus::Unmarked);
            assert_eq!(class.status(class.members[0]), AttendanceStatus::Absent);
        }

        fn what_a_person_set_by_hand_wins_over_a_decision(db) {
            let class = Class::new(db);
            let (_, ids) = class.photo(1, LOOKS);
            let ravi = class.members[1];
            class.correct(ravi, AttendanceStatus::Excused);
            say(&class, ids[1], Decision::Member(ravi)).unwrap();
            assert_eq!(class.status(ravi), AttendanceStatus::Excused);
        }

        fn a_confirmed_session_and_a_waiting_photo_take_no_decisions(db) {
            let class = Class::new(db);
            let (photo, ids) = class.photo(1, LOOKS);
            say(&class, ids[2], Decision::Stranger).unwrap();
            class.run(|conn| photos::requeue(conn, photo));
            assert_eq!(code(say(&class, ids[1], Decision::Stranger)), Code::SessionNotReady);
            let confirmed = SessionChange { state: Some(SessionState::Confirmed), ..SessionChange::at(noon()) };
            class.run(|conn| sessions::update(conn, class.session, &confirmed));
            assert_eq!(code(say(&class, ids[1], Decision::Stranger)), Code::SessionConfirmed);
            assert_eq!(code(take_back(&class, ids[2])), Code::SessionConfirmed);
        }

        fn candidates_are_the_nearest_of_the_class_or_there_is_a_reason(db) {
            let class = Class::new(db);
            let (photo, ids) = class.photo(1, &[(&[(1, 0.6), (2, 0.3)], 1)]);
            let of = |face| wait(candidates(&class.school, &class.matching, face)).unwrap();
            let found = of(ids[0]);
            let [asha, ravi, mina] = class.members;
            assert_eq!(found.ranked.iter().map(|r| r.member).collect::<Vec<_>>(), [ravi, mina, asha]);
            assert!((found.ranked[0].score.cosine - 0.6).abs() < 1e-3, "{found:?}");
            assert_eq!(found.none_because, None);
            assert_eq!(code(wait(candidates(&class.school, &class.matching, FaceId(404)))), Code::FaceNotFound);
            say(&class, ids[0], Decision::Stranger).unwrap();
            class.run(|conn| faces::forget_strangers(conn, class.session));
            assert_eq!(of(ids[0]), Candidates { ranked: vec![], none_because: Some(NoCandidates::NoEmbedding) });
            class.run(|conn| photos::requeue(conn, photo));
            assert_eq!(of(ids[0]).none_because, Some(NoCandidates::OtherPack));
        }
    }
}
