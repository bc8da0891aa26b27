//! A picture as it looks from farther away: what a portrait's face would be in a class photo.
//!
//! Called by `evaluate --calibrate`.

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};

/// JPEG quality of cameras' usual setting.
const QUALITY: u8 = 90;

/// The picture at `factor` (above 0, at most 1) of its width and height, resampled with a Lanczos filter as wide as the
/// pixels it merges, as JPEG bytes of quality 90.
///
/// # Errors
/// What the encoder says; a picture of more than 65,535 pixels a side cannot be a JPEG.
pub fn shrunk_jpeg(picture: &RgbImage, factor: f32) -> Result<Vec<u8>, image::ImageError> {
    let side = |px: u32| ((px as f32 * factor).round() as u32).max(1);
    let small = resize(picture, side(picture.width()), side(picture.height()), FilterType::Lanczos3);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&small)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn fine_detail_becomes_its_mean() {
        let stripes = RgbImage::from_fn(200, 100, |x, _| if x % 2 == 0 { Rgb([0; 3]) } else { Rgb([200; 3]) });
        let small = image::load_from_memory(&shrunk_jpeg(&stripes, 0.25).unwrap()).unwrap().to_rgb8();
        assert_eq!(small.dimensions(), (50, 25));
        // The edge sees only one side of its stripes.
        let inside = small.enumerate_pixels().filter(|(x, ..)| (2..48).contains(x));
        assert!(inside.into_iter().all(|(.., pixel)| pixel.0.iter().all(|v| (90..=110).contains(v))));
    }
}
