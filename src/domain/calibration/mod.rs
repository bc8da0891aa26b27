//! How well scores tell people apart, and the lines of a pack from that: error rates, quantile lines, likelihood ratio,
//! margin.
//!
//! Plain statistics on embeddings and combined scores (lower is nearer), without pictures or files. Called by `evaluate
//! pairs` ([`verification`], [`folds`]), `evaluate identify` ([`identification`]) and `evaluate --calibrate` ([`fit`], which
//! uses the rest).

pub mod draw;
pub mod fit;
pub mod folds;
pub mod identification;
pub mod line;
pub mod logistic;
pub mod open_set;
pub mod rates;
pub mod sizes;
pub mod trials;
pub mod verification;
