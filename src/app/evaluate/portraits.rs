//! Labelled portraits, large as a school enrols them and small as class photos show faces: what `calibrate` and `identify`
//! draw from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::looker::Looker;
use super::{Steps, portrait, read_list};
use crate::app::error::{Code, Error};
use crate::app::recogniser::SeenPhoto;
use crate::domain::calibration::draw::Draw;
use crate::domain::calibration::sizes::Sizes;
use crate::domain::calibration::trials::{Image, Person, Probe};
use crate::domain::csv_table::Column;
use crate::domain::embedding::Embedding;
use crate::domain::geometry::BoundingBox;
use crate::domain::ids::SampleId;
use crate::domain::template::Sample;
use crate::vision::decode::decode;
use crate::vision::degrade::shrunk_jpeg;

/// What was seen of a list of portraits.
#[derive(Debug)]
pub(super) struct Portraits {
    /// In the order of their names.
    pub(super) people: Vec<Person>,
    /// Images listed, without those that a note takes out.
    pub(super) listed: usize,
    /// Images that a note takes out.
    pub(super) noted: Vec<String>,
    /// Portraits that cannot be enrolled, with the reason; no probe is made of them either.
    pub(super) refused: Vec<String>,
    /// Shrunk portraits in which the face was not found.
    pub(super) unseen: Vec<Unseen>,
}

/// A shrunk portrait in which the face was not found.
#[derive(Debug)]
pub(super) struct Unseen {
    pub(super) image: String,
    pub(super) side_px: f32,
}

/// Overlap from which a face of the shrunk picture is the portrait's own, intersection over union. Loose, because boxes of
/// small faces jump by pixels; another person's face does not overlap at all.
const SAME_FACE_IOU: f32 = 0.3;

const IMAGE: Column = Column::filled("image", &["photo"]);
const PERSON: Column = Column::filled("person", &[]);
const NOTE: Column = Column::optional("note", &[]);

/// Looks at every portrait of `list` (CSV `image,person[,note]`), whose images lie in `images`, in full and once in each step
/// of `sizes`; which size within a step is drawn from `seed`. `progress` is told (done, all) portraits.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read. A portrait that cannot be used is named in the result.
pub(super) fn look_at(
    looker: &Looker<'_>,
    (list, images): (&Path, &Path),
    (sizes, seed): (Sizes, u64),
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Portraits, Error> {
    let (list, noted) = read(list)?;
    let files: Vec<PathBuf> = list.iter().map(|(_, image)| images.join(image)).collect();
    looker.check(files.iter().map(PathBuf::as_path))?;
    let steps = Steps::new(list.len(), progress);
    let looked: Vec<Result<Looked, Error>> = files
        .par_iter()
        .enumerate()
        .map(|(i, file)| {
            let looked = look(looker, file, i, (sizes, seed));
            steps.one_done();
            looked
        })
        .collect();
    let mut people: BTreeMap<&str, Vec<Image>> = BTreeMap::new();
    let (mut refused, mut unseen) = (Vec::new(), Vec::new());
    for ((person, image), looked) in list.iter().zip(looked) {
        match looked {
            Ok(Looked { sample, probes, unseen_px }) => {
                unseen.extend(unseen_px.into_iter().map(|side_px| Unseen { image: image.clone(), side_px }));
                people.entry(person).or_default().push(Image { name: image.clone(), sample: Some(sample), probes });
            }
            Err(e) => refused.push(format!("{image}: {e} [{}]", e.code.as_str())),
        }
    }
    let people = people.into_iter().map(|(name, images)| Person { name: name.to_owned(), images }).collect();
    Ok(Portraits { people, listed: list.len(), noted, refused, unseen })
}

/// Person and image.
pub(super) type Portrait = (String, String);

/// The portraits of a list, in an order that does not depend on the file; and the images that a note takes out.
pub(super) fn read(path: &Path) -> Result<(Vec<Portrait>, Vec<String>), Error> {
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
    sample: Sample,
    probes: Vec<Probe>,
    /// Sizes at which its face was not found.
    unseen_px: Vec<f32>,
}

fn look(looker: &Looker<'_>, path: &Path, index: usize, (sizes, seed): (Sizes, u64)) -> Result<Looked, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
    let id = SampleId(i64::try_from(index).expect("a list has fewer rows than an i64 counts"));
    let known = portrait(looker, &bytes, id)?;
    let picture = decode(&bytes, looker.recogniser().limits())?.pixels;
    let mut looked = Looked { sample: known.sample, probes: Vec::new(), unseen_px: Vec::new() };
    let mut draw = Draw::of(seed, &[index]);
    for step in 0..sizes.steps {
        // A portrait is never enlarged.
        let side_px = sizes.draw(step, &mut draw).min(known.bbox.side_px());
        let factor = side_px / known.bbox.side_px();
        let small = shrunk_jpeg(&picture, factor)
            .map_err(|e| Error::new(Code::ProcessingError, format!("could not be shrunk: {e}")))?;
        match face_at(looker.photo(&small)?, &known.bbox, factor) {
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
