//! Calibration: the lines of a pack from labelled portraits of people whom its nets were not trained on.
//!
//! Every portrait is looked at as enrolment does, and again shrunk to the sizes that faces have in class photos, as batch
//! does; [`crate::domain::calibration::fit`] makes lines of the scores, and [`Calibrated::scoring`] the words for the pack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use rayon::prelude::*;
use serde::Serialize;

use super::{Steps, portrait, read_list};
use crate::app::error::{Code, Error};
use crate::app::recogniser::{Recogniser, SeenPhoto};
use crate::domain::calibration::draw::Draw;
use crate::domain::calibration::fit::{self, Calibration, Plan, WRONG_RATE};
use crate::domain::calibration::line::{Line, Method, TAIL_FROM};
use crate::domain::calibration::open_set::MARGIN_STEP;
use crate::domain::calibration::trials::{Image, Person, Probe};
use crate::domain::csv_table::Column;
use crate::domain::embedding::Embedding;
use crate::domain::geometry::BoundingBox;
use crate::domain::ids::SampleId;
use crate::pack::manifest::{LogLikelihoodRatio, Provenance, Scoring};
use crate::vision::decode::decode;
use crate::vision::shrink::shrunk_jpeg;

/// Whose portraits are where.
#[derive(Debug, Clone)]
pub struct LabelledPortraits {
    /// CSV: `image,person[,note]`; a note takes an image out.
    pub list: PathBuf,
    /// Folder that the images lie in.
    pub images: PathBuf,
    /// What the pack shall say of the data, for example `LFW, 208 people A-M`.
    pub data: String,
    pub date: NaiveDate,
}

/// A calibration and everything that it could not use.
#[derive(Debug, Serialize)]
pub struct Calibrated {
    pub pack: String,
    pub provider: String,
    pub data: String,
    pub date: NaiveDate,
    pub plan: Plan,
    #[serde(flatten)]
    pub calibration: Calibration,
    /// Accept and doubt line as cosines; none for packs that do not normalise.
    pub cosines: Option<[f32; 2]>,
    /// Images listed, without those that a note takes out.
    pub listed: usize,
    /// Images that a note takes out.
    pub noted: Vec<String>,
    /// Portraits that cannot be enrolled, with the reason; no probe is made of them either.
    pub refused: Vec<String>,
    /// Shrunk portraits in which the face was not found, with its size.
    pub unseen: Vec<String>,
    pub seconds: f64,
}

/// Overlap from which a face of the shrunk picture is the portrait's own, intersection over union. Loose, because boxes of
/// small faces jump by pixels; another person's face does not overlap at all.
const SAME_FACE_IOU: f32 = 0.3;

const IMAGE: Column = Column::filled("image", &["photo"]);
const PERSON: Column = Column::filled("person", &[]);
const NOTE: Column = Column::optional("note", &[]);

/// Looks at every portrait and sets the lines; `progress` is told (done, all) portraits.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read or whose portraits are too few or too easy. A portrait that cannot be
/// used is named in the result.
pub fn calibrate(
    recogniser: &Recogniser,
    labelled: &LabelledPortraits,
    plan: Plan,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Calibrated, Error> {
    let start = std::time::Instant::now();
    let (list, noted) = read_portraits(&labelled.list)?;
    let steps = Steps::new(list.len(), progress);
    let looked: Vec<Result<Looked, Error>> = list
        .par_iter()
        .enumerate()
        .map(|(i, (_, image))| {
            let looked = look(recogniser, &labelled.images.join(image), i, &plan);
            steps.one_done();
            looked
        })
        .collect();
    let mut people: BTreeMap<&str, Vec<Image>> = BTreeMap::new();
    let (mut refused, mut unseen) = (Vec::new(), Vec::new());
    for ((person, image), looked) in list.iter().zip(looked) {
        match looked {
            Ok(Looked { sample, probes, unseen_px }) => {
                unseen.extend(unseen_px.iter().map(|px| format!("{image} at {px:.0} px")));
                people.entry(person).or_default().push(Image { name: image.clone(), sample, probes });
            }
            Err(e) => refused.push(format!("{image}: {e} [{}]", e.code.as_str())),
        }
    }
    let people: Vec<Person> =
        people.into_iter().map(|(name, images)| Person { name: name.to_owned(), images }).collect();
    let calibration = fit::calibrate(&people, &plan, recogniser.scoring())
        .map_err(|e| Error::new(Code::InvalidTable, e.to_string()).of(labelled.list.display()))?;
    let dims = people.iter().flat_map(|p| &p.images).map(|i| i.sample.embedding.dims()).next().unwrap_or(0);
    let cosine = |line: f32| recogniser.scoring().cosine_at(line, dims);
    Ok(Calibrated {
        pack: recogniser.pack(),
        provider: recogniser.provider(),
        data: labelled.data.clone(),
        date: labelled.date,
        plan,
        cosines: cosine(calibration.lines.accept).zip(cosine(calibration.lines.doubt)).map(|(a, d)| [a, d]),
        calibration,
        listed: list.len(),
        noted,
        refused,
        unseen,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Person and image.
type Portrait = (String, String);

/// The portraits of a list, in an order that does not depend on the file; and the images that a note takes out.
fn read_portraits(path: &Path) -> Result<(Vec<Portrait>, Vec<String>), Error> {
    let (mut list, mut noted) = (Vec::new(), Vec::new());
    for row in read_list(path, &[IMAGE, PERSON, NOTE])? {
        let image = row.get(&IMAGE).to_owned();
        match row.get_filled(&NOTE) {
            Some(note) => noted.push(format!("{image}: {note}")),
            None => list.push((row.get(&PERSON).to_owned(), image)),
        }
    }
    list.sort();
    list.dedup();
    Ok((list, noted))
}

/// One portrait, large and small.
struct Looked {
    sample: crate::domain::template::Sample,
    probes: Vec<Probe>,
    /// Sizes at which its face was not found.
    unseen_px: Vec<f32>,
}

fn look(recogniser: &Recogniser, path: &Path, index: usize, plan: &Plan) -> Result<Looked, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
    let id = SampleId(i64::try_from(index).expect("a list has fewer rows than an i64 counts"));
    let known = portrait(recogniser, &bytes, id)?;
    let picture = decode(&bytes, recogniser.limits())?.pixels;
    let mut looked = Looked { sample: known.sample, probes: Vec::new(), unseen_px: Vec::new() };
    let mut draw = Draw::of(plan.templates.seed, &[index]);
    for step in 0..plan.sizes.steps {
        // A portrait is never enlarged.
        let side_px = plan.sizes.draw(step, &mut draw).min(known.bbox.side_px());
        let factor = side_px / known.bbox.side_px();
        let small = shrunk_jpeg(&picture, factor)
            .map_err(|e| Error::new(Code::ProcessingError, format!("could not be shrunk: {e}")))?;
        match face_at(recogniser.analyse(&small)?, &known.bbox, factor) {
            Some(embedding) => looked.probes.push(Probe { side_px, embedding }),
            None => looked.unseen_px.push(side_px),
        }
    }
    Ok(looked)
}

/// The embedding of the face that lies where the portrait's did, and whose vector can be used.
fn face_at(seen: SeenPhoto, bbox: &BoundingBox, factor: f32) -> Option<Embedding> {
    let place = BoundingBox::new(bbox.x1 * factor, bbox.y1 * factor, bbox.x2 * factor, bbox.y2 * factor);
    let overlap = |bbox: &BoundingBox| bbox.iou(&place);
    let faces = seen.faces.into_iter().filter(|face| overlap(&face.detection.bbox) >= SAME_FACE_IOU);
    let nearest = faces.max_by(|a, b| overlap(&a.detection.bbox).total_cmp(&overlap(&b.detection.bbox)))?;
    nearest.embedding.ok()
}

impl Calibrated {
    /// `[scoring]` of the pack, with what it rests on.
    pub fn scoring(&self) -> Scoring {
        let found = &self.calibration;
        let lines = found.lines;
        Scoring {
            accept: lines.accept,
            doubt: lines.doubt,
            margin: lines.margin,
            provenance: Provenance {
                data: self.data.clone(),
                people: Some(found.people as u64),
                images: Some(found.images as u64),
                impostor_comparisons: found.impostors as u64,
                genuine_comparisons: found.genuine as u64,
                impostors_at_accept: Some(found.accept.impostors as u64),
                people_pairs_at_accept: Some(found.accept.people_pairs as u64),
                date: self.date.to_string(),
                rule: self.rule(),
                margin: self.margin_rule(),
            },
            llr: LogLikelihoodRatio {
                slope: found.llr.slope,
                intercept: found.llr.intercept,
                provenance: format!(
                    "straight line by logistic regression on all comparisons, weighted for the prior {:.4} of a candidate in a \
                     class of {}; {:.1} nats at accept, {:.1} at doubt",
                    found.llr_prior,
                    self.plan.classes.size,
                    found.llr.at(lines.accept),
                    found.llr.at(lines.doubt),
                ),
            },
        }
    }

    /// The comment above `[scoring]`.
    pub fn comment(&self) -> String {
        match self.cosines {
            Some([accept, doubt]) => format!(
                "Combined 70/30 score: accept is cosine {accept:.3}, doubt is cosine {doubt:.3}. Written by `rollcall evaluate \
                 --calibrate`."
            ),
            None => "Combined 70/30 score. Written by `rollcall evaluate --calibrate`.".to_owned(),
        }
    }

    fn rule(&self) -> String {
        let found = &self.calibration;
        let Plan { sizes, templates, .. } = self.plan;
        let (accept, doubt) = (&found.accept, &found.doubt);
        let held = &found.held_out;
        let share = |part: usize| part as f64 / held.impostors.max(1) as f64;
        format!(
            "accept = per-comparison false-match rate {:.0e}, doubt = {:.0e}.\n\
             Templates of 1..{} samples against single probes: portraits shrunk to faces of {:.0}..{:.0} px in {} sizes each, \
             JPEG quality 90, never against a template of the same picture; seed {}.\n\
             accept is {}; {} impostor comparisons of {} pairs of people lie within it. doubt is {}.\n\
             Lines set on every second person, counted on the others: false-match rates {:.1e} and {:.1e}.",
            accept.rate,
            doubt.rate,
            templates.max_samples,
            sizes.smallest_px,
            sizes.largest_px,
            sizes.steps,
            templates.seed,
            method(accept),
            accept.impostors,
            accept.people_pairs,
            method(doubt),
            share(held.impostors_accepted),
            share(held.impostors_doubted),
        )
    }

    fn margin_rule(&self) -> String {
        let classes = self.plan.classes;
        let open = &self.calibration.open_set;
        format!(
            "smallest (in steps of {MARGIN_STEP}) at which at most {WRONG_RATE:.0e} of member probes have a wrong \
             candidate that leads the right one by it, both within the doubt line; {} classes of {}, {} member probes, seed {}; with all lines {} of them were \
             named wrong and {} of {} stranger probes were named",
            classes.count,
            classes.size,
            open.members,
            classes.seed,
            open.named_wrong,
            open.strangers_named,
            open.strangers,
        )
    }
}

fn method(line: &Line) -> String {
    match line.method {
        Method::Counted => "counted".to_owned(),
        Method::TailModel if line.counted.is_finite() => format!(
            "extrapolated, an exponential tail fitted below the line of rate {TAIL_FROM:.0e} (counting gives {:.2})",
            line.counted
        ),
        Method::TailModel => format!("extrapolated, an exponential tail fitted below the line of rate {TAIL_FROM:.0e}"),
    }
}
