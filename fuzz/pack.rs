//! What a pack's manifest says. Fetching packs needs a network and is left out.

#[path = "../src/pack/detector.rs"]
pub mod detector;
#[path = "../src/pack/manifest.rs"]
pub mod manifest;

pub use manifest::Manifest;
