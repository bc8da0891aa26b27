//! Identification as a class photo asks for it: faces of class-photo size against rosters, with strangers among them.
//!
//! Rosters are drawn from labelled portraits; everybody who is not in one is a stranger to it. Portraits are enrolled as a
//! school's are, and shrunk to the sizes that faces have in class photos. The probe's own picture is never in the template.

use std::path::PathBuf;

use serde::Serialize;

use super::looker::Looker;
use super::portraits;
use super::report::Measurement;
use crate::app::error::{Code, Error};
use crate::domain::calibration::identification::{Identified, Rosters, identify as place_and_count};
use crate::domain::calibration::sizes::Sizes;
use crate::domain::calibration::trials::{Templates, compare};
use crate::domain::histogram::Histogram;
use crate::domain::interval::{BOOTSTRAP, Share};

/// Whose portraits are where, and what is drawn from them.
#[derive(Debug, Clone)]
pub struct LabelledPeople {
    /// CSV: `image,person[,note]`; a note takes an image out.
    pub list: PathBuf,
    /// Folder that the images lie in.
    pub images: PathBuf,
    pub sizes: Sizes,
    pub rosters: Rosters,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct IdentifyReport {
    pub sizes: Sizes,
    pub rosters: Rosters,
    pub people: usize,
    /// Portraits that were enrolled, of those listed.
    pub portraits: usize,
    pub listed: usize,
    pub probes: usize,
    /// Images that a note takes out.
    pub noted: Vec<String>,
    /// Portraits that cannot be enrolled, with the reason; no probe is made of them either.
    pub refused: Vec<String>,
    /// Shrunk portraits in which the face was found, by size. Those in which it was not are in no other figure.
    pub found: Vec<FoundBySize>,
    pub identified: Vec<Identified>,
    /// Probes against the template of their own person, and of others.
    pub histogram: Option<Histogram>,
}

/// Faces found again after shrinking.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FoundBySize {
    pub from_px: f32,
    pub to_px: f32,
    pub found: Share,
}

/// Draws of everybody's samples; probes take turns.
const TEMPLATE_DRAWS: usize = 4;
/// Bins of the histogram.
const BINS: usize = 80;

/// Looks at every portrait, draws the rosters and counts; `progress` is told (done, all) portraits.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read, or of fewer than two people with enough portraits. A portrait that cannot
/// be used is named in the report.
pub fn identify(
    looker: &Looker<'_>,
    labelled: &LabelledPeople,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<IdentifyReport, Error> {
    let LabelledPeople { list, images, sizes, rosters } = labelled;
    let seen = portraits::look_at(looker, (list, images), (*sizes, rosters.seed), progress)?;
    let enough = seen.people.iter().filter(|p| p.images.len() > rosters.samples).count();
    if enough < 2 {
        let needed = rosters.samples + 1;
        let what =
            format!("{enough} people have {needed} portraits that can be used, at least two such people are needed");
        return Err(Error::new(Code::InvalidTable, what).of(list.display()));
    }
    let scoring = looker.recogniser().scoring();
    let templates = Templates { max_samples: rosters.samples, draws: TEMPLATE_DRAWS, seed: rosters.seed };
    let trials = compare(&seen.people, templates, scoring);
    let same: Vec<f32> = trials.iter().filter(|t| t.samples == rosters.samples).filter_map(|t| t.own).collect();
    let different: Vec<f32> = trials
        .iter()
        .filter(|t| t.samples == rosters.samples)
        .flat_map(|t| t.impostors().map(|(_, combined)| combined))
        .collect();
    let probes = || seen.people.iter().flat_map(|p| &p.images).flat_map(|i| &i.probes).map(|p| p.side_px);
    let unseen = || seen.unseen.iter().map(|u| u.side_px);
    Ok(IdentifyReport {
        sizes: *sizes,
        rosters: rosters.clone(),
        people: seen.people.len(),
        portraits: seen.people.iter().map(|p| p.images.len()).sum(),
        listed: seen.listed,
        probes: probes().count(),
        found: found_by_size(*sizes, &probes().collect::<Vec<_>>(), &unseen().collect::<Vec<_>>()),
        identified: place_and_count(&trials, seen.people.len(), *sizes, rosters, &scoring.lines),
        histogram: Histogram::new(&same, &different, BINS),
        noted: seen.noted,
        refused: seen.refused,
    })
}

fn found_by_size(sizes: Sizes, found: &[f32], unseen: &[f32]) -> Vec<FoundBySize> {
    let step = |step: usize| {
        let (from_px, to_px) = sizes.step(step);
        let count = |sides: &[f32]| sides.iter().filter(|px| sizes.step_of(**px) == step).count();
        let found = count(found);
        FoundBySize { from_px, to_px, found: Share::of_independent(found, found + count(unseen)) }
    };
    (0..sizes.steps).map(step).collect()
}

impl Measurement for IdentifyReport {
    const NAME: &'static str = "identify";
    const INTERVALS: Option<&'static str> = Some(BOOTSTRAP);

    fn counts(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("people", self.people),
            ("portraits", self.portraits),
            ("probes", self.probes),
            ("portraits_refused", self.refused.len()),
            ("probes_without_a_face", self.found.iter().map(|row| row.found.of - row.found.count).sum()),
        ]
    }
}
