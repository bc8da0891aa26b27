//! Who is who in one photo: 100 faces against a class of 100 and of 400, scores included.

mod common;

use std::hint::black_box;

use common::class::class_of;
use criterion::{Criterion, criterion_group, criterion_main};
use rollcall::domain::assign::{Probe, judge_photo};
use rollcall::domain::gallery::Gallery;
use rollcall::domain::ids::FaceId;

const FACES: usize = 100;

fn assignment(c: &mut Criterion) {
    let mut group = c.benchmark_group("assign");
    group.sample_size(20);
    for students in [100, 400] {
        let class = class_of(students);
        let gallery = Gallery::build(&class.roll, &class.scoring);
        let probe =
            |i: usize| Probe { face: FaceId(i as i64), vector: Some(class.scoring.scaled(&class.face(i))), said: None };
        let probes: Vec<_> = (0..FACES).map(probe).collect();
        group.bench_function(format!("{FACES}x{students}"), |b| {
            b.iter(|| judge_photo(black_box(&probes), &gallery, &class.scoring));
        });
    }
    group.finish();
}

criterion_group!(benches, assignment);
criterion_main!(benches);
