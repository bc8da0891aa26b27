//! Against numbers made by other programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::RgbImage;
use rollcall::domain::geometry::{BoundingBox, Landmarks, Point};
use rollcall::engine::net::{BatchAxis, Dim, Net, NetSpec, Tensor};
use rollcall::engine::stage::{BatchSizes, Stage, StageOptions};
use rollcall::engine::{Admission, Engine, Placement};
use rollcall::vision::align::{ARCFACE_112, Similarity, arcface_112};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{boxes, on_cpu, original_mtcnn, pairs, read, root, runtime, shared};

/// Reference values are rounded to six digits.
const GOLDEN_TOLERANCE: f64 = 5e-6;

/// Every net that numbers are given for. There are none for `det_500m`, `scrfd_2.5g_kps` (both without a batch axis; the
/// first is held against its batched form in `scrfd.rs`), `face_detection_yunet_2023mar` and `w600k_mbf_dynint8`.
#[test]
fn nets_of_others_behind_our_stage_give_the_golden_numbers() {
    let Some(models) = shared("models") else { return };
    let golden: BTreeMap<String, Value> =
        serde_json::from_str(&fs::read_to_string(models.join("golden.json")).unwrap()).unwrap();
    assert_eq!(golden.len(), 14);
    for (file, expected) in golden {
        let input = golden_input(&expected);
        let outputs: Vec<&'static str> =
            expected["outputs"].as_object().unwrap().keys().map(|name| &*name.clone().leak()).collect();
        let axes = |name: &str| expected["outputs"][name]["shape"].as_array().unwrap().len();
        let spec = NetSpec {
            name: "golden",
            path: models.join(&file),
            input: input.shape.iter().map(|d| Dim::Fixed(*d)).collect(),
            outputs: outputs.iter().map(|name| (Some(*name), vec![Dim::Free; axes(name)])).collect(),
            batch: BatchAxis::Kept,
        };
        let mut net = Net::load(&runtime(), &Placement::cpu(), spec).unwrap();
        let options = StageOptions { max_batch: 8, batch_sizes: BatchSizes::Any, queue: 2 };
        let stage = Stage::start("golden", options, vec![move |input: &Tensor| net.run(input)]).unwrap();
        let answers = stage.submit(input, Admission::Wait).unwrap().wait().unwrap();
        for (output, answer) in outputs.iter().zip(answers) {
            compare(&format!("{file} {output}"), &expected["outputs"][output], &answer);
        }
    }
}

/// The input rule written in golden.json.
fn golden_input(expected: &Value) -> Tensor {
    let shape: Vec<usize> = serde_json::from_value(expected["input_shape"].clone()).unwrap();
    let grey = |i: u64| ((i.wrapping_mul(1_103_515_245).wrapping_add(12345) >> 16) & 255) as f32;
    let scale: fn(f32) -> f32 = match expected["input_rule"].as_str().unwrap().rsplit_once("x=").unwrap().1 {
        "(u-127.5)/128" => |u| (u - 127.5) / 128.0,
        "u" => |u| u,
        other => panic!("{other}"),
    };
    let data = (0..shape.iter().product::<usize>() as u64).map(|i| scale(grey(i))).collect();
    Tensor::new(shape, data)
}

fn compare(what: &str, expected: &Value, found: &Tensor) {
    assert_eq!(serde_json::json!(found.shape), expected["shape"], "{what}");
    let first: Vec<f64> = serde_json::from_value(expected["first8"].clone()).unwrap();
    for (a, b) in first.iter().zip(&found.data) {
        let tolerance = GOLDEN_TOLERANCE * a.abs().max(1.0);
        assert!((a - f64::from(*b)).abs() < tolerance, "{what}: {a} against {b}");
    }
    let sum: f64 = found.data.iter().map(|v| f64::from(*v)).sum();
    let norm = found.data.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let tolerance = GOLDEN_TOLERANCE * (found.data.len() as f64).sqrt().max(norm) + 5e-5;
    assert!((sum - expected["sum"].as_f64().unwrap()).abs() < tolerance, "{what}: sum {sum}");
    assert!((norm - expected["l2"].as_f64().unwrap()).abs() < tolerance, "{what}: norm {norm}");
}

#[derive(Deserialize)]
struct ReferencePhoto {
    image: String,
    pixels_sha256: String,
    faces: Vec<ReferenceFace>,
}

#[derive(Deserialize)]
struct ReferenceFace {
    #[serde(rename = "box")]
    corners: [f32; 4],
    score: f32,
    landmarks: [[f32; 2]; 5],
}

/// One to one with the numpy cascade of `tests/reference/mtcnn_reference.py`, which was given the pixels of our decoder.
/// (Pillow's differ by a few grey levels where colours are upsampled, which moves the boxes of 10 px faces by a pixel.)
#[test]
fn the_cascade_finds_the_faces_of_the_reference() {
    let (Some((_dir, pack)), Some(photos)) = (original_mtcnn(), shared("photos")) else { return };
    let engine = Engine::open(&runtime(), &pack, on_cpu()).unwrap();
    let text = fs::read_to_string(root().join("tests/reference/mtcnn_reference.json")).unwrap();
    let reference: Vec<ReferencePhoto> = serde_json::from_str(&text).unwrap();
    assert_eq!(reference.len(), 20);
    let (mut total, mut least_iou, mut most_px) = (0, 1.0_f32, 0.0_f32);
    for expected in &reference {
        let photo = read(&photos.join(&expected.image));
        assert_eq!(
            sha256(&photo),
            expected.pixels_sha256,
            "{}: the decoder gives other pixels, run {SCRIPT}",
            expected.image
        );
        let found = engine.detect(&photo).unwrap();
        let wanted: Vec<_> = expected
            .faces
            .iter()
            .map(|f| BoundingBox::new(f.corners[0], f.corners[1], f.corners[2], f.corners[3]))
            .collect();
        let matched = pairs(&wanted, &boxes(&found), 0.95);
        assert_eq!((matched.len(), found.len()), (wanted.len(), wanted.len()), "{}", expected.image);
        for (i, j) in matched {
            let (face, found) = (&expected.faces[i], &found[j]);
            assert!(
                (face.score - found.score).abs() < 1e-4,
                "{}: score {} against {}",
                expected.image,
                face.score,
                found.score
            );
            least_iou = least_iou.min(wanted[i].iou(&found.bbox));
            for ([x, y], mark) in face.landmarks.into_iter().zip(found.landmarks) {
                most_px = most_px.max(Point::new(x, y).distance(mark));
            }
        }
        total += wanted.len();
    }
    println!("{total} faces, least IoU {least_iou}, landmarks within {most_px} px");
    assert!(total > 400 && most_px < 0.1, "{total} faces, landmarks within {most_px} px");
}

const SCRIPT: &str = "tests/reference/mtcnn_reference.py";

fn sha256(photo: &RgbImage) -> String {
    Sha256::digest(photo.as_raw()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Not a test: hands the photos over to the reference script as our decoder sees them.
#[test]
#[ignore = "writes PNG files for mtcnn_reference.py"]
fn write_photos_for_the_reference() {
    let Some(photos) = shared("photos") else { return };
    for folder in ["group_photos", "e2e_tvcast/photos", "e2e_families/photos"] {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reference").join(folder);
        fs::create_dir_all(&target).unwrap();
        for entry in fs::read_dir(photos.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "jpg") {
                read(&path).save(target.join(path.file_stem().unwrap()).with_extension("png")).unwrap();
            }
        }
    }
    println!("{}", Path::new(env!("CARGO_TARGET_TMPDIR")).join("reference").display());
}

#[derive(Deserialize)]
struct ReferenceAlignment {
    name: String,
    landmarks: [[f32; 2]; 5],
    matrix: [[f64; 3]; 2],
    pixels: Vec<u8>,
}

/// Made with OpenCV 5, which interpolates exactly: the pixels are equal. (OpenCV 4 rounded coordinates to 1/32 pixel.)
#[test]
fn faces_are_aligned_as_numpy_and_opencv_do() {
    let text = fs::read_to_string(root().join("tests/reference/align_reference.json")).unwrap();
    let cases: Vec<ReferenceAlignment> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 4);
    let picture = drawn_picture();
    for case in cases {
        let landmarks: Landmarks = case.landmarks.map(|[x, y]| Point::new(x, y));
        let s = Similarity::between(&landmarks, &ARCFACE_112).unwrap();
        let matrix = [[s.a, -s.b, s.tx], [s.b, s.a, s.ty]];
        for (a, b) in matrix.iter().flatten().zip(case.matrix.iter().flatten()) {
            assert!((a - b).abs() < 2e-5, "{}: {matrix:?} against {:?}", case.name, case.matrix);
        }
        let face = arcface_112(&picture, &landmarks).unwrap();
        let every_eighth = (0..112).step_by(8).flat_map(|y| (0..112).step_by(8).map(move |x| (x, y)));
        let found = every_eighth.flat_map(|(x, y)| face.get_pixel(x, y).0);
        let differences: Vec<_> = found.zip(&case.pixels).map(|(a, b)| a.abs_diff(*b)).collect();
        assert_eq!(differences.len(), case.pixels.len());
        let mean = differences.iter().map(|d| f64::from(*d)).sum::<f64>() / differences.len() as f64;
        let most = differences.iter().max().unwrap();
        println!("{}: mean {mean:.3}, most {most} grey levels", case.name);
        assert!(mean < 0.05 && *most <= 1, "{}: mean {mean}, most {most}", case.name);
    }
}

/// The picture that `mtcnn_reference.py --align` draws.
fn drawn_picture() -> RgbImage {
    RgbImage::from_fn(320, 240, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let wave = |a: f64, b: f64, c: f64| (127.5 + 110.0 * (x / a + y / b + c).sin()).round_ties_even() as u8;
        image::Rgb([wave(9.0, 14.0, 0.0), wave(-21.0, 8.0, 1.0), wave(30.0, 30.0, 2.0)])
    })
}
