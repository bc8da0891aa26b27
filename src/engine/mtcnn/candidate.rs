//! The box arithmetic of the cascade: cells to boxes, regression, squares, crops, landmarks.
//!
//! Pure. Follows facenet-pytorch (`models/utils/detect_face.py`) to the letter, in f32 as there. Inside the cascade a box has
//! the convention of that code, which came from Matlab: **1-based, inclusive** corners. [`Candidate::detection`] is the one
//! place where it becomes a [`BoundingBox`] of this project: zero-based and half-open, so 1 is taken from the left and top
//! edge while the right and bottom edge keep their numbers (inclusive 1-based `x2` is the same position as half-open zero-based).
//! Landmarks are zero-based pixel positions already.

use crate::domain::geometry::{BoundingBox, Detection, Landmarks, Point};
use crate::vision::tensor::PixelRect;

use super::pyramid::{CELL_PX, STRIDE_PX};

/// A box that may hold a face, in the convention of the cascade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub bbox: BoundingBox,
    pub score: f32,
    /// Where the net wants the edges moved: left, top, right, bottom, in widths and heights of the box.
    pub shift: [f32; 4],
}

/// How the code of the reference measures a box before it moves its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// `x2 - x1`: P-Net.
    Distance,
    /// `x2 - x1 + 1`: R- and O-Net.
    Inclusive,
}

/// The box of a P-Net cell: `floor((2c + 1) / scale)` to `floor((2c + 12) / scale)`.
pub(super) fn cell_box(row: u32, column: u32, scale: f64) -> BoundingBox {
    let scale = scale as f32;
    let edge = |cell: u32, offset: u32| ((STRIDE_PX * cell + offset) as f32 / scale).floor();
    BoundingBox::new(edge(column, 1), edge(row, 1), edge(column, CELL_PX), edge(row, CELL_PX))
}

impl Candidate {
    /// The box with its edges moved as the net wants.
    pub(super) fn moved(&self, measure: Measure) -> BoundingBox {
        let b = self.bbox;
        let extra = if measure == Measure::Inclusive { 1.0 } else { 0.0 };
        let (w, h) = (b.x2 - b.x1 + extra, b.y2 - b.y1 + extra);
        let [left, top, right, bottom] = self.shift;
        BoundingBox::new(b.x1 + left * w, b.y1 + top * h, b.x2 + right * w, b.y2 + bottom * h)
    }

    /// `values` = x0..x4, y0..y4 in widths and heights of the box before it was moved.
    pub(super) fn landmarks(&self, values: &[f32]) -> Landmarks {
        let b = self.bbox;
        let (w, h) = (b.x2 - b.x1 + 1.0, b.y2 - b.y1 + 1.0);
        std::array::from_fn(|i| Point::new(values[i] * w + b.x1 - 1.0, values[i + 5] * h + b.y1 - 1.0))
    }

    /// The face in the project's own convention.
    pub(super) fn detection(&self, landmarks: &[f32]) -> Detection {
        let b = self.moved(Measure::Inclusive);
        let bbox = BoundingBox::new(b.x1 - 1.0, b.y1 - 1.0, b.x2, b.y2);
        Detection { bbox, score: self.score, landmarks: self.landmarks(landmarks) }
    }
}

/// The square of the longer side around the same centre.
pub(super) fn square(b: BoundingBox) -> BoundingBox {
    let (w, h) = (b.x2 - b.x1, b.y2 - b.y1);
    let side = w.max(h);
    let (x1, y1) = (b.x1 + w * 0.5 - side * 0.5, b.y1 + h * 0.5 - side * 0.5);
    BoundingBox::new(x1, y1, x1 + side, y1 + side)
}

/// The pixels behind a box: corners truncated, clipped to the photo. `None` when nothing is left.
pub(super) fn crop(b: BoundingBox, width: u32, height: u32) -> Option<PixelRect> {
    let span = |from: f32, to: f32, length: u32| {
        let (first, last) = ((from as i64).max(1), (to as i64).min(i64::from(length)));
        let count = u32::try_from(last - first + 1).ok().filter(|n| *n > 0)?;
        Some((u32::try_from(first - 1).ok()?, count))
    };
    let (x, width) = span(b.x1, b.x2, width)?;
    let (y, height) = span(b.y1, b.y2, height)?;
    Some(PixelRect { x, y, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_at_full_scale_is_twelve_pixels_one_based() {
        assert_eq!(cell_box(0, 3, 1.0), BoundingBox::new(7.0, 1.0, 18.0, 12.0));
        // In f32, as torch divides: 7 / 0.6 = 11.67, 12 / 0.6 = 20, but 18 / 0.6 = 29.999998.
        assert_eq!(cell_box(0, 3, 0.6), BoundingBox::new(11.0, 1.0, 29.0, 20.0));
    }

    #[test]
    fn a_crop_is_truncated_and_clipped() {
        let crop_of = |x1, y1, x2, y2| crop(BoundingBox::new(x1, y1, x2, y2), 100, 50);
        assert_eq!(crop_of(1.9, 2.0, 12.9, 13.0), Some(PixelRect { x: 0, y: 1, width: 12, height: 12 }));
        assert_eq!(crop_of(-5.5, -3.0, 10.0, 70.0), Some(PixelRect { x: 0, y: 0, width: 10, height: 50 }));
        assert_eq!(crop_of(101.0, 1.0, 120.0, 20.0), None);
        assert_eq!(crop_of(5.0, -9.0, 20.0, 0.5), None);
    }

    #[test]
    fn one_based_inclusive_becomes_zero_based_half_open() {
        let candidate = Candidate { bbox: BoundingBox::new(1.0, 1.0, 10.0, 20.0), score: 0.9, shift: [0.0; 4] };
        let face = candidate.detection(&[0.0, 1.0, 0.5, 0.5, 0.5, 0.0, 1.0, 0.5, 0.5, 0.5]);
        assert_eq!(face.bbox, BoundingBox::new(0.0, 0.0, 10.0, 20.0));
        assert_eq!((face.landmarks[0], face.landmarks[1]), (Point::new(0.0, 0.0), Point::new(10.0, 20.0)));
    }

    #[test]
    fn squares_keep_the_centre() {
        assert_eq!(square(BoundingBox::new(10.0, 10.0, 20.0, 40.0)), BoundingBox::new(0.0, 10.0, 30.0, 40.0));
    }

    #[test]
    fn edges_move_by_shares_of_the_side() {
        let candidate =
            Candidate { bbox: BoundingBox::new(10.0, 10.0, 19.0, 29.0), score: 0.0, shift: [0.1, -0.1, 0.0, 0.5] };
        assert_eq!(candidate.moved(Measure::Inclusive), BoundingBox::new(11.0, 8.0, 19.0, 39.0));
    }
}
