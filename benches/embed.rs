//! Aligned faces to embeddings, in requests of 1 to 128. Elements are faces: what one costs says which batch is best.

mod common;

use std::hint::black_box;

use common::{class_photo, engine, scrfd_pack, starter};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rollcall::engine::Engine;

const REQUESTS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 100, 128];

fn embedding(c: &mut Criterion) {
    requests(c, "starter", &engine(&starter()));
    if let Some((_dir, pack)) = scrfd_pack() {
        requests(c, "w600k", &engine(&pack));
    }
}

fn requests(c: &mut Criterion, pack: &str, engine: &Engine) {
    let found = engine.analyse(&class_photo()).expect("the nets run");
    let face = &found.faces.first().expect("the demo photo has faces").aligned;
    let mut group = c.benchmark_group(format!("embed_{pack}"));
    group.sample_size(10);
    for count in REQUESTS {
        let faces = vec![face.clone(); count];
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(count.to_string(), |b| {
            b.iter(|| engine.embed_aligned(black_box(&faces)).expect("the net runs"))
        });
    }
    group.finish();
}

criterion_group!(benches, embedding);
criterion_main!(benches);
