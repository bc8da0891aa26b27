//! One vector for a student out of several enrolment photos, and of faces that were learned since.
//!
//! Portraits decide who somebody is. Learned faces only move the vector a little towards what a classroom's camera sees: they
//! never make a template by themselves, never contradict one, and together weigh at most [`LEARNED_SHARE`] of it.

use super::embedding::Embedding;
use super::ids::SampleId;
use super::score::{ScaledEmbedding, Score, Scoring};
use super::status::Origin;

/// From this many samples on, one that looks like somebody else is left out instead of asked about.
const OUTLIERS_FROM_SAMPLES: usize = 3;

/// Odds, before looking, that a picture in a student's folder shows the student: deliberately low for a folder that
/// somebody sorted by hand, because a template of two people matches both. A picture contradicts the others when the
/// evidence outweighs these odds.
const SAME_PERSON_ODDS: f32 = 9.0;

/// All learned faces together weigh at most so much of a template, 0..1: a wrong one among them cannot outvote the portraits.
pub const LEARNED_SHARE: f32 = 1.0 / 3.0;

/// One embedding of a student with its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub id: SampleId,
    pub embedding: Embedding,
    /// From measured quality ([`super::quality::FaceQuality::weight`]), positive.
    pub weight: f32,
    pub origin: Origin,
}

/// The weighted mean of a student's samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub vector: Embedding,
    /// Samples that look like somebody else and were left out; they are shown, never deleted.
    pub outliers: Vec<SampleId>,
}

/// Why samples make no template.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TemplateError {
    /// None at all, or only learned ones.
    #[error("there is no portrait")]
    NoSample,
    #[error("the samples show different people: nearest pair at cosine {:.2}", nearest.cosine)]
    Disagree { nearest: Score },
}

/// Builds a template: each sample brought to the scale of the score, weighted mean, normalised again where the pack
/// normalises (raw packs keep the mean's own length).
///
/// A portrait that looks like somebody else than the mean of the others is left out, but only from three portraits on and
/// only while more than half remain; the farthest goes first. Learned faces that look like somebody else than the portraits
/// are left out whatever their number.
///
/// # Errors
/// [`TemplateError::NoSample`], and [`TemplateError::Disagree`] when two portraits (or all of several) contradict each other:
/// a question for a person, not for arithmetic.
pub fn template(samples: &[Sample], scoring: &Scoring) -> Result<Template, TemplateError> {
    let of = |origin| (0..samples.len()).filter(move |i| samples[*i].origin == origin);
    let mut kept: Vec<usize> = of(Origin::Portrait).collect();
    let portraits = kept.len();
    if portraits == 0 {
        return Err(TemplateError::NoSample);
    }
    let scaled: Vec<ScaledEmbedding> = samples.iter().map(|s| scoring.scaled(&s.embedding)).collect();
    while let Some((position, score)) = worst_fit(samples, &scaled, &kept, scoring) {
        if shows_the_same(&score, scoring) {
            break;
        }
        let may_leave_out = portraits >= OUTLIERS_FROM_SAMPLES && (kept.len() - 1) * 2 > portraits;
        if !may_leave_out {
            return Err(TemplateError::Disagree { nearest: score });
        }
        kept.remove(position);
    }
    let mut samples = samples.to_vec();
    let own = scoring.scaled(&mean(&samples, &scaled, &kept, scoring));
    let learned = (0..samples.len()).filter(|i| samples[*i].origin == Origin::Session);
    let learned: Vec<usize> =
        learned.filter(|i| shows_the_same(&scoring.between(&scaled[*i], &own), scoring)).collect();
    bound_weights(&mut samples, &kept, &learned);
    kept.extend(learned);
    let outliers = (0..samples.len()).filter(|i| !kept.contains(i)).map(|i| samples[i].id).collect();
    Ok(Template { vector: mean(&samples, &scaled, &kept, scoring), outliers })
}

fn shows_the_same(score: &Score, scoring: &Scoring) -> bool {
    scoring.llr(score.combined) + SAME_PERSON_ODDS.ln() >= 0.0
}

/// Scales the weights of the learned faces down until they are [`LEARNED_SHARE`] of the whole.
fn bound_weights(samples: &mut [Sample], portraits: &[usize], learned: &[usize]) {
    let total = |of: &[usize]| of.iter().map(|i| samples[*i].weight).sum::<f32>();
    let most = total(portraits) * LEARNED_SHARE / (1.0 - LEARNED_SHARE);
    let factor = (most / total(learned)).min(1.0);
    learned.iter().for_each(|i| samples[*i].weight *= factor);
}

/// The kept sample that is farthest from the mean of the other kept ones, as position in `kept`. None for one sample.
fn worst_fit(
    samples: &[Sample],
    scaled: &[ScaledEmbedding],
    kept: &[usize],
    scoring: &Scoring,
) -> Option<(usize, Score)> {
    if kept.len() < 2 {
        return None;
    }
    (0..kept.len())
        .map(|position| {
            let others: Vec<usize> = kept.iter().copied().filter(|i| *i != kept[position]).collect();
            let rest = scoring.scaled(&mean(samples, scaled, &others, scoring));
            (position, scoring.between(&scaled[kept[position]], &rest))
        })
        .max_by(|a, b| a.1.combined.total_cmp(&b.1.combined))
}

fn mean(samples: &[Sample], scaled: &[ScaledEmbedding], kept: &[usize], scoring: &Scoring) -> Embedding {
    let total: f32 = kept.iter().map(|i| samples[*i].weight).sum();
    let mut sum = vec![0.0_f32; samples[0].embedding.dims()];
    for i in kept {
        let share = samples[*i].weight / total;
        for (sum, value) in sum.iter_mut().zip(scaled[*i].values()) {
            *sum += share * value;
        }
    }
    match Embedding::new(sum) {
        Ok(mean) if scoring.normalise => mean.normalised(),
        Ok(mean) => mean,
        // Exactly opposite vectors cancel out; the heaviest sample then stands for all, and the score shows the disagreement.
        Err(_) => samples[kept[0]].embedding.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::score::tests::STARTER;
    use super::*;

    fn sample(id: i64, values: &[f32], weight: f32) -> Sample {
        let mut v = values.to_vec();
        v.resize(512, 0.0);
        Sample { id: SampleId(id), embedding: Embedding::new(v).unwrap(), weight, origin: Origin::Portrait }
    }

    #[test]
    fn no_sample_no_template() {
        assert_eq!(template(&[], &STARTER), Err(TemplateError::NoSample));
    }

    #[test]
    fn length_of_a_sample_does_not_count_its_weight_does() {
        let t = template(&[sample(1, &[1.0, 0.0], 1.0), sample(2, &[50.0, 50.0], 1.0)], &STARTER).unwrap();
        let expected = sample(0, &[1.0 + 0.5_f32.sqrt(), 0.5_f32.sqrt()], 1.0).embedding;
        assert!(t.vector.cosine(&expected) > 0.99999);
        let heavy = template(&[sample(1, &[1.0, 0.0], 9.0), sample(2, &[1.0, 1.0], 1.0)], &STARTER).unwrap();
        assert!(
            heavy.vector.cosine(&sample(0, &[1.0], 1.0).embedding) > t.vector.cosine(&sample(0, &[1.0], 1.0).embedding)
        );
        assert!((t.vector.norm() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn two_that_disagree_are_a_question() {
        let result = template(&[sample(1, &[1.0, 0.0], 1.0), sample(2, &[0.0, 1.0], 1.0)], &STARTER);
        assert!(matches!(result, Err(TemplateError::Disagree { .. })), "{result:?}");
    }

    #[test]
    fn one_of_three_that_disagrees_is_left_out_and_named() {
        let samples = [sample(1, &[1.0, 0.1], 1.0), sample(2, &[0.0, 0.0, 1.0], 1.0), sample(3, &[1.0, -0.1], 1.0)];
        let t = template(&samples, &STARTER).unwrap();
        assert_eq!(t.outliers, [SampleId(2)]);
        assert!(t.vector.cosine(&samples[1].embedding).abs() < 1e-6);
    }

    #[test]
    fn three_that_all_disagree_are_a_question() {
        let samples = [sample(1, &[1.0], 1.0), sample(2, &[0.0, 1.0], 1.0), sample(3, &[0.0, 0.0, 1.0], 1.0)];
        assert!(matches!(template(&samples, &STARTER), Err(TemplateError::Disagree { .. })));
    }

    fn learned(id: i64, values: &[f32], weight: f32) -> Sample {
        Sample { origin: Origin::Session, ..sample(id, values, weight) }
    }

    #[test]
    fn learned_faces_alone_make_no_template() {
        assert_eq!(template(&[learned(1, &[1.0], 1.0)], &STARTER), Err(TemplateError::NoSample));
    }

    #[test]
    fn learned_faces_never_weigh_more_than_their_share() {
        let portrait = sample(1, &[1.0], 0.25);
        let mut samples = vec![portrait.clone()];
        samples.extend((2..12).map(|id| learned(id, &[1.0, 0.9], 1.0)));
        let t = template(&samples, &STARTER).unwrap();
        assert!(t.outliers.is_empty());
        let length = 1.81_f32.sqrt();
        let expected = sample(0, &[2.0 / 3.0 + 1.0 / (3.0 * length), 0.9 / (3.0 * length)], 1.0).embedding;
        assert!(t.vector.cosine(&expected) > 0.99999);
        // Where they weigh less by themselves they are not made heavier.
        let light = template(&[Sample { weight: 9.0, ..portrait }, learned(2, &[1.0, 0.9], 1.0)], &STARTER).unwrap();
        let expected = sample(0, &[0.9 + 0.1 / length, 0.09 / length], 1.0).embedding;
        assert!(light.vector.cosine(&expected) > 0.99999);
    }

    #[test]
    fn learned_faces_contradict_nobody() {
        let portraits = [sample(1, &[1.0], 1.0), sample(2, &[1.0, 0.1], 1.0)];
        let alone = template(&portraits, &STARTER).unwrap();
        let others = (3..9).map(|id| learned(id, &[0.0, 0.0, 1.0], 1.0));
        let with: Vec<Sample> = portraits.into_iter().chain(others).collect();
        let t = template(&with, &STARTER).unwrap();
        assert_eq!((t.vector, t.outliers.len()), (alone.vector, 6));
    }

    proptest! {
        #[test]
        fn order_of_samples_does_not_matter(jitter in proptest::collection::vec(-0.3_f32..0.3, 6), turn in 0_usize..3) {
            let samples: Vec<Sample> = (0..3)
                .map(|i| sample(i as i64, &[1.0, jitter[2 * i], jitter[2 * i + 1]], 0.5 + i as f32 / 4.0))
                .collect();
            let mut turned = samples.clone();
            turned.rotate_left(turn);
            let (a, b) = (template(&samples, &STARTER).unwrap(), template(&turned, &STARTER).unwrap());
            prop_assert!(a.vector.cosine(&b.vector) > 0.99999);
            prop_assert_eq!(a.outliers, b.outliers);
        }
    }
}
