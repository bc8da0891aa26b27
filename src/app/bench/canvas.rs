//! Pictures with a wanted number of faces and pixels, for measuring how time depends on both.

use image::imageops::{FilterType, overlay, resize};
use image::{Rgb, RgbImage};
use walkdir::WalkDir;

use crate::app::demo::DemoSchool;
use crate::app::error::Error;
use crate::config::Config;
use crate::vision::annotate::encode_jpeg;
use crate::vision::decode::{DecodeLimits, decode};

/// Side of a portrait on a canvas, pixels: faces of about 70 px, as in the middle rows of a class.
const PORTRAIT_PX: u32 = 120;

/// A picture that is to be painted: portraits of the demo school in rows on a plain wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    pub width: u32,
    pub height: u32,
    pub faces: u32,
}

impl Canvas {
    /// Some portraits of the demo school, as they are pasted.
    ///
    /// # Errors
    /// `FILE_ERROR` when there is no demo school here.
    pub fn portraits(config: &Config, count: usize) -> Result<Vec<RgbImage>, Error> {
        let folder = DemoSchool::find(config)?.portraits();
        let mut files: Vec<_> =
            WalkDir::new(&folder).into_iter().flatten().filter(|entry| entry.file_type().is_file()).collect();
        files.sort_by(|a, b| a.path().cmp(b.path()));
        let portrait = |path: &std::path::Path| -> Result<RgbImage, Error> {
            let bytes = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
            let picture = decode(&bytes, &DecodeLimits::default())?.pixels;
            Ok(resize(&picture, PORTRAIT_PX, PORTRAIT_PX, FilterType::Triangle))
        };
        files.iter().step_by(3).take(count).map(|entry| portrait(entry.path())).collect()
    }

    /// Whether the faces have room beside each other.
    pub fn has_room(&self) -> bool {
        (self.width / PORTRAIT_PX) * (self.height / PORTRAIT_PX) >= self.faces
    }

    /// The picture as a JPEG of quality 90, the portraits spread over it in turn.
    ///
    /// # Errors
    /// `PROCESSING_ERROR` when it cannot be encoded.
    pub fn painted(&self, portraits: &[RgbImage]) -> Result<Vec<u8>, Error> {
        let Self { width, height, faces } = *self;
        let mut canvas = RgbImage::from_fn(width, height, |x, y| wall(x, y, height));
        let columns = (f64::from(faces) * f64::from(width) / f64::from(height)).sqrt().ceil() as u32;
        let columns = columns.clamp(1, width / PORTRAIT_PX);
        let rows = faces.div_ceil(columns).max(1);
        let (across, down) = (width / columns, height / rows);
        for (place, portrait) in (0..faces).zip(portraits.iter().cycle()) {
            let (x, y) = (place % columns * across, place / columns * down);
            overlay(&mut canvas, portrait, x.into(), y.into());
        }
        Ok(encode_jpeg(&canvas, 90)?)
    }
}

/// A wall that is a little darker below, with the grain of a camera: plain colour would be decoded faster than any photo.
fn wall(x: u32, y: u32, height: u32) -> Rgb<u8> {
    let grain = (x.wrapping_mul(0x9E37_79B9) ^ y.wrapping_mul(0x85EB_CA6B)).wrapping_mul(0xC2B2_AE35) >> 29;
    let level = 190 - (60 * y / height) as u8 + grain as u8;
    Rgb([level, level, level - 12])
}
