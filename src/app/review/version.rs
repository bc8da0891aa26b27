//! What a record was when somebody looked at it: they send it along with a change, and it is refused when another was faster.

use sha2::{Digest, Sha256};

use crate::domain::ids::MemberId;
use crate::domain::status::{AttendanceStatus, RecordSource, SessionState};

/// Hex digits of a version: 64 bits, enough to tell the states of one record apart.
const DIGITS: usize = 16;

/// Of one record; opaque. `last_change` is the newest line of its history.
pub(super) fn of_record(
    (status, source): (AttendanceStatus, RecordSource),
    note: Option<&str>,
    last_change: Option<i64>,
) -> String {
    digest(&format!("{status} {source} {} {note:?}", last_change.unwrap_or(0)))
}

/// Of a session with all its records; opaque.
pub(super) fn of_session<'r>(state: SessionState, records: impl Iterator<Item = (MemberId, &'r str)>) -> String {
    let records: String = records.map(|(member, version)| format!(" {}:{version}", member.0)).collect();
    digest(&format!("{state}{records}"))
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttendanceStatus::{Late, Present};
    use RecordSource::{Auto, Manual};

    #[test]
    fn whatever_changes_about_a_record_changes_its_version() {
        let first = of_record((Present, Manual), Some("bus"), Some(1));
        let others = [
            of_record((Late, Manual), Some("bus"), Some(1)),
            of_record((Present, Auto), Some("bus"), Some(1)),
            of_record((Present, Manual), None, Some(1)),
            of_record((Present, Manual), Some("bus"), Some(2)),
        ];
        assert!(!others.contains(&first), "{first} {others:?}");
        assert_eq!(of_record((Present, Manual), Some("bus"), Some(1)), first);
        assert_eq!(first.len(), DIGITS);
    }

    #[test]
    fn a_session_changes_with_its_state_and_each_record() {
        let of = |state, a: &str, b: &str| of_session(state, [(MemberId(1), a), (MemberId(2), b)].into_iter());
        let first = of(SessionState::Review, "x", "y");
        assert_ne!(of(SessionState::Confirmed, "x", "y"), first);
        assert_ne!(of(SessionState::Review, "x", "z"), first);
        assert_ne!(of(SessionState::Review, "y", "x"), first);
    }
}
