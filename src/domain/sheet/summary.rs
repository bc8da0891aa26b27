//! What a member's attendance over a range adds up to: the percentage so far, of everything planned, and what can still be
//! reached; absences in a row; each subject by itself.
//!
//! Every session that was held counts, signed or not, but those of a pilot: one is held once anybody has a record in it. A mark that
//! nobody has decided is outside, as in every percentage. Called by the register, of which each row has one.

use std::collections::BTreeMap;

use crate::domain::ids::SubjectId;
use crate::domain::sheet::{Fraction, PercentagePolicy, Points, RegisterCell, StatusCounts};
use crate::domain::status::AttendanceStatus;

/// Lessons of the timetable that were not held, on days on which somebody was in the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenLessons {
    /// Over: nobody took the register.
    pub missed: u32,
    /// Still to be held.
    pub to_come: u32,
}

/// A subject of one member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubjectSummary {
    /// None: sessions without a subject.
    pub subject: Option<SubjectId>,
    /// Sessions that were held while the member was in the class.
    pub taken: u32,
    /// 0..=100.
    pub percent: Option<f64>,
}

/// What a member's marks add up to. Percentages are 0..=100, not rounded; none where nothing stands below the line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    pub fraction: Fraction,
    /// Points over the records that count.
    pub percent: Option<f64>,
    /// Points over everything that is planned and can count: records that count, undecided ones, and the open lessons.
    pub percent_all: Option<f64>,
    /// What the percentage would be in the end with *present* in every lesson to come.
    pub percent_reachable: Option<f64>,
    /// Absences since the member was last present or late; what is undecided or excused is passed over.
    pub consecutive_absences: u32,
    /// By subject; sessions without one come first.
    pub subjects: Vec<SubjectSummary>,
}

impl Summary {
    /// Of a member's `cells`, in order of time, with the subject of each session.
    pub fn of(
        cells: impl Iterator<Item = (Option<SubjectId>, RegisterCell)> + Clone,
        open: OpenLessons,
        policy: PercentagePolicy,
    ) -> Self {
        let held = cells.filter_map(|(subject, cell)| Some((subject, cell?)));
        let counts: StatusCounts = held.clone().map(|(_, status)| status).collect();
        let fraction = counts.fraction(policy);
        let planned = fraction.counted + counts.unmarked + open.missed + open.to_come;
        let present = policy.points(AttendanceStatus::Present).unwrap_or(Points::NONE);
        let in_the_end = Fraction {
            hundredths: fraction.hundredths + u32::from(present.hundredths()) * open.to_come,
            counted: fraction.counted + open.to_come,
        };
        Self {
            fraction,
            percent: fraction.percentage(),
            percent_all: Fraction { counted: planned, ..fraction }.percentage(),
            percent_reachable: in_the_end.percentage(),
            consecutive_absences: consecutive_absences(held.clone().map(|(_, status)| status)),
            subjects: by_subject(held, policy),
        }
    }
}

fn consecutive_absences(statuses: impl Iterator<Item = AttendanceStatus>) -> u32 {
    statuses.fold(0, |run, status| match status {
        AttendanceStatus::Absent => run + 1,
        AttendanceStatus::Present | AttendanceStatus::Late => 0,
        AttendanceStatus::Excused | AttendanceStatus::Unmarked => run,
    })
}

fn by_subject(
    held: impl Iterator<Item = (Option<SubjectId>, AttendanceStatus)>,
    policy: PercentagePolicy,
) -> Vec<SubjectSummary> {
    let mut of: BTreeMap<Option<SubjectId>, Vec<AttendanceStatus>> = BTreeMap::new();
    for (subject, status) in held {
        of.entry(subject).or_default().push(status);
    }
    let summary = |(subject, statuses): (Option<SubjectId>, Vec<AttendanceStatus>)| {
        let counts: StatusCounts = statuses.into_iter().collect();
        SubjectSummary { subject, taken: counts.total(), percent: counts.percentage(policy) }
    };
    of.into_iter().map(summary).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use AttendanceStatus::{Absent, Excused, Late, Present, Unmarked};

    fn summary(statuses: &[AttendanceStatus], open: OpenLessons) -> Summary {
        Summary::of(statuses.iter().map(|status| (None, Some(*status))), open, PercentagePolicy::default())
    }

    #[test]
    fn each_percentage_has_its_own_line() {
        let marks = [Present, Present, Late, Absent, Excused, Unmarked];
        let of = summary(&marks, OpenLessons { missed: 1, to_come: 4 });
        assert_eq!((of.fraction.hundredths, of.fraction.counted), (300, 4));
        assert_eq!(of.percent, Some(75.0));
        assert_eq!(of.percent_all, Some(100.0 * 3.0 / 10.0), "4 counted, 1 undecided, 1 not taken, 4 to come");
        assert_eq!(of.percent_reachable, Some(100.0 * 7.0 / 8.0));
    }

    #[test]
    fn nothing_below_the_line_is_no_percentage() {
        let nothing = summary(&[Excused], OpenLessons::default());
        assert_eq!((nothing.percent, nothing.percent_all, nothing.percent_reachable), (None, None, None));
        let waiting = summary(&[Unmarked], OpenLessons::default());
        assert_eq!((waiting.percent, waiting.percent_all, waiting.percent_reachable), (None, Some(0.0), None));
        let before = summary(&[], OpenLessons { missed: 0, to_come: 3 });
        assert_eq!((before.percent, before.percent_all, before.percent_reachable), (None, Some(0.0), Some(100.0)));
    }

    #[test]
    fn a_run_of_absences_ends_with_whoever_comes() {
        let run = |marks: &[AttendanceStatus]| summary(marks, OpenLessons::default()).consecutive_absences;
        assert_eq!(run(&[Absent, Present, Absent, Absent]), 2);
        assert_eq!(run(&[Absent, Unmarked, Absent, Excused]), 2, "passed over");
        assert_eq!(run(&[Absent, Late]), 0);
        assert_eq!(run(&[]), 0);
    }

    #[test]
    fn subjects_stand_by_themselves_and_days_outside_the_class_do_not_count() {
        let maths = Some(SubjectId(1));
        let cells = [(maths, Some(Present)), (None, Some(Absent)), (maths, Some(Absent)), (maths, None)];
        let of = Summary::of(cells.into_iter(), OpenLessons::default(), PercentagePolicy::default());
        let expected = [
            SubjectSummary { subject: None, taken: 1, percent: Some(0.0) },
            SubjectSummary { subject: maths, taken: 2, percent: Some(50.0) },
        ];
        assert_eq!(of.subjects, expected);
    }

    fn marks() -> impl Strategy<Value = Vec<AttendanceStatus>> {
        proptest::collection::vec(proptest::sample::select(StatusCounts::ORDER.as_slice()), 0..60)
    }

    proptest! {
        #[test]
        fn what_is_planned_lowers_and_what_is_to_come_can_raise(marks in marks(), missed in 0u32..9, to_come in 0u32..9) {
            let of = summary(&marks, OpenLessons { missed, to_come });
            if let Some(percent) = of.percent {
                prop_assert!(of.percent_all.unwrap() <= percent);
                prop_assert!(of.percent_reachable.unwrap() >= percent);
            }
            for percent in [of.percent, of.percent_all, of.percent_reachable].into_iter().flatten() {
                prop_assert!((0.0..=100.0).contains(&percent));
            }
        }

        #[test]
        fn without_a_timetable_and_with_all_decided_the_three_are_one(marks in marks()) {
            let decided: Vec<_> = marks.into_iter().filter(|status| *status != Unmarked).collect();
            let of = summary(&decided, OpenLessons::default());
            prop_assert_eq!((of.percent, of.percent), (of.percent_all, of.percent_reachable));
        }

        #[test]
        fn subjects_hold_every_session_once(marks in marks(), subjects in proptest::collection::vec(0i64..4, 60)) {
            let cells = marks.iter().zip(&subjects).map(|(status, subject)| (Some(SubjectId(*subject)), Some(*status)));
            let of = Summary::of(cells, OpenLessons::default(), PercentagePolicy::default());
            prop_assert_eq!(of.subjects.iter().map(|subject| subject.taken as usize).sum::<usize>(), marks.len());
            prop_assert!(of.consecutive_absences as usize <= marks.iter().filter(|s| **s == Absent).count());
        }
    }
}
