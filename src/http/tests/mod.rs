//! The service as its clients meet it: a real server on loopback, real requests, a fake engine.

mod attendance;
mod enrolment_health;
mod exports;
mod gate;
mod head_count;
mod health;
mod limits;
mod openapi;
mod pictures;
mod pilot;
mod proxy;
mod roles;
mod server;
mod sheets;
mod upkeep;

/// Compares with a file of the repository; `UPDATE_SNAPSHOTS=1 cargo test` writes it anew.
fn snapshot(file: &str, now: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(now.lines()).find(|(kept, now)| kept != now);
    assert!(
        kept == now,
        "{file} is not what the program says now; first difference: {differs:?}. If it should be so, run the tests once \
         with UPDATE_SNAPSHOTS=1"
    );
}
