//! Photos in, faces with embeddings out: the only place that knows ONNX Runtime.
//!
//! [`Engine`] is the door: detect, align, embed. Behind it, [`runtime`] loads the library, [`net`] one file each, a [`stage`]
//! owns a net and batches the requests of all photos in flight, [`mtcnn`], [`scrfd`] and [`embedder`] say what to ask. It decides
//! nothing about people: no gallery, no lines, no database. Called by `app`, `cli` and benches, from any number of threads.

pub mod detector;
pub mod embedder;
pub mod error;
pub mod fake;
mod graph;
pub mod mtcnn;
pub mod net;
mod opening;
pub mod placement;
pub mod runtime;
pub mod scrfd;
mod self_test;
pub mod stage;

use std::time::{Duration, Instant};

use image::RgbImage;
use rayon::prelude::*;

pub use detector::Detector;
pub use embedder::{Embedder, OnnxEmbedder};
pub use error::EngineError;
pub use placement::{GpuOptions, HalfPrecision, Placement, Precision};
pub use runtime::{Provider, ProviderChoice, ProviderReport, Runtime, RuntimeOptions};
pub use stage::{Admission, StageStats};

use crate::domain::embedding::{Embedding, EmbeddingError};
use crate::domain::geometry::Detection;
use crate::pack::Pack;
use crate::vision::align;
use opening::Opening;

/// How an engine is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    pub provider: ProviderChoice,
    /// How a GPU is used, where nets run on one.
    pub gpu: GpuOptions,
    /// Smallest face to look for, pixels of the photo. `None`: what the pack says.
    pub min_face_px: Option<u32>,
    /// Most faces of one photo that are embedded, the largest first. Default 100.
    pub max_faces: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { provider: ProviderChoice::default(), gpu: GpuOptions::default(), min_face_px: None, max_faces: 100 }
    }
}

/// A pack, loaded and warm. All methods take `&self` and block; call them from as many threads as there are photos in flight.
#[derive(Debug)]
pub struct Engine {
    detector: Box<dyn Detector>,
    embedder: Box<dyn Embedder>,
    provider: ProviderReport,
    pack_id: String,
    max_faces: usize,
}

/// The faces of one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Best detection score first.
    pub faces: Vec<AnalysedFace>,
    /// Faces found beyond `max_faces`: the smallest, not embedded.
    pub faces_left_out: u32,
    pub timings: StageTimings,
}

/// A face, upright and embedded.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysedFace {
    pub detection: Detection,
    /// 112 x 112 RGB on the ArcFace template.
    pub aligned: RgbImage,
    /// As the net gave it, not normalised.
    pub embedding: Result<Embedding, EmbeddingError>,
}

/// Wall time of one photo, waiting for nets included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageTimings {
    pub detect: Duration,
    pub align: Duration,
    pub embed: Duration,
}

impl Engine {
    /// Loads the nets of `pack`, checks their shapes and runs each. What is not the CPU must see what the CPU sees, in the
    /// pictures of the self-test.
    ///
    /// With [`ProviderChoice::Auto`] an engine that cannot be opened on CUDA opens on the CPU, and [`Engine::provider`] says why; with
    /// [`HalfPrecision::Auto`] one that cannot be opened in half precision opens in single precision, likewise.
    ///
    /// # Errors
    /// [`EngineError::ModelNotLoaded`] naming the net and what was found, [`EngineError::ProviderUnavailable`],
    /// [`EngineError::ProviderDiffers`].
    pub fn open(runtime: &Runtime, pack: &Pack, options: EngineOptions) -> Result<Self, EngineError> {
        Opening { runtime, pack, options: &options }.run()
    }

    /// An engine of painted squares instead of faces, without ONNX Runtime; see [`fake`].
    pub fn fake() -> Self {
        Self {
            detector: Box::new(fake::FakeDetector),
            embedder: Box::new(fake::FakeEmbedder),
            provider: ProviderReport::of(&Placement::cpu()),
            pack_id: "fake@0".to_owned(),
            max_faces: EngineOptions::default().max_faces,
        }
    }

    /// Finds, aligns and embeds the faces of `photo` (upright RGB, full resolution). Waits when the nets are busy.
    ///
    /// # Errors
    /// [`EngineError::Inference`], [`EngineError::Stopped`].
    pub fn analyse(&self, photo: &RgbImage) -> Result<Analysis, EngineError> {
        self.analyse_if(photo, Admission::Wait)
    }

    /// As [`Engine::analyse`], but does not queue behind others.
    ///
    /// # Errors
    /// [`EngineError::Busy`] when the queue of the first net is full, before any work was done.
    pub fn try_analyse(&self, photo: &RgbImage) -> Result<Analysis, EngineError> {
        self.analyse_if(photo, Admission::Refuse)
    }

    /// All faces of `photo`, best score first, however many there are.
    ///
    /// # Errors
    /// As [`Engine::analyse`].
    pub fn detect(&self, photo: &RgbImage) -> Result<Vec<Detection>, EngineError> {
        self.detector.detect(photo, Admission::Wait)
    }

    /// Embeddings of faces that are aligned already: 112 x 112 RGB on the ArcFace template, one result each.
    ///
    /// # Errors
    /// As [`Engine::analyse`].
    pub fn embed_aligned(&self, faces: &[RgbImage]) -> Result<Vec<Result<Embedding, EmbeddingError>>, EngineError> {
        self.embedder.embed(faces)
    }

    pub fn provider(&self) -> &ProviderReport {
        &self.provider
    }

    /// The pack as results name it, for example `starter@0`.
    pub fn pack_id(&self) -> &str {
        &self.pack_id
    }

    /// Length of the embeddings.
    pub fn dims(&self) -> usize {
        self.embedder.dims()
    }

    /// What each net has done since the engine was opened, by name.
    pub fn stats(&self) -> Vec<(&'static str, StageStats)> {
        let mut stats = self.detector.stats();
        stats.extend(self.embedder.stats());
        stats
    }

    fn analyse_if(&self, photo: &RgbImage, admission: Admission) -> Result<Analysis, EngineError> {
        let start = Instant::now();
        let found = self.detector.detect(photo, admission)?;
        let (detections, faces_left_out) = largest(found, self.max_faces);
        let detect = start.elapsed();

        let start = Instant::now();
        let aligned: Vec<_> = detections.par_iter().map(|d| aligned(photo, d)).collect::<Result<_, _>>()?;
        let align = start.elapsed();

        let start = Instant::now();
        let embeddings = self.embedder.embed(&aligned)?;
        let timings = StageTimings { detect, align, embed: start.elapsed() };

        let faces = detections.into_iter().zip(aligned).zip(embeddings);
        let face = |((detection, aligned), embedding)| AnalysedFace { detection, aligned, embedding };
        Ok(Analysis { faces: faces.map(face).collect(), faces_left_out, timings })
    }
}

/// The `count` largest faces in the order in which they came, and how many were left out.
fn largest(faces: Vec<Detection>, count: usize) -> (Vec<Detection>, u32) {
    let left_out = faces.len().saturating_sub(count);
    let mut by_size: Vec<usize> = (0..faces.len()).collect();
    by_size.sort_by(|a, b| faces[*b].bbox.side_px().total_cmp(&faces[*a].bbox.side_px()));
    by_size.truncate(count);
    by_size.sort_unstable();
    (by_size.into_iter().map(|i| faces[i]).collect(), u32::try_from(left_out).unwrap_or(u32::MAX))
}

fn aligned(photo: &RgbImage, detection: &Detection) -> Result<RgbImage, EngineError> {
    align::arcface_112(photo, &detection.landmarks).ok_or_else(|| EngineError::Inference {
        net: "detector".to_owned(),
        reason: "the landmarks of a face coincide".to_owned(),
    })
}

#[cfg(test)]
mod tests;
