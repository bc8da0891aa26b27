//! An opened model pack: bytes of a photo in, measured and embedded faces out.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{NaiveDateTime, TimeDelta};
use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::School;
use super::batch_report::TimingsMs;
use super::error::{Code, Error};
use super::memory_budget::{MemoryBudget, Room};
use super::process_memory;
use super::session::Matching;
use crate::config::{Config, Fp16, Photos, Provider as ConfiguredProvider};
use crate::domain::embedding::{Embedding, EmbeddingError};
use crate::domain::geometry::Detection;
use crate::domain::quality::{EnrolLines, FaceQuality};
use crate::domain::score::{LikelihoodRatio, Lines, Scoring, confidence_limit};
use crate::engine::{
    Engine, EngineOptions, GpuOptions, HalfPrecision, Precision, ProviderChoice, Runtime, RuntimeOptions, StageStats,
};
use crate::pack::{Manifest, Pack, read_manifest};
use crate::vision::decode::{DecodeLimits, DecodedPhoto, decode, working_bytes};
use crate::vision::margin::{is_cramped, with_margin, without_margin};
use crate::vision::measure::measure;

/// Identity of a pack: embeddings are only ever compared under the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackKey {
    pub id: String,
    pub version: String,
}

impl fmt::Display for PackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.version)
    }
}

/// What finds and compares faces. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recogniser {
    engine: Arc<Engine>,
    key: PackKey,
    scoring: Scoring,
    limits: DecodeLimits,
    photos: Photos,
    enrol_lines: EnrolLines,
    calibrated: bool,
    manifest: Arc<Manifest>,
    runtime: Arc<RuntimeBuild>,
    /// Room for decoded photos, where the settings limit memory.
    budget: Option<MemoryBudget>,
}

/// Which ONNX Runtime was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeBuild {
    /// Where its file says so.
    pub version: Option<String>,
    /// Commit and build flags, as the library words it.
    pub build: String,
}

/// What was seen in one photo.
#[derive(Debug)]
pub struct SeenPhoto {
    /// Width and height of the upright photo, pixels.
    pub size: (u32, u32),
    /// Largest first.
    pub faces: Vec<SeenFace>,
    pub faces_left_out: u32,
    /// The camera's clock, without a zone.
    pub captured_at: Option<NaiveDateTime>,
    pub warnings: Vec<String>,
    pub timings: TimingsMs,
}

/// One face of a photo.
#[derive(Debug)]
pub struct SeenFace {
    pub detection: Detection,
    pub quality: FaceQuality,
    pub embedding: Result<Embedding, EmbeddingError>,
}

/// Where faces are in one photo: nothing of who they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenBoxes {
    /// Width and height of the upright photo, pixels.
    pub size: (u32, u32),
    /// All there are, however many; best score first.
    pub boxes: Vec<Detection>,
}

impl Recogniser {
    /// Loads ONNX Runtime and the pack that the settings name.
    ///
    /// # Errors
    /// `MODEL_NOT_LOADED` or `PROVIDER_UNAVAILABLE`, with what to do about it.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        let config = config.clone();
        super::blocking(move || Self::open_blocking(&config)).await
    }

    /// The same, on the calling thread.
    ///
    /// # Errors
    /// As [`Recogniser::open`].
    pub fn open_blocking(config: &Config) -> Result<Self, Error> {
        let dir = config.pack_dir().ok_or_else(|| missing_pack(config))?;
        let pack = Pack::open(&dir)?;
        let runtime = Runtime::load(&runtime_options(config))?;
        let options = EngineOptions {
            provider: match config.provider {
                ConfiguredProvider::Auto => ProviderChoice::Auto,
                ConfiguredProvider::Cpu => ProviderChoice::Cpu,
                ConfiguredProvider::Cuda => ProviderChoice::Cuda,
                ConfiguredProvider::Tensorrt => ProviderChoice::TensorRt,
            },
            gpu: gpu_options(config),
            min_face_px: Some(config.photos.min_face_px),
            max_faces: config.photos.max_faces.get(),
        };
        let engine = Engine::open(&runtime, &pack, options)?;
        process_memory::give_back_freed();
        tracing::info!(pack = pack.id_version(), provider = %engine.provider().provider, "pack opened");
        let build = RuntimeBuild { version: runtime.version(), build: runtime.build_info().to_owned() };
        Ok(Self::with(engine, pack.manifest(), build, config))
    }

    fn with(engine: Engine, manifest: &Manifest, runtime: RuntimeBuild, config: &Config) -> Self {
        Self {
            engine: Arc::new(engine),
            enrol_lines: config.enrol,
            key: PackKey { id: manifest.id.clone(), version: manifest.version.clone() },
            scoring: scoring(manifest, config),
            limits: limits(config),
            photos: config.photos,
            calibrated: manifest.scoring.is_calibrated(),
            manifest: Arc::new(manifest.clone()),
            runtime: Arc::new(runtime),
            budget: config.memory_budget_mb.map(budget),
        }
    }

    /// Waits until a photo has room. What decoding takes is gone when the pixels are there, but comes back with the next one.
    fn room(&self, bytes: &[u8]) -> Option<Room> {
        self.budget.as_ref().map(|budget| budget.enter(working_bytes(bytes, &self.limits)))
    }

    /// Painted squares instead of faces, with the lines of the settings' pack.
    #[cfg(test)]
    pub(crate) fn fake(config: &Config) -> Self {
        let manifest = read_manifest(&config.pack_dir().expect("the starter pack is in the repository")).unwrap();
        Self::with(Engine::fake(), &manifest, RuntimeBuild { version: None, build: String::new() }, config)
    }

    /// What the pack says of itself.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn runtime(&self) -> &RuntimeBuild {
        &self.runtime
    }

    /// Everything that what is seen in a picture depends on beside this program: the pack's nets and how they are used, the
    /// school's limits, what the nets run on. Lines are not among it.
    pub fn fingerprint(&self) -> String {
        let Photos { max_faces, min_face_px, .. } = self.photos;
        let (pack, provider) = (self.manifest.digest(), self.provider());
        let precision = if self.precision() == Precision::Half { " fp16" } else { "" };
        format!("{pack} {provider}{precision} {min_face_px} {max_faces} {:?} {:?}", self.limits, self.runtime)
    }

    /// The settings that photos are looked at by.
    pub fn photos(&self) -> &Photos {
        &self.photos
    }

    /// Length of the embeddings.
    pub fn dims(&self) -> usize {
        self.engine.dims()
    }

    /// `id@version` of the pack.
    pub fn pack(&self) -> String {
        self.key.to_string()
    }

    pub fn key(&self) -> &PackKey {
        &self.key
    }

    /// Whether the pack's lines come from measurements. Otherwise every face is at most a doubt.
    pub fn is_calibrated(&self) -> bool {
        self.calibrated
    }

    pub fn scoring(&self) -> &Scoring {
        &self.scoring
    }

    /// What ONNX Runtime really runs on.
    pub fn provider(&self) -> String {
        self.engine.provider().provider.to_string()
    }

    /// How wide the numbers are that the nets compute with.
    pub fn precision(&self) -> Precision {
        self.engine.provider().precision
    }

    /// Why half precision was tried and is not used.
    pub fn single_precision_reason(&self) -> Option<&str> {
        self.engine.provider().single_precision_reason.as_deref()
    }

    /// What each net has done since it was opened, by name.
    pub fn net_stats(&self) -> Vec<(&'static str, StageStats)> {
        self.engine.stats()
    }

    /// Why `auto` ended on the CPU, where a GPU was there to hope for.
    pub fn fallback_reason(&self) -> Option<&str> {
        self.engine.provider().fallback_reason.as_deref()
    }

    /// Decodes a photo and finds, measures and embeds its faces. Blocks; call from as many threads as there are photos in
    /// flight, the nets batch across them.
    ///
    /// # Errors
    /// `INVALID_IMAGE`, `UNSUPPORTED_FORMAT`, `IMAGE_TOO_LARGE`; `PROCESSING_ERROR` when a net fails.
    pub fn analyse(&self, bytes: &[u8]) -> Result<SeenPhoto, Error> {
        let _room = self.room(bytes);
        let start = Instant::now();
        let photo = decode(bytes, &self.limits)?;
        let decoded = start.elapsed();
        self.look(&photo.pixels, &photo, decoded)
    }

    /// Decodes a photo and finds its faces, all of them. Otherwise as [`Recogniser::analyse`].
    ///
    /// # Errors
    /// As [`Recogniser::analyse`].
    pub fn detect(&self, bytes: &[u8]) -> Result<SeenBoxes, Error> {
        let _room = self.room(bytes);
        self.detect_decoded(&decode(bytes, &self.limits)?)
    }

    /// As [`Recogniser::analyse`] for a photo that is decoded already.
    ///
    /// # Errors
    /// `PROCESSING_ERROR` when a net fails.
    pub fn analyse_decoded(&self, photo: &DecodedPhoto) -> Result<SeenPhoto, Error> {
        self.look(&photo.pixels, photo, Duration::ZERO)
    }

    /// As [`Recogniser::detect`] for a photo that is decoded already.
    ///
    /// # Errors
    /// As [`Recogniser::analyse_decoded`].
    pub fn detect_decoded(&self, photo: &DecodedPhoto) -> Result<SeenBoxes, Error> {
        Ok(SeenBoxes { size: photo.pixels.dimensions(), boxes: self.engine.detect(&photo.pixels)? })
    }

    /// As [`Recogniser::analyse`] for a portrait. Portraits are often cut tightly around the face, where detectors lack
    /// room: a picture without a face, or with its largest face near the edge, is looked at again with a grey margin.
    ///
    /// # Errors
    /// As [`Recogniser::analyse`].
    pub fn analyse_portrait(&self, bytes: &[u8]) -> Result<SeenPhoto, Error> {
        let _room = self.room(bytes);
        let start = Instant::now();
        let photo = decode(bytes, &self.limits)?;
        let decoded = start.elapsed();
        let seen = self.look(&photo.pixels, &photo, decoded)?;
        let (width, height) = seen.size;
        let largest = seen.faces.first();
        if largest.is_some_and(|face| !is_cramped(&face.detection.bbox, width, height)) {
            return Ok(seen);
        }
        let margin_px = (width.max(height) / 2).min(MAX_MARGIN_PX);
        let mut again = self.look(&with_margin(&photo.pixels, margin_px), &photo, decoded)?;
        if again.faces.is_empty() {
            return Ok(seen);
        }
        again.size = seen.size;
        for face in &mut again.faces {
            face.detection = without_margin(&face.detection, margin_px);
        }
        Ok(again)
    }

    fn look(&self, pixels: &RgbImage, photo: &DecodedPhoto, decoded: Duration) -> Result<SeenPhoto, Error> {
        let analysis = self.engine.analyse(pixels)?;
        let start = Instant::now();
        let mut faces: Vec<SeenFace> = analysis
            .faces
            .into_par_iter()
            .map(|face| SeenFace {
                quality: measure(&face.aligned, &face.detection),
                detection: face.detection,
                embedding: face.embedding,
            })
            .collect();
        faces.sort_by(|a, b| by_size_then_place(&a.detection, &b.detection));
        let timings = TimingsMs {
            decode: ms(decoded),
            detect: ms(analysis.timings.detect),
            align: ms(analysis.timings.align + start.elapsed()),
            embed: ms(analysis.timings.embed),
            ..TimingsMs::default()
        };
        Ok(SeenPhoto {
            size: pixels.dimensions(),
            faces,
            faces_left_out: analysis.faces_left_out,
            captured_at: photo.captured_at,
            warnings: photo.warnings.iter().map(ToString::to_string).collect(),
            timings,
        })
    }

    pub fn limits(&self) -> &DecodeLimits {
        &self.limits
    }

    /// The lines that an enrolment photo must meet.
    pub fn enrol_lines(&self) -> &EnrolLines {
        &self.enrol_lines
    }

    /// What the faces of a school are compared by.
    pub fn matching(&self, school: &School) -> Matching {
        Matching::of(self.key.clone(), self.scoring, &school.config)
    }
}

impl Matching {
    /// What the settings' pack compares by, read from its manifest alone: for commands that look at no photo.
    ///
    /// # Errors
    /// `MODEL_NOT_LOADED` when there is no such pack or its manifest is broken.
    pub fn of_settings(config: &Config) -> Result<Self, Error> {
        let dir = config.pack_dir().ok_or_else(|| missing_pack(config))?;
        Ok(Self::of_manifest(&read_manifest(&dir)?, config))
    }

    pub(crate) fn of_manifest(manifest: &Manifest, config: &Config) -> Self {
        let pack = PackKey { id: manifest.id.clone(), version: manifest.version.clone() };
        Self::of(pack, scoring(manifest, config), config)
    }

    fn of(pack: PackKey, scoring: Scoring, config: &Config) -> Self {
        let lesson_window = TimeDelta::minutes(i64::from(config.photos.lesson_window_min));
        Self { pack, scoring, zone: config.time_zone, lesson_window }
    }
}

/// What is left for photos now that the nets are open; says so where that is little.
fn budget(whole_mb: NonZeroU32) -> MemoryBudget {
    let whole = u64::from(whole_mb.get()) * 1024 * 1024;
    let held = process_memory::now_bytes().unwrap_or(0);
    let budget = MemoryBudget::after_opening(whole, held);
    let (held_mb, photos_mb) = (held / (1024 * 1024), budget.bytes() / (1024 * 1024));
    tracing::info!(budget_mb = whole_mb, held_mb, photos_mb, "memory for photos");
    if whole.saturating_sub(held) < budget.bytes() {
        tracing::warn!(
            budget_mb = whole_mb,
            held_mb,
            "the memory budget leaves no room for photos; one at a time is looked at"
        );
    }
    budget
}

/// How a GPU is used, as the settings say. What TensorRT builds stays in the data folder.
fn gpu_options(config: &Config) -> GpuOptions {
    GpuOptions {
        device: config.gpu.device,
        memory_limit_bytes: config.gpu.memory_limit_mb.map(|mb| u64::from(mb.get()) * 1024 * 1024),
        half_precision: match config.gpu.fp16 {
            Fp16::Auto => HalfPrecision::Auto,
            Fp16::On => HalfPrecision::Always,
            Fp16::Off => HalfPrecision::Never,
        },
        engine_cache: Some(config.data_dir.join("cache/tensorrt")),
    }
}

/// Where ONNX Runtime is looked for, as the settings say.
pub(crate) fn runtime_options(config: &Config) -> RuntimeOptions {
    RuntimeOptions {
        explicit: config.ort.clone(),
        dirs: config.install_roots().into_iter().map(|root| root.join("runtime")).collect(),
        threads: config.threads,
    }
}

/// Widest margin around a portrait: room for a face of 1000 px, without doubling a picture of 50 megapixels.
const MAX_MARGIN_PX: u32 = 500;

/// Faces in an order that depends on the photo alone: largest first, then from the top left.
fn by_size_then_place(a: &Detection, b: &Detection) -> std::cmp::Ordering {
    let key = |d: &Detection| (-d.bbox.area(), d.bbox.y1, d.bbox.x1);
    let (a, b) = (key(a), key(b));
    a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
}

fn ms(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1000.0
}

impl TimingsMs {
    /// Name and milliseconds of each stage, in the order of the work.
    pub fn named(&self) -> [(&'static str, f32); 6] {
        [
            ("decode", self.decode),
            ("detect", self.detect),
            ("align", self.align),
            ("embed", self.embed),
            ("match", self.matching),
            ("store", self.store),
        ]
    }
}

/// The manifest of the pack with this folder name.
///
/// # Errors
/// `MODEL_NOT_LOADED` when there is none, or it is broken.
pub(crate) fn manifest_of(config: &Config, pack: &str) -> Result<Manifest, Error> {
    for models in config.models_dirs() {
        let packs = crate::pack::list(&models).map_err(|e| Error::file(&models, &e))?;
        if let Some((_, manifest)) = packs.into_iter().find(|(name, _)| name == pack) {
            return Ok(manifest?);
        }
    }
    Err(missing_pack(&Config { pack: pack.to_owned(), ..config.clone() }))
}

/// The pack's lines under the school's prior.
fn scoring(manifest: &Manifest, config: &Config) -> Scoring {
    let said = &manifest.scoring;
    Scoring {
        normalise: manifest.embedder.normalise,
        lines: Lines { accept: said.accept, doubt: said.doubt, margin: said.margin },
        llr: LikelihoodRatio { intercept: said.llr.intercept, slope: said.llr.slope },
        member_prior: config.matching.member_prior,
        // Many comparisons of one picture are one witness.
        max_confidence: confidence_limit(said.provenance.images.unwrap_or(said.provenance.genuine_comparisons)),
    }
}

/// The school's limits in bytes and pixels.
pub(crate) fn limits(config: &Config) -> DecodeLimits {
    DecodeLimits {
        max_bytes: u64::from(config.photos.max_mb) * 1024 * 1024,
        max_pixels: u64::from(config.photos.max_megapixels) * 1_000_000,
        // Sixteen-bit RGBA, the widest kind of pixel.
        max_alloc_bytes: (u64::from(config.photos.max_megapixels) * 8_000_000)
            .max(DecodeLimits::default().max_alloc_bytes),
    }
}

fn missing_pack(config: &Config) -> Error {
    let looked: Vec<PathBuf> = config.install_roots().into_iter().map(|root| root.join("models")).collect();
    let looked = looked.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
    Error::new(Code::ModelNotLoaded, format!("there is no pack {:?}; looked in {looked}", config.pack))
}

#[cfg(test)]
pub(crate) mod testing {
    use std::path::Path;
    use std::sync::LazyLock;

    use super::{Config, ConfiguredProvider, Recogniser};

    /// Settings with the pack and the runtime of the repository, on the CPU.
    pub(crate) fn settings() -> Config {
        let data_dir = Path::new(env!("CARGO_MANIFEST_DIR")).to_owned();
        Config { data_dir, provider: ConfiguredProvider::Cpu, ..Config::default() }
    }

    /// The starter pack, opened once for all tests.
    pub(crate) fn starter() -> &'static Recogniser {
        static STARTER: LazyLock<Recogniser> = LazyLock::new(|| Recogniser::open_blocking(&settings()).unwrap());
        &STARTER
    }
}
