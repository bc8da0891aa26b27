//! The database server restarted in the middle of a batch.

use std::process::Stdio;

use serde_json::Value;

use crate::postgres::Server;
use crate::support::{School, fifty, substance};

#[test]
fn a_batch_goes_on_when_its_server_was_restarted() {
    let photos = fifty();
    let calm = substance(&School::enrolled().batch(&photos, 0));
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let school = School::enrolled_on(server);
    let folder = photos.path().to_str().unwrap();
    let mut batch = school.command(&["--json", "batch", folder]).stdout(Stdio::piped()).spawn().unwrap();
    let mut restarts = 0;
    let output = std::thread::scope(|scope| {
        let mut out = batch.stdout.take().unwrap();
        let reader = scope.spawn(move || {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut out, &mut text).unwrap();
            text
        });
        while batch.try_wait().unwrap().is_none() && restarts < 3 {
            std::thread::sleep(std::time::Duration::from_millis(700));
            server.restart();
            restarts += 1;
        }
        reader.join().unwrap()
    });
    assert!(batch.wait().unwrap().success(), "{output}");
    assert!(restarts >= 1);
    let report: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(substance(&report), calm);
    let counts = school.run(&["--json", "admin", "jobs"]).expect(0).json()["counts"].clone();
    assert_eq!((&counts["done"], &counts["failed"]), (&50.into(), &0.into()));
}
