//! Points, boxes and detections in photo coordinates: pixels of the upright photo, origin at its top left corner,
//! x to the right and y down; the pixel in column 0 covers x from 0 to 1.

use serde::{Deserialize, Serialize};

/// A position in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

impl Point {
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Euclidean distance in pixels.
    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// Left eye, right eye, nose tip, left mouth corner, right mouth corner; left as seen in the picture.
pub type Landmarks = [Point; 5];

/// An axis-aligned box in pixels: `x1 <= x < x2`, `y1 <= y < y2`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BoundingBox {
    pub x1: f32,
    pub y1: f32,
    pub x2: f32,
    pub y2: f32,
}

impl BoundingBox {
    pub const fn new(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self { x1, y1, x2, y2 }
    }

    pub const fn from_xywh(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x1: x, y1: y, x2: x + w, y2: y + h }
    }

    pub fn width(&self) -> f32 {
        (self.x2 - self.x1).max(0.0)
    }

    pub fn height(&self) -> f32 {
        (self.y2 - self.y1).max(0.0)
    }

    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    pub fn centre(&self) -> Point {
        Point::new((self.x1 + self.x2) / 2.0, (self.y1 + self.y2) / 2.0)
    }

    /// The longer side in pixels: what "a face of 20 px" means everywhere in rollcall.
    pub fn side_px(&self) -> f32 {
        self.width().max(self.height())
    }

    /// The part of the box that lies in a picture of `width` x `height` pixels.
    pub fn clipped(&self, width: u32, height: u32) -> Self {
        let (w, h) = (width as f32, height as f32);
        Self {
            x1: self.x1.clamp(0.0, w),
            y1: self.y1.clamp(0.0, h),
            x2: self.x2.clamp(0.0, w),
            y2: self.y2.clamp(0.0, h),
        }
    }

    fn intersection(&self, other: &Self) -> f32 {
        let w = self.x2.min(other.x2) - self.x1.max(other.x1);
        let h = self.y2.min(other.y2) - self.y1.max(other.y1);
        w.max(0.0) * h.max(0.0)
    }

    /// Intersection over union, 0..1; 0 when both boxes are empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other);
        ratio(shared, self.area() + other.area() - shared)
    }

    /// Intersection over the smaller area, 0..1: the "Min" overlap of the MTCNN reference.
    pub fn iom(&self, other: &Self) -> f32 {
        ratio(self.intersection(other), self.area().min(other.area()))
    }
}

fn ratio(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// A face as a detector reports it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    pub bbox: BoundingBox,
    /// The detector's own confidence, 0..1. Not a probability of identity.
    pub score: f32,
    pub landmarks: Landmarks,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_of_half_shifted_squares() {
        let a = BoundingBox::from_xywh(0.0, 0.0, 10.0, 10.0);
        let b = BoundingBox::from_xywh(5.0, 0.0, 10.0, 10.0);
        assert!((a.iou(&b) - 1.0 / 3.0).abs() < 1e-6);
        assert!((a.iom(&b) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn empty_and_disjoint_boxes_do_not_overlap() {
        let empty = BoundingBox::default();
        assert_eq!(empty.iou(&empty), 0.0);
        assert_eq!(BoundingBox::from_xywh(0.0, 0.0, 1.0, 1.0).iou(&BoundingBox::from_xywh(2.0, 2.0, 1.0, 1.0)), 0.0);
    }
}
