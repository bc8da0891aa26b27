//! What the nine outputs of an SCRFD net say, as faces in pixels of its input.
//!
//! Pure. The rules are those of InsightFace (`python-package/insightface/model_zoo/scrfd.py`): three strides, two anchors a
//! cell, anchor centre `(column, row) * stride`; the score is a sigmoid already; distances and landmarks are in strides.

use crate::domain::geometry::{BoundingBox, Detection, Point};
use crate::engine::net::Tensor;

/// Input pixels from one cell to the next, for each of the three heads.
pub(super) const STRIDES: [u32; 3] = [8, 16, 32];
/// Anchors in each cell.
const ANCHORS: u32 = 2;
/// Numbers that each head gives for an anchor: score, distances to the four edges, five landmarks.
pub(super) const WIDTHS: [usize; 3] = [1, 4, 10];

/// Anchors of the head of this stride, for an input of this width and height.
pub(super) const fn anchors([width, height]: [u32; 2], stride: u32) -> usize {
    ANCHORS as usize * (width / stride) as usize * (height / stride) as usize
}

/// The faces of item `item` of a batch that score `threshold` or more, in the order of the anchors.
///
/// `outputs`: scores `[n, anchors, 1]` for the three strides, then edges `[n, anchors, 4]`, then landmarks
/// `[n, anchors, 10]`, for an input of `input_px` (width and height).
///
/// # Panics
/// When the outputs are not nine of these shapes; the net's spec makes sure of them.
pub(super) fn faces(outputs: &[Tensor], item: usize, input_px: [u32; 2], threshold: f32) -> Vec<Detection> {
    assert_eq!(outputs.len(), STRIDES.len() * WIDTHS.len(), "scores, edges and landmarks of three strides");
    let mut faces = Vec::new();
    for (head, stride) in STRIDES.into_iter().enumerate() {
        let count = anchors(input_px, stride);
        let values = |kind: usize| {
            let width = WIDTHS[kind];
            &outputs[kind * STRIDES.len() + head].data[item * count * width..][..count * width]
        };
        let (scores, edges, landmarks) = (values(0), values(1).as_chunks::<4>().0, values(2).as_chunks::<10>().0);
        for (anchor, score) in scores.iter().enumerate().filter(|(_, score)| **score >= threshold) {
            let centre = anchor_centre(anchor, input_px, stride);
            faces.push(face(centre, stride as f32, *score, &edges[anchor], &landmarks[anchor]));
        }
    }
    faces
}

fn anchor_centre(anchor: usize, [width, _]: [u32; 2], stride: u32) -> Point {
    let (cell, columns) = (anchor / ANCHORS as usize, (width / stride) as usize);
    Point::new((cell % columns) as f32 * stride as f32, (cell / columns) as f32 * stride as f32)
}

/// `edges`: distances to left, top, right and bottom; `landmarks`: x and y by turns, from the centre; all in strides.
fn face(centre: Point, stride: f32, score: f32, edges: &[f32; 4], landmarks: &[f32; 10]) -> Detection {
    let [left, top, right, bottom] = edges.map(|v| v * stride);
    let bbox = BoundingBox::new(centre.x - left, centre.y - top, centre.x + right, centre.y + bottom);
    let place = |i: usize| Point::new(centre.x + landmarks[2 * i] * stride, centre.y + landmarks[2 * i + 1] * stride);
    Detection { bbox, score, landmarks: std::array::from_fn(place) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outputs of a batch of two for 64 x 96 pixels, all zero.
    fn silent() -> Vec<Tensor> {
        let shape = |kind: usize, stride: u32| vec![2, anchors([64, 96], stride), WIDTHS[kind]];
        let blank = |kind, stride| {
            let shape: Vec<usize> = shape(kind, stride);
            let len = shape.iter().product();
            Tensor::new(shape, vec![0.0; len])
        };
        (0..3).flat_map(|kind| STRIDES.map(|stride| blank(kind, stride))).collect()
    }

    #[test]
    fn an_anchor_is_where_its_cell_is_and_distances_are_strides() {
        let mut outputs = silent();
        // Second item, stride 16: row 2, column 1, second anchor = (2 * 4 + 1) * 2 + 1 = 19 of 48.
        outputs[1].data[48 + 19] = 0.75;
        outputs[4].data[(48 + 19) * 4..][..4].copy_from_slice(&[0.5, 1.0, 0.25, 2.0]);
        outputs[7].data[(48 + 19) * 10..][..4].copy_from_slice(&[-0.5, -0.25, 0.5, 1.5]);
        assert_eq!(faces(&outputs, 0, [64, 96], 0.5), []);
        let found = faces(&outputs, 1, [64, 96], 0.5);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].bbox, BoundingBox::new(8.0, 16.0, 20.0, 64.0));
        assert_eq!(found[0].score, 0.75);
        assert_eq!(found[0].landmarks[..2], [Point::new(8.0, 28.0), Point::new(24.0, 56.0)]);
        assert_eq!(found[0].landmarks[4], Point::new(16.0, 32.0));
    }

    #[test]
    fn the_threshold_itself_counts() {
        let mut outputs = silent();
        outputs[2].data[0] = 0.5;
        assert_eq!(faces(&outputs, 0, [64, 96], 0.5).len(), 1);
        assert_eq!(faces(&outputs, 0, [64, 96], 0.500_001).len(), 0);
    }
}
