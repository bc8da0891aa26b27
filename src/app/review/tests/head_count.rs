//! What adds up, and what is signed all the same.

use super::*;
use crate::app::faces::{Decision, decide};
use crate::db::audit::{self, AuditFilter};
use crate::db::page::Page;
use crate::db::sessions::Reconciled;
use crate::db::testing::on_each_database;
use crate::domain::head_count::{Difference, DifferenceNote, Told};

fn codes(refused: &ConfirmError) -> Vec<&'static str> {
    match refused {
        ConfirmError::Differences { differences, .. } => differences.iter().map(Difference::code).collect(),
        ConfirmError::Whole(error) => panic!("{error}"),
    }
}

fn counted(head_count: u32, guests: Option<u32>) -> Signature {
    Signature { head_count: Some(head_count), guests, ..Signature::default() }
}

on_each_database! {
    fn a_session_that_does_not_add_up_needs_a_reason_which_is_kept(db) {
        let scene = Scene::settled(db);
        let before = scene.everything();
        let refused = scene.sign(Signature::default()).unwrap_err();
        assert_eq!(codes(&refused), ["STRANGERS_UNEXPLAINED"]);
        assert!(refused.to_string().contains("1 stranger on the photos was not looked at"), "{refused}");
        assert_eq!(codes(&scene.sign(Signature { reason: Some("  ".into()), ..counted(5, None) }).unwrap_err()),
            ["STRANGERS_UNEXPLAINED", "COUNT_DIFFERS"]);
        assert_eq!(scene.everything(), before);

        let with_reason = Signature { reason: Some(" two at the door ".into()), ..counted(5, Some(1)) };
        let signed = scene.sign(with_reason).unwrap().session;
        let text = "5 heads were counted in the room, 1 marked present or late and 1 guest named";
        let kept = Reconciled {
            head_count: Some(5),
            guests: Some(1),
            differences: Json(vec![DifferenceNote { code: "COUNT_DIFFERS".into(), text: text.into() }]),
            confirm_reason: Some("two at the door".into()),
        };
        assert_eq!((signed.state, &signed.reconciled), (SessionState::Confirmed, &kept));
        let filter = AuditFilter { action: Some("session.confirm".into()), ..AuditFilter::default() };
        let lines = scene.change(|conn| audit::list(conn, &filter, Page::first(9))).rows;
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let detail =
            json!({ "head_count": 5, "guests": 1, "differences": ["COUNT_DIFFERS"], "reason": "two at the door" });
        assert_eq!((line.actor.as_str(), line.object_id, &line.detail.0), ("ann", Some(scene.session.0), &detail));

        let open = scene.reopen().session;
        assert_eq!(open.reconciled, Reconciled::default(), "it goes with the signature");
    }

    fn a_count_that_agrees_or_a_look_at_the_stranger_is_enough(db) {
        let scene = Scene::settled(db);
        assert!(scene.sign(counted(1, None)).is_ok(), "one present, and nobody else in the room");
        scene.reopen();
        assert!(scene.sign(counted(2, Some(1))).is_ok(), "the stranger is a guest");
        scene.reopen();
        assert_eq!(codes(&scene.sign(Signature::default()).unwrap_err()), ["STRANGERS_UNEXPLAINED"]);
        let faces = scene.change(|conn| faces::list_for_session(conn, scene.session));
        let strange = faces.iter().find(|face| face.member_id.is_none()).unwrap().id;
        scene.wait(decide(&scene.school, &scene.matching(), strange, Decision::Stranger, &ann())).unwrap();
        let told = scene.wait(head_count(&scene.school, scene.session, Told::default())).unwrap();
        assert_eq!((told.count.strangers, told.count.strangers_decided), (1, 1), "both faces are one person");
        assert_eq!(told.differences, []);
        assert!(scene.sign(Signature::default()).is_ok());
    }

    fn a_register_by_hand_needs_no_photos(db) {
        let scene = Scene::unsettled(db);
        scene.change(|conn| scene.photos.iter().try_for_each(|photo| {
            photos::fail(conn, *photo, "INVALID_IMAGE", "no image", at("2025-09-01 05:00:00"))
        }));
        let undecided = scene.wait(head_count(&scene.school, scene.session, Told::default())).unwrap();
        assert_eq!(undecided.differences, [Difference::RecordsUndecided { records: 3 }]);
        for (index, status) in [Present, Late, Absent].into_iter().enumerate() {
            scene.correct(index, status).unwrap();
        }
        assert_eq!(codes(&scene.sign(counted(3, None)).unwrap_err()), ["COUNT_DIFFERS"]);
        assert_eq!(scene.sign(counted(2, None)).unwrap().session.reconciled.head_count, Some(2));
    }

    fn a_reason_does_not_decide_records_and_numbers_must_be_believable(db) {
        let scene = Scene::settled(db);
        scene.correct(1, Undecided).unwrap();
        let reason = || Some("so it is".to_owned());
        let refused = scene.sign(Signature { reason: reason(), ..Signature::default() }).unwrap_err();
        assert!(matches!(refused, ConfirmError::Whole(Error { code: Code::SessionNotReady, .. })), "{refused}");
        for wrong in [counted(10_001, None), counted(2, Some(u32::MAX)),
            Signature { reason: Some("x".repeat(501)), ..Signature::default() }] {
            let refused = scene.sign(wrong).unwrap_err();
            assert!(matches!(refused, ConfirmError::Whole(Error { code: Code::InvalidRequest, .. })), "{refused}");
        }
        let kept = Signature { reason: reason(), unmarked: Unmarked::Keep, ..Signature::default() };
        assert_eq!(scene.sign(kept).unwrap().unmarked, 1);
    }
}
