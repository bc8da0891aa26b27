use std::sync::mpsc::channel;
use std::thread;

use super::*;
use crate::app::photo::remove as remove_photo;
use crate::app::reach::{Belongs, Named, classes_of};
use crate::app::testing::{Class, noon, run, wait};
use crate::db::Page;
use crate::db::audit::{self as lines, AuditFilter};
use crate::db::records;
use crate::db::sessions::SessionChange;
use crate::db::testing::{self, day, new_member, on_each_database, somebody_waits};
use crate::domain::status::AttendanceStatus;
use crate::domain::status::AttendanceStatus::{Absent, Excused, Late, Present, Unmarked};

fn entry(class: &Class, member: MemberId, first: &str, last: &str) -> LeaveEntry {
    let student = class.run(|conn| members::get(conn, member)).student_id;
    LeaveEntry { student, days: (day(first), day(last)), kind: LeaveKind::Sick, remark: Some(" flu ".into()) }
}

/// Adds and settles with the lines of the test's class, as the settings' pack has others.
fn on_leave(class: &Class, member: MemberId) -> LeaveRow {
    let entry = entry(class, member, "2025-09-01", "2025-09-02");
    let (row, effect) = wait(add(&class.school, entry, By::command(), &Reach::All)).unwrap();
    assert_eq!(effect.confirmed, []);
    class.settle();
    row
}

fn note(class: &Class, member: MemberId) -> Option<String> {
    class.run(|conn| records::list(conn, class.session)).into_iter().find(|row| row.member_id == member).unwrap().note
}

fn statuses(class: &Class) -> Vec<AttendanceStatus> {
    class.members.iter().map(|member| class.status(*member)).collect()
}

/// A leave that is added while somebody else has done `work` and has not ended their transaction: that ends when the leave waits
/// for it, or did not need to.
fn meanwhile(
    class: &Class,
    entry: LeaveEntry,
    work: impl FnOnce(&mut AnyConnection) -> Result<(), DbError> + Send,
) -> Result<(LeaveRow, Effect), Error> {
    let ((done, is_done), (go, may_go)) = (channel(), channel());
    thread::scope(|scope| {
        scope.spawn(move || {
            class.run(|conn| {
                work(conn)?;
                done.send(()).unwrap();
                may_go.recv().unwrap();
                Ok(())
            });
        });
        is_done.recv().unwrap();
        let adding = scope.spawn(|| wait(add(&class.school, entry, By::command(), &Reach::All)));
        let waits = || class.school.db.run_blocking(|conn| Ok::<_, DbError>(somebody_waits(conn))).unwrap();
        while !adding.is_finished() && !waits() {
            thread::yield_now();
        }
        go.send(()).unwrap();
        adding.join().unwrap()
    })
}

on_each_database! {
    fn a_session_that_is_judged_for_the_first_time_meanwhile_is_not_passed_over(db) {
        let class = Class::new(db);
        let photo = class.run(|conn| crate::db::photos::insert(conn, &testing::new_photo(class.session, 1)));
        let (_, effect) = meanwhile(&class, entry(&class, class.members[1], "2025-09-01", "2025-09-01"), |conn| {
            crate::db::photos::finish(conn, photo, &testing::photo_result())?;
            session::settle(conn, class.session, &class.matching, noon())
        }).unwrap();
        assert_eq!(effect, Effect { unread: vec![class.session], ..Effect::default() }, "the settings have another pack");
    }

    fn a_session_that_is_signed_meanwhile_is_told_as_such(db) {
        let class = Class::new(db);
        let (_, effect) = meanwhile(&class, entry(&class, class.members[1], "2025-09-01", "2025-09-01"), |conn| {
            sessions::lock(conn, class.session)?;
            let confirmed = SessionChange { state: Some(SessionState::Confirmed), ..SessionChange::at(noon()) };
            sessions::update(conn, class.session, &confirmed)
        }).unwrap();
        assert_eq!(effect, Effect { confirmed: vec![class.session], ..Effect::default() });
    }

    fn two_leaves_for_the_same_days_are_one(db) {
        let class = Class::new(db);
        let wanted = entry(&class, class.members[1], "2025-09-01", "2025-09-01");
        let (student_id, first_day, last_day, kind) = (wanted.student, wanted.days.0, wanted.days.1, wanted.kind);
        let refused = meanwhile(&class, wanted, move |conn| {
            students::lock(conn, student_id)?;
            let created_by = "somebody else".into();
            let new = NewLeave { student_id, first_day, last_day, kind, remark: None, created_by, created_at: noon() };
            leaves::insert(conn, &new).map(drop)
        });
        assert_eq!(refused.unwrap_err().code, Code::AlreadyExists);
        assert_eq!(wait(of_student(&class.school, student_id, &Reach::All)).unwrap().len(), 1);
    }

    fn leaves_are_of_the_classes_that_the_student_is_in_on_their_days(db) {
        let class = Class::new(db);
        let student = class.run(|conn| members::get(conn, class.left)).student_id;
        let ten = class.run(|conn| {
            let ten = testing::class(conn, "10")?;
            let stay = members::NewMember { valid_from: Some(day("2025-09-01")), ..new_member(ten, student, "6") };
            members::insert(conn, &stay)?;
            Ok(ten)
        });
        let (past, now) = (Reach::Only(vec![class.id]), Reach::Only(vec![ten]));
        let add = |reach: &Reach, first: &str| {
            let days = (day(first), day("2025-09-02"));
            let entry = LeaveEntry { student, days, kind: LeaveKind::Sick, remark: None };
            wait(add(&class.school, entry, By::command(), reach))
        };
        assert_eq!(add(&past, "2025-09-01").unwrap_err().code, Code::Forbidden);
        let row = add(&now, "2025-09-01").unwrap().0;
        let seen = |reach: &Reach| wait(of_student(&class.school, student, reach)).unwrap().len();
        assert_eq!((seen(&past), seen(&now), seen(&Reach::All)), (0, 1, 1));
        let of = |id: LeaveId| {
            let read = class.school.read(move |conn| classes_of(conn, Named::Leave(id), None));
            match wait(read).unwrap() {
                Belongs::To(classes) => classes,
                Belongs::ToCaller => panic!("nobody has asked for a leave"),
            }
        };
        assert_eq!((of(row.id), of(LeaveId(404))), (vec![ten], vec![]));
        wait(remove(&class.school, row.id, By::command())).unwrap();
        let both = add(&past, "2025-08-31").unwrap().0;
        assert_eq!((seen(&past), seen(&now)), (1, 1), "a day of each class");
        assert_eq!(of(both.id).len(), 2);
    }

    fn what_became_of_a_leave_is_in_the_audit_log_without_names(db) {
        let class = Class::new(db);
        let wish = entry(&class, class.members[1], "2025-09-01", "2025-09-02");
        let student = wish.student;
        let (row, _) = wait(add(&class.school, wish, By::command(), &Reach::All)).unwrap();
        wait(set_document(&class.school, row.id, "flu.pdf", b"%PDF-1")).unwrap();
        wait(remove(&class.school, row.id, By::command())).unwrap();
        let filter = AuditFilter { action: Some("leave".into()), ..AuditFilter::default() };
        let lines = class.run(|conn| lines::list(conn, &filter, Page::first(9))).rows;
        let said = lines.iter().rev().map(|line| (line.action.as_str(), line.object_kind.as_deref(), line.object_id));
        let of = |action| (action, Some("leave"), Some(row.id.0));
        assert_eq!(said.collect::<Vec<_>>(), [of("leave.add"), of("leave.remove")]);
        let expected = |document: bool| {
            json!({ "student": student, "from": "2025-09-01", "to": "2025-09-02", "kind": "sick", "document": document,
                "settled": [class.session], "confirmed": 0, "unread": 0 })
        };
        assert_eq!((&lines[1].detail.0, &lines[0].detail.0), (&expected(false), &expected(true)));
    }

    fn whoever_is_on_leave_is_excused_or_pointed_out_and_a_person_wins(db) {
        let class = Class::new(db);
        let [asha, ravi, mina] = class.members;
        class.photo(1, &[(&[(0, 0.8)], 1)]);
        assert_eq!(statuses(&class), [Present, Absent, Absent]);
        let row = on_leave(&class, asha);
        assert_eq!((row.remark.as_deref(), row.created_by.is_empty()), (Some("flu"), false));
        on_leave(&class, ravi);
        assert_eq!(statuses(&class), [Present, Excused, Absent]);
        assert_eq!(note(&class, asha).unwrap(), "seen, but on sick leave from 2025-09-01 to 2025-09-02: please look");
        assert_eq!(note(&class, ravi).unwrap(), "on sick leave from 2025-09-01 to 2025-09-02");
        let flags = class.run(|conn| sessions::get(conn, class.session)).flags.0;
        assert!(flags.contains(&"seen_on_leave".to_owned()), "{flags:?}");
        class.correct(ravi, Late);
        class.correct(mina, Excused);
        class.settle();
        assert_eq!(statuses(&class), [Present, Late, Excused]);
    }

    fn a_leave_that_is_taken_back_leaves_no_trace(db) {
        let class = Class::new(db);
        class.photo(1, &[(&[(0, 0.8)], 1)]);
        let before = class.everything();
        let row = on_leave(&class, class.members[1]);
        assert_eq!(class.status(class.members[1]), Excused);
        wait(remove(&class.school, row.id, By::command())).unwrap();
        class.settle();
        assert_eq!(class.everything(), before);
        let again = wait(remove(&class.school, row.id, By::command())).unwrap_err();
        assert_eq!(again.code, Code::LeaveNotFound);
    }

    fn sessions_are_settled_named_or_left_alone(db) {
        let class = Class::new(db);
        let member = class.members[1];
        let add = |first: &str, last: &str| wait(add(&class.school, entry(&class, member, first, last), By::command(), &Reach::All));
        let (row, effect) = add("2025-09-01", "2025-09-01").unwrap();
        assert_eq!(effect, Effect { settled: vec![class.session], ..Effect::default() }, "without photos");
        assert_eq!(class.status(member), Excused);
        wait(remove(&class.school, row.id, By::command())).unwrap();
        let (photo, _) = class.photo(1, &[]);
        let (row, effect) = add("2025-08-31", "2025-09-01").unwrap();
        assert_eq!(effect, Effect { unread: vec![class.session], ..Effect::default() }, "the settings have another pack");
        wait(remove(&class.school, row.id, By::command())).unwrap();
        assert_eq!(add("2025-09-02", "2025-09-02").unwrap().1, Effect::default(), "another day");
        wait(remove_photo(&class.school, &class.matching, photo)).unwrap();
        let (row, effect) = add("2025-09-01", "2025-09-01").unwrap();
        assert_eq!(effect, Effect { settled: vec![class.session], ..Effect::default() });
        assert_eq!(class.status(member), Excused, "nobody was seen");
        let effect = wait(remove(&class.school, row.id, By::command())).unwrap();
        assert_eq!((effect.settled, class.status(member)), (vec![class.session], Unmarked));
        let confirmed = SessionChange { state: Some(SessionState::Confirmed), ..SessionChange::at(noon()) };
        class.run(|conn| sessions::update(conn, class.session, &confirmed));
        let (_, effect) = add("2025-09-01", "2025-09-01").unwrap();
        assert_eq!(effect, Effect { confirmed: vec![class.session], ..Effect::default() });
        assert_eq!(class.status(member), Unmarked);
        assert_eq!(add("2025-09-01", "2025-09-03").unwrap_err().code, Code::AlreadyExists, "is on leave already");
    }

    fn leaves_that_cannot_be_are_refused(db) {
        let class = Class::new(db);
        let code = |entry: LeaveEntry| wait(add(&class.school, entry, By::command(), &Reach::All)).unwrap_err().code;
        let member = class.members[0];
        assert_eq!(code(entry(&class, member, "2025-09-02", "2025-09-01")), Code::InvalidRequest);
        assert_eq!(code(entry(&class, member, "2025-09-01", "2026-09-02")), Code::InvalidRequest);
        let long = LeaveEntry { remark: Some("x".repeat(501)), ..entry(&class, member, "2025-09-01", "2025-09-01") };
        assert_eq!(code(long), Code::InvalidRequest);
        let nobody = LeaveEntry { student: StudentId(404), ..entry(&class, member, "2025-09-01", "2025-09-01") };
        assert_eq!(code(nobody), Code::StudentNotFound);
    }

    fn documents_replace_each_other_and_go_with_their_leave(db) {
        run(async {
            let class = Class::new(db);
            let entry = entry(&class, class.members[0], "2025-09-01", "2025-09-01");
            let (row, _) = add(&class.school, entry, By::command(), &Reach::All).await.unwrap();
            let none = document(&class.school, row.id).await.unwrap_err();
            assert_eq!(none.code, Code::LeaveNotFound);
            let text = set_document(&class.school, row.id, "a.txt", b"dear teacher").await.unwrap_err();
            assert_eq!(text.code, Code::UnsupportedFormat);
            set_document(&class.school, row.id, "a\n.pdf", b"%PDF-1").await.unwrap();
            let row = set_document(&class.school, row.id, "b.pdf", b"%PDF-2").await.unwrap();
            assert_eq!((row.document_name.as_deref(), content_type(&row)), (Some("b.pdf"), Some("application/pdf")));
            let found = document(&class.school, row.id).await.unwrap();
            assert_eq!((found.bytes.as_slice(), found.extension), (b"%PDF-2".as_slice(), "pdf"));
            let stored = || async {
                use futures_util::TryStreamExt as _;
                class.school.store.list(crate::storage::KeyGroup::Leaves).try_collect::<Vec<_>>().await.unwrap().len()
            };
            assert_eq!(stored().await, 1, "the first went");
            remove(&class.school, row.id, By::command()).await.unwrap();
            assert_eq!(stored().await, 0);
        });
    }

    fn a_class_tells_the_leaves_of_its_members(db) {
        let class = Class::new(db);
        on_leave(&class, class.members[2]);
        let of = |first: &str, last: &str| wait(of_class(&class.school, class.id, (day(first), day(last)))).unwrap();
        let found = of("2025-09-02", "2025-09-30");
        assert_eq!(found.iter().map(|leave| leave.member.member.id).collect::<Vec<_>>(), [class.members[2]]);
        assert_eq!(of("2025-09-03", "2025-09-30"), []);
    }
}
