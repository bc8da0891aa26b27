//! One vector for a student out of several enrolment photos.

use super::embedding::Embedding;
use super::ids::SampleId;
use super::score::{ScaledEmbedding, Score, Scoring};

/// From this many samples on, one that looks like somebody else is left out instead of asked about.
const OUTLIERS_FROM_SAMPLES: usize = 3;

/// Odds, before looking, that a picture in a student's folder shows the student: deliberately low for a folder that
/// somebody sorted by hand, because a template of two people matches both. A picture contradicts the others when the
/// evidence outweighs these odds.
const SAME_PERSON_ODDS: f32 = 9.0;

/// One enrolment photo's embedding with its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub id: SampleId,
    pub embedding: Embedding,
    /// From measured quality ([`super::quality::FaceQuality::weight`]), positive.
    pub weight: f32,
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
    #[error("there is no sample")]
    NoSample,
    #[error("the samples show different people: nearest pair at cosine {:.2}", nearest.cosine)]
    Disagree { nearest: Score },
}

/// Builds a template: each sample brought to the scale of the score, weighted mean, normalised again where the pack
/// normalises (raw packs keep the mean's own length).
///
/// A sample that looks like somebody else than the mean of the others is left out, but only from three samples on and
/// only while more than half remain; the farthest goes first.
///
/// # Errors
/// [`TemplateError::NoSample`], and [`TemplateError::Disagree`] when two samples (or all of several) contradict each other:
/// a question for a person, not for arithmetic.
pub fn template(samples: &[Sample], scoring: &Scoring) -> Result<Template, TemplateError> {
    if samples.is_empty() {
        return Err(TemplateError::NoSample);
    }
    let scaled: Vec<ScaledEmbedding> = samples.iter().map(|s| scoring.scaled(&s.embedding)).collect();
    let mut kept: Vec<usize> = (0..samples.len()).collect();
    while let Some((position, score)) = worst_fit(samples, &scaled, &kept, scoring) {
        if scoring.llr(score.combined) + SAME_PERSON_ODDS.ln() >= 0.0 {
            break;
        }
        let may_leave_out = samples.len() >= OUTLIERS_FROM_SAMPLES && (kept.len() - 1) * 2 > samples.len();
        if !may_leave_out {
            return Err(TemplateError::Disagree { nearest: score });
        }
        kept.remove(position);
    }
    let outliers = (0..samples.len()).filter(|i| !kept.contains(i)).map(|i| samples[i].id).collect();
    Ok(Template { vector: mean(samples, &scaled, &kept, scoring), outliers })
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
        Sample { id: SampleId(id), embedding: Embedding::new(v).unwrap(), weight }
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
