//! A photo with what was seen in it: boxes and roll numbers, for the teacher's eyes.

use super::batch_report::FaceReport;
use super::error::Error;
use super::recogniser::limits;
use crate::config::Config;
use crate::domain::geometry::BoundingBox;
use crate::vision::annotate::{Mark, Tone, annotate, encode_jpeg};
use crate::vision::decode::decode;

/// Quality of the written JPEG, 1..=100.
const JPEG_QUALITY: u8 = 88;

/// Draws the faces on the photo of `bytes`; returns a JPEG. Matches carry their roll number, doubts the roll number in
/// question with a question mark, strangers none.
///
/// # Errors
/// As decoding, for bytes that are no photo.
pub fn annotated(bytes: &[u8], faces: &[FaceReport], config: &Config) -> Result<Vec<u8>, Error> {
    let photo = decode(bytes, &limits(config))?;
    let marks: Vec<Mark> = faces.iter().map(mark).collect();
    let legend = legend(faces);
    let drawn = annotate(&photo.pixels, &marks, Some(&legend));
    Ok(encode_jpeg(&drawn, JPEG_QUALITY)?)
}

fn mark(face: &FaceReport) -> Mark {
    let [x, y, w, h] = face.bbox;
    let roll_no = face.roll_no.clone().unwrap_or_default();
    let (tone, label) = match face.verdict.as_str() {
        "match" => (Tone::Match, roll_no),
        "doubt" => (Tone::Doubt, format!("{roll_no}?")),
        _ => (Tone::Stranger, String::new()),
    };
    Mark { bbox: BoundingBox::from_xywh(x, y, w, h), label, tone }
}

fn legend(faces: &[FaceReport]) -> String {
    let of = |verdict: &str| faces.iter().filter(|f| f.verdict == verdict).count();
    format!(
        "{} faces: {} named, {} to decide, {} not of this class",
        faces.len(),
        of("match"),
        of("doubt"),
        of("stranger")
    )
}
