//! Whether an engine on a GPU sees what the CPU sees.
//!
//! A driver, a kernel or half precision that computes wrongly gives no error but other faces. So whatever is not the CPU is shown
//! a few drawn faces before the first photo, and must find them where nets of the same files on the CPU find them in the same tiles, with the same
//! embeddings. The CPU's answers are computed anew each time: stored ones would have to be kept for every pack that somebody
//! brings. Called when an engine is opened; decides nothing about what happens then.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::error::EngineError;
use super::{Admission, Engine};
use crate::domain::geometry::Detection;
use crate::vision::align::ALIGNED_PX;
use crate::vision::decode::{DecodeLimits, decode};

/// Least overlap (intersection over union) of a box with the CPU's.
const MIN_IOU: f32 = 0.99;
/// Least cosine of an embedding with the CPU's.
const MIN_COSINE: f32 = 0.999;

/// A portrait of the demo school.
const DRAWN_FACE: &[u8] = include_bytes!("../../dataset/demo/dataset/Ananya_Foxglove_CSE-A-03/face.jpg");
/// Width and height of the scene, pixels.
const SCENE_PX: [u32; 2] = [1200, 700];
/// Left and upper edge and width of each portrait in it, pixels: from a face in the last row to one in the first, in
/// several tiles of a detector.
const PORTRAITS: [[u32; 3]; 5] = [[40, 60, 520], [620, 40, 300], [960, 60, 180], [640, 420, 220], [940, 380, 140]];

/// What an engine is shown.
pub(super) struct Pictures {
    /// To find faces in.
    scene: RgbImage,
    /// To embed, 112 x 112 RGB. Nets embed them as well as they can, whether they are aligned exactly or not.
    faces: Vec<RgbImage>,
}

impl Pictures {
    /// Those of every start.
    fn drawn() -> Self {
        let portrait = decode(DRAWN_FACE, &DecodeLimits::default()).expect("the picture is part of the program").pixels;
        let mut scene = RgbImage::from_pixel(SCENE_PX[0], SCENE_PX[1], Rgb([112, 118, 124]));
        for [x, y, side] in PORTRAITS {
            let height = side * portrait.height() / portrait.width();
            let scaled = imageops::resize(&portrait, side, height, FilterType::Triangle);
            imageops::replace(&mut scene, &scaled, i64::from(x), i64::from(y));
        }
        let face = imageops::resize(&portrait, ALIGNED_PX, ALIGNED_PX, FilterType::Triangle);
        let faces = vec![imageops::flip_horizontal(&face), imageops::brighten(&face, -40), face];
        Self { scene, faces }
    }
}

/// Shows both engines the same pictures.
///
/// # Errors
/// [`EngineError::ProviderDiffers`] with the first difference that is too large; what a net reports.
pub(super) fn agree(engine: &Engine, expected: &Engine) -> Result<(), EngineError> {
    agree_on(&Pictures::drawn(), engine, expected)
}

fn agree_on(pictures: &Pictures, engine: &Engine, expected: &Engine) -> Result<(), EngineError> {
    let differs = |reason: String| EngineError::ProviderDiffers { provider: engine.provider.provider, reason };
    let boxes = |engine: &Engine| engine.detector.detect(&pictures.scene, Admission::Wait);
    same_boxes(&boxes(engine)?, &boxes(expected)?).map_err(differs)?;
    let vectors = |engine: &Engine| engine.embedder.embed(&pictures.faces);
    for (found, wanted) in vectors(engine)?.iter().zip(&vectors(expected)?) {
        let cosine = match (found, wanted) {
            (Ok(found), Ok(wanted)) => found.cosine(wanted),
            (Err(reason), _) => return Err(differs(format!("a drawn face gives no embedding: {reason}"))),
            (_, Err(reason)) => {
                return Err(differs(format!("a drawn face gives an embedding, and on the CPU none: {reason}")));
            }
        };
        if cosine < MIN_COSINE {
            return Err(differs(format!(
                "the embedding of a drawn face has a cosine of {cosine:.4}, not {MIN_COSINE}"
            )));
        }
    }
    Ok(())
}

fn same_boxes(found: &[Detection], wanted: &[Detection]) -> Result<(), String> {
    if found.len() != wanted.len() {
        return Err(format!("it finds {} drawn faces instead of {}", found.len(), wanted.len()));
    }
    for face in wanted {
        let iou = found.iter().map(|other| other.bbox.iou(&face.bbox)).fold(0.0, f32::max);
        if iou < MIN_IOU {
            return Err(format!("the box of a drawn face overlaps by {iou:.3}, not {MIN_IOU}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::embedding::{Embedding, EmbeddingError};
    use crate::engine::fake::{self, FakeDetector, FakeEmbedder, FakeFace};
    use crate::engine::{Detector, Embedder};

    /// Pictures that the fake engine knows its way about in.
    fn painted() -> Pictures {
        let face = |x, person| FakeFace { x, y: 20, side: 90, person };
        let faces = (0..5).map(|person| fake::photo(112, 112, &[FakeFace { x: 0, y: 0, side: 112, person }])).collect();
        Pictures { scene: fake::photo(400, 200, &[face(20, 3), face(200, 9)]), faces }
    }

    fn verdict(engine: &Engine) -> Result<(), String> {
        agree_on(&painted(), engine, &Engine::fake()).map_err(|difference| {
            assert!(matches!(difference, EngineError::ProviderDiffers { .. }), "{difference}");
            difference.to_string()
        })
    }

    /// Moves every box by so many pixels.
    #[derive(Debug)]
    struct Displaced(f32);

    impl Detector for Displaced {
        fn detect(&self, photo: &RgbImage, admission: Admission) -> Result<Vec<Detection>, EngineError> {
            let mut faces = FakeDetector.detect(photo, admission)?;
            faces.iter_mut().for_each(|face| face.bbox.x1 += self.0);
            Ok(faces)
        }
    }

    #[derive(Debug)]
    struct Blind;

    impl Detector for Blind {
        fn detect(&self, _: &RgbImage, _: Admission) -> Result<Vec<Detection>, EngineError> {
            Ok(Vec::new())
        }
    }

    /// Gives the vectors of a batch in another order, as a kernel does that mixes up its items.
    #[derive(Debug)]
    struct Mixed;

    impl Embedder for Mixed {
        fn embed(&self, faces: &[RgbImage]) -> Result<Vec<Result<Embedding, EmbeddingError>>, EngineError> {
            let mut embeddings = FakeEmbedder.embed(faces)?;
            embeddings.swap(1, 2);
            Ok(embeddings)
        }

        fn dims(&self) -> usize {
            fake::DIMS
        }
    }

    /// A vector of noughts, as a kernel gives that never ran.
    #[derive(Debug)]
    struct Silent;

    impl Embedder for Silent {
        fn embed(&self, faces: &[RgbImage]) -> Result<Vec<Result<Embedding, EmbeddingError>>, EngineError> {
            Ok(faces.iter().map(|_| Embedding::new(vec![0.0; fake::DIMS])).collect())
        }

        fn dims(&self) -> usize {
            fake::DIMS
        }
    }

    #[test]
    fn who_sees_the_same_is_believed() {
        assert_eq!(verdict(&Engine::fake()), Ok(()));
        assert_eq!(verdict(&Engine { detector: Box::new(Displaced(0.5)), ..Engine::fake() }), Ok(()));
    }

    #[test]
    fn boxes_elsewhere_and_faces_not_found_are_told() {
        let said = verdict(&Engine { detector: Box::new(Displaced(3.0)), ..Engine::fake() }).unwrap_err();
        assert!(said.contains("overlaps by 0.967") && said.contains("--provider cpu"), "{said}");
        let said = verdict(&Engine { detector: Box::new(Blind), ..Engine::fake() }).unwrap_err();
        assert!(said.contains("finds 0 drawn faces instead of 2"), "{said}");
    }

    #[test]
    fn other_embeddings_and_none_are_told() {
        let said = verdict(&Engine { embedder: Box::new(Mixed), ..Engine::fake() }).unwrap_err();
        assert!(said.contains("has a cosine of"), "{said}");
        let said = verdict(&Engine { embedder: Box::new(Silent), ..Engine::fake() }).unwrap_err();
        assert!(said.contains("gives no embedding"), "{said}");
    }
}
