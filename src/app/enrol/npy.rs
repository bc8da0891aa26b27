//! Embeddings that another system has made of the students' portraits, in `face_embedding.npy` files.
//!
//! They are taken on trust: nobody can see from a vector whose face it is, or how good the picture was. What can be checked
//! is checked (pack, dimensions, numbers, consent), and contradictions with other samples are found as for portraits.

use std::path::{Path, PathBuf};

use chrono::Utc;

use super::one::{Kept, insert, require_consent};
use super::sources::{Task, from_folder};
use super::{ConsentGiven, EnrolReport, Options, PortraitReport, PortraitStatus, refused, report_of};
use crate::app::error::{Code, Error};
use crate::app::session::Matching;
use crate::app::{School, blocking, recogniser};
use crate::db::Json;
use crate::db::samples::{self, NewSample};
use crate::domain::embedding::{Embedding, EmbeddingError};
use crate::domain::ids::StudentId;
use crate::domain::npy;
use crate::domain::quality::UNKNOWN_QUALITY_WEIGHT;
use crate::domain::status::Consent;
use crate::storage::Digest;

/// Some thousand vectors; a student has a few.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Imports the `face_embedding.npy` (or `face_embedding.<pack>.npy`) of every `<Student_Name>_<Roll_No>/` folder as samples
/// of the pack whose nets made them. Needs the pack's manifest, not its nets. Pictures are left aside.
///
/// # Errors
/// `MODEL_NOT_LOADED` when there is no such pack; a folder or database that cannot be read.
pub async fn run_npy(
    school: &School,
    (dir, pack): (PathBuf, &str),
    options: Options<'_>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<EnrolReport, Error> {
    let manifest = recogniser::manifest_of(&school.config, pack)?;
    let matching = Matching::of_manifest(&manifest, &school.config);
    let roster = super::roster(school, options.class, options.term).await?;
    let names = ["face_embedding.npy".to_owned(), format!("face_embedding.{pack}.npy")];
    let found = from_folder(&dir, &roster.entries, &|name| names.iter().any(|known| known == name))?;
    let (tasks, mut reports, warnings) = found;
    let taker = Taker { school, matching: &matching, dims: manifest.embedder.dims, consent: options.consent };
    let all = tasks.len();
    let mut touched = super::Touched::default();
    for (done, task) in tasks.into_iter().enumerate() {
        touched.add(&task.entry);
        let (path, roll_no) = (task.path.clone(), task.entry.roll_no.clone());
        reports.push(taker.file(task).await.unwrap_or_else(|e| refused(path, Some(roll_no), &e)));
        progress(done + 1, all);
    }
    report_of(school, (matching, "none"), (&roster, &touched), (reports, warnings)).await
}

struct Taker<'a> {
    school: &'a School,
    matching: &'a Matching,
    dims: usize,
    consent: ConsentGiven,
}

impl Taker<'_> {
    async fn file(&self, task: Task) -> Result<PortraitReport, Error> {
        let student = task.entry.student;
        let stated = self.consent == ConsentGiven::Recorded || task.consent == Consent::Given;
        self.school.change(move |conn| require_consent(conn, student, stated)).await?;
        let (file, dims) = (task.source, self.dims);
        let vectors = blocking(move || read(&file, dims)).await?;
        let mut status = PortraitStatus::Known;
        for vector in vectors {
            if let Some(Kept::New(_)) = self.keep(student, vector).await? {
                status = PortraitStatus::Enrolled;
            }
        }
        Ok(PortraitReport {
            path: task.path,
            roll_no: Some(task.entry.roll_no),
            member: Some(task.entry.member),
            sample: None,
            status,
            error: None,
            quality: None,
            warnings: Vec::new(),
        })
    }

    /// None for a vector that the student has already.
    async fn keep(&self, student: StudentId, embedding: Embedding) -> Result<Option<Kept>, Error> {
        let pack = self.matching.pack.clone();
        let sha256 = Digest::of(&embedding.to_le_bytes()).to_string();
        let (by, hash) = (pack.clone(), sha256.clone());
        let find = move |conn: &mut _| Ok(samples::find_by_sha256(conn, student, (&by.id, &by.version), &hash)?);
        if self.school.read(find).await?.is_some() {
            return Ok(None);
        }
        let new = NewSample {
            student_id: student,
            pack_id: pack.id,
            pack_version: pack.version,
            sha256,
            // There is no picture, and nothing was measured.
            object_key: String::new(),
            quality: Json(None),
            embedding,
            weight: f64::from(UNKNOWN_QUALITY_WEIGHT),
            created_at: Utc::now().naive_utc(),
        };
        insert(self.school, new).await.map(Some)
    }
}

/// The vectors of a file, each of them an embedding of `dims` numbers.
fn read(file: &Path, dims: usize) -> Result<Vec<Embedding>, Error> {
    let failed = |e: std::io::Error| Error::file(file, &e);
    let invalid = |what: String| Error::new(Code::InvalidEmbedding, what);
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(invalid(format!("{length} bytes are more than any student's embeddings ({MAX_FILE_BYTES})")));
    }
    let read = npy::parse(&std::fs::read(file).map_err(failed)?).map_err(|e| invalid(e.to_string()))?;
    if read.dims() != dims {
        return Err(invalid(EmbeddingError::Dimensions { expected: dims, found: read.dims() }.to_string()));
    }
    read.vectors().map(|v| Embedding::new(v.to_vec()).map_err(|e| invalid(e.to_string()))).collect()
}
