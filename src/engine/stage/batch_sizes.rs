//! How many items a batch is run with.
//!
//! Pure arithmetic. A GPU sets itself up for every batch size that it has not seen, and its arena keeps memory for each: there
//! a batch is filled up to one of a few sizes, all of which a net has seen before the first photo.

/// Which sizes a net is run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSizes {
    /// As many items as there are.
    Any,
    /// 1, 2, 4, 8 and so on below the largest batch, and that; blank items fill the rest.
    Buckets,
}

impl BatchSizes {
    /// Items that a batch of `items` (at least 1) is run with, where the largest batch has `max_batch`. A single request larger
    /// than that is run as it is.
    pub(super) fn rows(self, items: usize, max_batch: usize) -> usize {
        match self {
            Self::Buckets if items < max_batch => items.next_power_of_two().min(max_batch),
            Self::Any | Self::Buckets => items,
        }
    }

    /// The sizes that a net is to see before the first photo. The largest comes first, so that the memory taken for it serves the
    /// others; then one item, so that TensorRT, which builds for the range of sizes seen, builds twice and not once for each.
    pub(super) fn to_warm_up(self, max_batch: usize) -> Vec<usize> {
        let mut sizes = vec![1];
        if self == Self::Buckets && max_batch > 1 {
            sizes.insert(0, max_batch);
            sizes.extend((1..).map(|power| 1 << power).take_while(|size| *size < max_batch));
        }
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_filled_up_to_the_next_bucket() {
        let rows = |items| BatchSizes::Buckets.rows(items, 100);
        assert_eq!([1, 2, 3, 5, 64, 65, 99, 100].map(rows), [1, 2, 4, 8, 64, 100, 100, 100]);
        assert_eq!(rows(130), 130);
        assert_eq!([1, 3, 99].map(|items| BatchSizes::Any.rows(items, 100)), [1, 3, 99]);
    }

    #[test]
    fn every_bucket_is_warmed_up_the_largest_first() {
        assert_eq!(BatchSizes::Buckets.to_warm_up(100), [100, 1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(BatchSizes::Buckets.to_warm_up(8), [8, 1, 2, 4]);
        assert_eq!((BatchSizes::Buckets.to_warm_up(1), BatchSizes::Any.to_warm_up(100)), (vec![1], vec![1]));
        for max_batch in 1..300 {
            let seen = BatchSizes::Buckets.to_warm_up(max_batch);
            assert!((1..=max_batch).all(|items| seen.contains(&BatchSizes::Buckets.rows(items, max_batch))));
        }
    }
}
