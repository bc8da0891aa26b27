//! Sheets as people bring them back.

use proptest::prelude::*;

use super::*;
use crate::domain::sheet::fixtures;
use crate::domain::sheet::{SessionSheet, StatusStyle};
use AttendanceStatus::{Absent, Excused, Late, Present, Unmarked};

const STATUSES: [AttendanceStatus; 4] = [Present, Absent, Unmarked, Late];

/// Four members, the third with a note of the machine, the fourth set by hand.
fn sheet() -> SessionSheet {
    let mut sheet = fixtures::session(&STATUSES);
    sheet.rows[2].note = Some("may be in a photo: please decide".into());
    (sheet.rows[3].source, sheet.rows[3].note) = (RecordSource::Manual, Some("bus".into()));
    sheet
}

/// As the workbook gives it away.
fn given(sheet: &SessionSheet) -> Vec<ReturnedRow> {
    let row = |(index, row): (usize, &SessionRow)| {
        let note = row.note.clone().unwrap_or_default();
        ReturnedRow {
            row: index as u32 + 9,
            key: RowKey::new(sheet.id, row, &note).to_string(),
            roll_no: row.roll_no.clone(),
            prn: row.prn.clone(),
            label: Some(sheet.rules.marks().label(row.status).to_owned()),
            word: None,
            note: Some(note),
        }
    };
    sheet.rows.iter().enumerate().map(row).collect()
}

fn compared(now: &SessionSheet, rows: Vec<ReturnedRow>) -> SheetChanges {
    SessionNow { id: now.id, rows: &now.rows, styles: &now.rules.styles }.compare(&[rows]).unwrap()
}

fn label(row: &mut ReturnedRow, text: &str) {
    row.label = Some(text.into());
}

fn said(change: &RowChange) -> (&str, AttendanceStatus, Option<&str>, bool) {
    (&change.roll_no, change.to.status, change.to.note.as_deref(), change.is_conflict)
}

fn codes(changes: &SheetChanges) -> Vec<(u32, Option<&str>, RowProblemCode)> {
    changes.problems.iter().map(|problem| (problem.row, problem.column, problem.code)).collect()
}

#[test]
fn what_comes_back_as_it_went_changes_nothing() {
    let sheet = sheet();
    assert_eq!(compared(&sheet, given(&sheet)), SheetChanges { unchanged: 4, ..SheetChanges::default() });
}

#[test]
fn a_status_is_read_by_label_short_label_or_word_in_any_case() {
    let sheet = sheet();
    for text in ["L", "l", " Late ", "LATE", "late"] {
        let mut rows = given(&sheet);
        label(&mut rows[1], text);
        let changes = compared(&sheet, rows);
        assert_eq!(changes.changes.iter().map(said).collect::<Vec<_>>(), [("R2", Late, None, false)], "{text:?}");
    }
    let mut rows = given(&sheet);
    (0..3).zip(["", "here", "#N/A"]).for_each(|(row, text)| label(&mut rows[row], text));
    let changes = compared(&sheet, rows);
    let unknown = |row| (row, Some("label"), RowProblemCode::UnknownStatus);
    assert_eq!(codes(&changes), [unknown(9), unknown(10), unknown(11)]);
    assert_eq!(changes.problems[1].detail, "`here` is no status; write one of P, A, L, E, ?");
    assert_eq!((changes.changes.len(), changes.unchanged), (0, 1));
}

#[test]
fn a_schools_own_labels_go_before_words() {
    let mut styles = StatusStyles::default().all().to_vec();
    styles[3] = StatusStyle { label: "Absent".into(), ..styles[3].clone() };
    styles[1].label = "Missing".into();
    let styles = StatusStyles::new(styles).unwrap();
    assert_eq!((styles.meaning("absent"), styles.meaning("a")), (Some(Excused), Some(Absent)));
    let mut twice = styles.all().to_vec();
    twice[1].label = "Absent".into();
    let twice = StatusStyles::new(twice).unwrap();
    assert_eq!(twice.meaning("present"), Some(Present));
    assert_eq!(twice.meaning("absent"), Some(Absent), "the word, where the label is two meanings'");
}

#[test]
fn notes_come_with_the_status_and_machine_notes_do_not() {
    let sheet = sheet();
    let mut rows = given(&sheet);
    rows[0].note = Some(" left early\r\nwith a pass ".into());
    label(&mut rows[2], "P");
    rows[3].note = Some(String::new());
    let changes = compared(&sheet, rows);
    let expected = [
        ("R1", Present, Some("left early\nwith a pass"), false),
        ("R3", Present, None, false),
        ("R4", Late, None, false),
    ];
    assert_eq!(changes.changes.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(changes.changes[1].from.note.as_deref(), Some("may be in a photo: please decide"));

    let mut rows = given(&sheet);
    rows[2].note = Some(String::new());
    assert_eq!(compared(&sheet, rows).unchanged, 4, "a machine's note that was cleared asks for nothing");
    let mut rows = given(&sheet);
    rows[0].note = Some("é".repeat(MAX_NOTE_CHARS + 1));
    assert_eq!(codes(&compared(&sheet, rows)), [(9, Some("note"), RowProblemCode::NoteTooLong)]);
}

#[test]
fn only_what_changed_on_both_sides_is_a_conflict() {
    let before = sheet();
    let mut now = sheet();
    for row in [0, 1] {
        (now.rows[row].status, now.rows[row].source) = (Excused, RecordSource::Manual);
        now.rows[row].version = "later".into();
    }
    let mut rows = given(&before);
    label(&mut rows[1], "P");
    label(&mut rows[3], "A");
    let changes = compared(&now, rows);
    assert_eq!(
        changes.changes.iter().map(said).collect::<Vec<_>>(),
        [("R2", Present, None, true), ("R4", Absent, Some("bus"), false)],
        "the first was changed there and not here"
    );
    let mut rows = given(&before);
    label(&mut rows[1], "E");
    assert_eq!(compared(&now, rows).changes, [], "both have said the same");
}

#[test]
fn a_note_alone_leaves_a_status_that_changed_meanwhile() {
    let (before, mut now) = (sheet(), sheet());
    (now.rows[0].status, now.rows[0].version) = (Absent, "later".into());
    let mut rows = given(&before);
    rows[0].note = Some("sat at the back".into());
    let changes = compared(&now, rows);
    assert_eq!(said(&changes.changes[0]), ("R1", Absent, Some("sat at the back"), true));
}

#[test]
fn rows_that_were_moved_keep_their_students() {
    let sheet = sheet();
    let mut rows = given(&sheet);
    label(&mut rows[1], "E");
    rows.reverse();
    assert_eq!(said(&compared(&sheet, rows).changes[0]), ("R2", Excused, None, false));

    let mut sorted_without_keys = given(&sheet);
    label(&mut sorted_without_keys[1], "E");
    let keys: Vec<String> = sorted_without_keys.iter().map(|row| row.key.clone()).rev().collect();
    sorted_without_keys.iter_mut().zip(keys).for_each(|(row, key)| row.key = key);
    let changes = compared(&sheet, sorted_without_keys);
    assert_eq!(changes.changes.iter().map(said).collect::<Vec<_>>(), [("R2", Excused, None, false)]);
}

#[test]
fn a_row_without_its_key_is_found_by_roll_number_or_prn() {
    let sheet = sheet();
    let mut rows = given(&sheet);
    rows[0] = ReturnedRow { key: String::new(), prn: String::new(), roll_no: " r1".into(), ..rows[0].clone() };
    label(&mut rows[0], "A");
    rows[1] = ReturnedRow { key: "s1-m2-half".into(), roll_no: String::new(), ..rows[1].clone() };
    label(&mut rows[1], "P");
    rows[3].key = String::new();
    label(&mut rows[3], "A");
    let changes = compared(&sheet, rows);
    let expected = [("R1", Absent, None, false), ("R2", Present, None, false), ("R4", Absent, Some("bus"), true)];
    assert_eq!(changes.changes.iter().map(said).collect::<Vec<_>>(), expected, "a person has set the last");
}

#[test]
fn rows_that_are_nobodys_or_two_students_are_problems() {
    let sheet = sheet();
    let mut rows = given(&sheet);
    (rows[0].key, rows[0].roll_no, rows[0].prn) = (String::new(), "R77".into(), "PRN77".into());
    (rows[1].key, rows[1].prn) = (String::new(), "PRN0001".into());
    (rows[2].roll_no, rows[2].prn) = ("7".into(), "7".into());
    label(&mut rows[2], "P");
    let changes = compared(&sheet, rows);
    let of = |row, code| (row, Some("roll_no"), code);
    assert_eq!(codes(&changes), [of(9, RowProblemCode::UnknownMember), of(10, RowProblemCode::UnclearMember)]);
    assert_eq!(said(&changes.changes[0]).0, "R3", "the key knows whose mistyped row it is");
}

#[test]
fn a_student_twice_is_followed_only_where_both_rows_agree() {
    let sheet = sheet();
    let mut rows = given(&sheet);
    label(&mut rows[0], "A");
    rows.push(ReturnedRow { row: 20, ..rows[0].clone() });
    assert_eq!(compared(&sheet, rows.clone()).changes.len(), 1);
    label(&mut rows[4], "L");
    let changes = compared(&sheet, rows);
    assert_eq!((changes.changes.len(), codes(&changes)), (0, vec![(20, None, RowProblemCode::DuplicateRow)]));
}

#[test]
fn of_two_columns_the_changed_one_counts() {
    let sheet = sheet();
    let with_words = |label: &str, word: &str| {
        let mut rows = given(&sheet);
        (rows[1].label, rows[1].word) = (Some(label.into()), Some(word.into()));
        compared(&sheet, rows)
    };
    assert_eq!(said(&with_words("L", "absent").changes[0]).1, Late);
    assert_eq!(said(&with_words("A", "Late").changes[0]).1, Late);
    assert_eq!(with_words("A", "absent").unchanged, 4);
    assert_eq!(codes(&with_words("L", "excused")), [(10, Some("status"), RowProblemCode::UnclearStatus)]);
}

#[test]
fn another_sessions_sheet_is_refused_and_a_copied_row_is_a_problem() {
    let sheet = sheet();
    let mut other = self::sheet();
    other.id = SessionId(2);
    let now = SessionNow { id: sheet.id, rows: &sheet.rows, styles: &sheet.rules.styles };
    let refused = now.compare(&[given(&other)]).unwrap_err();
    assert_eq!(refused, WrongSheet::OtherSession { found: SessionId(2), expected: SessionId(1) });
    let mut bare = given(&sheet);
    bare.iter_mut().for_each(|row| row.key.clear());
    assert_eq!(now.compare(&[bare]).unwrap_err(), WrongSheet::NoKeys);
    assert_eq!(now.compare(&[given(&other), given(&sheet)]).unwrap().unchanged, 4, "a page of several");
    let mut mixed = given(&sheet);
    mixed[0] = given(&other).remove(0);
    assert_eq!(codes(&compared(&sheet, mixed)), [(9, None, RowProblemCode::OtherSession)]);
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof!["R[1-4]", "PRN000[1-4]", "[PALE?x]", "s1-m[1-4]-present-.*", ".{0,12}"]
}

proptest! {
    #[test]
    fn whatever_stands_in_the_cells_every_row_is_accounted_for_once(
        cells in proptest::collection::vec((cell(), cell(), cell(), cell(), proptest::option::of(cell())), 0..12),
    ) {
        let sheet = sheet();
        let mut rows = given(&sheet);
        rows.extend((20..).zip(cells).map(|(row, (key, roll_no, prn, label, note))| {
            ReturnedRow { row, key, roll_no, prn, label: Some(label), word: None, note }
        }));
        let changes = compared(&sheet, rows);
        let members: BTreeSet<MemberId> = changes.changes.iter().map(|change| change.member).collect();
        prop_assert_eq!(members.len(), changes.changes.len());
        prop_assert!(changes.changes.len() + changes.unchanged <= sheet.rows.len());
        for change in &changes.changes {
            prop_assert!(change.from != change.to);
        }
    }
}
