//! The list of portraits for `rollcall enrol --csv FILE`: columns class, section, roll_no, image or prn, image.
//!
//! Parses the list and finds each row's student in the roster. A row that fits nobody, several students or two different
//! ones is a problem with its line, never a guess. Whether an image exists and shows a face is the caller's to find out.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::domain::csv_table::{Column, CsvProblem, CsvProblems, CsvRow, CsvTable, Need};
use crate::domain::folder_name::RosterEntry;
use crate::domain::roster::{CLASS, CONSENT, PRN_ALIASES, ROLL_NO, ROLL_NO_ALIASES, SECTION, read_consent};
use crate::domain::spelling::{fold, fold_identifier};
use crate::domain::status::Consent;

const IMAGE: Column = Column::filled("image", &["photo", "file", "filename", "file name", "path"]);
const LIST_CLASS: Column = Column { need: Need::Optional, ..CLASS };
const LIST_SECTION: Column = Column { need: Need::Optional, ..SECTION };
const LIST_ROLL_NO: Column = Column::optional("roll_no", ROLL_NO_ALIASES);
const LIST_PRN: Column = Column::optional("prn", PRN_ALIASES);
const COLUMNS: [Column; 6] = [LIST_CLASS, LIST_SECTION, LIST_ROLL_NO, LIST_PRN, IMAGE, CONSENT];

/// A place in a class: who sits there is in the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassPlace {
    pub class: String,
    pub section: String,
    pub roll_no: String,
}

/// How a row says whose portrait it lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Place(ClassPlace),
    Prn(String),
    /// Both, which must be the same student.
    PlaceAndPrn(ClassPlace, String),
}

/// One portrait and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRow {
    pub line: u64,
    pub whose: Whose,
    /// Path as written; a relative one starts at the folder of the list.
    pub image: String,
    /// `Unknown` when the list does not say.
    pub consent: Consent,
}

/// Reads the list.
///
/// # Errors
/// Every row that cannot be used: no image, neither a PRN nor a complete class, section and roll number, an image that
/// is somebody else's on another line.
pub fn parse_enrolment_list(bytes: &[u8]) -> Result<Vec<EnrolmentRow>, CsvProblems> {
    let CsvTable { rows, mut problems } = CsvTable::read(bytes, &COLUMNS)?;
    let rows: Vec<EnrolmentRow> = rows.iter().filter_map(|row| enrolment_row(row, &mut problems)).collect();
    let mut images: HashMap<&str, u64> = HashMap::new();
    for row in &rows {
        if let Some(first) = images.insert(&row.image, row.line) {
            problems.add(row.line, IMAGE.name, format!("{} stands on line {first} already", row.image));
        }
    }
    problems.or_ok(rows)
}

/// The roster entry of the student whom `row` means.
///
/// # Errors
/// Nobody fits, several students do, or PRN and roll number are of different students.
pub fn find_enrolled<'r>(row: &EnrolmentRow, roster: &'r [RosterEntry]) -> Result<&'r RosterEntry, CsvProblem> {
    let fitting: Vec<&RosterEntry> = roster.iter().filter(|entry| row.whose.is(entry)).collect();
    let students: HashSet<_> = fitting.iter().map(|entry| entry.student).collect();
    let refused = |what: &str| {
        let column = if matches!(row.whose, Whose::Place(_)) { LIST_ROLL_NO } else { LIST_PRN };
        let (column, message) = (Some(column.name.to_owned()), format!("{} {what}", row.whose));
        Err(CsvProblem { line: row.line, column, message })
    };
    match (fitting.first(), students.len()) {
        (Some(entry), 1) => Ok(entry),
        (Some(_), _) => refused("fits several students"),
        (None, _) => refused("is nobody in the roster"),
    }
}

impl ClassPlace {
    fn is_of(&self, entry: &RosterEntry) -> bool {
        entry.is_of(&self.class, &self.section) && fold(&entry.roll_no) == fold(&self.roll_no)
    }
}

impl Whose {
    fn is(&self, entry: &RosterEntry) -> bool {
        let has_prn = |prn: &str| fold_identifier(&entry.prn) == fold_identifier(prn);
        match self {
            Self::Place(place) => place.is_of(entry),
            Self::Prn(prn) => has_prn(prn),
            Self::PlaceAndPrn(place, prn) => place.is_of(entry) && has_prn(prn),
        }
    }
}

impl fmt::Display for ClassPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}-{}", self.roll_no, self.class, self.section)
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(place) => place.fmt(f),
            Self::Prn(prn) => f.write_str(prn),
            Self::PlaceAndPrn(place, prn) => write!(f, "{prn} with {place}"),
        }
    }
}

fn enrolment_row(row: &CsvRow, problems: &mut CsvProblems) -> Option<EnrolmentRow> {
    let prn = row.get_filled(&LIST_PRN).map(str::to_owned);
    let [class, section, roll_no] = [LIST_CLASS, LIST_SECTION, LIST_ROLL_NO].map(|column| row.get(&column).to_owned());
    let has_place = [&class, &section, &roll_no].map(|text| !text.is_empty());
    let whose = match (has_place, prn) {
        ([true, true, true], None) => Whose::Place(ClassPlace { class, section, roll_no }),
        ([true, true, true], Some(prn)) => Whose::PlaceAndPrn(ClassPlace { class, section, roll_no }, prn),
        ([_, _, false], Some(prn)) => Whose::Prn(prn),
        _ => {
            problems.add(row.line, ROLL_NO.name, "row needs class, section and roll_no, or a prn");
            return None;
        }
    };
    Some(EnrolmentRow {
        line: row.line,
        whose,
        image: row.get(&IMAGE).to_owned(),
        consent: read_consent(row, problems)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::folder_name::roster_entries;

    fn parse(text: &str) -> Result<Vec<EnrolmentRow>, String> {
        parse_enrolment_list(text.as_bytes()).map_err(|problems| problems.to_string())
    }

    fn found(text: &str, roster: &[RosterEntry]) -> Vec<Result<i64, String>> {
        let find = |row| find_enrolled(row, roster).map(|entry| entry.member.0).map_err(|problem| problem.to_string());
        parse(text).unwrap().iter().map(find).collect()
    }

    #[test]
    fn a_student_is_named_by_place_or_by_prn() {
        let roster = roster_entries(&[("CSE", "Ann", "R-1"), ("AIML", "Bob", "R-1")]);
        assert_eq!(found("class,section,roll_no,image\ncse,a,r-1,1.jpg\nAIML,A,R-1,2.jpg\n", &roster), [Ok(1), Ok(2)]);
        assert_eq!(found("PRN;Photo\np2;x/1.jpg\n", &roster), [Ok(2)]);
        assert_eq!(
            found("class,section,roll_no,prn,image\nCSE,A,R-1,P1,1.jpg\nCSE,A,,P1,2.jpg\n", &roster),
            [Ok(1), Ok(1)]
        );
    }

    #[test]
    fn rows_that_mean_nobody_or_two_students_are_problems() {
        let mut roster = roster_entries(&[("CSE", "Ann", "1"), ("CSE", "Bob", "1"), ("AIML", "Ann", "4")]);
        let text = "class,section,roll_no,prn,image\nCSE,A,1,,1.jpg\nCSE,A,9,,2.jpg\nCSE,A,1,P3,3.jpg\n,,,P9,4.jpg\n";
        assert_eq!(
            found(text, &roster),
            [
                "line 2, roll_no: 1 of CSE-A fits several students",
                "line 3, roll_no: 9 of CSE-A is nobody in the roster",
                "line 4, prn: P3 with 1 of CSE-A is nobody in the roster",
                "line 5, prn: P9 is nobody in the roster",
            ]
            .map(|problem| Err(problem.to_owned()))
        );
        roster[2].prn = "P1".to_owned();
        roster[2].student = roster[0].student;
        assert_eq!(found("prn,image\nP1,1.jpg\n", &roster), [Ok(1)], "a student in two classes is one student");
    }

    #[test]
    fn every_bad_row_is_reported() {
        let text = "class,section,roll_no,image,consent\nCSE,A,,1.jpg,\nCSE,A,1,,\nCSE,A,2,3.jpg,so so\nCSE,A,4,4.jpg,y\nCSE,A,5,4.jpg,\n";
        assert_eq!(
            parse(text).unwrap_err(),
            "line 2, roll_no: row needs class, section and roll_no, or a prn\n\
             line 3, image: is empty\n\
             line 4, consent: \"so so\" is neither yes (given) nor no (withdrawn); leave it empty if unknown\n\
             line 6, image: 4.jpg stands on line 5 already"
        );
        assert_eq!(
            parse("name,image\nAnn,1.jpg\n").unwrap_err(),
            "line 2, roll_no: row needs class, section and roll_no, or a prn"
        );
    }

    #[test]
    fn consent_is_read() {
        assert_eq!(parse("prn,image,consent\nP1,1.jpg,recorded\n").unwrap()[0].consent, Consent::Given);
        assert_eq!(parse("prn,image\nP1,1.jpg\n").unwrap()[0].consent, Consent::Unknown);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_enrolment_list(&bytes);
        }

        #[test]
        fn whoever_is_found_is_whom_the_row_names(text in "([P1-3A]{0,2},[A1]?,[A1]?,[1-3]?,[a-d]\n){1,4}") {
            let roster = roster_entries(&[("A", "Ann", "1"), ("A", "Bob", "2"), ("1", "Cy", "1")]);
            let Ok(rows) = parse(&format!("prn,class,section,roll_no,image\n{text}")) else { return Ok(()) };
            for row in &rows {
                if let Ok(entry) = find_enrolled(row, &roster) {
                    let (place, prn) = match &row.whose {
                        Whose::Place(place) => (Some(place), None),
                        Whose::Prn(prn) => (None, Some(prn)),
                        Whose::PlaceAndPrn(place, prn) => (Some(place), Some(prn)),
                    };
                    prop_assert!(prn.is_none_or(|prn| *prn == entry.prn));
                    prop_assert!(place.is_none_or(|p| p.roll_no == entry.roll_no && p.class == entry.class));
                }
            }
        }
    }
}
