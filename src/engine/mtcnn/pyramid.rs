//! The sizes at which P-Net looks at a photo, and the tiles in which it does.
//!
//! Pure arithmetic. P-Net has stride 2 and sees 12 pixels, so tiles that start at even pixels and overlap by 10 give
//! exactly the cells of the whole level, each once; memory is bounded by the tile, not by the photo.

use crate::vision::tensor::PixelRect;

/// P-Net sees this many pixels.
pub(super) const CELL_PX: u32 = 12;
/// One P-Net cell to the next.
pub(super) const STRIDE_PX: u32 = 2;
/// Rows and columns that neighbouring tiles share: a cell's view less one stride.
const OVERLAP_PX: u32 = CELL_PX - STRIDE_PX;

/// The photo at one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    /// Pixels of this level for one pixel of the photo.
    pub scale: f64,
    pub width: u32,
    pub height: u32,
}

/// From the level on which a `min_face_px` face fills one cell down to the smallest that still holds a cell; none for a photo
/// smaller than such a face. Sizes are `int(side * scale + 1)` as in facenet-pytorch `detect_face`.
pub(super) fn levels(width: u32, height: u32, min_face_px: u32, factor: f64) -> Vec<Level> {
    let mut scale = f64::from(CELL_PX) / f64::from(min_face_px);
    let mut shorter = f64::from(width.min(height)) * scale;
    let mut levels = Vec::new();
    while shorter >= f64::from(CELL_PX) {
        let size = |side: u32| (f64::from(side) * scale + 1.0) as u32;
        levels.push(Level { scale, width: size(width), height: size(height) });
        scale *= factor;
        shorter *= factor;
    }
    levels
}

impl Level {
    /// Tiles of about `tile_px` (even) a side that cover every cell of the level once, row by row.
    pub(super) fn tiles(&self, tile_px: u32) -> Vec<PixelRect> {
        let columns = spans(self.width, tile_px);
        let rows = spans(self.height, tile_px);
        let tile = |(y, height): (u32, u32), (x, width): (u32, u32)| PixelRect { x, y, width, height };
        rows.iter().flat_map(|row| columns.iter().map(|column| tile(*row, *column))).collect()
    }
}

/// Start and length of each tile along one axis: equal ones of even length, and the rest, never shorter than a cell.
fn spans(length: u32, tile_px: u32) -> Vec<(u32, u32)> {
    let fresh = length.saturating_sub(OVERLAP_PX);
    let count = fresh.div_ceil(tile_px - OVERLAP_PX).max(1);
    let step = fresh.div_ceil(count).next_multiple_of(STRIDE_PX);
    let mut starts: Vec<u32> = (0..count).map(|n| n * step).take_while(|start| start + CELL_PX <= length).collect();
    if starts.is_empty() {
        starts.push(0);
    }
    let ends = starts[1..].iter().map(|start| start + OVERLAP_PX).chain([length]);
    starts.iter().zip(ends).map(|(start, end)| (*start, end - start)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn levels_of_a_vga_picture_are_those_of_the_reference() {
        let levels = levels(640, 480, 20, 0.709);
        let sizes: Vec<_> = levels.iter().map(|l| (l.width, l.height)).collect();
        // int(640 * 0.6 * 0.709^k + 1), int(480 * 0.6 * 0.709^k + 1) while 288 * 0.709^k >= 12
        let expected = [
            (385, 289),
            (273, 205),
            (194, 145),
            (137, 103),
            (98, 73),
            (69, 52),
            (49, 37),
            (35, 26),
            (25, 19),
            (18, 14),
        ];
        assert_eq!(sizes, expected);
    }

    #[test]
    fn a_photo_smaller_than_the_smallest_face_has_no_level() {
        assert_eq!(levels(4000, 19, 20, 0.709), []);
        assert_eq!(levels(10_000, 2, 20, 0.709), []);
        assert_eq!(levels(4000, 20, 20, 0.709).len(), 1);
    }

    proptest! {
        #[test]
        fn tiles_cover_every_cell_once(length in 12_u32..5000, half_tile in 16_u32..300) {
            let tile_px = half_tile * 2;
            let mut next_cell = 0;
            let spans = spans(length, tile_px);
            for (n, (start, len)) in spans.iter().enumerate() {
                prop_assert!(start % 2 == 0 && *start / 2 == next_cell && *len >= CELL_PX);
                let last = n + 1 == spans.len();
                prop_assert!(last || len % 2 == 0);
                prop_assert!(*len <= tile_px + CELL_PX + 2, "{} for tiles of {}", len, tile_px);
                next_cell += len / 2 - 5;
                if last {
                    prop_assert_eq!(start + len, length);
                }
            }
            prop_assert_eq!(next_cell, length / 2 - 5);
        }
    }
}
