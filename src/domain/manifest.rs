//! `manifest.csv` of a batch folder: one row for each photo, for names that say nothing.
//!
//! Called by the nightly batch before it reads names. It checks the rows by themselves; whether class and photo exist is
//! the caller's to find out.

use std::collections::HashMap;

use crate::domain::csv_table::{Column, CsvProblems, CsvRow, CsvTable};
use crate::domain::photo_time::Timestamp;

const PHOTO: Column = Column::filled("photo", &["file", "filename", "file name", "image", "path"]);
const CLASS: Column = Column::filled("class", &["class name"]);
const SECTION: Column = Column::filled("section", &["sec", "div", "division"]);
const SESSION: Column = Column::optional("session", &["session name", "subject"]);
const TIMESTAMP: Column = Column::optional("timestamp", &["time", "datetime", "date time", "starts at"]);
const COLUMNS: [Column; 5] = [PHOTO, CLASS, SECTION, SESSION, TIMESTAMP];

/// What the manifest says about one photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestRow {
    pub line: u64,
    /// Path relative to the folder of the manifest, with `/` between its parts and never leading out of it.
    pub photo: String,
    pub class: String,
    pub section: String,
    pub session: Option<String>,
    /// `None` leaves the time to the photo's name and EXIF.
    pub timestamp: Option<Timestamp>,
}

/// Reads columns photo, class, section and, if there are any, session and timestamp.
///
/// # Errors
/// Every row that cannot be used: empty or unreadable fields, paths that leave the folder, photos listed twice.
pub fn parse_manifest(bytes: &[u8]) -> Result<Vec<ManifestRow>, CsvProblems> {
    let CsvTable { rows, mut problems } = CsvTable::read(bytes, &COLUMNS)?;
    let mut manifest: Vec<ManifestRow> = Vec::with_capacity(rows.len());
    let mut lines_of_photos = HashMap::new();
    for row in &rows {
        let Some(read) = manifest_row(row, &mut problems) else { continue };
        match lines_of_photos.insert(read.photo.clone(), read.line) {
            Some(first) => problems.add(row.line, PHOTO.name, format!("{} stands on line {first} already", read.photo)),
            None => manifest.push(read),
        }
    }
    problems.or_ok(manifest)
}

fn manifest_row(row: &CsvRow, problems: &mut CsvProblems) -> Option<ManifestRow> {
    let photo = path_inside(row.get(&PHOTO));
    if photo.is_none() {
        problems.add(row.line, PHOTO.name, format!("{:?} is no path inside the folder", row.get(&PHOTO)));
    }
    let timestamp = row.get_filled(&TIMESTAMP).map(|text| {
        let timestamp = Timestamp::parse(text);
        if timestamp.is_none() {
            problems.add(row.line, TIMESTAMP.name, format!("{text:?} is no time; write it like 2026-11-16T09:00"));
        }
        timestamp
    });
    Some(ManifestRow {
        line: row.line,
        photo: photo?,
        class: row.get(&CLASS).to_owned(),
        section: row.get(&SECTION).to_owned(),
        session: row.get_filled(&SESSION).map(str::to_owned),
        timestamp: match timestamp {
            None => None,
            Some(read) => Some(read?),
        },
    })
}

/// `text` with `/` between its parts and without `.` parts; `None` when it is absolute, empty or leads upwards.
fn path_inside(text: &str) -> Option<String> {
    let text = text.replace('\\', "/");
    let has_drive = text.as_bytes().get(1) == Some(&b':');
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let is_inside = !text.starts_with('/') && !has_drive && !parts.is_empty() && !parts.contains(&"..");
    is_inside.then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;

    fn nine() -> Option<Timestamp> {
        let moment = NaiveDate::from_ymd_opt(2026, 11, 16).and_then(|date| date.and_hms_opt(9, 0, 0));
        moment.map(Timestamp::Local)
    }

    fn problems(text: &str) -> String {
        parse_manifest(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn rows_are_read_with_and_without_session_and_time() {
        let text = "photo,class,section,session,timestamp\n\
                    left.jpg,CSE,A,Data Structures,2026-11-16T09:00\n\
                    .\\day2\\right.jpg,CSE,A,,\n";
        let rows = parse_manifest(text.as_bytes()).unwrap();
        let first = ManifestRow {
            line: 2,
            photo: "left.jpg".to_owned(),
            class: "CSE".to_owned(),
            section: "A".to_owned(),
            session: Some("Data Structures".to_owned()),
            timestamp: nine(),
        };
        let second = ManifestRow {
            line: 3,
            photo: "day2/right.jpg".to_owned(),
            session: None,
            timestamp: None,
            ..first.clone()
        };
        assert_eq!(rows, [first, second]);
        assert_eq!(parse_manifest(b"\xef\xbb\xbfSection;Class;File\nA;CSE;left.jpg\n").unwrap()[0].photo, "left.jpg");
    }

    #[test]
    fn every_bad_row_is_reported() {
        let text = "photo,class,section,session,timestamp\n\
                    a.jpg,,A,,\n\
                    b.jpg,CSE,A,,yesterday\n\
                    ../c.jpg,CSE,A,,also bad\n\
                    d.jpg,CSE,A,,\n\
                    ./d.jpg,CSE,B,,\n";
        assert_eq!(
            problems(text),
            "line 2, class: is empty\n\
             line 3, timestamp: \"yesterday\" is no time; write it like 2026-11-16T09:00\n\
             line 4, photo: \"../c.jpg\" is no path inside the folder\n\
             line 4, timestamp: \"also bad\" is no time; write it like 2026-11-16T09:00\n\
             line 6, photo: d.jpg stands on line 5 already"
        );
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in ["/etc/x.jpg", "a/../../x.jpg", "C:\\x.jpg", "..", ".", "\\\\server\\x.jpg"] {
            assert_eq!(path_inside(path), None, "{path}");
        }
        assert_eq!(path_inside("a//./b..c.jpg"), Some("a/b..c.jpg".to_owned()));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_manifest(&bytes);
        }

        #[test]
        fn arbitrary_rows_never_panic(text in "[a-b0-9./:T,;\"\r\n-]{0,200}") {
            let _ = parse_manifest(format!("photo,class,section,session,timestamp\n{text}").as_bytes());
        }
    }
}
