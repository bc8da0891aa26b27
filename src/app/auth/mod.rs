//! Who somebody is: passwords, tokens, links, and the accounts behind them.
//!
//! [`authenticate`] turns what a request shows into a [`Caller`]; whether that caller may do something is said by
//! `domain::access`, held by `http`. Nothing here knows of routes or headers beyond the two that carry credentials.

mod access_token;
mod keys;
mod link;
mod login;
mod opaque;
mod password;
mod refresh;
#[cfg(test)]
mod tests;
mod throttle;
pub mod tokens;
pub mod users;

use chrono::{DateTime, TimeDelta, Utc};

pub use keys::Keys;
pub use link::{LinkQuery, check_link, sign_link};
pub use login::{change_own_password, login};
pub use password::Password;
pub use refresh::{Grant, logout, refresh};

use crate::app::School;
use crate::app::error::{Code, Error};
use crate::db::tokens as token_rows;
use crate::db::users as user_rows;
use crate::db::{AnyConnection, DbError};
use crate::domain::access::{Actor, Caller, Reach, Role};
use access_token::Claim;

/// How old the note of a token's last use may be before another is written.
const NOTE_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What a request shows to say whose it is. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// An access token.
    Access(String),
    /// A token of another system.
    Token(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Access(_) => "Access(***)",
            Self::Token(_) => "Token(***)",
        })
    }
}

impl Credential {
    /// What the headers `Authorization` and `X-API-Key` say; nothing when there is neither. `Authorization` counts where both are
    /// there.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for another scheme than Bearer, and for a key that is no token.
    pub fn from_headers(authorization: Option<&str>, api_key: Option<&str>) -> Result<Option<Self>, Error> {
        match (authorization, api_key) {
            (None, None) => Ok(None),
            (Some(header), _) => Self::from_bearer(header).map(Some),
            (None, Some(key)) if key.starts_with(tokens::PREFIX) => Ok(Some(Self::Token(key.to_owned()))),
            (None, Some(_)) => Err(refused("X-API-Key takes a token that begins with rc_")),
        }
    }

    fn from_bearer(header: &str) -> Result<Self, Error> {
        match header.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(match token.trim() {
                token if token.starts_with(tokens::PREFIX) => Self::Token(token.to_owned()),
                token => Self::Access(token.to_owned()),
            }),
            _ => Err(refused("the Authorization header must be `Bearer` and a token")),
        }
    }
}

/// Finds out whose a credential is, and what they may see now. Role and classes are those of the database at this moment.
///
/// # Errors
/// `UNAUTHENTICATED` when it does not hold (any more): signed by somebody else, over, revoked, its user deactivated or with
/// another password since.
pub async fn authenticate(
    school: &School,
    keys: &Keys,
    credential: &Credential,
    now: DateTime<Utc>,
) -> Result<Caller, Error> {
    match credential {
        Credential::Access(token) => {
            let claim = access_token::read(keys, token, now)?;
            school.read(move |conn| person(conn, &claim)).await
        }
        Credential::Token(token) => {
            let hash = opaque::hash_of(token);
            school.read(move |conn| machine(conn, &hash, now)).await
        }
    }
}

fn person(conn: &mut AnyConnection, claim: &Claim) -> Result<Caller, Error> {
    let user = match user_rows::get(conn, claim.user) {
        Err(DbError::NotFound { .. }) => return Err(refused("the account is gone")),
        user => user?,
    };
    if !user.active || !claim.fits(&user) {
        return Err(refused("the account was closed or its password changed; sign in again"));
    }
    let reach = match user.role {
        Role::Teacher => Reach::Only(user_rows::classes(conn, user.id)?),
        Role::Admin | Role::Viewer | Role::Machine => Reach::All,
    };
    Ok(Caller { actor: Actor::user(user.id, user.name), role: user.role, scopes: Vec::new(), reach })
}

fn machine(conn: &mut AnyConnection, hash: &str, now: DateTime<Utc>) -> Result<Caller, Error> {
    let token = token_rows::find_by_hash(conn, hash)?.filter(|token| token.is_valid(now.naive_utc()));
    let token = token.ok_or_else(|| refused("the token is unknown, over or revoked"))?;
    let (noted, last) = ((now - NOTE_EVERY).naive_utc(), token.last_used_at);
    if last.is_none_or(|last| last <= noted)
        && let Err(error) = token_rows::touch(conn, token.id, now.naive_utc(), noted)
    {
        // Only the note is missing: the next request writes it.
        tracing::debug!(token = token.id.0, %error, "the use of a token was not noted");
    }
    let actor = Actor::token(token.id, token.name);
    Ok(Caller { actor, role: Role::Machine, scopes: token.scopes.0, reach: Reach::All })
}

fn refused(what: &str) -> Error {
    Error::new(Code::Unauthenticated, what)
}

/// Refresh tokens that are deleted at a time.
const PRUNED: u32 = 1000;

/// Deletes refresh tokens that have been over for a day; returns how many. For servers, now and then.
///
/// # Errors
/// Database failures.
pub async fn prune(school: &School, now: DateTime<Utc>) -> Result<usize, Error> {
    let before = (now - TimeDelta::days(1)).naive_utc();
    school.read(move |conn| Ok(token_rows::prune_refresh(conn, before, PRUNED)?)).await
}
