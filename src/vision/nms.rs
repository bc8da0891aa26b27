//! Non-maximum suppression: of boxes that overlap too much only the best stays.
//!
//! Greedy, as in every detector this project runs. Called by `engine`; knows nothing but boxes and scores.

use std::collections::HashMap;

use crate::domain::geometry::BoundingBox;

/// What "overlap" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Intersection over union.
    Union,
    /// Intersection over the smaller area: "Min" in the MTCNN reference. That reference counts its 1-based inclusive
    /// boxes with `+1` widths; on half-open boxes the same widths come out without it.
    Smaller,
}

/// Indices of the boxes that stay, best first; equal scores keep the order of the slice.
///
/// A box goes when it overlaps one that stays by more than `threshold` (0..1). Boxes and scores pair up by index.
pub fn suppress(boxes: &[BoundingBox], scores: &[f32], threshold: f32, overlap: Overlap) -> Vec<usize> {
    assert_eq!(boxes.len(), scores.len(), "one score for each box");
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a])); // stable
    let mut kept = KeptBoxes::new(boxes);
    order.retain(|&index| {
        let stays = !kept.near(index).any(|other| match overlap {
            Overlap::Union => boxes[index].iou(&boxes[other]) > threshold,
            Overlap::Smaller => boxes[index].iom(&boxes[other]) > threshold,
        });
        if stays {
            kept.insert(index);
        }
        stays
    });
    order
}

/// The boxes kept so far in a grid of squares as large as the average box, so that a crowd of thousands of candidates is
/// compared with its neighbours only.
struct KeptBoxes<'a> {
    boxes: &'a [BoundingBox],
    cell_px: f32,
    cells: HashMap<(i32, i32), Vec<usize>>,
}

impl<'a> KeptBoxes<'a> {
    fn new(boxes: &'a [BoundingBox]) -> Self {
        let mean = boxes.iter().map(BoundingBox::side_px).sum::<f32>() / boxes.len().max(1) as f32;
        Self { boxes, cell_px: mean.max(1.0), cells: HashMap::new() }
    }

    fn near(&self, index: usize) -> impl Iterator<Item = usize> {
        self.cells_of(index).filter_map(|cell| self.cells.get(&cell)).flatten().copied()
    }

    fn insert(&mut self, index: usize) {
        for cell in self.cells_of(index) {
            self.cells.entry(cell).or_default().push(index);
        }
    }

    fn cells_of(&self, index: usize) -> impl Iterator<Item = (i32, i32)> + use<> {
        let b = &self.boxes[index];
        let cell = |v: f32| (v / self.cell_px).floor() as i32;
        let (xs, ys) = (cell(b.x1)..=cell(b.x2), cell(b.y1)..=cell(b.y2));
        ys.flat_map(move |y| xs.clone().map(move |x| (x, y)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn square(x: f32, y: f32, side: f32) -> BoundingBox {
        BoundingBox::from_xywh(x, y, side, side)
    }

    #[test]
    fn the_better_of_two_overlapping_boxes_stays() {
        let boxes = [square(0.0, 0.0, 10.0), square(1.0, 0.0, 10.0), square(50.0, 0.0, 10.0)];
        assert_eq!(suppress(&boxes, &[0.8, 0.9, 0.7], 0.5, Overlap::Union), [1, 2]);
    }

    #[test]
    fn a_small_box_inside_a_large_one_goes_by_smaller_area_only() {
        let boxes = [square(0.0, 0.0, 100.0), square(40.0, 40.0, 10.0)];
        assert_eq!(suppress(&boxes, &[0.9, 0.8], 0.7, Overlap::Union), [0, 1]);
        assert_eq!(suppress(&boxes, &[0.9, 0.8], 0.7, Overlap::Smaller), [0]);
    }

    #[test]
    fn equal_scores_keep_their_order() {
        let boxes = [square(0.0, 0.0, 10.0), square(0.0, 0.0, 10.0), square(90.0, 0.0, 10.0)];
        assert_eq!(suppress(&boxes, &[1.0, 1.0, 1.0], 0.5, Overlap::Union), [0, 2]);
    }

    proptest! {
        #[test]
        fn the_grid_changes_nothing(
            sides in proptest::collection::vec((0.0_f32..300.0, 0.0_f32..300.0, 1.0_f32..120.0, 0.0_f32..1.0), 0..80),
            threshold in 0.1_f32..0.9,
        ) {
            let boxes: Vec<_> = sides.iter().map(|(x, y, s, _)| square(*x, *y, *s)).collect();
            let scores: Vec<_> = sides.iter().map(|s| s.3).collect();
            let mut order: Vec<usize> = (0..boxes.len()).collect();
            order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            let mut expected: Vec<usize> = Vec::new();
            for i in order {
                if expected.iter().all(|k| boxes[i].iou(&boxes[*k]) <= threshold) {
                    expected.push(i);
                }
            }
            prop_assert_eq!(suppress(&boxes, &scores, threshold, Overlap::Union), expected);
        }
    }
}
