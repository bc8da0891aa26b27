//! Which photo of a folder belongs to which session, read from names, the manifest and camera clocks; changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveDateTime};
use serde::Serialize;
use walkdir::WalkDir;

use super::{MANIFEST_FILE, Options};
use crate::app::batch_report::{ErrorReport, told};
use crate::app::error::{Code, Error};
use crate::app::recogniser::limits;
use crate::app::{School, blocking, session};
use crate::db::{classes, sessions};
use crate::domain::class_label::{ClassLabels, ClassRef};
use crate::domain::ids::{ClassId, SessionId};
use crate::domain::manifest::{ManifestRow, parse_manifest};
use crate::domain::photo_name::{looks_like_photo, read_photo_name};
use crate::domain::photo_time::{NamedTime, TimeError};
use crate::domain::session_group::{SessionGroup, TimeSource, TimedPhoto, group_sessions};
use crate::vision::decode::{DecodeLimits, taken_at};

/// Which photo belongs to which session, before anything was changed.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    pub photos: Vec<PlannedPhoto>,
    #[serde(skip)]
    pub(super) groups: Vec<SessionGroup<Entry>>,
}

/// One file of the folder.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedPhoto {
    /// Relative to the folder.
    pub path: String,
    #[serde(skip)]
    pub(super) file: PathBuf,
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
pub(super) enum Entry {
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
    let (folder, mut photos) = blocking(move || {
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
