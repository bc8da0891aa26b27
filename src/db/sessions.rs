//! Sessions: one meeting of a class, told apart by class, start and name.

use chrono::{NaiveDateTime, TimeDelta};
use diesel::prelude::*;

use super::column::{Json, key};
use super::connection::each_backend;
use super::error::OrNotFound;
use super::page::{Listed, Page};
use super::schema::{attendance_sessions as sessions, classes};
use super::{AnyConnection, DbError};
use crate::domain::head_count::DifferenceNote;
use crate::domain::ids::{ClassId, SessionId, SubjectId, UserId};
use crate::domain::status::SessionState;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub struct SessionRow {
    pub id: SessionId,
    pub class_id: ClassId,
    pub subject_id: Option<SubjectId>,
    pub name: Option<String>,
    /// UTC.
    pub starts_at: NaiveDateTime,
    pub state: SessionState,
    /// Why the session waits for the teacher, in the words of `app`.
    pub flags: Json<Vec<String>>,
    /// Of the gallery that the stored verdicts come from.
    pub gallery_fingerprint: Option<String>,
    /// People nobody knows, grouped over the session's photos.
    pub strangers: i32,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
    /// UTC; present together with `confirmed_by`, while the session is confirmed.
    pub confirmed_at: Option<NaiveDateTime>,
    /// The name at that time.
    pub confirmed_by: Option<String>,
    #[diesel(embed)]
    pub reconciled: Reconciled,
    /// Made while its class was in pilot: it does not count.
    pub pilot: bool,
    /// The user who has signed it; none for a program, and when the user is gone.
    pub confirmed_by_id: Option<UserId>,
    /// What whoever took the register wants to be known.
    pub remark: Option<String>,
}

/// How a session added up when it was signed; nothing while it is not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = sessions, treat_none_as_null = true)]
pub struct Reconciled {
    /// Heads that the teacher counted in the room, guests included.
    pub head_count: Option<i32>,
    /// People in the room who are not of the class, as the teacher says.
    pub guests: Option<i32>,
    /// What did not add up.
    pub differences: Json<Vec<DifferenceNote>>,
    /// Why it was signed all the same.
    pub confirm_reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    pub class_id: ClassId,
    pub subject_id: Option<SubjectId>,
    pub name: Option<String>,
    /// UTC.
    pub starts_at: NaiveDateTime,
    pub created_at: NaiveDateTime,
}

/// What changes about a session; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = sessions)]
pub struct SessionChange {
    pub state: Option<SessionState>,
    pub flags: Option<Json<Vec<String>>>,
    pub gallery_fingerprint: Option<String>,
    pub strangers: Option<i32>,
    pub updated_at: NaiveDateTime,
}

impl SessionChange {
    /// Nothing but the time of the change; fill in the rest with `..`.
    pub const fn at(updated_at: NaiveDateTime) -> Self {
        Self { state: None, flags: None, gallery_fingerprint: None, strangers: None, updated_at }
    }
}

/// The session with this id.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn get(conn: &mut AnyConnection, id: SessionId) -> Result<SessionRow, DbError> {
    sessions::table.find(id).select(SessionRow::as_select()).first(conn).or_not_found("the session")
}

/// The session with this id, if there is one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find_by_id(conn: &mut AnyConnection, id: SessionId) -> Result<Option<SessionRow>, DbError> {
    Ok(sessions::table.find(id).select(SessionRow::as_select()).first(conn).optional()?)
}

/// [`get`], and until the end of the caller's transaction nobody else gets this session, or another one of its class, by `lock`:
/// sessions of a class are compared with each other, and one may change what is said of another.
///
/// On SQLite a [`transaction`](super::transaction) is alone already; Postgres locks the row of the class and then that of the
/// session.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn lock(conn: &mut AnyConnection, id: SessionId) -> Result<SessionRow, DbError> {
    let session = sessions::table.find(id).select(SessionRow::as_select());
    match conn {
        AnyConnection::Sqlite(sqlite) => session.first(sqlite),
        AnyConnection::Postgres(postgres) => {
            let class = sessions::table.find(id).select(sessions::class_id).into_boxed();
            classes::table
                .filter(classes::id.eq_any(class))
                .for_no_key_update()
                .select(classes::id)
                .first::<ClassId>(postgres)
                .or_not_found("the session")?;
            sessions::table.find(id).for_no_key_update().select(SessionRow::as_select()).first(postgres)
        }
    }
    .or_not_found("the session")
}

/// The session of this class, start and name, or else a new open one, which is of the pilot if the class is in one.
///
/// # Errors
/// [`DbError::Reference`] for an unknown class or subject.
pub fn find_or_insert(conn: &mut AnyConnection, new: &NewSession) -> Result<SessionRow, DbError> {
    if let Some(row) = find(conn, new.class_id, new.starts_at, new.name.as_deref())? {
        return Ok(row);
    }
    let name = new.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let class = classes::table.find(new.class_id).select(classes::pilot_since.is_not_null());
    let pilot: Option<bool> = class.first(conn).optional()?;
    let insert = diesel::insert_into(sessions::table).values((
        sessions::class_id.eq(new.class_id),
        sessions::subject_id.eq(new.subject_id),
        sessions::name.eq(name),
        sessions::name_key.eq(name.map(key).unwrap_or_default()),
        sessions::starts_at.eq(new.starts_at),
        sessions::state.eq(SessionState::Open),
        sessions::flags.eq(Json(Vec::<String>::new())),
        sessions::strangers.eq(0),
        sessions::created_at.eq(new.created_at),
        sessions::updated_at.eq(new.created_at),
        // Of an unknown class the reference says what is wrong.
        sessions::pilot.eq(pilot.unwrap_or(false)),
    ));
    each_backend!(conn, c => insert.on_conflict_do_nothing().execute(c))?;
    find(conn, new.class_id, new.starts_at, new.name.as_deref())?.ok_or(DbError::NotFound { what: "the session" })
}

/// The session of this class, start (UTC) and name, if there is one; names are compared without case.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find(
    conn: &mut AnyConnection,
    class: ClassId,
    starts_at: NaiveDateTime,
    name: Option<&str>,
) -> Result<Option<SessionRow>, DbError> {
    Ok(sessions::table
        .filter(sessions::class_id.eq(class))
        .filter(sessions::starts_at.eq(starts_at))
        .filter(sessions::name_key.eq(name.map(key).unwrap_or_default()))
        .select(SessionRow::as_select())
        .first(conn)
        .optional()?)
}

/// The session of a class that starts nearest to a time (UTC), at most `minutes` before or after; of two equally near
/// the earlier one.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn find_nearest(
    conn: &mut AnyConnection,
    class: ClassId,
    time: NaiveDateTime,
    minutes: u32,
) -> Result<Option<SessionRow>, DbError> {
    let reach = TimeDelta::minutes(i64::from(minutes));
    let around: Vec<SessionRow> = sessions::table
        .filter(sessions::class_id.eq(class))
        .filter(sessions::starts_at.between(time - reach, time + reach))
        .order((sessions::starts_at, sessions::id))
        .select(SessionRow::as_select())
        .load(conn)?;
    Ok(around.into_iter().min_by_key(|session| (session.starts_at - time).abs()))
}

/// The sessions of a class that start at `from` or later and before `to` (UTC), in order of time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(
    conn: &mut AnyConnection,
    class: ClassId,
    from: NaiveDateTime,
    to: NaiveDateTime,
) -> Result<Vec<SessionRow>, DbError> {
    Ok(sessions::table
        .filter(sessions::class_id.eq(class))
        .filter(sessions::starts_at.ge(from))
        .filter(sessions::starts_at.lt(to))
        .order((sessions::starts_at, sessions::id))
        .select(SessionRow::as_select())
        .load(conn)?)
}

/// Which sessions are listed; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    pub among: Option<Vec<ClassId>>,
    pub class: Option<ClassId>,
    /// Start at this time (UTC) or later.
    pub from: Option<NaiveDateTime>,
    /// Start before this time (UTC).
    pub to: Option<NaiveDateTime>,
    pub subject: Option<SubjectId>,
    pub state: Option<SessionState>,
}

/// One page of the sessions, newest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn page(conn: &mut AnyConnection, filter: &SessionFilter, page: Page) -> Result<Listed<SessionRow>, DbError> {
    let total = wanted(filter).count().get_result(conn)?;
    let query = wanted(filter).order((sessions::starts_at.desc(), sessions::id.desc()));
    let rows = query.limit(page.sql_limit()).offset(page.sql_offset()).select(SessionRow::as_select()).load(conn)?;
    Ok(Listed::new(rows, total))
}

fn wanted(filter: &SessionFilter) -> sessions::BoxedQuery<'_, <AnyConnection as Connection>::Backend> {
    let mut query = sessions::table.into_boxed();
    if let Some(among) = &filter.among {
        query = query.filter(sessions::class_id.eq_any(among.iter().map(|id| id.0).collect::<Vec<_>>()));
    }
    if let Some(class) = filter.class {
        query = query.filter(sessions::class_id.eq(class));
    }
    if let Some(from) = filter.from {
        query = query.filter(sessions::starts_at.ge(from));
    }
    if let Some(to) = filter.to {
        query = query.filter(sessions::starts_at.lt(to));
    }
    if let Some(subject) = filter.subject {
        query = query.filter(sessions::subject_id.eq(subject));
    }
    if let Some(state) = filter.state {
        query = query.filter(sessions::state.eq(state));
    }
    query
}

/// Makes the sessions of this name, compared without case, that have no subject yet sessions of this one; returns how
/// many there were.
///
/// # Errors
/// [`DbError::Reference`] for an unknown subject.
pub fn set_subject_of_name(conn: &mut AnyConnection, subject: SubjectId, name: &str) -> Result<usize, DbError> {
    let called = sessions::table.filter(sessions::name_key.eq(key(name))).filter(sessions::subject_id.is_null());
    Ok(diesel::update(called).set(sessions::subject_id.eq(subject)).execute(conn)?)
}

/// How many sessions are of a subject.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn count_of_subject(conn: &mut AnyConnection, subject: SubjectId) -> Result<i64, DbError> {
    Ok(sessions::table.filter(sessions::subject_id.eq(subject)).count().get_result(conn)?)
}

/// Every session that was settled at least once, by class and then in order of time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn settled(conn: &mut AnyConnection) -> Result<Vec<SessionRow>, DbError> {
    Ok(sessions::table
        .filter(sessions::gallery_fingerprint.is_not_null())
        .order((sessions::class_id, sessions::starts_at, sessions::id))
        .select(SessionRow::as_select())
        .load(conn)?)
}

/// How many sessions of a pilot each class has; of those that have any.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn count_pilots(conn: &mut AnyConnection) -> Result<Vec<(ClassId, i64)>, DbError> {
    Ok(sessions::table
        .filter(sessions::pilot.eq(true))
        .group_by(sessions::class_id)
        .order(sessions::class_id)
        .select((sessions::class_id, diesel::dsl::count_star()))
        .load(conn)?)
}

/// Changes a session.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn update(conn: &mut AnyConnection, id: SessionId, change: &SessionChange) -> Result<(), DbError> {
    diesel::update(sessions::table.find(id)).set(change).execute(conn)?.or_not_found("the session")
}

/// Who signs a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer<'a> {
    pub name: &'a str,
    /// None for a program.
    pub user: Option<UserId>,
}

/// Signs a session, under its lock.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn confirm(
    conn: &mut AnyConnection,
    id: SessionId,
    (by, at): (Signer<'_>, NaiveDateTime),
    reconciled: &Reconciled,
) -> Result<(), DbError> {
    let by = (sessions::confirmed_by.eq(by.name), sessions::confirmed_by_id.eq(by.user));
    let signed = (sessions::confirmed_at.eq(at), by, reconciled);
    diesel::update(sessions::table.find(id))
        .set((sessions::state.eq(SessionState::Confirmed), signed, sessions::updated_at.eq(at)))
        .execute(conn)?
        .or_not_found("the session")
}

/// Gives a session a name, or none, and a subject, or none.
///
/// # Errors
/// [`DbError::NotFound`], [`DbError::Reference`] for an unknown subject; [`DbError::Duplicate`] when the class has another
/// session of this name at the same time.
pub fn set_name_and_subject(
    conn: &mut AnyConnection,
    id: SessionId,
    name: Option<&str>,
    subject: Option<SubjectId>,
    now: NaiveDateTime,
) -> Result<(), DbError> {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    diesel::update(sessions::table.find(id))
        .set((
            sessions::name.eq(name),
            sessions::name_key.eq(name.map(key).unwrap_or_default()),
            sessions::subject_id.eq(subject),
            sessions::updated_at.eq(now),
        ))
        .execute(conn)?
        .or_not_found("the session")
}

/// Sets what is remarked of a session, or nothing.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn set_remark(
    conn: &mut AnyConnection,
    id: SessionId,
    remark: Option<&str>,
    now: NaiveDateTime,
) -> Result<(), DbError> {
    diesel::update(sessions::table.find(id))
        .set((sessions::remark.eq(remark), sessions::updated_at.eq(now)))
        .execute(conn)?
        .or_not_found("the session")
}

/// Takes the signature back, under the session's lock: it waits for the teacher again.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn reopen(conn: &mut AnyConnection, id: SessionId, at: NaiveDateTime) -> Result<(), DbError> {
    let nobody = (
        sessions::confirmed_at.eq(None::<NaiveDateTime>),
        sessions::confirmed_by.eq(None::<String>),
        sessions::confirmed_by_id.eq(None::<UserId>),
    );
    let unsigned = (nobody, Reconciled::default());
    diesel::update(sessions::table.find(id))
        .set((sessions::state.eq(SessionState::Review), unsigned, sessions::updated_at.eq(at)))
        .execute(conn)?
        .or_not_found("the session")
}

/// Removes a session with everything of it.
///
/// # Errors
/// [`DbError::NotFound`].
pub fn delete(conn: &mut AnyConnection, id: SessionId) -> Result<(), DbError> {
    diesel::delete(sessions::table.find(id)).execute(conn)?.or_not_found("the session")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::subjects;
    use crate::db::testing::{at, class, new_session, on_each_database};
    use crate::db::transaction;

    const ANN: Signer<'static> = Signer { name: "ann", user: None };

    on_each_database! {
        fn sessions_of_a_name_become_those_of_a_subject_and_settled_ones_are_listed(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let called = NewSession { name: Some("ALGEBRA".into()), ..new_session(class, "2025-09-02 03:30:00") };
                let algebra = find_or_insert(conn, &called)?.id;
                let other = find_or_insert(conn, &new_session(class, "2025-09-01 03:30:00"))?.id;
                let subject = crate::db::subjects::find_or_insert(conn, "Algebra")?.id;
                assert_eq!(set_subject_of_name(conn, subject, "Algebra ")?, 1);
                assert_eq!(set_subject_of_name(conn, subject, "Algebra")?, 0);
                assert_eq!(count_of_subject(conn, subject)?, 1);
                assert_eq!((get(conn, algebra)?.subject_id, get(conn, other)?.subject_id), (Some(subject), None));
                assert_eq!(settled(conn)?, []);
                let change = SessionChange {
                    gallery_fingerprint: Some("f".into()),
                    ..SessionChange::at(at("2025-09-02 10:00:00"))
                };
                update(conn, algebra, &change)?;
                assert_eq!(settled(conn)?.into_iter().map(|s| s.id).collect::<Vec<_>>(), [algebra]);
                Ok(())
            }).unwrap();
        }

        fn the_same_class_time_and_name_is_the_same_session(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let unnamed = new_session(class, "2025-09-01 03:30:00");
                let first = find_or_insert(conn, &unnamed)?;
                assert_eq!((first.state, first.strangers, &first.flags), (SessionState::Open, 0, &Json(vec![])));
                assert_eq!(find_or_insert(conn, &unnamed)?, first);
                assert_eq!(find_or_insert(conn, &NewSession { name: Some(" ".into()), ..unnamed.clone() })?, first);
                let named = find_or_insert(conn, &NewSession { name: Some("Maths".into()), ..unnamed.clone() })?;
                assert_ne!(named.id, first.id);
                assert_eq!(find_or_insert(conn, &NewSession { name: Some("MATHS ".into()), ..unnamed })?, named);
                assert_eq!(get(conn, named.id)?.name.as_deref(), Some("Maths"));
                Ok(())
            }).unwrap();
        }

        fn the_nearest_session_within_reach_is_found(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (nine, ten) = (class(conn, "9")?, class(conn, "10")?);
                let early = find_or_insert(conn, &new_session(nine, "2025-09-01 03:30:00"))?;
                let late = find_or_insert(conn, &new_session(nine, "2025-09-01 04:00:00"))?;
                let mut nearest = |class, time, minutes| find_nearest(conn, class, at(time), minutes).unwrap();
                assert_eq!(nearest(nine, "2025-09-01 03:50:00", 20).as_ref(), Some(&late));
                assert_eq!(nearest(nine, "2025-09-01 03:45:00", 20).as_ref(), Some(&early), "the earlier of two");
                assert_eq!(nearest(nine, "2025-09-01 03:10:00", 20).as_ref(), Some(&early), "the reach is included");
                assert_eq!(nearest(nine, "2025-09-01 03:09:59", 20), None);
                assert_eq!(nearest(ten, "2025-09-01 03:30:00", 20), None);
                Ok(())
            }).unwrap();
        }

        fn a_range_includes_its_start_and_not_its_end(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let mut ids = Vec::new();
                for time in ["2025-09-02 00:00:00", "2025-09-01 00:00:00", "2025-09-01 23:59:59.999"] {
                    ids.push(find_or_insert(conn, &new_session(class, time))?.id);
                }
                let rows = list(conn, class, at("2025-09-01 00:00:00"), at("2025-09-02 00:00:00"))?;
                assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[1], ids[2]]);
                Ok(())
            }).unwrap();
        }

        fn sessions_are_listed_newest_first_filtered_and_paged(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let (nine, ten) = (class(conn, "9")?, class(conn, "10")?);
                let maths = subjects::find_or_insert(conn, "Maths")?.id;
                let mut open = |class, time| find_or_insert(conn, &new_session(class, time)).map(|row| row.id);
                let first = open(nine, "2025-09-01 03:30:00")?;
                let same_time = open(ten, "2025-09-01 03:30:00")?;
                let last = open(nine, "2025-09-02 03:30:00")?;
                let taught = NewSession { subject_id: Some(maths), ..new_session(ten, "2025-08-31 03:30:00") };
                let taught = find_or_insert(conn, &taught)?.id;
                confirm(conn, first, (ANN, at("2025-09-01 12:00:00")), &Reconciled::default())?;
                let mut of = |filter: SessionFilter, limit, offset| {
                    let listed = page(conn, &filter, Page { limit, offset })?;
                    Ok::<_, DbError>((listed.rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), listed.total))
                };
                let any = SessionFilter::default;
                assert_eq!(of(any(), 9, 0)?, (vec![last, same_time, first, taught], 4));
                assert_eq!(of(any(), 2, 1)?, (vec![same_time, first], 4));
                assert_eq!(of(SessionFilter { class: Some(nine), ..any() }, 1, 0)?, (vec![last], 2));
                assert_eq!(of(SessionFilter { among: Some(vec![ten]), ..any() }, 9, 0)?.0, [same_time, taught]);
                let others = SessionFilter { among: Some(vec![ten]), class: Some(nine), ..any() };
                assert_eq!(of(others, 9, 0)?, (vec![], 0));
                assert_eq!(of(SessionFilter { among: Some(vec![]), ..any() }, 9, 0)?, (vec![], 0));
                let day = (Some(at("2025-09-01 00:00:00")), Some(at("2025-09-02 03:30:00")));
                assert_eq!(of(SessionFilter { from: day.0, to: day.1, ..any() }, 9, 0)?.0, [same_time, first]);
                assert_eq!(of(SessionFilter { subject: Some(maths), ..any() }, 9, 0)?.0, [taught]);
                assert_eq!(of(SessionFilter { state: Some(SessionState::Confirmed), ..any() }, 9, 0)?.0, [first]);
                Ok(())
            }).unwrap();
        }

        fn a_session_is_signed_and_the_signature_taken_back(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let row = find_or_insert(conn, &new_session(class, "2025-09-01 03:30:00"))?;
                let (noon, later) = (at("2025-09-01 12:00:00"), at("2025-09-01 13:00:00"));
                let reconciled = Reconciled {
                    head_count: Some(28),
                    guests: Some(1),
                    differences: Json(vec![DifferenceNote { code: "COUNT_DIFFERS".into(), text: "28, not 27".into() }]),
                    confirm_reason: Some("two were at the door".into()),
                };
                confirm(conn, row.id, (ANN, noon), &reconciled)?;
                let signed = SessionRow {
                    state: SessionState::Confirmed,
                    confirmed_at: Some(noon),
                    confirmed_by: Some("ann".into()),
                    reconciled,
                    updated_at: noon,
                    ..row.clone()
                };
                assert_eq!(get(conn, row.id)?, signed);
                reopen(conn, row.id, later)?;
                assert_eq!(get(conn, row.id)?, SessionRow { state: SessionState::Review, updated_at: later, ..row });
                assert!(matches!(confirm(conn, SessionId(404), (ANN, noon), &Reconciled::default()), Err(DbError::NotFound { .. })));
                assert!(matches!(reopen(conn, SessionId(404), noon), Err(DbError::NotFound { .. })));
                Ok(())
            }).unwrap();
        }

        fn an_update_under_a_lock_is_kept(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let class = class(conn, "9")?;
                let subject = subjects::find_or_insert(conn, "Maths")?;
                let new = NewSession { subject_id: Some(subject.id), ..new_session(class, "2025-09-01 03:30:00") };
                let before = find_or_insert(conn, &new)?;
                let later = at("2025-09-01 04:30:00");
                let change = SessionChange {
                    state: Some(SessionState::Review),
                    flags: Some(Json(vec!["empty_room".into()])),
                    gallery_fingerprint: Some("abc".into()),
                    strangers: Some(2),
                    updated_at: later,
                };
                transaction(conn, |conn| {
                    assert_eq!(lock(conn, before.id)?, before);
                    update(conn, before.id, &change)
                })?;
                update(conn, before.id, &SessionChange::at(later))?;
                let expected = SessionRow {
                    state: SessionState::Review,
                    flags: Json(vec!["empty_room".into()]),
                    gallery_fingerprint: Some("abc".into()),
                    strangers: 2,
                    updated_at: later,
                    ..before
                };
                assert_eq!(get(conn, expected.id)?, expected);
                assert!(matches!(lock(conn, SessionId(404)), Err(DbError::NotFound { .. })));
                Ok(())
            }).unwrap();
        }
    }
}
