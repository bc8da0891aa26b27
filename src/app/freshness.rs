//! Whether what a session says still follows from what the school knows now.
//!
//! Nothing is marked when a roster, an enrolment, a pack or a line changes: every session keeps the fingerprint of the
//! gallery it was settled against, and whoever shows the session compares it with today's. So no change can be forgotten,
//! and one that is taken back makes sessions fresh again. Called by reports, enrolment and `rematch`; changes nothing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::School;
use super::error::Error;
use super::session::{self, Matching};
use crate::db::members::EnrolledRow;
use crate::db::samples::SampleMark;
use crate::db::sessions::SessionRow;
use crate::db::{AnyConnection, DbError, members, photos, samples, sessions};
use crate::domain::ids::{ClassId, SessionId, StudentId};
use crate::domain::status::{PhotoState, SessionState};

/// Compares sessions with their classes as they are now; reads each class once.
#[derive(Debug)]
pub(crate) struct Freshness {
    matching: Matching,
    classes: HashMap<ClassId, Class>,
}

#[derive(Debug)]
struct Class {
    roll: Vec<EnrolledRow>,
    samples: Vec<SampleMark>,
}

impl Freshness {
    pub(crate) fn new(matching: Matching) -> Self {
        Self { matching, classes: HashMap::new() }
    }

    /// Whether a session was settled against another gallery, pack or policy than those of now. One that was never
    /// settled is not stale: its photos wait. One that was confirmed is not stale for what was learned from sessions.
    pub(crate) fn is_stale(&mut self, conn: &mut AnyConnection, session: &SessionRow) -> Result<bool, DbError> {
        let Some(settled) = &session.gallery_fingerprint else { return Ok(false) };
        if !self.classes.contains_key(&session.class_id) {
            self.classes.insert(session.class_id, Class::read(conn, session.class_id, &self.matching)?);
        }
        let class = &self.classes[&session.class_id];
        let day = session::day(session, self.matching.zone);
        let roll = class.roll.iter().filter(|row| row.member.is_member_on(day));
        let now = session::fingerprint(roll, &class.samples, &self.matching);
        Ok(match session.state {
            // What was learned since moves templates a little. A teacher has signed for this session whatever they were.
            SessionState::Confirmed => session::enrolled_part(&now) != session::enrolled_part(settled),
            SessionState::Open | SessionState::Review => now != *settled,
        })
    }

    /// All stale sessions of the school.
    pub(crate) fn stale(&mut self, conn: &mut AnyConnection) -> Result<Vec<SessionRow>, DbError> {
        let mut stale = Vec::new();
        for session in sessions::settled(conn)? {
            if self.is_stale(conn, &session)? {
                stale.push(session);
            }
        }
        Ok(stale)
    }
}

impl Class {
    fn read(conn: &mut AnyConnection, class: ClassId, matching: &Matching) -> Result<Self, DbError> {
        let roll = members::all(conn, class)?;
        let students: Vec<StudentId> = roll.iter().map(|row| row.student.id).collect();
        let samples = samples::marks(conn, (&matching.pack.id, &matching.pack.version), &students)?;
        Ok(Self { roll, samples })
    }
}

/// How many sessions do not follow from what is known now. Confirmed ones do not count: they are left alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleSessions {
    /// A `rematch` judges them again.
    pub rematch: usize,
    /// Their photos were read with another pack: `batch --reprocess` reads them again.
    pub reprocess: usize,
}

/// Counts the stale sessions of the school; none where the settings' pack cannot be read.
///
/// # Errors
/// Database failures.
pub async fn stale_sessions(school: &School) -> Result<Option<StaleSessions>, Error> {
    let Ok(matching) = Matching::of_settings(&school.config) else { return Ok(None) };
    school
        .read(move |conn| {
            let mut counts = StaleSessions::default();
            let stale = Freshness::new(matching.clone()).stale(conn)?;
            for session in stale.iter().filter(|s| s.state != SessionState::Confirmed) {
                match can_be_judged(conn, session.id, &matching)? {
                    true => counts.rematch += 1,
                    false => counts.reprocess += 1,
                }
            }
            Ok(Some(counts))
        })
        .await
}

/// Whether all photos of a session that were read were read with this pack.
pub(crate) fn can_be_judged(
    conn: &mut AnyConnection,
    session: SessionId,
    matching: &Matching,
) -> Result<bool, DbError> {
    let photos = photos::list(conn, session)?;
    Ok(photos.iter().filter(|p| p.state == PhotoState::Done).all(|p| session::is_comparable(p, &matching.pack)))
}
