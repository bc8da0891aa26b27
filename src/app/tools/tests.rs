use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::app::recogniser::testing::starter;
use crate::domain::score::tests::STARTER;

const JUDGE: Judge = Judge { scoring: STARTER, calibrated: true };

fn demo(path: &str) -> Bytes {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("dataset/demo");
    std::fs::read(root.join(path)).unwrap().into()
}

/// A unit vector with this cosine to the first axis; those of other axes are at right angles but for that.
fn at(cosine: f32, axis: usize) -> Embedding {
    let mut values = vec![0.0; 512];
    values[0] = cosine;
    values[axis] = (1.0 - cosine * cosine).sqrt();
    Embedding::new(values).unwrap()
}

fn probe() -> Embedding {
    at(1.0, 1)
}

#[test]
fn lines_judge_a_pair_and_nothing_is_sure_of_strangers() {
    let cases = [(0.9, Judgement::Match), (0.48, Judgement::Doubt), (0.2, Judgement::Different)];
    let mut surer_than = 1.0;
    for (cosine, expected) in cases {
        let (near, judgement, confidence) = JUDGE.verify(&probe(), &at(cosine, 1));
        assert_eq!(judgement, expected, "{near:?}");
        assert!((near.cosine - cosine).abs() < 1e-5);
        assert!((near.euclidean - (2.0 - 2.0 * cosine).sqrt()).abs() < 1e-5, "{near:?}");
        assert!(confidence <= surer_than, "{confidence}");
        surer_than = confidence;
    }
    assert!(surer_than < 0.1, "{surer_than}");
}

#[test]
fn lines_that_were_never_measured_name_nobody() {
    let judge = Judge { calibrated: false, ..JUDGE };
    assert_eq!(judge.verify(&probe(), &probe()).1, Judgement::Doubt);
}

#[test]
fn the_best_of_several_must_lead_other_ids_but_not_its_own() {
    let (near, nearly, far) = (at(0.8, 1), at(0.79, 2), at(0.1, 3));
    let best = |references: &[(&str, &Embedding)]| JUDGE.compare(&probe(), references.iter().copied()).best.unwrap();
    let found = best(&[("far", &far), ("one", &near)]);
    assert_eq!((found.index, found.judgement, found.runner_up), (1, Judgement::Match, Some(0)));
    let found = best(&[("one", &near), ("two", &nearly), ("far", &far)]);
    assert_eq!((found.index, found.judgement, found.runner_up), (0, Judgement::Doubt, Some(1)));
    assert!(found.confidence < 0.7, "two are nearly equally likely: {}", found.confidence);
    let found = best(&[("one", &near), ("one", &nearly), ("far", &far)]);
    assert_eq!((found.index, found.judgement, found.runner_up), (0, Judgement::Match, Some(2)));
    assert_eq!(JUDGE.compare(&probe(), []).best, None);
}

proptest! {
    #[test]
    fn the_best_is_the_nearest(cosines in proptest::collection::vec(-0.99_f32..0.99, 1..20)) {
        let references: Vec<(String, Embedding)> =
            cosines.iter().enumerate().map(|(i, c)| (i.to_string(), at(*c, i + 1))).collect();
        let compared = JUDGE.compare(&probe(), references.iter().map(|(id, e)| (id.as_str(), e)));
        let best = compared.best.unwrap();
        let nearest = compared.references[best.index].0;
        prop_assert!(compared.references.iter().all(|(n, _)| n.combined >= nearest.combined && n.cosine <= nearest.cosine + 1e-6));
        prop_assert!((0.0..=1.0).contains(&best.confidence));
    }

    #[test]
    fn vectors_of_whatever_numbers_are_compared_or_refused(values in proptest::collection::vec(any::<f32>(), 4)) {
        let Ok(embedding) = vector(values, 4) else { return Ok(()) };
        let (near, _, confidence) = JUDGE.verify(&embedding, &embedding);
        prop_assert!(near.combined.abs() < 1e-2 && near.cosine > 0.999 && confidence > 0.9, "{:?}", near);
    }
}

#[tokio::test]
async fn a_face_is_found_embedded_and_its_own() {
    let portrait = demo("dataset/Ananya_Foxglove_CSE-A-03/face.jpg");
    let seen = detect(starter(), portrait.clone()).await.unwrap();
    assert_eq!(seen.faces.len(), 1);
    let (_, embeddings) = embed(starter(), portrait.clone(), Which::All).await.unwrap();
    assert!(embeddings[0].dims() == 512 && (embeddings[0].norm() - 1.0).abs() < 1e-5);
    let by_picture = subject(starter(), Given::Picture(portrait)).await.unwrap();
    let by_vector = subject(starter(), Given::Vector(embeddings[0].values().to_vec())).await.unwrap();
    let judge = Judge::of(starter());
    let (near, judgement, _) = judge.verify(&by_picture.embedding, &by_vector.embedding);
    assert!(near.cosine > 0.9999 && judgement == Judgement::Match, "{near:?}");
    let other = demo("dataset/Devan_Moonfield_CSE-A-05/face.jpg");
    let other = subject(starter(), Given::Picture(other)).await.unwrap();
    assert_ne!(judge.verify(&by_picture.embedding, &other.embedding).1, Judgement::Match);
}

#[tokio::test]
async fn the_largest_face_alone_and_all_faces() {
    let class = demo("class_photos/CSE-A_2026-11-17_0900_full.jpg");
    let (seen, embeddings) = embed(starter(), class.clone(), Which::All).await.unwrap();
    assert!(seen.faces.len() > 5 && embeddings.len() == seen.faces.len());
    let (one, _) = embed(starter(), class, Which::Largest).await.unwrap();
    assert_eq!((one.faces.len(), one.faces[0].detection), (1, seen.faces[0].detection));
}

#[tokio::test]
async fn what_cannot_be_compared_says_why() {
    let code = async |given| subject(starter(), given).await.unwrap_err().code;
    assert_eq!(code(Given::Picture(demo("bad_portraits/two_faces.jpg"))).await, Code::MultipleFacesDetected);
    assert_eq!(code(Given::Picture(Bytes::from_static(b"no picture"))).await, Code::UnsupportedFormat);
    assert_eq!(code(Given::Vector(vec![1.0; 511])).await, Code::InvalidEmbedding);
    assert_eq!(code(Given::Vector(vec![f32::INFINITY; 512])).await, Code::InvalidEmbedding);
    assert_eq!(code(Given::Vector(vec![1.0e30; 512])).await, Code::InvalidEmbedding);
}

#[test]
fn the_model_says_what_it_is_and_runs_on() {
    let info = model_info(starter());
    assert_eq!((info.id.as_str(), info.dims, info.provider.as_str()), ("starter", 512, "cpu"));
    assert!(info.calibrated && !info.commercial_use && info.provenance.impostor_comparisons > 0);
    assert!((info.cosines.0.unwrap() - 0.553).abs() < 1e-3);
    assert!(info.runtime_build.contains("ORT Build Info"), "{}", info.runtime_build);
}
