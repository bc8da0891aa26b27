//! One picture in two sessions, on both databases.

use super::*;
use crate::app::photo::remove;
use crate::app::testing::{Class, Look, noon, painted, wait};
use crate::db::photos::PhotoResult;
use crate::db::sessions::{Reconciled, SessionChange, Signer};
use crate::db::testing::{at, new_session, on_each_database, photo_result};
use crate::domain::status::AttendanceStatus;

/// All three members, and somebody unknown.
const FIRST: &[Look] = &[(&[(0, 0.8)], 1), (&[(1, 0.8)], 2), (&[(2, 0.8)], 3), (&[], 4)];
/// The same people as another picture shows them.
const ANOTHER: &[Look] = &[(&[(0, 0.8)], 5), (&[(1, 0.8)], 6), (&[(2, 0.8)], 7), (&[], 8)];
/// Pixels between the places of two different pictures.
const ASIDE: f32 = 2000.0;

fn session_at(class: &Class, starts_at: &str, name: Option<&str>) -> SessionId {
    let new = sessions::NewSession { name: name.map(str::to_owned), ..new_session(class.id, starts_at) };
    class.run(|conn| sessions::find_or_insert(conn, &new)).id
}

/// Flags without those about people, and the warnings of each photo.
fn seen(class: &Class, session: SessionId) -> (Vec<String>, Vec<Vec<String>>) {
    class.run(|conn| {
        let mut flags = sessions::get(conn, session)?.flags.0;
        flags.retain(|flag| Flag::GUARDS.iter().any(|guard| guard.as_str() == flag));
        Ok((flags, photos::list(conn, session)?.into_iter().map(|row| row.guard_warnings.0).collect()))
    })
}

fn nothing(photos: usize) -> (Vec<String>, Vec<Vec<String>>) {
    (vec![], vec![vec![]; photos])
}

fn reused(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    (vec!["reused_photo".into()], vec![vec![text.into()]])
}

on_each_database! {
    fn the_same_photo_in_another_session_is_pointed_out_where_it_came_later(db) {
        let class = Class::new(db);
        let next = session_at(&class, "2025-09-02 03:30:00", Some("Maths"));
        class.photo(1, FIRST);
        class.photo_in(next, 1, &painted(FIRST, 0.0));
        let text = format!("the same photo was used for session {} before (2025-09-01 03:30)", class.session.0);
        assert_eq!(seen(&class, next), reused(&text));
        let rows = class.run(|conn| crate::db::records::list(conn, next));
        assert_eq!(rows.iter().filter(|row| row.status == AttendanceStatus::Present).count(), 3, "nothing is taken away");
        for _ in 0..2 {
            class.settle();
            class.settle_one(next);
            assert_eq!((seen(&class, class.session), seen(&class, next)), (nothing(1), reused(&text)));
        }
    }

    fn nearly_the_same_photo_is_found_whichever_is_looked_at_first(db) {
        let class = Class::new(db);
        let next = session_at(&class, "2025-09-02 03:30:00", None);
        let first = class.run(|conn| photos::insert(conn, &crate::db::testing::new_photo(class.session, 1)));
        class.photo_in(next, 2, &painted(FIRST, ASIDE));
        assert_eq!(seen(&class, next), nothing(1), "nobody knows yet what the first one shows");
        class.run(|conn| {
            photos::finish(conn, first, &PhotoResult { faces_left_out: 0, ..photo_result() })?;
            faces::replace_for_photo(conn, first, &painted(FIRST, 0.0))
        });
        class.settle();
        let text = format!("nearly the same photo was used for session {} before (2025-09-01 03:30)", class.session.0);
        assert_eq!((seen(&class, class.session), seen(&class, next)), (nothing(1), reused(&text)));
        let told = wait(events::after(&class.school, events::Topic::Session(next), 0, 99)).unwrap();
        assert_eq!(told.last().map(|e| (e.kind.as_str(), &e.data.0["flags"][1])), Some(("session.flagged", &"reused_photo".into())));
    }

    fn another_picture_of_the_same_people_is_another_picture(db) {
        let class = Class::new(db);
        let next = session_at(&class, "2025-09-02 03:30:00", None);
        class.photo(1, FIRST);
        class.photo_in(next, 2, &painted(ANOTHER, ASIDE));
        assert_eq!(seen(&class, next), nothing(1));
        // Small faces lose their looks in a copy, and keep their places.
        class.photo_in(next, 3, &painted(ANOTHER, 1.0));
        assert_eq!(seen(&class, next).0, ["reused_photo"]);
    }

    fn photos_of_one_session_another_class_or_another_time_of_the_year_do_not_count(db) {
        let class = Class::new(db);
        class.photo(1, FIRST);
        class.photo(2, FIRST);
        assert_eq!(seen(&class, class.session), nothing(2));
        let later = session_at(&class, "2025-12-01 03:30:00", None);
        class.photo_in(later, 3, &painted(FIRST, 0.0));
        assert_eq!(seen(&class, later), nothing(1));
        let other = class.run(|conn| {
            let class = crate::db::testing::class(conn, "10")?;
            sessions::find_or_insert(conn, &new_session(class, "2025-09-02 03:30:00"))
        });
        class.photo_in(other.id, 1, &painted(FIRST, 0.0));
        assert_eq!(seen(&class, other.id), nothing(1));
    }

    fn one_lesson_under_two_names_is_told_as_such(db) {
        let class = Class::new(db);
        let renamed = session_at(&class, "2025-09-01 03:30:00", Some("Algebra"));
        class.photo(1, FIRST);
        class.photo_in(renamed, 1, &painted(FIRST, 0.0));
        let (_, warnings) = seen(&class, renamed);
        assert!(warnings[0][0].ends_with("(2025-09-01 03:30): one lesson under two names?"), "{warnings:?}");
    }

    fn what_was_used_for_the_wrong_session_is_free_again_when_it_is_removed_there(db) {
        let class = Class::new(db);
        let next = session_at(&class, "2025-09-02 03:30:00", None);
        let (wrong, _) = class.photo(1, FIRST);
        class.photo_in(next, 1, &painted(FIRST, 0.0));
        assert_eq!(seen(&class, next).0, ["reused_photo"]);
        wait(remove(&class.school, &class.matching, wrong)).unwrap();
        assert_eq!(seen(&class, next), nothing(1));
    }

    fn confirmed_sessions_stay_as_they_are_and_are_still_compared_with(db) {
        let class = Class::new(db);
        let next = session_at(&class, "2025-09-02 03:30:00", None);
        class.photo_in(next, 2, &painted(FIRST, ASIDE));
        class.run(|conn| {
            faces::forget_strangers(conn, next)?;
            let ann = Signer { name: "ann", user: None };
            sessions::confirm(conn, next, (ann, noon()), &Reconciled::default())
        });
        class.photo(1, FIRST);
        let name = format!("nearly the same photo was used for session {} before (2025-09-02 03:30)", next.0);
        assert_eq!(seen(&class, class.session), reused(&name), "the photo came later, whatever the lesson did");
        let third = session_at(&class, "2025-09-03 03:30:00", None);
        let (_, _) = class.photo_in(third, 3, &painted(FIRST, 0.0));
        assert_eq!(seen(&class, third).1[0].len(), 2, "each session is told of");
        let confirmed = SessionChange { state: Some(SessionState::Confirmed), ..SessionChange::at(noon()) };
        class.run(|conn| sessions::update(conn, third, &confirmed));
        let first = class.run(|conn| photos::list(conn, class.session)).remove(0).id;
        wait(remove(&class.school, &class.matching, first)).unwrap();
        assert_eq!(seen(&class, third).1[0].len(), 2, "it was signed as it was");
    }

    fn a_photo_of_another_time_is_pointed_out_by_its_own_clock(db) {
        let mut class = Class::new(db);
        let (photo, _) = class.photo(1, FIRST);
        assert_eq!(seen(&class, class.session), nothing(1));
        let take = |class: &Class, captured_at: Option<&str>| {
            let captured_at = captured_at.map(at);
            class.run(|conn| {
                photos::finish(conn, photo, &PhotoResult { faces_left_out: 0, captured_at, ..photo_result() })
            });
            class.settle();
            seen(class, class.session)
        };
        assert_eq!(take(&class, Some("2025-09-01 06:30:00")), nothing(1));
        let text = "by its own clock the photo was taken 2025-08-29 03:31, and the session starts 2025-09-01 03:30";
        let outside = (vec!["outside_lesson".to_owned()], vec![vec![text.to_owned()]]);
        assert_eq!(take(&class, Some("2025-08-29 03:31:00")), outside);
        assert_eq!(take(&class, None), nothing(1), "a photo without a clock says nothing");
        class.matching.lesson_window = TimeDelta::zero();
        assert_eq!(take(&class, Some("2025-08-29 03:31:00")), nothing(1), "the school does not want to know");
    }
}
