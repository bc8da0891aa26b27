//! Verification: is a pair of portraits one person or two? The figures that papers state, through the product's own path
//! (detection, alignment, embedding, score).
//!
//! They prove that weights and pixels are right. They say little about class photos, and lines taken from pairs let far too
//! many strangers in: [`super::calibrate`] sets lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::{Steps, read_list};
use crate::app::error::{Code, Error};
use crate::app::recogniser::{Recogniser, SeenFace, SeenPhoto};
use crate::domain::calibration::folds::{Accuracy, LabelledScore, cross_validated};
use crate::domain::calibration::rates::{EqualError, Rates, RocPoint};
use crate::domain::csv_table::Column;
use crate::domain::score::ScaledEmbedding;

/// Where the pairs are.
#[derive(Debug, Clone)]
pub struct LabelledPairs {
    /// CSV: `image_a,image_b,same`, same being 1 or 0.
    pub pairs: PathBuf,
    /// Folder that the images lie in.
    pub images: PathBuf,
    /// Folds of the cross-validation; LFW has ten.
    pub folds: usize,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct PairReport {
    pub pack: String,
    pub provider: String,
    /// Pictures that the pairs name.
    pub images: usize,
    /// Pairs of one person, and of two, that could be compared.
    pub same: usize,
    pub different: usize,
    /// Pairs that could not be compared, because of the pictures in `failed`; they are in no figure.
    pub pairs_left_out: usize,
    /// Pictures without a usable face, with the reason.
    pub failed: Vec<String>,
    /// None with too few pairs for the folds.
    pub accuracy: Option<Accuracy>,
    /// The best line as a cosine; none for packs whose score is not a function of it.
    pub best_cosine: Option<f32>,
    pub equal_error: Option<EqualError>,
    pub roc: Vec<RocPoint>,
    pub seconds: f64,
}

/// False accept rates that the report states the true accept rate at.
pub const FALSE_ACCEPT_RATES: [f64; 4] = [0.1, 1e-2, 1e-3, 1e-4];

const IMAGE_A: Column = Column::filled("image_a", &[]);
const IMAGE_B: Column = Column::filled("image_b", &[]);
const SAME: Column = Column::filled("same", &[]);

/// Embeds every picture once and compares the pairs; `progress` is told (done, all) pictures.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read or that no picture of can be used. A picture that cannot be processed is
/// named in the report.
pub fn pairs(
    recogniser: &Recogniser,
    labelled: &LabelledPairs,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<PairReport, Error> {
    let start = std::time::Instant::now();
    let list = read_pairs(&labelled.pairs)?;
    let images: BTreeSet<&str> = list.iter().flat_map(|pair| [pair.a.as_str(), &pair.b]).collect();
    let steps = Steps::new(images.len(), progress);
    let looked: Vec<(&str, Result<ScaledEmbedding, Error>)> = images
        .par_iter()
        .map(|image| {
            let vector = look(recogniser, &labelled.images.join(image));
            steps.one_done();
            (*image, vector)
        })
        .collect();
    let mut vectors = BTreeMap::new();
    let mut failed = Vec::new();
    for (image, vector) in looked {
        match vector {
            Ok(vector) => drop(vectors.insert(image, vector)),
            Err(e) => failed.push(format!("{image}: {e} [{}]", e.code.as_str())),
        }
    }
    if vectors.is_empty() {
        let what = format!("no picture could be used; the first: {}", failed.first().map_or("none listed", |f| f));
        return Err(Error::new(Code::InvalidTable, what).of(labelled.pairs.display()));
    }
    let scoring = recogniser.scoring();
    let compare = |pair: &Pair| {
        let (a, b) = (vectors.get(pair.a.as_str())?, vectors.get(pair.b.as_str())?);
        Some(LabelledScore { combined: scoring.between(a, b).combined, same: pair.same })
    };
    let scores: Vec<LabelledScore> = list.iter().filter_map(compare).collect();
    let side = |same: bool| scores.iter().filter(|s| s.same == same).map(|s| s.combined).collect::<Vec<f32>>();
    let rates = Rates::new(side(true), side(false));
    let accuracy = cross_validated(&scores, labelled.folds);
    let dims = vectors.values().next().map_or(0, |v| v.values().len());
    Ok(PairReport {
        pack: recogniser.pack(),
        provider: recogniser.provider(),
        images: images.len(),
        same: rates.genuine().len(),
        different: rates.impostor().len(),
        pairs_left_out: list.len() - scores.len(),
        failed,
        best_cosine: accuracy.and_then(|a| scoring.cosine_at(a.best_line, dims)),
        accuracy,
        equal_error: rates.equal_error(),
        roc: FALSE_ACCEPT_RATES.iter().map(|far| rates.at(*far)).collect(),
        seconds: start.elapsed().as_secs_f64(),
    })
}

struct Pair {
    a: String,
    b: String,
    same: bool,
}

fn read_pairs(path: &Path) -> Result<Vec<Pair>, Error> {
    let rows = read_list(path, &[IMAGE_A, IMAGE_B, SAME])?;
    let pair = |row: &crate::domain::csv_table::CsvRow| {
        let same = match row.get(&SAME) {
            "1" => true,
            "0" => false,
            other => {
                let what = format!("line {}: same is {other:?}, it must be 1 or 0", row.line);
                return Err(Error::new(Code::InvalidTable, what).of(path.display()));
            }
        };
        Ok(Pair { a: row.get(&IMAGE_A).to_owned(), b: row.get(&IMAGE_B).to_owned(), same })
    };
    rows.iter().map(pair).collect()
}

/// The vector of the person whom the picture is of. No quality lines: a benchmark has no say in which pictures it uses.
fn look(recogniser: &Recogniser, path: &Path) -> Result<ScaledEmbedding, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
    let seen = recogniser.analyse_portrait(&bytes)?;
    let face = most_central(&seen).ok_or_else(|| Error::new(Code::NoFaceDetected, "no face found"))?;
    let embedding = face.embedding.as_ref().map_err(|e| Error::new(Code::InvalidEmbedding, e.to_string()))?;
    Ok(recogniser.scoring().scaled(embedding))
}

/// Benchmarks centre their pictures on the person; others may stand behind.
fn most_central(seen: &SeenPhoto) -> Option<&SeenFace> {
    let (x, y) = (seen.size.0 as f32 / 2.0, seen.size.1 as f32 / 2.0);
    let off_centre = |face: &SeenFace| {
        let bbox = &face.detection.bbox;
        (f32::midpoint(bbox.x1, bbox.x2) - x).hypot(f32::midpoint(bbox.y1, bbox.y2) - y)
    };
    seen.faces.iter().min_by(|a, b| off_centre(a).total_cmp(&off_centre(b)))
}
