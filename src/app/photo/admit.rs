//! Photos come in: their bytes are stored, their rows written and their jobs queued.

use chrono::Utc;

use super::{Order, extension, job};
use crate::app::batch_report::{ErrorReport, told};
use crate::app::error::{Code, Error};
use crate::app::events::{self, PhotoStep};
use crate::app::recogniser::limits;
use crate::app::session::{self, Matching};
use crate::app::{School, photo_bytes};
use crate::db::photos::NewPhoto;
use crate::db::{AnyConnection, DbError, photos, sessions};
use crate::domain::ids::{PhotoId, SessionId};
use crate::domain::status::{PhotoState, SessionState};
use crate::queue::{self, JobId, NewJob};
use crate::storage::Digest;
use crate::telemetry::metric;
use crate::vision::decode::identify;

/// What became of it.
#[derive(Debug)]
pub struct Accepted {
    /// None when nothing was written down about it: its session is confirmed.
    pub photo: Option<PhotoId>,
    pub sha256: String,
    pub state: AcceptedState,
}

/// What is left to do.
#[derive(Debug)]
pub enum AcceptedState {
    /// For this job.
    Waiting(JobId),
    /// Processed before.
    Done,
    /// Not a photo that can be processed; the session knows that something is missing. With `SESSION_CONFIRMED` it does not:
    /// the session takes no photos.
    Refused(Error),
}

/// A photo whose bytes are stored, or which cannot be looked at, before its row is written.
#[derive(Debug)]
pub struct Arrival {
    digest: Digest,
    length: u64,
    /// For people: nothing is looked up by it but an earlier failed photo of the same name.
    original_name: String,
    /// Where the bytes are, or why there is nothing to look at.
    stored: Result<String, ErrorReport>,
}

impl Arrival {
    /// Stores the bytes of a photo; those over the limits, of no known kind or for a confirmed session are only noted.
    ///
    /// # Errors
    /// `SESSION_NOT_FOUND`; database and storage failures.
    pub async fn store(
        school: &School,
        session: SessionId,
        bytes: &[u8],
        original_name: String,
    ) -> Result<Self, Error> {
        let digest = Digest::of(bytes);
        let row = school.read(move |conn| Ok(sessions::get(conn, session)?)).await?;
        if let Err(error) = session::require_unconfirmed(&row) {
            return Ok(Self { digest, length: bytes.len() as u64, original_name, stored: Err(told(&error)) });
        }
        let stored = match identify(bytes, &limits(&school.config)) {
            Ok(format) => Ok(photo_bytes::keep(school, session, (digest, extension(format)), bytes).await?.to_string()),
            Err(e) => Err(told(&Error::from(e))),
        };
        Ok(Self { digest, length: bytes.len() as u64, original_name, stored })
    }

    /// Why it cannot be looked at, if so.
    pub fn refusal(&self) -> Option<Error> {
        self.stored
            .as_ref()
            .err()
            .map(|error| Error::new(error.code, format!("{}: {}", self.original_name, error.message)))
    }

    /// A file that is too large to be read at all.
    pub fn too_large(digest: Digest, length: u64, original_name: String, error: &Error) -> Self {
        Self { digest, length, original_name, stored: Err(told(error)) }
    }

    /// A file that cannot be read: its lesson has a photo that nobody has seen. Its name stands for the bytes.
    pub fn unreadable(original_name: String, error: &Error) -> Self {
        Self { digest: Digest::of(original_name.as_bytes()), length: 0, original_name, stored: Err(told(error)) }
    }
}

/// Writes down photos of one session and queues them, all in one transaction: nobody is marked absent while another photo of
/// the lesson is on its way. The same bytes in the same session are the photo that is there already. What cannot be looked
/// at is noted as failed, so that the session marks nobody absent. A confirmed session takes none: each that is not done
/// already is refused with `SESSION_CONFIRMED`.
///
/// # Errors
/// Database failures.
pub async fn admit(
    school: &School,
    matching: &Matching,
    order: &Order,
    session: SessionId,
    arrivals: Vec<Arrival>,
) -> Result<Vec<Accepted>, Error> {
    let admission = Admission {
        session,
        matching: matching.clone(),
        order: order.clone(),
        max_attempts: school.config.queue.max_attempts,
    };
    let accepted = school.change_patiently(move |conn| admission.admit(conn, &arrivals)).await?;
    let refused = accepted.iter().filter(|photo| matches!(photo.state, AcceptedState::Refused(_))).count();
    metrics::counter!(metric::PHOTOS, "state" => "refused").increment(refused as u64);
    Ok(accepted)
}

/// What the photos of one session are admitted with.
struct Admission {
    session: SessionId,
    matching: Matching,
    order: Order,
    max_attempts: u32,
}

impl Admission {
    fn admit(&self, conn: &mut AnyConnection, arrivals: &[Arrival]) -> Result<Vec<Accepted>, Error> {
        let was_confirmed = sessions::get(conn, self.session)?.state == SessionState::Confirmed;
        // Jobs that are there are locked before the session, as everywhere.
        for arrival in arrivals.iter().filter(|a| a.stored.is_ok() && !was_confirmed) {
            if let Some(row) = photos::find_in_session(conn, self.session, &arrival.digest.to_string())?
                && row.state != PhotoState::Done
            {
                queue::enqueue(conn, &self.job(row.id))?;
            }
        }
        let locked = sessions::lock(conn, self.session)?;
        if (locked.state == SessionState::Confirmed) != was_confirmed {
            // Confirmed or reopened in this moment: what was done above was for the other case.
            return Err(DbError::Busy.into());
        }
        if let Err(refusal) = session::require_unconfirmed(&locked) {
            return arrivals.iter().map(|arrival| self.turn_away(conn, arrival, &refusal)).collect();
        }
        let accepted = arrivals.iter().map(|arrival| self.admit_one(conn, arrival)).collect::<Result<Vec<_>, _>>()?;
        // Absences that were concluded before are taken back until these were looked at.
        let is_fresh = |a: &Accepted| matches!(a.state, AcceptedState::Waiting(_));
        let refused = accepted.iter().any(|a| a.photo.is_some() && matches!(a.state, AcceptedState::Refused(_)));
        if refused || (locked.state != SessionState::Open && accepted.iter().any(is_fresh)) {
            session::settle(conn, self.session, &self.matching, Utc::now().naive_utc())?;
        }
        Ok(accepted)
    }

    /// A session that takes no photos knows those that it has.
    fn turn_away(&self, conn: &mut AnyConnection, arrival: &Arrival, refusal: &Error) -> Result<Accepted, Error> {
        let sha256 = arrival.digest.to_string();
        let known = photos::find_in_session(conn, self.session, &sha256)?;
        Ok(match known.filter(|row| row.state == PhotoState::Done) {
            Some(row) => Accepted { photo: Some(row.id), sha256, state: AcceptedState::Done },
            None => {
                let refusal = Error::new(refusal.code, refusal.message.clone());
                // What could not be read has no hash.
                let sha256 = if arrival.length > 0 { sha256 } else { String::new() };
                Accepted { photo: None, sha256, state: AcceptedState::Refused(refusal) }
            }
        })
    }

    fn admit_one(&self, conn: &mut AnyConnection, arrival: &Arrival) -> Result<Accepted, Error> {
        if let Err(ErrorReport { code: Code::SessionConfirmed, message }) = &arrival.stored {
            // It was reopened after this photo came, and its bytes were not kept.
            return self.turn_away(conn, arrival, &Error::new(Code::SessionConfirmed, message.clone()));
        }
        let sha256 = arrival.digest.to_string();
        let known = photos::find_in_session(conn, self.session, &sha256)?;
        let (photo, before) = match &known {
            Some(row) => (row.id, Some(row.state)),
            None => (self.insert(conn, arrival)?, None),
        };
        let state = match (&arrival.stored, before) {
            (Err(error), _) => {
                let code = error.code.as_str();
                photos::fail(conn, photo, &code, &error.message, Utc::now().naive_utc())?;
                events::photo(conn, self.session, photo, PhotoStep::Failed { code: &code })?;
                AcceptedState::Refused(Error::new(error.code, error.message.clone()))
            }
            (Ok(_), Some(PhotoState::Done)) => AcceptedState::Done,
            (Ok(key), before) => {
                if known.is_some_and(|row| row.object_key.is_empty()) {
                    // It was refused before, perhaps by a limit that was lower then.
                    photos::set_object_key(conn, photo, key)?;
                }
                if before == Some(PhotoState::Failed) {
                    photos::requeue(conn, photo)?;
                }
                let job = queue::enqueue(conn, &self.job(photo))?;
                if matches!(before, None | Some(PhotoState::Failed)) {
                    events::photo(conn, self.session, photo, PhotoStep::Queued(job))?;
                }
                AcceptedState::Waiting(job)
            }
        };
        Ok(Accepted { photo: Some(photo), sha256, state })
    }

    fn insert(&self, conn: &mut AnyConnection, arrival: &Arrival) -> Result<PhotoId, Error> {
        supersede(conn, self.session, &arrival.original_name)?;
        let new = NewPhoto {
            session_id: self.session,
            sha256: arrival.digest.to_string(),
            object_key: arrival.stored.as_ref().cloned().unwrap_or_default(),
            original_name: arrival.original_name.clone(),
            bytes: i64::try_from(arrival.length).unwrap_or(i64::MAX),
            captured_at: None,
            created_at: Utc::now().naive_utc(),
        };
        Ok(photos::insert(conn, &new)?)
    }

    fn job(&self, photo: PhotoId) -> NewJob {
        job(photo, &self.matching, &self.order, self.max_attempts)
    }
}

/// A file that failed and comes again with other bytes under its name is a second try, not a second photo.
fn supersede(conn: &mut AnyConnection, session: SessionId, name: &str) -> Result<(), Error> {
    for row in photos::list(conn, session)? {
        if row.state == PhotoState::Failed && row.original_name == name {
            photos::delete(conn, row.id)?;
        }
    }
    Ok(())
}
