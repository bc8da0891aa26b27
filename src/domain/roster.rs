//! The roster file of a school: who is in which class, under which roll number.
//!
//! Called by `rollcall roster import`. It checks a file against itself; what a file changes in the database is
//! [`roster_diff`](super::roster_diff)'s to say.

use std::collections::HashMap;

use chrono::NaiveDate;

use crate::domain::csv_table::{Column, CsvProblems, CsvRow, CsvTable};
use crate::domain::days::require_possible;
use crate::domain::spelling::{fold, fold_identifier};
use crate::domain::status::Consent;

pub(crate) const CLASS: Column = Column::filled("class", &["class name"]);
pub(crate) const SECTION: Column = Column::filled("section", &["sec", "div", "division"]);
const NAME: Column = Column::filled("name", &["student", "student name", "full name"]);
pub(crate) const ROLL_NO: Column = Column::filled("roll_no", ROLL_NO_ALIASES);
pub(crate) const ROLL_NO_ALIASES: &[&str] = &["roll", "rollno", "roll number", "roll num", "roll #"];
const PRN: Column = Column::filled("prn", PRN_ALIASES);
pub(crate) const PRN_ALIASES: &[&str] = &["prn no", "prn number", "permanent registration number"];
const EMAIL: Column = Column::optional("email", &["e-mail", "mail", "email address", "email id"]);
pub(crate) const CONSENT: Column = Column::optional("consent", &["consent given"]);
const TERM: Column = Column::optional("term", &["school year"]);
const FROM: Column = Column::optional("from", &["from date", "valid from", "joined"]);
const TO: Column = Column::optional("to", &["to date", "valid to", "until", "left"]);
const ACTIVE: Column = Column::optional("active", &["is active"]);
const COLUMNS: [Column; 11] = [CLASS, SECTION, NAME, ROLL_NO, PRN, EMAIL, CONSENT, TERM, FROM, TO, ACTIVE];

/// Reads a consent cell; empty and `unknown` are [`Consent::Unknown`], `None` is a word that means nothing here.
pub fn parse_consent(text: &str) -> Option<Consent> {
    match fold(text).as_str() {
        "" | "unknown" | "?" => Some(Consent::Unknown),
        "yes" | "y" | "true" | "1" | "given" | "recorded" => Some(Consent::Given),
        "no" | "n" | "false" | "0" | "withdrawn" | "refused" => Some(Consent::Withdrawn),
        _ => None,
    }
}

/// First and last day in a class; an absent one leaves the stay open on that side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Days {
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

impl Days {
    /// Whether the last day is not before the first.
    pub fn are_in_order(self) -> bool {
        self.from.zip(self.to).is_none_or(|(from, to)| from <= to)
    }

    /// Whether some day is in both.
    pub fn overlap(self, other: Self) -> bool {
        let begins_in_time = |a: Self, b: Self| a.from.zip(b.to).is_none_or(|(from, to)| from <= to);
        begins_in_time(self, other) && begins_in_time(other, self)
    }
}

/// A student in a class, as a line of the file says it. Fields are trimmed and, but for email, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterRow {
    pub line: u64,
    pub class: String,
    pub section: String,
    pub name: String,
    pub roll_no: String,
    pub prn: String,
    pub email: Option<String>,
    /// `Unknown` when the file does not say.
    pub consent: Consent,
    /// `None` when the file does not say.
    pub term: Option<String>,
    /// What the file says of the days in the class.
    pub days: Days,
    /// Whether the student is at the school; `None` when the file does not say.
    pub active: Option<bool>,
}

/// Reads columns class, section, name, roll_no, prn and, if there are any, email, consent, term, from, to and active.
///
/// # Errors
/// Every row that cannot be used: empty fields, a word that is no yes or no, a day that is none, a PRN that a class has
/// twice or a roll number that it has twice on one day, a PRN whose name, email, consent or activity differs from one row
/// to another.
pub fn parse_roster(bytes: &[u8]) -> Result<Vec<RosterRow>, CsvProblems> {
    let CsvTable { rows, mut problems } = CsvTable::read(bytes, &COLUMNS)?;
    let rows: Vec<RosterRow> = rows.iter().filter_map(|row| roster_row(row, &mut problems)).collect();
    check_numbers(&rows, &mut problems);
    check_persons(&rows, &mut problems);
    problems.or_ok(rows)
}

fn roster_row(row: &CsvRow, problems: &mut CsvProblems) -> Option<RosterRow> {
    let text = |column: &Column| row.get(column).to_owned();
    Some(RosterRow {
        line: row.line,
        class: text(&CLASS),
        section: text(&SECTION),
        name: text(&NAME),
        roll_no: text(&ROLL_NO),
        prn: text(&PRN),
        email: row.get_filled(&EMAIL).map(str::to_owned),
        consent: read_consent(row, problems)?,
        term: row.get_filled(&TERM).map(str::to_owned),
        days: read_days(row, problems)?,
        active: read_active(row, problems)?,
    })
}

fn read_days(row: &CsvRow, problems: &mut CsvProblems) -> Option<Days> {
    let mut read = |column: &Column| -> Option<Option<NaiveDate>> {
        let Some(text) = row.get_filled(column) else { return Some(None) };
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| require_possible(*day).is_ok());
        if day.is_none() {
            problems.add(row.line, column.name, format!("{text:?} is no day; write YYYY-MM-DD"));
        }
        day.map(Some)
    };
    let (from, to) = (read(&FROM), read(&TO));
    let days = Days { from: from?, to: to? };
    if !days.are_in_order() {
        problems.add(row.line, TO.name, "the last day is before the first");
        return None;
    }
    Some(days)
}

fn read_active(row: &CsvRow, problems: &mut CsvProblems) -> Option<Option<bool>> {
    let text = row.get(&ACTIVE);
    match fold(text).as_str() {
        "" => Some(None),
        "yes" | "y" | "true" | "1" | "active" => Some(Some(true)),
        "no" | "n" | "false" | "0" | "inactive" => Some(Some(false)),
        _ => {
            problems.add(row.line, ACTIVE.name, format!("{text:?} is neither yes nor no"));
            None
        }
    }
}

/// The consent of a row; a problem and `None` when its word means nothing.
pub(crate) fn read_consent(row: &CsvRow, problems: &mut CsvProblems) -> Option<Consent> {
    let consent = parse_consent(row.get(&CONSENT));
    if consent.is_none() {
        let message =
            format!("{:?} is neither yes (given) nor no (withdrawn); leave it empty if unknown", row.get(&CONSENT));
        problems.add(row.line, CONSENT.name, message);
    }
    consent
}

/// PRNs are unique within a class of a term, and so are roll numbers on each day.
fn check_numbers(rows: &[RosterRow], problems: &mut CsvProblems) {
    let mut roll_nos: HashMap<_, Vec<&RosterRow>> = HashMap::new();
    let mut prns = HashMap::new();
    for row in rows {
        let class = (row.term.as_deref().map(fold_identifier), fold(&row.class), fold(&row.section));
        let of_class = |number: &str| (class.clone(), fold_identifier(number));
        let holders = roll_nos.entry(of_class(&row.roll_no)).or_default();
        if let Some(first) = holders.iter().find(|other| other.days.overlap(row.days)).map(|other| other.line) {
            let message = format!("{} stands in {}-{} on line {first} already", row.roll_no, row.class, row.section);
            problems.add(row.line, ROLL_NO.name, message);
        }
        holders.push(row);
        if let Some(first) = prns.insert(of_class(&row.prn), row.line) {
            let message = format!("{} stands in {}-{} on line {first} already", row.prn, row.class, row.section);
            problems.add(row.line, PRN.name, message);
        }
    }
}

/// A student may be in several classes and is the same person in all of them.
fn check_persons(rows: &[RosterRow], problems: &mut CsvProblems) {
    let mut persons: HashMap<String, Vec<&RosterRow>> = HashMap::new();
    for row in rows {
        let others = persons.entry(fold_identifier(&row.prn)).or_default();
        let mut differs = |column: &Column, is_other: &dyn Fn(&RosterRow) -> bool| {
            if let Some(other) = others.iter().find(|other| is_other(other)) {
                let message = format!("PRN {} has another {} on line {}", row.prn, column.name, other.line);
                problems.add(row.line, column.name, message);
            }
        };
        differs(&NAME, &|other| other.name != row.name);
        differs(&EMAIL, &|other| other.email.is_some() && row.email.is_some() && other.email != row.email);
        let is_said = |row: &RosterRow| row.consent != Consent::Unknown;
        differs(&CONSENT, &|other| is_said(other) && is_said(row) && other.consent != row.consent);
        differs(&ACTIVE, &|other| other.active.zip(row.active).is_some_and(|(a, b)| a != b));
        others.push(row);
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use proptest::prelude::*;

    use super::*;

    fn problems(rows: &str) -> String {
        parse_roster(format!("class,section,name,roll_no,prn,email,consent\n{rows}").as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_roster_is_read_under_its_usual_headers() {
        let expected = RosterRow {
            line: 2,
            class: "CSE".to_owned(),
            section: "A".to_owned(),
            name: "Lee, Ann".to_owned(),
            roll_no: "07".to_owned(),
            prn: "P1".to_owned(),
            email: Some("ann@school.example".to_owned()),
            consent: Consent::Given,
            term: None,
            days: Days::default(),
            active: None,
        };
        let full = "class,section,name,roll_no,prn,email,consent\nCSE,A,\"Lee, Ann\",07,P1,ann@school.example,yes\n";
        let other = "\u{feff}PRN No.;Roll No;Student Name;Div;Class;E-Mail;Consent\r\n\
                     P1 ; 07;Lee, Ann;A;CSE;ann@school.example;GIVEN\r\n";
        assert_eq!(parse_roster(full.as_bytes()).unwrap(), slice::from_ref(&expected));
        assert_eq!(parse_roster(other.as_bytes()).unwrap(), slice::from_ref(&expected));
        let without = parse_roster(b"class,section,name,roll_no,prn\nCSE,A,\"Lee, Ann\",07,P1\n").unwrap();
        assert_eq!(without, [RosterRow { email: None, consent: Consent::Unknown, ..expected }]);
    }

    #[test]
    fn consent_is_read_in_every_usual_word() {
        for word in ["yes", "Y", "TRUE", "1", "given", "Recorded"] {
            assert_eq!(parse_consent(word), Some(Consent::Given), "{word}");
        }
        for word in ["no", "N", "false", "0", "withdrawn"] {
            assert_eq!(parse_consent(word), Some(Consent::Withdrawn), "{word}");
        }
        assert_eq!(parse_consent(" "), Some(Consent::Unknown));
        assert_eq!(parse_consent("maybe"), None);
        for consent in [Consent::Unknown, Consent::Given, Consent::Withdrawn] {
            assert_eq!(parse_consent(consent.as_str()), Some(consent));
        }
    }

    #[test]
    fn every_bad_row_is_reported() {
        let rows = "CSE,A,Ann,1,P1,,\nCSE,A,,2,P2,,\nCSE,A,Cy,3,P3,,perhaps\ncse,a,Di,1,P4,,\nCSE,A,Ann,5,p1,,\n";
        assert_eq!(
            problems(rows),
            "line 3, name: is empty\n\
             line 4, consent: \"perhaps\" is neither yes (given) nor no (withdrawn); leave it empty if unknown\n\
             line 5, roll_no: 1 stands in cse-a on line 2 already\n\
             line 6, prn: p1 stands in CSE-A on line 2 already"
        );
    }

    #[test]
    fn one_person_may_be_in_several_classes_and_is_the_same_everywhere() {
        let rows = b"class,section,name,roll_no,prn\nCSE,A,Ann,1,P1\nAIML,B,Ann,1,P1\n";
        assert_eq!(parse_roster(rows).unwrap().len(), 2);
        assert_eq!(
            problems("CSE,A,Ann,1,P1,a@x.example,yes\nAIML,B,Anna,1,P1,b@x.example,no\n"),
            "line 3, name: PRN P1 has another name on line 2\n\
             line 3, email: PRN P1 has another email on line 2\n\
             line 3, consent: PRN P1 has another consent on line 2"
        );
    }

    #[test]
    fn terms_days_and_activity_are_read_where_a_file_has_them() {
        let header = "class,section,name,roll_no,prn,term,from,to,active\n";
        let read = |rows: &str| parse_roster(format!("{header}{rows}").as_bytes());
        // The number of somebody who has left is free, and begins anew in every term.
        let rows = read(
            "CSE,A,Ann,1,P1,2026-27,,2026-10-01,no\nCSE,A,Bob,1,P2,2026-27,2026-10-02,,\nCSE,A,Bob,1,P2,2027-28,,,\n",
        )
        .unwrap();
        let day = |text: &str| Some(text.parse().unwrap());
        assert_eq!(rows[0].days, Days { from: None, to: day("2026-10-01") });
        assert_eq!((rows[0].active, rows[1].active), (Some(false), None));
        assert_eq!((rows[1].days.from, rows[2].term.as_deref()), (day("2026-10-02"), Some("2027-28")));
        assert_eq!(
            read("CSE,A,Ann,1,P1,,2.10.2026,,\nCSE,A,Bob,2,P2,,2026-10-02,2026-10-01,\nCSE,A,Cy,3,P3,,,,maybe\n")
                .unwrap_err()
                .to_string(),
            "line 2, from: \"2.10.2026\" is no day; write YYYY-MM-DD\n\
             line 3, to: the last day is before the first\n\
             line 4, active: \"maybe\" is neither yes nor no"
        );
        let same_day = read("CSE,A,Ann,1,P1,,,2026-10-01,\nCSE,A,Bob,1,P2,,2026-10-01,,\n").unwrap_err();
        assert!(same_day.to_string().contains("stands in CSE-A on line 2 already"), "{same_day}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_roster(&bytes);
        }

        #[test]
        fn accepted_rosters_have_unique_numbers(rows in proptest::collection::vec(("[AB]", "[a-c]", "[1-3]", "[1-3]"), 1..6)) {
            let lines: String = rows.iter().map(|(class, name, roll, prn)| format!("{class},X,{name},{roll},{prn}\n")).collect();
            let mut keys: Vec<_> = rows.iter().map(|(class, _, roll, _)| (class, roll)).collect();
            keys.sort_unstable();
            keys.dedup();
            if let Ok(accepted) = parse_roster(format!("class,section,name,roll_no,prn\n{lines}").as_bytes()) {
                prop_assert_eq!(accepted.len(), rows.len());
                prop_assert_eq!(keys.len(), rows.len());
            }
        }
    }
}
