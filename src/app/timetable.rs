//! What classes have planned: their timetables, the school's holidays, and which register was taken.
//!
//! A lesson is taken when a session that belongs to it has a record; `domain::timetable` says which session belongs to which.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, TimeDelta, Utc};

use super::attendance::require_range;
use super::error::{Code, Error};
use super::{School, session};
use crate::config::Config;
use crate::db::classes::{self, ClassRow};
use crate::db::holidays::{self, HolidayRow, NewHoliday};
use crate::db::sessions::{self, SessionRow};
use crate::db::{AnyConnection, DbError, records, subjects, timetable};
use crate::domain::ids::{ClassId, HolidayId, SessionId, SubjectId};
use crate::domain::sheet::OpenLesson;
use crate::domain::status::SessionState;
use crate::domain::timetable::{Held, Holiday, Lesson, Slot, TimetableError, check, held_in, lessons};

/// Most slots of a class.
const MAX_SLOTS: usize = 500;
/// Most lessons of one answer.
const MAX_LESSONS: usize = 20_000;
/// Longest name of a holiday, characters.
const MAX_NAME: usize = 200;

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
pub async fn replace(school: &School, class: ClassId, new: Vec<Slot>) -> Result<Vec<Slot>, Error> {
    if new.len() > MAX_SLOTS {
        let text = format!("{} slots; a class has {MAX_SLOTS} at most", new.len());
        return Err(Error::new(Code::InvalidRequest, text));
    }
    check(&new)?;
    school
        .change(move |conn| {
            classes::get(conn, class)?;
            for subject in new.iter().filter_map(|slot| slot.subject) {
                subjects::get(conn, subject)?;
            }
            timetable::replace(conn, class, &new)?;
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

/// Notes days without lessons.
///
/// # Errors
/// `CLASS_NOT_FOUND`; `INVALID_REQUEST` for days in the wrong order or more than three years, and for no name or a long one.
pub async fn add_holiday(school: &School, new: NewHoliday) -> Result<HolidayRow, Error> {
    require_range((new.first_day, new.last_day))?;
    let name = new.name.trim().to_owned();
    if !(1..=MAX_NAME).contains(&name.chars().count()) {
        return Err(Error::new(Code::InvalidRequest, format!("a holiday's name has 1 to {MAX_NAME} characters")));
    }
    school
        .change(move |conn| {
            new.class_id.map(|class| classes::get(conn, class)).transpose()?;
            Ok(holidays::insert(conn, &NewHoliday { name, ..new })?)
        })
        .await
}

/// Takes a holiday back.
///
/// # Errors
/// `HOLIDAY_NOT_FOUND`.
pub async fn remove_holiday(school: &School, id: HolidayId) -> Result<(), Error> {
    school.change(move |conn| Ok(holidays::delete(conn, id)?)).await
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
/// `INVALID_REQUEST` for days in the wrong order, more than three years, or more lessons than fit into one answer.
pub async fn planned(school: &School, wish: PlannedWish) -> Result<Vec<Planned>, Error> {
    require_range(wish.days)?;
    let config = school.config.clone();
    school
        .read(move |conn| {
            let names: HashMap<SubjectId, String> =
                subjects::list(conn)?.into_iter().map(|row| (row.id, row.name)).collect();
            let plans = Plans::read(conn, wish.days)?;
            let mut all = Vec::new();
            for class in classes::list(conn, None)? {
                if wish.among.as_ref().is_some_and(|among| !among.contains(&class.id)) {
                    continue;
                }
                let found = of_one(conn, &plans, &class, &config)?;
                let named = found.into_iter().map(|planned| {
                    let subject = planned.lesson.subject.and_then(|id| names.get(&id).cloned());
                    Planned { subject, ..planned }
                });
                all.extend(named.filter(|planned| is_meant(planned, wish.registers)));
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

fn is_meant(planned: &Planned, registers: Registers) -> bool {
    match registers {
        Registers::All => true,
        Registers::Taken => planned.is_taken,
        Registers::NotTaken => {
            let has_begun = planned.lesson.starts_at <= Utc::now().naive_utc();
            !planned.is_taken && planned.lesson.holiday.is_none() && has_begun
        }
    }
}

/// Slots of all classes, and the holidays of some days.
struct Plans {
    days: (NaiveDate, NaiveDate),
    slots: HashMap<ClassId, Vec<Slot>>,
    holidays: Vec<HolidayRow>,
}

impl Plans {
    fn read(conn: &mut AnyConnection, days: (NaiveDate, NaiveDate)) -> Result<Self, DbError> {
        let mut slots: HashMap<ClassId, Vec<Slot>> = HashMap::new();
        for row in timetable::all(conn)? {
            slots.entry(row.class_id).or_default().push(row.into());
        }
        Ok(Self { days, slots, holidays: holidays::between(conn, days)? })
    }

    fn lessons(&self, class: ClassId, config: &Config) -> Vec<Lesson> {
        let slots = self.slots.get(&class).map(Vec::as_slice).unwrap_or_default();
        lessons_of(slots, &self.holidays, class, self.days, config)
    }
}

fn lessons_of(
    slots: &[Slot],
    holidays: &[HolidayRow],
    class: ClassId,
    days: (NaiveDate, NaiveDate),
    config: &Config,
) -> Vec<Lesson> {
    let off: Vec<Holiday> = holidays.iter().filter(|row| row.is_of(class)).map(Holiday::from).collect();
    lessons(slots, &off, days, |at| session::utc(at, config.time_zone))
}

fn of_one(conn: &mut AnyConnection, plans: &Plans, class: &ClassRow, config: &Config) -> Result<Vec<Planned>, Error> {
    let lessons = plans.lessons(class.id, config);
    if lessons.is_empty() {
        return Ok(Vec::new());
    }
    let held = held_around(conn, class.id, plans.days, config)?;
    let places = places(&lessons, &held, config);
    let ids: Vec<SessionId> = held.iter().map(|row| row.id).collect();
    let written: HashSet<SessionId> = records::written_in(conn, &ids)?.into_iter().collect();
    let planned = |(place, lesson): (usize, Lesson)| {
        let own = || held.iter().zip(&places).filter(|(_, of)| **of == Some(place)).map(|(row, _)| row);
        let taken = own().find(|row| written.contains(&row.id));
        let session = taken.or_else(|| own().next()).map(|row| (row.id, row.state));
        Planned { class: class.clone(), lesson, subject: None, session, is_taken: taken.is_some() }
    };
    Ok(lessons.into_iter().enumerate().map(planned).collect())
}

/// The sessions that may be of lessons of the days: a lesson may last into the next day.
fn held_around(
    conn: &mut AnyConnection,
    class: ClassId,
    (first, last): (NaiveDate, NaiveDate),
    config: &Config,
) -> Result<Vec<SessionRow>, DbError> {
    let (from, to) = session::utc_range(first, last, config.time_zone);
    sessions::list(conn, class, from - early(config), to + TimeDelta::days(1))
}

fn early(config: &Config) -> TimeDelta {
    TimeDelta::minutes(config.session_gap_min.into())
}

fn places(lessons: &[Lesson], held: &[SessionRow], config: &Config) -> Vec<Option<usize>> {
    let held: Vec<Held> = held.iter().map(|row| Held { starts_at: row.starts_at, subject: row.subject_id }).collect();
    held_in(lessons, &held, early(config))
}

/// The lessons of a class without a session, on no holiday; of one subject, or of all. A session of a pilot is one: the lesson
/// was held, and does not count.
pub(super) fn open_lessons(
    conn: &mut AnyConnection,
    class: ClassId,
    days: (NaiveDate, NaiveDate),
    subject: Option<SubjectId>,
    config: &Config,
) -> Result<Vec<OpenLesson>, DbError> {
    let slots: Vec<Slot> = timetable::of_class(conn, class)?.into_iter().map(Slot::from).collect();
    if slots.is_empty() {
        return Ok(Vec::new());
    }
    let lessons = lessons_of(&slots, &holidays::between(conn, days)?, class, days, config);
    let held = held_around(conn, class, days, config)?;
    let taken: HashSet<usize> = places(&lessons, &held, config).into_iter().flatten().collect();
    let now = Utc::now().naive_utc();
    let open = lessons.iter().enumerate().filter(|(place, lesson)| {
        let is_of_subject = subject.is_none_or(|subject| lesson.subject == Some(subject));
        is_of_subject && lesson.holiday.is_none() && !taken.contains(place)
    });
    Ok(open.map(|(_, lesson)| OpenLesson { day: lesson.day, is_to_come: lesson.starts_at > now }).collect())
}

#[cfg(test)]
mod tests;
