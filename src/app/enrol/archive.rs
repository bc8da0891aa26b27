//! Portraits in a zip archive of `<Student_Name>_<Roll_No>/*.jpg`, as somebody sent it.
//!
//! Archives are hostile until proven otherwise: names in them are compared with the roster and never used as paths, so
//! nothing is written anywhere; files are counted before the list of them is read, and unpacked one at a time, each no
//! further than a picture may be large.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Component, Path};

use bytes::Bytes;
use zip::ZipArchive;
use zip::result::ZipError;

use super::sources::{Found, Task};
use super::{ConsentGiven, EnrolReport, PortraitReport, Touched, in_flight, one, refused, report_of, roster_of_class};
use crate::app::error::{Code, Error};
use crate::app::{Recogniser, School, blocking};
use crate::domain::folder_name::{RosterEntry, match_folder};
use crate::domain::ids::ClassId;
use crate::domain::photo_name::looks_like_photo;
use crate::domain::status::Consent;
use crate::vision::decode::{DecodeError, DecodeLimits, Oversize};

/// Most files of an archive; the portraits of a class are some hundred.
const MAX_FILES: usize = 5_000;
/// Most bytes that all its pictures may have together.
const MAX_UNPACKED_BYTES: u64 = 1 << 30;
/// So many files that were left aside are named.
const NAMED: usize = 5;
/// What every entry of an archive's list begins with (APPNOTE.TXT 6.3.10, 4.3.12).
const ENTRY_SIGNATURE: &[u8] = b"PK\x01\x02";

/// Enrols the portraits of an archive for one class; students without recorded consent are refused. `progress` is told (done,
/// all).
///
/// # Errors
/// `CLASS_NOT_FOUND`; `UNSUPPORTED_FORMAT` for bytes that are no zip archive, `REQUEST_TOO_LARGE` for one with too much in
/// it. What is wrong with single files is in the report.
pub(super) async fn run_archive(
    school: &School,
    recogniser: &Recogniser,
    archive: Bytes,
    class: ClassId,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<EnrolReport, Error> {
    let roster = roster_of_class(school, class).await?;
    let (entries, limits) = (roster.entries.clone(), *recogniser.limits());
    let found = blocking(move || Archive::open(archive)?.portraits(&entries, &limits)).await?;
    let (tasks, mut reports, warnings) = found;
    let mut touched = Touched::default();
    tasks.iter().for_each(|task| touched.add(&task.entry));
    let enrolled = in_flight(tasks, progress, |task| {
        let (school, recogniser) = (school.clone(), recogniser.clone());
        async move {
            let (path, roll_no) = (task.path.clone(), task.entry.roll_no.clone());
            let done = one::enrol(&school, &recogniser, task, ConsentGiven::AsInRoster, Packed::read).await;
            done.unwrap_or_else(|e| refused(path, Some(roll_no), &e))
        }
    });
    reports.extend(enrolled.await?);
    let matching = recogniser.matching(school);
    report_of(school, (matching, &recogniser.provider()), (&roster, &touched), (reports, warnings)).await
}

/// An archive in memory. Clones share its bytes and its list.
#[derive(Clone)]
pub(super) struct Archive {
    zip: ZipArchive<Cursor<Bytes>>,
}

/// A file in an archive.
pub(super) struct Packed {
    archive: Archive,
    index: usize,
}

impl Archive {
    pub(super) fn open(bytes: Bytes) -> Result<Self, Error> {
        // Every entry of the list has its own signature, so no list is longer than this, whatever its header says.
        if bytes.windows(ENTRY_SIGNATURE.len()).filter(|window| *window == ENTRY_SIGNATURE).nth(MAX_FILES).is_some() {
            return Err(too_much(format!("more than {MAX_FILES} files")));
        }
        match ZipArchive::new(Cursor::new(bytes)) {
            Ok(zip) => Ok(Self { zip }),
            Err(e) => Err(Error::new(Code::UnsupportedFormat, format!("this is no zip archive that can be read: {e}"))),
        }
    }

    /// The pictures in students' folders, at any depth, with whose they are.
    pub(super) fn portraits(mut self, roster: &[RosterEntry], limits: &DecodeLimits) -> Result<Found<Packed>, Error> {
        let mut shelf = Shelf { roster, folders: BTreeMap::new(), tasks: Vec::new(), reports: Vec::new() };
        let (mut unpacked, mut aside) = (0, Vec::new());
        for index in 0..self.zip.len() {
            let archive = self.clone();
            let entry = self.zip.by_index_raw(index).map_err(|e| unreadable(&e))?;
            if entry.is_dir() {
                continue;
            }
            let said = entry.name().map(String::from).unwrap_or_default();
            let Some((folder, file)) = place(&said).filter(|_| entry.is_file()) else {
                aside.push(said);
                continue;
            };
            let length = entry.size();
            if length > limits.max_bytes {
                let over = DecodeError::from(Oversize::Bytes { bytes: length, limit: limits.max_bytes });
                shelf.reports.push(refused(format!("{folder}/{file}"), None, &over.into()));
                continue;
            }
            unpacked += length;
            if unpacked > MAX_UNPACKED_BYTES {
                return Err(too_much(format!("more than {} MB of pictures", MAX_UNPACKED_BYTES >> 20)));
            }
            shelf.put(folder, file, Packed { archive, index });
        }
        let warnings = left_aside(&aside).into_iter().collect();
        Ok((shelf.tasks, shelf.reports, warnings))
    }
}

/// Pictures by whose they are.
struct Shelf<'r> {
    roster: &'r [RosterEntry],
    /// Whose each folder is; none for those that were refused.
    folders: BTreeMap<String, Option<RosterEntry>>,
    tasks: Vec<Task<Packed>>,
    reports: Vec<PortraitReport>,
}

impl Shelf<'_> {
    fn put(&mut self, folder: &str, file: &str, source: Packed) {
        if !self.folders.contains_key(folder) {
            let whose = match match_folder(folder, self.roster) {
                Ok(entry) => Some(entry.clone()),
                Err(e) => {
                    self.reports.push(refused(folder.to_owned(), None, &Error::from(e)));
                    None
                }
            };
            self.folders.insert(folder.to_owned(), whose);
        }
        if let Some(Some(entry)) = self.folders.get(folder) {
            let (path, entry) = (format!("{folder}/{file}"), entry.clone());
            self.tasks.push(Task { path, source, entry, consent: Consent::Unknown });
        }
    }
}

/// The student's folder and the file of a picture's name; none for what is no picture, lies in no folder, is hidden, or
/// leads out of the archive.
fn place(name: &str) -> Option<(&str, &str)> {
    let path = Path::new(name);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !path.components().all(plain) || name.contains(['\\', '\0']) || !looks_like_photo(path) {
        return None;
    }
    let mut parts = name.split('/').filter(|part| !part.is_empty()).rev();
    let file = parts.next()?;
    Some((parts.next()?, file))
}

fn left_aside(names: &[String]) -> Option<String> {
    let is_noise = |name: &&String| {
        let is_hidden = |part: &str| part.starts_with('.') && part != ".." || part == "__MACOSX";
        !name.split('/').any(is_hidden)
    };
    let names: Vec<&str> = names.iter().filter(is_noise).map(String::as_str).collect();
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    let shown = names.iter().take(NAMED).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| format!("no pictures in a student's folder, left aside: {shown}{more}"))
}

impl Packed {
    /// Unpacks the file, no further than it says and a picture may be large.
    fn read(&self, limits: &DecodeLimits) -> Result<Vec<u8>, Error> {
        let damaged = |what: String| Error::new(Code::InvalidImage, format!("cannot be unpacked: {what}"));
        let mut zip = self.archive.zip.clone();
        let entry = zip.by_index(self.index).map_err(|e| unreadable(&e))?;
        let length = entry.size().min(limits.max_bytes);
        let mut bytes = Vec::new();
        entry.take(length + 1).read_to_end(&mut bytes).map_err(|e| damaged(e.to_string()))?;
        if bytes.len() as u64 > length { Err(damaged("it is larger than the archive says".into())) } else { Ok(bytes) }
    }
}

fn unreadable(error: &ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(what) => {
            Error::new(Code::UnsupportedFormat, format!("cannot be unpacked: {what}"))
        }
        error => Error::new(Code::InvalidImage, format!("cannot be unpacked: {error}")),
    }
}

fn too_much(what: String) -> Error {
    Error::new(Code::RequestTooLarge, format!("the archive has {what}; send it in parts"))
}

#[cfg(test)]
mod tests;
