//! Finds and loads ONNX Runtime, once in the life of the process, and tells the truth about what it runs on.
//!
//! The library is opened at run time (`ort`, feature `load-dynamic`), so a missing or old one is an error with a remedy,
//! not a program that does not start. Where to look is given by the caller; nothing here reads the environment.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use ort::environment::Environment;
use ort::ep;
use ort::logging::LogLevel;

use super::error::EngineError;
use super::placement::{Placement, Precision};

/// Where ONNX Runtime may be and how many threads its nets use.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
    /// This file and no other.
    pub explicit: Option<PathBuf>,
    /// Folders to look into, in order; the newest `libonnxruntime.so*` of each is tried first. The system's loader comes last.
    pub dirs: Vec<PathBuf>,
    /// Threads that each net may use. `None`: one for each processor core that this process may use.
    pub threads: Option<NonZeroUsize>,
}

/// The loaded library. Cheap to clone; the library stays until the process ends.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    library: PathBuf,
    threads: NonZeroUsize,
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProviderChoice {
    Cpu,
    /// CUDA or an error.
    Cuda,
    /// TensorRT (with CUDA for what it cannot run) or an error.
    TensorRt,
    /// CUDA where it works, otherwise the CPU and a reason.
    #[default]
    Auto,
}

/// What nets really run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Cpu,
    Cuda,
    TensorRt,
}

/// The provider behind every result, and why it is not the one hoped for. Whoever opens an engine says the reason aloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReport {
    pub provider: Provider,
    pub precision: Precision,
    /// Only after [`ProviderChoice::Auto`] fell back to the CPU.
    pub fallback_reason: Option<String>,
    /// Only where half precision was tried and not used.
    pub single_precision_reason: Option<String>,
}

impl ProviderReport {
    /// Of an engine that runs where it was asked to.
    pub(super) fn of(place: &Placement) -> Self {
        let Placement { provider, precision, .. } = *place;
        Self { provider, precision, fallback_reason: None, single_precision_reason: None }
    }
}

static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Loads ONNX Runtime (1.31 or later), or returns the one that is loaded already: the options of the first success hold
    /// for the whole process. After a failure it may be called again.
    ///
    /// # Errors
    /// [`EngineError::RuntimeMissing`] when there is none, [`EngineError::RuntimeUnusable`] when `explicit` or all that was
    /// found is too old or broken.
    pub fn load(options: &RuntimeOptions) -> Result<Self, EngineError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let library = open_first(options)?;
        let threads =
            options.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let runtime = Self { environment: environment(&library)?, library, threads };
        tracing::info!(library = %runtime.library.display(), build = ort::info(), "ONNX Runtime loaded");
        Ok(loaded.insert(runtime).clone())
    }

    /// The file that was loaded; a bare name when the system's loader found it.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The version that the library's file is named by, such as `1.31.1`; none where its name tells none.
    pub fn version(&self) -> Option<String> {
        let file = self.library.canonicalize().unwrap_or_else(|_| self.library.clone());
        version_in(&file.file_name()?.to_string_lossy())
    }

    /// Commit and build flags, as the library words it.
    pub fn build_info(&self) -> &'static str {
        ort::info()
    }

    /// Loads the libraries of CUDA and cuDNN that lie beside ONNX Runtime, once: its provider then finds them by their names,
    /// wherever the system's loader would look. Those that are not there are left to the system's loader.
    pub(super) fn load_cuda(&self) {
        static LOADED: Once = Once::new();
        LOADED.call_once(|| {
            for path in self.library.parent().into_iter().flat_map(cuda_libraries_in) {
                // The provider will say that it does not start; this says why.
                if let Err(error) = ort::util::preload_dylib(&path) {
                    tracing::warn!(library = %path.display(), %error, "a library of CUDA cannot be loaded");
                }
            }
        });
    }

    /// Threads that each net may use.
    pub fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        })
    }
}

/// Opens the first library that works. `ort` checks the version (its `api-31` feature asks for 1.31).
fn open_first(options: &RuntimeOptions) -> Result<PathBuf, EngineError> {
    if let Some(path) = &options.explicit {
        if !path.is_file() {
            return Err(EngineError::RuntimeMissing { tried: format!("no file {}", path.display()) });
        }
        return open(path).map_err(|reason| unusable(path, reason));
    }
    let mut broken = None;
    for path in options.dirs.iter().flat_map(|dir| libraries_in(dir)) {
        match open(&path) {
            Ok(path) => return Ok(path),
            Err(reason) => broken = broken.or(Some(unusable(&path, reason))),
        }
    }
    let by_name = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    open(Path::new(&by_name)).map_err(|_| {
        broken.unwrap_or_else(|| {
            let dirs: Vec<_> = options.dirs.iter().map(|dir| dir.display().to_string()).collect();
            EngineError::RuntimeMissing { tried: format!("looked in {} and the system", dirs.join(", ")) }
        })
    })
}

fn open(path: &Path) -> Result<PathBuf, String> {
    // An absolute path: `ort` would look for a relative one beside the program.
    let path = if path.is_file() { std::path::absolute(path).map_err(|e| e.to_string())? } else { path.to_owned() };
    ort::init_from(&path).map(|_| path).map_err(|e| e.to_string())
}

/// The libraries of CUDA and cuDNN in `dir` that ONNX Runtime asks for by name, each after those that it needs; their own parts
/// they find beside themselves. None in a folder that is named from where
/// somebody happens to work: a library that the system's loader found has no other.
fn cuda_libraries_in(dir: &Path) -> Vec<PathBuf> {
    if !dir.is_absolute() {
        return Vec::new();
    }
    let names = ep::cuda::CUDA_DYLIBS.iter().chain(ep::cuda::CUDNN_DYLIBS.first());
    names.map(|name| dir.join(name)).filter(|path| path.is_file()).collect()
}

fn unusable(path: &Path, reason: String) -> EngineError {
    EngineError::RuntimeUnusable { path: path.display().to_string(), reason }
}

/// Files named like the library in `dir`, highest version first.
fn libraries_in(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = format!("{}onnxruntime.", std::env::consts::DLL_PREFIX);
        if name.starts_with(&stem) && name.contains(std::env::consts::DLL_SUFFIX) {
            found.push((name.split('.').filter_map(|part| part.parse().ok()).collect(), entry.path()));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// `libonnxruntime.so.1.31.1` -> `1.31.1`, `libonnxruntime.1.31.1.dylib` likewise.
fn version_in(name: &str) -> Option<String> {
    let numbers: Vec<&str> = name.split('.').filter(|part| part.parse::<u32>().is_ok()).collect();
    (numbers.len() >= 2).then(|| numbers.join("."))
}

fn environment(library: &Path) -> Result<Environment, EngineError> {
    let environment = ort::init().with_name("rollcall").with_telemetry(false).build();
    let environment = environment.map_err(|e: ort::Error| unusable(library, e.to_string()))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

/// What a broken library is answered with is seen in the tests of `rollcall doctor`: in a process that has loaded one, every
/// other counts as loaded, too.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_of_a_folder_comes_first_and_providers_are_no_libraries() {
        let dir = tempfile::tempdir().unwrap();
        let names = [
            "libonnxruntime.so.1.9.0",
            "libonnxruntime.so.1.31.1",
            "libonnxruntime.so",
            "libonnxruntime_providers_cuda.so",
        ];
        for name in names {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found: Vec<_> = libraries_in(dir.path()).into_iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(found, ["libonnxruntime.so.1.31.1", "libonnxruntime.so.1.9.0", "libonnxruntime.so"]);
    }

    #[test]
    fn libraries_of_cuda_are_taken_from_the_folder_in_the_order_of_their_needs() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["libcudnn.so.9", "libcublas.so.13", "libcublasLt.so.13", "libcudnn_ops.so.9", "libonnxruntime.so"]
        {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        // A folder of that name is no library.
        std::fs::create_dir(dir.path().join("libcufft.so.12")).unwrap();
        let found = cuda_libraries_in(dir.path());
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["libcublasLt.so.13", "libcublas.so.13", "libcudnn.so.9"]);
        assert!(found.iter().all(|path| path.starts_with(dir.path())));
        let up = Path::new(env!("CARGO_MANIFEST_DIR")).components().skip(1).map(|_| "..").collect::<PathBuf>();
        let from_here = up.join(dir.path().strip_prefix("/").unwrap());
        assert!(from_here.is_dir() && cuda_libraries_in(&from_here).is_empty(), "{}", from_here.display());
    }

    #[test]
    fn a_version_is_read_from_the_name() {
        assert_eq!(version_in("libonnxruntime.so.1.31.1").as_deref(), Some("1.31.1"));
        assert_eq!(version_in("libonnxruntime.1.31.1.dylib").as_deref(), Some("1.31.1"));
        assert_eq!(version_in("libonnxruntime.so"), None);
    }

    #[test]
    fn a_missing_library_is_one_sentence_that_says_what_to_do() {
        let explicit = Some(PathBuf::from("/nowhere/libonnxruntime.so"));
        let error = open_first(&RuntimeOptions { explicit, ..Default::default() }).unwrap_err();
        assert!(matches!(error, EngineError::RuntimeMissing { .. }));
        let text = error.to_string();
        assert!(text.contains("make setup") && text.contains("ROLLCALL_ORT") && text.contains("/nowhere"), "{text}");
    }
}
