//! How far a measured rate may be from the true one: 95 % confidence intervals.
//!
//! Two methods, because two things are counted. Things that are independent of each other, such as the faces of labelled
//! photos, get a Wilson interval. Comparisons are not independent: one person who looks like another gives hundreds of near
//! ones. There people are drawn anew, not comparisons. Called by `evaluate`; pure, every draw comes from a seed.

use serde::Serialize;

use super::calibration::draw::Draw;

/// Ends of a 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// A part of what was counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    pub count: usize,
    pub of: usize,
    /// 0..1; none when nothing was counted.
    pub share: Option<f64>,
    pub interval: Option<Interval>,
}

/// How intervals of independent counts are computed, in words for reports.
pub const WILSON: &str = "Wilson score interval, 95 %";
/// How intervals of dependent counts are computed, in words for reports.
pub const BOOTSTRAP: &str = "percentile bootstrap over people, 95 %; rule of three over people where nothing varies";

/// Resamples of a bootstrap. The ends of an interval then rest on 25 of them each.
pub const RESAMPLES: usize = 1000;

/// 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

impl Share {
    /// A share of independent things, with its Wilson interval (E. B. Wilson, "Probable inference, the law of succession, and
    /// statistical inference", 1927). Unlike the textbook interval it stays within 0..1 and is not empty at its ends.
    pub fn of_independent(count: usize, of: usize) -> Self {
        Self { count, of, share: share(count, of), interval: wilson(count, of) }
    }

    /// A share whose parts come from people: `people` holds count and total of each. The interval is the percentile bootstrap
    /// over people (B. Efron, "Bootstrap methods: another look at the jackknife", 1979; for recognition R. M. Bolle et al.,
    /// "Error analysis of pattern recognition systems: the subsets bootstrap", 2004).
    ///
    /// Where the count is nothing, or all, a bootstrap has nothing to vary. The other end is then by the rule of three:
    /// with none of `n` people it is `3 / n`.
    pub fn over_people(people: &[(usize, usize)], seed: u64) -> Self {
        let (count, of) = people.iter().fold((0, 0), |(c, o), (count, of)| (c + count, o + of));
        let interval = match share(count, of) {
            None => None,
            Some(_) if count == 0 || count == of => {
                rule_of_three(people.iter().filter(|(_, of)| *of > 0).count(), count > 0)
            }
            Some(_) => {
                let mut draw = Draw::new(seed);
                percentiles((0..RESAMPLES).filter_map(|_| ratio_of_resample(people, &mut draw)).collect())
            }
        };
        Self { count, of, share: share(count, of), interval }
    }
}

/// How often each of `people` is drawn when as many are drawn with replacement.
pub fn resample(people: usize, draw: &mut Draw) -> Vec<u32> {
    let mut times = vec![0; people];
    for _ in 0..people {
        // The product is below `people`; see `Draw::some_of`.
        times[(draw.unit() * people as f64) as usize] += 1;
    }
    times
}

/// The middle 95 % of what resamples gave; none without any.
pub fn percentiles(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |quantile: f64| values[(quantile * last as f64).round() as usize];
    Some(Interval { low: at(0.025), high: at(0.975) })
}

/// What `people` people of whom none, or all, did something can show; none without people.
pub fn rule_of_three(people: usize, all: bool) -> Option<Interval> {
    let most = (3.0 / people as f64).min(1.0);
    let interval = if all { Interval { low: 1.0 - most, high: 1.0 } } else { Interval { low: 0.0, high: most } };
    (people > 0).then_some(interval)
}

fn ratio_of_resample(people: &[(usize, usize)], draw: &mut Draw) -> Option<f64> {
    let times = resample(people.len(), draw);
    let sum = |part: fn(&(usize, usize)) -> usize| -> usize {
        people.iter().zip(&times).map(|(person, times)| part(person) * *times as usize).sum()
    };
    share(sum(|p| p.0), sum(|p| p.1))
}

fn share(count: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| count as f64 / of as f64)
}

fn wilson(count: usize, of: usize) -> Option<Interval> {
    let p = share(count, of)?;
    let n = of as f64;
    let shrink = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / shrink;
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / shrink;
    // Exact at the ends, where the formula is 0 or 1 but for rounding.
    let low = if count == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if count == of { 1.0 } else { (centre + half).min(1.0) };
    Some(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    #[test]
    fn wilson_by_hand() {
        // 8 of 10: centre (0.8 + 0.19207) / 1.38415, half-width 1.96 * sqrt(0.016 + 0.0096036) / 1.38415.
        let known = Share::of_independent(8, 10).interval.unwrap();
        assert!(near(known.low, 0.49016) && near(known.high, 0.94332), "{known:?}");
        // None of 10: the upper end is z^2 / (n + z^2) = 3.8415 / 13.8415.
        let none = Share::of_independent(0, 10).interval.unwrap();
        assert!(none.low == 0.0 && near(none.high, 0.27753), "{none:?}");
        assert_eq!(Share::of_independent(10, 10).interval.unwrap().high, 1.0);
    }

    #[test]
    fn nothing_counted_is_no_share() {
        assert_eq!(Share::of_independent(0, 0), Share { count: 0, of: 0, share: None, interval: None });
        assert_eq!(Share::over_people(&[], 1).share, None);
        assert_eq!(Share::over_people(&[(0, 0)], 1).interval, None);
    }

    #[test]
    fn nothing_that_varies_has_the_interval_of_the_rule_of_three() {
        let none = Share::over_people(&[(0, 100), (0, 50), (0, 0), (0, 1)], 1);
        assert_eq!(none.interval, Some(Interval { low: 0.0, high: 1.0 }));
        let all = Share::over_people(&[(7, 7); 30], 1);
        assert_eq!(all.interval, Some(Interval { low: 0.9, high: 1.0 }));
    }

    #[test]
    fn people_who_always_fail_together_widen_the_interval() {
        // 200 of 1000 both times: once one in five comparisons of everybody, once all of every fifth person.
        let spread = Share::over_people(&[(2, 10); 100], 1);
        let mut clustered = vec![(0, 10); 80];
        clustered.extend([(10, 10); 20]);
        let clustered = Share::over_people(&clustered, 1);
        assert_eq!((spread.share, clustered.share), (Some(0.2), Some(0.2)));
        assert_eq!(spread.interval, Some(Interval { low: 0.2, high: 0.2 }));
        // The standard error of 20 of 100 people is 0.04.
        let wide = clustered.interval.unwrap();
        assert!((0.10..0.15).contains(&wide.low) && (0.25..0.30).contains(&wide.high), "{wide:?}");
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share(count in 0_usize..500, more in 0_usize..500) {
            let known = Share::of_independent(count, count + more);
            if let (Some(share), Some(Interval { low, high })) = (known.share, known.interval) {
                prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
            }
        }

        #[test]
        fn a_resample_draws_as_many_as_there_are(people in 0_usize..60, seed: u64) {
            let times = resample(people, &mut Draw::new(seed));
            prop_assert_eq!(times.len(), people);
            prop_assert_eq!(times.iter().sum::<u32>() as usize, people);
        }

        #[test]
        fn more_of_the_same_narrows_wilson(count in 1_usize..50, more in 1_usize..50) {
            let width = |n: usize| {
                let Interval { low, high } = Share::of_independent(count * n, (count + more) * n).interval.unwrap();
                high - low
            };
            prop_assert!(width(4) < width(1));
        }
    }
}
