//! A photo's way from upload to record: [`accept`] stores it and queues it, [`process`] looks at it and settles its session.
//!
//! The hash of the bytes is the photo's identity within a session: the same picture twice is one photo. Bytes are stored
//! before the row that names them, and no database connection is held while nets or storage work.

use std::collections::HashMap;
use std::time::Instant;

use super::School;
use super::batch_report::{ErrorReport, FaceReport, PhotoReport, RunnerUpReport, TimingsMs};
use super::error::{Code, Error};
use super::recogniser::{Recogniser, SeenFace, SeenPhoto, limits};
use super::session::{self, Matching};
use crate::db::faces::{FaceRow, NewFace};
use crate::db::photos::{NewPhoto, PhotoResult, PhotoRow};
use crate::db::{AnyConnection, Json, faces, members, photos, sessions};
use crate::domain::ids::{MemberId, PhotoId, SessionId};
use crate::domain::status::PhotoState;
use crate::storage::{Digest, Extension, Key};
use crate::vision::decode::{PhotoFormat, identify};
use chrono::Utc;

/// A photo that comes in.
#[derive(Debug)]
pub struct Incoming {
    pub session: SessionId,
    pub bytes: Vec<u8>,
    /// For people: nothing is looked up by it but an earlier failed photo of the same name.
    pub original_name: String,
}

/// What became of it.
#[derive(Debug)]
pub struct Accepted {
    pub photo: PhotoId,
    pub sha256: String,
    pub state: AcceptedState,
}

/// What is left to do.
#[derive(Debug)]
pub enum AcceptedState {
    Waiting,
    /// Processed before.
    Done,
    /// Not a photo that can be processed; the session knows that something is missing.
    Refused(Error),
}

/// Stores the bytes and queues the photo; the same bytes in the same session are the photo that is there already. Bytes
/// over the limits or of no known kind are not stored, but noted with the session, which then marks nobody absent.
///
/// # Errors
/// Storage and database failures.
pub async fn accept(school: &School, matching: &Matching, incoming: Incoming) -> Result<Accepted, Error> {
    let Incoming { session, bytes, original_name } = incoming;
    let digest = Digest::of(&bytes);
    let length = bytes.len() as u64;
    match identify(&bytes, &limits(&school.config)) {
        Ok(format) => {
            let key = Key::SessionPhoto { session: session.0, sha256: digest, extension: extension(format) };
            store_once(school, &key, &bytes).await?;
            let known = Some(key.to_string());
            admit(school, matching, Arrival { session, digest, length, original_name, stored: known, refusal: None })
                .await
        }
        Err(e) => {
            let refusal = Some(Error::from(e));
            admit(school, matching, Arrival { session, digest, length, original_name, stored: None, refusal }).await
        }
    }
}

/// Notes a file that is too large to be read at all.
///
/// # Errors
/// Database failures.
pub async fn refuse(
    school: &School,
    matching: &Matching,
    (session, original_name): (SessionId, String),
    (digest, length): (Digest, u64),
    error: Error,
) -> Result<Accepted, Error> {
    let arrival = Arrival { session, digest, length, original_name, stored: None, refusal: Some(error) };
    admit(school, matching, arrival).await
}

async fn store_once(school: &School, key: &Key, bytes: &[u8]) -> Result<(), Error> {
    if !school.store.exists(key).await? {
        school.store.put(key, bytes).await?;
    }
    Ok(())
}

/// What is known of a photo before its row is written.
struct Arrival {
    session: SessionId,
    digest: Digest,
    length: u64,
    original_name: String,
    /// Path of the object.
    stored: Option<String>,
    refusal: Option<Error>,
}

async fn admit(school: &School, matching: &Matching, arrival: Arrival) -> Result<Accepted, Error> {
    let matching = matching.clone();
    school
        .change(move |conn| {
            let now = Utc::now().naive_utc();
            let sha256 = arrival.digest.to_string();
            let known = photos::find_in_session(conn, arrival.session, &sha256)?;
            let was_done = known.as_ref().is_some_and(|row| row.state == PhotoState::Done);
            let photo = match known {
                Some(row) => row.id,
                None => {
                    supersede(conn, arrival.session, &arrival.original_name)?;
                    let new = NewPhoto {
                        session_id: arrival.session,
                        sha256: sha256.clone(),
                        object_key: arrival.stored.unwrap_or_default(),
                        original_name: arrival.original_name,
                        bytes: i64::try_from(arrival.length).unwrap_or(i64::MAX),
                        captured_at: None,
                        created_at: now,
                    };
                    photos::insert(conn, &new)?
                }
            };
            let state = match arrival.refusal {
                Some(error) => {
                    photos::fail(conn, photo, &error.code.as_str(), &error.message, now)?;
                    session::settle(conn, arrival.session, &matching, now)?;
                    AcceptedState::Refused(error)
                }
                None if was_done => AcceptedState::Done,
                None => AcceptedState::Waiting,
            };
            Ok(Accepted { photo, sha256, state })
        })
        .await
}

/// Puts a photo that was done back to the start: until it was looked at again, its session marks nobody absent, and a run
/// that is stopped in between is continued by any other.
///
/// # Errors
/// Database failures.
pub(crate) async fn requeue(school: &School, matching: &Matching, id: PhotoId) -> Result<(), Error> {
    let matching = matching.clone();
    school
        .change(move |conn| {
            photos::requeue(conn, id)?;
            let session = photos::get(conn, id)?.session_id;
            Ok(session::settle(conn, session, &matching, Utc::now().naive_utc())?)
        })
        .await
}

/// A file that failed and comes again with other bytes under its name is a second try, not a second photo.
fn supersede(conn: &mut AnyConnection, session: SessionId, name: &str) -> Result<(), Error> {
    for row in photos::list(conn, session)? {
        if row.state == PhotoState::Failed && row.original_name == name {
            photos::delete(conn, row.id)?;
        }
    }
    Ok(())
}

/// The ending that a photo is stored under.
pub(crate) const fn extension(format: PhotoFormat) -> Extension {
    match format {
        PhotoFormat::Jpeg => Extension::Jpg,
        PhotoFormat::Png => Extension::Png,
        PhotoFormat::WebP => Extension::Webp,
        PhotoFormat::Bmp => Extension::Bmp,
        PhotoFormat::Gif => Extension::Gif,
        PhotoFormat::Tiff => Extension::Tiff,
    }
}

/// Looks at a photo and settles its session. A photo that cannot be processed is stored as failed, with the code, before
/// the error is returned: its session then marks nobody absent.
///
/// # Errors
/// What is wrong with the photo, or what failed around it.
pub async fn process(school: &School, recogniser: &Recogniser, id: PhotoId) -> Result<(), Error> {
    let start = Instant::now();
    let row = school.change(move |conn| {
        photos::start(conn, id)?;
        Ok(photos::get(conn, id)?)
    });
    let row = row.await?;
    let matching = recogniser.matching(school);
    match look(school, recogniser, &row, &matching).await {
        Ok(seen) => {
            let faces = seen.faces.len();
            let session = row.session_id.0;
            let timings = finish(school, recogniser, row, seen, matching).await?;
            log_done((session, id), faces, &timings, start);
            Ok(())
        }
        Err(error) => {
            // The caller shows it; the log keeps the numbers beside those of the photos that are done.
            tracing::info!(session = row.session_id.0, photo = id.0, code = error.code.as_str(), "photo failed");
            fail(school, row, &error, matching).await?;
            Err(error)
        }
    }
}

/// One line for each photo: ids and whole milliseconds.
fn log_done((session, photo): (i64, PhotoId), faces: usize, timings: &TimingsMs, start: Instant) {
    let [decode_ms, detect_ms, align_ms, embed_ms, match_ms, store_ms] =
        timings.named().map(|(_, ms)| ms.round() as u64);
    let total_ms = start.elapsed().as_millis() as u64;
    tracing::info!(
        session,
        photo = photo.0,
        faces,
        decode_ms,
        detect_ms,
        align_ms,
        embed_ms,
        match_ms,
        store_ms,
        total_ms,
        "photo done"
    );
}

/// A class in which nobody can be found is an error before any face is looked for: there is no wider search.
async fn look(
    school: &School,
    recogniser: &Recogniser,
    row: &PhotoRow,
    matching: &Matching,
) -> Result<SeenPhoto, Error> {
    let (session, by) = (row.session_id, matching.clone());
    school.read(move |conn| session::require_candidates(conn, session, &by)).await?;
    let bytes = bytes_of(school, row).await?;
    let recogniser = recogniser.clone();
    super::blocking(move || recogniser.analyse(&bytes)).await
}

async fn finish(
    school: &School,
    recogniser: &Recogniser,
    row: PhotoRow,
    seen: SeenPhoto,
    matching: Matching,
) -> Result<TimingsMs, Error> {
    let policy = serde_json::json!({
        "scoring": recogniser.scoring(), "min_face_px": school.config.photos.min_face_px,
        "max_faces": school.config.photos.max_faces,
    });
    let provider = recogniser.provider();
    school
        .change(move |conn| {
            let start = Instant::now();
            let now = Utc::now().naive_utc();
            let new: Vec<NewFace> = seen.faces.iter().enumerate().map(|(i, f)| new_face(i, f)).collect();
            faces::replace_for_photo(conn, row.id, &new)?;
            let mut timings = seen.timings;
            let mut result = PhotoResult {
                width: seen.size.0 as i32,
                height: seen.size.1 as i32,
                smallest_face_px: seen.faces.iter().map(|f| f.quality.side_px).min_by(f32::total_cmp),
                faces_left_out: i32::try_from(seen.faces_left_out).unwrap_or(i32::MAX),
                warnings: Json(seen.warnings),
                timings: Json(serde_json::json!(timings)),
                pack_id: matching.pack.id.clone(),
                pack_version: matching.pack.version.clone(),
                provider,
                policy: Json(policy),
                processed_at: now,
            };
            photos::finish(conn, row.id, &result)?;
            timings.store = ms_since(start);
            let start = Instant::now();
            session::settle(conn, row.session_id, &matching, now)?;
            timings.matching = ms_since(start);
            result.timings = Json(serde_json::json!(timings));
            photos::finish(conn, row.id, &result)?;
            Ok(timings)
        })
        .await
}

fn new_face(ordinal: usize, face: &SeenFace) -> NewFace {
    let bbox = face.detection.bbox;
    NewFace {
        ordinal: i32::try_from(ordinal).expect("a photo holds at most some hundred faces"),
        x: bbox.x1,
        y: bbox.y1,
        w: bbox.width(),
        h: bbox.height(),
        landmarks: Json(face.detection.landmarks),
        detection_score: face.detection.score,
        quality: Json(face.quality),
        embedding: face.embedding.as_ref().ok().cloned(),
    }
}

async fn fail(school: &School, row: PhotoRow, error: &Error, matching: Matching) -> Result<(), Error> {
    let (code, message) = (error.code.as_str(), error.message.clone());
    school
        .change(move |conn| {
            let now = Utc::now().naive_utc();
            photos::fail(conn, row.id, &code, &message, now)?;
            session::settle(conn, row.session_id, &matching, now)?;
            Ok(())
        })
        .await
}

/// The stored bytes of a photo.
pub(crate) async fn bytes(school: &School, id: PhotoId) -> Result<Vec<u8>, Error> {
    let row = school.read(move |conn| Ok(photos::get(conn, id)?)).await?;
    bytes_of(school, &row).await
}

async fn bytes_of(school: &School, row: &PhotoRow) -> Result<Vec<u8>, Error> {
    let key: Key = row.object_key.parse().map_err(|_| Error::new(Code::StorageError, "the photo was never stored"))?;
    Ok(school.store.get(&key).await?)
}

/// What the database knows of a photo.
#[derive(Debug)]
pub(crate) struct KnownPhoto {
    row: PhotoRow,
    faces: Vec<FaceRow>,
    roll_nos: HashMap<MemberId, String>,
}

/// Reads a photo with its faces and the roll numbers of its class.
pub(crate) fn known(conn: &mut AnyConnection, id: PhotoId, zone: chrono_tz::Tz) -> Result<KnownPhoto, Error> {
    let row = photos::get(conn, id)?;
    let session = sessions::get(conn, row.session_id)?;
    let roll = members::active_on(conn, session.class_id, session::day(&session, zone))?;
    let mut faces = faces::list_for_session(conn, row.session_id)?;
    faces.retain(|f| f.photo_id == id);
    Ok(KnownPhoto { row, faces, roll_nos: roll.into_iter().map(|r| (r.member.id, r.member.roll_no)).collect() })
}

impl KnownPhoto {
    /// Fills in everything but the path and what became of the file in this run.
    pub(crate) fn fill(self, line: &mut PhotoReport) {
        let row = &self.row;
        line.sha256.clone_from(&row.sha256);
        line.session_id = Some(row.session_id.0);
        line.width = row.width.and_then(|w| u32::try_from(w).ok());
        line.height = row.height.and_then(|h| u32::try_from(h).ok());
        line.smallest_face_px = row.smallest_face_px;
        line.faces_left_out = u32::try_from(row.faces_left_out).unwrap_or(0);
        line.warnings.clone_from(&row.warnings.0);
        line.timings_ms = serde_json::from_value(row.timings.0.clone()).unwrap_or_default();
        line.error = row.error_code.as_ref().map(|code| ErrorReport {
            code: serde_json::from_value(code.clone().into()).unwrap_or(Code::ProcessingError),
            message: row.error_message.clone().unwrap_or_default(),
        });
        line.faces = self.faces.iter().map(|face| self.face(face)).collect();
    }

    fn face(&self, face: &FaceRow) -> FaceReport {
        let roll_no = |member: Option<MemberId>| member.and_then(|m| self.roll_nos.get(&m).cloned());
        let runner_up = roll_no(face.runner_up_member_id).zip(face.runner_up_combined);
        FaceReport {
            bbox: [face.x, face.y, face.w, face.h],
            detection_score: face.detection_score,
            verdict: face.verdict.map_or_else(String::new, |v| v.to_string()),
            roll_no: roll_no(face.member_id),
            combined: face.combined.map(|v| v as f32),
            cosine: face.cosine.map(|v| v as f32),
            confidence: face.confidence.map(|v| v as f32),
            runner_up: runner_up.map(|(roll_no, combined)| RunnerUpReport { roll_no, combined: combined as f32 }),
            reason: face.reason.clone().unwrap_or_default(),
            person: face.person,
        }
    }
}

fn ms_since(start: Instant) -> f32 {
    start.elapsed().as_secs_f32() * 1000.0
}
