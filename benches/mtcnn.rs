//! The three nets of the cascade at several sizes of tile and batch, and the whole cascade on a class photo.
//!
//! Elements are pixels of P-Net's input and crops of the other two: what one of them costs says which size is best.

mod common;

use std::hint::black_box;

use common::{blank, class_photo, engine, net, starter};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rollcall::engine::net::Dim::{Fixed, Free};
use rollcall::engine::net::{BatchAxis, Dim, Net, NetSpec};

fn nets(c: &mut Criterion) {
    let mut group = c.benchmark_group("pnet");
    let dense = |width| vec![Free, Fixed(width), Free, Free];
    let mut pnet = cascade_net("pnet", dense(3), &[("prob", dense(2)), ("reg", dense(4))]);
    for side in [128, 256, 512] {
        run(&mut group, &format!("tile_{side}"), &mut pnet, (1, side), side * side);
    }
    group.finish();

    let mut group = c.benchmark_group("rnet");
    let flat = |width| vec![Free, Fixed(width)];
    let mut rnet = cascade_net("rnet", crops(24), &[("prob", flat(2)), ("reg", flat(4))]);
    for items in [16, 64, 256] {
        run(&mut group, &format!("batch_{items}"), &mut rnet, (items, 24), items);
    }
    group.finish();

    let mut group = c.benchmark_group("onet");
    let mut onet = cascade_net("onet", crops(48), &[("prob", flat(2)), ("reg", flat(4)), ("landmarks", flat(10))]);
    for items in [8, 16, 64] {
        run(&mut group, &format!("batch_{items}"), &mut onet, (items, 48), items);
    }
    group.finish();
}

fn detection(c: &mut Criterion) {
    let (engine, photo) = (engine(&starter()), class_photo());
    let mut group = c.benchmark_group("mtcnn");
    group.sample_size(10);
    group.bench_function("class_photo_3000x2000", |b| {
        b.iter(|| engine.detect(black_box(&photo)).expect("the nets run"))
    });
    group.finish();
}

fn run(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    net: &mut Net,
    (items, side): (usize, usize),
    elements: usize,
) {
    let input = blank(items, side);
    group.throughput(Throughput::Elements(elements as u64)).sample_size(20);
    group.bench_function(name, |b| b.iter(|| net.run(black_box(&input)).expect("the net runs")));
}

fn crops(side: usize) -> Vec<Dim> {
    vec![Free, Fixed(3), Fixed(side), Fixed(side)]
}

fn cascade_net(name: &'static str, input: Vec<Dim>, outputs: &[(&'static str, Vec<Dim>)]) -> Net {
    let outputs = outputs.iter().map(|(name, dims)| (Some(*name), dims.clone())).collect();
    let path = starter().file(&format!("{name}.onnx"));
    net(NetSpec { name, path, input, outputs, batch: BatchAxis::Kept })
}

criterion_group!(benches, nets, detection);
criterion_main!(benches);
