//! Verification accuracy with a cross-validated line, as Labeled Faces in the Wild reports it (Huang et al. 2007).

use serde::Serialize;

/// A comparison and its truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledScore {
    /// Combined score; lower is nearer.
    pub combined: f32,
    pub same: bool,
}

/// Accuracy over folds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracy {
    /// Mean over the folds, 0..1.
    pub mean: f64,
    /// Standard deviation over the folds (divided by their number, as LFW's figures are).
    pub std: f64,
    pub folds: usize,
    /// The line that is best on all comparisons together.
    pub best_line: f32,
}

/// Cuts the comparisons into `folds`; each is judged by the line that is best on all others.
///
/// The i-th same and the i-th different pair of the list go to fold `i mod folds`, so that every fold has its share of
/// both. `None` when a fold would be empty.
pub fn cross_validated(scores: &[LabelledScore], folds: usize) -> Option<Accuracy> {
    if folds < 2 || scores.len() < folds {
        return None;
    }
    let mut seen = [0_usize; 2];
    let mut fold_of = Vec::with_capacity(scores.len());
    for score in scores {
        let nth = &mut seen[usize::from(score.same)];
        fold_of.push(*nth % folds);
        *nth += 1;
    }
    let part = |keep: &dyn Fn(usize) -> bool| -> Vec<LabelledScore> {
        scores.iter().zip(&fold_of).filter(|(_, fold)| keep(**fold)).map(|(score, _)| *score).collect()
    };
    let accuracies = (0..folds).map(|fold| {
        let tested = part(&|f| f == fold);
        let line = best_line(&part(&|f| f != fold));
        (!tested.is_empty()).then(|| tested.iter().filter(|s| is_right(s, line)).count() as f64 / tested.len() as f64)
    });
    let accuracies = accuracies.collect::<Option<Vec<f64>>>()?;
    let mean = accuracies.iter().sum::<f64>() / folds as f64;
    let variance = accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / folds as f64;
    Some(Accuracy { mean, std: variance.sqrt(), folds, best_line: best_line(scores) })
}

fn is_right(score: &LabelledScore, line: f32) -> bool {
    (score.combined <= line) == score.same
}

/// The line with the most comparisons on their right side; the middle of the widest gap where several are as good, which
/// is how the line is least the accident of one pair. Minus infinity without comparisons.
fn best_line(scores: &[LabelledScore]) -> f32 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.combined.total_cmp(&b.combined));
    // With nothing accepted, all different pairs are right.
    let mut right = sorted.iter().filter(|s| !s.same).count();
    let (mut most, mut line, mut widest) = (right, f32::NEG_INFINITY, 0.0_f32);
    for (i, score) in sorted.iter().enumerate() {
        right = if score.same { right + 1 } else { right - 1 };
        let next = sorted.get(i + 1).map_or(score.combined, |s| s.combined);
        let gap = next - score.combined;
        let is_cut = gap > 0.0 || i + 1 == sorted.len();
        if is_cut && (right > most || (right == most && gap > widest)) {
            (most, line, widest) = (right, f32::midpoint(score.combined, next), gap);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores(same: &[f32], different: &[f32]) -> Vec<LabelledScore> {
        let labelled = |same: bool| move |c: &f32| LabelledScore { combined: *c, same };
        same.iter().map(labelled(true)).chain(different.iter().map(labelled(false))).collect()
    }

    #[test]
    fn separable_scores_are_all_right_and_cut_in_the_middle_of_the_gap() {
        let all = scores(&[1.0, 2.0, 3.0, 4.0], &[10.0, 11.0, 12.0, 13.0]);
        let accuracy = cross_validated(&all, 2).unwrap();
        assert_eq!((accuracy.mean, accuracy.std, accuracy.best_line), (1.0, 0.0, 7.0));
    }

    #[test]
    fn a_fold_is_judged_by_the_line_of_the_others() {
        // Fold 0: same 1, different 4. Fold 1: same 6, different 9. Its line from fold 1 (7.5) lets the 4 pass, the line
        // of fold 0 (2.5) fails the 6: both folds are half right.
        let accuracy = cross_validated(&scores(&[1.0, 6.0], &[4.0, 9.0]), 2).unwrap();
        assert_eq!((accuracy.mean, accuracy.std), (0.5, 0.0));
        assert_eq!(best_line(&scores(&[1.0, 6.0], &[4.0, 9.0])), 2.5);
    }

    #[test]
    fn spread_over_folds_is_the_population_standard_deviation() {
        // Fold 0 is all right under the line of fold 1 and the other way round, but for one different pair at 0.
        let accuracy = cross_validated(&scores(&[1.0, 1.0, 1.0, 1.0], &[9.0, 9.0, 9.0, 0.0]), 2).unwrap();
        assert_eq!((accuracy.mean, accuracy.std), (0.875, 0.125));
    }

    #[test]
    fn too_few_comparisons_have_no_accuracy() {
        assert_eq!(cross_validated(&scores(&[1.0], &[2.0]), 10), None);
        assert_eq!(cross_validated(&[], 1), None);
    }

    proptest! {
        #[test]
        fn best_line_is_best(same in proptest::collection::vec(0_u8..30, 1..30), other in proptest::collection::vec(0_u8..30, 1..30)) {
            let float = |v: &[u8]| v.iter().map(|s| f32::from(*s)).collect::<Vec<f32>>();
            let all = scores(&float(&same), &float(&other));
            let right = |line: f32| all.iter().filter(|s| is_right(s, line)).count();
            let best = right(best_line(&all));
            for line in -1..31 {
                prop_assert!(right(line as f32) <= best);
            }
        }
    }
}
