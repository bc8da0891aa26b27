//! What can be tested of a GPU's path where there is none: its shapes, its batches and its precision, on the CPU.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::domain::geometry::BoundingBox;
use crate::pack::Manifest;

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

/// Class photos of the demo school, and of real faces where they are.
fn class_photos() -> Vec<RgbImage> {
    let demo = root().join("dataset/demo/class_photos/CSE-A_2026-11-17_0900_full.jpg");
    let real = shared("photos/composites/photo_1.jpg");
    [Some(demo), real].into_iter().flatten().map(|path| photo(&path)).collect()
}

fn engine(pack: &Pack, place: &Placement) -> Engine {
    let options = EngineOptions { max_faces: 200, ..EngineOptions::default() };
    Opening { runtime: &runtime(), pack, options: &options }.on(place).unwrap()
}

fn half() -> Placement {
    Placement::on(Provider::Cpu, Precision::Half, GpuOptions::default())
}

/// Least overlap of a box with its own in `wanted`, and least cosine of the embeddings; there must be as many.
fn least_agreement(found: &Analysis, wanted: &Analysis) -> (f32, f32) {
    assert_eq!(found.faces.len(), wanted.faces.len());
    let (mut least_iou, mut least_cosine) = (1.0_f32, 1.0_f32);
    for face in &wanted.faces {
        let overlap = |other: &&AnalysedFace| iou(&other.detection.bbox, &face.detection.bbox);
        let twin = found.faces.iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b))).unwrap();
        least_iou = least_iou.min(overlap(&twin));
        let cosine = twin.embedding.as_ref().unwrap().cosine(face.embedding.as_ref().unwrap());
        least_cosine = least_cosine.min(cosine);
    }
    (least_iou, least_cosine)
}

fn iou(a: &BoundingBox, b: &BoundingBox) -> f32 {
    a.iou(b)
}

#[test]
fn shapes_of_a_gpu_find_what_shapes_of_the_cpu_find() {
    for name in ["starter", "mtcnn-edgeface-xs", "buffalo-s-dequant"] {
        let Some((_dir, pack)) = pack(name) else { continue };
        let [few, all] = [Placement::cpu_with_few_shapes(), Placement::cpu()].map(|place| engine(&pack, &place));
        for photo in class_photos() {
            let (found, wanted) = (few.analyse(&photo).unwrap(), all.analyse(&photo).unwrap());
            let (iou, cosine) = least_agreement(&found, &wanted);
            println!("{name}: {} faces, IoU {iou:.4}, cosine {cosine:.5}", wanted.faces.len());
            assert!(iou >= 0.99 && cosine >= 0.999, "{name}: IoU {iou}, cosine {cosine}");
        }
        self_test::agree(&few, &all).unwrap();
    }
}

#[test]
fn embeddings_of_a_batch_that_was_filled_up_are_those_of_the_faces_alone() {
    let (_dir, pack) = pack("starter").unwrap();
    let [few, all] = [Placement::cpu_with_few_shapes(), Placement::cpu()].map(|place| engine(&pack, &place));
    let faces = few.analyse(&class_photos()[0]).unwrap().faces;
    let crops: Vec<RgbImage> = faces.into_iter().take(5).map(|face| face.aligned).collect();
    let together = few.embed_aligned(&crops).unwrap();
    for (crop, found) in crops.iter().zip(together) {
        let alone = all.embed_aligned(std::slice::from_ref(crop)).unwrap().remove(0).unwrap();
        let furthest =
            found.unwrap().values().iter().zip(alone.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let size = alone.values().iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(furthest <= 1e-5 * size, "{furthest} of {size}");
    }
    let (_, embedder) = few.stats().pop().unwrap();
    assert_eq!(embedder.copies, few.stats().last().unwrap().1.copies);
}

#[test]
fn nets_in_half_precision_see_the_same() {
    for name in ["starter", "mtcnn-edgeface-xs", "buffalo-s-dequant"] {
        let Some((_dir, pack)) = pack(name) else { continue };
        let [narrow, wide] = [half(), Placement::cpu()].map(|place| engine(&pack, &place));
        for photo in class_photos() {
            let (found, wanted) = (narrow.analyse(&photo).unwrap(), wide.analyse(&photo).unwrap());
            let (iou, cosine) = least_agreement(&found, &wanted);
            println!("{name}: {} faces, IoU {iou:.4}, cosine {cosine:.5}", wanted.faces.len());
        }
        println!("{:?}", self_test::agree(&narrow, &wide));
    }
}
