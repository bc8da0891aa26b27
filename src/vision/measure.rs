//! Numbers about one face: size, sharpness, light, pose.
//!
//! Only measures; what is too blurred or too dark to enrol is decided in `domain`. Called by the engine for every face, with
//! the crop it has just aligned.

use image::RgbImage;

use crate::domain::geometry::{Detection, Landmarks, Point};
use crate::domain::quality::FaceQuality;
use crate::vision::align::ALIGNED_PX;

/// The part of an aligned face that is skin in every hair style: brows to lower lip, cheek to cheek, in pixels. On the
/// ArcFace template the eyes lie at (38, 52) and (74, 52), the mouth corners at (42, 92) and (71, 92).
const INNER_X: std::ops::Range<u32> = 26..86;
const INNER_Y: std::ops::Range<u32> = 38..104;

/// Distance between the pupils over the height of the nose tip above the plane of eyes and mouth corners, both in a mean
/// adult face: 63 mm (N. A. Dodgson, "Variation and extrema of human interpupillary distance", 2004) over 25 mm (generic
/// head model of S. Mallick, "Head pose estimation using OpenCV and Dlib", 2016: 130 units at 450 between the outer eye
/// corners, which lie 88 mm apart). Noses differ: the angle is good to about 10 degrees.
const EYES_PER_NOSE_HEIGHT: f32 = 63.0 / 25.0;

/// Measures a face from its `[112, 112, 3]` u8 RGB crop on the ArcFace template and from where it was found in the photo.
///
/// Sharpness, brightness and contrast are taken from the inner face only, so that hair and background do not count:
/// grey = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), sharpness = variance of the 3 x 3 Laplacian `0 1 0, 1 -4 1, 0 1 0`
/// (J. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000). At the fixed size of the crop
/// sharpness compares across photos; a face that was smaller than the crop reads as blurred because it is, and a dark or
/// flatly lit one reads lower than it would in good light.
///
/// # Panics
/// When `aligned` is not 112 x 112.
pub fn measure(aligned: &RgbImage, detection: &Detection) -> FaceQuality {
    assert_eq!(aligned.dimensions(), (ALIGNED_PX, ALIGNED_PX), "an aligned face is 112 x 112");
    let light = Statistics::of(inner().map(|(x, y)| grey(aligned, x, y)));
    let edges = Statistics::of(inner().map(|(x, y)| laplacian(aligned, x, y)));
    FaceQuality {
        side_px: detection.bbox.side_px(),
        sharpness: edges.variance as f32,
        brightness: light.mean as f32,
        contrast: light.variance.sqrt() as f32,
        yaw_deg: yaw_deg(&detection.landmarks),
        roll_deg: roll_deg(&detection.landmarks),
    }
}

/// Head turn to the side in degrees, -180..180; 0 is frontal, 90 full profile, positive when the nose points to the picture's right.
///
/// The midline runs from between the eyes to between the mouth corners; `offset` is how far the nose tip lies beside it,
/// `eyes` the distance between the eyes across it. Seen from afar, a head turned by `yaw` shows `offset = height * sin(yaw)`
/// and `eyes = distance * cos(yaw)`, so `tan(yaw) = (offset / eyes) * (distance / height)`: no scale, no tilt, no solver. Both
/// are measured across the midline because the eyes fall together in profile, the midline never does.
/// Landmarks that span no midline, or are not finite, count as profile: nothing can be said for them.
pub fn yaw_deg(landmarks: &Landmarks) -> f32 {
    let [left_eye, right_eye, nose, left_mouth, right_mouth] = *landmarks;
    let (brow, chin) = (middle(left_eye, right_eye), middle(left_mouth, right_mouth));
    let (down_x, down_y) = (chin.x - brow.x, chin.y - brow.y);
    // Cross product with the midline: positive to its right for somebody who looks at the picture.
    let across = |from: Point, to: Point| (to.x - from.x) * down_y - (to.y - from.y) * down_x;
    let (offset, eyes) = (across(brow, nose), across(left_eye, right_eye));
    let yaw = (offset * EYES_PER_NOSE_HEIGHT).atan2(eyes).to_degrees();
    if down_x.hypot(down_y) > 0.0 && yaw.is_finite() { yaw } else { 90.0 }
}

/// Tilt of the line from the left to the right eye in degrees, -180..180; positive is clockwise in the picture. 0 when the eyes coincide.
pub fn roll_deg(landmarks: &Landmarks) -> f32 {
    let [left_eye, right_eye, ..] = *landmarks;
    (right_eye.y - left_eye.y).atan2(right_eye.x - left_eye.x).to_degrees()
}

fn middle(a: Point, b: Point) -> Point {
    Point::new((a.x + b.x) / 2.0, (a.y + b.y) / 2.0)
}

fn inner() -> impl Iterator<Item = (u32, u32)> {
    INNER_Y.flat_map(|y| INNER_X.map(move |x| (x, y)))
}

fn grey(aligned: &RgbImage, x: u32, y: u32) -> f64 {
    let [r, g, b] = aligned.get_pixel(x, y).0.map(f64::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

fn laplacian(aligned: &RgbImage, x: u32, y: u32) -> f64 {
    let at = |x, y| grey(aligned, x, y);
    at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4.0 * at(x, y)
}

struct Statistics {
    mean: f64,
    /// Of the population, not of a sample.
    variance: f64,
}

impl Statistics {
    /// `values` must not be empty.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for value in values {
            count += 1.0;
            sum += value;
            squares += value * value;
        }
        let mean = sum / count;
        Self { mean, variance: (squares / count - mean * mean).max(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use image::imageops::{FilterType, blur, resize};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::geometry::BoundingBox;

    /// A mean face in millimetres: x to the picture's right, y down, z towards the viewer.
    const MEAN_FACE: [[f32; 3]; 5] =
        [[-31.5, 0.0, 0.0], [31.5, 0.0, 0.0], [0.0, 35.0, 25.0], [-26.0, 70.0, 0.0], [26.0, 70.0, 0.0]];

    /// The mean face turned by `yaw`, then tilted by `roll` (degrees), then placed in a photo.
    fn face(yaw_deg: f32, roll_deg: f32, scale: f32) -> Landmarks {
        let (yaw_sin, yaw_cos) = yaw_deg.to_radians().sin_cos();
        let (roll_sin, roll_cos) = roll_deg.to_radians().sin_cos();
        MEAN_FACE.map(|[x, y, z]| {
            let x = x * yaw_cos + z * yaw_sin;
            Point::new(500.0 + scale * (x * roll_cos - y * roll_sin), 400.0 + scale * (x * roll_sin + y * roll_cos))
        })
    }

    /// As seen in a mirror: left and right change places.
    fn mirrored([left_eye, right_eye, nose, left_mouth, right_mouth]: Landmarks) -> Landmarks {
        [right_eye, left_eye, nose, right_mouth, left_mouth].map(|p| Point::new(1000.0 - p.x, p.y))
    }

    fn detection(landmarks: Landmarks) -> Detection {
        Detection { bbox: BoundingBox::from_xywh(450.0, 350.0, 90.0, 120.0), score: 0.99, landmarks }
    }

    /// Detail on every scale: squares of 2, 5 and 14 pixels over a gradient.
    fn textured() -> RgbImage {
        RgbImage::from_fn(ALIGNED_PX, ALIGNED_PX, |x, y| {
            let square = |size: u32| ((x / size + y / size) % 2) as u8;
            Rgb([40 + x as u8 + 20 * square(2), 60 + 30 * square(5), 50 + y as u8 / 2 + 40 * square(14)])
        })
    }

    fn of(aligned: &RgbImage) -> FaceQuality {
        measure(aligned, &detection(face(0.0, 0.0, 1.0)))
    }

    #[test]
    fn flat_grey_has_its_level_and_nothing_else() {
        let quality = of(&RgbImage::from_pixel(ALIGNED_PX, ALIGNED_PX, Rgb([90; 3])));
        assert!((quality.brightness - 90.0).abs() < 1e-3);
        assert!(quality.sharpness < 1e-3 && quality.contrast < 1e-3);
    }

    #[test]
    fn stripes_have_the_variance_that_pencil_and_paper_give() {
        // Columns of 100 and 120: grey mean 110, deviation 10; the Laplacian is +-40.
        let stripes = RgbImage::from_fn(ALIGNED_PX, ALIGNED_PX, |x, _| Rgb([100 + 20 * (x % 2) as u8; 3]));
        let quality = of(&stripes);
        assert!((quality.brightness - 110.0).abs() < 1e-3);
        assert!((quality.contrast - 10.0).abs() < 1e-3);
        assert!((quality.sharpness - 1600.0).abs() < 1e-2);
    }

    #[test]
    fn hair_and_background_do_not_count() {
        let mut crop = textured();
        let before = of(&crop);
        for (x, y, pixel) in crop.enumerate_pixels_mut() {
            if !(20..92).contains(&x) || !(32..110).contains(&y) {
                pixel.0 = [255 * ((x + y) % 2) as u8; 3];
            }
        }
        assert_eq!(of(&crop), before);
    }

    #[test]
    fn a_small_face_enlarged_reads_as_blurred() {
        let small = resize(&textured(), 28, 28, FilterType::Triangle);
        let enlarged = resize(&small, ALIGNED_PX, ALIGNED_PX, FilterType::Triangle);
        assert!(of(&enlarged).sharpness < of(&textured()).sharpness / 4.0);
    }

    #[test]
    fn size_is_the_longer_side_of_the_box() {
        assert_eq!(of(&textured()).side_px, 120.0);
    }

    #[test]
    fn landmarks_on_one_spot_count_as_profile() {
        assert_eq!(yaw_deg(&[Point::new(5.0, 5.0); 5]), 90.0);
        assert_eq!(yaw_deg(&[Point::new(f32::NAN, 5.0); 5]), 90.0);
    }

    proptest! {
        #[test]
        fn the_mean_face_gives_back_its_pose(yaw in -89.0f32..89.0, roll in -170.0f32..170.0, scale in 0.2f32..8.0) {
            let landmarks = face(yaw, roll, scale);
            prop_assert!((yaw_deg(&landmarks) - yaw).abs() < 0.5, "{}", yaw_deg(&landmarks));
            if yaw.abs() < 80.0 {
                prop_assert!((roll_deg(&landmarks) - roll).abs() < 0.5, "{}", roll_deg(&landmarks));
            }
        }

        #[test]
        fn a_mirror_flips_yaw_and_roll(points in prop::array::uniform5((200.0f32..800.0, 200.0f32..800.0))) {
            let landmarks = points.map(|(x, y)| Point::new(x, y));
            let seen = mirrored(landmarks);
            for sum in [yaw_deg(&landmarks) + yaw_deg(&seen), roll_deg(&landmarks) + roll_deg(&seen)] {
                // 180 and -180 are one direction.
                prop_assert!(sum.abs() < 0.1 || sum.abs() > 359.9, "{sum}");
            }
        }

        #[test]
        fn blur_lowers_sharpness_and_more_blur_lowers_it_more(sigma in 0.6f32..3.0) {
            let (less, more) = (blur(&textured(), sigma), blur(&textured(), sigma * 1.5));
            prop_assert!(of(&textured()).sharpness > of(&less).sharpness);
            prop_assert!(of(&less).sharpness > of(&more).sharpness);
        }

        #[test]
        fn darkening_lowers_brightness_and_contrast(percent in 10u32..90) {
            let mut dark = textured();
            dark.iter_mut().for_each(|value| *value = (u32::from(*value) * percent / 100) as u8);
            let (before, after) = (of(&textured()), of(&dark));
            let expected = before.brightness * percent as f32 / 100.0;
            prop_assert!((after.brightness - expected).abs() < 1.0);
            prop_assert!(after.contrast < before.contrast);
        }
    }
}
