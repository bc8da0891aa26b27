//! Every record of the compared sessions beside the register: what is counted, and every difference for somebody to look at.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime};
use serde::Serialize;

use super::{
    Entry, LeftOut, Lesson, LessonKind, Misfit, Opinion, Outcome, Register, RollEntry, Scope, Shares, Tally, Verdict,
};
use crate::domain::ids::{SessionId, StudentId};
use crate::domain::sheet::natural_order;
use crate::domain::status::AttendanceStatus;

/// A record on which program and register do not say the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub outcome: Outcome,
    pub session: SessionId,
    #[serde(rename = "class")]
    pub label: String,
    /// On the school's clocks.
    pub starts_at: NaiveDateTime,
    pub roll_no: String,
    pub name: String,
    pub program: Opinion,
    pub register: AttendanceStatus,
    /// Of the face that the program took for the student, 0..1.
    pub confidence: Option<f64>,
    /// The file that shows it; the session's photos where no face does.
    pub photos: Vec<String>,
    /// What to look at.
    pub reason: String,
    /// Of the register's file.
    pub line: u64,
}

/// One week, from Monday.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfWeek {
    pub monday: NaiveDate,
    pub sessions: usize,
    #[serde(flatten)]
    pub tally: Tally,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfClass {
    #[serde(rename = "class")]
    pub label: String,
    pub sessions: usize,
    #[serde(flatten)]
    pub tally: Tally,
}

/// One student on whom something differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfStudent {
    #[serde(rename = "class")]
    pub label: String,
    pub roll_no: String,
    pub name: String,
    #[serde(flatten)]
    pub tally: Tally,
}

/// Why records could not be compared, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    pub reason: &'static str,
    pub records: usize,
}

/// A session of the pilot of which the register says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionNote {
    pub session: SessionId,
    #[serde(rename = "class")]
    pub label: String,
    pub starts_at: NaiveDateTime,
}

/// What comes of a comparison. `total` is the sum of the weeks, and that of the classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub verdict: Verdict,
    /// Compared, and the days that they are on.
    pub sessions: usize,
    pub days: usize,
    pub total: Tally,
    pub shares: Shares,
    pub by_week: Vec<OfWeek>,
    pub by_class: Vec<OfClass>,
    /// Those on whom something differs, whom the program misses most first.
    pub by_student: Vec<OfStudent>,
    /// The worst kind first, then by time, class and roll number.
    pub differences: Vec<Difference>,
    pub not_comparable: Vec<NotCompared>,
    /// Marks of the register that fit nothing.
    pub left_out: Vec<LeftOut>,
    /// Marks of days that nobody asked about.
    pub outside: usize,
    pub sessions_without_register: Vec<SessionNote>,
}

/// Lays the register beside the sessions of the scope.
pub fn compare(register: Register, scope: &Scope<'_>) -> Comparison {
    let Register { entries, mut left_out } = register;
    let (within, outside): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| scope.is_within(entry));
    let marks = placed(within, scope, &mut left_out);
    left_out.sort_by_key(|row| row.line);
    let mut count = Count::default();
    let mut sessions_without_register = Vec::new();
    for (place, lesson) in scope.lessons.iter().enumerate().filter(|(_, l)| l.kind == LessonKind::Pilot) {
        let of_lesson: BTreeMap<usize, &Entry> =
            marks.range((place, 0)..(place + 1, 0)).map(|((_, member), entry)| (*member, entry)).collect();
        if of_lesson.is_empty() {
            let (session, label, starts_at) = (lesson.session, lesson.label.clone(), lesson.starts_at);
            sessions_without_register.push(SessionNote { session, label, starts_at });
        } else {
            count.lesson(lesson, &of_lesson);
        }
    }
    Comparison { left_out, outside: outside.len(), sessions_without_register, ..count.finish() }
}

/// The marks by lesson and member; those that fit nothing, or say again what another one has said, are left out.
fn placed(entries: Vec<Entry>, scope: &Scope<'_>, left_out: &mut Vec<LeftOut>) -> BTreeMap<(usize, usize), Entry> {
    let mut marks: BTreeMap<(usize, usize), Entry> = BTreeMap::new();
    // A day without a session concerns all its marks, somebody who is not on the roll all days.
    let mut of_lesson: BTreeMap<(Option<String>, String), LeftOut> = BTreeMap::new();
    let mut of_member: BTreeMap<(u64, String), LeftOut> = BTreeMap::new();
    for entry in entries {
        let (line, column) = (entry.line, entry.column.clone());
        match scope.place(&entry).map(|place| (place, marks.get(&place))) {
            Ok((place, None)) => {
                marks.insert(place, entry);
            }
            Ok((_, Some(first))) => left_out.push(LeftOut::one(line, column, repeated(first, &entry))),
            Err(Misfit::Lesson(reason)) => {
                let new = LeftOut { line, column: column.clone(), reason: reason.clone(), marks: 0 };
                of_lesson.entry((column, reason)).or_insert(new).marks += 1;
            }
            Err(Misfit::Member(reason)) => {
                let new = LeftOut { line, column, reason: reason.clone(), marks: 0 };
                of_member.entry((line, reason)).or_insert(new).marks += 1;
            }
        }
    }
    left_out.extend(of_lesson.into_values().chain(of_member.into_values()));
    marks
}

fn repeated(first: &Entry, again: &Entry) -> String {
    let roll_no = &again.roll_no;
    if first.status == again.status {
        return format!("roll number {roll_no}: line {} says the same", first.line);
    }
    format!("roll number {roll_no}: line {} says {}, which is what is compared", first.line, first.status)
}

#[derive(Default)]
struct Count<'a> {
    total: Tally,
    sessions: usize,
    days: BTreeSet<NaiveDate>,
    weeks: BTreeMap<NaiveDate, (usize, Tally)>,
    classes: BTreeMap<&'a str, (usize, Tally)>,
    /// By class, because a student may be in several.
    students: BTreeMap<(StudentId, &'a str), (&'a RollEntry, Tally)>,
    differences: Vec<Difference>,
    not_comparable: BTreeMap<&'static str, usize>,
}

impl<'a> Count<'a> {
    fn lesson(&mut self, lesson: &'a Lesson, marks: &BTreeMap<usize, &Entry>) {
        let day = lesson.starts_at.date();
        self.sessions += 1;
        self.days.insert(day);
        let mut tally = Tally::default();
        for (place, student) in lesson.roll.iter().enumerate() {
            let mark = marks.get(&place).copied();
            let outcome = Outcome::of(student.opinion, mark.map(|mark| mark.status));
            tally.add(outcome);
            let of_student = self.students.entry((student.student, &lesson.label));
            of_student.or_insert((student, Tally::default())).1.add(outcome);
            if outcome == Outcome::NotComparable {
                *self.not_comparable.entry(why_not(student.opinion)).or_default() += 1;
            }
            if let (true, Some(mark), Some(program)) = (outcome.is_difference(), mark, student.opinion) {
                self.differences.push(difference((lesson, student), (outcome, program), mark));
            }
        }
        let week = self.weeks.entry(monday(day)).or_default();
        let class = self.classes.entry(&lesson.label).or_default();
        for (sessions, sum) in [week, class] {
            *sessions += 1;
            *sum = sum.plus(tally);
        }
        self.total = self.total.plus(tally);
    }

    /// All but what fits nothing.
    fn finish(mut self) -> Comparison {
        let place = |outcome: Outcome| WORST_FIRST.iter().position(|worst| *worst == outcome);
        self.differences.sort_by(|a, b| {
            let key = |d: &Difference| (place(d.outcome), d.starts_at, d.session);
            (key(a).cmp(&key(b))).then_with(|| natural_order(&a.roll_no, &b.roll_no))
        });
        let week = |(monday, (sessions, tally))| OfWeek { monday, sessions, tally };
        let class = |(label, (sessions, tally)): (&str, _)| OfClass { label: label.to_owned(), sessions, tally };
        let reason = |(reason, records)| NotCompared { reason, records };
        Comparison {
            verdict: Verdict::of(self.sessions, self.days.len(), &self.total),
            sessions: self.sessions,
            days: self.days.len(),
            shares: self.total.shares(),
            total: self.total,
            by_week: self.weeks.into_iter().map(week).collect(),
            by_class: self.classes.into_iter().map(class).collect(),
            by_student: by_student(self.students),
            differences: self.differences,
            not_comparable: self.not_comparable.into_iter().map(reason).collect(),
            left_out: Vec::new(),
            outside: 0,
            sessions_without_register: Vec::new(),
        }
    }
}

const WORST_FIRST: [Outcome; 4] = [Outcome::WrongPresent, Outcome::Missed, Outcome::AskedAbsent, Outcome::AskedPresent];

fn by_student(students: BTreeMap<(StudentId, &str), (&RollEntry, Tally)>) -> Vec<OfStudent> {
    let differs = |tally: &Tally| Outcome::ALL.iter().any(|o| o.is_difference() && tally.of(*o) > 0);
    let mut rows: Vec<OfStudent> = students
        .into_iter()
        .filter(|(_, (_, tally))| differs(tally))
        .map(|((_, label), (student, tally))| OfStudent {
            label: label.to_owned(),
            roll_no: student.roll_no.clone(),
            name: student.name.clone(),
            tally,
        })
        .collect();
    let most = |row: &OfStudent| {
        let Tally { missed, wrong_present, asked_present, asked_absent, .. } = row.tally;
        std::cmp::Reverse((missed, wrong_present, asked_present + asked_absent))
    };
    rows.sort_by(|a, b| {
        let by_name = || a.label.cmp(&b.label).then_with(|| natural_order(&a.roll_no, &b.roll_no));
        most(a).cmp(&most(b)).then_with(by_name)
    });
    rows
}

fn difference(
    (lesson, student): (&Lesson, &RollEntry),
    (outcome, program): (Outcome, Opinion),
    mark: &Entry,
) -> Difference {
    Difference {
        outcome,
        session: lesson.session,
        label: lesson.label.clone(),
        starts_at: lesson.starts_at,
        roll_no: student.roll_no.clone(),
        name: student.name.clone(),
        program,
        register: mark.status,
        confidence: student.confidence,
        photos: student.photo.clone().map_or_else(|| lesson.photos.clone(), |photo| vec![photo]),
        reason: reason(outcome, lesson.strangers),
        line: mark.line,
    }
}

fn reason(outcome: Outcome, strangers: u32) -> String {
    let others = match strangers {
        0 => "nobody in the photos is unknown: in them at all?".to_owned(),
        1 => "1 person in the photos is unknown".to_owned(),
        n => format!("{n} people in the photos are unknown"),
    };
    match outcome {
        Outcome::WrongPresent => "named by a face: look whose it is, then at the register".to_owned(),
        Outcome::Missed => format!("no face was near; {others}"),
        Outcome::AskedPresent => "a face may be the student, and the teacher has them there".to_owned(),
        _ => "a face may be the student, whom the teacher has not there".to_owned(),
    }
}

const fn why_not(opinion: Option<Opinion>) -> &'static str {
    match opinion {
        None => "no photo of the session was looked at",
        Some(Opinion::NoConsent) => "no consent on record: never compared",
        Some(Opinion::NoTemplate) => "no usable enrolment photo",
        Some(Opinion::Inactive) => "marked inactive",
        Some(Opinion::PhotosIncomplete) => "not every photo could be looked at completely",
        Some(Opinion::EmptyRoom) => "no face in any photo",
        Some(Opinion::OtherClass) => "most people in the photos are not of this class",
        Some(Opinion::Present | Opinion::Absent | Opinion::Asks) => "the register says nothing",
    }
}

fn monday(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.weekday().num_days_from_monday()))
}
