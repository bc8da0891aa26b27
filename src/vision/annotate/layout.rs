//! Where the tags go: geometry only, no pixels are touched.

use crate::domain::geometry::BoundingBox;

/// A label with the room it needs, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tag {
    pub(super) label: String,
    pub(super) text_px: f32,
    pub(super) width: f32,
    pub(super) height: f32,
    /// Distance to keep from the box.
    pub(super) gap: f32,
}

/// What a pixel of overlap costs. Two tags on each other cannot be read at all; a face under a tag can still be guessed.
const ON_TAG: f32 = 8.0;
const ON_OTHER_FACE: f32 = 4.0;
const ON_OWN_FACE: f32 = 3.0;
/// What each less familiar place costs, as a share of the tag's area: only breaks ties.
const LATER_PLACE: f32 = 0.02;

/// A place for the tag of each box, inside a photo of `width` x `height` pixels; `None` where there is no tag.
///
/// Greedy, largest face first: each tag takes the cheapest of the places around its box, given the faces and the tags that
/// already stand. Tags wider than the photo start at its left edge.
pub(super) fn place(boxes: &[BoundingBox], tags: &[Option<Tag>], width: u32, height: u32) -> Vec<Option<BoundingBox>> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| boxes[b].area().total_cmp(&boxes[a].area()).then(a.cmp(&b)));
    let mut places: Vec<Option<BoundingBox>> = vec![None; boxes.len()];
    for index in order {
        let Some(tag) = &tags[index] else { continue };
        let cheapest = candidates(&boxes[index], tag)
            .into_iter()
            .map(|place| moved_inside(&place, width, height))
            .enumerate()
            .map(|(rank, place)| {
                (cost(&place, index, boxes, &places) + rank as f32 * LATER_PLACE * place.area(), place)
            })
            .min_by(|(a, _), (b, _)| a.total_cmp(b));
        places[index] = cheapest.map(|(_, place)| place);
    }
    places
}

/// Around the box, most familiar first: below, above, flush with a side, beside it, over its lower edge.
fn candidates(bbox: &BoundingBox, tag: &Tag) -> Vec<BoundingBox> {
    let Tag { width, height, gap, .. } = *tag;
    let (centred, flush_left, flush_right) = (bbox.centre().x - width / 2.0, bbox.x1 - gap, bbox.x2 + gap - width);
    let (below, above) = (bbox.y2 + gap, bbox.y1 - gap - height);
    let (left, right) = (bbox.x1 - gap - width, bbox.x2 + gap);
    let (top, middle, bottom) = (bbox.y1, bbox.centre().y - height / 2.0, bbox.y2 - height);
    [
        (centred, below),
        (centred, above),
        (flush_left, below),
        (flush_right, below),
        (flush_left, above),
        (flush_right, above),
        (right, bottom),
        (left, bottom),
        (right, middle),
        (left, middle),
        (right, top),
        (left, top),
        (centred, bottom),
    ]
    .map(|(x, y)| BoundingBox::from_xywh(x, y, width, height))
    .to_vec()
}

fn moved_inside(place: &BoundingBox, width: u32, height: u32) -> BoundingBox {
    let x = place.x1.min(width as f32 - place.width()).max(0.0);
    let y = place.y1.min(height as f32 - place.height()).max(0.0);
    BoundingBox::from_xywh(x, y, place.width(), place.height())
}

fn cost(place: &BoundingBox, own: usize, boxes: &[BoundingBox], tags: &[Option<BoundingBox>]) -> f32 {
    let faces = boxes.iter().enumerate().map(|(index, face)| {
        let price = if index == own { ON_OWN_FACE } else { ON_OTHER_FACE };
        price * shared_area(place, face)
    });
    let tags = tags.iter().flatten().map(|tag| ON_TAG * shared_area(place, tag));
    faces.chain(tags).sum()
}

fn shared_area(a: &BoundingBox, b: &BoundingBox) -> f32 {
    let width = a.x2.min(b.x2) - a.x1.max(b.x1);
    let height = a.y2.min(b.y2) - a.y1.max(b.y1);
    width.max(0.0) * height.max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(width: f32) -> Option<Tag> {
        Some(Tag { label: "A-1".to_owned(), text_px: 16.0, width, height: 20.0, gap: 2.0 })
    }

    #[test]
    fn a_lonely_face_has_its_tag_below() {
        let face = BoundingBox::from_xywh(100.0, 100.0, 40.0, 50.0);
        let places = place(&[face], &[tag(60.0)], 400, 400);
        assert_eq!(places, [Some(BoundingBox::from_xywh(90.0, 152.0, 60.0, 20.0))]);
    }

    #[test]
    fn a_face_below_sends_the_tag_up() {
        let upper = BoundingBox::from_xywh(100.0, 100.0, 40.0, 50.0);
        let lower = BoundingBox::from_xywh(80.0, 152.0, 80.0, 60.0);
        let places = place(&[upper, lower], &[tag(60.0), None], 400, 400);
        assert_eq!(places[0].unwrap().y2, 98.0);
        assert_eq!(places[1], None);
    }

    #[test]
    fn a_face_in_the_corner_keeps_its_tag_in_the_photo() {
        let face = BoundingBox::from_xywh(0.0, 360.0, 30.0, 40.0);
        let place = place(&[face], &[tag(60.0)], 400, 400)[0].unwrap();
        assert!(place.x1 >= 0.0 && place.y2 <= 400.0);
        assert_eq!(shared_area(&place, &face), 0.0);
    }

    #[test]
    fn tags_of_a_row_do_not_cover_each_other() {
        let row: Vec<_> = (0..8).map(|i| BoundingBox::from_xywh(20.0 + 45.0 * i as f32, 100.0, 30.0, 40.0)).collect();
        let places = place(&row, &vec![tag(60.0); 8], 420, 300);
        for (index, a) in places.iter().flatten().enumerate() {
            for b in places[..index].iter().flatten() {
                assert_eq!(shared_area(a, b), 0.0, "{a:?} and {b:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_tag_that_fits_lies_in_the_photo(
            faces in prop::collection::vec((-50.0f32..450.0, -50.0f32..450.0, 1.0f32..200.0, 1.0f32..200.0), 0..30),
        ) {
            let boxes: Vec<_> = faces.iter().map(|&(x, y, w, h)| BoundingBox::from_xywh(x, y, w, h)).collect();
            for place in place(&boxes, &vec![tag(60.0); boxes.len()], 400, 300) {
                let place = place.unwrap();
                prop_assert!(place.x1 >= 0.0 && place.x2 <= 400.0 && place.y1 >= 0.0 && place.y2 <= 300.0);
            }
        }
    }
}
