//! A photo with what was seen in it: boxes and roll numbers, for the teacher's eyes.
//!
//! Drawings are kept beside the photos. Each carries the version of what it shows, so that one which shows something else than
//! what is known now is never handed out: it is drawn again.

use sha2::{Digest as _, Sha256};

use super::batch_report::FaceReport;
use super::error::{Code, Error};
use super::recogniser::limits;
use super::{School, blocking, photo, photo_bytes};
use crate::config::Config;
use crate::db::photos::PhotoRow;
use crate::domain::geometry::BoundingBox;
use crate::domain::ids::PhotoId;
use crate::domain::status::PhotoState;
use crate::storage::{Key, StorageErrorKind};
use crate::vision::annotate::{Mark, Tone, annotate, encode_jpeg};
use crate::vision::decode::decode;

/// Quality of the written JPEG, 1..=100.
const JPEG_QUALITY: u8 = 88;
/// Goes up when drawings change their looks.
const STYLE: u32 = 1;

/// What there is to draw of a photo.
#[derive(Debug)]
pub struct Sketch {
    photo: PhotoRow,
    faces: Vec<FaceReport>,
    version: String,
}

/// Reads what is known of a photo.
///
/// # Errors
/// `PHOTO_NOT_FOUND`; `SESSION_NOT_READY` for a photo that was not looked at.
pub async fn sketch(school: &School, id: PhotoId) -> Result<Sketch, Error> {
    let zone = school.config.time_zone;
    let (photo, faces) = school.read(move |conn| Ok(photo::known(conn, id, zone)?.into_parts())).await?;
    if photo.state != PhotoState::Done {
        let what = format!("{id} is {}: there is nothing to draw until it was looked at", photo.state);
        return Err(Error::new(Code::SessionNotReady, what));
    }
    Ok(Sketch { version: version(&photo.sha256, &faces), photo, faces })
}

impl Sketch {
    /// Another one whenever the drawing would be another: 32 hex digits.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The drawing, as JPEG; taken from the store when it is there as it should be.
    ///
    /// # Errors
    /// `PHOTO_NOT_FOUND` when its bytes are gone; storage failures; as decoding, for bytes that are no photo.
    pub async fn draw(self, school: &School) -> Result<Vec<u8>, Error> {
        let key = key(&self.photo);
        match school.store.get(&key).await {
            Ok(kept) if comment(&kept) == Some(self.version.as_bytes()) => return Ok(kept),
            Err(error) if error.kind != StorageErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let bytes = photo_bytes::show(school, &self.photo).await?;
        let (faces, config, version) = (self.faces, school.config.clone(), self.version);
        let drawn = blocking(move || Ok(with_comment(annotated(&bytes, &faces, &config)?, &version))).await?;
        // Without room for it the drawing is made again next time.
        if let Err(error) = school.store.put(&key, &drawn).await {
            tracing::warn!(photo = self.photo.id.0, "a drawing was not kept: {error}");
        }
        Ok(drawn)
    }
}

/// Where the drawing of a photo is kept.
pub(crate) const fn key(photo: &PhotoRow) -> Key {
    Key::Annotated { session: photo.session_id.0, photo: photo.id.0 }
}

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

/// Hash of everything that a drawing shows.
fn version(photo_sha256: &str, faces: &[FaceReport]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{STYLE} {photo_sha256}"));
    for face in faces {
        hash.update(format!("{:?} {} {:?};", face.bbox, face.verdict, face.roll_no));
    }
    hash.finalize()[..16].iter().map(|b| format!("{b:02x}")).collect()
}

/// Marker of a comment (ITU T.81, table B.1).
const COMMENT: [u8; 2] = [0xFF, 0xFE];

/// The JPEG with a comment after its first segment, which JFIF wants to come first.
fn with_comment(mut jpeg: Vec<u8>, text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len() + 2).expect("a version is short").to_be_bytes();
    let segment = COMMENT.into_iter().chain(length).chain(text.bytes());
    let at = end_of_first_segment(&jpeg).unwrap_or(2);
    jpeg.splice(at..at, segment);
    jpeg
}

/// What [`with_comment`] wrote.
fn comment(jpeg: &[u8]) -> Option<&[u8]> {
    let rest = jpeg.get(end_of_first_segment(jpeg)?..)?.strip_prefix(&COMMENT)?;
    let (length, text) = rest.split_first_chunk::<2>()?;
    text.get(..usize::from(u16::from_be_bytes(*length)).checked_sub(2)?)
}

/// A segment is a marker of two bytes and a length that counts itself.
fn end_of_first_segment(jpeg: &[u8]) -> Option<usize> {
    match jpeg {
        [0xFF, 0xD8, 0xFF, _, high, low, ..] => Some(4 + usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::app::faces::{Decision, decide, undo};
    use crate::app::testing::{Class, wait};
    use crate::db::photos;
    use crate::db::testing::on_each_database;
    use crate::domain::access::Actor;

    fn jpeg() -> Vec<u8> {
        encode_jpeg(&RgbImage::from_pixel(640, 480, Rgb([40, 60, 80])), 90).unwrap()
    }

    #[test]
    fn a_comment_is_read_back_and_the_picture_stays() {
        let plain = jpeg();
        let signed = with_comment(plain.clone(), "0123abcd");
        assert_eq!((comment(&signed), comment(&plain)), (Some(b"0123abcd".as_slice()), None));
        let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().into_rgb8();
        assert_eq!(pixels(&signed), pixels(&plain));
        assert_eq!((comment(b""), comment(&signed[..24])), (None, None), "cut short");
    }

    on_each_database! {
        fn a_drawing_is_kept_until_it_would_show_something_else(db) {
            let class = Class::new(db);
            let (photo, ids) = class.photo(1, &[(&[(0, 0.8)], 1), (&[], 2)]);
            let row = class.run(|conn| photos::get(conn, photo));
            let original: Key = row.object_key.parse().unwrap();
            wait(class.school.store.put(&original, &jpeg())).unwrap();
            let look = || {
                let sketch = wait(sketch(&class.school, photo)).unwrap();
                let version = sketch.version().to_owned();
                (version, wait(sketch.draw(&class.school)).unwrap())
            };
            let first = look();
            assert_eq!(wait(class.school.store.get(&key(&row))).unwrap(), first.1);
            // Only a kept one can be handed out while the photo's bytes are away.
            wait(class.school.store.delete(&original)).unwrap();
            assert_eq!(look(), first);
            wait(class.school.store.put(&original, &jpeg())).unwrap();
            let said = Decision::Member(class.members[1]);
            wait(decide(&class.school, &class.matching, ids[1], said, &Actor::command())).unwrap();
            let second = look();
            assert!(second.0 != first.0 && second.1 != first.1);
            wait(undo(&class.school, &class.matching, ids[1])).unwrap();
            assert_eq!(look(), first, "what was kept shows something else, so it was drawn again");
            class.run(|conn| photos::requeue(conn, photo));
            assert_eq!(wait(sketch(&class.school, photo)).unwrap_err().code, Code::SessionNotReady);
        }
    }
}
