use proptest::prelude::*;

use super::*;
use crate::domain::roster::parse_roster;

const HEADER: &str = "class,section,name,roll_no,prn,email,consent\n";

fn rows(lines: &str) -> Vec<RosterRow> {
    parse_roster(format!("{HEADER}{lines}").as_bytes()).unwrap()
}

fn diff(current: &RosterState, lines: &str) -> RosterDiff {
    diff_roster(current, &rows(lines), Consent::Unknown).unwrap()
}

/// What an import of `diff` has to make of `current`.
fn apply_roster(current: &RosterState, diff: &RosterDiff) -> RosterState {
    let mut state = current.clone();
    state.classes.extend(diff.classes_added.iter().cloned());
    state.students.extend(diff.students_added.iter().cloned());
    state.members.extend(diff.members_added.iter().cloned());
    for student in &mut state.students {
        for change in diff.students_changed.iter().filter(|change| change.prn == student.prn) {
            match change.field {
                StudentField::Name => student.name.clone_from(&change.to),
                StudentField::Email => student.email = Some(change.to.clone()),
                StudentField::Activity => student.active = change.to == ACTIVE,
            }
        }
        if let Some(change) = diff.consent_changed.iter().find(|change| change.prn == student.prn) {
            student.consent = change.to;
        }
    }
    for member in &mut state.members {
        if let Some(change) = diff.roll_no_changed.iter().find(|c| c.prn == member.prn && c.class == member.class) {
            member.roll_no.clone_from(&change.to);
        }
        if let Some(change) = diff.days_changed.iter().find(|c| c.prn == member.prn && c.class == member.class) {
            member.days = change.to;
        }
        if let Some(student) = state.students.iter().find(|student| student.prn == member.prn) {
            member.name.clone_from(&student.name);
        }
    }
    state
}

fn state_of(lines: &str) -> RosterState {
    let empty = RosterState::default();
    apply_roster(&empty, &diff(&empty, lines))
}

#[test]
fn an_empty_school_takes_everything() {
    let diff = diff(&RosterState::default(), "CSE,A,Ann,1,P1,,yes\nCSE,A,Bob,2,P2,b@x.example,\ncse,B,Ann,1,p1,,\n");
    assert_eq!((diff.classes_added.len(), diff.students_added.len(), diff.members_added.len()), (2, 2, 3));
    assert_eq!(diff.students_added[0].consent, Consent::Given);
    assert_eq!(diff.students_added[1].email.as_deref(), Some("b@x.example"));
    assert_eq!(diff.members_added[2].prn, "P1", "one person is spelled in one way");
    assert_eq!(diff.to_string(), "+ CSE-A: 2 members (new class)\n+ cse-B: 1 member (new class)\n= 0 unchanged");
}

#[test]
fn the_summary_names_every_change() {
    let current = state_of("CSE,A,Ann,1,P1,,\nCSE,A,Bob,2,P2,b@x.example,yes\nCSE,A,Cy,3,P3,,\nCSE,A,Di,4,P4,,\n");
    let lines = "cse,a,Anna,1,p1,a@x.example,\nCSE,A,Bob,5,P2,,no\nCSE,A,Cy,3,P3,,\nCSE,A,Eve,6,P6,,\n";
    let diff = diff(&current, lines);
    assert_eq!(
        diff.to_string(),
        "+ CSE-A: 1 member\n\
         + CSE-A 6 Eve\n\
         ~ CSE-A Bob: roll number 2 -> 5\n\
         ~ PRN P1: name \"Ann\" -> \"Anna\"\n\
         ~ PRN P1: email \"\" -> \"a@x.example\"\n\
         ~ PRN P2 Bob: consent given -> withdrawn\n\
         ? CSE-A 4 Di: in the database but not in the file (stays)\n\
         = 1 unchanged"
    );
    assert!(!diff.is_empty());
    let after = apply_roster(&current, &diff);
    assert_eq!(after.members.len(), 5, "nobody is removed");
    assert_eq!(after.students[1].email.as_deref(), Some("b@x.example"), "an empty cell erases nothing");
}

#[test]
fn a_student_of_another_term_is_not_added_again() {
    let mut current = state_of("CSE,A,Ann,1,P1,,yes\n");
    current.classes.clear();
    current.members.clear();
    let diff = diff(&current, "CSE,A,Ann,9,P1,,\n");
    assert!(diff.students_added.is_empty() && diff.consent_changed.is_empty());
    assert_eq!((diff.classes_added.len(), diff.members_added.len()), (1, 1));
}

#[test]
fn classes_that_the_file_does_not_mention_are_left_alone() {
    let current = state_of("CSE,A,Ann,1,P1,,\nAIML,B,Bob,1,P2,,\n");
    let diff = diff(&current, "CSE,A,Ann,1,P1,,\n");
    assert!(diff.is_empty() && diff.members_not_in_file.is_empty());
    assert_eq!(diff.unchanged, 1);
}

#[test]
fn a_default_consent_never_overrules_what_was_said() {
    let current = state_of("CSE,A,Ann,1,P1,,no\nCSE,A,Bob,2,P2,,\n");
    let lines = rows("CSE,A,Ann,1,P1,,\nCSE,A,Bob,2,P2,,\nCSE,A,Cy,3,P3,,\nCSE,A,Di,4,P4,,no\n");
    let diff = diff_roster(&current, &lines, Consent::Given).unwrap();
    let changed: Vec<_> = diff.consent_changed.iter().map(|c| (c.prn.as_str(), c.from, c.to)).collect();
    assert_eq!(changed, [("P2", Consent::Unknown, Consent::Given)]);
    assert_eq!(diff.students_added.iter().map(|s| s.consent).collect::<Vec<_>>(), [Consent::Given, Consent::Withdrawn]);
}

#[test]
fn roll_numbers_may_be_swapped_within_the_file() {
    let current = state_of("CSE,A,Ann,1,P1,,\nCSE,A,Bob,2,P2,,\n");
    let diff = diff(&current, "CSE,A,Ann,2,P1,,\nCSE,A,Bob,1,P2,,\n");
    assert_eq!(diff.roll_no_changed.len(), 2);
    let numbers: Vec<_> = apply_roster(&current, &diff).members.into_iter().map(|m| m.roll_no).collect();
    assert_eq!(numbers, ["2", "1"]);
}

#[test]
fn a_roll_number_that_somebody_keeps_blocks_the_import() {
    let current = state_of("CSE,A,Ann,r1,P1,,\nAIML,B,Bob,R2,P2,,\n");
    let problems = diff_roster(&current, &rows("CSE,A,Cy,R1,P3,,\nCSE,A,Di,R2,P4,,\n"), Consent::Unknown).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "line 2, roll_no: R1 is the number of PRN P1 in CSE-A, who is not in the file; \
         list both or end that membership first"
    );
}

const DATED: &str = "class,section,name,roll_no,prn,from,to,active\n";

fn dated(lines: &str) -> Vec<RosterRow> {
    parse_roster(format!("{DATED}{lines}").as_bytes()).unwrap()
}

fn days(from: &str, to: &str) -> Days {
    Days { from: from.parse().ok(), to: to.parse().ok() }
}

#[test]
fn days_and_activity_are_taken_over_and_an_empty_cell_erases_nothing() {
    let current = state_of("CSE,A,Ann,1,P1,,\nCSE,A,Bob,2,P2,,\n");
    let lines = dated("CSE,A,Ann,1,P1,2026-09-01,,\nCSE,A,Bob,2,P2,,2026-12-01,no\n");
    let diff = diff_roster(&current, &lines, Consent::Unknown).unwrap();
    assert_eq!(
        diff.to_string(),
        "~ CSE-A Ann: without a first and last day -> from 2026-09-01\n\
         ~ CSE-A Bob: without a first and last day -> until 2026-12-01\n\
         ~ PRN P2: is \"active\" -> \"inactive\"\n\
         = 0 unchanged"
    );
    let after = apply_roster(&current, &diff);
    let silent = diff_roster(&after, &rows("CSE,A,Ann,1,P1,,\nCSE,A,Bob,2,P2,,\n"), Consent::Unknown).unwrap();
    assert!(silent.is_empty(), "{silent}");
    let backwards = diff_roster(&after, &dated("CSE,A,Ann,1,P1,,2026-08-01,\n"), Consent::Unknown).unwrap_err();
    assert_eq!(
        backwards.to_string(),
        "line 2, to: PRN P1 is known to be in CSE-A from 2026-09-01: the last day would be before the first"
    );
}

#[test]
fn whoever_has_left_comes_back_only_on_a_day_that_the_file_names() {
    let mut current = state_of("CSE,A,Ann,1,P1,,\n");
    let mut stay = current.members.remove(0);
    stay.days = days("", "2026-10-01");
    current.ended.push(stay);
    let import = |line: &str| diff_roster(&current, &dated(line), Consent::Unknown);
    assert_eq!(
        import("CSE,A,Ann,1,P1,,,\n").unwrap_err().to_string(),
        "line 2, from: PRN P1 was in CSE-A until 2026-10-01; write the day of the return, or leave the row out"
    );
    assert!(import("CSE,A,Ann,1,P1,,2026-10-01,\n").unwrap().is_empty(), "the stay as it was");
    let back = import("CSE,A,Ann,7,P1,2026-11-01,,\n").unwrap();
    assert_eq!(back.members_added[0].days, days("2026-11-01", ""));
    assert!(diff_roster(&current, &dated("CSE,A,Bob,1,P2,,,\n"), Consent::Unknown).is_ok(), "the number is free");
}

/// A roster of a few people and classes in which every person is the same everywhere.
fn roster() -> impl Strategy<Value = String> {
    let person = (any::<bool>(), 0..3usize, prop::sample::select(vec!["", "yes", "no"]), "[12]");
    proptest::collection::vec(person, 1..6).prop_map(|persons| {
        let mut lines = String::new();
        for (i, (is_listed, name, consent, section)) in persons.iter().enumerate() {
            let email = if *is_listed { format!("{name}@x.example") } else { String::new() };
            let roll_no = (i * 7 + name) % 11;
            lines += &format!("CSE,{section},Name {name},{roll_no},P{i},{email},{consent}\n");
            if *is_listed {
                lines += &format!("AIML,{section},Name {name},{roll_no},p{i},,\n");
            }
        }
        lines
    })
}

proptest! {
    #[test]
    fn an_import_twice_changes_nothing(
        before in roster(), file in roster(),
        default in prop::sample::select(vec![Consent::Unknown, Consent::Given, Consent::Withdrawn]),
    ) {
        let parsed = |lines: &str| parse_roster(format!("{HEADER}{lines}").as_bytes());
        let (Ok(before), Ok(file)) = (parsed(&before), parsed(&file)) else { return Ok(()) };
        let empty = RosterState::default();
        let current = apply_roster(&empty, &diff_roster(&empty, &before, Consent::Unknown).unwrap());
        if let Ok(diff) = diff_roster(&current, &file, default) {
            let after = apply_roster(&current, &diff);
            let again = diff_roster(&after, &file, default).unwrap();
            prop_assert!(again.is_empty(), "{}", again);
            prop_assert_eq!(again.unchanged, file.len());
            prop_assert_eq!(again.members_not_in_file.len(), diff.members_not_in_file.len());
            let mut numbers: Vec<_> = after.members.iter().map(|m| (&m.class, &m.roll_no)).collect();
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), after.members.len(), "roll numbers stay unique");
        }
    }
}
