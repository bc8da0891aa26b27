//! Where the database is: reads the URL, opens one connection, and says the place without a password.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, ConnectionResult, SqliteConnection};

use super::{AnyConnection, DbError};

/// Every SQLite connection starts with these. The wait for a lock comes first, so that the others wait too.
///
/// WAL lets readers work while one writes; with it, NORMAL loses no commit when the program dies, and after a power cut
/// at worst the last ones, never consistency (sqlite.org/wal.html).
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                              PRAGMA foreign_keys = ON;";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Location {
    /// Reads `sqlite:FILE`, a plain file name, or `postgres://...`.
    pub(super) fn parse(url: &str) -> Result<Self, DbError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let file = url.strip_prefix("sqlite:").map_or(url, |rest| rest.strip_prefix("//").unwrap_or(rest));
        if let Some((scheme, _)) = file.split_once("://") {
            return Err(DbError::BadUrl { url: format!("{scheme}://...") });
        }
        // A database in memory belongs to one connection; a pool would see as many different ones.
        if file.is_empty() || file == ":memory:" {
            return Err(DbError::BadUrl { url: url.to_owned() });
        }
        Ok(Self::Sqlite(PathBuf::from(file)))
    }

    /// Whether something is there to open. A Postgres server is asked when connecting.
    pub(super) fn exists(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.is_file(),
            Self::Postgres(_) => true,
        }
    }

    pub(super) fn connect(&self) -> ConnectionResult<AnyConnection> {
        match self {
            Self::Sqlite(file) => {
                let mut connection = SqliteConnection::establish(&sqlite_name(file))?;
                connection.batch_execute(SQLITE_PRAGMAS).map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(AnyConnection::Sqlite(connection))
            }
            Self::Postgres(url) => Ok(AnyConnection::Postgres(diesel::PgConnection::establish(url)?)),
        }
    }
}

/// SQLite takes a name beginning with `file:` for a URI with options; `./file:` is a file.
fn sqlite_name(file: &Path) -> String {
    let file = if file.is_absolute() { file.to_owned() } else { Path::new(".").join(file) };
    file.to_string_lossy().into_owned()
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "{}", file.display()),
            Self::Postgres(url) => {
                let place = url.split_once("://").map_or("", |(_, place)| place);
                let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
                let place = place.split_once('?').map_or(place, |(host, _)| host);
                write!(f, "postgres://{place}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_with_or_without_a_scheme() {
        for url in ["school/rollcall.db", "sqlite:school/rollcall.db", "sqlite://school/rollcall.db"] {
            assert_eq!(Location::parse(url).unwrap(), Location::Sqlite("school/rollcall.db".into()));
        }
        assert_eq!(Location::parse("sqlite:///srv/a.db").unwrap(), Location::Sqlite("/srv/a.db".into()));
    }

    #[test]
    fn what_is_no_database_is_refused_without_repeating_a_password() {
        let error = Location::parse("mysql://root:secret@host/db").unwrap_err().to_string();
        assert!(error.contains("mysql://...") && !error.contains("secret"), "{error}");
        assert!(matches!(Location::parse(":memory:"), Err(DbError::BadUrl { .. })));
        assert!(matches!(Location::parse("sqlite:"), Err(DbError::BadUrl { .. })));
    }

    #[test]
    fn a_server_is_named_without_user_and_password() {
        let location = Location::Postgres("postgres://me:se@cret@db.school:5432/rollcall?password=secret".into());
        assert_eq!(location.to_string(), "postgres://db.school:5432/rollcall");
    }
}
