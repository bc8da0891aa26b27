//! Which session and which member a mark of the register is about.
//!
//! Nothing is guessed: a mark that fits no session, several of them, or nobody on the roll says so and is left out.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use super::{Entry, Meeting, Opinion, SaidClass};
use crate::domain::class_label::ClassLabels;
use crate::domain::ids::{ClassId, MemberId, SessionId, StudentId};
use crate::domain::spelling::fold_identifier;

/// Why a mark is about nothing that is compared, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// No session, or none that can be told. Other marks of that day have the same trouble.
    Lesson(String),
    /// Nobody on the roll of the session.
    Member(String),
}

/// Whether a session can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LessonKind {
    Pilot,
    /// It counts: a register made with it would agree with itself.
    Counting,
}

/// A session of the classes that are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    pub session: SessionId,
    pub class: ClassId,
    /// `CSE-A`.
    pub label: String,
    /// On the school's clocks.
    pub starts_at: NaiveDateTime,
    pub kind: LessonKind,
    /// People in the photos whom the program does not know.
    pub strangers: u32,
    pub photos: Vec<String>,
    /// Everybody on the roll of that day.
    pub roll: Vec<RollEntry>,
}

/// A member on the roll, and what the program says.
#[derive(Debug, Clone, PartialEq)]
pub struct RollEntry {
    pub member: MemberId,
    pub student: StudentId,
    pub roll_no: String,
    pub name: String,
    /// `None` where no photo was looked at.
    pub opinion: Option<Opinion>,
    /// 0..1.
    pub confidence: Option<f64>,
    pub photo: Option<String>,
}

/// What marks are looked for in.
#[derive(Debug)]
pub struct Scope<'a> {
    pub classes: &'a ClassLabels,
    pub lessons: &'a [Lesson],
    /// First and last day that is looked at; none is open.
    pub days: (Option<NaiveDate>, Option<NaiveDate>),
    /// A time of the register means the nearest session that starts at most so long before or after it.
    pub tolerance: TimeDelta,
}

impl Scope<'_> {
    /// Whether a mark is about one of the days. The number of a session says no day.
    pub fn is_within(&self, entry: &Entry) -> bool {
        let day = match entry.meeting {
            Meeting::Session(_) => return true,
            Meeting::Day(day) => day,
            Meeting::At(at) => at.date(),
        };
        let (first, last) = self.days;
        first.is_none_or(|first| first <= day) && last.is_none_or(|last| day <= last)
    }

    /// The places of the lesson, and of the member on its roll.
    ///
    /// # Errors
    /// Why there is none.
    pub fn place(&self, entry: &Entry) -> Result<(usize, usize), Misfit> {
        let lesson = self.lesson(entry).map_err(Misfit::Lesson)?;
        let found = &self.lessons[lesson];
        if found.kind == LessonKind::Counting {
            let what = format!("session {} is not of the pilot: it counts", found.session.0);
            return Err(Misfit::Lesson(what));
        }
        Ok((lesson, member(found, &entry.roll_no).map_err(Misfit::Member)?))
    }

    fn lesson(&self, entry: &Entry) -> Result<usize, String> {
        let classes = self.classes_of(entry)?;
        let fits = |lesson: &Lesson| classes.as_ref().is_none_or(|classes| classes.contains(&lesson.class));
        let places = || (0..self.lessons.len()).filter(|i| fits(&self.lessons[*i]));
        match entry.meeting {
            Meeting::Session(id) => places()
                .find(|i| self.lessons[*i].session == id)
                .ok_or_else(|| format!("there is no session {} of the class in these days", id.0)),
            Meeting::Day(day) => {
                let on_day: Vec<usize> = places().filter(|i| self.lessons[*i].starts_at.date() == day).collect();
                // One that counts is only meant where there is no other.
                let pilot = on_day.iter().filter(|i| self.lessons[**i].kind == LessonKind::Pilot).copied();
                let pilot: Vec<usize> = pilot.collect();
                match (pilot.as_slice(), on_day.as_slice()) {
                    ([], []) => Err(format!("there is no session on {day}")),
                    ([one], _) | ([], [one, ..]) => Ok(*one),
                    (several, _) => {
                        let sessions = several.len();
                        Err(format!(
                            "there are {sessions} pilot sessions on {day}: say the time or the session's number"
                        ))
                    }
                }
            }
            Meeting::At(at) => self.nearest(at, places()),
        }
    }

    fn nearest(&self, at: NaiveDateTime, places: impl Iterator<Item = usize>) -> Result<usize, String> {
        let away = |i: usize| (self.lessons[i].starts_at - at).abs();
        let near: Vec<usize> = places.filter(|i| away(*i) <= self.tolerance).collect();
        let least = near.iter().map(|i| away(*i)).min();
        let nearest: Vec<usize> = near.into_iter().filter(|i| Some(away(*i)) == least).collect();
        let time = at.format("%Y-%m-%d %H:%M");
        match nearest.as_slice() {
            [one] => Ok(*one),
            [] => Err(format!("there is no session within {} minutes of {time}", self.tolerance.num_minutes())),
            _ => Err(format!("several sessions are equally near to {time}: say the session's number")),
        }
    }

    /// The classes that a mark may be about; `None` is any, which only the number of a session allows.
    fn classes_of(&self, entry: &Entry) -> Result<Option<BTreeSet<ClassId>>, String> {
        let all = self.classes.classes();
        let (named, found): (String, BTreeSet<ClassId>) = match &entry.class {
            None if all.len() == 1 || matches!(entry.meeting, Meeting::Session(_)) => return Ok(None),
            None => return Err("does not say the class, and several are compared".to_owned()),
            Some(SaidClass::Label(label)) => {
                let spelled = self.classes.spelled(label).into_iter().map(|place| all[place].id);
                // A class without sections is called by its name alone.
                let plain = self.classes.named(label, "").into_iter().map(|class| class.id);
                (label.clone(), spelled.chain(plain).collect())
            }
            Some(SaidClass::Named { name, section }) => {
                let found = self.classes.named(name, section).into_iter().map(|class| class.id);
                (format!("{name}-{section}"), found.collect())
            }
        };
        if found.is_empty() { Err(format!("class {named} is not among those compared")) } else { Ok(Some(found)) }
    }
}

/// The member of that roll number; one that differs in leading zeros only, as spreadsheets drop them, where just one does.
fn member(lesson: &Lesson, roll_no: &str) -> Result<usize, String> {
    let places = |form: fn(&str) -> String| -> Vec<usize> {
        let wanted = form(roll_no);
        (0..lesson.roll.len()).filter(|i| form(&lesson.roll[*i].roll_no) == wanted).collect()
    };
    match (places(fold_identifier).as_slice(), places(without_zeros).as_slice()) {
        ([one], _) | ([], [one]) => Ok(*one),
        ([], []) => Err(format!("nobody of {} has roll number {roll_no} on that day", lesson.label)),
        _ => Err(format!("roll number {roll_no} fits several of {} on that day", lesson.label)),
    }
}

/// `CSE-A-07` as `cse-a-7`.
fn without_zeros(roll_no: &str) -> String {
    let mut short = String::with_capacity(roll_no.len());
    let mut chars = fold_identifier(roll_no).chars().collect::<Vec<_>>().into_iter().peekable();
    while let Some(c) = chars.next() {
        let begins = !short.ends_with(|before: char| before.is_ascii_digit());
        let goes_on = chars.peek().is_some_and(char::is_ascii_digit);
        if !(c == '0' && begins && goes_on) {
            short.push(c);
        }
    }
    short
}
