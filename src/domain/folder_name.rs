//! Whose portraits lie in a folder called `<Student_Name>_<Roll_No>`.
//!
//! Called by `rollcall enrol DIR` for every folder. Names and roll numbers may both hold `_` and `-`, so a folder is
//! matched against the roster instead of being cut at its last `_`. Name and number must both fit: a face under a wrong
//! name is worse than a question.

use std::collections::HashSet;

use thiserror::Error;

use crate::domain::ids::{MemberId, StudentId};
use crate::domain::spelling::{edit_distance, fold, fold_person, nearest};

/// A member of a class of the term, as the roster has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterEntry {
    pub member: MemberId,
    pub student: StudentId,
    pub prn: String,
    pub roll_no: String,
    pub name: String,
    pub class: String,
    pub section: String,
}

impl RosterEntry {
    /// The folder that this student's portraits belong in: one plain name on every system, whatever the roster says. It is
    /// the student's again for [`match_folder`], to which blanks, dots and the characters replaced here are all one.
    pub fn folder_name(&self) -> String {
        let name = format!("{} {}", self.name, self.roll_no);
        let name = name.split_whitespace().collect::<Vec<_>>().join("_");
        let is_unsafe = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
        let name: String = name.chars().map(|c| if is_unsafe(c) { '_' } else { c }).collect();
        let dots_at_the_ends = |c: char| c == '.';
        let inner = name.trim_start_matches(dots_at_the_ends);
        let name = format!("{}{inner}", "_".repeat(name.len() - inner.len()));
        let inner = name.trim_end_matches(dots_at_the_ends);
        format!("{inner}{}", "_".repeat(name.len() - inner.len()))
    }

    /// Whether the entry is of this class, apart from spelling.
    pub fn is_of(&self, class: &str, section: &str) -> bool {
        fold(&self.class) == fold(class) && fold(&self.section) == fold(section)
    }

    fn in_words(&self) -> String {
        format!("{} {} of {}-{}", self.roll_no, self.name, self.class, self.section)
    }
}

/// Why a folder is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FolderNameError {
    /// No roll number of the roster ends the name. `nearest` is the folder name that was probably meant.
    #[error("folder {folder:?} fits nobody in the roster{}", did_you_mean(.nearest.as_deref()))]
    Unknown { folder: String, nearest: Option<String> },
    /// Different students fit.
    #[error("folder {folder:?} fits several students: {}; name class and section", .candidates.join(" | "))]
    Ambiguous { folder: String, candidates: Vec<String> },
    /// The roll number is somebody's, the name is not theirs.
    #[error("folder {folder:?}: roll number {roll_no} is {roster_name} in the roster; correct one of the two")]
    NameMismatch { folder: String, roll_no: String, roster_name: String },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; is {name:?} meant?")).unwrap_or_default()
}

/// The roster entry that `folder` belongs to. Case, accents, blanks, underscores and dots do not count, nor do hyphens
/// and apostrophes in names. A student who is in several classes under the same number is one student: the first entry
/// is returned. To look in one class only, hand in only its entries ([`RosterEntry::is_of`]).
///
/// # Errors
/// [`FolderNameError`]: see its variants.
pub fn match_folder<'r>(folder: &str, roster: &'r [RosterEntry]) -> Result<&'r RosterEntry, FolderNameError> {
    let folder = folder.trim();
    let cuts = cuts(folder);
    let numbered: Vec<(&RosterEntry, &str)> =
        roster.iter().filter_map(|entry| Some((entry, name_before(&cuts, entry)?))).collect();
    let fitting: Vec<&RosterEntry> = numbered
        .iter()
        .filter(|(entry, name)| fold_person(name) == fold_person(&entry.name))
        .map(|(e, _)| *e)
        .collect();
    let students: HashSet<StudentId> = fitting.iter().map(|entry| entry.student).collect();
    let owned = folder.to_owned();
    match (fitting.first(), students.len()) {
        (Some(entry), 1) => Ok(entry),
        (Some(_), _) => {
            let candidates = fitting.iter().map(|entry| entry.in_words()).collect();
            Err(FolderNameError::Ambiguous { folder: owned, candidates })
        }
        (None, _) => Err(match best_numbered(&numbered) {
            Some(entry) => FolderNameError::NameMismatch {
                folder: owned,
                roll_no: entry.roll_no.clone(),
                roster_name: entry.name.clone(),
            },
            None => FolderNameError::Unknown { nearest: suggestion(folder, roster), folder: owned },
        }),
    }
}

/// Every way to cut `folder` in two at an underscore or a blank, longest second part first.
fn cuts(folder: &str) -> Vec<(&str, String)> {
    let is_blank = |c: char| c == '_' || c.is_whitespace();
    let cut = |(place, blank): (usize, &str)| (&folder[..place], fold(&folder[place + blank.len()..]));
    folder
        .match_indices(is_blank)
        .map(cut)
        .filter(|(name, number)| !fold(name).is_empty() && !number.is_empty())
        .collect()
}

/// What stands before the roll number of `entry` if `cuts` are those of a folder that ends in it.
fn name_before<'f>(cuts: &[(&'f str, String)], entry: &RosterEntry) -> Option<&'f str> {
    let wanted = fold(&entry.roll_no);
    cuts.iter().find(|(_, number)| *number == wanted).map(|(name, _)| *name)
}

/// Of the entries whose number ends the folder, the one with the longest number and then the most similar name.
fn best_numbered<'r>(numbered: &[(&'r RosterEntry, &str)]) -> Option<&'r RosterEntry> {
    let rank = |(entry, name): &&(&RosterEntry, &str)| {
        let length = fold(&entry.roll_no).chars().count();
        (std::cmp::Reverse(length), edit_distance(&fold_person(name), &fold_person(&entry.name)))
    };
    numbered.iter().min_by_key(rank).map(|(entry, _)| *entry)
}

/// The folder name that was meant: of the one student with this name, else the one with the fewest edits.
fn suggestion(folder: &str, roster: &[RosterEntry]) -> Option<String> {
    let said = format!("{} ", fold_person(folder));
    let mut begun = roster.iter().filter(|entry| said.starts_with(&format!("{} ", fold_person(&entry.name))));
    if let (Some(only), None) = (begun.next(), begun.next()) {
        return Some(only.folder_name());
    }
    let folders: Vec<String> = roster.iter().map(RosterEntry::folder_name).collect();
    nearest(folder, folders.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
pub(crate) fn roster_entries(entries: &[(&str, &str, &str)]) -> Vec<RosterEntry> {
    let entry = |(id, (class, name, roll_no)): (i64, &(&str, &str, &str))| RosterEntry {
        member: MemberId(id),
        student: StudentId(id),
        prn: format!("P{id}"),
        roll_no: (*roll_no).to_owned(),
        name: (*name).to_owned(),
        class: (*class).to_owned(),
        section: "A".to_owned(),
    };
    (1..).zip(entries).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matched(folder: &str, roster: &[RosterEntry]) -> Result<i64, FolderNameError> {
        match_folder(folder, roster).map(|entry| entry.member.0)
    }

    fn school() -> Vec<RosterEntry> {
        roster_entries(&[
            ("CSE", "Aarav Nutmegson", "CSE-A-01"),
            ("CSE", "Anne-Marie O'Neil", "CS_02"),
            ("CSE", "A. B. Kumar", "3"),
            ("CSE", "José Díaz", "21/CS/4"),
            ("AIML", "Bo Li", "3"),
        ])
    }

    #[test]
    fn name_and_number_decide_whatever_separators_they_hold() {
        let roster = school();
        for (folder, member) in [
            ("Aarav_Nutmegson_CSE-A-01", 1),
            ("aarav nutmegson cse-a-01", 1),
            ("Anne-Marie_O'Neil_CS_02", 2),
            ("Anne_Marie_ONeil_cs_02", 2),
            ("A._B._Kumar_3", 3),
            ("A_B_Kumar_3", 3),
            ("Jose_Diaz_21_CS_4", 4),
            ("Jose\u{301}_Di\u{301}az_21_CS_4", 4),
            ("Bo_Li_3", 5),
        ] {
            assert_eq!(matched(folder, &roster), Ok(member), "{folder}");
        }
    }

    #[test]
    fn a_wrong_name_is_a_question() {
        let mismatch = |folder: &str| match matched(folder, &school()) {
            Err(FolderNameError::NameMismatch { roll_no, roster_name, .. }) => (roll_no, roster_name),
            other => panic!("{folder}: {other:?}"),
        };
        assert_eq!(mismatch("Aarav_CSE-A-01"), ("CSE-A-01".to_owned(), "Aarav Nutmegson".to_owned()));
        assert_eq!(mismatch("Bo_Lee_3"), ("3".to_owned(), "Bo Li".to_owned()), "the more similar of two");
        let longest = roster_entries(&[("CSE", "Ann", "2"), ("CSE", "Bob", "CS_2")]);
        let error = match_folder("Cy_CS_2", &longest).unwrap_err();
        let text = "folder \"Cy_CS_2\": roll number CS_2 is Bob in the roster; correct one of the two";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn an_unknown_folder_comes_with_what_was_meant() {
        let unknown = |folder: &str| match matched(folder, &school()) {
            Err(FolderNameError::Unknown { nearest, .. }) => nearest,
            other => panic!("{folder}: {other:?}"),
        };
        let aarav = Some("Aarav_Nutmegson_CSE-A-01".to_owned());
        assert_eq!(unknown("Aarav_Nutmegson_CSE-A-10"), aarav);
        assert_eq!(unknown("Aarav_Nutmegson"), aarav);
        assert_eq!(unknown("Aarv_Nutmegson_CSEA-01"), aarav);
        for folder in ["holidays", "", "_3", "CS_02", "_"] {
            assert_eq!(unknown(folder), None, "{folder}");
        }
    }

    #[test]
    fn two_students_that_fit_are_ambiguous_and_one_in_two_classes_is_not() {
        let mut roster = roster_entries(&[("CSE", "Ann Lee", "7"), ("AIML", "Ann Lee", "7")]);
        let error = match_folder("Ann_Lee_7", &roster).unwrap_err();
        let text = "folder \"Ann_Lee_7\" fits several students: 7 Ann Lee of CSE-A | 7 Ann Lee of AIML-A; name class and section";
        assert_eq!(error.to_string(), text);
        let aiml: Vec<RosterEntry> = roster.iter().filter(|entry| entry.is_of("aiml", "a")).cloned().collect();
        assert_eq!(matched("Ann_Lee_7", &aiml), Ok(2));
        roster[1].student = roster[0].student;
        assert_eq!(matched("Ann_Lee_7", &roster), Ok(1));
    }

    #[test]
    fn a_name_that_ends_like_a_number_is_cut_right() {
        let roster = roster_entries(&[("CSE", "John Paul", "2"), ("CSE", "John", "Paul_2")]);
        assert!(matches!(matched("John_Paul_2", &roster), Err(FolderNameError::Ambiguous { .. })));
        assert_eq!(matched("John_Paul_2", &roster[..1]), Ok(1));
        assert_eq!(matched("John_Paul_2", &roster[1..]), Ok(2));
    }

    proptest! {
        #[test]
        fn a_folder_name_is_one_plain_name_and_leads_back(name in "[a-zé./\\\\: ]{1,12}", roll_no in "[A-C0-9./ -]{1,8}") {
            let (name, roll_no) = (name.trim(), roll_no.trim());
            prop_assume!(!fold(name).is_empty() && !fold(roll_no).is_empty());
            let entry = RosterEntry {
                member: MemberId(1),
                student: StudentId(1),
                prn: "P1".into(),
                roll_no: roll_no.into(),
                name: name.into(),
                class: "CSE".into(),
                section: "A".into(),
            };
            let folder = entry.folder_name();
            let parts: Vec<_> = std::path::Path::new(&folder).components().collect();
            prop_assert!(matches!(parts[..], [std::path::Component::Normal(_)]), "{folder:?}");
            prop_assert!(!folder.contains(['/', '\\', ':']) && !folder.starts_with('.') && !folder.ends_with('.'));
            prop_assert_eq!(match_folder(&folder, std::slice::from_ref(&entry)), Ok(&entry));
        }
    }

    proptest! {
        #[test]
        fn the_folder_of_an_entry_is_found_or_ambiguous(
            people in proptest::collection::vec(("[AB]{1,2}([ -][AB]{1,2})?", "[AB1]([_-]?[12]){0,2}"), 1..6),
            pick in any::<prop::sample::Index>(),
        ) {
            let people: Vec<_> = people.iter().map(|(name, roll)| ("CSE", name.as_str(), roll.as_str())).collect();
            let roster = roster_entries(&people);
            let wanted = pick.get(&roster);
            match match_folder(&wanted.folder_name(), &roster) {
                Ok(entry) => prop_assert_eq!(entry, wanted),
                Err(FolderNameError::Ambiguous { candidates, .. }) => prop_assert!(candidates.len() > 1),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }

        #[test]
        fn arbitrary_folders_never_panic(folder in "\\PC{0,40}") {
            let _ = match_folder(&folder, &school());
        }
    }
}
