//! The pixels of a 12-megapixel photo as the tensors of detectors and of their crops, without any net.

mod common;

use std::hint::black_box;

use common::{PHONE_PHOTO, phone_photo};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use image::RgbImage;
use rollcall::vision::tensor::{AreaGrid, Normalisation, PixelRect};

/// The first level of MTCNN for 20 px faces, and what each further one is of the one before.
const MTCNN_LEVELS: (f64, f64) = (0.6, 0.709);
/// The same of SCRFD, with a pack that finds 20 px faces reliably.
const SCRFD_LEVELS: (f64, f64) = (1.0, 0.5);
/// P-Net's cell: nothing smaller holds one.
const SMALLEST_PX: u32 = 12;
/// Side of one tensor; levels are cut into tiles, neighbours without overlap.
const TILE_PX: u32 = 512;

fn pyramids(c: &mut Criterion) {
    let photo = phone_photo();
    let mut group = c.benchmark_group("pyramid");
    group.sample_size(20);
    for (name, levels) in [("mtcnn", MTCNN_LEVELS), ("scrfd", SCRFD_LEVELS)] {
        let levels = sizes(levels);
        let pixels = levels.iter().map(|(width, height)| u64::from(width * height)).sum();
        group.throughput(Throughput::Elements(pixels));
        group.bench_function(format!("{name}_12mp"), |b| {
            b.iter(|| levels.iter().for_each(|level| tiles(black_box(&photo), *level)));
        });
    }
    group.finish();
}

fn crops(c: &mut Criterion) {
    let photo = phone_photo();
    let mut group = c.benchmark_group("crop");
    for side in [24, 48] {
        let part = PixelRect::whole(side, side);
        let grid = AreaGrid { source: PixelRect { x: 300, y: 300, width: 90, height: 90 }, width: side, height: side };
        group.bench_function(format!("90px_to_{side}"), |b| {
            b.iter_batched_ref(
                || vec![0.0; part.tensor_len()],
                |out| grid.fill(black_box(&photo), part, &Normalisation::MTCNN, out),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Width and height of each level.
fn sizes((first, factor): (f64, f64)) -> Vec<(u32, u32)> {
    let size = |side: u32, scale: f64| (f64::from(side) * scale).round() as u32;
    std::iter::successors(Some(first), |scale| Some(scale * factor))
        .map(|scale| (size(PHONE_PHOTO.0, scale), size(PHONE_PHOTO.1, scale)))
        .take_while(|(_, height)| *height >= SMALLEST_PX)
        .collect()
}

/// Fills one tensor after the other, as detectors do.
fn tiles(photo: &RgbImage, (width, height): (u32, u32)) {
    let source = PixelRect::whole(photo.width(), photo.height());
    let grid = AreaGrid { source, width, height };
    for y in (0..height).step_by(TILE_PX as usize) {
        for x in (0..width).step_by(TILE_PX as usize) {
            let part = PixelRect { x, y, width: TILE_PX.min(width - x), height: TILE_PX.min(height - y) };
            let mut tensor = vec![0.0; part.tensor_len()];
            grid.fill(photo, part, &Normalisation::MTCNN, &mut tensor);
            black_box(tensor);
        }
    }
}

criterion_group!(benches, pyramids, crops);
criterion_main!(benches);
