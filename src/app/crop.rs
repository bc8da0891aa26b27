//! One face cut out of its photo, for a person who has to say who it is.

use image::imageops::crop_imm;

use super::error::Error;
use super::recogniser::limits;
use super::{School, blocking, photo_bytes};
use crate::db::faces::FaceRow;
use crate::db::photos::PhotoRow;
use crate::db::{faces, photos};
use crate::domain::geometry::BoundingBox;
use crate::domain::ids::FaceId;
use crate::vision::annotate::encode_jpeg;
use crate::vision::decode::decode;
use crate::vision::fit::fitted;

/// Added to each side of the box, as a share of its longer side: hair, ears and chin help people more than nets.
const MARGIN: f32 = 0.4;

/// How a face that was cut out is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finish {
    /// Pixels of the longer side; larger ones are made smaller. None: as in the photo.
    longest_px: Option<u32>,
    /// Of the JPEG, 1..=100.
    quality: u8,
}

/// For looking closely, and for learning from.
pub(super) const FULL: Finish = Finish { longest_px: None, quality: 90 };
/// For many on one page: about three kilobytes each.
pub(super) const THUMBNAIL: Finish = Finish { longest_px: Some(96), quality: 75 };

/// A face and the photo that it is in.
#[derive(Debug)]
pub struct Found {
    face: FaceRow,
    photo: PhotoRow,
}

/// Reads where a face is.
///
/// # Errors
/// `FACE_NOT_FOUND`.
pub async fn find(school: &School, id: FaceId) -> Result<Found, Error> {
    let found = school.read(move |conn| {
        let face = faces::get(conn, id)?;
        Ok(Found { photo: photos::get(conn, face.photo_id)?, face })
    });
    found.await
}

impl Found {
    /// Another one whenever the picture would be another. A face is never moved: photos that are looked at again have new
    /// faces.
    pub fn version(&self) -> String {
        format!("face-{}", self.face.id.0)
    }

    /// The face with some room around it, as JPEG in the photo's resolution.
    ///
    /// # Errors
    /// `PHOTO_NOT_FOUND` when its bytes are gone; storage failures; as decoding, for bytes that are no photo.
    pub async fn cut(self, school: &School) -> Result<Vec<u8>, Error> {
        let cut = cut_all(school, &self.photo, vec![self.face.bounds()], FULL).await?;
        Ok(cut.into_iter().next().expect("one for each place"))
    }
}

/// What is at these places of a photo, with some room around each, as JPEG. The photo is decoded once; the same photo, place
/// and finish give the same bytes.
///
/// # Errors
/// As [`Found::cut`].
pub(super) async fn cut_all(
    school: &School,
    photo: &PhotoRow,
    places: Vec<BoundingBox>,
    finish: Finish,
) -> Result<Vec<Vec<u8>>, Error> {
    let bytes = photo_bytes::show(school, photo).await?;
    let config = school.config.clone();
    blocking(move || {
        let photo = decode(&bytes, &limits(&config))?.pixels;
        let cut = |place: &BoundingBox| {
            let [x, y, width, height] = window(place, photo.dimensions());
            let cut = crop_imm(&photo, x, y, width, height).to_image();
            let cut = match finish.longest_px {
                Some(longest_px) => fitted(cut, longest_px),
                None => cut,
            };
            Ok(encode_jpeg(&cut, finish.quality)?)
        };
        places.iter().map(cut).collect()
    })
    .await
}

/// The box with its margin inside a photo of `size` pixels, as x, y, width and height; at least one pixel.
pub(super) fn window(bounds: &BoundingBox, (width, height): (u32, u32)) -> [u32; 4] {
    let margin = MARGIN * bounds.side_px();
    let wide = BoundingBox::new(bounds.x1 - margin, bounds.y1 - margin, bounds.x2 + margin, bounds.y2 + margin);
    let inside = wide.clipped(width, height);
    let (x, y) = ((inside.x1 as u32).min(width.saturating_sub(1)), (inside.y1 as u32).min(height.saturating_sub(1)));
    [x, y, (inside.x2.ceil() as u32).saturating_sub(x).max(1), (inside.y2.ceil() as u32).saturating_sub(y).max(1)]
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};
    use proptest::prelude::*;

    use super::*;
    use crate::app::error::Code;
    use crate::app::testing::{Class, wait};
    use crate::db::testing::on_each_database;
    use crate::storage::Key;

    #[test]
    fn a_face_gets_room_on_every_side_but_beyond_the_photo() {
        assert_eq!(window(&BoundingBox::from_xywh(100.0, 100.0, 50.0, 100.0), (400, 400)), [60, 60, 130, 180]);
        assert_eq!(window(&BoundingBox::from_xywh(-5.0, 380.0, 50.0, 50.0), (400, 400)), [0, 360, 65, 40]);
    }

    proptest! {
        #[test]
        fn a_window_lies_in_the_photo(
            x in -50.0_f32..500.0, y in -50.0_f32..500.0, w in 0.1_f32..300.0, h in 0.1_f32..300.0,
            width in 1_u32..400, height in 1_u32..400,
        ) {
            let [left, top, wide, tall] = window(&BoundingBox::from_xywh(x, y, w, h), (width, height));
            prop_assert!(wide >= 1 && tall >= 1 && left + wide <= width && top + tall <= height);
        }
    }

    on_each_database! {
        fn a_face_is_cut_out_of_its_photo(db) {
            let class = Class::new(db);
            // The second face is at 100, 50 with 40 pixels a side.
            let (photo, ids) = class.photo(1, &[(&[], 1), (&[], 2)]);
            let mut picture = RgbImage::from_pixel(300, 200, Rgb([0, 0, 0]));
            image::imageops::replace(&mut picture, &RgbImage::from_pixel(40, 40, Rgb([250, 250, 250])), 100, 50);
            let key: Key = class.run(|conn| photos::get(conn, photo)).object_key.parse().unwrap();
            wait(class.school.store.put(&key, &encode_jpeg(&picture, 95).unwrap())).unwrap();
            let found = wait(find(&class.school, ids[1])).unwrap();
            assert_eq!(found.version(), format!("face-{}", ids[1].0));
            let cut = image::load_from_memory(&wait(found.cut(&class.school)).unwrap()).unwrap().into_rgb8();
            assert_eq!(cut.dimensions(), (72, 72));
            assert!(cut.get_pixel(36, 36).0[0] > 200 && cut.get_pixel(4, 4).0[0] < 50);
            assert_eq!(wait(find(&class.school, FaceId(404))).unwrap_err().code, Code::FaceNotFound);
        }
    }
}
