//! Tokens: those that other systems hold (`api_tokens`), and those with which people go on without their password
//! (`refresh_tokens`). Both are kept as the SHA-256 of their text, in 64 hexadecimal digits.

use chrono::NaiveDateTime;
use diesel::dsl::exists;
use diesel::prelude::*;

use super::column::Json;
use super::error::OrNotFound;
use super::page::{Listed, Page};
use super::schema::{api_tokens, refresh_tokens};
use super::{AnyConnection, DbError};
use crate::domain::access::Scope;
use crate::domain::ids::{TokenId, UserId};

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = api_tokens)]
pub struct TokenRow {
    pub id: TokenId,
    pub name: String,
    /// The first characters of the token, to tell one from another.
    pub hint: String,
    pub scopes: Json<Vec<Scope>>,
    /// Nobody for one that was made at the command line.
    pub created_by: Option<UserId>,
    pub created_at: NaiveDateTime,
    /// Not valid from then on.
    pub expires_at: Option<NaiveDateTime>,
    pub last_used_at: Option<NaiveDateTime>,
    pub revoked_at: Option<NaiveDateTime>,
}

impl TokenRow {
    /// Whether it still opens anything.
    pub fn is_valid(&self, now: NaiveDateTime) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = api_tokens)]
pub struct NewToken {
    pub name: String,
    pub token_hash: String,
    pub hint: String,
    pub scopes: Json<Vec<Scope>>,
    pub created_by: Option<UserId>,
    pub created_at: NaiveDateTime,
    pub expires_at: Option<NaiveDateTime>,
}

/// Which tokens are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFilter {
    All,
    /// Those that are neither revoked nor over at a time (UTC).
    ValidAt(NaiveDateTime),
}

/// A new token of another system.
///
/// # Errors
/// [`DbError::Rule`] for an empty name or what is no hash.
pub fn insert(conn: &mut AnyConnection, new: &NewToken) -> Result<TokenId, DbError> {
    Ok(diesel::insert_into(api_tokens::table).values(new).returning(api_tokens::id).get_result(conn)?)
}

/// The token with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: TokenId) -> Result<TokenRow, DbError> {
    api_tokens::table.find(id).select(TokenRow::as_select()).first(conn).or_not_found("the token")
}

/// The token whose text has this hash, valid or not.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find_by_hash(conn: &mut AnyConnection, hash: &str) -> Result<Option<TokenRow>, DbError> {
    let token = api_tokens::table.filter(api_tokens::token_hash.eq(hash));
    Ok(token.select(TokenRow::as_select()).first(conn).optional()?)
}

/// One page of the tokens, newest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection, filter: TokenFilter, page: Page) -> Result<Listed<TokenRow>, DbError> {
    let wanted = || {
        let query = api_tokens::table.into_boxed();
        match filter {
            TokenFilter::All => query,
            TokenFilter::ValidAt(now) => query
                .filter(api_tokens::revoked_at.is_null())
                .filter(api_tokens::expires_at.is_null().or(api_tokens::expires_at.gt(now))),
        }
    };
    let total = wanted().count().get_result(conn)?;
    let query = wanted().order(api_tokens::id.desc()).limit(page.sql_limit()).offset(page.sql_offset());
    Ok(Listed::new(query.select(TokenRow::as_select()).load(conn)?, total))
}

/// Notes that a token was used, unless that was noted since `noted_before`: then nothing is written.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn touch(
    conn: &mut AnyConnection,
    id: TokenId,
    now: NaiveDateTime,
    noted_before: NaiveDateTime,
) -> Result<(), DbError> {
    let stale = api_tokens::last_used_at.is_null().or(api_tokens::last_used_at.le(noted_before));
    let token = api_tokens::table.find(id).filter(stale);
    diesel::update(token).set(api_tokens::last_used_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Ends a token for good.
///
/// # Errors
/// [`DbError::NotFound`] when there is none that is not revoked yet.
pub fn revoke(conn: &mut AnyConnection, id: TokenId, now: NaiveDateTime) -> Result<(), DbError> {
    let token = api_tokens::table.find(id).filter(api_tokens::revoked_at.is_null());
    diesel::update(token).set(api_tokens::revoked_at.eq(now)).execute(conn)?.or_not_found("the token")
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = refresh_tokens)]
pub struct RefreshRow {
    pub id: i64,
    pub user_id: UserId,
    /// All that follow from one login.
    pub family: String,
    pub created_at: NaiveDateTime,
    pub expires_at: NaiveDateTime,
    /// Set when the next one of the family was given out.
    pub used_at: Option<NaiveDateTime>,
    pub revoked_at: Option<NaiveDateTime>,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = refresh_tokens)]
pub struct NewRefresh {
    pub user_id: UserId,
    pub family: String,
    pub token_hash: String,
    pub created_at: NaiveDateTime,
    pub expires_at: NaiveDateTime,
}

/// A new refresh token.
///
/// # Errors
/// [`DbError::Reference`] for an unknown user.
pub fn insert_refresh(conn: &mut AnyConnection, new: &NewRefresh) -> Result<(), DbError> {
    diesel::insert_into(refresh_tokens::table).values(new).execute(conn)?;
    Ok(())
}

/// The refresh token whose text has this hash, in whatever state. Of several who bring it at the same time the second gets
/// it when the transaction of the first has ended.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn lock_refresh(conn: &mut AnyConnection, hash: &str) -> Result<Option<RefreshRow>, DbError> {
    let token = refresh_tokens::table.filter(refresh_tokens::token_hash.eq(hash));
    let row = match conn {
        AnyConnection::Sqlite(sqlite) => token.select(RefreshRow::as_select()).first(sqlite),
        AnyConnection::Postgres(postgres) => token.for_no_key_update().select(RefreshRow::as_select()).first(postgres),
    };
    Ok(row.optional()?)
}

/// Notes that the next one of its family was given out for this one.
///
/// # Errors
/// [`DbError::NotFound`] when it was used before or there is none.
pub fn use_refresh(conn: &mut AnyConnection, id: i64, now: NaiveDateTime) -> Result<(), DbError> {
    let token = refresh_tokens::table.find(id).filter(refresh_tokens::used_at.is_null());
    diesel::update(token).set(refresh_tokens::used_at.eq(now)).execute(conn)?.or_not_found("the refresh token")
}

/// Whether one that was given out after this one, in its family, was used or revoked.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn is_later_refresh_used(conn: &mut AnyConnection, token: &RefreshRow) -> Result<bool, DbError> {
    let later = refresh_tokens::table
        .filter(refresh_tokens::family.eq(&token.family))
        .filter(refresh_tokens::id.gt(token.id))
        .filter(refresh_tokens::used_at.is_not_null().or(refresh_tokens::revoked_at.is_not_null()));
    Ok(diesel::select(exists(later)).get_result(conn)?)
}

/// Uses those up that were given out after this one, in its family: nobody has received them.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn use_later_refresh(conn: &mut AnyConnection, token: &RefreshRow, now: NaiveDateTime) -> Result<(), DbError> {
    let later = refresh_tokens::table
        .filter(refresh_tokens::family.eq(&token.family))
        .filter(refresh_tokens::id.gt(token.id))
        .filter(refresh_tokens::used_at.is_null());
    diesel::update(later).set(refresh_tokens::used_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Ends all refresh tokens of a family; returns how many were still good.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn revoke_family(conn: &mut AnyConnection, family: &str, now: NaiveDateTime) -> Result<usize, DbError> {
    let tokens =
        refresh_tokens::table.filter(refresh_tokens::family.eq(family)).filter(refresh_tokens::revoked_at.is_null());
    Ok(diesel::update(tokens).set(refresh_tokens::revoked_at.eq(now)).execute(conn)?)
}

/// Ends all refresh tokens of a user; returns how many were still good.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn revoke_refresh_of(conn: &mut AnyConnection, user: UserId, now: NaiveDateTime) -> Result<usize, DbError> {
    let tokens =
        refresh_tokens::table.filter(refresh_tokens::user_id.eq(user)).filter(refresh_tokens::revoked_at.is_null());
    Ok(diesel::update(tokens).set(refresh_tokens::revoked_at.eq(now)).execute(conn)?)
}

/// Deletes up to `count` refresh tokens that were over before a time (UTC); returns how many.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn prune_refresh(conn: &mut AnyConnection, before: NaiveDateTime, count: u32) -> Result<usize, DbError> {
    let old: Vec<i64> = refresh_tokens::table
        .filter(refresh_tokens::expires_at.lt(before))
        .order(refresh_tokens::expires_at)
        .limit(i64::from(count))
        .select(refresh_tokens::id)
        .load(conn)?;
    Ok(diesel::delete(refresh_tokens::table.filter(refresh_tokens::id.eq_any(old))).execute(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{at, on_each_database, sha256};
    use crate::db::users::{self, new_user};
    use crate::domain::access::Role;

    fn new_token(name: &str, hash: u8) -> NewToken {
        NewToken {
            name: name.into(),
            token_hash: sha256(hash),
            hint: "rc_AbCd".into(),
            scopes: Json(vec![Scope::Roster, Scope::Record]),
            created_by: None,
            created_at: at("2026-01-05 08:00:00"),
            expires_at: Some(at("2026-02-05 08:00:00")),
        }
    }

    fn new_refresh(user_id: UserId, family: &str, hash: u8) -> NewRefresh {
        NewRefresh {
            user_id,
            family: family.into(),
            token_hash: sha256(hash),
            created_at: at("2026-01-05 08:00:00"),
            expires_at: at("2026-02-05 08:00:00"),
        }
    }

    on_each_database! {
        fn a_token_reads_back_and_ends_when_it_is_revoked_or_over(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let ann = users::insert(conn, &users::new_user("ann", Role::Admin))?;
                let id = insert(conn, &NewToken { created_by: Some(ann), ..new_token("bus", 1) })?;
                let row = find_by_hash(conn, &sha256(1))?.unwrap();
                assert_eq!(row, get(conn, id)?);
                assert_eq!((row.name.as_str(), row.created_by), ("bus", Some(ann)));
                assert_eq!(row.scopes.0, [Scope::Roster, Scope::Record]);
                assert!(row.is_valid(at("2026-02-05 07:59:59")) && !row.is_valid(at("2026-02-05 08:00:00")));
                assert_eq!(find_by_hash(conn, &sha256(2))?, None);
                revoke(conn, id, at("2026-01-06 08:00:00"))?;
                assert!(!get(conn, id)?.is_valid(at("2026-01-06 08:00:00")));
                let again = revoke(conn, id, at("2026-01-07 08:00:00"));
                assert!(matches!(again, Err(DbError::NotFound { what: "the token" })), "{again:?}");
                assert_eq!(get(conn, id)?.revoked_at, Some(at("2026-01-06 08:00:00")));
                Ok(())
            }).unwrap();
        }

        fn tokens_are_listed_newest_first_all_or_those_that_are_valid(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let names = |page: Listed<TokenRow>| {
                    (page.rows.into_iter().map(|row| row.name).collect::<Vec<_>>(), page.total)
                };
                insert(conn, &NewToken { expires_at: None, ..new_token("endless", 1) })?;
                insert(conn, &new_token("short", 2))?;
                let revoked = insert(conn, &NewToken { expires_at: None, ..new_token("revoked", 3) })?;
                revoke(conn, revoked, at("2026-01-06 08:00:00"))?;
                let all = list(conn, TokenFilter::All, Page { limit: 2, offset: 1 })?;
                assert_eq!(names(all), (vec!["short".into(), "endless".into()], 3));
                let valid = |day| TokenFilter::ValidAt(at(day));
                let early = list(conn, valid("2026-01-07 08:00:00"), Page::first(1))?;
                assert_eq!(names(early), (vec!["short".into()], 2));
                let late = list(conn, valid("2026-02-05 08:00:00"), Page::first(9))?;
                assert_eq!(names(late), (vec!["endless".into()], 1));
                Ok(())
            }).unwrap();
        }

        fn use_is_noted_only_when_the_last_note_is_old(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let id = insert(conn, &new_token("bus", 1))?;
                touch(conn, id, at("2026-01-05 09:00:00"), at("2026-01-05 08:59:00"))?;
                assert_eq!(get(conn, id)?.last_used_at, Some(at("2026-01-05 09:00:00")));
                touch(conn, id, at("2026-01-05 09:00:59"), at("2026-01-05 08:59:59"))?;
                assert_eq!(get(conn, id)?.last_used_at, Some(at("2026-01-05 09:00:00")));
                touch(conn, id, at("2026-01-05 09:01:00"), at("2026-01-05 09:00:00"))?;
                assert_eq!(get(conn, id)?.last_used_at, Some(at("2026-01-05 09:01:00")));
                Ok(())
            }).unwrap();
        }

        fn what_is_no_hash_is_never_stored(db) {
            let text = NewToken { token_hash: "rc_the-token-itself".into(), ..new_token("bus", 1) };
            let refused = db.run_blocking(|conn| insert(conn, &text));
            assert!(matches!(refused, Err(DbError::Rule(_))), "{refused:?}");
        }

        fn a_refresh_token_is_used_once_and_ends_with_its_family_or_user(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (ann, ben) = (
                    users::insert(conn, &new_user("ann", Role::Teacher))?,
                    users::insert(conn, &new_user("ben", Role::Teacher))?,
                );
                for (user, family, hash) in [(ann, "one", 1), (ann, "one", 2), (ann, "two", 3), (ben, "three", 4)] {
                    insert_refresh(conn, &new_refresh(user, family, hash))?;
                }
                let now = at("2026-01-05 09:00:00");
                let revoked = |conn: &mut _, hash| lock_refresh(conn, &sha256(hash)).map(|row| row.unwrap().revoked_at);
                let first = lock_refresh(conn, &sha256(1))?.unwrap();
                assert_eq!((first.user_id, first.family.as_str(), first.used_at), (ann, "one", None));
                use_refresh(conn, first.id, now)?;
                assert!(matches!(use_refresh(conn, first.id, now), Err(DbError::NotFound { .. })));
                assert_eq!(lock_refresh(conn, &sha256(1))?.unwrap().used_at, Some(now));
                assert_eq!(revoke_family(conn, "one", now)?, 2);
                assert_eq!((revoked(conn, 2)?, revoked(conn, 3)?), (Some(now), None));
                assert_eq!(revoke_refresh_of(conn, ann, now)?, 1);
                assert_eq!((revoked(conn, 3)?, revoked(conn, 4)?), (Some(now), None));
                Ok(())
            }).unwrap();
        }

        fn refresh_tokens_that_are_over_are_deleted(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let ann = users::insert(conn, &new_user("ann", Role::Teacher))?;
                for hash in 1..=3 {
                    insert_refresh(conn, &new_refresh(ann, "one", hash))?;
                }
                insert_refresh(conn, &NewRefresh { expires_at: at("2027-01-01 00:00:00"), ..new_refresh(ann, "two", 4) })?;
                assert_eq!(prune_refresh(conn, at("2026-02-05 08:00:00"), 9)?, 0);
                assert_eq!(prune_refresh(conn, at("2026-02-05 08:00:01"), 2)?, 2);
                assert_eq!(prune_refresh(conn, at("2026-02-05 08:00:01"), 2)?, 1);
                assert!(lock_refresh(conn, &sha256(4))?.is_some());
                Ok(())
            }).unwrap();
        }
    }
}
