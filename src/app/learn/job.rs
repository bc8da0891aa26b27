//! The job: chooses faces, cuts them out of their photos, keeps them as samples.

use std::collections::{BTreeMap, HashMap};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::error::{Code, Error};
use crate::app::session::{self, Matching};
use crate::app::work::{bad_payload, finish_with, storage_failure};
use crate::app::{School, crop};
use crate::config::Config;
use crate::db::faces::FaceRow;
use crate::db::photos::PhotoRow;
use crate::db::samples::{NewSample, SampleRow};
use crate::db::{AnyConnection, DbError, Json, faces, members, photos, records, samples, sessions, students};
use crate::domain::attendance::Flag;
use crate::domain::gallery::Gallery;
use crate::domain::ids::{ClassId, MemberId, SessionId, StudentId};
use crate::domain::learning::{Lesson, Shown, lessons};
use crate::domain::status::{AttendanceStatus, Consent, Origin, SessionState, Verdict};
use crate::queue::{Claimed, Failure};
use crate::storage::{Digest, Extension, Key};

/// What the job says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Payload {
    /// For whoever may see only some classes.
    pub(super) class: ClassId,
    pub(super) session: SessionId,
}

/// Learns from a confirmed session and ends the job with how many faces were kept. Running twice keeps nothing twice.
///
/// # Errors
/// What failed, for the queue to try again; that the job is no longer this worker's.
pub(crate) async fn process(school: &School, matching: &Matching, job: &Claimed) -> Result<(), Failure> {
    let payload: Payload = serde_json::from_value(job.payload.clone()).map_err(|e| bad_payload(&e))?;
    match learn(school, matching, payload.session).await {
        Ok(learned) => finish_with(school, &job.claim, json!({ "learned": learned })).await,
        Err(error) => Err(storage_failure(school, error).await),
    }
}

/// A face to be kept.
#[derive(Debug, Clone)]
struct Chosen {
    student: StudentId,
    member: MemberId,
    face: FaceRow,
}

pub(super) async fn learn(school: &School, matching: &Matching, session: SessionId) -> Result<usize, Error> {
    let (by, config) = (matching.clone(), school.config.clone());
    let chosen = school.read(move |conn| Ok(choose(conn, &by, &config, session)?)).await?;
    let mut learned = 0;
    for (photo, chosen) in chosen {
        let places = chosen.iter().map(|c| c.face.bounds()).collect();
        let pictures = match crop::cut_all(school, &photo, places, crop::FULL).await {
            Ok(pictures) => pictures,
            // Its retention is over, or it was lost: there is nothing to show for the sample, so there is none.
            Err(error) if error.code == Code::PhotoNotFound => continue,
            Err(error) => return Err(error),
        };
        for (chosen, picture) in chosen.into_iter().zip(pictures) {
            learned += usize::from(keep(school, matching, session, chosen, &picture).await?);
        }
    }
    Ok(learned)
}

type ByPhoto = Vec<(PhotoRow, Vec<Chosen>)>;

/// The faces of the session that may be learned by students who have room for more, by photo.
fn choose(conn: &mut AnyConnection, matching: &Matching, config: &Config, id: SessionId) -> Result<ByPhoto, DbError> {
    let session = sessions::get(conn, id)?;
    // Where people were confused with others, a signature under all of it proves little about one face.
    let confused = [Flag::MostlyStrangers, Flag::Conflict, Flag::ReusedPhoto, Flag::OutsideLesson].map(Flag::as_str);
    let is_confused = session.flags.0.iter().any(|flag| confused.contains(&flag.as_str()));
    if session.state != SessionState::Confirmed || is_confused || !config.learning.from_confirmed {
        return Ok(Vec::new());
    }
    let roll = members::active_on(conn, session.class_id, session::day(&session, matching.zone))?;
    let student_of: HashMap<MemberId, StudentId> = roll.iter().map(|row| (row.member.id, row.student.id)).collect();
    let students: Vec<StudentId> = student_of.values().copied().collect();
    let stored = samples::for_students(conn, &matching.pack.id, &matching.pack.version, &students)?;
    let (portraits, learned): (Vec<SampleRow>, Vec<_>) = stored.into_iter().partition(|s| s.origin == Origin::Portrait);
    let gallery = Gallery::build(&session::enrolled(&roll, &portraits), &matching.scoring);
    let most = usize::from(config.learning.max_samples);
    let has_room = |student: StudentId| learned.iter().filter(|s| s.student_id == student).count() < most;
    let present = present(conn, id)?;
    let photos: Vec<PhotoRow> = photos::list(conn, id)?;
    let comparable = |face: &FaceRow| {
        photos.iter().any(|photo| photo.id == face.photo_id && session::is_comparable(photo, &matching.pack))
    };
    let all = faces::list_for_session(conn, id)?;
    let shown: Vec<Shown> = all
        .iter()
        .filter(|face| face.verdict == Some(Verdict::Match) && comparable(face))
        .filter_map(|face| {
            let member = face.member_id.filter(|member| present.contains(member))?;
            student_of.get(&member).filter(|student| has_room(**student))?;
            let vector = matching.scoring.scaled(face.embedding.as_ref()?);
            Some(Shown { face: face.id, member, quality: face.quality.0, vector })
        })
        .collect();
    let lessons = lessons(&shown, &gallery, &config.enrol, &matching.scoring);
    Ok(by_photo(&lessons, all, photos, &student_of))
}

fn by_photo(
    lessons: &[Lesson],
    all: Vec<FaceRow>,
    photos: Vec<PhotoRow>,
    student_of: &HashMap<MemberId, StudentId>,
) -> ByPhoto {
    let mut chosen: BTreeMap<_, Vec<Chosen>> = BTreeMap::new();
    for face in all {
        let Some(lesson) = lessons.iter().find(|lesson| lesson.face == face.id) else { continue };
        let (student, member) = (student_of[&lesson.member], lesson.member);
        chosen.entry(face.photo_id).or_default().push(Chosen { student, member, face });
    }
    photos.into_iter().filter_map(|photo| Some((chosen.remove(&photo.id)?, photo))).map(|(c, p)| (p, c)).collect()
}

/// Who was there by the record that the teacher has signed.
fn present(conn: &mut AnyConnection, session: SessionId) -> Result<Vec<MemberId>, DbError> {
    let is_there = |status| matches!(status, AttendanceStatus::Present | AttendanceStatus::Late);
    let rows = records::list(conn, session)?;
    Ok(rows.into_iter().filter(|row| is_there(row.status)).map(|row| row.member_id).collect())
}

/// Stores a picture and its sample; whether it was kept. The picture goes first, and goes again where the sample cannot be.
async fn keep(
    school: &School,
    matching: &Matching,
    session: SessionId,
    chosen: Chosen,
    picture: &[u8],
) -> Result<bool, Error> {
    let Some(embedding) = chosen.face.embedding.clone() else { return Ok(false) };
    let (sha256, quality) = (Digest::of(picture), chosen.face.quality.0);
    let key = Key::Sample { student: chosen.student.0, sha256, extension: Extension::Jpg };
    let new = NewSample {
        student_id: chosen.student,
        pack_id: matching.pack.id.clone(),
        pack_version: matching.pack.version.clone(),
        sha256: sha256.to_string(),
        object_key: key.to_string(),
        weight: f64::from(quality.weight()),
        quality: Json(Some(quality)),
        embedding,
        created_at: Utc::now().naive_utc(),
    };
    school.store.put(&key, picture).await?;
    let most = usize::from(school.config.learning.max_samples);
    let kept = school.change_patiently(move |conn| Ok(insert(conn, session, &chosen, &new, most)?)).await;
    if !matches!(kept, Ok(true)) {
        super::Pictures(vec![key.to_string()]).delete(school).await;
    }
    kept
}

/// Writes the sample if everything that speaks for it is still so.
fn insert(
    conn: &mut AnyConnection,
    session: SessionId,
    chosen: &Chosen,
    new: &NewSample,
    most: usize,
) -> Result<bool, DbError> {
    let signed = sessions::lock(conn, session)?.state == SessionState::Confirmed;
    let consents = students::lock(conn, chosen.student)?.consent == Consent::Given;
    let is_same = match faces::get(conn, chosen.face.id) {
        Ok(face) => face.verdict == Some(Verdict::Match) && face.member_id == Some(chosen.member),
        Err(DbError::NotFound { .. }) => false,
        Err(error) => return Err(error),
    };
    if !signed || !consents || !is_same || !present(conn, session)?.contains(&chosen.member) {
        return Ok(false);
    }
    let all = samples::of_student(conn, chosen.student)?;
    let is_ours = |s: &&samples::SampleSummary| s.pack_id == new.pack_id && s.pack_version == new.pack_version;
    let mut learned = all.iter().filter(is_ours).filter(|s| s.origin == Origin::Session);
    let known = learned.clone().any(|s| s.session_id == Some(session) || s.sha256 == new.sha256);
    if known || learned.by_ref().count() >= most {
        return Ok(false);
    }
    samples::insert_learned(conn, new, (session, chosen.face.id))?;
    Ok(true)
}
