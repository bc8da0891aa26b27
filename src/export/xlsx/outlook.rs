//! The columns of a register that look ahead: of all that is planned, what can still be reached, absences in a row. Formulas, as
//! everything on the page, over the member's totals and marks; lessons without a session stand in them as numbers.

use crate::domain::sheet::{OpenLessons, PercentagePolicy, Points, StatusLabels, Summary};
use crate::domain::status::AttendanceStatus;
use crate::export::xlsx::text::{fraction, quoted};

/// One member's formulas and what they leave in their cells.
#[derive(Debug)]
pub(super) struct Outlook<'a> {
    pub(super) policy: PercentagePolicy,
    pub(super) open: OpenLessons,
    pub(super) summary: &'a Summary,
}

impl Outlook<'_> {
    /// Points over all that is planned, 0..=1; empty text where nothing is. `count_cell` names the cell that holds the count of
    /// a status.
    pub(super) fn of_all_planned(&self, count_cell: impl Fn(AttendanceStatus) -> String) -> (String, String) {
        let (points, counted) = fraction(self.policy, ("+", "*"), &count_cell);
        let open = self.open.missed + self.open.to_come;
        let planned = format!("{counted}+{}+{open}", count_cell(AttendanceStatus::Unmarked));
        (divided(&points, &planned), result(self.summary.percent_all))
    }

    /// The percentage in the end with *present* in every lesson to come.
    pub(super) fn reachable(&self, count_cell: impl Fn(AttendanceStatus) -> String) -> (String, String) {
        let (points, counted) = fraction(self.policy, ("+", "*"), count_cell);
        let to_come = self.open.to_come;
        let present = self.policy.points(AttendanceStatus::Present).map_or(0.0, Points::fraction);
        let gained = f64::from(to_come) * present;
        let formula = divided(&format!("{points}+{gained}"), &format!("{counted}+{to_come}"));
        (formula, result(self.summary.percent_reachable))
    }

    /// Absences after the last *present* or *late* in `marks`, a range in one row.
    pub(super) fn absences_in_a_row(&self, marks: &str, labels: &StatusLabels) -> (String, String) {
        let is = |status| format!("({marks}={})", quoted(labels.label(status)));
        let came = format!("{}+{}", is(AttendanceStatus::Present), is(AttendanceStatus::Late));
        // A lookup of 2 among ones and errors finds the last one.
        let last = format!("IFERROR(LOOKUP(2,1/({came}),COLUMN({marks})),0)");
        let formula = format!("SUMPRODUCT({}*(COLUMN({marks})>{last}))", is(AttendanceStatus::Absent));
        (formula, self.summary.consecutive_absences.to_string())
    }
}

fn divided(above: &str, below: &str) -> String {
    format!("IF({below}=0,\"\",({above})/({below}))")
}

fn result(percent: Option<f64>) -> String {
    percent.map(|percent| (percent / 100.0).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttendanceStatus::{Absent, Late, Present, Unmarked};

    #[test]
    fn open_lessons_stand_below_the_line_and_those_to_come_can_be_won() {
        let open = OpenLessons { missed: 1, to_come: 4 };
        let marks = [Present, Absent, Late, Unmarked].map(|status| (None, Some(status)));
        let summary = Summary::of(marks.into_iter(), open, PercentagePolicy::default());
        let outlook = Outlook { policy: PercentagePolicy::default(), open, summary: &summary };
        let cell = |status: AttendanceStatus| status.as_str()[..1].to_uppercase();
        let (formula, result) = outlook.of_all_planned(cell);
        assert_eq!(formula, "IF(P+A+L+U+5=0,\"\",(P+L)/(P+A+L+U+5))");
        assert_eq!(result.parse::<f64>().unwrap(), 2.0 / 9.0);
        let (formula, result) = outlook.reachable(cell);
        assert_eq!(formula, "IF(P+A+L+4=0,\"\",(P+L+4)/(P+A+L+4))");
        assert_eq!(result.parse::<f64>().unwrap(), 6.0 / 7.0);
    }

    #[test]
    fn a_row_of_absences_is_counted_from_the_last_mark_of_somebody_who_came() {
        let summary = Summary { consecutive_absences: 3, ..Summary::default() };
        let policy = PercentagePolicy::default();
        let outlook = Outlook { policy, open: OpenLessons::default(), summary: &summary };
        let (formula, result) = outlook.absences_in_a_row("$M6:$O6", &StatusLabels::default());
        let last = "IFERROR(LOOKUP(2,1/(($M6:$O6=\"P\")+($M6:$O6=\"L\")),COLUMN($M6:$O6)),0)";
        assert_eq!(formula, format!("SUMPRODUCT(($M6:$O6=\"A\")*(COLUMN($M6:$O6)>{last}))"));
        assert_eq!(result, "3");
    }
}
