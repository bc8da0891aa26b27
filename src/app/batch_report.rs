//! The report of a batch run, exactly as other programs read it (`batch --report`, `batch --json`).
//!
//! Field names and meanings are a contract; additions are fine, changes are not.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::{Code, Error};
use super::photo::AdviceReport;

/// One run over a folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchReport {
    /// Unique to the run: its start in UTC and the process, `20261116T090000Z-4711`.
    pub run_id: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    /// `id version` of the model pack.
    pub pack: String,
    /// What ONNX Runtime really ran on; `auto` fallbacks are explained in `warnings`.
    pub provider: String,
    /// What the whole run should be read with.
    pub warnings: Vec<String>,
    /// Stopped by the user before every photo was looked at; a second run continues.
    pub interrupted: bool,
    pub photos: Vec<PhotoReport>,
    pub sessions: Vec<SessionReport>,
    /// Workbooks and CSV files that the run wrote.
    pub exports: Vec<String>,
}

/// One file of the folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PhotoReport {
    /// As found, relative to the folder.
    pub path: String,
    /// Of the file's bytes; empty when it could not be read.
    pub sha256: String,
    pub status: PhotoStatus,
    pub error: Option<ErrorReport>,
    pub session_id: Option<i64>,
    /// Pixels of the upright photo.
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// Longer side of the smallest face found.
    pub smallest_face_px: Option<f32>,
    /// Faces found beyond the limit and not looked at.
    pub faces_left_out: u32,
    pub warnings: Vec<String>,
    /// What could be done about it while the class is there.
    pub advice: Vec<AdviceReport>,
    /// Largest first.
    pub faces: Vec<FaceReport>,
    pub timings_ms: TimingsMs,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhotoStatus {
    /// Processed in this run.
    Done,
    /// Processed before (or twice in the folder): what is known is repeated, nothing was done again.
    Duplicate,
    Failed,
    /// Not reached before the run was stopped.
    Waiting,
}

/// Why a file failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorReport {
    pub code: Code,
    pub message: String,
}

/// A failure as a line of the report.
pub(crate) fn told(error: &Error) -> ErrorReport {
    ErrorReport { code: error.code, message: error.message.clone() }
}

/// One face of a photo.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FaceReport {
    /// x, y, width, height in pixels of the upright photo, top-left origin.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
    pub detection_score: f32,
    /// `match`, `doubt` or `stranger`.
    pub verdict: String,
    /// Of the match or doubt.
    pub roll_no: Option<String>,
    /// Score of that member, or of the nearest one for a stranger.
    pub combined: Option<f32>,
    pub cosine: Option<f32>,
    /// Posterior probability, 0..1.
    pub confidence: Option<f32>,
    pub runner_up: Option<RunnerUpReport>,
    /// Why the verdict is what it is.
    pub reason: String,
    /// Number of the person within the session; the same face in two photos has one number.
    pub person: Option<i32>,
}

/// The nearest other member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunnerUpReport {
    pub roll_no: String,
    pub combined: f32,
}

/// Wall-clock time of each stage of one photo, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TimingsMs {
    pub decode: f32,
    pub detect: f32,
    pub align: f32,
    pub embed: f32,
    #[serde(rename = "match")]
    pub matching: f32,
    pub store: f32,
}

/// One meeting of a class that the run touched. Everything below the flags lists roll numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionReport {
    pub id: i64,
    pub class: String,
    pub section: String,
    pub name: Option<String>,
    pub starts_at: DateTime<Utc>,
    pub state: String,
    pub flags: Vec<String>,
    pub present: Vec<String>,
    pub late: Vec<String>,
    pub excused: Vec<String>,
    pub absent: Vec<String>,
    pub unmarked: Vec<String>,
    /// People who are not members, grouped over the session's photos.
    pub strangers: i32,
    /// Made while its class was in pilot: it does not count.
    #[serde(default)]
    pub pilot: bool,
}
