//! Where things are, and one runtime and starter engine for all tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use image::RgbImage;
use rollcall::domain::geometry::{BoundingBox, Detection};
use rollcall::engine::{Engine, EngineOptions, ProviderChoice, Runtime, RuntimeOptions};
use rollcall::pack::{Manifest, Pack};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn runtime() -> Runtime {
    Runtime::load(&RuntimeOptions { dirs: vec![root().join("runtime")], ..RuntimeOptions::default() }).unwrap()
}

pub(crate) fn starter() -> Pack {
    Pack::open(&root().join("models/starter")).unwrap()
}

pub(crate) fn on_cpu() -> EngineOptions {
    EngineOptions { provider: ProviderChoice::Cpu, ..EngineOptions::default() }
}

pub(crate) fn starter_engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::open(&runtime(), &starter(), on_cpu()).unwrap())
}

/// A file or folder of third parties beside the repository.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let found = root().join("../shared").join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: {path} is not there");
    None
}

/// The starter pack with the original MTCNN weights at their defaults instead of its own detector.
pub(crate) fn original_mtcnn() -> Option<(tempfile::TempDir, Pack)> {
    let models = shared("models")?;
    let dir = tempfile::tempdir().unwrap();
    let mut manifest = fs::read_to_string(root().join("models/starter/pack.toml")).unwrap();
    let mut swap = |from: &str, to: &str| {
        assert!(manifest.contains(from), "{from}");
        manifest = manifest.replace(from, to);
    };
    swap("thresholds = [0.6, 0.7, 0.92]", "thresholds = [0.6, 0.7, 0.7]");
    for (name, starter_sha, sha, starter_bytes, bytes) in [
        (
            "pnet.onnx",
            "e304acf330bdf35f",
            "3a422557b4b7947ca1aefbac794e6e643c4caa8565a1fc51dd566087a5f7dcaa",
            60463,
            27650,
        ),
        (
            "rnet.onnx",
            "42c703cb6ffda3a3",
            "92fe85624dd54588c879ad2f9a206e24ce79cc67fe5f516cceeacd788a3fa247",
            562_101,
            402_128,
        ),
        (
            "onet.onnx",
            "9fa7319578a13e75",
            "5fb08a66e2a1c8d6dd2b485a082b1ada35724824b8712311760b4b77ee234a09",
            1_971_968,
            1_558_030,
        ),
    ] {
        fs::copy(models.join(format!("mtcnn_{name}")), dir.path().join(name)).unwrap();
        let text = fs::read_to_string(root().join("models/starter/pack.toml")).unwrap();
        let start = text.find(starter_sha).unwrap();
        swap(&text[start..start + 64], sha);
        swap(&format!("bytes = {starter_bytes}"), &format!("bytes = {bytes}"));
    }
    fs::copy(root().join("models/starter/embedder.onnx"), dir.path().join("embedder.onnx")).unwrap();
    fs::write(dir.path().join("pack.toml"), manifest).unwrap();
    let pack = Pack::open(dir.path()).unwrap();
    Some((dir, pack))
}

/// A pack of `models/` with its files from beside the repository. `changes` are made to the manifest first.
pub(crate) fn fetched(name: &str, changes: &[(&str, &str)]) -> Option<(tempfile::TempDir, Pack)> {
    let models = shared("models")?;
    let dir = tempfile::tempdir().unwrap();
    let mut text = fs::read_to_string(root().join("models").join(name).join("pack.toml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    fs::write(dir.path().join("pack.toml"), &text).unwrap();
    for file in Manifest::parse(&text).unwrap().files {
        fs::copy(models.join(&file.name), dir.path().join(&file.name)).unwrap();
    }
    let pack = Pack::open(dir.path()).unwrap();
    Some((dir, pack))
}

pub(crate) fn read(path: &Path) -> RgbImage {
    image::load_from_memory(&fs::read(path).unwrap()).unwrap().to_rgb8()
}

pub(crate) fn demo(path: &str) -> RgbImage {
    read(&root().join("dataset/demo").join(path))
}

/// Grey levels without any structure larger than a pixel or smaller than the picture.
pub(crate) fn texture(width: u32, height: u32, seed: u32) -> RgbImage {
    let mut state = seed;
    RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let slope = (x / 40 + y / 25) % 90;
        image::Rgb([60, 70, 55].map(|v| (v + slope + (state >> 27)) as u8))
    })
}

/// Every face of `left` has its own partner in `right` with at least this IoU; pairs of indices.
pub(crate) fn pairs(left: &[BoundingBox], right: &[BoundingBox], min_iou: f32) -> Vec<(usize, usize)> {
    let mut all: Vec<(f32, usize, usize)> = Vec::new();
    for (i, a) in left.iter().enumerate() {
        all.extend(right.iter().enumerate().map(|(j, b)| (a.iou(b), i, j)).filter(|(iou, ..)| *iou >= min_iou));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut seen_left, mut seen_right) = (vec![false; left.len()], vec![false; right.len()]);
    all.retain(|(_, i, j)| {
        let free = !seen_left[*i] && !seen_right[*j];
        if free {
            (seen_left[*i], seen_right[*j]) = (true, true);
        }
        free
    });
    all.into_iter().map(|(_, i, j)| (i, j)).collect()
}

pub(crate) fn boxes(faces: &[Detection]) -> Vec<BoundingBox> {
    faces.iter().map(|f| f.bbox).collect()
}
