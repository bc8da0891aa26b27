//! Days without lessons, of one class or of the whole school.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::error::OrNotFound;
use super::schema::holidays;
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, HolidayId};
use crate::domain::timetable::Holiday;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = holidays)]
pub struct HolidayRow {
    pub id: HolidayId,
    /// None: of the whole school.
    pub class_id: Option<ClassId>,
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
    pub name: String,
}

impl HolidayRow {
    /// Whether a class has these days off.
    pub fn is_of(&self, class: ClassId) -> bool {
        self.class_id.is_none_or(|of| of == class)
    }
}

impl From<&HolidayRow> for Holiday {
    fn from(row: &HolidayRow) -> Self {
        Self { name: row.name.clone(), first: row.first_day, last: row.last_day }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = holidays)]
pub struct NewHoliday {
    pub class_id: Option<ClassId>,
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
    pub name: String,
}

/// # Errors
/// [`DbError::Reference`] for an unknown class, [`DbError::Rule`] for no name or a last day before the first.
pub fn insert(conn: &mut AnyConnection, new: &NewHoliday) -> Result<HolidayRow, DbError> {
    let id: HolidayId = diesel::insert_into(holidays::table).values(new).returning(holidays::id).get_result(conn)?;
    get(conn, id)
}

/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: HolidayId) -> Result<HolidayRow, DbError> {
    holidays::table.find(id).select(HolidayRow::as_select()).first(conn).or_not_found("the holiday")
}

/// # Errors
/// [`DbError::NotFound`].
pub fn delete(conn: &mut AnyConnection, id: HolidayId) -> Result<(), DbError> {
    diesel::delete(holidays::table.find(id)).execute(conn)?.or_not_found("the holiday")
}

/// Those with a day from `first` to `last`, in order of time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn between(conn: &mut AnyConnection, (first, last): (NaiveDate, NaiveDate)) -> Result<Vec<HolidayRow>, DbError> {
    Ok(holidays::table
        .filter(holidays::first_day.le(last))
        .filter(holidays::last_day.ge(first))
        .order((holidays::first_day, holidays::id))
        .select(HolidayRow::as_select())
        .load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{class, day, on_each_database};

    on_each_database! {
        fn holidays_are_found_by_their_days(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (nine, ten) = (class(conn, "9")?, class(conn, "10")?);
                let new = |class_id, first: &str, last: &str, name: &str| {
                    NewHoliday { class_id, first_day: day(first), last_day: day(last), name: name.into() }
                };
                let trip = insert(conn, &new(Some(nine), "2026-11-10", "2026-11-11", "Trip"))?;
                let diwali = insert(conn, &new(None, "2026-11-06", "2026-11-10", "Diwali"))?;
                assert_eq!(between(conn, (day("2026-11-10"), day("2026-11-30")))?, [diwali.clone(), trip.clone()]);
                assert_eq!(between(conn, (day("2026-11-11"), day("2026-11-11")))?, std::slice::from_ref(&trip));
                assert!(trip.is_of(nine) && !trip.is_of(ten) && diwali.is_of(ten));
                delete(conn, trip.id)?;
                assert!(matches!(delete(conn, trip.id), Err(DbError::NotFound { what: "the holiday" })));
                let backwards = insert(conn, &new(None, "2026-11-10", "2026-11-09", "x"));
                assert!(matches!(backwards, Err(DbError::Rule(_))), "{backwards:?}");
                let nameless = insert(conn, &new(None, "2026-11-10", "2026-11-10", ""));
                assert!(matches!(nameless, Err(DbError::Rule(_))), "{nameless:?}");
                Ok(())
            }).unwrap();
        }
    }
}
