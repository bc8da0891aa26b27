//! Seeded draws: the same seed draws the same on every machine and with every version of every library, so that a
//! calibration can be repeated from what its pack says.

/// SplitMix64 (Steele, Lea and Flood 2014; constants of Vigna's public domain version). Good for drawing samples, not for
/// secrets.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent stream for one thing among many, named by numbers.
    pub fn of(seed: u64, thing: &[usize]) -> Self {
        thing.iter().fold(Self(seed), |mut stream, part| Self(stream.next() ^ (*part as u64).wrapping_mul(0x9E37_79B9)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly from 0..1.
    pub fn unit(&mut self) -> f64 {
        // 53 bits fill the mantissa of an f64.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `count` different numbers of `0..n` (all of them when there are fewer), in the order drawn: the first part of a
    /// Fisher-Yates shuffle.
    pub fn some_of(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        let count = count.min(n);
        for i in 0..count {
            // The product is below n, and its bias of n / 2^53 is far below what any sample here can show.
            let j = i + (self.unit() * (n - i) as f64) as usize;
            all.swap(i, j);
        }
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stream_is_that_of_the_published_generator() {
        let mut draw = Draw::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| draw.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn every_number_is_drawn_about_as_often() {
        let mut draw = Draw::new(7);
        let mut hits = [0_u32; 10];
        for _ in 0..3000 {
            draw.some_of(10, 3).into_iter().for_each(|i| hits[i] += 1);
        }
        // Expected 900 each, standard deviation 25.
        assert!(hits.iter().all(|n| (800..1000).contains(n)), "{hits:?}");
    }

    proptest! {
        #[test]
        fn draws_are_different_repeatable_and_within_bounds(seed: u64, n in 0_usize..50, count in 0_usize..60) {
            let drawn = Draw::of(seed, &[n, count]).some_of(n, count);
            prop_assert_eq!(&drawn, &Draw::of(seed, &[n, count]).some_of(n, count));
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), count.min(n));
            prop_assert!(sorted.iter().all(|i| *i < n));
            let unit = Draw::new(seed).unit();
            prop_assert!((0.0..1.0).contains(&unit));
        }
    }
}
