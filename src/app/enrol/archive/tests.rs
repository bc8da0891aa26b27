use std::io::Write as _;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::domain::folder_name::roster_entries;

const LIMITS: DecodeLimits = DecodeLimits { max_bytes: 1000, max_pixels: 1_000_000, max_alloc_bytes: 10_000_000 };

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn school() -> Vec<RosterEntry> {
    roster_entries(&[("CSE", "Ann Lee", "7"), ("CSE", "Bob Ray", "8")])
}

fn found(bytes: Vec<u8>) -> Result<Found<Packed>, Error> {
    Archive::open(bytes.into())?.portraits(&school(), &LIMITS)
}

#[test]
fn pictures_in_students_folders_are_found_at_any_depth() {
    let bytes = packed(&[
        ("Ann_Lee_7/face.jpg", b"one"),
        ("class 9/portraits/Bob_Ray_8/face.PNG", b"two"),
        ("Nobody_9/face.jpg", b"three"),
        ("Nobody_9/face_2.jpg", b"four"),
        ("face.jpg", b"five"),
        ("Ann_Lee_7/notes.txt", b"six"),
        ("Ann_Lee_7/more.zip", b"PK"),
        ("__MACOSX/Ann_Lee_7/._face.jpg", b"seven"),
    ]);
    let (tasks, reports, warnings) = found(bytes).unwrap();
    let read: Vec<(&str, i64, Vec<u8>)> = tasks
        .iter()
        .map(|task| (task.path.as_str(), task.entry.member.0, task.source.read(&LIMITS).unwrap()))
        .collect();
    assert_eq!(read, [("Ann_Lee_7/face.jpg", 1, b"one".to_vec()), ("Bob_Ray_8/face.PNG", 2, b"two".to_vec())]);
    let refused: Vec<(&str, Code)> =
        reports.iter().map(|r| (r.path.as_str(), r.error.as_ref().unwrap().code)).collect();
    assert_eq!(refused, [("Nobody_9", Code::StudentNotFound)], "a folder is refused once");
    let text =
        "no pictures in a student's folder, left aside: \"face.jpg\", \"Ann_Lee_7/notes.txt\", \"Ann_Lee_7/more.zip\"";
    assert_eq!(warnings, [text]);
}

#[test]
fn names_that_lead_elsewhere_are_left_aside() {
    for name in
        ["../Ann_Lee_7/face.jpg", "/Ann_Lee_7/face.jpg", "a/../../Ann_Lee_7/face.jpg", "Ann_Lee_7\\face.jpg", ".."]
    {
        assert_eq!(place(name), None, "{name}");
    }
    let (tasks, _, warnings) = found(packed(&[("../Ann_Lee_7/face.jpg", b"x")])).unwrap();
    assert!(tasks.is_empty() && warnings[0].contains("../Ann_Lee_7/face.jpg"), "{warnings:?}");
}

#[test]
fn a_link_is_no_picture() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("Ann_Lee_7/face.jpg", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let (tasks, _, warnings) = found(zip.finish().unwrap().into_inner()).unwrap();
    assert!(tasks.is_empty() && warnings.len() == 1);
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let (tasks, reports, _) = found(packed(&[("Ann_Lee_7/face.jpg", &vec![0; 5_000_000])])).unwrap();
    assert!(tasks.is_empty());
    assert_eq!(reports[0].error.as_ref().unwrap().code, Code::ImageTooLarge);
}

#[test]
fn a_file_that_is_larger_than_it_says_is_unpacked_no_further() {
    let mut bytes = packed(&[("Ann_Lee_7/face.jpg", &[7; 900])]);
    // Its length, in its own header and in the list.
    let said = 900_u32.to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|i| bytes[*i..*i + 4] == said).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    for place in places {
        bytes[place..place + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    let (tasks, _, _) = found(bytes).unwrap();
    assert_eq!(tasks[0].source.read(&LIMITS).unwrap_err().code, Code::InvalidImage);
}

#[test]
fn too_many_files_are_counted_before_they_are_listed() {
    let of = |n: usize| ENTRY_SIGNATURE.iter().copied().cycle().take(n * ENTRY_SIGNATURE.len()).collect::<Vec<u8>>();
    assert_eq!(found(of(MAX_FILES + 1)).err().unwrap().code, Code::RequestTooLarge);
    assert_eq!(found(of(MAX_FILES)).err().unwrap().code, Code::UnsupportedFormat);
}

#[test]
fn a_damaged_file_spoils_no_other() {
    let mut bytes = packed(&[("Ann_Lee_7/face.jpg", &[1; 300]), ("Bob_Ray_8/face.jpg", b"whole")]);
    let name = bytes.windows(8).position(|w| w == b"face.jpg").unwrap();
    bytes[name + 9] ^= 0xff;
    let (tasks, _, _) = found(bytes).unwrap();
    let read: Vec<Result<Vec<u8>, Code>> = tasks.iter().map(|t| t.source.read(&LIMITS).map_err(|e| e.code)).collect();
    assert_eq!(read, [Err(Code::InvalidImage), Ok(b"whole".to_vec())]);
}

proptest! {
    #[test]
    fn damaged_archives_end_in_words(place in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = packed(&[("Ann_Lee_7/face.jpg", b"one"), ("Bob_Ray_8/face.jpg", b"two")]);
        *place.get_mut(&mut bytes) = value;
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok((tasks, _, _)) = found(bytes) {
            for task in &tasks {
                let read = task.source.read(&LIMITS);
                prop_assert!(read.is_err() || read.unwrap().len() <= 1000);
            }
        }
    }

    #[test]
    fn a_place_is_two_plain_names(name in "[a./\\\\:~ ]{0,12}(jpg)?") {
        if let Some((folder, file)) = place(&name) {
            for part in [folder, file] {
                prop_assert!(!part.is_empty() && !part.contains(['/', '\\']) && !part.starts_with('.'), "{:?}", part);
            }
        }
    }
}
