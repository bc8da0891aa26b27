//! The roster as it is on a day; the school's subjects and terms.

use chrono::NaiveDate;
use serde::Serialize;

use crate::app::School;
use crate::app::error::{Code, Error};
use crate::app::session::{self, Matching};
use crate::app::term::{Calendar, ClassWish, known_terms};
use crate::db::terms::TermRow;
use crate::db::{members, samples, sessions, subjects as subject_rows, terms as term_rows};
use crate::domain::days::{require_order, require_possible};
use crate::domain::ids::StudentId;
use crate::domain::sheet::natural_order;
use crate::domain::status::Consent;
use crate::domain::term::TermDays;

/// A class on a day.
#[derive(Debug, Serialize)]
pub struct RosterList {
    pub class: String,
    pub section: String,
    pub term: String,
    pub on: NaiveDate,
    /// By roll number.
    pub members: Vec<ListedMember>,
}

/// A member, and what of them can be recognised.
#[derive(Debug, Serialize)]
pub struct ListedMember {
    pub roll_no: String,
    pub prn: String,
    pub name: String,
    /// First and last day in the class; none is open.
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    pub active: bool,
    pub consent: Consent,
    /// Portraits enrolled in the settings' pack; none where that cannot be read.
    pub samples: Option<usize>,
}

/// Who is in a class on a day (none: today).
///
/// # Errors
/// `CLASS_NOT_FOUND`, `AMBIGUOUS_NAME`; `INVALID_REQUEST` for a day that is too far away.
pub async fn list(school: &School, class: ClassWish, on: Option<NaiveDate>) -> Result<RosterList, Error> {
    on.map_or(Ok(()), require_possible)?;
    let config = school.config.clone();
    school
        .read(move |conn| {
            let on = on.unwrap_or_else(|| session::today(config.time_zone));
            let class = Calendar::read(conn, &config, class.term.as_deref())?.class(&class, on)?.clone();
            let mut roll = members::active_on(conn, class.id, on)?;
            roll.sort_by(|a, b| natural_order(&a.member.roll_no, &b.member.roll_no));
            let students: Vec<StudentId> = roll.iter().map(|row| row.student.id).collect();
            let counts = match Matching::of_settings(&config) {
                Ok(m) => Some(samples::count_portraits(conn, (&m.pack.id, &m.pack.version), &students)?),
                Err(_) => None,
            };
            let member = |row: members::EnrolledRow| ListedMember {
                samples: counts.as_ref().map(|c| c.get(&row.student.id).map_or(0, |n| *n as usize)),
                roll_no: row.member.roll_no,
                prn: row.student.prn,
                name: row.student.name,
                from: row.member.valid_from,
                to: row.member.valid_to,
                active: row.student.active,
                consent: row.student.consent,
            };
            let members = roll.into_iter().map(member).collect();
            Ok(RosterList { class: class.name, section: class.section, term: class.term, on, members })
        })
        .await
}

/// The school's subjects, by name.
///
/// # Errors
/// Database failures.
pub async fn subjects(school: &School) -> Result<Vec<String>, Error> {
    school.read(|conn| Ok(subject_rows::list(conn)?.into_iter().map(|row| row.name).collect())).await
}

/// A subject that the school teaches: sessions called like it are sessions of it, those that exist already too. Returns
/// how many existing ones it took in.
///
/// # Errors
/// `INVALID_SETTINGS` for an empty name.
pub async fn add_subject(school: &School, name: String) -> Result<usize, Error> {
    if name.trim().is_empty() {
        return Err(Error::new(Code::InvalidSettings, "a subject needs a name"));
    }
    school
        .change(move |conn| {
            let subject = subject_rows::find_or_insert(conn, &name)?;
            Ok(sessions::set_subject_of_name(conn, subject.id, &subject.name)?)
        })
        .await
}

/// The terms whose days are set, in order of time.
///
/// # Errors
/// Database failures.
pub async fn terms(school: &School) -> Result<Vec<TermDays>, Error> {
    school.read(|conn| Ok(known_terms(conn)?)).await
}

/// Sets the first and last day of a term: from then on the day of a photo or sheet tells the term of its class.
///
/// # Errors
/// `INVALID_SETTINGS` for an empty name or days in the wrong order; `INVALID_REQUEST` for such that are too far away.
pub async fn set_term(school: &School, term: TermDays) -> Result<(), Error> {
    if term.name.trim().is_empty() || term.first_day > term.last_day {
        let what = format!(
            "term {:?} from {} to {}: it needs a name, and days in order",
            term.name, term.first_day, term.last_day
        );
        return Err(Error::new(Code::InvalidSettings, what));
    }
    require_order(Some(term.first_day), Some(term.last_day))?;
    let row = TermRow { name: term.name, first_day: term.first_day, last_day: term.last_day };
    school.change(move |conn| Ok(term_rows::set(conn, &row)?)).await
}
