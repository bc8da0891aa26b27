//! One axis of a plot: from values to places, and where its marks stand.

/// What an axis shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    pub unit: Unit,
    /// Ends of the axis.
    pub from: f64,
    pub to: f64,
}

/// How values lie on an axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Scale {
    #[default]
    Linear,
    /// Equal ratios are equally long; both ends are above 0.
    Log10,
    /// Value `i` is the `i`-th of these, from 0.
    Steps(Vec<String>),
}

/// How marks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    #[default]
    Number,
    /// Shares 0..1 as percent.
    Percent,
}

/// Marks on a linear axis, about.
const MARKS: f64 = 5.0;

impl Axis {
    pub fn linear(from: f64, to: f64) -> Self {
        Self { from, to, ..Self::default() }
    }

    pub fn log10(from: f64, to: f64) -> Self {
        Self { from, to, scale: Scale::Log10, ..Self::default() }
    }

    /// One place for each name.
    pub fn steps(names: Vec<String>) -> Self {
        Self { from: -0.5, to: names.len() as f64 - 0.5, scale: Scale::Steps(names), ..Self::default() }
    }

    #[must_use]
    pub fn labelled(self, label: &str, unit: Unit) -> Self {
        Self { label: label.to_owned(), unit, ..self }
    }

    /// Where a value lies, 0 at the beginning and 1 at the end of the axis; values beyond lie on its ends.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Log10 => {
                (value.max(f64::MIN_POSITIVE).log10() - self.from.log10()) / (self.to.log10() - self.from.log10())
            }
            Scale::Linear | Scale::Steps(_) => (value - self.from) / (self.to - self.from),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Places and words of the marks.
    pub(super) fn marks(&self) -> Vec<(f64, String)> {
        match &self.scale {
            Scale::Steps(names) => names.iter().enumerate().map(|(i, n)| (self.place(i as f64), n.clone())).collect(),
            Scale::Log10 => {
                let (from, to) = (self.from.log10().ceil() as i32, self.to.log10().floor() as i32);
                (from..=to).map(|power| 10_f64.powi(power)).map(|value| (self.place(value), self.said(value))).collect()
            }
            Scale::Linear => {
                let step = round_step((self.to - self.from) / MARKS);
                let first = (self.from / step).ceil() as i64;
                let values = (first..).map(|i| i as f64 * step).take_while(|value| *value <= self.to + step * 1e-6);
                values.map(|value| (self.place(value), self.said(value))).collect()
            }
        }
    }

    fn said(&self, value: f64) -> String {
        match self.unit {
            Unit::Percent => format!("{} %", trimmed(value * 100.0)),
            Unit::Number => trimmed(value),
        }
    }
}

/// 1, 2 or 5 times a power of ten, not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|s| *s >= step * 0.999_999).unwrap_or(step)
}

/// With as many decimals as it needs, at most five.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.5}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(axis: &Axis) -> Vec<String> {
        axis.marks().into_iter().map(|(_, word)| word).collect()
    }

    #[test]
    fn linear_marks_are_round_numbers() {
        assert_eq!(words(&Axis::linear(0.0, 1.0)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(words(&Axis::linear(13.2, 31.7)), ["15", "20", "25", "30"]);
        assert_eq!(words(&Axis::linear(0.9, 1.0).labelled("x", Unit::Percent)).first().unwrap(), "90 %");
    }

    #[test]
    fn log_marks_are_powers_of_ten_and_equal_ratios_are_equally_long() {
        let axis = Axis::log10(1e-4, 1.0);
        assert_eq!(words(&axis), ["0.0001", "0.001", "0.01", "0.1", "1"]);
        let places: Vec<f64> = axis.marks().into_iter().map(|(place, _)| place).collect();
        assert!(places.windows(2).all(|w| (w[1] - w[0] - 0.25).abs() < 1e-12), "{places:?}");
    }

    #[test]
    fn what_lies_beyond_an_axis_lies_on_its_end() {
        assert_eq!(Axis::linear(0.0, 2.0).place(3.0), 1.0);
        assert_eq!(Axis::log10(0.1, 1.0).place(0.0), 0.0);
        assert_eq!(Axis::linear(1.0, 1.0).place(1.0), 0.0);
        assert_eq!(Axis::steps(vec!["a".into(), "b".into()]).place(1.0), 0.75);
    }
}
