//! Working through a plan: every photo taken in, several processed at a time, a report at the end.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::Utc;
use tokio::task::JoinSet;

use super::plan::{Entry, Plan, PlannedPhoto};
use super::{Annotate, Known, Options, Stop, told};
use crate::app::batch_report::{BatchReport, PhotoReport, PhotoStatus, SessionReport, TimingsMs};
use crate::app::error::{Code, Error};
use crate::app::photo::{self, Accepted, AcceptedState, Incoming};
use crate::app::recogniser::limits;
use crate::app::session::Matching;
use crate::app::{Recogniser, School, annotate, blocking, report, session};
use crate::domain::ids::{PhotoId, SessionId};
use crate::domain::session_group::SessionGroup;
use crate::storage::Digest;
use crate::vision::decode::{DecodeError, Oversize};

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
    let mut intake = Intake { school, matching: recogniser.matching(school), known: options.known, taken: Vec::new() };
    for group in &plan.groups {
        let session = intake.session(group).await?;
        for entry in &group.photos {
            if let (Entry::Photo(index), Some(session)) = (entry, session) {
                intake.take(*index, &plan.photos[*index], session, &mut lines[*index]).await?;
            }
        }
    }
    Ok(intake.taken)
}

/// Takes photos in, one after the other.
struct Intake<'a> {
    school: &'a School,
    matching: Matching,
    known: Known,
    taken: Vec<Taken>,
}

impl Intake<'_> {
    /// The session of a group, made where there is none; none for a group without photos of the folder.
    async fn session(&self, group: &SessionGroup<Entry>) -> Result<Option<SessionId>, Error> {
        if !group.photos.iter().any(|e| matches!(e, Entry::Photo(_))) {
            return Ok(None);
        }
        let existing = group.photos.iter().find_map(|e| if let Entry::Existing(id) = e { Some(*id) } else { None });
        match existing {
            Some(id) => Ok(Some(id)),
            None => session::open(self.school, group.class, group.name.clone(), group.starts_at).await.map(Some),
        }
    }

    async fn take(
        &mut self,
        index: usize,
        planned: &PlannedPhoto,
        session: SessionId,
        line: &mut PhotoReport,
    ) -> Result<(), Error> {
        line.session_id = Some(session.0);
        let accepted = match take_one(self.school, &self.matching, planned, session).await {
            Ok(accepted) => accepted,
            Err(error) => {
                line.status = PhotoStatus::Failed;
                line.error = Some(told(&error));
                return Ok(());
            }
        };
        line.sha256.clone_from(&accepted.sha256);
        let twice = self.taken.iter().any(|t| t.photo == accepted.photo);
        line.status = match &accepted.state {
            AcceptedState::Refused(error) => {
                line.error = Some(told(error));
                PhotoStatus::Failed
            }
            _ if twice => PhotoStatus::Duplicate,
            AcceptedState::Done if self.known == Known::Keep => PhotoStatus::Duplicate,
            AcceptedState::Done => {
                photo::requeue(self.school, &self.matching, accepted.photo).await?;
                PhotoStatus::Waiting
            }
            AcceptedState::Waiting => PhotoStatus::Waiting,
        };
        self.taken.push(Taken { index, photo: accepted.photo, session, status: line.status });
        Ok(())
    }
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
    let read = blocking(move || {
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
        let drawn = blocking(move || annotate::annotated(&bytes, &faces, &config)).await?;
        tokio::fs::write(&file, drawn).await.map_err(|e| Error::file(&file, &e))?;
        written.push(file.display().to_string());
    }
    Ok(written)
}
