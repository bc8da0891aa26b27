//! A file on its way into a pack: written beside its place, moved there only with the right bytes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::FetchError;
use crate::pack::manifest::Fingerprint;
use crate::pack::sha256;

/// The unfinished file of one place.
#[derive(Debug)]
pub(super) struct Part {
    place: PathBuf,
    part: PathBuf,
}

impl Part {
    /// The unfinished file for `dir/name`; `name` is a plain name, as manifests hold.
    pub(super) fn of(dir: &Path, name: &str) -> Self {
        Self { place: dir.join(name), part: dir.join(format!("{name}.part")) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.part
    }

    /// Bytes that have arrived.
    pub(super) fn len(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |found| found.len())
    }

    pub(super) fn discard(&self) -> Result<(), FetchError> {
        match fs::remove_file(&self.part) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FetchError::io(&self.part)(e)),
            _ => Ok(()),
        }
    }

    /// Fills the part anew from `from`, whose name is `origin`, and moves it into place.
    pub(super) fn fill(
        &self,
        from: &mut dyn Read,
        origin: &str,
        expected: Fingerprint<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), FetchError> {
        let mut file = File::create(&self.part).map_err(FetchError::io(&self.part))?;
        // One byte more than there must be tells a file that is too long.
        let written = copy(&mut from.take(expected.bytes + 1), &mut file, progress);
        if let Err(e) = written {
            self.discard()?;
            return Err(FetchError::Io { path: PathBuf::from(origin), source: e });
        }
        self.accept(origin, expected)
    }

    /// Moves the part into place when it is what the manifest wants, and throws it away otherwise.
    pub(super) fn accept(&self, origin: &str, expected: Fingerprint<'_>) -> Result<(), FetchError> {
        let at = || FetchError::io(&self.part);
        let mut file = File::open(&self.part).map_err(at())?;
        let found = file.metadata().map_err(at())?.len();
        let reason = if found == expected.bytes {
            let found = sha256(&mut file).map_err(at())?;
            (found != expected.sha256).then(|| format!("it has sha256 {found} instead of {}", expected.sha256))
        } else {
            let more = if found > expected.bytes { " or more" } else { "" };
            Some(format!("it has {found} bytes{more} instead of {}", expected.bytes))
        };
        if let Some(reason) = reason {
            self.discard()?;
            return Err(FetchError::WrongBytes { origin: origin.to_owned(), reason });
        }
        file.sync_all().map_err(at())?;
        fs::rename(&self.part, &self.place).map_err(FetchError::io(&self.place))
    }
}

/// Copies and tells how many bytes have gone over.
pub(super) fn copy(from: &mut dyn Read, to: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(n) => {
                to.write_all(&buffer[..n])?;
                copied += n as u64;
                progress(copied);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Writes a small text so that a reader sees the old one or the new one.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), FetchError> {
    let unfinished = path.with_extension("toml.part");
    fs::write(&unfinished, text).map_err(FetchError::io(&unfinished))?;
    fs::rename(&unfinished, path).map_err(FetchError::io(path))
}

/// Size and sha256 of a file in hand.
pub(super) fn fingerprint(path: &Path) -> Result<(String, u64), FetchError> {
    let at = || FetchError::io(path);
    let mut file = File::open(path).map_err(at())?;
    let bytes = file.metadata().map_err(at())?.len();
    Ok((sha256(&mut file).map_err(at())?, bytes))
}

/// sha256 of whatever can be read, at most `limit` bytes of it.
pub(super) fn sha256_of(from: &mut dyn Read, limit: u64) -> io::Result<String> {
    let mut hash = Sha256::new();
    copy(&mut from.take(limit), &mut HashWriter(&mut hash), &mut |_| ())?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
