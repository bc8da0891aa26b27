//! No photo is shrunk so far that a 20 px face disappears.

use image::{RgbImage, imageops};
use rollcall::domain::geometry::BoundingBox;

use crate::support::{boxes, demo, pairs, starter_engine, texture};

const PORTRAITS: [&str; 4] =
    ["Aarav_Nutmegson_CSE-A-01", "Mei_Tidewell_CSE-A-19", "Omar_Cedarquay_CSE-A-20", "Freya_Applethorn_CSE-A-06"];
/// Even and odd places, corners and middle of a 12-megapixel photo.
const PLACES: [(u32, u32); 6] = [(3, 5), (3941, 2), (1777, 1313), (2500, 2801), (77, 2931), (3333, 701)];

/// The portrait scaled so that its face is `side_px` large, and where the face is in it.
fn small_portrait(portrait: &RgbImage, face: BoundingBox, side_px: f32) -> (RgbImage, BoundingBox) {
    let scale = side_px / face.side_px();
    let size = |v: u32| (v as f32 * scale).round() as u32;
    let small =
        imageops::resize(portrait, size(portrait.width()), size(portrait.height()), imageops::FilterType::Triangle);
    (small, BoundingBox::new(face.x1 * scale, face.y1 * scale, face.x2 * scale, face.y2 * scale))
}

fn found_at(side_px: f32) -> (usize, usize, usize) {
    let engine = starter_engine();
    let (mut wanted, mut hit, mut extra) = (0, 0, 0);
    for (n, student) in PORTRAITS.iter().enumerate() {
        let portrait = demo(&format!("dataset/{student}/face.jpg"));
        let face = engine.detect(&portrait).unwrap()[0].bbox;
        let (small, face) = small_portrait(&portrait, face, side_px);
        let mut photo = texture(4000, 3000, n as u32);
        let mut truth = Vec::new();
        for (x, y) in PLACES {
            imageops::replace(&mut photo, &small, i64::from(x), i64::from(y));
            let (x, y) = (x as f32, y as f32);
            truth.push(BoundingBox::new(face.x1 + x, face.y1 + y, face.x2 + x, face.y2 + y));
        }
        let found = engine.detect(&photo).unwrap();
        let matched = pairs(&truth, &boxes(&found), 0.4).len();
        (wanted, hit, extra) = (wanted + truth.len(), hit + matched, extra + found.len() - matched);
    }
    println!("faces of {side_px} px: {hit} of {wanted} found, {extra} false");
    (hit, wanted, extra)
}

#[test]
fn faces_of_22_px_in_12_megapixels_are_found() {
    let (hit, wanted, extra) = found_at(22.0);
    assert_eq!((hit, extra), (wanted, 0));
}

#[test]
fn faces_of_20_px_in_12_megapixels_are_found() {
    let (hit, wanted, extra) = found_at(20.0);
    assert_eq!((hit, extra), (wanted, 0));
}
