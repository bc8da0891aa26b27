//! What a person says about records, and what becomes of it.

use super::*;
use crate::db::testing::{new_session, on_each_database};

on_each_database! {
    fn a_correction_wins_over_the_machine_and_is_kept_with_its_history(db) {
        let scene = Scene::settled(db);
        assert_eq!(scene.statuses(), [Present, Absent, Absent]);
        let reason = Some("  came with the second bus ".to_owned());
        let wanted = RecordCorrection {
            correction: Correction { status: Late, reason },
            ..said(scene.members[1], Late)
        };
        let late = scene.wait(correct(&scene.school, scene.session, wanted.clone(), ann())).unwrap();
        assert_eq!((late.status, late.source, late.confidence), (Late, RecordSource::Manual, None));
        assert_eq!(late.note.as_deref(), Some("came with the second bus"));
        assert_eq!(scene.record(1), late);
        let [line] = &scene.history(1)[..] else { panic!("one line") };
        assert_eq!((line.from_status, line.from_source), (Absent, RecordSource::Auto));
        assert_eq!((line.status, line.source, line.actor.as_str(), line.actor_id), (Late, RecordSource::Manual, "ann", Some(5)));
        let event = json!({ "member": scene.members[1], "status": "late", "source": "manual" });
        assert_eq!(scene.told("record.corrected"), [event]);

        scene.look_at_photos("0");
        assert_eq!(scene.record(1), late, "the machine does not touch it");
        assert_eq!(scene.wait(correct(&scene.school, scene.session, wanted, ann())).unwrap(), late);
        assert_eq!((scene.history(1).len(), scene.told("record.corrected").len()), (1, 1), "it was said already");
    }

    fn a_correction_that_is_withdrawn_leaves_what_the_machine_says(db) {
        let scene = Scene::settled(db);
        let before = scene.record(0);
        scene.correct(0, Excused).unwrap();
        let after = scene.withdraw(0).unwrap().unwrap();
        let kept = MemberRecord { version: before.version.clone(), updated_at: before.updated_at, ..after.clone() };
        assert_eq!(kept, before, "present again, with face and confidence");
        assert_ne!(after.version, before.version, "but not as if nothing had been");
        let steps: Vec<_> = scene.history(0).iter().map(|line| (line.from_status, line.status, line.source)).collect();
        assert_eq!(steps, [(Present, Excused, RecordSource::Manual), (Excused, Present, RecordSource::Auto)]);
        assert_eq!(scene.told("record.corrected")[1]["source"], "auto");
        assert_eq!(scene.withdraw(0).unwrap().unwrap(), after, "there is nothing to withdraw");
        assert_eq!(scene.history(0).len(), 2);
    }

    fn a_change_to_what_somebody_else_has_changed_is_refused_and_changes_nothing(db) {
        let scene = Scene::settled(db);
        let seen = Some(scene.record(1).version);
        scene.correct_seen(1, Late, seen.clone()).unwrap();
        let before = scene.everything();
        assert_eq!(code(scene.correct_seen(1, Excused, seen.clone())), Code::VersionConflict);
        let withdrawn = scene.wait(withdraw(&scene.school, scene.session, scene.members[1], ann(), seen));
        assert_eq!(code(withdrawn), Code::VersionConflict);
        assert_eq!(scene.everything(), before);
        scene.correct_seen(1, Excused, Some(scene.record(1).version)).unwrap();
    }

    fn what_the_machine_says_anew_is_a_change_too(db) {
        let scene = Scene::unsettled(db);
        let seen = scene.record(0).version;
        scene.look_at_photos("0");
        assert_eq!(code(scene.correct_seen(0, Late, Some(seen))), Code::VersionConflict);
    }

    fn of_two_people_at_the_same_time_one_is_refused(db) {
        let scene = Scene::settled(db);
        let seen = Some(scene.record(1).version);
        let both = scene.wait(async {
            let of = |status| {
                let wanted = RecordCorrection { expected: seen.clone(), ..said(scene.members[1], status) };
                correct(&scene.school, scene.session, wanted, ann())
            };
            let (a, b) = tokio::join!(of(Late), of(Excused));
            [a, b]
        });
        let refused: Vec<Code> = both.into_iter().filter_map(|made| Some(made.err()?.code)).collect();
        assert_eq!(refused, [Code::VersionConflict]);
        assert_eq!(scene.history(1).len(), 1);
    }

    fn several_corrections_are_all_made_or_none(db) {
        let scene = Scene::settled(db);
        let [asha, ravi, mina] = scene.members;
        let before = scene.everything();
        let long = Correction { status: Late, reason: Some("x".repeat(501)) };
        let wanted = vec![
            said(asha, Excused),
            RecordCorrection { expected: Some("old".into()), ..said(ravi, Late) },
            RecordCorrection { correction: long, ..said(mina, Late) },
            said(MemberId(404), Late),
            said(asha, Late),
        ];
        let refused = scene.wait(correct_many(&scene.school, scene.session, wanted, ann()));
        let Err(BulkError::Items(items)) = refused else { panic!("{refused:?}") };
        let told: Vec<_> = items.iter().map(|item| (item.index, item.error.code)).collect();
        assert_eq!(told, [
            (1, Code::VersionConflict),
            (2, Code::InvalidRequest),
            (3, Code::MemberNotFound),
            (4, Code::InvalidRequest),
        ]);
        assert_eq!(scene.everything(), before);

        let wanted = vec![said(mina, Late), RecordCorrection { expected: Some(scene.record(0).version), ..said(asha, Excused) }];
        let made = scene.wait(correct_many(&scene.school, scene.session, wanted, ann())).unwrap();
        let now: Vec<_> = made.records.iter().map(|record| (record.member, record.status)).collect();
        assert_eq!(now, [(mina, Late), (asha, Excused)], "in the order asked for");
        assert_eq!(made.version, scene.records().version);
        assert_eq!(scene.statuses(), [Excused, Absent, Late]);
    }

    fn a_session_without_photos_is_taken_by_hand(db) {
        let scene = Scene::unsettled(db);
        let session = scene.change(|conn| sessions::find_or_insert(conn, &new_session(scene.class, "2025-09-02 03:30:00"))).id;
        let read = || scene.wait(records(&scene.school, session)).unwrap();
        let blank: Vec<_> = read().records.iter().map(|r| (r.roll_no.clone(), r.status, r.updated_at)).collect();
        assert_eq!(blank, ["1", "2", "3"].map(|roll_no| (roll_no.to_owned(), Undecided, None)));
        scene.wait(correct(&scene.school, session, said(scene.members[1], Present), ann())).unwrap();
        assert_eq!(read().records[1].status, Present);
        let again = scene.wait(withdraw(&scene.school, session, scene.members[1], ann(), None)).unwrap().unwrap();
        assert_eq!((again.status, again.updated_at), (Undecided, None), "the machine has seen nothing and says nothing");
        assert_eq!(read().session.state, SessionState::Open);
    }

    fn only_members_of_the_class_on_that_day_have_records(db) {
        let scene = Scene::settled(db);
        let other = scene.change(|conn| {
            let class = crate::db::testing::class(conn, "10")?;
            let student = crate::db::testing::student(conn, "P9")?;
            members::insert(conn, &crate::db::testing::new_member(class, student, "9"))
        });
        let of = |session, member| scene.wait(correct(&scene.school, session, said(member, Late), ann()));
        assert_eq!(code(of(scene.session, other)), Code::MemberNotFound);
        assert_eq!(code(of(SessionId(404), scene.members[0])), Code::SessionNotFound);
        assert_eq!(code(scene.wait(history(&scene.school, scene.session, other))), Code::MemberNotFound);
    }

    fn who_has_left_the_class_since_is_gone_with_the_correction(db) {
        let scene = Scene::settled(db);
        scene.correct(2, Late).unwrap();
        scene.change(|conn| members::end(conn, scene.members[2], crate::db::testing::day("2025-08-30")));
        scene.look_at_photos("0");
        assert_eq!(scene.record(2).status, Late, "what a person said stays");
        assert!(!scene.record(2).is_awaited);
        assert_eq!(scene.withdraw(2).unwrap(), None);
        let last = scene.history(2).pop().unwrap();
        assert_eq!((last.from_status, last.status), (Late, Undecided));
    }

    fn where_another_pack_has_looked_nothing_is_concluded_and_others_stay(db) {
        let scene = Scene::settled(db);
        scene.correct(1, Late).unwrap();
        scene.change(|conn| {
            scene.photos.iter().try_for_each(|photo| photos::finish(conn, *photo, &seen_with("older")))
        });
        let open = scene.withdraw(1).unwrap().unwrap();
        assert_eq!((open.status, open.source), (Undecided, RecordSource::Auto));
        assert!(open.note.is_some(), "and it says why");
        assert_eq!(scene.statuses(), [Present, Undecided, Absent]);
    }
}
