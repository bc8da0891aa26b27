//! Sessions judged again from their stored faces: after a late enrolment, a change of the roster, or with new lines.
//!
//! No photo is opened. What a person said stays, whatever the faces say now; a session that a teacher has confirmed is
//! left alone unless it is asked for. Embeddings of different packs never meet: a session whose photos were read with
//! another pack is left as it is, and `batch --reprocess` reads them again.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::error::{Code, Error};
use super::freshness::{Freshness, can_be_judged};
use super::learn::Pictures;
use super::session::{self, Matching};
use super::term::{Calendar, ClassWish};
use super::{Mode, School, review};
use crate::db::sessions::SessionRow;
use crate::db::{AnyConnection, classes, photos, records, sessions};
use crate::domain::days;
use crate::domain::ids::{MemberId, SessionId};
use crate::domain::sheet::natural_order;
use crate::domain::status::{AttendanceStatus, PhotoState, SessionState};

pub use super::freshness::{StaleSessions, stale_sessions};

/// Which sessions are judged again.
#[derive(Debug, Clone)]
pub enum Which {
    One(SessionId),
    /// Of a class, on these days or on all.
    Class(ClassWish, Option<(NaiveDate, NaiveDate)>),
    /// Of any class, whose gallery, pack or policy has changed since they were settled.
    Stale,
}

/// What happens to sessions that a teacher has confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    LeaveAlone,
    /// Judged again, too; they wait for the teacher again afterwards.
    Include,
}

/// What became of every session that was asked for.
#[derive(Debug, Serialize)]
pub struct RematchReport {
    /// `id@version` of the pack whose lines were used.
    pub pack: String,
    /// False for a preview: what would become of them.
    pub applied: bool,
    pub sessions: Vec<RematchedSession>,
}

/// One session.
#[derive(Debug, Serialize)]
pub struct RematchedSession {
    pub id: i64,
    pub class: String,
    pub section: String,
    pub term: String,
    pub name: Option<String>,
    pub starts_at: DateTime<Utc>,
    /// Whether its gallery, pack or policy had changed since it was settled.
    pub stale: bool,
    pub outcome: RematchOutcome,
    /// Members whose status is another one now, by roll number.
    pub changes: Vec<StatusChange>,
    /// Made while its class was in pilot: it does not count.
    pub pilot: bool,
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RematchOutcome {
    /// Judged again; its changes say what that meant.
    Rematched,
    /// Left alone because a teacher has confirmed it.
    Confirmed,
    /// Left alone because its photos were read with another pack: `batch --reprocess` helps.
    OtherPack,
    /// Nothing to judge: no photo of it was read. Running its batch again tries them.
    NoPhotos,
}

/// A member whose status is another one than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusChange {
    pub roll_no: String,
    /// None for somebody who was not on the roll before.
    pub from: Option<AttendanceStatus>,
    /// None for somebody who is not on the roll any more.
    pub to: Option<AttendanceStatus>,
}

/// Judges sessions again, each in a transaction of its own; `progress` is told (done, all).
///
/// # Errors
/// `SESSION_NOT_FOUND`, `CLASS_NOT_FOUND`, `AMBIGUOUS_NAME`; `INVALID_REQUEST` for days that cannot be; `MODEL_NOT_LOADED` when the pack's manifest cannot be read.
pub async fn run(
    school: &School,
    which: Which,
    confirmed: Confirmed,
    mode: Mode,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<RematchReport, Error> {
    let matching = Matching::of_settings(&school.config)?;
    let pack = matching.pack.to_string();
    let ids = asked_for(school, which, matching.clone()).await?;
    let mut done = Vec::with_capacity(ids.len());
    for id in &ids {
        let judge = Judge { matching: matching.clone(), confirmed };
        let id = *id;
        let (rematched, pictures) = school.apply(mode, move |conn| judge.session(conn, id)).await?;
        if mode == Mode::Apply {
            pictures.delete(school).await;
        }
        done.push(rematched);
        progress(done.len(), ids.len());
    }
    Ok(RematchReport { pack, applied: mode == Mode::Apply, sessions: done })
}

/// The sessions that are meant, by class and time.
async fn asked_for(school: &School, which: Which, matching: Matching) -> Result<Vec<SessionId>, Error> {
    let config = school.config.clone();
    school
        .read(move |conn| {
            let rows = match which {
                Which::One(id) => vec![
                    sessions::find_by_id(conn, id)?
                        .ok_or_else(|| Error::new(Code::SessionNotFound, format!("there is no session {}", id.0)))?,
                ],
                Which::Stale => Freshness::new(matching).stale(conn)?,
                Which::Class(class, days) => {
                    let calendar = Calendar::read(conn, &config, class.term.as_deref())?;
                    let last = days.map_or_else(|| session::today(config.time_zone), |(_, last)| last);
                    let class = calendar.class(&class, last)?.id;
                    match days {
                        Some((first, last)) => {
                            days::length((first, last))?;
                            let (from, to) = session::utc_range(first, last, config.time_zone);
                            sessions::list(conn, class, from, to)?
                        }
                        None => sessions::settled(conn)?.into_iter().filter(|s| s.class_id == class).collect(),
                    }
                }
            };
            Ok(rows.into_iter().map(|row| row.id).collect())
        })
        .await
}

struct Judge {
    matching: Matching,
    confirmed: Confirmed,
}

impl Judge {
    fn session(&self, conn: &mut AnyConnection, id: SessionId) -> Result<(RematchedSession, Pictures), Error> {
        let row = sessions::lock(conn, id)?;
        let stale = Freshness::new(self.matching.clone()).is_stale(conn, &row)?;
        let outcome = self.outcome(conn, &row)?;
        let (mut changes, mut pictures) = (Vec::new(), Pictures::default());
        if outcome == RematchOutcome::Rematched {
            let before = statuses(conn, id)?;
            if row.state == SessionState::Confirmed {
                pictures = review::reopen_in(conn, id, Utc::now().naive_utc())?;
            }
            session::settle(conn, id, &self.matching, Utc::now().naive_utc())?;
            changes = differences(before, statuses(conn, id)?);
        }
        let class = classes::get(conn, row.class_id)?;
        let rematched = RematchedSession {
            id: id.0,
            class: class.name,
            section: class.section,
            term: class.term,
            name: row.name,
            starts_at: row.starts_at.and_utc(),
            stale,
            outcome,
            changes,
            pilot: row.pilot,
        };
        Ok((rematched, pictures))
    }

    fn outcome(&self, conn: &mut AnyConnection, row: &SessionRow) -> Result<RematchOutcome, Error> {
        let photos = photos::list(conn, row.id)?;
        Ok(if row.state == SessionState::Confirmed && self.confirmed == Confirmed::LeaveAlone {
            RematchOutcome::Confirmed
        } else if photos.iter().all(|p| p.state != PhotoState::Done) {
            RematchOutcome::NoPhotos
        } else if can_be_judged(conn, row.id, &self.matching)? {
            RematchOutcome::Rematched
        } else {
            RematchOutcome::OtherPack
        })
    }
}

type Statuses = BTreeMap<MemberId, (String, AttendanceStatus)>;

fn statuses(conn: &mut AnyConnection, id: SessionId) -> Result<Statuses, Error> {
    let rows = records::of_session(conn, id)?;
    Ok(rows.into_iter().map(|r| (r.member_id, (r.roll_no, r.status))).collect())
}

fn differences(before: Statuses, mut after: Statuses) -> Vec<StatusChange> {
    let mut changes: Vec<StatusChange> = before
        .into_iter()
        .map(|(member, (roll_no, from))| StatusChange {
            roll_no,
            from: Some(from),
            to: after.remove(&member).map(|(_, to)| to),
        })
        .filter(|change| change.from != change.to)
        .collect();
    changes.extend(after.into_values().map(|(roll_no, to)| StatusChange { roll_no, from: None, to: Some(to) }));
    changes.sort_by(|a, b| natural_order(&a.roll_no, &b.roll_no));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(rows: &[(i64, &str, AttendanceStatus)]) -> Statuses {
        rows.iter().map(|(member, roll_no, status)| (MemberId(*member), ((*roll_no).to_owned(), *status))).collect()
    }

    #[test]
    fn differences_name_who_changed_came_and_went() {
        use AttendanceStatus::{Absent, Present, Unmarked};
        let before = statuses(&[(1, "10", Absent), (2, "2", Present), (3, "3", Unmarked)]);
        let after = statuses(&[(1, "10", Present), (2, "2", Present), (4, "4", Absent)]);
        let change = |roll_no: &str, from, to| StatusChange { roll_no: roll_no.to_owned(), from, to };
        assert_eq!(
            differences(before, after),
            [
                change("3", Some(Unmarked), None),
                change("4", None, Some(Absent)),
                change("10", Some(Absent), Some(Present))
            ]
        );
    }
}
