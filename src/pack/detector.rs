//! How a pack's faces are found: the part of the manifest that detectors are opened with.

use serde::Deserialize;

use super::manifest::require;

/// How faces are found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum DetectorSpec {
    Mtcnn(MtcnnSpec),
    Scrfd(ScrfdSpec),
}

/// The three nets of the cascade and their lines. Scores and overlaps are 0..1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MtcnnSpec {
    pub pnet: String,
    pub rnet: String,
    pub onet: String,
    /// Face score from which a candidate of P-, R- and O-Net goes on.
    pub thresholds: [f32; 3],
    /// Each level of the pyramid is this much of the one before.
    pub pyramid_factor: f64,
    /// Smallest face that the pack was measured with, pixels of the photo.
    pub min_face_px: u32,
    pub nms: MtcnnNms,
}

/// Overlap above which the weaker of two candidates goes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MtcnnNms {
    /// P-Net, within one level of the pyramid, intersection over union.
    pub pnet_level: f32,
    /// P-Net, over all levels, intersection over union.
    pub pnet_all: f32,
    /// R-Net, intersection over union.
    pub rnet: f32,
    /// O-Net, intersection over the smaller area.
    pub onet: f32,
}

/// The one net of a single-shot detector of the SCRFD family with landmarks (J. Guo et al., "Sample and Computation
/// Redistribution for Efficient Face Detection", 2021). Scores and overlaps are 0..1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrfdSpec {
    pub file: String,
    /// Side of the square that the net looks at, pixels, a multiple of 32.
    pub input_px: u32,
    /// Face score from which a face counts.
    pub threshold: f32,
    /// Overlap above which the weaker of two faces goes, intersection over union.
    pub nms: f32,
    /// Smallest face that the pack was measured with, pixels of the photo.
    pub min_face_px: u32,
    /// Sides of the smallest and largest face that the net finds reliably, pixels of its input. They decide at which
    /// sizes a photo is looked at.
    pub reliable_px: [u32; 2],
}

impl DetectorSpec {
    /// Smallest face that the pack was measured with, pixels of the photo.
    pub fn min_face_px(&self) -> u32 {
        match self {
            Self::Mtcnn(spec) => spec.min_face_px,
            Self::Scrfd(spec) => spec.min_face_px,
        }
    }

    /// Names of the detector's files.
    pub(super) fn files(&self) -> Vec<&str> {
        match self {
            Self::Mtcnn(spec) => vec![&spec.pnet, &spec.rnet, &spec.onet],
            Self::Scrfd(spec) => vec![&spec.file],
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Mtcnn(spec) => spec.check(),
            Self::Scrfd(spec) => spec.check(),
        }
    }
}

impl MtcnnSpec {
    fn check(&self) -> Result<(), String> {
        let nms = self.nms;
        let shares = self.thresholds.iter().chain([&nms.pnet_level, &nms.pnet_all, &nms.rnet, &nms.onet]);
        require(
            shares.into_iter().all(|v| (0.0..=1.0).contains(v)),
            "detector thresholds and nms must be within 0..1",
        )?;
        require((0.1..=0.95).contains(&self.pyramid_factor), "pyramid_factor must be within 0.1..0.95")?;
        require(self.min_face_px >= 12, "min_face_px must be 12 or more: the first net sees 12 pixels")
    }
}

impl ScrfdSpec {
    fn check(&self) -> Result<(), String> {
        let shares = [self.threshold, self.nms];
        require(shares.iter().all(|v| (0.0..=1.0).contains(v)), "detector threshold and nms must be within 0..1")?;
        let square = self.input_px.is_multiple_of(32) && (128..=4096).contains(&self.input_px);
        require(square, "input_px must be a multiple of 32 within 128..4096")?;
        require(self.min_face_px >= 12, "min_face_px must be 12 or more")?;
        let [smallest, largest] = self.reliable_px;
        let sizes = smallest >= 4 && largest >= 4 * smallest && 2 * largest <= self.input_px;
        require(
            sizes,
            "reliable_px must be [smallest, largest], 4 or more, the largest at least four times the smallest and at most half of input_px",
        )
    }
}
