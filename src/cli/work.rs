//! `rollcall work`: a worker that looks at the photos that wait.

use std::net::SocketAddr;

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
use crate::http::HealthServer;
use crate::queue::Stop;

#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    /// End when nothing is due, instead of waiting for more
    #[arg(long)]
    drain: bool,
    /// Tell health and figures at this address and port [default: worker.listen of the settings, nowhere]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(super) async fn run(args: &WorkArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let school = School::open(config).await?;
    let recogniser = open_recogniser(config, output).await?;
    let stop = Stop::default();
    let health = match args.listen.or(config.worker.listen) {
        Some(address) => Some(HealthServer::bind(address, school.clone(), &recogniser, stop.clone()).await?),
        None => None,
    };
    output.note(format!("working on photos for pack {}, on {}", recogniser.pack(), recogniser.provider()));
    if let Some(health) = &health {
        output.note(format!("health is told at http://{}", health.address()?));
    }
    let listener = stop_on_signal(&stop, "stopping: the photos in hand are finished");
    // Ends with the program: whoever looks after it may ask until then.
    let health = health.map(|health| tokio::spawn(health.run()));
    let shift = if args.drain { Shift::Drain } else { Shift::Endless };
    let mut jobs = 0_usize;
    let worked = work(&school, &recogniser, shift, &stop, &mut |_| jobs += 1).await;
    listener.abort();
    if let Some(health) = health {
        health.abort();
    }
    worked?;
    output.result(&json!({ "jobs": jobs }), format!("{} worked on", count(jobs, "job")));
    Ok(Outcome::Done)
}
