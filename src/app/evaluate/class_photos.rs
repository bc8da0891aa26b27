//! Recognition measured against labelled photos, without a database: enrol from a list, look at the photos, count.
//!
//! Every photo counts as a session of its own. Enrolment goes through the same choice of the one usable face and the same
//! templates as a school's, so the figures are those of the product, not of a laboratory.

mod enrolment;
mod mistakes;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::crops::Crops;
use super::looker::Looker;
use super::report::Measurement;
use super::truth::{BOX, PHOTO, bounds};
use super::{Steps, read_list};
use crate::app::error::Error;
use crate::app::recogniser::SeenPhoto;
use crate::domain::assign::{FaceVerdict, Probe, judge_photo};
use crate::domain::csv_table::Column;
use crate::domain::evaluation::{FaceTally, FoundFace, JudgedFace, Outcome, TrueFace, TruePerson, judge_faces};
use crate::domain::face_size::FaceSize;
use crate::domain::gallery::Gallery;
use crate::domain::geometry::BoundingBox;
use crate::domain::histogram::Histogram;
use crate::domain::ids::FaceId;
use crate::domain::interval::{Share, WILSON};
use crate::domain::score::Scoring;
use enrolment::{EvaluatedClass, enrol, read_enrolment};
pub use mistakes::Mistake;
use mistakes::{cut_crops, severity};

/// Where the labelled photos are.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// CSV: `photo,x,y,w,h[,person][,class][,note]`, or `image` for `photo`. A note marks a face that counts neither way.
    pub truth: PathBuf,
    /// Folder that the photos of the truth lie in.
    pub photos: PathBuf,
    /// CSV: `image,person[,class][,rank]`. Without it only detection is counted.
    pub enrolment: Option<PathBuf>,
    /// Folder that the enrolment images lie in.
    pub portraits: PathBuf,
    /// Portraits used for each person, in the order of `rank` or of the file.
    pub samples: usize,
    /// Least overlap (intersection over union) of a found with a labelled face, 0..1.
    pub min_iou: f32,
    pub crops: Crops,
}

/// Everything that was counted.
#[derive(Debug, Serialize)]
pub struct ClassPhotoReport {
    pub min_iou: f32,
    /// Most portraits used for each person.
    pub samples: usize,
    pub total: FaceTally,
    /// Of labelled faces, those found; of found faces, those labelled.
    pub recall: Share,
    pub precision: Share,
    /// Of labelled faces of enrolled people, those named right; of names given, those that are right.
    pub named: Share,
    pub names_right: Share,
    pub by_size: Vec<SizeTally>,
    pub photos: Vec<PhotoTally>,
    /// Faces that went wrong, worst kind first.
    pub mistakes: Vec<Mistake>,
    /// Scores of faces against their own person's template, and the nearest scores of strangers.
    pub histogram: Option<Histogram>,
    /// People who could be enrolled, of those listed.
    pub people_enrolled: usize,
    pub people_listed: usize,
    /// Portraits that could not be used, with the reason.
    pub refused: Vec<String>,
    pub seconds_per_photo: f64,
}

/// The counts of one photo.
#[derive(Debug, Serialize)]
pub struct PhotoTally {
    pub photo: String,
    pub width: u32,
    pub height: u32,
    pub faces_left_out: u32,
    #[serde(flatten)]
    pub tally: FaceTally,
    /// From its bytes to its faces, when it was looked at.
    pub seconds: f64,
}

/// The counts of faces of one size: of the labelled face, or of the found one where none is labelled.
#[derive(Debug, Serialize)]
pub struct SizeTally {
    pub size: FaceSize,
    pub recall: Share,
    /// Of found faces of this size, those that are faces.
    pub precision: Share,
    #[serde(flatten)]
    pub tally: FaceTally,
}

const NAMED: Column = Column::optional("person", &["roll_no"]);
const CLASS: Column = Column::optional("class", &[]);
const NOTE: Column = Column::optional("note", &[]);
/// Bins of the histogram.
const BINS: usize = 60;

/// Runs the whole evaluation; `progress` is told (done, all) over portraits and photos.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read, `FILE_ERROR`, and what stops a photo: a labelled photo that cannot be
/// processed is an error, never a silent gap in the figures.
pub fn class_photos(
    looker: &Looker<'_>,
    labelled: &Labelled,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<ClassPhotoReport, Error> {
    let truth = read_truth(&labelled.truth)?;
    let (portraits, listed) = match &labelled.enrolment {
        Some(file) => read_enrolment(file, labelled.samples)?,
        None => (Vec::new(), 0),
    };
    let steps = Steps::new(portraits.len() + truth.len(), progress);
    let portrait_files: Vec<PathBuf> = portraits.iter().map(|[.., image]| labelled.portraits.join(image)).collect();
    let photo_files: Vec<PathBuf> = truth.keys().map(|photo| labelled.photos.join(photo)).collect();
    looker.check(portrait_files.iter().chain(&photo_files).map(PathBuf::as_path))?;
    let (classes, refused) = enrol(looker, &labelled.portraits, portraits, &steps);
    let mut all = Tallied::default();
    for ((photo, labels), file) in truth.iter().zip(&photo_files) {
        let bytes = std::fs::read(file).map_err(|e| Error::file(file, &e))?;
        let seen = looker.photo(&bytes).map_err(|e| e.of(photo))?;
        let class = labels.first().and_then(|l| classes.get(&l.class));
        let judged = Judged::of(photo, &seen, labels, class, (looker.recogniser().scoring(), labelled.min_iou));
        judged.add_to(&mut all);
        steps.one_done();
    }
    all.mistakes.sort_by_key(|mistake| severity(mistake.outcome));
    if labelled.crops == Crops::Cut {
        cut_crops(looker, labelled, &classes, &mut all.mistakes)?;
    }
    Ok(all.report(labelled, &classes, listed, refused))
}

/// What has been counted so far.
#[derive(Default)]
struct Tallied {
    photos: Vec<PhotoTally>,
    /// Outcomes with the side of the face, pixels.
    outcomes: Vec<(f32, Outcome)>,
    mistakes: Vec<Mistake>,
    own_scores: Vec<f32>,
    stranger_scores: Vec<f32>,
}

impl Tallied {
    fn report(
        self,
        labelled: &Labelled,
        classes: &HashMap<String, EvaluatedClass>,
        listed: usize,
        refused: Vec<String>,
    ) -> ClassPhotoReport {
        let total: FaceTally = self.outcomes.iter().map(|(_, outcome)| *outcome).collect();
        let seconds: f64 = self.photos.iter().map(|p| p.seconds).sum();
        let share = |count: u32, of: u32| Share::of_independent(count as usize, of as usize);
        let names = total.named_right + total.named_wrong + total.strangers_named + total.false_named;
        ClassPhotoReport {
            min_iou: labelled.min_iou,
            samples: labelled.samples,
            recall: share(total.found, total.faces),
            precision: share(total.found, total.found + total.false_faces),
            named: share(total.named_right, total.enrolled),
            names_right: share(total.named_right, names),
            total,
            by_size: by_size(&self.outcomes),
            seconds_per_photo: seconds / self.photos.len().max(1) as f64,
            photos: self.photos,
            mistakes: self.mistakes,
            histogram: Histogram::new(&self.own_scores, &self.stranger_scores, BINS),
            people_enrolled: classes.values().map(|c| c.gallery.candidates().len()).sum(),
            people_listed: listed,
            refused,
        }
    }
}

fn by_size(outcomes: &[(f32, Outcome)]) -> Vec<SizeTally> {
    let row = |size: FaceSize| {
        let of_size = outcomes.iter().filter(|(px, _)| FaceSize::of(*px) == size);
        let tally: FaceTally = of_size.map(|(_, outcome)| *outcome).collect();
        let share = |count: u32, of: u32| Share::of_independent(count as usize, of as usize);
        let (recall, precision) =
            (share(tally.found, tally.faces), share(tally.found, tally.found + tally.false_faces));
        SizeTally { size, recall, precision, tally }
    };
    FaceSize::all().map(row).filter(|row| row.tally.faces + row.tally.false_faces > 0).collect()
}

/// One photo against its labels.
struct Judged<'a> {
    photo: &'a str,
    seen: &'a SeenPhoto,
    labels: &'a [Label],
    class: Option<&'a EvaluatedClass>,
    scoring: &'a Scoring,
    verdicts: Vec<FaceVerdict>,
    faces: Vec<JudgedFace>,
}

impl<'a> Judged<'a> {
    fn of(
        photo: &'a str,
        seen: &'a SeenPhoto,
        labels: &'a [Label],
        class: Option<&'a EvaluatedClass>,
        (scoring, min_iou): (&'a Scoring, f32),
    ) -> Self {
        let verdicts = verdicts(seen, class, scoring);
        let name = |v: &FaceVerdict| v.member.and_then(|member| class.map(|c| c.people[member.0 as usize].clone()));
        let found = seen.faces.iter().zip(&verdicts);
        let found: Vec<FoundFace> =
            found.map(|(face, v)| FoundFace { bbox: face.detection.bbox, verdict: v.verdict, who: name(v) }).collect();
        let truth: Vec<TrueFace> = labels.iter().map(|l| TrueFace { bbox: l.bbox, who: who(l, class) }).collect();
        let faces = judge_faces(&truth, &found, min_iou);
        Self { photo, seen, labels, class, scoring, verdicts, faces }
    }

    fn add_to(&self, all: &mut Tallied) {
        let timings = self.seen.timings.named();
        all.photos.push(PhotoTally {
            photo: self.photo.to_owned(),
            width: self.seen.size.0,
            height: self.seen.size.1,
            faces_left_out: self.seen.faces_left_out,
            tally: self.faces.iter().map(|face| face.outcome).collect(),
            seconds: timings.iter().map(|(_, ms)| f64::from(*ms) / 1000.0).sum(),
        });
        for face in &self.faces {
            all.outcomes.push((self.bounds(face).side_px(), face.outcome));
            let nearest = face.found.and_then(|f| self.verdicts[f].score).map(|score| score.combined);
            match self.own_score(face) {
                Some(own) => all.own_scores.push(own),
                None if face.outcome.is_stranger() => all.stranger_scores.extend(nearest),
                None => {}
            }
            if severity(face.outcome).is_some() {
                all.mistakes.push(self.mistake(face, nearest));
            }
        }
    }

    fn mistake(&self, face: &JudgedFace, combined: Option<f32>) -> Mistake {
        let bbox = self.bounds(face);
        let said = face.found.and_then(|f| self.verdicts[f].member).zip(self.class);
        Mistake {
            outcome: face.outcome,
            photo: self.photo.to_owned(),
            bounds: [bbox.x1, bbox.y1, bbox.width(), bbox.height()],
            truth: face.truth.and_then(|t| self.labels[t].person.clone()),
            said: said.map(|(member, class)| class.people[member.0 as usize].clone()),
            combined,
            own: self.own_score(face),
            crops: [const { None }; 3],
        }
    }

    fn bounds(&self, face: &JudgedFace) -> BoundingBox {
        let found = || face.found.map(|f| self.seen.faces[f].detection.bbox);
        face.truth.map(|t| self.labels[t].bbox).or_else(found).unwrap_or_default()
    }

    /// Combined score of a found face against the template of the person who it is.
    fn own_score(&self, face: &JudgedFace) -> Option<f32> {
        let (class, person) = self.class.zip(self.labels[face.truth?].person.as_ref())?;
        let embedding = self.seen.faces[face.found?].embedding.as_ref().ok()?;
        let own = class.gallery.candidates().iter().position(|c| class.people[c.member.0 as usize] == *person)?;
        Some(class.gallery.scores(&self.scoring.scaled(embedding), self.scoring)[own].combined)
    }
}

impl Measurement for ClassPhotoReport {
    const NAME: &'static str = "class-photos";
    const INTERVALS: Option<&'static str> = Some(WILSON);

    fn counts(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("photos", self.photos.len()),
            ("faces", self.total.faces as usize),
            ("people_enrolled", self.people_enrolled),
            ("people_listed", self.people_listed),
            ("portraits_refused", self.refused.len()),
        ]
    }
}

/// A labelled face as the truth file names it.
struct Label {
    bbox: BoundingBox,
    person: Option<String>,
    class: String,
    ignored: bool,
}

fn read_truth(path: &Path) -> Result<BTreeMap<String, Vec<Label>>, Error> {
    let mut columns = vec![PHOTO, NAMED, CLASS, NOTE];
    columns.extend(BOX);
    let mut photos: BTreeMap<String, Vec<Label>> = BTreeMap::new();
    for row in read_list(path, &columns)? {
        photos.entry(row.get(&PHOTO).to_owned()).or_default().push(Label {
            bbox: bounds(&row, path)?,
            person: row.get_filled(&NAMED).map(str::to_owned),
            class: row.get(&CLASS).to_owned(),
            ignored: row.get_filled(&NOTE).is_some(),
        });
    }
    Ok(photos)
}

/// Who a label is to the class: only people with a template can be named.
fn who(label: &Label, class: Option<&EvaluatedClass>) -> TruePerson {
    let known = |person: &&String| {
        class.is_some_and(|c| c.gallery.candidates().iter().any(|k| c.people[k.member.0 as usize] == **person))
    };
    match label.person.as_ref().filter(known) {
        _ if label.ignored => TruePerson::Ignored,
        Some(person) => TruePerson::Enrolled(person.clone()),
        None => TruePerson::Stranger,
    }
}

fn verdicts(seen: &SeenPhoto, class: Option<&EvaluatedClass>, scoring: &Scoring) -> Vec<FaceVerdict> {
    let probes: Vec<Probe> = seen
        .faces
        .iter()
        .enumerate()
        .map(|(i, face)| Probe {
            face: FaceId(i as i64),
            vector: face.embedding.as_ref().ok().map(|e| scoring.scaled(e)),
            said: None,
        })
        .collect();
    let nobody = Gallery::build(&[], scoring);
    judge_photo(&probes, class.map_or(&nobody, |c| &c.gallery), scoring)
}
