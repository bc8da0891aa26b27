//! After an enrolment: who can be found now, and what a person should look at.

use std::collections::{BTreeMap, BTreeSet};

use super::CurrentRoster;
use crate::app::School;
use crate::app::error::Error;
use crate::app::session::{self, Matching};
use crate::db::members::{self, EnrolledRow};
use crate::db::{AnyConnection, DbError};
use crate::domain::ids::MemberId;

pub(super) struct Health {
    pub(super) enrolled: BTreeSet<MemberId>,
    pub(super) disagreeing: BTreeSet<MemberId>,
    pub(super) warnings: Vec<String>,
}

/// Who can be found now, and what a person should look at: samples that contradict each other, students that look alike.
pub(super) async fn look(
    school: &School,
    matching: Matching,
    roster: &CurrentRoster,
    touched: &BTreeSet<MemberId>,
) -> Result<Health, Error> {
    let names: BTreeMap<MemberId, String> =
        roster.entries.iter().map(|e| (e.member, format!("{} of {}-{}", e.roll_no, e.class, e.section))).collect();
    let (touched, classes) = (touched.clone(), roster.classes.clone());
    let today = session::today(matching.zone);
    school
        .read(move |conn| {
            let mut health = Health { enrolled: BTreeSet::new(), disagreeing: BTreeSet::new(), warnings: Vec::new() };
            for class in classes {
                let roll = members::between(conn, class, today, members::LAST_DAY)?;
                class_health(conn, &roll, &matching, (&names, &touched), &mut health)?;
            }
            Ok(health)
        })
        .await
}

fn class_health(
    conn: &mut AnyConnection,
    roll: &[EnrolledRow],
    matching: &Matching,
    (names, touched): (&BTreeMap<MemberId, String>, &BTreeSet<MemberId>),
    health: &mut Health,
) -> Result<(), DbError> {
    let (gallery, _) = session::gallery_of(conn, roll, matching)?;
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
