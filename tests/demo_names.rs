//! The demo school's own files are read by the rules for names: roster, portrait folders, class photos and manifest.

#![expect(clippy::unwrap_used, reason = "a failing helper of a test fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use rollcall::domain::class_label::{ClassLabels, ClassRef};
use rollcall::domain::folder_name::{RosterEntry, match_folder};
use rollcall::domain::ids::{ClassId, MemberId, StudentId};
use rollcall::domain::manifest::parse_manifest;
use rollcall::domain::photo_name::{looks_like_photo, read_photo_name};
use rollcall::domain::photo_time::{NamedTime, Timestamp};
use rollcall::domain::roster::{RosterRow, parse_roster};
use rollcall::domain::roster_diff::{RosterState, diff_roster};
use rollcall::domain::status::Consent;

fn demo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dataset/demo").join(path)
}

fn names_in(path: &str) -> Vec<String> {
    let names = fs::read_dir(demo(path)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

fn roster() -> Vec<RosterRow> {
    parse_roster(&fs::read(demo("roster.csv")).unwrap()).unwrap()
}

#[test]
fn the_roster_fills_an_empty_school() {
    let diff = diff_roster(&RosterState::default(), &roster(), Consent::Given).unwrap();
    assert_eq!(diff.to_string(), "+ AIML-B: 20 members (new class)\n+ CSE-A: 28 members (new class)\n= 0 unchanged");
}

#[test]
fn every_portrait_folder_is_one_student() {
    let entry = |(id, row): (i64, RosterRow)| RosterEntry {
        member: MemberId(id),
        student: StudentId(id),
        prn: row.prn,
        roll_no: row.roll_no,
        name: row.name,
        class: row.class,
        section: row.section,
    };
    let entries: Vec<RosterEntry> = (1..).zip(roster()).map(entry).collect();
    let mut found: Vec<MemberId> =
        names_in("dataset").iter().map(|folder| match_folder(folder, &entries).unwrap().member).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 48);
}

#[test]
fn every_class_photo_is_named_as_the_manifest_says() {
    let class = |(id, name, section): (i64, &str, &str)| ClassRef {
        id: ClassId(id),
        name: name.to_owned(),
        section: section.to_owned(),
    };
    let labels = ClassLabels::new([(1, "CSE", "A"), (2, "AIML", "B")].map(class).to_vec());
    let manifest = parse_manifest(&fs::read(demo("class_photos/manifest.csv")).unwrap()).unwrap();
    let photos: Vec<String> =
        names_in("class_photos").into_iter().filter(|name| looks_like_photo(Path::new(name))).collect();
    assert_eq!((photos.len(), manifest.len()), (4, 4));
    for row in manifest {
        assert!(photos.contains(&row.photo), "{}", row.photo);
        let named = read_photo_name(Path::new(&row.photo), &labels, None).unwrap();
        assert_eq!(labels.named(&row.class, &row.section).first().map(|class| class.id), Some(named.class));
        let NamedTime::Moment(moment) = named.time else { panic!("{} names no time", row.photo) };
        assert_eq!(row.timestamp, Some(Timestamp::Local(moment)));
    }
}
