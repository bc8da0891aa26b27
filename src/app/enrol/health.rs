//! After an enrolment: who can be found now, and what a person should look at.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;

use crate::app::error::Error;
use crate::app::session::{self, Matching};
use crate::app::{Recogniser, School};
use crate::db::{AnyConnection, DbError, classes};
use crate::domain::folder_name::RosterEntry;
use crate::domain::ids::{ClassId, MemberId};

pub(super) struct Health {
    pub(super) enrolled: BTreeSet<MemberId>,
    pub(super) disagreeing: BTreeSet<MemberId>,
    pub(super) warnings: Vec<String>,
}

/// Who can be found now, and what a person should look at: samples that contradict each other, students that look alike.
pub(super) async fn look(
    school: &School,
    recogniser: &Recogniser,
    roster: &[RosterEntry],
    touched: &BTreeSet<MemberId>,
) -> Result<Health, Error> {
    let matching = recogniser.matching(school);
    let names: BTreeMap<MemberId, String> =
        roster.iter().map(|e| (e.member, format!("{} of {}-{}", e.roll_no, e.class, e.section))).collect();
    let touched = touched.clone();
    let term = school.config.term.clone();
    school
        .read(move |conn| {
            let mut health = Health { enrolled: BTreeSet::new(), disagreeing: BTreeSet::new(), warnings: Vec::new() };
            let ids: Vec<ClassId> = classes::list(conn, Some(&term))?.into_iter().map(|c| c.id).collect();
            for class in ids {
                class_health(conn, class, &matching, (&names, &touched), &mut health)?;
            }
            Ok(health)
        })
        .await
}

fn class_health(
    conn: &mut AnyConnection,
    class: ClassId,
    matching: &Matching,
    (names, touched): (&BTreeMap<MemberId, String>, &BTreeSet<MemberId>),
    health: &mut Health,
) -> Result<(), DbError> {
    let (_, gallery, _) = session::gallery(conn, class, Utc::now().date_naive(), matching)?;
    let name = |member: &MemberId| names.get(member).cloned().unwrap_or_else(|| member.to_string());
    health.enrolled.extend(gallery.candidates().iter().map(|c| c.member).filter(|m| touched.contains(m)));
    health.disagreeing.extend(gallery.disagreeing());
    // Nearer than this, a face of one at the accept line may have the other within the margin.
    let lines = matching.scoring.lines;
    for (a, b, score) in gallery.look_alikes(lines.accept + lines.margin, &matching.scoring) {
        if touched.contains(&a) || touched.contains(&b) {
            let alike = format!("{} and {} look alike (cosine {:.2})", name(&a), name(&b), score.cosine);
            health.warnings.push(format!("{alike}: expect doubts between them"));
        }
    }
    Ok(())
}
