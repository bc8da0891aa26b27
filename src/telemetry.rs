//! Logging and progress: what is said while the program works, to standard error.
//!
//! Logs are text for people or JSON for machines and hold ids, never names of people. Results go to standard output and
//! never through here. Progress bars and log lines share standard error, so both are drawn through [`bars`].

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// The progress bars of the process. Hidden by indicatif where standard error is not a terminal.
pub fn bars() -> &'static MultiProgress {
    static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
    &BARS
}

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
/// When the filter of the settings cannot be read; the message names what is wrong.
pub fn start(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|e| format!("settings: log.level {:?}: {e}", log.level))?;
    // The pool tells every lost connection, with the server's words; what that means is told once, by the queue.
    let quiet = "r2d2=off".parse().expect("the directive is well formed");
    let filter = if log.level.contains("r2d2") { filter } else { filter.add_directive(quiet) };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(|| AboveBars);
    let started = match log.format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    // Only tests start twice in one process, and the first start serves them as well.
    started.or(Ok(()))
}

/// Standard error, with the progress bars lifted while a line is written.
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        bars().suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
