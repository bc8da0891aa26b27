//! Verification figures with what they are worth: true accept rates at false match rates that there are enough comparisons
//! for, equal error rate, curve, and intervals over people.

use serde::Serialize;

use super::draw::Draw;
use super::rates::Rates;
use crate::domain::interval::{Interval, percentiles, resample, rule_of_three};

/// A comparison of two pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Combined score; lower is nearer.
    pub combined: f32,
    /// Who is in the two pictures, as numbers below [`Verification::new`]'s `people`; equal for one person.
    pub people: (u32, u32),
}

/// False match rates that the true accept rate is stated at.
pub const FALSE_MATCH_RATES: [f64; 3] = [1e-2, 1e-3, 1e-4];

/// Comparisons of different people that must pass a line before a rate is stated for it. With ten, a 95 % interval of the
/// rate reaches from half to twice of it; with fewer a line is one or two people's bad luck.
pub const MIN_PASSING: usize = 10;

/// Resamples of the people for the intervals.
const CURVE_RESAMPLES: usize = 200;

/// The true accept rate at a false match rate, or why it is not stated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrueAccepts {
    pub false_match_rate: f64,
    /// Comparisons of different people that this needs.
    pub comparisons_needed: usize,
    /// What was measured; none with too few comparisons, see `withheld`.
    #[serde(flatten)]
    pub measured: Option<AtLine>,
    pub withheld: Option<String>,
}

/// What a line does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtLine {
    /// Combined score.
    pub line: f32,
    pub true_accept_rate: f64,
    pub interval: Option<Interval>,
}

/// Where both error rates are equal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EqualErrorRate {
    /// Combined score.
    pub line: f32,
    pub rate: f64,
    pub interval: Option<Interval>,
}

/// One point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    pub false_match_rate: f64,
    pub line: f32,
    pub true_accept_rate: f64,
}

/// Comparisons whose truth is known, ready to be counted.
#[derive(Debug)]
pub struct Verification {
    /// Nearest first.
    comparisons: Vec<Comparison>,
    people: usize,
    rates: Rates,
}

/// Points of the curve for each power of ten of the false match rate.
const POINTS_PER_DECADE: i32 = 12;

impl Verification {
    /// `people` is one more than the largest number of a person.
    pub fn new(mut comparisons: Vec<Comparison>, people: usize) -> Self {
        comparisons.sort_by(|a, b| a.combined.total_cmp(&b.combined));
        let side = |genuine: bool| {
            let scores = comparisons.iter().filter(|c| c.is_genuine() == genuine).map(|c| c.combined);
            scores.collect::<Vec<f32>>()
        };
        let rates = Rates::new(side(true), side(false));
        Self { comparisons, people, rates }
    }

    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// One entry for each of [`FALSE_MATCH_RATES`], and the equal error rate, which is none without comparisons of both kinds.
    ///
    /// Intervals are percentile bootstraps over people: a comparison counts as often as the product of the times that its
    /// people were drawn, and the line moves with every resample as it would with other people.
    pub fn figures(&self, seed: u64) -> (Vec<TrueAccepts>, Option<EqualErrorRate>) {
        let resamples = self.resamples(seed);
        let accepts = FALSE_MATCH_RATES.iter().enumerate().map(|(i, rate)| {
            let values = resamples.iter().map(|r| r.true_accepts[i]).collect();
            self.true_accepts(*rate, values)
        });
        let equal = self.rates.equal_error().map(|equal| EqualErrorRate {
            line: equal.line,
            rate: equal.rate,
            interval: percentiles(resamples.iter().map(|r| r.equal_error).collect()),
        });
        (accepts.collect(), equal)
    }

    /// The curve from the smallest false match rate that there are enough comparisons for up to 1, in steps of equal ratio.
    pub fn curve(&self) -> Vec<CurvePoint> {
        let smallest = MIN_PASSING as f64 / self.rates.impostor().len().max(1) as f64;
        let rates =
            (-8 * POINTS_PER_DECADE..=0).map(|step| 10_f64.powf(f64::from(step) / f64::from(POINTS_PER_DECADE)));
        let point = |rate: f64| {
            let at = self.rates.at(rate);
            CurvePoint { false_match_rate: rate, line: at.line, true_accept_rate: at.tar }
        };
        rates.filter(|rate| *rate >= smallest).map(point).filter(|point| point.line.is_finite()).collect()
    }

    fn true_accepts(&self, rate: f64, resampled: Vec<f64>) -> TrueAccepts {
        let (impostors, needed) = (self.rates.impostor().len(), comparisons_needed(rate));
        let at = self.rates.at(rate);
        let measured =
            (impostors >= needed && !self.rates.genuine().is_empty() && at.line.is_finite()).then(|| AtLine {
                line: at.line,
                true_accept_rate: at.tar,
                interval: if at.tar == 1.0 {
                    rule_of_three(self.genuine_people(), true)
                } else {
                    percentiles(resampled)
                },
            });
        let why = || match self.rates.genuine().len() {
            0 => "there is no comparison of one person".to_owned(),
            _ if impostors >= needed => "too many comparisons of different people have the same score".to_owned(),
            _ => format!("{impostors} comparisons of different people are too few, {needed} are needed"),
        };
        let withheld = measured.is_none().then(why);
        TrueAccepts { false_match_rate: rate, comparisons_needed: needed, measured, withheld }
    }

    /// People with a comparison of their own.
    fn genuine_people(&self) -> usize {
        let mut own = vec![false; self.people];
        self.comparisons.iter().filter(|c| c.is_genuine()).for_each(|c| own[c.people.0 as usize] = true);
        own.iter().filter(|own| **own).count()
    }

    fn resamples(&self, seed: u64) -> Vec<Resampled> {
        let mut draw = Draw::new(seed);
        (0..CURVE_RESAMPLES).filter_map(|_| self.weighed(&resample(self.people, &mut draw))).collect()
    }

    /// The figures when every person counts as often as `times` says. None when nobody is left on one side.
    fn weighed(&self, times: &[u32]) -> Option<Resampled> {
        let weight = |c: &Comparison| {
            let (a, b) = (times[c.people.0 as usize], times[c.people.1 as usize]);
            // A person drawn twice is two people alike: their pictures are not compared across.
            if c.is_genuine() { u64::from(a) } else { u64::from(a) * u64::from(b) }
        };
        let mut all = [0_u64; 2];
        self.comparisons.iter().for_each(|c| all[usize::from(c.is_genuine())] += weight(c));
        let [impostors, genuine] = all.map(|n| n as f64);
        if impostors == 0.0 || genuine == 0.0 {
            return None;
        }
        let mut seen = [0_u64; 2];
        let mut true_accepts = [None; FALSE_MATCH_RATES.len()];
        let mut equal_error = None;
        for group in self.comparisons.chunk_by(|a, b| a.combined == b.combined) {
            let before = seen[1] as f64 / genuine;
            group.iter().for_each(|c| seen[usize::from(c.is_genuine())] += weight(c));
            let (passed, accepted) = (seen[0] as f64 / impostors, seen[1] as f64 / genuine);
            for (rate, accepts) in FALSE_MATCH_RATES.iter().zip(&mut true_accepts) {
                // The line lies just before the first comparison that is one too many.
                if accepts.is_none() && passed > *rate + 1e-12 {
                    *accepts = Some(before);
                }
            }
            if equal_error.is_none() && passed >= 1.0 - accepted {
                equal_error = Some(f64::midpoint(passed, 1.0 - accepted));
            }
        }
        Some(Resampled {
            true_accepts: true_accepts.map(|accepts| accepts.unwrap_or(1.0)),
            equal_error: equal_error.unwrap_or(0.0),
        })
    }
}

impl Comparison {
    fn is_genuine(&self) -> bool {
        self.people.0 == self.people.1
    }
}

/// Comparisons of different people that a false match rate needs: [`MIN_PASSING`] of them must pass.
pub fn comparisons_needed(rate: f64) -> usize {
    // An exact quotient such as 10 / 0.001 must not become one more by rounding.
    (MIN_PASSING as f64 / rate - 1e-6).ceil() as usize
}

struct Resampled {
    true_accepts: [f64; FALSE_MATCH_RATES.len()],
    equal_error: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(combined: f32, a: u32, b: u32) -> Comparison {
        Comparison { combined, people: (a, b) }
    }

    /// `people` people with one genuine comparison each, at 10, and all their impostor comparisons at 20 and beyond.
    fn apart(people: u32) -> Verification {
        let mut all: Vec<Comparison> = (0..people).map(|p| one(10.0, p, p)).collect();
        let pairs = (0..people).flat_map(|a| (a + 1..people).map(move |b| (a, b)));
        all.extend(pairs.enumerate().map(|(i, (a, b))| one(20.0 + i as f32 / 100.0, a, b)));
        Verification::new(all, people as usize)
    }

    #[test]
    fn a_rate_needs_ten_passing_comparisons() {
        assert_eq!(FALSE_MATCH_RATES.map(comparisons_needed), [1000, 10_000, 100_000]);
        // 45 people give 990 impostor comparisons, 46 give 1035.
        let (few, _) = apart(45).figures(1);
        assert_eq!((few[0].measured, few[0].comparisons_needed), (None, 1000));
        assert!(few[0].withheld.as_ref().unwrap().contains("990 comparisons"), "{few:?}");
        let (enough, equal) = apart(46).figures(1);
        assert_eq!(enough[0].measured.unwrap().true_accept_rate, 1.0);
        assert_eq!((enough[0].withheld.as_ref(), enough[1].measured), (None, None));
        // Nobody failed: 3 of 46 people is what that can show.
        let known = enough[0].measured.unwrap().interval.unwrap();
        assert!((known.low - (1.0 - 3.0 / 46.0)).abs() < 1e-12 && known.high == 1.0);
        assert_eq!(equal.unwrap().rate, 0.0);
    }

    #[test]
    fn weights_repeat_people() {
        // Genuine of 0 at 1, of 1 at 5; impostor (0, 1) at 3, (1, 2) at 4, (0, 2) at 6.
        let all = vec![one(1.0, 0, 0), one(5.0, 1, 1), one(3.0, 0, 1), one(4.0, 1, 2), one(6.0, 0, 2)];
        let known = Verification::new(all, 3);
        // Everybody once: at 4, two of three impostors pass (0.67) and half of the genuine fails (0.5).
        let once = known.weighed(&[1, 1, 1]).unwrap();
        assert!((once.equal_error - f64::midpoint(2.0 / 3.0, 0.5)).abs() < 1e-12);
        assert_eq!(once.true_accepts, [0.5; 3]);
        // Person 1 twice, person 2 not: genuine weights 1 and 2, impostor (0, 1) twice, nothing else. At 3 all impostors
        // pass and two thirds of the genuine fail.
        let twice = known.weighed(&[1, 2, 0]).unwrap();
        assert!((twice.equal_error - f64::midpoint(1.0, 2.0 / 3.0)).abs() < 1e-12);
        assert!((twice.true_accepts[0] - 1.0 / 3.0).abs() < 1e-12);
        assert!(known.weighed(&[0, 0, 3]).is_none());
    }

    #[test]
    fn intervals_are_repeatable_and_hold_the_figure() {
        // Every tenth person fails always: 90 % at any line.
        let mut all: Vec<Comparison> = (0..60).map(|p| one(if p % 10 == 0 { 90.0 } else { 10.0 }, p, p)).collect();
        let pairs = (0..60_u32).flat_map(|a| (a + 1..60).map(move |b| (a, b)));
        all.extend(pairs.map(|(a, b)| one(20.0 + (a * 60 + b) as f32 / 100.0, a, b)));
        let known = Verification::new(all, 60);
        let (first, equal) = known.figures(5);
        let AtLine { true_accept_rate, interval, .. } = first[0].measured.unwrap();
        let Interval { low, high } = interval.unwrap();
        assert_eq!(true_accept_rate, 0.9);
        assert!((0.75..0.9).contains(&low) && (0.9..=1.0).contains(&high), "{low} {high}");
        assert_eq!(known.figures(5).0, first);
        assert_ne!(known.figures(6).1.unwrap().interval, equal.unwrap().interval);
    }

    #[test]
    fn the_curve_begins_where_there_are_enough_comparisons() {
        let curve = apart(46).curve();
        assert!(curve[0].false_match_rate >= 10.0 / 1035.0);
        assert!(curve[0].false_match_rate < 10.0 / 1035.0 * 1.3);
        assert_eq!(curve.last().unwrap().false_match_rate, 1.0);
    }

    proptest! {
        #[test]
        fn one_of_each_person_is_the_plain_count(
            scores in proptest::collection::vec((0_u8..40, 0_u32..6, 0_u32..6), 2..80),
        ) {
            let known = Verification::new(scores.iter().map(|(s, a, b)| one(f32::from(*s), *a, *b)).collect(), 6);
            if let Some(plain) = known.weighed(&[1; 6]) {
                prop_assert!((plain.equal_error - known.rates().equal_error().unwrap().rate).abs() < 1e-9);
            }
        }

        #[test]
        fn the_curve_never_falls(scores in proptest::collection::vec((0_u8..200, 0_u32..6, 0_u32..6), 20..80)) {
            let known = Verification::new(scores.iter().map(|(s, a, b)| one(f32::from(*s), *a, *b)).collect(), 6);
            prop_assert!(known.curve().is_sorted_by(|a, b| a.true_accept_rate <= b.true_accept_rate));
        }
    }
}
