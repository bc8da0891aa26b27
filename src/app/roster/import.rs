//! The school's list of students: compared with what is known, shown, and taken over.
//!
//! A second import of the same file changes nothing. Members that the file leaves out stay and are listed: a list that
//! somebody cut short must not empty a class.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{NaiveDate, NaiveDateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::person::delete_pictures;
use super::student as known_student;
use crate::app::error::Error;
use crate::app::freshness::{StaleSessions, stale_sessions};
use crate::app::session;
use crate::app::{Mode, School, blocking};
use crate::db::members::{MemberRow, NewMember};
use crate::db::students::{NewStudent, StudentChange, StudentRow};
use crate::db::{AnyConnection, DbError, classes, members, samples, students};
use crate::domain::ids::{ClassId, MemberId, StudentId};
use crate::domain::roster::{Days, RosterRow, parse_roster};
use crate::domain::roster_diff::{
    ACTIVE, ClassName, ConsentChange, Membership, RollNoChange, RosterDiff, RosterState, RosterStudent, StudentField,
    diff_roster,
};
use crate::domain::spelling::fold_identifier;
use crate::domain::status::Consent;

/// What a file changed, or would change.
#[derive(Debug)]
pub struct RosterOutcome {
    /// For each term of the file, in the order of its rows.
    pub diffs: Vec<(String, RosterDiff)>,
    pub mode: Mode,
    /// Sessions that this may change; none for a preview, or where that is not known.
    pub stale_sessions: Option<StaleSessions>,
}

/// Imports a roster CSV into the classes of `term`, or of the term that a row names.
///
/// # Errors
/// `INVALID_TABLE` naming every row that cannot be used; nothing is changed then.
pub async fn import(school: &School, bytes: Vec<u8>, term: String, mode: Mode) -> Result<RosterOutcome, Error> {
    let rows = blocking(move || Ok(parse_roster(&bytes)?)).await?;
    let today = session::today(school.config.time_zone);
    let work = move |conn: &mut AnyConnection| {
        let mut diffs = Vec::new();
        for (term, rows) in by_term(&rows, &term) {
            let book = Book { term, now: Utc::now().naive_utc(), today };
            let diff = diff_roster(&book.state(conn, &rows)?, &rows, Consent::Unknown)?;
            book.apply(conn, &diff)?;
            diffs.push((book.term, diff));
        }
        Ok((diffs, without_consent(conn, &rows)?))
    };
    let (diffs, without_consent) = school.apply(mode, work).await?;
    let mut outcome = RosterOutcome { diffs, mode, stale_sessions: None };
    if mode == Mode::Apply {
        for student in without_consent {
            delete_pictures(school, student).await?;
        }
        outcome.stale_sessions = stale_sessions(school).await?;
    }
    Ok(outcome)
}

/// The rows of each term; a row that names none is of `usual`.
fn by_term(rows: &[RosterRow], usual: &str) -> Vec<(String, Vec<RosterRow>)> {
    let mut terms: Vec<(String, Vec<RosterRow>)> = Vec::new();
    for row in rows {
        let term = row.term.as_deref().unwrap_or(usual);
        match terms.iter_mut().find(|(known, _)| fold_identifier(known) == fold_identifier(term)) {
            Some((_, rows)) => rows.push(row.clone()),
            None => terms.push((term.to_owned(), vec![row.clone()])),
        }
    }
    terms
}

/// The students of whom the file says that their consent was withdrawn.
fn without_consent(conn: &mut AnyConnection, rows: &[RosterRow]) -> Result<BTreeSet<StudentId>, Error> {
    let withdrawn = rows.iter().filter(|row| row.consent == Consent::Withdrawn);
    let mut students = BTreeSet::new();
    for row in withdrawn {
        students.insert(known_student(conn, &row.prn)?.id);
    }
    Ok(students)
}

struct Book {
    term: String,
    now: NaiveDateTime,
    today: NaiveDate,
}

impl Book {
    /// What is known of the term's classes, and of the file's students in any term.
    fn state(&self, conn: &mut AnyConnection, rows: &[RosterRow]) -> Result<RosterState, DbError> {
        let mut state = RosterState::default();
        for class in classes::list(conn, Some(&self.term))? {
            let name = ClassName { name: class.name, section: class.section };
            for row in members::all(conn, class.id)? {
                add_student(&mut state, &row.student);
                let is_over = row.member.valid_to.is_some_and(|last| last < self.today);
                let stays = if is_over { &mut state.ended } else { &mut state.members };
                stays.push(Membership {
                    class: name.clone(),
                    prn: row.student.prn,
                    name: row.student.name,
                    roll_no: row.member.roll_no,
                    days: Days { from: row.member.valid_from, to: row.member.valid_to },
                });
            }
            state.classes.push(name);
        }
        for row in rows {
            if let Some(student) = students::find_by_prn(conn, &row.prn)? {
                add_student(&mut state, &student);
            }
        }
        Ok(state)
    }

    fn apply(&self, conn: &mut AnyConnection, diff: &RosterDiff) -> Result<(), Error> {
        for class in &diff.classes_added {
            self.class(conn, class)?;
        }
        for student in &diff.students_added {
            self.add_student(conn, student)?;
        }
        for change in &diff.students_changed {
            let set = match change.field {
                StudentField::Name => StudentChange { name: Some(change.to.clone()), ..StudentChange::at(self.now) },
                StudentField::Email => {
                    StudentChange { email: Some(Some(change.to.clone())), ..StudentChange::at(self.now) }
                }
                StudentField::Activity => {
                    StudentChange { active: Some(change.to == ACTIVE), ..StudentChange::at(self.now) }
                }
            };
            let id = self.student(conn, &change.prn)?.id;
            students::update(conn, id, &set)?;
        }
        for change in &diff.consent_changed {
            self.change_consent(conn, change)?;
        }
        self.change_roll_numbers(conn, &diff.roll_no_changed)?;
        for change in &diff.days_changed {
            let member = self.stay(conn, &change.class, &change.prn)?;
            members::set_days(conn, member, (change.to.from, change.to.to))
                .map_err(|e| Error::from(e).of(format_args!("PRN {} in {}", change.prn, change.class)))?;
        }
        for member in &diff.members_added {
            let new = NewMember {
                class_id: self.class(conn, &member.class)?,
                student_id: self.student(conn, &member.prn)?.id,
                roll_no: member.roll_no.clone(),
                valid_from: member.days.from,
                valid_to: member.days.to,
            };
            members::insert(conn, &new)
                .map_err(|e| Error::from(e).of(format_args!("PRN {} in {}", member.prn, member.class)))?;
        }
        Ok(())
    }

    fn class(&self, conn: &mut AnyConnection, class: &ClassName) -> Result<ClassId, DbError> {
        Ok(classes::find_or_insert(conn, &class.name, &class.section, &self.term, self.now)?.id)
    }

    fn student(&self, conn: &mut AnyConnection, prn: &str) -> Result<StudentRow, Error> {
        known_student(conn, prn)
    }

    /// The stay that a row changes: the latest one that is not over.
    fn stay(&self, conn: &mut AnyConnection, class: &ClassName, prn: &str) -> Result<MemberId, Error> {
        let (class, student) = (self.class(conn, class)?, self.student(conn, prn)?.id);
        let stays = members::of_student(conn, student)?;
        let is_meant = |s: &&MemberRow| s.class_id == class && s.valid_to.is_none_or(|last| self.today <= last);
        let latest = stays.iter().filter(is_meant).max_by_key(|s| s.valid_from);
        Ok(latest.ok_or(DbError::NotFound { what: "the member" })?.id)
    }

    fn add_student(&self, conn: &mut AnyConnection, student: &RosterStudent) -> Result<(), DbError> {
        let new = NewStudent {
            prn: student.prn.clone(),
            name: student.name.clone(),
            email: student.email.clone(),
            consent: student.consent,
            consent_at: (student.consent != Consent::Unknown).then_some(self.now),
            active: student.active,
            created_at: self.now,
            updated_at: self.now,
        };
        students::insert(conn, &new).map(drop)
    }

    fn change_consent(&self, conn: &mut AnyConnection, change: &ConsentChange) -> Result<(), Error> {
        let set = StudentChange {
            consent: Some(change.to),
            consent_at: Some((change.to != Consent::Unknown).then_some(self.now)),
            ..StudentChange::at(self.now)
        };
        let id = self.student(conn, &change.prn)?.id;
        if change.to == Consent::Withdrawn {
            samples::delete_of_student(conn, id)?;
        }
        Ok(students::update(conn, id, &set)?)
    }

    /// Two students may swap theirs: all changed numbers are freed before any is set.
    fn change_roll_numbers(&self, conn: &mut AnyConnection, changes: &[RollNoChange]) -> Result<(), Error> {
        let mut moved: Vec<(MemberId, &str)> = Vec::new();
        for change in changes {
            let member = self.stay(conn, &change.class, &change.prn)?;
            members::set_roll_no(conn, member, &format!("moving-{}", member.0))?;
            moved.push((member, &change.to));
        }
        for (member, roll_no) in moved {
            members::set_roll_no(conn, member, roll_no)?;
        }
        Ok(())
    }
}

fn add_student(state: &mut RosterState, row: &StudentRow) {
    if state.students.iter().all(|s| s.prn != row.prn) {
        state.students.push(RosterStudent {
            prn: row.prn.clone(),
            name: row.name.clone(),
            email: row.email.clone(),
            consent: row.consent,
            active: row.active,
        });
    }
}

impl fmt::Display for RosterOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(_, only)] = &self.diffs[..] {
            return only.fmt(f);
        }
        for (i, (term, diff)) in self.diffs.iter().enumerate() {
            write!(f, "{}term {term:?}\n{diff}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for RosterOutcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let diffs = || self.diffs.iter().map(|(_, diff)| diff);
        let all = |count: fn(&RosterDiff) -> usize| diffs().map(count).sum::<usize>();
        let left_out = diffs().flat_map(|d| &d.members_not_in_file).map(|m| m.prn.clone());
        json!({
            "applied": self.mode == Mode::Apply,
            "classes_added": diffs().flat_map(|d| &d.classes_added).map(ToString::to_string).collect::<Vec<_>>(),
            "students_added": all(|d| d.students_added.len()),
            "students_changed": all(|d| d.students_changed.len()),
            "consent_changed": all(|d| d.consent_changed.len()),
            "members_added": all(|d| d.members_added.len()),
            "roll_no_changed": all(|d| d.roll_no_changed.len()),
            "days_changed": all(|d| d.days_changed.len()),
            "members_not_in_file": left_out.collect::<Vec<_>>(),
            "unchanged": all(|d| d.unchanged),
            "stale_sessions": self.stale_sessions,
            "summary": self.to_string().lines().collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}
