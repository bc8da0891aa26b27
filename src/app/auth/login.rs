//! Signing in with a name and a password, and changing one's own password.
//!
//! Both prove the password in the same way ([`prove`]): a name that nobody has, a wrong password and a deactivated account get
//! the same answer after the same work, and all of them are counted.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::json;

use super::keys::Keys;
use super::password::{self, Compared, Password};
use super::refresh::{self, Grant};
use super::throttle::{COUNTED, locked_until, require_unconfirmed};
use crate::app::School;
use crate::app::audit::{By, Entry, Object, record};
use crate::app::error::{Code, Error};
use crate::db::users::{self, UserRow};
use crate::db::{AnyConnection, audit};
use crate::domain::access::Actor;
use crate::domain::ids::UserId;

const LOGIN: &str = "auth.login";
const FAILED: &str = "auth.fail";

/// Signs somebody in. `by` says where the request comes from; whose it is shows itself here.
///
/// # Errors
/// `INVALID_CREDENTIALS` for a wrong password, an unknown name or a deactivated user; `TOO_MANY_ATTEMPTS` with `retry_after`.
pub async fn login(
    school: &School,
    keys: &Keys,
    (name, password): (String, Password),
    by: By,
    now: DateTime<Utc>,
) -> Result<Grant, Error> {
    let attempt = Attempt { who: Who::Name(name), password, by: by.clone(), now };
    let lives = refresh::Lives::of(&school.config);
    let signer = keys.clone();
    prove(school, keys, attempt, move |conn, user| {
        let by = by.acting_as(Actor::user(user.id, &user.name));
        record(conn, &Entry::new(&by, LOGIN, now).on(user.id))?;
        refresh::begin(conn, &signer, user, lives, now)
    })
    .await
}

/// Gives somebody who is signed in a new password for their old one. Every other device has to sign in again.
///
/// # Errors
/// As [`login`] for the old password; `WEAK_PASSWORD` for the new one.
pub async fn change_own_password(
    school: &School,
    keys: &Keys,
    user: UserId,
    (old, new): (Password, Password),
    by: By,
    now: DateTime<Utc>,
) -> Result<Grant, Error> {
    let row = school.read(move |conn| Ok(users::get(conn, user)?)).await.map_err(super::users::not_found)?;
    new.check(&[&row.name, &row.display_name])?;
    let hash = password::hash(new).await?;
    let attempt = Attempt { who: Who::Id(user), password: old, by: by.clone(), now };
    let lives = refresh::Lives::of(&school.config);
    let signer = keys.clone();
    prove(school, keys, attempt, move |conn, user| {
        super::users::replace_password(conn, user.id, &hash, &by, now)?;
        let changed = users::get(conn, user.id)?;
        refresh::begin(conn, &signer, &changed, lives, now)
    })
    .await
}

enum Who {
    Name(String),
    Id(UserId),
}

struct Attempt {
    who: Who,
    password: Password,
    by: By,
    now: DateTime<Utc>,
}

/// What is known before the password is looked at.
struct Known {
    user: Option<UserRow>,
    hash: Option<String>,
    locked_until: Option<NaiveDateTime>,
}

/// Looks whether a password is right, and if so does `then` in the transaction that forgets the failures.
///
/// Everything is looked at twice: before the password is compared, so that whoever has to wait costs nothing, and afterwards
/// under the lock of the user's row. So of any number of guesses sent at once only the first few tell anything.
async fn prove<T: Send + 'static>(
    school: &School,
    keys: &Keys,
    attempt: Attempt,
    then: impl FnOnce(&mut AnyConnection, &UserRow) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let Attempt { who, password, by, now } = attempt;
    let keys = keys.clone();
    let stranger = match &who {
        Who::Name(name) => keys.number_of_name(name),
        Who::Id(id) => id.0,
    };
    let known = school.read(move |conn| known(conn, &who, stranger)).await?;
    require_unconfirmed(known.locked_until, now)?;
    let compared = password::compare(password, known.hash.clone()).await?;
    let settled = school.change(move |conn| {
        let Some(user) = known.user else { return fail_for_nobody(conn, stranger, &by, now).map(Err) };
        let user = users::lock(conn, user.id)?;
        if let Err(wait) = require_unconfirmed(user.locked_until, now) {
            return Ok(Err(wait));
        }
        let is_same = Some(users::password_hash(conn, user.id)?) == known.hash;
        if compared == Compared::Wrong || !is_same || !user.active {
            return fail(conn, &user, &by, now).map(Err);
        }
        if let Compared::RightRehashed(hash) = &compared {
            users::set_hash(conn, user.id, hash)?;
        }
        users::set_failures(conn, user.id, 0, None)?;
        then(conn, &user).map(Ok)
    });
    settled.await?
}

fn known(conn: &mut AnyConnection, who: &Who, stranger: i64) -> Result<Known, Error> {
    let user = match who {
        Who::Name(name) => users::find_by_name(conn, name)?,
        Who::Id(id) => Some(users::get(conn, *id)?),
    };
    match user {
        Some(user) => {
            let hash = Some(users::password_hash(conn, user.id)?);
            Ok(Known { hash, locked_until: user.locked_until, user: Some(user) })
        }
        None => Ok(Known { user: None, hash: None, locked_until: lock_of_nobody(conn, stranger)? }),
    }
}

/// Names that nobody has wait as long as others; otherwise waiting would tell that a name exists.
fn lock_of_nobody(conn: &mut AnyConnection, stranger: i64) -> Result<Option<NaiveDateTime>, Error> {
    let failures = audit::last_times(conn, FAILED, ("name", stranger), COUNTED)?;
    Ok(failures.first().and_then(|last| locked_until(failures.len() as u32, *last)))
}

fn fail_for_nobody(conn: &mut AnyConnection, stranger: i64, by: &By, now: DateTime<Utc>) -> Result<Error, Error> {
    users::lock_nobody(conn, stranger)?;
    if let Err(wait) = require_unconfirmed(lock_of_nobody(conn, stranger)?, now) {
        return Ok(wait);
    }
    record(conn, &Entry::new(by, FAILED, now).on(Object { kind: "name", id: stranger }))?;
    Ok(wrong())
}

fn fail(conn: &mut AnyConnection, user: &UserRow, by: &By, now: DateTime<Utc>) -> Result<Error, Error> {
    let failures = user.failed_logins.saturating_add(1);
    let until = locked_until(failures.unsigned_abs(), now.naive_utc());
    users::set_failures(conn, user.id, failures, until)?;
    record(conn, &Entry::new(by, FAILED, now).on(user.id).with(json!({ "in_a_row": failures })))?;
    Ok(wrong())
}

fn wrong() -> Error {
    Error::new(Code::InvalidCredentials, "name and password do not belong together")
}
