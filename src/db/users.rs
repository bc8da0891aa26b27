//! People who sign in, and the classes that teachers among them see.
//!
//! A [`UserRow`] holds no password: the hash is asked for by itself ([`password_hash`]), by whoever compares it.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::column::key;
use super::error::OrNotFound;
use super::page::{Listed, Page};
use super::schema::{user_classes, users};
use super::{AnyConnection, DbError};
use crate::domain::access::Role;
use crate::domain::ids::{ClassId, UserId};

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct UserRow {
    pub id: UserId,
    /// As written first; compared without case and outer blanks.
    pub name: String,
    pub display_name: String,
    pub role: Role,
    /// False for somebody who may not sign in any more.
    pub active: bool,
    /// Wrong passwords since the last right one.
    pub failed_logins: i32,
    /// No password is looked at before.
    pub locked_until: Option<NaiveDateTime>,
    pub password_changed_at: NaiveDateTime,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
}

/// A new user, active.
#[derive(Clone)]
pub struct NewUser {
    pub name: String,
    pub display_name: String,
    pub role: Role,
    /// In PHC form, never the password itself.
    pub password_hash: String,
    pub created_at: NaiveDateTime,
}

/// Without the hash: whoever has it can try passwords.
impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// What changes about a user; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = users)]
pub struct UserChange {
    pub display_name: Option<String>,
    pub role: Option<Role>,
    pub active: Option<bool>,
    pub updated_at: NaiveDateTime,
}

/// Which users are listed; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    pub role: Option<Role>,
    pub active: Option<bool>,
    /// A part of the name.
    pub search: Option<String>,
}

/// A new user.
///
/// # Errors
/// [`DbError::Duplicate`] when the name is taken, [`DbError::Rule`] for an empty name or a machine.
pub fn insert(conn: &mut AnyConnection, new: &NewUser) -> Result<UserId, DbError> {
    let row = (
        users::name.eq(new.name.trim()),
        users::name_key.eq(key(&new.name)),
        users::display_name.eq(new.display_name.trim()),
        users::role.eq(new.role),
        users::password_hash.eq(&new.password_hash),
        users::active.eq(true),
        users::password_changed_at.eq(new.created_at),
        users::created_at.eq(new.created_at),
        users::updated_at.eq(new.created_at),
    );
    Ok(diesel::insert_into(users::table).values(row).returning(users::id).get_result(conn)?)
}

/// The user with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: UserId) -> Result<UserRow, DbError> {
    users::table.find(id).select(UserRow::as_select()).first(conn).or_not_found("the user")
}

/// The user of that name, if there is one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find_by_name(conn: &mut AnyConnection, name: &str) -> Result<Option<UserRow>, DbError> {
    Ok(users::table.filter(users::name_key.eq(key(name))).select(UserRow::as_select()).first(conn).optional()?)
}

/// [`get`], and until the end of the caller's transaction nobody else gets this user by `lock`.
///
/// On SQLite a [`transaction`](super::transaction) is alone already; Postgres locks the row.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn lock(conn: &mut AnyConnection, id: UserId) -> Result<UserRow, DbError> {
    match conn {
        AnyConnection::Sqlite(sqlite) => users::table.find(id).select(UserRow::as_select()).first(sqlite),
        AnyConnection::Postgres(postgres) => {
            users::table.find(id).for_no_key_update().select(UserRow::as_select()).first(postgres)
        }
    }
    .or_not_found("the user")
}

/// The administrators who may sign in, locked as by [`lock`], in ascending order: so that of two who take each other's rights
/// away at the same time the second one sees what the first has done.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn lock_active_admins(conn: &mut AnyConnection) -> Result<Vec<UserId>, DbError> {
    let admins = users::table.filter(users::role.eq(Role::Admin)).filter(users::active.eq(true)).order(users::id);
    Ok(match conn {
        AnyConnection::Sqlite(sqlite) => admins.select(users::id).load(sqlite),
        AnyConnection::Postgres(postgres) => admins.for_no_key_update().select(users::id).load(postgres),
    }?)
}

/// Until the end of the caller's transaction nobody else gets past here with the same number, which stands for a name that no
/// user has: there is no row to lock.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn lock_nobody(conn: &mut AnyConnection, number: i64) -> Result<(), DbError> {
    if let AnyConnection::Postgres(postgres) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(number).execute(postgres)?;
    }
    Ok(())
}

/// The hash of a user's password.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn password_hash(conn: &mut AnyConnection, id: UserId) -> Result<String, DbError> {
    users::table.find(id).select(users::password_hash).first(conn).or_not_found("the user")
}

/// One page of the users, by name.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection, filter: &UserFilter, page: Page) -> Result<Listed<UserRow>, DbError> {
    let wanted = || {
        let mut query = users::table.into_boxed();
        if let Some(role) = filter.role {
            query = query.filter(users::role.eq(role));
        }
        if let Some(active) = filter.active {
            query = query.filter(users::active.eq(active));
        }
        if let Some(search) = &filter.search {
            query = query.filter(users::name_key.like(format!("%{}%", like_escaped(&key(search)))).escape('\\'));
        }
        query
    };
    let total = wanted().count().get_result(conn)?;
    let query = wanted().order(users::name_key).limit(page.sql_limit()).offset(page.sql_offset());
    Ok(Listed::new(query.select(UserRow::as_select()).load(conn)?, total))
}

/// Changes a user.
///
/// # Errors
/// [`DbError::NotFound`]; [`DbError::Rule`] for a machine.
pub fn update(conn: &mut AnyConnection, id: UserId, change: &UserChange) -> Result<(), DbError> {
    diesel::update(users::table.find(id)).set(change).execute(conn)?.or_not_found("the user")
}

/// A new password. Failed logins are forgotten.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn set_password(conn: &mut AnyConnection, id: UserId, hash: &str, now: NaiveDateTime) -> Result<(), DbError> {
    let new = (
        users::password_hash.eq(hash),
        users::password_changed_at.eq(now),
        users::failed_logins.eq(0),
        users::locked_until.eq(None::<NaiveDateTime>),
        users::updated_at.eq(now),
    );
    diesel::update(users::table.find(id)).set(new).execute(conn)?.or_not_found("the user")
}

/// The same password, hashed anew.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn set_hash(conn: &mut AnyConnection, id: UserId, hash: &str) -> Result<(), DbError> {
    diesel::update(users::table.find(id)).set(users::password_hash.eq(hash)).execute(conn)?.or_not_found("the user")
}

/// How many passwords in a row were wrong, and until when no other is looked at.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn set_failures(
    conn: &mut AnyConnection,
    id: UserId,
    failures: i32,
    locked_until: Option<NaiveDateTime>,
) -> Result<(), DbError> {
    let state = (users::failed_logins.eq(failures), users::locked_until.eq(locked_until));
    diesel::update(users::table.find(id)).set(state).execute(conn)?.or_not_found("the user")
}

/// The classes of a user, in ascending order.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn classes(conn: &mut AnyConnection, id: UserId) -> Result<Vec<ClassId>, DbError> {
    let classes = user_classes::table.filter(user_classes::user_id.eq(id)).order(user_classes::class_id);
    Ok(classes.select(user_classes::class_id).load(conn)?)
}

/// The classes of several users, ordered by user and class.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn classes_of(conn: &mut AnyConnection, ids: &[UserId]) -> Result<Vec<(UserId, ClassId)>, DbError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let classes = user_classes::table.filter(user_classes::user_id.eq_any(ids));
    let classes = classes.order((user_classes::user_id, user_classes::class_id));
    Ok(classes.select((user_classes::user_id, user_classes::class_id)).load(conn)?)
}

/// Gives a user these classes in place of those they have.
///
/// # Errors
/// [`DbError::Reference`] for a class or user that does not exist, [`DbError::Duplicate`] for a class that is named twice.
pub fn set_classes(conn: &mut AnyConnection, id: UserId, classes: &[ClassId]) -> Result<(), DbError> {
    diesel::delete(user_classes::table.filter(user_classes::user_id.eq(id))).execute(conn)?;
    for class in classes {
        let row = (user_classes::user_id.eq(id), user_classes::class_id.eq(*class));
        diesel::insert_into(user_classes::table).values(row).execute(conn)?;
    }
    Ok(())
}

/// Signs that mean something in a pattern stand for themselves.
fn like_escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

#[cfg(test)]
pub(crate) fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        name: name.into(),
        display_name: format!("The {name}"),
        role,
        password_hash: "$argon2id$...".into(),
        created_at: super::testing::at("2026-01-05 08:00:00.25"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{at, class, on_each_database};
    use crate::db::transaction;

    fn names(page: Listed<UserRow>) -> (Vec<String>, u64) {
        (page.rows.into_iter().map(|row| row.name).collect(), page.total)
    }

    on_each_database! {
        fn a_user_reads_back_and_is_found_whatever_the_case(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let id = insert(conn, &new_user(" Óscar ", Role::Teacher))?;
                let row = find_by_name(conn, "óSCAR")?.unwrap();
                assert_eq!(row, get(conn, id)?);
                assert_eq!(row, lock(conn, id)?);
                assert_eq!((row.name.as_str(), row.role, row.active), ("Óscar", Role::Teacher, true));
                assert_eq!((row.failed_logins, row.locked_until), (0, None));
                assert_eq!(row.password_changed_at, at("2026-01-05 08:00:00.25"));
                assert_eq!(password_hash(conn, id)?, "$argon2id$...");
                let taken = insert(conn, &new_user("ÓSCAR", Role::Viewer)).unwrap_err();
                assert_eq!(taken.to_string(), "a user with this name exists already");
                let machine = insert(conn, &new_user("robot", Role::Machine));
                assert!(matches!(machine, Err(DbError::Rule(_))), "{machine:?}");
                Ok(())
            }).unwrap();
        }

        fn users_are_listed_by_name_filtered_and_paged(db) {
            db.run_blocking::<_, DbError>(|conn| {
                for (name, role) in [("cara", Role::Teacher), ("Abe", Role::Admin), ("bo_b", Role::Teacher)] {
                    insert(conn, &new_user(name, role))?;
                }
                let all = UserFilter::default();
                assert_eq!(names(list(conn, &all, Page::first(2))?), (vec!["Abe".into(), "bo_b".into()], 3));
                assert_eq!(names(list(conn, &all, Page { limit: 2, offset: 2 })?), (vec!["cara".into()], 3));
                let teachers = UserFilter { role: Some(Role::Teacher), ..UserFilter::default() };
                assert_eq!(names(list(conn, &teachers, Page::first(9))?), (vec!["bo_b".into(), "cara".into()], 2));
                let search = |text: &str| UserFilter { search: Some(text.into()), ..UserFilter::default() };
                assert_eq!(names(list(conn, &search("O_B"), Page::first(9))?), (vec!["bo_b".into()], 1));
                // `_` is no wildcard: it does not find `bo_b` by `b__b`.
                assert_eq!(names(list(conn, &search("b__b"), Page::first(9))?), (vec![], 0));
                let abe = find_by_name(conn, "abe")?.unwrap();
                let left = UserChange {
                    display_name: None, role: None, active: Some(false), updated_at: at("2026-01-06 08:00:00"),
                };
                update(conn, abe.id, &left)?;
                let gone = UserFilter { active: Some(false), ..UserFilter::default() };
                assert_eq!(names(list(conn, &gone, Page::first(9))?), (vec!["Abe".into()], 1));
                Ok(())
            }).unwrap();
        }

        fn a_new_password_forgets_failed_logins(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let id = insert(conn, &new_user("ann", Role::Viewer))?;
                set_failures(conn, id, 7, Some(at("2026-01-05 08:30:00")))?;
                assert_eq!(get(conn, id)?.failed_logins, 7);
                set_hash(conn, id, "$same, anew")?;
                let row = get(conn, id)?;
                assert_eq!((row.locked_until, row.password_changed_at), (Some(at("2026-01-05 08:30:00")), row.created_at));
                set_password(conn, id, "$new", at("2026-01-06 08:00:00"))?;
                let row = get(conn, id)?;
                assert_eq!((row.failed_logins, row.locked_until), (0, None));
                assert_eq!(row.password_changed_at, at("2026-01-06 08:00:00"));
                assert_eq!(password_hash(conn, id)?, "$new");
                let nobody = set_password(conn, UserId(99), "$new", at("2026-01-06 08:00:00"));
                assert!(matches!(nobody, Err(DbError::NotFound { what: "the user" })));
                Ok(())
            }).unwrap();
        }

        fn only_administrators_who_may_sign_in_are_counted(db) {
            db.run_blocking(|conn| transaction::<_, DbError>(conn, |conn| {
                let first = insert(conn, &new_user("a", Role::Admin))?;
                let second = insert(conn, &new_user("b", Role::Admin))?;
                insert(conn, &new_user("c", Role::Teacher))?;
                assert_eq!(lock_active_admins(conn)?, [first, second]);
                let gone = UserChange {
                    display_name: None, role: None, active: Some(false), updated_at: at("2026-01-06 08:00:00"),
                };
                update(conn, first, &gone)?;
                assert_eq!(lock_active_admins(conn)?, [second]);
                Ok(())
            })).unwrap();
        }

        fn classes_are_replaced_as_a_whole(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (nine, ten) = (class(conn, "9")?, class(conn, "10")?);
                let (ann, ben) = (insert(conn, &new_user("ann", Role::Teacher))?, insert(conn, &new_user("ben", Role::Teacher))?);
                set_classes(conn, ann, &[ten, nine])?;
                set_classes(conn, ben, &[ten])?;
                assert_eq!(classes(conn, ann)?, [nine, ten]);
                assert_eq!(classes_of(conn, &[ben, ann])?, [(ann, nine), (ann, ten), (ben, ten)]);
                set_classes(conn, ann, &[])?;
                assert_eq!((classes(conn, ann)?, classes(conn, ben)?), (vec![], vec![ten]));
                Ok(())
            }).unwrap();
            let unknown = db.run_blocking(|conn| {
                let ann = find_by_name(conn, "ann")?.unwrap().id;
                set_classes(conn, ann, &[ClassId(99)])
            });
            assert!(matches!(unknown, Err(DbError::Reference)), "{unknown:?}");
        }
    }
}
