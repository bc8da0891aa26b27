//! What is known of a photo, as reports and answers show it.

use std::collections::HashMap;

use super::advise;
use crate::app::batch_report::{ErrorReport, FaceReport, PhotoReport, RunnerUpReport};
use crate::app::error::{Code, Error};
use crate::app::session;
use crate::db::faces::FaceRow;
use crate::db::photos::PhotoRow;
use crate::db::{AnyConnection, faces, members, photos, sessions};
use crate::domain::ids::{MemberId, PhotoId};
use crate::domain::status::PhotoState;

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
        line.warnings = row.all_warnings();
        line.timings_ms = serde_json::from_value(row.timings.0.clone()).unwrap_or_default();
        line.error = row.error_code.as_ref().map(|code| ErrorReport {
            code: serde_json::from_value(code.clone().into()).unwrap_or(Code::ProcessingError),
            message: row.error_message.clone().unwrap_or_default(),
        });
        line.advice = advise(row, &self.faces);
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
