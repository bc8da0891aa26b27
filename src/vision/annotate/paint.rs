//! Anti-aliased rounded rectangles. Coverage of a pixel follows from its distance to the outline.

use image::{Rgb, RgbImage};

use crate::domain::geometry::BoundingBox;

/// Which parts of a frame are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    Solid,
    /// Three dashes a side between whole corners.
    Dashed,
    /// Only the corners.
    Corners,
}

/// A rounded rectangle drawn as a line; `area` is the middle of the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) area: BoundingBox,
    pub(super) radius: f32,
    pub(super) line_px: f32,
    pub(super) pattern: Pattern,
}

/// The box with every edge moved outwards by `by` pixels.
pub(super) fn grown(bbox: &BoundingBox, by: f32) -> BoundingBox {
    BoundingBox::new(bbox.x1 - by, bbox.y1 - by, bbox.x2 + by, bbox.y2 + by)
}

/// Fills a rounded rectangle; `opacity` is 0..1.
pub(super) fn fill(picture: &mut RgbImage, area: &BoundingBox, radius: f32, colour: Rgb<u8>, opacity: f32) {
    for (x, y) in pixels_of(picture, &grown(area, 1.0)) {
        let coverage = (0.5 - distance(area, radius, x, y)).clamp(0.0, 1.0);
        blend(picture, (x, y), colour, coverage * opacity);
    }
}

/// Draws a frame; `opacity` is 0..1.
pub(super) fn stroke(picture: &mut RgbImage, frame: &Frame, colour: Rgb<u8>, opacity: f32) {
    let half = frame.line_px / 2.0;
    for (x, y) in pixels_of(picture, &grown(&frame.area, half + 1.0)) {
        let off_line = distance(&frame.area, frame.radius, x, y).abs() - half;
        let coverage = (0.5 - off_line).clamp(0.0, 1.0);
        if coverage > 0.0 {
            blend(picture, (x, y), colour, coverage * on_pattern(frame, x, y) * opacity);
        }
    }
}

/// Pixels of the picture that an area touches.
fn pixels_of(picture: &RgbImage, area: &BoundingBox) -> impl Iterator<Item = (u32, u32)> + use<> {
    let area = area.clipped(picture.width(), picture.height());
    let (x1, x2) = (area.x1.floor() as u32, area.x2.ceil() as u32);
    let (y1, y2) = (area.y1.floor() as u32, area.y2.ceil() as u32);
    (y1..y2).flat_map(move |y| (x1..x2).map(move |x| (x, y)))
}

/// Distance in pixels from the centre of pixel (x, y) to the outline, negative inside (I. Quilez, "2D distance functions").
fn distance(area: &BoundingBox, radius: f32, x: u32, y: u32) -> f32 {
    let radius = radius.min(area.width() / 2.0).min(area.height() / 2.0);
    let centre = area.centre();
    let dx = (x as f32 + 0.5 - centre.x).abs() - area.width() / 2.0 + radius;
    let dy = (y as f32 + 0.5 - centre.y).abs() - area.height() / 2.0 + radius;
    dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
}

/// 1 where the pattern has line, 0 where it has gap, between them at the pixel of the change.
fn on_pattern(frame: &Frame, x: u32, y: u32) -> f32 {
    if frame.pattern == Pattern::Solid {
        return 1.0;
    }
    let Frame { area, pattern, .. } = *frame;
    let (from_left, from_top) = (x as f32 + 0.5 - area.x1, y as f32 + 0.5 - area.y1);
    let side_distance = |along: f32, length: f32| along.min(length - along).abs();
    // The nearer pair of sides is the one that this pixel belongs to.
    let on_horizontal = side_distance(from_top, area.height()) < side_distance(from_left, area.width());
    let (along, length) = if on_horizontal { (from_left, area.width()) } else { (from_top, area.height()) };
    // Distance to the nearest end of a dash, positive within it.
    let within = match pattern {
        Pattern::Solid => return 1.0,
        Pattern::Corners => 0.22 * length - along.min(length - along),
        Pattern::Dashed => {
            // From the side alone, so that a frame and its halo fall together whatever their lines.
            let period = length / 4.0;
            let phase = (along / period).rem_euclid(1.0);
            (0.3 - phase.min(1.0 - phase)) * period
        }
    };
    (within + 0.5).clamp(0.0, 1.0)
}

/// Mixes a colour into a pixel; 0 leaves it, 1 replaces it.
pub(super) fn blend(picture: &mut RgbImage, (x, y): (u32, u32), colour: Rgb<u8>, share: f32) {
    if share <= 0.0 {
        return;
    }
    let pixel = picture.get_pixel_mut(x, y);
    for (value, target) in pixel.0.iter_mut().zip(colour.0) {
        *value = (f32::from(*value) + (f32::from(target) - f32::from(*value)) * share).round() as u8;
    }
}
