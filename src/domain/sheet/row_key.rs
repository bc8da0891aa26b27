//! What a row of a session's sheet was made of, in a form that travels with the row and is recognised when the sheet comes back.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::domain::ids::{MemberId, SessionId};
use crate::domain::sheet::SessionRow;
use crate::domain::status::AttendanceStatus;

/// Hex digits of the check and of a note's digest: 32 bits, enough to see an accident. They guard against slips of a hand or a
/// program, not against forgers, who could as well edit the cells beside.
const DIGITS: usize = 8;

/// Session, member and what the record said when the sheet was written, with the mark that stood for its status:
/// `s12-m345-present-1a2b3c4d-0123456789abcdef-5e6f7a8b-9f8e7d6c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowKey {
    pub session: SessionId,
    pub member: MemberId,
    pub status: AttendanceStatus,
    /// Digest of the note.
    note: String,
    /// The record's version.
    pub version: String,
    /// Digest of the mark; none in keys of before there was one.
    mark: Option<String>,
}

impl RowKey {
    /// `mark` is what the row's status is written as, `note` the note's text as the reader of this kind of file will find it.
    pub fn new(session: SessionId, row: &SessionRow, mark: &str, note: &str) -> Self {
        let (member, status, version) = (row.member, row.status, row.version.clone());
        Self { session, member, status, note: note_digest(note), version, mark: Some(mark_digest(mark)) }
    }

    /// Reads what [`RowKey`] displays as; none for anything else, also for a key that was damaged.
    pub fn parse(text: &str) -> Option<Self> {
        let (front, check) = text.trim().rsplit_once('-')?;
        if digest(front) != check {
            return None;
        }
        let (session, member, status, note, version, mark) = match front.split('-').collect::<Vec<_>>()[..] {
            [session, member, status, note, version] => (session, member, status, note, version, None),
            [session, member, status, note, version, mark] => (session, member, status, note, version, Some(mark)),
            _ => return None,
        };
        Some(Self {
            session: SessionId(session.strip_prefix('s')?.parse().ok()?),
            member: MemberId(member.strip_prefix('m')?.parse().ok()?),
            status: status.parse().ok()?,
            note: note.to_owned(),
            version: version.to_owned(),
            mark: mark.map(str::to_owned),
        })
    }

    /// Whether the note was this one, but for blanks.
    pub fn had_note(&self, note: &str) -> bool {
        self.note == note_digest(note)
    }

    /// Whether the status was written as this, in any case; unknown, and so not, of a key without it.
    pub fn had_mark(&self, mark: &str) -> bool {
        self.mark.as_ref().is_some_and(|known| *known == mark_digest(mark))
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, member, status, note, version, mark } = self;
        let mark = mark.as_ref().map(|mark| format!("-{mark}")).unwrap_or_default();
        let front = format!("s{}-m{}-{status}-{note}-{version}{mark}", session.0, member.0);
        write!(f, "{front}-{}", digest(&front))
    }
}

/// A note as it is compared: every run of blanks is one blank, and what spreadsheets cannot hold is not there.
pub(super) fn plain_note(note: &str) -> String {
    let kept = |c: &char| c.is_ascii_whitespace() || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    let kept: String = note.chars().filter(kept).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn note_digest(note: &str) -> String {
    digest(&plain_note(note))
}

fn mark_digest(mark: &str) -> String {
    digest(&plain_note(mark).to_lowercase())
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(format!("rollcall sheet row {text}").as_bytes());
    hash.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::sheet::fixtures;

    fn key(note: &str) -> RowKey {
        let sheet = fixtures::session(&[AttendanceStatus::Late]);
        RowKey::new(SessionId(12), &sheet.rows[0], "L", note)
    }

    #[test]
    fn notes_are_the_same_whatever_a_program_does_to_blanks() {
        let key = key("came late\r\n by bus ");
        assert!(key.had_note("came late\nby bus") && key.had_note(" came  late by bus"));
        assert!(!key.had_note("came late by train") && !key.had_note(""));
    }

    #[test]
    fn a_key_of_before_there_were_marks_in_it_is_read() {
        let front = "s12-m1-late-1a2b3c4d-v1";
        let old = RowKey::parse(&format!("{front}-{}", digest(front))).unwrap();
        assert_eq!((old.status, old.version.as_str(), old.had_mark("L")), (AttendanceStatus::Late, "v1", false));
        assert_eq!(old.to_string(), format!("{front}-{}", digest(front)));
        assert!(key("").had_mark(" l ") && !key("").had_mark("E"));
    }

    proptest! {
        #[test]
        fn a_key_reads_back_and_a_changed_one_does_not(note in ".{0,20}", at in 0_usize..60, other in "[0-9a-z-]") {
            let key = key(&note);
            let text = key.to_string();
            prop_assert_eq!(RowKey::parse(&format!(" {text}\n")), Some(key.clone()));
            prop_assert!(key.had_note(&note));
            let mut damaged = text.clone();
            let at = at % text.len();
            damaged.replace_range(at..=at, &other);
            prop_assert_eq!(RowKey::parse(&damaged).is_some(), damaged == text);
        }

        #[test]
        fn arbitrary_text_is_no_key(text in "\\PC{0,60}") {
            prop_assert_eq!(RowKey::parse(&text), None);
        }
    }
}
