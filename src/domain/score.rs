//! How near two faces are, and what a distance means: the 70/30 score, its lines, likelihood ratio and posterior.
//!
//! Called by everything that compares embeddings. Lower scores are nearer throughout.

use serde::{Deserialize, Serialize};

use super::embedding::Embedding;

/// Share of the Euclidean distance in the combined score.
pub const EUCLIDEAN_SHARE: f32 = 0.7;
/// Share of the cosine distance in the combined score.
pub const COSINE_SHARE: f32 = 0.3;
/// Brings the cosine distance (0..2) to the scale of distances between raw 512-d FaceNet vectors.
pub const COSINE_SCALE: f32 = 20.0;

/// The lines of a pack, in combined score. Calibrated per pack; the manifest states on what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// At or below: near enough to be named. Per-comparison false-match rate 1e-5.
    pub accept: f32,
    /// At or below, but above `accept`: near enough to be asked about. Per-comparison false-match rate 1e-3.
    pub doubt: f32,
    /// The runner-up must be at least this much farther than the named student.
    pub margin: f32,
}

/// Log likelihood ratio of "same person" against "different people" as a straight line in the combined score:
/// `llr = intercept - slope * combined`, in nats. A line is the logistic-regression calibration of verification
/// scores (Brümmer and du Preez 2006), monotone by construction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LikelihoodRatio {
    /// Nats at a combined score of 0.
    pub intercept: f32,
    /// Nats lost per unit of combined score; positive.
    pub slope: f32,
}

impl LikelihoodRatio {
    pub fn at(&self, combined: f32) -> f32 {
        self.intercept - self.slope * combined
    }
}

/// Everything that is needed to turn two embeddings of one pack into a decision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scoring {
    /// The pack's vectors carry no information in their length: scale them to length sqrt(D) before comparing.
    pub normalise: bool,
    pub lines: Lines,
    pub llr: LikelihoodRatio,
    /// Prior probability that a face in a class photo belongs to any candidate at all, 0..1; it is spread evenly over
    /// the candidates.
    pub member_prior: f32,
    /// No posterior is stated above this: what so many genuine comparisons can show, see [`confidence_limit`].
    pub max_confidence: f32,
}

/// The most that a calibration on `genuine` comparisons can vouch for: with none of `n` wrong, the error rate lies below
/// `3 / n` with 95 % confidence (the rule of three, Hanley and Lippman-Hand 1983). At least 0.5.
pub fn confidence_limit(genuine: u64) -> f32 {
    (1.0 - 3.0 / genuine.max(6) as f64) as f32
}

/// The prior that the confidence is stated under unless a school sets another: a face is as likely a stranger as a
/// member. Deliberately sceptical, because a wrong name is worse than a question.
pub const DEFAULT_MEMBER_PRIOR: f32 = 0.5;

/// The comparison of two faces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// `0.7 * euclidean + 0.3 * 20 * (1 - cosine)`; 0 for equal vectors.
    pub combined: f32,
    /// -1..1.
    pub cosine: f32,
}

/// An embedding on the scale that scores are defined on: length sqrt(D) for packs that normalise, raw otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledEmbedding {
    vector: Embedding,
    norm: f32,
}

impl ScaledEmbedding {
    /// `[D]` f32.
    pub fn values(&self) -> &[f32] {
        self.vector.values()
    }
}

impl Scoring {
    /// Brings an embedding to the scale of the score.
    pub fn scaled(&self, embedding: &Embedding) -> ScaledEmbedding {
        let vector = if self.normalise { unit_times_root_dims(embedding) } else { embedding.clone() };
        ScaledEmbedding { norm: vector.norm(), vector }
    }

    /// `combined = 0.7 * ||x - y|| + 0.3 * 20 * (1 - cos(x, y))`. Symmetric.
    pub fn between(&self, x: &ScaledEmbedding, y: &ScaledEmbedding) -> Score {
        let (a, b) = (x.vector.values(), y.vector.values());
        assert_eq!(a.len(), b.len(), "embeddings of different packs never meet");
        let (mut squares, mut dot) = (0.0_f64, 0.0_f64);
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            squares += (a - b) * (a - b);
            dot += a * b;
        }
        let cosine = (dot / (f64::from(x.norm) * f64::from(y.norm))).clamp(-1.0, 1.0) as f32;
        let combined = EUCLIDEAN_SHARE * squares.sqrt() as f32 + COSINE_SHARE * COSINE_SCALE * (1.0 - cosine);
        Score { combined, cosine }
    }

    /// The cosine at which two embeddings of `dims` values have the score `combined`, -1..1. `None` for packs that do not
    /// normalise, whose score also depends on the vectors' lengths, and for scores that no two vectors have.
    ///
    /// With `s = sqrt(1 - cosine)` the score is `0.7 * sqrt(2 * dims) * s + 0.3 * 20 * s^2`; this is its positive root.
    pub fn cosine_at(&self, combined: f32, dims: usize) -> Option<f32> {
        let linear = f64::from(EUCLIDEAN_SHARE) * (2.0 * dims as f64).sqrt();
        let square = f64::from(COSINE_SHARE * COSINE_SCALE);
        let s = ((linear * linear + 4.0 * square * f64::from(combined)).sqrt() - linear) / (2.0 * square);
        let cosine = (1.0 - s * s) as f32;
        (self.normalise && s >= 0.0 && cosine >= -1.0).then_some(cosine)
    }

    /// Nats in favour of "same person" at a combined score.
    pub fn llr(&self, combined: f32) -> f32 {
        self.llr.at(combined)
    }

    /// Posterior probability that a face is the candidate at `index` of `combined` (one score for each candidate of the
    /// class), by Bayes' rule over the hypotheses "candidate i" (prior `member_prior / n` each) and "a stranger"
    /// (prior `1 - member_prior`). Sums to at most 1 over the candidates; never above [`Scoring::max_confidence`].
    ///
    /// # Panics
    /// When `index` is not a candidate.
    pub fn posterior(&self, combined: &[f32], index: usize) -> f32 {
        let share = f64::from(self.member_prior) / combined.len() as f64;
        let stranger = f64::from(1.0 - self.member_prior);
        // exp(-x) stays finite only within limits; everything is taken relative to the largest exponent.
        let llrs: Vec<f64> = combined.iter().map(|c| f64::from(self.llr(*c))).collect();
        let top = llrs.iter().copied().fold(0.0, f64::max);
        let weight = |llr: f64| share * (llr - top).exp();
        let total: f64 = llrs.iter().map(|l| weight(*l)).sum::<f64>() + stranger * (-top).exp();
        ((weight(llrs[index]) / total) as f32).min(self.max_confidence)
    }
}

fn unit_times_root_dims(embedding: &Embedding) -> Embedding {
    let factor = (embedding.dims() as f32).sqrt();
    let values = embedding.normalised().values().iter().map(|v| v * factor).collect();
    Embedding::new(values).expect("a scaled unit vector is finite and not zero")
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The starter pack's lines.
    pub(crate) const STARTER: Scoring = Scoring {
        normalise: true,
        lines: Lines { accept: 17.66, doubt: 20.54, margin: 1.0 },
        llr: LikelihoodRatio { intercept: 39.46, slope: 1.74 },
        member_prior: DEFAULT_MEMBER_PRIOR,
        max_confidence: 0.998,
    };

    /// Two 512-d vectors with the given cosine.
    fn pair_at(cosine: f32) -> (Embedding, Embedding) {
        let mut x = vec![0.0; 512];
        let mut y = vec![0.0; 512];
        x[0] = 3.0;
        y[0] = cosine * 0.5;
        y[1] = (1.0 - cosine * cosine).sqrt() * 0.5;
        (Embedding::new(x).unwrap(), Embedding::new(y).unwrap())
    }

    fn score_at(scoring: &Scoring, cosine: f32) -> Score {
        let (x, y) = pair_at(cosine);
        scoring.between(&scoring.scaled(&x), &scoring.scaled(&y))
    }

    #[test]
    fn known_points_of_the_unit_scale() {
        // DESIGN: at D = 512 a value of 20.0 is cosine 0.445; the starter pack states 0.420, 0.502 and 0.553.
        for (cosine, combined) in [(0.445, 20.0), (0.420, 20.54), (0.502, 18.80), (0.553, 17.66), (1.0, 0.0)] {
            let score = score_at(&STARTER, cosine);
            assert!((score.combined - combined).abs() < 0.02, "{cosine}: {score:?}");
            assert!((score.cosine - cosine).abs() < 1e-5);
            assert!((STARTER.cosine_at(score.combined, 512).unwrap() - cosine).abs() < 1e-5);
        }
        assert_eq!(STARTER.cosine_at(-1.0, 512), None);
        assert_eq!(STARTER.cosine_at(60.0, 512), None);
    }

    #[test]
    fn raw_packs_feel_the_length() {
        let raw = Scoring { normalise: false, ..STARTER };
        let x = Embedding::new(vec![3.0, 0.0]).unwrap();
        let y = Embedding::new(vec![5.0, 0.0]).unwrap();
        let score = raw.between(&raw.scaled(&x), &raw.scaled(&y));
        assert!((score.combined - 0.7 * 2.0).abs() < 1e-6);
        assert_eq!(STARTER.between(&STARTER.scaled(&x), &STARTER.scaled(&y)).combined, 0.0);
        assert_eq!(raw.cosine_at(10.0, 2), None);
    }

    #[test]
    fn posterior_of_a_clear_face_is_near_one_and_of_a_stranger_near_zero() {
        let class = [14.0, 25.0, 26.0, 27.0];
        assert!(STARTER.posterior(&class, 0) > 0.99);
        assert!(STARTER.posterior(&[25.0, 26.0], 0) < 0.1);
    }

    #[test]
    fn nothing_is_surer_than_the_calibration() {
        assert_eq!(STARTER.posterior(&[2.0, 30.0], 0), STARTER.max_confidence);
        assert!((confidence_limit(1582) - 0.9981).abs() < 1e-4);
        assert_eq!(confidence_limit(0), 0.5);
    }

    #[test]
    fn posterior_is_shared_by_two_who_look_alike() {
        let p = STARTER.posterior(&[15.0, 15.0, 26.0], 0);
        assert!((p - 0.5).abs() < 0.01, "{p}");
    }

    proptest! {
        #[test]
        fn nearer_in_angle_is_nearer_in_score(a in -0.99_f32..0.99, b in -0.99_f32..0.99) {
            prop_assume!((a - b).abs() > 1e-3);
            let (sa, sb) = (score_at(&STARTER, a), score_at(&STARTER, b));
            prop_assert_eq!(a > b, sa.combined < sb.combined);
            prop_assert_eq!(a > b, STARTER.llr(sa.combined) > STARTER.llr(sb.combined));
        }

        #[test]
        fn score_is_symmetric_and_not_negative(
            x in proptest::collection::vec(-5.0_f32..5.0, 16), y in proptest::collection::vec(-5.0_f32..5.0, 16),
        ) {
            let (Ok(x), Ok(y)) = (Embedding::new(x), Embedding::new(y)) else { return Ok(()) };
            let (x, y) = (STARTER.scaled(&x), STARTER.scaled(&y));
            let (xy, yx) = (STARTER.between(&x, &y), STARTER.between(&y, &x));
            prop_assert!((xy.combined - yx.combined).abs() < 1e-4 && xy.combined >= 0.0);
            prop_assert!(STARTER.between(&x, &x).combined < 1e-3);
        }

        #[test]
        fn posteriors_are_probabilities(combined in proptest::collection::vec(0.0_f32..45.0, 1..60)) {
            let all: Vec<f32> = (0..combined.len()).map(|i| STARTER.posterior(&combined, i)).collect();
            prop_assert!(all.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!(all.iter().sum::<f32>() <= 1.0 + 1e-4);
        }
    }
}
