//! What must hold whatever bytes arrive: one function for each door through which other people's files come in.
//!
//! Each panics when a promise is broken. `cargo test` calls them with seeds and mutations of seeds, the targets of `fuzz/`
//! with what libFuzzer invents.

use std::fmt::Display;
use std::path::{Component, Path};

use rollcall::domain::class_label::{ClassLabels, ClassRef};
use rollcall::domain::csv_table::CsvProblems;
use rollcall::domain::enrolment_list::{find_enrolled, parse_enrolment_list};
use rollcall::domain::folder_name::{FolderNameError, RosterEntry, match_folder};
use rollcall::domain::ids::{ClassId, MemberId, StudentId};
use rollcall::domain::manifest::parse_manifest;
use rollcall::domain::npy as numpy;
use rollcall::domain::photo_name::{looks_like_photo, read_photo_name};
use rollcall::domain::roster::{RosterRow, parse_roster};
use rollcall::pack::Manifest;
use rollcall::vision::decode::{DecodeLimits, DecodedPhoto, identify, taken_at};

/// Small, so that thousands of pictures are tried in a second.
const LIMITS: DecodeLimits =
    DecodeLimits { max_bytes: 256 * 1024, max_pixels: 250_000, max_alloc_bytes: 8 * 1024 * 1024 };

/// A picture is read within its limits or refused in words; what was said of its head stays true of the whole.
pub(crate) fn decode(bytes: &[u8]) {
    let kind = identify(bytes, &LIMITS);
    let head = taken_at(bytes, &LIMITS);
    match (rollcall::vision::decode::decode(bytes, &LIMITS), kind) {
        (Ok(photo), kind) => {
            let DecodedPhoto { pixels, format, captured_at, warnings, .. } = photo;
            assert_eq!(kind, Ok(format), "the kind of the file depends on who asks");
            assert_eq!(head, captured_at, "the date of the photo depends on who asks");
            let (width, height) = pixels.dimensions();
            assert!(width > 0 && height > 0, "a photo without pixels");
            assert!(u64::from(width) * u64::from(height) <= LIMITS.max_pixels, "{width} x {height} is over the limit");
            warnings.iter().for_each(is_a_sentence);
        }
        (Err(refusal), Ok(_)) => is_a_sentence(&refusal),
        (Err(refusal), Err(same)) => assert_eq!(refusal, same),
    }
}

/// All three tables read the same bytes: a file is easily handed to the wrong command.
pub(crate) fn csv(bytes: &[u8]) {
    let ends = |pair: &[u8]| pair[0] == b'\n' || pair[0] == b'\r' && pair.get(1) != Some(&b'\n');
    let lines =
        1 + bytes.windows(2).chain(bytes.last().map(std::slice::from_ref)).filter(|pair| ends(pair)).count() as u64;
    match parse_roster(bytes) {
        Ok(rows) => a_roster(&rows, lines),
        Err(problems) => points_into_the_file(&problems, lines),
    }
    match parse_manifest(bytes) {
        Ok(rows) => {
            for row in rows {
                assert!(row.line <= lines, "line {} of {lines}", row.line);
                assert!(stays_inside(&row.photo), "{:?} leaves the folder", row.photo);
            }
        }
        Err(problems) => points_into_the_file(&problems, lines),
    }
    match parse_enrolment_list(bytes) {
        Ok(rows) => {
            let roster = roster();
            for row in rows {
                assert!(row.line <= lines && !row.image.is_empty(), "{row:?}");
                if let Err(problem) = find_enrolled(&row, &roster) {
                    assert_eq!(problem.line, row.line);
                }
            }
        }
        Err(problems) => points_into_the_file(&problems, lines),
    }
}

/// A manifest that is accepted names files in its own folder and has lines that can be used.
pub(crate) fn pack_manifest(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match Manifest::parse(text) {
        Ok(manifest) => {
            for file in &manifest.files {
                assert!(is_plain(&file.name), "{:?} leaves the folder", file.name);
                assert!(file.sha256.as_ref().is_none_or(|sha256| sha256.len() == 64));
            }
            assert!(is_plain(&manifest.id), "{:?} is no name of a folder", manifest.id);
            let scoring = &manifest.scoring;
            assert!(
                0.0 < scoring.accept && scoring.accept <= scoring.doubt && scoring.doubt.is_finite(),
                "{scoring:?}"
            );
            assert!(
                scoring.margin >= 0.0 && scoring.llr.slope > 0.0 && scoring.llr.intercept.is_finite(),
                "{scoring:?}"
            );
            assert!(manifest.embedder.std.iter().all(|std| *std > 0.0) && manifest.embedder.dims > 0);
        }
        Err(complaint) => assert!(!complaint.trim().is_empty()),
    }
}

/// The first line is the path of a photo, the second a folder of portraits.
pub(crate) fn names(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (photo, folder) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let labels = labels();
    let path = path_of(photo);
    let _ = looks_like_photo(&path);
    for asked in [None, Some(ClassId(1))] {
        match read_photo_name(&path, &labels, asked) {
            Ok(named) => {
                assert!(labels.classes().iter().any(|class| class.id == named.class), "{named:?} is of no class");
                assert!(named.session.is_none_or(|session| !session.trim().is_empty()), "a session without a name");
            }
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    }
    let roster = roster();
    let folder = String::from_utf8_lossy(folder);
    match match_folder(&folder, &roster) {
        Ok(entry) => match match_folder(&entry.folder_name(), &roster) {
            Ok(again) => assert_eq!(again.student, entry.student),
            Err(FolderNameError::Ambiguous { .. }) => {}
            Err(refusal) => panic!("a folder named after a student is not theirs: {refusal}"),
        },
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// What is read is as long as it says, and is read again as it was written.
pub(crate) fn npy(bytes: &[u8]) {
    match numpy::parse(bytes) {
        Ok(read) => {
            assert!(read.dims() > 0 && read.vectors().len() > 0);
            for vector in read.vectors() {
                let again = numpy::parse(&numpy::write(vector)).expect("what was written can be read");
                let bits = |vector: &[f32]| vector.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(again.vectors().map(bits).collect::<Vec<_>>(), [bits(vector)]);
            }
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

fn is_a_sentence(text: &impl Display) {
    let text = text.to_string();
    assert!(!text.is_empty() && text.len() < 400 && !text.contains(char::is_control), "{text:?}");
}

fn points_into_the_file(problems: &CsvProblems, lines: u64) {
    assert!(!problems.problems.is_empty(), "refused without a reason");
    for problem in &problems.problems {
        assert!(problem.line <= lines, "{problem} in a file of {lines} lines");
        assert!(!problem.message.is_empty());
    }
    assert!(!problems.to_string().is_empty());
}

/// Rows come in the order of the file, have what they must have, and mean the same when written and read again.
fn a_roster(rows: &[RosterRow], lines: u64) {
    assert!(rows.is_sorted_by(|a, b| a.line < b.line) && rows.iter().all(|row| row.line <= lines));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["class", "section", "name", "roll_no", "prn", "email", "consent"];
    writer.write_record(header).expect("a vector takes everything");
    for row in rows {
        let email = row.email.clone().unwrap_or_default();
        let cells = [&row.class, &row.section, &row.name, &row.roll_no, &row.prn, &email];
        for cell in cells {
            assert!(cell.trim() == cell && !cell.contains(char::is_control), "{cell:?}");
        }
        assert!(cells[..5].iter().all(|cell| !cell.is_empty()), "{row:?}");
        let consent = format!("{:?}", row.consent).to_lowercase();
        writer
            .write_record(cells.map(String::as_str).into_iter().chain([&*consent]))
            .expect("a vector takes everything");
    }
    let written = writer.into_inner().expect("a vector is always flushed");
    let again =
        parse_roster(&written).unwrap_or_else(|problems| panic!("{problems}\n{}", String::from_utf8_lossy(&written)));
    let unplaced = |row: &RosterRow| RosterRow { line: 0, ..row.clone() };
    assert!(rows.iter().map(unplaced).eq(again.iter().map(unplaced)), "{rows:?}\n{again:?}");
}

fn stays_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn is_plain(name: &str) -> bool {
    stays_inside(name) && Path::new(name).components().count() == 1
}

/// Names on disk need not be UTF-8.
#[cfg(unix)]
fn path_of(bytes: &[u8]) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> std::path::PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Classes whose labels are easily taken for one another.
fn labels() -> ClassLabels {
    let classes = [("CSE", "A"), ("CSE-A", "B"), ("A", "B"), ("AI ML", "B"), ("9", "A"), ("10_2", "C"), ("Ä-Ö", "É")];
    let class = |(id, (name, section)): (usize, &(&str, &str))| ClassRef {
        id: ClassId(id as i64 + 1),
        name: (*name).to_owned(),
        section: (*section).to_owned(),
    };
    ClassLabels::new(classes.iter().enumerate().map(class).collect())
}

fn roster() -> Vec<RosterEntry> {
    let students = [
        ("Ann Lee", "7", "P1"),
        ("Ann Lee", "A_7", "P2"),
        ("José María O'Neil-Roy", "CSE-A-03", "P3"),
        ("Ann", "Lee_7", "P4"),
        ("李 小龙", "12", "P5"),
    ];
    let entry = |(id, (name, roll_no, prn)): (usize, &(&str, &str, &str))| RosterEntry {
        member: MemberId(id as i64),
        student: StudentId(id as i64),
        prn: (*prn).to_owned(),
        roll_no: (*roll_no).to_owned(),
        name: (*name).to_owned(),
        class: "CSE".to_owned(),
        section: "A".to_owned(),
    };
    students.iter().enumerate().map(entry).collect()
}
