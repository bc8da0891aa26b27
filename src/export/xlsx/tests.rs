//! Workbooks read back: cells and types with calamine, set-up from the XML itself.

use std::io::{Cursor, Read};

use calamine::{Data, Range, Reader, Xlsx};
use chrono::{TimeDelta, Timelike};

use super::{class_workbook, pilot_workbook, register_workbook, session_workbook};
use crate::domain::class_label::{ClassLabels, class_refs};
use crate::domain::ids::{ClassId, MemberId, SessionId, StudentId};
use crate::domain::pilot::{
    Lesson, LessonKind, Opinion, PilotSheet, Register, RollEntry, Scope, compare, parse_register,
};
use crate::domain::sheet::fixtures::{FIRST_DAY, column, empty_register, member, register, session};
use crate::domain::sheet::{
    OpenLesson, Points, RegisterRecord, RegisterSheet, SessionRow, SessionSheet, SheetRules, StatusCounts,
    StatusStyles, Taken,
};
use crate::domain::status::AttendanceStatus::{self, Absent, Excused, Late, Present, Unmarked};
use crate::export::ExportError;

/// Texts that a careless writer turns into formulas, breaks, or loses.
const HOSTILE: [&str; 10] = [
    "=HYPERLINK(\"http://example.org\",\"x\")",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "سارة بنت عبد الرحمن",
    "Zoë 👩🏽‍🎓 O'Neil",
    "two\nlines",
    "<b>&amp;</b> \" '",
    "_x0041_",
    "00123",
];

pub(super) fn open(bytes: &[u8]) -> Xlsx<Cursor<&[u8]>> {
    Xlsx::new(Cursor::new(bytes)).unwrap()
}

pub(super) fn cells(bytes: &[u8], page: &str) -> Range<Data> {
    open(bytes).worksheet_range(page).unwrap()
}

/// The cell called `name` (`D8`); everything beyond the written range is empty.
fn at(range: &Range<Data>, name: &str) -> Data {
    let split = name.find(|c: char| c.is_ascii_digit()).unwrap();
    let col = name[..split].bytes().fold(0, |col, letter| col * 26 + u32::from(letter - b'A') + 1) - 1;
    let row: u32 = name[split..].parse().unwrap();
    range.get_value((row - 1, col)).cloned().unwrap_or(Data::Empty)
}

pub(super) fn text(range: &Range<Data>, name: &str) -> String {
    match at(range, name) {
        Data::String(text) => text,
        Data::Empty => String::new(),
        other => panic!("{name} holds {other:?}, not text"),
    }
}

pub(super) fn number(range: &Range<Data>, name: &str) -> f64 {
    match at(range, name) {
        Data::Float(number) => number,
        Data::Int(number) => number as f64,
        other => panic!("{name} holds {other:?}, not a number"),
    }
}

fn formula(bytes: &[u8], page: &str, name: &str) -> String {
    let range = open(bytes).worksheet_formula(page).unwrap();
    let split = name.find(|c: char| c.is_ascii_digit()).unwrap();
    let col = name[..split].bytes().fold(0, |col, letter| col * 26 + u32::from(letter - b'A') + 1) - 1;
    range.get_value((name[split..].parse::<u32>().unwrap() - 1, col)).cloned().unwrap_or_default()
}

pub(super) fn part(bytes: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn styles(absent: &str, unmarked: &str) -> StatusStyles {
    let mut styles = StatusStyles::default().all().to_vec();
    styles[1].short = absent.to_owned();
    styles[4].short = unmarked.to_owned();
    StatusStyles::new(styles).unwrap()
}

/// A page for every session of `register`, saying the same.
fn pages_of(register: &RegisterSheet) -> Vec<SessionSheet> {
    let page = |(index, column): (usize, &crate::domain::sheet::RegisterColumn)| {
        let mut sheet = session(&[]);
        (sheet.id, sheet.name, sheet.starts_at) = (column.id, column.name.clone(), column.starts_at);
        sheet.rules = register.rules().clone();
        let blank = session(&[Present]).rows.remove(0);
        let row = |row: &crate::domain::sheet::RegisterRow| {
            let (roll_no, prn, name) = (row.roll_no.clone(), row.prn.clone(), row.name.clone());
            row.cells[index].map(|status| SessionRow { roll_no, prn, name, status, ..blank.clone() })
        };
        sheet.rows = register.rows().iter().filter_map(row).collect();
        sheet
    };
    register.sessions().iter().enumerate().map(page).collect()
}

#[test]
fn session_heading_tells_which_class_when_and_how_many() {
    let mut sheet = session(&[Present, Present, Late, Absent, Excused, Unmarked]);
    sheet.flags.clear();
    let bytes = session_workbook(&sheet, None).unwrap();
    let range = cells(&bytes, "Attendance");
    assert_eq!(text(&range, "A1"), "Springfield College");
    assert_eq!(text(&range, "A2"), "CSE-A · 2025-26");
    assert_eq!(text(&range, "D2"), "Machine Learning · Lecture 12");
    let Data::DateTime(at_cell) = at(&range, "A3") else { panic!("A3 is not a date") };
    assert_eq!(at_cell.as_f64(), 45719.0 + 9.5 / 24.0);
    let legend = ["A4", "B4", "C4", "D4", "E4"].map(|cell| text(&range, cell));
    assert_eq!(legend, ["P = Present", "A = Absent", "L = Late", "E = Excused", "? = Unmarked"]);
    assert_eq!(
        ["A5", "B5", "C5", "D5", "E5", "F5", "G5"].map(|c| number(&range, c)),
        [2.0, 1.0, 1.0, 1.0, 1.0, 6.0, 0.75]
    );
    assert_eq!(text(&range, "A6"), "1 needs the teacher's decision");
    assert_eq!(text(&range, "A7"), "2 strangers");
    assert_eq!(text(&range, "A16"), "Attendance = (P + L) / (P + A + L); E and ? do not count.");
    assert_eq!(text(&range, "A17"), "Recognised by starter 1.0.0 on cpu");
}

#[test]
fn session_rows_hold_text_labels_and_rounded_confidence() {
    let mut sheet = session(&[Present, Absent]);
    sheet.rows[1].confidence = Some(f32::NAN);
    sheet.rows[1].note = Some("left early".into());
    let range = cells(&session_workbook(&sheet, None).unwrap(), "Attendance");
    let header = ["A8", "B8", "C8", "D8", "E8", "F8", "G8"].map(|cell| text(&range, cell));
    assert_eq!(header, ["Roll no", "PRN", "Name", "Status", "Confidence", "Source", "Note"]);
    assert_eq!(["A9", "B9", "C9", "D9", "F9"].map(|c| text(&range, c)), ["R1", "PRN0001", "Student 1", "P", "auto"]);
    assert_eq!(number(&range, "E9"), 0.97);
    assert_eq!(["D10", "E10", "G10"].map(|c| text(&range, c)), ["A", "", "left early"]);
}

#[test]
fn counts_are_formulas_over_the_status_cells() {
    let bytes = session_workbook(&session(&[Present, Unmarked]), None).unwrap();
    assert_eq!(formula(&bytes, "Attendance", "A5"), "COUNTIF($D$9:$D$10,\"P\")");
    assert_eq!(formula(&bytes, "Attendance", "E5"), "COUNTIF($D$9:$D$10,\"~?\")");
    assert_eq!(formula(&bytes, "Attendance", "G5"), "IF(A5+B5+C5=0,\"\",(A5+C5)/(A5+B5+C5))");
}

#[test]
fn nothing_decided_leaves_the_percentage_and_a_quiet_class_the_notices_empty() {
    let waiting = cells(&session_workbook(&session(&[Unmarked]), None).unwrap(), "Attendance");
    assert_eq!(text(&waiting, "G5"), "");
    let mut quiet = session(&[Present]);
    (quiet.strangers, quiet.flags) = (0, Vec::new());
    let quiet = cells(&session_workbook(&quiet, None).unwrap(), "Attendance");
    assert_eq!(text(&quiet, "A6"), "");
    assert_eq!(text(&quiet, "A7"), "Roll no", "the table moves up when there is nothing to say");
}

#[test]
fn what_people_typed_is_text_and_never_a_formula() {
    let mut sheet = session(&[Present; HOSTILE.len()]);
    for (row, typed) in sheet.rows.iter_mut().zip(HOSTILE) {
        (row.roll_no, row.prn, row.name) = (typed.into(), typed.into(), typed.into());
        row.note = Some(typed.into());
    }
    (sheet.heading.school, sheet.heading.class) = (HOSTILE[0].into(), HOSTILE[7].into());
    sheet.flags = vec![HOSTILE[1].into()];
    let bytes = session_workbook(&sheet, None).unwrap();
    let range = cells(&bytes, "Attendance");
    assert_eq!(text(&range, "A1"), HOSTILE[0]);
    for (row, typed) in (9..).zip(HOSTILE) {
        for col in ["A", "B", "C", "G"] {
            assert_eq!(text(&range, &format!("{col}{row}")), typed);
        }
    }
    let formulas = open(&bytes).worksheet_formula("Attendance").unwrap();
    let of_table = formulas.used_cells().filter(|(row, _, _)| *row as u32 + formulas.start().unwrap().0 >= 7);
    assert_eq!(of_table.count(), 0);
    assert_eq!(formulas.used_cells().count(), 7, "five counts, a percentage, a notice");
}

#[test]
fn characters_that_xml_cannot_hold_are_left_out() {
    let mut sheet = session(&[Present]);
    sheet.rows[0].name = "A\u{0}nn\u{b}a\r\nB\u{fffe}".into();
    sheet.heading.school = "S\u{1}".into();
    let range = cells(&session_workbook(&sheet, None).unwrap(), "Attendance");
    assert_eq!(text(&range, "C9"), "Anna\nB");
    assert_eq!(text(&range, "A1"), "S");
}

#[test]
fn a_text_beyond_the_format_is_an_error_that_names_the_class() {
    let mut sheet = session(&[Present]);
    sheet.rows[0].name = "x".repeat(32_768);
    let error = session_workbook(&sheet, None).unwrap_err();
    assert!(matches!(error, ExportError::Workbook { .. }));
    assert!(error.to_string().starts_with("the workbook of CSE-A could not be written: "), "{error}");
}

#[test]
fn session_page_is_ready_to_edit_and_to_print() {
    let bytes = session_workbook(&session(&[Present; 28]), None).unwrap();
    let xml = part(&bytes, "xl/worksheets/sheet1.xml");
    for expected in [
        "<formula1>\"P,A,L,E,?\"</formula1>",
        "sqref=\"D9:D36\"><formula1>",
        "<formula>D9=\"A\"</formula>",
        "ySplit=\"8\" topLeftCell=\"A9\" activePane=\"bottomLeft\" state=\"frozen\"",
        "<autoFilter ref=\"A8:H36\"/>",
        "<col min=\"8\" max=\"8\" width=\"0\" hidden=\"1\"",
        "paperSize=\"9\" orientation=\"portrait\"",
        "fitToPage=\"1\"",
        "<ignoredError sqref=\"A9:B36\" numberStoredAsText=\"1\"/>",
        "&amp;C&amp;8 Page &amp;P of &amp;N",
    ] {
        assert!(xml.contains(expected), "{expected} in {xml}");
    }
    let names = part(&bytes, "xl/workbook.xml");
    assert!(names.contains("Attendance!$8:$8"), "the header row is repeated: {names}");
    let long = part(&session_workbook(&session(&[Present; 90]), None).unwrap(), "xl/worksheets/sheet1.xml");
    assert!(long.contains("fitToHeight=\"0\""), "a large class takes as many sheets as it needs");
}

#[test]
fn register_shows_every_mark_and_leaves_days_outside_empty() {
    let mut late_comer = member(2);
    late_comer.from = Some(FIRST_DAY + TimeDelta::days(1));
    let sheet = empty_register().filled(vec![member(10), late_comer], vec![column(0), column(1)], &[]);
    let range = cells(&register_workbook(&sheet).unwrap(), "Register");
    assert_eq!(["A6", "B6", "C6", "M6", "N6"].map(|c| text(&range, c)), ["CSE-A-2", "PRN0002", "Student 2", "", "?"]);
    assert_eq!(["A7", "M7", "N7"].map(|c| text(&range, c)), ["CSE-A-10", "?", "?"]);
    let Data::DateTime(starts) = at(&range, "N4") else { panic!("N4 is not a date") };
    assert_eq!(starts.as_f64(), 45720.0 + f64::from(column(1).starts_at.num_seconds_from_midnight()) / 86_400.0);
    assert_eq!(text(&range, "N5"), "Lecture 2");
    assert_eq!(text(&range, "I6"), "", "nothing counted, no percentage");
}

/// Five members over six sessions, some cells empty.
fn mixed() -> RegisterSheet {
    let pick = |n: usize| StatusCounts::ORDER.get(n % 7).copied().filter(|s| *s != Unmarked).or(Some(Present));
    register(&(0..5).map(|m| (0..6).map(|d| pick(m * m + 3 * d + m * d)).collect()).collect::<Vec<_>>())
}

#[test]
fn stored_totals_agree_with_the_marks_on_the_page() {
    let sheet = mixed();
    let range = cells(&register_workbook(&sheet).unwrap(), "Register");
    let sessions = ["M", "N", "O", "P", "Q", "R"];
    let marks = |names: Vec<String>, label: &str| names.iter().filter(|n| text(&range, n) == label).count() as f64;
    for row in 6..=10 {
        let of_row = || sessions.iter().map(|col| format!("{col}{row}")).collect();
        for (col, label) in ["D", "E", "F", "G", "H"].into_iter().zip(["P", "A", "L", "E", "?"]) {
            assert_eq!(number(&range, &format!("{col}{row}")), marks(of_row(), label), "{col}{row}");
        }
        let attended = marks(of_row(), "P") + marks(of_row(), "L");
        assert_eq!(number(&range, &format!("I{row}")), attended / (attended + marks(of_row(), "A")));
    }
    for col in sessions {
        for (row, label) in (12..).zip(["P", "A", "L", "E", "?"]) {
            let of_col = (6..=10).map(|row| format!("{col}{row}")).collect();
            assert_eq!(number(&range, &format!("{col}{row}")), marks(of_col, label), "{col}{row}");
        }
    }
    let counts = sheet.class_counts();
    assert_eq!(number(&range, "D11"), f64::from(counts.present));
    assert_eq!(number(&range, "E11"), f64::from(counts.absent));
    assert_eq!(number(&range, "I2"), sheet.low_attendance().count() as f64);
    assert_eq!(number(&range, "I3"), 0.75);
}

#[test]
fn register_counts_by_formula_and_colours_by_rule() {
    let bytes = register_workbook(&mixed()).unwrap();
    assert_eq!(formula(&bytes, "Register", "E6"), "COUNTIF($M6:$R6,\"A\")");
    assert_eq!(formula(&bytes, "Register", "M16"), "COUNTIF(M$6:M$10,\"~?\")");
    assert_eq!(formula(&bytes, "Register", "D11"), "SUM(D$6:D$10)");
    assert_eq!(formula(&bytes, "Register", "I2"), "COUNTIF(I$6:I$10,\"<\"&$I$3)");
    let xml = part(&bytes, "xl/worksheets/sheet1.xml");
    for expected in [
        "<conditionalFormatting sqref=\"M6:R10\">",
        "<formula>M6=\"L\"</formula>",
        "<formula>AND(ISNUMBER($I6),$I6&lt;$I$3)</formula>",
        "xSplit=\"3\" ySplit=\"5\"",
        "orientation=\"portrait\"",
        "fitToHeight=\"0\"",
    ] {
        assert!(xml.contains(expected), "{expected} in {xml}");
    }
    let names = part(&bytes, "xl/workbook.xml");
    assert!(names.contains("Register!$A:$C,Register!$4:$5"), "names and dates are repeated: {names}");
}

#[test]
fn a_register_looks_ahead() {
    let lesson = |day: i64, is_to_come| OpenLesson { day: FIRST_DAY + TimeDelta::days(day), is_to_come };
    let marks = |session: i64, status| RegisterRecord { session: SessionId(session), member: MemberId(1), status };
    let mut signed = column(1);
    signed.taken = Some(Taken { by: "=Ann".into(), at: signed.starts_at });
    let sheet = empty_register().with_open_lessons(vec![lesson(3, false), lesson(9, true), lesson(10, true)]).filled(
        vec![member(1)],
        vec![column(0), signed, column(2)],
        &[marks(0, Present), marks(1, Absent), marks(2, Absent)],
    );
    let bytes = register_workbook(&sheet).unwrap();
    let range = cells(&bytes, "Register");
    for (cell, expected) in [("I6", 1.0 / 3.0), ("J6", 1.0 / 6.0), ("K6", 3.0 / 5.0), ("L6", 2.0)] {
        assert!((number(&range, cell) - expected).abs() < 1e-12, "{cell}: {}", number(&range, cell));
    }
    assert_eq!(formula(&bytes, "Register", "J6"), "IF(D6+E6+F6+H6+3=0,\"\",(D6+F6)/(D6+E6+F6+H6+3))");
    assert_eq!((text(&range, "A13"), text(&range, "N13")), ("Taken by".into(), "=Ann, 4 Mar 09:30".into()));
    let planned = "Planned are 3 sessions that were held, and lessons: without a register 1, to come 2.";
    assert!(part(&bytes, "xl/sharedStrings.xml").contains(planned));

    let low = cells(&bytes, "Low attendance");
    assert_eq!(text(&low, "A3"), "1 member is below 75 % from 2025-03-03 to 2025-04-02.");
    assert_eq!((text(&low, "C5"), number(&low, "G5")), ("Student 1".into(), 2.0));
    assert!((number(&low, "D5") - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(formula(&bytes, "Low attendance", "F5"), "Register!$K$6");
    let chart = part(&bytes, "xl/charts/chart1.xml");
    for expected in ["Register!$M$4:$O$4", "Register!$M$7:$O$7", "<c:max val=\"1\"/>"] {
        assert!(chart.contains(expected), "{expected} in {chart}");
    }
}

#[test]
fn a_long_register_is_cut_into_pages_instead_of_shrunk_away() {
    let xml = part(&register_workbook(&register(&[vec![Some(Present); 200]])).unwrap(), "xl/worksheets/sheet1.xml");
    assert!(xml.contains("scale=\"60\"") && !xml.contains("fitToPage"), "{}", &xml[..600]);
    let breaks = xml.split_once("<colBreaks").unwrap().1;
    assert!(breaks.starts_with(" count=\"4\" manualBreakCount=\"4\""), "{}", &breaks[..60]);
    let xml = part(&register_workbook(&register(&[vec![Some(Present); 30]])).unwrap(), "xl/worksheets/sheet1.xml");
    assert!(xml.contains("<pageSetUpPr fitToPage=\"1\"/>") && !xml.contains("<colBreaks"));
    assert!(xml.contains("orientation=\"landscape\""), "more sessions than fit on an upright page");
}

#[test]
fn a_schools_own_labels_are_counted_literally() {
    let mut sheet = session(&[Absent, Unmarked]);
    sheet.rules = SheetRules { styles: styles("A*", "~"), ..SheetRules::default() };
    let bytes = session_workbook(&sheet, None).unwrap();
    assert_eq!(formula(&bytes, "Attendance", "B5"), "COUNTIF($D$9:$D$10,\"A~*\")");
    assert_eq!(formula(&bytes, "Attendance", "E5"), "COUNTIF($D$9:$D$10,\"~~\")");
    assert_eq!(text(&cells(&bytes, "Attendance"), "D9"), "A*");
}

#[test]
fn points_that_are_neither_full_nor_none_stand_in_the_formula() {
    let mut sheet = session(&[Present, Late, Late, Absent]);
    let mut styles = StatusStyles::default().all().to_vec();
    styles[2].points = Some(Points::from_fraction(0.25).unwrap());
    sheet.rules.styles = StatusStyles::new(styles).unwrap();
    let bytes = session_workbook(&sheet, None).unwrap();
    assert_eq!(formula(&bytes, "Attendance", "G5"), "IF(A5+B5+C5=0,\"\",(A5+0.25*C5)/(A5+B5+C5))");
    assert_eq!(number(&cells(&bytes, "Attendance"), "G5"), 1.5 / 4.0);
}

#[test]
fn empty_sheets_are_workbooks_too() {
    let range = cells(&session_workbook(&session(&[]), None).unwrap(), "Attendance");
    assert_eq!(number(&range, "F5"), 0.0);
    let range = cells(&register_workbook(&empty_register()).unwrap(), "Register");
    assert_eq!(number(&range, "D7"), 0.0);
}

#[test]
fn class_workbook_has_the_register_first_and_a_page_per_session() {
    let sheet = mixed();
    let mut pages = pages_of(&sheet);
    pages[1].name = Some("AI/ML: [lab] with a name that is far too long".into());
    (pages[2].starts_at, pages[2].name) = (pages[3].starts_at, pages[3].name.clone());
    let bytes = class_workbook(&sheet, &pages).unwrap();
    let names = open(&bytes).sheet_names();
    let expected = [
        "Register",
        "2025-03-03 09.30 Lecture 1",
        "2025-03-04 09.30 AI ML lab with",
        "2025-03-06 09.30 Lecture 4",
        "2025-03-06 09.30 Lecture 4 (2)",
    ];
    assert_eq!(names[..5], expected);
    assert_eq!(names[7..], ["Low attendance", "Chart"]);
    assert_eq!(text(&cells(&bytes, names[6].as_str()), "A9"), "CSE-A-1");
}

#[test]
fn register_of_a_class_follows_the_pages_of_its_sessions() {
    let sheet = mixed();
    let bytes = class_workbook(&sheet, &pages_of(&sheet)).unwrap();
    let expected = "IFERROR(VLOOKUP($B6,'2025-03-03 09.30 Lecture 1'!$B$9:$D$13,3,FALSE)&\"\",\"\")";
    assert_eq!(formula(&bytes, "Register", "M6"), expected);
    let (alone, following) = (register_workbook(&sheet).unwrap(), cells(&bytes, "Register"));
    let alone = cells(&alone, "Register");
    for cell in ["M6", "N7", "O8", "P9", "R10", "D6", "I6", "D11"] {
        assert_eq!(at(&following, cell), at(&alone, cell), "{cell}");
    }
    let xml = part(&bytes, "xl/worksheets/sheet1.xml");
    assert!(!xml.contains("<dataValidation"), "a list would invite to overwrite the formulas");
    assert!(xml.contains("location=\"'2025-03-03 09.30 Lecture 1'!A1\""));
}

#[test]
fn marks_that_a_lookup_would_not_find_stay_text() {
    let sheet = mixed();
    let mut pages = pages_of(&sheet);
    pages[0].rows[0].status = if pages[0].rows[0].status == Absent { Present } else { Absent };
    pages[1].rows[1].prn = pages[1].rows[0].prn.clone();
    pages[2].id = SessionId(999);
    pages[3].rules.styles = styles("Ab", "?");
    let bytes = class_workbook(&sheet, &pages).unwrap();
    let range = cells(&bytes, "Register");
    let marks: [(&str, AttendanceStatus); 5] = [
        ("M6", sheet.rows()[0].cells[0].unwrap()),
        ("N6", sheet.rows()[0].cells[1].unwrap()),
        ("N7", sheet.rows()[1].cells[1].unwrap()),
        ("O6", sheet.rows()[0].cells[2].unwrap()),
        ("P6", sheet.rows()[0].cells[3].unwrap()),
    ];
    for (cell, status) in marks {
        assert_eq!(formula(&bytes, "Register", cell), "", "{cell}");
        assert_eq!(text(&range, cell), sheet.rules().marks().label(status), "{cell}");
    }
    assert_ne!(formula(&bytes, "Register", "M7"), "");
}

#[test]
fn equal_sheets_give_equal_bytes_and_the_creation_time_is_theirs() {
    let sheet = session(&[Present, Absent]);
    let bytes = session_workbook(&sheet, None).unwrap();
    assert_eq!(bytes, session_workbook(&sheet, None).unwrap());
    assert!(part(&bytes, "docProps/core.xml").contains("2025-03-03T11:06:40Z</dcterms:created>"));
    let sheet = mixed();
    let pages = pages_of(&sheet);
    assert_eq!(class_workbook(&sheet, &pages).unwrap(), class_workbook(&sheet, &pages).unwrap());
}

/// A pilot of one lesson with every kind of difference, and a mark that fits nothing.
fn pilot() -> PilotSheet {
    let opinions = [Opinion::Present, Opinion::Present, Opinion::Absent, Opinion::Asks, Opinion::NoTemplate];
    let student = |(number, opinion): (i64, Opinion)| RollEntry {
        member: MemberId(number),
        student: StudentId(number),
        roll_no: format!("0{number}"),
        name: HOSTILE[number as usize].to_owned(),
        opinion: Some(opinion),
        confidence: (opinion == Opinion::Present).then_some(0.987_654),
        photo: (opinion == Opinion::Present).then(|| "=full.jpg".to_owned()),
    };
    let lesson = Lesson {
        session: SessionId(1),
        class: ClassId(1),
        label: "CSE-A".into(),
        starts_at: FIRST_DAY.and_hms_opt(9, 30, 0).unwrap(),
        kind: LessonKind::Pilot,
        strangers: 0,
        photos: vec!["full.jpg".into(), "left.jpg".into()],
        roll: (1..).zip(opinions).map(student).collect(),
    };
    let classes = ClassLabels::new(class_refs(&[("CSE", "A")]));
    let heading = session(&[]).heading;
    let styles = StatusStyles::default();
    let text = format!("roll_no,{FIRST_DAY}\n01,P\n02,A\n03,L\n04,P\n05,P\n06,P\n");
    let register = parse_register(text.as_bytes(), styles.marks(), heading.time_zone).unwrap();
    let lessons = [lesson];
    let scope = Scope { classes: &classes, lessons: &lessons, days: (None, None), tolerance: TimeDelta::zero() };
    PilotSheet { heading, styles, comparison: compare(register, &scope) }
}

#[test]
fn a_pilots_workbook_holds_the_verdict_the_counts_and_every_difference() {
    let sheet = pilot();
    let bytes = pilot_workbook(&sheet).unwrap();
    assert_eq!(open(&bytes).sheet_names(), ["Summary", "Differences", "Left out"]);
    let summary = cells(&bytes, "Summary");
    assert_eq!(
        (text(&summary, "A2"), text(&summary, "A5")),
        ("CSE-A · 2025-26 · Pilot".into(), "NOT ENOUGH YET: go on".into())
    );
    let total = (1..60).find(|row| text(&summary, &format!("A{row}")) == "Total").unwrap();
    let counts: Vec<f64> = "BCDEFGH".chars().map(|col| number(&summary, &format!("{col}{total}"))).collect();
    assert_eq!(counts, [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);

    let differences = cells(&bytes, "Differences");
    let row =
        |row: u32| -> Vec<String> { "CDEFGI".chars().map(|col| text(&differences, &format!("{col}{row}"))).collect() };
    assert_eq!(row(4), ["02", HOSTILE[2], "Named, not there", "P", "A", "=full.jpg"]);
    assert_eq!(row(5)[2..], ["Missed", "A", "L", "full.jpg\nleft.jpg"]);
    assert_eq!(row(6)[2..5], ["Asked", "?", "P"]);
    assert_eq!(number(&differences, "H4"), 0.9877);
    assert!(matches!(at(&differences, "A4"), Data::DateTime(_)));
    assert_eq!(text(&cells(&bytes, "Left out"), "D4"), "nobody of CSE-A has roll number 06 on that day");
    for page in 1..=3 {
        let xml = part(&bytes, &format!("xl/worksheets/sheet{page}.xml"));
        assert!(xml.contains("fitToHeight=\"0\"") && xml.contains("Page &amp;P"), "sheet {page} is set up for print");
    }
    assert_eq!(bytes, pilot_workbook(&sheet).unwrap());
}

#[test]
fn a_pilots_workbook_without_anything_to_compare_is_a_workbook() {
    let mut sheet = pilot();
    let nothing = Scope {
        classes: &ClassLabels::new(Vec::new()),
        lessons: &[],
        days: (None, None),
        tolerance: TimeDelta::zero(),
    };
    sheet.comparison = compare(Register::default(), &nothing);
    assert_eq!(open(&pilot_workbook(&sheet).unwrap()).sheet_names(), ["Summary", "Differences"]);
}

#[test]
fn a_register_says_how_many_sessions_of_a_pilot_are_not_on_it() {
    let sheet = register(&[vec![Some(Present)]]);
    assert!(!part(&register_workbook(&sheet).unwrap(), "xl/sharedStrings.xml").contains("pilot"));
    let bytes = register_workbook(&sheet.without_pilots(2)).unwrap();
    assert!(part(&bytes, "xl/sharedStrings.xml").contains("2 sessions of the pilot are left out: they do not count."));
}
