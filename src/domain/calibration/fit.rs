//! The lines, margin and likelihood ratio of a pack, and how well they hold.

use std::collections::BTreeMap;

use serde::Serialize;

use super::line::{Impostor, Impostors, Line};
use super::logistic;
use super::open_set::{Classes, OpenSet, appearances, judge, smallest_margin};
use super::sizes::Sizes;
use super::trials::{Person, Templates, Trial, compare};
use crate::domain::interval::Share;
use crate::domain::score::{DEFAULT_MEMBER_PRIOR, LikelihoodRatio, Lines, Scoring};

/// Per-comparison false-match rate of the accept line.
pub const ACCEPT_RATE: f64 = 1e-5;
/// Per-comparison false-match rate of the doubt line.
pub const DOUBT_RATE: f64 = 1e-3;
/// Share of member probes, in front of a class, whom a wrong candidate may lead by the margin: as rare as a false match.
pub const WRONG_RATE: f64 = 1e-5;

/// What is drawn, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Plan {
    pub sizes: Sizes,
    pub templates: Templates,
    pub classes: Classes,
}

/// Why portraits give no calibration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationError {
    #[error(
        "{impostors} comparisons of different people are too few for a false-match rate of 1 in 1000; bring more people"
    )]
    TooFewImpostors { impostors: usize },
    #[error(
        "{genuine} comparisons of one person do not overlap with {impostors} of different people; bring more, or harder, portraits"
    )]
    NoOverlap { genuine: usize, impostors: usize },
}

/// What a pack's scoring is to say, and what it rests on.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// Rounded to the strict side, as they are written down.
    pub lines: Lines,
    pub llr: LikelihoodRatio,
    pub accept: Line,
    pub doubt: Line,
    /// Prior that the likelihood ratio was fitted for: a candidate's share in a class.
    pub llr_prior: f64,
    pub people: usize,
    /// Pictures that templates were made of.
    pub images: usize,
    pub probes: usize,
    /// Comparisons of one person, and of two.
    pub genuine: usize,
    pub impostors: usize,
    /// Verdicts in the drawn classes under `lines`.
    pub open_set: OpenSet,
    /// How lines set on one half of the people hold on the other half; none when a half is too few to set lines on.
    pub held_out: Option<HeldOut>,
    /// Genuine comparisons by size of the probe, then by samples of the template.
    pub by_size: Vec<Slice>,
    pub by_samples: Vec<Slice>,
    /// The nearest comparisons of different people: look at these pictures, one may be wrongly labelled.
    pub nearest: Vec<NearPair>,
}

/// Lines set on every second person, counted on the others, both ways round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct HeldOut {
    pub impostors: usize,
    pub impostors_accepted: usize,
    /// At or below the doubt line; the accepted are among them.
    pub impostors_doubted: usize,
    pub genuine: usize,
    pub genuine_accepted: usize,
    pub genuine_doubted: usize,
}

/// A part of the genuine comparisons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    pub of: String,
    pub genuine: usize,
    /// At or below the accept line, and the doubt line; intervals are over people.
    pub accepted: Share,
    pub within_doubt: Share,
}

/// A probe and the template of another person that it looks like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearPair {
    pub image: String,
    pub person: String,
    pub combined: f32,
}

/// Seed of the intervals of slices: which people are drawn again says nothing about the calibration.
const INTERVAL_SEED: u64 = 1;

/// How many of the nearest pairs are named.
const NEAREST: usize = 20;

/// Sets lines, margin and likelihood ratio from portraits.
///
/// Only `scoring.normalise` counts. Templates are made with the outlier rule of enrolment, which needs a likelihood ratio:
/// it comes from a first round with templates of one sample, so that the result does not depend on what a pack said before.
///
/// # Errors
/// [`CalibrationError`], when the portraits are too few or too easy.
pub fn calibrate(people: &[Person], plan: &Plan, scoring: &Scoring) -> Result<Calibration, CalibrationError> {
    let prior = prior(plan);
    let single = compare(people, Templates { max_samples: 1, ..plan.templates }, scoring);
    let first = Scoring { llr: likelihood_ratio(&single, prior)?, ..*scoring };
    let trials = compare(people, plan.templates, &first);
    let llr = likelihood_ratio(&trials, prior)?;
    of_trials(people, plan, &trials, (llr, None))
}

/// Sets accept and doubt line only; likelihood ratio and margin are those of `scoring`. For evidence in which comparisons of one
/// person are not a fair sample, such as faces that were found, clear of the margin, and confirmed.
///
/// # Errors
/// [`CalibrationError::TooFewImpostors`].
pub fn calibrate_lines(people: &[Person], plan: &Plan, scoring: &Scoring) -> Result<Calibration, CalibrationError> {
    let trials = compare(people, plan.templates, scoring);
    of_trials(people, plan, &trials, (scoring.llr, Some(scoring.lines.margin)))
}

fn of_trials(
    people: &[Person],
    plan: &Plan,
    trials: &[Trial],
    (llr, margin): (LikelihoodRatio, Option<f32>),
) -> Result<Calibration, CalibrationError> {
    let everybody: Vec<usize> = (0..people.len()).collect();
    let (impostors, mut accept, mut doubt) = lines(trials, &|_| true)?;
    for line in [&mut accept, &mut doubt] {
        line.interval = impostors.interval(line, plan.templates.seed);
    }
    let placed = appearances(trials, &everybody, plan.classes);
    let strict = |line: &Line| (line.combined * 100.0).floor() / 100.0;
    let lines = Lines {
        accept: strict(&accept),
        doubt: strict(&doubt),
        margin: margin.unwrap_or_else(|| smallest_margin(&placed, doubt.combined, WRONG_RATE)),
    };
    Ok(Calibration {
        lines,
        llr,
        accept,
        doubt,
        llr_prior: prior(plan),
        people: people.len(),
        images: people.iter().flat_map(|p| &p.images).filter(|image| image.sample.is_some()).count(),
        probes: people.iter().flat_map(|p| &p.images).map(|i| i.probes.len()).sum(),
        genuine: trials.iter().filter(|t| t.own.is_some()).count(),
        impostors: impostors.len(),
        open_set: judge(&placed, &lines),
        held_out: held_out(trials).ok(),
        by_size: by_size(trials, plan.sizes, &lines),
        by_samples: by_samples(trials, plan.templates.max_samples, &lines),
        nearest: nearest(people, trials),
    })
}

/// Of a candidate in one of the plan's classes.
fn prior(plan: &Plan) -> f64 {
    f64::from(DEFAULT_MEMBER_PRIOR) / plan.classes.size as f64
}

fn likelihood_ratio(trials: &[Trial], prior: f64) -> Result<LikelihoodRatio, CalibrationError> {
    let genuine: Vec<f32> = trials.iter().filter_map(|t| t.own).collect();
    let impostor: Vec<f32> = trials.iter().flat_map(|t| t.impostors().map(|(_, combined)| combined)).collect();
    let known = logistic::fit(&genuine, &impostor, prior);
    known.ok_or(CalibrationError::NoOverlap { genuine: genuine.len(), impostors: impostor.len() })
}

/// The impostor comparisons among some of the people, and their accept and doubt line.
fn lines(trials: &[Trial], among: &dyn Fn(usize) -> bool) -> Result<(Impostors, Line, Line), CalibrationError> {
    let of = |trial: &'_ Trial| -> Vec<Impostor> {
        let person = trial.person;
        let met = trial.impostors().filter(|(other, _)| among(*other));
        met.map(|(other, combined)| Impostor { combined, people: (person, other) }).collect()
    };
    let impostors = Impostors::new(trials.iter().filter(|t| among(t.person)).flat_map(of).collect());
    let line =
        |rate: f64| impostors.line_at(rate).ok_or(CalibrationError::TooFewImpostors { impostors: impostors.len() });
    let (accept, doubt) = (line(ACCEPT_RATE)?, line(DOUBT_RATE)?);
    Ok((impostors, accept, doubt))
}

fn held_out(trials: &[Trial]) -> Result<HeldOut, CalibrationError> {
    let mut sum = HeldOut::default();
    for half in 0..2 {
        let (_, accept, doubt) = lines(trials, &|person| person % 2 == half)?;
        let other = |person: usize| person % 2 != half;
        for trial in trials.iter().filter(|t| other(t.person)) {
            for (_, combined) in trial.impostors().filter(|(person, _)| other(*person)) {
                sum.impostors += 1;
                sum.impostors_accepted += usize::from(combined <= accept.combined);
                sum.impostors_doubted += usize::from(combined <= doubt.combined);
            }
            if let Some(own) = trial.own {
                sum.genuine += 1;
                sum.genuine_accepted += usize::from(own <= accept.combined);
                sum.genuine_doubted += usize::from(own <= doubt.combined);
            }
        }
    }
    Ok(sum)
}

fn by_size(trials: &[Trial], sizes: Sizes, lines: &Lines) -> Vec<Slice> {
    let step = |index: usize| {
        let (from, to) = sizes.step(index);
        let is_last = index + 1 == sizes.steps;
        let within = |t: &Trial| t.side_px >= from && (t.side_px < to || is_last);
        slice(format!("{from:.0}-{to:.0} px"), trials.iter().filter(|t| within(t)), lines)
    };
    (0..sizes.steps).map(step).collect()
}

fn by_samples(trials: &[Trial], max_samples: usize, lines: &Lines) -> Vec<Slice> {
    let of = |samples: usize| {
        let name = format!("{samples} sample{}", if samples == 1 { "" } else { "s" });
        slice(name, trials.iter().filter(|t| t.samples == samples), lines)
    };
    (1..=max_samples).map(of).collect()
}

fn slice<'a>(of: String, trials: impl Iterator<Item = &'a Trial>, lines: &Lines) -> Slice {
    let mut people: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
    for trial in trials {
        people.entry(trial.person).or_default().extend(trial.own);
    }
    let within = |line: f32| {
        let count = |own: &Vec<f32>| (own.iter().filter(|combined| **combined <= line).count(), own.len());
        Share::over_people(&people.values().map(count).collect::<Vec<_>>(), INTERVAL_SEED)
    };
    let (accepted, within_doubt) = (within(lines.accept), within(lines.doubt));
    Slice { of, genuine: accepted.of, accepted, within_doubt }
}

/// The nearest score of each image with each other person, nearest first.
fn nearest(people: &[Person], trials: &[Trial]) -> Vec<NearPair> {
    let mut best = BTreeMap::new();
    for trial in trials {
        for (other, combined) in trial.impostors() {
            let known = best.entry((trial.person, trial.image, other)).or_insert(combined);
            *known = known.min(combined);
        }
    }
    let mut pairs: Vec<_> = best.into_iter().collect();
    pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let named = |((person, image, other), combined): ((usize, usize, usize), f32)| NearPair {
        image: people[person].images[image].name.clone(),
        person: people[other].name.clone(),
        combined,
    };
    pairs.into_iter().take(NEAREST).map(named).collect()
}

#[cfg(test)]
mod tests;
