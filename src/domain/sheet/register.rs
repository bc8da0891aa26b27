//! A class over a range of days: a row per member, a column per session.

use std::cmp::Ordering;
use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime};

use crate::domain::ids::{MemberId, SessionId, SubjectId};
use crate::domain::sheet::{OpenLessons, SheetHeading, SheetRules, StatusCounts, Summary, Taken, natural_order};
use crate::domain::status::AttendanceStatus;

/// A member of the class at any time in the range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterMember {
    pub id: MemberId,
    pub roll_no: String,
    pub prn: String,
    pub name: String,
    /// First day in the class; `None` = since the start of the term.
    pub from: Option<NaiveDate>,
    /// Last day in the class; `None` = still a member.
    pub to: Option<NaiveDate>,
}

impl RegisterMember {
    /// By roll number (natural order), then name, then PRN: the order of rows.
    pub fn cmp_by_roll(&self, other: &Self) -> Ordering {
        natural_order(&self.roll_no, &other.roll_no)
            .then_with(|| (&self.name, &self.prn, self.id).cmp(&(&other.name, &other.prn, other.id)))
    }

    fn belongs_on(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

/// One session of the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterColumn {
    pub id: SessionId,
    /// When it begins, UTC: the order of the columns, also in an hour that comes twice.
    pub at: NaiveDateTime,
    /// The same on the school's clocks.
    pub starts_at: NaiveDateTime,
    /// The session's name, or its subject where a register spans subjects.
    pub name: Option<String>,
    pub subject: Option<SubjectId>,
    /// Whether anybody has a record in it. Where nobody has, it counts for nobody.
    pub was_held: bool,
    /// Who has signed it, while it is signed.
    pub taken: Option<Taken>,
}

/// A lesson of the timetable that was not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLesson {
    pub day: NaiveDate,
    /// It can still be held.
    pub is_to_come: bool,
}

/// The status of a member in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterRecord {
    pub session: SessionId,
    pub member: MemberId,
    pub status: AttendanceStatus,
}

/// A status, or `None` for somebody who was not a member on that day, and in a session that was not held.
pub type RegisterCell = Option<AttendanceStatus>;

/// One member over all sessions of the range.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterRow {
    pub member: MemberId,
    pub roll_no: String,
    pub prn: String,
    pub name: String,
    /// One per session, in the order of [`RegisterSheet::sessions`].
    pub cells: Vec<RegisterCell>,
    pub counts: StatusCounts,
    /// Lessons of the timetable that were not held.
    pub open: OpenLessons,
    /// By the sheet's policy.
    pub summary: Summary,
}

/// Everything the register of a class shows. Made by [`RegisterSheet::new`] only, so that every row has a cell per
/// session and totals that belong to its cells.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterSheet {
    heading: SheetHeading,
    rules: SheetRules,
    from: NaiveDate,
    to: NaiveDate,
    sessions: Vec<RegisterColumn>,
    rows: Vec<RegisterRow>,
    open_lessons: Vec<OpenLesson>,
    pilots_left_out: usize,
}

impl RegisterSheet {
    /// An empty register of the days `from..=to`.
    pub fn new(heading: SheetHeading, rules: SheetRules, from: NaiveDate, to: NaiveDate) -> Self {
        Self {
            heading,
            rules,
            from,
            to,
            sessions: Vec::new(),
            rows: Vec::new(),
            open_lessons: Vec::new(),
            pilots_left_out: 0,
        }
    }

    /// The same register of a class with these lessons on its timetable that were not held. Said before it is filled.
    #[must_use]
    pub fn with_open_lessons(self, open_lessons: Vec<OpenLesson>) -> Self {
        Self { open_lessons, ..self }
    }

    /// Fills the register: sessions by time, members as [`RegisterMember::cmp_by_roll`] says.
    ///
    /// A record is a cell. Without one, a member of that day is *unmarked* in a session that was held; anybody else, and everybody
    /// in one that was not, has no cell. Records of sessions or members that are not on the sheet are left out.
    #[must_use]
    pub fn filled(
        mut self,
        mut members: Vec<RegisterMember>,
        mut sessions: Vec<RegisterColumn>,
        records: &[RegisterRecord],
    ) -> Self {
        sessions.sort_by_key(|session| (session.at, session.id));
        members.sort_by(RegisterMember::cmp_by_roll);
        let statuses: HashMap<(MemberId, SessionId), AttendanceStatus> =
            records.iter().map(|record| ((record.member, record.session), record.status)).collect();
        let cell = |member: &RegisterMember, session: &RegisterColumn| {
            let waits = || session.was_held && member.belongs_on(session.starts_at.date());
            let waiting = || waits().then_some(AttendanceStatus::Unmarked);
            statuses.get(&(member.id, session.id)).copied().or_else(waiting)
        };
        let policy = self.rules.policy();
        let row = |member: RegisterMember| {
            let cells: Vec<RegisterCell> = sessions.iter().map(|session| cell(&member, session)).collect();
            let subjects = sessions.iter().map(|session| session.subject);
            let open = self.open_to(&member);
            let summary = Summary::of(subjects.zip(cells.iter().copied()), open, policy);
            RegisterRow::new(member, cells, (open, summary))
        };
        self.rows = members.into_iter().map(row).collect();
        self.sessions = sessions;
        self
    }

    fn open_to(&self, member: &RegisterMember) -> OpenLessons {
        let of_member = self.open_lessons.iter().filter(|lesson| member.belongs_on(lesson.day));
        of_member.fold(OpenLessons::default(), |sum, lesson| match lesson.is_to_come {
            true => OpenLessons { to_come: sum.to_come + 1, ..sum },
            false => OpenLessons { missed: sum.missed + 1, ..sum },
        })
    }

    /// How many of the sessions were held.
    pub fn held(&self) -> usize {
        self.sessions.iter().filter(|session| session.was_held).count()
    }

    /// Lessons of the timetable that were not held.
    pub fn open_lessons(&self) -> &[OpenLesson] {
        &self.open_lessons
    }

    /// The same register, which says that so many sessions of a pilot are not on it.
    #[must_use]
    pub fn without_pilots(self, sessions: usize) -> Self {
        Self { pilots_left_out: sessions, ..self }
    }

    /// Sessions of a pilot that were left out.
    pub fn pilots_left_out(&self) -> usize {
        self.pilots_left_out
    }

    pub fn heading(&self) -> &SheetHeading {
        &self.heading
    }

    pub fn rules(&self) -> &SheetRules {
        &self.rules
    }

    /// First and last day of the range.
    pub fn range(&self) -> (NaiveDate, NaiveDate) {
        (self.from, self.to)
    }

    pub fn sessions(&self) -> &[RegisterColumn] {
        &self.sessions
    }

    pub fn rows(&self) -> &[RegisterRow] {
        &self.rows
    }

    /// The totals of each session, in the order of [`RegisterSheet::sessions`].
    pub fn session_counts(&self) -> Vec<StatusCounts> {
        (0..self.sessions.len()).map(|i| self.rows.iter().filter_map(|row| row.cells[i]).collect()).collect()
    }

    /// The totals of the whole class over the range.
    pub fn class_counts(&self) -> StatusCounts {
        self.rows.iter().map(|row| row.counts).sum()
    }

    /// Members whose percentage is below the line of the rules.
    pub fn low_attendance(&self) -> impl Iterator<Item = &RegisterRow> {
        self.rows.iter().filter(|row| self.rules.is_low(row.summary.percent))
    }
}

impl RegisterRow {
    fn new(member: RegisterMember, cells: Vec<RegisterCell>, (open, summary): (OpenLessons, Summary)) -> Self {
        let counts: StatusCounts = cells.iter().flatten().copied().collect();
        let RegisterMember { id, roll_no, prn, name, .. } = member;
        Self { member: id, roll_no, prn, name, cells, counts, open, summary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sheet::fixtures::{FIRST_DAY, column, empty_register, member, register};
    use chrono::Days;
    use proptest::prelude::*;

    #[test]
    fn members_and_sessions_come_in_order_whatever_order_they_arrive_in() {
        let sheet = empty_register().filled(vec![member(10), member(2)], vec![column(1), column(0)], &[]);
        let rolls: Vec<&str> = sheet.rows().iter().map(|row| row.roll_no.as_str()).collect();
        assert_eq!(rolls, ["CSE-A-2", "CSE-A-10"]);
        assert_eq!(sheet.sessions(), [column(0), column(1)]);
    }

    #[test]
    fn a_day_outside_the_membership_has_no_cell_and_a_day_inside_waits() {
        let mut late_comer = member(1);
        late_comer.from = Some(FIRST_DAY + Days::new(1));
        late_comer.to = Some(FIRST_DAY + Days::new(2));
        let sheet = empty_register().filled(vec![late_comer], (0..4).map(column).collect(), &[]);
        let waiting = Some(AttendanceStatus::Unmarked);
        assert_eq!(sheet.rows()[0].cells, [None, waiting, waiting, None]);
    }

    #[test]
    fn a_session_without_a_record_of_anybody_has_no_cells_and_counts_for_nobody() {
        let empty = RegisterColumn { was_held: false, ..column(1) };
        let record = RegisterRecord { session: SessionId(0), member: MemberId(1), status: AttendanceStatus::Present };
        let sheet = empty_register().filled(vec![member(1), member(2)], vec![column(0), empty], &[record]);
        let (present, waiting) = (Some(AttendanceStatus::Present), Some(AttendanceStatus::Unmarked));
        assert_eq!((&sheet.rows()[0].cells, &sheet.rows()[1].cells), (&vec![present, None], &vec![waiting, None]));
        assert_eq!(sheet.rows()[0].summary.percent_all, Some(100.0));
        assert_eq!((sheet.held(), sheet.sessions().len()), (1, 2));
    }

    #[test]
    fn sessions_of_the_repeated_hour_are_in_order_of_time() {
        let at = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        let (early, late) = (at("2026-10-25T00:45:00"), at("2026-10-25T01:15:00"));
        let first = RegisterColumn { at: early, starts_at: at("2026-10-25T02:45:00"), ..column(2) };
        let second = RegisterColumn { at: late, starts_at: at("2026-10-25T02:15:00"), ..column(1) };
        let sheet = empty_register().filled(vec![], vec![second.clone(), first.clone()], &[]);
        assert_eq!(sheet.sessions(), [first, second]);
    }

    #[test]
    fn a_record_counts_even_outside_the_membership() {
        let mut gone = member(1);
        gone.to = FIRST_DAY.pred_opt();
        let record = RegisterRecord { session: SessionId(0), member: MemberId(1), status: AttendanceStatus::Present };
        let sheet = empty_register().filled(vec![gone], vec![column(0)], &[record]);
        assert_eq!(sheet.rows()[0].cells, [Some(AttendanceStatus::Present)]);
    }

    #[test]
    fn records_of_other_sessions_and_members_are_left_out() {
        let stray = |session, member| RegisterRecord {
            session: SessionId(session),
            member: MemberId(member),
            status: AttendanceStatus::Present,
        };
        let sheet = empty_register().filled(vec![member(1)], vec![column(0)], &[stray(9, 1), stray(0, 9)]);
        assert_eq!(sheet.class_counts(), StatusCounts { unmarked: 1, ..Default::default() });
    }

    #[test]
    fn exactly_on_the_line_is_not_low() {
        use AttendanceStatus::{Absent, Present};
        let three_of_four = vec![Some(Present), Some(Present), Some(Present), Some(Absent)];
        let two_of_four = vec![Some(Present), Some(Present), Some(Absent), Some(Absent)];
        let sheet = register(&[three_of_four, two_of_four, vec![]]);
        let low: Vec<&str> = sheet.low_attendance().map(|row| row.roll_no.as_str()).collect();
        assert_eq!(low, ["CSE-A-2"]);
        assert_eq!(sheet.rows()[2].summary.percent, None, "nothing marked is not low");
    }

    #[test]
    fn open_lessons_are_those_of_days_in_the_class() {
        let lesson = |day: u64, is_to_come| OpenLesson { day: FIRST_DAY + Days::new(day), is_to_come };
        let mut late_comer = member(1);
        late_comer.from = Some(FIRST_DAY + Days::new(1));
        let open = vec![lesson(0, false), lesson(1, false), lesson(9, true)];
        let record =
            |m| RegisterRecord { session: SessionId(2), member: MemberId(m), status: AttendanceStatus::Present };
        let sheet = empty_register().with_open_lessons(open);
        let sheet = sheet.filled(vec![late_comer, member(2)], vec![column(2)], &[record(1), record(2)]);
        let all: Vec<_> = sheet.rows().iter().map(|row| row.summary.percent_all.unwrap()).collect();
        assert_eq!(all, [100.0 / 3.0, 25.0]);
        assert!(sheet.rows().iter().all(|row| row.summary.percent_reachable == Some(100.0)));
    }

    fn grids() -> impl Strategy<Value = Vec<Vec<RegisterCell>>> {
        let cell = proptest::option::of(proptest::sample::select(StatusCounts::ORDER.as_slice()));
        (0usize..8)
            .prop_flat_map(move |days| proptest::collection::vec(proptest::collection::vec(cell.clone(), days), 0..8))
    }

    proptest! {
        #[test]
        fn totals_of_rows_and_of_sessions_agree(grid in grids()) {
            let sheet = register(&grid);
            prop_assert_eq!(sheet.session_counts().into_iter().sum::<StatusCounts>(), sheet.class_counts());
            let cells = sheet.rows().iter().flat_map(|row| row.cells.iter().flatten()).count();
            prop_assert_eq!(sheet.class_counts().total() as usize, cells);
        }

        #[test]
        fn a_member_without_a_counted_session_has_no_percentage(grid in grids()) {
            for row in register(&grid).rows() {
                let counted = row.counts.present + row.counts.absent + row.counts.late;
                prop_assert_eq!(row.summary.percent.is_none(), counted == 0);
            }
        }
    }
}
