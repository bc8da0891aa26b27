//! How well a detector finds faces whatever its line: precision against recall, average precision, recall by size.
//!
//! The matching is that of the PASCAL VOC and WIDER FACE evaluations. Called by `evaluate detect`; pure.

use serde::Serialize;

use super::face_size::FaceSize;
use super::geometry::{BoundingBox, Detection};
use super::interval::Share;

/// A labelled face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledBox {
    pub bbox: BoundingBox,
    pub counts: Counts,
}

/// Whether a labelled face is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    Yes,
    /// Finding it is neither right nor wrong, as with WIDER's faces outside of a subset.
    NeitherWay,
}

/// What one photo says: one entry for each labelled face that counts, and for each box that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matched {
    /// Side in pixels of each labelled face that counts, and whether it was found.
    pub labelled: Vec<(f32, bool)>,
    /// Boxes that are right or wrong. Those on faces that count neither way are left out.
    pub found: Vec<Hit>,
}

/// A box that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The detector's confidence, 0..1.
    pub score: f32,
    /// Longer side, pixels.
    pub side_px: f32,
    pub right: bool,
}

/// One point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrecisionRecall {
    /// Boxes of this confidence and more.
    pub score: f32,
    pub recall: f64,
    pub precision: f64,
}

/// Faces of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DetectionBySize {
    pub size: FaceSize,
    /// Labelled faces of this size that were found.
    pub recall: Share,
    /// Found boxes of this size that are faces.
    pub precision: Share,
}

/// Compares one photo with its labels. Boxes are taken in the order of their confidence; each stands for the labelled face
/// that it overlaps most, at `min_iou` (0..1) or more. A second box on one face is wrong.
pub fn match_boxes(labels: &[LabelledBox], found: &[Detection], min_iou: f32) -> Matched {
    let mut order: Vec<&Detection> = found.iter().collect();
    order.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut taken = vec![false; labels.len()];
    let mut hits = Vec::with_capacity(found.len());
    for face in order {
        let overlap = |label: &LabelledBox| label.bbox.iou(&face.bbox);
        let best = (0..labels.len()).max_by(|a, b| overlap(&labels[*a]).total_cmp(&overlap(&labels[*b])));
        let best = best.filter(|i| overlap(&labels[*i]) >= min_iou);
        if best.is_some_and(|i| labels[i].counts == Counts::NeitherWay) {
            continue;
        }
        let right = best.is_some_and(|i| !std::mem::replace(&mut taken[i], true));
        hits.push(Hit { score: face.score, side_px: face.bbox.side_px(), right });
    }
    let counted = labels.iter().zip(taken).filter(|(label, _)| label.counts == Counts::Yes);
    Matched { labelled: counted.map(|(label, taken)| (label.bbox.side_px(), taken)).collect(), found: hits }
}

/// Precision and recall at every confidence at which something changes, most confident first. `labelled` is the number of
/// faces that count; no curve without any.
pub fn curve(hits: &[Hit], labelled: usize) -> Vec<PrecisionRecall> {
    let mut hits = hits.to_vec();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut points = Vec::new();
    let mut right = 0_usize;
    for (i, hit) in hits.iter().enumerate() {
        right += usize::from(hit.right);
        // Boxes of one confidence pass together or not at all.
        let is_last_of_its_score = hits.get(i + 1).is_none_or(|next| next.score != hit.score);
        if is_last_of_its_score && labelled > 0 {
            points.push(PrecisionRecall {
                score: hit.score,
                recall: right as f64 / labelled as f64,
                precision: right as f64 / (i + 1) as f64,
            });
        }
    }
    points
}

/// Area under the curve, 0..1, with the precision at a recall being the best at that recall or beyond (PASCAL VOC 2010, "all
/// points"). What lies beyond the last point, because the pack's own line keeps fainter boxes back, counts as nothing.
pub fn average_precision(curve: &[PrecisionRecall]) -> f64 {
    let (mut area, mut best) = (0.0, 0.0_f64);
    for i in (0..curve.len()).rev() {
        best = best.max(curve[i].precision);
        let before = if i == 0 { 0.0 } else { curve[i - 1].recall };
        area += (curve[i].recall - before) * best;
    }
    area
}

/// Recall by the size of the labelled face and precision by the size of the box, for sizes that there are.
pub fn by_size(photos: &[Matched]) -> Vec<DetectionBySize> {
    let count = |size: FaceSize| {
        let labelled = photos.iter().flat_map(|p| &p.labelled).filter(|(side_px, _)| FaceSize::of(*side_px) == size);
        let found = photos.iter().flat_map(|p| &p.found).filter(|hit| FaceSize::of(hit.side_px) == size);
        let part = |(right, all): (usize, usize), is_right: bool| (right + usize::from(is_right), all + 1);
        let (seen, labelled) = labelled.fold((0, 0), |sum, (_, seen)| part(sum, *seen));
        let (right, found) = found.fold((0, 0), |sum, hit| part(sum, hit.right));
        DetectionBySize {
            size,
            recall: Share::of_independent(seen, labelled),
            precision: Share::of_independent(right, found),
        }
    };
    FaceSize::all().map(count).filter(|row| row.recall.of + row.precision.of > 0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label(x: f32, counts: Counts) -> LabelledBox {
        LabelledBox { bbox: BoundingBox::from_xywh(x, 0.0, 20.0, 20.0), counts }
    }

    fn found(x: f32, score: f32) -> Detection {
        Detection { bbox: BoundingBox::from_xywh(x, 0.0, 20.0, 20.0), score, landmarks: Default::default() }
    }

    fn hit(score: f32, right: bool) -> Hit {
        Hit { score, side_px: 20.0, right }
    }

    #[test]
    fn a_second_box_on_a_face_is_wrong_and_one_on_an_ignored_face_is_nothing() {
        let labels = [label(0.0, Counts::Yes), label(50.0, Counts::NeitherWay), label(100.0, Counts::Yes)];
        let boxes = [found(2.0, 0.7), found(0.0, 0.9), found(50.0, 0.8), found(200.0, 0.6)];
        let matched = match_boxes(&labels, &boxes, 0.5);
        assert_eq!(matched.labelled, [(20.0, true), (20.0, false)]);
        assert_eq!(matched.found, [hit(0.9, true), hit(0.7, false), hit(0.6, false)]);
    }

    #[test]
    fn a_box_that_overlaps_too_little_is_wrong() {
        // Shifted by 10 of 20 pixels: a third of the union.
        let matched = match_boxes(&[label(0.0, Counts::Yes)], &[found(10.0, 0.9)], 0.34);
        assert_eq!((matched.labelled[0].1, matched.found[0].right), (false, false));
        assert!(match_boxes(&[label(0.0, Counts::Yes)], &[found(10.0, 0.9)], 0.33).labelled[0].1);
    }

    #[test]
    fn average_precision_by_hand() {
        // Right, wrong, right, of four faces: recall 1/4 at precision 1, 2/4 at 2/3. 0.25 * 1 + 0.25 * 2/3.
        let points = curve(&[hit(0.9, true), hit(0.8, false), hit(0.7, true)], 4);
        assert_eq!(points.iter().map(|p| p.recall).collect::<Vec<_>>(), [0.25, 0.25, 0.5]);
        assert!((average_precision(&points) - (0.25 + 0.25 * 2.0 / 3.0)).abs() < 1e-12);
        assert_eq!(average_precision(&curve(&[hit(0.9, true), hit(0.8, true)], 2)), 1.0);
        assert_eq!(average_precision(&curve(&[hit(0.9, false)], 2)), 0.0);
        assert_eq!(average_precision(&curve(&[hit(0.9, false)], 0)), 0.0);
    }

    #[test]
    fn boxes_of_one_confidence_count_together() {
        let points = curve(&[hit(0.9, false), hit(0.9, true)], 1);
        assert_eq!(points, [PrecisionRecall { score: 0.9, recall: 1.0, precision: 0.5 }]);
    }

    #[test]
    fn sizes_are_those_of_the_label_and_of_the_box() {
        let photo = Matched {
            labelled: vec![(18.0, true), (18.0, false), (40.0, true)],
            found: vec![
                Hit { score: 0.9, side_px: 21.0, right: true },
                Hit { score: 0.9, side_px: 40.0, right: false },
            ],
        };
        let rows = by_size(&[photo]);
        let said: Vec<_> =
            rows.iter().map(|r| (r.size.to_string(), r.recall.count, r.recall.of, r.precision.of)).collect();
        let expected = [("16-20 px", 1, 2, 0), ("20-24 px", 0, 0, 1), ("32-48 px", 1, 1, 1)];
        assert_eq!(said, expected.map(|(size, found, of, boxes)| (size.to_owned(), found, of, boxes)));
    }

    proptest! {
        #[test]
        fn average_precision_is_a_share_and_wrong_boxes_never_help(
            scores in proptest::collection::vec((0_u8..50, any::<bool>()), 0..60), missed in 0_usize..20, wrong in 0_u8..50,
        ) {
            let mut hits: Vec<Hit> = scores.iter().map(|(s, right)| hit(f32::from(*s), *right)).collect();
            let labelled = hits.iter().filter(|h| h.right).count() + missed;
            let before = average_precision(&curve(&hits, labelled));
            prop_assert!((0.0..=1.0 + 1e-12).contains(&before));
            hits.push(hit(f32::from(wrong), false));
            prop_assert!(average_precision(&curve(&hits, labelled)) <= before + 1e-12);
        }

        #[test]
        fn no_face_is_found_twice(xs in proptest::collection::vec((0_u8..100, 0_u8..10), 0..30), faces in proptest::collection::vec(0_u8..100, 0..10)) {
            let labels: Vec<LabelledBox> = faces.iter().map(|x| label(f32::from(*x), Counts::Yes)).collect();
            let boxes: Vec<Detection> = xs.iter().map(|(x, s)| found(f32::from(*x), f32::from(*s) / 10.0)).collect();
            let matched = match_boxes(&labels, &boxes, 0.4);
            let right = matched.found.iter().filter(|h| h.right).count();
            prop_assert_eq!(right, matched.labelled.iter().filter(|(_, seen)| *seen).count());
            prop_assert_eq!(matched.found.len(), boxes.len());
        }
    }
}
