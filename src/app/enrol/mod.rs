//! Enrolment: portraits in, samples out.
//!
//! A portrait must show exactly one usable face that meets the school's lines, and its student must have consented;
//! otherwise it is refused with the reason and the measure. Refusals are results, not failures: the rest goes on.

mod archive;
mod archive_job;
mod health;
mod npy;
mod one;
mod re_embed;
mod sources;
mod upload;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::batch_report::ErrorReport;
use super::error::{Code, Error};
use super::freshness::{StaleSessions, stale_sessions};
use super::recogniser::{Recogniser, SeenFace, SeenPhoto};
use super::session::Matching;
use super::term::{Calendar, ClassWish};
use super::{School, session};
use crate::db::{AnyConnection, DbError, classes, members};
use crate::domain::embedding::Embedding;
use crate::domain::folder_name::RosterEntry;
use crate::domain::ids::{ClassId, MemberId, SampleId, StudentId};
use crate::domain::photo_name::looks_like_photo;
use crate::domain::quality::{EnrolLines, FaceQuality, Shortfall};
pub use archive_job::{JOB_KIND, queue_archive};
pub(super) use archive_job::{is_awaited, process_archive, topic};
pub use npy::run_npy;
pub use re_embed::re_embed;
pub use upload::{Portrait, StoredPicture, add_sample, conclude, delete_sample, picture_of};

use sources::{from_folder, from_table};

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
    /// The only term that counts; otherwise that of today.
    pub term: Option<&'a str>,
    pub consent: ConsentGiven,
}

/// What became of every portrait.
#[derive(Debug, Serialize, Deserialize)]
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
    /// Sessions that this may change; none where that is not known.
    pub stale_sessions: Option<StaleSessions>,
}

/// One portrait.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PortraitReport {
    pub path: String,
    pub roll_no: Option<String>,
    #[serde(skip)]
    member: Option<MemberId>,
    /// What was kept of it, or what is known from it.
    #[serde(rename = "sample_id")]
    pub sample: Option<SampleId>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
pub fn the_one_face(seen: SeenPhoto, lines: &EnrolLines) -> Result<PortraitFace, Error> {
    let (face, warnings) = single_face(seen)?;
    let quality = face.quality;
    Ok(PortraitFace { embedding: usable(face, lines)?, quality, warnings })
}

/// The embedding of a face that meets the lines.
fn usable(face: SeenFace, lines: &EnrolLines) -> Result<Embedding, Error> {
    let shortfalls = face.quality.shortfalls(lines);
    if !shortfalls.is_empty() {
        let small = matches!(shortfalls[..], [Shortfall::TooSmall { .. }]);
        let code = if small { Code::FaceTooSmall } else { Code::LowQuality };
        let said: Vec<String> = shortfalls.iter().map(ToString::to_string).collect();
        return Err(Error::new(code, said.join("; ")));
    }
    face.embedding.map_err(|e| Error::new(Code::InvalidEmbedding, e.to_string()))
}

/// The one face of a picture of one person, however good it is, and what is to be said about the picture.
///
/// # Errors
/// `NO_FACE_DETECTED`, `MULTIPLE_FACES_DETECTED`.
pub(crate) fn single_face(mut seen: SeenPhoto) -> Result<(SeenFace, Vec<String>), Error> {
    let all = seen.faces.len();
    let largest = seen.faces.first().map(|f| f.quality.side_px).unwrap_or_default();
    seen.faces.retain(|f| f.quality.side_px >= largest * BACKGROUND_SHARE);
    let mut warnings = seen.warnings;
    if all > seen.faces.len() {
        warnings.push(format!("{} smaller in the background left aside", faces(all - seen.faces.len())));
    }
    match (seen.faces.len(), seen.faces.pop()) {
        (1, Some(face)) => Ok((face, warnings)),
        (0, _) => Err(Error::new(Code::NoFaceDetected, "no face found")),
        (n, _) => Err(Error::new(Code::MultipleFacesDetected, format!("{} found, a portrait shows one", faces(n)))),
    }
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
    let roster = roster(school, options.class, options.term).await?;
    let (tasks, mut reports, warnings) = match portraits {
        Portraits::Folder(dir) => from_folder(dir, &roster.entries, &|name| looks_like_photo(Path::new(name)))?,
        Portraits::Table(file) => from_table(file, &roster.entries)?,
    };
    let mut touched = Touched::default();
    tasks.iter().for_each(|task| touched.add(&task.entry));
    let consent = options.consent;
    let enrolled = in_flight(tasks, progress, |task| {
        let (school, recogniser) = (school.clone(), recogniser.clone());
        async move {
            let (path, roll_no) = (task.path.clone(), task.entry.roll_no.clone());
            let done = one::enrol(&school, &recogniser, task, consent, one::read_file).await;
            done.unwrap_or_else(|e| refused(path, Some(roll_no), &e))
        }
    });
    reports.extend(enrolled.await?);
    let by = (recogniser.matching(school), recogniser.provider());
    report_of(school, (by.0, &by.1), (&roster, &touched), (reports, warnings)).await
}

/// Whose samples were taken.
#[derive(Default)]
struct Touched {
    students: BTreeSet<StudentId>,
    members: BTreeSet<MemberId>,
}

impl Touched {
    fn add(&mut self, entry: &RosterEntry) {
        self.students.insert(entry.student);
        self.members.insert(entry.member);
    }
}

/// What every way of enrolling says at its end: who can be found now, what is in question, which sessions it may change.
async fn report_of(
    school: &School,
    (matching, provider): (Matching, &str),
    (roster, touched): (&CurrentRoster, &Touched),
    (mut photos, mut warnings): (Vec<PortraitReport>, Vec<String>),
) -> Result<EnrolReport, Error> {
    photos.sort_by(|a, b| a.path.cmp(&b.path));
    let pack = matching.pack.to_string();
    let health = health::look(school, matching, roster, &touched.members).await?;
    for report in photos.iter_mut().filter(|r| r.member.is_some_and(|m| health.disagreeing.contains(&m))) {
        report.question();
    }
    warnings.extend(health.warnings);
    Ok(EnrolReport {
        pack,
        provider: provider.to_owned(),
        students: touched.students.len(),
        students_enrolled: health.enrolled.len(),
        photos,
        warnings,
        stale_sessions: stale_sessions(school).await?,
    })
}

/// Everybody who may be enrolled: the members of today's classes, or of one, and those who are still to come.
pub(crate) struct CurrentRoster {
    pub(crate) classes: Vec<ClassId>,
    pub(crate) entries: Vec<RosterEntry>,
}

pub(crate) async fn roster(
    school: &School,
    class: Option<(&str, &str)>,
    term: Option<&str>,
) -> Result<CurrentRoster, Error> {
    let config = school.config.clone();
    let term = term.map(str::to_owned);
    let class = class.map(|(name, section)| ClassWish { name: name.into(), section: section.into(), term: None });
    school
        .read(move |conn| {
            let today = session::today(config.time_zone);
            let calendar = Calendar::read(conn, &config, term.as_deref())?;
            let classes = match &class {
                None => calendar.current(today),
                Some(wish) => vec![calendar.class(wish, today)?],
            };
            let mut roster = CurrentRoster { classes: Vec::new(), entries: Vec::new() };
            for class in classes {
                roster.add(conn, (class.id, &class.name, &class.section), today)?;
            }
            Ok(roster)
        })
        .await
}

/// Everybody of one class who may be enrolled.
async fn roster_of_class(school: &School, class: ClassId) -> Result<CurrentRoster, Error> {
    let today = session::today(school.config.time_zone);
    school
        .read(move |conn| {
            let class = classes::get(conn, class)?;
            let mut roster = CurrentRoster { classes: Vec::new(), entries: Vec::new() };
            roster.add(conn, (class.id, &class.name, &class.section), today)?;
            Ok(roster)
        })
        .await
}

impl CurrentRoster {
    fn add(
        &mut self,
        conn: &mut AnyConnection,
        (class, name, section): (ClassId, &str, &str),
        today: NaiveDate,
    ) -> Result<(), DbError> {
        self.classes.push(class);
        for row in members::between(conn, class, today, members::LAST_DAY)? {
            self.entries.push(RosterEntry {
                member: row.member.id,
                student: row.student.id,
                prn: row.student.prn,
                roll_no: row.member.roll_no,
                name: row.student.name,
                class: name.to_owned(),
                section: section.to_owned(),
            });
        }
        Ok(())
    }
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
        sample: None,
        status: if failed { PortraitStatus::Failed } else { PortraitStatus::Refused },
        error: Some(ErrorReport { code: error.code, message: error.message.clone() }),
        quality: None,
        warnings: Vec::new(),
    }
}

/// Works through `tasks` with several in flight, so that nets batch across them; `progress` is told (done, all).
async fn in_flight<T, F>(
    tasks: Vec<T>,
    progress: &(dyn Fn(usize, usize) + Sync),
    work: impl Fn(T) -> F,
) -> Result<Vec<PortraitReport>, Error>
where
    F: Future<Output = PortraitReport> + Send + 'static,
{
    let all = tasks.len();
    let limit = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let mut queue = tasks.into_iter();
    let mut flying: JoinSet<PortraitReport> = JoinSet::new();
    let mut reports = Vec::with_capacity(all);
    loop {
        while flying.len() < limit {
            let Some(task) = queue.next() else { break };
            flying.spawn(work(task));
        }
        let Some(landed) = flying.join_next().await else { return Ok(reports) };
        reports.push(landed.map_err(|e| Error::new(Code::ProcessingError, e.to_string()))?);
        progress(reports.len(), all);
    }
}
