//! A detector and an embedder without nets, for tests of everything around recognition.
//!
//! A face is a light square on a dark picture; its colour is the person. The same colour gives the same embedding at every
//! size and place, another colour an unrelated one. [`photo`] paints such pictures; they survive PNG and mild JPEG.

use std::f32::consts::TAU;

use image::{Rgb, RgbImage};

use super::detector::Detector;
use super::embedder::Embedder;
use super::error::EngineError;
use super::stage::Admission;
use crate::domain::embedding::{Embedding, EmbeddingError};
use crate::domain::geometry::{BoundingBox, Detection, Point};
use crate::vision::align::{ALIGNED_PX, ARCFACE_112};

/// Number of people that colours can tell apart.
pub const PEOPLE: u16 = 216;
/// Length of the embeddings.
pub const DIMS: usize = 512;
/// Squares of fewer pixels a side are no faces.
pub const MIN_SIDE_PX: u32 = 12;

/// Everything darker than this in all channels is background.
const BACKGROUND: u8 = 40;
const LEVELS: u16 = 6;
/// Person colours are 80, 110 .. 230 in each channel, plus or minus the pattern.
const FIRST_LEVEL: u16 = 80;
const LEVEL_STEP: u16 = 30;
const PATTERN: u16 = 12;

/// One face of a painted photo, in pixels.
#[derive(Debug, Clone, Copy)]
pub struct FakeFace {
    pub x: u32,
    pub y: u32,
    pub side: u32,
    /// Below [`PEOPLE`].
    pub person: u16,
}

/// A dark photo with `faces`. Each square carries a fine checker pattern, so that it also counts as sharp.
pub fn photo(width: u32, height: u32, faces: &[FakeFace]) -> RgbImage {
    let mut photo = RgbImage::from_pixel(width, height, Rgb([8, 8, 10]));
    for face in faces {
        let colour = [face.person / (LEVELS * LEVELS), face.person / LEVELS % LEVELS, face.person % LEVELS]
            .map(|level| FIRST_LEVEL + LEVEL_STEP * level);
        let check_px = (face.side / 16).max(1);
        for (dx, dy) in (0..face.side).flat_map(|dy| (0..face.side).map(move |dx| (dx, dy))) {
            if let Some(pixel) = photo.get_pixel_mut_checked(face.x + dx, face.y + dy) {
                let light = (dx / check_px + dy / check_px).is_multiple_of(2);
                *pixel = Rgb(colour.map(|v| (if light { v + PATTERN } else { v - PATTERN }) as u8));
            }
        }
    }
    photo
}

/// Finds the light areas of a dark picture.
#[derive(Debug, Clone, Copy, Default)]
pub struct FakeDetector;

impl Detector for FakeDetector {
    fn detect(&self, photo: &RgbImage, _admission: Admission) -> Result<Vec<Detection>, EngineError> {
        let mut seen = vec![false; photo.width() as usize * photo.height() as usize];
        let mut faces = Vec::new();
        for (x, y, _) in photo.enumerate_pixels() {
            if let Some(bbox) = light_area(photo, &mut seen, x, y)
                && bbox.width().min(bbox.height()) >= MIN_SIDE_PX as f32
            {
                faces.push(face_in(bbox));
            }
        }
        Ok(faces)
    }
}

/// Gives every person colour its own direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct FakeEmbedder;

impl Embedder for FakeEmbedder {
    fn embed(&self, faces: &[RgbImage]) -> Result<Vec<Result<Embedding, EmbeddingError>>, EngineError> {
        Ok(faces.iter().map(|face| Embedding::new(direction(person_of(face)))).collect())
    }

    fn dims(&self) -> usize {
        DIMS
    }
}

/// The box of the connected light pixels around a pixel not seen before.
fn light_area(photo: &RgbImage, seen: &mut [bool], x: u32, y: u32) -> Option<BoundingBox> {
    let (width, height) = photo.dimensions();
    let mut corners: Option<(u32, u32, u32, u32)> = None;
    let mut open = vec![(x, y)];
    while let Some((x, y)) = open.pop() {
        let mark = &mut seen[(y * width + x) as usize];
        if *mark || photo.get_pixel(x, y).0.iter().all(|v| *v < BACKGROUND) {
            continue;
        }
        *mark = true;
        let (x1, y1, x2, y2) = corners.unwrap_or((x, y, x, y));
        corners = Some((x1.min(x), y1.min(y), x2.max(x), y2.max(y)));
        let around = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
        open.extend(around.into_iter().filter(|(x, y)| *x < width && *y < height));
    }
    corners.map(|(x1, y1, x2, y2)| BoundingBox::new(x1 as f32, y1 as f32, (x2 + 1) as f32, (y2 + 1) as f32))
}

/// Landmarks where the template has them: the aligned face is the square itself.
fn face_in(bbox: BoundingBox) -> Detection {
    let scale = ALIGNED_PX as f32;
    let place = |p: Point| Point::new(bbox.x1 + p.x * bbox.width() / scale, bbox.y1 + p.y * bbox.height() / scale);
    Detection { bbox, score: 0.99, landmarks: ARCFACE_112.map(place) }
}

fn person_of(face: &RgbImage) -> u16 {
    let middle = |side: u32| side / 4..side * 3 / 4;
    let mut sums = [0_u64; 3];
    for (x, y) in middle(face.height()).flat_map(|y| middle(face.width()).map(move |x| (x, y))) {
        sums.iter_mut().zip(face.get_pixel(x, y).0).for_each(|(sum, v)| *sum += u64::from(v));
    }
    let count = u64::from(face.width() / 2) * u64::from(face.height() / 2);
    let level = |sum: u64| {
        let mean = (sum / count.max(1)) as u16;
        ((mean.saturating_sub(FIRST_LEVEL) + LEVEL_STEP / 2) / LEVEL_STEP).min(LEVELS - 1)
    };
    sums.iter().fold(0, |person, sum| person * LEVELS + level(*sum))
}

/// A direction drawn at random with the person as seed (splitmix64 and Box-Muller): any two are nearly at right angles.
fn direction(person: u16) -> Vec<f32> {
    let mut state = u64::from(person) << 32;
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    };
    (0..DIMS).map(|_| (-2.0 * (1.0 - uniform()).ln()).sqrt() * (TAU * uniform()).cos()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;

    const fn face(x: u32, y: u32, side: u32, person: u16) -> FakeFace {
        FakeFace { x, y, side, person }
    }

    fn embeddings(photo: &RgbImage) -> Vec<Embedding> {
        Engine::fake().analyse(photo).unwrap().faces.into_iter().map(|f| f.embedding.unwrap()).collect()
    }

    #[test]
    fn every_painted_face_is_found_where_it_is() {
        let photo = photo(400, 300, &[face(10, 20, 40, 3), face(200, 100, 64, 200), face(300, 5, 5, 7)]);
        let boxes: Vec<_> = Engine::fake().detect(&photo).unwrap().into_iter().map(|f| f.bbox).collect();
        // In the order of the first pixel; the third is too small to be a face.
        assert_eq!(
            boxes,
            [BoundingBox::from_xywh(10.0, 20.0, 40.0, 40.0), BoundingBox::from_xywh(200.0, 100.0, 64.0, 64.0)]
        );
    }

    #[test]
    fn a_person_looks_the_same_in_every_photo_and_unlike_all_others() {
        let all: Vec<_> = (0..PEOPLE).map(|n| embeddings(&photo(60, 60, &[face(5, 5, 40, n)])).remove(0)).collect();
        for (n, one) in all.iter().enumerate() {
            let larger = embeddings(&photo(300, 200, &[face(31, 17, 150, n as u16)])).remove(0);
            assert_eq!(*one, larger, "person {n}");
            for other in &all[n + 1..] {
                assert!(one.cosine(other) < 0.25, "person {n}: {}", one.cosine(other));
            }
        }
    }

    #[test]
    fn jpeg_changes_nobody() {
        let photo = photo(300, 200, &[face(20, 20, 100, 131)]);
        let mut bytes = std::io::Cursor::new(Vec::new());
        photo.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        let decoded = image::load_from_memory(bytes.get_ref()).unwrap().to_rgb8();
        assert_eq!(embeddings(&decoded), embeddings(&photo));
    }

    #[test]
    fn a_dark_photo_has_no_faces() {
        assert!(embeddings(&photo(100, 100, &[])).is_empty());
    }
}
