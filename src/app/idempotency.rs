//! Requests that come twice: a caller who got no answer sends the same request with the same `Idempotency-Key` again, and gets
//! the answer of the first one instead of a second session or student.
//!
//! [`begin`] before the work, [`complete`] or [`abandon`] after it. A key belongs to its caller and lives for a day.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use super::School;
use super::error::{Code, Error};
use crate::db::idempotency::{self, Answer, KeyRow, NewKey};
use crate::db::{AnyConnection, Json};
use crate::domain::access::Caller;

/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Whoever is at work for longer than any request may take has died of it; the next one begins anew.
const LONGEST_WORK: TimeDelta = TimeDelta::minutes(15);
/// Longest key, characters.
const LONGEST_KEY: usize = 255;
/// Keys that are deleted at a time.
const PRUNED: u32 = 1000;

/// What [`begin`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody has used the key: do the work, then [`complete`] or [`abandon`].
    Fresh(Claim),
    /// The first request with this key is still at work.
    InProgress,
    /// It was done before, with this answer.
    Replay(StoredAnswer),
    /// The key belongs to another request.
    Mismatch,
}

/// The right to answer under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim(i64);

/// An answer as it is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    pub status: u16,
    /// Those that belong to the answer and not to the connection, such as `content-type` and `location`.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What tells one request from another: the SHA-256 over its parts (method, path, body), each with its length before it.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Begins a request under a key. `fingerprint` is that of [`fingerprint`].
///
/// # Errors
/// `INVALID_REQUEST` for a key that is empty, too long or not of visible ASCII characters.
pub async fn begin(
    school: &School,
    caller: &Caller,
    key: &str,
    fingerprint: String,
    now: DateTime<Utc>,
) -> Result<Begun, Error> {
    if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = format!("an Idempotency-Key has 1 to {LONGEST_KEY} visible ASCII characters, such as a UUID");
        return Err(Error::new(Code::InvalidRequest, what));
    }
    let caller = caller.actor.key().unwrap_or_else(|| caller.actor.kind.to_string());
    let new = NewKey { caller, key: key.to_owned(), fingerprint, created_at: now.naive_utc() };
    school.change(move |conn| take(conn, &new)).await
}

fn take(conn: &mut AnyConnection, new: &NewKey) -> Result<Begun, Error> {
    if let Some(id) = idempotency::insert(conn, new)? {
        return Ok(Begun::Fresh(Claim(id)));
    }
    let Some(row) = idempotency::find(conn, &new.caller, &new.key)? else {
        // Let go of between the two statements: whoever did so is done, and the caller may come again.
        return Ok(Begun::InProgress);
    };
    let age = new.created_at - row.created_at;
    if age > KEPT || (row.status.is_none() && age > LONGEST_WORK) {
        idempotency::forget(conn, row.id)?;
        let anew = idempotency::insert(conn, new)?;
        return Ok(anew.map_or(Begun::InProgress, |id| Begun::Fresh(Claim(id))));
    }
    Ok(if row.fingerprint == new.fingerprint { known(row) } else { Begun::Mismatch })
}

fn known(row: KeyRow) -> Begun {
    match row.status.and_then(|status| u16::try_from(status).ok()) {
        Some(status) => {
            Begun::Replay(StoredAnswer { status, headers: row.headers.0, body: row.body.unwrap_or_default() })
        }
        None => Begun::InProgress,
    }
}

/// Keeps the answer for those who come again. After a day's or a dead worker's key was given to another, nothing happens.
///
/// # Errors
/// Database failures.
pub async fn complete(school: &School, claim: Claim, answer: StoredAnswer) -> Result<(), Error> {
    let StoredAnswer { status, headers, body } = answer;
    let answer = Answer { status: status.into(), headers: Json(headers), body };
    school.read(move |conn| Ok(idempotency::complete(conn, claim.0, &answer)?)).await
}

/// Lets go of a key whose work has not happened: the same request may be tried again.
///
/// # Errors
/// Database failures.
pub async fn abandon(school: &School, claim: Claim) -> Result<(), Error> {
    school.read(move |conn| Ok(idempotency::release(conn, claim.0).map(drop)?)).await
}

/// Deletes answers that are older than a day; returns how many. For servers, now and then.
///
/// # Errors
/// Database failures.
pub async fn prune(school: &School, now: DateTime<Utc>) -> Result<usize, Error> {
    let before = (now - KEPT).naive_utc();
    school.read(move |conn| Ok(idempotency::prune(conn, before, PRUNED)?)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::{run, school};
    use crate::db::testing::on_each_database;
    use crate::domain::access::{Actor, Reach, Role};
    use crate::domain::ids::UserId;

    fn caller(id: i64) -> Caller {
        Caller { actor: Actor::user(UserId(id), "ann"), role: Role::Admin, scopes: Vec::new(), reach: Reach::All }
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-01-05T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn answer() -> StoredAnswer {
        StoredAnswer { status: 201, headers: vec![("location".into(), "/x/1".into())], body: b"{}".to_vec() }
    }

    async fn ask(school: &School, id: i64, body: &[u8], minutes: i64) -> Begun {
        begin(school, &caller(id), "k-1", fingerprint(&[b"POST", b"/x", body]), at(minutes)).await.unwrap()
    }

    #[track_caller]
    fn fresh(begun: Begun) -> Claim {
        match begun {
            Begun::Fresh(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    on_each_database! {
        fn a_request_that_comes_twice_is_done_once(db) {
            run(async {
                let school = school(db);
                let claim = fresh(ask(&school, 1, b"a", 0).await);
                assert_eq!(ask(&school, 1, b"a", 1).await, Begun::InProgress);
                assert_eq!(ask(&school, 1, b"other", 1).await, Begun::Mismatch);
                fresh(ask(&school, 2, b"a", 1).await);
                complete(&school, claim, answer()).await.unwrap();
                assert_eq!(ask(&school, 1, b"a", 2).await, Begun::Replay(answer()));
                assert_eq!(ask(&school, 1, b"other", 2).await, Begun::Mismatch);
                abandon(&school, claim).await.unwrap();
                assert_eq!(ask(&school, 1, b"a", 24 * 60).await, Begun::Replay(answer()));
                fresh(ask(&school, 1, b"other", 24 * 60 + 1).await);
            });
        }

        fn of_many_at_once_one_does_the_work(db) {
            run(async {
                let school = school(db);
                let asking: Vec<_> = (0..8).map(|_| {
                    let school = school.clone();
                    tokio::spawn(async move { ask(&school, 1, b"a", 0).await })
                }).collect();
                let mut begun = Vec::new();
                for one in asking {
                    begun.push(one.await.unwrap());
                }
                let at_work = begun.iter().filter(|one| **one == Begun::InProgress).count();
                assert_eq!((begun.len(), at_work), (8, 7));
            });
        }

        fn work_that_failed_or_died_is_begun_anew(db) {
            run(async {
                let school = school(db);
                let failed = fresh(ask(&school, 1, b"a", 0).await);
                abandon(&school, failed).await.unwrap();
                let dead = fresh(ask(&school, 1, b"a", 1).await);
                assert_eq!(ask(&school, 1, b"a", 16).await, Begun::InProgress);
                let heir = fresh(ask(&school, 1, b"a", 17).await);
                complete(&school, dead, StoredAnswer { status: 500, ..answer() }).await.unwrap();
                assert_eq!(ask(&school, 1, b"a", 18).await, Begun::InProgress, "the dead answer for nobody");
                complete(&school, heir, answer()).await.unwrap();
                assert_eq!(ask(&school, 1, b"a", 19).await, Begun::Replay(answer()));
                assert_eq!(prune(&school, at(17 + 24 * 60)).await.unwrap(), 0);
                assert_eq!(prune(&school, at(18 + 24 * 60)).await.unwrap(), 1);
            });
        }

        fn keys_are_short_and_visible(db) {
            run(async {
                let school = school(db);
                for key in ["", "two words", "ä", &"k".repeat(256)] {
                    let begun = begin(&school, &caller(1), key, fingerprint(&[]), at(0)).await;
                    assert_eq!(begun.unwrap_err().code, Code::InvalidRequest, "{key}");
                }
                fresh(begin(&school, &caller(1), &"k".repeat(255), fingerprint(&[]), at(0)).await.unwrap());
            });
        }
    }

    #[test]
    fn fingerprints_tell_parts_apart() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
        assert_eq!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"ab", b"c"]));
        assert_eq!(fingerprint(&[]).len(), 64);
    }
}
