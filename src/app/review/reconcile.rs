//! What a session adds up to: its faces and records as `domain::head_count` sees them.

use super::{Records, read};
use crate::app::School;
use crate::app::error::Error;
use crate::db::{AnyConnection, DbError, faces, sessions};
use crate::domain::assign::Reason;
use crate::domain::attendance::Flag;
use crate::domain::head_count::{Difference, FaceSeen, HeadCount, RecordSeen, Told};
use crate::domain::ids::SessionId;

/// A session's numbers, and what does not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    pub count: HeadCount,
    pub differences: Vec<Difference>,
}

/// What a session adds up to with what the teacher would say; changes nothing.
///
/// # Errors
/// `SESSION_NOT_FOUND`.
pub async fn head_count(school: &School, session: SessionId, told: Told) -> Result<Reconciliation, Error> {
    let zone = school.config.time_zone;
    school
        .read(move |conn| {
            let session = sessions::get(conn, session)?;
            let records = read(conn, session, zone)?;
            let count = count(conn, &records)?;
            Ok(Reconciliation { differences: count.differences(told), count })
        })
        .await
}

pub(super) fn count(conn: &mut AnyConnection, known: &Records) -> Result<HeadCount, DbError> {
    let faces: Vec<FaceSeen> = faces::said_in(conn, known.session.id)?
        .into_iter()
        .filter_map(|face| {
            let is_decided = face.reason.as_deref() == Some(Reason::Decided.as_str());
            Some(FaceSeen { verdict: face.verdict?, member: face.member_id, person: face.person, is_decided })
        })
        .collect();
    let records: Vec<RecordSeen> = known
        .records
        .iter()
        .map(|r| RecordSeen { member: r.member, status: r.status, source: r.source, is_on_roll: r.is_awaited })
        .collect();
    let raised = |flag: &Flag| known.session.flags.0.iter().any(|word| word == flag.as_str());
    let flags: Vec<Flag> = Flag::GUARDS.into_iter().filter(raised).collect();
    Ok(HeadCount::of(&faces, &records, &flags))
}
