//! Faces of pictures that belong to nobody here: found, embedded and compared for other systems.
//!
//! Nothing is stored, and nobody of the school is compared with: a request brings both sides. What two faces are to each
//! other is said by the lines of the pack, as for class photos. Called by `http`.

use bytes::Bytes;

use super::blocking;
use super::enrol::single_face;
use super::error::{Code, Error};
use super::recogniser::{Recogniser, SeenFace, SeenPhoto};
use crate::domain::embedding::{Embedding, EmbeddingError};
use crate::domain::geometry::Detection;
use crate::domain::quality::FaceQuality;
use crate::domain::score::Scoring;
use crate::pack::manifest::{Alignment, Colour, DetectorSpec, Layout};

/// Most references that one probe is compared with.
pub const MAX_REFERENCES: usize = 100;

/// A face as it is handed in.
#[derive(Debug, Clone)]
pub enum Given {
    /// The bytes of a picture of one person.
    Picture(Bytes),
    /// An embedding by the same pack.
    Vector(Vec<f32>),
}

/// A face that can be compared.
#[derive(Debug, Clone)]
pub struct Subject {
    pub embedding: Embedding,
    /// None for a vector that was handed in.
    pub face: Option<(Detection, FaceQuality)>,
    pub warnings: Vec<String>,
}

/// Which faces of a picture are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    Largest,
}

/// Finds and measures the faces of a picture, tightly cut portraits among them; largest first.
///
/// # Errors
/// `INVALID_IMAGE`, `UNSUPPORTED_FORMAT`, `IMAGE_TOO_LARGE`; `PROCESSING_ERROR` when a net fails.
pub async fn detect(recogniser: &Recogniser, picture: Bytes) -> Result<SeenPhoto, Error> {
    let nets = recogniser.clone();
    blocking(move || nets.analyse_portrait(&picture)).await
}

/// The faces of a picture, each with its embedding as `presented` gives it.
///
/// # Errors
/// As [`detect`], and `NO_FACE_DETECTED`; `INVALID_EMBEDDING` for numbers that are no face.
pub async fn embed(
    recogniser: &Recogniser,
    picture: Bytes,
    which: Which,
) -> Result<(SeenPhoto, Vec<Embedding>), Error> {
    let mut seen = detect(recogniser, picture).await?;
    if which == Which::Largest {
        seen.faces.truncate(1);
    }
    if seen.faces.is_empty() {
        return Err(Error::new(Code::NoFaceDetected, "no face found"));
    }
    let normalise = recogniser.scoring().normalise;
    let of = |face: &SeenFace| face.embedding.as_ref().map(|e| presented(e, normalise)).map_err(|e| invalid(*e));
    let embeddings = seen.faces.iter().map(of).collect::<Result<_, _>>()?;
    Ok((seen, embeddings))
}

/// An embedding as others keep it: at length 1 for packs that normalise, otherwise as the net gave it.
fn presented(embedding: &Embedding, normalise: bool) -> Embedding {
    if normalise { embedding.normalised() } else { embedding.clone() }
}

/// The one face that was handed in. Faces less than half as large as the largest stand in the background.
///
/// # Errors
/// As [`detect`] for pictures, and `NO_FACE_DETECTED`, `MULTIPLE_FACES_DETECTED`; `INVALID_EMBEDDING` for vectors that are
/// of another length, not finite, or no face.
pub async fn subject(recogniser: &Recogniser, given: Given) -> Result<Subject, Error> {
    match given {
        Given::Vector(values) => {
            let embedding = vector(values, recogniser.dims()).map_err(invalid)?;
            Ok(Subject { embedding, face: None, warnings: Vec::new() })
        }
        Given::Picture(picture) => {
            let (face, warnings) = single_face(detect(recogniser, picture).await?)?;
            let embedding = face.embedding.map_err(invalid)?;
            Ok(Subject { embedding, face: Some((face.detection, face.quality)), warnings })
        }
    }
}

fn vector(values: Vec<f32>, dims: usize) -> Result<Embedding, EmbeddingError> {
    if values.len() != dims {
        return Err(EmbeddingError::Dimensions { expected: dims, found: values.len() });
    }
    Embedding::new(values)
}

fn invalid(error: EmbeddingError) -> Error {
    Error::new(Code::InvalidEmbedding, error.to_string())
}

/// How near two faces are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearness {
    /// -1..1; 1 for equal vectors.
    pub cosine: f32,
    /// Distance of the vectors at length 1, 0..2.
    pub euclidean: f32,
    /// The 70/30 score; 0 for equal vectors, lower is nearer.
    pub combined: f32,
}

/// What the pack's lines make of a nearness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The same person.
    Match,
    /// To be asked about.
    Doubt,
    /// Different people.
    Different,
}

/// A probe against its references.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// In the order of the references, each judged alone.
    pub references: Vec<(Nearness, Judgement)>,
    /// None without references.
    pub best: Option<Best>,
}

/// The nearest reference, judged against all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Position among the references.
    pub index: usize,
    /// A match leads the nearest reference of another id by the pack's margin.
    pub judgement: Judgement,
    /// Posterior probability that it is this one of the ids, under the school's prior.
    pub confidence: f32,
    /// Position of the nearest reference with another id.
    pub runner_up: Option<usize>,
}

/// Compares faces by the lines of a pack.
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    scoring: Scoring,
    /// Nobody is named by lines that were never measured.
    calibrated: bool,
}

impl Judge {
    pub fn of(recogniser: &Recogniser) -> Self {
        Self { scoring: *recogniser.scoring(), calibrated: recogniser.is_calibrated() }
    }

    /// Whether two faces are of one person, and how sure that is: the posterior probability under the school's prior.
    pub fn verify(&self, first: &Embedding, second: &Embedding) -> (Nearness, Judgement, f32) {
        let nearness = self.nearness(first, second);
        (nearness, self.judged(nearness.combined), self.scoring.posterior(&[nearness.combined], 0))
    }

    /// Compares a probe with references, each an id and an embedding. Several references of one id are one person: the
    /// nearest of them counts.
    pub fn compare<'r>(
        &self,
        probe: &Embedding,
        references: impl IntoIterator<Item = (&'r str, &'r Embedding)>,
    ) -> Comparison {
        let (ids, near): (Vec<&str>, Vec<Nearness>) =
            references.into_iter().map(|(id, embedding)| (id, self.nearness(probe, embedding))).unzip();
        let persons = nearest_of_each(&ids, &near);
        let best = persons.first().map(|&index| {
            let combined: Vec<f32> = persons.iter().map(|i| near[*i].combined).collect();
            let runner_up = persons.get(1).copied();
            let leads = runner_up.is_none_or(|i| near[i].combined - combined[0] >= self.scoring.lines.margin);
            let judgement = match self.judged(combined[0]) {
                Judgement::Match if !leads => Judgement::Doubt,
                judgement => judgement,
            };
            Best { index, judgement, confidence: self.scoring.posterior(&combined, 0), runner_up }
        });
        Comparison { references: near.into_iter().map(|n| (n, self.judged(n.combined))).collect(), best }
    }

    fn nearness(&self, first: &Embedding, second: &Embedding) -> Nearness {
        let score = self.scoring.between(&self.scoring.scaled(first), &self.scoring.scaled(second));
        let (a, b) = (first.normalised(), second.normalised());
        let squares = a.values().iter().zip(b.values()).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        Nearness { cosine: score.cosine, euclidean: squares.sqrt() as f32, combined: score.combined }
    }

    fn judged(&self, combined: f32) -> Judgement {
        let lines = &self.scoring.lines;
        match combined {
            near if near <= lines.accept && self.calibrated => Judgement::Match,
            near if near <= lines.doubt => Judgement::Doubt,
            _ => Judgement::Different,
        }
    }
}

/// The nearest reference of each id, nearest first; of two that are equally near the earlier one.
fn nearest_of_each(ids: &[&str], near: &[Nearness]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by(|a, b| near[*a].combined.total_cmp(&near[*b].combined));
    let mut seen = std::collections::HashSet::new();
    order.retain(|i| seen.insert(ids[*i]));
    order
}

/// The model behind every answer.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    pub id: String,
    pub version: String,
    pub title: String,
    pub licence: String,
    pub licence_notes: String,
    pub commercial_use: bool,
    /// Why nobody has run the pack yet.
    pub untested: Option<String>,
    /// Kind of the detector.
    pub detector: &'static str,
    pub input: Input,
    /// Length of the embeddings.
    pub dims: usize,
    /// Embeddings are compared at one length.
    pub normalise: bool,
    pub calibrated: bool,
    /// Accept, doubt and margin, in combined score.
    pub lines: (f32, f32, f32),
    /// The cosines of accept and doubt, for packs that normalise.
    pub cosines: (Option<f32>, Option<f32>),
    pub provenance: LinesProvenance,
    pub provider: String,
    /// Why that is the CPU where a GPU was hoped for.
    pub provider_note: Option<String>,
    pub runtime_version: Option<String>,
    pub runtime_build: String,
}

/// What the embedder takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Input {
    /// Width and height, pixels.
    pub size_px: [u32; 2],
    pub layout: &'static str,
    pub colour: &'static str,
    /// Grey levels 0..255 go in as `(x - mean) / std`.
    pub mean: [f32; 3],
    pub std: [f32; 3],
    pub alignment: &'static str,
}

/// What the lines were measured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinesProvenance {
    pub data: String,
    pub date: String,
    pub rule: String,
    pub impostor_comparisons: u64,
    pub genuine_comparisons: u64,
}

/// What the recogniser's pack says of itself, and what it runs on.
pub fn model_info(recogniser: &Recogniser) -> ModelInfo {
    let manifest = recogniser.manifest();
    let (embedder, said, scoring) = (&manifest.embedder, &manifest.scoring, recogniser.scoring());
    ModelInfo {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        title: manifest.title.clone(),
        licence: manifest.licence.text.clone(),
        licence_notes: manifest.licence.notes.trim().to_owned(),
        commercial_use: manifest.licence.commercial_use,
        untested: manifest.untested.clone(),
        detector: match manifest.detector {
            DetectorSpec::Mtcnn(_) => "mtcnn",
            DetectorSpec::Scrfd(_) => "scrfd",
        },
        input: Input {
            size_px: embedder.size_px,
            layout: match embedder.layout {
                Layout::Nchw => "nchw",
            },
            colour: match embedder.colour {
                Colour::Rgb => "rgb",
                Colour::Bgr => "bgr",
            },
            mean: embedder.mean,
            std: embedder.std,
            alignment: match embedder.alignment {
                Alignment::Arcface112 => "arcface112",
            },
        },
        dims: embedder.dims,
        normalise: embedder.normalise,
        calibrated: recogniser.is_calibrated(),
        lines: (said.accept, said.doubt, said.margin),
        cosines: (scoring.cosine_at(said.accept, embedder.dims), scoring.cosine_at(said.doubt, embedder.dims)),
        provenance: LinesProvenance {
            data: said.provenance.data.clone(),
            date: said.provenance.date.clone(),
            rule: said.provenance.rule.trim().to_owned(),
            impostor_comparisons: said.provenance.impostor_comparisons,
            genuine_comparisons: said.provenance.genuine_comparisons,
        },
        provider: recogniser.provider(),
        provider_note: recogniser.fallback_reason().map(str::to_owned),
        runtime_version: recogniser.runtime().version.clone(),
        runtime_build: recogniser.runtime().build.clone(),
    }
}

#[cfg(test)]
mod tests;
