//! Every path that is ever written. Made of ids, hashes and fixed words, never of names: nothing in a key can lead out
//! of the store, and nothing tells who is on a photo.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Where an object is kept. Its text form is the path below the store's root, the same in every store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// `attendance_photos/<session>/<sha256>.<ext>`: a photo as it was uploaded.
    SessionPhoto { session: i64, sha256: Digest, extension: Extension },
    /// `attendance_photos/<session>/annotated/<photo>.jpg`: the photo with its verdicts drawn in.
    Annotated { session: i64, photo: i64 },
    /// `samples/<student>/<sha256>.<ext>`: an enrolment photo.
    Sample { student: i64, sha256: Digest, extension: Extension },
}

/// Objects that are listed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyGroup {
    /// Everything of all sessions.
    Sessions,
    /// The photos of one session, annotated ones too.
    Session(i64),
    /// The enrolment photos of everybody.
    Samples,
    /// The enrolment photos of one student.
    Student(i64),
}

/// The SHA-256 of an object's bytes; 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Hashes everything that `reader` gives, without holding it.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<Self> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(Self(hash.finalize().into())),
                n => hash.update(&buffer[..n]),
            }
        }
    }
}

/// The kinds of picture that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extension {
    Bmp,
    Gif,
    Jpg,
    Png,
    Tiff,
    Webp,
}

impl Extension {
    const ALL: [Self; 6] = [Self::Bmp, Self::Gif, Self::Jpg, Self::Png, Self::Tiff, Self::Webp];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bmp => "bmp",
            Self::Gif => "gif",
            Self::Jpg => "jpg",
            Self::Png => "png",
            Self::Tiff => "tiff",
            Self::Webp => "webp",
        }
    }
}

/// A text that is not the path of any object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not {what}")]
pub struct BadKey {
    text: String,
    what: &'static str,
}

impl KeyGroup {
    /// The beginning that the paths of the group have in common and no other path has; ends with `/`.
    pub fn prefix(self) -> String {
        match self {
            Self::Sessions => "attendance_photos/".to_owned(),
            Self::Session(session) => format!("attendance_photos/{session}/"),
            Self::Samples => "samples/".to_owned(),
            Self::Student(student) => format!("samples/{student}/"),
        }
    }

    /// Whether `key` is listed in this group.
    pub fn contains(self, key: &Key) -> bool {
        key.to_string().starts_with(&self.prefix())
    }
}

impl fmt::Display for KeyGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionPhoto { session, sha256, extension } => {
                write!(f, "attendance_photos/{session}/{sha256}.{extension}")
            }
            Self::Annotated { session, photo } => write!(f, "attendance_photos/{session}/annotated/{photo}.jpg"),
            Self::Sample { student, sha256, extension } => write!(f, "samples/{student}/{sha256}.{extension}"),
        }
    }
}

impl FromStr for Key {
    type Err = BadKey;

    /// Reads what [`Key`]'s `Display` wrote, and nothing else.
    fn from_str(path: &str) -> Result<Self, BadKey> {
        let bad = || BadKey { text: path.to_owned(), what: "the path of an object" };
        let parts: Vec<&str> = path.split('/').collect();
        let key = match parts[..] {
            ["attendance_photos", session, file] => {
                let (sha256, extension) = image_file(file).ok_or_else(bad)?;
                Self::SessionPhoto { session: id(session).ok_or_else(bad)?, sha256, extension }
            }
            ["attendance_photos", session, "annotated", file] => {
                let photo = file.strip_suffix(".jpg").and_then(id).ok_or_else(bad)?;
                Self::Annotated { session: id(session).ok_or_else(bad)?, photo }
            }
            ["samples", student, file] => {
                let (sha256, extension) = image_file(file).ok_or_else(bad)?;
                Self::Sample { student: id(student).ok_or_else(bad)?, sha256, extension }
            }
            _ => return Err(bad()),
        };
        Ok(key)
    }
}

/// An id as it is written, without a plus sign or leading zeros: one key has one path.
fn id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| id.to_string() == text)
}

fn image_file(file: &str) -> Option<(Digest, Extension)> {
    let (sha256, extension) = file.split_once('.')?;
    Some((sha256.parse().ok()?, extension.parse().ok()?))
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bad = || BadKey { text: text.to_owned(), what: "a SHA-256 in 64 lower-case hex digits" };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(bad()) };
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect();
        Ok(Self(bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)?))
    }
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Extension {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let known = Self::ALL.into_iter().find(|extension| extension.as_str() == text);
        known.ok_or_else(|| BadKey { text: text.to_owned(), what: "a kind of picture that is kept" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = Key> {
        let extension = proptest::sample::select(Extension::ALL.to_vec());
        (0..3, any::<i64>(), any::<i64>(), any::<[u8; 32]>(), extension).prop_map(
            |(kind, id, photo, sha256, extension)| {
                let sha256 = Digest::new(sha256);
                match kind {
                    0 => Key::SessionPhoto { session: id, sha256, extension },
                    1 => Key::Annotated { session: id, photo },
                    _ => Key::Sample { student: id, sha256, extension },
                }
            },
        )
    }

    /// Right or nearly so: signs, leading zeros, capital digits.
    const ALIKE: &str =
        "(attendance_photos|samples)/[+-]?[0-9]{1,3}/(annotated/[+-]?[0-9]{1,3}|[0-9a-f]{63}[0-9a-fA-F])\\.jpg";

    proptest! {
        #[test]
        fn every_key_reads_back_from_its_path(key in keys()) {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }

        #[test]
        fn what_is_read_is_written_the_same(path in ALIKE) {
            if let Ok(key) = path.parse::<Key>() {
                prop_assert_eq!(key.to_string(), path);
            }
        }

        #[test]
        fn no_path_leads_out_of_the_store(key in keys()) {
            let path = key.to_string();
            prop_assert!(!path.starts_with('/') && !path.contains('\\'));
            prop_assert!(path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
        }
    }

    #[test]
    fn paths_are_as_documented() {
        let sha256 = Digest::of(b"abc");
        // FIPS 180-2, appendix B.1.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let photo = Key::SessionPhoto { session: 12, sha256, extension: Extension::Jpg };
        assert_eq!(photo.to_string(), format!("attendance_photos/12/{hex}.jpg"));
        assert_eq!(Key::Annotated { session: 12, photo: 7 }.to_string(), "attendance_photos/12/annotated/7.jpg");
        let sample = Key::Sample { student: 3, sha256, extension: Extension::Png };
        assert_eq!(sample.to_string(), format!("samples/3/{hex}.png"));
    }

    #[test]
    fn other_paths_are_refused() {
        let hex = Digest::of(b"").to_string();
        for path in [
            String::new(),
            "attendance_photos/../rollcall.db".into(),
            format!("attendance_photos/012/{hex}.jpg"),
            format!("attendance_photos/12/{}.jpg", hex.to_uppercase()),
            format!("attendance_photos/12/{hex}.exe"),
            format!("attendance_photos/12/{}.jpg", &hex[1..]),
            format!("attendance_photos/12/{hex}.jpg/"),
            format!("/samples/3/{hex}.jpg"),
            format!("samples/asha/{hex}.jpg"),
            "attendance_photos/12/annotated/x.jpg".into(),
        ] {
            assert!(path.parse::<Key>().is_err(), "{path}");
        }
    }

    #[test]
    fn a_group_holds_its_own_and_not_the_ids_that_begin_alike() {
        let key = Key::Annotated { session: 12, photo: 7 };
        assert!(KeyGroup::Sessions.contains(&key) && KeyGroup::Session(12).contains(&key));
        assert!(!KeyGroup::Session(1).contains(&key) && !KeyGroup::Samples.contains(&key));
    }
}
