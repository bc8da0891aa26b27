//! Measures one aligned face: sharpness, light, contrast, and how the head is turned.
//!
//! Numbers only; which of them make a portrait unusable is `domain::quality`'s part. Called by `app` for every face.

use image::RgbImage;

use crate::domain::geometry::{Detection, Landmarks, Point};
use crate::domain::quality::FaceQuality;

/// The part of the 112 x 112 ArcFace crop that shows skin, eyes and mouth of every face: columns, then rows. Hair and
/// background would make blurred faces look sharp.
const FACE_COLUMNS: std::ops::Range<u32> = 26..86;
const FACE_ROWS: std::ops::Range<u32> = 36..102;

/// How far the nose tip stands before the plane of the eyes, in halves of the distance between the eyes: 0.75 in the
/// generic head of landmark-based pose estimation (nose 0, eyes 165 apart from the middle line, 125 behind the nose).
const NOSE_DEPTH: f32 = 0.75;

/// Measures a face. `aligned`: `[112, 112, 3]` u8 RGB on the ArcFace template; `detection`: where it came from, pixels of the
/// photo. Small faces are enlarged by alignment and measure as blurred, which is what they are to an embedder.
pub fn measure(aligned: &RgbImage, detection: &Detection) -> FaceQuality {
    let grey = grey(aligned);
    let width = aligned.width();
    let inside = || {
        let rows = FACE_ROWS.start..FACE_ROWS.end.min(aligned.height().saturating_sub(1));
        let columns = FACE_COLUMNS.start..FACE_COLUMNS.end.min(width.saturating_sub(1));
        rows.flat_map(move |y| columns.clone().map(move |x| (x, y)))
    };
    let at = |x: u32, y: u32| grey[(y * width + x) as usize];
    let laplacian = inside().map(|(x, y)| at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4.0 * at(x, y));
    let (_, sharpness) = mean_and_variance(laplacian);
    let (brightness, variance) = mean_and_variance(inside().map(|(x, y)| at(x, y)));
    FaceQuality {
        side_px: detection.bbox.side_px(),
        sharpness,
        brightness,
        contrast: variance.sqrt(),
        yaw_deg: yaw_deg(&detection.landmarks),
        roll_deg: roll_deg(&detection.landmarks),
    }
}

/// Luma of ITU-R BT.601, 0..255.
fn grey(picture: &RgbImage) -> Vec<f32> {
    picture.pixels().map(|p| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2])).collect()
}

fn mean_and_variance(values: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let n = values.clone().count().max(1) as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / n;
    let variance = values.map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    (mean as f32, variance as f32)
}

/// Turn of the head to the side, degrees, from the distance of the nose tip to the middle line between eyes and mouth.
///
/// With the eyes at distance `e` from the middle and the nose `d * e` before their plane, a turn by `t` shows the eyes at
/// `e cos t` and the nose at `d e sin t`: their ratio is `d tan t`. 0 for degenerate landmarks.
fn yaw_deg(landmarks: &Landmarks) -> f32 {
    let [left, right, nose, mouth_left, mouth_right] = *landmarks;
    let half_eyes = left.distance(right) / 2.0;
    let (eyes, mouth) = (middle(left, right), middle(mouth_left, mouth_right));
    let down = Point::new(mouth.x - eyes.x, mouth.y - eyes.y);
    let length = down.x.hypot(down.y);
    if length <= 0.0 || half_eyes <= 0.0 {
        return 0.0;
    }
    // Signed distance of the nose from the line through the middles; positive to the picture's right.
    let offset = ((nose.x - eyes.x) * down.y - (nose.y - eyes.y) * down.x) / length;
    (offset / half_eyes / NOSE_DEPTH).atan().to_degrees()
}

fn roll_deg(landmarks: &Landmarks) -> f32 {
    let [left, right, ..] = *landmarks;
    (right.y - left.y).atan2(right.x - left.x).to_degrees()
}

fn middle(a: Point, b: Point) -> Point {
    Point::new((a.x + b.x) / 2.0, (a.y + b.y) / 2.0)
}

#[cfg(test)]
mod tests {
    use image::imageops;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::geometry::BoundingBox;
    use crate::vision::align::ARCFACE_112;

    fn face(landmarks: Landmarks) -> Detection {
        Detection { bbox: BoundingBox::from_xywh(0.0, 0.0, 80.0, 100.0), score: 1.0, landmarks }
    }

    fn textured() -> RgbImage {
        RgbImage::from_fn(112, 112, |x, y| image::Rgb([((x * 37 + y * 71) % 13 * 12 + 40) as u8; 3]))
    }

    fn of(picture: &RgbImage) -> FaceQuality {
        measure(picture, &face(ARCFACE_112))
    }

    #[test]
    fn template_face_looks_straight_ahead() {
        let q = of(&textured());
        assert!(q.yaw_deg.abs() < 2.0 && q.roll_deg.abs() < 1.0, "{q:?}");
        assert_eq!(q.side_px, 100.0);
    }

    #[test]
    fn blur_lowers_sharpness_and_shade_lowers_brightness() {
        let sharp = textured();
        let mut last = of(&sharp).sharpness;
        for sigma in [0.6, 1.2, 2.4] {
            let blurred = of(&imageops::blur(&sharp, sigma)).sharpness;
            assert!(blurred < last, "{sigma}: {blurred} of {last}");
            last = blurred;
        }
        let dark = of(&imageops::brighten(&sharp, -40));
        assert!((of(&sharp).brightness - dark.brightness - 40.0).abs() < 1.0);
        assert_eq!(of(&RgbImage::from_pixel(112, 112, image::Rgb([90; 3]))).contrast, 0.0);
    }

    #[test]
    fn yaw_grows_to_a_right_angle_as_the_nose_leaves_the_middle() {
        let turned = |offset: f32| {
            let mut landmarks = ARCFACE_112;
            landmarks[2].x += offset;
            of_landmarks(landmarks)
        };
        let yaws: Vec<f32> = [0.0, 6.0, 13.0, 40.0, 4000.0].map(turned).to_vec();
        assert!(yaws.windows(2).all(|w| w[0] < w[1]), "{yaws:?}");
        assert!(yaws[2] > 35.0 && yaws[2] < 55.0 && yaws[4] < 90.0, "{yaws:?}");
    }

    fn of_landmarks(landmarks: Landmarks) -> f32 {
        measure(&textured(), &face(landmarks)).yaw_deg
    }

    proptest! {
        #[test]
        fn mirror_turns_the_head_the_other_way(offset in -20.0_f32..20.0) {
            let mut landmarks = ARCFACE_112;
            landmarks[2].x += offset;
            let mirror = |p: Point| Point::new(112.0 - p.x, p.y);
            let [l, r, n, ml, mr] = landmarks.map(mirror);
            prop_assert!((of_landmarks(landmarks) + of_landmarks([r, l, n, mr, ml])).abs() < 0.1);
        }

        #[test]
        fn tilt_does_not_change_the_turn(offset in -20.0_f32..20.0, angle in -0.6_f32..0.6) {
            let mut landmarks = ARCFACE_112;
            landmarks[2].x += offset;
            let (sin, cos) = angle.sin_cos();
            let tilted = landmarks.map(|p| Point::new(p.x * cos - p.y * sin, p.x * sin + p.y * cos));
            prop_assert!((of_landmarks(landmarks) - of_landmarks(tilted)).abs() < 0.1);
        }
    }
}
