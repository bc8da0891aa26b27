//! Looking at a photo: from its bytes to its faces, the records of its session and the end of its job.

use std::time::Instant;

use chrono::Utc;

use super::{Payload, failure, payload};
use crate::app::batch_report::TimingsMs;
use crate::app::error::Error;
use crate::app::events::{self, PhotoStep};
use crate::app::recogniser::{PackKey, Recogniser, SeenFace, SeenPhoto};
use crate::app::session::{self, Matching};
use crate::app::{School, photo_bytes};
use crate::db::faces::NewFace;
use crate::db::photos::{PhotoResult, PhotoRow};
use crate::db::{AnyConnection, Json, faces, photos, sessions};
use crate::domain::ids::{PhotoId, SessionId};
use crate::domain::status::Verdict;
use crate::queue::store::{self, Held};
use crate::queue::{self, Claim, Claimed, Failure};
use crate::telemetry::metric;

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

/// A photo whose result is in the database.
struct Done {
    faces: usize,
    verdicts: Vec<(Verdict, u64)>,
    /// That its session has now and had not before.
    flags: Vec<String>,
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
        for flag in &self.flags {
            metrics::counter!(metric::FLAGS, "flag" => flag.clone()).increment(1);
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
    crate::app::blocking(move || recogniser.analyse(&bytes)).await
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
        let done = |conn: &mut AnyConnection, timings, flags| {
            Ok(Some(Done { faces, verdicts: faces::count_verdicts(conn, photo)?, flags, timings }))
        };
        match store::hold(conn, &claim)? {
            Held::Yes => {}
            // An earlier try, whose success was not heard of.
            Held::Finished => return done(conn, timings, Vec::new()),
            Held::No => return Ok(None),
        }
        let (start, now) = (Instant::now(), Utc::now().naive_utc());
        let before = sessions::lock(conn, row.session_id)?;
        session::require_unconfirmed(&before)?;
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
        let mut flags = sessions::get(conn, row.session_id)?.flags.0;
        flags.retain(|flag| !before.flags.0.contains(flag));
        done(conn, timings, flags)
    };
    school.change_patiently(again).await
}

fn result(school: &School, recogniser: &Recogniser, seen: &SeenPhoto) -> PhotoResult {
    let PackKey { id, version } = recogniser.key().clone();
    PhotoResult {
        width: seen.size.0 as i32,
        height: seen.size.1 as i32,
        captured_at: seen.captured_at.map(|at| session::utc(at, school.config.time_zone)),
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

fn ms_since(start: Instant) -> f32 {
    start.elapsed().as_secs_f32() * 1000.0
}
