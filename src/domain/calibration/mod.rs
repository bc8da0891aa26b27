//! How well scores tell people apart, and the lines of a pack from that: error rates, quantile lines, likelihood ratio,
//! margin.
//!
//! Plain statistics on combined scores (lower is nearer), without pictures or files. Called by `evaluate pairs` and
//! `evaluate --calibrate`.

pub mod folds;
pub mod rates;
