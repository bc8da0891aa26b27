//! How often program and register agree, and in which way they do not.

use serde::Serialize;

use super::Opinion;
use crate::domain::interval::Share;
use crate::domain::status::{AttendanceStatus, words};

words! {
    /// What becomes of a record when the register is laid beside it.
    Outcome, "an outcome": {
        AgreePresent = "agree_present",
        AgreeAbsent = "agree_absent",
        /// The program named somebody of whom the register says that they were not there: a wrong name, or a wrong register.
        WrongPresent = "wrong_present",
        /// The program says absent, the register that they were there.
        Missed = "missed",
        /// The program asks, and they were there.
        AskedPresent = "asked_present",
        /// The program asks, and they were not there.
        AskedAbsent = "asked_absent",
        /// One of both says nothing.
        NotComparable = "not_comparable",
    }
}

impl Outcome {
    /// `Late` was there, `Excused` was not: the question is who is in the room, not why.
    pub fn of(program: Option<Opinion>, register: Option<AttendanceStatus>) -> Self {
        let was_there = match register {
            Some(AttendanceStatus::Present | AttendanceStatus::Late) => true,
            Some(AttendanceStatus::Absent | AttendanceStatus::Excused) => false,
            Some(AttendanceStatus::Unmarked) | None => return Self::NotComparable,
        };
        match (program, was_there) {
            (Some(Opinion::Present), true) => Self::AgreePresent,
            (Some(Opinion::Present), false) => Self::WrongPresent,
            (Some(Opinion::Absent), true) => Self::Missed,
            (Some(Opinion::Absent), false) => Self::AgreeAbsent,
            (Some(Opinion::Asks), true) => Self::AskedPresent,
            (Some(Opinion::Asks), false) => Self::AskedAbsent,
            _ => Self::NotComparable,
        }
    }

    /// Whether somebody should look who was right.
    pub const fn is_difference(self) -> bool {
        matches!(self, Self::WrongPresent | Self::Missed | Self::AskedPresent | Self::AskedAbsent)
    }
}

/// How many records have each outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    pub agree_present: usize,
    pub agree_absent: usize,
    pub wrong_present: usize,
    pub missed: usize,
    pub asked_present: usize,
    pub asked_absent: usize,
    pub not_comparable: usize,
}

/// What the counts say, as shares of independent records with Wilson intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shares {
    /// Of the records that the program decided and the register has, those on which both say the same.
    pub agreement: Share,
    /// Of the names that the program gave, those of students whom the register has not there.
    pub wrong_names: Share,
    /// Of those who were there, those whom the program called absent.
    pub missed: Share,
    /// Of all comparable records, those on which the program asks.
    pub asked: Share,
}

impl Tally {
    pub const fn of(&self, outcome: Outcome) -> usize {
        match outcome {
            Outcome::AgreePresent => self.agree_present,
            Outcome::AgreeAbsent => self.agree_absent,
            Outcome::WrongPresent => self.wrong_present,
            Outcome::Missed => self.missed,
            Outcome::AskedPresent => self.asked_present,
            Outcome::AskedAbsent => self.asked_absent,
            Outcome::NotComparable => self.not_comparable,
        }
    }

    pub const fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::AgreePresent => self.agree_present += 1,
            Outcome::AgreeAbsent => self.agree_absent += 1,
            Outcome::WrongPresent => self.wrong_present += 1,
            Outcome::Missed => self.missed += 1,
            Outcome::AskedPresent => self.asked_present += 1,
            Outcome::AskedAbsent => self.asked_absent += 1,
            Outcome::NotComparable => self.not_comparable += 1,
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            agree_present: self.agree_present + other.agree_present,
            agree_absent: self.agree_absent + other.agree_absent,
            wrong_present: self.wrong_present + other.wrong_present,
            missed: self.missed + other.missed,
            asked_present: self.asked_present + other.asked_present,
            asked_absent: self.asked_absent + other.asked_absent,
            not_comparable: self.not_comparable + other.not_comparable,
        }
    }

    /// All records.
    pub fn records(&self) -> usize {
        Outcome::ALL.iter().map(|outcome| self.of(*outcome)).sum()
    }

    /// Records of which both sides say something.
    pub fn comparable(&self) -> usize {
        self.records() - self.not_comparable
    }

    /// Names that the program gave.
    pub const fn names(&self) -> usize {
        self.agree_present + self.wrong_present
    }

    /// Those who were there, by the register.
    pub const fn there(&self) -> usize {
        self.agree_present + self.missed + self.asked_present
    }

    pub fn shares(&self) -> Shares {
        let agreed = self.agree_present + self.agree_absent;
        Shares {
            agreement: Share::of_independent(agreed, agreed + self.wrong_present + self.missed),
            wrong_names: Share::of_independent(self.wrong_present, self.names()),
            missed: Share::of_independent(self.missed, self.there()),
            asked: Share::of_independent(self.asked_present + self.asked_absent, self.comparable()),
        }
    }
}
