//! A photo as a screen shows it: upright, as large as asked, as JPEG, whatever it came as. Made anew each time: a browser keeps
//! it, and a school's disk has better uses.

use super::error::Error;
use super::recogniser::limits;
use super::{School, blocking, photo_bytes};
use crate::db::photos::{self, PhotoRow};
use crate::domain::ids::PhotoId;
use crate::vision::annotate::encode_jpeg;
use crate::vision::decode::decode;
use crate::vision::fit::fitted;

/// Quality of the written JPEG, 1..=100.
const JPEG_QUALITY: u8 = 85;

/// A photo that is to be shown.
#[derive(Debug)]
pub struct Preview {
    photo: PhotoRow,
    longest_px: u32,
}

/// Finds a photo, to be shown with a longer side of up to `longest_px`.
///
/// # Errors
/// `PHOTO_NOT_FOUND`.
pub async fn find(school: &School, id: PhotoId, longest_px: u32) -> Result<Preview, Error> {
    let photo = school.read(move |conn| Ok(photos::get(conn, id)?)).await?;
    Ok(Preview { photo, longest_px })
}

impl Preview {
    /// Another one whenever the picture would be another.
    pub fn version(&self) -> String {
        format!("{}-{}", self.photo.sha256, self.longest_px)
    }

    /// The picture, as JPEG.
    ///
    /// # Errors
    /// `PHOTO_NOT_FOUND` when its bytes are gone; storage failures; as decoding, for bytes that are no photo.
    pub async fn draw(self, school: &School) -> Result<Vec<u8>, Error> {
        let bytes = photo_bytes::show(school, &self.photo).await?;
        let limits = limits(&school.config);
        let shown = move || Ok(encode_jpeg(&fitted(decode(&bytes, &limits)?.pixels, self.longest_px), JPEG_QUALITY)?);
        blocking(shown).await
    }
}
