//! A part of a long list, and how long the whole is.
//!
//! Lists that people page through return [`Listed`]; what goes on from a cursor or is short needs neither.

use serde::Serialize;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows at most.
    pub limit: u32,
    /// Rows left out before them.
    pub offset: u64,
}

impl Page {
    /// Most rows that one page holds.
    pub const MAX: u32 = 500;

    /// The first `limit` rows.
    pub const fn first(limit: u32) -> Self {
        Self { limit, offset: 0 }
    }

    /// [`Page::MAX`] rows at most, whatever is asked for.
    pub(crate) fn sql_limit(self) -> i64 {
        i64::from(self.limit.min(Self::MAX))
    }

    pub(crate) fn sql_offset(self) -> i64 {
        i64::try_from(self.offset).unwrap_or(i64::MAX)
    }
}

/// The rows of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    /// Rows of the whole list.
    pub total: u64,
}

impl<T> Listed<T> {
    pub(crate) fn new(rows: Vec<T>, total: i64) -> Self {
        Self { rows, total: total.unsigned_abs() }
    }

    /// The same page of other values.
    pub fn map<U>(self, other: impl FnMut(T) -> U) -> Listed<U> {
        Listed { rows: self.rows.into_iter().map(other).collect(), total: self.total }
    }
}

/// A `LIKE` pattern, with `\\` as escape, for what contains `text`.
pub(super) fn containing(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
