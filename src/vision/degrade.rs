//! Pictures made worse on purpose: what a face looks like from farther away, out of focus, or after a messenger has squeezed
//! the photo.
//!
//! Called by `evaluate`; no photo of a school comes here.

use std::fmt;
use std::str::FromStr;

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};

/// JPEG quality of cameras' usual setting.
const CAMERA_QUALITY: u8 = 90;

/// One way of making a picture worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Degradation {
    /// Shrunk until the longer side has this many pixels at most.
    Fit(u32),
    /// Shrunk to this share of its sides, above 0 and at most 1.
    Shrink(f32),
    /// Out of focus: a Gaussian of this standard deviation, pixels.
    Blur(f32),
    /// Through a JPEG of this quality, 1..100.
    Jpeg(u8),
}

impl Degradation {
    /// The picture, made worse.
    ///
    /// # Errors
    /// What the JPEG encoder says: a picture of more than 65,535 pixels a side cannot be a JPEG.
    pub fn apply(self, picture: &RgbImage) -> Result<RgbImage, image::ImageError> {
        let longer = picture.width().max(picture.height());
        match self {
            Self::Fit(px) => Ok(shrunk(picture, (px as f32 / longer as f32).min(1.0))),
            Self::Shrink(factor) => Ok(shrunk(picture, factor)),
            Self::Blur(sigma) => Ok(imageops::blur(picture, sigma)),
            Self::Jpeg(quality) => Ok(image::load_from_memory(&jpeg(picture, quality)?)?.into_rgb8()),
        }
    }
}

impl fmt::Display for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fit(px) => write!(f, "fit={px}"),
            Self::Shrink(factor) => write!(f, "shrink={factor}"),
            Self::Blur(sigma) => write!(f, "blur={sigma}"),
            Self::Jpeg(quality) => write!(f, "jpeg={quality}"),
        }
    }
}

impl FromStr for Degradation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, value) = text.split_once('=').unwrap_or((text, ""));
        let unusable = |what: &str| format!("'{text}': {what}");
        let share = value.parse::<f32>().ok().filter(|v| *v > 0.0 && *v <= 100.0);
        match kind {
            "fit" => {
                let px = value.parse().ok().filter(|px| (16..=65_535).contains(px));
                px.map(Self::Fit).ok_or_else(|| unusable("fit takes the longer side in pixels, 16 or more"))
            }
            "shrink" => {
                let factor = share.filter(|v| *v <= 1.0);
                factor
                    .map(Self::Shrink)
                    .ok_or_else(|| unusable("shrink takes a share of the sides, above 0 and at most 1"))
            }
            "blur" => {
                share.map(Self::Blur).ok_or_else(|| unusable("blur takes a standard deviation in pixels, at most 100"))
            }
            "jpeg" => {
                let quality = value.parse().ok().filter(|q| (1..=100).contains(q));
                quality.map(Self::Jpeg).ok_or_else(|| unusable("jpeg takes a quality, 1..100"))
            }
            _ => Err(unusable("not one of fit, shrink, blur, jpeg")),
        }
    }
}

/// The picture at `factor` (above 0, at most 1) of its width and height, resampled with a Lanczos filter as wide as the
/// pixels it merges, as JPEG bytes of quality 90.
///
/// # Errors
/// What the encoder says; a picture of more than 65,535 pixels a side cannot be a JPEG.
pub fn shrunk_jpeg(picture: &RgbImage, factor: f32) -> Result<Vec<u8>, image::ImageError> {
    jpeg(&shrunk(picture, factor), CAMERA_QUALITY)
}

fn shrunk(picture: &RgbImage, factor: f32) -> RgbImage {
    let side = |px: u32| ((px as f32 * factor).round() as u32).max(1);
    imageops::resize(picture, side(picture.width()), side(picture.height()), FilterType::Lanczos3)
}

fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn stripes() -> RgbImage {
        RgbImage::from_fn(200, 100, |x, _| if x % 2 == 0 { Rgb([0; 3]) } else { Rgb([200; 3]) })
    }

    /// The edge sees only one side of its stripes.
    fn inside(picture: &RgbImage) -> impl Iterator<Item = u8> {
        let edge = picture.width() - 8;
        picture.enumerate_pixels().filter(move |(x, ..)| (8..edge).contains(x)).flat_map(|(.., pixel)| pixel.0)
    }

    #[test]
    fn fine_detail_becomes_its_mean() {
        let small = image::load_from_memory(&shrunk_jpeg(&stripes(), 0.25).unwrap()).unwrap().to_rgb8();
        assert_eq!(small.dimensions(), (50, 25));
        assert!(inside(&small).all(|v| (90..=110).contains(&v)));
        let blurred = Degradation::Blur(3.0).apply(&stripes()).unwrap();
        assert_eq!(blurred.dimensions(), (200, 100));
        assert!(inside(&blurred).all(|v| (90..=110).contains(&v)));
    }

    #[test]
    fn a_picture_is_never_enlarged() {
        let sizes = |to: &str| to.parse::<Degradation>().unwrap().apply(&stripes()).unwrap().dimensions();
        assert_eq!([sizes("fit=640"), sizes("fit=50"), sizes("shrink=0.5")], [(200, 100), (50, 25), (100, 50)]);
    }

    #[test]
    fn a_poor_jpeg_is_another_picture_of_the_same_size() {
        let poor = Degradation::Jpeg(10).apply(&stripes()).unwrap();
        assert_eq!(poor.dimensions(), (200, 100));
        assert_ne!(poor, stripes());
    }

    #[test]
    fn a_way_is_written_as_it_is_read() {
        for text in ["fit=640", "shrink=0.5", "blur=2", "jpeg=40"] {
            assert_eq!(text.parse::<Degradation>().unwrap().to_string(), text);
        }
        for text in ["fit", "fit=0", "shrink=2", "shrink=0", "blur=-1", "blur=nan", "jpeg=0", "jpeg=101", "dark=3", ""]
        {
            assert!(text.parse::<Degradation>().is_err(), "{text}");
        }
    }
}
