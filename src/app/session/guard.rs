//! Photos that may say nothing about their lesson: those that another session of the class had before, and those of another time.
//!
//! Nothing is destroyed and no record is changed: the session gets a flag, the photo a warning that names the other session, and
//! whoever confirms is asked why (`domain::head_count`). Of two sessions with one picture the one whose photo came later is
//! flagged, so that the order in which photos are looked at, and looking again, make no difference: a session that is settled
//! has those that came after it looked at again. Called by `settle`, and when a photo is removed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};

use super::{Matching, is_comparable, local};
use crate::app::events;
use crate::db::faces::{Came, Elsewhere, MemberFaceRow};
use crate::db::photos::PhotoRow;
use crate::db::sessions::{SessionChange, SessionRow};
use crate::db::{AnyConnection, DbError, Json, faces, photos, sessions};
use crate::domain::attendance::Flag;
use crate::domain::ids::{MemberId, PhotoId, SessionId};
use crate::domain::photo_guard::{MemberFace, Place, is_outside_lesson, is_same_face, is_same_picture};
use crate::domain::status::{PhotoState, SessionState};

/// Nearly the same picture is looked for among sessions that start so long before or after. The same bytes are found at any time.
const REACH: TimeDelta = TimeDelta::days(60);
/// So many faces of a photo, the largest of members, are looked for in other photos; where one of them is, all are compared. It
/// bounds what is read: 4 faces in 600 photos of a class are 5 MB.
const ANCHORS: usize = 4;
/// A warning for each of so many other sessions.
const MAX_TOLD: usize = 3;

/// How a photo and another one, of another session, are one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    SameBytes,
    SamePicture,
}

/// The photos of other sessions that show what a photo shows, with their sessions.
type Uses = BTreeMap<PhotoId, (SessionId, Likeness)>;

/// What is wrong with the photos of a session whose verdicts are written; their warnings are written anew.
pub(super) fn look(
    conn: &mut AnyConnection,
    session: &SessionRow,
    rows: &[PhotoRow],
    matching: &Matching,
) -> Result<Vec<Flag>, DbError> {
    let mut raised = BTreeSet::new();
    let uses = earlier_uses(conn, session, rows, matching)?;
    for row in rows {
        // Nothing rests on a photo that could not be looked at.
        let uses = uses.get(&row.id).filter(|_| row.state != PhotoState::Failed);
        let reused = warnings_of(conn, session, uses, matching)?;
        let late = outside_lesson(session, row, matching);
        raised.extend((!reused.is_empty()).then_some(Flag::ReusedPhoto));
        raised.extend(late.is_some().then_some(Flag::OutsideLesson));
        let warnings = Json(reused.into_iter().chain(late).collect());
        if warnings != row.guard_warnings {
            photos::set_guard_warnings(conn, row.id, &warnings)?;
        }
    }
    Ok(raised.into_iter().collect())
}

fn outside_lesson(session: &SessionRow, photo: &PhotoRow, matching: &Matching) -> Option<String> {
    let is_looked_at = photo.state != PhotoState::Failed;
    let captured_at = photo.captured_at.filter(|_| is_looked_at)?;
    is_outside_lesson(captured_at, session.starts_at, matching.lesson_window).then(|| {
        let at = |time| local(time, matching.zone).format("%Y-%m-%d %H:%M");
        let (taken, start) = (at(captured_at), at(session.starts_at));
        format!("by its own clock the photo was taken {taken}, and the session starts {start}")
    })
}

fn warnings_of(
    conn: &mut AnyConnection,
    session: &SessionRow,
    uses: Option<&Uses>,
    matching: &Matching,
) -> Result<Vec<String>, DbError> {
    let mut of_session: BTreeMap<SessionId, Likeness> = BTreeMap::new();
    for (other, likeness) in uses.into_iter().flat_map(Uses::values) {
        let known = of_session.entry(*other).or_insert(*likeness);
        *known = (*known).min(*likeness);
    }
    let told = of_session.into_iter().take(MAX_TOLD);
    told.map(|(other, likeness)| {
        let other = sessions::get(conn, other)?;
        let what = match likeness {
            Likeness::SameBytes => "the same photo",
            Likeness::SamePicture => "nearly the same photo",
        };
        let name = other.name.as_deref().map(|name| format!("{name}, ")).unwrap_or_default();
        let at = local(other.starts_at, matching.zone).format("%Y-%m-%d %H:%M");
        let same_lesson = if other.starts_at == session.starts_at { ": one lesson under two names?" } else { "" };
        Ok(format!("{what} was used for session {} before ({name}{at}){same_lesson}", other.id.0))
    })
    .collect()
}

/// For each photo of the session those of other sessions that came before it and show the same.
fn earlier_uses(
    conn: &mut AnyConnection,
    session: &SessionRow,
    rows: &[PhotoRow],
    matching: &Matching,
) -> Result<BTreeMap<PhotoId, Uses>, DbError> {
    let Some(last) = rows.iter().map(|row| row.id).max() else { return Ok(BTreeMap::new()) };
    let mut found = uses(conn, (session, rows), Came::Before(last), matching)?;
    for (own, uses) in &mut found {
        uses.retain(|other, _| other < own);
    }
    Ok(found)
}

/// For each photo of the session those of other sessions that show the same: with its bytes whenever they came, looking like it
/// among those that came before one or after it.
fn uses(
    conn: &mut AnyConnection,
    (session, rows): (&SessionRow, &[PhotoRow]),
    came: Came,
    matching: &Matching,
) -> Result<BTreeMap<PhotoId, Uses>, DbError> {
    let mut found: BTreeMap<PhotoId, Uses> = BTreeMap::new();
    let hashes: Vec<String> = rows.iter().map(|row| row.sha256.clone()).collect();
    for other in photos::elsewhere(conn, (session.class_id, session.id), &hashes)? {
        for own in rows.iter().filter(|own| own.sha256 == other.sha256) {
            found.entry(own.id).or_default().insert(other.id, (other.session_id, Likeness::SameBytes));
        }
    }
    let comparable: Vec<PhotoId> =
        rows.iter().filter(|row| is_comparable(row, &matching.pack)).map(|row| row.id).collect();
    let own = pictures(faces::matched_in(conn, &comparable)?);
    let place = Elsewhere {
        session: session.id,
        days: (session.starts_at - REACH, session.starts_at + REACH),
        photos: came,
        pack: (&matching.pack.id, &matching.pack.version),
    };
    let others = similar(conn, &own, &place)?;
    let session_of: BTreeMap<PhotoId, SessionId> = {
        let ids: Vec<PhotoId> = others.keys().copied().collect();
        photos::several(conn, &ids)?.into_iter().map(|row| (row.id, row.session_id)).collect()
    };
    for (own, faces) in &own {
        for (other, _) in others.iter().filter(|(_, of_other)| is_same_picture(faces, of_other)) {
            let Some(session) = session_of.get(other) else { continue };
            found.entry(*own).or_default().entry(*other).or_insert((*session, Likeness::SamePicture));
        }
    }
    Ok(found)
}

/// The faces of members in a photo each.
type Pictures = BTreeMap<PhotoId, Vec<MemberFace>>;

fn pictures(rows: Vec<MemberFaceRow>) -> Pictures {
    let mut pictures = Pictures::new();
    for row in rows {
        let (Some(member), Some(embedding), Some(width)) = (row.member_id, row.embedding, row.photo_width) else {
            continue;
        };
        let place = Place::of_box((row.x, row.y, row.w, row.h), width);
        pictures.entry(row.photo_id).or_default().push(MemberFace { member, embedding, place });
    }
    pictures
}

/// Photos elsewhere in which one of the largest faces of these pictures looks the same, with all their members.
fn similar(conn: &mut AnyConnection, own: &Pictures, place: &Elsewhere<'_>) -> Result<Pictures, DbError> {
    let anchors: Vec<&MemberFace> = own.values().flat_map(|faces| anchors(faces)).collect();
    let members: BTreeSet<MemberId> = anchors.iter().map(|face| face.member).collect();
    if members.is_empty() {
        return Ok(Pictures::new());
    }
    let members: Vec<MemberId> = members.into_iter().collect();
    let seen = pictures(faces::of_members_elsewhere(conn, &members, place)?);
    let has_anchor = |faces: &[MemberFace]| anchors.iter().any(|a| faces.iter().any(|face| is_same_face(a, face)));
    let like: Vec<PhotoId> = seen.iter().filter(|(_, faces)| has_anchor(faces)).map(|(photo, _)| *photo).collect();
    Ok(pictures(faces::matched_in(conn, &like)?))
}

fn anchors(faces: &[MemberFace]) -> Vec<&MemberFace> {
    let mut largest: Vec<&MemberFace> = faces.iter().collect();
    largest.sort_by(|a, b| b.place.side.total_cmp(&a.place.side).then(a.member.cmp(&b.member)));
    largest.truncate(ANCHORS);
    largest
}

/// Looks anew at sessions that are not confirmed: what they rest on may have been used before, or not any more. Their verdicts and
/// records stay. The caller holds the lock of one session of the class, and thereby of all of them.
pub(crate) fn look_again(
    conn: &mut AnyConnection,
    concerned: BTreeSet<SessionId>,
    matching: &Matching,
    now: NaiveDateTime,
) -> Result<(), DbError> {
    for id in concerned {
        let session = sessions::get(conn, id)?;
        if session.state == SessionState::Confirmed || session.gallery_fingerprint.is_none() {
            continue;
        }
        let rows = photos::list(conn, id)?;
        let raised = look(conn, &session, &rows, matching)?;
        let is_guard = |flag: &String| Flag::GUARDS.iter().any(|guard| guard.as_str() == flag);
        let others = session.flags.0.iter().filter(|flag| !is_guard(flag)).cloned();
        let flags: Vec<String> = others.chain(raised.iter().map(|flag| flag.as_str().to_owned())).collect();
        if flags != session.flags.0 {
            events::flagged(conn, id, &flags)?;
            sessions::update(conn, id, &SessionChange { flags: Some(Json(flags)), ..SessionChange::at(now) })?;
        }
    }
    Ok(())
}

/// Other sessions with a photo that came after one of this session and shows the same.
pub(crate) fn later_users(
    conn: &mut AnyConnection,
    session: &SessionRow,
    rows: &[PhotoRow],
    matching: &Matching,
) -> Result<BTreeSet<SessionId>, DbError> {
    let Some(first) = rows.iter().map(|row| row.id).min() else { return Ok(BTreeSet::new()) };
    let found = uses(conn, (session, rows), Came::After(first), matching)?;
    let later = found.iter().flat_map(|(own, uses)| uses.iter().filter(move |(other, _)| *other > own));
    Ok(later.map(|(_, (session, _))| *session).collect())
}

#[cfg(test)]
mod tests;
