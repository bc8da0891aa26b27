//! Logging: what is said while the program works, to standard error, as text for people or JSON for machines.
//!
//! Logs hold ids, never names of people or files' contents. Results go to standard output and never through here.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
/// When the filter of the settings cannot be read; the message names what is wrong.
pub fn start(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|e| format!("settings: log.level {:?}: {e}", log.level))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(BoxMakeWriter::new(std::io::stderr));
    let started = match log.format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    // Only tests start twice in one process, and the first start serves them as well.
    started.or(Ok(()))
}
