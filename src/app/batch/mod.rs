//! A folder of class photos in, sessions and sheets out.
//!
//! Two steps: [`plan`] reads names, manifest and camera clocks and changes nothing; [`run`] takes the photos in, works
//! through them with several in flight, and reports. Bytes decide what a photo is, so a second run over the same folder
//! finds everything done, and a run after a stop continues where the first one was. A bad file is a line of the report,
//! never the end of the run.

mod plan;
mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use plan::{Plan, PlannedPhoto, Target, plan};
pub use run::run;

use super::batch_report::ErrorReport;
use super::error::Error;

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
    /// The term of all photos, where their days do not tell it or are not to.
    pub term: Option<String>,
    pub known: Known,
    pub annotate: Annotate,
}

/// Asks a run to stop: photos in hand are finished, the others wait for the next run.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A failure as a line of the report.
fn told(error: &Error) -> ErrorReport {
    ErrorReport { code: error.code, message: error.message.clone() }
}
