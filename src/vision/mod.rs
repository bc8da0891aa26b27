//! Pixels in, pixels or numbers out: resampling, alignment, overlap of boxes.
//!
//! Pure: nothing here reads files, knows a neural network or keeps state. The engine calls it for every photo.

pub mod align;
pub mod annotate;
pub mod decode;
pub mod degrade;
pub mod fit;
pub mod margin;
pub mod measure;
pub mod nms;
pub mod tensor;
