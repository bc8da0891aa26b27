//! Boxes and labels on a photo, readable at a glance, in print and without colour.
//!
//! Draws what it is told; who is who, and what a label says, is the caller's business. Called by `app::annotate`.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

use crate::domain::geometry::BoundingBox;

/// A face to mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Pixels of the photo.
    pub bbox: BoundingBox,
    /// Drawn on a tag beside the box; none when empty.
    pub label: String,
    pub tone: Tone,
}

/// What a box says by its look: a solid green line, a dashed amber line, grey corners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Match,
    Doubt,
    Stranger,
}

/// A picture that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the annotated photo could not be encoded: {0}")]
pub struct AnnotateError(#[from] image::ImageError);

impl Tone {
    /// Line and tag.
    const fn colour(self) -> Rgb<u8> {
        match self {
            Self::Match => Rgb([21, 128, 61]),
            Self::Doubt => Rgb([245, 158, 11]),
            Self::Stranger => Rgb([200, 204, 210]),
        }
    }

    /// Text on the tag; at least 4.5 to 1 against it.
    const fn ink(self) -> Rgb<u8> {
        match self {
            Self::Match => Rgb([255, 255, 255]),
            Self::Doubt | Self::Stranger => Rgb([17, 24, 39]),
        }
    }
}

const SHADE: Rgb<u8> = Rgb([17, 24, 39]);
const WHITE: Rgb<u8> = Rgb([255, 255, 255]);

/// Text height in sides of the face, and its bounds in shares of the photo's longer side.
const TEXT_OF_FACE: f32 = 0.30;
const TEXT_MIN: f32 = 0.008;
const TEXT_MAX: f32 = 0.016;

/// The photo with its marks. `legend` is written on a dark band along the lower edge, inside the picture.
pub fn annotate(photo: &RgbImage, marks: &[Mark], legend: Option<&str>) -> RgbImage {
    let mut canvas = Canvas { picture: photo.clone(), font: font() };
    let size = Size { width: photo.width() as f32, height: photo.height() as f32 };
    for mark in marks {
        canvas.outline(mark, size.line_px(&mark.bbox));
    }
    let boxes: Vec<BoundingBox> = marks.iter().map(|m| m.bbox).collect();
    let labels: Vec<Tag> = marks.iter().map(|m| canvas.tag(m, size)).collect();
    for (place, (tag, mark)) in place(&labels, &boxes, size).into_iter().zip(labels.iter().zip(marks)) {
        if let Some(place) = place {
            canvas.label(&place, tag, mark);
        }
    }
    if let Some(text) = legend {
        canvas.legend(text, size);
    }
    canvas.picture
}

/// The picture as JPEG bytes; `quality` 1..=100.
///
/// # Errors
/// [`AnnotateError`] for a picture that JPEG cannot hold (a side over 65535 pixels, or none).
pub fn encode_jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, AnnotateError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture)?;
    Ok(bytes)
}

fn font() -> FontRef<'static> {
    FontRef::try_from_slice(dejavu::sans::bold()).expect("the font is part of the program")
}

/// Pixels of the photo.
#[derive(Debug, Clone, Copy)]
struct Size {
    width: f32,
    height: f32,
}

impl Size {
    fn longer(self) -> f32 {
        self.width.max(self.height)
    }

    fn line_px(self, face: &BoundingBox) -> f32 {
        (face.side_px() * 0.03).clamp(1.0, (self.longer() / 600.0).max(2.0)).round()
    }

    fn text_px(self, face: &BoundingBox) -> f32 {
        let (least, most) = (self.longer() * TEXT_MIN, self.longer() * TEXT_MAX);
        (face.side_px() * TEXT_OF_FACE).clamp(least.max(9.0), most.max(10.0))
    }
}

/// A label's size before it has a place.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tag {
    width: f32,
    height: f32,
    text_px: f32,
}

/// Where each tag goes, inside the photo, none over a tag placed before it, and over other faces only when nothing else is
/// left: below the face, above, then shifted; the nearest free place wins. Empty tags have none.
fn place(tags: &[Tag], faces: &[BoundingBox], size: Size) -> Vec<Option<BoundingBox>> {
    let mut placed: Vec<Option<BoundingBox>> = Vec::with_capacity(tags.len());
    for (i, tag) in tags.iter().enumerate() {
        let cost = |at: &BoundingBox| {
            let over_tags: f32 = placed.iter().flatten().map(|other| overlap(at, other)).sum();
            let others = faces.iter().enumerate().filter(|(j, _)| *j != i);
            let over_faces: f32 = others.map(|(_, face)| overlap(at, face)).sum();
            10.0 * over_tags + over_faces
        };
        let candidates = if tag.width > 0.0 { candidates(tag, &faces[i], size) } else { Vec::new() };
        placed.push(candidates.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b))));
    }
    placed
}

/// Places around a face, best first; of equal cost the first is taken.
fn candidates(tag: &Tag, face: &BoundingBox, size: Size) -> Vec<BoundingBox> {
    let gap = tag.height * 0.12;
    let middle = face.centre().x - tag.width / 2.0;
    let (left, right) = (face.x1 - tag.width * 0.75, face.x2 - tag.width * 0.25);
    let mut places = Vec::new();
    for step in 0..4 {
        let further = tag.height * 1.1 * step as f32;
        for x in [middle, left, right] {
            for y in [face.y2 + gap + further, face.y1 - gap - tag.height - further] {
                let x = x.clamp(0.0, (size.width - tag.width).max(0.0));
                let y = y.clamp(0.0, (size.height - tag.height).max(0.0));
                places.push(BoundingBox::from_xywh(x, y, tag.width, tag.height));
            }
        }
    }
    places
}

fn overlap(a: &BoundingBox, b: &BoundingBox) -> f32 {
    let width = a.x2.min(b.x2) - a.x1.max(b.x1);
    let height = a.y2.min(b.y2) - a.y1.max(b.y1);
    width.max(0.0) * height.max(0.0)
}

/// The picture that is drawn on.
struct Canvas {
    picture: RgbImage,
    font: FontRef<'static>,
}

impl Canvas {
    fn tag(&self, mark: &Mark, size: Size) -> Tag {
        if mark.label.is_empty() {
            return Tag { width: 0.0, height: 0.0, text_px: 0.0 };
        }
        let text_px = size.text_px(&mark.bbox);
        let width = self.text_width(&mark.label, text_px) + text_px * 0.7;
        Tag { width, height: text_px * 1.35, text_px }
    }

    /// A thin dark rim on both sides keeps every line visible on every background.
    fn outline(&mut self, mark: &Mark, line_px: f32) {
        let rim = (line_px * 0.5).max(1.0);
        self.stroke(&mark.bbox, mark.tone, (line_px + 2.0 * rim, rim), SHADE, 110);
        self.stroke(&mark.bbox, mark.tone, (line_px, 0.0), mark.tone.colour(), 255);
    }

    /// The four sides as a tone draws them: whole, dashed, or only the corners. The line lies outside the box; `(width, rim)`
    /// in pixels, the rim also lengthens every piece.
    fn stroke(&mut self, b: &BoundingBox, tone: Tone, (width, rim): (f32, f32), colour: Rgb<u8>, alpha: u8) {
        let outer = BoundingBox::new(b.x1 - width + rim, b.y1 - width + rim, b.x2 + width - rim, b.y2 + width - rim);
        for (from, to) in pieces(outer.width(), tone) {
            let (x1, x2) = (outer.x1 + from - rim, outer.x1 + to + rim);
            self.fill(&BoundingBox::new(x1, outer.y1, x2, outer.y1 + width), colour, alpha);
            self.fill(&BoundingBox::new(x1, outer.y2 - width, x2, outer.y2), colour, alpha);
        }
        for (from, to) in pieces(outer.height(), tone) {
            let (y1, y2) = (outer.y1 + from - rim, outer.y1 + to + rim);
            self.fill(&BoundingBox::new(outer.x1, y1, outer.x1 + width, y2), colour, alpha);
            self.fill(&BoundingBox::new(outer.x2 - width, y1, outer.x2, y2), colour, alpha);
        }
    }

    fn label(&mut self, place: &BoundingBox, tag: &Tag, mark: &Mark) {
        self.fill(place, mark.tone.colour(), 235);
        let start = (place.x1 + tag.text_px * 0.35, place.y1 + tag.text_px * 1.02);
        self.text(&mark.label, tag.text_px, start, mark.tone.ink());
    }

    fn legend(&mut self, text: &str, size: Size) {
        let text_px = (size.longer() * 0.014).max(11.0);
        let band = BoundingBox::new(0.0, size.height - text_px * 1.9, size.width, size.height);
        self.fill(&band, SHADE, 200);
        self.text(text, text_px, (text_px * 0.8, size.height - text_px * 0.62), WHITE);
    }

    fn text_width(&self, text: &str, text_px: f32) -> f32 {
        let font = self.font.as_scaled(PxScale::from(text_px));
        text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
    }

    /// Writes a line of text; `start` is the left end of its base line.
    fn text(&mut self, text: &str, text_px: f32, start: (f32, f32), ink: Rgb<u8>) {
        let scale = PxScale::from(text_px);
        let mut x = start.0;
        for c in text.chars() {
            let font = self.font.as_scaled(scale);
            let id = font.glyph_id(c);
            let glyph: Glyph = id.with_scale_and_position(scale, point(x, start.1));
            x += font.h_advance(id);
            if let Some(outline) = self.font.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                let picture = &mut self.picture;
                outline.draw(|dx, dy, cover| {
                    let (px, py) = (bounds.min.x as i64 + i64::from(dx), bounds.min.y as i64 + i64::from(dy));
                    blend(picture, px, py, ink, cover.clamp(0.0, 1.0));
                });
            }
        }
    }

    fn fill(&mut self, area: &BoundingBox, colour: Rgb<u8>, alpha: u8) {
        let inside = area.clipped(self.picture.width(), self.picture.height());
        let share = f32::from(alpha) / 255.0;
        for y in inside.y1.round() as i64..inside.y2.round() as i64 {
            for x in inside.x1.round() as i64..inside.x2.round() as i64 {
                blend(&mut self.picture, x, y, colour, share);
            }
        }
    }
}

/// The pieces of a side of `length` pixels that a tone draws, from and to.
fn pieces(length: f32, tone: Tone) -> Vec<(f32, f32)> {
    match tone {
        Tone::Match => vec![(0.0, length)],
        Tone::Doubt => {
            // Nine pieces, five of them drawn, so that a dash stands at each end.
            let piece = length / 9.0;
            (0..9).step_by(2).map(|i| (piece * i as f32, piece * (i + 1) as f32)).collect()
        }
        Tone::Stranger => vec![(0.0, length * 0.25), (length * 0.75, length)],
    }
}

fn blend(picture: &mut RgbImage, x: i64, y: i64, colour: Rgb<u8>, share: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
        for (old, new) in pixel.0.iter_mut().zip(colour.0) {
            *old = (f32::from(*old) * (1.0 - share) + f32::from(new) * share).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn photo() -> RgbImage {
        RgbImage::from_pixel(400, 300, Rgb([120, 130, 140]))
    }

    fn mark(x: f32, y: f32, side: f32, tone: Tone) -> Mark {
        Mark { bbox: BoundingBox::from_xywh(x, y, side, side), label: "CSE-A-11".into(), tone }
    }

    #[test]
    fn box_is_drawn_around_the_face_and_leaves_it_alone() {
        for tone in [Tone::Match, Tone::Doubt, Tone::Stranger] {
            let drawn = annotate(&photo(), &[mark(100.0, 80.0, 60.0, tone)], None);
            assert_eq!(drawn.dimensions(), (400, 300));
            assert_eq!(drawn.get_pixel(99, 79), &tone.colour(), "corner of {tone:?}");
            let face = || (101..159).flat_map(|x| (81..139).map(move |y| (x, y)));
            assert!(face().all(|(x, y)| drawn.get_pixel(x, y) == photo().get_pixel(x, y)), "{tone:?}");
        }
    }

    #[test]
    fn tones_differ_without_colour() {
        let drawn = |tone| pieces(90.0, tone).iter().map(|(from, to)| to - from).sum::<f32>();
        assert!(drawn(Tone::Match) > drawn(Tone::Doubt) && drawn(Tone::Doubt) > drawn(Tone::Stranger));
    }

    #[test]
    fn legend_keeps_the_size_and_is_written_at_the_bottom() {
        let drawn = annotate(&photo(), &[], Some("3 faces: 2 named"));
        assert_eq!(drawn.dimensions(), (400, 300));
        assert_eq!(drawn.get_pixel(200, 100), photo().get_pixel(200, 100));
        assert_ne!(drawn.get_pixel(399, 295), photo().get_pixel(399, 295));
    }

    #[test]
    fn jpeg_of_nothing_is_an_error_not_a_panic() {
        assert!(encode_jpeg(&RgbImage::new(0, 0), 90).is_err());
        assert!(encode_jpeg(&photo(), 90).unwrap().starts_with(&[0xFF, 0xD8]));
    }

    #[test]
    fn neighbours_in_a_row_have_labels_that_do_not_touch() {
        let size = Size { width: 1000.0, height: 300.0 };
        let faces: Vec<BoundingBox> =
            (0..8).map(|i| BoundingBox::from_xywh(100.0 + 60.0 * i as f32, 120.0, 40.0, 50.0)).collect();
        let tags = vec![Tag { width: 75.0, height: 14.0, text_px: 10.0 }; 8];
        let placed: Vec<BoundingBox> = place(&tags, &faces, size).into_iter().flatten().collect();
        for (i, a) in placed.iter().enumerate() {
            assert!(placed[i + 1..].iter().all(|b| overlap(a, b) == 0.0), "{placed:?}");
            assert!(faces.iter().all(|face| overlap(a, face) == 0.0), "{placed:?}");
        }
    }

    proptest! {
        #[test]
        fn any_box_can_be_drawn_and_labels_stay_inside(
            x in -500.0_f32..900.0, y in -500.0_f32..900.0, side in 0.0_f32..2000.0,
        ) {
            let marks = [mark(x, y, side, Tone::Match), mark(y, x, side, Tone::Doubt)];
            prop_assert_eq!(annotate(&photo(), &marks, Some("x")).dimensions(), (400, 300));
            let size = Size { width: 400.0, height: 300.0 };
            let tags = [Tag { width: 75.0, height: 14.0, text_px: 10.0 }; 2];
            for at in place(&tags, &marks.map(|m| m.bbox), size).into_iter().flatten() {
                prop_assert!(at.x1 >= 0.0 && at.y1 >= 0.0 && at.x2 <= 400.0 && at.y2 <= 300.0);
            }
        }
    }
}
