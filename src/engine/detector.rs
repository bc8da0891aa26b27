//! What every face detector can do.

use image::RgbImage;

use super::error::EngineError;
use super::stage::{Admission, StageStats};
use crate::domain::geometry::Detection;

/// Finds faces. Called from many photo threads at once, hence `&self`: batching over the photos in flight happens below, in
/// the stages that own the nets, where photos meet at the level of tiles and crops.
pub trait Detector: Send + Sync + std::fmt::Debug {
    /// All faces of `photo` in photo pixels, best score first, then top to bottom, left to right. Boxes may reach over the
    /// edge of the photo. No face is an empty list, not an error.
    ///
    /// # Errors
    /// [`EngineError::Busy`] when `admission` refuses to queue; what the nets report otherwise.
    fn detect(&self, photo: &RgbImage, admission: Admission) -> Result<Vec<Detection>, EngineError>;

    /// What each net has done so far, by name.
    fn stats(&self) -> Vec<(&'static str, StageStats)> {
        Vec::new()
    }
}

/// Brings faces into the order in which detectors report them.
pub(super) fn best_first(faces: &mut [Detection]) {
    let place = |f: &Detection| (f.bbox.y1, f.bbox.x1);
    faces.sort_by(|a, b| {
        let by_place = || place(a).partial_cmp(&place(b)).expect("boxes of finite nets are finite");
        b.score.total_cmp(&a.score).then_with(by_place)
    });
}
