//! Where portraits come from: a folder of folders, or a list.

use std::path::{Path, PathBuf};

use super::{PortraitReport, refused};
use crate::app::error::{Code, Error};
use crate::domain::enrolment_list::{find_enrolled, parse_enrolment_list};
use crate::domain::folder_name::{RosterEntry, match_folder};
use crate::domain::status::Consent;

/// A portrait whose student is known; `S` is where its bytes are.
pub(super) struct Task<S = PathBuf> {
    pub(super) path: String,
    pub(super) source: S,
    pub(super) entry: RosterEntry,
    pub(super) consent: Consent,
}

pub(super) type Found<S = PathBuf> = (Vec<Task<S>>, Vec<PortraitReport>, Vec<String>);

/// The files that `is_wanted` by their names, in every student's folder.
pub(super) fn from_folder(
    dir: &Path,
    roster: &[RosterEntry],
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<Found, Error> {
    let (mut tasks, mut reports, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    for (name, path, is_dir) in children(dir)? {
        if !is_dir {
            if is_wanted(&name) {
                warnings.push(format!("{name} lies in no student's folder and was left aside"));
            }
            continue;
        }
        if name.starts_with('.') {
            continue;
        }
        let images: Vec<_> = children(&path)?.into_iter().filter(|(n, _, dir)| !dir && is_wanted(n)).collect();
        match match_folder(&name, roster) {
            Ok(entry) => tasks.extend(images.into_iter().map(|(image, file, _)| Task {
                path: format!("{name}/{image}"),
                source: file,
                entry: entry.clone(),
                consent: Consent::Unknown,
            })),
            Err(e) => reports.push(refused(name, None, &Error::from(e))),
        }
    }
    Ok((tasks, reports, warnings))
}

pub(super) fn from_table(file: &Path, roster: &[RosterEntry]) -> Result<Found, Error> {
    let bytes = std::fs::read(file).map_err(|e| Error::file(file, &e))?;
    let rows = parse_enrolment_list(&bytes).map_err(|e| Error::from(e).of(file.display()))?;
    let root = file.parent().unwrap_or(Path::new("."));
    let (mut tasks, mut reports) = (Vec::new(), Vec::new());
    for row in rows {
        match find_enrolled(&row, roster) {
            Ok(entry) => tasks.push(Task {
                source: root.join(&row.image),
                path: row.image,
                entry: entry.clone(),
                consent: row.consent,
            }),
            Err(e) => reports.push(refused(row.image, None, &Error::new(Code::StudentNotFound, e.to_string()))),
        }
    }
    Ok((tasks, reports, Vec::new()))
}

/// Name, path and whether it is a folder, sorted by name.
fn children(dir: &Path) -> Result<Vec<(String, PathBuf, bool)>, Error> {
    let failed = |e: std::io::Error| Error::file(dir, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_dir = path.is_dir();
        found.push((name, path, is_dir));
    }
    found.sort();
    Ok(found)
}
