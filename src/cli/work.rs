//! `rollcall work`: a worker that looks at the photos that wait.

use clap::Args;
use serde_json::json;

use super::Outcome;
use super::enrol::open_recogniser;
use super::output::{Output, count};
use super::signals::stop_on_signal;
use crate::app::School;
use crate::app::error::Error;
use crate::app::work::{Shift, work};
use crate::config::Config;
use crate::queue::Stop;

#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    /// End when nothing is due, instead of waiting for more
    #[arg(long)]
    drain: bool,
}

pub(super) async fn run(args: &WorkArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    let recogniser = open_recogniser(config, output).await?;
    output.note(format!("working on photos for pack {}, on {}", recogniser.pack(), recogniser.provider()));
    let stop = Stop::default();
    let listener = stop_on_signal(&stop, "stopping: the photos in hand are finished");
    let shift = if args.drain { Shift::Drain } else { Shift::Endless };
    let mut jobs = 0_usize;
    let worked = work(&school, &recogniser, shift, &stop, &mut |_| jobs += 1).await;
    listener.abort();
    worked?;
    output.result(&json!({ "jobs": jobs }), format!("{} worked on", count(jobs, "job")));
    Ok(Outcome::Done)
}
