//! A session: opened for photos, settled after each of them, reported.
//!
//! `settle` is the only place where verdicts and records are written by a machine. It starts from the stored faces of
//! all photos every time, so the order in which photos come, and how often one is processed, makes no difference.

mod entry;
mod excuse;
mod guard;
mod opinion;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

pub use entry::{Created, SessionEdit, SessionEntry, StartsAt, change, create, delete};
pub(crate) use excuse::excuse;
pub(crate) use guard::{later_users, look_again};
use opinion::Seen;

use super::batch_report::SessionReport;
use super::error::{Code, Error};
use super::faces::said_of;
use super::recogniser::PackKey;
use super::{School, events, leaves};
use crate::db::faces::{FaceRow, FaceVerdict};
use crate::db::members::EnrolledRow;
use crate::db::photos::PhotoRow;
use crate::db::records::NewRecord;
use crate::db::samples::{SampleMark, SampleRow};
use crate::db::sessions::{NewSession, SessionChange, SessionRow};
use crate::db::{AnyConnection, DbError, Json, classes, faces, members, photos, records, samples, sessions, subjects};
use crate::domain::assign::{Probe, Reason};
use crate::domain::attendance::{Correction, Flag, Ground, PhotoOutcome, Record, Said, settle as settle_records};
use crate::domain::days::{nearest_possible, require_possible};
use crate::domain::fusion::{Fused, SessionFace, fuse};
use crate::domain::gallery::{Enrolled, Gallery};
use crate::domain::ids::{ClassId, FaceId, MemberId, SessionId, StudentId};
use crate::domain::leave::{Leave, Presence};
use crate::domain::score::Scoring;
use crate::domain::sheet::natural_order;
use crate::domain::status::{AttendanceStatus, Origin, PhotoState, RecordSource, SessionState, Verdict};
use crate::domain::template::Sample;
use crate::vision::decode::DecodeWarning;

/// What sessions are judged by: the pack, its lines, the school's clock and what it says of photos of another time.
#[derive(Debug, Clone)]
pub struct Matching {
    pub pack: PackKey,
    pub scoring: Scoring,
    pub zone: Tz,
    /// Photos taken earlier before the start of a session, or later after it, are pointed out; zero: none are.
    pub lesson_window: TimeDelta,
}

/// The session of this class, name and start (the school's time), made where there is none.
pub(crate) async fn open(
    school: &School,
    class: ClassId,
    name: Option<String>,
    starts_at: NaiveDateTime,
) -> Result<SessionId, Error> {
    let starts_at = utc(starts_at, school.config.time_zone);
    school
        .change_patiently(move |conn| {
            // A session called like a subject that the school teaches is a session of it.
            let subject = name.as_deref().map(|n| subjects::find(conn, n)).transpose()?.flatten();
            let new = NewSession {
                class_id: class,
                subject_id: subject.map(|s| s.id),
                name: name.clone(),
                starts_at,
                created_at: Utc::now().naive_utc(),
            };
            Ok(sessions::find_or_insert(conn, &new)?.id)
        })
        .await
}

/// The stored times at which a first day of the school's calendar begins and a last one is over; one that is not said is open.
///
/// # Errors
/// `INVALID_REQUEST` for a day that is too far away.
pub fn times_of(
    school: &School,
    (first, last): (Option<NaiveDate>, Option<NaiveDate>),
) -> Result<(Option<NaiveDateTime>, Option<NaiveDateTime>), Error> {
    first.into_iter().chain(last).try_for_each(require_possible)?;
    let times = |day: NaiveDate| utc_range(day, day, school.config().time_zone);
    Ok((first.map(|day| times(day).0), last.map(|day| times(day).1)))
}

/// The gallery of a session's class on its day: the active, consenting members with what they have enrolled in the pack.
pub(crate) fn gallery_on_day(
    conn: &mut AnyConnection,
    session: &SessionRow,
    matching: &Matching,
) -> Result<Gallery, DbError> {
    let roll = members::active_on(conn, session.class_id, day(session, matching.zone))?;
    Ok(gallery_of(conn, &roll, matching)?.0)
}

/// The gallery of these members, and its fingerprint.
pub(crate) fn gallery_of(
    conn: &mut AnyConnection,
    roll: &[EnrolledRow],
    matching: &Matching,
) -> Result<(Gallery, String), DbError> {
    let students: Vec<StudentId> = roll.iter().map(|row| row.student.id).collect();
    let pack = &matching.pack;
    let stored = samples::for_students(conn, &pack.id, &pack.version, &students)?;
    let enrolled = enrolled(roll, &stored);
    let marks: Vec<SampleMark> = stored.iter().map(SampleRow::mark).collect();
    let fingerprint = fingerprint(roll.iter(), &marks, matching);
    Ok((Gallery::build(&enrolled, &matching.scoring), fingerprint))
}

/// These members with what is stored of them.
pub(crate) fn enrolled(roll: &[EnrolledRow], stored: &[SampleRow]) -> Vec<Enrolled> {
    let of = |row: &EnrolledRow| {
        let own = stored.iter().filter(|s| s.student_id == row.student.id);
        let samples: Vec<Sample> = own.map(|s| s.clone().into_sample()).collect();
        let (consent, active) = (row.student.consent, row.student.active);
        Enrolled { member: row.member.id, student: row.student.id, consent, active, samples }
    };
    roll.iter().map(of).collect()
}

/// What verdicts depend on besides the photos: the pack, its lines, who is on the roll, their consent and samples. Two
/// galleries with the same fingerprint judge every face alike, so a session whose stored one differs is stale. Roll
/// numbers and names do not count; `samples` is ordered by student and id. What was learned from confirmed sessions stands in
/// a part of its own ([`enrolled_part`] is the rest), and where nothing was, there is none.
pub(crate) fn fingerprint<'r>(
    roll: impl Iterator<Item = &'r EnrolledRow>,
    samples: &[SampleMark],
    matching: &Matching,
) -> String {
    let mut roll: Vec<&EnrolledRow> = roll.collect();
    roll.sort_unstable_by_key(|row| row.member.id);
    let (mut enrolled, mut learned) = (Sha256::new(), None);
    enrolled.update(format!("{} {:?}", matching.pack, matching.scoring));
    for row in roll {
        let from = samples.partition_point(|sample| sample.student_id < row.student.id);
        let own = samples[from..].iter().take_while(|sample| sample.student_id == row.student.id);
        let (portraits, faces): (Vec<&SampleMark>, Vec<_>) = own.partition(|sample| sample.origin == Origin::Portrait);
        let ids = |of: &[&SampleMark]| of.iter().map(|sample| sample.id.0).collect::<Vec<_>>();
        let (member, ids_of_portraits) = (row.member.id.0, ids(&portraits));
        enrolled.update(format!("{member} {} {} {ids_of_portraits:?};", row.student.consent, row.student.active));
        if !faces.is_empty() {
            learned.get_or_insert_with(Sha256::new).update(format!("{member} {:?};", ids(&faces)));
        }
    }
    let hex = |hash: Sha256| hash.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>();
    let enrolled = hex(enrolled);
    learned.map_or_else(|| enrolled.clone(), |learned| format!("{enrolled}{LEARNED_MARK}{}", hex(learned)))
}

/// Stands before the learned part of a fingerprint.
const LEARNED_MARK: char = '+';

/// The part of a fingerprint that what was learned does not change.
pub(crate) fn enrolled_part(fingerprint: &str) -> &str {
    fingerprint.split(LEARNED_MARK).next().unwrap_or(fingerprint)
}

/// Refuses a session whose class has nobody who can be found by face.
///
/// # Errors
/// `NO_ENROLLED_STUDENTS`, with what to do.
pub(crate) fn require_candidates(conn: &mut AnyConnection, id: SessionId, matching: &Matching) -> Result<(), Error> {
    let session = sessions::get(conn, id)?;
    if gallery_on_day(conn, &session, matching)?.candidates().is_empty() {
        let class = classes::get(conn, session.class_id)?;
        let what = format!(
            "nobody of {}-{} can be found by face with pack {}; enrol portraits first",
            class.name, class.section, matching.pack.id
        );
        return Err(Error::new(Code::NoEnrolledStudents, what));
    }
    Ok(())
}

/// Judges all faces of a session anew and writes verdicts, records, flags and state. Belongs into the transaction that
/// changed a photo; takes the session's lock. One that a teacher has confirmed stays as it is.
pub(crate) fn settle(
    conn: &mut AnyConnection,
    id: SessionId,
    matching: &Matching,
    now: NaiveDateTime,
) -> Result<(), DbError> {
    let session = sessions::lock(conn, id)?;
    if session.state == SessionState::Confirmed {
        return Ok(());
    }
    let roll = members::active_on(conn, session.class_id, day(&session, matching.zone))?;
    let (gallery, fingerprint) = gallery_of(conn, &roll, matching)?;
    let photos = photos::list(conn, id)?;
    let looked_at: Vec<&PhotoRow> = photos.iter().filter(|p| is_comparable(p, &matching.pack)).collect();
    let stored = faces::list_for_session(conn, id)?;
    let said = said_of(conn, id, &stored, &roll)?;
    let probes: Vec<Vec<Probe>> = looked_at
        .iter()
        .map(|photo| {
            let own = stored.iter().filter(|f| f.photo_id == photo.id);
            let vector = |f: &FaceRow| f.embedding.as_ref().map(|e| matching.scoring.scaled(e));
            own.map(|f| Probe { face: f.id, vector: vector(f), said: said.get(&f.id).copied() }).collect()
        })
        .collect();
    let mut fused = fuse(&probes, &gallery, &matching.scoring);
    let forgotten = forgotten_people(&stored);
    fused.keep_people(&forgotten);
    let corrections = corrections(conn, id)?;
    let outcomes: Vec<PhotoOutcome> = photos.iter().map(|p| outcome(p, &matching.pack)).collect();
    let leaves = leaves::on_day(conn, &roll, day(&session, matching.zone))?;
    let on_leave: Vec<MemberId> = leaves.keys().copied().collect();
    let said = Said { corrections: &corrections, on_leave: &on_leave };
    let mut settled = settle_records(gallery.standings(), &outcomes, &fused, said);
    let verdicts: Vec<FaceVerdict> = fused.faces.iter().map(|f| with_kept_scores(verdict_row(f), &stored)).collect();
    faces::set_verdicts(conn, id, &verdicts)?;
    settled.flags.extend(guard::look(conn, &session, &photos, matching)?);
    let automatic = settled.records.iter().filter(|r| r.source == RecordSource::Auto);
    let rows: Vec<NewRecord> = automatic.map(|r| record_row(id, r, leaves.get(&r.member).copied(), now)).collect();
    // Who has left the class since, with effect before the session, is no business of it any more.
    let roll: Vec<MemberId> = settled.records.iter().map(|r| r.member).collect();
    records::delete_automatic_but(conn, id, &roll)?;
    records::upsert(conn, &rows)?;
    if session.pilot {
        let seen = Seen { probes: &probes, gallery: &gallery, photos: &outcomes, forgotten: &forgotten };
        opinion::keep(conn, id, &seen, matching)?;
    }
    sessions::update(conn, id, &outcome_of(&settled.flags, &fused, fingerprint, now))?;
    events::settled(conn, id, &settled, fused.strangers)?;
    let users = guard::later_users(conn, &session, &photos, matching)?;
    guard::look_again(conn, users, matching, now)
}

fn outcome_of(flags: &[Flag], fused: &Fused, fingerprint: String, now: NaiveDateTime) -> SessionChange {
    let waiting = flags.contains(&Flag::PhotosPending);
    SessionChange {
        state: Some(if waiting { SessionState::Open } else { SessionState::Review }),
        flags: Some(Json(flags.iter().map(|f| f.as_str().to_owned()).collect())),
        gallery_fingerprint: Some(fingerprint),
        strangers: Some(i32::try_from(fused.strangers).unwrap_or(i32::MAX)),
        ..SessionChange::at(now)
    }
}

/// Faces of strangers without a vector, most of them forgotten at a confirmation, with the person they were grouped as.
fn forgotten_people(stored: &[FaceRow]) -> Vec<(FaceId, u32)> {
    let forgotten = stored.iter().filter(|f| f.embedding.is_none() && f.verdict == Some(Verdict::Stranger));
    forgotten.filter_map(|f| Some((f.id, u32::try_from(f.person?).ok()?))).collect()
}

/// A stranger whose vector was forgotten keeps the scores of when it was there.
fn with_kept_scores(new: FaceVerdict, stored: &[FaceRow]) -> FaceVerdict {
    let is_kept = |f: &&FaceRow| f.id == new.face && f.embedding.is_none() && f.verdict == Some(new.verdict);
    let decided = |reason: &Option<String>| reason.as_deref() == Some(Reason::Decided.as_str());
    match stored.iter().find(is_kept).filter(|_| new.verdict == Verdict::Stranger) {
        None => new,
        Some(before) => FaceVerdict {
            combined: before.combined,
            cosine: before.cosine,
            confidence: before.confidence,
            runner_up_member_id: before.runner_up_member_id,
            runner_up_combined: before.runner_up_combined,
            // What a person says is a reason of now, and none once it was taken back.
            reason: if decided(&new.reason) || decided(&before.reason) { new.reason } else { before.reason.clone() },
            ..new
        },
    }
}

/// Refuses a session that a teacher has confirmed.
///
/// # Errors
/// `SESSION_CONFIRMED`, with what to do.
pub(crate) fn require_unconfirmed(session: &SessionRow) -> Result<(), Error> {
    match session.state {
        SessionState::Confirmed => {
            Err(Error::new(Code::SessionConfirmed, format!("{} is confirmed; reopen it first", session.id)))
        }
        SessionState::Open | SessionState::Review => Ok(()),
    }
}

/// Embeddings of different packs never meet.
pub(crate) fn is_comparable(photo: &PhotoRow, pack: &PackKey) -> bool {
    let same_pack = photo.pack_id.as_ref() == Some(&pack.id) && photo.pack_version.as_ref() == Some(&pack.version);
    photo.state == PhotoState::Done && same_pack
}

/// A photo that was done with another pack counts as waiting: nothing is concluded from it until it is processed again.
fn outcome(photo: &PhotoRow, pack: &PackKey) -> PhotoOutcome {
    let stale = photo.state == PhotoState::Done && !is_comparable(photo, pack);
    PhotoOutcome {
        state: if stale { PhotoState::Queued } else { photo.state },
        faces_left_out: u32::try_from(photo.faces_left_out).unwrap_or(0),
        damaged: photo.warnings.0.contains(&DecodeWarning::Damaged.to_string()),
    }
}

fn corrections(conn: &mut AnyConnection, id: SessionId) -> Result<Vec<Correction>, DbError> {
    let known = records::list(conn, id)?;
    let by_people = known.into_iter().filter(|r| r.source != RecordSource::Auto);
    Ok(by_people.map(|r| Correction { member: r.member_id, status: r.status, source: r.source }).collect())
}

fn verdict_row(face: &SessionFace) -> FaceVerdict {
    let v = &face.verdict;
    FaceVerdict {
        face: v.face,
        verdict: v.verdict,
        member_id: v.member,
        combined: v.score.map(|s| f64::from(s.combined)),
        cosine: v.score.map(|s| f64::from(s.cosine)),
        confidence: v.score.map(|_| f64::from(v.confidence)),
        runner_up_member_id: v.runner_up.map(|r| r.member),
        runner_up_combined: v.runner_up.map(|r| f64::from(r.score.combined)),
        reason: Some(v.reason.as_str().to_owned()),
        person: i32::try_from(face.person).ok(),
    }
}

fn record_row(session: SessionId, record: &Record, leave: Option<Leave>, now: NaiveDateTime) -> NewRecord {
    let note = match (record.ground, leave) {
        (Ground::OnLeave, Some(leave)) => Some(leave.note(Presence::Away)),
        (Ground::SeenOnLeave, Some(leave)) => Some(leave.note(Presence::Seen)),
        (ground, _) => note(ground).map(str::to_owned),
    };
    NewRecord {
        session_id: session,
        member_id: record.member,
        status: record.status,
        source: record.source,
        confidence: record.confidence.map(f64::from),
        face_id: record.face,
        note,
        updated_at: now,
    }
}

/// What the teacher reads beside a record that a machine left open.
pub(crate) const fn note(ground: Ground) -> Option<&'static str> {
    match ground {
        Ground::Seen | Ground::NotSeen | Ground::OnLeave | Ground::SeenOnLeave | Ground::Corrected => None,
        Ground::Doubt => Some("may be in a photo: please decide"),
        Ground::NoConsent => Some("no consent on record: never compared"),
        Ground::NoTemplate => Some("no usable enrolment photo"),
        Ground::Inactive => Some("marked inactive"),
        Ground::PhotosIncomplete => Some("not every photo could be looked at completely"),
        Ground::EmptyRoom => Some("no face in any photo"),
        Ground::OtherClass => Some("most people in the photos are not of this class: is it the right one?"),
    }
}

/// A session as reports show it.
pub(crate) fn report(conn: &mut AnyConnection, id: SessionId) -> Result<SessionReport, Error> {
    let session = sessions::get(conn, id)?;
    let class = classes::get(conn, session.class_id)?;
    let mut rows = records::of_session(conn, id)?;
    rows.sort_by(|a, b| natural_order(&a.roll_no, &b.roll_no));
    let with = |status: AttendanceStatus| -> Vec<String> {
        rows.iter().filter(|r| r.status == status).map(|r| r.roll_no.clone()).collect()
    };
    Ok(SessionReport {
        id: id.0,
        class: class.name,
        section: class.section,
        name: session.name,
        starts_at: session.starts_at.and_utc(),
        state: session.state.to_string(),
        flags: session.flags.0,
        present: with(AttendanceStatus::Present),
        late: with(AttendanceStatus::Late),
        excused: with(AttendanceStatus::Excused),
        absent: with(AttendanceStatus::Absent),
        unmarked: with(AttendanceStatus::Unmarked),
        strangers: session.strangers,
        pilot: session.pilot,
    })
}

/// The day of a session on the school's calendar.
pub(crate) fn day(session: &SessionRow, zone: Tz) -> NaiveDate {
    day_of(session.starts_at, zone)
}

/// The day on the school's calendar of a moment, UTC.
pub(crate) fn day_of(at: NaiveDateTime, zone: Tz) -> NaiveDate {
    local(at, zone).date()
}

/// Today on the school's calendar.
pub(crate) fn today(zone: Tz) -> NaiveDate {
    local(Utc::now().naive_utc(), zone).date()
}

/// A stored time on the school's clocks.
pub(crate) fn local(at: NaiveDateTime, zone: Tz) -> NaiveDateTime {
    at.and_utc().with_timezone(&zone).naive_local()
}

/// A time on the school's clocks as it is stored. Where clocks are set back the earlier of both is meant; a time that they
/// skip counts from before the skip.
pub(crate) fn utc(at: NaiveDateTime, zone: Tz) -> NaiveDateTime {
    let skipped = || zone.from_local_datetime(&(at - TimeDelta::hours(1))).earliest().map(|t| t + TimeDelta::hours(1));
    let found: Option<DateTime<Tz>> = zone.from_local_datetime(&at).earliest().or_else(skipped);
    found.map_or(at, |t| t.naive_utc())
}

/// The stored times of whole days: from the start of `first` to the start of the day after `last`. Of a day that is too far away
/// those of the nearest that is not.
pub(crate) fn utc_range(first: NaiveDate, last: NaiveDate, zone: Tz) -> (NaiveDateTime, NaiveDateTime) {
    let start = |day: NaiveDate| utc(day.and_time(NaiveTime::MIN), zone);
    (start(nearest_possible(first).0), start(nearest_possible(last).1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn school_time_and_stored_time_are_inverse() {
        let zone = chrono_tz::Asia::Kolkata;
        assert_eq!(utc(at("2026-11-16T09:00:00"), zone), at("2026-11-16T03:30:00"));
        assert_eq!(local(at("2026-11-16T03:30:00"), zone), at("2026-11-16T09:00:00"));
    }

    #[test]
    fn skipped_and_repeated_hours_have_a_time() {
        let zone = chrono_tz::Europe::Berlin;
        assert_eq!(utc(at("2026-03-29T02:30:00"), zone), at("2026-03-29T01:30:00"));
        assert_eq!(utc(at("2026-10-25T02:30:00"), zone), at("2026-10-25T00:30:00"));
    }

    #[test]
    fn a_day_of_the_school_is_not_a_day_of_utc() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 16).unwrap();
        let (from, to) = utc_range(day, day, chrono_tz::Asia::Kolkata);
        assert_eq!((from, to), (at("2026-11-15T18:30:00"), at("2026-11-16T18:30:00")));
    }

    #[test]
    fn the_ends_of_the_calendar_have_times_in_every_zone() {
        for zone in [chrono_tz::Asia::Kolkata, chrono_tz::America::New_York, chrono_tz::Pacific::Kiritimati] {
            let (from, to) = utc_range(NaiveDate::MIN, NaiveDate::MAX, zone);
            assert!(
                from < at("1900-01-02T00:00:00") && at("9998-12-31T00:00:00") < to && to < at("9999-01-02T00:00:00")
            );
        }
    }
}
