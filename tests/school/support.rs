//! A school in a temporary folder, and the program to run on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::postgres::Server;

pub(crate) const FULL: &str = "CSE-A_2026-11-17_0900_full.jpg";
pub(crate) const LEFT: &str = "CSE-A_2026-11-16_0900_left.jpg";
pub(crate) const RIGHT: &str = "CSE-A_2026-11-16_0900_right.jpg";
pub(crate) const OTHER_CLASS: &str = "AIML-B_2026-11-16_1100_full.jpg";

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn demo(part: &str) -> PathBuf {
    repository().join("dataset/demo").join(part)
}

pub(crate) fn class_photo(name: &str) -> PathBuf {
    demo("class_photos").join(name)
}

/// The program on a data folder; the CPU is asked for, so that no line about providers is printed.
pub(crate) fn command(data_dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.current_dir(repository()).env_clear().stdin(Stdio::null());
    command.arg("--provider").arg("cpu").arg("--data-dir").arg(data_dir).args(args);
    command
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// A folder with a database; gone when dropped.
pub(crate) struct School {
    dir: TempDir,
    /// `None` is the file in the folder.
    database_url: Option<String>,
    /// Given to every run of the program.
    variables: Vec<(String, String)>,
}

impl School {
    pub(crate) fn empty() -> Self {
        Self::empty_on(crate::server())
    }

    /// In a new database of the server, or in a file of its own.
    pub(crate) fn empty_on(server: Option<&'static Server>) -> Self {
        let database_url = server.map(Server::new_database);
        let school = Self { dir: tempfile::tempdir().unwrap(), database_url, variables: Vec::new() };
        school.run(&["init"]).expect(0);
        school
    }

    pub(crate) fn with_roster() -> Self {
        let school = Self::empty();
        school.run(&["roster", "import", demo("roster.csv").to_str().unwrap()]).expect(0);
        school
    }

    /// Both classes of the demo school, enrolled. The enrolment is done once and copied.
    pub(crate) fn enrolled() -> Self {
        static ENROLLED: LazyLock<School> = LazyLock::new(|| {
            let school = School::with_roster();
            school.run(&["enrol", demo("dataset").to_str().unwrap(), "--consent", "recorded"]).expect(0);
            school
        });
        let dir = tempfile::tempdir().unwrap();
        copy_folder(ENROLLED.path(), dir.path());
        let copy_of = |url: &String| crate::server().map(|server| server.copy_of(url));
        Self { dir, database_url: ENROLLED.database_url.as_ref().and_then(copy_of), variables: Vec::new() }
    }

    /// The same on a server of the test's own.
    pub(crate) fn enrolled_on(server: &'static Server) -> Self {
        let school = Self::empty_on(Some(server));
        school.run(&["roster", "import", demo("roster.csv").to_str().unwrap()]).expect(0);
        school.run(&["enrol", demo("dataset").to_str().unwrap(), "--consent", "recorded"]).expect(0);
        school
    }

    /// The same school under other settings.
    pub(crate) fn with_variables(self, variables: Vec<(String, String)>) -> Self {
        Self { variables, ..self }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn database_url(&self) -> String {
        let file = || format!("sqlite:{}", self.path().join("rollcall.db").display());
        self.database_url.clone().unwrap_or_else(file)
    }

    /// The program on this school.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(self.path(), args);
        command.args(self.database_url.iter().flat_map(|url| ["--database-url", url]));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    pub(crate) fn run_with(&self, env: &[(&str, &str)], args: &[&str]) -> Ran {
        Ran::of(self.command(args).envs(env.iter().copied()).output().unwrap())
    }

    /// `batch` over a folder, as its JSON report.
    #[track_caller]
    pub(crate) fn batch(&self, photos: &Photos, code: i32) -> Value {
        self.run(&["--json", "batch", photos.path().to_str().unwrap()]).expect(code).json()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A folder of class photos; gone when dropped.
pub(crate) struct Photos {
    dir: TempDir,
}

impl Photos {
    pub(crate) fn none() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Photos of the demo school under names of the test's choice.
    pub(crate) fn of(photos: &[(&str, &str)]) -> Self {
        let folder = Self::none();
        for (demo, name) in photos {
            folder.add(name, &fs::read(class_photo(demo)).unwrap());
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn add(&self, name: &str, bytes: &[u8]) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
}

/// Fifty small photos with some faces each, two for each lesson.
pub(crate) fn fifty() -> Photos {
    let picture = image::open(class_photo(FULL)).unwrap().into_rgb8();
    let photos = Photos::none();
    for i in 0..50_u32 {
        let view = image::imageops::crop_imm(&picture, 500 + 20 * (i % 10), 500, 700, 500).to_image();
        let side = if i % 2 == 0 { "left" } else { "right" };
        photos.add(&format!("CSE-A_2026-10-{:02}_0900_{side}.jpg", 1 + i / 2), &jpeg(&view, 70 + (i % 25) as u8));
    }
    photos
}

/// What a report says of photos and sessions, without what differs from run to run: times, and whether a photo was new.
/// Scores are rounded to a ten-thousandth.
pub(crate) fn substance(report: &Value) -> Value {
    let mut report = report.clone();
    for photo in report["photos"].as_array_mut().unwrap() {
        assert!(photo["status"] == "done" || photo["status"] == "duplicate", "{photo}");
        photo["status"] = Value::Null;
        photo["timings_ms"] = Value::Null;
    }
    round(&mut report);
    serde_json::json!({ "photos": report["photos"], "sessions": report["sessions"] })
}

fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            *value = Value::from((number.as_f64().unwrap() * 1e4).round() as i64);
        }
        Value::Array(items) => items.iter_mut().for_each(round),
        Value::Object(entries) => entries.values_mut().for_each(round),
        _ => {}
    }
}

/// The line of a photo in a report.
#[track_caller]
pub(crate) fn line<'a>(report: &'a Value, path: &str) -> &'a Value {
    let found = report["photos"].as_array().unwrap().iter().find(|p| p["path"] == path);
    found.unwrap_or_else(|| panic!("{path} is not in {report:#}"))
}

pub(crate) fn roll_nos(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// A JPEG without a face.
pub(crate) fn empty_room() -> Vec<u8> {
    let picture =
        image::RgbImage::from_fn(800, 600, |x, y| image::Rgb([(x / 8 % 200) as u8, (y / 6 % 200) as u8, 120]));
    jpeg(&picture, 90)
}

pub(crate) fn jpeg(picture: &image::RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture).unwrap();
    bytes
}
