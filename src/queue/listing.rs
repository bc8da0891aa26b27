//! Jobs in pages, for people: those that somebody may see, by state and kind. Read only.

use diesel::prelude::*;

use super::JobState;
use super::store::JobRow;
use crate::db::page::{Listed, Page};
use crate::db::reach::ClassJobs;
use crate::db::schema::jobs;
use crate::db::{AnyConnection, DbError};

/// Which jobs are listed; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    pub state: Option<JobState>,
    pub kind: Option<String>,
    pub among: Option<Among>,
}

/// The jobs that somebody may see who may not see all.
#[derive(Debug, Clone)]
pub struct Among {
    /// Those they asked for, as `user:5`.
    pub own: Option<String>,
    /// And those about these classes.
    pub about: ClassJobs,
}

/// One page of the jobs, newest first.
///
/// # Errors
/// [`DbError::Query`] and its like when the database fails.
pub fn page(conn: &mut AnyConnection, filter: &JobFilter, page: Page) -> Result<Listed<JobRow>, DbError> {
    let total = wanted(filter).count().get_result(conn)?;
    let query = wanted(filter).order(jobs::id.desc()).limit(page.sql_limit()).offset(page.sql_offset());
    Ok(Listed::new(query.select(JobRow::as_select()).load(conn)?, total))
}

fn wanted(filter: &JobFilter) -> jobs::BoxedQuery<'_, <AnyConnection as Connection>::Backend> {
    let mut query = jobs::table.into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(jobs::state.eq(state.as_str()));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(jobs::kind.eq(kind));
    }
    if let Some(Among { own, about }) = &filter.among {
        let about = about.have_key("jobs.dedup_key");
        // Nobody is called like this, so nothing is theirs.
        let own = own.as_deref().unwrap_or_default();
        query = query.filter(jobs::owner.is_not_null().and(jobs::owner.assume_not_null().eq(own)).or(about));
    }
    query
}
