//! A margin around a picture, for faces that fill it.

use image::{Rgb, RgbImage, imageops};

use crate::domain::geometry::{BoundingBox, Detection};

/// Mid-grey: zero after the nets' normalisation, which is what their own padding is.
const GREY: Rgb<u8> = Rgb([127; 3]);

/// How much room, in sides of the face, detectors want around a face. With less, the candidate windows of the cascade hang
/// over the edge, where they are clipped and stretched, and landmarks suffer.
const ROOM: f32 = 0.25;

/// The picture with `margin_px` grey pixels on every side.
pub fn with_margin(picture: &RgbImage, margin_px: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let mut wide = RgbImage::from_pixel(width + 2 * margin_px, height + 2 * margin_px, GREY);
    imageops::replace(&mut wide, picture, i64::from(margin_px), i64::from(margin_px));
    wide
}

/// Moves a detection from the picture with a margin back to the picture itself; its box may reach over the edge.
pub fn without_margin(detection: &Detection, margin_px: u32) -> Detection {
    let by = margin_px as f32;
    let b = detection.bbox;
    let mut landmarks = detection.landmarks;
    for point in &mut landmarks {
        point.x -= by;
        point.y -= by;
    }
    Detection { bbox: BoundingBox::new(b.x1 - by, b.y1 - by, b.x2 - by, b.y2 - by), landmarks, ..*detection }
}

/// Whether a face has less room to the edge of its picture (`width` x `height` pixels) than detectors want.
pub fn is_cramped(face: &BoundingBox, width: u32, height: u32) -> bool {
    let room = face.side_px() * ROOM;
    face.x1 < room || face.y1 < room || width as f32 - face.x2 < room || height as f32 - face.y2 < room
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::geometry::Point;

    #[test]
    fn margin_goes_around_and_coordinates_come_back() {
        let picture = RgbImage::from_fn(5, 4, |x, y| Rgb([x as u8, y as u8, 9]));
        let wide = with_margin(&picture, 3);
        assert_eq!((wide.dimensions(), wide.get_pixel(2, 3), wide.get_pixel(7, 6)), ((11, 10), &GREY, &Rgb([4, 3, 9])));
        let detection =
            Detection { bbox: BoundingBox::new(3.0, 3.0, 8.0, 7.0), score: 0.9, landmarks: [Point::new(4.0, 4.0); 5] };
        let back = without_margin(&detection, 3);
        assert_eq!((back.bbox, back.landmarks[0]), (BoundingBox::new(0.0, 0.0, 5.0, 4.0), Point::new(1.0, 1.0)));
    }

    #[test]
    fn a_face_that_fills_its_picture_is_cramped() {
        assert!(is_cramped(&BoundingBox::new(5.0, 30.0, 75.0, 100.0), 150, 150));
        assert!(!is_cramped(&BoundingBox::new(40.0, 40.0, 110.0, 110.0), 150, 150));
    }
}
