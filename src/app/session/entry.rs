//! Single sessions, made, changed and deleted by people or other programs. Folders of photos go through `session::open`.

use chrono::{NaiveDateTime, Utc};

use super::{excuse, require_unconfirmed, utc};
use crate::app::School;
use crate::app::error::{Code, Error};
use crate::db::sessions::{NewSession, SessionRow};
use crate::db::{AnyConnection, classes, photos, records, sessions, subjects};
use crate::domain::days::require_possible;
use crate::domain::ids::{ClassId, SessionId, SubjectId};
use crate::domain::status::RecordSource;

/// Longest remark, characters.
const MAX_REMARK: usize = 500;

/// When a session starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartsAt {
    /// On the school's clocks.
    SchoolTime(NaiveDateTime),
    Utc(NaiveDateTime),
}

/// A session to be made.
#[derive(Debug, Clone)]
pub struct SessionEntry {
    pub class: ClassId,
    /// None: the subject that is called like the session, if there is one.
    pub subject: Option<SubjectId>,
    pub name: Option<String>,
    pub starts_at: StartsAt,
}

/// What changes about a session; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct SessionEdit {
    /// `Some(None)` takes the name away.
    pub name: Option<Option<String>>,
    /// `Some(None)` takes the subject away.
    pub subject: Option<Option<SubjectId>>,
    /// `Some(None)` takes the remark away.
    pub remark: Option<Option<String>>,
}

/// A session that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    New(SessionRow),
    /// The class has one of this name and start; nothing about it was changed.
    Existing(SessionRow),
}

/// Makes a session, or finds the one of this class, name and start. Whoever is on leave that day is excused in it at once.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `SUBJECT_NOT_FOUND`; `INVALID_REQUEST` for a day that is too far away.
pub async fn create(school: &School, entry: SessionEntry) -> Result<Created, Error> {
    let (StartsAt::Utc(said) | StartsAt::SchoolTime(said)) = entry.starts_at;
    require_possible(said.date())?;
    let starts_at = match entry.starts_at {
        StartsAt::Utc(at) => at,
        StartsAt::SchoolTime(at) => utc(at, school.config.time_zone),
    };
    let zone = school.config.time_zone;
    school
        .change(move |conn| {
            classes::get(conn, entry.class)?;
            if let Some(row) = sessions::find(conn, entry.class, starts_at, entry.name.as_deref())? {
                return Ok(Created::Existing(row));
            }
            let subject_id = match (entry.subject, &entry.name) {
                (Some(subject), _) => Some(subjects::get(conn, subject)?.id),
                (None, Some(name)) => subjects::find(conn, name)?.map(|subject| subject.id),
                (None, None) => None,
            };
            let now = Utc::now().naive_utc();
            let new = NewSession { class_id: entry.class, subject_id, name: entry.name, starts_at, created_at: now };
            let made = sessions::find_or_insert(conn, &new)?;
            let made = sessions::lock(conn, made.id)?;
            excuse(conn, &made, zone, now)?;
            Ok(Created::New(made))
        })
        .await
}

/// Changes name, subject or remark of a session. A session that only changes its name keeps its subject.
///
/// # Errors
/// `SESSION_NOT_FOUND`, `SESSION_CONFIRMED`, `SUBJECT_NOT_FOUND`; `INVALID_REQUEST` for a remark that is too long; `ALREADY_EXISTS` when the class has another session of
/// that name at the same time.
pub async fn change(school: &School, id: SessionId, edit: SessionEdit) -> Result<SessionRow, Error> {
    let remark = edit.remark.map(|remark| remark.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()));
    let length = remark.iter().flatten().map(|text| text.chars().count()).max().unwrap_or(0);
    if length > MAX_REMARK {
        let text = format!("a remark has at most {MAX_REMARK} characters, this one has {length}");
        return Err(Error::new(Code::InvalidRequest, text));
    }
    school
        .change(move |conn| {
            let before = sessions::lock(conn, id)?;
            require_unconfirmed(&before)?;
            let name = edit.name.unwrap_or(before.name);
            let subject = edit.subject.unwrap_or(before.subject_id);
            if let Some(subject) = subject {
                subjects::get(conn, subject)?;
            }
            let now = Utc::now().naive_utc();
            sessions::set_name_and_subject(conn, id, name.as_deref(), subject, now)?;
            if let Some(remark) = remark {
                sessions::set_remark(conn, id, remark.as_deref(), now)?;
            }
            Ok(sessions::get(conn, id)?)
        })
        .await
}

/// Deletes a session that nothing is known about: no photos, nothing set by a person.
///
/// # Errors
/// `SESSION_NOT_FOUND`, `SESSION_CONFIRMED`, `IN_USE`, with what is in the way.
pub async fn delete(school: &School, id: SessionId) -> Result<(), Error> {
    school
        .change(move |conn| {
            require_unconfirmed(&sessions::lock(conn, id)?)?;
            require_empty(conn, id)?;
            Ok(sessions::delete(conn, id)?)
        })
        .await
}

fn require_empty(conn: &mut AnyConnection, id: SessionId) -> Result<(), Error> {
    let in_use = |what: String| Err(Error::new(Code::InUse, format!("session {} has {what}", id.0)));
    let photos = photos::counts(conn, id)?.total();
    if photos > 0 {
        return in_use(format!("{photos} photos; remove them first"));
    }
    if records::list(conn, id)?.iter().any(|record| record.source != RecordSource::Auto) {
        return in_use("a status that somebody has set; it is kept with its session".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::app::photo::remove;
    use crate::app::session::utc_range;
    use crate::app::testing::{Class, noon, wait};
    use crate::db::sessions::SessionChange;
    use crate::db::testing::{at, on_each_database};
    use crate::domain::status::{AttendanceStatus, SessionState};

    fn entry(class: &Class, name: &str) -> SessionEntry {
        let starts_at = StartsAt::Utc(at("2025-09-02 03:30:00"));
        SessionEntry { class: class.id, subject: None, name: Some(name.into()), starts_at }
    }

    #[track_caller]
    fn made(class: &Class, entry: SessionEntry) -> SessionRow {
        match wait(create(&class.school, entry)).unwrap() {
            Created::New(row) => row,
            Created::Existing(row) => panic!("there was {row:?}"),
        }
    }

    fn confirm(class: &Class, id: SessionId) {
        let confirmed = SessionChange { state: Some(SessionState::Confirmed), ..SessionChange::at(noon()) };
        class.run(|conn| sessions::update(conn, id, &confirmed));
    }

    on_each_database! {
        fn the_same_class_name_and_start_is_the_same_session(db) {
            let class = Class::new(db);
            let maths = class.run(|conn| subjects::find_or_insert(conn, "Maths"));
            let row = made(&class, entry(&class, "maths"));
            assert_eq!((row.subject_id, row.name.as_deref()), (Some(maths.id), Some("maths")), "called like a subject");
            let again = wait(create(&class.school, entry(&class, " MATHS"))).unwrap();
            assert_eq!(again, Created::Existing(row));
            let no_class = SessionEntry { class: ClassId(404), ..entry(&class, "x") };
            assert_eq!(wait(create(&class.school, no_class)).unwrap_err().code, Code::ClassNotFound);
            let no_subject = SessionEntry { subject: Some(SubjectId(404)), ..entry(&class, "x") };
            assert_eq!(wait(create(&class.school, no_subject)).unwrap_err().code, Code::SubjectNotFound);
        }

        fn days_far_away_are_refused_and_the_last_one_is_after_every_session(db) {
            let class = Class::new(db);
            let far = |at| SessionEntry { starts_at: StartsAt::Utc(at), ..entry(&class, "a") };
            for wrong in [NaiveDateTime::MIN, NaiveDateTime::MAX, at("9999-01-01 00:00:00")] {
                assert_eq!(wait(create(&class.school, far(wrong))).unwrap_err().code, Code::InvalidRequest, "{wrong}");
            }
            made(&class, far(at("9998-12-31 12:00:00")));
            let (from, to) = utc_range(NaiveDate::MIN, NaiveDate::MAX, chrono_tz::Asia::Kolkata);
            assert_eq!(class.run(|conn| sessions::list(conn, class.id, from, to)).len(), 2);
        }

        fn school_time_is_stored_as_utc(db) {
            let mut class = Class::new(db);
            let config = crate::config::Config { time_zone: chrono_tz::Asia::Kolkata, ..Default::default() };
            class.school.config = std::sync::Arc::new(config);
            let starts_at = StartsAt::SchoolTime(at("2025-09-02 09:00:00"));
            assert_eq!(made(&class, SessionEntry { starts_at, ..entry(&class, "a") }).starts_at, at("2025-09-02 03:30:00"));
        }

        fn name_and_subject_change_apart(db) {
            let class = Class::new(db);
            let maths = class.run(|conn| subjects::find_or_insert(conn, "Maths")).id;
            let id = made(&class, entry(&class, "first hour")).id;
            made(&class, entry(&class, "taken"));
            let edit = |edit| wait(change(&class.school, id, edit));
            let row = edit(SessionEdit { subject: Some(Some(maths)), ..SessionEdit::default() }).unwrap();
            assert_eq!((row.subject_id, row.name.as_deref()), (Some(maths), Some("first hour")));
            let row = edit(SessionEdit { name: Some(Some(" Algebra ".into())), ..SessionEdit::default() }).unwrap();
            assert_eq!((row.subject_id, row.name.as_deref()), (Some(maths), Some("Algebra")));
            let found = class.run(|conn| sessions::find(conn, class.id, at("2025-09-02 03:30:00"), Some("ALGEBRA")));
            assert_eq!(found, Some(row));
            let taken = SessionEdit { name: Some(Some("Taken".into())), ..SessionEdit::default() };
            assert_eq!(edit(taken).unwrap_err().code, Code::AlreadyExists);
            let unknown = SessionEdit { subject: Some(Some(SubjectId(404))), ..SessionEdit::default() };
            assert_eq!(edit(unknown).unwrap_err().code, Code::SubjectNotFound);
            let row = edit(SessionEdit { name: Some(None), subject: Some(None), remark: None }).unwrap();
            assert_eq!((row.subject_id, row.name), (None, None));
            confirm(&class, id);
            assert_eq!(edit(SessionEdit::default()).unwrap_err().code, Code::SessionConfirmed);
        }

        fn a_remark_is_kept_until_it_is_taken_away(db) {
            let class = Class::new(db);
            let remark = |text: Option<&str>| {
                let edit = SessionEdit { remark: Some(text.map(str::to_owned)), ..SessionEdit::default() };
                wait(change(&class.school, class.session, edit))
            };
            assert_eq!(remark(Some(" fire drill ")).unwrap().remark.as_deref(), Some("fire drill"));
            let renamed = SessionEdit { name: Some(Some("Maths".into())), ..SessionEdit::default() };
            assert_eq!(wait(change(&class.school, class.session, renamed)).unwrap().remark.as_deref(), Some("fire drill"));
            assert_eq!(remark(Some(&"x".repeat(501))).unwrap_err().code, Code::InvalidRequest);
            assert_eq!(remark(Some(" ")).unwrap().remark, None);
        }

        fn only_a_session_that_nothing_is_known_about_is_deleted(db) {
            let class = Class::new(db);
            let code = || wait(delete(&class.school, class.session)).unwrap_err().code;
            let (photo, _) = class.photo(1, &[]);
            assert_eq!(code(), Code::InUse);
            wait(remove(&class.school, &class.matching, photo)).unwrap();
            class.correct(class.members[0], AttendanceStatus::Late);
            assert_eq!(code(), Code::InUse);
            let other = made(&class, entry(&class, "empty")).id;
            confirm(&class, other);
            assert_eq!(wait(delete(&class.school, other)).unwrap_err().code, Code::SessionConfirmed);
            let empty = made(&class, entry(&class, "empty too")).id;
            wait(delete(&class.school, empty)).unwrap();
            assert_eq!(wait(delete(&class.school, empty)).unwrap_err().code, Code::SessionNotFound);
        }
    }
}
