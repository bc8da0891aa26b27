//! What a roster file changes: shown by a dry run, written by an import.
//!
//! Called by `rollcall roster import` with the rows of [`roster`](super::roster) and what the database holds for the
//! term. It only compares. Nobody is removed because a file leaves them out; they are listed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::domain::csv_table::CsvProblems;
use crate::domain::roster::{Days, ROLL_NO, RosterRow};
use crate::domain::spelling::{fold, fold_identifier};
use crate::domain::status::Consent;

/// Name and section of a class of the term.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassName {
    pub name: String,
    pub section: String,
}

impl fmt::Display for ClassName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.section)
    }
}

/// A person, told apart by PRN (upper and lower case are the same).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterStudent {
    pub prn: String,
    pub name: String,
    pub email: Option<String>,
    pub consent: Consent,
    pub active: bool,
}

/// A student of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub class: ClassName,
    pub prn: String,
    /// Shown in the summary, and otherwise the student's.
    pub name: String,
    pub roll_no: String,
    pub days: Days,
}

/// What the database holds: the classes of the term, their members, and the students of all terms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RosterState {
    pub classes: Vec<ClassName>,
    pub students: Vec<RosterStudent>,
    /// Stays that are not over. Of several of one student in a class the latest counts.
    pub members: Vec<Membership>,
    /// Stays that are over.
    pub ended: Vec<Membership>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StudentField {
    Name,
    Email,
    /// [`ACTIVE`] or [`INACTIVE`].
    Activity,
}

/// A student who is at the school, as [`StudentField::Activity`] says it.
pub const ACTIVE: &str = "active";
/// A student who is not.
pub const INACTIVE: &str = "inactive";

const fn activity(active: bool) -> &'static str {
    if active { ACTIVE } else { INACTIVE }
}

/// A new value of a student whose name in the file is `name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudentChange {
    pub prn: String,
    pub name: String,
    pub field: StudentField,
    /// Empty when the student had no email.
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentChange {
    pub prn: String,
    pub name: String,
    pub from: Consent,
    pub to: Consent,
}

/// A new roll number. Two students may swap theirs, so free all changed numbers before setting any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollNoChange {
    pub class: ClassName,
    pub prn: String,
    pub name: String,
    pub from: String,
    pub to: String,
}

/// Other days in the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaysChange {
    pub class: ClassName,
    pub prn: String,
    pub name: String,
    pub from: Days,
    pub to: Days,
}

/// The difference that a file makes, in the order of its rows. Existing classes and students are spelled as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RosterDiff {
    pub classes_added: Vec<ClassName>,
    pub students_added: Vec<RosterStudent>,
    pub students_changed: Vec<StudentChange>,
    pub consent_changed: Vec<ConsentChange>,
    pub members_added: Vec<Membership>,
    pub roll_no_changed: Vec<RollNoChange>,
    pub days_changed: Vec<DaysChange>,
    /// Members of the file's classes whom the file leaves out. They stay.
    pub members_not_in_file: Vec<Membership>,
    /// Rows that change nothing.
    pub unchanged: usize,
}

impl RosterDiff {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.classes_added.is_empty()
            && self.students_added.is_empty()
            && self.students_changed.is_empty()
            && self.consent_changed.is_empty()
            && self.members_added.is_empty()
            && self.roll_no_changed.is_empty()
            && self.days_changed.is_empty()
    }
}

/// Compares `rows` (of one [`parse_roster`](super::roster::parse_roster)) with `current`. An empty email changes
/// nothing, nor does an empty day. A row without consent takes `consent_default`, but only for a student of whom nothing is known yet: a default
/// never overrules what somebody said.
///
/// # Errors
/// A roll number that another member of the class keeps, because the file leaves that member out. A student who has left
/// the class, unless the row says when they came back. Days that end before they begin together with those that are known.
pub fn diff_roster(
    current: &RosterState,
    rows: &[RosterRow],
    consent_default: Consent,
) -> Result<RosterDiff, CsvProblems> {
    let known = Known::new(current);
    let mut diff = RosterDiff::default();
    for (student, merged) in persons(rows, consent_default, &known) {
        match student {
            None => diff.students_added.push(merged),
            Some(student) => diff.compare_student(student, &merged),
        }
    }
    for class in file_classes(rows, &known) {
        if !known.classes.contains_key(&key_of_class(&class)) {
            diff.classes_added.push(class);
        }
    }
    let spelled = known.with_added(&diff);
    let mut problems = CsvProblems::default();
    for row in rows {
        if let Err((column, message)) = diff.compare_member(row, &spelled) {
            problems.add(row.line, column, message);
        }
    }
    diff.members_not_in_file = left_out(current, rows);
    diff.unchanged = diff.count_unchanged(rows);
    taken_roll_nos(&diff.members_not_in_file, rows, &mut problems);
    problems.or_ok(diff)
}

type ClassKey = (String, String);

fn key_of_class(class: &ClassName) -> ClassKey {
    (fold(&class.name), fold(&class.section))
}

fn row_class(row: &RosterRow) -> ClassName {
    ClassName { name: row.class.clone(), section: row.section.clone() }
}

/// What is in the database, by the keys under which a file finds it.
struct Known<'a> {
    classes: HashMap<ClassKey, &'a ClassName>,
    students: HashMap<String, &'a RosterStudent>,
    members: HashMap<(ClassKey, String), &'a Membership>,
    ended: HashMap<(ClassKey, String), Vec<&'a Membership>>,
}

impl<'a> Known<'a> {
    fn new(state: &'a RosterState) -> Self {
        let key_of_member = |member: &Membership| (key_of_class(&member.class), fold_identifier(&member.prn));
        let mut members: Vec<&Membership> = state.members.iter().collect();
        // Stable, and the later ones replace the earlier ones below.
        members.sort_by_key(|member| member.days.from);
        let mut ended: HashMap<_, Vec<&Membership>> = HashMap::new();
        for stay in &state.ended {
            ended.entry(key_of_member(stay)).or_default().push(stay);
        }
        Self {
            ended,
            classes: state.classes.iter().map(|class| (key_of_class(class), class)).collect(),
            students: state.students.iter().map(|student| (fold_identifier(&student.prn), student)).collect(),
            members: members.into_iter().map(|member| (key_of_member(member), member)).collect(),
        }
    }

    /// With the spelling under which new classes and students will be known.
    fn with_added(&self, diff: &RosterDiff) -> Spelled<'a> {
        let new_classes = diff.classes_added.iter().map(|class| (key_of_class(class), class.clone()));
        let new_students =
            diff.students_added.iter().map(|student| (fold_identifier(&student.prn), student.prn.clone()));
        Spelled {
            classes: self.classes.iter().map(|(k, class)| (k.clone(), (*class).clone())).chain(new_classes).collect(),
            prns: self
                .students
                .iter()
                .map(|(k, student)| (k.clone(), student.prn.clone()))
                .chain(new_students)
                .collect(),
            members: self.members.clone(),
            ended: self.ended.clone(),
        }
    }
}

/// How classes and students are spelled after the import, and who is a member before it.
struct Spelled<'a> {
    classes: HashMap<ClassKey, ClassName>,
    prns: HashMap<String, String>,
    members: HashMap<(ClassKey, String), &'a Membership>,
    ended: HashMap<(ClassKey, String), Vec<&'a Membership>>,
}

/// Every person of the file once: who it is in the database, and what the file makes of them.
fn persons<'a>(
    rows: &[RosterRow],
    consent_default: Consent,
    known: &Known<'a>,
) -> Vec<(Option<&'a RosterStudent>, RosterStudent)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut persons: Vec<(Option<&'a RosterStudent>, RosterStudent)> = Vec::new();
    for row in rows {
        let key = fold_identifier(&row.prn);
        let place = *places.entry(key.clone()).or_insert_with(|| {
            let student = known.students.get(&key).copied();
            let prn = student.map_or_else(|| row.prn.clone(), |student| student.prn.clone());
            let active = student.is_none_or(|student| student.active);
            let merged = RosterStudent { prn, name: row.name.clone(), email: None, consent: Consent::Unknown, active };
            persons.push((student, merged));
            persons.len() - 1
        });
        let merged = &mut persons[place].1;
        merged.active = row.active.unwrap_or(merged.active);
        merged.email = merged.email.take().or_else(|| row.email.clone());
        merged.consent = if merged.consent == Consent::Unknown { row.consent } else { merged.consent };
    }
    for (student, merged) in &mut persons {
        let is_known = student.is_some_and(|student| student.consent != Consent::Unknown);
        if merged.consent == Consent::Unknown && !is_known {
            merged.consent = consent_default;
        }
    }
    persons
}

/// Every class of the file once.
fn file_classes(rows: &[RosterRow], known: &Known<'_>) -> Vec<ClassName> {
    let mut seen = HashSet::new();
    let classes = rows.iter().map(row_class).filter(|class| seen.insert(key_of_class(class)));
    classes.map(|class| known.classes.get(&key_of_class(&class)).map_or(class, |known| (*known).clone())).collect()
}

fn left_out(current: &RosterState, rows: &[RosterRow]) -> Vec<Membership> {
    let classes: HashSet<ClassKey> = rows.iter().map(|row| key_of_class(&row_class(row))).collect();
    let listed: HashSet<(ClassKey, String)> =
        rows.iter().map(|row| (key_of_class(&row_class(row)), fold_identifier(&row.prn))).collect();
    let is_left_out = |member: &&Membership| {
        let class = key_of_class(&member.class);
        classes.contains(&class) && !listed.contains(&(class, fold_identifier(&member.prn)))
    };
    current.members.iter().filter(is_left_out).cloned().collect()
}

/// Roll numbers of the file that members keep whom it leaves out.
fn taken_roll_nos(left_out: &[Membership], rows: &[RosterRow], problems: &mut CsvProblems) {
    let taken: HashMap<(ClassKey, String), &Membership> =
        left_out.iter().map(|m| ((key_of_class(&m.class), fold_identifier(&m.roll_no)), m)).collect();
    for row in rows {
        let number = (key_of_class(&row_class(row)), fold_identifier(&row.roll_no));
        if let Some(other) = taken.get(&number).filter(|other| other.days.overlap(row.days)) {
            let message = format!(
                "{} is the number of PRN {} in {}, who is not in the file; list both or end that membership first",
                row.roll_no, other.prn, other.class
            );
            problems.add(row.line, ROLL_NO.name, message);
        }
    }
}

/// Whether a row tells a stay that is over as it was.
fn is_listed(row: &RosterRow, ended: Option<&Vec<&Membership>>) -> bool {
    let is = |stay: &&Membership| {
        row.days.to == stay.days.to && row.days.from.is_none_or(|from| Some(from) == stay.days.from)
    };
    ended.is_some_and(|stays| stays.iter().any(is))
}

/// A student who has left comes back only on a day that the file names.
fn is_free(row: &RosterRow, ended: Option<&Vec<&Membership>>) -> Result<(), (&'static str, String)> {
    let overlapping = ended.into_iter().flatten().find(|stay| stay.days.overlap(row.days));
    overlapping.map_or(Ok(()), |stay| {
        let left = format!("PRN {} was in {} {}", stay.prn, stay.class, in_words(stay.days));
        Err(("from", format!("{left}; write the day of the return, or leave the row out")))
    })
}

fn in_words(days: Days) -> String {
    match (days.from, days.to) {
        (None, None) => "without a first and last day".to_owned(),
        (Some(from), None) => format!("from {from}"),
        (None, Some(to)) => format!("until {to}"),
        (Some(from), Some(to)) => format!("from {from} to {to}"),
    }
}

impl RosterDiff {
    fn compare_student(&mut self, student: &RosterStudent, merged: &RosterStudent) {
        let change = |field, from: &str, to: &str| StudentChange {
            prn: student.prn.clone(),
            name: merged.name.clone(),
            field,
            from: from.to_owned(),
            to: to.to_owned(),
        };
        if student.name != merged.name {
            self.students_changed.push(change(StudentField::Name, &student.name, &merged.name));
        }
        if let Some(email) = &merged.email
            && student.email.as_ref() != Some(email)
        {
            let from = student.email.as_deref().unwrap_or_default();
            self.students_changed.push(change(StudentField::Email, from, email));
        }
        if merged.active != student.active {
            let (from, to) = (activity(student.active), activity(merged.active));
            self.students_changed.push(change(StudentField::Activity, from, to));
        }
        if merged.consent != Consent::Unknown && merged.consent != student.consent {
            let (prn, name) = (student.prn.clone(), merged.name.clone());
            self.consent_changed.push(ConsentChange { prn, name, from: student.consent, to: merged.consent });
        }
    }

    /// Notes what a row changes about a stay; the column and what is wrong with it otherwise.
    fn compare_member(&mut self, row: &RosterRow, spelled: &Spelled<'_>) -> Result<(), (&'static str, String)> {
        let key = (key_of_class(&row_class(row)), fold_identifier(&row.prn));
        match spelled.members.get(&key) {
            Some(member) => self.compare_stay(row, member),
            None if is_listed(row, spelled.ended.get(&key)) => Ok(()),
            None => {
                is_free(row, spelled.ended.get(&key))?;
                let (class, prn) = (spelled.classes[&key.0].clone(), spelled.prns[&key.1].clone());
                let (name, roll_no) = (row.name.clone(), row.roll_no.clone());
                self.members_added.push(Membership { class, prn, name, roll_no, days: row.days });
                Ok(())
            }
        }
    }

    fn compare_stay(&mut self, row: &RosterRow, member: &Membership) -> Result<(), (&'static str, String)> {
        let (class, prn, name) = (member.class.clone(), member.prn.clone(), row.name.clone());
        let days = Days { from: row.days.from.or(member.days.from), to: row.days.to.or(member.days.to) };
        if !days.are_in_order() {
            let known = format!("PRN {prn} is known to be in {class} {}", in_words(member.days));
            return Err(("to", format!("{known}: the last day would be before the first")));
        }
        if days != member.days {
            let (class, prn, name) = (class.clone(), prn.clone(), name.clone());
            self.days_changed.push(DaysChange { class, prn, name, from: member.days, to: days });
        }
        if member.roll_no != row.roll_no {
            let (from, to) = (member.roll_no.clone(), row.roll_no.clone());
            self.roll_no_changed.push(RollNoChange { class, prn, name, from, to });
        }
        Ok(())
    }

    fn count_unchanged(&self, rows: &[RosterRow]) -> usize {
        let students =
            (self.students_changed.iter().map(|c| &c.prn)).chain(self.consent_changed.iter().map(|c| &c.prn));
        let changed_students: HashSet<String> = students.map(|prn| fold_identifier(prn)).collect();
        let members = (self.members_added.iter().map(|m| (&m.class, &m.prn)))
            .chain(self.roll_no_changed.iter().map(|c| (&c.class, &c.prn)))
            .chain(self.days_changed.iter().map(|c| (&c.class, &c.prn)));
        let changed_members: HashSet<(ClassKey, String)> =
            members.map(|(class, prn)| (key_of_class(class), fold_identifier(prn))).collect();
        let is_unchanged = |row: &&RosterRow| {
            let prn = fold_identifier(&row.prn);
            !changed_students.contains(&prn) && !changed_members.contains(&(key_of_class(&row_class(row)), prn))
        };
        rows.iter().filter(is_unchanged).count()
    }
}

/// The summary of a dry run: `+` is added, `~` changed, `?` in the database but not in the file, `=` unchanged.
impl fmt::Display for RosterDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut added: BTreeMap<&ClassName, Vec<&Membership>> = BTreeMap::new();
        for member in &self.members_added {
            added.entry(&member.class).or_default().push(member);
        }
        for (class, members) in added {
            let is_new = self.classes_added.contains(class);
            let new = if is_new { " (new class)" } else { "" };
            let noun = if members.len() == 1 { "member" } else { "members" };
            writeln!(f, "+ {class}: {} {noun}{new}", members.len())?;
            for member in members.iter().filter(|_| !is_new) {
                writeln!(f, "+ {class} {} {}", member.roll_no, member.name)?;
            }
        }
        for c in &self.roll_no_changed {
            writeln!(f, "~ {} {}: roll number {} -> {}", c.class, c.name, c.from, c.to)?;
        }
        for c in &self.days_changed {
            writeln!(f, "~ {} {}: {} -> {}", c.class, c.name, in_words(c.from), in_words(c.to))?;
        }
        for c in &self.students_changed {
            let field = match c.field {
                StudentField::Name => "name",
                StudentField::Email => "email",
                StudentField::Activity => "is",
            };
            writeln!(f, "~ PRN {}: {field} {:?} -> {:?}", c.prn, c.from, c.to)?;
        }
        for c in &self.consent_changed {
            writeln!(f, "~ PRN {} {}: consent {} -> {}", c.prn, c.name, c.from, c.to)?;
        }
        for m in &self.members_not_in_file {
            writeln!(f, "? {} {} {}: in the database but not in the file (stays)", m.class, m.roll_no, m.name)?;
        }
        write!(f, "= {} unchanged", self.unchanged)
    }
}

#[cfg(test)]
mod tests;
