//! The people who sign in: who they are, what they are to the school, which classes they see.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::password::{self, Password};
use crate::app::audit::{By, Entry, record};
use crate::app::error::{Code, Error};
use crate::app::term::{Calendar, ClassWish};
use crate::app::{School, session};
use crate::db::users::{self, NewUser, UserRow};
use crate::db::{AnyConnection, DbError, Listed, Page, classes, tokens};
use crate::domain::access::Role;
use crate::domain::ids::{ClassId, UserId};

pub use crate::db::users::UserFilter;

/// Longest name and display name, characters.
const LONGEST_NAME: usize = 64;
const LONGEST_DISPLAY_NAME: usize = 100;

/// Somebody who signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub display_name: String,
    pub role: Role,
    pub active: bool,
    /// Of a teacher; others see all.
    pub classes: Vec<UserClass>,
    /// No password is looked at before, because too many were wrong.
    pub locked_until: Option<DateTime<Utc>>,
    pub password_changed_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A class that a teacher sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserClass {
    pub id: ClassId,
    pub class: String,
    pub section: String,
    pub term: String,
}

/// A user to be.
#[derive(Debug, Clone)]
pub struct Newcomer {
    pub name: String,
    /// The name where none is given.
    pub display_name: Option<String>,
    pub role: Role,
    pub password: Password,
    /// Only teachers have some.
    pub classes: Vec<ClassId>,
}

/// What changes about a user; `None` leaves it as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    pub display_name: Option<String>,
    pub role: Option<Role>,
    pub active: Option<bool>,
    /// In place of those there are.
    pub classes: Option<Vec<ClassId>>,
}

/// A new user, who may sign in at once.
///
/// # Errors
/// `NAME_TAKEN`, `WEAK_PASSWORD`, `CLASS_NOT_FOUND`; `INVALID_REQUEST` for a name or role that cannot be.
pub async fn create(school: &School, by: By, new: Newcomer, now: DateTime<Utc>) -> Result<User, Error> {
    let name = checked_name(&new.name)?;
    let display_name = match &new.display_name {
        Some(given) => checked_display_name(given)?,
        None => name.clone(),
    };
    require_person(new.role)?;
    new.password.check(&[&name, &display_name])?;
    let password_hash = password::hash(new.password).await?;
    let row = NewUser { name, display_name, role: new.role, password_hash, created_at: now.naive_utc() };
    let classes = new.classes;
    school
        .change(move |conn| {
            let id = users::insert(conn, &row).map_err(taken)?;
            give_classes(conn, (id, row.role), classes)?;
            let user = view(conn, id)?;
            record(
                conn,
                &Entry::new(&by, "user.create", now).on(id).with(json!({ "role": row.role, "classes": ids(&user) })),
            )?;
            Ok(user)
        })
        .await
}

/// One page of the users, by name.
///
/// # Errors
/// Database failures.
pub async fn list(school: &School, filter: UserFilter, page: Page) -> Result<Listed<User>, Error> {
    school
        .read(move |conn| {
            let Listed { rows, total } = users::list(conn, &filter, page)?;
            Ok(Listed { rows: views(conn, rows)?, total })
        })
        .await
}

/// The user with this id.
///
/// # Errors
/// `USER_NOT_FOUND`.
pub async fn get(school: &School, id: UserId) -> Result<User, Error> {
    school.read(move |conn| view(conn, id)).await
}

/// The user of this name.
///
/// # Errors
/// `USER_NOT_FOUND`.
pub async fn find(school: &School, name: String) -> Result<User, Error> {
    school
        .read(move |conn| match users::find_by_name(conn, &name)? {
            Some(row) => view(conn, row.id),
            None => Err(Error::new(Code::UserNotFound, format!("there is no user {name:?}"))),
        })
        .await
}

/// Changes a user. Whoever is deactivated is signed out everywhere; who is no teacher any more has no classes of their own.
///
/// # Errors
/// `USER_NOT_FOUND`, `CLASS_NOT_FOUND`, `INVALID_REQUEST`; `LAST_ADMIN` when nobody would be left to give rights back.
pub async fn change(
    school: &School,
    by: By,
    id: UserId,
    change: UserChange,
    now: DateTime<Utc>,
) -> Result<User, Error> {
    let display_name = change.display_name.as_deref().map(checked_display_name).transpose()?;
    change.role.map_or(Ok(()), require_person)?;
    let UserChange { role, active, classes, .. } = change;
    school
        .change(move |conn| {
            let before = lock(conn, id, role, active)?;
            let update = users::UserChange { display_name, role, active, updated_at: now.naive_utc() };
            users::update(conn, id, &update)?;
            let role = role.unwrap_or(before.role);
            match classes {
                Some(classes) => give_classes(conn, (id, role), classes)?,
                None if role != Role::Teacher => users::set_classes(conn, id, &[])?,
                None => {}
            }
            if active == Some(false) {
                tokens::revoke_refresh_of(conn, id, now.naive_utc())?;
            }
            let after = view(conn, id)?;
            let changed = difference(&before, &after);
            if !changed.is_empty() {
                record(conn, &Entry::new(&by, "user.change", now).on(id).with(Value::Object(changed)))?;
            }
            Ok(after)
        })
        .await
}

/// Gives somebody a new password, for one who has forgotten it. They are signed out everywhere.
///
/// # Errors
/// `USER_NOT_FOUND`, `WEAK_PASSWORD`.
pub async fn set_password(school: &School, by: By, id: UserId, new: Password, now: DateTime<Utc>) -> Result<(), Error> {
    let user = get(school, id).await?;
    new.check(&[&user.name, &user.display_name])?;
    let hash = password::hash(new).await?;
    school.change(move |conn| replace_password(conn, id, &hash, &by, now)).await
}

/// The classes that names and sections mean today.
///
/// # Errors
/// `CLASS_NOT_FOUND`, `AMBIGUOUS_NAME`.
pub async fn classes_named(school: &School, wishes: Vec<ClassWish>) -> Result<Vec<ClassId>, Error> {
    let config = school.config.clone();
    school
        .read(move |conn| {
            let today = session::today(config.time_zone);
            let class = |wish: &ClassWish, conn: &mut AnyConnection| {
                Ok(Calendar::read(conn, &config, wish.term.as_deref())?.class(wish, today)?.id)
            };
            wishes.iter().map(|wish| class(wish, conn)).collect()
        })
        .await
}

/// A new password in the caller's transaction: all who are signed in with the old one are signed out.
pub(super) fn replace_password(
    conn: &mut AnyConnection,
    id: UserId,
    hash: &str,
    by: &By,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    users::set_password(conn, id, hash, now.naive_utc())?;
    tokens::revoke_refresh_of(conn, id, now.naive_utc())?;
    Ok(record(conn, &Entry::new(by, "user.password", now).on(id))?)
}

pub(super) fn not_found(error: Error) -> Error {
    let is_missing = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<DbError>())
        .is_some_and(|error| matches!(error, DbError::NotFound { what: "the user" }));
    if is_missing { no_such_user() } else { error }
}

fn no_such_user() -> Error {
    Error::new(Code::UserNotFound, "there is no such user")
}

/// The user as before a change, locked. Before one that may take rights away, all administrators are locked first.
fn lock(conn: &mut AnyConnection, id: UserId, role: Option<Role>, active: Option<bool>) -> Result<User, Error> {
    let takes_rights = role.is_some_and(|role| role != Role::Admin) || active == Some(false);
    if takes_rights && users::lock_active_admins(conn)? == [id] {
        let what = "this is the last administrator who can sign in; make somebody else one first";
        return Err(Error::new(Code::LastAdmin, what));
    }
    match users::lock(conn, id) {
        Ok(row) => Ok(views(conn, vec![row])?.remove(0)),
        Err(DbError::NotFound { .. }) => Err(no_such_user()),
        Err(error) => Err(error.into()),
    }
}

/// Gives a user these classes, each once, in place of those there are.
fn give_classes(conn: &mut AnyConnection, (id, role): (UserId, Role), mut classes: Vec<ClassId>) -> Result<(), Error> {
    if role != Role::Teacher && !classes.is_empty() {
        let what = format!("only teachers have classes of their own; this user is {role} and sees all");
        return Err(Error::new(Code::InvalidRequest, what));
    }
    classes.sort_unstable();
    classes.dedup();
    for class in &classes {
        match classes::get(conn, *class) {
            Err(DbError::NotFound { .. }) => {
                return Err(Error::new(Code::ClassNotFound, format!("there is no {class}")));
            }
            found => found.map(drop)?,
        }
    }
    Ok(users::set_classes(conn, id, &classes)?)
}

fn view(conn: &mut AnyConnection, id: UserId) -> Result<User, Error> {
    match users::get(conn, id) {
        Ok(row) => Ok(views(conn, vec![row])?.remove(0)),
        Err(DbError::NotFound { .. }) => Err(no_such_user()),
        Err(error) => Err(error.into()),
    }
}

/// Rows with their classes, in the same order.
fn views(conn: &mut AnyConnection, rows: Vec<UserRow>) -> Result<Vec<User>, DbError> {
    let all: Vec<UserId> = rows.iter().map(|row| row.id).collect();
    let of_users = users::classes_of(conn, &all)?;
    let named = if of_users.is_empty() { Vec::new() } else { classes::list(conn, None)? };
    let classes_of = |user: UserId| {
        let own = |id: ClassId| of_users.contains(&(user, id));
        named.iter().filter(|class| own(class.id)).map(UserClass::from).collect()
    };
    Ok(rows.into_iter().map(|row| User::new(classes_of(row.id), row)).collect())
}

impl From<&classes::ClassRow> for UserClass {
    fn from(row: &classes::ClassRow) -> Self {
        Self { id: row.id, class: row.name.clone(), section: row.section.clone(), term: row.term.clone() }
    }
}

impl User {
    fn new(classes: Vec<UserClass>, row: UserRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            display_name: row.display_name,
            role: row.role,
            active: row.active,
            classes,
            locked_until: row.locked_until.map(|at: NaiveDateTime| at.and_utc()),
            password_changed_at: row.password_changed_at.and_utc(),
            created_at: row.created_at.and_utc(),
            updated_at: row.updated_at.and_utc(),
        }
    }
}

fn ids(user: &User) -> Vec<ClassId> {
    user.classes.iter().map(|class| class.id).collect()
}

/// What has changed, each as before and after.
fn difference(before: &User, after: &User) -> Map<String, Value> {
    let values = |user: &User| {
        [
            ("display_name", json!(user.display_name)),
            ("role", json!(user.role)),
            ("active", json!(user.active)),
            ("classes", json!(ids(user))),
        ]
    };
    let pairs = values(before).into_iter().zip(values(after));
    let changed = pairs.filter(|(before, after)| before != after);
    changed.map(|((key, before), (_, after))| (key.to_owned(), json!([before, after]))).collect()
}

fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(fits) {
        let what = format!("a user's name has 1 to {LONGEST_NAME} letters, digits and signs of . _ - @ +");
        return Err(Error::new(Code::InvalidRequest, what));
    }
    Ok(name.to_owned())
}

fn checked_display_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_DISPLAY_NAME || name.chars().any(char::is_control) {
        let what = format!("a display name has 1 to {LONGEST_DISPLAY_NAME} characters in one line");
        return Err(Error::new(Code::InvalidRequest, what));
    }
    Ok(name.to_owned())
}

fn require_person(role: Role) -> Result<(), Error> {
    match role {
        Role::Machine => Err(Error::new(Code::InvalidRequest, "machines are no users; they get a token")),
        Role::Admin | Role::Teacher | Role::Viewer => Ok(()),
    }
}

fn taken(error: DbError) -> Error {
    match error {
        DbError::Duplicate { .. } => Error::new(Code::NameTaken, "another user has this name"),
        error => error.into(),
    }
}
