//! A pack that is quick to send: the starter's manifest over four files of noise.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{Ran, command, repository};
use crate::web::{Reply, Request};

pub(crate) const FILES: [(&str, usize); 4] =
    [("pnet.onnx", 70_001), ("rnet.onnx", 5_000), ("onet.onnx", 200_000), ("embedder.onnx", 300_123)];

/// The bytes of a file, its own for each name.
pub(crate) fn bytes_of(name: &str) -> Vec<u8> {
    let len = FILES.iter().find(|(file, _)| *file == name).unwrap().1;
    let mut state = name.bytes().fold(7_u32, |state, b| state.wrapping_mul(31).wrapping_add(u32::from(b)));
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a server that has all files answers.
pub(crate) fn serve(request: &Request) -> Reply {
    match FILES.iter().find(|(name, _)| request.path == format!("/{name}")) {
        Some((name, _)) => Reply::ranged(request, &bytes_of(name)).with("ETag: \"v1\""),
        None => Reply::status(404),
    }
}

/// A zip archive of the four files, one folder down, beside others that nobody wants.
pub(crate) fn zipped() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for evil in ["../evil.onnx", "/tmp/evil.onnx", "nets/readme.txt"] {
        zip.start_file(evil, options).unwrap();
        zip.write_all(b"nothing good").unwrap();
    }
    for (name, _) in FILES {
        zip.start_file(format!("nets/{name}"), options).unwrap();
        zip.write_all(&bytes_of(name)).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A data folder whose models/ describes the pack `tiny` and has none of its files.
pub(crate) struct Tiny {
    dir: TempDir,
}

impl Tiny {
    /// Files without sources of their own.
    pub(crate) fn new() -> Self {
        Self::described_as(fingerprint, "", name_only)
    }

    /// Files that come in an archive, which is published at `url`.
    pub(crate) fn in_archive(url: &str) -> Self {
        let zip = zipped();
        let archive = format!(
            "[[archives]]\nname = \"tiny.zip\"\nsha256 = \"{}\"\nbytes = {}\nsource_url = \"{url}\"\n",
            sha256(&zip),
            zip.len()
        );
        Self::described_as(fingerprint, &archive, |_| "archive = \"tiny.zip\"\n".to_owned())
    }

    /// The embedder's bytes are unknown to the manifest.
    pub(crate) fn with_unknown_embedder() -> Self {
        let known = |name: &str, bytes: &[u8]| match name {
            "embedder.onnx" => String::new(),
            _ => fingerprint(name, bytes),
        };
        Self::described_as(known, "", name_only)
    }

    fn described_as(known: impl Fn(&str, &[u8]) -> String, archives: &str, source: impl Fn(&str) -> String) -> Self {
        let starter = fs::read_to_string(repository().join("models/starter/pack.toml")).unwrap();
        let head = starter.split("[[files]]").next().unwrap().replace("\"starter\"", "\"tiny\"");
        let rest = &starter[starter.find("[detector]").unwrap()..];
        let files: String = FILES
            .iter()
            .map(|(name, _)| {
                format!("[[files]]\nname = \"{name}\"\n{}{}\n", known(name, &bytes_of(name)), source(name))
            })
            .collect();
        let tiny = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(tiny.folder()).unwrap();
        fs::write(tiny.folder().join("pack.toml"), format!("{head}\n{archives}\n{files}\n{rest}")).unwrap();
        tiny
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("models/tiny")
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(command(self.data_dir(), &[&["--json", "models"], args].concat()).output().unwrap())
    }

    /// `models pull tiny --accept-licence`, from somewhere.
    pub(crate) fn pull(&self, from: &str) -> Ran {
        self.run(&["pull", "tiny", "--accept-licence", "--from", from])
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.folder().join(name).exists()
    }

    /// Fails unless the pack is whole and nothing unfinished lies about.
    #[track_caller]
    pub(crate) fn expect_whole(&self) {
        let mut names: Vec<String> = fs::read_dir(self.folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            ["embedder.onnx", "licence-accepted.toml", "onet.onnx", "pack.toml", "pnet.onnx", "rnet.onnx"]
        );
        for (name, _) in FILES {
            assert!(fs::read(self.folder().join(name)).unwrap() == bytes_of(name), "{name}");
        }
        self.run(&["verify", "tiny"]).expect(0);
    }
}

fn fingerprint(_: &str, bytes: &[u8]) -> String {
    format!("sha256 = \"{}\"\nbytes = {}\n", sha256(bytes), bytes.len())
}

fn name_only(_: &str) -> String {
    String::new()
}

/// The message of a failed run, which must have this code.
#[track_caller]
pub(crate) fn failure(ran: Ran, code: &str) -> String {
    let error = ran.expect(1).json()["error"].clone();
    assert_eq!(error["code"], code, "{error}");
    error["message"].as_str().unwrap().to_owned()
}
