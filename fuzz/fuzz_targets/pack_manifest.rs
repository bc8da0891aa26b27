#![no_main]

#[path = "../../tests/hostile/promises.rs"]
mod promises;

libfuzzer_sys::fuzz_target!(init: rollcall::note_panics(), |bytes: &[u8]| rollcall::hold(promises::pack_manifest, bytes));
