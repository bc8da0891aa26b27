//! The school's list of students: compared with what is known, shown, and taken over.
//!
//! A second import of the same file changes nothing. Members that the file leaves out stay and are listed: a list that
//! somebody cut short must not empty a class.

use std::fmt;

use chrono::{NaiveDateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::error::{Code, Error};
use super::{Mode, School, blocking};
use crate::db::members::NewMember;
use crate::db::students::{NewStudent, StudentChange, StudentRow};
use crate::db::{AnyConnection, DbError, classes, members, students};
use crate::domain::ids::{ClassId, MemberId};
use crate::domain::roster::{RosterRow, parse_roster};
use crate::domain::roster_diff::{
    ClassName, ConsentChange, Membership, RollNoChange, RosterDiff, RosterState, RosterStudent, StudentField,
    diff_roster,
};
use crate::domain::status::Consent;

/// What a file changed, or would change.
#[derive(Debug)]
pub struct RosterOutcome {
    pub diff: RosterDiff,
    pub mode: Mode,
}

/// Imports a roster CSV into the classes of `term`.
///
/// # Errors
/// `INVALID_TABLE` naming every row that cannot be used; nothing is changed then.
pub async fn import(school: &School, bytes: Vec<u8>, term: String, mode: Mode) -> Result<RosterOutcome, Error> {
    let rows = blocking(move || Ok(parse_roster(&bytes)?)).await?;
    let work = move |conn: &mut AnyConnection| {
        let book = Book { term, now: Utc::now().naive_utc() };
        let diff = diff_roster(&book.state(conn, &rows)?, &rows, Consent::Unknown)?;
        if mode == Mode::Apply {
            book.apply(conn, &diff)?;
        }
        Ok(RosterOutcome { diff, mode })
    };
    match mode {
        Mode::Preview => school.read(work).await,
        Mode::Apply => school.change(work).await,
    }
}

struct Book {
    term: String,
    now: NaiveDateTime,
}

impl Book {
    /// What is known of the term's classes, and of the file's students in any term.
    fn state(&self, conn: &mut AnyConnection, rows: &[RosterRow]) -> Result<RosterState, DbError> {
        let mut state = RosterState::default();
        for class in classes::list(conn, Some(&self.term))? {
            let name = ClassName { name: class.name, section: class.section };
            for row in members::active_on(conn, class.id, self.now.date())? {
                add_student(&mut state, &row.student);
                state.members.push(Membership {
                    class: name.clone(),
                    prn: row.student.prn,
                    name: row.student.name,
                    roll_no: row.member.roll_no,
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
            };
            let id = self.student(conn, &change.prn)?.id;
            students::update(conn, id, &set)?;
        }
        for change in &diff.consent_changed {
            self.change_consent(conn, change)?;
        }
        self.change_roll_numbers(conn, &diff.roll_no_changed)?;
        for member in &diff.members_added {
            let new = NewMember {
                class_id: self.class(conn, &member.class)?,
                student_id: self.student(conn, &member.prn)?.id,
                roll_no: member.roll_no.clone(),
                valid_from: None,
                valid_to: None,
            };
            members::insert(conn, &new)?;
        }
        Ok(())
    }

    fn class(&self, conn: &mut AnyConnection, class: &ClassName) -> Result<ClassId, DbError> {
        Ok(classes::find_or_insert(conn, &class.name, &class.section, &self.term, self.now)?.id)
    }

    fn student(&self, conn: &mut AnyConnection, prn: &str) -> Result<StudentRow, Error> {
        students::find_by_prn(conn, prn)?
            .ok_or_else(|| Error::new(Code::StudentNotFound, format!("there is no student with PRN {prn}")))
    }

    fn add_student(&self, conn: &mut AnyConnection, student: &RosterStudent) -> Result<(), DbError> {
        let new = NewStudent {
            prn: student.prn.clone(),
            name: student.name.clone(),
            email: student.email.clone(),
            consent: student.consent,
            consent_at: (student.consent != Consent::Unknown).then_some(self.now),
            active: true,
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
        Ok(students::update(conn, id, &set)?)
    }

    /// Two students may swap theirs: all changed numbers are freed before any is set.
    fn change_roll_numbers(&self, conn: &mut AnyConnection, changes: &[RollNoChange]) -> Result<(), Error> {
        let mut moved: Vec<(MemberId, &str)> = Vec::new();
        for change in changes {
            let class = self.class(conn, &change.class)?;
            let found = members::find_by_roll_no(conn, class, &change.from, self.now.date())?;
            let member = found.ok_or(DbError::NotFound { what: "the member" })?.member.id;
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
        });
    }
}

impl fmt::Display for RosterOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diff.fmt(f)
    }
}

impl Serialize for RosterOutcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let d = &self.diff;
        json!({
            "applied": self.mode == Mode::Apply,
            "classes_added": d.classes_added.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "students_added": d.students_added.len(),
            "students_changed": d.students_changed.len(),
            "consent_changed": d.consent_changed.len(),
            "members_added": d.members_added.len(),
            "roll_no_changed": d.roll_no_changed.len(),
            "members_not_in_file": d.members_not_in_file.iter().map(|m| m.prn.clone()).collect::<Vec<_>>(),
            "unchanged": d.unchanged,
            "summary": d.to_string().lines().collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}
