//! Aligned faces in, embeddings out.

use image::RgbImage;
use rayon::prelude::*;

use super::error::EngineError;
use super::net::{BatchAxis, Dim, Net, NetSpec, Tensor};
use super::placement::{Placement, Shapes};
use super::runtime::Runtime;
use super::stage::{Admission, Stage, StageOptions, StageStats};
use crate::domain::embedding::{Embedding, EmbeddingError};
use crate::pack::Pack;
use crate::pack::manifest::{Colour, EmbedderSpec};
use crate::vision::tensor::{self, ColourOrder, Normalisation};

/// Faces of all photos in flight that go through the net together.
pub const EMBED_BATCH: usize = 100;
/// The same on a CPU, where more at once leave the caches: on two cores a face took 1.7, 1.7 and 1.8 ms in batches of 1, 8 and 16
/// (starter), 1.8, 1.4 and 1.5 ms (EdgeFace-XS), 3.7, 4.0 and 4.4 ms (MobileFaceNet).
const CPU_BATCH: usize = 8;
/// Requests (one for each photo, as a rule) that may wait.
const QUEUE: usize = 16;

/// Turns aligned faces into vectors. Called from many photo threads at once; see [`Detector`](super::detector::Detector).
pub trait Embedder: Send + Sync + std::fmt::Debug {
    /// One result for each face, in order: the net's own vector, not normalised. `faces` are 112 x 112 RGB on the ArcFace
    /// template.
    ///
    /// # Errors
    /// What the net reports. A face whose vector is no embedding has its own error and spoils no other.
    fn embed(&self, faces: &[RgbImage]) -> Result<Vec<Result<Embedding, EmbeddingError>>, EngineError>;

    /// Length of the embeddings.
    fn dims(&self) -> usize;

    /// What each net has done so far, by name.
    fn stats(&self) -> Vec<(&'static str, StageStats)> {
        Vec::new()
    }
}

/// The embedder of a pack.
#[derive(Debug)]
pub struct OnnxEmbedder {
    stage: Stage,
    /// Most faces of one run.
    batch: usize,
    normalisation: Normalisation,
    size_px: [u32; 2],
    dims: usize,
}

impl OnnxEmbedder {
    /// # Errors
    /// [`EngineError::ModelNotLoaded`], [`EngineError::ProviderUnavailable`].
    pub fn open(runtime: &Runtime, place: &Placement, pack: &Pack, spec: &EmbedderSpec) -> Result<Self, EngineError> {
        let [width, height] = spec.size_px;
        let net_spec = NetSpec {
            name: "embedder",
            path: pack.file(&spec.file),
            input: vec![Dim::Free, Dim::Fixed(3), Dim::Fixed(height as usize), Dim::Fixed(width as usize)],
            outputs: vec![(None, vec![Dim::Free, Dim::Fixed(spec.dims)])],
            batch: BatchAxis::Kept,
        };
        let nets = Net::load_copies(runtime, place, net_spec)?;
        let batch = if place.shapes == Shapes::Few { EMBED_BATCH } else { CPU_BATCH };
        let options = StageOptions { max_batch: batch, batch_sizes: place.batch_sizes, queue: QUEUE };
        let order = match spec.colour {
            Colour::Rgb => ColourOrder::Rgb,
            Colour::Bgr => ColourOrder::Bgr,
        };
        Ok(Self {
            stage: Stage::of(nets, [height, width], options)?,
            batch,
            normalisation: Normalisation { order, mean: spec.mean, std: spec.std },
            size_px: spec.size_px,
            dims: spec.dims,
        })
    }

    /// As large as they may be and of about one size, as many for each copy of the net: all of them end at the same time.
    fn portions<'a>(&self, faces: &'a [RgbImage]) -> std::slice::Chunks<'a, RgbImage> {
        let copies = self.stage.copies();
        let portions = faces.len().div_ceil(copies * self.batch) * copies;
        faces.chunks(faces.len().div_ceil(portions.max(1)).max(1))
    }

    fn tensor(&self, faces: &[RgbImage]) -> Tensor {
        let [width, height] = self.size_px;
        let item = 3 * width as usize * height as usize;
        let mut data = vec![0.0; faces.len() * item];
        data.par_chunks_mut(item).zip(faces).for_each(|(out, face)| tensor::picture(face, &self.normalisation, out));
        Tensor::new(vec![faces.len(), 3, height as usize, width as usize], data)
    }
}

impl Embedder for OnnxEmbedder {
    fn embed(&self, faces: &[RgbImage]) -> Result<Vec<Result<Embedding, EmbeddingError>>, EngineError> {
        let mut embeddings = Vec::with_capacity(faces.len());
        self.stage.stream(
            self.portions(faces),
            Admission::Wait,
            |chunk| self.tensor(chunk),
            |_, outputs| {
                embeddings.extend(rows(&outputs[0]));
                Ok(())
            },
        )?;
        Ok(embeddings)
    }

    fn dims(&self) -> usize {
        self.dims
    }

    fn stats(&self) -> Vec<(&'static str, StageStats)> {
        vec![(self.stage.name(), self.stage.stats())]
    }
}

/// One embedding, or the reason why it is none, for each item of a `[n, dims]` tensor.
fn rows(output: &Tensor) -> impl Iterator<Item = Result<Embedding, EmbeddingError>> {
    output.data.chunks(output.shape[1]).map(|values| Embedding::new(values.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_that_is_no_embedding_spoils_no_other() {
        let output = Tensor::new(vec![3, 2], vec![1.0, 2.0, f32::NAN, 0.0, 3.0, 4.0]);
        let found: Vec<_> = rows(&output).map(|row| row.map(|e| e.values().to_vec())).collect();
        assert_eq!(found, [Ok(vec![1.0, 2.0]), Err(EmbeddingError::NotFinite), Ok(vec![3.0, 4.0])]);
    }
}
