//! The synthetic school: where it lies, and what is true of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::batch_report::{BatchReport, FaceReport, PhotoReport};
use super::enrol::the_one_face;
use super::error::{Code, Error};
use super::recogniser::Recogniser;
use crate::config::Config;
use crate::domain::csv_table::{Column, CsvRow, CsvTable};
use crate::domain::evaluation::{FaceTally, FoundFace, RowTally, TrueFace, TruePerson, tally_photo};
use crate::domain::geometry::BoundingBox;
use crate::domain::status::{AttendanceStatus, Verdict};

/// A file in a demo's data folder that says: made by the demo, may be made anew.
const MARKER: &str = "MADE-BY-ROLLCALL-DEMO";
/// Least overlap of a found face with a true one. Truth comes from the drawing; detectors draw tighter boxes.
const MIN_IOU: f32 = 0.4;
/// How truth names somebody who is in no class.
const STRANGER: &str = "stranger";

/// The folder of the synthetic school.
#[derive(Debug, Clone)]
pub struct DemoSchool {
    dir: PathBuf,
}

impl DemoSchool {
    /// Finds `dataset/demo` near the data folder or the program.
    ///
    /// # Errors
    /// `FILE_ERROR` naming where was looked.
    pub fn find(config: &Config) -> Result<Self, Error> {
        let roots = config.install_roots();
        let found = roots.iter().map(|root| root.join("dataset/demo")).find(|dir| dir.join("roster.csv").is_file());
        let looked = || roots.iter().map(|r| r.display().to_string()).collect::<Vec<_>>().join(", ");
        match found {
            Some(dir) => Ok(Self { dir }),
            None => Err(Error::new(Code::FileError, format!("dataset/demo is in none of {}", looked()))),
        }
    }

    pub fn roster(&self) -> PathBuf {
        self.dir.join("roster.csv")
    }

    pub fn portraits(&self) -> PathBuf {
        self.dir.join("dataset")
    }

    pub fn class_photos(&self) -> PathBuf {
        self.dir.join("class_photos")
    }

    /// Tries the portraits that must be refused; returns the name of each and why it was refused, if it was.
    ///
    /// # Errors
    /// `FILE_ERROR` for a file that cannot be read.
    pub fn refusals(&self, recogniser: &Recogniser) -> Result<Vec<(String, Option<Error>)>, Error> {
        let dir = self.dir.join("bad_portraits");
        let mut names: Vec<PathBuf> = std::fs::read_dir(&dir)
            .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect())
            .map_err(|e| Error::file(&dir, &e))?;
        names.sort();
        names
            .into_iter()
            .map(|path| {
                let bytes = std::fs::read(&path).map_err(|e| Error::file(&path, &e))?;
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let enrolled =
                    recogniser.analyse_portrait(&bytes).and_then(|seen| the_one_face(seen, recogniser.enrol_lines()));
                Ok((name, enrolled.err()))
            })
            .collect()
    }

    /// Counts what a run over the class photos got right and wrong.
    ///
    /// # Errors
    /// `INVALID_TABLE` or `FILE_ERROR` for a truth that cannot be read.
    pub fn compare(&self, report: &BatchReport) -> Result<Comparison, Error> {
        let truth = self.true_faces()?;
        let mut photos = Vec::new();
        for photo in &report.photos {
            let known = truth.get(&photo.path).map(Vec::as_slice).unwrap_or_default();
            let found: Vec<FoundFace> = photo.faces.iter().map(found).collect();
            photos.push((photo.path.clone(), tally_photo(known, &found, MIN_IOU)));
        }
        let sessions = self.sessions(report)?;
        let mut faces = FaceTally::default();
        photos.iter().for_each(|(_, tally)| faces += *tally);
        let mut rows = RowTally::default();
        sessions.iter().for_each(|(_, tally)| rows += *tally);
        Ok(Comparison { photos, sessions, faces, rows })
    }

    fn true_faces(&self) -> Result<BTreeMap<String, Vec<TrueFace>>, Error> {
        const PHOTO: Column = Column::filled("photo", &[]);
        const ROLL_NO: Column = Column::filled("roll_no", &[]);
        const BOX: [Column; 4] =
            [Column::filled("x", &[]), Column::filled("y", &[]), Column::filled("w", &[]), Column::filled("h", &[])];
        let [x, y, w, h] = BOX;
        let mut faces: BTreeMap<String, Vec<TrueFace>> = BTreeMap::new();
        for row in self.table("truth.csv", &[PHOTO, ROLL_NO, x, y, w, h])? {
            let [x, y, w, h] = BOX.map(|column| row.get(&column).parse::<f32>().unwrap_or_default());
            let who = match row.get(&ROLL_NO) {
                STRANGER => TruePerson::Stranger,
                roll_no => TruePerson::Enrolled(roll_no.to_owned()),
            };
            let face = TrueFace { bbox: BoundingBox::from_xywh(x, y, w, h), who };
            faces.entry(row.get(&PHOTO).to_owned()).or_default().push(face);
        }
        Ok(faces)
    }

    /// Truth names a session by the start of its photos' names.
    fn sessions(&self, report: &BatchReport) -> Result<Vec<(String, RowTally)>, Error> {
        const SESSION: Column = Column::filled("session", &[]);
        const ROLL_NO: Column = Column::filled("roll_no", &[]);
        const PRESENT: Column = Column::filled("present", &[]);
        let mut tallies: BTreeMap<String, RowTally> = BTreeMap::new();
        for row in self.table("attendance.csv", &[SESSION, ROLL_NO, PRESENT])? {
            let name = row.get(&SESSION);
            let photo = report.photos.iter().find(|p: &&PhotoReport| p.path.starts_with(name));
            let session = photo.and_then(|p| p.session_id).and_then(|id| report.sessions.iter().find(|s| s.id == id));
            let status = |roll_no: &str| {
                let has = |list: &[String]| list.iter().any(|r| r == roll_no);
                match session {
                    Some(s) if has(&s.present) => AttendanceStatus::Present,
                    Some(s) if has(&s.late) => AttendanceStatus::Late,
                    Some(s) if has(&s.absent) => AttendanceStatus::Absent,
                    Some(s) if has(&s.excused) => AttendanceStatus::Excused,
                    _ => AttendanceStatus::Unmarked,
                }
            };
            tallies.entry(name.to_owned()).or_default().count(row.get(&PRESENT) == "1", status(row.get(&ROLL_NO)));
        }
        Ok(tallies.into_iter().collect())
    }

    fn table(&self, name: &str, columns: &[Column]) -> Result<Vec<CsvRow>, Error> {
        let file = self.dir.join(name);
        let bytes = std::fs::read(&file).map_err(|e| Error::file(&file, &e))?;
        let table = CsvTable::read(&bytes, columns).and_then(|t| t.problems.or_ok(t.rows));
        table.map_err(|e| Error::from(e).of(name))
    }
}

fn found(face: &FaceReport) -> FoundFace {
    let [x, y, w, h] = face.bbox;
    FoundFace {
        bbox: BoundingBox::from_xywh(x, y, w, h),
        verdict: face.verdict.parse().unwrap_or(Verdict::Stranger),
        who: face.roll_no.clone(),
    }
}

/// What was right and wrong.
#[derive(Debug, Serialize)]
pub struct Comparison {
    pub photos: Vec<(String, FaceTally)>,
    pub sessions: Vec<(String, RowTally)>,
    pub faces: FaceTally,
    pub rows: RowTally,
}

impl Comparison {
    /// Nobody was given a wrong name or a wrong mark. Open questions are not errors.
    pub fn nothing_wrong(&self) -> bool {
        let f = &self.faces;
        let rows_wrong = self.rows.wrongly_absent + self.rows.wrongly_present;
        f.named_wrong + f.strangers_named + f.false_named + rows_wrong == 0
    }
}

/// An empty folder for the demo: what an earlier demo left is removed, anything else is not touched.
///
/// # Errors
/// `FILE_ERROR` for a folder that holds something else.
pub fn fresh_folder(dir: &Path) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::file(dir, &e);
    let names: BTreeSet<_> = match std::fs::read_dir(dir) {
        Ok(entries) => entries.map(|e| e.map(|e| e.file_name())).collect::<Result<_, _>>().map_err(failed)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
        Err(e) => return Err(failed(e)),
    };
    if names.iter().any(|name| name == MARKER) {
        std::fs::remove_dir_all(dir).map_err(failed)?;
    } else if !names.is_empty() {
        let what = format!("{} exists and was not made by the demo; move it away first", dir.display());
        return Err(Error::new(Code::FileError, what));
    }
    std::fs::create_dir_all(dir).map_err(failed)?;
    std::fs::write(dir.join(MARKER), "`rollcall demo` deletes this folder and makes it anew.\n").map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_of_the_demo_is_made_anew() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("demo");
        fresh_folder(&dir).unwrap();
        std::fs::write(dir.join("rollcall.db"), "old").unwrap();
        fresh_folder(&dir).unwrap();
        assert!(!dir.join("rollcall.db").exists());

        let precious = parent.path().join("school");
        std::fs::create_dir(&precious).unwrap();
        std::fs::write(precious.join("rollcall.db"), "data").unwrap();
        assert_eq!(fresh_folder(&precious).unwrap_err().code, Code::FileError);
        assert!(precious.join("rollcall.db").exists());
    }
}
