//! What a class has planned on some days, and what became of it: its lessons, its sessions, and which belongs to which.
//!
//! A session was held once anybody has a record in it. One that was opened by mistake, or whose photos still wait, was not: it is
//! no register that was taken, and its lesson stays open. Asked by timetables and by registers, so that both count alike.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use crate::app::session;
use crate::app::term::known_terms;
use crate::config::Config;
use crate::db::classes::ClassRow;
use crate::db::holidays::{self, HolidayRow};
use crate::db::sessions::{self, SessionRow};
use crate::db::timetable::{self, SlotRow};
use crate::db::{AnyConnection, DbError, records};
use crate::domain::ids::{ClassId, SessionId, SubjectId};
use crate::domain::sheet::OpenLesson;
use crate::domain::term::{TermDays, days_of};
use crate::domain::timetable::{Held, Holiday, Lesson, Slot, held_in, lessons};

/// Slots, holidays and terms, from which the lessons of some days follow.
pub(in crate::app) struct Plans {
    days: (NaiveDate, NaiveDate),
    slots: HashMap<ClassId, Vec<Slot>>,
    holidays: Vec<HolidayRow>,
    terms: Vec<TermDays>,
}

impl Plans {
    /// Of all classes.
    pub(super) fn of_all(conn: &mut AnyConnection, days: (NaiveDate, NaiveDate)) -> Result<Self, DbError> {
        let rows = timetable::all(conn)?;
        Self::with(conn, rows, days)
    }

    pub(in crate::app) fn of_class(
        conn: &mut AnyConnection,
        class: ClassId,
        days: (NaiveDate, NaiveDate),
    ) -> Result<Self, DbError> {
        let rows = timetable::of_class(conn, class)?;
        Self::with(conn, rows, days)
    }

    fn with(conn: &mut AnyConnection, rows: Vec<SlotRow>, days: (NaiveDate, NaiveDate)) -> Result<Self, DbError> {
        let mut slots: HashMap<ClassId, Vec<Slot>> = HashMap::new();
        for row in rows {
            slots.entry(row.class_id).or_default().push(row.into());
        }
        Ok(Self { days, slots, holidays: holidays::between(conn, days)?, terms: known_terms(conn)? })
    }

    /// Whether a class has a timetable at all.
    pub(super) fn has(&self, class: ClassId) -> bool {
        self.slots.contains_key(&class)
    }

    /// The lessons of a class, none outside its term, where the days of that are known: a timetable may outlive it.
    fn lessons(&self, class: &ClassRow, config: &Config) -> Vec<Lesson> {
        let Some(slots) = self.slots.get(&class.id) else { return Vec::new() };
        let (first, last) = self.days;
        let in_term = |term: &TermDays| (first.max(term.first_day), last.min(term.last_day));
        let days = days_of(&self.terms, &class.term).map_or(self.days, in_term);
        let off: Vec<Holiday> = self.holidays.iter().filter(|row| row.is_of(class.id)).map(Holiday::from).collect();
        lessons(slots, &off, days, |at| session::utc(at, config.time_zone))
    }

    /// The same with the sessions of the class.
    pub(in crate::app) fn read(
        &self,
        conn: &mut AnyConnection,
        class: &ClassRow,
        config: &Config,
    ) -> Result<ClassDays, DbError> {
        let lessons = self.lessons(class, config);
        let times = session::utc_range(self.days.0, self.days.1, config.time_zone);
        let early = TimeDelta::minutes(config.session_gap_min.into());
        // A lesson may last into the next day.
        let rows = sessions::list(conn, class.id, times.0 - early, times.1 + TimeDelta::days(1))?;
        let begun: Vec<Held> =
            rows.iter().map(|row| Held { starts_at: row.starts_at, subject: row.subject_id }).collect();
        let places = held_in(&lessons, &begun, early);
        let ids: Vec<SessionId> = rows.iter().map(|row| row.id).collect();
        let written: HashSet<SessionId> = records::written_in(conn, &ids)?.into_iter().collect();
        let session = |(row, lesson): (SessionRow, Option<usize>)| {
            let subject = row.subject_id.or_else(|| lessons[lesson?].subject);
            ClassSession { was_held: written.contains(&row.id), row, lesson, subject }
        };
        let sessions = rows.into_iter().zip(places).map(session).collect();
        Ok(ClassDays { lessons, sessions, times })
    }
}

/// A session of a class.
pub(in crate::app) struct ClassSession {
    pub(in crate::app) row: SessionRow,
    /// Place of the lesson that it belongs to.
    pub(in crate::app) lesson: Option<usize>,
    /// Its own, or else that of its lesson.
    pub(in crate::app) subject: Option<SubjectId>,
    /// Whether anybody has a record in it.
    pub(in crate::app) was_held: bool,
}

/// A class on some days.
pub(in crate::app) struct ClassDays {
    /// In order of time.
    pub(in crate::app) lessons: Vec<Lesson>,
    /// In order of time, with those around the days that may belong to one of the lessons.
    pub(in crate::app) sessions: Vec<ClassSession>,
    /// Of the days: from the first to before the last, UTC.
    pub(in crate::app) times: (NaiveDateTime, NaiveDateTime),
}

impl ClassDays {
    /// The sessions that begin on the days.
    pub(in crate::app) fn within(&self) -> impl Iterator<Item = &ClassSession> {
        let (from, to) = self.times;
        self.sessions.iter().filter(move |session| (from..to).contains(&session.row.starts_at))
    }

    /// The lessons that were not held, on no holiday; of one subject, or of all. A session of a pilot was held: it does not count.
    /// One of another subject than its lesson's took the lesson's place.
    pub(in crate::app) fn open_lessons(&self, subject: Option<SubjectId>, now: DateTime<Utc>) -> Vec<OpenLesson> {
        let held: HashSet<usize> =
            self.sessions.iter().filter(|session| session.was_held).filter_map(|session| session.lesson).collect();
        let open = self.lessons.iter().enumerate().filter(|(place, lesson)| {
            let is_of_subject = subject.is_none_or(|subject| lesson.subject == Some(subject));
            is_of_subject && lesson.holiday.is_none() && !held.contains(place)
        });
        let lesson = |lesson: &Lesson| OpenLesson { day: lesson.day, is_to_come: lesson.ends_at() > now.naive_utc() };
        open.map(|(_, open)| lesson(open)).collect()
    }
}
