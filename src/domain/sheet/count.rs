//! Counting statuses, and the percentage a school makes of them.

use crate::domain::status::AttendanceStatus;

/// What a late arrival is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LateRule {
    #[default]
    CountsAsPresent,
    CountsAsAbsent,
}

/// What an excused absence is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExcusedRule {
    /// The session does not count for this student: neither above nor below the line of the fraction.
    #[default]
    LeftOut,
    CountsAsPresent,
    CountsAsAbsent,
}

/// How the percentage is made. By default `(present + late) / (present + late + absent)`.
///
/// *Unmarked* is outside every percentage under every policy: nobody has decided yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PercentagePolicy {
    pub late: LateRule,
    pub excused: ExcusedRule,
}

impl PercentagePolicy {
    /// Whether `status` stands above the line of the fraction.
    pub fn attended(self, status: AttendanceStatus) -> bool {
        match status {
            AttendanceStatus::Present => true,
            AttendanceStatus::Late => self.late == LateRule::CountsAsPresent,
            AttendanceStatus::Excused => self.excused == ExcusedRule::CountsAsPresent,
            AttendanceStatus::Absent | AttendanceStatus::Unmarked => false,
        }
    }

    /// Whether `status` stands below the line of the fraction.
    pub fn counted(self, status: AttendanceStatus) -> bool {
        match status {
            AttendanceStatus::Present | AttendanceStatus::Absent | AttendanceStatus::Late => true,
            AttendanceStatus::Excused => self.excused != ExcusedRule::LeftOut,
            AttendanceStatus::Unmarked => false,
        }
    }
}

/// How many records have each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusCounts {
    pub present: u32,
    pub absent: u32,
    pub late: u32,
    pub excused: u32,
    pub unmarked: u32,
}

impl StatusCounts {
    /// The order in which sheets list the statuses.
    pub const ORDER: [AttendanceStatus; 5] = [
        AttendanceStatus::Present,
        AttendanceStatus::Absent,
        AttendanceStatus::Late,
        AttendanceStatus::Excused,
        AttendanceStatus::Unmarked,
    ];

    pub fn of(self, status: AttendanceStatus) -> u32 {
        match status {
            AttendanceStatus::Present => self.present,
            AttendanceStatus::Absent => self.absent,
            AttendanceStatus::Late => self.late,
            AttendanceStatus::Excused => self.excused,
            AttendanceStatus::Unmarked => self.unmarked,
        }
    }

    /// All records, decided or not.
    pub fn total(self) -> u32 {
        self.marked() + self.unmarked
    }

    /// The records somebody or something has decided.
    pub fn marked(self) -> u32 {
        self.present + self.absent + self.late + self.excused
    }

    /// The percentage's fraction as `policy` makes it: attended records, counted records.
    pub fn fraction(self, policy: PercentagePolicy) -> (u32, u32) {
        let sum = |stands: &dyn Fn(AttendanceStatus) -> bool| -> u32 {
            Self::ORDER.into_iter().filter(|status| stands(*status)).map(|status| self.of(status)).sum()
        };
        (sum(&|status| policy.attended(status)), sum(&|status| policy.counted(status)))
    }

    /// Attended over counted records as `policy` says, 0..=100, not rounded; `None` while no record counts.
    pub fn percentage(self, policy: PercentagePolicy) -> Option<f64> {
        let (attended, counted) = self.fraction(policy);
        // One rounding only: 3 of 4 is exactly 75, so a member on the line is never below it.
        (counted > 0).then(|| 100.0 * f64::from(attended) / f64::from(counted))
    }
}

impl FromIterator<AttendanceStatus> for StatusCounts {
    fn from_iter<I: IntoIterator<Item = AttendanceStatus>>(statuses: I) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            match status {
                AttendanceStatus::Present => counts.present += 1,
                AttendanceStatus::Absent => counts.absent += 1,
                AttendanceStatus::Late => counts.late += 1,
                AttendanceStatus::Excused => counts.excused += 1,
                AttendanceStatus::Unmarked => counts.unmarked += 1,
            }
        }
        counts
    }
}

impl std::iter::Sum for StatusCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            present: a.present + b.present,
            absent: a.absent + b.absent,
            late: a.late + b.late,
            excused: a.excused + b.excused,
            unmarked: a.unmarked + b.unmarked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COUNTS: StatusCounts = StatusCounts { present: 5, absent: 2, late: 1, excused: 2, unmarked: 7 };

    fn statuses() -> impl Strategy<Value = Vec<AttendanceStatus>> {
        proptest::collection::vec(proptest::sample::select(StatusCounts::ORDER.as_slice()), 0..80)
    }

    fn policies() -> impl Strategy<Value = PercentagePolicy> {
        let late = proptest::sample::select(vec![LateRule::CountsAsPresent, LateRule::CountsAsAbsent]);
        let excused = proptest::sample::select(vec![
            ExcusedRule::LeftOut,
            ExcusedRule::CountsAsPresent,
            ExcusedRule::CountsAsAbsent,
        ]);
        (late, excused).prop_map(|(late, excused)| PercentagePolicy { late, excused })
    }

    #[test]
    fn default_policy_counts_late_as_present_and_leaves_excused_out() {
        assert_eq!(COUNTS.percentage(PercentagePolicy::default()), Some(100.0 * 6.0 / 8.0));
    }

    #[test]
    fn every_rule_moves_the_fraction_as_it_says() {
        let percentage = |late, excused| COUNTS.percentage(PercentagePolicy { late, excused });
        assert_eq!(percentage(LateRule::CountsAsAbsent, ExcusedRule::LeftOut), Some(100.0 * 5.0 / 8.0));
        assert_eq!(percentage(LateRule::CountsAsPresent, ExcusedRule::CountsAsPresent), Some(100.0 * 8.0 / 10.0));
        assert_eq!(percentage(LateRule::CountsAsAbsent, ExcusedRule::CountsAsAbsent), Some(100.0 * 5.0 / 10.0));
    }

    #[test]
    fn nobody_counted_has_no_percentage() {
        assert_eq!(StatusCounts { unmarked: 3, ..Default::default() }.percentage(PercentagePolicy::default()), None);
        assert_eq!(StatusCounts { excused: 3, ..Default::default() }.percentage(PercentagePolicy::default()), None);
    }

    proptest! {
        #[test]
        fn counts_add_up_to_what_was_counted(all in statuses()) {
            let counts: StatusCounts = all.iter().copied().collect();
            prop_assert_eq!(counts.total() as usize, all.len());
            prop_assert_eq!(StatusCounts::ORDER.into_iter().map(|s| counts.of(s)).sum::<u32>(), counts.total());
        }

        #[test]
        fn counting_parts_and_adding_is_counting_the_whole(a in statuses(), b in statuses()) {
            let parts = [a.iter().copied().collect(), b.iter().copied().collect()];
            prop_assert_eq!(parts.into_iter().sum::<StatusCounts>(), a.into_iter().chain(b).collect());
        }

        #[test]
        fn percentage_ignores_unmarked(all in statuses(), policy in policies(), more in 0u32..50) {
            let counts: StatusCounts = all.into_iter().collect();
            let waiting = StatusCounts { unmarked: counts.unmarked + more, ..counts };
            prop_assert_eq!(counts.percentage(policy), waiting.percentage(policy));
        }

        #[test]
        fn percentage_stays_in_range_and_never_falls_by_attending(all in statuses(), policy in policies()) {
            let counts: StatusCounts = all.into_iter().collect();
            let one_more = StatusCounts { present: counts.present + 1, ..counts };
            let before = counts.percentage(policy).unwrap_or(0.0);
            let after = one_more.percentage(policy).expect("a present record counts under every policy");
            prop_assert!((0.0..=100.0).contains(&before));
            prop_assert!(after >= before && after <= 100.0);
        }
    }
}
