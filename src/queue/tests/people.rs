//! What people see of the queue: whose a job is, how far it has come, what happened to it.

use super::*;
use crate::db::events::{self, Topic};
use crate::db::page::{Listed, Page};
use crate::db::reach::ClassJobs;
use crate::db::testing::{new_photo, school};
use crate::db::{DbError, photos};
use crate::queue::store::{Among, JobFilter, JobRow};

fn owned(key: &str, owner: &str) -> NewJob {
    NewJob { owner: Some(owner.into()), ..new(key) }
}

fn told(db: &Db, id: JobId) -> Vec<(String, serde_json::Value)> {
    let rows = db.run_blocking(|conn| events::after(conn, Topic::Job(id.0), 0, 99)).unwrap();
    rows.into_iter().map(|row| (row.kind, row.data.0)).collect()
}

fn row(db: &Db, id: JobId) -> JobRow {
    db.run_blocking(|conn| store::get(conn, id)).unwrap()
}

fn page(db: &Db, filter: &JobFilter, page: Page) -> (Vec<i64>, u64) {
    let Listed { rows, total } = db.run_blocking(|conn| store::page(conn, filter, page)).unwrap();
    (rows.into_iter().map(|row| row.id).collect(), total)
}

on_each_database! {
    fn each_step_of_a_job_is_told_in_order(db) {
        let id = queue(db, &[new("a")])[0];
        queue(db, &[new("a")]);
        let job = claim(db, ask("w", 1)).remove(0);
        db.run_blocking(|conn| store::fail(conn, &job, &passing("not yet"))).unwrap();
        let_time_come(db);
        let job = claim(db, ask("w", 1)).remove(0);
        db.run_blocking(|conn| store::fail(conn, &job, &Failure::PutBack)).unwrap();
        let job = claim(db, ask("w", 1)).remove(0);
        let wrong = Failure::Final { code: "INVALID_IMAGE".into(), message: "no image".into() };
        db.run_blocking(|conn| store::fail(conn, &job, &wrong)).unwrap();
        db.run_blocking(|conn| store::retry(conn, id)).unwrap();
        let job = claim(db, ask("w", 1)).remove(0);
        db.run_blocking(|conn| finish(conn, &job.claim)).unwrap();
        let steps = [
            ("job.queued", json!({})),
            ("job.running", json!({ "attempt": 1 })),
            ("job.queued", json!({ "attempt": 1, "code": "DATABASE_ERROR" })),
            ("job.running", json!({ "attempt": 2 })),
            ("job.queued", json!({})),
            ("job.running", json!({ "attempt": 2 })),
            ("job.failed", json!({ "attempt": 2, "code": "INVALID_IMAGE" })),
            ("job.queued", json!({})),
            ("job.running", json!({ "attempt": 1 })),
            ("job.done", json!({ "attempt": 1 })),
        ];
        assert_eq!(told(db, id), steps.map(|(kind, data)| (kind.to_owned(), data)));
    }

    fn a_cancelled_job_says_so_and_what_comes_too_late_says_nothing(db) {
        let id = queue(db, &[new("a")])[0];
        let job = claim(db, ask("w", 1)).remove(0);
        db.run_blocking(|conn| store::cancel(conn, id)).unwrap();
        assert!(db.run_blocking(|conn| finish(conn, &job.claim)).is_err());
        assert_eq!(db.run_blocking(|conn| store::set_progress(conn, &job.claim, &json!(1))).unwrap(), Held::No);
        let kinds: Vec<String> = told(db, id).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["job.queued", "job.running", "job.cancelled"]);
        assert!(row(db, id).is_final());
    }

    fn whoever_holds_a_job_tells_how_far_it_is_and_what_it_made(db) {
        let id = queue(db, &[new("a")])[0];
        let job = claim(db, ask("w", 1)).remove(0);
        let thief = Claim { worker: "thief".into(), ..job.claim.clone() };
        db.run_blocking::<_, DbError>(|conn| {
            assert_eq!(store::set_progress(conn, &thief, &json!({ "done": 9 }))?, Held::No);
            assert_eq!(store::set_result(conn, &thief, &json!({ "file": 9 }))?, Held::No);
            assert_eq!(store::set_progress(conn, &job.claim, &json!({ "done": 1, "of": 2 }))?, Held::Yes);
            assert_eq!(store::set_result(conn, &job.claim, &json!({ "export": 7 }))?, Held::Yes);
            finish(conn, &job.claim)
        })
        .unwrap();
        let stored = row(db, id);
        assert_eq!(stored.progress.unwrap().0, json!({ "done": 1, "of": 2 }));
        assert_eq!(stored.result.unwrap().0, json!({ "export": 7 }));
        assert!(told(db, id).contains(&("job.progress".into(), json!({ "done": 1, "of": 2 }))));
    }

    fn a_job_that_is_tried_again_has_come_nowhere_yet(db) {
        let id = queue(db, &[new("a")])[0];
        let job = claim(db, ask("w", 1)).remove(0);
        db.run_blocking::<_, DbError>(|conn| {
            store::set_progress(conn, &job.claim, &json!({ "done": 1 }))?;
            store::cancel(conn, id)?;
            store::retry(conn, id)
        })
        .unwrap();
        assert_eq!((row(db, id).progress, row(db, id).result), (None, None));
    }

    fn a_job_belongs_to_whoever_asked_for_it_first(db) {
        let id = queue(db, &[new("a"), owned("a", "user:5"), owned("a", "user:6")])[0];
        assert_eq!(row(db, id).owner.as_deref(), Some("user:5"));
    }

    fn jobs_are_listed_newest_first_filtered_and_paged(db) {
        let (of_own, of_other) = db
            .run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let photo = photos::insert(conn, &new_photo(school.session, 1))?;
                Ok((format!("photo:{}", photo.0), school.class))
            })
            .unwrap();
        let exported = NewJob { kind: "export", ..owned("export:1", "user:5") };
        let ids = queue(db, &[new(&of_own), owned("b", "user:5"), exported, owned("c", "user:6"), new("photo:404")]);
        let ids: Vec<i64> = ids.into_iter().map(|id| id.0).collect();
        db.run_blocking(|conn| store::cancel(conn, JobId(ids[1]))).unwrap();
        let (any, all) = (JobFilter::default, Page::first(9));
        assert_eq!(page(db, &any(), Page { limit: 2, offset: 1 }), (vec![ids[3], ids[2]], 5));
        assert_eq!(page(db, &JobFilter { kind: Some("export".into()), ..any() }, all).0, [ids[2]]);
        assert_eq!(page(db, &JobFilter { state: Some(JobState::Cancelled), ..any() }, all).0, [ids[1]]);
        let seen = |own: Option<&str>, classes| {
            let among = Among { own: own.map(str::to_owned), about: ClassJobs(classes) };
            page(db, &JobFilter { among: Some(among), ..any() }, all).0
        };
        assert_eq!(seen(Some("user:6"), vec![of_other]), [ids[3], ids[0]]);
        assert_eq!(seen(Some("user:5"), vec![]), [ids[2], ids[1]]);
        let about = queue(db, &[owned(&format!("class:{}:export:x", of_other.0), "user:7")])[0].0;
        queue(db, &[owned(&format!("class:{}0:export:x", of_other.0), "user:7")]);
        assert_eq!(seen(Some("user:6"), vec![of_other]), [about, ids[3], ids[0]], "and no class that begins alike");
        assert_eq!(seen(None, vec![]), Vec::<i64>::new(), "a job of nobody is not the job of whoever is nobody");
        let own = Among { own: Some("user:5".into()), about: ClassJobs(vec![]) };
        let cancelled = JobFilter { state: Some(JobState::Cancelled), among: Some(own), ..any() };
        assert_eq!(page(db, &cancelled, all).0, [ids[1]], "all of the filter holds");
    }

    fn a_runner_deletes_events_of_more_than_a_week_ago(db) {
        let topic = Topic::Job(404);
        db.run_blocking::<_, DbError>(|conn| {
            let now = store::now(conn)?;
            for days in [8, 6] {
                events::insert(conn, topic, "job.done", json!({ "days": days }), now - chrono::TimeDelta::days(days))?;
            }
            Ok(())
        })
        .unwrap();
        run(db, Counting::default(), options(Until::Drained));
        let left = db.run_blocking(|conn| events::after(conn, topic, 0, 9)).unwrap();
        assert_eq!(left.iter().map(|row| row.data.0["days"].as_i64()).collect::<Vec<_>>(), [Some(6)]);
    }
}
