//! Members: students in a class, with a roll number, from one day to another. Both days belong to the stay; an absent
//! one leaves it open on that side.

use chrono::NaiveDate;
use diesel::dsl::AsSelect;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::connection::MultiBackend;
use super::error::OrNotFound;
use super::schema::{class_members, students};
use super::students::StudentRow;
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, MemberId, StudentId};

/// Before and after every stay. Years have four digits, because SQLite compares dates as text.
pub const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1, 1, 1).expect("a day of the calendar");
pub const LAST_DAY: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).expect("a day of the calendar");

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = class_members)]
pub struct MemberRow {
    pub id: MemberId,
    pub class_id: ClassId,
    pub student_id: StudentId,
    pub roll_no: String,
    /// First day in the class.
    pub valid_from: Option<NaiveDate>,
    /// Last day in the class.
    pub valid_to: Option<NaiveDate>,
}

impl MemberRow {
    /// Whether a day is one of the stay.
    pub fn is_member_on(&self, day: NaiveDate) -> bool {
        self.is_member_between((day, day))
    }

    /// Whether some day from the first to the last is one of the stay.
    pub fn is_member_between(&self, (first, last): (NaiveDate, NaiveDate)) -> bool {
        self.valid_from.is_none_or(|from| from <= last) && self.valid_to.is_none_or(|to| first <= to)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = class_members)]
pub struct NewMember {
    pub class_id: ClassId,
    pub student_id: StudentId,
    pub roll_no: String,
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
}

/// A member together with the person; `student.active` and `student.consent` say who may be recognised.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
pub struct EnrolledRow {
    #[diesel(embed)]
    pub member: MemberRow,
    #[diesel(embed)]
    pub student: StudentRow,
}

/// The members of a class on a day, students who have left the school among them, ordered by roll number (shorter ones
/// first, so that 9 comes before 10).
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn active_on(conn: &mut AnyConnection, class: ClassId, date: NaiveDate) -> Result<Vec<EnrolledRow>, DbError> {
    Ok(in_days(class, date, date)
        .order((length(class_members::roll_no), class_members::roll_no, class_members::id))
        .load(conn)?)
}

/// The member with this roll number in a class on a day, if there is one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find_by_roll_no(
    conn: &mut AnyConnection,
    class: ClassId,
    roll_no: &str,
    date: NaiveDate,
) -> Result<Option<EnrolledRow>, DbError> {
    Ok(in_days(class, date, date).filter(class_members::roll_no.eq(roll_no)).first(conn).optional()?)
}

/// The stay with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: MemberId) -> Result<MemberRow, DbError> {
    class_members::table.find(id).select(MemberRow::as_select()).first(conn).or_not_found("the member")
}

/// All stays of a student in all classes, the earliest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn of_student(conn: &mut AnyConnection, student: StudentId) -> Result<Vec<MemberRow>, DbError> {
    Ok(class_members::table
        .filter(class_members::student_id.eq(student))
        .order(class_members::id)
        .select(MemberRow::as_select())
        .load(conn)?)
}

/// Everybody who is a member of a class on some day from `first` to `last`, ordered as [`active_on`].
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn between(
    conn: &mut AnyConnection,
    class: ClassId,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<Vec<EnrolledRow>, DbError> {
    Ok(in_days(class, first, last)
        .order((length(class_members::roll_no), class_members::roll_no, class_members::id))
        .load(conn)?)
}

/// Everybody who ever was a member of a class, ordered as [`active_on`].
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn all(conn: &mut AnyConnection, class: ClassId) -> Result<Vec<EnrolledRow>, DbError> {
    between(conn, class, FIRST_DAY, LAST_DAY)
}

/// Gives a member another roll number.
///
/// # Errors
/// [`DbError::NotFound`]; [`DbError::Duplicate`] when the number is taken.
pub fn set_roll_no(conn: &mut AnyConnection, member: MemberId, roll_no: &str) -> Result<(), DbError> {
    diesel::update(class_members::table.find(member))
        .set(class_members::roll_no.eq(roll_no))
        .execute(conn)?
        .or_not_found("the member")
}

/// A new member.
///
/// # Errors
/// [`DbError::Duplicate`] when the student is in the class, or the roll number is taken, on a day of the new stay;
/// [`DbError::Reference`] for an unknown class or student; [`DbError::Rule`] when the last day is before the first.
pub fn insert(conn: &mut AnyConnection, new: &NewMember) -> Result<MemberId, DbError> {
    // The unique indexes see stays that are open at the end; the others are compared here.
    if overlaps(conn, new, None)? {
        return Err(TAKEN);
    }
    Ok(diesel::insert_into(class_members::table).values(new).returning(class_members::id).get_result(conn)?)
}

/// Gives a stay other days.
///
/// # Errors
/// [`DbError::NotFound`], [`DbError::Rule`] when the last day is before the first; [`DbError::Duplicate`] when the student
/// or the roll number is in the class on one of the new days already.
pub fn set_days(
    conn: &mut AnyConnection,
    member: MemberId,
    (valid_from, valid_to): (Option<NaiveDate>, Option<NaiveDate>),
) -> Result<(), DbError> {
    let MemberRow { class_id, student_id, roll_no, .. } = get(conn, member)?;
    if overlaps(conn, &NewMember { class_id, student_id, roll_no, valid_from, valid_to }, Some(member))? {
        return Err(TAKEN);
    }
    diesel::update(class_members::table.find(member))
        .set((class_members::valid_from.eq(valid_from), class_members::valid_to.eq(valid_to)))
        .execute(conn)?
        .or_not_found("the member")
}

/// Ends a stay; `last_day` is the last one in the class.
///
/// # Errors
/// [`DbError::NotFound`], [`DbError::Rule`] when the last day is before the first.
pub fn end(conn: &mut AnyConnection, member: MemberId, last_day: NaiveDate) -> Result<(), DbError> {
    diesel::update(class_members::table.find(member))
        .set(class_members::valid_to.eq(last_day))
        .execute(conn)?
        .or_not_found("the member")
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// Characters of a text.
    fn length(text: Text) -> diesel::sql_types::Integer;
}

#[diesel::dsl::auto_type]
fn in_days(class: ClassId, first: NaiveDate, last: NaiveDate) -> _ {
    let enrolled: AsSelect<EnrolledRow, MultiBackend> = EnrolledRow::as_select();
    class_members::table
        .inner_join(students::table)
        .select(enrolled)
        .filter(class_members::class_id.eq(class))
        .filter(class_members::valid_from.is_null().or(class_members::valid_from.le(last)))
        .filter(class_members::valid_to.is_null().or(class_members::valid_to.ge(first)))
}

const TAKEN: DbError = DbError::Duplicate { what: "a member with this student or roll number on one of these days" };

/// Whether a stay other than `itself` shares student or roll number, and a day, with `new`.
fn overlaps(conn: &mut AnyConnection, new: &NewMember, itself: Option<MemberId>) -> Result<bool, DbError> {
    let mut query = class_members::table
        .filter(class_members::id.ne(itself.unwrap_or(MemberId(0))))
        .filter(class_members::class_id.eq(new.class_id))
        .filter(class_members::student_id.eq(new.student_id).or(class_members::roll_no.eq(&new.roll_no)))
        .into_boxed();
    if let Some(first_day) = new.valid_from {
        query = query.filter(class_members::valid_to.is_null().or(class_members::valid_to.ge(first_day)));
    }
    if let Some(last_day) = new.valid_to {
        query = query.filter(class_members::valid_from.is_null().or(class_members::valid_from.le(last_day)));
    }
    Ok(query.select(class_members::id).first::<MemberId>(conn).optional()?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::students::{self, StudentChange};
    use crate::db::testing::{at, class, day, new_member, new_student, on_each_database, student};
    use crate::domain::status::Consent;

    on_each_database! {
        fn a_class_on_a_day_is_who_was_in_it_then(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let always = student(conn, "P1")?;
                let early = student(conn, "P2")?;
                let late = student(conn, "P3")?;
                insert(conn, &new_member(class, always, "10"))?;
                insert(conn, &NewMember { valid_to: Some(day("2025-08-31")), ..new_member(class, early, "2") })?;
                insert(conn, &NewMember { valid_from: Some(day("2025-09-01")), ..new_member(class, late, "2") })?;
                let mut on = |date| -> Vec<(String, StudentId)> {
                    let rows = active_on(conn, class, day(date)).unwrap();
                    rows.into_iter().map(|row| (row.member.roll_no, row.student.id)).collect()
                };
                assert_eq!(on("2025-08-31"), [("2".into(), early), ("10".into(), always)]);
                assert_eq!(on("2025-09-01"), [("2".into(), late), ("10".into(), always)]);
                let found = find_by_roll_no(conn, class, "2", day("2025-09-01"))?.unwrap();
                assert_eq!(found.member.student_id, late);
                assert_eq!(find_by_roll_no(conn, class, "3", day("2025-09-01"))?, None);
                Ok(())
            }).unwrap();
        }

        fn a_student_who_left_the_school_is_listed_and_marked(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let student = students::insert(conn, &new_student("P1", Consent::Given))?;
                insert(conn, &new_member(class, student, "1"))?;
                let gone = StudentChange { active: Some(false), ..StudentChange::at(at("2025-09-01 10:00:00")) };
                students::update(conn, student, &gone)?;
                let rows = active_on(conn, class, day("2025-09-02"))?;
                assert_eq!(rows.len(), 1);
                assert!(!rows[0].student.active);
                Ok(())
            }).unwrap();
        }

        fn a_roll_number_is_unique_within_its_class(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (nine, ten) = (class(conn, "9")?, class(conn, "10")?);
                let (asha, ravi) = (student(conn, "P1")?, student(conn, "P2")?);
                insert(conn, &new_member(nine, asha, "1"))?;
                let refused = insert(conn, &new_member(nine, ravi, "1"));
                assert!(matches!(refused, Err(DbError::Duplicate { .. })), "{refused:?}");
                insert(conn, &new_member(ten, ravi, "1"))?;
                Ok(())
            }).unwrap();
        }

        fn a_student_may_leave_and_return_but_not_be_there_twice(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (class, student) = (class(conn, "9")?, student(conn, "P1")?);
                let first = insert(conn, &new_member(class, student, "1"))?;
                end(conn, first, day("2025-08-31"))?;
                let back = |first_day| {
                    NewMember { valid_from: Some(day(first_day)), ..new_member(class, student, "7") }
                };
                let refused = insert(conn, &back("2025-08-31"));
                assert!(matches!(refused, Err(DbError::Duplicate { .. })), "both were there on that day: {refused:?}");
                let second = insert(conn, &back("2025-10-01"))?;
                let stays: Vec<_> = of_student(conn, student)?.into_iter().map(|row| (row.id, row.roll_no)).collect();
                assert_eq!(stays, [(first, "1".to_owned()), (second, "7".to_owned())]);
                assert_eq!(active_on(conn, class, day("2025-09-15"))?, []);
                Ok(())
            }).unwrap();
        }

        fn the_schema_itself_refuses_two_current_members_with_one_roll_number(db) {
            let refused = db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                for prn in ["P1", "P2"] {
                    let new = new_member(class, student(conn, prn)?, "1");
                    diesel::insert_into(class_members::table).values(&new).execute(conn)?;
                }
                Ok(())
            });
            assert!(matches!(refused, Err(DbError::Duplicate { .. })), "{refused:?}");
        }

        fn the_schema_itself_refuses_two_stays_from_the_same_day(db) {
            let refused = db.run_blocking::<_, DbError>(|conn| {
                let (class, student) = (class(conn, "9")?, student(conn, "P1")?);
                for roll_no in ["1", "2"] {
                    let new = NewMember { valid_to: Some(day("2025-09-01")), ..new_member(class, student, roll_no) };
                    diesel::insert_into(class_members::table).values(&new).execute(conn)?;
                }
                Ok(())
            });
            let error = refused.unwrap_err();
            assert!(matches!(error, DbError::Duplicate { what } if what.contains("stay")), "{error:?}");
        }

        fn a_stay_gets_other_days_unless_they_are_somebody_elses(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let (asha, ravi) = (student(conn, "P1")?, student(conn, "P2")?);
                let first = insert(conn, &new_member(class, asha, "1"))?;
                set_days(conn, first, (None, Some(day("2025-08-31"))))?;
                insert(conn, &NewMember { valid_from: Some(day("2025-09-01")), ..new_member(class, ravi, "1") })?;
                let refused = set_days(conn, first, (None, Some(day("2025-09-01"))));
                assert!(matches!(refused, Err(DbError::Duplicate { .. })), "{refused:?}");
                set_days(conn, first, (Some(day("2025-07-01")), Some(day("2025-08-01"))))?;
                let days: Vec<_> = all(conn, class)?.into_iter().map(|r| (r.member.valid_from, r.member.valid_to)).collect();
                assert_eq!(days[0], (Some(day("2025-07-01")), Some(day("2025-08-01"))));
                assert_eq!(days.len(), 2, "all stays, whenever they were");
                Ok(())
            }).unwrap();
        }

        fn a_stay_cannot_end_before_it_begins_and_needs_both_ends(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (class, student) = (class(conn, "9")?, student(conn, "P1")?);
                let new = NewMember { valid_from: Some(day("2025-09-01")), ..new_member(class, student, "1") };
                let member = insert(conn, &new)?;
                assert!(matches!(end(conn, member, day("2025-08-31")), Err(DbError::Rule(_))));
                let refused = insert(conn, &new_member(ClassId(404), student, "1"));
                assert!(matches!(refused, Err(DbError::Reference)), "{refused:?}");
                Ok(())
            }).unwrap();
        }
    }
}
