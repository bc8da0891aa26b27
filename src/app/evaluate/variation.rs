//! The same measurement under other conditions: photos made worse, or another smallest face.
//!
//! Called by the measurements that look at photos. Portraits stay as they are: a school takes them once and with care.

use std::fmt;
use std::str::FromStr;

use crate::app::error::{Code, Error};
use crate::domain::geometry::{BoundingBox, Detection, Point};
use crate::vision::decode::{DecodeLimits, DecodedPhoto, decode};
use crate::vision::degrade::Degradation;

/// What is different. Written `fit=640,min-face=12`; the parts happen in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variation {
    degradations: Vec<Degradation>,
    min_face_px: Option<u32>,
}

/// What nothing being different is called.
pub(super) const UNVARIED: &str = "as it is";
const MIN_FACE: &str = "min-face";

impl Variation {
    /// Smallest face to look for, pixels of the photo as it is looked at; none for that of the settings.
    pub const fn min_face_px(&self) -> Option<u32> {
        self.min_face_px
    }

    /// Whether photos are looked at as they are.
    pub const fn keeps_photos(&self) -> bool {
        self.degradations.is_empty()
    }

    /// The photo under these conditions, decoded, and its size before.
    ///
    /// # Errors
    /// As [`decode`], and `PROCESSING_ERROR` for a picture that cannot be changed so.
    pub(super) fn of_photo(&self, bytes: &[u8], limits: &DecodeLimits) -> Result<(DecodedPhoto, (u32, u32)), Error> {
        let mut photo = decode(bytes, limits)?;
        let original = photo.pixels.dimensions();
        for degradation in &self.degradations {
            let changed = degradation.apply(&photo.pixels);
            photo.pixels = changed.map_err(|e| Error::new(Code::ProcessingError, format!("cannot be changed: {e}")))?;
        }
        Ok((photo, original))
    }
}

/// A face of a changed photo in pixels of the photo before.
pub(super) fn in_original(face: &Detection, from: (u32, u32), to: (u32, u32)) -> Detection {
    let (sx, sy) = (to.0 as f32 / from.0 as f32, to.1 as f32 / from.1 as f32);
    let BoundingBox { x1, y1, x2, y2 } = face.bbox;
    Detection {
        bbox: BoundingBox::new(x1 * sx, y1 * sy, x2 * sx, y2 * sy),
        score: face.score,
        landmarks: face.landmarks.map(|p| Point::new(p.x * sx, p.y * sy)),
    }
}

impl fmt::Display for Variation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let degradations = self.degradations.iter().map(ToString::to_string);
        let min_face = self.min_face_px.map(|px| format!("{MIN_FACE}={px}"));
        let parts: Vec<String> = degradations.chain(min_face).collect();
        f.write_str(if parts.is_empty() { UNVARIED.into() } else { parts.join(",") }.as_str())
    }
}

impl FromStr for Variation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut variation = Self::default();
        for part in text.split(',') {
            match part.split_once('=') {
                Some((MIN_FACE, px)) => {
                    let px = px.parse().ok().filter(|px| (12..=1000).contains(px));
                    variation.min_face_px =
                        Some(px.ok_or_else(|| format!("'{part}': min-face takes pixels, 12..1000"))?);
                }
                _ => variation.degradations.push(part.parse()?),
            }
        }
        Ok(variation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variation_is_written_as_it_is_read() {
        for text in ["min-face=12", "fit=640,min-face=12", "shrink=0.5,jpeg=40"] {
            assert_eq!(text.parse::<Variation>().unwrap().to_string(), text);
        }
        assert_eq!(Variation::default().to_string(), "as it is");
        for text in ["", "min-face=4", "min-face", "fit=640,,jpeg=40"] {
            assert!(text.parse::<Variation>().is_err(), "{text}");
        }
    }

    #[test]
    fn faces_come_back_to_where_they_were() {
        let landmarks = [Point::new(10.0, 20.0); 5];
        let face = Detection { bbox: BoundingBox::new(5.0, 10.0, 15.0, 30.0), score: 0.5, landmarks };
        let back = in_original(&face, (100, 50), (400, 100));
        assert_eq!(back.bbox, BoundingBox::new(20.0, 20.0, 60.0, 60.0));
        assert_eq!(back.landmarks, [Point::new(40.0, 40.0); 5]);
        assert_eq!(back.score, 0.5);
    }
}
