//! The sizes at which a single-shot detector looks at a photo, the squares in which it does, and which square a face is
//! taken from.
//!
//! Pure arithmetic. The net sees squares of one size and finds faces between two sizes reliably. So the photo is laid out
//! at several scales, each half of the one before, and each is cut into squares that overlap. Three facts make that
//! complete: the first scale brings the smallest face to the smallest reliable size; a face that is larger than the
//! overlap, and may lie across every square of its level, is still of reliable size at the next; and the last level is one
//! square in which even a face as large as the photo is of reliable size.

use crate::domain::geometry::BoundingBox;
use crate::vision::tensor::PixelRect;

/// Each level is this much of the one before.
const LEVEL_FACTOR: f64 = 0.5;
/// A box that comes nearer to a seam than this is cut by it, pixels of the net's input: a face whose edge lies on the seam
/// is found with an edge a few pixels before or behind it.
const SEAM_PX: f32 = 4.0;
/// Neighbouring squares share this many of the smallest reliable faces: twice as much is of reliable size one level on,
/// and the rest is room around the face, which detectors need.
const OVERLAP_FACES: u32 = 4;

/// Sides of what the net sees are multiples of this many pixels: its coarsest cells.
const STEP_PX: u32 = 32;

/// Which rectangles the net takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Squares of the full size only, with blank space beside what is smaller.
    Squares,
    /// Any up to the full size: what does not fill a square costs less.
    Rectangles,
}

/// What the net sees and finds, in pixels of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub shape: Shape,
    /// Longest side.
    pub input_px: u32,
    /// Smallest and largest face that is found reliably.
    pub reliable_px: [u32; 2],
}

/// The photo at one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    /// Pixels of this level for one pixel of the photo, at most 1.
    pub scale: f64,
    pub width: u32,
    pub height: u32,
}

/// A square of a level; smaller than the net's input where the level is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tile {
    pub level: Level,
    pub part: PixelRect,
}

impl View {
    /// From the level at which a `min_face_px` face is of reliable size (the full resolution at most) to the one at which a
    /// face as large as the photo is; none for a photo smaller than such a face.
    pub(super) fn levels(&self, width: u32, height: u32, min_face_px: u32) -> Vec<Level> {
        let [smallest, largest] = self.reliable_px.map(f64::from);
        let shorter = f64::from(width.min(height));
        if shorter < f64::from(min_face_px) {
            return Vec::new();
        }
        let mut scale = (smallest / f64::from(min_face_px)).min(1.0);
        let mut levels = Vec::new();
        loop {
            let size = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
            let level = Level { scale, width: size(width), height: size(height) };
            levels.push(level);
            let one_square = level.width.max(level.height) <= self.input_px;
            if one_square && shorter * scale <= largest {
                return levels;
            }
            scale *= LEVEL_FACTOR;
        }
    }

    /// The squares of a level, row by row. Neighbours overlap.
    pub(super) fn tiles(&self, level: Level) -> Vec<Tile> {
        let overlap = OVERLAP_FACES * self.reliable_px[0];
        let columns = spans(level.width, self.side(level.width, overlap), overlap);
        let rows = spans(level.height, self.side(level.height, overlap), overlap);
        let tile =
            |(y, height): (u32, u32), (x, width): (u32, u32)| Tile { level, part: PixelRect { x, y, width, height } };
        rows.iter().flat_map(|row| columns.iter().map(|column| tile(*row, *column))).collect()
    }
}

impl View {
    /// Pixels of the net's input that a square takes, blank ones included.
    pub(super) fn input(&self, tile: &Tile) -> [u32; 2] {
        match self.shape {
            Shape::Squares => [self.input_px; 2],
            Shape::Rectangles => [tile.part.width, tile.part.height].map(|side| side.next_multiple_of(STEP_PX)),
        }
    }

    /// Longest side of a square on an axis of `length` pixels: no more than it takes for as few squares as there must be.
    fn side(&self, length: u32, overlap: u32) -> u32 {
        match self.shape {
            // Two squares overlap by most of their size, and what one misses the other may see.
            Shape::Rectangles if length > 2 * self.input_px - overlap => {
                let count = (length - overlap).div_ceil(self.input_px - overlap);
                (length + (count - 1) * overlap).div_ceil(count).next_multiple_of(STEP_PX).min(self.input_px)
            }
            _ => self.input_px,
        }
    }
}

impl Tile {
    /// Whether a face found in this square (box in pixels of the square) is seen whole: no seam cuts it. A face across the
    /// edge of the photo is as whole as it gets.
    pub(super) fn sees_whole(&self, face: &BoundingBox) -> bool {
        let Self { level, part } = self;
        let clear = |from: f32, to: f32, start: u32, length: u32, end: u32| {
            (start == 0 || from >= SEAM_PX) && (start + length == end || to <= length as f32 - SEAM_PX)
        };
        clear(face.x1, face.x2, part.x, part.width, level.width)
            && clear(face.y1, face.y2, part.y, part.height, level.height)
    }

    /// From pixels of the square to pixels of the photo of `width` x `height`, along both axes.
    pub(super) fn to_photo(self, width: u32, height: u32) -> impl Fn(f32, f32) -> (f32, f32) {
        // The real ratio: sizes of levels are rounded.
        let (sx, sy) = (width as f32 / self.level.width as f32, height as f32 / self.level.height as f32);
        move |x, y| ((x + self.part.x as f32) * sx, (y + self.part.y as f32) * sy)
    }
}

/// Start and length along one axis: as few squares as overlap by at least `overlap`, spread evenly.
fn spans(length: u32, square: u32, overlap: u32) -> Vec<(u32, u32)> {
    if length <= square {
        return vec![(0, length)];
    }
    let count = (length - overlap).div_ceil(square - overlap);
    let start = |i: u32| (u64::from(i) * u64::from(length - square) / u64::from(count - 1)) as u32;
    (0..count).map(|i| (start(i), square)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VIEW: View = View { shape: Shape::Squares, input_px: 640, reliable_px: [16, 256] };
    const RECTANGLES: View = View { shape: Shape::Rectangles, ..VIEW };

    #[test]
    fn a_class_photo_is_never_shrunk_below_its_smallest_face() {
        let levels = VIEW.levels(4000, 3000, 20);
        let sizes: Vec<_> = levels.iter().map(|l| (l.width, l.height)).collect();
        assert_eq!(sizes, [(3200, 2400), (1600, 1200), (800, 600), (400, 300), (200, 150)]);
        assert_eq!(levels.iter().map(|l| VIEW.tiles(*l).len()).collect::<Vec<_>>(), [30, 6, 2, 1, 1]);
        assert_eq!(VIEW.levels(4000, 3000, 12)[0].scale, 1.0);
    }

    #[test]
    fn rectangles_are_no_larger_than_they_must_be() {
        let level = VIEW.levels(4000, 3000, 20)[0];
        let tiles = RECTANGLES.tiles(level);
        assert_eq!((tiles.len(), RECTANGLES.input(&tiles[0])), (30, [608, 544]));
        let last = *RECTANGLES.levels(4000, 3000, 20).last().unwrap();
        let [tile] = RECTANGLES.tiles(last)[..] else { panic!("one square") };
        assert_eq!((RECTANGLES.input(&tile), VIEW.input(&tile)), ([224, 160], [640, 640]));
    }

    #[test]
    fn a_photo_smaller_than_the_smallest_face_has_no_level() {
        assert_eq!(VIEW.levels(4000, 19, 20), []);
        assert_eq!(VIEW.levels(20, 20, 20).len(), 1);
    }

    #[test]
    fn a_box_at_a_seam_is_cut_and_one_at_the_edge_of_the_photo_is_not() {
        let level = Level { scale: 1.0, width: 1000, height: 600 };
        let [left, right] = VIEW.tiles(level)[..] else { panic!("two squares") };
        assert_eq!((left.part.x, right.part.x), (0, 360));
        let at = |x: f32| BoundingBox::from_xywh(x, -3.0, 50.0, 50.0);
        assert!(left.sees_whole(&at(-5.0)) && left.sees_whole(&at(400.0)));
        assert!(!left.sees_whole(&at(588.0)) && !left.sees_whole(&at(620.0)));
        assert!(!right.sees_whole(&at(2.0)) && right.sees_whole(&at(620.0)));
        assert_eq!(right.to_photo(2000, 1200)(10.0, 20.0), (740.0, 40.0));
    }

    /// `side` x `side` pixels of the photo at `(x, y)`: is there a level and a square that sees it whole at a reliable size?
    fn is_seen(view: View, [width, height]: [u32; 2], [x, y, side]: [f32; 3]) -> bool {
        view.levels(width, height, 20).into_iter().flat_map(|level| view.tiles(level)).any(|tile| {
            let (sx, sy) = (tile.level.width as f32 / width as f32, tile.level.height as f32 / height as f32);
            let (left, top) = (x * sx - tile.part.x as f32, y * sy - tile.part.y as f32);
            let face = BoundingBox::from_xywh(left, top, side * sx, side * sy);
            let inside = face.x1 > -1.0
                && face.x2 < tile.part.width as f32 + 1.0
                && face.y1 > -1.0
                && face.y2 < tile.part.height as f32 + 1.0;
            inside && tile.sees_whole(&face) && (15.5..=257.0).contains(&face.side_px())
        })
    }

    proptest! {
        #[test]
        fn every_face_is_seen_whole_and_at_a_reliable_size_by_some_square(
            width in 20_u32..6000,
            height in 20_u32..6000,
            place in (0.0_f32..1.0, 0.0_f32..1.0),
            size in 0.0_f32..1.0,
        ) {
            let shorter = width.min(height) as f32;
            let side = 20.0 * (shorter / 20.0).powf(size);
            let x = place.0 * (width as f32 - side);
            let y = place.1 * (height as f32 - side);
            for view in [VIEW, RECTANGLES] {
                let seen = is_seen(view, [width, height], [x, y, side]);
                prop_assert!(seen, "{side} px at {x}, {y} of {width} x {height} in {:?}", view.shape);
            }
        }

        #[test]
        fn squares_cover_the_level_and_share_the_overlap(length in 1_u32..9000) {
            let spans = spans(length, 640, 64);
            prop_assert_eq!(spans[0].0, 0);
            prop_assert_eq!(spans.last().map(|(start, len)| start + len), Some(length));
            for pair in spans.windows(2) {
                prop_assert!(pair[0].0 + pair[0].1 >= pair[1].0 + 64);
            }
            let side = RECTANGLES.side(length, 64);
            prop_assert!(side <= 640);
            let narrower = super::spans(length, side, 64);
            prop_assert_eq!(narrower.last().map(|(start, len)| start + len), Some(length));
            for pair in narrower.windows(2) {
                prop_assert!(pair[0].0 + pair[0].1 >= pair[1].0 + 64);
            }
        }
    }
}
