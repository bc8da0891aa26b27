//! Working through a plan: every photo taken in, several processed at a time, a report at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::mpsc;

use super::plan::{Entry, Plan, PlannedPhoto};
use super::{Annotate, Known, Options};
use crate::app::batch_report::{BatchReport, PhotoReport, PhotoStatus, SessionReport, TimingsMs, told};
use crate::app::error::{Code, Error};
use crate::app::photo::{self, Accepted, AcceptedState, Arrival, Order};
use crate::app::recogniser::limits;
use crate::app::session::Matching;
use crate::app::work::{Shift, work};
use crate::app::{Recogniser, School, annotate, blocking, patiently, report, session};
use crate::domain::ids::{PhotoId, SessionId};
use crate::domain::session_group::SessionGroup;
use crate::domain::status::PhotoState;
use crate::queue::{JobId, Priority, Stop, store};
use crate::storage::Digest;
use crate::vision::decode::{DecodeError, Oversize};

/// A photo that was taken in, and the line it stands on.
struct Taken {
    index: usize,
    photo: PhotoId,
    /// Its job, when it is still to be looked at.
    job: Option<JobId>,
}

/// Works through a plan. `progress` is told each photo as it is finished.
///
/// # Errors
/// Only what stops the whole run: a database, a storage or a folder for exports that fails. What was queued by then waits for
/// the next run.
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
    let run_id = format!("{}-{}", started_at.format("%Y%m%dT%H%M%SZ"), std::process::id());
    let taken = take_in(school, recogniser, &plan, (options, &run_id, stop), &mut lines).await?;
    for line in lines.iter().filter(|l| l.status != PhotoStatus::Waiting) {
        progress(line);
    }
    let jobs = taken.iter().filter_map(|t| t.job.map(|job| (job, t))).collect();
    let waiting = Waiting { school, progress, lines: &mut lines, jobs };
    work_through(school, recogniser, run_id.clone(), waiting, stop).await?;
    let interrupted = lines.iter().any(|l| l.status == PhotoStatus::Waiting);
    for photo in &taken {
        refresh(school, photo, &mut lines[photo.index]).await?;
    }
    let touched: BTreeSet<SessionId> = lines.iter().filter_map(|line| line.session_id.map(SessionId)).collect();
    let sessions = session_reports(school, &touched).await?;
    let mut exports = report::class_workbooks(school, &touched).await?;
    if options.annotate == Annotate::Yes {
        exports.extend(annotate_all(school, &taken, &lines).await?);
    }
    Ok(BatchReport {
        run_id,
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
        advice: Vec::new(),
        faces: Vec::new(),
        timings_ms: TimingsMs::default(),
    }
}

/// Stores the photos of the plan and queues those that are to be looked at, lesson by lesson. Ends early when a stop is asked
/// for; the rest of the plan is for the next run.
async fn take_in(
    school: &School,
    recogniser: &Recogniser,
    plan: &Plan,
    (options, run_id, stop): (&Options, &str, &Stop),
    lines: &mut [PhotoReport],
) -> Result<Vec<Taken>, Error> {
    let order = Order { priority: Priority::Batch, run_id: Some(run_id.to_owned()), owner: None };
    let (matching, known) = (recogniser.matching(school), options.known);
    let mut intake = Intake { school, matching, order, known, taken: Vec::new() };
    for group in &plan.groups {
        if stop.requested() {
            break;
        }
        intake.take(group, &plan.photos, lines).await?;
    }
    Ok(intake.taken)
}

/// Takes photos in, one lesson after the other.
struct Intake<'a> {
    school: &'a School,
    matching: Matching,
    order: Order,
    known: Known,
    taken: Vec<Taken>,
}

impl Intake<'_> {
    async fn take(
        &mut self,
        group: &SessionGroup<Entry>,
        photos: &[PlannedPhoto],
        lines: &mut [PhotoReport],
    ) -> Result<(), Error> {
        let indices = group.photos.iter().filter_map(|e| if let Entry::Photo(index) = e { Some(*index) } else { None });
        let indices: Vec<usize> = indices.collect();
        if indices.is_empty() {
            return Ok(());
        }
        let session = self.session(group).await?;
        let (mut arrived, mut arrivals) = (Vec::new(), Vec::new());
        for index in indices {
            lines[index].session_id = Some(session.0);
            arrivals.push(arrive(self.school, &photos[index], session).await?);
            arrived.push(index);
        }
        let accepted = photo::admit(self.school, &self.matching, &self.order, session, arrivals).await?;
        for (index, accepted) in arrived.into_iter().zip(accepted) {
            self.note(index, accepted, &mut lines[index]).await?;
        }
        Ok(())
    }

    /// The session of a group, made where there is none.
    async fn session(&self, group: &SessionGroup<Entry>) -> Result<SessionId, Error> {
        let existing = group.photos.iter().find_map(|e| if let Entry::Existing(id) = e { Some(*id) } else { None });
        match existing {
            Some(id) => Ok(id),
            None => session::open(self.school, group.class, group.name.clone(), group.starts_at).await,
        }
    }

    async fn note(&mut self, index: usize, accepted: Accepted, line: &mut PhotoReport) -> Result<(), Error> {
        let Some(photo) = accepted.photo else {
            if let AcceptedState::Refused(error) = &accepted.state {
                refuse(line, &accepted.sha256, error);
            }
            return Ok(());
        };
        let twice = self.taken.iter().any(|t| t.photo == photo);
        let (status, job) = match accepted.state {
            AcceptedState::Refused(error) => {
                line.error = Some(told(&error));
                (PhotoStatus::Failed, None)
            }
            _ if twice => (PhotoStatus::Duplicate, None),
            AcceptedState::Done if self.known == Known::Keep => (PhotoStatus::Duplicate, None),
            AcceptedState::Done => match photo::requeue(self.school, &self.matching, &self.order, photo).await {
                Ok(job) => (PhotoStatus::Waiting, Some(job)),
                Err(error) if error.code == Code::SessionConfirmed => {
                    refuse(line, &accepted.sha256, &error);
                    return Ok(());
                }
                Err(error) => return Err(error),
            },
            AcceptedState::Waiting(job) => (PhotoStatus::Waiting, Some(job)),
        };
        line.status = status;
        self.taken.push(Taken { index, photo, job });
        Ok(())
    }
}

/// A file that its session does not take.
fn refuse(line: &mut PhotoReport, sha256: &str, error: &Error) {
    sha256.clone_into(&mut line.sha256);
    line.status = PhotoStatus::Failed;
    line.error = Some(told(error));
}

/// What is read from a file of the folder.
enum Read {
    Bytes(Vec<u8>),
    /// Over the limit, and only hashed.
    TooLarge(Digest, u64),
}

/// Reads a file of the folder and stores it. One that cannot be read arrives, too: its lesson must know.
///
/// # Errors
/// What concerns all photos: a database or a storage that is away for longer than the run can wait, or that refuses.
async fn arrive(school: &School, planned: &PlannedPhoto, session: SessionId) -> Result<Arrival, Error> {
    let (file, name) = (planned.file.clone(), planned.path.clone());
    let max_bytes = limits(&school.config).max_bytes;
    let read = blocking(move || {
        let failed = |e: std::io::Error| Error::file(Path::new(&name), &e);
        let length = std::fs::metadata(&file).map_err(failed)?.len();
        if length > max_bytes {
            let open = std::fs::File::open(&file).map_err(failed)?;
            return Ok(Read::TooLarge(Digest::of_reader(open).map_err(failed)?, length));
        }
        Ok(Read::Bytes(std::fs::read(&file).map_err(failed)?))
    });
    let original_name = planned.path.clone();
    match read.await {
        Ok(Read::Bytes(bytes)) => {
            let stored = patiently(|| Arrival::store(school, session, &bytes, original_name.clone())).await;
            stored.map_err(|error| error.of(&planned.path))
        }
        Ok(Read::TooLarge(digest, length)) => {
            let error = Error::from(DecodeError::from(Oversize::Bytes { bytes: length, limit: max_bytes }));
            Ok(Arrival::too_large(digest, length, original_name, &error))
        }
        Err(error) => Ok(Arrival::unreadable(original_name, &error)),
    }
}

/// Works on the queue until every photo of the run is finished, here or by another program, or a stop is asked for.
async fn work_through(
    school: &School,
    recogniser: &Recogniser,
    run_id: String,
    mut waiting: Waiting<'_>,
    stop: &Stop,
) -> Result<(), Error> {
    let shift = Shift::Run { run_id, jobs: waiting.jobs.keys().copied().collect() };
    let (tell, ended) = mpsc::unbounded_channel();
    let working = async move {
        // Dropped with this block, which ends the listening.
        let mut tell = |job| {
            // Nobody listens any more when listening has failed, and then that is what is reported.
            let _ = tell.send(job);
        };
        work(school, recogniser, shift, stop, &mut tell).await
    };
    let (worked, listened) = tokio::join!(working, waiting.listen(ended));
    worked.and(listened)
}

/// How often photos are looked for that other programs have finished.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// So many of them at a time.
const LOOK_AT: usize = 500;

/// The photos of a run that are not finished.
struct Waiting<'a> {
    school: &'a School,
    progress: &'a (dyn Fn(&PhotoReport) + Sync),
    lines: &'a mut [PhotoReport],
    jobs: BTreeMap<JobId, &'a Taken>,
}

impl Waiting<'_> {
    async fn listen(&mut self, mut ended: mpsc::UnboundedReceiver<JobId>) -> Result<(), Error> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                job = ended.recv() => match job {
                    Some(job) => self.land(job).await?,
                    None => return self.look().await,
                },
                _ = look.tick() => self.look().await?,
            }
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let waiting: Vec<JobId> = self.jobs.keys().copied().collect();
        for some in waiting.chunks(LOOK_AT) {
            let asked = Arc::new(some.to_vec());
            let unfinished = patiently(|| {
                let asked = Arc::clone(&asked);
                self.school.read(move |conn| Ok(store::unfinished(conn, &asked)?))
            });
            let unfinished = unfinished.await?;
            for job in some.iter().filter(|job| !unfinished.contains(job)) {
                self.land(*job).await?;
            }
        }
        Ok(())
    }

    /// A job of this run has ended: unless it is to be tried again, its photo is finished.
    async fn land(&mut self, job: JobId) -> Result<(), Error> {
        let Some(taken) = self.jobs.get(&job) else { return Ok(()) };
        let line = &mut self.lines[taken.index];
        line.status = match refresh(self.school, taken, line).await? {
            PhotoState::Done => PhotoStatus::Done,
            PhotoState::Failed => PhotoStatus::Failed,
            PhotoState::Queued | PhotoState::Processing => return Ok(()),
        };
        (self.progress)(line);
        // They are read again when the run is over, as verdicts may change until then; what waits takes memory.
        line.faces = Vec::new();
        self.jobs.remove(&job);
        Ok(())
    }
}

/// Fills a line with what the database knows; verdicts change while further photos of a session come in.
async fn refresh(school: &School, taken: &Taken, line: &mut PhotoReport) -> Result<PhotoState, Error> {
    let (photo, zone) = (taken.photo, school.config.time_zone);
    let known = patiently(|| school.read(move |conn| photo::known(conn, photo, zone))).await?;
    let state = known.state();
    known.fill(line);
    Ok(state)
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
        let bytes = patiently(|| photo::bytes(school, t.photo)).await?;
        let (faces, config) = (line.faces.clone(), school.config.clone());
        let drawn = blocking(move || annotate::annotated(&bytes, &faces, &config)).await?;
        tokio::fs::write(&file, drawn).await.map_err(|e| Error::file(&file, &e))?;
        written.push(file.display().to_string());
    }
    Ok(written)
}
