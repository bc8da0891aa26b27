//! One connection type for both databases.
//!
//! Queries are written once against [`AnyConnection`]. Where diesel's `MultiConnection` has no common form
//! (`on_conflict`, several rows in one insert, row locks) a function looks at the variant, mostly with `each_backend!`.

use diesel::SqliteConnection;
use diesel::pg::PgConnection;

/// A connection to whichever database the URL chose.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Evaluates one expression with the connection behind an [`AnyConnection`], compiled once per database.
macro_rules! each_backend {
    ($connection:expr, $inner:ident => $body:expr) => {
        match $connection {
            $crate::db::AnyConnection::Sqlite($inner) => $body,
            $crate::db::AnyConnection::Postgres($inner) => $body,
        }
    };
}
pub(crate) use each_backend;

impl std::fmt::Debug for AnyConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(each_backend!(self, _c => std::any::type_name_of_val(_c)))
    }
}
