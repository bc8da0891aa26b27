//! One benchmark for each step of a photo, on fixed inputs of the demo school and the starter pack.
//!
//! Needs ONNX Runtime in `runtime/` (`make setup`). Numbers of whole runs come from `rollcall models bench`, not from here.

use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use image::RgbImage;
use rollcall::engine::net::{BatchAxis, Dim, Net, NetSpec, Tensor};
use rollcall::engine::{Engine, EngineOptions, Provider, ProviderChoice, Runtime, RuntimeOptions};
use rollcall::pack::Pack;
use rollcall::vision::align;
use rollcall::vision::tensor::{AreaGrid, Normalisation, PixelRect};

const CLASS_PHOTO: &str = "dataset/demo/class_photos/CSE-A_2026-11-16_0900_left.jpg";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn photo() -> RgbImage {
    image::open(root().join(CLASS_PHOTO)).expect("the demo school is part of the repository").to_rgb8()
}

fn runtime() -> Runtime {
    let options = RuntimeOptions { dirs: vec![root().join("runtime")], ..RuntimeOptions::default() };
    Runtime::load(&options).expect("run `make setup` first")
}

fn pack() -> Pack {
    Pack::open(&root().join("models/starter")).expect("the starter pack is part of the repository")
}

fn engine() -> Engine {
    let options = EngineOptions { provider: ProviderChoice::Cpu, ..EngineOptions::default() };
    Engine::open(&runtime(), &pack(), options).expect("the starter pack opens on every CPU")
}

fn net(name: &'static str, input: [Dim; 4], outputs: &[(&'static str, usize)]) -> Net {
    let axes = |size| match name {
        "pnet" => vec![Dim::Free, Dim::Fixed(size), Dim::Free, Dim::Free],
        _ => vec![Dim::Free, Dim::Fixed(size)],
    };
    let outputs = outputs.iter().map(|(name, size)| (Some(*name), axes(*size))).collect();
    let spec = NetSpec {
        name,
        path: pack().file(&format!("{name}.onnx")),
        input: input.to_vec(),
        outputs,
        batch: BatchAxis::Kept,
    };
    Net::load(&runtime(), Provider::Cpu, spec).expect("the starter pack has this net")
}

/// The first level of the pyramid for 20 px faces, in full.
fn first_level(photo: &RgbImage) -> Tensor {
    let (width, height) = (photo.width() * 3 / 5 + 1, photo.height() * 3 / 5 + 1);
    let part = PixelRect::whole(width, height);
    let mut data = vec![0.0; part.tensor_len()];
    let source = PixelRect::whole(photo.width(), photo.height());
    AreaGrid { source, width, height }.fill(photo, part, &Normalisation::MTCNN, &mut data);
    Tensor::new(vec![1, 3, height as usize, width as usize], data)
}

fn blank(items: usize, side: usize) -> Tensor {
    Tensor::new(vec![items, 3, side, side], vec![0.1; items * 3 * side * side])
}

fn pixels(c: &mut Criterion) {
    let photo = photo();
    c.bench_function("pyramid_level_1801x1201_of_3000x2000", |b| b.iter(|| first_level(black_box(&photo))));
    let source = PixelRect { x: 300, y: 300, width: 90, height: 90 };
    let part = PixelRect::whole(48, 48);
    c.bench_function("crop_90_to_48", |b| {
        let grid = AreaGrid { source, width: 48, height: 48 };
        b.iter_batched_ref(
            || vec![0.0; part.tensor_len()],
            |out| grid.fill(black_box(&photo), part, &Normalisation::MTCNN, out),
            BatchSize::SmallInput,
        );
    });
    let marks =
        align::ARCFACE_112.map(|p| rollcall::domain::geometry::Point::new(p.x * 1.4 + 400.0, p.y * 1.4 + 500.0));
    c.bench_function("align_one_face", |b| b.iter(|| align::arcface_112(black_box(&photo), &marks)));
}

fn nets(c: &mut Criterion) {
    use Dim::{Fixed, Free};
    let mut pnet = net("pnet", [Free, Fixed(3), Free, Free], &[("prob", 2), ("reg", 4)]);
    let tile = blank(1, 512);
    c.bench_function("pnet_tile_512", |b| b.iter(|| pnet.run(black_box(&tile))));
    let mut rnet = net("rnet", [Free, Fixed(3), Fixed(24), Fixed(24)], &[("prob", 2), ("reg", 4)]);
    let crops = blank(256, 24);
    c.bench_function("rnet_256", |b| b.iter(|| rnet.run(black_box(&crops))));
    let mut onet = net("onet", [Free, Fixed(3), Fixed(48), Fixed(48)], &[("prob", 2), ("reg", 4), ("landmarks", 10)]);
    let crops = blank(64, 48);
    c.bench_function("onet_64", |b| b.iter(|| onet.run(black_box(&crops))));
}

fn whole(c: &mut Criterion) {
    let engine = engine();
    let photo = photo();
    let face = engine.analyse(&photo).expect("the demo photo has faces").faces.swap_remove(0).aligned;
    let mut group = c.benchmark_group("engine");
    group.sample_size(10);
    for count in [1, 16, 100] {
        let faces = vec![face.clone(); count];
        group.bench_function(format!("embed_{count}"), |b| b.iter(|| engine.embed_aligned(black_box(&faces))));
    }
    group.bench_function("detect_demo_photo_3000x2000", |b| b.iter(|| engine.detect(black_box(&photo))));
    group.bench_function("analyse_demo_photo_3000x2000", |b| b.iter(|| engine.analyse(black_box(&photo))));
    group.finish();
}

criterion_group!(benches, pixels, nets, whole);
criterion_main!(benches);
