//! What to do about a photo while the class is still there, from what the database knows of it.

use serde::{Deserialize, Serialize};

use crate::db::faces::FaceRow;
use crate::db::photos::PhotoRow;
use crate::domain::advice::{Advice, FaceInView, PhotoInView, advice};
use crate::domain::status::PhotoState;

/// A piece of advice, as reports and answers carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceReport {
    /// Stable, such as `SMALL_FACES`.
    pub code: String,
    /// What to do, for the teacher.
    pub text: String,
}

impl From<Advice> for AdviceReport {
    fn from(advice: Advice) -> Self {
        Self { code: advice.code().to_owned(), text: advice.to_string() }
    }
}

/// About a photo that was looked at; none about others. `faces` are its own.
pub fn advise<'a>(row: &PhotoRow, faces: impl IntoIterator<Item = &'a FaceRow>) -> Vec<AdviceReport> {
    let size = |side: Option<i32>| side.and_then(|side| u32::try_from(side).ok());
    let (PhotoState::Done, Some(width), Some(height)) = (row.state, size(row.width), size(row.height)) else {
        return Vec::new();
    };
    let in_view = |face: &FaceRow| FaceInView { bounds: face.bounds(), quality: face.quality.0, verdict: face.verdict };
    let faces: Vec<FaceInView> = faces.into_iter().map(in_view).collect();
    let faces_left_out = u32::try_from(row.faces_left_out).unwrap_or(0);
    advice(PhotoInView { width, height, faces: &faces, faces_left_out }).into_iter().map(AdviceReport::from).collect()
}
