//! What can go wrong between a photo and its faces.

use thiserror::Error;

use super::runtime::Provider;

/// Cloneable, because one failed run fails every request of its batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    #[error(
        "ONNX Runtime was not found ({tried}); run `make setup`, or set ROLLCALL_ORT to the path of libonnxruntime"
    )]
    RuntimeMissing { tried: String },
    #[error(
        "the ONNX Runtime at {path} cannot be used: {reason}; run `make setup`, or set ROLLCALL_ORT to version 1.31 or later"
    )]
    RuntimeUnusable { path: String, reason: String },
    #[error("net {net} could not be loaded: {reason}")]
    ModelNotLoaded { net: String, reason: String },
    #[error("provider {provider} cannot run net {net}: {reason}; use --provider cpu, or auto to fall back")]
    ProviderUnavailable { provider: Provider, net: String, reason: String },
    #[error(
        "provider {provider} does not see what the CPU sees: {reason}; use --provider cpu, and report the card and its driver"
    )]
    ProviderDiffers { provider: Provider, reason: String },
    #[error("net {net} has all the work it can queue; try again later")]
    Busy { net: String },
    #[error("net {net} has stopped; restart the program")]
    Stopped { net: String },
    #[error("net {net} failed: {reason}")]
    Inference { net: String, reason: String },
}
