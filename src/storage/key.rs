//! Every path that is ever written. Made of ids, hashes, words of the school's timetable and fixed words, never of people's
//! names: nothing in a key can lead out of the store, and nothing tells who is on a photo.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Digest, PhotoLabel, ShortDigest};

/// Where an object is kept. Its text form is the path below the store's root, the same in every store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// `attendance_photos/<subject>_<class>_<section>_<date>_<time>_<session>-<12 hex digits>.<ext>`: a photo as it was
    /// uploaded. Session and hash make it unique; the label is for people.
    SessionPhoto { label: PhotoLabel, session: i64, sha256: ShortDigest, extension: Extension },
    /// `attendance_photos/<session>/<sha256>.<ext>`: the same as earlier versions wrote it, and where another photo of the
    /// session begins with the same digits.
    PhotoByHash { session: i64, sha256: Digest, extension: Extension },
    /// `attendance_photos/<session>/annotated/<photo>.jpg`: the photo with its verdicts drawn in.
    Annotated { session: i64, photo: i64 },
    /// `samples/<student>/<sha256>.<ext>`: an enrolment photo.
    Sample { student: i64, sha256: Digest, extension: Extension },
    /// `leaves/<leave>/<sha256>.<ext>`: what excuses a student.
    LeaveDocument { leave: i64, sha256: Digest, extension: DocumentExtension },
    /// `exports/by_request/<job>.<ext>`: what the job of an export has made. People keep files of their own in `exports/`.
    Export { job: i64, extension: ExportExtension },
    /// `enrolments/<class>-<number>.zip`: portraits of a class on their way; gone when they were looked at.
    Enrolment { class: i64, number: u64 },
    /// `probe/<number>.txt`: written, read and removed again by whoever wants to know whether the store works.
    Probe { number: u64 },
}

/// Objects that are listed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyGroup {
    /// Everything of all sessions.
    Sessions,
    /// The photos of one session, annotated ones too. All of [`KeyGroup::Sessions`] is looked through for them: whoever has
    /// the database asks its rows.
    Session(i64),
    /// The enrolment photos of everybody.
    Samples,
    /// The enrolment photos of one student.
    Student(i64),
    /// Documents of leaves.
    Leaves,
    /// What exports have made.
    Exports,
    /// Portraits on their way.
    Enrolments,
}

/// The kinds of picture that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extension {
    Bmp,
    Gif,
    Heic,
    Jpg,
    Png,
    Tiff,
    Webp,
}

impl Extension {
    const ALL: [Self; 7] = [Self::Bmp, Self::Gif, Self::Heic, Self::Jpg, Self::Png, Self::Tiff, Self::Webp];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bmp => "bmp",
            Self::Gif => "gif",
            Self::Heic => "heic",
            Self::Jpg => "jpg",
            Self::Png => "png",
            Self::Tiff => "tiff",
            Self::Webp => "webp",
        }
    }

    /// As IANA registers it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Bmp => "image/bmp",
            Self::Gif => "image/gif",
            Self::Heic => "image/heic",
            Self::Jpg => "image/jpeg",
            Self::Png => "image/png",
            Self::Tiff => "image/tiff",
            Self::Webp => "image/webp",
        }
    }
}

/// The kinds of file that exports make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportExtension {
    Csv,
    Xlsx,
    Zip,
}

impl ExportExtension {
    const ALL: [Self; 3] = [Self::Csv, Self::Xlsx, Self::Zip];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Zip => "zip",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Zip => "application/zip",
        }
    }
}

/// The kinds of document that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentExtension {
    Jpg,
    Pdf,
    Png,
}

impl DocumentExtension {
    const ALL: [Self; 3] = [Self::Jpg, Self::Pdf, Self::Png];

    /// By the first bytes; none for any other file.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let beginning = |kind: Self| -> &[u8] {
            match kind {
                Self::Jpg => b"\xff\xd8\xff",
                Self::Pdf => b"%PDF-",
                Self::Png => b"\x89PNG\r\n\x1a\n",
            }
        };
        Self::ALL.into_iter().find(|kind| bytes.starts_with(beginning(*kind)))
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpg => "jpg",
            Self::Pdf => "pdf",
            Self::Png => "png",
        }
    }

    /// As IANA registers it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpg => "image/jpeg",
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
        }
    }
}

/// A text that is not the path of any object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not {what}")]
pub struct BadKey {
    pub(super) text: String,
    pub(super) what: &'static str,
}

impl Key {
    /// What the object is, as HTTP says it.
    pub const fn media_type(&self) -> &'static str {
        match self {
            Self::SessionPhoto { extension, .. }
            | Self::PhotoByHash { extension, .. }
            | Self::Sample { extension, .. } => extension.media_type(),
            Self::Annotated { .. } => Extension::Jpg.media_type(),
            Self::LeaveDocument { extension, .. } => extension.media_type(),
            Self::Export { extension, .. } => extension.media_type(),
            Self::Enrolment { .. } => ExportExtension::Zip.media_type(),
            Self::Probe { .. } => "text/plain",
        }
    }
}

impl KeyGroup {
    /// The beginning that the paths of the group have in common; ends with `/`. [`KeyGroup::contains`] decides.
    pub fn prefix(self) -> String {
        match self {
            Self::Sessions | Self::Session(_) => "attendance_photos/".to_owned(),
            Self::Samples => "samples/".to_owned(),
            Self::Student(student) => format!("samples/{student}/"),
            Self::Leaves => "leaves/".to_owned(),
            Self::Exports => "exports/by_request/".to_owned(),
            Self::Enrolments => "enrolments/".to_owned(),
        }
    }

    /// Whether `key` is listed in this group.
    pub fn contains(self, key: &Key) -> bool {
        let of_session = match key {
            Key::SessionPhoto { session, .. } | Key::PhotoByHash { session, .. } | Key::Annotated { session, .. } => {
                Some(*session)
            }
            _ => None,
        };
        match self {
            Self::Sessions => of_session.is_some(),
            Self::Session(session) => of_session == Some(session),
            Self::Samples => matches!(key, Key::Sample { .. }),
            Self::Student(wanted) => matches!(key, Key::Sample { student, .. } if *student == wanted),
            Self::Leaves => matches!(key, Key::LeaveDocument { .. }),
            Self::Exports => matches!(key, Key::Export { .. }),
            Self::Enrolments => matches!(key, Key::Enrolment { .. }),
        }
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
            Self::SessionPhoto { label, session, sha256, extension } => {
                write!(f, "attendance_photos/{label}_{session}-{sha256}.{extension}")
            }
            Self::PhotoByHash { session, sha256, extension } => {
                write!(f, "attendance_photos/{session}/{sha256}.{extension}")
            }
            Self::Annotated { session, photo } => write!(f, "attendance_photos/{session}/annotated/{photo}.jpg"),
            Self::Sample { student, sha256, extension } => write!(f, "samples/{student}/{sha256}.{extension}"),
            Self::LeaveDocument { leave, sha256, extension } => write!(f, "leaves/{leave}/{sha256}.{extension}"),
            Self::Export { job, extension } => write!(f, "exports/by_request/{job}.{extension}"),
            Self::Enrolment { class, number } => write!(f, "enrolments/{class}-{number}.zip"),
            Self::Probe { number } => write!(f, "probe/{number}.txt"),
        }
    }
}

impl FromStr for Key {
    type Err = BadKey;

    /// Reads what [`Key`]'s `Display` wrote, and nothing else: one key has one path.
    fn from_str(path: &str) -> Result<Self, BadKey> {
        let key = read(path).filter(|key| key.to_string() == path);
        key.ok_or_else(|| BadKey { text: path.to_owned(), what: "the path of an object" })
    }
}

/// The key that a path means; the path may still be another spelling of it (a plus sign, leading zeros).
fn read(path: &str) -> Option<Key> {
    let parts: Vec<&str> = path.split('/').collect();
    Some(match parts[..] {
        ["attendance_photos", file] => {
            let (name, extension) = file.split_once('.')?;
            let (label, unique) = name.rsplit_once('_')?;
            let (session, sha256) = unique.rsplit_once('-')?;
            Key::SessionPhoto {
                label: label.parse().ok()?,
                session: session.parse().ok()?,
                sha256: sha256.parse().ok()?,
                extension: extension.parse().ok()?,
            }
        }
        ["attendance_photos", session, file] => {
            let (sha256, extension) = image_file(file)?;
            Key::PhotoByHash { session: session.parse().ok()?, sha256, extension }
        }
        ["attendance_photos", session, "annotated", file] => {
            let photo = file.strip_suffix(".jpg")?.parse().ok()?;
            Key::Annotated { session: session.parse().ok()?, photo }
        }
        ["samples", student, file] => {
            let (sha256, extension) = image_file(file)?;
            Key::Sample { student: student.parse().ok()?, sha256, extension }
        }
        ["leaves", leave, file] => {
            let (sha256, extension) = file.split_once('.')?;
            let (leave, sha256) = (leave.parse().ok()?, sha256.parse().ok()?);
            Key::LeaveDocument { leave, sha256, extension: extension.parse().ok()? }
        }
        ["exports", "by_request", file] => {
            let (job, extension) = file.split_once('.')?;
            Key::Export { job: job.parse().ok()?, extension: extension.parse().ok()? }
        }
        ["enrolments", file] => {
            // The minus sign of a class is none that divides.
            let (class, number) = file.strip_suffix(".zip")?.rsplit_once('-')?;
            Key::Enrolment { class: class.parse().ok()?, number: number.parse().ok()? }
        }
        ["probe", file] => Key::Probe { number: file.strip_suffix(".txt")?.parse().ok()? },
        _ => return None,
    })
}

fn image_file(file: &str) -> Option<(Digest, Extension)> {
    let (sha256, extension) = file.split_once('.')?;
    Some((sha256.parse().ok()?, extension.parse().ok()?))
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

impl fmt::Display for DocumentExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DocumentExtension {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let known = Self::ALL.into_iter().find(|extension| extension.as_str() == text);
        known.ok_or_else(|| BadKey { text: text.to_owned(), what: "a kind of document that is kept" })
    }
}

impl fmt::Display for ExportExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ExportExtension {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let known = Self::ALL.into_iter().find(|extension| extension.as_str() == text);
        known.ok_or_else(|| BadKey { text: text.to_owned(), what: "a kind of file that exports make" })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn label(subject: &str, secs: i64) -> PhotoLabel {
        PhotoLabel::new(Some(subject), "CSE", "A", DateTime::from_timestamp(secs, 0).unwrap().naive_utc())
    }

    fn keys() -> impl Strategy<Value = Key> {
        let extension = proptest::sample::select(Extension::ALL.to_vec());
        let export = proptest::sample::select(ExportExtension::ALL.to_vec());
        let document = proptest::sample::select(DocumentExtension::ALL.to_vec());
        let labels = (any::<String>(), 0..4_000_000_000_i64).prop_map(|(subject, secs)| label(&subject, secs));
        (0..8, any::<i64>(), any::<i64>(), any::<[u8; 32]>(), extension, (labels, export, document)).prop_map(
            |(kind, id, photo, sha256, extension, (label, export, document))| {
                let sha256 = Digest::new(sha256);
                match kind {
                    0 => Key::SessionPhoto { label, session: id, sha256: sha256.short(), extension },
                    1 => Key::PhotoByHash { session: id, sha256, extension },
                    2 => Key::Annotated { session: id, photo },
                    3 => Key::Sample { student: id, sha256, extension },
                    4 => Key::Export { job: id, extension: export },
                    6 => Key::LeaveDocument { leave: id, sha256, extension: document },
                    5 => Key::Enrolment { class: id, number: photo.unsigned_abs() },
                    _ => Key::Probe { number: id.unsigned_abs() },
                }
            },
        )
    }

    /// Right or nearly so: signs, leading zeros, capital digits.
    const ALIKE: &str = "(attendance_photos|samples|leaves)/[+-]?[0-9]{1,3}/[0-9a-f]{63}[0-9a-fA-F]\\.jpg\
                         |attendance_photos/[+-]?[0-9]{1,3}/annotated/[+-]?[0-9]{1,3}\\.jpg\
                         |attendance_photos/[A-Z]_[a-z-]{0,3}_A_202[0-9]-[01]?[0-9]-[01][0-9]_[01]900_[+-]?[0-9]{1,2}-\
                          [0-9a-f]{11}[0-9a-fA-F]\\.png\
                         |exports/by_request/[+-]?[0-9]{1,3}\\.zip\
                         |enrolments/[+-]?[0-9]{1,3}-[+-]?[0-9]{1,3}\\.zip";

    #[test]
    fn documents_are_known_by_their_first_bytes() {
        assert_eq!(DocumentExtension::of(b"%PDF-1.7"), Some(DocumentExtension::Pdf));
        assert_eq!(DocumentExtension::of(b"\xff\xd8\xff\xe0"), Some(DocumentExtension::Jpg));
        assert_eq!(DocumentExtension::of(b"\x89PNG\r\n\x1a\n"), Some(DocumentExtension::Png));
        for other in [b"".as_slice(), b"<html>", b"GIF89a", b"PK\x03\x04", b" %PDF-"] {
            assert_eq!(DocumentExtension::of(other), None, "{other:?}");
        }
    }

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

        #[test]
        fn a_key_is_in_a_group_only_below_its_prefix(key in keys(), id: i64) {
            let of_one = [KeyGroup::Session(id), KeyGroup::Student(id)];
            let whole = [KeyGroup::Sessions, KeyGroup::Samples, KeyGroup::Exports, KeyGroup::Enrolments];
            for group in whole.into_iter().chain(of_one) {
                prop_assert!(!group.contains(&key) || key.to_string().starts_with(&group.prefix()));
            }
        }
    }

    #[test]
    fn paths_are_as_documented() {
        let sha256 = Digest::of(b"abc");
        // FIPS 180-2, appendix B.1.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let (label, extension) = (label("Algebra", 1_794_819_600), Extension::Jpg);
        let photo = Key::SessionPhoto { label, session: 12, sha256: sha256.short(), extension };
        assert_eq!(photo.to_string(), "attendance_photos/Algebra_CSE_A_2026-11-16_0900_12-ba7816bf8f01.jpg");
        let earlier = Key::PhotoByHash { session: 12, sha256, extension };
        assert_eq!(earlier.to_string(), format!("attendance_photos/12/{hex}.jpg"));
        assert_eq!(Key::Annotated { session: 12, photo: 7 }.to_string(), "attendance_photos/12/annotated/7.jpg");
        let sample = Key::Sample { student: 3, sha256, extension: Extension::Png };
        assert_eq!(sample.to_string(), format!("samples/3/{hex}.png"));
        let export = Key::Export { job: 5, extension: ExportExtension::Xlsx };
        assert_eq!(export.to_string(), "exports/by_request/5.xlsx");
        assert_eq!(Key::Enrolment { class: 3, number: 77 }.to_string(), "enrolments/3-77.zip");
        assert_eq!(Key::Probe { number: 5 }.to_string(), "probe/5.txt");
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
            format!("attendance_photos/{hex}.jpg"),
            format!("attendance_photos/Algebra_CSE_A_2026-11-16_0900_012-{}.jpg", &hex[..12]),
            format!("attendance_photos/Algebra_CSE_A_2026-11-16_0900_12-{hex}.jpg"),
            "attendance_photos/Algebra_CSE_A_2026-11-16_0900.jpg".into(),
            format!("/samples/3/{hex}.jpg"),
            format!("samples/asha/{hex}.jpg"),
            "attendance_photos/12/annotated/x.jpg".into(),
            "exports/5.xlsx".into(),
            "exports/by_request/november.xlsx".into(),
            "exports/by_request/5.pdf".into(),
            "enrolments/3.zip".into(),
            "rollcall.db".into(),
        ] {
            assert!(path.parse::<Key>().is_err(), "{path}");
        }
    }

    #[test]
    fn a_group_holds_its_own_and_not_the_ids_that_begin_alike() {
        let old = Key::PhotoByHash { session: 12, sha256: Digest::of(b""), extension: Extension::Jpg };
        let (sha256, extension) = (Digest::of(b"").short(), Extension::Jpg);
        let new = Key::SessionPhoto { label: label("1", 0), session: 12, sha256, extension };
        for key in [Key::Annotated { session: 12, photo: 7 }, old, new] {
            assert!(KeyGroup::Sessions.contains(&key) && KeyGroup::Session(12).contains(&key));
            assert!(!KeyGroup::Session(1).contains(&key) && !KeyGroup::Samples.contains(&key));
        }
    }
}
