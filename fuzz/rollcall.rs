//! The layers of rollcall that are pure functions of bytes, built for fuzzing without database, nets and server.
//!
//! They import nothing but each other (`tests/layers` holds that), so they compile alone. The doors behind which strangers'
//! bytes wait all stand here; what lies behind them is tested with the real program.

use std::cell::RefCell;
use std::panic::{RefUnwindSafe, catch_unwind, resume_unwind, set_hook};

#[path = "../src/domain/mod.rs"]
pub mod domain;
pub mod pack;
#[path = "../src/vision/mod.rs"]
pub mod vision;

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// To be called once. A panic inside a decoder is caught there and costs one photo, so panics are noted and not printed.
pub fn note_panics() {
    set_hook(Box::new(|panic| LAST_PANIC.set(panic.to_string())));
}

/// Calls `promise`; a panic that gets out of it is a finding, which is told before libFuzzer stops.
pub fn hold(promise: impl Fn(&[u8]) + RefUnwindSafe, bytes: &[u8]) {
    if let Err(panic) = catch_unwind(|| promise(bytes)) {
        eprintln!("broken promise: {}", LAST_PANIC.take());
        resume_unwind(panic);
    }
}
