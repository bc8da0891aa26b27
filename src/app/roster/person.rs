//! What is true of a student in every class: at the school or not, consent given or withdrawn.

use chrono::{NaiveDate, NaiveTime, Utc};
use futures_util::TryStreamExt as _;

use super::{Changed, student};
use crate::app::error::Error;
use crate::app::{Mode, School, session};
use crate::db::students::StudentChange;
use crate::db::{samples, students};
use crate::domain::days::require_possible;
use crate::domain::ids::StudentId;
use crate::domain::status::Consent;
use crate::storage::KeyGroup;

/// Whether a student is at the school.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Active,
    /// Never compared with a face, in no class; stays on the rolls.
    Inactive,
}

/// Says that a student is at the school, or is not for the time being. It has no date: whoever leaves a class on a day is
/// taken off its roll by [`end`](super::end).
///
/// # Errors
/// `STUDENT_NOT_FOUND`.
pub async fn set_activity(school: &School, prn: String, activity: Activity, mode: Mode) -> Result<Changed, Error> {
    let active = activity == Activity::Active;
    let changes = school.apply(mode, move |conn| {
        let person = student(conn, &prn)?;
        if person.active == active {
            return Ok(Vec::new());
        }
        let change = StudentChange { active: Some(active), ..StudentChange::at(Utc::now().naive_utc()) };
        students::update(conn, person.id, &change)?;
        Ok(vec![format!("PRN {} is {} now", person.prn, if active { "active" } else { "inactive" })])
    });
    let changes = changes.await?;
    Changed::by(school, mode, changes).await
}

/// Records what was said about consent, and on which day (none: now). With a withdrawal the student's samples are deleted,
/// of every pack and with their pictures: nothing is left to compare a face with. Records and class photos stay, the
/// latter until their retention ends.
///
/// # Errors
/// `STUDENT_NOT_FOUND`; `INVALID_REQUEST` for a day that is too far away; `STORAGE_ERROR` when a picture cannot be deleted: the
/// same command tries it again.
pub async fn set_consent(
    school: &School,
    prn: String,
    (consent, on): (Consent, Option<NaiveDate>),
    mode: Mode,
) -> Result<Changed, Error> {
    on.map_or(Ok(()), require_possible)?;
    let zone = school.config.time_zone;
    let work = school.apply(mode, move |conn| {
        let person = student(conn, &prn)?;
        let mut changes = Vec::new();
        let at = on.map_or_else(|| Utc::now().naive_utc(), |day| session::utc(day.and_time(NaiveTime::MIN), zone));
        if person.consent != consent || (on.is_some() && person.consent_at != Some(at)) {
            let change = StudentChange {
                consent: Some(consent),
                consent_at: Some(Some(at)),
                ..StudentChange::at(Utc::now().naive_utc())
            };
            students::update(conn, person.id, &change)?;
            let day = session::local(at, zone).date();
            changes.push(format!("PRN {}: consent {consent} on {day}, before that {}", person.prn, person.consent));
        }
        if consent == Consent::Withdrawn {
            let deleted = samples::delete_of_student(conn, person.id)?;
            if deleted > 0 {
                changes.push(format!("PRN {}: all samples deleted with their pictures ({deleted})", person.prn));
            }
        }
        Ok((person.id, changes))
    });
    let (id, changes) = work.await?;
    if consent == Consent::Withdrawn && mode == Mode::Apply {
        delete_pictures(school, id).await?;
    }
    Changed::by(school, mode, changes).await
}

/// Deletes every stored portrait of a student, also those that an interrupted run has left behind.
pub(super) async fn delete_pictures(school: &School, id: StudentId) -> Result<(), Error> {
    let mut pictures = school.store.list(KeyGroup::Student(id.0));
    while let Some(picture) = pictures.try_next().await? {
        school.store.delete(&picture.key).await?;
    }
    Ok(())
}
