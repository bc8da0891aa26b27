//! Enrolment: portraits in, samples out.
//!
//! A portrait must show exactly one usable face that meets the school's lines, and its student must have consented;
//! otherwise it is refused with the reason and the measure. Refusals are results, not failures: the rest goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::Serialize;
use tokio::task::JoinSet;

use super::School;
use super::batch_report::ErrorReport;
use super::error::{Code, Error};
use super::photo::extension;
use super::recogniser::{Recogniser, SeenPhoto};
use super::session::{self, Matching};
use crate::db::samples::NewSample;
use crate::db::students::StudentChange;
use crate::db::{AnyConnection, DbError, Json, classes, members, samples, students};
use crate::domain::embedding::Embedding;
use crate::domain::enrolment_list::{find_enrolled, parse_enrolment_list};
use crate::domain::folder_name::{RosterEntry, match_folder};
use crate::domain::ids::{ClassId, MemberId, StudentId};
use crate::domain::photo_name::looks_like_photo;
use crate::domain::quality::{EnrolLines, FaceQuality, Shortfall};
use crate::domain::status::Consent;
use crate::storage::{Digest, Key};
use crate::vision::decode::{DecodeError, DecodeLimits, Oversize, identify};

/// A face less than this share of the largest one's side stands in the background and is not the portrait's.
const BACKGROUND_SHARE: f32 = 0.5;

/// Where portraits are.
#[derive(Debug, Clone)]
pub enum Portraits {
    /// A folder of `<Student_Name>_<Roll_No>/*.jpg`.
    Folder(PathBuf),
    /// A CSV list; images relative to it.
    Table(PathBuf),
}

/// What is known of the students' consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentGiven {
    /// The school states that it holds the consent of everybody in this folder or list.
    Recorded,
    /// Only what the roster says counts.
    AsInRoster,
}

/// How portraits are taken.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Class and section that all students are in.
    pub class: Option<(&'a str, &'a str)>,
    pub consent: ConsentGiven,
}

/// What became of every portrait.
#[derive(Debug, Serialize)]
pub struct EnrolReport {
    pub pack: String,
    pub provider: String,
    /// Students with a portrait in the folder or list.
    pub students: usize,
    /// Those of them who can be found by face now.
    pub students_enrolled: usize,
    pub photos: Vec<PortraitReport>,
    /// Students whose templates look alike, samples that contradict each other, files left aside.
    pub warnings: Vec<String>,
}

/// One portrait.
#[derive(Debug, Clone, Serialize)]
pub struct PortraitReport {
    pub path: String,
    pub roll_no: Option<String>,
    #[serde(skip)]
    member: Option<MemberId>,
    pub status: PortraitStatus,
    pub error: Option<ErrorReport>,
    pub quality: Option<FaceQuality>,
    pub warnings: Vec<String>,
}

impl PortraitReport {
    /// The student's portraits contradict each other. They are kept, so that another one can decide between them.
    fn question(&mut self) {
        if self.status.is_fine() {
            let what = "the student's portraits show different people; not enrolled until another portrait decides";
            self.status = PortraitStatus::Refused;
            self.error = Some(ErrorReport { code: Code::SamplesDisagree, message: what.into() });
        }
    }
}

/// What became of a portrait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PortraitStatus {
    Enrolled,
    /// The student has this picture already.
    Known,
    /// Not usable, for the reason given.
    Refused,
    /// Something around it failed.
    Failed,
}

impl PortraitStatus {
    pub const fn is_fine(self) -> bool {
        matches!(self, Self::Enrolled | Self::Known)
    }
}

/// The face of a portrait.
#[derive(Debug)]
pub struct PortraitFace {
    pub embedding: Embedding,
    pub quality: FaceQuality,
    pub warnings: Vec<String>,
}

/// The one face of a portrait that may be enrolled. Faces less than half as large as the largest one are people in the
/// background: they are passed over, with a warning.
///
/// # Errors
/// `NO_FACE_DETECTED`, `MULTIPLE_FACES_DETECTED`, `FACE_TOO_SMALL`, `LOW_QUALITY` naming every measure, `INVALID_EMBEDDING`.
pub fn the_one_face(mut seen: SeenPhoto, lines: &EnrolLines) -> Result<PortraitFace, Error> {
    let all = seen.faces.len();
    let largest = seen.faces.first().map(|f| f.quality.side_px).unwrap_or_default();
    seen.faces.retain(|f| f.quality.side_px >= largest * BACKGROUND_SHARE);
    let mut warnings = seen.warnings;
    if all > seen.faces.len() {
        warnings.push(format!("{} smaller in the background left aside", faces(all - seen.faces.len())));
    }
    let several = seen.faces.len();
    let (Some(face), 1) = (seen.faces.pop(), several) else {
        return Err(match several {
            0 => Error::new(Code::NoFaceDetected, "no face found"),
            n => Error::new(Code::MultipleFacesDetected, format!("{} found, a portrait shows one", faces(n))),
        });
    };
    let shortfalls = face.quality.shortfalls(lines);
    if !shortfalls.is_empty() {
        let small = matches!(shortfalls[..], [Shortfall::TooSmall { .. }]);
        let code = if small { Code::FaceTooSmall } else { Code::LowQuality };
        let said: Vec<String> = shortfalls.iter().map(ToString::to_string).collect();
        return Err(Error::new(code, said.join("; ")));
    }
    let embedding = face.embedding.map_err(|e| Error::new(Code::InvalidEmbedding, e.to_string()))?;
    Ok(PortraitFace { embedding, quality: face.quality, warnings })
}

fn faces(n: usize) -> String {
    format!("{n} face{}", if n == 1 { "" } else { "s" })
}

/// Enrols every portrait of a folder or list; `progress` is told (done, all).
///
/// # Errors
/// What stops the whole run: a folder, list or database that cannot be read.
pub async fn run(
    school: &School,
    recogniser: &Recogniser,
    portraits: &Portraits,
    options: Options<'_>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<EnrolReport, Error> {
    let roster = roster(school, options.class).await?;
    let (tasks, mut reports, mut warnings) = match portraits {
        Portraits::Folder(dir) => from_folder(dir, &roster)?,
        Portraits::Table(file) => from_table(file, &roster)?,
    };
    let students: BTreeSet<StudentId> = tasks.iter().map(|t| t.entry.student).collect();
    let touched: BTreeSet<MemberId> = tasks.iter().map(|t| t.entry.member).collect();
    reports.extend(enrol_all(school, recogniser, tasks, options.consent, progress).await?);
    reports.sort_by(|a, b| a.path.cmp(&b.path));
    let health = health(school, recogniser, &roster, &touched).await?;
    for report in reports.iter_mut().filter(|r| r.member.is_some_and(|m| health.disagreeing.contains(&m))) {
        report.question();
    }
    warnings.extend(health.warnings);
    Ok(EnrolReport {
        pack: recogniser.pack(),
        provider: recogniser.provider(),
        students: students.len(),
        students_enrolled: health.enrolled.len(),
        photos: reports,
        warnings,
    })
}

/// Everybody who may be enrolled: the members of the term's classes, or of one.
async fn roster(school: &School, class: Option<(&str, &str)>) -> Result<Vec<RosterEntry>, Error> {
    let term = school.config.term.clone();
    let class = class.map(|(c, s)| (c.to_owned(), s.to_owned()));
    school
        .read(move |conn| {
            let today = Utc::now().date_naive();
            let classes = match &class {
                None => classes::list(conn, Some(&term))?,
                Some((name, section)) => vec![classes::find(conn, name, section, &term)?.ok_or_else(|| {
                    Error::new(
                        Code::ClassNotFound,
                        format!("there is no class {name}-{section}; import its roster first"),
                    )
                })?],
            };
            let mut roster = Vec::new();
            for class in classes {
                for row in members::active_on(conn, class.id, today)? {
                    roster.push(RosterEntry {
                        member: row.member.id,
                        student: row.student.id,
                        prn: row.student.prn,
                        roll_no: row.member.roll_no,
                        name: row.student.name,
                        class: class.name.clone(),
                        section: class.section.clone(),
                    });
                }
            }
            Ok(roster)
        })
        .await
}

/// A portrait whose student is known.
struct Task {
    path: String,
    file: PathBuf,
    entry: RosterEntry,
    consent: Consent,
}

type Found = (Vec<Task>, Vec<PortraitReport>, Vec<String>);

fn from_folder(dir: &Path, roster: &[RosterEntry]) -> Result<Found, Error> {
    let (mut tasks, mut reports, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    for (name, path, is_dir) in children(dir)? {
        if !is_dir {
            if looks_like_photo(Path::new(&name)) {
                warnings.push(format!("{name} lies in no student's folder and was left aside"));
            }
            continue;
        }
        if name.starts_with('.') {
            continue;
        }
        let images: Vec<_> =
            children(&path)?.into_iter().filter(|(n, _, dir)| !dir && looks_like_photo(Path::new(n))).collect();
        match match_folder(&name, roster) {
            Ok(entry) => tasks.extend(images.into_iter().map(|(image, file, _)| Task {
                path: format!("{name}/{image}"),
                file,
                entry: entry.clone(),
                consent: Consent::Unknown,
            })),
            Err(e) => reports.push(refused(name, None, &Error::from(e))),
        }
    }
    Ok((tasks, reports, warnings))
}

fn from_table(file: &Path, roster: &[RosterEntry]) -> Result<Found, Error> {
    let bytes = std::fs::read(file).map_err(|e| Error::file(file, &e))?;
    let rows = parse_enrolment_list(&bytes).map_err(|e| Error::from(e).of(file.display()))?;
    let root = file.parent().unwrap_or(Path::new("."));
    let (mut tasks, mut reports) = (Vec::new(), Vec::new());
    for row in rows {
        match find_enrolled(&row, roster) {
            Ok(entry) => tasks.push(Task {
                file: root.join(&row.image),
                path: row.image,
                entry: entry.clone(),
                consent: row.consent,
            }),
            Err(e) => reports.push(refused(row.image, None, &Error::new(Code::StudentNotFound, e.to_string()))),
        }
    }
    Ok((tasks, reports, Vec::new()))
}

/// Name, path and whether it is a folder, sorted by name.
fn children(dir: &Path) -> Result<Vec<(String, PathBuf, bool)>, Error> {
    let failed = |e: std::io::Error| Error::file(dir, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_dir = path.is_dir();
        found.push((name, path, is_dir));
    }
    found.sort();
    Ok(found)
}

fn refused(path: String, roll_no: Option<String>, error: &Error) -> PortraitReport {
    let failed = matches!(
        error.code,
        Code::FileError | Code::DatabaseError | Code::StorageError | Code::ProcessingError | Code::ModelNotLoaded
    );
    PortraitReport {
        path,
        roll_no,
        member: None,
        status: if failed { PortraitStatus::Failed } else { PortraitStatus::Refused },
        error: Some(ErrorReport { code: error.code, message: error.message.clone() }),
        quality: None,
        warnings: Vec::new(),
    }
}

async fn enrol_all(
    school: &School,
    recogniser: &Recogniser,
    tasks: Vec<Task>,
    consent: ConsentGiven,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<PortraitReport>, Error> {
    let all = tasks.len();
    let limit = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let mut queue = tasks.into_iter();
    let mut flying: JoinSet<PortraitReport> = JoinSet::new();
    let mut reports = Vec::with_capacity(all);
    loop {
        while flying.len() < limit {
            let Some(task) = queue.next() else { break };
            let (school, recogniser) = (school.clone(), recogniser.clone());
            flying.spawn(async move {
                let (path, roll_no) = (task.path.clone(), task.entry.roll_no.clone());
                match enrol_one(&school, &recogniser, task, consent).await {
                    Ok(report) => report,
                    Err(e) => refused(path, Some(roll_no), &e),
                }
            });
        }
        let Some(landed) = flying.join_next().await else { return Ok(reports) };
        reports.push(landed.map_err(|e| Error::new(Code::ProcessingError, e.to_string()))?);
        progress(reports.len(), all);
    }
}

/// Consent first: without it the picture is not even looked at.
async fn enrol_one(
    school: &School,
    recogniser: &Recogniser,
    task: Task,
    consent: ConsentGiven,
) -> Result<PortraitReport, Error> {
    let student = task.entry.student;
    let stated = consent == ConsentGiven::Recorded || task.consent == Consent::Given;
    school.change(move |conn| require_consent(conn, student, stated)).await?;
    let limits = *recogniser.limits();
    let file = task.file.clone();
    let bytes = super::blocking(move || read_file(&file, &limits)).await?;
    let digest = Digest::of(&bytes);
    let sha256 = digest.to_string();
    let report = PortraitReport {
        path: task.path,
        roll_no: Some(task.entry.roll_no),
        member: Some(task.entry.member),
        status: PortraitStatus::Known,
        error: None,
        quality: None,
        warnings: Vec::new(),
    };
    let (key, known_sha) = (recogniser.key().clone(), sha256.clone());
    let known = school
        .read(move |conn| Ok(samples::find_by_sha256(conn, student, (&key.id, &key.version), &known_sha)?))
        .await?;
    if known.is_some() {
        return Ok(report);
    }
    let (looked, image) = {
        let recogniser = recogniser.clone();
        super::blocking(move || Ok((recogniser.analyse_portrait(&bytes)?, bytes))).await?
    };
    let face = the_one_face(looked, recogniser.enrol_lines())?;
    let extension = extension(identify(&image, &limits)?);
    let key = Key::Sample { student: student.0, sha256: digest, extension };
    school.store.put(&key, &image).await?;
    let new = NewSample {
        student_id: student,
        pack_id: recogniser.key().id.clone(),
        pack_version: recogniser.key().version.clone(),
        sha256,
        object_key: key.to_string(),
        weight: f64::from(face.quality.weight()),
        quality: Json(face.quality),
        embedding: face.embedding,
        created_at: Utc::now().naive_utc(),
    };
    let inserted = school.change(move |conn| Ok(samples::insert(conn, &new))).await?;
    let status = match inserted {
        Ok(_) => PortraitStatus::Enrolled,
        // The same picture lay in the folder twice and both were in flight.
        Err(DbError::Duplicate { .. }) => PortraitStatus::Known,
        Err(e) => return Err(e.into()),
    };
    Ok(PortraitReport { status, quality: Some(face.quality), warnings: face.warnings, ..report })
}

/// The bytes of a portrait, unless it is over the limit.
fn read_file(file: &Path, limits: &DecodeLimits) -> Result<Vec<u8>, Error> {
    let failed = |e: std::io::Error| Error::file(file, &e);
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > limits.max_bytes {
        return Err(DecodeError::from(Oversize::Bytes { bytes: length, limit: limits.max_bytes }).into());
    }
    std::fs::read(file).map_err(failed)
}

/// Records a stated consent; never overrules one that was withdrawn.
fn require_consent(conn: &mut AnyConnection, id: StudentId, stated: bool) -> Result<(), Error> {
    let student = students::get(conn, id)?;
    match student.consent {
        Consent::Given => Ok(()),
        Consent::Unknown if stated => {
            let now = Utc::now().naive_utc();
            let change =
                StudentChange { consent: Some(Consent::Given), consent_at: Some(Some(now)), ..StudentChange::at(now) };
            Ok(students::update(conn, id, &change)?)
        }
        Consent::Unknown => Err(Error::new(
            Code::ConsentRequired,
            "no consent on record; import a roster that states it, or enrol with --consent recorded",
        )),
        Consent::Withdrawn => Err(Error::new(
            Code::ConsentRequired,
            "consent was withdrawn; only a roster that states it anew changes that",
        )),
    }
}

struct Health {
    enrolled: BTreeSet<MemberId>,
    disagreeing: BTreeSet<MemberId>,
    warnings: Vec<String>,
}

/// Who can be found now, and what a person should look at: samples that contradict each other, students that look alike.
async fn health(
    school: &School,
    recogniser: &Recogniser,
    roster: &[RosterEntry],
    touched: &BTreeSet<MemberId>,
) -> Result<Health, Error> {
    let matching = recogniser.matching(school);
    let names: BTreeMap<MemberId, String> =
        roster.iter().map(|e| (e.member, format!("{} of {}-{}", e.roll_no, e.class, e.section))).collect();
    let touched = touched.clone();
    let term = school.config.term.clone();
    school
        .read(move |conn| {
            let mut health = Health { enrolled: BTreeSet::new(), disagreeing: BTreeSet::new(), warnings: Vec::new() };
            let ids: Vec<ClassId> = classes::list(conn, Some(&term))?.into_iter().map(|c| c.id).collect();
            for class in ids {
                class_health(conn, class, &matching, (&names, &touched), &mut health)?;
            }
            Ok(health)
        })
        .await
}

fn class_health(
    conn: &mut AnyConnection,
    class: ClassId,
    matching: &Matching,
    (names, touched): (&BTreeMap<MemberId, String>, &BTreeSet<MemberId>),
    health: &mut Health,
) -> Result<(), DbError> {
    let (_, gallery, _) = session::gallery(conn, class, Utc::now().date_naive(), matching)?;
    let name = |member: &MemberId| names.get(member).cloned().unwrap_or_else(|| member.to_string());
    health.enrolled.extend(gallery.candidates().iter().map(|c| c.member).filter(|m| touched.contains(m)));
    health.disagreeing.extend(gallery.disagreeing());
    // Nearer than this, a face of one at the accept line may have the other within the margin.
    let lines = matching.scoring.lines;
    for (a, b, score) in gallery.look_alikes(lines.accept + lines.margin, &matching.scoring) {
        if touched.contains(&a) || touched.contains(&b) {
            let alike = format!("{} and {} look alike (cosine {:.2})", name(&a), name(&b), score.cosine);
            health.warnings.push(format!("{alike}: expect doubts between them"));
        }
    }
    Ok(())
}
