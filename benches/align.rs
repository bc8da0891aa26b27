//! Five landmarks and a photo to an upright face of 112 x 112 pixels.

mod common;

use std::hint::black_box;

use common::class_photo;
use criterion::{Criterion, criterion_group, criterion_main};
use rollcall::domain::geometry::{Landmarks, Point};
use rollcall::vision::align::{ARCFACE_112, arcface_112};

fn alignment(c: &mut Criterion) {
    let photo = class_photo();
    let mut group = c.benchmark_group("align");
    // The template is a face of about 95 px; the largest has several samples for each pixel.
    for (name, scale) in [("face_50px", 0.5), ("face_150px", 1.6), ("face_600px", 6.3)] {
        let landmarks = face(scale);
        group.bench_function(name, |b| {
            b.iter(|| arcface_112(black_box(&photo), &landmarks).expect("the landmarks differ"))
        });
    }
    group.finish();
}

/// A face at the middle of the photo, slightly turned.
fn face(scale: f32) -> Landmarks {
    let (sin, cos) = 0.1_f32.sin_cos();
    ARCFACE_112.map(|p| {
        let (x, y) = ((p.x - 56.0) * scale, (p.y - 56.0) * scale);
        Point::new(1500.0 + cos * x - sin * y, 1000.0 + sin * x + cos * y)
    })
}

criterion_group!(benches, alignment);
criterion_main!(benches);
