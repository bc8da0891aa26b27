//! Tokens of other systems: made by an administrator for one purpose, shown once, ended when they are not needed any more.
//!
//! A token belongs to the school and not to whoever made it: it goes on when that account is closed.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use super::opaque::{hash_of, random_text};
use crate::app::School;
use crate::app::audit::{By, Entry, record};
use crate::app::error::{Code, Error};
use crate::db::tokens::{self, NewToken, TokenRow};
use crate::db::{AnyConnection, DbError, Json, Listed, Page};
use crate::domain::access::{ActorKind, Scope};
use crate::domain::ids::{TokenId, UserId};

pub use crate::db::tokens::TokenFilter;

/// What every token begins with: so that people and scanners of repositories know one when they see it.
pub(super) const PREFIX: &str = "rc_";
/// Characters of a token that stay readable, prefix included.
const HINT: usize = 9;
/// Longest name, characters.
const LONGEST_NAME: usize = 100;

/// A token, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    /// Its first characters.
    pub hint: String,
    pub scopes: Vec<Scope>,
    /// Nobody for one that was made at the command line.
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    /// Not valid from then on.
    pub expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A token that was just made.
#[derive(Clone, Serialize)]
pub struct FreshToken {
    #[serde(flatten)]
    pub token: Token,
    /// The token itself: nobody can read it again.
    #[serde(rename = "token")]
    pub secret: String,
}

/// Without the token itself.
impl std::fmt::Debug for FreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshToken").field("token", &self.token).finish_non_exhaustive()
    }
}

/// A token to be.
#[derive(Debug, Clone)]
pub struct TokenWish {
    /// What it is for.
    pub name: String,
    pub scopes: Vec<Scope>,
    /// Never, where none is given.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A new token.
///
/// # Errors
/// `INVALID_REQUEST` without a name or scope, or with an end that has passed.
pub async fn create(school: &School, by: By, wish: TokenWish, now: DateTime<Utc>) -> Result<FreshToken, Error> {
    let wish = checked(wish, now)?;
    let secret = format!("{PREFIX}{}", random_text()?);
    let new = NewToken {
        name: wish.name,
        token_hash: hash_of(&secret),
        hint: secret[..HINT].to_owned(),
        scopes: Json(wish.scopes),
        created_by: by.actor.id.filter(|_| by.actor.kind == ActorKind::User).map(UserId),
        created_at: now.naive_utc(),
        expires_at: wish.expires_at.map(|at| at.naive_utc()),
    };
    let row = school
        .change(move |conn| {
            let id = tokens::insert(conn, &new)?;
            let detail = json!({ "scopes": new.scopes.0, "expires_at": wish.expires_at });
            record(conn, &Entry::new(&by, "token.create", now).on(id).with(detail))?;
            Ok(tokens::get(conn, id)?)
        })
        .await?;
    Ok(FreshToken { token: row.into(), secret })
}

/// One page of the tokens, newest first.
///
/// # Errors
/// Database failures.
pub async fn list(school: &School, filter: TokenFilter, page: Page) -> Result<Listed<Token>, Error> {
    school.read(move |conn| Ok(tokens::list(conn, filter, page)?.map(Token::from))).await
}

/// The token with this id.
///
/// # Errors
/// `TOKEN_NOT_FOUND`.
pub async fn get(school: &School, id: TokenId) -> Result<Token, Error> {
    school.read(move |conn| tokens::get(conn, id).map(Token::from).map_err(not_found)).await
}

/// Ends a token for good.
///
/// # Errors
/// `TOKEN_NOT_FOUND` when there is none, or it is revoked already.
pub async fn revoke(school: &School, by: By, id: TokenId, now: DateTime<Utc>) -> Result<(), Error> {
    school
        .change(move |conn: &mut AnyConnection| {
            tokens::revoke(conn, id, now.naive_utc()).map_err(not_found)?;
            Ok(record(conn, &Entry::new(&by, "token.revoke", now).on(id))?)
        })
        .await
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            hint: row.hint,
            scopes: row.scopes.0,
            created_by: row.created_by,
            created_at: row.created_at.and_utc(),
            expires_at: row.expires_at.map(|at| at.and_utc()),
            last_used_at: row.last_used_at.map(|at| at.and_utc()),
            revoked_at: row.revoked_at.map(|at| at.and_utc()),
        }
    }
}

fn checked(wish: TokenWish, now: DateTime<Utc>) -> Result<TokenWish, Error> {
    let refused = |what: &str| Err(Error::new(Code::InvalidRequest, what));
    let name = wish.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return refused("a token's name has 1 to 100 characters in one line and says what it is for");
    }
    if wish.scopes.is_empty() {
        return refused("a token without a scope opens nothing; name at least one");
    }
    if wish.expires_at.is_some_and(|end| end <= now) {
        return refused("the token would be over already");
    }
    let scopes = Scope::ALL.iter().copied().filter(|scope| wish.scopes.contains(scope)).collect();
    Ok(TokenWish { name, scopes, ..wish })
}

fn not_found(error: DbError) -> Error {
    match error {
        DbError::NotFound { .. } => Error::new(Code::TokenNotFound, "there is no such token, or it is revoked already"),
        error => error.into(),
    }
}
