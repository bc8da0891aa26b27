//! Sheets that come back broken, or made to harm: mutations of what the program itself has written, of the whole archive and of
//! the parts in it.

use std::io::{Cursor, Read as _, Write as _};

use chrono::{DateTime, NaiveDate};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rollcall::domain::ids::{MemberId, SessionId};
use rollcall::domain::sheet::{SessionNow, SessionRow, SessionSheet, SheetHeading, SheetRules};
use rollcall::domain::status::{AttendanceStatus, RecordSource, SessionState};
use rollcall::export::{Bom, read_returned, session_csv, session_workbook};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::mutation::mutations;

/// Mutations tried of each kind; a workbook takes some milliseconds.
const CASES: u32 = 1500;

fn sheet() -> SessionSheet {
    let row = |n: i64| SessionRow {
        member: MemberId(n),
        roll_no: n.to_string(),
        prn: format!("P{n}"),
        name: format!("Student {n}"),
        status: AttendanceStatus::ALL[n as usize % 5],
        confidence: None,
        source: RecordSource::Auto,
        note: (n == 2).then(|| "two\nlines".to_owned()),
        version: format!("{n:016x}"),
    };
    SessionSheet {
        id: SessionId(7),
        heading: SheetHeading {
            school: "School".into(),
            class: "CSE".into(),
            section: "A".into(),
            term: "2026-27".into(),
            subject: None,
            time_zone: chrono_tz::UTC,
            generated_at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        },
        rules: SheetRules::default(),
        name: None,
        starts_at: NaiveDate::from_ymd_opt(2026, 11, 16).unwrap().and_hms_opt(9, 0, 0).unwrap(),
        state: SessionState::Review,
        pilot: false,
        photos: 1,
        strangers: 0,
        flags: Vec::new(),
        provenance: String::new(),
        rows: (1..=5).map(row).collect(),
        taken: None,
        remark: None,
    }
}

/// What is read is compared without harm and asks for at most one change of each member; anything else is refused in words.
fn come_back(sheet: &SessionSheet, bytes: &[u8]) {
    match read_returned(bytes, Some(sheet.id)) {
        Ok(read) => {
            let now = SessionNow { id: sheet.id, rows: &sheet.rows, styles: &sheet.rules.styles };
            match now.compare(&read.pages) {
                Ok(asked) => assert!(asked.changes.len() + asked.unchanged <= sheet.rows.len(), "{asked:?}"),
                Err(refusal) => assert!(!refusal.to_string().is_empty()),
            }
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

fn words() -> Vec<Vec<u8>> {
    let words = [
        "<c r=\"XFD1048576\" t=\"s\"><v>0</v></c>",
        "<v>4294967295</v>",
        "r=\"A0\"",
        "t=\"b\"",
        "t=\"e\"",
        "</row>",
        "<row r=\"9\">",
        "A1:XFD1048576",
        "Z9:A1",
        "&#0;",
        "<!DOCTYPE x [<!ENTITY a \"b\">]>",
        "record_key",
        ";",
        "\"",
    ];
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn hold(seeds: Vec<Vec<u8>>, promise: impl Fn(&[u8])) {
    let config = Config { cases: CASES, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() };
    let tried = TestRunner::new(config).run(&mutations(seeds, words()), |bytes| {
        promise(&bytes);
        Ok(())
    });
    if let Err(broken) = tried {
        panic!("{broken}");
    }
}

/// The parts of a workbook by name.
fn parts(workbook: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(workbook)).unwrap();
    let count = archive.len();
    let part = |index| {
        let mut part = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        (part.name().unwrap().into_owned(), bytes)
    };
    (0..count).map(part).collect()
}

fn packed<'a>(parts: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in parts {
        archive.start_file(name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn returned_files_are_read_or_refused() {
    let sheet = sheet();
    let (csv, workbook) = (session_csv(&sheet, Bom::With).unwrap(), session_workbook(&sheet, None).unwrap());
    for whole in [&csv, &workbook] {
        come_back(&sheet, whole);
        assert!(read_returned(whole, None).is_ok(), "the seeds themselves are read");
    }
    hold(vec![csv, workbook], |bytes| come_back(&sheet, bytes));
}

#[test]
fn workbooks_with_broken_parts_are_read_or_refused() {
    let sheet = sheet();
    let whole = parts(&session_workbook(&sheet, None).unwrap());
    for name in ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml"] {
        let seed = whole.iter().find(|(part, _)| part == name).unwrap().1.clone();
        hold(vec![seed], |bytes| {
            let changed = whole
                .iter()
                .map(|(part, as_it_was)| (part.as_str(), if part == name { bytes } else { as_it_was.as_slice() }));
            come_back(&sheet, &packed(changed));
        });
    }
}

/// As many rows as a file of the largest size can have: what is kept of them is bounded while they are read.
#[test]
fn files_of_millions_of_rows_are_refused() {
    const LARGEST: usize = 16 * 1024 * 1024;
    for row in ["a\n", ",\n", "\"\"\n", "1,P\n"] {
        let mut file = format!("roll_no,status\n{}", row.repeat(LARGEST / row.len()));
        file.truncate(LARGEST);
        let refusal = read_returned(file.as_bytes(), None).unwrap_err().to_string();
        assert!(refusal.contains("more than 50000 rows") || refusal.contains("no rows"), "{row:?}: {refusal}");
    }
    let wide = ",".repeat(LARGEST);
    assert!(read_returned(wide.as_bytes(), None).is_err());
}
