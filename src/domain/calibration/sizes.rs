//! The sizes that faces have in class photos.

use serde::Serialize;

use super::draw::Draw;

/// A range of face sizes, cut into steps of equal ratio; every portrait is seen once in each step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sizes {
    /// Longer side of the face, pixels.
    pub smallest_px: f32,
    pub largest_px: f32,
    pub steps: usize,
}

impl Sizes {
    /// Lower and upper end of a step, pixels.
    pub fn step(&self, index: usize) -> (f32, f32) {
        let ratio = self.largest_px / self.smallest_px;
        let edge = |i: usize| self.smallest_px * ratio.powf(i as f32 / self.steps as f32);
        (edge(index), edge(index + 1))
    }

    /// The step that a size lies in; smaller ones belong to the first, larger ones to the last.
    pub fn step_of(&self, side_px: f32) -> usize {
        (0..self.steps).rev().find(|step| side_px >= self.step(*step).0).unwrap_or(0)
    }

    /// A size within a step; every ratio is as likely.
    pub fn draw(&self, step: usize, draw: &mut Draw) -> f32 {
        let (from, to) = self.step(step);
        (from * (to / from).powf(draw.unit() as f32)).clamp(from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_equal_ratios_and_hold_their_draws() {
        let sizes = Sizes { smallest_px: 20.0, largest_px: 80.0, steps: 2 };
        let near = |(a, b): (f32, f32), (c, d): (f32, f32)| (a - c).abs() < 1e-4 && (b - d).abs() < 1e-4;
        assert!(near(sizes.step(0), (20.0, 40.0)) && near(sizes.step(1), (40.0, 80.0)));
        assert_eq!([10.0, 20.0, 39.9, 40.1, 300.0].map(|px| sizes.step_of(px)), [0, 0, 0, 1, 1]);
        let mut draw = Draw::new(1);
        let drawn: Vec<f32> = (0..200).map(|_| sizes.draw(1, &mut draw)).collect();
        let (from, to) = sizes.step(1);
        assert!(drawn.iter().all(|px| (from..=to).contains(px)));
        // Half of them lie below the geometric mean, 56.6 px: expected 100, standard deviation 7.
        let below = drawn.iter().filter(|px| **px < 56.57).count();
        assert!((75..125).contains(&below), "{below}");
    }
}
