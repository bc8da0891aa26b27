//! Sheets that are made in the background, because they take long or somebody else fetches them: a job each, its file in the
//! store.
//!
//! The job is all that is known of an export: its payload says what is wanted, its result what was made. The file lies under
//! the job's number, so that a second attempt writes over what the first has left, and it lives as long as the job is kept
//! (`queue.keep_days`). Any worker makes exports, whatever pack it has. When two believe they have the job, because one stood
//! still for longer than its lease, the later file stays; both hold the same sheet.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attendance::require_range;
use super::error::{Code, Error};
use super::photo::failure;
use super::report::{self, RegisterOf, SessionFile, SheetFormat};
use super::work::{bad_payload, finish_with, storage_failure};
use super::{School, jobs};
use crate::db::{AnyConnection, classes, sessions};
use crate::domain::ids::{ClassId, SessionId};
use crate::queue::store::{self, JobRow};
use crate::queue::{self, Claimed, Failure, JobError, JobId, JobState, NewJob, Priority};
use crate::storage::{Digest, Download, ExportExtension, Head, Key, SignedLink, StorageError, StorageErrorKind};

/// The kind of an export's job.
pub(crate) const JOB_KIND: &str = "export";
/// Its topic, which every worker has.
pub(crate) const TOPIC: &str = "export";

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportWish {
    pub sheet: Sheet,
    pub format: SheetFormat,
    /// Of a session; none of one that is as usual, as wishes are that wait since before more could be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_file: Option<SessionFile>,
}

/// The sheets that there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sheet {
    /// Of one session.
    Session(SessionId),
    /// A class on some days.
    Register(RegisterOf),
    /// The register, and a page for each of its sessions; always a workbook.
    Workbook(RegisterOf),
}

/// What an export's job says.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    /// For whoever may see only some classes.
    class: ClassId,
    wish: ExportWish,
}

/// What an export's job has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// That of the job.
    pub export_id: i64,
    /// As the file is called when it is saved: tells numbers and days only.
    pub file_name: String,
    pub bytes: u64,
}

/// An export and how far it is.
#[derive(Debug)]
pub struct Export {
    pub id: JobId,
    pub state: JobState,
    pub class: ClassId,
    pub wish: ExportWish,
    /// Of one that is done.
    pub made: Option<Made>,
    /// Why the last attempt failed.
    pub error: Option<JobError>,
}

impl ExportWish {
    /// Of one session.
    pub fn session(id: SessionId, file: SessionFile) -> Self {
        Self { session_file: Some(file), ..Self::of(Sheet::Session(id), file.format()) }
    }

    /// Of anything; of a session as it usually is.
    pub const fn of(sheet: Sheet, format: SheetFormat) -> Self {
        Self { sheet, format, session_file: None }
    }

    fn session_file(&self) -> SessionFile {
        self.session_file.unwrap_or_else(|| self.format.into())
    }

    fn file_name(&self) -> String {
        let of = |register: &RegisterOf| format!("class-{}_{}_{}", register.class.0, register.days.0, register.days.1);
        let stem = match &self.sheet {
            Sheet::Session(session) => format!("{}-{}", self.session_file().stem(), session.0),
            Sheet::Register(register) => of(register),
            Sheet::Workbook(register) => format!("{}_sessions", of(register)),
        };
        format!("{stem}.{}", self.format.extension())
    }

    /// The class it is about.
    ///
    /// # Errors
    /// `SESSION_NOT_FOUND`, `CLASS_NOT_FOUND`, `SUBJECT_NOT_FOUND`; `INVALID_REQUEST` for days in the wrong order, too far away,
    /// or more than three years, and for a workbook as CSV; `PILOT_SESSION` for one for Moodle.
    fn class(&self, conn: &mut AnyConnection) -> Result<ClassId, Error> {
        match &self.sheet {
            Sheet::Session(session) => {
                let session = sessions::get(conn, *session)?;
                report::require_countable(&session, self.session_file())?;
                Ok(session.class_id)
            }
            Sheet::Workbook(_) if self.format != SheetFormat::Xlsx => {
                Err(Error::new(Code::InvalidRequest, "a workbook has pages, which CSV has not: ask for xlsx"))
            }
            Sheet::Register(register) | Sheet::Workbook(register) => {
                require_range(register.days)?;
                if let Some(subject) = &register.subject {
                    report::find_subject(conn, subject)?;
                }
                Ok(classes::get(conn, register.class)?.id)
            }
        }
    }

    async fn bytes(self, school: &School) -> Result<Vec<u8>, Error> {
        let file = self.session_file();
        match self.sheet {
            Sheet::Session(session) => report::session_file(school, session, file).await,
            Sheet::Register(register) => report::register_of(school, register, self.format).await,
            Sheet::Workbook(register) => report::workbook_of(school, register).await,
        }
    }
}

/// Queues an export for `owner`, before everything that nobody waits for. The same wish of the same owner that still waits is
/// that job.
///
/// # Errors
/// As what is wanted may be wrong: `SESSION_NOT_FOUND`, `CLASS_NOT_FOUND`, `SUBJECT_NOT_FOUND`, `INVALID_REQUEST`, `PILOT_SESSION`;
/// `BUSY` when too many wait already.
pub async fn request(school: &School, wish: ExportWish, owner: Option<String>) -> Result<JobId, Error> {
    let (max_attempts, limit) = (school.config.queue.max_attempts, school.config.server.queue_limit);
    school
        .change(move |conn| {
            let class = wish.class(conn)?;
            jobs::require_room(conn, TOPIC, limit)?;
            let same = serde_json::json!([owner, wish]).to_string();
            let job = NewJob {
                kind: JOB_KIND,
                topic: TOPIC.to_owned(),
                dedup_key: format!("class:{}:{JOB_KIND}:{}", class.0, Digest::of(same.as_bytes())),
                payload: serde_json::json!(Payload { class, wish }),
                run_id: None,
                priority: Priority::Person,
                max_attempts,
                owner,
            };
            Ok(queue::enqueue(conn, &job)?)
        })
        .await
}

/// Makes an export, stores it and ends its job.
///
/// # Errors
/// What failed, for the queue to try again; that the job is no longer this worker's.
pub(crate) async fn make(school: &School, job: &Claimed) -> Result<(), Failure> {
    let Payload { wish, .. } = serde_json::from_value(job.payload.clone()).map_err(|e| bad_payload(&e))?;
    let (id, file_name, key) = (job.claim.id, wish.file_name(), key(job.claim.id, wish.format));
    let bytes = wish.bytes(school).await.map_err(failure)?;
    let made = Made { export_id: id.0, file_name, bytes: bytes.len() as u64 };
    if let Err(error) = school.store.put(&key, &bytes).await {
        return Err(storage_failure(school, error.into()).await);
    }
    finish_with(school, &job.claim, serde_json::json!(made)).await
}

/// An export.
///
/// # Errors
/// `EXPORT_NOT_FOUND`.
pub async fn get(school: &School, id: JobId) -> Result<Export, Error> {
    let found = school.read(move |conn| Ok(store::get(conn, id))).await?;
    match found {
        Ok(row) if row.kind == JOB_KIND => read(row),
        Ok(_) | Err(crate::db::DbError::NotFound { .. }) => {
            Err(Error::new(Code::ExportNotFound, format!("there is no export {}", id.0)))
        }
        Err(error) => Err(error.into()),
    }
}

fn read(row: JobRow) -> Result<Export, Error> {
    let unreadable = |e: serde_json::Error| Error::new(Code::ProcessingError, format!("export {}: {e}", row.id));
    let state = row.job_state();
    let Payload { class, wish } = serde_json::from_value(row.payload.0).map_err(unreadable)?;
    let made = row.result.map(|json| serde_json::from_value(json.0)).transpose().map_err(unreadable)?;
    Ok(Export { id: JobId(row.id), state, class, wish, made, error: row.errors.0.into_iter().last() })
}

/// The file of an export that is done.
#[derive(Debug)]
pub struct ExportFile {
    pub file_name: String,
    pub media_type: &'static str,
    pub head: Head,
    key: Key,
}

/// What there is to fetch.
///
/// # Errors
/// `EXPORT_NOT_FOUND`, also when the file is gone; `EXPORT_NOT_READY`; storage failures.
pub async fn file(school: &School, id: JobId) -> Result<ExportFile, Error> {
    let Export { state, wish, made, .. } = get(school, id).await?;
    let Some(Made { file_name, .. }) = made else {
        return Err(Error::new(Code::ExportNotReady, format!("export {} is {}", id.0, state.as_str())));
    };
    let key = key(id, wish.format);
    let head = school.store.head(&key).await.map_err(|error| gone(id, error))?;
    Ok(ExportFile { file_name, media_type: wish.format.media_type(), head, key })
}

impl ExportFile {
    /// Another one whenever the file was written again.
    pub fn version(&self) -> String {
        format!("{:x}-{:x}", self.head.modified.timestamp_micros(), self.head.length)
    }

    /// Its bytes, or some of them.
    ///
    /// # Errors
    /// Storage failures.
    pub async fn open(&self, school: &School, range: Option<Range<u64>>) -> Result<Download, Error> {
        Ok(school.store.open(&self.key, range).await?)
    }
}

/// A link to the file in the store itself, where clients reach the store and it is done.
///
/// # Errors
/// `STORAGE_ERROR` without credentials to sign with.
pub async fn store_link(school: &School, export: &Export, valid_for: Duration) -> Result<Option<SignedLink>, Error> {
    let Some(made) = &export.made else { return Ok(None) };
    Ok(school.store.presign(&key(export.id, export.wish.format), &made.file_name, valid_for).await?)
}

/// Where the file of an export is kept.
const fn key(id: JobId, format: SheetFormat) -> Key {
    let extension = match format {
        SheetFormat::Xlsx => ExportExtension::Xlsx,
        SheetFormat::Csv => ExportExtension::Csv,
    };
    Key::Export { job: id.0, extension }
}

fn gone(id: JobId, error: StorageError) -> Error {
    match error.kind {
        StorageErrorKind::NotFound => {
            Error::new(Code::ExportNotFound, format!("the file of export {} is gone; ask for it again", id.0))
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests;
