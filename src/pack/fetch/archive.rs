//! Taking single files out of a zip archive.
//!
//! Names inside an archive are compared, never used as paths: a member goes where the manifest says, so no archive can
//! write anywhere else, and no more bytes are unpacked than the manifest allows.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::error::FetchError;
use super::part::{Part, sha256_of};
use crate::pack::manifest::Fingerprint;

/// A zip archive on this machine.
pub(super) struct Archive {
    name: String,
    zip: ZipArchive<BufReader<File>>,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, FetchError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(FetchError::io(path))?;
        match ZipArchive::new(BufReader::new(file)) {
            Ok(zip) => Ok(Self { name, zip }),
            Err(e) => Err(FetchError::Archive { archive: name, reason: e.to_string() }),
        }
    }

    /// Unpacks the member whose bytes are `expected` to `part` and moves it into place; in whichever folder of the archive
    /// it lies and whatever it is called there.
    pub(super) fn extract(
        &mut self,
        expected: Fingerprint<'_>,
        part: &Part,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), FetchError> {
        let Some(member) = self.find(expected)? else {
            let reason = format!("no file in it has {} bytes and sha256 {}", expected.bytes, expected.sha256);
            return Err(FetchError::Archive { archive: self.name.clone(), reason });
        };
        let unreadable = unreadable(&self.name);
        let mut member = self.zip.by_index(member).map_err(unreadable)?;
        part.fill(&mut member, &self.name, expected, progress)
    }

    /// Whether it holds a file with these bytes.
    pub(super) fn holds(&mut self, expected: Fingerprint<'_>) -> Result<bool, FetchError> {
        self.find(expected).map(|member| member.is_some())
    }

    fn find(&mut self, expected: Fingerprint<'_>) -> Result<Option<usize>, FetchError> {
        for index in 0..self.zip.len() {
            let mut member = self.zip.by_index(index).map_err(unreadable(&self.name))?;
            if member.is_file() && member.size() == expected.bytes {
                let found = sha256_of(&mut member as &mut dyn Read, expected.bytes + 1);
                // A member that does not unpack is not the one; it need not spoil the others.
                if found.is_ok_and(|found| found == expected.sha256) {
                    return Ok(Some(index));
                }
            }
        }
        Ok(None)
    }
}

fn unreadable(archive: &str) -> impl Fn(ZipError) -> FetchError + use<> {
    let archive = archive.to_owned();
    move |e| FetchError::Archive { archive: archive.clone(), reason: e.to_string() }
}
