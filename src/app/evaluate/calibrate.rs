//! Calibration: the lines of a pack from labelled portraits of people whom its nets were not trained on.
//!
//! Every portrait is looked at as enrolment does, and again shrunk to the sizes that faces have in class photos, as batch
//! does; [`crate::domain::calibration::fit`] makes lines of the scores, and [`Calibrated::scoring`] the words for the pack.

use std::path::PathBuf;

use chrono::NaiveDate;
use serde::Serialize;

use super::looker::Looker;
use super::portraits;
use super::report::Measurement;
use crate::app::error::{Code, Error};
use crate::domain::calibration::fit::{self, Calibration, Plan, WRONG_RATE};
use crate::domain::calibration::line::{Line, Method, TAIL_FROM};
use crate::domain::calibration::open_set::MARGIN_STEP;
use crate::domain::interval::BOOTSTRAP;
use crate::domain::score::{self as domain, Lines};
use crate::pack::manifest::{LogLikelihoodRatio, Provenance, Scoring};

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

/// What comparisons are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "source")]
pub enum Source {
    /// Portraits, shrunk to the size of faces in class photos.
    Portraits,
    /// Faces of class photos that teachers have confirmed. Those that were missed or too near to the runner-up are not among
    /// them, so likelihood ratio and margin are not fitted to them: they stay as the pack has them, in these words.
    Records { likelihood_ratio: String, margin: String },
}

/// A calibration and everything that it could not use.
#[derive(Debug, Serialize)]
pub struct Calibrated {
    #[serde(flatten)]
    pub source: Source,
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
}

/// Looks at every portrait and sets the lines; `progress` is told (done, all) portraits.
///
/// # Errors
/// `INVALID_TABLE` for a list that cannot be read or whose portraits are too few or too easy. A portrait that cannot be
/// used is named in the result.
pub fn calibrate(
    looker: &Looker<'_>,
    labelled: &LabelledPortraits,
    plan: Plan,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Calibrated, Error> {
    let seen =
        portraits::look_at(looker, (&labelled.list, &labelled.images), (plan.sizes, plan.templates.seed), progress)?;
    let scoring = looker.recogniser().scoring();
    let calibration = fit::calibrate(&seen.people, &plan, scoring)
        .map_err(|e| Error::new(Code::InvalidTable, e.to_string()).of(labelled.list.display()))?;
    Ok(Calibrated {
        source: Source::Portraits,
        data: labelled.data.clone(),
        date: labelled.date,
        plan,
        cosines: cosines(&calibration.lines, scoring, looker.recogniser().dims()),
        calibration,
        listed: seen.listed,
        noted: seen.noted,
        refused: seen.refused,
        unseen: seen.unseen.iter().map(|u| format!("{} at {:.0} px", u.image, u.side_px)).collect(),
    })
}

/// Accept and doubt line as cosines of embeddings of `dims` values; none for packs that do not normalise.
pub(super) fn cosines(lines: &Lines, scoring: &domain::Scoring, dims: usize) -> Option<[f32; 2]> {
    Some([scoring.cosine_at(lines.accept, dims)?, scoring.cosine_at(lines.doubt, dims)?])
}

impl Measurement for Calibrated {
    const NAME: &'static str = "calibrate";
    const INTERVALS: Option<&'static str> = Some(BOOTSTRAP);

    fn counts(&self) -> Vec<(&'static str, usize)> {
        let found = &self.calibration;
        vec![
            ("people", found.people),
            ("portraits", found.images),
            ("probes", found.probes),
            ("genuine_comparisons", found.genuine),
            ("impostor_comparisons", found.impostors),
        ]
    }
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
                provenance: self.likelihood_ratio_rule(),
            },
        }
    }

    fn likelihood_ratio_rule(&self) -> String {
        let (found, lines) = (&self.calibration, &self.calibration.lines);
        match &self.source {
            Source::Records { likelihood_ratio, .. } => likelihood_ratio.clone(),
            Source::Portraits => format!(
                "straight line by logistic regression on all comparisons, weighted for the prior {:.4} of a candidate in a \
                     class of {}; {:.1} nats at accept, {:.1} at doubt",
                found.llr_prior,
                self.plan.classes.size,
                found.llr.at(lines.accept),
                found.llr.at(lines.doubt),
            ),
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
        let held_out = found.held_out.map(|held| {
            let share = |part: usize| part as f64 / held.impostors.max(1) as f64;
            let (accepted, doubted) = (share(held.impostors_accepted), share(held.impostors_doubted));
            format!("\nLines set on every second person, counted on the others: false-match rates {accepted:.1e} and {doubted:.1e}.")
        });
        let probes = match self.source {
            Source::Portraits => format!(
                "portraits shrunk to faces of {:.0}..{:.0} px in {} sizes each, JPEG quality 90, never against a template of the \
                 same picture",
                sizes.smallest_px, sizes.largest_px, sizes.steps
            ),
            Source::Records { .. } => format!(
                "faces of {:.0}..{:.0} px in class photos, with the names that teachers confirmed",
                sizes.smallest_px, sizes.largest_px
            ),
        };
        format!(
            "accept = per-comparison false-match rate {:.0e}, doubt = {:.0e}.\n\
             Templates of 1..{} samples against single probes: {probes}; seed {}.\n\
             accept is {}; {} impostor comparisons of {} pairs of people lie within it. doubt is {}.{}",
            accept.rate,
            doubt.rate,
            templates.max_samples,
            templates.seed,
            method(accept),
            accept.impostors,
            accept.people_pairs,
            method(doubt),
            held_out.unwrap_or_default(),
        )
    }

    fn margin_rule(&self) -> String {
        if let Source::Records { margin, .. } = &self.source {
            return margin.clone();
        }
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
