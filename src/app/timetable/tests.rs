use chrono::{NaiveTime, TimeDelta, Weekday};

use super::*;
use crate::app::attendance::{AttendanceWish, class_attendance, student_attendance};
use crate::app::report::{RegisterOf, SheetFormat, register_of};
use crate::app::testing::{Class, noon, wait};
use crate::db::audit::{self as lines, AuditFilter};
use crate::db::records::{self, NewRecord};
use crate::db::sessions::{self, NewSession};
use crate::db::terms::{self, TermRow};
use crate::db::testing::{at, day, on_each_database};
use crate::db::{Page, members};
use crate::domain::ids::MemberId;
use crate::domain::pilot::PilotSessions;
use crate::domain::sheet::RegisterSheet;
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

fn somebody() -> (By, DateTime<Utc>) {
    (By::command(), noon().and_utc())
}

fn set(class: &Class, new: Vec<Slot>) -> Vec<Slot> {
    wait(replace(&class.school, class.id, new, somebody())).unwrap()
}

/// What a class adds up to, at noon of the day of [`Class`]'s session.
fn sums(class: &Class, days: (&str, &str), subject: Option<SubjectId>) -> RegisterSheet {
    let wish = AttendanceWish { class: class.id, days: (day(days.0), day(days.1)), subject };
    wait(class_attendance(&class.school, wish, noon().and_utc())).unwrap().sheet
}

/// A session that nobody has a record in.
fn open(class: &Class, starts_at: &str, subject_id: Option<SubjectId>) -> SessionId {
    let (starts_at, created_at) = (at(starts_at), noon());
    let new = NewSession { class_id: class.id, subject_id, name: None, starts_at, created_at };
    class.run(|conn| sessions::find_or_insert(conn, &new)).id
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
        let stored = set(&class, new);
        assert_eq!(stored.len(), 3);
        let trip = NewHoliday { class_id: Some(class.id), first_day: day("2025-09-03"), last_day: day("2025-09-03"), name: " Trip ".into() };
        let holiday = wait(add_holiday(&class.school, trip, somebody())).unwrap();
        assert_eq!(holiday.name, "Trip");
        let told = |registers| wait(planned(&class.school, wish(week, registers), Utc::now())).unwrap();
        let all = told(Registers::All);
        assert_eq!(all[0].session, Some((class.session, SessionState::Open)));
        assert!(!all[0].is_taken, "nothing is written in it");
        assert_eq!((all[2].lesson.holiday.as_deref(), all.len()), (Some("Trip"), 3));
        assert_eq!(told(Registers::NotTaken).len(), 2);
        mark(&class, class.session, class.members[0], AttendanceStatus::Present);
        let open: Vec<_> = told(Registers::NotTaken).into_iter().map(|planned| planned.lesson.day).collect();
        assert_eq!(open, [day("2025-09-02")]);
        assert_eq!(told(Registers::Taken).len(), 1);
        wait(remove_holiday(&class.school, holiday.id, somebody())).unwrap();
        assert_eq!(wait(remove_holiday(&class.school, holiday.id, somebody())).unwrap_err().code, Code::HolidayNotFound);
        assert_eq!(told(Registers::NotTaken).len(), 2);
        let to_come = wait(planned(&class.school, wish(("2099-12-01", "2099-12-07"), Registers::NotTaken), Utc::now())).unwrap();
        assert_eq!(to_come, [], "nobody can have taken it yet");
        let others = PlannedWish { among: Some(Vec::new()), ..wish(week, Registers::All) };
        assert_eq!(wait(planned(&class.school, others, Utc::now())).unwrap(), []);
    }

    fn percentages_know_what_is_planned(db) {
        let class = Class::new(db);
        set(&class, vec![slot(Weekday::Mon, "03:30"), slot(Weekday::Tue, "03:30")]);
        mark(&class, class.session, class.members[0], AttendanceStatus::Present);
        let of = |first: &str, last: &str| {
            let wish = AttendanceWish { class: class.id, days: (day(first), day(last)), subject: None };
            let found = wait(class_attendance(&class.school, wish, Utc::now())).unwrap();
            let row = found.sheet.rows().iter().find(|row| row.member == class.members[0]).unwrap().summary.clone();
            (found.planned(), found.taken(), row.percent, row.percent_all, row.percent_reachable)
        };
        assert_eq!(of("2025-09-01", "2025-09-09"), (4, 1, Some(100.0), Some(25.0), Some(100.0)));
        assert_eq!(of("2025-09-01", "2025-09-01"), (1, 1, Some(100.0), Some(100.0), Some(100.0)));
        assert_eq!(of("2099-12-28", "2099-12-31"), (2, 0, None, Some(0.0), Some(100.0)), "both can be reached");
        // A lesson that was tried out was held, and does not count.
        class.run(|conn| classes::set_pilot(conn, class.id, Some(noon())));
        let pilot = open(&class, "2025-09-02 03:40:00", None);
        mark(&class, pilot, class.members[0], AttendanceStatus::Present);
        assert_eq!(of("2025-09-01", "2025-09-02"), (1, 1, Some(100.0), Some(100.0), Some(100.0)));
    }

    fn timetables_that_cannot_be_are_refused(db) {
        let class = Class::new(db);
        let code = |class_id, new: Vec<Slot>| wait(replace(&class.school, class_id, new, somebody())).unwrap_err().code;
        let nine = slot(Weekday::Mon, "09:00");
        assert_eq!(code(class.id, vec![nine.clone(), slot(Weekday::Mon, "09:44")]), Code::InvalidRequest);
        assert_eq!(code(ClassId(404), vec![nine.clone()]), Code::ClassNotFound);
        assert_eq!(code(class.id, vec![Slot { subject: Some(SubjectId(404)), ..nine.clone() }]), Code::SubjectNotFound);
        let never = Slot { valid_to: Some(NaiveDate::MAX), ..nine.clone() };
        assert_eq!(code(class.id, vec![never]), Code::InvalidRequest);
        assert_eq!(code(class.id, vec![nine; MAX_SLOTS + 1]), Code::InvalidRequest);
        assert_eq!(wait(slots(&class.school, class.id)).unwrap(), []);
        let day = day("2025-09-01");
        let holiday = |class_id, name: &str| NewHoliday { class_id, first_day: day, last_day: day, name: name.into() };
        let error = |new| wait(add_holiday(&class.school, new, somebody())).unwrap_err();
        let code = |new| error(new).code;
        assert_eq!((code(holiday(None, " ")), code(holiday(Some(ClassId(404)), "x"))), (Code::InvalidRequest, Code::ClassNotFound));
        let long = NewHoliday { last_day: day + TimeDelta::days(MAX_HOLIDAY), ..holiday(None, "x") };
        assert_eq!(error(long.clone()).to_string(), "a holiday has at most 1100 days");
        assert_eq!(code(NewHoliday { last_day: NaiveDate::MAX, ..long.clone() }), Code::InvalidRequest);
        wait(add_holiday(&class.school, NewHoliday { last_day: day + TimeDelta::days(MAX_HOLIDAY - 1), ..long }, somebody())).unwrap();
        let backwards = (day, day - TimeDelta::days(1));
        for wrong in [backwards, (day, NaiveDate::MAX), (day, day + TimeDelta::days(1100))] {
            assert_eq!(wait(holidays(&class.school, wrong)).unwrap_err().code, Code::InvalidRequest, "{wrong:?}");
        }
    }

    fn a_session_that_nobody_has_a_record_in_was_not_held(db) {
        let class = Class::new(db);
        set(&class, vec![slot(Weekday::Mon, "03:30"), slot(Weekday::Mon, "05:00")]);
        let today = ("2025-09-01", "2025-09-01");
        let of = |member: MemberId| {
            let sheet = sums(&class, today, None);
            let row = sheet.rows().iter().find(|row| row.member == member).unwrap();
            (sheet.held(), row.counts.total(), row.open.missed, row.summary.percent_all)
        };
        assert_eq!(of(class.members[0]), (0, 0, 2, Some(0.0)), "opened by mistake, and both lessons are missing");
        mark(&class, class.session, class.members[1], AttendanceStatus::Present);
        assert_eq!(of(class.members[1]), (1, 1, 1, Some(50.0)));
        assert_eq!(of(class.members[0]), (1, 1, 1, Some(0.0)), "nobody has decided");
        let empty = open(&class, "2025-09-01 09:00:00", None);
        assert_eq!(of(class.members[1]), (1, 1, 1, Some(50.0)));
        mark(&class, empty, class.members[0], AttendanceStatus::Present);
        assert_eq!(of(class.members[0]), (2, 2, 1, Some(100.0 / 3.0)));
    }

    fn a_lesson_that_goes_on_is_still_to_come(db) {
        let class = Class::new(db);
        let lasting = |starts_at, minutes| Slot { minutes, ..slot(Weekday::Mon, starts_at) };
        set(&class, vec![lasting("11:00", 30), lasting("11:30", 15), lasting("11:45", 16)]);
        let open: Vec<bool> = sums(&class, ("2025-09-01", "2025-09-01"), None).open_lessons().iter().map(|of| of.is_to_come).collect();
        assert_eq!(open, [false, false, true], "at noon");
    }

    fn a_session_without_a_subject_is_of_its_lessons(db) {
        let class = Class::new(db);
        let (maths, physics) = class.run(|conn| Ok((subjects::find_or_insert(conn, "Maths")?.id, subjects::find_or_insert(conn, "Physics")?.id)));
        let of = |subject, starts_at| Slot { subject: Some(subject), ..slot(Weekday::Mon, starts_at) };
        set(&class, vec![of(maths, "03:30"), of(physics, "05:00"), of(physics, "07:00")]);
        let present = |session| mark(&class, session, class.members[0], AttendanceStatus::Present);
        present(class.session);
        // Somebody else stood in for the physics teacher.
        present(open(&class, "2025-09-01 05:00:00", Some(maths)));
        let today = ("2025-09-01", "2025-09-01");
        let told = |subject| {
            let sheet = sums(&class, today, subject);
            let subjects: Vec<_> = sheet.sessions().iter().map(|column| column.subject).collect();
            (subjects, sheet.open_lessons().len())
        };
        assert_eq!(told(None), (vec![Some(maths), Some(maths)], 1));
        assert_eq!(told(Some(maths)), (vec![Some(maths), Some(maths)], 0));
        assert_eq!(told(Some(physics)), (vec![], 1), "the last one");
        let wanted = RegisterOf { class: class.id, days: (day(today.0), day(today.1)), subject: Some("Maths".into()), pilots: PilotSessions::LeftOut };
        let csv = String::from_utf8(wait(register_of(&class.school, wanted, SheetFormat::Csv)).unwrap()).unwrap();
        assert!(csv.lines().next().unwrap().contains("2025-09-01 03:30,2025-09-01 05:00"), "{csv}");
    }

    fn timetables_end_with_the_term(db) {
        let class = Class::new(db);
        set(&class, vec![slot(Weekday::Mon, "03:30")]);
        let month = ("2025-09-01", "2025-09-30");
        let told = || (wait(planned(&class.school, wish(month, Registers::All), Utc::now())).unwrap().len(), sums(&class, month, None).open_lessons().len());
        assert_eq!(told(), (5, 5));
        class.run(|conn| {
            let name = format!(" {}", classes::get(conn, class.id)?.term.to_uppercase());
            terms::set(conn, &TermRow { name, first_day: day("2025-09-02"), last_day: day("2025-09-22") })
        });
        assert_eq!(told(), (3, 3));
        class.run(|conn| {
            let name = classes::get(conn, class.id)?.term;
            terms::set(conn, &TermRow { name, first_day: day("2024-07-01"), last_day: day("2025-06-30") })
        });
        assert_eq!(told(), (0, 0), "that was last year");
    }

    fn a_student_is_told_when_a_session_of_the_repeated_hour_was(db) {
        let mut class = Class::new(db);
        class.school.config = std::sync::Arc::new(Config { time_zone: chrono_tz::Europe::Berlin, ..Config::default() });
        let (first, second) = (open(&class, "2025-10-26 00:45:00", None), open(&class, "2025-10-26 01:15:00", None));
        for session in [second, first] {
            mark(&class, session, class.members[0], AttendanceStatus::Present);
        }
        let student = class.run(|conn| members::get(conn, class.members[0])).student_id;
        let days = (day("2025-10-26"), day("2025-10-26"));
        let told = wait(student_attendance(&class.school, student, days, None, noon().and_utc())).unwrap();
        let told: Vec<_> = told.days[&days.0].iter().map(|record| (record.session, record.starts_at)).collect();
        assert_eq!(told, [(first, at("2025-10-26 00:45:00")), (second, at("2025-10-26 01:15:00"))]);
        let columns: Vec<_> = sums(&class, ("2025-10-26", "2025-10-26"), None).sessions().iter().map(|column| column.id).collect();
        assert_eq!(columns, [first, second]);
    }

    fn what_moves_percentages_is_in_the_audit_log(db) {
        let class = Class::new(db);
        set(&class, vec![slot(Weekday::Mon, "03:30"), slot(Weekday::Tue, "03:30")]);
        set(&class, vec![slot(Weekday::Mon, "03:30")]);
        let trip = NewHoliday { class_id: Some(class.id), first_day: day("2025-09-03"), last_day: day("2025-09-04"), name: "Trip".into() };
        let trip = wait(add_holiday(&class.school, trip, somebody())).unwrap();
        wait(remove_holiday(&class.school, trip.id, somebody())).unwrap();
        let written = class.run(|conn| lines::list(conn, &AuditFilter::default(), Page::first(9))).rows;
        let mut told: Vec<_> = written.into_iter().map(|line| {
            assert_eq!(line.class_id, Some(class.id));
            (line.action, line.object_kind.unwrap(), line.object_id.unwrap(), line.detail.0)
        }).collect();
        told.reverse();
        let days = json!({ "name": "Trip", "from": "2025-09-03", "to": "2025-09-04" });
        let line = |action: &str, kind: &str, id: i64, detail: &serde_json::Value| (action.to_owned(), kind.to_owned(), id, detail.clone());
        assert_eq!(told, [
            line("replace_timetable", "class", class.id.0, &json!({ "slots_before": 0, "slots": 2 })),
            line("replace_timetable", "class", class.id.0, &json!({ "slots_before": 2, "slots": 1 })),
            line("add_holiday", "holiday", trip.id.0, &days),
            line("delete_holiday", "holiday", trip.id.0, &days),
        ]);
    }

    fn of_timetables_that_are_set_at_once_one_stays(db) {
        let class = Class::new(db);
        let days = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu];
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for _ in 0..5 {
            runtime.block_on(async {
                let tasks: Vec<_> = days.into_iter().map(|weekday| {
                    let new = ["03:30", "04:30", "05:30"].map(|at| slot(weekday, at)).to_vec();
                    let (school, id) = (class.school.clone(), class.id);
                    tokio::spawn(async move { replace(&school, id, new, somebody()).await.unwrap() })
                }).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
            let stored = wait(slots(&class.school, class.id)).unwrap();
            assert_eq!(stored.len(), 3, "{stored:?}");
        }
    }
}
