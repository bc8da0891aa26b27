//! The single-shot detector: its two forms against each other, squares and seams, what it finds beside the cascade.
//!
//! All of it needs weights of third parties and says `skipped:` without them.

use std::sync::OnceLock;

use image::{RgbImage, imageops};
use rollcall::domain::geometry::{BoundingBox, Detection};
use rollcall::engine::net::{BatchAxis, Dim, Net, NetSpec, Tensor};
use rollcall::engine::{Engine, EngineOptions, Placement};
use rollcall::pack::Pack;

use crate::support::{boxes, demo, fetched, on_cpu, original_mtcnn, pairs, read, runtime, shared, texture};

const BATCHED_FILE: &str = "name = \"scrfd_500m_kps_batch.onnx\"
sha256 = \"839c7034ea74c4ef4cbd80f6655ccf9c416b2b83eec76e5184b24b896a5b2896\"
bytes = 2521785";
const ORIGINAL_FILE: &str = "name = \"det_500m.onnx\"
sha256 = \"5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a\"
bytes = 2524817";

fn open(pack: &Pack) -> Engine {
    Engine::open(&runtime(), pack, on_cpu()).unwrap()
}

fn batched() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| fetched("buffalo-s-dequant", &[]).map(|(_dir, pack)| open(&pack))).as_ref()
}

fn group_photo(name: &str) -> Option<RgbImage> {
    Some(read(&shared("photos/group_photos")?.join(name)))
}

fn assert_same(left: &[Detection], right: &[Detection], what: &str) {
    assert_eq!(left.len(), right.len(), "{what}");
    for (a, b) in left.iter().zip(right) {
        assert!((a.score - b.score).abs() < 1e-5 && a.bbox.iou(&b.bbox) > 0.999, "{what}: {a:?} against {b:?}");
        assert!(a.landmarks.iter().zip(b.landmarks).all(|(p, q)| p.distance(q) < 0.05), "{what}: {a:?} against {b:?}");
    }
}

/// `det_500m` as InsightFace publishes it, nine outputs without a batch axis, against the same weights with one.
#[test]
fn the_original_graph_finds_what_the_batched_one_finds() {
    let swap = [(BATCHED_FILE, ORIGINAL_FILE), ("file = \"scrfd_500m_kps_batch.onnx\"", "file = \"det_500m.onnx\"")];
    let (Some(batched), Some((_dir, pack))) = (batched(), fetched("buffalo-s-dequant", &swap)) else { return };
    let original = open(&pack);
    let mut faces = 0;
    for name in ["class_52.jpg", "group_19.jpg", "group_101.jpg", "tvcast_6.jpg"] {
        let Some(photo) = group_photo(name) else { return };
        let found = batched.detect(&photo).unwrap();
        assert_same(&found, &original.detect(&photo).unwrap(), name);
        faces += found.len();
    }
    assert!(faces > 150, "{faces}");
}

#[test]
fn a_batch_of_squares_equals_its_singles() {
    let (Some(models), Some(photo)) = (shared("models"), group_photo("class_52.jpg")) else { return };
    let outputs = ["score", "bbox", "kps"].into_iter().flat_map(|kind| {
        [8, 16, 32].map(|stride| (Some(&*format!("{kind}_{stride}").leak()), vec![Dim::Free, Dim::Free, Dim::Free]))
    });
    let spec = NetSpec {
        name: "scrfd",
        path: models.join("scrfd_500m_kps_batch.onnx"),
        input: vec![Dim::Free, Dim::Fixed(3), Dim::Fixed(320), Dim::Fixed(320)],
        outputs: outputs.collect(),
        batch: BatchAxis::Kept,
    };
    let mut net = Net::load(&runtime(), &Placement::cpu(), spec).unwrap();
    let squares: Vec<Vec<f32>> = [(0, 0), (133, 77), (400, 150)]
        .into_iter()
        .map(|(x, y)| {
            let square = imageops::crop_imm(&photo, x, y, 320, 320).to_image();
            (0..3)
                .flat_map(|c| square.pixels().map(move |p| (f32::from(p[c]) - 127.5) / 128.0).collect::<Vec<_>>())
                .collect()
        })
        .collect();
    let together = net.run(&Tensor::new(vec![3, 3, 320, 320], squares.concat())).unwrap();
    for (item, square) in squares.into_iter().enumerate() {
        let alone = net.run(&Tensor::new(vec![1, 3, 320, 320], square)).unwrap();
        for (one, all) in alone.iter().zip(&together) {
            let share = &all.data[item * one.data.len()..(item + 1) * one.data.len()];
            assert!(one.data.iter().zip(share).all(|(a, b)| (a - b).abs() < 1e-4), "item {item}");
        }
    }
}

/// The same nineteen people at many places of a larger picture, so that every one of them meets seams of several levels.
#[test]
fn no_seam_splits_doubles_or_loses_a_face() {
    let (Some(engine), Some(group)) = (batched(), group_photo("group_19.jpg")) else { return };
    let truth = engine.detect(&group).unwrap();
    assert_eq!(truth.len(), 19);
    let mut worst = 1.0_f32;
    for (n, (x, y)) in [(0, 0), (97, 61), (211, 160), (333, 287), (450, 350), (576, 444)].into_iter().enumerate() {
        let mut photo = texture(group.width() + 600, group.height() + 460, n as u32);
        imageops::replace(&mut photo, &group, i64::from(x), i64::from(y));
        let (dx, dy) = (x as f32, y as f32);
        let moved: Vec<_> = truth
            .iter()
            .map(|f| BoundingBox::new(f.bbox.x1 + dx, f.bbox.y1 + dy, f.bbox.x2 + dx, f.bbox.y2 + dy))
            .collect();
        let found = engine.detect(&photo).unwrap();
        let matched = pairs(&moved, &boxes(&found), 0.6);
        let seen: Vec<usize> = matched.iter().map(|(_, j)| *j).collect();
        let extra: Vec<_> = (0..found.len()).filter(|j| !seen.contains(j)).map(|j| &found[j]).collect();
        assert_eq!(matched.len(), 19, "at {x}, {y}");
        // Now and then a hand scores just above the threshold; a second box on somebody's face would be the seam's doing.
        let doubles = extra.iter().filter(|f| moved.iter().any(|face| face.iom(&f.bbox) > 0.1)).count();
        assert!(doubles == 0 && extra.len() <= 1 && extra.iter().all(|f| f.score < 0.6), "at {x}, {y}: {extra:?}");
        worst = matched.iter().fold(worst, |w, (i, j)| w.min(moved[*i].iou(&found[*j].bbox)));
    }
    println!("least overlap with the face found without a move: {worst}");
}

/// From a face of 20 px in 12 megapixels to one that fills the photo.
#[test]
fn faces_of_every_size_are_found_once() {
    let (Some(engine), Some(cast)) = (batched(), group_photo("tvcast_6.jpg")) else { return };
    let largest =
        engine.detect(&cast).unwrap().into_iter().max_by(|a, b| a.bbox.side_px().total_cmp(&b.bbox.side_px()));
    let face = largest.unwrap().bbox;
    let margin = face.side_px() * 0.6;
    let clip = BoundingBox::new(face.x1 - margin, face.y1 - margin, face.x2 + margin, face.y2 + margin)
        .clipped(cast.width(), cast.height());
    let [x, y, w, h] = [clip.x1, clip.y1, clip.width(), clip.height()].map(|v| v as u32);
    let portrait = imageops::crop_imm(&cast, x, y, w, h).to_image();
    for side in [20.0, 31.0, 64.0, 180.0, 500.0, 900.0_f32] {
        let scale = side / face.side_px();
        let (w, h) = ((w as f32 * scale).round() as u32, (h as f32 * scale).round() as u32);
        let small = imageops::resize(&portrait, w, h, imageops::FilterType::Triangle);
        let mut photo = texture(4000, 3000, side as u32);
        let places = [(7, 5), (1777, 313), (901, 2101)];
        // Copies that do not fit beside each other are left out.
        let places = if w.max(h) < 700 { &places[..] } else { &places[..1] };
        for (x, y) in places {
            imageops::replace(&mut photo, &small, *x, *y);
        }
        let sizes: Vec<_> = engine.detect(&photo).unwrap().iter().map(|f| f.bbox.side_px() / side).collect();
        let right = sizes.len() == places.len() && sizes.iter().all(|r| (0.75..1.3).contains(r));
        assert!(right, "faces of {side} px, {} of them: {sizes:?}", places.len());
    }
}

#[test]
fn photos_without_room_for_a_face_are_empty_not_errors() {
    let Some(engine) = batched() else { return };
    for (width, height) in [(1, 1), (19, 4000), (10_000, 2), (20, 20), (21, 3001)] {
        assert_eq!(engine.analyse(&texture(width, height, 1)).unwrap().faces.len(), 0, "{width} x {height}");
    }
    assert!(engine.analyse(&RgbImage::new(640, 480)).unwrap().faces.is_empty());
}

/// Photos of several threads share the stage; the faces are those of each photo alone.
#[test]
fn photos_analysed_at_the_same_time_give_what_they_give_alone() {
    let Some(engine) = batched() else { return };
    let (Some(a), Some(b)) = (group_photo("class_52.jpg"), group_photo("group_19.jpg")) else { return };
    let photos = [&a, &b, &a];
    let alone = photos.map(|p| engine.detect(p).unwrap());
    let together: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = photos.iter().map(|p| scope.spawn(|| engine.detect(p).unwrap())).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (n, (alone, together)) in alone.iter().zip(&together).enumerate() {
        assert_same(alone, together, &format!("photo {n}"));
    }
}

fn truth(folder: &str, photo_column: &str) -> Option<Vec<(RgbImage, Vec<BoundingBox>)>> {
    let folder = shared(folder)?;
    let mut photos: Vec<(String, Vec<BoundingBox>)> = Vec::new();
    for row in csv::Reader::from_path(folder.join("truth.csv")).unwrap().deserialize() {
        let row: std::collections::HashMap<String, String> = row.unwrap();
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|column| row[column].parse::<f32>().unwrap());
        let name = row[photo_column].clone();
        if photos.last().is_none_or(|(last, _)| *last != name) {
            photos.push((name, Vec::new()));
        }
        photos.last_mut().unwrap().1.push(BoundingBox::from_xywh(x, y, w, h));
    }
    Some(photos.into_iter().map(|(name, boxes)| (read(&folder.join(name)), boxes)).collect())
}

/// Faces of the truth that are found, and found ones that are not in it.
fn recall(engine: &Engine, photos: &[(RgbImage, Vec<BoundingBox>)], min_iou: f32) -> (usize, usize) {
    photos.iter().fold((0, 0), |(hit, extra), (photo, wanted)| {
        let found = engine.detect(photo).unwrap();
        let matched = pairs(wanted, &boxes(&found), min_iou).len();
        (hit + matched, extra + found.len() - matched)
    })
}

#[test]
fn group_photos_show_no_fewer_faces_than_the_cascade_finds() {
    let (Some(engine), Some((_dir, mtcnn))) = (batched(), original_mtcnn()) else { return };
    let Some(photos) = truth("photos/group_photos", "image") else { return };
    let ours = recall(engine, &photos, 0.4);
    let theirs = recall(&open(&mtcnn), &photos, 0.4);
    println!("group photos, found and false: scrfd {ours:?}, mtcnn {theirs:?}");
    assert!(ours.0 >= theirs.0 && ours.0 >= 230 && ours.1 <= theirs.1, "scrfd {ours:?}, mtcnn {theirs:?}");
}

/// Twelve megapixels with 30 to 100 people. The truth holds tiles of portraits, whose middle is the face.
#[test]
fn every_face_of_the_large_composites_is_found() {
    let (Some(engine), Some(mut photos)) = (batched(), truth("photos/composites", "photo")) else { return };
    photos.truncate(3);
    let wanted: usize = photos.iter().map(|(_, boxes)| boxes.len()).sum();
    let (hit, extra) = recall(engine, &photos, 0.2);
    println!("composites: {hit} of {wanted} found, {extra} besides");
    assert!(hit == wanted && extra <= 2, "{hit} of {wanted}, {extra} besides");
}

#[test]
fn the_smallest_face_looked_for_can_be_raised() {
    let Some((_dir, pack)) = fetched("buffalo-s-dequant", &[]) else { return };
    let options = EngineOptions { min_face_px: Some(150), ..on_cpu() };
    let coarse = Engine::open(&runtime(), &pack, options).unwrap();
    let photo = demo("class_photos/CSE-A_2026-11-16_0900_left.jpg");
    let (large, all) = (coarse.detect(&photo).unwrap(), open(&pack).detect(&photo).unwrap());
    assert!(large.len() < all.len(), "{} of {}", large.len(), all.len());
    assert!(large.iter().all(|f| f.bbox.side_px() >= 112.0));
}
