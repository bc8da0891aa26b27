//! Recognition measured against labelled pictures, without a database.
//!
//! [`class_photos`] counts whom the product finds and names, [`detect`] only what it finds; [`identify`] puts small faces
//! before rosters; [`pairs`] is the field's verification figure; [`calibrate`] sets the lines of a pack. They look through a
//! [`looker`], which remembers, and end in one kind of [`report`]. Photos can be looked at under other conditions, see
//! [`variation`]. Portraits go through the same choice of the one usable face, the same quality weights and the same templates
//! as a school's, so the figures are those of the product, not of a laboratory.

pub mod calibrate;
pub mod class_photos;
pub mod crops;
pub mod detect;
pub mod identify;
pub mod looker;
pub mod pairs;
mod portraits;
pub mod records;
pub mod report;
mod truth;
pub mod variation;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::enrol::the_one_face;
use super::error::Error;
use crate::domain::csv_table::{Column, CsvRow, CsvTable};
use crate::domain::geometry::BoundingBox;
use crate::domain::ids::SampleId;
use crate::domain::status::Origin;
use crate::domain::template::Sample;
use looker::Looker;

/// Counts finished pictures for a progress bar, from any number of threads.
struct Steps<'a> {
    all: usize,
    done: AtomicUsize,
    tell: &'a (dyn Fn(usize, usize) + Sync),
}

impl<'a> Steps<'a> {
    /// `tell` is given (done, all).
    fn new(all: usize, tell: &'a (dyn Fn(usize, usize) + Sync)) -> Self {
        Self { all, done: AtomicUsize::new(0), tell }
    }

    fn one_done(&self) {
        (self.tell)(self.done.fetch_add(1, Ordering::Relaxed) + 1, self.all);
    }
}

/// A portrait that can be enrolled.
struct Portrait {
    sample: Sample,
    /// Where the face is, pixels of the upright picture.
    bbox: BoundingBox,
}

/// Looks at a portrait as enrolment does.
fn portrait(looker: &Looker<'_>, bytes: &[u8], id: SampleId) -> Result<Portrait, Error> {
    let seen = looker.portrait(bytes)?;
    let largest = seen.faces.first().map(|face| face.detection.bbox);
    let face = the_one_face(seen, looker.recogniser().enrol_lines())?;
    let bbox = largest.expect("the one face of a portrait is its largest");
    Ok(Portrait {
        sample: Sample { id, weight: face.quality.weight(), embedding: face.embedding, origin: Origin::Portrait },
        bbox,
    })
}

/// The rows of a CSV file; one bad row makes the whole list unusable.
fn read_list(path: &Path, columns: &[Column]) -> Result<Vec<CsvRow>, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
    let table = CsvTable::read(&bytes, columns).and_then(|table| table.problems.or_ok(table.rows));
    table.map_err(|e| Error::from(e).of(path.display()))
}
