//! Single entries of the roster, by id: for programs that keep a roster here instead of importing files.

use chrono::{NaiveDate, Utc};

use super::person::delete_pictures;
use crate::app::error::{Code, Error};
use crate::app::{School, session};
use crate::db::classes::ClassRow;
use crate::db::members::{MemberRow, NewMember};
use crate::db::students::{NewStudent, StudentChange, StudentRow};
use crate::db::subjects::SubjectRow;
use crate::db::{classes, members, samples, sessions, students, subjects};
use crate::domain::days::{require_order, require_possible};
use crate::domain::ids::{ClassId, MemberId, StudentId, SubjectId};
use crate::domain::status::Consent;

/// A class to be made.
#[derive(Debug, Clone)]
pub struct ClassEntry {
    pub name: String,
    /// Empty for a class without sections.
    pub section: String,
    pub term: String,
}

/// A student to be made.
#[derive(Debug, Clone)]
pub struct StudentEntry {
    pub prn: String,
    pub name: String,
    pub email: Option<String>,
    pub consent: Consent,
}

/// What changes about a student; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct StudentEdit {
    pub name: Option<String>,
    /// `Some(None)` removes it.
    pub email: Option<Option<String>>,
    pub consent: Option<Consent>,
    pub active: Option<bool>,
}

/// A stay to be begun.
#[derive(Debug, Clone)]
pub struct MemberEntry {
    pub class: ClassId,
    pub student: StudentId,
    pub roll_no: String,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

/// What changes about a stay; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct MemberEdit {
    pub roll_no: Option<String>,
    /// `Some(None)` opens it at the start.
    pub from: Option<Option<NaiveDate>>,
    /// `Some(None)` opens it at the end.
    pub to: Option<Option<NaiveDate>>,
}

/// Makes a class.
///
/// # Errors
/// `INVALID_REQUEST` without a name, `ALREADY_EXISTS`.
pub async fn create_class(school: &School, entry: ClassEntry) -> Result<ClassRow, Error> {
    require_text("a class", &entry.name)?;
    school
        .change(move |conn| {
            if classes::find(conn, &entry.name, &entry.section, &entry.term)?.is_some() {
                let what = format!("there is a class {}-{} of this term already", entry.name, entry.section);
                return Err(Error::new(Code::AlreadyExists, what));
            }
            let now = Utc::now().naive_utc();
            Ok(classes::find_or_insert(conn, &entry.name, &entry.section, &entry.term, now)?)
        })
        .await
}

/// What changes about a class; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct ClassEdit {
    pub name: Option<String>,
    pub section: Option<String>,
}

/// Writes a class otherwise. All it has stays with it; folders and files that name it must name it anew.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `INVALID_REQUEST` for an empty name, `ALREADY_EXISTS` when its term has such a class.
pub async fn change_class(school: &School, id: ClassId, edit: ClassEdit) -> Result<ClassRow, Error> {
    if let Some(name) = &edit.name {
        require_text("a class", name)?;
    }
    school
        .change(move |conn| {
            let before = classes::get(conn, id)?;
            let (name, section) = (edit.name.unwrap_or(before.name), edit.section.unwrap_or(before.section));
            classes::rename(conn, id, &name, &section)?;
            Ok(classes::get(conn, id)?)
        })
        .await
}

/// Deletes a class that nobody was ever in, with its timetable and holidays.
///
/// # Errors
/// `CLASS_NOT_FOUND`; `IN_USE` when there are members, past ones too, or sessions.
pub async fn delete_class(school: &School, id: ClassId) -> Result<(), Error> {
    school.change(move |conn| Ok(classes::delete(conn, id)?)).await
}

/// Makes a subject; sessions called like it become sessions of it.
///
/// # Errors
/// `INVALID_REQUEST` without a name, `ALREADY_EXISTS`.
pub async fn create_subject(school: &School, name: String) -> Result<SubjectRow, Error> {
    require_text("a subject", &name)?;
    school
        .change(move |conn| {
            if subjects::find(conn, &name)?.is_some() {
                return Err(Error::new(Code::AlreadyExists, format!("there is a subject {} already", name.trim())));
            }
            let subject = subjects::find_or_insert(conn, &name)?;
            sessions::set_subject_of_name(conn, subject.id, &subject.name)?;
            Ok(subject)
        })
        .await
}

/// Writes a subject otherwise; sessions without a subject that are called like it become sessions of it.
///
/// # Errors
/// `SUBJECT_NOT_FOUND`, `INVALID_REQUEST` without a name, `ALREADY_EXISTS` when another is called so.
pub async fn rename_subject(school: &School, id: SubjectId, name: String) -> Result<SubjectRow, Error> {
    require_text("a subject", &name)?;
    school
        .change(move |conn| {
            subjects::rename(conn, id, &name)?;
            let subject = subjects::get(conn, id)?;
            sessions::set_subject_of_name(conn, id, &subject.name)?;
            Ok(subject)
        })
        .await
}

/// Deletes a subject that no session and no timetable has.
///
/// # Errors
/// `SUBJECT_NOT_FOUND`; `IN_USE`, with how many sessions there are.
pub async fn delete_subject(school: &School, id: SubjectId) -> Result<(), Error> {
    school
        .change(move |conn| {
            let subject = subjects::get(conn, id)?;
            match sessions::count_of_subject(conn, id)? {
                0 => Ok(subjects::delete(conn, id)?),
                1 => Err(Error::new(Code::InUse, format!("a session is of {}", subject.name))),
                sessions => Err(Error::new(Code::InUse, format!("{sessions} sessions are of {}", subject.name))),
            }
        })
        .await
}

/// Makes a student, in no class yet.
///
/// # Errors
/// `INVALID_REQUEST` without PRN or name, `ALREADY_EXISTS` when the PRN is taken.
pub async fn create_student(school: &School, entry: StudentEntry) -> Result<StudentRow, Error> {
    require_text("a student", &entry.name)?;
    require_text("a PRN", &entry.prn)?;
    school
        .change(move |conn| {
            let now = Utc::now().naive_utc();
            let new = NewStudent {
                prn: entry.prn.trim().to_owned(),
                name: entry.name.trim().to_owned(),
                email: entry.email.clone(),
                consent: entry.consent,
                consent_at: (entry.consent != Consent::Unknown).then_some(now),
                active: true,
                created_at: now,
                updated_at: now,
            };
            let id = students::insert(conn, &new)?;
            Ok(students::get(conn, id)?)
        })
        .await
}

/// Changes a student. With a withdrawn consent all samples go, with their pictures.
///
/// # Errors
/// `STUDENT_NOT_FOUND`, `INVALID_REQUEST` for an empty name; `STORAGE_ERROR` when a picture cannot be deleted: the same
/// call tries it again.
pub async fn change_student(school: &School, id: StudentId, edit: StudentEdit) -> Result<StudentRow, Error> {
    if let Some(name) = &edit.name {
        require_text("a student", name)?;
    }
    let withdrawn = edit.consent == Some(Consent::Withdrawn);
    let row = school
        .change(move |conn| {
            let now = Utc::now().naive_utc();
            let before = students::get(conn, id)?;
            let change = StudentChange {
                name: edit.name.map(|name| name.trim().to_owned()),
                email: edit.email,
                consent: edit.consent,
                consent_at: edit.consent.filter(|consent| *consent != before.consent).map(|_| Some(now)),
                active: edit.active,
                ..StudentChange::at(now)
            };
            students::update(conn, id, &change)?;
            if withdrawn {
                samples::delete_of_student(conn, id)?;
            }
            Ok(students::get(conn, id)?)
        })
        .await?;
    if withdrawn {
        delete_pictures(school, id).await?;
    }
    Ok(row)
}

/// Puts a student into a class.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `STUDENT_NOT_FOUND`, `INVALID_REQUEST` without a roll number or with days in the wrong order,
/// `ALREADY_EXISTS` when student or roll number is in the class on one of the days.
pub async fn add_member(school: &School, entry: MemberEntry) -> Result<MemberRow, Error> {
    require_text("a roll number", &entry.roll_no)?;
    require_order(entry.from, entry.to)?;
    school
        .change(move |conn| {
            classes::get(conn, entry.class)?;
            students::get(conn, entry.student)?;
            let new = NewMember {
                class_id: entry.class,
                student_id: entry.student,
                roll_no: entry.roll_no.trim().to_owned(),
                valid_from: entry.from,
                valid_to: entry.to,
            };
            let id = members::insert(conn, &new)?;
            Ok(members::get(conn, id)?)
        })
        .await
}

/// Changes roll number or days of a stay. To end it, give the last day.
///
/// # Errors
/// `MEMBER_NOT_FOUND`, `INVALID_REQUEST`, `ALREADY_EXISTS` as [`add_member`].
pub async fn change_member(school: &School, id: MemberId, edit: MemberEdit) -> Result<MemberRow, Error> {
    if let Some(roll_no) = &edit.roll_no {
        require_text("a roll number", roll_no)?;
    }
    school
        .change(move |conn| {
            let before = members::get(conn, id)?;
            let days = (edit.from.unwrap_or(before.valid_from), edit.to.unwrap_or(before.valid_to));
            require_order(days.0, days.1)?;
            if let Some(roll_no) = &edit.roll_no {
                members::set_roll_no(conn, id, roll_no.trim())?;
            }
            members::set_days(conn, id, days)?;
            Ok(members::get(conn, id)?)
        })
        .await
}

/// Today on the school's calendar.
pub fn today(school: &School) -> NaiveDate {
    session::today(school.config().time_zone)
}

/// The day that is meant: today on the school's calendar, where none is said.
///
/// # Errors
/// `INVALID_REQUEST` for one that is too far away.
pub fn day_or_today(school: &School, said: Option<NaiveDate>) -> Result<NaiveDate, Error> {
    said.map_or(Ok(()), require_possible)?;
    Ok(said.unwrap_or_else(|| today(school)))
}

fn require_text(what: &str, text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::new(Code::InvalidRequest, format!("{what} needs some text")));
    }
    Ok(())
}
