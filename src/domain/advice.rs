//! What a teacher can still do about a photo while the class is there: take it again, from nearer, with more light, or one more
//! from the side.
//!
//! Advice never changes a verdict. It looks at measurements that are taken anyway, speaks only where several faces suffer from
//! the same thing (one blurred face is somebody who moved; ten are the camera), and says what to do. Called by `app` with the
//! faces of one photo.

use std::fmt;

use super::geometry::BoundingBox;
use super::quality::FaceQuality;
use super::status::Verdict;

/// One face as advice sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceInView {
    /// Pixels of the upright photo.
    pub bounds: BoundingBox,
    pub quality: FaceQuality,
    /// None before the session was compared.
    pub verdict: Option<Verdict>,
}

/// One photo as advice sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhotoInView<'a> {
    /// Pixels of the upright photo.
    pub width: u32,
    pub height: u32,
    pub faces: &'a [FaceInView],
    /// Found beyond the limit and not looked at.
    pub faces_left_out: u32,
}

/// A side of a picture, as whoever looks at it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Left,
    Right,
    Top,
    Bottom,
}

/// Something to do about a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nobody is to be seen.
    NoFace,
    /// Most faces are out of focus or moved.
    Blurred { faces: usize, of: usize },
    /// Most faces lie in the dark.
    Dark { faces: usize, of: usize },
    /// Most faces are burnt out.
    Overexposed { faces: usize, of: usize },
    /// Faces too small to be told apart safely.
    SmallFaces { faces: usize, smaller_than_px: u32 },
    /// Faces that the edge of the photo cuts.
    CutFaces { faces: usize, side: Side },
    /// Many who may be somebody, and nobody can say who.
    ManyDoubts { faces: usize, of: usize },
    /// More faces than are looked at.
    FacesLeftOut { faces: u32 },
}

/// Below this side a face is found but its name is often a doubt. It is the size below which the identification rates of the
/// development packs begin to fall (`rollcall evaluate identify`, by face size).
const SMALL_PX: f32 = 28.0;
/// Sharpness says little about faces that were enlarged for it, see [`FaceQuality::sharpness`].
const MEASURABLE_PX: f32 = 48.0;
/// Half of what an enrolment photo must have ([`super::quality::EnrolLines`]): a class photo is less sharp than a portrait.
const BLURRED: f32 = 20.0;
/// Mean grey level, 0..255.
const DARK: f32 = 40.0;
/// Mean grey level, 0..255.
const BURNT: f32 = 225.0;
/// An edge nearer than this share of the face's side cuts it.
const EDGE: f32 = 0.02;
/// Two faces may be two people's own fault.
const SEVERAL: usize = 3;

/// What to do about a photo; most urgent first, empty when it is good.
pub fn advice(photo: PhotoInView<'_>) -> Vec<Advice> {
    let PhotoInView { faces, .. } = photo;
    if faces.is_empty() {
        return vec![Advice::NoFace];
    }
    let measurable = || faces.iter().filter(|face| face.quality.side_px >= MEASURABLE_PX);
    let of = faces.len();
    let mut found = Vec::new();
    let blurred = measurable().filter(|face| face.quality.sharpness < BLURRED).count();
    if is_most(blurred, measurable().count()) {
        found.push(Advice::Blurred { faces: blurred, of: measurable().count() });
    }
    let dark = faces.iter().filter(|face| face.quality.brightness < DARK).count();
    if is_most(dark, of) {
        found.push(Advice::Dark { faces: dark, of });
    }
    let burnt = faces.iter().filter(|face| face.quality.brightness > BURNT).count();
    if is_most(burnt, of) {
        found.push(Advice::Overexposed { faces: burnt, of });
    }
    let small = faces.iter().filter(|face| face.quality.side_px < SMALL_PX && !is_match(face)).count();
    if is_notable(small, of) {
        found.push(Advice::SmallFaces { faces: small, smaller_than_px: SMALL_PX as u32 });
    }
    for side in [Side::Left, Side::Right, Side::Top, Side::Bottom] {
        let cut = faces.iter().filter(|face| !is_match(face) && is_cut(face, side, &photo)).count();
        if cut > 0 {
            found.push(Advice::CutFaces { faces: cut, side });
        }
    }
    let doubts = faces.iter().filter(|face| face.verdict == Some(Verdict::Doubt)).count();
    let candidates = faces.iter().filter(|face| matches!(face.verdict, Some(Verdict::Doubt | Verdict::Match))).count();
    if is_notable(doubts, candidates) {
        found.push(Advice::ManyDoubts { faces: doubts, of: candidates });
    }
    if photo.faces_left_out > 0 {
        found.push(Advice::FacesLeftOut { faces: photo.faces_left_out });
    }
    found
}

/// More than half; a single face has to be the only one.
const fn is_most(count: usize, of: usize) -> bool {
    2 * count > of
}

/// Several, and at least a fifth.
const fn is_notable(count: usize, of: usize) -> bool {
    count >= SEVERAL && 5 * count >= of
}

fn is_match(face: &FaceInView) -> bool {
    face.verdict == Some(Verdict::Match)
}

fn is_cut(face: &FaceInView, side: Side, photo: &PhotoInView<'_>) -> bool {
    let BoundingBox { x1, y1, x2, y2 } = face.bounds;
    let near = EDGE * face.bounds.width().max(face.bounds.height());
    match side {
        Side::Left => x1 < near,
        Side::Right => x2 > photo.width as f32 - near,
        Side::Top => y1 < near,
        Side::Bottom => y2 > photo.height as f32 - near,
    }
}

impl Advice {
    /// Stable name, for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoFace => "NO_FACE",
            Self::Blurred { .. } => "BLURRED",
            Self::Dark { .. } => "DARK",
            Self::Overexposed { .. } => "OVEREXPOSED",
            Self::SmallFaces { .. } => "SMALL_FACES",
            Self::CutFaces { .. } => "CUT_FACES",
            Self::ManyDoubts { .. } => "MANY_DOUBTS",
            Self::FacesLeftOut { .. } => "FACES_LEFT_OUT",
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoFace => f.write_str("no face was found: is this the right photo?"),
            Self::Blurred { faces, of } => {
                write!(f, "{faces} of {of} larger faces are blurred: hold the camera still and take it again")
            }
            Self::Dark { faces, of } => {
                write!(f, "{faces} of {of} faces are dark: switch on the light, or stand with your back to the windows")
            }
            Self::Overexposed { faces, of } => {
                write!(f, "{faces} of {of} faces are overexposed: take it again without flash or direct sun")
            }
            Self::SmallFaces { faces, smaller_than_px } => write!(
                f,
                "{faces} faces are smaller than {smaller_than_px} px: take one more of the back rows, from nearer"
            ),
            Self::CutFaces { faces, side } => {
                let (edge, advice) = match side {
                    Side::Left => ("left", "take one more from further left"),
                    Side::Right => ("right", "take one more from further right"),
                    Side::Top => ("upper", "hold the camera higher and take it again"),
                    Side::Bottom => ("lower", "hold the camera lower and take it again"),
                };
                let (noun, verb) = if faces == 1 { ("face", "is") } else { ("faces", "are") };
                write!(f, "{faces} {noun} {verb} cut off at the {edge} edge: {advice}")
            }
            Self::ManyDoubts { faces, of } => {
                write!(f, "{faces} of {of} people are in doubt: take one more photo from another side")
            }
            Self::FacesLeftOut { faces } => {
                write!(
                    f,
                    "{faces} more faces were not looked at: take the class in two photos, or raise photos.max_faces"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: FaceQuality =
        FaceQuality { side_px: 90.0, sharpness: 200.0, brightness: 120.0, contrast: 40.0, yaw_deg: 0.0, roll_deg: 0.0 };

    fn face(quality: FaceQuality, verdict: Verdict) -> FaceInView {
        FaceInView { bounds: BoundingBox::from_xywh(400.0, 300.0, 80.0, 90.0), quality, verdict: Some(verdict) }
    }

    fn codes(faces: &[FaceInView]) -> Vec<&'static str> {
        let photo = PhotoInView { width: 1000, height: 800, faces, faces_left_out: 0 };
        advice(photo).into_iter().map(Advice::code).collect()
    }

    #[test]
    fn a_good_photo_needs_no_advice() {
        assert_eq!(codes(&[face(GOOD, Verdict::Match); 20]), [""; 0]);
    }

    #[test]
    fn an_empty_room_is_asked_about() {
        assert_eq!(codes(&[]), ["NO_FACE"]);
    }

    #[test]
    fn one_blurred_face_is_a_person_many_are_the_camera() {
        let blurred = face(FaceQuality { sharpness: 10.0, ..GOOD }, Verdict::Match);
        let mut faces = vec![face(GOOD, Verdict::Match); 5];
        faces.push(blurred);
        assert_eq!(codes(&faces), [""; 0]);
        faces.extend([blurred; 5]);
        assert_eq!(codes(&faces), ["BLURRED"]);
    }

    #[test]
    fn small_faces_are_not_called_blurred() {
        let small = face(FaceQuality { side_px: 30.0, sharpness: 5.0, ..GOOD }, Verdict::Match);
        assert_eq!(codes(&[small; 9]), [""; 0]);
    }

    #[test]
    fn darkness_and_glare_have_names_of_their_own() {
        let dark = face(FaceQuality { brightness: 30.0, ..GOOD }, Verdict::Doubt);
        let burnt = face(FaceQuality { brightness: 240.0, ..GOOD }, Verdict::Match);
        assert_eq!(codes(&[dark]), ["DARK"]);
        assert_eq!(codes(&[burnt, burnt, dark]), ["OVEREXPOSED"]);
    }

    #[test]
    fn a_small_back_row_is_named_unless_it_was_recognised() {
        let tiny = FaceQuality { side_px: 22.0, ..GOOD };
        let known = vec![face(GOOD, Verdict::Match); 10];
        let with = |n: usize, verdict: Verdict| [known.clone(), vec![face(tiny, verdict); n]].concat();
        assert_eq!(codes(&with(2, Verdict::Stranger)), [""; 0]);
        assert_eq!(codes(&with(3, Verdict::Stranger)), ["SMALL_FACES"]);
        assert_eq!(codes(&with(3, Verdict::Match)), [""; 0]);
    }

    #[test]
    fn a_face_at_an_edge_says_where_the_next_photo_is_taken_from() {
        let at = |x: f32, y: f32, verdict: Verdict| FaceInView {
            bounds: BoundingBox::from_xywh(x, y, 80.0, 90.0),
            quality: GOOD,
            verdict: Some(verdict),
        };
        let said = |face: FaceInView| {
            let faces = [face];
            let photo = PhotoInView { width: 1000, height: 800, faces: &faces, faces_left_out: 0 };
            advice(photo).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(said(at(-8.0, 300.0, Verdict::Stranger))[0].contains("further left"));
        assert!(said(at(921.0, 300.0, Verdict::Stranger))[0].contains("further right"));
        assert!(said(at(500.0, 0.0, Verdict::Doubt))[0].contains("higher"));
        assert!(said(at(500.0, 715.0, Verdict::Doubt))[0].contains("lower"));
        assert!(said(at(2.0, 300.0, Verdict::Stranger)).is_empty(), "two pixels of eighty are room enough");
        assert!(said(at(-8.0, 300.0, Verdict::Match)).is_empty(), "whoever was recognised needs no second photo");
    }

    #[test]
    fn doubts_count_among_those_who_may_be_somebody() {
        let faces = |doubts: usize, matches: usize, strangers: usize| {
            let of = |n: usize, verdict| vec![face(GOOD, verdict); n];
            [of(doubts, Verdict::Doubt), of(matches, Verdict::Match), of(strangers, Verdict::Stranger)].concat()
        };
        assert_eq!(codes(&faces(3, 12, 50)), ["MANY_DOUBTS"]);
        assert_eq!(codes(&faces(3, 13, 0)), [""; 0]);
        assert_eq!(codes(&faces(2, 0, 0)), [""; 0]);
    }

    #[test]
    fn faces_that_were_not_looked_at_are_told() {
        let faces = [face(GOOD, Verdict::Match)];
        let photo = PhotoInView { width: 1000, height: 800, faces: &faces, faces_left_out: 7 };
        assert_eq!(advice(photo), [Advice::FacesLeftOut { faces: 7 }]);
    }
}
