//! One session as a sheet: a row per member.

use chrono::NaiveDateTime;

use crate::domain::ids::{MemberId, SessionId};
use crate::domain::sheet::{SheetHeading, SheetRules, StatusCounts, natural_order};
use crate::domain::status::{AttendanceStatus, RecordSource, SessionState};

/// What stands on everything that shows a session of a pilot.
pub const PILOT_NOTICE: &str = "PILOT: does not count";

/// One member in one session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    pub member: MemberId,
    pub roll_no: String,
    pub prn: String,
    pub name: String,
    pub status: AttendanceStatus,
    /// Calibrated posterior of the match, 0..=1; `None` when no face was matched.
    pub confidence: Option<f32>,
    pub source: RecordSource,
    /// What the teacher should know, as a sentence.
    pub note: Option<String>,
    /// Of the record: another one whenever it changes. Opaque; empty where nobody asks.
    pub version: String,
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The name at that time.
    pub by: String,
    /// On the school's clocks.
    pub at: NaiveDateTime,
}

/// Everything the sheet of one session shows.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSheet {
    pub id: SessionId,
    pub heading: SheetHeading,
    pub rules: SheetRules,
    /// `Lecture 12`, where sessions have names.
    pub name: Option<String>,
    /// On the school's clocks ([`SheetHeading::time_zone`]).
    pub starts_at: NaiveDateTime,
    pub state: SessionState,
    /// It does not count in registers and percentages.
    pub pilot: bool,
    /// Who has signed it, while it is signed.
    pub taken: Option<Taken>,
    /// What whoever took the register wants to be known.
    pub remark: Option<String>,
    pub photos: u32,
    /// People without a match, grouped over the session's photos.
    pub strangers: u32,
    /// Sentences for whoever reads the sheet, besides those that [`SessionSheet::notices`] makes from the numbers.
    pub flags: Vec<String>,
    /// Which pack, version and provider decided, as a line of text.
    pub provenance: String,
    pub rows: Vec<SessionRow>,
}

impl SessionSheet {
    /// The same sheet with its rows by roll number, then name, then PRN.
    #[must_use]
    pub fn in_roll_order(mut self) -> Self {
        self.rows.sort_by(|a, b| {
            natural_order(&a.roll_no, &b.roll_no).then_with(|| (&a.name, &a.prn).cmp(&(&b.name, &b.prn)))
        });
        self
    }

    pub fn counts(&self) -> StatusCounts {
        self.rows.iter().map(|row| row.status).collect()
    }

    /// 0..=100 by the sheet's policy; `None` while no record counts.
    pub fn percentage(&self) -> Option<f64> {
        self.counts().percentage(self.rules.policy())
    }

    /// What needs a person's eye and does not change with the status cells: that it is a pilot, the remark, strangers, then the flags.
    pub fn notices(&self) -> Vec<String> {
        let pilot = self.pilot.then(|| PILOT_NOTICE.to_owned());
        let strangers = match self.strangers {
            0 => None,
            1 => Some("1 stranger".to_owned()),
            n => Some(format!("{n} strangers")),
        };
        let remark = self.remark.as_ref().map(|remark| format!("Remark: {remark}"));
        pilot.into_iter().chain(remark).chain(strangers).chain(self.flags.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sheet::fixtures;

    #[test]
    fn rows_follow_the_roll_numbers() {
        let mut sheet = fixtures::session(&[AttendanceStatus::Present; 12]);
        sheet.rows.reverse();
        let rolls: Vec<String> = sheet.in_roll_order().rows.into_iter().map(|row| row.roll_no).collect();
        assert_eq!(rolls[..3], ["R1", "R2", "R3"]);
        assert_eq!(rolls[8..], ["R9", "R10", "R11", "R12"]);
    }

    #[test]
    fn notices_name_strangers_before_the_flags() {
        let mut sheet = fixtures::session(&[]);
        assert_eq!(sheet.notices(), ["2 strangers", "photo 2 is blurred"]);
        (sheet.strangers, sheet.flags) = (0, Vec::new());
        assert!(sheet.notices().is_empty());
        sheet.pilot = true;
        sheet.remark = Some("fire drill".into());
        assert_eq!(sheet.notices(), ["PILOT: does not count", "Remark: fire drill"]);
    }

    #[test]
    fn heading_shows_school_time_and_class_without_section() {
        let mut heading = fixtures::session(&[]).heading;
        assert_eq!(heading.generated_local().to_string(), "2025-03-03 16:36:40");
        assert_eq!(heading.class_and_section(), "CSE-A");
        heading.section.clear();
        assert_eq!(heading.class_and_section(), "CSE");
    }
}
