//! Stays: a student comes to a class, leaves it, or changes to another in mid-term.

use chrono::NaiveDate;

use super::{Changed, label, student};
use crate::app::error::{Code, Error};
use crate::app::term::{Calendar, ClassWish};
use crate::app::{Mode, School};
use crate::config::Config;
use crate::db::classes::ClassRow;
use crate::db::members::{self, MemberRow, NewMember};
use crate::db::students::StudentRow;
use crate::db::{AnyConnection, DbError, classes};
use crate::domain::days::require_possible;
use crate::domain::spelling::{fold, fold_identifier};

/// A student changes to another class of the same term.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub prn: String,
    /// Name and section of the class that is left; needed by a student of several.
    pub from: Option<(String, String)>,
    pub to: ClassWish,
    pub roll_no: String,
    /// First day in the new class; the day before is the last in the old one.
    pub on: NaiveDate,
}

/// A student leaves a class, or the school.
#[derive(Debug, Clone)]
pub struct Leaving {
    pub prn: String,
    /// The class that is left; without one all of them.
    pub class: Option<ClassWish>,
    /// Last day in the class.
    pub on: NaiveDate,
}

/// Ends the old stay the day before and begins the new one. Sessions of the old class stay in its register until the day
/// of leaving.
///
/// # Errors
/// `STUDENT_NOT_FOUND`, `CLASS_NOT_FOUND`; `AMBIGUOUS_NAME` when the student is in several classes of the term and none was
/// named; `ROSTER_CONFLICT` when the days or the roll number do not fit; `INVALID_REQUEST` for a day that is too far away.
pub async fn transfer(school: &School, transfer: Transfer, mode: Mode) -> Result<Changed, Error> {
    require_possible(transfer.on)?;
    let config = school.config.clone();
    let changes = school.apply(mode, move |conn| transferred(conn, &transfer, &config)).await?;
    Changed::by(school, mode, changes).await
}

/// Ends a student's stay in a class, or in all classes, with a last day.
///
/// # Errors
/// `STUDENT_NOT_FOUND` also for somebody who is in no such class on that day; `CLASS_NOT_FOUND`, `AMBIGUOUS_NAME`;
/// `INVALID_REQUEST` for one that is too far away.
pub async fn end(school: &School, leaving: Leaving, mode: Mode) -> Result<Changed, Error> {
    require_possible(leaving.on)?;
    let config = school.config.clone();
    let changes = school.apply(mode, move |conn| ended(conn, &leaving, &config)).await?;
    Changed::by(school, mode, changes).await
}

fn transferred(conn: &mut AnyConnection, wanted: &Transfer, config: &Config) -> Result<Vec<String>, Error> {
    let person = student(conn, &wanted.prn)?;
    let target = Calendar::read(conn, config, wanted.to.term.as_deref())?.class(&wanted.to, wanted.on)?.clone();
    let stays = members::of_student(conn, person.id)?;
    let there = stays.iter().find(|s| s.class_id == target.id && is_not_over(s, wanted.on));
    if let Some(stay) = there {
        if stay.valid_from == Some(wanted.on) && stay.roll_no == wanted.roll_no {
            return Ok(Vec::new());
        }
        let what = format!("PRN {} is in {} already, as {}", person.prn, label(conn, target.id)?, stay.roll_no);
        return Err(Error::new(Code::RosterConflict, what));
    }
    let old = class_left(conn, &stays, wanted, &target)?;
    let from = label(conn, old.class_id)?;
    let last_day = wanted.on.pred_opt().unwrap_or(wanted.on);
    if old.valid_from.is_some_and(|first| first > last_day) {
        let what = format!("PRN {} came to {from} on {}: a transfer is later", person.prn, day(old.valid_from));
        return Err(Error::new(Code::RosterConflict, what));
    }
    members::end(conn, old.id, last_day)?;
    begin(conn, &person, &target, (wanted, old.valid_to))?;
    let to = label(conn, target.id)?;
    Ok(vec![
        format!("PRN {} leaves {from}, {last_day} is the last day", person.prn),
        format!("PRN {} begins in {to} on {} as {}", person.prn, wanted.on, wanted.roll_no),
    ])
}

fn begin(
    conn: &mut AnyConnection,
    person: &StudentRow,
    target: &ClassRow,
    (wanted, valid_to): (&Transfer, Option<NaiveDate>),
) -> Result<(), Error> {
    let new = NewMember {
        class_id: target.id,
        student_id: person.id,
        roll_no: wanted.roll_no.trim().to_owned(),
        valid_from: Some(wanted.on),
        valid_to,
    };
    match members::insert(conn, &new) {
        Ok(_) => Ok(()),
        Err(DbError::Duplicate { .. }) => {
            let what =
                format!("roll number {} of {} is taken from {} on", wanted.roll_no, label(conn, target.id)?, wanted.on);
            Err(Error::new(Code::RosterConflict, what))
        }
        Err(error) => Err(error.into()),
    }
}

/// The one stay that a transfer ends: in another class of the target's term, on the day or after it.
fn class_left(
    conn: &mut AnyConnection,
    stays: &[MemberRow],
    wanted: &Transfer,
    target: &ClassRow,
) -> Result<MemberRow, Error> {
    let mut found = Vec::new();
    for stay in stays.iter().filter(|s| s.class_id != target.id && is_not_over(s, wanted.on)) {
        let class = classes::get(conn, stay.class_id)?;
        let is_named = wanted
            .from
            .as_ref()
            .is_none_or(|(name, section)| fold(&class.name) == fold(name) && fold(&class.section) == fold(section));
        if is_named && fold_identifier(&class.term) == fold_identifier(&target.term) {
            found.push((stay.clone(), format!("{}-{}", class.name, class.section)));
        }
    }
    let prn = &wanted.prn;
    match found.len() {
        1 => Ok(found.remove(0).0),
        0 => Err(Error::new(
            Code::StudentNotFound,
            format!(
                "PRN {prn} is in no such class of the term on {}; a roster puts new students into classes",
                wanted.on
            ),
        )),
        _ => {
            let names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
            let what = format!("PRN {prn} is in {}: name the class that is left (--from-class)", names.join(" and "));
            Err(Error::new(Code::AmbiguousName, what))
        }
    }
}

fn ended(conn: &mut AnyConnection, leaving: &Leaving, config: &Config) -> Result<Vec<String>, Error> {
    let person = student(conn, &leaving.prn)?;
    let class = match &leaving.class {
        Some(wish) => Some(Calendar::read(conn, config, wish.term.as_deref())?.class(wish, leaving.on)?.id),
        None => None,
    };
    let stays = members::of_student(conn, person.id)?;
    let meant: Vec<&MemberRow> =
        stays.iter().filter(|s| s.is_member_on(leaving.on) && class.is_none_or(|class| class == s.class_id)).collect();
    if meant.is_empty() {
        let what = format!("PRN {} is in no such class on {}", person.prn, leaving.on);
        return Err(Error::new(Code::StudentNotFound, what));
    }
    let mut changes = Vec::new();
    for stay in meant.into_iter().filter(|s| s.valid_to != Some(leaving.on)) {
        members::end(conn, stay.id, leaving.on)?;
        let from = label(conn, stay.class_id)?;
        changes.push(format!("PRN {} leaves {from}, {} is the last day", person.prn, leaving.on));
    }
    Ok(changes)
}

/// Whether a stay holds the day or days after it.
fn is_not_over(stay: &MemberRow, day: NaiveDate) -> bool {
    stay.valid_to.is_none_or(|last| day <= last)
}

fn day(day: Option<NaiveDate>) -> String {
    day.map_or_else(|| "an unknown day".to_owned(), |day| day.to_string())
}
