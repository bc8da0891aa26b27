//! One face against every template of a class, and templates out of samples. No pictures, no nets.

mod common;

use std::hint::black_box;

use common::class::class_of;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rollcall::domain::gallery::Gallery;

fn scoring(c: &mut Criterion) {
    let mut group = c.benchmark_group("score");
    for students in [100, 400] {
        let class = class_of(students);
        let gallery = Gallery::build(&class.roll, &class.scoring);
        let face = class.scoring.scaled(&class.face(7));
        group.throughput(Throughput::Elements(students as u64));
        group.bench_function(format!("one_face_against_{students}"), |b| {
            b.iter(|| gallery.scores(black_box(&face), &class.scoring));
        });
        group.bench_function(format!("gallery_of_{students}"), |b| {
            b.iter(|| Gallery::build(black_box(&class.roll), &class.scoring));
        });
    }
    group.finish();
}

criterion_group!(benches, scoring);
criterion_main!(benches);
