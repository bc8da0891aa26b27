//! What the benches share: pictures of fixed sizes, ONNX Runtime, packs, and files of third parties where they are.
//!
//! Everything is taken from the repository, except what [`third_party`] finds beside it. Each bench uses some of this.

#![expect(dead_code, reason = "no bench uses all of this")]

pub(crate) mod class;

use std::fs;
use std::path::{Path, PathBuf};

use fast_image_resize::Resizer;
use image::RgbImage;
use rollcall::engine::net::{Net, NetSpec, Tensor};
use rollcall::engine::{Engine, EngineOptions, Placement, ProviderChoice, Runtime, RuntimeOptions};
use rollcall::pack::Pack;
use tempfile::TempDir;

/// 18 faces, 3000 x 2000.
const CLASS_PHOTO: &str = "dataset/demo/class_photos/AIML-B_2026-11-16_1100_full.jpg";
/// A phone's 12 megapixels.
pub(crate) const PHONE_PHOTO: (u32, u32) = (4000, 3000);

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A photo of the demo school.
pub(crate) fn class_photo() -> RgbImage {
    image::open(root().join(CLASS_PHOTO)).expect("the demo school is part of the repository").to_rgb8()
}

/// The same at the size of a phone's photo.
pub(crate) fn phone_photo() -> RgbImage {
    let mut photo = RgbImage::new(PHONE_PHOTO.0, PHONE_PHOTO.1);
    Resizer::new().resize(&class_photo(), &mut photo, None).expect("both are RGB8 and not empty");
    photo
}

/// A file beside the repository: those of other people are no part of it. Says so where it is absent.
pub(crate) fn third_party(path: &str) -> Option<PathBuf> {
    let file = root().join("../shared").join(path);
    if !file.is_file() {
        println!("skipped: needs {}", file.display());
        return None;
    }
    Some(file)
}

pub(crate) fn runtime() -> Runtime {
    let options = RuntimeOptions { dirs: vec![root().join("runtime")], ..RuntimeOptions::default() };
    Runtime::load(&options).expect("run `make setup` first")
}

pub(crate) fn starter() -> Pack {
    Pack::open(&root().join("models/starter")).expect("the starter pack is part of the repository")
}

/// The pack `buffalo-s-dequant` in a folder of its own, which must outlive it; none where its weights are absent.
pub(crate) fn scrfd_pack() -> Option<(TempDir, Pack)> {
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    let copy = |from: &Path, name: &str| fs::copy(from, dir.path().join(name)).expect("room for 16 MB");
    for name in ["scrfd_500m_kps_batch.onnx", "w600k_mbf_dequant_fp32.onnx"] {
        copy(&third_party(&format!("models/{name}"))?, name);
    }
    copy(&root().join("models/buffalo-s-dequant/pack.toml"), "pack.toml");
    let pack = Pack::open(dir.path()).expect("the weights are those of the manifest");
    Some((dir, pack))
}

pub(crate) fn engine(pack: &Pack) -> Engine {
    let options = EngineOptions { provider: ProviderChoice::Cpu, ..EngineOptions::default() };
    Engine::open(&runtime(), pack, options).expect("the pack opens on every CPU")
}

pub(crate) fn net(spec: NetSpec) -> Net {
    Net::load(&runtime(), &Placement::cpu(), spec).expect("the pack has this net")
}

/// `items` pictures of `side` x `side` pixels, all of one grey.
pub(crate) fn blank(items: usize, side: usize) -> Tensor {
    Tensor::new(vec![items, 3, side, side], vec![0.1; items * 3 * side * side])
}
