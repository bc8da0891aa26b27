//! Timetables: the lessons of classes that come every week.

use chrono::{NaiveDate, NaiveTime, TimeDelta, Timelike, Weekday};
use diesel::prelude::*;

use super::schema::timetable_slots as slots;
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, SlotId, SubjectId};
use crate::domain::timetable::Slot;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = slots)]
pub struct SlotRow {
    pub id: SlotId,
    pub class_id: ClassId,
    pub subject_id: Option<SubjectId>,
    /// 1 on Monday.
    pub weekday: i32,
    /// Minute of the day on the school's clocks.
    pub starts_min: i32,
    pub minutes: i32,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
}

impl From<SlotRow> for Slot {
    fn from(row: SlotRow) -> Self {
        let days_from_monday = u8::try_from(row.weekday - 1).unwrap_or(0);
        Self {
            id: Some(row.id),
            weekday: Weekday::try_from(days_from_monday).unwrap_or(Weekday::Mon),
            starts_at: NaiveTime::MIN + TimeDelta::minutes(row.starts_min.into()),
            minutes: u32::try_from(row.minutes).unwrap_or(0),
            subject: row.subject_id,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
        }
    }
}

/// The slots of a class, by weekday and time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_class(conn: &mut AnyConnection, class: ClassId) -> Result<Vec<SlotRow>, DbError> {
    Ok(slots::table
        .filter(slots::class_id.eq(class))
        .order((slots::weekday, slots::starts_min, slots::valid_from, slots::id))
        .select(SlotRow::as_select())
        .load(conn)?)
}

/// The slots of all classes, class by class, each as [`of_class`].
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn all(conn: &mut AnyConnection) -> Result<Vec<SlotRow>, DbError> {
    Ok(slots::table
        .order((slots::class_id, slots::weekday, slots::starts_min, slots::valid_from, slots::id))
        .select(SlotRow::as_select())
        .load(conn)?)
}

/// Sets the slots of a class, in place of those before; they get new ids. Belongs into a transaction that has the class's
/// [`lock`](super::classes::lock): two at once would set the slots of both.
///
/// # Errors
/// [`DbError::Reference`] for an unknown class or subject, [`DbError::Rule`] for a length or days that cannot be.
pub fn replace(conn: &mut AnyConnection, class: ClassId, new: &[Slot]) -> Result<(), DbError> {
    diesel::delete(slots::table.filter(slots::class_id.eq(class))).execute(conn)?;
    for slot in new {
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let values = (
            slots::class_id.eq(class),
            slots::subject_id.eq(slot.subject),
            slots::weekday.eq(number(slot.weekday.number_from_monday())),
            slots::starts_min.eq(number(slot.starts_at.num_seconds_from_midnight() / 60)),
            slots::minutes.eq(number(slot.minutes)),
            slots::valid_from.eq(slot.valid_from),
            slots::valid_to.eq(slot.valid_to),
        );
        diesel::insert_into(slots::table).values(values).execute(conn)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::subjects;
    use crate::db::testing::{class, day, on_each_database};
    use crate::db::transaction;

    fn slot(weekday: Weekday, hour: u32) -> Slot {
        let starts_at = NaiveTime::from_hms_opt(hour, 30, 0).unwrap();
        Slot { id: None, weekday, starts_at, minutes: 45, subject: None, valid_from: day("2026-07-01"), valid_to: None }
    }

    on_each_database! {
        fn slots_are_read_as_they_were_written_and_replace_those_before(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (nine, ten) = (class(conn, "9")?, class(conn, "10")?);
                let subject = Some(subjects::find_or_insert(conn, "Maths")?.id);
                replace(conn, ten, &[slot(Weekday::Mon, 9)])?;
                replace(conn, nine, &[slot(Weekday::Mon, 9)])?;
                let (later, early) = (Slot { subject, valid_to: Some(day("2026-12-31")), ..slot(Weekday::Sun, 23) }, slot(Weekday::Sun, 0));
                replace(conn, nine, &[later.clone(), early.clone()])?;
                let read: Vec<Slot> = of_class(conn, nine)?.into_iter().map(|row| Slot { id: None, ..row.into() }).collect();
                assert_eq!(read, [early, later]);
                assert_eq!(all(conn)?.len(), 3);
                Ok(())
            }).unwrap();
        }

        fn what_is_no_lesson_is_refused(db) {
            let nine = db.run_blocking(|conn| class(conn, "9")).unwrap();
            let refused = |wrong: Slot| db.run_blocking(|conn| transaction(conn, |conn| replace(conn, nine, &[wrong]))).unwrap_err();
            assert!(matches!(refused(Slot { minutes: 0, ..slot(Weekday::Mon, 9) }), DbError::Rule(_)));
            let backwards = Slot { valid_to: Some(day("2026-06-30")), ..slot(Weekday::Mon, 9) };
            assert!(matches!(refused(backwards), DbError::Rule(_)));
            let unknown = Slot { subject: Some(SubjectId(404)), ..slot(Weekday::Mon, 9) };
            assert!(matches!(refused(unknown), DbError::Reference));
        }
    }
}
