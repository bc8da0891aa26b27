use super::*;
use crate::app::photo::remove as remove_photo;
use crate::app::testing::{Class, noon, run, wait};
use crate::db::records;
use crate::db::sessions::SessionChange;
use crate::db::testing::{day, on_each_database};
use crate::domain::status::AttendanceStatus;
use crate::domain::status::AttendanceStatus::{Absent, Excused, Late, Present, Unmarked};

fn entry(class: &Class, member: MemberId, first: &str, last: &str) -> LeaveEntry {
    let student = class.run(|conn| members::get(conn, member)).student_id;
    LeaveEntry { student, days: (day(first), day(last)), kind: LeaveKind::Sick, remark: Some(" flu ".into()) }
}

/// Adds and settles with the lines of the test's class, as the settings' pack has others.
fn on_leave(class: &Class, member: MemberId) -> LeaveRow {
    let entry = entry(class, member, "2025-09-01", "2025-09-02");
    let (row, effect) = wait(add(&class.school, entry, &Actor::command())).unwrap();
    assert_eq!((effect.confirmed, effect.settled), (vec![], vec![]));
    class.settle();
    row
}

fn note(class: &Class, member: MemberId) -> Option<String> {
    class.run(|conn| records::list(conn, class.session)).into_iter().find(|row| row.member_id == member).unwrap().note
}

fn statuses(class: &Class) -> Vec<AttendanceStatus> {
    class.members.iter().map(|member| class.status(*member)).collect()
}

on_each_database! {
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
        wait(remove(&class.school, row.id)).unwrap();
        class.settle();
        assert_eq!(class.everything(), before);
        let again = wait(remove(&class.school, row.id)).unwrap_err();
        assert_eq!(again.code, Code::LeaveNotFound);
    }

    fn sessions_are_settled_named_or_left_alone(db) {
        let class = Class::new(db);
        let member = class.members[1];
        let add = |first: &str, last: &str| wait(add(&class.school, entry(&class, member, first, last), &Actor::command()));
        let (row, effect) = add("2025-09-01", "2025-09-01").unwrap();
        assert_eq!(effect, Effect::default(), "nothing was judged yet");
        wait(remove(&class.school, row.id)).unwrap();
        let (photo, _) = class.photo(1, &[]);
        let (row, effect) = add("2025-08-31", "2025-09-01").unwrap();
        assert_eq!(effect, Effect { unread: vec![class.session], ..Effect::default() }, "the settings have another pack");
        wait(remove(&class.school, row.id)).unwrap();
        assert_eq!(add("2025-09-02", "2025-09-02").unwrap().1, Effect::default(), "another day");
        wait(remove_photo(&class.school, &class.matching, photo)).unwrap();
        let (row, effect) = add("2025-09-01", "2025-09-01").unwrap();
        assert_eq!(effect, Effect { settled: vec![class.session], ..Effect::default() });
        assert_eq!(class.status(member), Excused, "nobody was seen");
        let effect = wait(remove(&class.school, row.id)).unwrap();
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
        let code = |entry: LeaveEntry| wait(add(&class.school, entry, &Actor::command())).unwrap_err().code;
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
            let (row, _) = add(&class.school, entry, &Actor::command()).await.unwrap();
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
            remove(&class.school, row.id).await.unwrap();
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
