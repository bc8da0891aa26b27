//! A face that was seen in a picture, as it stands in answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::recogniser::SeenFace;
use crate::domain::geometry::{BoundingBox, Detection, Point};
use crate::domain::quality::FaceQuality;

/// A face in a picture. Pixels of the upright picture (after EXIF), origin at the top left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FaceResponse {
    /// Left, top, width, height; parts of it may lie outside the picture.
    #[serde(rename = "box")]
    #[schema(min_items = 4, max_items = 4, example = json!([120.5, 80.0, 96.0, 121.5]))]
    bbox: [f32; 4],
    landmarks: LandmarksResponse,
    /// The detector's own confidence, 0..1.
    detection_score: f32,
    quality: QualityResponse,
}

/// Five points of a face, x and y each; left as seen in the picture.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LandmarksResponse {
    #[schema(min_items = 2, max_items = 2)]
    left_eye: [f32; 2],
    #[schema(min_items = 2, max_items = 2)]
    right_eye: [f32; 2],
    #[schema(min_items = 2, max_items = 2)]
    nose: [f32; 2],
    #[schema(min_items = 2, max_items = 2)]
    left_mouth: [f32; 2],
    #[schema(min_items = 2, max_items = 2)]
    right_mouth: [f32; 2],
}

/// What was measured on a face.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QualityResponse {
    /// Longer side of the box, pixels.
    side_px: f32,
    /// Variance of the Laplacian; a sharp portrait has several hundred, an out-of-focus one a few tens.
    sharpness: f32,
    /// Mean grey level, 0..255.
    brightness: f32,
    /// Standard deviation of the grey levels, 0..127.
    contrast: f32,
    /// Turn to the side, degrees; 0 is frontal, positive to the picture's right.
    yaw_deg: f32,
    /// Tilt of the line between the eyes, degrees; positive is clockwise.
    roll_deg: f32,
}

impl FaceResponse {
    pub(crate) fn of(detection: &Detection, quality: FaceQuality) -> Self {
        let BoundingBox { x1, y1, .. } = detection.bbox;
        Self {
            bbox: [x1, y1, detection.bbox.width(), detection.bbox.height()],
            landmarks: LandmarksResponse::of(&detection.landmarks),
            detection_score: detection.score,
            quality: quality.into(),
        }
    }
}

impl From<&SeenFace> for FaceResponse {
    fn from(face: &SeenFace) -> Self {
        Self::of(&face.detection, face.quality)
    }
}

impl LandmarksResponse {
    fn of(points: &[Point; 5]) -> Self {
        let [left_eye, right_eye, nose, left_mouth, right_mouth] = points.map(|point| [point.x, point.y]);
        Self { left_eye, right_eye, nose, left_mouth, right_mouth }
    }
}

impl From<FaceQuality> for QualityResponse {
    fn from(quality: FaceQuality) -> Self {
        let FaceQuality { side_px, sharpness, brightness, contrast, yaw_deg, roll_deg } = quality;
        Self { side_px, sharpness, brightness, contrast, yaw_deg, roll_deg }
    }
}
