//! Going on without the password: a refresh token is given back for the next one and a new access token.
//!
//! Each is good once. One that comes a second time was copied by somebody, and nobody can tell who of the two is the right
//! one: all that follow from the same login end (OAuth 2.0 Security BCP, RFC 9700, 4.14.2). Unless it comes again at once and
//! nobody has used what it was given for: then the answer was lost on its way, and there is another one in its place.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::access_token;
use super::keys::Keys;
use super::opaque::{hash_of, random_text};
use crate::app::School;
use crate::app::audit::{By, Entry, record};
use crate::app::error::{Code, Error};
use crate::config::Config;
use crate::db::tokens::{self, NewRefresh, RefreshRow};
use crate::db::users::{self, UserRow};
use crate::db::{AnyConnection, DbError};
use crate::domain::access::Actor;

/// An answer that was lost is asked for again within so long.
const LOST_WITHIN: TimeDelta = TimeDelta::seconds(60);
const REUSED: &str = "auth.reuse";
const LOGOUT: &str = "auth.logout";

/// What somebody gets who has signed in.
#[derive(Clone, Serialize)]
pub struct Grant {
    /// For the `Authorization: Bearer` header.
    pub access_token: String,
    /// Life of the access token, seconds.
    pub expires_in: u32,
    /// For the next grant; good once.
    pub refresh_token: String,
}

/// Without the tokens.
impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// How long tokens live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lives {
    access: TimeDelta,
    refresh: TimeDelta,
}

impl Lives {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            access: TimeDelta::minutes(config.auth.access_minutes.into()),
            refresh: TimeDelta::days(config.auth.refresh_days.into()),
        }
    }
}

/// The first grant of a login.
pub(super) fn begin(
    conn: &mut AnyConnection,
    keys: &Keys,
    user: &UserRow,
    lives: Lives,
    now: DateTime<Utc>,
) -> Result<Grant, Error> {
    grant(conn, keys, (user, random_text()?), lives, now)
}

/// The next grant for a refresh token.
///
/// # Errors
/// `UNAUTHENTICATED` for one that is unknown, used, over or revoked, and when its user is deactivated.
pub async fn refresh(
    school: &School,
    keys: &Keys,
    refresh_token: &str,
    by: By,
    now: DateTime<Utc>,
) -> Result<Grant, Error> {
    let (keys, hash, lives) = (keys.clone(), hash_of(refresh_token), Lives::of(&school.config));
    let settled = school.change(move |conn| {
        let Some(token) = tokens::lock_refresh(conn, &hash)? else { return Ok(Err(refused())) };
        let user = users::get(conn, token.user_id)?;
        let is_lost = is_lost(conn, &token, now)?;
        if token.used_at.is_some() && token.revoked_at.is_none() && !is_lost {
            return Ok(Err(end_family(conn, (&token, &user), by, now)?));
        }
        if token.revoked_at.is_some() || token.expires_at <= now.naive_utc() || !user.active {
            return Ok(Err(refused()));
        }
        if is_lost {
            tokens::use_later_refresh(conn, &token, now.naive_utc())?;
        } else {
            tokens::use_refresh(conn, token.id, now.naive_utc())?;
        }
        grant(conn, &keys, (&user, token.family), lives, now).map(Ok)
    });
    settled.await?
}

/// Ends what began with one login. A token that is unknown or ended already is no error: nobody is signed in by it.
///
/// # Errors
/// Database failures.
pub async fn logout(school: &School, refresh_token: &str, by: By, now: DateTime<Utc>) -> Result<(), Error> {
    let hash = hash_of(refresh_token);
    school
        .change(move |conn| {
            let Some(token) = tokens::lock_refresh(conn, &hash)? else { return Ok(()) };
            if tokens::revoke_family(conn, &token.family, now.naive_utc())? == 0 {
                return Ok(());
            }
            let user = users::get(conn, token.user_id)?;
            let by = by.acting_as(Actor::user(user.id, &user.name));
            Ok(record(conn, &Entry::new(&by, LOGOUT, now).on(user.id))?)
        })
        .await
}

fn grant(
    conn: &mut AnyConnection,
    keys: &Keys,
    (user, family): (&UserRow, String),
    lives: Lives,
    now: DateTime<Utc>,
) -> Result<Grant, Error> {
    let refresh_token = random_text()?;
    let new = NewRefresh {
        user_id: user.id,
        family,
        token_hash: hash_of(&refresh_token),
        created_at: now.naive_utc(),
        expires_at: (now + lives.refresh).naive_utc(),
    };
    tokens::insert_refresh(conn, &new)?;
    let access_token = access_token::issue(keys, user, lives.access, now)?;
    let expires_in = u32::try_from(lives.access.num_seconds()).expect("access tokens live a day at most");
    Ok(Grant { access_token, expires_in, refresh_token })
}

/// Whether a token was used a moment ago, for one that nobody has used since.
fn is_lost(conn: &mut AnyConnection, token: &RefreshRow, now: DateTime<Utc>) -> Result<bool, DbError> {
    let Some(used_at) = token.used_at else { return Ok(false) };
    Ok(now.naive_utc() - used_at <= LOST_WITHIN && !tokens::is_later_refresh_used(conn, token)?)
}

fn end_family(
    conn: &mut AnyConnection,
    (token, user): (&RefreshRow, &UserRow),
    by: By,
    now: DateTime<Utc>,
) -> Result<Error, DbError> {
    tokens::revoke_family(conn, &token.family, now.naive_utc())?;
    record(conn, &Entry::new(&by, REUSED, now).on(user.id))?;
    tracing::warn!(user = user.id.0, "a refresh token came twice; all of its login were ended");
    let message = "the refresh token was used before, so whoever holds a later one is signed out too; sign in again";
    Ok(Error::new(Code::Unauthenticated, message))
}

fn refused() -> Error {
    Error::new(Code::Unauthenticated, "the refresh token does not hold (any more); sign in again")
}
