//! Portraits and templates out of the school, in the layout they came in: `<Student_Name>_<Roll_No>/` with the pictures and
//! `face_embedding.<pack>.npy`.
//!
//! The folder may be anybody's. A list in it ([`LIST_FILE`]) says what was written by an earlier export and may be written
//! anew; a file with other content that is not on it is named and left alone, and so is whatever a link leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::batch_report::ErrorReport;
use super::enrol::{CurrentRoster, roster};
use super::error::{Code, Error};
use super::report::write_whole;
use super::session::Matching;
use super::{School, blocking};
use crate::db::samples::{SampleOrigin, SampleRow};
use crate::db::{AnyConnection, samples, students};
use crate::domain::folder_name::RosterEntry;
use crate::domain::ids::StudentId;
use crate::domain::npy;
use crate::domain::status::{Consent, Origin};
use crate::domain::template::{Sample, TemplateError, template};
use crate::storage::{Digest, Key};

/// The list of what exports have written: path and SHA-256.
pub const LIST_FILE: &str = "rollcall-dataset.json";

/// What became of an export.
#[derive(Debug, Serialize)]
pub struct DatasetReport {
    /// `id@version` of the pack whose templates were written.
    pub pack: String,
    /// Students with a folder.
    pub students: usize,
    pub files_written: usize,
    /// Files that were there already, with the same content.
    pub files_unchanged: usize,
    /// Files and folders that were left alone, with the reason.
    pub problems: Vec<DatasetProblem>,
}

#[derive(Debug, Serialize)]
pub struct DatasetProblem {
    /// Relative to the folder.
    pub path: String,
    pub error: ErrorReport,
}

/// Writes the members of today's classes, or of one, to `dir`. Students without recorded consent are left out.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `AMBIGUOUS_NAME`; `MODEL_NOT_LOADED` when the pack's manifest cannot be read; `FILE_ERROR` when the folder
/// cannot be made or its list not read. A file that cannot be written is a problem of the report.
pub async fn export(
    school: &School,
    dir: PathBuf,
    (class, term): (Option<(&str, &str)>, Option<&str>),
) -> Result<DatasetReport, Error> {
    let matching = Matching::of_settings(&school.config)?;
    let roster = roster(school, class, term).await?;
    let pack = matching.pack.to_string();
    let (folders, problems) = school.read(move |conn| folders(conn, &roster, &matching)).await?;
    let mut writer = blocking(move || Writer::open(dir)).await?;
    writer.problems.extend(problems);
    for folder in &folders {
        for (name, content) in &folder.files {
            let bytes = match content {
                Content::Bytes(bytes) => Ok(bytes.clone()),
                Content::Stored(key) => school.store.get(key).await.map_err(Error::from),
            };
            match bytes {
                Ok(bytes) => writer.write((&folder.name, name), &bytes),
                Err(e) => writer.problem(format!("{}/{name}", folder.name), &e),
            }
        }
    }
    writer.close()?;
    Ok(DatasetReport {
        pack,
        students: folders.len(),
        files_written: writer.written,
        files_unchanged: writer.unchanged,
        problems: writer.problems,
    })
}

/// A student's folder.
struct Folder {
    name: String,
    files: Vec<(String, Content)>,
}

enum Content {
    Stored(Key),
    Bytes(Vec<u8>),
}

type Found = (Vec<Folder>, Vec<DatasetProblem>);

/// The folders to write; two students who would share one are a problem, and have none.
fn folders(conn: &mut AnyConnection, roster: &CurrentRoster, matching: &Matching) -> Result<Found, Error> {
    // Names that differ in case are one file on some systems.
    let mut named: BTreeMap<String, Vec<&RosterEntry>> = BTreeMap::new();
    for entry in &roster.entries {
        named.entry(entry.folder_name().to_lowercase()).or_default().push(entry);
    }
    let origins = samples::origins(conn)?;
    let (mut folders, mut problems) = (Vec::new(), Vec::new());
    for entries in named.into_values() {
        let first = entries[0];
        let persons: BTreeSet<StudentId> = entries.iter().map(|e| e.student).collect();
        if persons.len() > 1 {
            let prns: Vec<&str> = entries.iter().map(|e| e.prn.as_str()).collect();
            let what = format!("is the folder of PRN {}; export one class at a time", prns.join(" and PRN "));
            problems.push(problem(first.folder_name(), &Error::new(Code::AmbiguousName, what)));
            continue;
        }
        if students::get(conn, first.student)?.consent != Consent::Given {
            continue;
        }
        let mut files = pictures(first.student, &origins);
        match template_of(conn, first.student, matching)? {
            Ok(Some(bytes)) => {
                files.push((format!("face_embedding.{}.npy", matching.pack.id), Content::Bytes(bytes)));
            }
            Ok(None) => {}
            Err(e) => problems.push(problem(first.folder_name(), &Error::new(Code::SamplesDisagree, e.to_string()))),
        }
        if !files.is_empty() {
            folders.push(Folder { name: first.folder_name(), files });
        }
    }
    Ok((folders, problems))
}

/// `face.jpg`, `face_2.jpg` and so on, the oldest first.
fn pictures(student: StudentId, origins: &[SampleOrigin]) -> Vec<(String, Content)> {
    let mut seen = BTreeSet::new();
    let own = origins.iter().filter(|o| o.student_id == student && seen.insert(o.object_key.as_str()));
    let keys = own.filter_map(|o| o.object_key.parse::<Key>().ok());
    keys.enumerate()
        .filter_map(|(i, key)| {
            let Key::Sample { extension, .. } = key else { return None };
            let number = if i == 0 { String::new() } else { format!("_{}", i + 1) };
            Some((format!("face{number}.{extension}"), Content::Stored(key)))
        })
        .collect()
}

/// The student's template by portraits alone as a file; none without one of the pack.
fn template_of(
    conn: &mut AnyConnection,
    student: StudentId,
    matching: &Matching,
) -> Result<Result<Option<Vec<u8>>, TemplateError>, Error> {
    let rows = samples::for_students(conn, &matching.pack.id, &matching.pack.version, &[student])?;
    // A template that is brought back counts as a portrait: what was learned must not become one on the way.
    let portraits = rows.into_iter().filter(|row| row.origin == Origin::Portrait);
    let samples: Vec<Sample> = portraits.map(SampleRow::into_sample).collect();
    Ok(match template(&samples, &matching.scoring) {
        Ok(template) => Ok(Some(npy::write(template.vector.values()))),
        Err(TemplateError::NoSample) => Ok(None),
        Err(error) => Err(error),
    })
}

fn problem(path: String, error: &Error) -> DatasetProblem {
    DatasetProblem { path, error: ErrorReport { code: error.code, message: error.message.clone() } }
}

/// Writes into a folder that may hold other people's files.
struct Writer {
    dir: PathBuf,
    /// Path below the folder and SHA-256 of everything that exports have written.
    ours: BTreeMap<String, String>,
    written: usize,
    unchanged: usize,
    problems: Vec<DatasetProblem>,
}

impl Writer {
    fn open(dir: PathBuf) -> Result<Self, Error> {
        std::fs::create_dir_all(&dir).map_err(|e| Error::file(&dir, &e))?;
        let list = dir.join(LIST_FILE);
        let ours = match std::fs::read(&list) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                let what = format!("{}: not the list of an export ({e}); choose another folder", list.display());
                Error::new(Code::FileError, what)
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(Error::file(&list, &e)),
        };
        Ok(Self { dir, ours, written: 0, unchanged: 0, problems: Vec::new() })
    }

    fn problem(&mut self, path: String, error: &Error) {
        self.problems.push(problem(path, error));
    }

    fn write(&mut self, (folder, name): (&str, &str), bytes: &[u8]) {
        let path = format!("{folder}/{name}");
        match self.put((folder, name), &path, bytes) {
            Ok(true) => {
                self.written += 1;
                self.ours.insert(path, Digest::of(bytes).to_string());
            }
            Ok(false) => self.unchanged += 1,
            Err(error) => self.problem(path, &error),
        }
    }

    /// False when the file was there with this content.
    fn put(&self, (folder, name): (&str, &str), path: &str, bytes: &[u8]) -> Result<bool, Error> {
        let refused = |what: &str| Err(Error::new(Code::FileError, what));
        let dir = self.dir.join(folder);
        if is_link(&dir) || is_link(&dir.join(name)) {
            return refused("is a link and was left alone");
        }
        std::fs::create_dir_all(&dir).map_err(|e| Error::file(Path::new(folder), &e))?;
        let file = dir.join(name);
        match std::fs::read(&file) {
            Ok(there) if there == bytes => return Ok(false),
            Ok(there) if self.ours.get(path) != Some(&Digest::of(&there).to_string()) => {
                return refused("is there with other content, not written by an export, and was left alone");
            }
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::file(Path::new(path), &e)),
        }
        // Under a name that is nobody's, so that half a file never stands under its own.
        let fresh = dir.join(format!(".{name}.rollcall-part"));
        let written = std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, &file));
        written.map(|()| true).map_err(|e| Error::file(Path::new(path), &e))
    }

    fn close(&self) -> Result<(), Error> {
        let json = serde_json::to_vec_pretty(&self.ours).expect("a map of texts is JSON");
        write_whole(&self.dir.join(LIST_FILE), &json)
    }
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_symlink())
}
