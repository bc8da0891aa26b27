//! Photos that may say nothing about their lesson: the same picture again, and pictures of another time.
//!
//! A guard never changes a verdict or a record; it says what looks wrong, and a person decides. Called by `app` when a session is
//! settled, with the faces of members alone: what strangers looked like is forgotten when a session is confirmed.

use chrono::{NaiveDateTime, TimeDelta};

use super::embedding::Embedding;
use super::ids::MemberId;

/// The face of a member in a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberFace {
    pub member: MemberId,
    pub embedding: Embedding,
    pub place: Place,
}

/// Where a face is, in shares of its photo's width: the same for a picture and a smaller copy of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Centre of the box, from the top left corner.
    pub x: f32,
    pub y: f32,
    /// Longer side of the box.
    pub side: f32,
}

impl Place {
    /// Of a box `(x, y, w, h)` in pixels of an upright photo that is `width_px` wide.
    pub fn of_box((x, y, w, h): (f32, f32, f32, f32), width_px: i32) -> Self {
        let width = width_px.max(1) as f32;
        Self { x: (x + w / 2.0) / width, y: (y + h / 2.0) / width, side: w.max(h) / width }
    }
}

/// Faces of one student whose embeddings have at least this cosine are from one picture.
///
/// Measured with `starter` and `mtcnn-edgeface-xs`. 165 pairs of different press pictures of one person: highest 0.835 and 0.845,
/// 99 % below 0.78 and 0.82; the students of the demo school in different drawn photos: up to 0.885. Ten class and group photos
/// with 200 faces, cut to 75 %: 96 % and 97 % of the faces above 0.90; made brighter by 30 %: 91 % and 96 %.
const SAME_FACE_COSINE: f32 = 0.92;
/// Centres that lie no farther apart than this share of the face's side are the same place in the picture.
///
/// The same ten photos saved as JPEG 60 and 30, at half and two thirds of their size: 95 % of the centres moved by less than 0.05
/// of the side. People in two pictures of one room seldom keep their heads that still, and not half a class.
const SAME_PLACE: f32 = 0.10;
/// Sides that differ by less than this factor; in the same copies 95 % stayed within 0.90 to 1.07.
const SAME_SIDE: f32 = 1.18;
/// At least so many faces must agree, or all where fewer are compared.
const SEVERAL: usize = 3;
/// One face proves nothing.
const FEWEST: usize = 2;

/// Whether two faces of one student may come from one picture: nearly the same embedding, which a cut leaves alone, or nearly
/// the same place in the picture, which saving and shrinking leave alone however small the faces are.
pub fn is_same_face(a: &MemberFace, b: &MemberFace) -> bool {
    a.member == b.member && (a.place.is_near(b.place) || a.embedding.cosine(&b.embedding) >= SAME_FACE_COSINE)
}

impl Place {
    fn is_near(self, other: Self) -> bool {
        let distance = (self.x - other.x).hypot(self.y - other.y);
        let (small, large) = (self.side.min(other.side), self.side.max(other.side));
        distance <= SAME_PLACE * small && large <= SAME_SIDE * small
    }
}

/// Whether two photos are one picture: of the students in both, at least half look as if they were.
///
/// # Panics
/// When the embeddings are of different packs.
pub fn is_same_picture(a: &[MemberFace], b: &[MemberFace]) -> bool {
    let pairs = || a.iter().filter_map(|face| Some((face, b.iter().find(|other| other.member == face.member)?)));
    let compared = pairs().count();
    let same = pairs().filter(|(face, other)| is_same_face(face, other)).count();
    compared >= FEWEST && same >= SEVERAL.min(compared) && 2 * same >= compared
}

/// Whether a photo was taken so long before or after the start of its lesson that it must be of another. Both times on one clock;
/// with a `window` of zero nothing is said.
pub fn is_outside_lesson(captured_at: NaiveDateTime, starts_at: NaiveDateTime, window: TimeDelta) -> bool {
    window > TimeDelta::zero() && (captured_at - starts_at).abs() > window
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A face of member `member` whose cosine to the plain one of that member is `cosine`, at a place of its own.
    fn face(member: i64, cosine: f32, x: f32) -> MemberFace {
        let embedding = Embedding::new(vec![cosine, (1.0 - cosine * cosine).sqrt()]).unwrap();
        let place = Place { x, y: 0.1 * member as f32, side: 0.05 };
        MemberFace { member: MemberId(member), embedding, place }
    }

    /// Members 0..n, plain; each in a place that no other picture of these tests uses.
    fn picture(n: i64) -> Vec<MemberFace> {
        (0..n).map(|member| face(member, 1.0, 0.1)).collect()
    }

    fn elsewhere(cosines: &[f32]) -> Vec<MemberFace> {
        (0..).zip(cosines).map(|(member, cosine)| face(member, *cosine, 0.6)).collect()
    }

    #[test]
    fn the_same_people_in_another_picture_are_another_picture() {
        assert!(!is_same_picture(&picture(6), &elsewhere(&[0.85, 0.7, 0.5, 0.89, 0.8, 0.6])));
        // A still student or two, whose pictures happen to agree.
        assert!(!is_same_picture(&picture(6), &elsewhere(&[0.95, 0.95, 0.5, 0.8, 0.8, 0.6])));
    }

    #[test]
    fn a_cut_or_brightened_copy_is_known_by_its_faces() {
        assert!(is_same_picture(&picture(6), &elsewhere(&[0.97, 0.95, 0.99, 0.8, 0.8, 0.6])));
        assert!(is_same_picture(&picture(9), &elsewhere(&[0.97, 0.95, 0.93])), "whoever was cut off is not compared");
    }

    #[test]
    fn a_small_copy_is_known_by_its_places() {
        let small: Vec<MemberFace> = (0..6).map(|member| face(member, 0.4, 0.1)).collect();
        assert!(is_same_picture(&picture(6), &small));
        let moved: Vec<MemberFace> = (0..6).map(|member| face(member, 0.4, 0.1 + 0.008)).collect();
        assert!(!is_same_picture(&picture(6), &moved), "by a sixth of a face");
        let nearer = small.into_iter().map(|f| MemberFace { place: Place { side: 0.07, ..f.place }, ..f });
        assert!(!is_same_picture(&picture(6), &nearer.collect::<Vec<_>>()));
    }

    #[test]
    fn two_faces_prove_it_only_when_both_agree_and_one_never_does() {
        assert!(is_same_picture(&picture(2), &elsewhere(&[0.97, 0.97])));
        assert!(!is_same_picture(&picture(2), &elsewhere(&[0.97, 0.8])));
        assert!(!is_same_picture(&picture(1), &elsewhere(&[0.99])));
        assert!(!is_same_picture(&[], &[]));
    }

    #[test]
    fn faces_of_different_students_are_never_the_same() {
        assert!(!is_same_face(&face(1, 1.0, 0.1), &MemberFace { member: MemberId(2), ..face(1, 1.0, 0.1) }));
    }

    #[test]
    fn places_do_not_change_with_the_size_of_the_photo() {
        let large = Place::of_box((1000.0, 500.0, 80.0, 100.0), 4000);
        assert_eq!(Place::of_box((500.0, 250.0, 40.0, 50.0), 2000), large);
        assert_eq!(large, Place { x: 0.26, y: 0.1375, side: 0.025 });
    }

    #[test]
    fn a_photo_of_the_lesson_is_within_its_window() {
        let at = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        let (start, three_hours) = (at("2026-11-16T09:00:00"), TimeDelta::hours(3));
        assert!(!is_outside_lesson(at("2026-11-16T12:00:00"), start, three_hours));
        assert!(is_outside_lesson(at("2026-11-16T12:00:01"), start, three_hours));
        assert!(is_outside_lesson(at("2026-11-15T09:00:00"), start, three_hours));
        assert!(!is_outside_lesson(at("2026-11-16T00:30:00"), at("2026-11-15T23:00:00"), three_hours), "past midnight");
        assert!(!is_outside_lesson(at("2020-01-01T00:00:00"), start, TimeDelta::zero()));
    }
}
