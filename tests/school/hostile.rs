//! Real files that broke other programs, and one photo in every coding, through the whole program: each ends as a processed
//! photo or as a code, within bounds of time and memory.
//!
//! The files belong to third parties and lie beside the repository (`../shared/photos`); where they are absent these tests
//! say so and pass.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Photos, Ran, School, command, repository};

/// What the program may take. Measured for all files in one batch with two in flight: 10 s and 404 MB in a debug build; the
/// 48-megapixel photo takes most of it.
const MOST_MEMORY_KB: u64 = 1024 * 1024;
const MOST_TIME: Duration = Duration::from_secs(600);

/// A file, and what its folder's list says about it.
struct Hostile {
    path: PathBuf,
    image: String,
    kind: String,
    expect: String,
    /// What another decoder said of it: information, not truth.
    others_read_it: bool,
}

fn hostile_files() -> Option<Vec<Hostile>> {
    let photos = repository().join("../shared/photos");
    if !photos.is_dir() {
        println!("skipped: the third-party photos are not beside the repository");
        return None;
    }
    let mut files = Vec::new();
    for folder in ["broken", "format_variants"] {
        let mut list = csv::Reader::from_path(photos.join(folder).join("expect.csv")).unwrap();
        for row in list.records().map(Result::unwrap) {
            files.push(Hostile {
                path: photos.join(folder).join(&row[0]),
                image: row[0].to_owned(),
                kind: row[1].to_owned(),
                expect: row[2].to_owned(),
                others_read_it: row[4].starts_with("ok"),
            });
        }
    }
    assert!(files.len() >= 180, "only {} files are listed", files.len());
    Some(files)
}

/// How a file may end: `done`, `damaged` (done with that warning) or a code.
fn allowed(file: &Hostile) -> &'static [&'static str] {
    let image = file.image.as_str();
    match (file.expect.as_str(), file.kind.as_str()) {
        ("refuse before allocating", _) => &["IMAGE_TOO_LARGE"],
        ("clean error", "empty") => &["INVALID_IMAGE"],
        ("clean error", _) => &["UNSUPPORTED_FORMAT"],
        ("clean error or partial, never a silent full success", _) => &["INVALID_IMAGE"],
        (_, "heic" | "heic photo") => &["done"],
        (_, "corrupt heic") => &["INVALID_IMAGE", "UNSUPPORTED_FORMAT"],
        (_, "40 random bytes replaced") => &["damaged"],
        (_, "unusual jpeg") if image.contains("lossless") => &["UNSUPPORTED_FORMAT"],
        // What Pillow refuses may be shown with a warning where next to nothing is lost, never without.
        (_, "corrupt jpeg") if !file.others_read_it => &["INVALID_IMAGE", "UNSUPPORTED_FORMAT", "damaged"],
        (_, "corrupt jpeg") => &["INVALID_IMAGE", "damaged"],
        (_, "corrupt png") if !file.others_read_it => &["INVALID_IMAGE"],
        (_, "corrupt" | "bad/unusual") if !file.others_read_it => &["INVALID_IMAGE", "UNSUPPORTED_FORMAT"],
        _ => &["done"],
    }
}

/// Files by the name under which the program is to meet them. A photo or portrait needs an ending and the files with none
/// are PNGs and HEICs by content; the name is not what the program goes by.
fn named(files: &[Hostile], name: impl Fn(usize, &str) -> String) -> BTreeMap<String, &Hostile> {
    let ending = |file: &Hostile| match file.path.extension().and_then(|e| e.to_str()) {
        Some(known @ ("jpg" | "jpeg" | "png" | "gif" | "bmp" | "tif" | "tiff" | "webp" | "heic")) => known.to_owned(),
        _ => "png".to_owned(),
    };
    files.iter().enumerate().map(|(i, file)| (name(i, &ending(file)), file)).collect()
}

/// Waits for `child`, which is killed and fails the test when it takes too much time or memory.
fn guarded(mut child: Child) -> (Ran, u64) {
    let readers = (reader(child.stdout.take().unwrap()), reader(child.stderr.take().unwrap()));
    let (begun, mut peak_kb) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        peak_kb = peak_kb.max(peak_kb_of(child.id()).unwrap_or(0));
        let too_much = if peak_kb > MOST_MEMORY_KB {
            Some(format!("{peak_kb} kB of memory"))
        } else {
            (begun.elapsed() > MOST_TIME).then(|| format!("more than {MOST_TIME:?}"))
        };
        if let Some(too_much) = too_much {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program took {too_much}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let [out, err] = [readers.0, readers.1].map(|reader| String::from_utf8(reader.join().unwrap()).unwrap());
    (Ran { code: status.code().unwrap_or(-1), out, err }, peak_kb)
}

fn reader(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// The most memory the process has held so far. Linux only; elsewhere memory is not watched.
fn peak_kb_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn spawned(mut command: Command) -> Child {
    // Two photos in flight on every machine, so that the bound on memory means the same everywhere.
    command.env("ROLLCALL_PHOTOS__IN_FLIGHT", "2").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn run_guarded(data_dir: &Path, args: &[&str]) -> Ran {
    let (ran, peak_kb) = guarded(spawned(command(data_dir, args)));
    println!("{} ended with {} and {peak_kb} kB at most", args.join(" "), ran.code);
    if cfg!(target_os = "linux") {
        assert!(peak_kb > 10_000, "the memory of the program was not watched: {peak_kb} kB");
    }
    // Panics of decoders are caught, but not silent: none of these files may cause one.
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

fn ending(line: &Value) -> &str {
    match line["error"]["code"].as_str() {
        Some(code) => code,
        None if line["warnings"].as_array().unwrap().iter().any(|w| w.as_str().unwrap().contains("damaged")) => {
            "damaged"
        }
        None => line["status"].as_str().unwrap(),
    }
}

#[test]
fn every_hostile_photo_ends_as_processed_or_as_a_code() {
    let Some(files) = hostile_files() else { return };
    let day = |i: usize| chrono::NaiveDate::from_ymd_opt(2025, 1, 1).unwrap() + chrono::Days::new(i as u64);
    let files = named(&files, |i, ending| format!("CSE-A_{}_0900.{ending}", day(i)));
    let photos = Photos::none();
    for (name, file) in &files {
        photos.add(name, &fs::read(&file.path).unwrap());
    }
    let school = School::enrolled();
    let ran = run_guarded(school.path(), &["--json", "batch", photos.path().to_str().unwrap()]).expect(3);
    let report = ran.json();
    let lines = report["photos"].as_array().unwrap();
    assert_eq!(lines.len(), files.len(), "each file is a line of the report");
    let mut wrong = Vec::new();
    for line in lines {
        let file = files[line["path"].as_str().unwrap()];
        let ending = ending(line);
        if !allowed(file).contains(&ending) {
            wrong.push(format!("{} ({}): {ending}, allowed {:?}", file.image, file.kind, allowed(file)));
        }
        let faces = line["faces"].as_array().unwrap().len();
        match file.expect.as_str() {
            "19 faces" if !(18..=20).contains(&faces) => wrong.push(format!("{}: {faces} faces", file.image)),
            "0 faces" if faces > 0 => wrong.push(format!("{}: {faces} faces", file.image)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Nobody of the class is in any of them: whatever a broken file looks like, it makes nobody present.
    for session in report["sessions"].as_array().unwrap() {
        assert_eq!(session["present"], serde_json::json!([]), "{session}");
    }
}

#[test]
fn every_hostile_portrait_is_refused_or_enrolled() {
    let Some(files) = hostile_files() else { return };
    const STUDENT: &str = "Ananya_Foxglove_CSE-A-03";
    let files = named(&files, |i, ending| format!("{STUDENT}/{i:03}.{ending}"));
    let portraits = Photos::none();
    for (name, file) in &files {
        portraits.add(name, &fs::read(&file.path).unwrap());
    }
    let school = School::with_roster();
    let folder = portraits.path().to_str().unwrap();
    let report = run_guarded(school.path(), &["--json", "enrol", folder, "--consent", "recorded"]).expect(3).json();
    let lines = report["photos"].as_array().unwrap();
    assert_eq!(lines.len(), files.len(), "each file is a line of the report");
    let mut wrong = Vec::new();
    for line in lines {
        let file = files[line["path"].as_str().unwrap()];
        let found = ending(line);
        // A file that can be read is then judged as a portrait.
        const NO_PORTRAIT: [&str; 4] = ["NO_FACE_DETECTED", "MULTIPLE_FACES_DETECTED", "FACE_TOO_SMALL", "LOW_QUALITY"];
        let readable = allowed(file).iter().any(|a| matches!(*a, "done" | "damaged"));
        let fits = allowed(file).contains(&found)
            || readable && (NO_PORTRAIT.contains(&found) || matches!(found, "enrolled" | "known" | "SAMPLES_DISAGREE"));
        if !fits {
            wrong.push(format!("{} ({}): {found}, allowed {:?}", file.image, file.kind, allowed(file)));
        }
        // Group photos are not portraits.
        if file.expect == "19 faces" && found != "MULTIPLE_FACES_DETECTED" && found != "FACE_TOO_SMALL" {
            wrong.push(format!("{}: {found}", file.image));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
