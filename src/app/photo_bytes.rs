//! The bytes of class photos: under which key they are kept, and how they are read when their photo's turn has come. For
//! [`photo`](super::photo).

use super::error::{Code, Error, Outlook};
use super::photo::failure;
use super::{School, session};
use crate::db::photos::PhotoRow;
use crate::db::{AnyConnection, classes, photos, sessions, subjects};
use crate::domain::ids::SessionId;
use crate::domain::spelling::latin;
use crate::queue::Failure;
use crate::storage::{Digest, Extension, Key, PhotoLabel, StorageError, StorageErrorKind};

/// Reads of a photo in one attempt where the storage answers: it may just have come back.
const READS: usize = 3;

/// Stores the bytes of a photo where its row says they are or, without one, under a new key. What a row names is there
/// already, unless it was lost; what lies under a new key is written anew, which makes it young again in the eyes of
/// `rollcall admin storage check`.
pub(super) async fn keep(
    school: &School,
    session: SessionId,
    (digest, extension): (Digest, Extension),
    bytes: &[u8],
) -> Result<Key, Error> {
    let zone = school.config.time_zone;
    let place = school.read(move |conn| place(conn, session, (digest, extension), zone)).await?;
    let (Place::Known(key) | Place::New(key)) = &place;
    if matches!(place, Place::New(_)) || !school.store.exists(key).await? {
        school.store.put(key, bytes).await?;
    }
    Ok(key.clone())
}

/// Where the bytes of a photo belong.
enum Place {
    /// The row of the photo says so.
    Known(Key),
    New(Key),
}

fn place(
    conn: &mut AnyConnection,
    id: SessionId,
    (digest, extension): (Digest, Extension),
    zone: chrono_tz::Tz,
) -> Result<Place, Error> {
    let row = photos::find_in_session(conn, id, &digest.to_string())?;
    if let Some(key) = row.and_then(|row| row.object_key.parse().ok()) {
        return Ok(Place::Known(key));
    }
    let (label, session) = (label(conn, id, zone)?, id.0);
    let key = Key::SessionPhoto { label, session, sha256: digest.short(), extension };
    // Other bytes that begin with the same digits of the hash must not be overwritten.
    let is_taken = !photos::named(conn, &[key.to_string()])?.is_empty();
    Ok(Place::New(if is_taken { Key::PhotoByHash { session, sha256: digest, extension } } else { key }))
}

/// What the keys of a session's photos say. Of what a session is called only a subject of the school is told: a free name
/// may be somebody's.
fn label(conn: &mut AnyConnection, id: SessionId, zone: chrono_tz::Tz) -> Result<PhotoLabel, Error> {
    let session = sessions::get(conn, id)?;
    let class = classes::get(conn, session.class_id)?;
    let subject = session.subject_id.map(|id| subjects::get(conn, id)).transpose()?;
    let subject = subject.map(|subject| latin(&subject.name));
    let starts_at = session::local(session.starts_at, zone);
    Ok(PhotoLabel::new(subject.as_deref(), &latin(&class.name), &latin(&class.section), starts_at))
}

/// The stored bytes of a photo.
pub(super) async fn read(school: &School, row: &PhotoRow) -> Result<Vec<u8>, Error> {
    Ok(school.store.get(&key(row)?).await?)
}

/// The same for people who want to see it.
pub(super) async fn show(school: &School, row: &PhotoRow) -> Result<Vec<u8>, Error> {
    school.store.get(&key(row)?).await.map_err(|error| gone(row, error))
}

/// What is not there does not come by waiting.
pub(super) fn gone(row: &PhotoRow, error: StorageError) -> Error {
    match error.kind {
        StorageErrorKind::NotFound => {
            let what = format!("the bytes of {} are gone; `rollcall admin storage check` says what is missing", row.id);
            Error::new(Code::PhotoNotFound, what)
        }
        _ => error.into(),
    }
}

/// Where the bytes of a photo are.
pub(super) fn key(row: &PhotoRow) -> Result<Key, Error> {
    row.object_key.parse().map_err(|_| Error::new(Code::StorageError, "the photo was never stored"))
}

/// The bytes of a photo whose turn has come. One that cannot be read has failed in this attempt; where nothing can be read
/// because the storage is away, nobody has.
pub(super) async fn in_turn(school: &School, row: &PhotoRow) -> Result<Vec<u8>, Failure> {
    let mut reads = 0;
    loop {
        reads += 1;
        let error = match read(school, row).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.code == Code::StorageError && error.outlook() == Outlook::Passing => error,
            Err(error) => return Err(failure(error)),
        };
        if school.storage_answers().await.is_err_and(|away| away.outlook() == Outlook::Passing) {
            return Err(Failure::Outage { code: error.code.as_str(), message: error.message });
        }
        if reads == READS {
            return Err(failure(error));
        }
    }
}
