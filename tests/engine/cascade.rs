//! The engine against itself: tiles, batches, threads, odd photos.

use image::{RgbImage, imageops};
use rollcall::domain::geometry::Detection;
use rollcall::engine::net::{BatchAxis, Dim, Net, NetSpec, Tensor};
use rollcall::engine::{Engine, EngineOptions, Placement};
use rollcall::pack::Pack;

use crate::support::{demo, on_cpu, original_mtcnn, runtime, starter, starter_engine, texture};

const CLASS_PHOTO: &str = "class_photos/CSE-A_2026-11-16_0900_left.jpg";

fn load(pack: &Pack, name: &'static str, inputs: [Dim; 4], outputs: &[(&'static str, Vec<Dim>)]) -> Net {
    let outputs = outputs.iter().map(|(name, dims)| (Some(*name), dims.clone())).collect();
    let path = pack.file(&format!("{name}.onnx"));
    Net::load(
        &runtime(),
        &Placement::cpu(),
        NetSpec { name, path, input: inputs.to_vec(), outputs, batch: BatchAxis::Kept },
    )
    .unwrap()
}

fn pnet(pack: &Pack) -> Net {
    let cells = |planes| vec![Dim::Free, Dim::Fixed(planes), Dim::Free, Dim::Free];
    load(pack, "pnet", [Dim::Free, Dim::Fixed(3), Dim::Free, Dim::Free], &[("prob", cells(2)), ("reg", cells(4))])
}

fn noise(shape: [usize; 4]) -> Tensor {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32 / 128.0 - 1.0
    };
    Tensor::new(shape.to_vec(), (0..shape.iter().product()).map(|_| next()).collect())
}

/// Rows `y..y+h` and columns `x..x+w` of a [1, c, H, W] tensor.
fn cut(tensor: &Tensor, [y, x, h, w]: [usize; 4]) -> Tensor {
    let [_, c, full_h, full_w] = tensor.shape[..] else { panic!("four axes") };
    let rows = (0..c).flat_map(|c| (y..y + h).map(move |row| (c * full_h + row) * full_w + x));
    Tensor::new(vec![1, c, h, w], rows.flat_map(|at| tensor.data[at..at + w].to_vec()).collect())
}

/// Even starts and 10 pixels of overlap: each tile holds exactly the whole level's cells, bit for bit. The original net
/// gives one more row on odd sizes (its pooling rounds up) and ours does not; both are read from the output.
fn tiles_have_the_cells_of_the_level(pack: &Pack) {
    let mut net = pnet(pack);
    for (height, width) in [(96, 130), (97, 131), (75, 201)] {
        let level = noise([1, 3, height, width]);
        let whole = net.run(&level).unwrap();
        let (rows, columns) = (whole[0].shape[2], whole[0].shape[3]);
        let mut seen = 0;
        for (y, h) in [(0, 50), (40, height - 40)] {
            for (x, w) in [(0, 64), (54, 60), (104, width - 104)] {
                let tile = net.run(&cut(&level, [y, x, h, w])).unwrap();
                let (r, c) = (tile[0].shape[2], tile[0].shape[3]);
                for (tile, whole) in tile.iter().zip(&whole) {
                    assert_eq!(*tile, cut(whole, [y / 2, x / 2, r, c]), "tile at {x}, {y} of {width} x {height}");
                }
                seen += r * c;
            }
        }
        assert_eq!(seen, rows * columns, "{width} x {height}");
    }
}

#[test]
fn tiles_of_the_starter_pnet_are_its_level() {
    tiles_have_the_cells_of_the_level(&starter());
}

#[test]
fn tiles_of_the_original_pnet_are_its_level() {
    let Some((_dir, pack)) = original_mtcnn() else { return };
    tiles_have_the_cells_of_the_level(&pack);
}

/// Largest difference between a batch and its items one by one, in units of the largest value.
fn batch_against_singles(net: &mut Net, batch: &Tensor) -> f32 {
    let together = net.run(batch).unwrap();
    let item: usize = batch.shape[1..].iter().product();
    let mut worst = 0.0_f32;
    for (i, values) in batch.data.chunks(item).enumerate() {
        let single = Tensor::new([&[1], &batch.shape[1..]].concat(), values.to_vec());
        for (one, all) in net.run(&single).unwrap().iter().zip(&together) {
            let share = &all.data[i * one.data.len()..(i + 1) * one.data.len()];
            let scale = one.data.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            worst = one.data.iter().zip(share).fold(worst, |w, (a, b)| w.max((a - b).abs() / scale));
        }
    }
    worst
}

#[test]
fn batches_of_crops_equal_their_singles() {
    let pack = starter();
    for (name, side, extra) in [("rnet", 24, None), ("onet", 48, Some(("landmarks", vec![Dim::Free, Dim::Fixed(10)])))]
    {
        let mut outputs = vec![("prob", vec![Dim::Free, Dim::Fixed(2)]), ("reg", vec![Dim::Free, Dim::Fixed(4)])];
        outputs.extend(extra);
        let mut net = load(&pack, name, [Dim::Free, Dim::Fixed(3), Dim::Fixed(side), Dim::Fixed(side)], &outputs);
        let worst = batch_against_singles(&mut net, &noise([9, 3, side, side]));
        println!("{name}: {worst:e}");
        assert!(worst <= 1e-5, "{name}: {worst}");
    }
}

#[test]
fn a_batch_of_faces_equals_its_singles() {
    let engine = starter_engine();
    let faces = engine.analyse(&demo(CLASS_PHOTO)).unwrap().faces;
    assert!(faces.len() > 10);
    for face in &faces {
        let alone = engine.embed_aligned(std::slice::from_ref(&face.aligned)).unwrap().remove(0).unwrap();
        let together = face.embedding.as_ref().unwrap();
        let scale = alone.values().iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for (a, b) in alone.values().iter().zip(together.values()) {
            assert!((a - b).abs() / scale <= 1e-5, "{a} against {b}");
        }
    }
}

fn assert_same_faces(left: &[Detection], right: &[Detection]) {
    assert_eq!(left.len(), right.len());
    for (a, b) in left.iter().zip(right) {
        assert!((a.score - b.score).abs() < 1e-5 && a.bbox.iou(&b.bbox) > 0.999, "{a:?} against {b:?}");
        assert!(a.landmarks.iter().zip(b.landmarks).all(|(p, q)| p.distance(q) < 0.05), "{a:?} against {b:?}");
    }
}

#[test]
fn photos_analysed_at_the_same_time_give_what_they_give_alone() {
    let engine = Engine::open(&runtime(), &starter(), on_cpu()).unwrap();
    let half = |name: &str| imageops::thumbnail(&demo(name), 1500, 1000);
    let photos = [half(CLASS_PHOTO), half("class_photos/AIML-B_2026-11-16_1100_full.jpg"), half(CLASS_PHOTO)];
    let alone: Vec<_> = photos.iter().map(|p| engine.analyse(p).unwrap()).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = photos.iter().map(|p| scope.spawn(|| engine.analyse(p).unwrap())).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (a, b) in alone.iter().zip(&together) {
        let detections =
            |analysis: &rollcall::engine::Analysis| analysis.faces.iter().map(|f| f.detection).collect::<Vec<_>>();
        assert!(a.faces.len() > 10);
        assert_same_faces(&detections(a), &detections(b));
        for (a, b) in a.faces.iter().zip(&b.faces) {
            let cosine = a.embedding.as_ref().unwrap().cosine(b.embedding.as_ref().unwrap());
            assert!(cosine > 0.9999, "{cosine}");
        }
    }
    for (name, stats) in engine.stats() {
        println!("{name}: {stats:?}");
        assert_eq!(stats.abandoned, 0);
    }
}

#[test]
fn photos_without_room_for_a_face_are_empty_not_errors() {
    let engine = starter_engine();
    for (width, height) in [(1, 1), (11, 11), (19, 4000), (10_000, 2), (2, 10_000), (20, 20), (21, 3001)] {
        let analysis = engine.analyse(&texture(width, height, 1)).unwrap();
        assert_eq!((analysis.faces.len(), analysis.faces_left_out), (0, 0), "{width} x {height}");
    }
    let black = RgbImage::new(640, 480);
    assert!(engine.analyse(&black).unwrap().faces.is_empty());
}

#[test]
fn faces_over_the_limit_are_counted_and_the_largest_stay() {
    let photo = demo(CLASS_PHOTO);
    let all = starter_engine().analyse(&photo).unwrap().faces;
    let few = Engine::open(&runtime(), &starter(), EngineOptions { max_faces: 5, ..on_cpu() }).unwrap();
    let analysis = few.analyse(&photo).unwrap();
    assert_eq!((analysis.faces.len(), analysis.faces_left_out as usize), (5, all.len() - 5));
    let mut sides: Vec<_> = all.iter().map(|f| f.detection.bbox.side_px()).collect();
    sides.sort_by(|a, b| b.total_cmp(a));
    assert!(analysis.faces.iter().all(|f| f.detection.bbox.side_px() >= sides[4] - 0.01));
    assert!(analysis.faces.is_sorted_by(|a, b| a.detection.score >= b.detection.score));
}

/// P-Net also proposes on faces of two thirds of its cell, hence the wide step: these photos have faces of 65 to 185 px.
#[test]
fn the_smallest_face_looked_for_can_be_raised() {
    assert_eq!(starter().manifest().detector.min_face_px(), 20);
    let options = EngineOptions { min_face_px: Some(200), ..on_cpu() };
    let coarse = Engine::open(&runtime(), &starter(), options).unwrap();
    let photo = demo(CLASS_PHOTO);
    let (large, all) = (coarse.detect(&photo).unwrap(), starter_engine().detect(&photo).unwrap());
    assert!(!large.is_empty() && large.len() < all.len(), "{} of {}", large.len(), all.len());
}
