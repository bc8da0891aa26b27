//! A confirmed session is left alone, whoever comes: each way in which it could be changed.

use super::*;
use crate::app::photo::{self, AcceptedState, Arrival, Order};
use crate::app::rematch::{self, Confirmed, RematchOutcome, Which};
use crate::app::{Mode, jobs};
use crate::db::testing::on_each_database;
use crate::queue::store::{self, JobCounts};
use crate::queue::{JobId, JobState, Priority};
use crate::storage::KeyGroup;

const ORDER: Order = Order { priority: Priority::Person, run_id: None, owner: None };
/// A photo as it is uploaded; it is only stored here, never looked at.
const PICTURE: &[u8] = include_bytes!("../../../../dataset/demo/class_photos/CSE-A_2026-11-17_0900_full.jpg");

fn confirmed(db: &Db) -> Scene {
    let scene = Scene::settled(db);
    scene.confirm(Unmarked::Refuse).unwrap();
    scene
}

impl Scene {
    fn admit(&self, bytes: &[u8]) -> photo::Accepted {
        self.wait(async {
            let arrival = Arrival::store(&self.school, self.session, bytes, "a.jpg".into()).await?;
            Ok::<_, Error>(photo::admit(&self.school, &self.matching(), &ORDER, self.session, vec![arrival]).await?.remove(0))
        })
        .unwrap()
    }

    fn job_counts(&self) -> JobCounts {
        self.change(store::counts)
    }

    fn rematch(&self, confirmed: Confirmed) -> RematchOutcome {
        let report = rematch::run(&self.school, Which::One(self.session), confirmed, Mode::Apply, &|_, _| ());
        self.wait(report).unwrap().sessions[0].outcome
    }

    /// A job about the first photo, which failed.
    fn failed_job(&self) -> JobId {
        let AcceptedState::Waiting(job) = self.admit(PICTURE).state else { panic!("it waits") };
        self.wait(jobs::cancel(&self.school, job)).unwrap();
        job
    }
}

on_each_database! {
    fn nobody_corrects_it(db) {
        let scene = Scene::settled(db);
        scene.correct(1, Late).unwrap();
        scene.confirm(Unmarked::Refuse).unwrap();
        let before = scene.everything();
        assert_eq!(code(scene.correct(0, Late)), Code::SessionConfirmed);
        assert_eq!(code(scene.withdraw(1)), Code::SessionConfirmed);
        let bulk = scene.wait(correct_many(&scene.school, scene.session, vec![said(scene.members[0], Late)], ann()));
        assert!(matches!(bulk, Err(BulkError::Whole(error)) if error.code == Code::SessionConfirmed));
        assert_eq!(scene.everything(), before);
    }

    fn it_takes_no_photo_and_nothing_of_one_is_kept(db) {
        let scene = confirmed(db);
        let before = scene.everything();
        let accepted = scene.admit(PICTURE);
        assert_eq!(accepted.photo, None);
        assert!(matches!(accepted.state, AcceptedState::Refused(error) if error.code == Code::SessionConfirmed));
        assert_eq!(scene.everything(), before);
        assert_eq!(scene.job_counts(), JobCounts::default());
        assert_eq!(scene.wait(scene.school.store.list(KeyGroup::Sessions)).unwrap(), []);
        let unreadable = Arrival::unreadable("b.jpg".into(), &Error::new(Code::FileError, "gone"));
        let accepted = scene.wait(photo::admit(&scene.school, &scene.matching(), &ORDER, scene.session, vec![unreadable]));
        assert_eq!(accepted.unwrap()[0].photo, None);
        assert_eq!(scene.everything(), before);
    }

    fn a_photo_that_it_has_is_a_duplicate_and_no_more(db) {
        let scene = Scene::settled(db);
        let AcceptedState::Waiting(job) = scene.admit(PICTURE).state else { panic!("it waits") };
        let photo = scene.change(|conn| Ok(photos::list(conn, scene.session)?[2].id));
        scene.change(|conn| {
            store::cancel(conn, job)?;
            photos::finish(conn, photo, &seen_with("0"))?;
            session::settle(conn, scene.session, &scene.matching(), at("2025-09-01 06:00:00"))
        });
        scene.confirm(Unmarked::Refuse).unwrap();
        let before = scene.everything();
        let accepted = scene.admit(PICTURE);
        assert!(matches!(accepted.state, AcceptedState::Done), "{accepted:?}");
        assert_eq!(accepted.photo, Some(photo));
        let again = scene.wait(photo::requeue(&scene.school, &scene.matching(), &ORDER, photo));
        assert_eq!(code(again), Code::SessionConfirmed);
        assert_eq!(scene.everything(), before);
        assert_eq!(scene.job_counts().queued, 0, "its job was taken back with the rest");
    }

    fn a_photo_that_came_before_the_reopening_is_sent_again(db) {
        let scene = confirmed(db);
        let late = scene.wait(Arrival::store(&scene.school, scene.session, PICTURE, "a.jpg".into())).unwrap();
        scene.reopen();
        let accepted = scene.wait(photo::admit(&scene.school, &scene.matching(), &ORDER, scene.session, vec![late]));
        let accepted = accepted.unwrap().remove(0);
        assert!(matches!(accepted.state, AcceptedState::Refused(error) if error.code == Code::SessionConfirmed));
        assert_eq!(scene.change(|conn| photos::list(conn, scene.session)).len(), 2, "its bytes were not kept, so it is not either");
        assert!(matches!(scene.admit(PICTURE).state, AcceptedState::Waiting(_)));
    }

    fn a_failed_job_about_it_is_not_tried_again(db) {
        let scene = Scene::settled(db);
        let job = scene.failed_job();
        scene.confirm(Unmarked::Keep).unwrap();
        let before = scene.everything();
        assert_eq!(code(scene.wait(jobs::retry(&scene.school, job))), Code::SessionConfirmed);
        assert_eq!(scene.change(|conn| store::get(conn, job)).state, JobState::Cancelled.as_str());
        assert_eq!(scene.everything(), before);
        scene.reopen();
        scene.wait(jobs::retry(&scene.school, job)).unwrap();
        assert_eq!(scene.told("photo.queued").len(), 2);
    }

    fn a_job_that_ends_late_leaves_it_alone(db) {
        let scene = confirmed(db);
        let before = scene.everything();
        let payload = json!({ "photo": scene.photos[0] });
        let error = Error::new(Code::WorkerLost, "lost");
        scene.change(|conn| photo::fail(conn, &payload, &scene.matching(), &error));
        assert_eq!(scene.everything(), before);
        scene.change(|conn| session::settle(conn, scene.session, &scene.matching(), at("2025-09-09 05:00:00")));
        assert_eq!(scene.everything(), before);
    }

    fn a_rematch_leaves_it_alone_or_reopens_it(db) {
        let scene = confirmed(db);
        let before = scene.everything();
        assert_eq!(scene.rematch(Confirmed::LeaveAlone), RematchOutcome::Confirmed);
        assert_eq!(scene.everything(), before);
        assert_eq!(scene.rematch(Confirmed::Include), RematchOutcome::Rematched);
        let session = scene.session();
        assert_eq!((session.state, session.confirmed_at), (SessionState::Review, None));
        let kinds: Vec<String> = scene.events().into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds[kinds.len() - 2..], ["session.reopened", "session.settled"]);
    }

    fn a_session_tells_what_happens_to_its_photos_and_records(db) {
        let scene = Scene::settled(db);
        let job = scene.failed_job();
        let kinds: Vec<String> = scene.events().into_iter().map(|event| event.kind).collect();
        assert_eq!(
            kinds,
            ["session.settled", "photo.queued", "session.settled", "photo.failed", "session.settled"]
        );
        let queued = &scene.told("photo.queued")[0];
        assert_eq!(queued["job"], json!(job));
        assert_eq!(queued["photos"], json!({ "queued": 1, "processing": 0, "done": 2, "failed": 0 }));
        let failed = &scene.told("photo.failed")[0];
        assert_eq!((&failed["code"], &failed["photos"]["failed"]), (&json!("CANCELLED"), &json!(1)));
        let settled = &scene.told("session.settled");
        assert_eq!((&settled[1]["state"], &settled[1]["flags"]), (&json!("open"), &json!(["photos_pending", "strangers"])));
        assert_eq!(settled[0]["records"], json!({ "unmarked": 0, "present": 1, "absent": 2, "late": 0, "excused": 0 }));
        assert_eq!(settled[0]["strangers"], 1);
    }
}
