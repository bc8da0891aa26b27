//! Small pictures of faces for the gallery of a report. They show people: they are cut only when a report is asked for, and
//! are in no JSON.

use image::RgbImage;
use image::imageops::{FilterType, crop_imm, resize};

use crate::app::crop::window;
use crate::app::error::Error;
use crate::domain::geometry::BoundingBox;
use crate::vision::annotate::encode_jpeg;
use crate::vision::decode::{DecodeLimits, decode};

/// Whether pictures are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crops {
    Cut,
    None,
}

/// A small picture as JPEG bytes.
pub type Crop = Vec<u8>;

/// Longer side of a small picture, pixels.
const SIDE_PX: u32 = 112;
/// Quality of the written JPEG, 1..=100.
const JPEG_QUALITY: u8 = 80;

/// The face at `bounds` with some room around it.
pub(super) fn face(photo: &RgbImage, bounds: &BoundingBox) -> Result<Crop, Error> {
    let [x, y, width, height] = window(bounds, photo.dimensions());
    small(&crop_imm(photo, x, y, width, height).to_image())
}

/// The whole of a picture, such as a portrait.
pub(super) fn whole(bytes: &[u8], limits: &DecodeLimits) -> Result<Crop, Error> {
    small(&decode(bytes, limits)?.pixels)
}

fn small(picture: &RgbImage) -> Result<Crop, Error> {
    let (width, height) = picture.dimensions();
    let factor = SIDE_PX as f32 / width.max(height).max(1) as f32;
    let side = |px: u32| ((px as f32 * factor).round() as u32).max(1);
    Ok(encode_jpeg(&resize(picture, side(width), side(height), FilterType::CatmullRom), JPEG_QUALITY)?)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_face_is_cut_with_room_and_brought_to_size() {
        let mut photo = RgbImage::from_pixel(400, 300, Rgb([0; 3]));
        image::imageops::replace(&mut photo, &RgbImage::from_pixel(50, 100, Rgb([250; 3])), 100, 100);
        let crop = face(&photo, &BoundingBox::from_xywh(100.0, 100.0, 50.0, 100.0)).unwrap();
        let crop = image::load_from_memory(&crop).unwrap().into_rgb8();
        // 50 + 2 * 40 by 100 + 2 * 40, at 112 of 180.
        assert_eq!(crop.dimensions(), (81, 112));
        assert!(crop.get_pixel(40, 56).0[0] > 200 && crop.get_pixel(4, 4).0[0] < 50);
    }
}
