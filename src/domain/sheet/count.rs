//! Counting statuses, and the percentage a school makes of them.

use crate::domain::sheet::Points;
use crate::domain::status::AttendanceStatus;

/// How the percentage is made: points of the records that count over their number. By default
/// `(present + late) / (present + late + absent)`.
///
/// *Unmarked* is outside every percentage under every policy: nobody has decided yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentagePolicy {
    /// In [`StatusCounts::ORDER`]; none: it does not count.
    points: [Option<Points>; 5],
}

impl Default for PercentagePolicy {
    fn default() -> Self {
        Self::new(|status| match status {
            AttendanceStatus::Present | AttendanceStatus::Late => Some(Points::FULL),
            AttendanceStatus::Absent => Some(Points::NONE),
            AttendanceStatus::Excused | AttendanceStatus::Unmarked => None,
        })
    }
}

impl PercentagePolicy {
    /// `points_of` is asked once for each meaning; what it says of *unmarked* is not heard.
    pub fn new(points_of: impl Fn(AttendanceStatus) -> Option<Points>) -> Self {
        let points =
            StatusCounts::ORDER.map(|status| points_of(status).filter(|_| status != AttendanceStatus::Unmarked));
        Self { points }
    }

    /// What a record is worth; none: it does not count.
    pub fn points(self, status: AttendanceStatus) -> Option<Points> {
        let index = StatusCounts::ORDER.iter().position(|s| *s == status);
        self.points[index.expect("ORDER holds every status")]
    }

    /// Whether `status` stands below the line of the fraction.
    pub fn counted(self, status: AttendanceStatus) -> bool {
        self.points(status).is_some()
    }
}

/// Points over the records that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fraction {
    /// A hundred for each record of full points.
    pub hundredths: u32,
    pub counted: u32,
}

impl Fraction {
    /// 0..=100, not rounded; none while no record counts.
    pub fn percentage(self) -> Option<f64> {
        // One rounding only: 3 of 4 is exactly 75, so a member on the line is never below it.
        (self.counted > 0).then(|| f64::from(self.hundredths) / f64::from(self.counted))
    }

    /// Full points are 1.
    pub fn points(self) -> f64 {
        f64::from(self.hundredths) / 100.0
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

    /// The percentage's fraction as `policy` makes it.
    pub fn fraction(self, policy: PercentagePolicy) -> Fraction {
        let worth = |status| Some((policy.points(status)?, self.of(status)));
        Self::ORDER.into_iter().filter_map(worth).fold(Fraction::default(), |sum, (points, records)| Fraction {
            hundredths: sum.hundredths + u32::from(points.hundredths()) * records,
            counted: sum.counted + records,
        })
    }

    /// Points over counted records as `policy` says, 0..=100, not rounded; `None` while no record counts.
    pub fn percentage(self, policy: PercentagePolicy) -> Option<f64> {
        self.fraction(policy).percentage()
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

    /// A present record is worth the most.
    fn policies() -> impl Strategy<Value = PercentagePolicy> {
        let points = proptest::option::of(0..=100);
        (points.clone(), points.clone(), points).prop_map(|(absent, late, excused)| {
            let points = |hundredths: Option<i32>| hundredths.map(|n| Points::from_hundredths(n).unwrap());
            PercentagePolicy::new(|status| match status {
                AttendanceStatus::Present | AttendanceStatus::Unmarked => Some(Points::FULL),
                AttendanceStatus::Absent => points(absent),
                AttendanceStatus::Late => points(late),
                AttendanceStatus::Excused => points(excused),
            })
        })
    }

    #[test]
    fn default_policy_counts_late_as_present_and_leaves_excused_out() {
        assert_eq!(COUNTS.percentage(PercentagePolicy::default()), Some(100.0 * 6.0 / 8.0));
    }

    #[test]
    fn points_move_the_fraction_as_they_say() {
        let percentage = |late, excused| {
            let policy = PercentagePolicy::new(|status| match status {
                AttendanceStatus::Late => Some(Points::from_hundredths(late).unwrap()),
                AttendanceStatus::Excused => excused,
                other => PercentagePolicy::default().points(other),
            });
            COUNTS.percentage(policy)
        };
        assert_eq!(percentage(0, None), Some(100.0 * 5.0 / 8.0));
        assert_eq!(percentage(50, None), Some(100.0 * 5.5 / 8.0));
        assert_eq!(percentage(100, Some(Points::FULL)), Some(100.0 * 8.0 / 10.0));
        assert_eq!(percentage(0, Some(Points::NONE)), Some(100.0 * 5.0 / 10.0));
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
