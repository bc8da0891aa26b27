//! What was measured on one face, and the lines below which an enrolment photo is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Measurements of one face. Taken by `vision::measure`, kept with every sample and face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FaceQuality {
    /// Longer side of the detection box, pixels of the full-resolution photo.
    pub side_px: f32,
    /// Variance of the Laplacian of the aligned 112 x 112 grey face (Pech-Pacheco et al. 2000), grey levels squared;
    /// a sharp portrait has several hundred, an out-of-focus one a few tens.
    pub sharpness: f32,
    /// Mean grey level of the aligned face, 0..255.
    pub brightness: f32,
    /// Standard deviation of the grey levels of the aligned face, 0..127.
    pub contrast: f32,
    /// Head turn to the side estimated from the five landmarks, degrees; 0 is frontal, positive to the picture's right.
    pub yaw_deg: f32,
    /// Tilt of the line between the eyes, degrees; positive is clockwise in the picture.
    pub roll_deg: f32,
}

/// What makes an enrolment photo unusable. The error code is the same for all but the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "measure")]
pub enum Shortfall {
    TooSmall { side_px: f32, line_px: f32 },
    Blurred { sharpness: f32, line: f32 },
    Dark { brightness: f32, line: f32 },
    Bright { brightness: f32, line: f32 },
    Flat { contrast: f32, line: f32 },
    Profile { yaw_deg: f32, line_deg: f32 },
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { side_px, line_px } => {
                write!(f, "face too small: {side_px:.0} px, at least {line_px:.0} px are needed")
            }
            Self::Blurred { sharpness, line } => {
                write!(f, "face blurred: sharpness {sharpness:.0}, at least {line:.0} is needed")
            }
            Self::Dark { brightness, line } => {
                write!(f, "face too dark: brightness {brightness:.0} of 255, at least {line:.0} is needed")
            }
            Self::Bright { brightness, line } => {
                write!(f, "face overexposed: brightness {brightness:.0} of 255, at most {line:.0} is allowed")
            }
            Self::Flat { contrast, line } => {
                write!(f, "face without contrast: {contrast:.0}, at least {line:.0} is needed")
            }
            Self::Profile { yaw_deg, line_deg } => {
                write!(f, "face turned away: about {:.0} degrees, at most {line_deg:.0} are allowed", yaw_deg.abs())
            }
        }
    }
}

/// The lines that an enrolment photo must meet. A school may set its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnrolLines {
    /// Longer side of the face, pixels.
    pub min_face_px: f32,
    /// See [`FaceQuality::sharpness`].
    pub min_sharpness: f32,
    /// Mean grey level, 0..255.
    pub min_brightness: f32,
    /// Mean grey level, 0..255.
    pub max_brightness: f32,
    /// Standard deviation of grey levels.
    pub min_contrast: f32,
    /// Turn to either side, degrees.
    pub max_yaw_deg: f32,
}

impl Default for EnrolLines {
    fn default() -> Self {
        Self {
            min_face_px: 64.0,
            min_sharpness: 40.0,
            min_brightness: 40.0,
            max_brightness: 235.0,
            min_contrast: 12.0,
            max_yaw_deg: 45.0,
        }
    }
}

impl FaceQuality {
    /// Everything that speaks against enrolling this face; empty when it is good enough.
    pub fn shortfalls(&self, lines: &EnrolLines) -> Vec<Shortfall> {
        let checks = [
            (self.side_px < lines.min_face_px)
                .then_some(Shortfall::TooSmall { side_px: self.side_px, line_px: lines.min_face_px }),
            (self.sharpness < lines.min_sharpness)
                .then_some(Shortfall::Blurred { sharpness: self.sharpness, line: lines.min_sharpness }),
            (self.brightness < lines.min_brightness)
                .then_some(Shortfall::Dark { brightness: self.brightness, line: lines.min_brightness }),
            (self.brightness > lines.max_brightness)
                .then_some(Shortfall::Bright { brightness: self.brightness, line: lines.max_brightness }),
            (self.contrast < lines.min_contrast)
                .then_some(Shortfall::Flat { contrast: self.contrast, line: lines.min_contrast }),
            (self.yaw_deg.abs() > lines.max_yaw_deg)
                .then_some(Shortfall::Profile { yaw_deg: self.yaw_deg, line_deg: lines.max_yaw_deg }),
        ];
        checks.into_iter().flatten().collect()
    }

    /// Weight of a sample in its student's template, [`WEIGHT_MIN`]..=1: the product of three ramps (size, sharpness,
    /// frontal view), bounded so that no photo is silenced and none outvotes all others.
    pub fn weight(&self) -> f32 {
        let size = ramp(self.side_px, 48.0, 112.0);
        let sharp = ramp(self.sharpness, 40.0, 400.0);
        let frontal = 1.0 - ramp(self.yaw_deg.abs(), 10.0, 60.0);
        let shade = |part: f32| 0.5 + 0.5 * part;
        (shade(size) * shade(sharp) * shade(frontal)).max(WEIGHT_MIN)
    }
}

/// The least weight of a sample against a perfect one.
pub const WEIGHT_MIN: f32 = 0.25;

/// The weight of a sample of which nothing was measured, such as a vector from another system: half of a perfect photo's,
/// so that portraits which were measured decide against it, and it decides against poor ones.
pub const UNKNOWN_QUALITY_WEIGHT: f32 = 0.5;

/// 0 at or below `from`, 1 at or above `to`, straight between.
fn ramp(value: f32, from: f32, to: f32) -> f32 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: FaceQuality = FaceQuality {
        side_px: 200.0,
        sharpness: 600.0,
        brightness: 128.0,
        contrast: 50.0,
        yaw_deg: 3.0,
        roll_deg: 1.0,
    };

    #[test]
    fn good_portrait_has_no_shortfall_and_full_weight() {
        assert_eq!(GOOD.shortfalls(&EnrolLines::default()), []);
        assert!((GOOD.weight() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn every_shortfall_names_its_measure() {
        let bad = FaceQuality {
            side_px: 20.0,
            sharpness: 3.0,
            brightness: 10.0,
            contrast: 2.0,
            yaw_deg: -70.0,
            roll_deg: 0.0,
        };
        let said: Vec<String> = bad.shortfalls(&EnrolLines::default()).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 5, "{said:?}");
        for (message, measure) in
            said.iter().zip(["20 px", "sharpness 3", "brightness 10", "contrast: 2", "70 degrees"])
        {
            assert!(message.contains(measure), "{message}");
        }
        let glare = FaceQuality { brightness: 250.0, ..GOOD };
        assert!(matches!(glare.shortfalls(&EnrolLines::default())[..], [Shortfall::Bright { .. }]));
    }

    #[test]
    fn weight_falls_with_each_measure_and_stays_bounded() {
        for worse in [
            FaceQuality { side_px: 60.0, ..GOOD },
            FaceQuality { sharpness: 100.0, ..GOOD },
            FaceQuality { yaw_deg: -40.0, ..GOOD },
        ] {
            assert!(worse.weight() < GOOD.weight() && worse.weight() >= WEIGHT_MIN);
        }
        let worst = FaceQuality { side_px: 1.0, sharpness: 0.0, yaw_deg: 90.0, ..GOOD };
        assert_eq!(worst.weight(), WEIGHT_MIN);
    }
}
