//! How a GPU is used, where the nets run on one.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Settings of the providers `cuda` and `tensorrt`; the CPU knows none of them.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gpu {
    /// Which GPU, as `nvidia-smi -L` counts them. Default: 0.
    pub device: u32,
    /// Memory of the card that the nets of one program share, MiB; CUDA itself takes some beside it. Default: no limit.
    pub memory_limit_mb: Option<NonZeroU32>,
    /// Whether nets compute in half precision. Default: `auto`.
    pub fp16: Fp16,
}

/// When nets compute in half precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fp16 {
    /// Where the self-test finds the results of the CPU; otherwise it says so and uses single precision.
    #[default]
    Auto,
    /// Always, or an error.
    On,
    /// Never, nor TF32.
    Off,
}

impl Gpu {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let outside = |key, value: String, rule| Err(ConfigError::OutOfRange { key, value, rule });
        if self.device > 63 {
            return outside("gpu.device", self.device.to_string(), "from 0 to 63");
        }
        match self.memory_limit_mb.map(NonZeroU32::get) {
            Some(limit) if !(256..=1_048_576).contains(&limit) => {
                outside("gpu.memory_limit_mb", limit.to_string(), "from 256 to 1048576")
            }
            _ => Ok(()),
        }
    }
}
