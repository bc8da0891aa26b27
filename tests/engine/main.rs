//! The engine with real nets: against reference numbers, against itself, on the demo school.
//!
//! Needs ONNX Runtime (`make setup`). Tests that need the original weights or photos of third parties look for them beside
//! the repository and say `skipped:` when they are not there.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, in its helpers too")]

mod cascade;
mod demo_school;
mod loading;
mod parity;
mod scrfd;
mod small_faces;
mod support;
