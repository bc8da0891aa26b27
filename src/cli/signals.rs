//! What the program does when it is told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::queue::Stop;

/// Exit code of a program that was ended by Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// At Ctrl-C or SIGTERM says `what` happens now and asks for the stop; a second signal ends the program at once, and what was
/// in hand is given to others when its lease runs out. Abort the task when there is nothing left to stop.
pub(super) fn stop_on_signal(stop: &Stop, what: &'static str) -> JoinHandle<()> {
    let stop = stop.clone();
    // Listened to from here on: a signal may come before the task runs.
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    tokio::spawn(async move {
        let [Ok(mut interrupt), Ok(mut terminate)] = signals else { return };
        either(&mut interrupt, &mut terminate).await;
        eprintln!("{what}");
        stop.now();
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(INTERRUPTED);
    })
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
