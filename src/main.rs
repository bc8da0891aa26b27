//! Reads the command line, hands it to [`rollcall::cli`], and turns the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall::config::keep_telemetry_off();
    rollcall::cli::run(std::env::args_os())
}
