//! Brings a face upright and to size: five landmarks onto a template, pixels by a similarity transform.
//!
//! Called by `engine` for every detected face; the embedders were trained on exactly this. Pure.

use image::RgbImage;
use multiversion::multiversion;

use crate::domain::geometry::{Landmarks, Point};

/// Side of an aligned face in pixels.
pub const ALIGNED_PX: u32 = 112;

/// Where the landmarks of a face lie in a 112 x 112 crop (InsightFace, `arcface_dst` of `utils/face_align.py`).
pub const ARCFACE_112: Landmarks = [
    Point::new(38.2946, 51.6963),
    Point::new(73.5318, 51.5014),
    Point::new(56.0252, 71.7366),
    Point::new(41.5493, 92.3655),
    Point::new(70.7299, 92.2041),
];

/// Photo pixels for one pixel of the face up to which the warp is plain: faces of about 190 px.
/// Measured with the starter pack on the demo school, class-photo faces against the nearest portrait: mean cosine 0.755 plain and
/// 0.757 with samples for portrait faces of 245 to 334 px; 0.750 and 0.756 (lowest named right 0.554 and 0.594) for the same
/// portraits at four times the size with sensor noise of 12 grey levels.
const PLAIN_UP_TO: f64 = 2.0;
/// Samples along one axis: enough for faces of 1600 px, and a bound on the time for larger ones.
const MAX_SAMPLES: f64 = 16.0;

/// Scale, rotation and shift: `(x, y) -> (a*x - b*y + tx, b*x + a*y + ty)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    pub a: f64,
    pub b: f64,
    pub tx: f64,
    pub ty: f64,
}

impl Similarity {
    /// The transform that brings `from` nearest to `to` in the least-squares sense, without mirroring.
    ///
    /// S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 13(4), 1991;
    /// in the plane the solution is linear in `a` and `b`, so no singular value decomposition is needed.
    /// `None` when the points of `from` coincide or a number is not finite.
    pub fn between(from: &Landmarks, to: &Landmarks) -> Option<Self> {
        let ((fx, fy), (gx, gy)) = (mean(from), mean(to));
        let (mut spread, mut along, mut across) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py) = (f64::from(p.x) - fx, f64::from(p.y) - fy);
            let (qx, qy) = (f64::from(q.x) - gx, f64::from(q.y) - gy);
            spread += px * px + py * py;
            along += px * qx + py * qy;
            across += px * qy - py * qx;
        }
        let (a, b) = (along / spread, across / spread);
        let transform = Self { a, b, tx: gx - (a * fx - b * fy), ty: gy - (b * fx + a * fy) };
        let usable = spread > 1e-6 && a.hypot(b) > 1e-9 && transform.tx.is_finite() && transform.ty.is_finite();
        usable.then_some(transform)
    }

    #[inline]
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty)
    }

    /// The way back. Defined because [`Similarity::between`] gives no transform of scale zero.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let scale = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / scale, -self.b / scale);
        Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) }
    }
}

/// The face at `landmarks` (pixels of `photo`) as 112 x 112 RGB, on the ArcFace template.
///
/// Bilinear, black outside the photo, integer coordinates are pixel centres: `cv2.warpAffine` with its defaults. Where more
/// than `PLAIN_UP_TO` photo pixels fall on one of the face, a plain warp would skip most of them and keep their noise; there
/// each pixel is the mean of a grid of bilinear samples, one for each photo pixel.
/// `None` when the landmarks coincide or are not finite.
pub fn arcface_112(photo: &RgbImage, landmarks: &Landmarks) -> Option<RgbImage> {
    let to_photo = Similarity::between(landmarks, &ARCFACE_112)?.inverse();
    let mut face = RgbImage::new(ALIGNED_PX, ALIGNED_PX);
    warp(photo, &to_photo, &mut face);
    Some(face)
}

/// Compiled for several kinds of processor: older ones have no instruction for rounding.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.1"))]
fn warp(photo: &RgbImage, to_photo: &Similarity, face: &mut RgbImage) {
    let photo_px = to_photo.a.hypot(to_photo.b);
    let samples = if photo_px > PLAIN_UP_TO { photo_px.round().min(MAX_SAMPLES) as u32 } else { 1 };
    let offsets: Vec<f64> = (0..samples).map(|i| (f64::from(i) + 0.5) / f64::from(samples) - 0.5).collect();
    for (u, v, pixel) in face.enumerate_pixels_mut() {
        let mut sum = [0.0_f32; 3];
        for dv in &offsets {
            for du in &offsets {
                let (x, y) = to_photo.apply(f64::from(u) + du, f64::from(v) + dv);
                let value = bilinear(photo, x, y);
                sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += value);
            }
        }
        pixel.0 = sum.map(|v| (v / (samples * samples) as f32).round() as u8);
    }
}

fn mean(points: &Landmarks) -> (f64, f64) {
    let n = points.len() as f64;
    let sum = points.iter().fold((0.0, 0.0), |(x, y), p| (x + f64::from(p.x), y + f64::from(p.y)));
    (sum.0 / n, sum.1 / n)
}

#[inline(always)]
fn bilinear(photo: &RgbImage, x: f64, y: f64) -> [f32; 3] {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = ((x - left) as f32, (y - top) as f32);
    let corners = corners(photo, left as i64, top as i64);
    std::array::from_fn(|c| {
        let [a, b, d, e] = corners.map(|p| f32::from(p[c]));
        let (upper, lower) = (a + (b - a) * right_share, d + (e - d) * right_share);
        upper + (lower - upper) * bottom_share
    })
}

/// The pixel at `(left, top)`, its right neighbour, and the two below; black where the photo has none.
#[inline(always)]
fn corners(photo: &RgbImage, left: i64, top: i64) -> [[u8; 3]; 4] {
    let (width, height) = (i64::from(photo.width()), i64::from(photo.height()));
    if left >= 0 && top >= 0 && left + 1 < width && top + 1 < height {
        let stride = 3 * width as usize;
        let pixels = &photo.as_raw()[top as usize * stride + 3 * left as usize..];
        if let (Some([a, b, c, d, e, f]), Some([g, h, i, j, k, l])) =
            (pixels.first_chunk(), pixels.get(stride..).and_then(|below| below.first_chunk()))
        {
            return [[*a, *b, *c], [*d, *e, *f], [*g, *h, *i], [*j, *k, *l]];
        }
    }
    let at = |dx: i64, dy: i64| {
        let (x, y) = (u32::try_from(left + dx).ok()?, u32::try_from(top + dy).ok()?);
        photo.get_pixel_checked(x, y)
    };
    [at(0, 0), at(1, 0), at(0, 1), at(1, 1)].map(|p| p.map_or([0; 3], |p| p.0))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn landmarks_on_the_template_leave_the_picture_alone() {
        let photo = RgbImage::from_fn(112, 112, |x, y| Rgb([x as u8, y as u8, (x ^ y) as u8]));
        assert_eq!(arcface_112(&photo, &ARCFACE_112), Some(photo));
    }

    #[test]
    fn a_turned_scaled_shifted_template_is_turned_back() {
        let there = Similarity { a: 1.3, b: -0.7, tx: 300.0, ty: -20.0 };
        let from = ARCFACE_112.map(|p| {
            let (x, y) = there.apply(f64::from(p.x), f64::from(p.y));
            Point::new(x as f32, y as f32)
        });
        let back = Similarity::between(&from, &ARCFACE_112).unwrap();
        let expected = there.inverse();
        assert!((back.a - expected.a).abs() < 1e-6 && (back.b - expected.b).abs() < 1e-6, "{back:?}");
        assert!((back.tx - expected.tx).abs() < 1e-3 && (back.ty - expected.ty).abs() < 1e-3, "{back:?}");
    }

    #[test]
    fn landmarks_that_coincide_or_are_no_numbers_give_no_face() {
        let photo = RgbImage::new(10, 10);
        assert_eq!(arcface_112(&photo, &[Point::new(3.0, 3.0); 5]), None);
        assert_eq!(arcface_112(&photo, &[Point::new(f32::NAN, 3.0); 5]), None);
    }

    #[test]
    fn a_large_face_keeps_its_shape_and_loses_its_noise() {
        let mut state = 1_u32;
        let photo = RgbImage::from_fn(1120, 1120, |x, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 24) as i32 % 81 - 40;
            Rgb([if x < 560 { (80 + noise) as u8 } else { (160 + noise) as u8 }; 3])
        });
        let large = ARCFACE_112.map(|p| Point::new((p.x + 0.5) * 10.0 - 0.5, (p.y + 0.5) * 10.0 - 0.5));
        let face = arcface_112(&photo, &large).unwrap();
        for (x, _, pixel) in face.enumerate_pixels() {
            let expected: u8 = if x < 56 { 80 } else { 160 };
            assert!(pixel[0].abs_diff(expected) < 14, "column {x}: {}", pixel[0]);
        }
    }

    #[test]
    fn outside_of_the_photo_is_black() {
        let photo = RgbImage::from_pixel(60, 60, Rgb([200; 3]));
        let face = arcface_112(&photo, &ARCFACE_112).unwrap();
        assert_eq!((face.get_pixel(0, 0), face.get_pixel(111, 111)), (&Rgb([200; 3]), &Rgb([0; 3])));
    }
}
