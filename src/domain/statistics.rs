//! Quantiles of measured times, for overviews.

/// The value below which `share` (0..=1) of `sorted` lies: the nearest rank, so that it is one of them (Hyndman and Fan 1996,
/// definition 1). None without values.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_rank_is_one_of_the_values() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(
            [0.0, 0.25, 0.5, 0.95, 1.0].map(|share| quantile(&values, share).unwrap()),
            [1.0, 1.0, 2.0, 4.0, 4.0]
        );
        assert_eq!(quantile(&[], 0.5), None);
    }

    proptest! {
        #[test]
        fn a_larger_share_is_no_smaller(mut values in proptest::collection::vec(0.0f64..1e4, 1..50), a in 0.0f64..=1.0, b in 0.0f64..=1.0) {
            values.sort_by(f64::total_cmp);
            let of = |share: f64| quantile(&values, share).unwrap();
            prop_assert!(of(a.min(b)) <= of(a.max(b)));
            prop_assert!(values.contains(&of(a)));
        }
    }
}
