//! Logging and progress: what is said while the program works, to standard error.
//!
//! Logs are text for people or JSON for machines and hold ids, never names of people. Results go to standard output and
//! never through here. Progress bars and log lines share standard error, so both are drawn through [`bars`].

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::MultiProgress;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// The progress bars of the process. Hidden by indicatif where standard error is not a terminal.
pub fn bars() -> &'static MultiProgress {
    static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
    &BARS
}

/// Names of all figures for monitoring. Counters end in `_total`, times in `_seconds`; labels hold few and fixed values.
pub mod metric {
    /// Requests answered, by method, route and status.
    pub const REQUESTS: &str = "rollcall_http_requests_total";
    /// Time to an answer's first byte, by method and route.
    pub const REQUEST_SECONDS: &str = "rollcall_http_request_seconds";
    /// Jobs waiting and running, by kind and state.
    pub const QUEUE_JOBS: &str = "rollcall_queue_jobs";
    /// How long the oldest waiting job has waited, by kind.
    pub const QUEUE_OLDEST: &str = "rollcall_queue_oldest_seconds";
    /// Attempts that ended here, by kind and outcome (done, failed, again, put_back).
    pub const JOBS: &str = "rollcall_jobs_total";
    /// Time of one stage of a photo's work, by stage.
    pub const STAGE_SECONDS: &str = "rollcall_stage_seconds";
    /// Photos that came to an end, by state: `done`, `failed` (given up by the queue), `refused` (never looked at).
    pub const PHOTOS: &str = "rollcall_photos_total";
    /// Faces found in class photos.
    pub const FACES: &str = "rollcall_faces_total";
    /// What was said of them when their photo was done, by verdict: `match`, `doubt`, `stranger`.
    pub const VERDICTS: &str = "rollcall_verdicts_total";
    /// Flags that a session got when a photo of it was done and had not before, by flag, such as `reused_photo`.
    pub const FLAGS: &str = "rollcall_session_flags_total";
    /// Items in one run of a net, by net.
    pub const BATCH_SIZE: &str = "rollcall_net_batch_size";
    /// Time of one run of a net, by net.
    pub const NET_SECONDS: &str = "rollcall_net_seconds";
    /// Runs of a net that failed, by net.
    pub const NET_ERRORS: &str = "rollcall_net_errors_total";
    /// Runs of a net that ONNX Runtime gave up, by provider: those of `cuda` and `tensorrt` are errors of the GPU.
    pub const PROVIDER_ERRORS: &str = "rollcall_provider_errors_total";
    /// 1 for the pack and provider in use.
    pub const ENGINE: &str = "rollcall_engine_info";
}

/// Upper limits of the buckets of times, seconds.
const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper limits of the buckets of batch sizes.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0, 256.0];

/// Starts counting for the whole process, once; what was counted is read from the handle.
pub fn metrics() -> PrometheusHandle {
    static FIGURES: LazyLock<PrometheusHandle> = LazyLock::new(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".into()), SIZES));
        let recorder = builder.expect("the buckets are not empty").build_recorder();
        let handle = recorder.handle();
        // Another recorder can only be there in a test program, and then it has the figures.
        let _ = metrics::set_global_recorder(recorder);
        handle
    });
    FIGURES.clone()
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
