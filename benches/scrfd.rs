//! SCRFD: one square through the net, and the whole detector on a class photo. Needs the weights of a third party.

mod common;

use std::hint::black_box;

use common::{class_photo, engine, scrfd_pack};
use criterion::{Criterion, criterion_group, criterion_main};
use image::imageops;

fn detection(c: &mut Criterion) {
    let Some((_dir, pack)) = scrfd_pack() else { return };
    let engine = engine(&pack);
    let photo = class_photo();
    let square = imageops::crop_imm(&photo, 1000, 600, 640, 640).to_image();
    let mut group = c.benchmark_group("scrfd");
    group.sample_size(10);
    // With its smaller levels: 320 and 160 px.
    group.bench_function("one_square_640", |b| b.iter(|| engine.detect(black_box(&square)).expect("the net runs")));
    group.bench_function("class_photo_3000x2000", |b| {
        b.iter(|| engine.detect(black_box(&photo)).expect("the net runs"))
    });
    group.finish();
}

criterion_group!(benches, detection);
criterion_main!(benches);
