//! `rollcall serve`: the REST service, alone or with a worker beside it.

use std::net::SocketAddr;

use clap::Args;
use serde_json::json;

use super::Outcome;
use super::enrol::open_recogniser;
use super::output::Output;
use super::signals::stop_on_signal;
use crate::app::auth::Keys;
use crate::app::error::Error;
use crate::app::work::{Shift, work};
use crate::app::{Recogniser, School};
use crate::config::Config;
use crate::http::Server;
use crate::queue::Stop;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Look at the photos, too, instead of leaving them to `rollcall work`
    #[arg(long)]
    with_worker: bool,
    /// Address and port to listen at [default: server.listen of the settings, 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(super) async fn run(args: &ServeArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let mut config = config.clone();
    config.server.listen = args.listen.unwrap_or(config.server.listen);
    let school = School::open(&config).await?;
    let keys = Keys::of(&school).await?;
    let recogniser = open_recogniser(&config, output).await?;
    let stop = Stop::default();
    let server = Server::bind(school.clone(), recogniser.clone(), keys, stop.clone()).await?;
    let address = server.address()?;
    let listener = stop_on_signal(&stop, "stopping: requests and photos in hand are finished");
    output.note(format!("serving pack {} on {} at http://{address}", recogniser.pack(), recogniser.provider()));
    let served = if args.with_worker { both(server, school, recogniser, stop).await } else { server.run().await };
    listener.abort();
    served?;
    output.result(&json!({ "listened": address.to_string() }), "stopped".to_owned());
    Ok(Outcome::Done)
}

/// Server and worker; when one of them ends, the other is stopped.
async fn both(server: Server, school: School, recogniser: Recogniser, stop: Stop) -> Result<(), Error> {
    let end = stop.clone();
    let serving = async move {
        let served = server.run().await;
        end.now();
        served
    };
    let working = async move {
        let worked = work(&school, &recogniser, Shift::Endless, &stop, &mut |_| {}).await;
        stop.now();
        worked
    };
    let (served, worked) = tokio::join!(serving, working);
    served.and(worked)
}
