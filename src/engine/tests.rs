//! What can be tested of a GPU's path where there is none: its shapes, its batches and its precision, on the CPU.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::pack::Manifest;

/// A cascade with a small embedder, one with a transformer, and a single-shot detector with a large embedder.
const PACKS: [&str; 3] = ["starter", "mtcnn-edgeface-xs", "buffalo-s-dequant"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn runtime() -> Runtime {
    Runtime::load(&RuntimeOptions { dirs: vec![root().join("runtime")], ..RuntimeOptions::default() }).unwrap()
}

/// A file or folder of third parties beside the repository.
fn shared(path: &str) -> Option<PathBuf> {
    let found = root().join("../shared").join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: {path} is not there");
    None
}

/// A pack of `models/`, its files from beside the repository where they are other people's.
fn pack(name: &str) -> Option<(tempfile::TempDir, Pack)> {
    let (dir, own) = (tempfile::tempdir().unwrap(), root().join("models").join(name));
    let text = fs::read_to_string(own.join("pack.toml")).unwrap();
    for file in Manifest::parse(&text).unwrap().files {
        let from = Some(own.join(&file.name)).filter(|path| path.exists());
        let from = from.or_else(|| shared(&format!("models/{}", file.name)))?;
        fs::copy(from, dir.path().join(&file.name)).unwrap();
    }
    fs::write(dir.path().join("pack.toml"), text).unwrap();
    let pack = Pack::open(dir.path()).unwrap();
    Some((dir, pack))
}

fn photo(path: &Path) -> RgbImage {
    image::load_from_memory(&fs::read(path).unwrap()).unwrap().to_rgb8()
}

/// A class photo of the demo school, and one of real faces where it is; at half their size.
fn class_photos() -> Vec<RgbImage> {
    let demo = root().join("dataset/demo/class_photos/CSE-A_2026-11-17_0900_full.jpg");
    let real = shared("photos/composites/photo_1.jpg");
    let smaller = |photo: RgbImage| image::imageops::thumbnail(&photo, photo.width() / 2, photo.height() / 2);
    [Some(demo), real].into_iter().flatten().map(|path| smaller(photo(&path))).collect()
}

fn engine(pack: &Pack, place: &Placement) -> Engine {
    let options = EngineOptions { max_faces: 200, ..EngineOptions::default() };
    try_engine(pack, place, &options).unwrap()
}

/// Least overlap of a box with its own in `wanted`, and least cosine of the embeddings; there must be as many.
fn least_agreement(found: &Analysis, wanted: &Analysis) -> (f32, f32) {
    assert_eq!(found.faces.len(), wanted.faces.len());
    let (mut least_iou, mut least_cosine) = (1.0_f32, 1.0_f32);
    for face in &wanted.faces {
        let overlap = |other: &&AnalysedFace| other.detection.bbox.iou(&face.detection.bbox);
        let twin = found.faces.iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b))).unwrap();
        least_iou = least_iou.min(overlap(&twin));
        let cosine = twin.embedding.as_ref().unwrap().cosine(face.embedding.as_ref().unwrap());
        least_cosine = least_cosine.min(cosine);
    }
    (least_iou, least_cosine)
}

fn try_engine(pack: &Pack, place: &Placement, options: &EngineOptions) -> Result<Engine, EngineError> {
    Opening { runtime: &runtime(), pack, options }.on(place)
}

/// The first faces of a photo, aligned.
fn crops(engine: &Engine, photo: &RgbImage, most: usize) -> Vec<RgbImage> {
    let faces = engine.detect(photo).unwrap();
    faces.iter().take(most).map(|face| aligned(photo, face).unwrap()).collect()
}

#[test]
fn batches_and_tiles_of_a_gpu_find_what_the_cpu_finds() {
    for name in PACKS {
        let Some((_dir, pack)) = pack(name) else { continue };
        let [gpu, cpu] = [Placement::cpu_as_gpu(Precision::Single), Placement::cpu_with_few_shapes()];
        let [gpu, cpu] = [gpu, cpu].map(|place| engine(&pack, &place));
        for photo in class_photos() {
            let (found, wanted) = (gpu.analyse(&photo).unwrap(), cpu.analyse(&photo).unwrap());
            let (iou, cosine) = least_agreement(&found, &wanted);
            println!("{name}: {} faces, IoU {iou:.5}, cosine {cosine:.6}", wanted.faces.len());
            assert!(iou > 0.9999 && cosine > 0.9999, "{name}: IoU {iou}, cosine {cosine}");
        }
        self_test::agree(&gpu, &cpu).unwrap();
    }
}

/// P-Net sees the same cells in whatever tiles. SCRFD does not: its tiles show faces with other surroundings.
#[test]
fn the_cascade_finds_the_same_in_tiles_of_a_gpu_and_of_the_cpu() {
    for name in ["starter", "mtcnn-edgeface-xs"] {
        let Some((_dir, pack)) = pack(name) else { continue };
        let [few, all] = [Placement::cpu_with_few_shapes(), Placement::cpu()].map(|place| engine(&pack, &place));
        for photo in class_photos() {
            let (iou, cosine) = least_agreement(&few.analyse(&photo).unwrap(), &all.analyse(&photo).unwrap());
            assert!(iou > 0.9999 && cosine > 0.9999, "{name}: IoU {iou}, cosine {cosine}");
        }
    }
}

#[test]
fn embeddings_of_a_batch_that_was_filled_up_are_those_of_the_faces_alone() {
    let (_dir, pack) = pack("starter").unwrap();
    let [filled, alone] =
        [Placement::cpu_as_gpu(Precision::Single), Placement::cpu()].map(|place| engine(&pack, &place));
    let crops = crops(&alone, &class_photos()[0], 5);
    let together = filled.embed_aligned(&crops).unwrap();
    for (crop, found) in crops.iter().zip(together) {
        let alone = alone.embed_aligned(std::slice::from_ref(crop)).unwrap().remove(0).unwrap();
        let (found, wanted) = (found.unwrap(), alone.values());
        let furthest = found.values().iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let largest = wanted.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(furthest <= 1e-5 * largest, "{furthest} of {largest}");
    }
}

/// On the CPU, which rounds to 16 bits after every operator as CUDA does, and computes some of them wider.
#[test]
fn nets_in_half_precision_see_the_same() {
    for name in ["starter", "buffalo-s-dequant"] {
        let Some((_dir, pack)) = pack(name) else { continue };
        let half = engine(&pack, &Placement::cpu_as_gpu(Precision::Half));
        let single = engine(&pack, &Placement::cpu_with_few_shapes());
        for photo in class_photos() {
            let (found, wanted) = (half.detect(&photo).unwrap(), single.detect(&photo).unwrap());
            assert_eq!(found.len(), wanted.len(), "{name}");
            let overlap = |face: &Detection| found.iter().map(|other| other.bbox.iou(&face.bbox)).fold(0.0, f32::max);
            let iou = wanted.iter().map(overlap).fold(1.0, f32::min);
            let crops = crops(&single, &photo, 40);
            let [found, wanted] = [&half, &single].map(|engine| engine.embed_aligned(&crops).unwrap());
            let cosine = |(a, b): (&Result<Embedding, _>, &Result<Embedding, EmbeddingError>)| {
                a.as_ref().unwrap().cosine(b.as_ref().unwrap())
            };
            let cosine = found.iter().zip(&wanted).map(cosine).fold(1.0, f32::min);
            println!("{name}: {} faces, IoU {iou:.4}, cosine {cosine:.6}", crops.len());
            assert!(iou >= 0.99 && cosine >= 0.999, "{name}: IoU {iou}, cosine {cosine}");
        }
        self_test::agree(&half, &single).unwrap();
    }
}

#[test]
fn a_net_that_is_not_known_to_be_right_in_half_precision_is_refused() {
    let Some((_dir, pack)) = pack("mtcnn-edgeface-xs") else { return };
    let place = Placement::cpu_as_gpu(Precision::Half);
    let said = try_engine(&pack, &place, &EngineOptions::default()).unwrap_err().to_string();
    assert!(said.contains("net embedder") && said.contains("gpu.fp16 = \"off\""), "{said}");
}
