//! Files that strangers made, at every door of the program: seeds, and mutations of them.
//!
//! The promises are those that the fuzz targets hold; here they meet a bounded number of inputs, the same at every run, on
//! the stable compiler. `make fuzz` looks further.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a broken promise is a failed test")]

mod mutation;
mod promises;
mod sheets;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::test_runner::{Config, RngSeed, TestRunner};

use mutation::mutations;

/// Mutations tried for each door.
const CASES: u32 = 4000;

fn fuzz_folder(part: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(part).join(target)
}

/// Every seed of `target` by name; the findings of the past are among them.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<_> = fs::read_dir(fuzz_folder("seeds", target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

fn hold(target: &str, promise: fn(&[u8])) {
    let seeds = seeds(target);
    for (name, seed) in &seeds {
        println!("seed {target}/{name}");
        promise(seed);
    }
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, bytes)| bytes).collect();
    // A fixed start: this test says the same of the same program. Looking for what nobody has seen is `make fuzz`.
    let config = Config { cases: CASES, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() };
    let tried = TestRunner::new(config).run(&mutations(seeds, mutation::dictionary(target)), |bytes| {
        promise(&bytes);
        Ok(())
    });
    if let Err(broken) = tried {
        panic!("{target}: {broken}");
    }
}

#[test]
fn pictures_are_read_or_refused() {
    hold("decode", promises::decode);
}

#[test]
fn tables_are_read_or_refused_with_lines() {
    hold("csv", promises::csv);
}

#[test]
fn accepted_pack_manifests_can_be_used() {
    hold("pack_manifest", promises::pack_manifest);
}

#[test]
fn names_mean_one_thing_or_are_refused() {
    hold("names", promises::names);
}

#[test]
fn vectors_are_read_as_written_or_refused() {
    hold("npy", promises::npy);
}
