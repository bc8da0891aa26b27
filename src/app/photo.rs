//! A photo's way from upload to record: [`Arrival`] stores it, [`admit`] queues it, `process` looks at it and settles its session,
//! `give_up` notes that it could not be looked at, [`remove`] takes it back.
//!
//! The hash of the bytes is the photo's identity within a session: the same picture twice is one photo. Bytes are stored
//! before the row that names them, and no database connection is held while nets or storage work. Its job is queued in the
//! transaction that writes the row and ends in the one that writes the faces. Locks are taken in the order job, session,
//! photo.

mod remove;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Instant;

use chrono::Utc;
use serde::{Deserialize, Serialize};

pub use remove::remove;

use super::batch_report::{ErrorReport, FaceReport, PhotoReport, RunnerUpReport, TimingsMs, told};
use super::error::{Code, Error, Outlook};
use super::events::{self, PhotoStep};
use super::recogniser::{PackKey, Recogniser, SeenFace, SeenPhoto, limits};
use super::session::{self, Matching};
use super::{School, photo_bytes};
use crate::db::faces::{FaceRow, NewFace};
use crate::db::photos::{NewPhoto, PhotoResult, PhotoRow};
use crate::db::{AnyConnection, DbError, Json, faces, members, photos, sessions};
use crate::domain::ids::{MemberId, PhotoId, SessionId};
use crate::domain::status::{PhotoState, SessionState, Verdict};
use crate::queue::store::{self, Held};
use crate::queue::{self, Claim, Claimed, Failure, JobError, JobId, NewJob, Priority};
use crate::storage::{Digest, Download, Extension};
use crate::telemetry::metric;
use crate::vision::decode::{PhotoFormat, identify};

/// Who waits for a photo.
#[derive(Debug, Clone)]
pub struct Order {
    pub priority: Priority,
    /// The batch run that works on it first.
    pub run_id: Option<String>,
    /// Who asked for it, as [`Actor::key`](crate::domain::access::Actor::key) writes it.
    pub owner: Option<String>,
}

/// What a photo's job says.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    photo: PhotoId,
}

/// The kind of a photo's job.
pub(crate) const JOB_KIND: &str = "photo";

/// Which workers can look at a photo: those with the pack that its session is compared by.
pub(crate) fn topic(pack: &PackKey) -> String {
    format!("{JOB_KIND}:{}@{}", pack.id, pack.version)
}

/// What became of it.
#[derive(Debug)]
pub struct Accepted {
    /// None when nothing was written down about it: its session is confirmed.
    pub photo: Option<PhotoId>,
    pub sha256: String,
    pub state: AcceptedState,
}

/// What is left to do.
#[derive(Debug)]
pub enum AcceptedState {
    /// For this job.
    Waiting(JobId),
    /// Processed before.
    Done,
    /// Not a photo that can be processed; the session knows that something is missing. With `SESSION_CONFIRMED` it does not:
    /// the session takes no photos.
    Refused(Error),
}

/// A photo whose bytes are stored, or which cannot be looked at, before its row is written.
#[derive(Debug)]
pub struct Arrival {
    digest: Digest,
    length: u64,
    /// For people: nothing is looked up by it but an earlier failed photo of the same name.
    original_name: String,
    /// Where the bytes are, or why there is nothing to look at.
    stored: Result<String, ErrorReport>,
}

impl Arrival {
    /// Stores the bytes of a photo; those over the limits, of no known kind or for a confirmed session are only noted.
    ///
    /// # Errors
    /// `SESSION_NOT_FOUND`; database and storage failures.
    pub async fn store(
        school: &School,
        session: SessionId,
        bytes: &[u8],
        original_name: String,
    ) -> Result<Self, Error> {
        let digest = Digest::of(bytes);
        let row = school.read(move |conn| Ok(sessions::get(conn, session)?)).await?;
        if let Err(error) = session::require_unconfirmed(&row) {
            return Ok(Self { digest, length: bytes.len() as u64, original_name, stored: Err(told(&error)) });
        }
        let stored = match identify(bytes, &limits(&school.config)) {
            Ok(format) => Ok(photo_bytes::keep(school, session, (digest, extension(format)), bytes).await?.to_string()),
            Err(e) => Err(told(&Error::from(e))),
        };
        Ok(Self { digest, length: bytes.len() as u64, original_name, stored })
    }

    /// Why it cannot be looked at, if so.
    pub fn refusal(&self) -> Option<Error> {
        self.stored
            .as_ref()
            .err()
            .map(|error| Error::new(error.code, format!("{}: {}", self.original_name, error.message)))
    }

    /// A file that is too large to be read at all.
    pub fn too_large(digest: Digest, length: u64, original_name: String, error: &Error) -> Self {
        Self { digest, length, original_name, stored: Err(told(error)) }
    }

    /// A file that cannot be read: its lesson has a photo that nobody has seen. Its name stands for the bytes.
    pub fn unreadable(original_name: String, error: &Error) -> Self {
        Self { digest: Digest::of(original_name.as_bytes()), length: 0, original_name, stored: Err(told(error)) }
    }
}

/// Writes down photos of one session and queues them, all in one transaction: nobody is marked absent while another photo of
/// the lesson is on its way. The same bytes in the same session are the photo that is there already. What cannot be looked
/// at is noted as failed, so that the session marks nobody absent. A confirmed session takes none: each that is not done
/// already is refused with `SESSION_CONFIRMED`.
///
/// # Errors
/// Database failures.
pub async fn admit(
    school: &School,
    matching: &Matching,
    order: &Order,
    session: SessionId,
    arrivals: Vec<Arrival>,
) -> Result<Vec<Accepted>, Error> {
    let admission = Admission {
        session,
        matching: matching.clone(),
        order: order.clone(),
        max_attempts: school.config.queue.max_attempts,
    };
    let accepted = school.change_patiently(move |conn| admission.admit(conn, &arrivals)).await?;
    let refused = accepted.iter().filter(|photo| matches!(photo.state, AcceptedState::Refused(_))).count();
    metrics::counter!(metric::PHOTOS, "state" => "refused").increment(refused as u64);
    Ok(accepted)
}

/// What the photos of one session are admitted with.
struct Admission {
    session: SessionId,
    matching: Matching,
    order: Order,
    max_attempts: u32,
}

impl Admission {
    fn admit(&self, conn: &mut AnyConnection, arrivals: &[Arrival]) -> Result<Vec<Accepted>, Error> {
        let was_confirmed = sessions::get(conn, self.session)?.state == SessionState::Confirmed;
        // Jobs that are there are locked before the session, as everywhere.
        for arrival in arrivals.iter().filter(|a| a.stored.is_ok() && !was_confirmed) {
            if let Some(row) = photos::find_in_session(conn, self.session, &arrival.digest.to_string())?
                && row.state != PhotoState::Done
            {
                queue::enqueue(conn, &self.job(row.id))?;
            }
        }
        let locked = sessions::lock(conn, self.session)?;
        if (locked.state == SessionState::Confirmed) != was_confirmed {
            // Confirmed or reopened in this moment: what was done above was for the other case.
            return Err(DbError::Busy.into());
        }
        if let Err(refusal) = session::require_unconfirmed(&locked) {
            return arrivals.iter().map(|arrival| self.turn_away(conn, arrival, &refusal)).collect();
        }
        let accepted = arrivals.iter().map(|arrival| self.admit_one(conn, arrival)).collect::<Result<Vec<_>, _>>()?;
        // Absences that were concluded before are taken back until these were looked at.
        let is_fresh = |a: &Accepted| matches!(a.state, AcceptedState::Waiting(_));
        let refused = accepted.iter().any(|a| a.photo.is_some() && matches!(a.state, AcceptedState::Refused(_)));
        if refused || (locked.state != SessionState::Open && accepted.iter().any(is_fresh)) {
            session::settle(conn, self.session, &self.matching, Utc::now().naive_utc())?;
        }
        Ok(accepted)
    }

    /// A session that takes no photos knows those that it has.
    fn turn_away(&self, conn: &mut AnyConnection, arrival: &Arrival, refusal: &Error) -> Result<Accepted, Error> {
        let sha256 = arrival.digest.to_string();
        let known = photos::find_in_session(conn, self.session, &sha256)?;
        Ok(match known.filter(|row| row.state == PhotoState::Done) {
            Some(row) => Accepted { photo: Some(row.id), sha256, state: AcceptedState::Done },
            None => {
                let refusal = Error::new(refusal.code, refusal.message.clone());
                // What could not be read has no hash.
                let sha256 = if arrival.length > 0 { sha256 } else { String::new() };
                Accepted { photo: None, sha256, state: AcceptedState::Refused(refusal) }
            }
        })
    }

    fn admit_one(&self, conn: &mut AnyConnection, arrival: &Arrival) -> Result<Accepted, Error> {
        if let Err(ErrorReport { code: Code::SessionConfirmed, message }) = &arrival.stored {
            // It was reopened after this photo came, and its bytes were not kept.
            return self.turn_away(conn, arrival, &Error::new(Code::SessionConfirmed, message.clone()));
        }
        let sha256 = arrival.digest.to_string();
        let known = photos::find_in_session(conn, self.session, &sha256)?;
        let (photo, before) = match &known {
            Some(row) => (row.id, Some(row.state)),
            None => (self.insert(conn, arrival)?, None),
        };
        let state = match (&arrival.stored, before) {
            (Err(error), _) => {
                let code = error.code.as_str();
                photos::fail(conn, photo, &code, &error.message, Utc::now().naive_utc())?;
                events::photo(conn, self.session, photo, PhotoStep::Failed { code: &code })?;
                AcceptedState::Refused(Error::new(error.code, error.message.clone()))
            }
            (Ok(_), Some(PhotoState::Done)) => AcceptedState::Done,
            (Ok(key), before) => {
                if known.is_some_and(|row| row.object_key.is_empty()) {
                    // It was refused before, perhaps by a limit that was lower then.
                    photos::set_object_key(conn, photo, key)?;
                }
                if before == Some(PhotoState::Failed) {
                    photos::requeue(conn, photo)?;
                }
                let job = queue::enqueue(conn, &self.job(photo))?;
                if matches!(before, None | Some(PhotoState::Failed)) {
                    events::photo(conn, self.session, photo, PhotoStep::Queued(job))?;
                }
                AcceptedState::Waiting(job)
            }
        };
        Ok(Accepted { photo: Some(photo), sha256, state })
    }

    fn insert(&self, conn: &mut AnyConnection, arrival: &Arrival) -> Result<PhotoId, Error> {
        supersede(conn, self.session, &arrival.original_name)?;
        let new = NewPhoto {
            session_id: self.session,
            sha256: arrival.digest.to_string(),
            object_key: arrival.stored.as_ref().cloned().unwrap_or_default(),
            original_name: arrival.original_name.clone(),
            bytes: i64::try_from(arrival.length).unwrap_or(i64::MAX),
            captured_at: None,
            created_at: Utc::now().naive_utc(),
        };
        Ok(photos::insert(conn, &new)?)
    }

    fn job(&self, photo: PhotoId) -> NewJob {
        job(photo, &self.matching, &self.order, self.max_attempts)
    }
}

/// A photo has one job at a time.
fn dedup_key(photo: PhotoId) -> String {
    format!("{JOB_KIND}:{}", photo.0)
}

fn job(photo: PhotoId, matching: &Matching, order: &Order, max_attempts: u32) -> NewJob {
    NewJob {
        kind: JOB_KIND,
        topic: topic(&matching.pack),
        payload: serde_json::json!(Payload { photo }),
        dedup_key: dedup_key(photo),
        run_id: order.run_id.clone(),
        priority: order.priority,
        max_attempts,
        owner: order.owner.clone(),
    }
}

/// Puts a photo that was done back to the start: until it was looked at again, its session marks nobody absent, and a run
/// that is stopped in between is continued by any other. Returns its job.
///
/// # Errors
/// `SESSION_CONFIRMED`; database failures.
pub(crate) async fn requeue(school: &School, matching: &Matching, order: &Order, id: PhotoId) -> Result<JobId, Error> {
    let (matching, order, max_attempts) = (matching.clone(), order.clone(), school.config.queue.max_attempts);
    let again = move |conn: &mut AnyConnection| {
        let job = queue::enqueue(conn, &job(id, &matching, &order, max_attempts))?;
        let session = photos::get(conn, id)?.session_id;
        session::require_unconfirmed(&sessions::lock(conn, session)?)?;
        photos::requeue(conn, id)?;
        events::photo(conn, session, id, PhotoStep::Queued(job))?;
        session::settle(conn, session, &matching, Utc::now().naive_utc())?;
        Ok(job)
    };
    school.change_patiently(again).await
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

/// Looks at a photo, writes its faces, settles its session and ends its job.
///
/// # Errors
/// What is wrong with the photo or failed around it, for the queue to try again or to [`give_up`]; that the job is no longer
/// this worker's.
pub(crate) async fn process(school: &School, recogniser: &Recogniser, job: &Claimed) -> Result<(), Failure> {
    let start = Instant::now();
    let claim = job.claim.clone();
    let Payload { photo } = payload(job)?;
    let row = school.change_patiently(move |conn| match store::hold(conn, &claim)? {
        Held::Yes => {
            let row = photos::get(conn, photo)?;
            session::require_unconfirmed(&sessions::get(conn, row.session_id)?)?;
            photos::start(conn, photo)?;
            Ok(Some(row))
        }
        Held::Finished | Held::No => Ok(None),
    });
    let row = row.await.map_err(failure)?.ok_or(Failure::LeaseLost)?;
    let matching = recogniser.matching(school);
    require_candidates(school, &row, &matching).await.map_err(failure)?;
    let bytes = photo_bytes::in_turn(school, &row).await?;
    let seen = look(recogniser, bytes).await.map_err(failure)?;
    let session = row.session_id;
    let done = finish(school, recogniser, job.claim.clone(), row, seen).await.map_err(failure)?;
    let done = done.ok_or(Failure::LeaseLost)?;
    done.count();
    done.log((session, photo), start);
    Ok(())
}

fn payload(job: &Claimed) -> Result<Payload, Failure> {
    serde_json::from_value(job.payload.clone()).map_err(|e| Failure::Final {
        code: Code::ProcessingError.as_str(),
        message: format!("the job does not say which photo: {e}"),
    })
}

/// How the queue takes an error: whether another attempt may help.
pub(super) fn failure(error: Error) -> Failure {
    let (code, message) = (error.code.as_str(), error.message.clone());
    match error.outlook() {
        Outlook::Final => Failure::Final { code, message },
        Outlook::Lasting | Outlook::Passing => Failure::Passing { code, message },
        Outlook::NotItsFault => Failure::PutBack,
    }
}

/// Stores a photo as failed, with the code, and settles its session, which then marks nobody absent. A confirmed session and
/// the photos it was confirmed with stay as they are.
///
/// # Errors
/// Database failures.
pub(crate) fn give_up(
    conn: &mut AnyConnection,
    job: &Claimed,
    matching: &Matching,
    error: &JobError,
) -> Result<(), DbError> {
    fail_as(conn, &job.payload, matching, (&error.code, &error.message))
}

/// The same for a job that nobody works on any more.
///
/// # Errors
/// Database failures.
pub(crate) fn fail(
    conn: &mut AnyConnection,
    payload: &serde_json::Value,
    matching: &Matching,
    error: &Error,
) -> Result<(), DbError> {
    fail_as(conn, payload, matching, (&error.code.as_str(), &error.message))
}

/// Counts a photo that was given up, once that is certain.
pub(crate) fn count_given_up() {
    metrics::counter!(metric::PHOTOS, "state" => "failed").increment(1);
}

fn fail_as(
    conn: &mut AnyConnection,
    payload: &serde_json::Value,
    matching: &Matching,
    (code, message): (&str, &str),
) -> Result<(), DbError> {
    let Some(row) = photo_of(conn, payload)? else { return Ok(()) };
    let now = Utc::now().naive_utc();
    let session = sessions::lock(conn, row.session_id)?;
    if session.state == SessionState::Confirmed && matches!(row.state, PhotoState::Done | PhotoState::Failed) {
        return Ok(());
    }
    photos::fail(conn, row.id, code, message, now)?;
    events::photo(conn, row.session_id, row.id, PhotoStep::Failed { code })?;
    session::settle(conn, row.session_id, matching, now)?;
    // Who waits for the photo is shown the reason; the log keeps the numbers beside those of the photos that are done.
    tracing::info!(session = row.session_id.0, photo = row.id.0, code, "photo failed");
    Ok(())
}

/// A photo that had failed waits for its job once more.
///
/// # Errors
/// `SESSION_CONFIRMED`; database failures.
pub(crate) fn wait_again(
    conn: &mut AnyConnection,
    payload: &serde_json::Value,
    matching: &Matching,
    job: JobId,
) -> Result<(), Error> {
    let Some(row) = photo_of(conn, payload)? else { return Ok(()) };
    session::require_unconfirmed(&sessions::lock(conn, row.session_id)?)?;
    photos::requeue(conn, row.id)?;
    events::photo(conn, row.session_id, row.id, PhotoStep::Queued(job))?;
    Ok(session::settle(conn, row.session_id, matching, Utc::now().naive_utc())?)
}

/// The photo that a job is about; it may be gone before its job is.
fn photo_of(conn: &mut AnyConnection, payload: &serde_json::Value) -> Result<Option<PhotoRow>, DbError> {
    let Ok(Payload { photo }) = serde_json::from_value(payload.clone()) else { return Ok(None) };
    match photos::get(conn, photo) {
        Err(DbError::NotFound { .. }) => Ok(None),
        row => row.map(Some),
    }
}

/// A photo whose result is in the database.
struct Done {
    faces: usize,
    verdicts: Vec<(Verdict, u64)>,
    timings: TimingsMs,
}

impl Done {
    /// For monitoring.
    fn count(&self) {
        for (stage, ms) in self.timings.named() {
            metrics::histogram!(metric::STAGE_SECONDS, "stage" => stage).record(f64::from(ms) / 1000.0);
        }
        metrics::counter!(metric::PHOTOS, "state" => "done").increment(1);
        metrics::counter!(metric::FACES).increment(self.faces as u64);
        for (verdict, count) in &self.verdicts {
            metrics::counter!(metric::VERDICTS, "verdict" => verdict.as_str()).increment(*count);
        }
    }

    /// One line for each photo: ids and whole milliseconds.
    fn log(&self, (session, photo): (SessionId, PhotoId), start: Instant) {
        let [decode_ms, detect_ms, align_ms, embed_ms, match_ms, store_ms] =
            self.timings.named().map(|(_, ms)| ms.round() as u64);
        let total_ms = start.elapsed().as_millis() as u64;
        tracing::info!(
            session = session.0,
            photo = photo.0,
            faces = self.faces,
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
}

/// A class in which nobody can be found is an error before any face is looked for: there is no wider search.
async fn require_candidates(school: &School, row: &PhotoRow, matching: &Matching) -> Result<(), Error> {
    let (session, by) = (row.session_id, matching.clone());
    school.read(move |conn| session::require_candidates(conn, session, &by)).await
}

async fn look(recogniser: &Recogniser, bytes: Vec<u8>) -> Result<SeenPhoto, Error> {
    let recogniser = recogniser.clone();
    super::blocking(move || recogniser.analyse(&bytes)).await
}

/// Writes what was seen; `None` when the job is no longer this worker's, and then nothing was written.
async fn finish(
    school: &School,
    recogniser: &Recogniser,
    claim: Claim,
    row: PhotoRow,
    seen: SeenPhoto,
) -> Result<Option<Done>, Error> {
    let matching = recogniser.matching(school);
    let result = result(school, recogniser, &seen);
    let again = move |conn: &mut AnyConnection| {
        let (mut timings, photo, faces) = (seen.timings, row.id, seen.faces.len());
        let done = |conn: &mut AnyConnection, timings| {
            Ok(Some(Done { faces, verdicts: faces::count_verdicts(conn, photo)?, timings }))
        };
        match store::hold(conn, &claim)? {
            Held::Yes => {}
            // An earlier try, whose success was not heard of.
            Held::Finished => return done(conn, timings),
            Held::No => return Ok(None),
        }
        let (start, now) = (Instant::now(), Utc::now().naive_utc());
        session::require_unconfirmed(&sessions::lock(conn, row.session_id)?)?;
        let new: Vec<NewFace> = seen.faces.iter().enumerate().map(|(i, f)| new_face(i, f)).collect();
        faces::replace_for_photo(conn, row.id, &new)?;
        photos::finish(conn, row.id, &PhotoResult { processed_at: now, ..result.clone() })?;
        events::photo(conn, row.session_id, row.id, PhotoStep::Done { faces: new.len() })?;
        timings.store = ms_since(start);
        let start = Instant::now();
        session::settle(conn, row.session_id, &matching, now)?;
        timings.matching = ms_since(start);
        photos::set_timings(conn, row.id, &Json(serde_json::json!(timings)))?;
        queue::finish(conn, &claim)?;
        done(conn, timings)
    };
    school.change_patiently(again).await
}

fn result(school: &School, recogniser: &Recogniser, seen: &SeenPhoto) -> PhotoResult {
    let PackKey { id, version } = recogniser.key().clone();
    PhotoResult {
        width: seen.size.0 as i32,
        height: seen.size.1 as i32,
        smallest_face_px: seen.faces.iter().map(|f| f.quality.side_px).min_by(f32::total_cmp),
        faces_left_out: i32::try_from(seen.faces_left_out).unwrap_or(i32::MAX),
        warnings: Json(seen.warnings.clone()),
        timings: Json(serde_json::json!(seen.timings)),
        pack_id: id,
        pack_version: version,
        provider: recogniser.provider(),
        policy: Json(serde_json::json!({
            "scoring": recogniser.scoring(), "min_face_px": school.config.photos.min_face_px,
            "max_faces": school.config.photos.max_faces,
        })),
        processed_at: Utc::now().naive_utc(),
    }
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

/// A photo as it was uploaded, or a part of it, on its way from the store.
///
/// # Errors
/// `PHOTO_NOT_FOUND` when the bytes are gone, `STORAGE_ERROR` when they were never stored or cannot be read now.
pub async fn original(school: &School, row: &PhotoRow, part: Option<Range<u64>>) -> Result<Download, Error> {
    school.store.open(&photo_bytes::key(row)?, part).await.map_err(|error| photo_bytes::gone(row, error))
}

/// The stored bytes of a photo.
pub(crate) async fn bytes(school: &School, id: PhotoId) -> Result<Vec<u8>, Error> {
    let row = school.read(move |conn| Ok(photos::get(conn, id)?)).await?;
    photo_bytes::read(school, &row).await
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
    /// The photo's row, and its faces as reports show them.
    pub(crate) fn into_parts(self) -> (PhotoRow, Vec<FaceReport>) {
        let faces = self.faces.iter().map(|face| self.face(face)).collect();
        (self.row, faces)
    }

    pub(crate) const fn state(&self) -> PhotoState {
        self.row.state
    }

    /// Fills in everything but the path and what became of the file in this run.
    pub(crate) fn fill(self, line: &mut PhotoReport) {
        let row = &self.row;
        // A file that could not be read has no hash.
        if row.bytes > 0 {
            line.sha256.clone_from(&row.sha256);
        }
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
