//! Verification: is a pair of portraits one person or two? The figures that papers state, through the product's own path
//! (detection, alignment, embedding, score).
//!
//! They prove that weights and pixels are right. They say little about class photos, and lines taken from pairs let far too
//! many strangers in: [`super::calibrate`] sets lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::crops::{self, Crop, Crops};
use super::looker::Looker;
use super::report::Measurement;
use super::{Steps, portraits, read_list};
use crate::app::error::{Code, Error};
use crate::app::recogniser::{SeenFace, SeenPhoto};
use crate::domain::calibration::folds::{Accuracy, LabelledScore, cross_validated};
use crate::domain::calibration::verification::{Comparison, CurvePoint, EqualErrorRate, TrueAccepts, Verification};
use crate::domain::csv_table::{Column, CsvRow};
use crate::domain::histogram::Histogram;
use crate::domain::interval::BOOTSTRAP;
use crate::domain::score::ScaledEmbedding;

/// Where the pairs come from.
#[derive(Debug, Clone)]
pub enum Pairing {
    /// CSV: `image_a,image_b,same`, same being 1 or 0.
    Listed(PathBuf),
    /// CSV: `image,person[,note]`; every picture is compared with every other.
    Everybody(PathBuf),
}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct LabelledPairs {
    pub pairing: Pairing,
    /// Folder that the images lie in.
    pub images: PathBuf,
    /// Folds of the cross-validation of listed pairs; LFW has ten.
    pub folds: usize,
    /// Seed of the intervals.
    pub seed: u64,
    pub crops: Crops,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct PairReport {
    /// Pictures that the list names.
    pub images: usize,
    /// People that they show. For listed pairs, pictures that no pair says are of one person count as different people.
    pub people: usize,
    /// Pairs of one person, and of two, that could be compared.
    pub same: usize,
    pub different: usize,
    /// Pairs that could not be compared, because of the pictures in `failed`; they are in no figure.
    pub pairs_left_out: usize,
    /// Pictures without a usable face, with the reason.
    pub failed: Vec<String>,
    /// Of listed pairs; none with too few for the folds.
    pub accuracy: Option<Accuracy>,
    /// The best line as a cosine; none for packs whose score is not a function of it.
    pub best_cosine: Option<f32>,
    pub equal_error: Option<EqualErrorRate>,
    /// At false match rates of 1e-2, 1e-3 and 1e-4; one with too few comparisons is withheld and says so.
    pub true_accepts: Vec<TrueAccepts>,
    pub curve: Vec<CurvePoint>,
    pub histogram: Option<Histogram>,
    /// The nearest pairs of different people and the farthest of one: look at these pictures, one may be wrongly labelled.
    pub nearest_different: Vec<HardPair>,
    pub farthest_same: Vec<HardPair>,
}

/// A pair that is hard to tell.
#[derive(Debug, Serialize)]
pub struct HardPair {
    pub a: String,
    pub b: String,
    pub combined: f32,
    #[serde(skip)]
    pub crops: Vec<Crop>,
}

/// Hard pairs named of each kind.
const HARD: usize = 12;
/// Bins of the histogram.
const BINS: usize = 80;

const IMAGE_A: Column = Column::filled("image_a", &[]);
const IMAGE_B: Column = Column::filled("image_b", &[]);
const SAME: Column = Column::filled("same", &[]);

/// Embeds every picture once and compares the pairs; `progress` is told (done, all) pictures.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read, contradicts itself, or of which no picture can be used. A picture that
/// cannot be processed is named in the report.
pub fn pairs(
    looker: &Looker<'_>,
    labelled: &LabelledPairs,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<PairReport, Error> {
    let list = match &labelled.pairing {
        Pairing::Listed(file) => List::of_pairs(file)?,
        Pairing::Everybody(file) => List::of_people(file)?,
    };
    let (vectors, failed) = look_at(looker, &labelled.images, &list.images, progress)?;
    if vectors.iter().all(Option::is_none) {
        let what = format!("no picture could be used; the first: {}", failed.first().map_or("none listed", |f| f));
        return Err(Error::new(Code::InvalidTable, what).of(labelled.pairing.file().display()));
    }
    let scoring = looker.recogniser().scoring();
    let compare = |(a, b): &(usize, usize)| {
        let combined = scoring.between(vectors[*a].as_ref()?, vectors[*b].as_ref()?).combined;
        Some(Compared {
            images: (*a, *b),
            outcome: Comparison { combined, people: (list.person[*a], list.person[*b]) },
        })
    };
    let compared: Vec<Compared> = list.pairs.par_iter().filter_map(compare).collect();
    let accuracy = match labelled.pairing {
        Pairing::Listed(_) => {
            let scores: Vec<LabelledScore> = compared.iter().map(Compared::labelled).collect();
            cross_validated(&scores, labelled.folds)
        }
        Pairing::Everybody(_) => None,
    };
    let hard = |same: bool| hardest(looker, labelled, &list, &compared, same);
    let (nearest_different, farthest_same) = (hard(false)?, hard(true)?);
    let people = list.people();
    let verification = Verification::new(compared.iter().map(|c| c.outcome).collect(), people);
    let (true_accepts, equal_error) = verification.figures(labelled.seed);
    let rates = verification.rates();
    Ok(PairReport {
        images: list.images.len(),
        people,
        same: rates.genuine().len(),
        different: rates.impostor().len(),
        pairs_left_out: list.pairs.len() - compared.len(),
        failed,
        best_cosine: accuracy.and_then(|a| scoring.cosine_at(a.best_line, looker.recogniser().dims())),
        accuracy,
        equal_error,
        true_accepts,
        curve: verification.curve(),
        histogram: Histogram::new(rates.genuine(), rates.impostor(), BINS),
        nearest_different,
        farthest_same,
    })
}

impl Measurement for PairReport {
    const NAME: &'static str = "pairs";
    const INTERVALS: Option<&'static str> = Some(BOOTSTRAP);

    fn counts(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("images", self.images),
            ("people", self.people),
            ("same_pairs", self.same),
            ("different_pairs", self.different),
            ("pairs_left_out", self.pairs_left_out),
        ]
    }
}

impl Pairing {
    /// The list.
    pub fn file(&self) -> &Path {
        match self {
            Self::Listed(file) | Self::Everybody(file) => file,
        }
    }
}

/// Pictures, who is on them, and what is compared; all by index.
#[derive(Debug, PartialEq)]
struct List {
    images: Vec<String>,
    person: Vec<u32>,
    pairs: Vec<(usize, usize)>,
}

impl List {
    fn of_people(file: &Path) -> Result<Self, Error> {
        let (listed, _) = portraits::read(file)?;
        let names: BTreeSet<&str> = listed.iter().map(|(person, _)| person.as_str()).collect();
        let number = |name: &str| names.iter().position(|n| *n == name).expect("every name is in the set") as u32;
        let person = listed.iter().map(|(person, _)| number(person)).collect();
        let pairs = (0..listed.len()).flat_map(|a| (a + 1..listed.len()).map(move |b| (a, b))).collect();
        Ok(Self { person, pairs, images: listed.iter().map(|(_, image)| image.clone()).collect() })
    }

    /// Pictures that pairs say are of one person, over however many other pictures, are one person's.
    fn of_pairs(file: &Path) -> Result<Self, Error> {
        let rows = read_list(file, &[IMAGE_A, IMAGE_B, SAME])?;
        let wrong = |row: &CsvRow, what: String| {
            Error::new(Code::InvalidTable, format!("line {}: {what}", row.line)).of(file.display())
        };
        let names: BTreeSet<&str> = rows.iter().flat_map(|row| [row.get(&IMAGE_A), row.get(&IMAGE_B)]).collect();
        let number: BTreeMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (*name, i)).collect();
        let mut groups = Groups::new(names.len());
        let mut pairs = Vec::with_capacity(rows.len());
        for row in &rows {
            let (a, b) = (number[row.get(&IMAGE_A)], number[row.get(&IMAGE_B)]);
            match row.get(&SAME) {
                "1" => groups.join(a, b),
                "0" => {}
                other => return Err(wrong(row, format!("same is {other:?}, it must be 1 or 0"))),
            }
            pairs.push((a, b));
        }
        for (row, (a, b)) in rows.iter().zip(&pairs) {
            if row.get(&SAME) == "0" && groups.of(*a) == groups.of(*b) {
                let what = format!("{} and {} are one person by other lines", row.get(&IMAGE_A), row.get(&IMAGE_B));
                return Err(wrong(row, what));
            }
        }
        let person = (0..names.len()).map(|image| groups.of(image) as u32).collect();
        Ok(Self { images: names.into_iter().map(str::to_owned).collect(), person, pairs }.renumbered())
    }

    /// The same people with numbers without gaps.
    fn renumbered(mut self) -> Self {
        let known: BTreeSet<u32> = self.person.iter().copied().collect();
        let number: BTreeMap<u32, u32> = known.into_iter().zip(0..).collect();
        self.person.iter_mut().for_each(|person| *person = number[person]);
        self
    }

    fn people(&self) -> usize {
        self.person.iter().max().map_or(0, |last| *last as usize + 1)
    }
}

/// Things that belong together, each group known by its smallest member.
struct Groups(Vec<usize>);

impl Groups {
    fn new(things: usize) -> Self {
        Self((0..things).collect())
    }

    fn of(&self, mut thing: usize) -> usize {
        while self.0[thing] != thing {
            thing = self.0[thing];
        }
        thing
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// A pair that was compared.
struct Compared {
    images: (usize, usize),
    outcome: Comparison,
}

impl Compared {
    fn is_same(&self) -> bool {
        self.outcome.people.0 == self.outcome.people.1
    }

    fn labelled(&self) -> LabelledScore {
        LabelledScore { combined: self.outcome.combined, same: self.is_same() }
    }
}

/// One vector for each picture, and the pictures that have none, with the reason.
fn look_at(
    looker: &Looker<'_>,
    folder: &Path,
    images: &[String],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<(Vec<Option<ScaledEmbedding>>, Vec<String>), Error> {
    let files: Vec<PathBuf> = images.iter().map(|image| folder.join(image)).collect();
    looker.check(files.iter().map(PathBuf::as_path))?;
    let steps = Steps::new(images.len(), progress);
    let looked: Vec<Result<ScaledEmbedding, Error>> = files
        .par_iter()
        .map(|file| {
            let vector = look(looker, file);
            steps.one_done();
            vector
        })
        .collect();
    let mut failed = Vec::new();
    let vectors = images
        .iter()
        .zip(looked)
        .map(|(image, vector)| vector.map_err(|e| failed.push(format!("{image}: {e} [{}]", e.code.as_str()))).ok());
    Ok((vectors.collect(), failed))
}

/// The vector of the person whom the picture is of. No quality lines: a benchmark has no say in which pictures it uses.
fn look(looker: &Looker<'_>, path: &Path) -> Result<ScaledEmbedding, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
    let seen = looker.portrait(&bytes)?;
    let face = most_central(&seen).ok_or_else(|| Error::new(Code::NoFaceDetected, "no face found"))?;
    let embedding = face.embedding.as_ref().map_err(|e| Error::new(Code::InvalidEmbedding, e.to_string()))?;
    Ok(looker.recogniser().scoring().scaled(embedding))
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

/// The farthest pairs of one person, or the nearest of two.
fn hardest(
    looker: &Looker<'_>,
    labelled: &LabelledPairs,
    list: &List,
    compared: &[Compared],
    same: bool,
) -> Result<Vec<HardPair>, Error> {
    let mut kind: Vec<&Compared> = compared.iter().filter(|c| c.is_same() == same).collect();
    kind.sort_by(|a, b| a.outcome.combined.total_cmp(&b.outcome.combined));
    if same {
        kind.reverse();
    }
    let crop = |image: &str| {
        let file = labelled.images.join(image);
        let bytes = std::fs::read(&file).map_err(|e| Error::file(&file, &e))?;
        crops::whole(&bytes, looker.recogniser().limits())
    };
    let pair = |c: &Compared| {
        let (a, b) = (list.images[c.images.0].clone(), list.images[c.images.1].clone());
        let crops = match labelled.crops {
            Crops::Cut => vec![crop(&a)?, crop(&b)?],
            Crops::None => Vec::new(),
        };
        Ok(HardPair { a, b, combined: c.outcome.combined, crops })
    };
    kind.into_iter().take(HARD).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rows: &str) -> Result<List, Error> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("list.csv");
        std::fs::write(&file, rows).unwrap();
        if rows.starts_with("image,") { List::of_people(&file) } else { List::of_pairs(&file) }
    }

    #[test]
    fn pictures_that_pairs_join_are_one_person() {
        let known = list("image_a,image_b,same\na,c,1\nd,c,1\nb,a,0\nb,e,0\n").unwrap();
        assert_eq!(known.images, ["a", "b", "c", "d", "e"]);
        assert_eq!(known.person, [0, 1, 0, 0, 2]);
        assert_eq!((known.people(), known.pairs[2]), (3, (1, 0)));
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        let error = list("image_a,image_b,same\na,b,1\nb,c,1\na,c,0\n").unwrap_err();
        assert_eq!(error.code, Code::InvalidTable);
        assert!(error.message.contains("line 4: a and c are one person"), "{error}");
    }

    #[test]
    fn everybody_is_compared_with_everybody() {
        let known = list("image,person\nx1,x\ny1,y\nx2,x\n").unwrap();
        assert_eq!((known.images.join(" "), known.person), ("x1 x2 y1".to_owned(), vec![0, 0, 1]));
        assert_eq!(known.pairs, [(0, 1), (0, 2), (1, 2)]);
    }
}
