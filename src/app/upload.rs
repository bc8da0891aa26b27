//! A teacher's upload: photos of one session, one after the other into storage, then all at once into the queue.

use std::time::{Duration, Instant};

use super::error::{Code, Error};
use super::photo::{self, Accepted, AcceptedState, Arrival, Order};
use super::{Recogniser, School, jobs};
use crate::db::{photos, sessions};
use crate::domain::ids::{PhotoId, SessionId};
use crate::domain::status::PhotoState;
use crate::queue::{Priority, Stop};

/// Longest name kept of a file, characters.
const MAX_NAME: usize = 200;
/// Pause between two looks at photos that somebody waits for.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// An upload that is under way: photos are stored, nothing is queued.
#[derive(Debug)]
pub struct Upload {
    school: School,
    recogniser: Recogniser,
    session: SessionId,
    arrivals: Vec<Arrival>,
    names: Vec<String>,
}

/// One photo of an upload.
#[derive(Debug)]
pub struct Uploaded {
    pub name: String,
    pub accepted: Accepted,
}

impl Upload {
    /// Begins an upload to a session.
    ///
    /// # Errors
    /// `SESSION_NOT_FOUND`; `BUSY` when too many photos wait already.
    pub async fn begin(school: &School, recogniser: &Recogniser, session: SessionId) -> Result<Self, Error> {
        let (limit, topic) = (school.config().server.queue_limit, photo::topic(recogniser.key()));
        let checked = school.read(move |conn| {
            sessions::get(conn, session)?;
            jobs::require_room(conn, &topic, limit)
        });
        checked.await?;
        let (school, recogniser) = (school.clone(), recogniser.clone());
        Ok(Self { school, recogniser, session, arrivals: Vec::new(), names: Vec::new() })
    }

    /// Stores a photo. What is none is noted and told at the end.
    ///
    /// # Errors
    /// Storage failures.
    pub async fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let name = shown(name, self.names.len());
        self.arrivals.push(Arrival::store(&self.school, self.session, bytes, name.clone()).await?);
        self.names.push(name);
        Ok(())
    }

    /// Notes a file that was too large to be taken. Its name stands for its bytes, as with files that cannot be read.
    pub fn refuse(&mut self, name: &str, error: &Error) {
        let name = shown(name, self.names.len());
        self.arrivals.push(Arrival::unreadable(name.clone(), error));
        self.names.push(name);
    }

    /// Queues what is stored, for `owner`, before everything that nobody waits for. Without one usable photo nothing is written.
    ///
    /// # Errors
    /// `INVALID_REQUEST` without a photo; the first photo's own error when none can be used.
    pub async fn finish(self, owner: Option<String>) -> Result<Vec<Uploaded>, Error> {
        let Self { school, recogniser, session, arrivals, names } = self;
        if arrivals.is_empty() {
            return Err(Error::new(Code::InvalidRequest, "there is no photo in the request"));
        }
        if let Some(error) =
            arrivals.iter().map(Arrival::refusal).collect::<Option<Vec<_>>>().and_then(|mut all| all.pop())
        {
            return Err(error);
        }
        let order = Order { priority: Priority::Person, run_id: None, owner };
        let accepted = photo::admit(&school, &recogniser.matching(&school), &order, session, arrivals).await?;
        Ok(names.into_iter().zip(accepted).map(|(name, accepted)| Uploaded { name, accepted }).collect())
    }
}

/// Waits until all photos were looked at, at most for `patience`. Returns whether they were.
///
/// # Errors
/// Database failures.
pub async fn wait(school: &School, photos: &[Uploaded], patience: Duration, stop: &Stop) -> Result<bool, Error> {
    let start = Instant::now();
    let waiting = |photo: &Uploaded| matches!(photo.accepted.state, AcceptedState::Waiting(_));
    let ids: Vec<PhotoId> = photos.iter().filter(|p| waiting(p)).filter_map(|p| p.accepted.photo).collect();
    loop {
        let asked = ids.clone();
        let states = school.read(move |conn| Ok(photos::states(conn, &asked)?)).await?;
        // One that was removed meanwhile is nobody's wait any more.
        if states.iter().all(|state| matches!(state, PhotoState::Done | PhotoState::Failed)) {
            return Ok(true);
        }
        if start.elapsed() >= patience || stop.requested() {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A file's name as it is shown to people: its last part, without what cannot be printed.
fn shown(name: &str, index: usize) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let plain: String = last.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    if plain.is_empty() { format!("photo {}", index + 1) } else { plain }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn names_of_files_are_shown_without_their_folders() {
        assert_eq!(shown("C:\\Users\\me\\left.jpg", 0), "left.jpg");
        assert_eq!(shown("../../etc/passwd", 0), "passwd");
        assert_eq!(shown("a\u{0}b\n.jpg", 0), "ab.jpg");
        assert_eq!(shown(" ", 2), "photo 3");
        assert_eq!(shown(&"x".repeat(500), 0).len(), super::MAX_NAME);
    }
}
