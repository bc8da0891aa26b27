//! Attendance as people read it: one session, or a class over a range of days, with totals and percentages.
//!
//! Arithmetic and order only. What a sheet looks like, and into which bytes it is written, is `export`'s part; which
//! records go into it is decided by `app::report`, which builds these values.

mod count;
mod evidence;
#[cfg(test)]
pub(crate) mod fixtures;
mod labels;
mod order;
mod register;
mod returned;
mod row_key;
mod session;
mod style;
mod summary;

pub use count::{Fraction, PercentagePolicy, StatusCounts};
pub use evidence::{Evidence, EvidenceRow, FacePicture, FaceShown, RunnerUp, Shown, StrangerFace, reason_in_words};
pub use labels::{LabelError, StatusLabels};
pub use order::natural_order;
pub use register::{
    OpenLesson, RegisterCell, RegisterColumn, RegisterMember, RegisterRecord, RegisterRow, RegisterSheet,
};
pub use returned::{
    MAX_NOTE_CHARS, RecordContent, ReturnedPage, ReturnedRow, RowChange, RowProblem, RowProblemCode, SessionNow,
    SheetChanges, WrongSheet, sessions_of,
};
pub use row_key::RowKey;
pub use session::{PILOT_NOTICE, SessionRow, SessionSheet, Taken};
pub use style::{Colour, Points, StatusStyle, StatusStyles, StyleError};
pub use summary::{OpenLessons, SubjectSummary, Summary};

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

/// What every sheet says about the class it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetHeading {
    /// The school's name, the title of every page.
    pub school: String,
    pub class: String,
    pub section: String,
    pub term: String,
    pub subject: Option<String>,
    /// The school's time zone; every local time on the sheet is in it.
    pub time_zone: Tz,
    /// When the sheet was made. Also the creation time of a workbook, so that equal input gives equal bytes.
    pub generated_at: DateTime<Utc>,
}

impl SheetHeading {
    /// `CSE-A`: the class as schools write it; the class alone when it has no section.
    pub fn class_and_section(&self) -> String {
        if self.section.is_empty() { self.class.clone() } else { format!("{}-{}", self.class, self.section) }
    }

    /// Class, term and whatever else is known, as one line: `CSE-A · 2026-27 · Algebra`.
    pub fn line(&self, more: Option<&str>) -> String {
        let class = self.class_and_section();
        let parts = [Some(class.as_str()), Some(self.term.as_str()), more];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    /// [`SheetHeading::generated_at`] on the school's clocks.
    pub fn generated_local(&self) -> NaiveDateTime {
        self.generated_at.with_timezone(&self.time_zone).naive_local()
    }
}

/// How a school writes and counts the five meanings.
#[derive(Debug, Clone, PartialEq)]
pub struct SheetRules {
    pub styles: StatusStyles,
    /// Members below this percentage are pointed out, 0..=100; default 75, the usual line for sitting an examination.
    pub low_attendance_percent: f64,
}

impl Default for SheetRules {
    fn default() -> Self {
        Self { styles: StatusStyles::default(), low_attendance_percent: 75.0 }
    }
}

impl SheetRules {
    /// What stands in cells.
    pub const fn marks(&self) -> &StatusLabels {
        self.styles.marks()
    }

    pub fn policy(&self) -> PercentagePolicy {
        self.styles.policy()
    }

    /// Whether `percentage` (0..=100, not rounded) is below the line. Nothing counted yet is not low.
    pub fn is_low(&self, percentage: Option<f64>) -> bool {
        percentage.is_some_and(|percentage| percentage < self.low_attendance_percent)
    }
}
