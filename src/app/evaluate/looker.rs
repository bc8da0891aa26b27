//! A recogniser that remembers what it saw, so that a measurement that was stopped goes on where it was, and one that is
//! repeated with other lines costs nothing.
//!
//! What is kept depends on the picture's bytes and on everything that is done to them: the pack's nets and how they are used,
//! the limits of the settings, the provider, [`PIPELINE`]. It does not depend on lines. Before what is kept is believed,
//! [`Looker::check`] looks at one picture again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::variation::{Variation, in_original};
use crate::app::batch_report::TimingsMs;
use crate::app::error::Error;
use crate::app::recogniser::{Recogniser, SeenBoxes, SeenFace, SeenPhoto};
use crate::domain::embedding::Embedding;
use crate::domain::geometry::Detection;
use crate::domain::quality::FaceQuality;
use crate::storage::Digest;

/// Raised whenever decoding, detection, alignment, measuring or embedding change what they give for the same picture.
pub const PIPELINE: u32 = 1;

/// Looks at pictures, or remembers having done so. Shared by all threads of a measurement.
#[derive(Debug)]
pub struct Looker<'a> {
    recogniser: &'a Recogniser,
    /// How class photos are changed before they are looked at. Boxes are those of the photo before.
    variation: Variation,
    /// Where results lie; none when nothing is to be kept.
    folder: Option<PathBuf>,
    /// What is kept was made by other code or another provider: it is replaced, not read.
    outdated: AtomicBool,
    looked_at: AtomicUsize,
    remembered: AtomicUsize,
    written: AtomicUsize,
}

/// How pictures of a measurement came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    pub looked_at: usize,
    pub remembered: usize,
}

/// How a picture is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Photo,
    Portrait,
    Boxes,
}

impl<'a> Looker<'a> {
    /// Remembers nothing.
    pub fn forgetful(recogniser: &'a Recogniser) -> Self {
        let [looked_at, remembered, written] = [const { AtomicUsize::new(0) }; 3];
        let variation = Variation::default();
        Self { recogniser, variation, folder: None, outdated: AtomicBool::new(false), looked_at, remembered, written }
    }

    /// Keeps results in a folder of `cache` of their own, which is made when it is not there.
    ///
    /// # Errors
    /// `FILE_ERROR` when the folder cannot be made.
    pub fn remembering(recogniser: &'a Recogniser, cache: &Path) -> Result<Self, Error> {
        let key = format!("{PIPELINE}|{}|{}", env!("CARGO_PKG_VERSION"), recogniser.fingerprint());
        let key = Digest::of(key.as_bytes()).to_string();
        let folder = cache.join(format!("{}-{}", recogniser.pack(), &key[..12]));
        fs::create_dir_all(&folder).map_err(|e| Error::file(&folder, &e))?;
        Ok(Self { folder: Some(folder), ..Self::forgetful(recogniser) })
    }

    /// Looks at class photos under other conditions. The smallest face is the recogniser's.
    #[must_use]
    pub fn varied(self, variation: Variation) -> Self {
        Self { variation, ..self }
    }

    pub fn recogniser(&self) -> &'a Recogniser {
        self.recogniser
    }

    /// As [`Recogniser::analyse`].
    ///
    /// # Errors
    /// As there, and `FILE_ERROR` when the result cannot be kept.
    pub fn photo(&self, bytes: &[u8]) -> Result<SeenPhoto, Error> {
        self.seen(bytes, Way::Photo)
    }

    /// As [`Recogniser::analyse_portrait`].
    ///
    /// # Errors
    /// As [`Looker::photo`].
    pub fn portrait(&self, bytes: &[u8]) -> Result<SeenPhoto, Error> {
        self.seen(bytes, Way::Portrait)
    }

    /// As [`Recogniser::detect`].
    ///
    /// # Errors
    /// As [`Looker::photo`].
    pub fn boxes(&self, bytes: &[u8]) -> Result<SeenBoxes, Error> {
        let file = self.file(bytes, Way::Boxes);
        if let Some(kept) = self.read(file.as_deref()) {
            return Ok(kept);
        }
        let seen = self.detect(bytes)?;
        self.looked_at.fetch_add(1, Ordering::Relaxed);
        self.write(file.as_deref(), &seen)?;
        Ok(seen)
    }

    /// Looks again at the first of these pictures whose result is kept, and believes nothing that is kept when it sees
    /// something else. Call it before the measurement, from one thread. Returns whether what is kept can be believed.
    ///
    /// # Errors
    /// As [`Recogniser::analyse`] for a picture that was fine before, and `FILE_ERROR`.
    pub fn check<'p>(&self, pictures: impl IntoIterator<Item = &'p Path>) -> Result<bool, Error> {
        for picture in pictures {
            let Ok(bytes) = fs::read(picture) else { continue };
            for way in [Way::Portrait, Way::Photo, Way::Boxes] {
                let Some(file) = self.file(&bytes, way).filter(|file| file.is_file()) else { continue };
                let same = self.is_as_kept(&file, &bytes, way)?;
                self.outdated.store(!same, Ordering::Relaxed);
                return Ok(same);
            }
        }
        Ok(true)
    }

    /// Whether what was kept turned out to be made otherwise, and was replaced.
    pub fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }

    pub fn looks(&self) -> Looks {
        let count = |n: &AtomicUsize| n.load(Ordering::Relaxed);
        Looks { looked_at: count(&self.looked_at), remembered: count(&self.remembered) }
    }

    fn is_as_kept(&self, file: &Path, bytes: &[u8], way: Way) -> Result<bool, Error> {
        if way == Way::Boxes {
            let now = self.detect(bytes)?;
            let kept = parse::<SeenBoxes>(file);
            return Ok(kept.is_some_and(|kept| {
                let near = |(a, b): (&Detection, &Detection)| is_near(a, b);
                kept.boxes.len() == now.boxes.len() && kept.boxes.iter().zip(&now.boxes).all(near)
            }));
        }
        let now = self.analyse(bytes, way)?;
        let Some(kept) = parse::<KeptPhoto>(file).and_then(|kept| kept.seen()) else { return Ok(false) };
        let near = |(a, b): (&SeenFace, &SeenFace)| {
            let cosine = a.embedding.as_ref().ok().zip(b.embedding.as_ref().ok()).map(|(a, b)| a.cosine(b));
            is_near(&a.detection, &b.detection) && cosine.is_some_and(|cosine| cosine > SAME_COSINE)
        };
        Ok(kept.faces.len() == now.faces.len() && kept.faces.iter().zip(&now.faces).all(near))
    }

    fn seen(&self, bytes: &[u8], way: Way) -> Result<SeenPhoto, Error> {
        let file = self.file(bytes, way);
        if let Some(seen) = self.read::<KeptPhoto>(file.as_deref()).and_then(|kept| kept.seen()) {
            return Ok(seen);
        }
        let seen = self.analyse(bytes, way)?;
        self.looked_at.fetch_add(1, Ordering::Relaxed);
        if let Some(kept) = KeptPhoto::of(&seen) {
            self.write(file.as_deref(), &kept)?;
        }
        Ok(seen)
    }

    fn analyse(&self, bytes: &[u8], way: Way) -> Result<SeenPhoto, Error> {
        if way == Way::Portrait {
            return self.recogniser.analyse_portrait(bytes);
        }
        if self.variation.keeps_photos() {
            return self.recogniser.analyse(bytes);
        }
        let (photo, original) = self.variation.of_photo(bytes, self.recogniser.limits())?;
        let mut seen = self.recogniser.analyse_decoded(&photo)?;
        for face in &mut seen.faces {
            face.detection = in_original(&face.detection, seen.size, original);
        }
        seen.size = original;
        Ok(seen)
    }

    fn detect(&self, bytes: &[u8]) -> Result<SeenBoxes, Error> {
        if self.variation.keeps_photos() {
            return self.recogniser.detect(bytes);
        }
        let (photo, original) = self.variation.of_photo(bytes, self.recogniser.limits())?;
        let seen = self.recogniser.detect_decoded(&photo)?;
        let boxes = seen.boxes.iter().map(|face| in_original(face, seen.size, original));
        Ok(SeenBoxes { size: original, boxes: boxes.collect() })
    }

    fn file(&self, bytes: &[u8], way: Way) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        let ending = match way {
            Way::Photo => "photo",
            Way::Portrait => "portrait",
            Way::Boxes => "boxes",
        };
        let digest = Digest::of(bytes);
        Some(match way {
            Way::Photo | Way::Boxes if !self.variation.keeps_photos() => {
                folder.join(format!("{digest}.{}.{ending}.json", self.variation))
            }
            _ => folder.join(format!("{digest}.{ending}.json")),
        })
    }

    /// What is kept. A file that cannot be read is as good as none: the picture is looked at again.
    fn read<T: DeserializeOwned>(&self, file: Option<&Path>) -> Option<T> {
        if self.is_outdated() {
            return None;
        }
        let kept = parse(file?)?;
        self.remembered.fetch_add(1, Ordering::Relaxed);
        Some(kept)
    }

    /// Whole or not at all, whenever the program is ended.
    fn write(&self, file: Option<&Path>, kept: &impl Serialize) -> Result<(), Error> {
        let Some(file) = file else { return Ok(()) };
        let json = serde_json::to_vec(kept).expect("results are plain structures with text keys");
        let nth = self.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = file.with_extension(format!("{}-{nth}.unfinished", std::process::id()));
        fs::write(&unfinished, json).and_then(|()| fs::rename(&unfinished, file)).map_err(|e| Error::file(file, &e))
    }
}

/// Two looks at one picture by the same code on the same machine agree better than this; another resampling, alignment or
/// net does not.
const SAME_COSINE: f32 = 0.999;
const SAME_PX: f32 = 0.5;

fn is_near(a: &Detection, b: &Detection) -> bool {
    let sides = |d: &Detection| [d.bbox.x1, d.bbox.y1, d.bbox.x2, d.bbox.y2];
    sides(a).iter().zip(sides(b)).all(|(a, b)| (a - b).abs() <= SAME_PX)
}

fn parse<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// What was seen, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptPhoto {
    size: (u32, u32),
    faces: Vec<KeptFace>,
    faces_left_out: u32,
    warnings: Vec<String>,
    timings: TimingsMs,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptFace {
    detection: Detection,
    quality: FaceQuality,
    embedding: Vec<f32>,
}

impl KeptPhoto {
    /// None for photos with a face whose vector is unusable: they are too rare to have a form of their own.
    fn of(seen: &SeenPhoto) -> Option<Self> {
        let face = |face: &SeenFace| {
            let embedding = face.embedding.as_ref().ok()?.values().to_vec();
            Some(KeptFace { detection: face.detection, quality: face.quality, embedding })
        };
        Some(Self {
            size: seen.size,
            faces: seen.faces.iter().map(face).collect::<Option<_>>()?,
            faces_left_out: seen.faces_left_out,
            warnings: seen.warnings.clone(),
            timings: seen.timings,
        })
    }

    fn seen(self) -> Option<SeenPhoto> {
        let face = |face: KeptFace| {
            let embedding = Embedding::new(face.embedding).ok()?;
            Some(SeenFace { detection: face.detection, quality: face.quality, embedding: Ok(embedding) })
        };
        Some(SeenPhoto {
            size: self.size,
            faces: self.faces.into_iter().map(face).collect::<Option<_>>()?,
            faces_left_out: self.faces_left_out,
            captured_at: None,
            warnings: self.warnings,
            timings: self.timings,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::ImageFormat;

    use super::*;
    use crate::app::recogniser::testing::settings;
    use crate::engine::fake::{FakeFace, photo};

    /// As PNG, so that colours are people exactly.
    fn painted(faces: &[FakeFace]) -> Vec<u8> {
        let mut png = Vec::new();
        photo(300, 200, faces).write_to(&mut Cursor::new(&mut png), ImageFormat::Png).unwrap();
        png
    }

    const ONE: FakeFace = FakeFace { x: 60, y: 50, side: 80, person: 7 };

    fn looks(looker: &Looker<'_>) -> (usize, usize) {
        (looker.looks().looked_at, looker.looks().remembered)
    }

    #[test]
    fn a_picture_is_looked_at_once_in_each_way() {
        let (dir, recogniser) = (tempfile::tempdir().unwrap(), Recogniser::fake(&settings()));
        let picture = painted(&[ONE]);
        let first = Looker::remembering(&recogniser, dir.path()).unwrap();
        let seen = first.photo(&picture).unwrap();
        assert_eq!(looks(&first), (1, 0));
        first.portrait(&picture).unwrap();
        let boxes = first.boxes(&picture).unwrap();
        assert_eq!(looks(&first), (3, 0));
        // A later run, such as one after the first was ended.
        let later = Looker::remembering(&recogniser, dir.path()).unwrap();
        let again = later.photo(&picture).unwrap();
        assert_eq!((again.size, again.faces[0].detection), (seen.size, seen.faces[0].detection));
        assert_eq!(again.faces[0].embedding, seen.faces[0].embedding);
        assert_eq!(again.faces[0].quality, seen.faces[0].quality);
        assert_eq!(later.boxes(&picture).unwrap(), boxes);
        later.photo(&painted(&[FakeFace { person: 8, ..ONE }])).unwrap();
        assert_eq!(looks(&later), (1, 2));
    }

    #[test]
    fn a_varied_photo_has_a_memory_and_the_boxes_of_the_photo_before() {
        let (dir, recogniser) = (tempfile::tempdir().unwrap(), Recogniser::fake(&settings()));
        let looker = || Looker::remembering(&recogniser, dir.path()).unwrap();
        let picture = painted(&[FakeFace { x: 60, y: 48, side: 80, person: 7 }]);
        let plain = looker().photo(&picture).unwrap();
        let half = looker().varied("shrink=0.5".parse().unwrap());
        let seen = half.photo(&picture).unwrap();
        assert_eq!((looks(&half), seen.size), ((1, 0), plain.size));
        let (a, b) = (seen.faces[0].detection.bbox, plain.faces[0].detection.bbox);
        assert!(a.iou(&b) > 0.9 && seen.faces[0].quality.side_px < 0.6 * plain.faces[0].quality.side_px, "{a:?} {b:?}");
        assert_eq!(half.boxes(&picture).unwrap().size, plain.size);
        // A portrait is the school's own: it is not varied.
        assert_eq!(half.portrait(&picture).unwrap().faces[0].quality, plain.faces[0].quality);
        let later = looker().varied("shrink=0.5".parse().unwrap());
        assert_eq!(later.photo(&picture).unwrap().faces[0].detection, seen.faces[0].detection);
        assert_eq!(looks(&later), (0, 1));
        let other = looker().varied("shrink=0.6".parse().unwrap());
        other.photo(&picture).unwrap();
        assert_eq!(looks(&other), (1, 0));
    }

    #[test]
    fn nothing_is_kept_unasked() {
        let recogniser = Recogniser::fake(&settings());
        let looker = Looker::forgetful(&recogniser);
        looker.photo(&painted(&[ONE])).unwrap();
        looker.photo(&painted(&[ONE])).unwrap();
        assert_eq!(looks(&looker), (2, 0));
    }

    #[test]
    fn half_a_file_is_no_memory() {
        let (dir, recogniser) = (tempfile::tempdir().unwrap(), Recogniser::fake(&settings()));
        let looker = Looker::remembering(&recogniser, dir.path()).unwrap();
        looker.photo(&painted(&[ONE])).unwrap();
        let file = looker.file(&painted(&[ONE]), Way::Photo).unwrap();
        let json = fs::read(&file).unwrap();
        fs::write(&file, &json[..json.len() / 2]).unwrap();
        assert_eq!(looker.photo(&painted(&[ONE])).unwrap().faces.len(), 1);
        assert_eq!(parse::<KeptPhoto>(&file).unwrap().faces.len(), 1);
        assert_eq!(looks(&looker), (2, 0));
    }

    #[test]
    fn what_other_code_kept_is_replaced() {
        let (dir, recogniser) = (tempfile::tempdir().unwrap(), Recogniser::fake(&settings()));
        let looker = Looker::remembering(&recogniser, dir.path()).unwrap();
        let picture = dir.path().join("one.png");
        fs::write(&picture, painted(&[ONE])).unwrap();
        looker.photo(&painted(&[ONE])).unwrap();
        assert!(looker.check([picture.as_path()]).unwrap());
        // As if alignment had changed: the same picture has another person's vector.
        let file = looker.file(&painted(&[ONE]), Way::Photo).unwrap();
        let other = looker.photo(&painted(&[FakeFace { person: 99, ..ONE }])).unwrap();
        fs::write(&file, serde_json::to_vec(&KeptPhoto::of(&other).unwrap()).unwrap()).unwrap();
        assert!(!looker.check([picture.as_path()]).unwrap());
        let again = looker.photo(&painted(&[ONE])).unwrap();
        assert_ne!(again.faces[0].embedding, other.faces[0].embedding);
        assert!(looker.check([picture.as_path()]).unwrap());
    }

    #[test]
    fn other_settings_have_another_memory() {
        let dir = tempfile::tempdir().unwrap();
        let mut other = settings();
        other.photos.min_face_px = 30;
        for config in [settings(), other] {
            let recogniser = Recogniser::fake(&config);
            let looker = Looker::remembering(&recogniser, dir.path()).unwrap();
            looker.photo(&painted(&[ONE])).unwrap();
            assert_eq!(looks(&looker), (1, 0));
        }
    }
}
