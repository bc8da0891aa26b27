//! The pilot of a class: what the program found beside what the teacher's register says, before anything counts.
//!
//! `register` reads the teacher's file, `placing` finds the session and the member that each of its entries is about,
//! [`compare`] counts, `verdict` says whether it is enough and good enough. It knows sessions and opinions as values; which
//! sessions are looked at is decided by `app::pilot`.

mod comparison;
mod placing;
mod register;
mod tally;
mod verdict;

pub use comparison::{Comparison, Difference, NotCompared, OfClass, OfStudent, OfWeek, SessionNote, compare};
pub use placing::{Lesson, LessonKind, Misfit, RollEntry, Scope};
pub use register::{Entry, LeftOut, Meeting, Register, SaidClass, parse_register};
pub use tally::{Outcome, Shares, Tally};
pub use verdict::{LEAST_DAYS, LEAST_NAMES, LEAST_SESSIONS, MOST_MISSED, MOST_WRONG_NAMES, Readiness, Verdict};

use super::attendance::{Ground, Record};
use super::sheet::{SheetHeading, StatusStyles};
use super::status::words;

/// Whether sessions of a pilot are among those that are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PilotSessions {
    #[default]
    LeftOut,
    Included,
}

impl PilotSessions {
    /// Whether a session counts that is of a pilot, or not.
    pub const fn take(self, pilot: bool) -> bool {
        !pilot || matches!(self, Self::Included)
    }
}

/// A comparison with what its sheet says besides.
#[derive(Debug, Clone, PartialEq)]
pub struct PilotSheet {
    pub heading: SheetHeading,
    pub styles: StatusStyles,
    pub comparison: Comparison,
}

words! {
    /// What the program says of a member from faces alone, without anything that a person has said of this session.
    Opinion, "an opinion": {
        Present = "present",
        Absent = "absent",
        /// Some face may be the student.
        Asks = "asks",
        NoConsent = "no_consent",
        NoTemplate = "no_template",
        Inactive = "inactive",
        PhotosIncomplete = "photos_incomplete",
        EmptyRoom = "empty_room",
        OtherClass = "other_class",
    }
}

impl Opinion {
    /// The opinion behind an automatic record; `None` for one that a person has set.
    pub const fn of(record: &Record) -> Option<Self> {
        Some(match record.ground {
            Ground::Seen | Ground::SeenOnLeave => Self::Present,
            Ground::NotSeen => Self::Absent,
            Ground::Doubt => Self::Asks,
            Ground::NoConsent => Self::NoConsent,
            Ground::NoTemplate => Self::NoTemplate,
            Ground::Inactive => Self::Inactive,
            Ground::PhotosIncomplete => Self::PhotosIncomplete,
            Ground::EmptyRoom => Self::EmptyRoom,
            Ground::OtherClass => Self::OtherClass,
            // A person has said it.
            Ground::Corrected | Ground::OnLeave => return None,
        })
    }
}

#[cfg(test)]
mod tests;
