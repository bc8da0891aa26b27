//! The MTCNN cascade: P-Net proposes on a pyramid of the photo, R-Net and O-Net refine crops of the full-resolution photo.
//!
//! K. Zhang et al., "Joint face detection and alignment using multitask cascaded convolutional networks", 2016; the rules
//! are those of facenet-pytorch `detect_face` (thresholds: P-Net `>=`, R- and O-Net `>`), so that original weights give
//! the original's faces. Tiles and crops of all photos in flight meet in the three stages.

mod candidate;
mod pyramid;

use image::RgbImage;
use rayon::prelude::*;

use candidate::{Candidate, Measure, cell_box, crop, square};
use pyramid::{CELL_PX, Level, STRIDE_PX, levels};

use super::detector::{Detector, best_first};
use super::error::EngineError;
use super::net::{BatchAxis, Dim, Net, NetSpec, Tensor, check_finite};
use super::placement::{Placement, Shapes};
use super::runtime::Runtime;
use super::stage::{Admission, Stage, StageOptions, StageStats};
use crate::domain::geometry::{BoundingBox, Detection};
use crate::pack::Pack;
use crate::pack::manifest::MtcnnSpec;
use crate::vision::nms::{Overlap, suppress};
use crate::vision::tensor::{AreaGrid, Normalisation, PixelRect};

const RNET_PX: u32 = 24;
const ONET_PX: u32 = 48;
/// Requests that may wait for one net.
const QUEUE: usize = 16;

/// Crops that are worth another thread.
const CROPS_OF_A_THREAD: usize = 8;

/// How much of a photo the nets look at in one run.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Longest side of a P-Net tile in pixels of the pyramid level.
    tile_px: u32,
    /// What lies around a tile that is smaller.
    tile_shape: TileShape,
    /// Tiles in a batch.
    tiles: usize,
    rnet_batch: usize,
    onet_batch: usize,
}

/// Shape of what P-Net sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TileShape {
    /// The tile.
    AsCut,
    /// A square of `tile_px` with the tile at its top left and grey beside it.
    Square,
}

impl Sizes {
    /// What lies between the operators stays in the caches. On two cores the starter's P-Net took 24 ms for a megapixel in tiles
    /// of 192 and 256 px and 35 ms in tiles of 512; its R-Net 17 us a crop in batches of 32 and 21 us in batches of 256.
    const CPU: Self = Self { tile_px: 192, tile_shape: TileShape::AsCut, tiles: 1, rnet_batch: 32, onet_batch: 16 };
    /// Large enough to fill a GPU, and of few shapes.
    const GPU: Self = Self { tile_px: 512, tile_shape: TileShape::Square, tiles: 8, rnet_batch: 256, onet_batch: 64 };

    /// What P-Net sees of a tile: width and height.
    fn input_px(&self, tile: PixelRect) -> [u32; 2] {
        match self.tile_shape {
            TileShape::AsCut => [tile.width, tile.height],
            TileShape::Square => [tile.width, tile.height].map(|side| side.max(self.tile_px)),
        }
    }
}

/// The cascade with its three nets.
#[derive(Debug)]
pub struct Mtcnn {
    spec: MtcnnSpec,
    min_face_px: u32,
    sizes: Sizes,
    pnet: Stage,
    rnet: Stage,
    onet: Stage,
}

impl Mtcnn {
    /// Loads the three nets of `pack`; faces from `min_face_px` pixels (12 or more) on are found.
    ///
    /// # Errors
    /// [`EngineError::ModelNotLoaded`] naming the net, [`EngineError::ProviderUnavailable`].
    pub fn open(
        runtime: &Runtime,
        place: &Placement,
        pack: &Pack,
        spec: &MtcnnSpec,
        min_face_px: u32,
    ) -> Result<Self, EngineError> {
        let sizes = match place.shapes {
            Shapes::AsTheyCome => Sizes::CPU,
            Shapes::Few => Sizes::GPU,
        };
        // Each net crops what the one before it found: small errors add up. With 16-bit floats boxes moved by up to 2 % (IoU 0.98).
        let place = place.in_single_precision();
        let start = |spec: NetSpec, max_batch, side: u32| {
            let nets = Net::load_copies(runtime, &place, spec)?;
            Stage::of(nets, [side; 2], StageOptions { max_batch, batch_sizes: place.batch_sizes, queue: QUEUE })
        };
        Ok(Self {
            spec: spec.clone(),
            min_face_px: min_face_px.max(CELL_PX),
            pnet: start(pnet_spec(pack, &spec.pnet), sizes.tiles, sizes.tile_px)?,
            rnet: start(crop_net_spec(pack, "rnet", &spec.rnet, RNET_PX), sizes.rnet_batch, RNET_PX)?,
            onet: start(crop_net_spec(pack, "onet", &spec.onet, ONET_PX), sizes.onet_batch, ONET_PX)?,
            sizes,
        })
    }

    /// First stage: every tile of every level through P-Net.
    fn propose(&self, photo: &RgbImage, admission: Admission) -> Result<Vec<BoundingBox>, EngineError> {
        let levels = levels(photo.width(), photo.height(), self.min_face_px, self.spec.pyramid_factor);
        let tiles =
            |(n, level): (usize, &Level)| level.tiles(self.sizes.tile_px).into_iter().map(move |tile| (n, tile));
        let mut jobs: Vec<(usize, PixelRect)> = levels.iter().enumerate().flat_map(tiles).collect();
        // From the top of the photo to its bottom, on all levels together: its pixels are then read from the caches.
        let lower_edge = |(n, tile): &(usize, PixelRect)| f64::from(tile.y + tile.height) / levels[*n].scale;
        jobs.sort_by(|a, b| lower_edge(a).total_cmp(&lower_edge(b)));
        let mut found: Vec<Vec<Cell>> = vec![Vec::new(); levels.len()];
        self.pnet.stream(
            jobs,
            admission,
            |(n, tile)| tile_tensor(photo, levels[*n], *tile, self.sizes.input_px(*tile)),
            |(n, tile), outputs| {
                check_finite("pnet", &outputs)?;
                let seen = seen_cells(tile, self.sizes.input_px(tile), &outputs[0]);
                cells(tile, seen, &outputs, self.spec.thresholds[0], &mut found[n]);
                Ok(())
            },
        )?;
        let mut all = Vec::new();
        for (level, mut cells) in levels.iter().zip(found) {
            cells.sort_by_key(|cell| (cell.row, cell.column));
            let candidates: Vec<_> = cells.iter().map(|cell| cell.candidate(level.scale)).collect();
            all.extend(strongest(&candidates, self.spec.nms.pnet_level));
        }
        let kept = strongest(&all, self.spec.nms.pnet_all);
        Ok(kept.iter().map(|candidate| square(candidate.moved(Measure::Distance))).collect())
    }

    /// Second stage: proposals through R-Net.
    fn refine(&self, photo: &RgbImage, boxes: &[BoundingBox]) -> Result<Vec<BoundingBox>, EngineError> {
        let answers = classify(&self.rnet, photo, boxes, RNET_PX, self.sizes.rnet_batch)?;
        let candidates: Vec<_> = answers.into_iter().map(|a| a.candidate).collect();
        let passed: Vec<_> = candidates.into_iter().filter(|c| c.score > self.spec.thresholds[1]).collect();
        let kept = strongest(&passed, self.spec.nms.rnet);
        Ok(kept.iter().map(|candidate| square(candidate.moved(Measure::Inclusive))).collect())
    }

    /// Third stage: what is left through O-Net, with landmarks.
    fn decide(&self, photo: &RgbImage, boxes: &[BoundingBox]) -> Result<Vec<Detection>, EngineError> {
        let answers = classify(&self.onet, photo, boxes, ONET_PX, self.sizes.onet_batch)?;
        let passed = answers.iter().filter(|a| a.candidate.score > self.spec.thresholds[2]);
        let faces: Vec<_> = passed.map(|a| a.candidate.detection(&a.landmarks)).collect();
        let (boxes, scores): (Vec<_>, Vec<_>) = faces.iter().map(|f| (f.bbox, f.score)).unzip();
        let kept = suppress(&boxes, &scores, self.spec.nms.onet, Overlap::Smaller);
        Ok(kept.into_iter().map(|i| faces[i]).collect())
    }
}

impl Detector for Mtcnn {
    fn detect(&self, photo: &RgbImage, admission: Admission) -> Result<Vec<Detection>, EngineError> {
        let proposals = self.propose(photo, admission)?;
        let refined = self.refine(photo, &proposals)?;
        let mut faces = self.decide(photo, &refined)?;
        best_first(&mut faces);
        Ok(faces)
    }

    fn stats(&self) -> Vec<(&'static str, StageStats)> {
        [&self.pnet, &self.rnet, &self.onet].map(|stage| (stage.name(), stage.stats())).to_vec()
    }
}

/// A P-Net cell that may hold a face.
#[derive(Debug, Clone, Copy)]
struct Cell {
    row: u32,
    column: u32,
    score: f32,
    shift: [f32; 4],
}

impl Cell {
    fn candidate(&self, scale: f64) -> Candidate {
        Candidate { bbox: cell_box(self.row, self.column, scale), score: self.score, shift: self.shift }
    }
}

/// What R- or O-Net said about a crop; R-Net gives no landmarks.
struct Judged {
    candidate: Candidate,
    landmarks: Vec<f32>,
}

fn pnet_spec(pack: &Pack, file: &str) -> NetSpec {
    NetSpec {
        name: "pnet",
        path: pack.file(file),
        input: vec![Dim::Free, Dim::Fixed(3), Dim::Free, Dim::Free],
        outputs: vec![
            (Some("prob"), vec![Dim::Free, Dim::Fixed(2), Dim::Free, Dim::Free]),
            (Some("reg"), vec![Dim::Free, Dim::Fixed(4), Dim::Free, Dim::Free]),
        ],
        batch: BatchAxis::Kept,
    }
}

fn crop_net_spec(pack: &Pack, name: &'static str, file: &str, side: u32) -> NetSpec {
    let side = Dim::Fixed(side as usize);
    let mut outputs =
        vec![(Some("prob"), vec![Dim::Free, Dim::Fixed(2)]), (Some("reg"), vec![Dim::Free, Dim::Fixed(4)])];
    if name == "onet" {
        outputs.push((Some("landmarks"), vec![Dim::Free, Dim::Fixed(10)]));
    }
    let input = vec![Dim::Free, Dim::Fixed(3), side, side];
    NetSpec { name, path: pack.file(file), input, outputs, batch: BatchAxis::Kept }
}

/// A tile of a level at the top left of an input of `[width, height]`; zeros, which are grey, beside it.
fn tile_tensor(photo: &RgbImage, level: Level, tile: PixelRect, [width, height]: [u32; 2]) -> Tensor {
    let grid =
        AreaGrid { source: PixelRect::whole(photo.width(), photo.height()), width: level.width, height: level.height };
    let mut data = vec![0.0; tile.tensor_len()];
    grid.fill(photo, tile, &Normalisation::MTCNN, &mut data);
    let input = |data| Tensor::new(vec![1, 3, height as usize, width as usize], data);
    if [tile.width, tile.height] == [width, height] {
        return input(data);
    }
    let (tile_width, width) = (tile.width as usize, width as usize);
    let mut wide = vec![0.0; 3 * width * height as usize];
    let planes =
        data.chunks_exact(tile_width * tile.height as usize).zip(wide.chunks_exact_mut(width * height as usize));
    for (from, to) in planes {
        for (from, to) in from.chunks_exact(tile_width).zip(to.chunks_exact_mut(width)) {
            to[..tile_width].copy_from_slice(from);
        }
    }
    input(wide)
}

/// Rows and columns of cells that saw the tile. How many there are is read from the output, as nets differ on odd sizes; where
/// there is grey beside the tile, those count that saw none of it.
fn seen_cells(tile: PixelRect, input_px: [u32; 2], prob: &Tensor) -> [usize; 2] {
    let along = |side: u32, input: u32, found: usize| {
        let whole = (side.saturating_sub(CELL_PX) / STRIDE_PX + 1) as usize;
        if side == input { found } else { found.min(whole) }
    };
    let [width, height] = input_px;
    [along(tile.height, height, prob.shape[2]), along(tile.width, width, prob.shape[3])]
}

/// Appends the cells of a tile that pass, of its first rows and columns.
fn cells(tile: PixelRect, [rows, columns]: [usize; 2], outputs: &[Tensor], threshold: f32, found: &mut Vec<Cell>) {
    let [prob, reg] = outputs else { unreachable!("P-Net has two outputs by its spec") };
    let width = prob.shape[3];
    let plane = prob.shape[2] * width;
    for (y, scores) in prob.data[plane..2 * plane].chunks_exact(width).take(rows).enumerate() {
        for (x, score) in scores[..columns].iter().enumerate().filter(|(_, score)| **score >= threshold) {
            let (row, column) = (tile.y / STRIDE_PX + y as u32, tile.x / STRIDE_PX + x as u32);
            let shift = std::array::from_fn(|k| reg.data[k * plane + y * width + x]);
            found.push(Cell { row, column, score: *score, shift });
        }
    }
}

/// Crops of the full-resolution photo, `side` pixels wide and high, through a net. Boxes that lie outside of the photo have
/// no crop and get no answer.
fn classify(
    stage: &Stage,
    photo: &RgbImage,
    boxes: &[BoundingBox],
    side: u32,
    batch: usize,
) -> Result<Vec<Judged>, EngineError> {
    let (width, height) = photo.dimensions();
    let crops: Vec<_> = boxes.iter().filter_map(|b| Some((*b, crop(*b, width, height)?))).collect();
    let mut judged = Vec::with_capacity(crops.len());
    stage.stream(
        crops.chunks(batch),
        Admission::Wait,
        |chunk| crops_tensor(photo, chunk, side),
        |chunk, outputs| {
            check_finite(stage.name(), &outputs)?;
            judged.extend(chunk.iter().enumerate().map(|(i, (bbox, _))| judge(*bbox, &outputs, i)));
            Ok(())
        },
    )?;
    Ok(judged)
}

fn crops_tensor(photo: &RgbImage, crops: &[(BoundingBox, PixelRect)], side: u32) -> Tensor {
    let whole = PixelRect::whole(side, side);
    let mut data = vec![0.0; crops.len() * whole.tensor_len()];
    data.par_chunks_mut(whole.tensor_len()).zip(crops).with_min_len(CROPS_OF_A_THREAD).for_each(
        |(out, (_, source))| {
            AreaGrid { source: *source, width: side, height: side }.fill(photo, whole, &Normalisation::MTCNN, out);
        },
    );
    Tensor::new(vec![crops.len(), 3, side as usize, side as usize], data)
}

fn judge(bbox: BoundingBox, outputs: &[Tensor], i: usize) -> Judged {
    let reg = &outputs[1].data[4 * i..4 * i + 4];
    let shift = std::array::from_fn(|k| reg[k]);
    let landmarks = outputs.get(2).map_or_else(Vec::new, |t| t.data[10 * i..10 * i + 10].to_vec());
    Judged { candidate: Candidate { bbox, score: outputs[0].data[2 * i + 1], shift }, landmarks }
}

fn strongest(candidates: &[Candidate], threshold: f32) -> Vec<Candidate> {
    let (boxes, scores): (Vec<_>, Vec<_>) = candidates.iter().map(|c| (c.bbox, c.score)).unzip();
    suppress(&boxes, &scores, threshold, Overlap::Union).into_iter().map(|i| candidates[i]).collect()
}
