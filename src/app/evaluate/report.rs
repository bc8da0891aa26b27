//! The one shape that all measurements are reported in: what was measured with, on what, and the result.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::looker::Looker;
use super::variation::UNVARIED;
use crate::app::error::Error;
use crate::storage::Digest;

/// A measurement and everything that is needed to repeat it.
#[derive(Debug, Serialize)]
pub struct Report<T> {
    /// Name of the command: `pairs`, `identify`, `class-photos`, `detect`, `calibrate`.
    pub measurement: &'static str,
    pub program: Program,
    pub pack: PackUsed,
    /// What ONNX Runtime ran on, and its version where its file says so.
    pub provider: String,
    pub runtime: Option<String>,
    pub policy: Policy,
    /// Seed of everything that was drawn.
    pub seed: Option<u64>,
    /// The lists that were read.
    pub lists: Vec<ListUsed>,
    /// UTC, ISO 8601.
    pub started_at: String,
    /// From start to end; pictures that were remembered took none of it.
    pub seconds: f64,
    /// How much was measured, by name; pictures looked at and remembered are always among them.
    pub counts: BTreeMap<&'static str, usize>,
    /// How the intervals of the result are computed.
    pub intervals: Option<&'static str>,
    pub result: T,
    /// The same under other conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variations: Vec<Varied<T>>,
}

/// A measurement under other conditions.
#[derive(Debug, Serialize)]
pub struct Varied<T> {
    /// Such as `fit=640,min-face=12`.
    pub variation: String,
    pub result: T,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    pub version: &'static str,
    /// Commit that the program was built from; `unknown` when nobody said.
    pub commit: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackUsed {
    pub id: String,
    pub version: String,
    pub title: String,
    /// Of its files and how its nets are used; another line does not change it.
    pub sha256: String,
}

/// What decides about a face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Policy {
    /// Lines of the combined score.
    pub accept: f32,
    pub doubt: f32,
    pub margin: f32,
    pub calibrated: bool,
    pub member_prior: f32,
    pub min_face_px: u32,
    pub max_faces: usize,
}

/// A list, by name and content: where it lies is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListUsed {
    pub name: String,
    pub sha256: String,
}

/// What the caller knows of a measurement before it starts.
#[derive(Debug, Clone)]
pub struct Asked {
    pub lists: Vec<PathBuf>,
    pub seed: Option<u64>,
    pub commit: String,
    pub started_at: DateTime<Utc>,
}

/// What every measurement can say of itself.
pub trait Measurement: Serialize {
    const NAME: &'static str;
    /// How its intervals are computed; none when it has none.
    const INTERVALS: Option<&'static str>;

    /// How much was measured.
    fn counts(&self) -> Vec<(&'static str, usize)>;
}

impl<T: Measurement> Report<T> {
    /// Puts a result together with what it was measured with.
    ///
    /// # Errors
    /// `FILE_ERROR` when a list has gone meanwhile.
    pub fn of(result: T, looker: &Looker<'_>, asked: &Asked) -> Result<Self, Error> {
        let recogniser = looker.recogniser();
        let (manifest, scoring, photos) = (recogniser.manifest(), recogniser.scoring(), recogniser.photos());
        let looks = looker.looks();
        let mut counts: BTreeMap<&'static str, usize> = result.counts().into_iter().collect();
        counts.insert("pictures_looked_at", looks.looked_at);
        counts.insert("pictures_remembered", looks.remembered);
        Ok(Self {
            measurement: T::NAME,
            program: Program { version: env!("CARGO_PKG_VERSION"), commit: asked.commit.clone() },
            pack: PackUsed {
                id: manifest.id.clone(),
                version: manifest.version.clone(),
                title: manifest.title.clone(),
                sha256: manifest.digest(),
            },
            provider: recogniser.provider(),
            runtime: recogniser.runtime().version.clone(),
            policy: Policy {
                accept: scoring.lines.accept,
                doubt: scoring.lines.doubt,
                margin: scoring.lines.margin,
                calibrated: recogniser.is_calibrated(),
                member_prior: scoring.member_prior,
                min_face_px: photos.min_face_px,
                max_faces: photos.max_faces.get(),
            },
            seed: asked.seed,
            lists: asked.lists.iter().map(|list| ListUsed::of(list)).collect::<Result<_, _>>()?,
            started_at: asked.started_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            seconds: (Utc::now() - asked.started_at).as_seconds_f64(),
            counts,
            intervals: T::INTERVALS,
            result,
            variations: Vec::new(),
        })
    }

    /// The measurement itself, then the same under other conditions, with what is different.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &T)> {
        let others = self.variations.iter().map(|varied| (varied.variation.as_str(), &varied.result));
        std::iter::once((UNVARIED, &self.result)).chain(others)
    }

    /// `id@version` of the pack.
    pub fn pack_id(&self) -> String {
        format!("{}@{}", self.pack.id, self.pack.version)
    }
}

impl ListUsed {
    fn of(list: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(list).map_err(|e| Error::file(list, &e))?;
        let name = list.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, sha256: Digest::of(&bytes).to_string() })
    }
}
