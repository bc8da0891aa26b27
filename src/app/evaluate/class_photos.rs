//! Recognition measured against labelled photos, without a database: enrol from a list, look at the photos, count.
//!
//! Every photo counts as a session of its own. Enrolment goes through the same choice of the one usable face and the same
//! templates as a school's, so the figures are those of the product, not of a laboratory.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;

use super::{Steps, portrait, read_list};
use crate::app::error::{Code, Error};
use crate::app::recogniser::{Recogniser, SeenPhoto};
use crate::domain::assign::{FaceVerdict, Probe, judge_photo};
use crate::domain::csv_table::Column;
use crate::domain::evaluation::{FaceTally, FoundFace, TrueFace, TruePerson, tally_photo};
use crate::domain::gallery::{Enrolled, Gallery};
use crate::domain::geometry::BoundingBox;
use crate::domain::ids::{FaceId, MemberId, SampleId, StudentId};
use crate::domain::status::Consent;
use crate::domain::template::Sample;

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
}

/// Everything that was counted.
#[derive(Debug, Serialize)]
pub struct ClassPhotoReport {
    pub pack: String,
    pub provider: String,
    pub total: FaceTally,
    pub photos: Vec<PhotoTally>,
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
    pub seconds: f64,
}

const PHOTO: Column = Column::filled("photo", &["image"]);
const IMAGE: Column = Column::filled("image", &["photo"]);
const PERSON: Column = Column::filled("person", &["roll_no"]);
const NAMED: Column = Column::optional("person", &["roll_no"]);
const CLASS: Column = Column::optional("class", &[]);
const RANK: Column = Column::optional("rank", &[]);
const NOTE: Column = Column::optional("note", &[]);
const BOX: [Column; 4] =
    [Column::filled("x", &[]), Column::filled("y", &[]), Column::filled("w", &[]), Column::filled("h", &[])];

/// Runs the whole evaluation; `progress` is told (done, all) over portraits and photos.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read, `FILE_ERROR`, and what stops a photo: a labelled photo that cannot be
/// processed is an error, never a silent gap in the figures.
pub fn class_photos(
    recogniser: &Recogniser,
    labelled: &Labelled,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<ClassPhotoReport, Error> {
    let truth = read_truth(&labelled.truth)?;
    let (portraits, listed) = match &labelled.enrolment {
        Some(file) => read_enrolment(file, labelled.samples)?,
        None => (Vec::new(), 0),
    };
    let steps = Steps::new(portraits.len() + truth.len(), progress);
    let (classes, refused) = enrol(recogniser, &labelled.portraits, portraits, &steps);
    let mut photos = Vec::new();
    for (photo, faces) in &truth {
        let path = labelled.photos.join(photo);
        let bytes = std::fs::read(&path).map_err(|e| Error::file(&path, &e))?;
        let start = Instant::now();
        let seen = recogniser.analyse(&bytes).map_err(|e| e.of(photo))?;
        photos.push(count(photo, &seen, faces, &classes, (recogniser, labelled.min_iou, start)));
        steps.one_done();
    }
    let mut total = FaceTally::default();
    photos.iter().for_each(|p| total += p.tally);
    let seconds: f64 = photos.iter().map(|p| p.seconds).sum();
    Ok(ClassPhotoReport {
        pack: recogniser.pack(),
        provider: recogniser.provider(),
        total,
        people_enrolled: classes.values().map(|c| c.gallery.candidates().len()).sum(),
        people_listed: listed,
        refused,
        seconds_per_photo: seconds / photos.len().max(1) as f64,
        photos,
    })
}

/// A labelled face as the truth file names it.
struct Label {
    bbox: BoundingBox,
    person: Option<String>,
    class: String,
    ignored: bool,
}

/// People who are compared with each other.
struct EvaluatedClass {
    gallery: Gallery,
    people: Vec<String>,
}

fn read_truth(path: &Path) -> Result<BTreeMap<String, Vec<Label>>, Error> {
    let mut columns = vec![PHOTO, NAMED, CLASS, NOTE];
    columns.extend(BOX);
    let mut photos: BTreeMap<String, Vec<Label>> = BTreeMap::new();
    for row in read_list(path, &columns)? {
        let number = |column: &Column| {
            row.get(column).parse::<f32>().map_err(|_| {
                let what = format!("line {}: {} is not a number", row.line, column.name);
                Error::new(Code::InvalidTable, what).of(path.display())
            })
        };
        let [x, y, w, h] = [number(&BOX[0])?, number(&BOX[1])?, number(&BOX[2])?, number(&BOX[3])?];
        photos.entry(row.get(&PHOTO).to_owned()).or_default().push(Label {
            bbox: BoundingBox::from_xywh(x, y, w, h),
            person: row.get_filled(&NAMED).map(str::to_owned),
            class: row.get(&CLASS).to_owned(),
            ignored: row.get_filled(&NOTE).is_some(),
        });
    }
    Ok(photos)
}

/// Class, person and image of each portrait to use, and how many people are listed.
fn read_enrolment(path: &Path, samples: usize) -> Result<(Vec<[String; 3]>, usize), Error> {
    let mut people: BTreeMap<(String, String), Vec<(u32, String)>> = BTreeMap::new();
    for row in read_list(path, &[IMAGE, PERSON, CLASS, RANK])? {
        let images = people.entry((row.get(&CLASS).to_owned(), row.get(&PERSON).to_owned())).or_default();
        let rank = row.get(&RANK).parse().unwrap_or(u32::try_from(images.len()).unwrap_or(u32::MAX));
        images.push((rank, row.get(&IMAGE).to_owned()));
    }
    let listed = people.len();
    let mut portraits = Vec::new();
    for ((class, person), mut images) in people {
        images.sort();
        portraits.extend(images.into_iter().take(samples).map(|(_, image)| [class.clone(), person.clone(), image]));
    }
    Ok((portraits, listed))
}

fn enrol(
    recogniser: &Recogniser,
    root: &Path,
    portraits: Vec<[String; 3]>,
    steps: &Steps<'_>,
) -> (HashMap<String, EvaluatedClass>, Vec<String>) {
    let looked: Vec<([String; 3], Result<Sample, Error>)> = portraits
        .into_par_iter()
        .enumerate()
        .map(|(i, listed)| {
            let sample = sample(recogniser, &root.join(&listed[2]), SampleId(i as i64));
            steps.one_done();
            (listed, sample)
        })
        .collect();
    let mut classes: BTreeMap<String, BTreeMap<String, Vec<Sample>>> = BTreeMap::new();
    let mut refused = Vec::new();
    for ([class, person, image], sample) in looked {
        let samples = classes.entry(class).or_default().entry(person).or_default();
        match sample {
            Ok(sample) => samples.push(sample),
            Err(e) => refused.push(format!("{image}: {e} [{}]", e.code.as_str())),
        }
    }
    let build = |people: BTreeMap<String, Vec<Sample>>| {
        let names: Vec<String> = people.keys().cloned().collect();
        let roll: Vec<Enrolled> = people.into_values().enumerate().map(|(i, samples)| row(i as i64, samples)).collect();
        EvaluatedClass { gallery: Gallery::build(&roll, recogniser.scoring()), people: names }
    };
    (classes.into_iter().map(|(class, people)| (class, build(people))).collect(), refused)
}

fn row(id: i64, samples: Vec<Sample>) -> Enrolled {
    Enrolled { member: MemberId(id), student: StudentId(id), consent: Consent::Given, active: true, samples }
}

fn sample(recogniser: &Recogniser, path: &Path, id: SampleId) -> Result<Sample, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
    Ok(portrait(recogniser, &bytes, id)?.sample)
}

fn count(
    photo: &str,
    seen: &SeenPhoto,
    labels: &[Label],
    classes: &HashMap<String, EvaluatedClass>,
    (recogniser, min_iou, start): (&Recogniser, f32, Instant),
) -> PhotoTally {
    let class = labels.first().and_then(|l| classes.get(&l.class));
    let verdicts = verdicts(seen, class, recogniser);
    let seconds = start.elapsed().as_secs_f64();
    let name = |member: MemberId| class.map(|c| c.people[member.0 as usize].clone());
    let found: Vec<FoundFace> = seen
        .faces
        .iter()
        .zip(&verdicts)
        .map(|(face, v)| FoundFace { bbox: face.detection.bbox, verdict: v.verdict, who: v.member.and_then(name) })
        .collect();
    let truth: Vec<TrueFace> = labels.iter().map(|l| TrueFace { bbox: l.bbox, who: who(l, class) }).collect();
    PhotoTally {
        photo: photo.to_owned(),
        width: seen.size.0,
        height: seen.size.1,
        faces_left_out: seen.faces_left_out,
        tally: tally_photo(&truth, &found, min_iou),
        seconds,
    }
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

fn verdicts(seen: &SeenPhoto, class: Option<&EvaluatedClass>, recogniser: &Recogniser) -> Vec<FaceVerdict> {
    let scoring = recogniser.scoring();
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
