//! A folder of class photos in, sessions and sheets out.
//!
//! Two steps: [`plan`] reads names, manifest and camera clocks and changes nothing; [`run`] takes the photos in, queues
//! them, works on the queue until all of them are done, by this program or another, and reports. Bytes decide what a
//! photo is, so a second run over the same folder finds everything done, and a run after a stop continues where the first
//! one was. A bad file is a line of the report, never the end of the run.

mod plan;
mod run;

pub use plan::{Plan, PlannedPhoto, Target, plan};
pub use run::run;

/// Name of the list that may lie in the folder beside the photos.
pub const MANIFEST_FILE: &str = "manifest.csv";

/// What to do with photos that were processed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Keep,
    Reprocess,
}

/// Whether to write the photos with boxes and roll numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotate {
    Yes,
    No,
}

/// How a folder is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Class and section of photos whose names do not say one.
    pub class: Option<(String, String)>,
    pub known: Known,
    pub annotate: Annotate,
}
