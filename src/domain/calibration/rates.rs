//! Error rates of a score: how many comparisons of one person, and of two, lie at or below a line.

use serde::Serialize;

/// Scores of comparisons whose truth is known. Lower is nearer; a comparison passes a line when it is at or below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    genuine: Vec<f32>,
    impostor: Vec<f32>,
}

/// Where as many of one person fail as pass of two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EqualError {
    /// Combined score.
    pub line: f32,
    /// Mean of the two error rates at the line, 0..1.
    pub rate: f64,
}

/// One point of the curve of true against false accepts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RocPoint {
    /// Share of comparisons of two people that may pass, 0..1.
    pub far: f64,
    /// The line for that, combined score; minus infinity (in JSON null) when not even one may pass.
    pub line: f32,
    /// Share of comparisons of one person that pass, 0..1.
    pub tar: f64,
}

impl Rates {
    /// Comparisons of one person with himself, and of different people. Every score is a number.
    pub fn new(mut genuine: Vec<f32>, mut impostor: Vec<f32>) -> Self {
        genuine.sort_by(f32::total_cmp);
        impostor.sort_by(f32::total_cmp);
        Self { genuine, impostor }
    }

    /// Nearest first.
    pub fn genuine(&self) -> &[f32] {
        &self.genuine
    }

    /// Nearest first.
    pub fn impostor(&self) -> &[f32] {
        &self.impostor
    }

    /// True accept rate: share of genuine comparisons at or below `line`, 0..1; 0 without comparisons.
    pub fn tar(&self, line: f32) -> f64 {
        share(&self.genuine, line)
    }

    /// False accept rate: share of impostor comparisons at or below `line`, 0..1; 0 without comparisons.
    pub fn far(&self, line: f32) -> f64 {
        share(&self.impostor, line)
    }

    /// The widest line that at most `floor(far * n)` of the `n` impostor comparisons pass: half-way between the last that
    /// passes and the first that does not. Minus infinity when none may pass, which says that there are too few.
    pub fn line_at(&self, far: f64) -> f32 {
        // An exact product such as 0.01 * 300 must not lose its last comparison to rounding.
        let mut passing = (far * self.impostor.len() as f64 + 1e-9).floor() as usize;
        let Some(first_outside) = self.impostor.get(passing) else {
            return self.impostor.last().copied().unwrap_or(f32::NEG_INFINITY);
        };
        // Equal scores pass together or not at all.
        while passing > 0 && self.impostor[passing - 1] == *first_outside {
            passing -= 1;
        }
        match passing {
            0 => f32::NEG_INFINITY,
            n => f32::midpoint(self.impostor[n - 1], self.impostor[n]),
        }
    }

    /// The point of the curve at a false accept rate.
    pub fn at(&self, far: f64) -> RocPoint {
        let line = self.line_at(far);
        RocPoint { far, line, tar: self.tar(line) }
    }

    /// Where the false accept rate first reaches the false reject rate. `None` without comparisons of both kinds.
    pub fn equal_error(&self) -> Option<EqualError> {
        if self.genuine.is_empty() || self.impostor.is_empty() {
            return None;
        }
        let mut lines: Vec<f32> = self.genuine.iter().chain(&self.impostor).copied().collect();
        lines.sort_by(f32::total_cmp);
        // False accepts only grow with the line and false rejects only fall, so the crossing can be searched.
        let crossed = lines.partition_point(|line| self.far(*line) < 1.0 - self.tar(*line));
        let line = lines[crossed.min(lines.len() - 1)];
        Some(EqualError { line, rate: f64::midpoint(self.far(line), 1.0 - self.tar(line)) })
    }
}

fn share(sorted: &[f32], line: f32) -> f64 {
    sorted.partition_point(|score| *score <= line) as f64 / sorted.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Genuine 1, 2, 3, 6; impostors 4, 5, 7, 8, 9.
    fn small() -> Rates {
        Rates::new(vec![3.0, 1.0, 6.0, 2.0], vec![9.0, 4.0, 8.0, 5.0, 7.0])
    }

    #[test]
    fn rates_are_counts_at_or_below_the_line() {
        let rates = small();
        assert_eq!((rates.tar(3.0), rates.far(3.0)), (0.75, 0.0));
        assert_eq!((rates.tar(6.0), rates.far(6.0)), (1.0, 0.4));
        assert_eq!((rates.tar(0.0), rates.far(9.0)), (0.0, 1.0));
    }

    #[test]
    fn line_at_a_rate_lies_between_the_last_that_passes_and_the_next() {
        let rates = small();
        assert_eq!(rates.line_at(0.2), 4.5);
        assert_eq!(rates.line_at(0.59), 6.0);
        assert_eq!(rates.line_at(1.0), 9.0);
        assert_eq!(rates.at(0.4), RocPoint { far: 0.4, line: 6.0, tar: 1.0 });
    }

    #[test]
    fn too_few_impostors_give_no_line() {
        assert_eq!(small().line_at(0.1), f32::NEG_INFINITY);
        assert_eq!(small().at(0.1).tar, 0.0);
        assert_eq!(Rates::new(vec![1.0], vec![]).line_at(0.5), f32::NEG_INFINITY);
    }

    #[test]
    fn equal_impostors_pass_together() {
        let rates = Rates::new(vec![], vec![1.0, 2.0, 2.0, 3.0]);
        assert_eq!(rates.line_at(0.5), 1.5);
        assert_eq!(rates.line_at(0.75), 2.5);
    }

    #[test]
    fn equal_error_by_hand() {
        // At 5, two of five impostors pass (0.4) and one of four genuine fails (0.25); at 4 it is 0.2 against 0.25.
        let equal = small().equal_error().unwrap();
        assert_eq!(equal.line, 5.0);
        assert!((equal.rate - 0.325).abs() < 1e-12);
        assert_eq!(Rates::new(vec![1.0, 2.0], vec![3.0, 4.0]).equal_error().unwrap().rate, 0.0);
        assert_eq!(Rates::new(vec![], vec![3.0]).equal_error(), None);
    }

    proptest! {
        #[test]
        fn no_line_lets_more_pass_than_asked(
            scores in proptest::collection::vec(0_u8..40, 1..200), far in 0.0_f64..1.0,
        ) {
            let rates = Rates::new(vec![], scores.iter().map(|s| f32::from(*s)).collect());
            let line = rates.line_at(far);
            prop_assert!(rates.far(line) <= far + 1e-9);
            // The next impostor and its equals would be too many.
            if let Some(next) = rates.impostor().iter().find(|s| **s > line) {
                prop_assert!(rates.far(*next) * scores.len() as f64 > (far * scores.len() as f64 + 1e-9).floor());
            }
        }
    }
}
