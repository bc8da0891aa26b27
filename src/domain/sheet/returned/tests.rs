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
            key: RowKey::new(sheet.id, row, sheet.rules.marks().label(row.status), &note).to_string(),
            roll_no: row.roll_no.clone(),
            prn: row.prn.clone(),
            label: Some(sheet.rules.marks().label(row.status).to_owned()),
            word: None,
            note: Some(note),
        }
    };
    sheet.rows.iter().enumerate().map(row).collect()
}

fn page(rows: Vec<ReturnedRow>) -> ReturnedPage {
    named("", rows)
}

fn named(name: &str, rows: Vec<ReturnedRow>) -> ReturnedPage {
    ReturnedPage { name: name.into(), rows }
}

fn compared(now: &SessionSheet, rows: Vec<ReturnedRow>) -> SheetChanges {
    of_pages(now, &[page(rows)])
}

fn of_pages(now: &SessionSheet, pages: &[ReturnedPage]) -> SheetChanges {
    SessionNow { id: now.id, rows: &now.rows, styles: &now.rules.styles }.compare(pages).unwrap()
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
    let refused = now.compare(&[page(given(&other))]).unwrap_err();
    assert_eq!(refused, WrongSheet::OtherSession { found: SessionId(2), expected: SessionId(1) });
    let mut bare = given(&sheet);
    bare.iter_mut().for_each(|row| row.key.clear());
    assert_eq!(now.compare(&[page(bare)]).unwrap_err(), WrongSheet::NoKeys);
    assert_eq!(of_pages(&sheet, &[page(given(&other)), page(given(&sheet))]).unchanged, 4, "a page of several");
    let mut mixed = given(&sheet);
    mixed[0] = given(&other).remove(0);
    assert_eq!(codes(&compared(&sheet, mixed)), [(9, None, RowProblemCode::OtherSession)]);
}

/// A spreadsheet puts the copy of a page before it.
#[test]
fn of_a_page_and_its_copy_both_are_read() {
    let sheet = sheet();
    let mut corrected = given(&sheet);
    label(&mut corrected[1], "P");
    let pages = [named("Attendance (2)", given(&sheet)), named("Attendance", corrected.clone())];
    let changes = of_pages(&sheet, &pages);
    assert_eq!((changes.changes.len(), changes.unchanged, codes(&changes).len()), (0, 3, 1));
    assert_eq!(
        changes.problems[0].detail,
        "page `Attendance`: row 10 of page `Attendance (2)` says something else of the same student: neither is followed"
    );
    let pages = [named("Attendance", corrected.clone()), named("Attendance (2)", corrected)];
    let changes = of_pages(&sheet, &pages);
    assert_eq!((changes.changes.len(), changes.problems), (1, vec![]), "both say the same");
}

#[test]
fn a_row_pasted_onto_another_sessions_page_does_not_hide_ones_own() {
    let sheet = sheet();
    let other = SessionSheet { id: SessionId(2), ..self::sheet() };
    let mut with_guest = given(&other);
    with_guest.push(ReturnedRow { row: 30, ..given(&sheet)[0].clone() });
    with_guest.push(ReturnedRow { row: 31, key: String::new(), ..given(&sheet)[3].clone() });
    let mut own = given(&sheet);
    label(&mut own[1], "P");
    let changes = of_pages(&sheet, &[named("other", with_guest.clone()), named("own", own)]);
    assert_eq!(changes.changes.iter().map(said).collect::<Vec<_>>(), [("R2", Present, None, false)]);
    let foreign = |row| (row, None, RowProblemCode::OtherSession);
    let expected: Vec<_> = [9, 10, 11, 12, 31].map(foreign).into();
    assert_eq!((changes.unchanged, codes(&changes)), (3, expected), "a row without a key is of the page it stands on");
    assert!(changes.problems[4].detail.contains("its page is of session 2"), "{}", changes.problems[4].detail);
    assert_eq!(codes(&of_pages(&other, &[named("other", with_guest)])), [foreign(30)]);
}

#[test]
fn a_page_is_kept_whole_for_its_sessions_only() {
    let sheet = sheet();
    let other = SessionSheet { id: SessionId(2), ..self::sheet() };
    let mixed: Vec<ReturnedRow> = given(&other).into_iter().chain(given(&sheet)).collect();
    assert_eq!(page(mixed.clone()).for_session(SessionId(1)).rows.len(), 8);
    let left = page(mixed).for_session(SessionId(3));
    assert_eq!((left.rows.len(), sessions_of(&[left])), (2, BTreeSet::from([SessionId(1), SessionId(2)])));
}

/// A spreadsheet has made a number of a long PRN, and roll numbers were given anew since.
#[test]
fn a_roll_number_alone_does_not_win_over_a_sound_key() {
    let sheet = sheet();
    let mut rows = given(&sheet);
    (rows[0].roll_no, rows[0].prn) = ("R2".into(), "1.03221E+11".into());
    label(&mut rows[0], "A");
    rows.remove(1);
    let changes = compared(&sheet, rows.clone());
    assert_eq!(codes(&changes), [(9, Some("roll_no"), RowProblemCode::UnclearMember)]);
    assert!(changes.problems[0].detail.ends_with("nobody has PRN `1.03221E+11`"), "{}", changes.problems[0].detail);
    assert_eq!(changes.changes, []);
    let mut without_first = self::sheet();
    without_first.rows.remove(0);
    assert_eq!(codes(&compared(&without_first, rows.clone())).len(), 1, "also when whom the key is of has left");
    rows[0].roll_no = "R1".into();
    assert_eq!(said(&compared(&sheet, rows).changes[0]).0, "R1");
}

#[test]
fn marks_that_have_changed_since_change_no_record() {
    let before = fixtures::session(&[Excused, Late, Present, Absent]);
    let mut now = before.clone();
    let mut styles = StatusStyles::default().all().to_vec();
    for style in &mut styles {
        style.short = match style.status {
            Late => "E".into(),
            Excused => "X".into(),
            Absent => "N".into(),
            _ => style.short.clone(),
        };
    }
    now.rules.styles = StatusStyles::new(styles).unwrap();
    assert_eq!(compared(&now, given(&before)), SheetChanges { unchanged: 4, ..SheetChanges::default() });
    let mut rows = given(&before);
    label(&mut rows[2], "E");
    assert_eq!(
        said(&compared(&now, rows).changes[0]),
        ("R3", Late, None, false),
        "what somebody writes now means what it does now"
    );
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
