//! What rollcall knows about faces, classes and attendance, as plain values and pure functions.
//!
//! Nothing here performs IO, reads a clock, or knows a database, a runtime or a neural network: now, seeds and ids are
//! passed in, so every rule can be tested with arithmetic alone. Everybody may import this layer; it imports nobody.

pub mod embedding;
pub mod geometry;
pub mod ids;
pub mod quality;
pub mod sheet;
pub mod status;
