//! Steps of face size that figures are stated in. Called by `evaluate`; pure.

use serde::Serialize;

/// Faces of some size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct FaceSize(usize);

/// Lower ends of the steps, pixels of the longer side of the face. The first holds what no net here looks for, the last
/// portraits.
const FROM_PX: [f32; 9] = [0.0, 16.0, 20.0, 24.0, 32.0, 48.0, 64.0, 96.0, 160.0];

impl FaceSize {
    /// All steps, smallest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..FROM_PX.len()).map(Self)
    }

    /// The step of a face whose longer side has `side_px` pixels.
    pub fn of(side_px: f32) -> Self {
        Self(FROM_PX.iter().rposition(|from| side_px >= *from).unwrap_or(0))
    }

    /// Position among all steps, 0 being the smallest.
    pub fn index(self) -> usize {
        self.0
    }
}

impl From<FaceSize> for String {
    fn from(size: FaceSize) -> Self {
        size.to_string()
    }
}

impl std::fmt::Display for FaceSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from = FROM_PX[self.0];
        match FROM_PX.get(self.0 + 1) {
            Some(to) if self.0 == 0 => write!(f, "under {to} px"),
            Some(to) => write!(f, "{from}-{to} px"),
            None => write!(f, "{from}+ px"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_belongs_to_the_step_that_begins_with_it() {
        let said = |px: f32| FaceSize::of(px).to_string();
        assert_eq!([said(15.9), said(16.0), said(19.99)], ["under 16 px", "16-20 px", "16-20 px"]);
        assert_eq!([said(159.0), said(1000.0)], ["96-160 px", "160+ px"]);
        // Numbers that are no size do not get lost.
        assert_eq!([said(-1.0), said(f32::NAN)], ["under 16 px", "under 16 px"]);
        assert!(FaceSize::all().enumerate().all(|(i, size)| size.index() == i));
    }
}
