//! What classes have planned: their timetables, the school's holidays, and which register was taken.
//!
//! A register is taken when a session that belongs to its lesson has a record; `domain::timetable` says which session belongs to
//! which. What moves percentages is written down in the audit log with what was there before.

mod plan;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
pub(super) use plan::{ClassDays, ClassSession, Plans};
use serde_json::json;

use super::School;
use super::attendance::require_range;
use super::audit::{self, By, Entry};
use super::error::{Code, Error};
use crate::config::Config;
use crate::db::classes::{self, ClassRow};
use crate::db::holidays::{self, HolidayRow, NewHoliday};
use crate::db::{AnyConnection, subjects, timetable};
use crate::domain::days;
use crate::domain::ids::{ClassId, HolidayId, SessionId, SubjectId};
use crate::domain::status::SessionState;
use crate::domain::timetable::{Lesson, Slot, TimetableError, check};

/// Most slots of a class.
const MAX_SLOTS: usize = 500;
/// Most lessons of one answer.
const MAX_LESSONS: usize = 20_000;
/// Longest name of a holiday, characters.
const MAX_NAME: usize = 200;
/// Longest holiday, days.
const MAX_HOLIDAY: i64 = 1100;

/// The slots of a class, by weekday and time.
///
/// # Errors
/// `CLASS_NOT_FOUND`.
pub async fn slots(school: &School, class: ClassId) -> Result<Vec<Slot>, Error> {
    school.read(move |conn| of_class(conn, class)).await
}

/// Sets the slots of a class in place of those before.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `SUBJECT_NOT_FOUND`; `INVALID_REQUEST` for slots at one time and such that cannot be.
pub async fn replace(
    school: &School,
    class: ClassId,
    new: Vec<Slot>,
    (by, now): (By, DateTime<Utc>),
) -> Result<Vec<Slot>, Error> {
    if new.len() > MAX_SLOTS {
        let text = format!("{} slots; a class has {MAX_SLOTS} at most", new.len());
        return Err(Error::new(Code::InvalidRequest, text));
    }
    check(&new)?;
    school
        .change(move |conn| {
            classes::lock(conn, class)?;
            for subject in new.iter().filter_map(|slot| slot.subject) {
                subjects::get(conn, subject)?;
            }
            let before = timetable::of_class(conn, class)?.len();
            timetable::replace(conn, class, &new)?;
            let detail = json!({ "slots_before": before, "slots": new.len() });
            let entry = Entry::new(&by, "replace_timetable", now).on(class).in_class(class).with(detail);
            audit::record(conn, &entry)?;
            of_class(conn, class)
        })
        .await
}

fn of_class(conn: &mut AnyConnection, class: ClassId) -> Result<Vec<Slot>, Error> {
    classes::get(conn, class)?;
    Ok(timetable::of_class(conn, class)?.into_iter().map(Slot::from).collect())
}

impl From<TimetableError> for Error {
    fn from(error: TimetableError) -> Self {
        Self::new(Code::InvalidRequest, error.to_string())
    }
}

/// The holidays of the school and of all classes with a day from the first to the last, in order of time.
///
/// # Errors
/// `INVALID_REQUEST` for days in the wrong order, too far away, or more than three years.
pub async fn holidays(school: &School, days: (NaiveDate, NaiveDate)) -> Result<Vec<HolidayRow>, Error> {
    require_range(days)?;
    school.read(move |conn| Ok(holidays::between(conn, days)?)).await
}

/// Notes days without lessons.
///
/// # Errors
/// `CLASS_NOT_FOUND`; `INVALID_REQUEST` for days in the wrong order, too far away, or more than three years, and for no name or a
/// long one.
pub async fn add_holiday(
    school: &School,
    new: NewHoliday,
    (by, now): (By, DateTime<Utc>),
) -> Result<HolidayRow, Error> {
    if days::length((new.first_day, new.last_day))? > MAX_HOLIDAY {
        return Err(Error::new(Code::InvalidRequest, format!("a holiday has at most {MAX_HOLIDAY} days")));
    }
    let name = new.name.trim().to_owned();
    if !(1..=MAX_NAME).contains(&name.chars().count()) {
        return Err(Error::new(Code::InvalidRequest, format!("a holiday's name has 1 to {MAX_NAME} characters")));
    }
    school
        .change(move |conn| {
            new.class_id.map(|class| classes::get(conn, class)).transpose()?;
            let row = holidays::insert(conn, &NewHoliday { name, ..new })?;
            audit::record(conn, &line(Entry::new(&by, "add_holiday", now), &row))?;
            Ok(row)
        })
        .await
}

/// Takes a holiday back.
///
/// # Errors
/// `HOLIDAY_NOT_FOUND`.
pub async fn remove_holiday(school: &School, id: HolidayId, (by, now): (By, DateTime<Utc>)) -> Result<(), Error> {
    school
        .change(move |conn| {
            let row = holidays::get(conn, id)?;
            holidays::delete(conn, id)?;
            Ok(audit::record(conn, &line(Entry::new(&by, "delete_holiday", now), &row))?)
        })
        .await
}

fn line<'a>(entry: Entry<'a>, row: &HolidayRow) -> Entry<'a> {
    let detail = json!({ "name": row.name, "from": row.first_day, "to": row.last_day });
    let entry = entry.on(row.id).with(detail);
    match row.class_id {
        Some(class) => entry.in_class(class),
        None => entry,
    }
}

/// Which registers are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Registers {
    #[default]
    All,
    Taken,
    /// Of lessons that have begun, on no holiday.
    NotTaken,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PlannedWish {
    /// None: of every class.
    pub among: Option<Vec<ClassId>>,
    /// First and last day.
    pub days: (NaiveDate, NaiveDate),
    pub registers: Registers,
}

/// A lesson with the session that was held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub class: ClassRow,
    pub lesson: Lesson,
    /// What the lesson's subject is called.
    pub subject: Option<String>,
    /// Of several the first that has a record.
    pub session: Option<(SessionId, SessionState)>,
    /// Whether it has one.
    pub is_taken: bool,
}

/// The lessons of some classes, by time, then class.
///
/// # Errors
/// `INVALID_REQUEST` for days in the wrong order, too far away, more than three years, or more lessons than fit into one answer.
pub async fn planned(school: &School, wish: PlannedWish, now: DateTime<Utc>) -> Result<Vec<Planned>, Error> {
    require_range(wish.days)?;
    let config = school.config.clone();
    school
        .read(move |conn| {
            let names: HashMap<SubjectId, String> =
                subjects::list(conn)?.into_iter().map(|row| (row.id, row.name)).collect();
            let plans = Plans::of_all(conn, wish.days)?;
            let is_asked_for = |class: &ClassRow| wish.among.as_ref().is_none_or(|among| among.contains(&class.id));
            let mut all = Vec::new();
            for class in classes::list(conn, None)?.into_iter().filter(is_asked_for).filter(|row| plans.has(row.id)) {
                let found = of_one(conn, &plans, (&class, &names), &config)?;
                all.extend(found.into_iter().filter(|planned| is_meant(planned, wish.registers, now)));
                if all.len() > MAX_LESSONS {
                    let text = format!("more than {MAX_LESSONS} lessons; ask for fewer days, or for one class");
                    return Err(Error::new(Code::InvalidRequest, text));
                }
            }
            // Classes of one time stay in their order.
            all.sort_by_key(|planned| planned.lesson.starts_at);
            Ok(all)
        })
        .await
}

fn is_meant(planned: &Planned, registers: Registers, now: DateTime<Utc>) -> bool {
    match registers {
        Registers::All => true,
        Registers::Taken => planned.is_taken,
        Registers::NotTaken => {
            let has_begun = planned.lesson.starts_at <= now.naive_utc();
            !planned.is_taken && planned.lesson.holiday.is_none() && has_begun
        }
    }
}

fn of_one(
    conn: &mut AnyConnection,
    plans: &Plans,
    (class, names): (&ClassRow, &HashMap<SubjectId, String>),
    config: &Config,
) -> Result<Vec<Planned>, Error> {
    let ClassDays { lessons, sessions, .. } = plans.read(conn, class, config)?;
    let planned = |(place, lesson): (usize, Lesson)| {
        let own = || sessions.iter().filter(|session| session.lesson == Some(place));
        let held = own().find(|session| session.was_held);
        let session = held.or_else(|| own().next()).map(|session| (session.row.id, session.row.state));
        let subject = lesson.subject.and_then(|id| names.get(&id).cloned());
        Planned { class: class.clone(), lesson, subject, session, is_taken: held.is_some() }
    };
    Ok(lessons.into_iter().enumerate().map(planned).collect())
}

#[cfg(test)]
mod tests;
