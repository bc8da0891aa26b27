//! A folder of class photos in, sessions and sheets out.
//!
//! Two steps: [`plan`] reads names, manifest and camera clocks and changes nothing; [`run`] takes the photos in, works
//! through them with several in flight, and reports. Bytes decide what a photo is, so a second run over the same folder
//! finds everything done, and a run after a stop continues where the first one was. A bad file is a line of the report,
//! never the end of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{NaiveDate, NaiveDateTime, Utc};
use serde::Serialize;
use tokio::task::JoinSet;
use walkdir::WalkDir;

use super::batch_report::{BatchReport, ErrorReport, PhotoReport, PhotoStatus, SessionReport, TimingsMs};
use super::error::{Code, Error};
use super::photo::{self, Accepted, AcceptedState, Incoming};
use super::recogniser::limits;
use super::session::Matching;
use super::{Recogniser, School, annotate, report, session};
use crate::db::{classes, sessions};
use crate::domain::class_label::{ClassLabels, ClassRef};
use crate::domain::ids::{ClassId, PhotoId, SessionId};
use crate::domain::manifest::{ManifestRow, parse_manifest};
use crate::domain::photo_name::{looks_like_photo, read_photo_name};
use crate::domain::photo_time::{NamedTime, TimeError};
use crate::domain::session_group::{SessionGroup, TimeSource, TimedPhoto, group_sessions};
use crate::storage::Digest;
use crate::vision::decode::{DecodeError, DecodeLimits, Oversize, taken_at};

/// Name of the list that may lie in the folder beside the photos.
pub const MANIFEST_FILE: &str = "manifest.csv";

/// What to do with photos that were processed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Keep,
    Reprocess,
}

/// Whether to write the photos with boxes and roll numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotate {
    Yes,
    No,
}

/// How a folder is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Class and section of photos whose names do not say one.
    pub class: Option<(String, String)>,
    pub known: Known,
    pub annotate: Annotate,
}

/// Asks a run to stop: photos in hand are finished, the others wait for the next run.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which photo belongs to which session, before anything was changed.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    pub photos: Vec<PlannedPhoto>,
    #[serde(skip)]
    groups: Vec<SessionGroup<Entry>>,
}

/// One file of the folder.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedPhoto {
    /// Relative to the folder.
    pub path: String,
    #[serde(skip)]
    file: PathBuf,
    #[serde(serialize_with = "target_or_error")]
    pub target: Result<Target, ErrorReport>,
}

/// The session of a photo.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    #[serde(skip)]
    class_id: ClassId,
    pub class: String,
    pub section: String,
    pub name: Option<String>,
    /// Start of the session in the school's time zone.
    pub starts_at: NaiveDateTime,
    #[serde(skip)]
    source: TimeSource,
}

fn target_or_error<S: serde::Serializer>(target: &Result<Target, ErrorReport>, s: S) -> Result<S::Ok, S::Error> {
    match target {
        Ok(target) => target.serialize(s),
        Err(error) => serde_json::json!({ "error": error }).serialize(s),
    }
}

impl Plan {
    /// Photos that cannot be placed.
    pub fn problems(&self) -> usize {
        self.photos.iter().filter(|p| p.target.is_err()).count()
    }

    /// Sessions that photos of the folder belong to.
    pub fn sessions(&self) -> usize {
        self.groups.iter().filter(|g| g.photos.iter().any(|e| matches!(e, Entry::Photo(_)))).count()
    }
}

/// What is grouped into sessions: photos of the folder, and sessions that exist, so that they are found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Existing(SessionId),
    /// Index into the plan's photos.
    Photo(usize),
}

/// Reads the folder: every photo's class and time from its name, the manifest or the camera's clock.
///
/// # Errors
/// `FILE_ERROR` for a folder that cannot be read, `CLASS_NOT_FOUND` for a class that was asked for, `INVALID_TABLE` for a
/// broken manifest. A photo that cannot be placed is an entry of the plan, not an error.
pub async fn plan(school: &School, dir: &Path, options: &Options) -> Result<Plan, Error> {
    let term = school.config.term.clone();
    let labels = school
        .read(move |conn| {
            let of = |c: classes::ClassRow| ClassRef { id: c.id, name: c.name, section: c.section };
            Ok(ClassLabels::new(classes::list(conn, Some(&term))?.into_iter().map(of).collect()))
        })
        .await?;
    let asked = options.class.as_ref().map(|(class, section)| asked_class(&labels, class, section)).transpose()?;
    let folder =
        Folder { dir: dir.to_owned(), labels, asked, zone: school.config.time_zone, limits: limits(&school.config) };
    let (folder, mut photos) = super::blocking(move || {
        let photos = folder.photos()?;
        Ok((folder, photos))
    })
    .await?;
    let groups = group(school, &folder, &photos).await?;
    for group in &groups {
        for entry in &group.photos {
            if let Entry::Photo(i) = entry
                && let Ok(target) = &mut photos[*i].target
            {
                target.starts_at = group.starts_at;
                target.name = group.name.clone();
            }
        }
    }
    Ok(Plan { photos, groups })
}

fn asked_class(labels: &ClassLabels, class: &str, section: &str) -> Result<ClassId, Error> {
    match labels.named(class, section)[..] {
        [one] => Ok(one.id),
        [] => Err(Error::new(
            Code::ClassNotFound,
            format!("there is no class {class}-{section}; import its roster first"),
        )),
        _ => Err(Error::new(Code::AmbiguousName, format!("{class}-{section} fits several classes"))),
    }
}

/// The folder and what its names are read against.
struct Folder {
    dir: PathBuf,
    labels: ClassLabels,
    asked: Option<ClassId>,
    zone: chrono_tz::Tz,
    limits: DecodeLimits,
}

impl Folder {
    fn photos(&self) -> Result<Vec<PlannedPhoto>, Error> {
        let manifest = self.manifest()?;
        let mut photos = Vec::new();
        for entry in WalkDir::new(&self.dir).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|e| unreadable(&self.dir, e))?;
            let path = entry.path().strip_prefix(&self.dir).unwrap_or(entry.path()).to_owned();
            if entry.file_type().is_file() && looks_like_photo(&path) {
                let target = self.target(&path, entry.path(), &manifest);
                let name = path.to_string_lossy().replace('\\', "/");
                photos.push(PlannedPhoto { path: name, file: entry.into_path(), target: target.map_err(|e| told(&e)) });
            }
        }
        self.miss(&manifest, &mut photos);
        Ok(photos)
    }

    fn manifest(&self) -> Result<BTreeMap<String, ManifestRow>, Error> {
        let file = self.dir.join(MANIFEST_FILE);
        match std::fs::read(&file) {
            Ok(bytes) => {
                let rows = parse_manifest(&bytes).map_err(|e| Error::from(e).of(MANIFEST_FILE))?;
                Ok(rows.into_iter().map(|row| (row.photo.replace('\\', "/"), row)).collect())
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(e) => Err(Error::file(&file, &e)),
        }
    }

    /// A photo that the manifest lists and the folder lacks is a line of the report, too.
    fn miss(&self, manifest: &BTreeMap<String, ManifestRow>, photos: &mut Vec<PlannedPhoto>) {
        let found: BTreeSet<String> = photos.iter().map(|p| p.path.clone()).collect();
        for (name, row) in manifest.iter().filter(|(name, _)| !found.contains(*name)) {
            let what = format!("{MANIFEST_FILE} line {} lists it, but it is not in the folder", row.line);
            let target = Err(told(&Error::new(Code::FileError, what)));
            photos.push(PlannedPhoto { path: name.clone(), file: self.dir.join(name), target });
        }
    }

    fn target(&self, path: &Path, file: &Path, manifest: &BTreeMap<String, ManifestRow>) -> Result<Target, Error> {
        let listed = manifest.get(&*path.to_string_lossy().replace('\\', "/"));
        let (class_id, name, time) = match listed {
            Some(row) => {
                let class = asked_class(&self.labels, &row.class, &row.section)?;
                let at = row.timestamp.map(|t| t.local(&self.zone));
                (class, row.session.clone(), at.map_or(NamedTime::Unsaid, NamedTime::Moment))
            }
            None => {
                let named = read_photo_name(path, &self.labels, self.asked)?;
                (named.class, named.session, named.time)
            }
        };
        let (starts_at, source) = match time {
            NamedTime::Moment(at) => (at, TimeSource::Named),
            time => (time.resolve(self.camera_clock(file)?).map_err(no_time)?, TimeSource::Taken),
        };
        let label =
            self.labels.classes().iter().find(|c| c.id == class_id).expect("names are read against these classes");
        Ok(Target { class_id, class: label.name.clone(), section: label.section.clone(), name, starts_at, source })
    }

    fn camera_clock(&self, file: &Path) -> Result<Option<NaiveDateTime>, Error> {
        let bytes = std::fs::read(file).map_err(|e| Error::file(file, &e))?;
        Ok(taken_at(&bytes, &self.limits))
    }
}

fn unreadable(dir: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(dir).to_owned();
    let error = error.into_io_error().unwrap_or_else(|| std::io::Error::other("the folder contains itself"));
    Error::file(&path, &error)
}

fn no_time(error: TimeError) -> Error {
    let code = match error {
        TimeError::Missing => Code::NoTimestamp,
        TimeError::OtherDate { .. } => Code::AmbiguousName,
    };
    Error::new(code, error.to_string())
}

fn told(error: &Error) -> ErrorReport {
    ErrorReport { code: error.code, message: error.message.clone() }
}

/// Groups the photos into sessions, together with the sessions that exist around their times.
async fn group(school: &School, folder: &Folder, photos: &[PlannedPhoto]) -> Result<Vec<SessionGroup<Entry>>, Error> {
    let mut timed: Vec<TimedPhoto<Entry>> = Vec::new();
    let mut days: BTreeMap<ClassId, (NaiveDate, NaiveDate)> = BTreeMap::new();
    for (i, photo) in photos.iter().enumerate() {
        let Ok(target) = &photo.target else { continue };
        let day = target.starts_at.date();
        let range = days.entry(target.class_id).or_insert((day, day));
        *range = (range.0.min(day), range.1.max(day));
        timed.push(TimedPhoto {
            photo: Entry::Photo(i),
            class: target.class_id,
            session: target.name.clone(),
            at: target.starts_at,
            source: target.source,
        });
    }
    let zone = folder.zone;
    let existing = school
        .read(move |conn| {
            let mut found = Vec::new();
            for (class, (first, last)) in days {
                let (from, to) = session::utc_range(first, last, zone);
                found.extend(sessions::list(conn, class, from, to)?);
            }
            Ok(found)
        })
        .await?;
    timed.extend(existing.into_iter().map(|s| TimedPhoto {
        photo: Entry::Existing(s.id),
        class: s.class_id,
        session: s.name,
        at: session::local(s.starts_at, zone),
        source: TimeSource::Named,
    }));
    Ok(group_sessions(&timed, school.config.session_gap_min))
}

/// A photo that was taken in, and the line it stands on.
struct Taken {
    index: usize,
    photo: PhotoId,
    session: SessionId,
    status: PhotoStatus,
}

/// Works through a plan. `progress` is told each photo as it is finished.
///
/// # Errors
/// Only what stops the whole run: a database or a folder for exports that fails.
pub async fn run(
    school: &School,
    recogniser: &Recogniser,
    plan: Plan,
    options: &Options,
    progress: &(dyn Fn(&PhotoReport) + Sync),
    stop: &Stop,
) -> Result<BatchReport, Error> {
    let started_at = Utc::now();
    let mut lines: Vec<PhotoReport> = plan.photos.iter().map(blank).collect();
    let taken = take_in(school, recogniser, &plan, options, &mut lines).await?;
    let waiting: BTreeSet<PhotoId> =
        taken.iter().filter(|t| t.status == PhotoStatus::Waiting).map(|t| t.photo).collect();
    for line in lines.iter().filter(|l| l.status != PhotoStatus::Waiting) {
        progress(line);
    }
    let mut runner = Runner { school, recogniser, progress, stop, done: BTreeSet::new() };
    runner.work(&taken, &mut lines, waiting).await?;
    let interrupted = lines.iter().any(|l| l.status == PhotoStatus::Waiting);
    refresh(school, &taken, &mut lines).await?;
    let touched: BTreeSet<SessionId> = taken.iter().map(|t| t.session).collect();
    let sessions = session_reports(school, &touched).await?;
    let mut exports = report::class_workbooks(school, &touched).await?;
    if options.annotate == Annotate::Yes {
        exports.extend(annotate_all(school, &taken, &lines).await?);
    }
    Ok(BatchReport {
        run_id: format!("{}-{}", started_at.format("%Y%m%dT%H%M%SZ"), std::process::id()),
        started_at,
        finished_at: Utc::now(),
        pack: recogniser.pack(),
        provider: recogniser.provider(),
        warnings: recogniser.fallback_reason().map(|r| format!("running on the CPU: {r}")).into_iter().collect(),
        interrupted,
        photos: lines,
        sessions,
        exports,
    })
}

fn blank(photo: &PlannedPhoto) -> PhotoReport {
    let error = photo.target.as_ref().err().cloned();
    PhotoReport {
        path: photo.path.clone(),
        sha256: String::new(),
        status: if error.is_some() { PhotoStatus::Failed } else { PhotoStatus::Waiting },
        error,
        session_id: None,
        width: None,
        height: None,
        smallest_face_px: None,
        faces_left_out: 0,
        warnings: Vec::new(),
        faces: Vec::new(),
        timings_ms: TimingsMs::default(),
    }
}

/// Stores every photo of the plan with its session before the first one is processed: nobody is marked absent while
/// another photo of the session waits.
async fn take_in(
    school: &School,
    recogniser: &Recogniser,
    plan: &Plan,
    options: &Options,
    lines: &mut [PhotoReport],
) -> Result<Vec<Taken>, Error> {
    let matching = recogniser.matching(school);
    let mut taken: Vec<Taken> = Vec::new();
    for group in &plan.groups {
        let indices: Vec<usize> =
            group.photos.iter().filter_map(|e| if let Entry::Photo(i) = e { Some(*i) } else { None }).collect();
        if indices.is_empty() {
            continue;
        }
        let existing = group.photos.iter().find_map(|e| if let Entry::Existing(id) = e { Some(*id) } else { None });
        let session = match existing {
            Some(id) => id,
            None => session::open(school, group.class, group.name.clone(), group.starts_at).await?,
        };
        for index in indices {
            let line = &mut lines[index];
            line.session_id = Some(session.0);
            match take_one(school, &matching, &plan.photos[index], session).await {
                Ok(accepted) => {
                    line.sha256.clone_from(&accepted.sha256);
                    let twice = taken.iter().any(|t| t.photo == accepted.photo);
                    line.status = match &accepted.state {
                        AcceptedState::Refused(error) => {
                            line.error = Some(told(error));
                            PhotoStatus::Failed
                        }
                        _ if twice => PhotoStatus::Duplicate,
                        AcceptedState::Done if options.known == Known::Keep => PhotoStatus::Duplicate,
                        AcceptedState::Done => {
                            photo::requeue(school, &matching, accepted.photo).await?;
                            PhotoStatus::Waiting
                        }
                        AcceptedState::Waiting => PhotoStatus::Waiting,
                    };
                    taken.push(Taken { index, photo: accepted.photo, session, status: line.status });
                }
                Err(error) => {
                    line.status = PhotoStatus::Failed;
                    line.error = Some(told(&error));
                }
            }
        }
    }
    Ok(taken)
}

/// Reads a file of the folder and takes it in; one over the limit is only hashed.
async fn take_one(
    school: &School,
    matching: &Matching,
    planned: &PlannedPhoto,
    session: SessionId,
) -> Result<Accepted, Error> {
    let (file, name) = (planned.file.clone(), planned.path.clone());
    let max_bytes = limits(&school.config).max_bytes;
    let read = super::blocking(move || {
        let failed = |e: std::io::Error| Error::file(Path::new(&name), &e);
        let length = std::fs::metadata(&file).map_err(failed)?.len();
        if length > max_bytes {
            return Ok(Err((Digest::of_reader(std::fs::File::open(&file).map_err(failed)?).map_err(failed)?, length)));
        }
        Ok(Ok(std::fs::read(&file).map_err(failed)?))
    });
    let original_name = planned.path.clone();
    match read.await? {
        Ok(bytes) => photo::accept(school, matching, Incoming { session, bytes, original_name }).await,
        Err((digest, length)) => {
            let error = Error::from(DecodeError::from(Oversize::Bytes { bytes: length, limit: max_bytes }));
            photo::refuse(school, matching, (session, original_name), (digest, length), error).await
        }
    }
}

/// Processes photos with several in flight.
struct Runner<'a> {
    school: &'a School,
    recogniser: &'a Recogniser,
    progress: &'a (dyn Fn(&PhotoReport) + Sync),
    stop: &'a Stop,
    done: BTreeSet<PhotoId>,
}

impl Runner<'_> {
    async fn work(
        &mut self,
        taken: &[Taken],
        lines: &mut [PhotoReport],
        waiting: BTreeSet<PhotoId>,
    ) -> Result<(), Error> {
        let mut queue = taken.iter().filter(|t| waiting.contains(&t.photo) && t.status == PhotoStatus::Waiting);
        let limit = self.school.config.photos.in_flight.map_or_else(default_in_flight, |n| n.get());
        let mut flying: JoinSet<(usize, Result<(), Error>)> = JoinSet::new();
        loop {
            while flying.len() < limit && !self.stop.requested() {
                let Some(next) = queue.next() else { break };
                self.done.insert(next.photo);
                let (school, recogniser) = (self.school.clone(), self.recogniser.clone());
                let (index, id) = (next.index, next.photo);
                flying.spawn(async move { (index, photo::process(&school, &recogniser, id).await) });
            }
            let Some(landed) = flying.join_next().await else { return Ok(()) };
            let (index, result) = landed.map_err(|e| Error::new(Code::ProcessingError, e.to_string()))?;
            self.land(index, result, taken, lines).await?;
        }
    }

    async fn land(
        &self,
        index: usize,
        result: Result<(), Error>,
        taken: &[Taken],
        lines: &mut [PhotoReport],
    ) -> Result<(), Error> {
        let line = &mut lines[index];
        match result {
            Ok(()) => line.status = PhotoStatus::Done,
            Err(error) => {
                line.status = PhotoStatus::Failed;
                line.error = Some(told(&error));
            }
        }
        if let Some(t) = taken.iter().find(|t| t.index == index) {
            refresh(self.school, std::slice::from_ref(t), lines).await?;
        }
        (self.progress)(&lines[index]);
        Ok(())
    }
}

/// One photo for each core keeps them busy while another decodes; more only costs memory.
fn default_in_flight() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}

/// Fills the lines with what the database knows: verdicts change while further photos of a session come in.
async fn refresh(school: &School, taken: &[Taken], lines: &mut [PhotoReport]) -> Result<(), Error> {
    for t in taken {
        let (photo, zone) = (t.photo, school.config.time_zone);
        let known = school.read(move |conn| photo::known(conn, photo, zone)).await?;
        let line = &mut lines[t.index];
        known.fill(line);
    }
    Ok(())
}

async fn session_reports(school: &School, touched: &BTreeSet<SessionId>) -> Result<Vec<SessionReport>, Error> {
    let touched = touched.clone();
    school
        .read(move |conn| touched.into_iter().map(|id| session::report(conn, id)).collect::<Result<Vec<_>, _>>())
        .await
}

async fn annotate_all(school: &School, taken: &[Taken], lines: &[PhotoReport]) -> Result<Vec<String>, Error> {
    let dir = school.config.exports_dir().join("annotated");
    tokio::fs::create_dir_all(&dir).await.map_err(|e| Error::file(&dir, &e))?;
    let mut written = Vec::new();
    for t in taken {
        let line = &lines[t.index];
        if !matches!(line.status, PhotoStatus::Done | PhotoStatus::Duplicate) || line.error.is_some() {
            continue;
        }
        let file = dir.join(format!("{}.jpg", report::file_stem(Path::new(&line.path))));
        let bytes = photo::bytes(school, t.photo).await?;
        let (faces, config) = (line.faces.clone(), school.config.clone());
        let drawn = super::blocking(move || annotate::annotated(&bytes, &faces, &config)).await?;
        tokio::fs::write(&file, drawn).await.map_err(|e| Error::file(&file, &e))?;
        written.push(file.display().to_string());
    }
    Ok(written)
}
