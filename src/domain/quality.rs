//! What was measured on one face, and the lines below which an enrolment photo is refused.

use serde::{Deserialize, Serialize};

/// Measurements of one face. Taken by `vision::measure`, kept with every sample and face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FaceQuality {
    /// Longer side of the detection box, pixels of the full-resolution photo.
    pub side_px: f32,
    /// Variance of the Laplacian of the aligned 112 x 112 grey face (Pech-Pacheco et al. 2000), grey levels squared;
    /// a sharp portrait has several hundred, an out-of-focus one a few tens.
    pub sharpness: f32,
    /// Mean grey level of the aligned face, 0..255.
    pub brightness: f32,
    /// Standard deviation of the grey levels of the aligned face, 0..127.
    pub contrast: f32,
    /// Head turn to the side estimated from the five landmarks, degrees; 0 is frontal, positive to the picture's right.
    pub yaw_deg: f32,
    /// Tilt of the line between the eyes, degrees; positive is clockwise in the picture.
    pub roll_deg: f32,
}
