//! After an enrolment: who can be found now, and what a person should look at.

use std::collections::{BTreeMap, BTreeSet};

use super::CurrentRoster;
use crate::app::School;
use crate::app::error::Error;
use crate::app::session::{self, Matching};
use crate::db::members::{self, EnrolledRow};
use crate::db::samples::{self, SampleRow};
use crate::db::{AnyConnection, DbError, classes};
use crate::domain::enrolment_health::look_alike_line;
use crate::domain::ids::{MemberId, StudentId};
use crate::domain::template::{Sample, TemplateError, template};

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

/// What a student's samples say together.
pub(super) struct StudentHealth {
    /// They contradict each other: the student cannot be found by face.
    pub(super) disagree: bool,
    pub(super) warnings: Vec<String>,
}

/// The same for one student, in whatever classes of today and later.
pub(super) async fn of_student(
    school: &School,
    matching: Matching,
    student: StudentId,
) -> Result<StudentHealth, Error> {
    let today = session::today(matching.zone);
    school
        .read(move |conn| {
            let mut health = judged_alone(conn, &matching, student)?;
            for stay in members::of_student(conn, student)? {
                if stay.valid_to.is_some_and(|last| last < today) {
                    continue;
                }
                let class = classes::get(conn, stay.class_id)?;
                let roll = members::between(conn, class.id, today, members::LAST_DAY)?;
                let name = |row: &EnrolledRow| format!("{} of {}-{}", row.member.roll_no, class.name, class.section);
                let names = roll.iter().map(|row| (row.member.id, name(row))).collect();
                let mut of_class =
                    Health { enrolled: BTreeSet::new(), disagreeing: BTreeSet::new(), warnings: Vec::new() };
                class_health(conn, &roll, &matching, (&names, &BTreeSet::from([stay.id])), &mut of_class)?;
                health.warnings.extend(of_class.warnings);
            }
            Ok(health)
        })
        .await
}

/// A student's samples, whether or not they are in a class.
fn judged_alone(conn: &mut AnyConnection, matching: &Matching, student: StudentId) -> Result<StudentHealth, DbError> {
    let stored = samples::for_students(conn, &matching.pack.id, &matching.pack.version, &[student])?;
    let samples: Vec<Sample> = stored.into_iter().map(SampleRow::into_sample).collect();
    let (disagree, outliers) = match template(&samples, &matching.scoring) {
        Ok(template) => (false, template.outliers.len()),
        Err(TemplateError::Disagree { .. }) => (true, 0),
        Err(TemplateError::NoSample) => (false, 0),
    };
    let left_out = || format!("{outliers} of {} samples look like somebody else and do not count", samples.len());
    Ok(StudentHealth { disagree, warnings: (outliers > 0).then(left_out).into_iter().collect() })
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
    for (a, b, score) in gallery.look_alikes(look_alike_line(&matching.scoring.lines), &matching.scoring) {
        if touched.contains(&a) || touched.contains(&b) {
            let alike = format!("{} and {} look alike (cosine {:.2})", name(&a), name(&b), score.cosine);
            health.warnings.push(format!("{alike}: expect doubts between them"));
        }
    }
    Ok(())
}
