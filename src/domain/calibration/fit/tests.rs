use super::*;
use crate::domain::calibration::draw::Draw;
use crate::domain::calibration::line::Method;
use crate::domain::calibration::trials::{Image, Probe};
use crate::domain::embedding::Embedding;
use crate::domain::ids::SampleId;
use crate::domain::score::tests::STARTER;
use crate::domain::status::Origin;
use crate::domain::template::Sample;

const PLAN: Plan = Plan {
    sizes: Sizes { smallest_px: 24.0, largest_px: 80.0, steps: 2 },
    templates: Templates { max_samples: 2, draws: 2, seed: 5 },
    classes: Classes { size: 20, count: 12, seed: 5 },
};

/// People as directions in 64 dimensions, portraits as noise around them, and more noise the smaller the face.
fn people(count: usize, noise: f64) -> Vec<Person> {
    let mut draw = Draw::new(11);
    let mut around = |centre: &[f32], spread: f64| -> Vec<f32> {
        // Sums of twelve even draws are as good as normal here.
        let mut normal = || (0..12).map(|_| draw.unit()).sum::<f64>() - 6.0;
        centre.iter().map(|c| c + (spread * normal()) as f32).collect()
    };
    let mut person = |index: usize| {
        let centre = around(&[0.0; 64], 1.0);
        let mut image = |i: usize| {
            let look = around(&centre, noise);
            let mut probe = |step: usize| {
                let side_px = PLAN.sizes.draw(step, &mut Draw::of(1, &[index, i]));
                let embedding = Embedding::new(around(&look, noise * 24.0 / f64::from(side_px))).unwrap();
                Probe { side_px, embedding }
            };
            let probes = (0..PLAN.sizes.steps).map(&mut probe).collect();
            let sample = Sample {
                id: SampleId(i as i64),
                embedding: Embedding::new(look).unwrap(),
                weight: 1.0,
                origin: Origin::Portrait,
            };
            Image { name: format!("{index}/{i}"), sample: Some(sample), probes }
        };
        Person { name: index.to_string(), images: (0..4).map(&mut image).collect() }
    };
    (0..count).map(&mut person).collect()
}

#[test]
fn lines_keep_their_rates_on_people_they_were_not_set_on() {
    let found = calibrate(&people(60, 1.0), &PLAN, &STARTER).unwrap();
    // Every probe meets the 59 other people once for each number of samples, and itself.
    assert_eq!((found.people, found.images, found.probes), (60, 240, 480));
    assert_eq!((found.impostors, found.genuine), (480 * 59 * 2, 480 * 2));
    // 57 of 56,640 may pass the doubt line; none the accept line, which is therefore the model's.
    assert_eq!((found.doubt.impostors, found.doubt.method), (56, Method::Counted));
    assert_eq!((found.accept.method, found.accept.counted), (Method::TailModel, f32::NEG_INFINITY));
    assert!(found.lines.accept < found.lines.doubt && found.lines.accept <= found.accept.combined);
    let held = found.held_out.unwrap();
    let rate = held.impostors_doubted as f64 / held.impostors as f64;
    assert!((DOUBT_RATE / 5.0..DOUBT_RATE * 5.0).contains(&rate), "{held:?}");
    assert!(held.impostors_accepted <= 2, "{held:?}");
}

#[test]
fn nearer_is_likelier_and_more_samples_and_pixels_help() {
    let found = calibrate(&people(60, 1.0), &PLAN, &STARTER).unwrap();
    assert!(found.llr.slope > 0.0 && found.llr.at(found.lines.accept) > found.llr.at(found.lines.doubt));
    let share = |slice: &Slice| slice.within_doubt.share.unwrap();
    assert!(share(&found.by_samples[0]) < share(&found.by_samples[1]), "{:?}", found.by_samples);
    assert!(share(&found.by_size[0]) < share(&found.by_size[1]), "{:?}", found.by_size);
    let genuine: usize = found.by_size.iter().map(|s| s.genuine).sum();
    assert_eq!(genuine, found.genuine);
    assert_eq!((found.by_size[0].of.as_str(), found.by_samples[1].of.as_str()), ("24-44 px", "2 samples"));
}

#[test]
fn nearest_pairs_name_the_picture_that_is_labelled_wrongly() {
    let mut people = people(60, 1.0);
    let stray = people[7].images[2].clone();
    people[31].images[1] = Image { name: "stray".to_owned(), ..stray };
    let found = calibrate(&people, &PLAN, &STARTER).unwrap();
    // As a probe it looks like the person whom it shows; as a sample it makes that person's own picture look like the other.
    let first = (found.nearest[0].image.as_str(), found.nearest[0].person.as_str());
    assert!([("stray", "7"), ("7/2", "31")].contains(&first), "{first:?}");
    assert!(found.nearest.iter().any(|near| near.image == "stray" && near.person == "7"));
}

#[test]
fn what_a_pack_said_before_does_not_count() {
    let people = people(60, 1.0);
    let other = Scoring { llr: LikelihoodRatio { intercept: -3.0, slope: 0.01 }, ..STARTER };
    let json = |scoring: &Scoring| serde_json::to_string(&calibrate(&people, &PLAN, scoring).unwrap()).unwrap();
    assert_eq!(json(&STARTER), json(&other));
}

#[test]
fn too_few_or_too_easy_portraits_are_refused() {
    let few = calibrate(&people(12, 1.0), &PLAN, &STARTER);
    assert!(matches!(few, Err(CalibrationError::TooFewImpostors { .. })), "{few:?}");
    let easy = calibrate(&people(30, 0.01), &PLAN, &STARTER);
    assert!(matches!(easy, Err(CalibrationError::NoOverlap { .. })), "{easy:?}");
}
