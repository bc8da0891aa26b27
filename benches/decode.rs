//! The bytes of a picture file to upright RGB. Elements are pixels, so files of different sizes compare.

mod common;

use std::fs;
use std::hint::black_box;
use std::io::Cursor;

use common::{phone_photo, third_party};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};
use rollcall::vision::decode::{DecodeLimits, decode};

fn decoding(c: &mut Criterion) {
    let photo = phone_photo();
    let mut files = vec![("jpeg_12mp".to_owned(), jpeg(&photo)), ("png_12mp".to_owned(), png(&photo))];
    for (name, path) in [("progressive_jpeg", "progressive.jpg"), ("heic", "photo.heic")] {
        if let Some(path) = third_party(&format!("photos/format_variants/{path}")) {
            files.push((name.to_owned(), fs::read(path).expect("it was there a moment ago")));
        }
    }
    // A drawn picture as PNG is larger than what schools may send.
    let limits = DecodeLimits { max_bytes: u64::MAX, ..DecodeLimits::default() };
    let mut group = c.benchmark_group("decode");
    group.sample_size(20);
    for (name, bytes) in files {
        let pixels = decode(&bytes, &limits).expect("a whole picture").pixels;
        group.throughput(Throughput::Elements(u64::from(pixels.width()) * u64::from(pixels.height())));
        group.bench_function(name, |b| b.iter(|| decode(black_box(&bytes), &limits).expect("a whole picture")));
    }
    group.finish();
}

fn jpeg(photo: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(photo).expect("memory takes it");
    bytes
}

fn png(photo: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    photo.write_to(&mut bytes, ImageFormat::Png).expect("memory takes it");
    bytes.into_inner()
}

criterion_group!(benches, decoding);
criterion_main!(benches);
