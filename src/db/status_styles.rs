//! How the school writes, counts and colours the five statuses: all five rows, or none.

use diesel::prelude::*;

use super::schema::status_styles;
use super::{AnyConnection, DbError};
use crate::domain::status::AttendanceStatus;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = status_styles, treat_none_as_default_value = false)]
pub struct StatusStyleRow {
    pub status: AttendanceStatus,
    pub label: String,
    pub short: String,
    /// 0..=100; none: it does not count.
    pub points_hundredths: Option<i32>,
    /// `#rrggbb`.
    pub colour: String,
}

/// The styles in no order; nothing where the school has set none.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn list(conn: &mut AnyConnection) -> Result<Vec<StatusStyleRow>, DbError> {
    Ok(status_styles::table.select(StatusStyleRow::as_select()).load(conn)?)
}

/// Sets all of them, in place of those before. Belongs into a transaction.
///
/// # Errors
/// [`DbError::Duplicate`] for a status or a short label that comes twice, and when somebody else sets them at the same time;
/// [`DbError::Rule`] for one that cannot be.
pub fn replace(conn: &mut AnyConnection, styles: &[StatusStyleRow]) -> Result<(), DbError> {
    diesel::delete(status_styles::table).execute(conn)?;
    for style in styles {
        diesel::insert_into(status_styles::table).values(style).execute(conn)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_each_database;
    use crate::db::transaction;
    use AttendanceStatus::{Absent, Late, Present, Unmarked};

    fn style(status: AttendanceStatus, short: &str, points_hundredths: Option<i32>) -> StatusStyleRow {
        let (label, colour) = (status.to_string(), "#1b7f3b".to_owned());
        StatusStyleRow { status, label, short: short.into(), points_hundredths, colour }
    }

    on_each_database! {
        fn styles_replace_those_before(db) {
            db.run_blocking::<_, DbError>(|conn| {
                assert_eq!(list(conn)?, []);
                replace(conn, &[style(Present, "P", Some(100)), style(Late, "L", Some(50))])?;
                replace(conn, &[style(Late, "P", None)])?;
                assert_eq!(list(conn)?, [style(Late, "P", None)]);
                Ok(())
            }).unwrap();
        }

        fn what_no_sheet_can_be_made_with_is_refused(db) {
            let refused = |styles: &[StatusStyleRow]| db.run_blocking(|conn| transaction(conn, |conn| replace(conn, styles)));
            for wrong in [
                style(Late, "late", None), style(Late, "", None), style(Late, "L", Some(101)), style(Present, "P", None),
                style(Unmarked, "?", Some(0)),
            ] {
                assert!(matches!(refused(std::slice::from_ref(&wrong)), Err(DbError::Rule(_))), "{wrong:?}");
            }
            let twice = refused(&[style(Late, "L", None), style(Absent, "L", Some(0))]);
            assert!(matches!(&twice, Err(DbError::Duplicate { what }) if what.contains("short mark")), "{twice:?}");
        }
    }
}
