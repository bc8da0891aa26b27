//! Days on which a student is excused beforehand, and what they say beside a record.
//!
//! What becomes of the record is decided in [`attendance`](super::attendance). Called by `app::leaves` and when sessions are
//! settled.

use chrono::NaiveDate;

use super::status::words;

/// Longest leave, days: a school year.
pub const MAX_DAYS: i64 = 366;

words! {
    /// Why a student is away.
    LeaveKind, "a kind of leave": {
        Leave = "leave",
        Sick = "sick",
        /// For the school, elsewhere.
        Duty = "duty",
    }
}

/// When and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    pub kind: LeaveKind,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// Whether somebody on leave was seen all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Away,
    Seen,
}

impl Leave {
    /// What the teacher reads beside the record: `on sick leave from 2026-11-16 to 2026-11-18`.
    pub fn note(self, presence: Presence) -> String {
        let what = match self.kind {
            LeaveKind::Leave => "on leave",
            LeaveKind::Sick => "on sick leave",
            LeaveKind::Duty => "on duty elsewhere",
        };
        let days = if self.first == self.last {
            format!("on {}", self.first)
        } else {
            format!("from {} to {}", self.first, self.last)
        };
        match presence {
            Presence::Away => format!("{what} {days}"),
            Presence::Seen => format!("seen, but {what} {days}: please look"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_names_kind_and_days() {
        let day = |text: &str| text.parse().unwrap();
        let sick = Leave { kind: LeaveKind::Sick, first: day("2026-11-16"), last: day("2026-11-18") };
        assert_eq!(sick.note(Presence::Away), "on sick leave from 2026-11-16 to 2026-11-18");
        let duty = Leave { kind: LeaveKind::Duty, last: sick.first, ..sick };
        assert_eq!(duty.note(Presence::Seen), "seen, but on duty elsewhere on 2026-11-16: please look");
    }
}
