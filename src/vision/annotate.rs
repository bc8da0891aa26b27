//! Draws what was recognised onto a photo, for a teacher to check at a glance.
//!
//! A verdict is told by colour and by line, so that it survives colour blindness and a grey printer: a match has a solid
//! green frame, a doubt a dashed amber one and a question mark, a stranger violet corners. Called by `app` and `cli`; it
//! decides nothing and prints only the labels it is given.

mod layout;
mod paint;
mod text;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{Rgb, RgbImage};
use thiserror::Error;

use crate::domain::geometry::BoundingBox;
use layout::Tag;
use paint::Pattern;
use text::Lettering;

/// What a frame says about its face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// A student of the class.
    Match,
    /// Perhaps the student of the label; waits for the teacher.
    Doubt,
    /// Nobody of the class.
    Stranger,
}

impl Tone {
    const ALL: [Self; 3] = [Self::Match, Self::Doubt, Self::Stranger];

    const fn word(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Doubt => "doubt",
            Self::Stranger => "stranger",
        }
    }

    /// After M. Okabe and K. Ito, "Color Universal Design", 2008, darkened until the lettering has a contrast of 4.5:1.
    const fn colour(self) -> Rgb<u8> {
        match self {
            Self::Match => Rgb([0, 122, 88]),
            Self::Doubt => Rgb([240, 168, 0]),
            Self::Stranger => Rgb([138, 62, 150]),
        }
    }

    const fn lettering(self) -> Rgb<u8> {
        match self {
            Self::Match | Self::Stranger => WHITE,
            Self::Doubt => Rgb([24, 18, 0]),
        }
    }

    /// Light around dark lines and dark around the light one.
    const fn halo(self) -> Rgb<u8> {
        match self {
            Self::Match | Self::Stranger => WHITE,
            Self::Doubt => SHADOW,
        }
    }

    const fn pattern(self) -> Pattern {
        match self {
            Self::Match => Pattern::Solid,
            Self::Doubt => Pattern::Dashed,
            Self::Stranger => Pattern::Corners,
        }
    }
}

/// One face to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Pixels of the photo; what lies outside it is cut.
    pub bbox: BoundingBox,
    /// Short, such as a roll number; empty for no tag. A doubt gets a question mark when it has none. Letters outside Latin,
    /// Greek, Cyrillic, Arabic and the other scripts of DejaVu Sans show as boxes.
    pub label: String,
    pub tone: Tone,
}

/// Why an annotated photo was not written.
#[derive(Debug, Error)]
#[error("the drawing cannot be written as JPEG: {0}")]
pub struct EncodeError(#[from] image::ImageError);

const WHITE: Rgb<u8> = Rgb([255; 3]);
const SHADOW: Rgb<u8> = Rgb([0; 3]);
const STRIP: Rgb<u8> = Rgb([22, 30, 40]);

/// Photos smaller than this are drawn enlarged: lettering needs pixels that a small photo of many faces does not have.
const COMFORTABLE_PX: u32 = 1400;

/// A copy of `photo` with a frame and a tag for every mark.
///
/// A photo with a long side under 1400 pixels comes back two or three times as large. With a `legend` a dark strip below the
/// photo holds it, next to the key of the tones in use. Tags keep inside the photo and off other faces and tags where there
/// is room. Marks whose box is outside the photo or not finite are left out.
pub fn annotate(photo: &RgbImage, marks: &[Mark], legend: Option<&str>) -> RgbImage {
    let mut drawing = enlarged(photo);
    let (width, height) = drawing.dimensions();
    let scale = width as f32 / photo.width().max(1) as f32;
    let marks: Vec<Placed> = marks.iter().filter_map(|mark| Placed::on(mark, scale, width, height)).collect();
    let lettering = Lettering::new();
    let sizes = Sizes::of(&drawing);

    for mark in &marks {
        draw_frame(&mut drawing, &mark.bbox, mark.tone, &sizes);
    }
    let tags: Vec<Option<Tag>> = marks.iter().map(|mark| tag(mark, &sizes, &lettering)).collect();
    let boxes: Vec<BoundingBox> = marks.iter().map(|mark| mark.bbox).collect();
    let places = layout::place(&boxes, &tags, width, height);
    for ((place, tag), mark) in places.iter().zip(&tags).zip(&marks) {
        if let (Some(place), Some(tag)) = (place, tag) {
            draw_tag(&mut drawing, place, tag, mark.tone, &lettering);
        }
    }
    match legend {
        Some(legend) => with_strip(&drawing, legend, &tones_of(&marks), &sizes, &lettering),
        None => drawing,
    }
}

/// JPEG bytes; `quality` is 1..=100.
///
/// # Errors
/// [`EncodeError`] for a picture without pixels or one with a side beyond 65,535.
pub fn encode_jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture)?;
    Ok(bytes)
}

/// Everything that follows from the size of the photo, in pixels: a drawing is looked at as a whole, mostly on a screen that
/// shows it smaller than it is.
struct Sizes {
    text_min: f32,
    text_max: f32,
    line_min: f32,
    line_max: f32,
}

impl Sizes {
    fn of(photo: &RgbImage) -> Self {
        let long_side = photo.width().max(photo.height()) as f32;
        Self {
            text_min: (long_side / 105.0).max(12.0),
            text_max: (long_side / 60.0).max(14.0),
            line_min: (long_side / 1000.0).max(1.5),
            line_max: (long_side / 480.0).max(2.0),
        }
    }

    fn text_px(&self, bbox: &BoundingBox) -> f32 {
        (bbox.width() * 0.36).clamp(self.text_min, self.text_max).round()
    }

    fn line_px(&self, bbox: &BoundingBox) -> f32 {
        (bbox.side_px() * 0.04).clamp(self.line_min, self.line_max)
    }
}

/// A mark that is visible, in pixels of the drawing.
struct Placed<'a> {
    bbox: BoundingBox,
    label: &'a str,
    tone: Tone,
}

impl<'a> Placed<'a> {
    fn on(mark: &'a Mark, scale: f32, width: u32, height: u32) -> Option<Self> {
        let edges = [mark.bbox.x1, mark.bbox.y1, mark.bbox.x2, mark.bbox.y2].map(|edge| edge * scale);
        let [x1, y1, x2, y2] = edges;
        let bbox = BoundingBox::new(x1, y1, x2, y2).clipped(width, height);
        let visible = edges.iter().all(|edge| edge.is_finite()) && bbox.area() > 0.0;
        visible.then_some(Self { bbox, label: mark.label.trim(), tone: mark.tone })
    }
}

fn enlarged(photo: &RgbImage) -> RgbImage {
    let (width, height) = photo.dimensions();
    let times = COMFORTABLE_PX.div_ceil(width.max(height).max(1)).clamp(1, 3);
    match times {
        1 => photo.clone(),
        _ => image::imageops::resize(photo, times * width, times * height, FilterType::CatmullRom),
    }
}

fn tag(mark: &Placed<'_>, sizes: &Sizes, lettering: &Lettering) -> Option<Tag> {
    let mut label = mark.label.to_owned();
    if mark.tone == Tone::Doubt && !label.ends_with('?') {
        label.push('?');
    }
    (!label.is_empty()).then(|| {
        let text_px = sizes.text_px(&mark.bbox);
        Tag {
            width: lettering.width(&label, text_px) + 0.7 * text_px,
            height: 1.25 * text_px,
            gap: sizes.line_px(&mark.bbox) + 0.08 * text_px,
            text_px,
            label,
        }
    })
}

fn tones_of(marks: &[Placed<'_>]) -> Vec<Tone> {
    Tone::ALL.into_iter().filter(|tone| marks.iter().any(|mark| mark.tone == *tone)).collect()
}

/// The frame lies around the face, not on it; a thin halo keeps it visible on any background.
fn draw_frame(drawing: &mut RgbImage, bbox: &BoundingBox, tone: Tone, sizes: &Sizes) {
    // Corners have little line to be seen by.
    let line_px = sizes.line_px(bbox) * if tone.pattern() == Pattern::Corners { 1.4 } else { 1.0 };
    let around = paint::grown(bbox, line_px / 2.0);
    let radius = (0.1 * bbox.side_px()).min(4.0 * line_px);
    let frame = paint::Frame { area: around, radius, line_px, pattern: tone.pattern() };
    let halo_px = line_px + (0.7 * line_px).max(1.6);
    paint::stroke(drawing, &paint::Frame { line_px: halo_px, ..frame }, tone.halo(), 0.7);
    paint::stroke(drawing, &frame, tone.colour(), 1.0);
}

fn draw_tag(drawing: &mut RgbImage, place: &BoundingBox, tag: &Tag, tone: Tone, lettering: &Lettering) {
    let radius = 0.22 * place.height();
    paint::fill(drawing, &paint::grown(place, (0.04 * tag.text_px).max(0.8)), radius, SHADOW, 0.45);
    paint::fill(drawing, place, radius, tone.colour(), 1.0);
    let x = place.centre().x - lettering.width(&tag.label, tag.text_px) / 2.0;
    lettering.draw(drawing, &tag.label, tag.text_px, (x, place.centre().y), tone.lettering());
}

/// The drawing on top of a strip with the legend at the left and the key at the right.
fn with_strip(drawing: &RgbImage, legend: &str, tones: &[Tone], sizes: &Sizes, lettering: &Lettering) -> RgbImage {
    let (width, height) = drawing.dimensions();
    let text_px = (sizes.text_min * 1.15).round();
    let strip_px = 2.2 * text_px;
    let mut picture = RgbImage::from_pixel(width, height + strip_px.ceil() as u32, STRIP);
    image::imageops::replace(&mut picture, drawing, 0, 0);

    let middle_y = height as f32 + strip_px / 2.0;
    let key_start = draw_key(&mut picture, tones, text_px, middle_y, lettering);
    let room = key_start - 2.0 * text_px;
    let legend = lettering.shortened(legend, text_px, room);
    lettering.draw(&mut picture, &legend, text_px, (0.8 * text_px, middle_y), WHITE);
    picture
}

/// Samples of the frames in use with their words, from the right edge inwards. Returns where the key starts.
fn draw_key(picture: &mut RgbImage, tones: &[Tone], text_px: f32, middle_y: f32, lettering: &Lettering) -> f32 {
    let sample_px = 1.1 * text_px;
    let widths: Vec<f32> =
        tones.iter().map(|t| sample_px + 0.5 * text_px + lettering.width(t.word(), text_px)).collect();
    let gaps = 1.2 * text_px * tones.len().saturating_sub(1) as f32;
    let start = picture.width() as f32 - 0.8 * text_px - gaps - widths.iter().sum::<f32>();
    let mut x = start;
    for (tone, width) in tones.iter().zip(widths) {
        let area = BoundingBox::from_xywh(x, middle_y - sample_px / 2.0, sample_px, sample_px);
        let line_px = (0.14 * text_px).max(1.5);
        paint::fill(picture, &area, 0.2 * sample_px, WHITE, 0.92);
        let frame = paint::Frame { area: paint::grown(&area, -line_px), radius: 0.0, line_px, pattern: tone.pattern() };
        paint::stroke(picture, &frame, tone.colour(), 1.0);
        lettering.draw(picture, tone.word(), text_px, (x + sample_px + 0.5 * text_px, middle_y), WHITE);
        x += width + 1.2 * text_px;
    }
    start
}

#[cfg(test)]
mod tests;
