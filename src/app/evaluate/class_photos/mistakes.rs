//! Faces that went wrong in labelled class photos, and pictures of them to look at.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::Labelled;
use super::enrolment::EvaluatedClass;
use crate::app::error::Error;
use crate::app::evaluate::crops::{self, Crop};
use crate::app::evaluate::looker::Looker;
use crate::domain::evaluation::Outcome;
use crate::domain::geometry::BoundingBox;
use crate::vision::decode::decode;

/// A face that went wrong.
#[derive(Debug, Serialize)]
pub struct Mistake {
    pub outcome: Outcome,
    pub photo: String,
    /// Left, top, width and height, pixels of the upright photo.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
    /// Who it is, and who it was said to be, matched or asked about.
    pub truth: Option<String>,
    pub said: Option<String>,
    /// Combined score of whom it was said to be, or of the nearest candidate.
    pub combined: Option<f32>,
    /// Combined score of the right person's template, where the face was found and has one.
    pub own: Option<f32>,
    /// The face as it is in the photo, a portrait of who it is, and of who it was said to be.
    #[serde(skip)]
    pub crops: [Option<Crop>; 3],
}

/// Pictures of mistakes that are cut; the worst kinds come first.
const MOST_CROPS: usize = 120;

/// Worst first; what is right has no place among mistakes.
pub(super) fn severity(outcome: Outcome) -> Option<usize> {
    const ORDER: [Outcome; 9] = [
        Outcome::NamedWrong,
        Outcome::StrangerNamed,
        Outcome::FalseFaceNamed,
        Outcome::DoubtWrong,
        Outcome::StrangerDoubted,
        Outcome::Missed,
        Outcome::DoubtRight,
        Outcome::Undetected,
        Outcome::FalseFace,
    ];
    ORDER.iter().position(|kind| *kind == outcome)
}

/// Cuts the pictures of the first mistakes; each photo is decoded once.
pub(super) fn cut_crops(
    looker: &Looker<'_>,
    labelled: &Labelled,
    classes: &HashMap<String, EvaluatedClass>,
    mistakes: &mut [Mistake],
) -> Result<(), Error> {
    let limits = looker.recogniser().limits();
    let portraits: HashMap<&str, &str> =
        classes.values().flat_map(|c| &c.portraits).map(|(person, image)| (person.as_str(), image.as_str())).collect();
    let portrait = |person: &Option<String>| -> Result<Option<Crop>, Error> {
        let Some(image) = person.as_ref().and_then(|person| portraits.get(person.as_str())) else { return Ok(None) };
        let file = labelled.portraits.join(image);
        let bytes = std::fs::read(&file).map_err(|e| Error::file(&file, &e))?;
        crops::whole(&bytes, limits).map(Some)
    };
    let mut by_photo: BTreeMap<String, Vec<&mut Mistake>> = BTreeMap::new();
    for mistake in mistakes.iter_mut().take(MOST_CROPS) {
        by_photo.entry(mistake.photo.clone()).or_default().push(mistake);
    }
    for (photo, mistakes) in by_photo {
        let file = labelled.photos.join(&photo);
        let bytes = std::fs::read(&file).map_err(|e| Error::file(&file, &e))?;
        let pixels = decode(&bytes, limits)?.pixels;
        for mistake in mistakes {
            let [x, y, w, h] = mistake.bounds;
            let face = crops::face(&pixels, &BoundingBox::from_xywh(x, y, w, h))?;
            mistake.crops = [Some(face), portrait(&mistake.truth)?, portrait(&mistake.said)?];
        }
    }
    Ok(())
}
