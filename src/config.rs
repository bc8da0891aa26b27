//! The settings of a run: defaults < `rollcall.toml` < `ROLLCALL_*` environment < flags, validated once.
//!
//! The only module that reads the environment. Everybody else is given the values it needs. Names of sections and keys
//! are what users type, so they are part of the contract; in the environment a section and its key are joined by two
//! underscores (`ROLLCALL_PHOTOS__MAX_MB=20`).

mod environment;
mod gpu;
mod service;
mod storage;

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::domain::quality::EnrolLines;
use crate::domain::score::DEFAULT_MEMBER_PRIOR;
use environment::Environment;
pub use gpu::{Fp16, Gpu};
pub use service::{Audit, Auth, Secret, Server, Worker};

pub use storage::{Encryption, S3, Storage, StorageKind};

/// The file that is read from the data folder unless `--config` names another.
pub const FILE_NAME: &str = "rollcall.toml";

/// The commit that the program was built from, where `ROLLCALL_COMMIT` said so to the compiler (`make build` does).
const COMMIT: Option<&str> = option_env!("ROLLCALL_COMMIT");

/// The commit that the program was built from; `unknown` when nobody said, or said nothing.
pub fn commit() -> &'static str {
    COMMIT.filter(|commit| !commit.is_empty()).unwrap_or("unknown")
}

/// All settings.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Holds dataset/, attendance_photos/, exports/, models/ and rollcall.db. Default: the current folder.
    pub data_dir: PathBuf,
    /// Where sheets and annotated photos are written. Default: exports/ in the data folder.
    pub exports_dir: Option<PathBuf>,
    /// `sqlite:PATH`. Default: rollcall.db in the data folder.
    pub database_url: Option<String>,
    /// Name of the model pack, a folder of models/. Default: `starter`.
    pub pack: String,
    /// What ONNX Runtime shall run on. Default: `auto`.
    pub provider: Provider,
    /// How a GPU is used.
    pub gpu: Gpu,
    /// Path of the ONNX Runtime library. Default: looked for in runtime/ and in the system.
    pub ort: Option<PathBuf>,
    /// Threads for the nets. Default: one for each core.
    pub threads: Option<NonZeroUsize>,
    /// Memory that this program should keep within, MiB: as many photos are decoded at a time as fit. Default: no limit but
    /// `photos.in_flight`.
    pub memory_budget_mb: Option<NonZeroU32>,
    /// The school's time zone (IANA name): photo names and sheets use it, the database keeps UTC. Default: `UTC`.
    pub time_zone: Tz,
    /// The term that classes belong to unless a command names one. Default: none.
    pub term: String,
    /// Photos of one class that lie no farther apart are one session, minutes. Default: 20.
    pub session_gap_min: u32,
    pub photos: Photos,
    pub queue: Queue,
    pub matching: Matching,
    pub enrol: EnrolLines,
    pub learning: Learning,
    pub report: Report,
    pub server: Server,
    pub worker: Worker,
    pub auth: Auth,
    pub audit: Audit,
    pub storage: Storage,
    pub log: Log,
}

/// Limits and working set of photo processing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Photos {
    /// Largest file accepted, MiB. Default: 10.
    pub max_mb: u32,
    /// Largest picture accepted, megapixels. Default: 50.
    pub max_megapixels: u32,
    /// Faces kept of one photo, largest first. Default: 100.
    pub max_faces: NonZeroUsize,
    /// Smallest face looked for, pixels of the full-resolution photo. Default: 20.
    pub min_face_px: u32,
    /// A photo whose own clock says that it was taken so long before or after the start of its session is pointed out, minutes; 0:
    /// none is. Default: 180.
    pub lesson_window_min: u32,
    /// Photos worked on at a time. Default: one for each core, at most 4.
    pub in_flight: Option<NonZeroUsize>,
}

/// How jobs are worked on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// A job of a worker that says nothing for so long is given to another, seconds. Default: 30.
    pub lease_secs: u16,
    /// Attempts before a job is given up. Default: 4.
    pub max_attempts: u32,
    /// Photos in hand may go on for so long after a stop, seconds; then they are put back. Default: 25.
    pub stop_grace_secs: u16,
    /// Finished jobs are deleted after so many days, and the files of exports with them. Default: 30.
    pub keep_days: u16,
}

/// What a school may say about matching. The lines themselves belong to the pack.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matching {
    /// Prior probability that a face belongs to some member of the class; confidences are stated under it. Default: 0.5.
    pub member_prior: f32,
}

/// Whether templates learn from sessions that a teacher has confirmed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learning {
    /// Good, certain faces of confirmed sessions join the templates of the students they show. Default: false.
    pub from_confirmed: bool,
    /// Faces that one student's template may learn. Default: 3.
    pub max_samples: u8,
}

/// How sheets look.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Name of the school on top of sheets. Default: none.
    pub school: String,
    /// Percentages below are highlighted. Default: 75.
    pub low_attendance_percent: f64,
    /// Begin CSV files with a byte-order mark, which older Excel needs to read UTF-8. Default: true.
    pub csv_bom: bool,
    /// The letters of the five meanings.
    pub labels: Labels,
    /// Excused absences count as held and missed rather than as not held. Default: false.
    pub excused_counts_as_absent: bool,
}

/// The school's letters for the five meanings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Labels {
    pub present: String,
    pub absent: String,
    pub late: String,
    pub excused: String,
    pub unmarked: String,
}

/// What is logged, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A filter as tracing knows them, for example `info` or `rollcall=debug`. Default: `warn`.
    pub level: String,
    pub format: LogFormat,
}

/// What ONNX Runtime shall run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The best that works; says loudly when that is the CPU because a GPU could not be used.
    Auto,
    Cpu,
    /// An NVIDIA GPU, or an error.
    Cuda,
    /// An NVIDIA GPU through TensorRT, or an error.
    Tensorrt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("."),
            exports_dir: None,
            database_url: None,
            pack: "starter".into(),
            provider: Provider::Auto,
            gpu: Gpu::default(),
            ort: None,
            threads: None,
            memory_budget_mb: None,
            time_zone: Tz::UTC,
            term: String::new(),
            session_gap_min: 20,
            photos: Photos::default(),
            queue: Queue::default(),
            matching: Matching::default(),
            enrol: EnrolLines::default(),
            learning: Learning::default(),
            report: Report::default(),
            server: Server::default(),
            worker: Worker::default(),
            auth: Auth::default(),
            audit: Audit::default(),
            storage: Storage::default(),
            log: Log::default(),
        }
    }
}

impl Default for Photos {
    fn default() -> Self {
        let max_faces = NonZeroUsize::new(100).expect("100 is not zero");
        Self { max_mb: 10, max_megapixels: 50, max_faces, min_face_px: 20, lesson_window_min: 180, in_flight: None }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { lease_secs: 30, max_attempts: 4, stop_grace_secs: 25, keep_days: 30 }
    }
}

impl Default for Matching {
    fn default() -> Self {
        Self { member_prior: DEFAULT_MEMBER_PRIOR }
    }
}

impl Default for Learning {
    fn default() -> Self {
        Self { from_confirmed: false, max_samples: 3 }
    }
}

impl Default for Report {
    fn default() -> Self {
        Self {
            school: String::new(),
            low_attendance_percent: 75.0,
            csv_bom: true,
            labels: Labels::default(),
            excused_counts_as_absent: false,
        }
    }
}

impl Default for Labels {
    fn default() -> Self {
        let [present, absent, late, excused, unmarked] = ["P", "A", "L", "E", "?"].map(String::from);
        Self { present, absent, late, excused, unmarked }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "warn".into(), format: LogFormat::Text }
    }
}

/// Tells ONNX Runtime, which reads it from the environment while it is loaded, to keep its telemetry off. Turning it off by
/// its API comes too late: 1.31 has then written an identifier of the machine into the user's cache folder.
///
/// To be called first of all, before there is a second thread.
pub fn keep_telemetry_off() {
    // SAFETY: `main` calls this before anything else, so no other thread reads the environment meanwhile.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}

/// What a settings file, the environment or a flag got wrong, in words that name the key and where it was set.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("settings: {0}")]
    Unreadable(#[from] Box<figment::Error>),
    #[error("settings: {key} is {value}, it must be {rule}")]
    OutOfRange { key: &'static str, value: String, rule: &'static str },
    #[error("settings: there is no file {0}")]
    NoSuchFile(PathBuf),
}

/// The flags that set something; `None` leaves the lower layers alone.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_budget_mb: Option<NonZeroU32>,
}

impl Config {
    /// Reads all layers. `file` is what `--config` names and must exist; otherwise `rollcall.toml` of the data folder is
    /// read where there is one.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and the layer.
    pub fn load(file: Option<&Path>, flags: &Overrides) -> Result<Self, ConfigError> {
        Self::layered(file, flags, Environment::of_process())
    }

    fn layered(file: Option<&Path>, flags: &Overrides, env: Environment) -> Result<Self, ConfigError> {
        let base = Figment::from(Serialized::defaults(Self::default()));
        let file = match file {
            Some(named) if !named.is_file() => return Err(ConfigError::NoSuchFile(named.to_owned())),
            Some(named) => named.to_owned(),
            None => {
                let around = base.clone().merge(env.clone()).merge(Serialized::globals(flags));
                around.extract_inner::<PathBuf>("data_dir").map_err(Box::new)?.join(FILE_NAME)
            }
        };
        let file = if file.is_file() { Figment::from(Toml::file_exact(file)) } else { Figment::new() };
        let all = base.merge(file).merge(env).merge(Serialized::globals(flags));
        let config: Self = all.extract().map_err(Box::new)?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let (photos, server, auth) = (&self.photos, &self.server, &self.auth);
        let checks = [
            ("photos.max_mb", f64::from(photos.max_mb), 1.0..=1024.0, "from 1 to 1024"),
            ("photos.max_megapixels", f64::from(photos.max_megapixels), 1.0..=1000.0, "from 1 to 1000"),
            ("photos.min_face_px", f64::from(photos.min_face_px), 12.0..=1000.0, "from 12 to 1000"),
            (
                "photos.lesson_window_min",
                f64::from(photos.lesson_window_min),
                0.0..=10_080.0,
                "from 0 to 10080 minutes",
            ),
            ("queue.lease_secs", f64::from(self.queue.lease_secs), 1.0..=3600.0, "from 1 to 3600"),
            ("queue.max_attempts", f64::from(self.queue.max_attempts), 1.0..=100.0, "from 1 to 100"),
            ("queue.stop_grace_secs", f64::from(self.queue.stop_grace_secs), 0.0..=3600.0, "from 0 to 3600"),
            ("learning.max_samples", f64::from(self.learning.max_samples), 1.0..=10.0, "from 1 to 10"),
            ("matching.member_prior", f64::from(self.matching.member_prior), 0.01..=0.99, "from 0.01 to 0.99"),
            ("report.low_attendance_percent", self.report.low_attendance_percent, 0.0..=100.0, "from 0 to 100"),
            ("session_gap_min", f64::from(self.session_gap_min), 0.0..=720.0, "from 0 to 720 minutes"),
            ("server.max_upload_mb", f64::from(server.max_upload_mb), 1.0..=4096.0, "from 1 to 4096"),
            ("server.request_timeout_secs", f64::from(server.request_timeout_secs), 1.0..=600.0, "from 1 to 600"),
            ("server.max_requests", f64::from(server.max_requests), 1.0..=100_000.0, "from 1 to 100000"),
            ("server.queue_limit", f64::from(server.queue_limit), 1.0..=1e6, "from 1 to 1000000"),
            ("server.rate_per_minute", f64::from(server.rate_per_minute), 1.0..=1e6, "from 1 to 1000000"),
            ("server.stop_grace_secs", f64::from(server.stop_grace_secs), 0.0..=3600.0, "from 0 to 3600"),
            ("audit.keep_days", f64::from(self.audit.keep_days), 0.0..=36_500.0, "from 0 to 36500"),
            ("auth.access_minutes", f64::from(auth.access_minutes), 1.0..=1440.0, "from 1 to 1440"),
            ("auth.refresh_days", f64::from(auth.refresh_days), 1.0..=365.0, "from 1 to 365"),
        ];
        for (key, value, range, rule) in checks {
            if !range.contains(&value) {
                return Err(ConfigError::OutOfRange { key, value: value.to_string(), rule });
            }
        }
        if self.pack.is_empty() || self.pack.contains(['/', '\\']) || self.pack.starts_with('.') {
            let value = format!("{:?}", self.pack);
            return Err(ConfigError::OutOfRange { key: "pack", value, rule: "the name of a folder of models/" });
        }
        self.gpu.validate()?;
        self.server.validate()?;
        self.auth.validate()?;
        self.storage.validate()
    }

    /// The database's address with the default filled in.
    pub fn database_url(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("rollcall.db").display()))
    }

    pub fn exports_dir(&self) -> PathBuf {
        self.exports_dir.clone().unwrap_or_else(|| self.data_dir.join("exports"))
    }

    /// Folders that may hold `models/` and `runtime/`: the data folder, the current folder, and where the program lies
    /// (its own folder and two above, which is the repository for a program that cargo built).
    pub fn install_roots(&self) -> Vec<PathBuf> {
        let mut roots = vec![self.data_dir.clone()];
        roots.extend(std::env::current_dir().ok());
        let program = std::env::current_exe().ok();
        roots.extend(program.iter().flat_map(|p| p.ancestors().skip(1).take(3)).map(Path::to_owned));
        let mut seen = std::collections::HashSet::new();
        roots.retain(|root| seen.insert(root.canonicalize().unwrap_or_else(|_| root.clone())));
        roots
    }

    /// Folder of the pack in use: the first of the install roots' `models/` that holds its manifest.
    pub fn pack_dir(&self) -> Option<PathBuf> {
        self.dir_of_pack(&self.pack)
    }

    /// Folder of any pack, in the same way.
    pub fn dir_of_pack(&self, name: &str) -> Option<PathBuf> {
        self.models_dirs().into_iter().map(|models| models.join(name)).find(|dir| dir.join("pack.toml").is_file())
    }

    /// Every `models/` folder there is, nearest first.
    pub fn models_dirs(&self) -> Vec<PathBuf> {
        self.install_roots().into_iter().map(|root| root.join("models")).filter(|dir| dir.is_dir()).collect()
    }
}

/// A database address may carry a password: it is never printed.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("database_url", &self.database_url.as_deref().map(redacted))
            .field("pack", &self.pack)
            .field("provider", &self.provider)
            .field("gpu", &self.gpu)
            .field("time_zone", &self.time_zone)
            .field("photos", &self.photos)
            .field("server", &self.server)
            .field("auth", &self.auth)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

/// An address without the password between the user's name and the host.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => format!("{scheme}://{}:***@{host}", user.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_env() -> Environment {
        Environment::default()
    }

    fn with_file(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("any.toml");
        std::fs::write(&file, text).unwrap();
        Config::layered(Some(&file), &Overrides::default(), no_env())
    }

    #[test]
    fn defaults_stand_where_nothing_is_said() {
        let config = Config::layered(None, &Overrides::default(), no_env()).unwrap();
        assert_eq!((config.pack.as_str(), config.session_gap_min, config.photos.max_faces.get()), ("starter", 20, 100));
        assert_eq!(config.database_url(), "sqlite:./rollcall.db");
    }

    #[test]
    fn flags_win_over_the_file_of_their_data_folder() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join(FILE_NAME),
            "pack = 'other'\ntime_zone = 'Asia/Kolkata'\n[photos]\nmax_mb = 3\n",
        )
        .unwrap();
        let flags = Overrides { data_dir: Some(dir.path().into()), pack: Some("mine".into()), ..Overrides::default() };
        let config = Config::layered(None, &flags, no_env()).unwrap();
        assert_eq!((config.pack.as_str(), config.photos.max_mb), ("mine", 3));
        assert_eq!(config.time_zone, chrono_tz::Asia::Kolkata);
    }

    #[test]
    fn misspelt_keys_and_impossible_values_are_named() {
        let said = |text: &str| with_file(text).unwrap_err().to_string();
        assert!(said("[photos]\nmax_megabytes = 3\n").contains("max_megabytes"));
        assert!(said("time_zone = 'Mars/Olympus'\n").contains("time_zone"));
        assert!(said("[matching]\nmember_prior = 1.5\n").contains("matching.member_prior is 1.5"));
        assert!(said("pack = '../elsewhere'\n").contains("pack"));
        assert!(said("[gpu]\nmemory_limit_mb = 100\n").contains("gpu.memory_limit_mb is 100"));
        assert!(said("[gpu]\nfp16 = 'half'\n").contains("fp16"));
    }

    #[test]
    fn named_file_must_exist() {
        let missing = Config::layered(Some(Path::new("/no/such.toml")), &Overrides::default(), no_env());
        assert!(matches!(missing, Err(ConfigError::NoSuchFile(_))));
    }

    #[test]
    fn passwords_are_not_printed() {
        let config = Config { database_url: Some("postgres://u:hush@db.school/r".into()), ..Config::default() };
        let shown = format!("{config:?}");
        assert!(shown.contains("postgres://u:***@db.school/r") && !shown.contains("hush"), "{shown}");
    }
}
