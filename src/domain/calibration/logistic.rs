//! The likelihood ratio of a score as a straight line.

use crate::domain::score::LikelihoodRatio;

/// Newton steps; a dozen is usual.
const MAX_STEPS: usize = 100;

/// Change of both coefficients, on scores brought to spread 1, at which the fit stands still.
const STANDSTILL: f64 = 1e-9;

/// Fits `llr = intercept - slope * combined` by logistic regression, each class weighted by the prior it is used under
/// (Brümmer and du Preez 2006, "Application-independent evaluation of speaker detection", section 5; the "linear
/// calibration" of the FoCal toolkit). It minimises the cross-entropy
/// `prior * mean(ln(1 + exp(-(llr + t)))) + (1 - prior) * mean(ln(1 + exp(llr + t)))` over genuine and impostor scores,
/// with `t = ln(prior / (1 - prior))`: the nearer a score lies to where that prior makes the decision even, the more it
/// counts.
///
/// `prior` lies within 0..1. `None` without scores of both kinds, when a line separates them (then every slope is too
/// flat), and when near scores do not speak for one person.
pub fn fit(genuine: &[f32], impostor: &[f32], prior: f64) -> Option<LikelihoodRatio> {
    let all = || genuine.iter().chain(impostor).map(|s| f64::from(*s));
    let count = all().count() as f64;
    let mean = all().sum::<f64>() / count;
    let spread = (all().map(|s| (s - mean).powi(2)).sum::<f64>() / count).sqrt();
    let separated = farthest(genuine)? < nearest(impostor)?;
    if separated || spread <= 0.0 {
        return None;
    }
    let shift = (prior / (1.0 - prior)).ln();
    let scaled = |scores: &[f32]| scores.iter().map(|s| (f64::from(*s) - mean) / spread).collect::<Vec<f64>>();
    let problem = Problem { genuine: scaled(genuine), impostor: scaled(impostor), prior, shift };
    let (a, b) = problem.solve()?;
    // llr = a - b * (score - mean) / spread
    let slope = b / spread;
    let line = LikelihoodRatio { intercept: (a + slope * mean) as f32, slope: slope as f32 };
    (line.slope > 0.0 && line.slope.is_finite() && line.intercept.is_finite()).then_some(line)
}

fn farthest(scores: &[f32]) -> Option<f32> {
    scores.iter().copied().max_by(f32::total_cmp)
}

fn nearest(scores: &[f32]) -> Option<f32> {
    scores.iter().copied().min_by(f32::total_cmp)
}

/// Scores of mean 0 and spread 1; `llr = a - b * score`.
struct Problem {
    genuine: Vec<f64>,
    impostor: Vec<f64>,
    prior: f64,
    shift: f64,
}

/// Cross-entropy with its first and second derivatives by a and b.
#[derive(Default)]
struct Slopes {
    cost: f64,
    by_a: f64,
    by_b: f64,
    by_aa: f64,
    by_ab: f64,
    by_bb: f64,
}

impl Problem {
    /// Newton's method with halved steps where a whole one overshoots; the cost is convex, so there is one minimum.
    fn solve(&self) -> Option<(f64, f64)> {
        let (mut a, mut b) = (0.0, 0.0);
        let mut here = self.slopes(a, b);
        for _ in 0..MAX_STEPS {
            let determinant = here.by_aa * here.by_bb - here.by_ab * here.by_ab;
            if determinant <= 0.0 || !determinant.is_finite() {
                return None;
            }
            let mut step_a = (here.by_bb * here.by_a - here.by_ab * here.by_b) / determinant;
            let mut step_b = (here.by_aa * here.by_b - here.by_ab * here.by_a) / determinant;
            let mut there = self.slopes(a - step_a, b - step_b);
            while there.cost > here.cost && step_a.abs().max(step_b.abs()) > STANDSTILL {
                (step_a, step_b) = (step_a / 2.0, step_b / 2.0);
                there = self.slopes(a - step_a, b - step_b);
            }
            (a, b, here) = (a - step_a, b - step_b, there);
            if step_a.abs().max(step_b.abs()) <= STANDSTILL {
                return Some((a, b));
            }
        }
        None
    }

    fn slopes(&self, a: f64, b: f64) -> Slopes {
        let mut sum = Slopes::default();
        let genuine = self.prior / self.genuine.len() as f64;
        let impostor = (1.0 - self.prior) / self.impostor.len() as f64;
        self.genuine.iter().for_each(|s| sum.add(genuine, -(a - b * s + self.shift), (-1.0, *s)));
        self.impostor.iter().for_each(|s| sum.add(impostor, a - b * s + self.shift, (1.0, -*s)));
        sum
    }
}

impl Slopes {
    /// Adds `weight * ln(1 + exp(x))`, where x changes by `(by_a, by_b)`.
    fn add(&mut self, weight: f64, x: f64, (by_a, by_b): (f64, f64)) {
        // For x = sign * (a - b * s + t) the caller passes (sign, -sign * s).
        let p = 1.0 / (1.0 + (-x).exp());
        let curve = weight * p * (1.0 - p);
        self.cost += weight * (x.max(0.0) + (-x.abs()).exp().ln_1p());
        self.by_a += weight * p * by_a;
        self.by_b += weight * p * by_b;
        self.by_aa += curve * by_a * by_a;
        self.by_ab += curve * by_a * by_b;
        self.by_bb += curve * by_b * by_b;
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::Draw;
    use super::*;

    /// `n` normal deviates (Box and Muller 1958).
    fn normal(mean: f64, spread: f64, n: usize, seed: u64) -> Vec<f32> {
        let mut draw = Draw::new(seed);
        let mut one = || (-2.0 * (1.0 - draw.unit()).ln()).sqrt() * (std::f64::consts::TAU * draw.unit()).cos();
        (0..n).map(|_| (mean + spread * one()) as f32).collect()
    }

    #[test]
    fn two_scores_by_hand() {
        // Three of four genuine scores are 1 and one is 2, impostors the other way round: the ratio is 3 at 1 and 1/3 at 2,
        // whatever the prior, because two points define the line.
        let (genuine, impostor) = ([1.0, 1.0, 1.0, 2.0], [1.0, 2.0, 2.0, 2.0]);
        for prior in [0.5, 0.01] {
            let line = fit(&genuine, &impostor, prior).unwrap();
            assert!((line.at(1.0) - 3.0_f32.ln()).abs() < 1e-5, "{line:?}");
            assert!((line.at(2.0) + 3.0_f32.ln()).abs() < 1e-5, "{line:?}");
        }
    }

    #[test]
    fn normal_scores_of_equal_spread_have_the_line_of_the_formula() {
        // ln N(s; 15, 2) / N(s; 23, 2) = (23 - 15) / 4 * ((15 + 23) / 2 - s) = 38 - 2 s.
        let line = fit(&normal(15.0, 2.0, 20_000, 1), &normal(23.0, 2.0, 200_000, 2), 0.1).unwrap();
        assert!((line.slope - 2.0).abs() < 0.06 && (line.intercept - 38.0).abs() < 1.2, "{line:?}");
    }

    #[test]
    fn scores_that_tell_nothing_or_everything_have_no_line() {
        assert_eq!(fit(&[1.0, 2.0], &[3.0, 4.0], 0.5), None);
        assert_eq!(fit(&[], &[3.0], 0.5), None);
        assert_eq!(fit(&[5.0, 5.0], &[5.0], 0.5), None);
        // Farther is likelier: not a distance.
        assert_eq!(fit(&[1.0, 5.0, 6.0], &[2.0, 1.0, 5.5], 0.5), None);
    }
}
