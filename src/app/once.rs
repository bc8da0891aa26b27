//! Requests that may come twice: each is done once, and its answer given again.

use chrono::{TimeDelta, Utc};

use super::School;
use super::error::Error;
use crate::db::idempotency::{self, Answer, NewKey};
use crate::db::{AnyConnection, DbError, Json};

/// Answers are given again for so long.
const KEEP: TimeDelta = TimeDelta::hours(24);
/// A request that gave no answer in this time has died with its server.
const DEAD: TimeDelta = TimeDelta::minutes(15);
/// Old keys deleted with each new one, so that there are never many.
const PRUNED: u32 = 20;

/// What is known of a request.
#[derive(Debug)]
pub enum Begun {
    /// It is the first: do it, then [`keep`] or [`release`].
    Fresh(Claim),
    /// Another like it is at work.
    InProgress,
    /// It was done, and this was the answer.
    Replay(Stored),
    /// The key stands for another request.
    Mismatch,
}

/// The right to do a request.
#[derive(Debug)]
pub struct Claim(i64);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Takes the key of a request, or says what became of the one that has it.
///
/// # Errors
/// Database failures.
pub async fn begin(school: &School, caller: &str, key: &str, fingerprint: &str) -> Result<Begun, Error> {
    let now = Utc::now().naive_utc();
    let new =
        NewKey { caller: caller.to_owned(), key: key.to_owned(), fingerprint: fingerprint.to_owned(), created_at: now };
    school
        .change(move |conn| {
            idempotency::prune(conn, now - KEEP, PRUNED)?;
            Ok(take(conn, &new)?)
        })
        .await
}

fn take(conn: &mut AnyConnection, new: &NewKey) -> Result<Begun, DbError> {
    if let Some(id) = idempotency::insert(conn, new)? {
        return Ok(Begun::Fresh(Claim(id)));
    }
    // Released between the two looks: whoever comes again finds it free.
    let Some(known) = idempotency::find(conn, &new.caller, &new.key)? else { return Ok(Begun::InProgress) };
    Ok(match known.status {
        _ if known.fingerprint != new.fingerprint => Begun::Mismatch,
        Some(status) => Begun::Replay(Stored {
            status: u16::try_from(status).unwrap_or(200),
            headers: known.headers.0,
            body: known.body.unwrap_or_default(),
        }),
        None if known.created_at + DEAD > new.created_at => Begun::InProgress,
        None => {
            idempotency::forget(conn, known.id)?;
            idempotency::insert(conn, new)?.map_or(Begun::InProgress, |id| Begun::Fresh(Claim(id)))
        }
    })
}

/// Keeps the answer.
///
/// # Errors
/// Database failures.
pub async fn keep(school: &School, claim: Claim, stored: Stored) -> Result<(), Error> {
    let answer = Answer { status: stored.status.into(), headers: Json(stored.headers), body: stored.body };
    school.change(move |conn| Ok(idempotency::complete(conn, claim.0, &answer)?)).await
}

/// Gives the key back: the request may be sent again.
///
/// # Errors
/// Database failures.
pub async fn release(school: &School, claim: Claim) -> Result<(), Error> {
    school.change(move |conn| Ok(idempotency::release(conn, claim.0).map(|_| ())?)).await
}
