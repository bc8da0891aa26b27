//! Confirming and reopening.

use super::*;
use crate::db::audit::{self, AuditFilter};
use crate::db::page::Page;
use crate::db::students::{self, StudentChange};
use crate::db::testing::on_each_database;
use crate::domain::status::Verdict;

on_each_database! {
    fn a_confirmed_session_says_who_signed_and_forgets_strangers(db) {
        let scene = Scene::settled(db);
        let signed = scene.confirm(Unmarked::Refuse).unwrap();
        assert_eq!((signed.unmarked, signed.forgotten_faces), (0, 2));
        assert_eq!(signed.session.state, SessionState::Confirmed);
        assert_eq!(signed.session.confirmed_by.as_deref(), Some("ann"));
        assert!(signed.session.confirmed_at.is_some());
        assert_eq!(signed.session, scene.session());
        assert_eq!(signed.version, scene.records().version);
        let counts = json!({ "unmarked": 0, "present": 1, "absent": 2, "late": 0, "excused": 0 });
        assert_eq!(scene.told("session.confirmed"), [json!({ "records": counts })]);
        let (_, _, _, faces, _) = scene.everything();
        for face in &faces {
            let is_stranger = face.verdict == Some(Verdict::Stranger);
            assert_eq!(face.embedding.is_none(), is_stranger, "{face:?}");
            assert!(face.combined.is_some(), "scores stay");
        }

        let again = scene.confirm(Unmarked::Refuse).unwrap();
        assert_eq!((again.session, again.forgotten_faces), (signed.session, 0));
        assert_eq!(scene.told("session.confirmed").len(), 1, "it was confirmed already");
    }

    fn nothing_is_confirmed_while_photos_wait(db) {
        let scene = Scene::unsettled(db);
        scene.change(|conn| photos::start(conn, scene.photos[0]));
        let refused = scene.confirm(Unmarked::Keep).unwrap_err();
        assert_eq!(refused.code, Code::SessionNotReady);
        assert!(refused.message.contains("photos that wait: 2"), "{refused}");
        assert_eq!(scene.session().state, SessionState::Open);
    }

    fn undecided_records_are_kept_open_only_where_that_is_wanted(db) {
        let scene = Scene::settled(db);
        scene.correct(1, Undecided).unwrap();
        let refused = scene.confirm(Unmarked::Refuse).unwrap_err();
        assert_eq!(refused.code, Code::SessionNotReady);
        assert!(refused.message.contains("nobody has decided: 1"), "{refused}");
        assert_eq!(scene.confirm(Unmarked::Keep).unwrap().unmarked, 1);
        assert_eq!(scene.statuses(), [Present, Undecided, Absent]);
    }

    fn nobody_waits_for_who_has_left_the_school(db) {
        let scene = Scene::settled(db);
        scene.change(|conn| {
            let student = members::get(conn, scene.members[1])?.student_id;
            let gone = StudentChange { active: Some(false), ..StudentChange::at(at("2025-09-01 06:00:00")) };
            students::update(conn, student, &gone)?;
            session::settle(conn, scene.session, &scene.matching(), at("2025-09-01 07:00:00"))
        });
        assert_eq!(scene.statuses(), [Present, Undecided, Absent]);
        scene.confirm(Unmarked::Refuse).unwrap();
    }

    fn what_was_not_seen_is_not_signed(db) {
        let scene = Scene::settled(db);
        let seen = scene.records().version;
        scene.correct(1, Late).unwrap();
        let confirm_seen = |seen| {
            scene.sign(Signature { expected: Some(seen), reason: Some("a guest".into()), ..Signature::default() })
        };
        let conflict = confirm_seen(seen).unwrap_err();
        assert!(matches!(conflict, ConfirmError::Whole(Error { code: Code::VersionConflict, .. })), "{conflict}");
        assert_eq!(scene.session().state, SessionState::Review);
        confirm_seen(scene.records().version).unwrap();
    }

    fn a_reopened_session_waits_for_the_teacher_and_the_reason_is_written_down(db) {
        let scene = Scene::settled(db);
        let before = scene.records();
        let as_it_was = scene.reopen();
        assert_eq!((&as_it_was.session, &as_it_was.version), (&before.session, &before.version), "it was not confirmed");
        scene.confirm(Unmarked::Refuse).unwrap();
        let open = scene.reopen().session;
        assert_eq!((open.state, open.confirmed_at, open.confirmed_by), (SessionState::Review, None, None));
        assert_eq!(scene.records().records, before.records);
        assert_eq!(scene.told("session.reopened").len(), 1);
        let filter = AuditFilter { action: Some("session.reopen".into()), ..AuditFilter::default() };
        let lines = scene.change(|conn| audit::list(conn, &filter, Page::first(9))).rows;
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((line.actor.as_str(), line.object_id), ("ann", Some(scene.session.0)));
        assert_eq!(line.detail.0, json!({ "reason": "a parent called" }));
        scene.correct(1, Late).unwrap();
    }

    fn strangers_stay_as_many_people_and_keep_their_scores_after_they_were_forgotten(db) {
        let scene = Scene::settled(db);
        assert_eq!(scene.session().strangers, 1, "one person in two photos");
        let (_, _, _, before, _) = scene.everything();
        scene.confirm(Unmarked::Refuse).unwrap();
        scene.reopen();
        for _ in 0..2 {
            scene.change(|conn| session::settle(conn, scene.session, &scene.matching(), at("2025-09-01 07:00:00")));
            assert_eq!(scene.session().strangers, 1);
        }
        let (_, _, _, after, _) = scene.everything();
        let scores = |faces: &[faces::FaceRow]| {
            faces.iter().map(|f| (f.id, f.verdict, f.combined, f.cosine, f.confidence, f.reason.clone())).collect::<Vec<_>>()
        };
        assert_eq!(scores(&after), scores(&before));
    }
}
