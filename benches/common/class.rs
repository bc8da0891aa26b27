//! A class of invented students: vectors of 512 numbers, two portraits each, and faces that look like them.

use rollcall::domain::embedding::Embedding;
use rollcall::domain::gallery::Enrolled;
use rollcall::domain::ids::{MemberId, SampleId, StudentId};
use rollcall::domain::score::{LikelihoodRatio, Lines, Scoring, confidence_limit};
use rollcall::domain::status::{Consent, Origin};
use rollcall::domain::template::Sample;

use super::starter;

const DIMS: usize = 512;
/// What differs between two pictures of a student, in lengths of what they share: cosine 0.74 between portraits.
const PORTRAIT_NOISE: f32 = 0.6;
const FACE_NOISE: f32 = 0.9;

pub(crate) struct Class {
    pub roll: Vec<Enrolled>,
    /// The starter pack's.
    pub scoring: Scoring,
}

/// A class with so many students, all of them candidates.
pub(crate) fn class_of(students: usize) -> Class {
    Class { roll: (0..students).map(enrolled).collect(), scoring: scoring() }
}

impl Class {
    /// A face of the student `index`, from 0.
    pub(crate) fn face(&self, index: usize) -> Embedding {
        picture(index, 0, FACE_NOISE)
    }
}

fn enrolled(index: usize) -> Enrolled {
    let sample = |number: usize| Sample {
        id: SampleId((2 * index + number) as i64),
        embedding: picture(index, 1 + number, PORTRAIT_NOISE),
        weight: 1.0,
        origin: Origin::Portrait,
    };
    Enrolled {
        member: MemberId(index as i64),
        student: StudentId(index as i64),
        consent: Consent::Given,
        active: true,
        samples: vec![sample(0), sample(1)],
    }
}

fn scoring() -> Scoring {
    let pack = starter();
    let said = &pack.manifest().scoring;
    Scoring {
        normalise: true,
        lines: Lines { accept: said.accept, doubt: said.doubt, margin: said.margin },
        llr: LikelihoodRatio { intercept: said.llr.intercept, slope: said.llr.slope },
        member_prior: 0.5,
        max_confidence: confidence_limit(said.provenance.genuine_comparisons),
    }
}

/// What all pictures of a student share, and what this one has of its own.
fn picture(student: usize, number: usize, noise: f32) -> Embedding {
    let own = numbers((student * 8 + number + 1) as u32);
    let values = numbers(!(student as u32)).zip(own).map(|(shared, own)| shared + noise * own).collect();
    Embedding::new(values).expect("finite and not all zero")
}

/// Spread evenly over -1..1, always the same for a seed (xorshift32, Marsaglia 2003; the seed is spread first).
fn numbers(seed: u32) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0) as f32
    })
    .take(DIMS)
}
