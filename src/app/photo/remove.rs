//! Taking a photo out of its session: its job, row, faces and decisions, then its bytes.

use chrono::Utc;

use super::dedup_key;
use crate::app::error::Error;
use crate::app::events::{self, PhotoStep};
use crate::app::session::{self, Matching};
use crate::app::{School, annotate};
use crate::db::photos::PhotoRow;
use crate::db::{AnyConnection, photos, sessions};
use crate::domain::ids::PhotoId;
use crate::queue::store;
use crate::storage::Key;

/// Removes a photo; its session is then settled from the others. A worker that is at it finds its job cancelled and throws
/// away what it saw. The bytes go after the rows: where that fails, they are left over for the storage check to find.
///
/// # Errors
/// `PHOTO_NOT_FOUND`, `SESSION_CONFIRMED`; database failures, and then nothing was removed.
pub async fn remove(school: &School, matching: &Matching, id: PhotoId) -> Result<(), Error> {
    let matching = matching.clone();
    let removed = school.change_patiently(move |conn| remove_rows(conn, &matching, id)).await?;
    if let Err(error) = delete_bytes(school, &removed).await {
        tracing::warn!(photo = id.0, code = error.code.as_str(), "bytes of a removed photo are left over: {error}");
    }
    Ok(())
}

/// Locks in the order job, session, photo.
fn remove_rows(conn: &mut AnyConnection, matching: &Matching, id: PhotoId) -> Result<PhotoRow, Error> {
    let session = photos::get(conn, id)?.session_id;
    store::cancel_by_key(conn, &dedup_key(id))?;
    let before = sessions::lock(conn, session)?;
    session::require_unconfirmed(&before)?;
    let row = photos::get(conn, id)?;
    let users = session::later_users(conn, &before, std::slice::from_ref(&row), matching)?;
    photos::delete(conn, id)?;
    events::photo(conn, session, id, PhotoStep::Removed)?;
    let now = Utc::now().naive_utc();
    session::settle(conn, session, matching, now)?;
    // Their photos were the second ones of a picture, and are not any more.
    session::look_again(conn, users, matching, now)?;
    Ok(row)
}

async fn delete_bytes(school: &School, removed: &PhotoRow) -> Result<(), Error> {
    school.store.delete(&annotate::key(removed)).await?;
    let (session, sha256) = (removed.session_id, removed.sha256.clone());
    let came_again = school.read(move |conn| Ok(photos::find_in_session(conn, session, &sha256)?)).await?;
    // A photo that could not be read has no bytes; one that was uploaded again needs them.
    match removed.object_key.parse::<Key>() {
        Ok(key) if came_again.is_none() => Ok(school.store.delete(&key).await?),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::error::Code;
    use crate::app::faces::{Decision, decide};
    use crate::app::photo::{Order, fail, job};
    use crate::app::testing::{Class, noon, wait};
    use crate::db::sessions::SessionChange;
    use crate::db::testing::on_each_database;
    use crate::db::{face_decisions, faces};
    use crate::domain::access::Actor;
    use crate::domain::status::{AttendanceStatus, SessionState};
    use crate::queue::{self, Priority};
    use crate::storage::{Digest, Extension};

    fn take_away(class: &Class, photo: PhotoId) -> Result<(), Error> {
        wait(remove(&class.school, &class.matching, photo))
    }

    on_each_database! {
        fn photo_goes_with_faces_decisions_and_bytes_and_the_session_follows(db) {
            let class = Class::new(db);
            let [asha, ravi, _] = class.members;
            let (stays, _) = class.photo(1, &[(&[(0, 0.8)], 1)]);
            let before = class.everything();
            let (goes, ids) = class.photo(2, &[(&[(1, 0.8)], 2), (&[], 3)]);
            wait(decide(&class.school, &class.matching, ids[1], Decision::Stranger, &Actor::command())).unwrap();
            assert_eq!(class.status(ravi), AttendanceStatus::Present);
            let row = class.run(|conn| photos::get(conn, goes));
            let kept = [annotate::key(&row), row.object_key.parse().unwrap()];
            let other = Key::PhotoByHash {
                session: class.session.0,
                sha256: Digest::of(b"another photo"),
                extension: Extension::Jpg,
            };
            for key in kept.iter().chain([&other]) {
                wait(class.school.store.put(key, b"bytes")).unwrap();
            }
            take_away(&class, goes).unwrap();
            assert_eq!(class.everything(), before);
            assert_eq!((class.status(asha), class.status(ravi)), (AttendanceStatus::Present, AttendanceStatus::Absent));
            assert!(class.run(|conn| face_decisions::of_session(conn, class.session)).is_empty());
            assert!(class.run(|conn| faces::of_photo(conn, stays)).len() == 1);
            assert_eq!(kept.map(|key| wait(class.school.store.exists(&key)).unwrap()), [false, false]);
            assert!(wait(class.school.store.exists(&other)).unwrap());
            assert_eq!(take_away(&class, goes).unwrap_err().code, Code::PhotoNotFound);
        }

        fn a_photo_that_is_worked_on_loses_its_job_first(db) {
            let class = Class::new(db);
            let (photo, _) = class.photo(1, &[]);
            let order = Order { priority: Priority::Person, run_id: None, owner: None };
            let job = job(photo, &class.matching, &order, 3);
            let ask = store::Ask {
                topics: vec![job.topic.clone()],
                worker: "w".into(),
                run_id: None,
                count: 1,
                lease: std::time::Duration::from_secs(60),
            };
            let claimed = class.run(|conn| {
                queue::enqueue(conn, &job)?;
                store::claim(conn, &ask)
            });
            take_away(&class, photo).unwrap();
            assert_eq!(class.run(|conn| store::hold(conn, &claimed[0].claim)), store::Held::No);
            assert_eq!(class.run(|conn| store::get(conn, claimed[0].claim.id)).state, "cancelled");
            assert!(class.run(|conn| fail::photo_of(conn, &claimed[0].payload)).is_none());
        }

        fn a_confirmed_session_keeps_its_photos(db) {
            let class = Class::new(db);
            let (photo, _) = class.photo(1, &[]);
            let confirmed = SessionChange { state: Some(SessionState::Confirmed), ..SessionChange::at(noon()) };
            class.run(|conn| sessions::update(conn, class.session, &confirmed));
            assert_eq!(take_away(&class, photo).unwrap_err().code, Code::SessionConfirmed);
            assert!(class.run(|conn| photos::get(conn, photo)).id == photo);
        }
    }
}
