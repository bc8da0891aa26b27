//! Sheets written, changed as people and programs change them, and read again.

use std::io::{Cursor, Read as _, Write as _};
use std::process::Command;

use proptest::prelude::*;
use rust_xlsxwriter::{Formula, Workbook};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::*;
use crate::domain::sheet::{SessionNow, SessionSheet, SheetChanges, fixtures};
use crate::domain::status::AttendanceStatus::{self, Absent, Excused, Late, Present, Unmarked};
use crate::export::{Bom, class_workbook, session_csv, session_workbook};

const HOSTILE: [&str; 8] =
    ["=1+1", "+49 30", "'quoted'", "<b>&amp;\"", "_x0041_ _x000D_", "سارة 👩🏽‍🎓", "two\nlines\there", "  ;=x"];

/// A member for each hostile text, in the name and the note.
fn hostile() -> SessionSheet {
    let mut sheet = fixtures::session(&[Present; HOSTILE.len()]);
    for (row, text) in sheet.rows.iter_mut().zip(HOSTILE) {
        (row.name, row.note) = (text.to_owned(), Some(text.to_owned()));
    }
    sheet
}

fn compared(sheet: &SessionSheet, bytes: &[u8]) -> SheetChanges {
    let pages = read_returned(bytes, Some(sheet.id)).unwrap().pages;
    SessionNow { id: sheet.id, rows: &sheet.rows, styles: &sheet.rules.styles }.compare(&pages).unwrap()
}

/// The parts of a workbook, some of them changed.
fn rewritten(bytes: &[u8], change: impl Fn(&str, String) -> String) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let name = part.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        let changed = match String::from_utf8(bytes) {
            Ok(text) => change(&name, text).into_bytes(),
            Err(binary) => binary.into_bytes(),
        };
        out.start_file(name, SimpleFileOptions::default()).unwrap();
        out.write_all(&changed).unwrap();
    }
    out.finish().unwrap().into_inner()
}

fn refused(bytes: &[u8]) -> String {
    read_returned(bytes, None).unwrap_err().to_string()
}

#[test]
fn both_files_come_back_as_they_went_whatever_stands_in_them() {
    let sheet = hostile();
    let unchanged = SheetChanges { unchanged: HOSTILE.len(), ..SheetChanges::default() };
    assert_eq!(compared(&sheet, &session_workbook(&sheet, None).unwrap()), unchanged);
    for bom in [Bom::With, Bom::Without] {
        assert_eq!(compared(&sheet, &session_csv(&sheet, bom).unwrap()), unchanged);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_note_makes_a_row_look_changed(note in "[^\0]{0,24}", name in "[^\0]{0,12}", status in 0_usize..5) {
        let status = AttendanceStatus::ALL[status];
        let mut sheet = fixtures::session(&[Present, status]);
        (sheet.rows[1].note, sheet.rows[1].name) = (Some(note), name);
        for bytes in [session_workbook(&sheet, None).unwrap(), session_csv(&sheet, Bom::With).unwrap()] {
            let changes = compared(&sheet, &bytes);
            prop_assert_eq!((changes.unchanged, changes.problems), (2, vec![]));
        }
    }
}

#[test]
fn corrections_are_read_from_the_pages_cells() {
    let sheet = fixtures::session(&[Present, Absent, Unmarked]);
    let bytes = session_workbook(&sheet, None).unwrap();
    let strings = |name: &str, xml: String| match name {
        "xl/worksheets/sheet1.xml" => {
            let inline = |text: &str| format!("t=\"inlineStr\"><is><t>{text}</t></is></c>");
            let cell = |xml: String, place: &str, text: &str| {
                let start = xml.find(&format!("<c r=\"{place}\"")).unwrap();
                let value = start + xml[start..].find("t=\"s\"").unwrap();
                let end = value + xml[value..].find("</c>").unwrap() + 4;
                format!("{}{}{}", &xml[..value], inline(text), &xml[end..])
            };
            cell(cell(xml, "D9", "late"), "D11", "E")
        }
        _ => xml,
    };
    let changes = compared(&sheet, &rewritten(&bytes, strings));
    let said: Vec<_> =
        changes.changes.iter().map(|change| (change.row, change.roll_no.as_str(), change.to.status)).collect();
    assert_eq!(said, [(9, "R1", Late), (11, "R3", Excused)]);
}

#[test]
fn csv_of_another_locale_and_order_is_read() {
    let sheet = fixtures::session(&[Present, Absent]);
    let text = String::from_utf8(session_csv(&sheet, Bom::Without).unwrap()).unwrap();
    let mut lines: Vec<String> = text.lines().map(|line| line.replace(',', ";")).collect();
    lines[2] = lines[2].replace(";absent;A;", ";absent;Excused;");
    lines.swap(1, 2);
    let changes = compared(&sheet, format!("sep=;\r\n{}\r\n", lines.join("\r\n")).as_bytes());
    assert_eq!((changes.changes.len(), changes.changes[0].to.status, changes.unchanged), (1, Excused, 1));
}

#[test]
fn a_session_finds_its_page_in_the_classs_workbook() {
    let mut sheets = [fixtures::session(&[Present, Absent]), fixtures::session(&[Late])];
    sheets[1].id = crate::domain::ids::SessionId(2);
    let bytes = class_workbook(&fixtures::empty_register(), &sheets).unwrap();
    assert_eq!(compared(&sheets[0], &bytes).unchanged, 2);
    assert_eq!(compared(&sheets[1], &bytes).unchanged, 1);
}

#[test]
fn a_session_finds_its_page_among_any_number() {
    let sheets: Vec<SessionSheet> = (1..=450)
        .map(|n| SessionSheet { id: crate::domain::ids::SessionId(n), ..fixtures::session(&[Present, Absent]) })
        .collect();
    let bytes = class_workbook(&fixtures::empty_register(), &sheets).unwrap();
    let last = &sheets[449];
    assert_eq!(compared(last, &bytes).unchanged, 2);
    let pages = read_returned(&bytes, Some(last.id)).unwrap().pages;
    assert_eq!(pages.iter().map(|page| page.rows.len()).sum::<usize>(), 449 + 2, "a row tells whose another page is");
    assert_eq!(crate::domain::sheet::sessions_of(&read_returned(&bytes, None).unwrap().pages).len(), 450);
    let mut many = Workbook::new();
    for _ in 0..=4_000 {
        many.add_worksheet();
    }
    let said = refused(&many.save_to_buffer().unwrap());
    assert!(said.starts_with("the workbook has 4001 pages, more than the 4000"), "{said}");
}

#[test]
fn a_copied_page_is_read_as_well() {
    let sheet = fixtures::session(&[Present, Absent]);
    let copy = SessionSheet { name: Some("copy".into()), ..sheet.clone() };
    let bytes = class_workbook(&fixtures::empty_register(), &[sheet.clone(), copy]).unwrap();
    let pages = read_returned(&bytes, Some(sheet.id)).unwrap().pages;
    assert_eq!(pages.iter().map(|page| page.rows.len()).collect::<Vec<_>>(), [2, 2]);
    assert!(pages.iter().all(|page| !page.name.is_empty()), "{pages:?}");
}

#[test]
fn csv_of_too_many_rows_or_columns_is_refused_before_it_is_kept() {
    let rows = |count: usize| format!("roll_no,status\n{}", "1,P\n".repeat(count)).into_bytes();
    assert_eq!(read_returned(&rows(MAX_ROWS), None).unwrap().pages[0].rows.len(), MAX_ROWS);
    assert!(refused(&rows(MAX_ROWS + 1)).contains("more than 50000 rows"));
    let bad = format!("roll_no,status\n{}", "1,P,3\n".repeat(MAX_ROWS + 1)).into_bytes();
    assert!(refused(&bad).contains("more than 50000 rows"), "rows with problems are rows");
    let wide = format!("roll_no,status{}\n1,P\n", ",x".repeat(1_000));
    assert!(refused(wide.as_bytes()).contains("header has 1002 columns"));
}

#[test]
fn formulas_count_as_what_they_gave_and_numbers_are_text() {
    let sheet = fixtures::session(&[Present, Absent]);
    let mut workbook = Workbook::new();
    let page = workbook.add_worksheet();
    let key = |row: usize| crate::domain::sheet::RowKey::new(sheet.id, &sheet.rows[row], "", "").to_string();
    for (col, title) in (0..).zip(["Note", "STATUS", "record key", "Roll No."]) {
        page.write_string(4, col, title).unwrap();
    }
    page.write_formula(5, 1, Formula::new("\"A\"").set_result("A")).unwrap();
    page.write_number(5, 0, 7.0).unwrap();
    page.write_string(5, 2, key(0)).unwrap();
    page.write_boolean(6, 1, true).unwrap();
    page.write_string(6, 2, key(1)).unwrap();
    page.write_string(1_048_575, 16_383, "far away").unwrap();
    let changes = compared(&sheet, &workbook.save_to_buffer().unwrap());
    let said = &changes.changes[0].to;
    assert_eq!((said.status, said.note.as_deref()), (Absent, Some("7")));
    assert_eq!((changes.problems.len(), changes.problems[0].row), (1, 7), "TRUE is no status");
}

#[test]
fn what_is_no_sheet_is_refused_in_words() {
    let whole = session_workbook(&fixtures::session(&[Present]), None).unwrap();
    for (bytes, why) in [
        (&b"PK\x03\x04 and no more"[..], "cannot be read as a workbook"),
        (&whole[..whole.len() / 2], "cannot be read as a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old format"),
        (b"", "empty"),
        (b"name;age\n\xff;7\n", "not UTF-8"),
    ] {
        let said = refused(bytes);
        assert!(said.contains(why), "{said}");
    }
    let mut other = Workbook::new();
    other.add_worksheet().write_string(0, 0, "Roll no").unwrap();
    assert!(refused(&other.save_to_buffer().unwrap()).contains("no page with the columns"));
    let large = vec![b'x'; MAX_FILE_BYTES + 1];
    assert!(refused(&large).contains("larger than"));
}

#[test]
fn parts_that_unpack_to_much_are_refused_before_they_are_read() {
    let whole = session_workbook(&fixtures::session(&[Present]), None).unwrap();
    let bomb = rewritten(&whole, |name, text| match name {
        "xl/sharedStrings.xml" => format!("{text}{}", " ".repeat(9 * 1024 * 1024)),
        _ => text,
    });
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    assert!(refused(&bomb).contains("unpack to more"));
    // The same with a lie about its size wherever the archive states it.
    let stated = |bytes: &[u8]| {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let size = archive.by_name("xl/sharedStrings.xml").unwrap().size();
        u32::try_from(size).unwrap().to_le_bytes()
    };
    let (truth, lie) = (stated(&bomb), stated(&whole));
    let mut lying = bomb.clone();
    let places: Vec<usize> = (0..bomb.len() - 4).filter(|at| bomb[*at..at + 4] == truth).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| lying[*at..at + 4].copy_from_slice(&lie));
    assert!(read_returned(&lying, None).is_err());
    let many = {
        let mut out = ZipWriter::new(Cursor::new(Vec::new()));
        for n in 0..12_001 {
            out.start_file(format!("xl/{n}"), SimpleFileOptions::default()).unwrap();
        }
        out.finish().unwrap().into_inner()
    };
    assert!(refused(&many).contains("too many parts"));
}

#[test]
fn contradictory_parts_are_refused_and_claims_of_size_cost_nothing() {
    let sheet = fixtures::session(&[Present]);
    let whole = session_workbook(&sheet, None).unwrap();
    let dimension = |claim: &'static str| {
        rewritten(&whole, move |name, text| match name {
            "xl/worksheets/sheet1.xml" => {
                let start = text.find("<dimension ref=\"").unwrap() + 16;
                let end = start + text[start..].find('"').unwrap();
                format!("{}{claim}{}", &text[..start], &text[end..])
            }
            _ => text,
        })
    };
    assert_eq!(compared(&sheet, &dimension("A1:XFD1048576")).unchanged, 1);
    for claim in ["B9:A1", "A99999999999:B1", "", "é"] {
        let said = read_returned(&dimension(claim), None);
        assert!(said.as_ref().is_err_and(|e| e.to_string().len() < 300) || said.is_ok(), "{claim}: {said:?}");
    }
}

/// A copy that another program has saved is the same sheet.
#[test]
fn a_copy_saved_by_libreoffice_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = hostile();
    std::fs::write(folder.path().join("session.xlsx"), session_workbook(&sheet, None).unwrap()).unwrap();
    let profile = format!("-env:UserInstallation=file://{}", folder.path().join("profile").display());
    let mut soffice = Command::new("soffice");
    soffice.args([
        &profile,
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
        "--outdir",
        "saved",
        "session.xlsx",
    ]);
    match soffice.current_dir(folder.path()).output() {
        Err(error) => println!("skipped: LibreOffice is not there ({error}), so no copy of it is read"),
        Ok(ran) => {
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            let saved = std::fs::read(folder.path().join("saved/session.xlsx")).unwrap();
            let expected = SheetChanges { unchanged: HOSTILE.len(), ..SheetChanges::default() };
            assert_eq!(compared(&sheet, &saved), expected);
        }
    }
}
