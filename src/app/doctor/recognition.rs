//! Checks of what finds and compares faces: ONNX Runtime, the pack, the nets, the provider.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::{Check, shown};
use crate::app::error::{Code, Error};
use crate::app::recogniser::{Recogniser, runtime_options};
use crate::config::{Config, Provider};
use crate::engine::{EngineError, Precision, Runtime};
use crate::pack::{self, Pack};

/// A portrait of the demo school: drawn by program, of nobody.
pub(crate) const DRAWN_FACE: &[u8] = include_bytes!("../../../dataset/demo/dataset/Ananya_Foxglove_CSE-A-03/face.jpg");

const GET_CUDA: &str = "for the GPU, unpack the wheel onnxruntime-gpu 1.31 with the CUDA 13 and cuDNN 9 libraries it asks \
                        for, and set ROLLCALL_ORT to its libonnxruntime; or say provider = \"cpu\" in the settings";

pub(super) fn checks(config: &Config) -> Vec<Check> {
    let runtime = runtime(config);
    let pack = pack(config);
    let mut checks = vec![runtime, pack];
    // Without one of the two the nets cannot be opened, and why was said.
    if checks.iter().all(|check| check.remedy.is_none()) {
        checks.extend(nets(config));
    }
    checks
}

fn runtime(config: &Config) -> Check {
    const REMEDY: &str = "put libonnxruntime of ONNX Runtime 1.31 into runtime/ beside the program (`make setup` fetches it), \
                          or set ROLLCALL_ORT to where it is";
    match Runtime::load(&runtime_options(config)) {
        Ok(runtime) => Check::ok("runtime", format!("ONNX Runtime, {}", shown(runtime.library()))),
        Err(EngineError::RuntimeMissing { tried }) => {
            Check::fail("runtime", format!("ONNX Runtime was not found: {tried}"), REMEDY)
        }
        Err(EngineError::RuntimeUnusable { path, reason }) => {
            Check::fail("runtime", format!("{path} cannot be used: {reason}"), REMEDY)
        }
        Err(e) => Check::fail("runtime", e.to_string(), REMEDY),
    }
}

fn pack(config: &Config) -> Check {
    let Some(dir) = config.pack_dir() else {
        let looked: Vec<_> = config.install_roots().iter().map(|root| shown(&root.join("models"))).collect();
        let found = format!("there is no pack {:?} in {}", config.pack, looked.join(", "));
        return Check::fail("pack", found, "`rollcall models list` shows the packs there are; choose one with --pack");
    };
    match Pack::open(&dir) {
        Ok(pack) => {
            let commercial = if pack.manifest().licence.commercial_use { "allowed" } else { "not allowed" };
            let files = pack.manifest().files.len();
            let found = format!("{}, {files} files with their hashes; commercial use {commercial}", pack.id_version());
            Check::ok("pack", found)
        }
        Err(e) => Check::fail("pack", format!("{}: {}", shown(&dir), plain(&e)), "bring the pack's files again"),
    }
}

/// Without the advice that its message ends with: ours stands beside it.
fn plain(error: &pack::PackError) -> String {
    let text = error.to_string();
    text.split_once("; ").map_or(text.clone(), |(found, _)| found.to_owned())
}

/// Opens the nets on the provider that is asked for and runs a face through all of them.
fn nets(config: &Config) -> Vec<Check> {
    let driver = driver();
    match Recogniser::open_blocking(config) {
        Ok(recogniser) => vec![a_face(&recogniser), provider(config.provider, &recogniser, driver.as_deref())],
        Err(e) if e.code == Code::ProviderUnavailable => vec![unavailable(&e, driver.as_deref())],
        Err(e) => vec![Check::fail("nets", e.message, "the pack does not fit this program: bring another one")],
    }
}

fn a_face(recogniser: &Recogniser) -> Check {
    let start = Instant::now();
    match recogniser.analyse_portrait(DRAWN_FACE) {
        Ok(seen) if seen.faces.iter().any(|face| face.embedding.is_ok()) => {
            Check::ok("nets", format!("found and embedded a drawn face in {} ms", start.elapsed().as_millis()))
        }
        Ok(_) => {
            let remedy = "try it with a photo of yours: `rollcall bench FILE`";
            Check::warn("nets", "they run, but do not see the face that was drawn for this check", remedy)
        }
        Err(e) => Check::fail("nets", e.message, "bring the pack's files and ONNX Runtime again"),
    }
}

fn provider(asked: Provider, recogniser: &Recogniser, driver: Option<&str>) -> Check {
    let real = recogniser.provider();
    match (asked, recogniser.fallback_reason(), driver) {
        (Provider::Auto, Some(_), None) => Check::ok("provider", "cpu; this machine has no NVIDIA driver"),
        (Provider::Auto, Some(reason), Some(driver)) => {
            Check::warn("provider", format!("cpu, although there is a GPU ({driver}): {reason}"), GET_CUDA)
        }
        (Provider::Cpu, _, Some(driver)) => {
            Check::ok("provider", format!("cpu, as asked for; there is a GPU as well ({driver})"))
        }
        _ => {
            let precision = match (recogniser.precision(), recogniser.single_precision_reason()) {
                (Precision::Half, _) => ", in half precision".to_owned(),
                (Precision::Single, Some(reason)) => format!(", in single precision: {reason}"),
                (Precision::Single, None) => String::new(),
            };
            let driver = driver.map(|d| format!(" ({d})")).unwrap_or_default();
            Check::ok("provider", format!("{real}{driver}{precision}"))
        }
    }
}

fn unavailable(error: &Error, driver: Option<&str>) -> Check {
    match driver {
        Some(driver) => Check::fail("provider", format!("{} ({driver})", error.message), GET_CUDA),
        None => {
            let remedy = "install the NVIDIA driver (or pass the GPU into the container), or use --provider cpu";
            Check::fail("provider", format!("{}; this machine has no NVIDIA driver", error.message), remedy)
        }
    }
}

/// The NVIDIA driver as it calls itself, where there is one. Inside of containers only the second way may tell.
fn driver() -> Option<String> {
    if let Ok(text) = std::fs::read_to_string(Path::new("/proc/driver/nvidia/version")) {
        return Some(text.lines().next().unwrap_or_default().trim_start_matches("NVRM version: ").trim().to_owned());
    }
    let told = Command::new("nvidia-smi").arg("-L").output().ok().filter(|told| told.status.success())?;
    let text = String::from_utf8_lossy(&told.stdout);
    // `GPU 0: NAME (UUID: ...)`: the number that names one device is nobody's business.
    Some(text.lines().next()?.split(" (").next()?.to_owned())
}
