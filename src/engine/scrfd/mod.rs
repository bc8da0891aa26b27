//! SCRFD, the single-shot detector: one net that sees squares of the photo at several sizes.
//!
//! J. Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021; decoding as in InsightFace.
//! The usual way shrinks a photo to one square and loses every small face of a class photo. Here squares are cut from the
//! full resolution (file `levels.rs`), those of all photos in flight meet in one stage, and what several squares found of
//! one face becomes one face again. Runs files with a batch axis and the original ones without.

mod decode;
mod levels;

use image::RgbImage;

use super::detector::{Detector, best_first};
use super::error::EngineError;
use super::net::{BatchAxis, Dim, Net, NetSpec, Tensor, check_finite};
use super::placement::{self, Placement};
use super::runtime::Runtime;
use super::stage::{Admission, Stage, StageOptions, StageStats};
use crate::domain::geometry::{BoundingBox, Detection, Point};
use crate::pack::Pack;
use crate::pack::manifest::ScrfdSpec;
use crate::vision::nms::{Overlap, suppress};
use crate::vision::tensor::{AreaGrid, Normalisation, PixelRect};

use levels::{Shape, Tile, View};

const NAME: &str = "scrfd";
/// Squares of one request and of one run on a GPU. On a CPU they go one after the other: with two threads a 640 px square took
/// 10.5 ms alone and 20, 27 and 36 ms each in batches of 2, 4 and 8, whose intermediate results leave the caches.
const GPU_BATCH: usize = 8;
/// Requests that may wait. A square of 640 pixels holds 5 MB.
const QUEUE: usize = 16;
/// Faces are reported down to this share of the smallest face looked for: boxes are not exact to the pixel.
const SIZE_TOLERANCE: f32 = 0.75;
/// A weaker box lies inside a better one by more than this (intersection over the smaller area): it is what another square
/// or level saw of the same face.
const SAME_FACE: f32 = 0.7;
/// What lies beside a photo that does not fill its square: black, as InsightFace has it.
const BLANK: f32 = (0.0 - 127.5) / 128.0;

/// The detector with its net.
#[derive(Debug)]
pub struct Scrfd {
    spec: ScrfdSpec,
    min_face_px: u32,
    view: View,
    squares_at_once: usize,
    net: Stage,
}

impl Scrfd {
    /// Loads the net of `pack`; faces from `min_face_px` pixels on are found.
    ///
    /// # Errors
    /// [`EngineError::ModelNotLoaded`] with what the file is instead, [`EngineError::ProviderUnavailable`].
    pub fn open(
        runtime: &Runtime,
        place: &Placement,
        pack: &Pack,
        spec: &ScrfdSpec,
        min_face_px: u32,
    ) -> Result<Self, EngineError> {
        // A GPU is quick at what it has done before: it sees one shape only.
        let few = place.shapes == placement::Shapes::Few;
        let shapes: &[Shape] = if few { &[Shape::Squares] } else { &[Shape::Rectangles, Shape::Squares] };
        let batches = [BatchAxis::Kept, BatchAxis::FoldedAway];
        let forms: Vec<_> = shapes.iter().flat_map(|s| batches.map(|b| net_spec(pack, spec, *s, b))).collect();
        let nets = Net::load_copies_as(runtime, place, &forms)?;
        let shape = if nets[0].spec().input[2] == Dim::Free { Shape::Rectangles } else { Shape::Squares };
        let batches = few && nets[0].spec().batch == BatchAxis::Kept;
        let squares_at_once = if batches { GPU_BATCH } else { 1 };
        let options = StageOptions { max_batch: squares_at_once, batch_sizes: place.batch_sizes, queue: QUEUE };
        Ok(Self {
            spec: spec.clone(),
            min_face_px,
            view: View { shape, input_px: spec.input_px, reliable_px: spec.reliable_px },
            squares_at_once,
            net: Stage::of(nets, [spec.input_px; 2], options)?,
        })
    }

    /// Input of the net for some squares of a photo, each at the top left of its item, with black beside it. They are of one
    /// size: either all are, or they come one by one.
    fn tensor(&self, photo: &RgbImage, tiles: &[Tile]) -> Tensor {
        let [width, height] = self.view.input(&tiles[0]).map(|side| side as usize);
        let item = 3 * width * height;
        let mut data = vec![BLANK; tiles.len() * item];
        for (tile, out) in tiles.iter().zip(data.chunks_exact_mut(item)) {
            fill(photo, tile, [width, height], out);
        }
        Tensor::new(vec![tiles.len(), 3, height, width], data)
    }

    /// The faces of every square that sees them whole, in pixels of the photo.
    fn look(&self, photo: &RgbImage, admission: Admission) -> Result<Vec<Detection>, EngineError> {
        let (width, height) = photo.dimensions();
        let levels = self.view.levels(width, height, self.min_face_px);
        let tiles: Vec<Tile> = levels.iter().flat_map(|level| self.view.tiles(*level)).collect();
        let mut found = Vec::new();
        self.net.stream(
            tiles.chunks(self.squares_at_once),
            admission,
            |tiles| self.tensor(photo, tiles),
            |tiles, outputs| {
                check_finite(NAME, &outputs)?;
                let input_px = self.view.input(&tiles[0]);
                check_anchors(&outputs, input_px)?;
                for (item, tile) in tiles.iter().enumerate() {
                    let faces = decode::faces(&outputs, item, input_px, self.spec.threshold);
                    let whole = faces.into_iter().filter(|face| tile.sees_whole(&face.bbox));
                    found.extend(whole.map(|face| in_photo(&face, tile, width, height)));
                }
                Ok(())
            },
        )?;
        Ok(found)
    }
}

impl Detector for Scrfd {
    fn detect(&self, photo: &RgbImage, admission: Admission) -> Result<Vec<Detection>, EngineError> {
        let found = self.look(photo, admission)?;
        let mut faces = one_each(&found, self.spec.nms);
        faces.retain(|face| face.bbox.side_px() >= SIZE_TOLERANCE * self.min_face_px as f32);
        best_first(&mut faces);
        Ok(faces)
    }

    fn stats(&self) -> Vec<(&'static str, StageStats)> {
        vec![(self.net.name(), self.net.stats())]
    }
}

/// The best of all boxes of each face.
fn one_each(found: &[Detection], nms: f32) -> Vec<Detection> {
    let keep = |faces: &[Detection], threshold, overlap| -> Vec<Detection> {
        let (boxes, scores): (Vec<_>, Vec<_>) = faces.iter().map(|f| (f.bbox, f.score)).unzip();
        suppress(&boxes, &scores, threshold, overlap).into_iter().map(|i| faces[i]).collect()
    };
    keep(&keep(found, nms, Overlap::Union), SAME_FACE, Overlap::Smaller)
}

/// From pixels of a square to pixels of the photo.
fn in_photo(face: &Detection, tile: &Tile, width: u32, height: u32) -> Detection {
    let place = tile.to_photo(width, height);
    let ((x1, y1), (x2, y2)) = (place(face.bbox.x1, face.bbox.y1), place(face.bbox.x2, face.bbox.y2));
    let landmarks = face.landmarks.map(|p| {
        let (x, y) = place(p.x, p.y);
        Point::new(x, y)
    });
    Detection { bbox: BoundingBox::new(x1, y1, x2, y2), score: face.score, landmarks }
}

/// A file that takes any size says how many anchors it has only when it is run.
fn check_anchors(outputs: &[Tensor], input_px: [u32; 2]) -> Result<(), EngineError> {
    for (output, stride) in outputs.iter().zip(decode::STRIDES.into_iter().cycle()) {
        let (found, expected) = (output.shape[1], decode::anchors(input_px, stride));
        if found != expected {
            let reason = format!("{found} anchors for a picture of {input_px:?} pixels, expected {expected}");
            return Err(EngineError::Inference { net: NAME.to_owned(), reason });
        }
    }
    Ok(())
}

/// Writes a square to the top left of a `[3, height, width]` item.
fn fill(photo: &RgbImage, tile: &Tile, [out_width, out_height]: [usize; 2], out: &mut [f32]) {
    let Tile { level, part } = *tile;
    let source = PixelRect::whole(photo.width(), photo.height());
    let grid = AreaGrid { source, width: level.width, height: level.height };
    let (width, height) = (part.width as usize, part.height as usize);
    if (width, height) == (out_width, out_height) {
        grid.fill(photo, part, &Normalisation::MTCNN, out);
        return;
    }
    let mut picture = vec![0.0; part.tensor_len()];
    grid.fill(photo, part, &Normalisation::MTCNN, &mut picture);
    for (from, to) in picture.chunks_exact(width * height).zip(out.chunks_exact_mut(out_width * out_height)) {
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(out_width)) {
            to[..width].copy_from_slice(from);
        }
    }
}

/// The nine outputs of each form. Names are those of files with a batch axis; the originals are told by shape.
fn net_spec(pack: &Pack, spec: &ScrfdSpec, shape: Shape, batch: BatchAxis) -> NetSpec {
    const NAMES: [[&str; 3]; 3] =
        [["score_8", "score_16", "score_32"], ["bbox_8", "bbox_16", "bbox_32"], ["kps_8", "kps_16", "kps_32"]];
    let (items, named) = match batch {
        BatchAxis::Kept => (Dim::Free, true),
        BatchAxis::FoldedAway => (Dim::Fixed(1), false),
    };
    let fixed = |size: usize| if shape == Shape::Squares { Dim::Fixed(size) } else { Dim::Free };
    let side = fixed(spec.input_px as usize);
    let outputs = NAMES.iter().zip(decode::WIDTHS).flat_map(|(names, width)| {
        names.iter().zip(decode::STRIDES).map(move |(name, stride)| {
            let anchors = fixed(decode::anchors([spec.input_px; 2], stride));
            (named.then_some(*name), vec![items, anchors, Dim::Fixed(width)])
        })
    });
    NetSpec {
        name: NAME,
        path: pack.file(&spec.file),
        input: vec![items, Dim::Fixed(3), side, side],
        outputs: outputs.collect(),
        batch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, side: f32, score: f32) -> Detection {
        Detection { bbox: BoundingBox::from_xywh(x, y, side, side), score, landmarks: Default::default() }
    }

    #[test]
    fn what_two_squares_saw_of_a_face_is_one_face() {
        // The same face at two levels; a piece of it; its neighbour.
        let found = [
            face(0.0, 0.0, 100.0, 0.8),
            face(3.0, 2.0, 98.0, 0.9),
            face(0.0, 60.0, 35.0, 0.6),
            face(120.0, 0.0, 90.0, 0.7),
        ];
        let scores: Vec<_> = one_each(&found, 0.4).iter().map(|f| f.score).collect();
        assert_eq!(scores, [0.9, 0.7]);
    }

    #[test]
    fn faces_that_touch_stay_two() {
        let found = [face(0.0, 0.0, 100.0, 0.8), face(70.0, 0.0, 100.0, 0.9), face(90.0, 80.0, 30.0, 0.7)];
        assert_eq!(one_each(&found, 0.4).len(), 3);
    }
}
