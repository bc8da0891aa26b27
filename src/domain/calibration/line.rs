//! The line for a false-match rate that few comparisons, or none, can show.

use std::collections::BTreeSet;

use serde::Serialize;

use super::draw::Draw;
use crate::domain::interval::{Interval, percentiles, resample};

/// A comparison of two people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impostor {
    /// Combined score; lower is nearer.
    pub combined: f32,
    /// Indices of the two people: the probe's, the template's.
    pub people: (usize, usize),
}

/// Where the tail model begins, as a share of all comparisons.
pub const TAIL_FROM: f64 = 1e-3;

/// Fewest pairs of people on whom a line may rest without a model. Comparisons are not independent: two people who look
/// alike give dozens of near ones, so pairs of people are counted and not comparisons.
pub const MIN_PEOPLE_PAIRS: usize = 10;

/// How a line was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Counted: enough pairs of people lie within it.
    Counted,
    /// Extrapolated from the nearest of all comparisons.
    TailModel,
}

/// A line and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Line {
    /// Combined score.
    pub combined: f32,
    /// The false-match rate that it is the line for.
    pub rate: f64,
    pub method: Method,
    /// The line by counting; minus infinity (in JSON null) where not one comparison may pass.
    pub counted: f32,
    /// The line by the tail model.
    pub modelled: f32,
    /// Impostor comparisons at or below the line.
    pub impostors: usize,
    /// Different pairs of people among them.
    pub people_pairs: usize,
    /// Where the line may lie with other people, combined score; see [`Impostors::interval`]. None where it was not asked for.
    pub interval: Option<Interval>,
}

/// Resamples of the people for an interval.
const RESAMPLES: usize = 200;

/// The nearest impostor comparisons of a calibration.
#[derive(Debug, Clone)]
pub struct Impostors {
    nearest_first: Vec<Impostor>,
}

impl Impostors {
    pub fn new(mut all: Vec<Impostor>) -> Self {
        all.sort_by(|a, b| a.combined.total_cmp(&b.combined));
        Self { nearest_first: all }
    }

    pub fn len(&self) -> usize {
        self.nearest_first.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nearest_first.is_empty()
    }

    /// Those at or below a line, nearest first.
    pub fn within(&self, line: f32) -> &[Impostor] {
        &self.nearest_first[..self.nearest_first.partition_point(|i| i.combined <= line)]
    }

    /// The line that a share `rate` of comparisons passes: counted where at least [`MIN_PEOPLE_PAIRS`] pairs of people lie
    /// within it, by the tail model otherwise.
    ///
    /// The model takes the amounts by which comparisons fall below the line of [`TAIL_FROM`] as exponential, the limit law
    /// of excesses for score distributions that fall off like a normal one (Balkema and de Haan 1974, Pickands 1975; shape
    /// 0). With their mean `m` the line of a rate r is `line(TAIL_FROM) - m * ln(TAIL_FROM / r)`. A normal tail falls off
    /// faster than its exponential, so the model errs to the strict side.
    ///
    /// `None` when fewer than [`MIN_PEOPLE_PAIRS`] comparisons lie in the modelled tail: then nothing can be said.
    pub fn line_at(&self, rate: f64) -> Option<Line> {
        let counted = self.counted(rate);
        let modelled = self.modelled(rate)?;
        let carried = counted.is_finite() && people_pairs(self.within(counted)) >= MIN_PEOPLE_PAIRS;
        let (combined, method) = if carried { (counted, Method::Counted) } else { (modelled, Method::TailModel) };
        let within = self.within(combined);
        Some(Line {
            combined,
            rate,
            method,
            counted,
            modelled,
            impostors: within.len(),
            people_pairs: people_pairs(within),
            interval: None,
        })
    }

    /// Where `line` may lie with other people: 95 %, by a percentile bootstrap over people. A comparison counts as often as
    /// the product of the times that its two people were drawn; the line is found by the same method each time.
    ///
    /// None where too few resamples carry a line.
    pub fn interval(&self, line: &Line, seed: u64) -> Option<Interval> {
        let people = self.nearest_first.iter().map(|i| i.people.0.max(i.people.1) + 1).max()?;
        let mut comparisons = vec![0_u64; people * people];
        self.nearest_first.iter().for_each(|i| comparisons[i.people.0 * people + i.people.1] += 1);
        let mut draw = Draw::new(seed);
        let lines = (0..RESAMPLES).filter_map(|_| {
            let times = resample(people, &mut draw);
            let weight = |(a, b): (usize, usize)| u64::from(times[a]) * u64::from(times[b]);
            let all: u64 = comparisons.iter().enumerate().map(|(i, n)| n * weight((i / people, i % people))).sum();
            let counted = self.weighed(line.rate * all as f64, &weight);
            match line.method {
                Method::Counted => counted.map(|(last, _)| f64::from(last)),
                Method::TailModel => {
                    let (from, excess) = self.weighed(TAIL_FROM * all as f64, &weight)?;
                    Some(f64::from(from) - excess * (TAIL_FROM / line.rate).ln())
                }
            }
        });
        let lines: Vec<f64> = lines.collect();
        if lines.len() * 2 < RESAMPLES { None } else { percentiles(lines) }
    }

    /// The last comparison that passes when comparisons of a weight of `passing` may, and the mean amount by which those that
    /// pass fall below it. None when not one may pass.
    fn weighed(&self, passing: f64, weight: &dyn Fn((usize, usize)) -> u64) -> Option<(f32, f64)> {
        let (mut seen, mut sum, mut last) = (0_u64, 0.0, None);
        for impostor in &self.nearest_first {
            let weight = weight(impostor.people);
            if (seen + weight) as f64 > passing + 1e-9 {
                break;
            }
            if weight > 0 {
                seen += weight;
                sum += weight as f64 * f64::from(impostor.combined);
                last = Some(impostor.combined);
            }
        }
        last.map(|last| (last, f64::from(last) - sum / seen as f64))
    }

    /// The widest line that no more than the share `rate` passes; minus infinity when none may.
    fn counted(&self, rate: f64) -> f32 {
        let passing = (rate * self.len() as f64 + 1e-9).floor() as usize;
        match (passing.checked_sub(1), self.nearest_first.get(passing)) {
            (Some(last), Some(next)) => f32::midpoint(self.nearest_first[last].combined, next.combined),
            (Some(_), None) => self.nearest_first.last().map_or(f32::NEG_INFINITY, |i| i.combined),
            (None, _) => f32::NEG_INFINITY,
        }
    }

    fn modelled(&self, rate: f64) -> Option<f32> {
        let from = self.counted(TAIL_FROM);
        let tail = self.within(from);
        if tail.len() < MIN_PEOPLE_PAIRS {
            return None;
        }
        let excess = tail.iter().map(|i| f64::from(from - i.combined)).sum::<f64>() / tail.len() as f64;
        Some(from - (excess * (TAIL_FROM / rate).ln()) as f32)
    }
}

/// Pairs of people, whichever of the two was the probe.
fn people_pairs(impostors: &[Impostor]) -> usize {
    let ordered = |i: &Impostor| (i.people.0.min(i.people.1), i.people.0.max(i.people.1));
    impostors.iter().map(ordered).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` comparisons whose scores are exactly exponential below 20: a share p lies below `20 + scale * ln p`.
    fn exponential(n: usize, scale: f64, pair: impl Fn(usize) -> (usize, usize)) -> Impostors {
        let score = |i: usize| (20.0 + scale * ((i as f64 + 0.5) / n as f64).ln()) as f32;
        Impostors::new((0..n).map(|i| Impostor { combined: score(i), people: pair(i) }).collect())
    }

    #[test]
    fn a_line_with_enough_people_is_counted() {
        let impostors = exponential(2_000_000, 0.5, |i| (i, i + 1));
        let line = impostors.line_at(1e-5).unwrap();
        assert_eq!((line.method, line.impostors, line.people_pairs), (Method::Counted, 20, 20));
        assert_eq!(line.combined, line.counted);
        assert_eq!(impostors.line_at(1e-3).unwrap().impostors, 2000);
    }

    #[test]
    fn a_line_that_rests_on_few_people_is_modelled() {
        // The same scores, but all near ones are of four pairs of people.
        let impostors = exponential(2_000_000, 0.5, |i| (i % 4, 7));
        let line = impostors.line_at(1e-5).unwrap();
        assert_eq!((line.method, line.people_pairs), (Method::TailModel, 4));
        // An exponential tail is met exactly: 20 + 0.5 ln 1e-5.
        assert!((line.combined - 14.244).abs() < 0.02, "{line:?}");
    }

    #[test]
    fn a_pair_of_people_is_one_whoever_is_the_probe() {
        let both_ways =
            exponential(2_000_000, 0.5, |i| if i % 2 == 0 { (i / 2, 9_999_999) } else { (9_999_999, i / 2) });
        assert_eq!(both_ways.line_at(1e-5).unwrap().people_pairs, 10);
    }

    #[test]
    fn beyond_what_was_compared_only_the_model_speaks() {
        let impostors = exponential(50_000, 0.5, |i| (i, i + 1));
        let line = impostors.line_at(1e-5).unwrap();
        assert_eq!((line.method, line.counted), (Method::TailModel, f32::NEG_INFINITY));
        assert!((line.combined - 14.244).abs() < 0.2, "{line:?}");
        assert_eq!(exponential(900, 0.5, |i| (i, i + 1)).line_at(1e-5), None);
    }

    #[test]
    fn a_line_that_rests_on_few_people_is_uncertain() {
        let spread = |i: usize| (i % 100, (i / 100 + i + 1) % 100);
        let width = |pair: &dyn Fn(usize) -> (usize, usize)| {
            let impostors = exponential(200_000, 0.5, pair);
            let line = impostors.line_at(1e-3).unwrap();
            let Interval { low, high } = impostors.interval(&line, 1).unwrap();
            assert!(low <= f64::from(line.combined) && f64::from(line.combined) <= high, "{line:?} {low} {high}");
            assert_eq!(impostors.interval(&line, 1), impostors.interval(&line, 1));
            high - low
        };
        // The same scores; once the nearest 400 are all of twelve pairs of people.
        let few = width(&|i| if i < 400 { (i % 12, 50 + i % 12) } else { spread(i) });
        let many = width(&spread);
        assert!(few > 1.5 * many && many > 0.0, "{few} {many}");
    }

    #[test]
    fn weights_count_comparisons_as_often_as_their_people_were_drawn() {
        let one = |combined, a, b| Impostor { combined, people: (a, b) };
        let impostors = Impostors::new(vec![one(10.0, 0, 1), one(11.0, 1, 2), one(13.0, 0, 2)]);
        let times = [2_u64, 1, 1];
        let weight = |(a, b): (usize, usize)| times[a] * times[b];
        // Weights 2, 1, 2: three may pass.
        let (last, excess) = impostors.weighed(3.0, &weight).unwrap();
        assert_eq!(last, 11.0);
        assert!((excess - (11.0 - 31.0 / 3.0)).abs() < 1e-9);
        assert_eq!(impostors.weighed(1.0, &weight), None);
    }

    #[test]
    fn on_a_normal_tail_the_model_is_strict() {
        // To first order, a share p of a normal lies farther out than sqrt(-2 ln p) standard deviations.
        let n = 2_000_000;
        let score = |i: usize| (30.0 - 2.0 * (-2.0 * ((i as f64 + 0.5) / n as f64).ln()).sqrt()) as f32;
        let impostors = Impostors::new((0..n).map(|i| Impostor { combined: score(i), people: (i, i + 1) }).collect());
        let line = impostors.line_at(1e-5).unwrap();
        assert!(line.modelled < line.counted && line.counted - line.modelled < 0.5, "{line:?}");
    }
}
