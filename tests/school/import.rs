//! `models import`: files that somebody has already.

use std::fs;
use std::path::Path;

use crate::pack_files::{FILES, Tiny, bytes_of, failure, sha256, zipped};

fn import(tiny: &Tiny, files: &[&Path], more: &[&str]) -> crate::support::Ran {
    let files: Vec<&str> = files.iter().map(|f| f.to_str().unwrap()).collect();
    tiny.run(&[&["import", "--accept-licence"], more, files.as_slice()].concat())
}

#[test]
fn files_are_known_by_their_bytes_whatever_they_are_called() {
    let tiny = Tiny::new();
    let hand = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (n, (name, _)) in FILES.iter().enumerate() {
        files.push(hand.path().join(format!("download ({n}).bin")));
        fs::write(&files[n], bytes_of(name)).unwrap();
    }
    let some: Vec<&Path> = files[..3].iter().map(std::path::PathBuf::as_path).collect();
    let placed = import(&tiny, &some, &[]).expect(0).json()["placed"].clone();
    assert_eq!(placed[2], serde_json::json!({ "pack": "tiny", "file": "onet.onnx", "pinned": null }));
    assert!(!tiny.has("embedder.onnx"));
    import(&tiny, &[&files[3]], &[]).expect(0);
    tiny.expect_whole();
}

#[test]
fn an_archive_is_looked_into() {
    let tiny = Tiny::new();
    let zip = tiny.data_dir().join("Download.ZIP");
    fs::write(&zip, zipped()).unwrap();
    import(&tiny, &[&zip], &[]).expect(0);
    tiny.expect_whole();
    assert!(!tiny.data_dir().join("evil.onnx").exists() && !tiny.data_dir().join("models/evil.onnx").exists());

    fs::write(&zip, &zipped()[..1000]).unwrap();
    let message = failure(import(&Tiny::new(), &[&zip], &[]), "FETCH_FAILED");
    assert!(message.contains("Download.ZIP cannot be unpacked"), "{message}");
}

#[test]
fn a_file_that_fits_nothing_is_refused_with_what_was_wanted_and_nothing_is_copied() {
    let tiny = Tiny::new();
    let hand = tempfile::tempdir().unwrap();
    let (good, bad) = (hand.path().join("a.onnx"), hand.path().join("rnet.onnx"));
    fs::write(&good, bytes_of("pnet.onnx")).unwrap();
    fs::write(&bad, "not the one").unwrap();
    let message = failure(import(&tiny, &[&good, &bad], &[]), "FETCH_FAILED");
    let wanted = sha256(&bytes_of("rnet.onnx"));
    assert!(message.contains(&sha256(b"not the one")) && message.contains(&wanted), "{message}");
    assert!(!tiny.has("pnet.onnx"));
    failure(import(&tiny, &[&hand.path().join("none.onnx")], &[]), "FILE_ERROR");
    failure(import(&tiny, &[&good], &["--as", "no-such-pack"]), "MODEL_NOT_LOADED");
}

#[test]
fn a_file_of_unknown_bytes_needs_a_word_and_is_pinned_from_then_on() {
    let tiny = Tiny::with_unknown_embedder();
    let hand = tempfile::tempdir().unwrap();
    let files: Vec<_> = FILES.iter().map(|(name, _)| hand.path().join(name)).collect();
    for (path, (name, _)) in files.iter().zip(FILES) {
        fs::write(path, bytes_of(name)).unwrap();
    }
    let all: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    let message = failure(import(&tiny, &all, &[]), "FETCH_FAILED");
    assert!(message.contains("--as tiny"), "{message}");
    let placed = import(&tiny, &all, &["--as", "tiny"]).expect(0).json()["placed"].clone();
    assert_eq!(placed[3]["pinned"], sha256(&bytes_of("embedder.onnx")));
    assert_eq!(placed[0]["pinned"], serde_json::Value::Null);
    tiny.expect_whole();
    let manifest = fs::read_to_string(tiny.folder().join("pack.toml")).unwrap();
    assert!(manifest.contains("# DETECTOR.md and EMBEDDER.md"), "comments stay");

    fs::write(&files[3], "another conversion").unwrap();
    let message = failure(import(&tiny, &[&files[3]], &["--as", "tiny"]), "FETCH_FAILED");
    assert!(message.contains(&sha256(&bytes_of("embedder.onnx"))), "{message}");
    fs::copy(&files[3], tiny.folder().join("embedder.onnx")).unwrap();
    tiny.run(&["verify", "tiny"]).expect(3);
}

#[test]
fn importing_asks_for_the_licence_too() {
    let tiny = Tiny::new();
    let file = tiny.data_dir().join("net.bin");
    fs::write(&file, bytes_of("pnet.onnx")).unwrap();
    failure(tiny.run(&["import", file.to_str().unwrap()]), "LICENCE_NOT_ACCEPTED");
    assert!(!tiny.has("pnet.onnx"));
}
