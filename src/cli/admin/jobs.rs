//! `rollcall admin jobs`: the queue, failed jobs again, waiting ones cancelled.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::app::School;
use crate::app::error::Error;
use crate::app::jobs::{self, JobReport, QueueReport};
use crate::cli::output::{Output, count, table};
use crate::config::Config;
use crate::queue::{JobId, JobState};

#[derive(Debug, Args)]
pub(in crate::cli) struct JobsArgs {
    #[command(subcommand)]
    action: Option<JobsAction>,
    /// Only jobs in this state
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    /// Newest jobs shown
    #[arg(long, default_value_t = 20, value_name = "N")]
    last: usize,
}

#[derive(Debug, Subcommand)]
enum JobsAction {
    /// Give a failed or cancelled job new attempts
    Retry { id: i64 },
    /// End a job that waits or runs; its photo fails as CANCELLED
    Cancel { id: i64 },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StateArg {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

pub(super) async fn run(args: &JobsArgs, config: &Config, output: &Output) -> Result<(), Error> {
    let school = School::open(config).await?;
    match args.action {
        Some(JobsAction::Retry { id }) => {
            jobs::retry(&school, JobId(id)).await?;
            output.result(&json!({ "id": id, "state": "queued" }), format!("job {id} waits again"));
        }
        Some(JobsAction::Cancel { id }) => {
            jobs::cancel(&school, JobId(id)).await?;
            output.result(&json!({ "id": id, "state": "cancelled" }), format!("job {id} is cancelled"));
        }
        None => {
            let state = args.state.map(|state| match state {
                StateArg::Queued => JobState::Queued,
                StateArg::Running => JobState::Running,
                StateArg::Done => JobState::Done,
                StateArg::Failed => JobState::Failed,
                StateArg::Cancelled => JobState::Cancelled,
            });
            let report = jobs::list(&school, state, args.last).await?;
            output.result(&report, describe(&report));
        }
    }
    Ok(())
}

fn describe(report: &QueueReport) -> String {
    let c = report.counts;
    let mut text = format!(
        "{}: {} running, {} done, {} failed, {} cancelled",
        count(c.queued as usize, "waiting job"),
        c.running,
        c.done,
        c.failed,
        c.cancelled
    );
    if !report.jobs.is_empty() {
        let header = ["job", "for", "photo", "state", "attempt", "queued (UTC)", "worker", "last error"];
        text.push_str(&format!("\n\n{}", table(&header, &[0, 2], report.jobs.iter().map(row))));
    }
    text
}

fn row(job: &JobReport) -> Vec<String> {
    vec![
        job.id.to_string(),
        job.topic.clone(),
        job.photo.map(|id| id.to_string()).unwrap_or_default(),
        job.state.clone(),
        format!("{} of {}", job.attempt, job.max_attempts),
        job.created_at.format("%Y-%m-%d %H:%M").to_string(),
        job.worker.clone().unwrap_or_default(),
        job.errors.last().map(|e| format!("{} [{}]", e.message, e.code)).unwrap_or_default(),
    ]
}
