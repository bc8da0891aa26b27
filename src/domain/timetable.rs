//! What a class has planned: the slots of its timetable on the days of the school's calendar, without its holidays; and which
//! session was held in which of them.
//!
//! Knows no clock: the caller says how a time on the school's clocks is stored, so that days on which clocks are moved have one
//! answer everywhere. Called by `app::timetable`.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Weekday};
use thiserror::Error;

use super::days::{DaysError, require_order};
use super::ids::{SlotId, SubjectId};

/// Longest lesson, minutes: a day.
pub const MAX_MINUTES: u32 = 24 * 60;

/// A lesson that comes every week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// None while it is not stored.
    pub id: Option<SlotId>,
    pub weekday: Weekday,
    /// On the school's clocks.
    pub starts_at: NaiveTime,
    pub minutes: u32,
    pub subject: Option<SubjectId>,
    pub valid_from: NaiveDate,
    /// Last day; none: without end.
    pub valid_to: Option<NaiveDate>,
}

impl Slot {
    fn is_on(&self, day: NaiveDate) -> bool {
        day.weekday() == self.weekday && self.valid_from <= day && self.valid_to.is_none_or(|last| day <= last)
    }

    /// Minutes of the week at which it begins and ends; the end may be in the next one.
    fn week_minutes(&self) -> (i64, i64) {
        let day = i64::from(self.weekday.num_days_from_monday()) * 24 * 60;
        let start = day + (self.starts_at - NaiveTime::MIN).num_minutes();
        (start, start + i64::from(self.minutes))
    }

    /// Whether both are ever valid in weeks that touch.
    fn is_valid_beside(&self, other: &Self) -> bool {
        let starts = |one: &Self, two: &Self| two.valid_to.is_none_or(|last| one.valid_from <= last);
        starts(self, other) && starts(other, self)
    }
}

/// Why slots are no timetable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimetableError {
    #[error("slot {place} has {minutes} minutes; a lesson has 1 to {MAX_MINUTES}")]
    Length { place: usize, minutes: u32 },
    #[error("slot {place}: {wrong}")]
    Days { place: usize, wrong: DaysError },
    #[error("slots {first} and {second} are at the same time")]
    Overlap { first: usize, second: usize },
}

/// Refuses slots that no class can have: a class is in one lesson at a time.
///
/// # Errors
/// [`TimetableError`] names the first slots that cannot be, by their places from 1.
pub fn check(slots: &[Slot]) -> Result<(), TimetableError> {
    const WEEK: i64 = 7 * 24 * 60;
    for (place, slot) in (1..).zip(slots) {
        if !(1..=MAX_MINUTES).contains(&slot.minutes) {
            return Err(TimetableError::Length { place, minutes: slot.minutes });
        }
        require_order(Some(slot.valid_from), slot.valid_to).map_err(|wrong| TimetableError::Days { place, wrong })?;
        let meets = |other: &Slot| {
            let ((a, b), (c, d)) = (slot.week_minutes(), other.week_minutes());
            // A lesson on Sunday night may last into Monday.
            let at_once = |shift: i64| a < d + shift && c + shift < b;
            slot.is_valid_beside(other) && [-WEEK, 0, WEEK].into_iter().any(at_once)
        };
        if let Some(earlier) = slots[..place - 1].iter().position(meets) {
            return Err(TimetableError::Overlap { first: earlier + 1, second: place });
        }
    }
    Ok(())
}

/// Days without lessons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    pub name: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// A slot on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// On the school's calendar.
    pub day: NaiveDate,
    /// UTC.
    pub starts_at: NaiveDateTime,
    pub minutes: u32,
    pub subject: Option<SubjectId>,
    /// What the class has off for on that day, if it has.
    pub holiday: Option<String>,
}

impl Lesson {
    pub fn ends_at(&self) -> NaiveDateTime {
        self.starts_at + TimeDelta::minutes(i64::from(self.minutes))
    }
}

/// The lessons of `slots` from the first to the last day, in order of time; those on a holiday say so. `stored` makes UTC of a
/// time on the school's clocks.
pub fn lessons(
    slots: &[Slot],
    holidays: &[Holiday],
    (first, last): (NaiveDate, NaiveDate),
    stored: impl Fn(NaiveDateTime) -> NaiveDateTime,
) -> Vec<Lesson> {
    let mut lessons = Vec::new();
    for day in first.iter_days().take_while(|day| *day <= last) {
        let holiday = holidays.iter().find(|holiday| holiday.first <= day && day <= holiday.last);
        lessons.extend(slots.iter().filter(|slot| slot.is_on(day)).map(|slot| Lesson {
            day,
            starts_at: stored(day.and_time(slot.starts_at)),
            minutes: slot.minutes,
            subject: slot.subject,
            holiday: holiday.map(|holiday| holiday.name.clone()),
        }));
    }
    lessons.sort_by_key(|lesson| lesson.starts_at);
    lessons
}

/// When a session began, and what was taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// UTC.
    pub starts_at: NaiveDateTime,
    pub subject: Option<SubjectId>,
}

/// The place of the lesson that each session was held in; none for one that nobody has planned. `sessions` are in order of time.
///
/// A session belongs to a lesson when it starts within it, or up to `early` before. Of several it takes the one of its subject,
/// then one that no session has yet, then one that it starts within, then the nearest. Several sessions may be of one lesson.
pub fn held_in(lessons: &[Lesson], sessions: &[Held], early: TimeDelta) -> Vec<Option<usize>> {
    let mut is_taken = vec![false; lessons.len()];
    let place = |session: &Held| {
        let fits =
            |lesson: &Lesson| lesson.starts_at - early <= session.starts_at && session.starts_at < lesson.ends_at();
        let rank = |(place, lesson): &(usize, &Lesson)| {
            let other_subject =
                session.subject.is_some() && lesson.subject.is_some() && session.subject != lesson.subject;
            let before = session.starts_at < lesson.starts_at;
            (other_subject, is_taken[*place], before, (session.starts_at - lesson.starts_at).abs())
        };
        let found = lessons.iter().enumerate().filter(|(_, lesson)| fits(lesson)).min_by_key(rank)?.0;
        is_taken[found] = true;
        Some(found)
    };
    sessions.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn slot(weekday: Weekday, starts_at: &str, minutes: u32) -> Slot {
        let starts_at = NaiveTime::parse_from_str(starts_at, "%H:%M").unwrap();
        let valid_from = day("2026-07-01");
        Slot { id: None, weekday, starts_at, minutes, subject: None, valid_from, valid_to: None }
    }

    fn held(starts_at: &str) -> Held {
        Held { starts_at: starts_at.parse().unwrap(), subject: None }
    }

    const HOUR: TimeDelta = TimeDelta::hours(1);

    #[test]
    fn slots_come_every_week_while_they_are_valid() {
        let until = Slot { valid_to: Some(day("2026-11-16")), ..slot(Weekday::Mon, "09:00", 60) };
        let from = Slot { valid_from: day("2026-11-17"), ..slot(Weekday::Mon, "10:00", 45) };
        let days = (day("2026-11-09"), day("2026-11-30"));
        let all = lessons(&[from, until], &[], days, |at| at - HOUR);
        let starts: Vec<String> = all.iter().map(|lesson| lesson.starts_at.to_string()).collect();
        let expected = ["2026-11-09 08:00:00", "2026-11-16 08:00:00", "2026-11-23 09:00:00", "2026-11-30 09:00:00"];
        assert_eq!(starts, expected);
        assert_eq!((all[0].day, all[3].minutes), (day("2026-11-09"), 45));
    }

    #[test]
    fn lessons_of_a_holiday_say_so() {
        let off = Holiday { name: "Diwali".into(), first: day("2026-11-08"), last: day("2026-11-09") };
        let both = (day("2026-11-09"), day("2026-11-16"));
        let all = lessons(&[slot(Weekday::Mon, "09:00", 60)], &[off], both, |at| at);
        let said: Vec<Option<&str>> = all.iter().map(|lesson| lesson.holiday.as_deref()).collect();
        assert_eq!(said, [Some("Diwali"), None]);
    }

    #[test]
    fn a_session_is_of_the_lesson_it_starts_in_or_shortly_before() {
        let slots = [slot(Weekday::Mon, "09:00", 60), slot(Weekday::Mon, "10:00", 60)];
        let all = lessons(&slots, &[], (day("2026-11-09"), day("2026-11-09")), |at| at);
        let places = |sessions: &[&str]| {
            let sessions: Vec<Held> = sessions.iter().map(|at| held(at)).collect();
            held_in(&all, &sessions, TimeDelta::minutes(20))
        };
        assert_eq!(places(&["2026-11-09T08:40:00"]), [Some(0)]);
        assert_eq!(places(&["2026-11-09T08:39:59"]), [None]);
        assert_eq!(places(&["2026-11-09T09:50:00"]), [Some(0)], "within the first, early for the second");
        assert_eq!(places(&["2026-11-09T09:00:00", "2026-11-09T09:50:00"]), [Some(0), Some(1)], "the first has one");
        assert_eq!(places(&["2026-11-09T10:59:59", "2026-11-09T11:00:00"]), [Some(1), None]);
        assert_eq!(places(&["2026-11-09T09:01:00", "2026-11-09T09:20:00"]), [Some(0), Some(0)]);
    }

    #[test]
    fn the_subject_decides_between_two_lessons() {
        let (maths, physics) = (Some(SubjectId(1)), Some(SubjectId(2)));
        let slots = [
            Slot { subject: maths, ..slot(Weekday::Mon, "09:00", 60) },
            Slot { subject: physics, ..slot(Weekday::Mon, "10:00", 60) },
        ];
        let all = lessons(&slots, &[], (day("2026-11-09"), day("2026-11-09")), |at| at);
        let of = |subject| held_in(&all, &[Held { subject, ..held("2026-11-09T09:50:00") }], TimeDelta::minutes(20));
        assert_eq!((of(physics), of(maths), of(None)), (vec![Some(1)], vec![Some(0)], vec![Some(0)]));
    }

    #[test]
    fn a_class_is_in_one_lesson_at_a_time() {
        let nine = slot(Weekday::Mon, "09:00", 60);
        assert_eq!(check(&[nine.clone(), slot(Weekday::Mon, "10:00", 60), slot(Weekday::Tue, "09:30", 60)]), Ok(()));
        let overlap = Err(TimetableError::Overlap { first: 1, second: 2 });
        assert_eq!(check(&[nine.clone(), slot(Weekday::Mon, "09:59", 5)]), overlap);
        assert_eq!(
            check(&[slot(Weekday::Sun, "23:30", 60), slot(Weekday::Mon, "00:15", 60)]),
            overlap,
            "over midnight"
        );
        let last_year = Slot { valid_from: day("2025-07-01"), valid_to: Some(day("2026-06-30")), ..nine.clone() };
        assert_eq!(check(&[nine.clone(), last_year]), Ok(()));
        let length = Err(TimetableError::Length { place: 1, minutes: 0 });
        assert_eq!(check(&[Slot { minutes: 0, ..nine.clone() }]), length);
        let (first, last) = (nine.valid_from, day("2026-06-30"));
        let wrong = |wrong| Err(TimetableError::Days { place: 1, wrong });
        let backwards = check(&[Slot { valid_to: Some(last), ..nine.clone() }]);
        assert_eq!(backwards, wrong(DaysError::Backwards { first, last }));
        let never = check(&[Slot { valid_to: Some(NaiveDate::MAX), ..nine }]);
        assert_eq!(never, wrong(DaysError::Beyond(NaiveDate::MAX)));
    }

    proptest! {
        #[test]
        fn every_session_of_a_lesson_is_near_it(starts in proptest::collection::vec(0i64..3000, 0..20), early in 0i64..60) {
            let slots = [slot(Weekday::Mon, "09:00", 60), slot(Weekday::Mon, "10:30", 45), slot(Weekday::Tue, "09:00", 60)];
            let all = lessons(&slots, &[], (day("2026-11-09"), day("2026-11-10")), |at| at);
            let mut starts = starts;
            starts.sort_unstable();
            let midnight = day("2026-11-09").and_time(NaiveTime::MIN);
            let sessions: Vec<Held> = starts.iter()
                .map(|minutes| Held { starts_at: midnight + TimeDelta::minutes(*minutes), subject: None })
                .collect();
            let early = TimeDelta::minutes(early);
            for (session, place) in sessions.iter().zip(held_in(&all, &sessions, early)) {
                let near = |lesson: &Lesson| lesson.starts_at - early <= session.starts_at && session.starts_at < lesson.ends_at();
                match place {
                    Some(place) => prop_assert!(near(&all[place])),
                    None => prop_assert!(!all.iter().any(near)),
                }
            }
        }
    }
}
