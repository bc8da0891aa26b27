use chrono::{NaiveTime, Weekday};

use super::*;
use crate::app::attendance::{AttendanceWish, class_attendance};
use crate::app::testing::{Class, noon, wait};
use crate::db::records::NewRecord;
use crate::db::sessions::NewSession;
use crate::db::testing::{at, day, on_each_database};
use crate::domain::ids::MemberId;
use crate::domain::status::{AttendanceStatus, RecordSource};

/// The session of [`Class`] is on Monday 2025-09-01 at 03:30.
fn slot(weekday: Weekday, starts_at: &str) -> Slot {
    let starts_at = NaiveTime::parse_from_str(starts_at, "%H:%M").unwrap();
    let (valid_from, valid_to) = (day("2025-09-01"), Some(day("2099-12-31")));
    Slot { id: None, weekday, starts_at, minutes: 45, subject: None, valid_from, valid_to }
}

fn wish(days: (&str, &str), registers: Registers) -> PlannedWish {
    PlannedWish { among: None, days: (day(days.0), day(days.1)), registers }
}

fn mark(class: &Class, session: SessionId, member: MemberId, status: AttendanceStatus) {
    let (source, updated_at) = (RecordSource::Manual, noon());
    let (confidence, face_id, note) = (None, None, None);
    let new =
        NewRecord { session_id: session, member_id: member, status, source, confidence, face_id, note, updated_at };
    class.run(|conn| records::upsert(conn, &[new]));
}

on_each_database! {
    fn registers_that_were_not_taken_are_told(db) {
        let class = Class::new(db);
        let week = ("2025-09-01", "2025-09-07");
        let new = vec![slot(Weekday::Mon, "03:30"), slot(Weekday::Tue, "03:30"), slot(Weekday::Wed, "03:30")];
        let stored = wait(replace(&class.school, class.id, new)).unwrap();
        assert_eq!(stored.len(), 3);
        let trip = NewHoliday { class_id: Some(class.id), first_day: day("2025-09-03"), last_day: day("2025-09-03"), name: " Trip ".into() };
        let holiday = wait(add_holiday(&class.school, trip)).unwrap();
        assert_eq!(holiday.name, "Trip");
        let told = |registers| wait(planned(&class.school, wish(week, registers))).unwrap();
        let all = told(Registers::All);
        assert_eq!(all[0].session, Some((class.session, SessionState::Open)));
        assert!(!all[0].is_taken, "nothing is written in it");
        assert_eq!((all[2].lesson.holiday.as_deref(), all.len()), (Some("Trip"), 3));
        assert_eq!(told(Registers::NotTaken).len(), 2);
        mark(&class, class.session, class.members[0], AttendanceStatus::Present);
        let open: Vec<_> = told(Registers::NotTaken).into_iter().map(|planned| planned.lesson.day).collect();
        assert_eq!(open, [day("2025-09-02")]);
        assert_eq!(told(Registers::Taken).len(), 1);
        wait(remove_holiday(&class.school, holiday.id)).unwrap();
        assert_eq!(wait(remove_holiday(&class.school, holiday.id)).unwrap_err().code, Code::HolidayNotFound);
        assert_eq!(told(Registers::NotTaken).len(), 2);
        let to_come = wait(planned(&class.school, wish(("2099-12-01", "2099-12-07"), Registers::NotTaken))).unwrap();
        assert_eq!(to_come, [], "nobody can have taken it yet");
        let others = PlannedWish { among: Some(Vec::new()), ..wish(week, Registers::All) };
        assert_eq!(wait(planned(&class.school, others)).unwrap(), []);
    }

    fn percentages_know_what_is_planned(db) {
        let class = Class::new(db);
        wait(replace(&class.school, class.id, vec![slot(Weekday::Mon, "03:30"), slot(Weekday::Tue, "03:30")])).unwrap();
        mark(&class, class.session, class.members[0], AttendanceStatus::Present);
        let of = |first: &str, last: &str| {
            let wish = AttendanceWish { class: class.id, days: (day(first), day(last)), subject: None };
            let found = wait(class_attendance(&class.school, wish)).unwrap();
            let row = found.sheet.rows().iter().find(|row| row.member == class.members[0]).unwrap().summary.clone();
            (found.planned(), found.taken(), row.percent, row.percent_all, row.percent_reachable)
        };
        assert_eq!(of("2025-09-01", "2025-09-09"), (4, 1, Some(100.0), Some(25.0), Some(100.0)));
        assert_eq!(of("2025-09-01", "2025-09-01"), (1, 1, Some(100.0), Some(100.0), Some(100.0)));
        assert_eq!(of("2099-12-28", "2099-12-31"), (2, 0, None, Some(0.0), Some(100.0)), "both can be reached");
        // A lesson that was tried out was held, and does not count.
        class.run(|conn| {
            classes::set_pilot(conn, class.id, Some(noon()))?;
            let (starts_at, created_at) = (at("2025-09-02 03:40:00"), noon());
            let new = NewSession { class_id: class.id, subject_id: None, name: None, starts_at, created_at };
            sessions::find_or_insert(conn, &new).map(drop)
        });
        assert_eq!(of("2025-09-01", "2025-09-02"), (1, 1, Some(100.0), Some(100.0), Some(100.0)));
    }

    fn timetables_that_cannot_be_are_refused(db) {
        let class = Class::new(db);
        let code = |class_id, new: Vec<Slot>| wait(replace(&class.school, class_id, new)).unwrap_err().code;
        let nine = slot(Weekday::Mon, "09:00");
        assert_eq!(code(class.id, vec![nine.clone(), slot(Weekday::Mon, "09:44")]), Code::InvalidRequest);
        assert_eq!(code(ClassId(404), vec![nine.clone()]), Code::ClassNotFound);
        assert_eq!(code(class.id, vec![Slot { subject: Some(SubjectId(404)), ..nine.clone() }]), Code::SubjectNotFound);
        assert_eq!(code(class.id, vec![nine; MAX_SLOTS + 1]), Code::InvalidRequest);
        assert_eq!(wait(slots(&class.school, class.id)).unwrap(), []);
        let day = day("2025-09-01");
        let holiday = |class_id, name: &str| NewHoliday { class_id, first_day: day, last_day: day, name: name.into() };
        let code = |new| wait(add_holiday(&class.school, new)).unwrap_err().code;
        assert_eq!((code(holiday(None, " ")), code(holiday(Some(ClassId(404)), "x"))), (Code::InvalidRequest, Code::ClassNotFound));
    }
}
