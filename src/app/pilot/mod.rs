//! The pilot of a class: begun and ended by an administrator, and compared with the teacher's register.
//!
//! Sessions made while their class is in pilot are worked as any other and count nowhere unless somebody asks for them; they stay
//! of the pilot for good. Called by `rollcall pilot` and `http`.

mod compare;
#[cfg(test)]
mod tests;

pub use compare::{CompareWish, compare, workbook};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::json;

use super::audit::{self, By, Entry};
use super::error::{Code, Error};
use super::term::{Calendar, ClassWish};
use super::{School, session};
use crate::db::classes::ClassRow;
use crate::db::{classes, sessions};
use crate::domain::ids::ClassId;

/// What is to become of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    Begin,
    End,
}

/// A class as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedClass {
    /// `CSE-A`, or its name where the section is said besides.
    pub class: String,
    pub section: Option<String>,
    /// The only term that counts; otherwise the day decides.
    pub term: Option<String>,
}

/// A class that is in pilot, or has sessions of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PilotClass {
    pub class: String,
    pub term: String,
    /// None: its pilot is over.
    pub since: Option<DateTime<Utc>>,
    pub sessions: usize,
}

/// Begins or ends the pilot of a class. One that is so already stays as it is, since when too.
///
/// # Errors
/// `CLASS_NOT_FOUND`.
pub async fn switch(
    school: &School,
    class: ClassId,
    to: Switch,
    by: By,
    now: DateTime<Utc>,
) -> Result<ClassRow, Error> {
    school
        .change(move |conn| {
            let before = classes::get(conn, class)?;
            let (action, since) = match (to, before.pilot_since) {
                (Switch::Begin, None) => ("class.begin_pilot", Some(now.naive_utc())),
                (Switch::End, Some(_)) => ("class.end_pilot", None),
                (Switch::Begin, Some(_)) | (Switch::End, None) => return Ok(before),
            };
            classes::set_pilot(conn, class, since)?;
            let detail = json!({ "since": before.pilot_since.map(|at| at.and_utc()) });
            let line = Entry::new(&by, action, now).on(class).in_class(class).with(detail);
            audit::record(conn, &line)?;
            Ok(classes::get(conn, class)?)
        })
        .await
}

/// The classes that are in pilot or have sessions of one, by term and name.
///
/// # Errors
/// Database failures.
pub async fn list(school: &School) -> Result<Vec<PilotClass>, Error> {
    school
        .read(|conn| {
            let counts = sessions::count_pilots(conn)?;
            let class = |row: ClassRow| {
                let sessions = counts.iter().find(|(class, _)| *class == row.id).map_or(0, |(_, count)| *count);
                (row.pilot_since.is_some() || sessions > 0).then(|| PilotClass {
                    class: label(&row),
                    term: row.term,
                    since: row.pilot_since.map(|at| at.and_utc()),
                    sessions: usize::try_from(sessions).unwrap_or(0),
                })
            };
            Ok(classes::list(conn, None)?.into_iter().filter_map(class).collect())
        })
        .await
}

/// The class that is meant on a day; none: today.
///
/// # Errors
/// `CLASS_NOT_FOUND`, with the nearest label; `AMBIGUOUS_NAME`.
pub async fn find(school: &School, wanted: NamedClass, day: Option<NaiveDate>) -> Result<ClassRow, Error> {
    let config = school.config.clone();
    school
        .read(move |conn| {
            let calendar = Calendar::read(conn, &config, wanted.term.as_deref())?;
            named(&calendar, wanted, day.unwrap_or_else(|| session::today(config.time_zone)))
        })
        .await
}

fn named(calendar: &Calendar, wanted: NamedClass, day: NaiveDate) -> Result<ClassRow, Error> {
    let NamedClass { class, section, term } = wanted;
    if section.is_none() {
        let labels = calendar.labels();
        let fitting: Vec<ClassId> = labels.spelled(&class).into_iter().map(|i| labels.classes()[i].id).collect();
        match (fitting.as_slice(), labels.nearest(&class)) {
            ([one], _) => return Ok(calendar.on_day(*one, day)?.clone()),
            ([], Some(near)) if labels.named(&class, "").is_empty() => {
                let what = format!("there is no class {class}; is {near} meant?");
                return Err(Error::new(Code::ClassNotFound, what));
            }
            ([], _) => {}
            _ => {
                let what = format!("{class} is the label of several classes; name it with --class and --section");
                return Err(Error::new(Code::AmbiguousName, what));
            }
        }
    }
    let wish = ClassWish { name: class, section: section.unwrap_or_default(), term };
    Ok(calendar.class(&wish, day)?.clone())
}

/// `CSE-A`; the name alone for a class without sections.
pub(crate) fn label(row: &ClassRow) -> String {
    if row.section.is_empty() { row.name.clone() } else { format!("{}-{}", row.name, row.section) }
}
