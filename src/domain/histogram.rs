//! How scores of two kinds spread, side by side. Called by `evaluate`; pure.

use serde::Serialize;

/// Counts in bins of equal width over everything that was given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Lower end of the first bin.
    pub from: f32,
    /// Width of a bin.
    pub width: f32,
    /// Scores of one person; as long as `different`.
    pub same: Vec<usize>,
    /// Scores of two people.
    pub different: Vec<usize>,
}

impl Histogram {
    /// Bins both kinds. None without a finite score, as there is nothing to show then.
    pub fn new(same: &[f32], different: &[f32], bins: usize) -> Option<Self> {
        let all = || same.iter().chain(different).copied().filter(|score| score.is_finite());
        let (from, to) = (all().min_by(f32::total_cmp)?, all().max_by(f32::total_cmp)?);
        let width = if to > from { (to - from) / bins as f32 } else { 1.0 };
        let count = |scores: &[f32]| {
            let mut counts = vec![0; bins];
            for score in scores.iter().filter(|score| score.is_finite()) {
                counts[(((score - from) / width) as usize).min(bins - 1)] += 1;
            }
            counts
        };
        Some(Self { from, width, same: count(same), different: count(different) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_is_in_one_bin_and_the_last_one_in_the_last() {
        let known = Histogram::new(&[0.0, 1.0, 9.9], &[5.0, 10.0, f32::INFINITY], 10).unwrap();
        assert_eq!((known.from, known.width), (0.0, 1.0));
        assert_eq!(known.same, [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(known.different, [0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(Histogram::new(&[3.0, 3.0], &[], 4).unwrap().same, [2, 0, 0, 0]);
        assert_eq!(Histogram::new(&[], &[f32::NAN], 4), None);
    }
}
