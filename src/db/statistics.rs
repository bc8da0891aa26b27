//! Counts over many sessions, for overviews. Reads only; one query each, whatever the number of classes and days, but for photos,
//! of which there are too many to hold.

use chrono::NaiveDateTime;
use diesel::dsl::count_star;
use diesel::prelude::*;
use serde_json::Value;

use super::column::Json;
use super::schema::{attendance_records as records, attendance_sessions as sessions, faces, session_photos as photos};
use super::{AnyConnection, DbError};
use crate::domain::ids::{ClassId, PhotoId, SessionId};
use crate::domain::status::{AttendanceStatus, PhotoState, Verdict};

/// Which sessions are counted; those of a pilot never are.
#[derive(Debug, Clone)]
pub struct Counted {
    /// None: of every class.
    pub among: Option<Vec<ClassId>>,
    /// From the first to before the last, UTC.
    pub times: (NaiveDateTime, NaiveDateTime),
}

/// A session that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct CountedSession {
    pub id: SessionId,
    pub class: ClassId,
    /// UTC.
    pub starts_at: NaiveDateTime,
    pub strangers: i32,
}

/// A photo that was looked at.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct LookedAtPhoto {
    pub id: PhotoId,
    /// UTC.
    pub at: NaiveDateTime,
    pub state: PhotoState,
    /// Milliseconds per stage.
    pub timings: Json<Value>,
}

/// `$query`, which knows sessions, of those that `$counted` means.
macro_rules! of_counted {
    ($query:expr, $counted:expr) => {{
        let (from, to) = $counted.times;
        let query = $query.filter(sessions::pilot.eq(false));
        let mut query = query.filter(sessions::starts_at.ge(from)).filter(sessions::starts_at.lt(to)).into_boxed();
        if let Some(among) = &$counted.among {
            query = query.filter(sessions::class_id.eq_any(among.iter().map(|id| id.0).collect::<Vec<_>>()));
        }
        query
    }};
}

/// The sessions, in order of time.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn sessions(conn: &mut AnyConnection, counted: &Counted) -> Result<Vec<CountedSession>, DbError> {
    Ok(of_counted!(sessions::table, counted)
        .order((sessions::starts_at, sessions::id))
        .select((sessions::id, sessions::class_id, sessions::starts_at, sessions::strangers))
        .load(conn)?)
}

/// How many records of each session have each status, in no order.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn statuses(
    conn: &mut AnyConnection,
    counted: &Counted,
) -> Result<Vec<(SessionId, AttendanceStatus, i64)>, DbError> {
    let by = (records::session_id, records::status);
    let query = records::table.inner_join(sessions::table).group_by(by);
    let query = query.select((records::session_id, records::status, count_star()));
    Ok(of_counted!(query, counted).load(conn)?)
}

/// How many faces of each session have each verdict, in no order.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn verdicts(
    conn: &mut AnyConnection,
    counted: &Counted,
) -> Result<Vec<(SessionId, Option<Verdict>, i64)>, DbError> {
    let by = (photos::session_id, faces::verdict);
    let query = faces::table.inner_join(photos::table.inner_join(sessions::table)).group_by(by);
    let query = query.select((photos::session_id, faces::verdict, count_star()));
    Ok(of_counted!(query, counted).load(conn)?)
}

/// The first `count` photos after the one with this id that were looked at within the times, whenever their session was; of pilots,
/// too. By their ids.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn photos(
    conn: &mut AnyConnection,
    counted: &Counted,
    after: PhotoId,
    count: usize,
) -> Result<Vec<LookedAtPhoto>, DbError> {
    let (from, to) = counted.times;
    let mut query = photos::table
        .inner_join(sessions::table)
        .filter(photos::id.gt(after))
        .filter(photos::processed_at.ge(from))
        .filter(photos::processed_at.lt(to))
        .filter(photos::state.eq_any([PhotoState::Done.as_str(), PhotoState::Failed.as_str()]))
        .order(photos::id)
        .limit(count as i64)
        .select((photos::id, photos::processed_at.assume_not_null(), photos::state, photos::timings))
        .into_boxed();
    if let Some(among) = &counted.among {
        query = query.filter(sessions::class_id.eq_any(among.iter().map(|id| id.0).collect::<Vec<_>>()));
    }
    Ok(query.load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::records::{NewRecord, upsert};
    use crate::db::testing::{at, new_face, new_photo, new_session, on_each_database, photo_result, school};
    use crate::db::{classes, faces as face_rows, photos as photo_rows, sessions as session_rows};
    use crate::domain::status::RecordSource;

    on_each_database! {
        fn what_is_counted_is_of_the_range_the_classes_and_no_pilot(db) {
            db.run_blocking::<_, DbError>(|conn| {
                let school = school(conn)?;
                let later = session_rows::find_or_insert(conn, &new_session(school.class, "2025-09-09 03:30:00"))?.id;
                classes::set_pilot(conn, school.class, Some(at("2025-09-02 00:00:00")))?;
                let pilot = session_rows::find_or_insert(conn, &new_session(school.class, "2025-09-02 03:30:00"))?.id;
                let record = |session_id, member_id, status| NewRecord {
                    session_id, member_id, status, source: RecordSource::Auto, confidence: None, face_id: None, note: None,
                    updated_at: at("2025-09-02 05:00:00"),
                };
                let [asha, ravi, mina] = school.members;
                upsert(conn, &[
                    record(school.session, asha, AttendanceStatus::Present),
                    record(school.session, ravi, AttendanceStatus::Present),
                    record(school.session, mina, AttendanceStatus::Absent),
                    record(pilot, asha, AttendanceStatus::Absent),
                    record(later, asha, AttendanceStatus::Absent),
                ])?;
                for session in [school.session, pilot] {
                    let photo = photo_rows::insert(conn, &new_photo(session, 1))?;
                    photo_rows::finish(conn, photo, &photo_result())?;
                    face_rows::replace_for_photo(conn, photo, &[new_face(0), new_face(1)])?;
                }
                let times = (at("2025-09-01 00:00:00"), at("2025-09-09 00:00:00"));
                let all = Counted { among: None, times };
                let found = sessions(conn, &all)?;
                assert_eq!(found.iter().map(|row| (row.id, row.class)).collect::<Vec<_>>(), [(school.session, school.class)]);
                let mut counts = statuses(conn, &all)?;
                counts.sort_by_key(|row| row.2);
                let expected = [(school.session, AttendanceStatus::Absent, 1), (school.session, AttendanceStatus::Present, 2)];
                assert_eq!(counts, expected);
                assert_eq!(verdicts(conn, &all)?, [(school.session, None, 2)]);
                let looked_at = photos(conn, &all, PhotoId(0), 9)?;
                assert_eq!(looked_at.len(), 2, "what pilots cost counts");
                assert_eq!(photos(conn, &all, PhotoId(0), 1)?, looked_at[..1]);
                assert_eq!(photos(conn, &all, looked_at[0].id, 9)?, looked_at[1..]);
                let nobody = Counted { among: Some(Vec::new()), times };
                assert_eq!((sessions(conn, &nobody)?, statuses(conn, &nobody)?), (vec![], vec![]));
                assert_eq!((verdicts(conn, &nobody)?, photos(conn, &nobody, PhotoId(0), 9)?), (vec![], vec![]));
                Ok(())
            }).unwrap();
        }
    }
}
