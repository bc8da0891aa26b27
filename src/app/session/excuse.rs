//! A session that has no photos yet: its register is taken by hand, or the photos are still to come.

use chrono::NaiveDateTime;
use chrono_tz::Tz;

use super::{corrections, day, record_row};
use crate::app::{events, leaves};
use crate::db::records::{self, NewRecord};
use crate::db::sessions::SessionRow;
use crate::db::{AnyConnection, DbError, members, photos};
use crate::domain::attendance::{Ground, Said, settle};
use crate::domain::fusion::Fused;
use crate::domain::gallery::Standing;
use crate::domain::ids::MemberId;
use crate::domain::status::{RecordSource, SessionState};

/// Excuses whoever is on leave on the day of a session without photos, and takes back what was excused so and is no more. Nobody
/// else has an automatic record: without photos nobody is absent. What a person has said stays. It needs no pack, as registers
/// are taken where there is none. Belongs into a transaction that holds the session's lock. False, and nothing is done, for a
/// session that has photos, was judged before or is confirmed.
pub(crate) fn excuse(
    conn: &mut AnyConnection,
    session: &SessionRow,
    zone: Tz,
    now: NaiveDateTime,
) -> Result<bool, DbError> {
    let is_settled = session.gallery_fingerprint.is_some() || session.state == SessionState::Confirmed;
    if is_settled || photos::counts(conn, session.id)?.total() > 0 {
        return Ok(false);
    }
    let today = day(session, zone);
    let roll = members::active_on(conn, session.class_id, today)?;
    let leaves = leaves::on_day(conn, &roll, today)?;
    let corrections = corrections(conn, session.id)?;
    let standing = |active| if active { Standing::Candidate } else { Standing::Inactive };
    let standings: Vec<(MemberId, Standing)> =
        roll.iter().map(|row| (row.member.id, standing(row.student.active))).collect();
    let on_leave: Vec<MemberId> = leaves.keys().copied().collect();
    let said = Said { corrections: &corrections, on_leave: &on_leave };
    let settled = settle(&standings, &[], &Fused::default(), said);
    let excused = settled.records.iter().filter(|r| r.source == RecordSource::Auto && r.ground == Ground::OnLeave);
    let rows: Vec<NewRecord> =
        excused.map(|r| record_row(session.id, r, leaves.get(&r.member).copied(), now)).collect();
    let excused: Vec<MemberId> = rows.iter().map(|row| row.member_id).collect();
    let taken_back = records::delete_automatic_but(conn, session.id, &excused)?;
    let written = records::upsert(conn, &rows)?;
    if written + taken_back > 0 {
        events::settled(conn, session.id, &settled, 0)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::audit::By;
    use crate::app::leaves::{LeaveEntry, add, remove};
    use crate::app::review::withdraw;
    use crate::app::session::{Created, SessionEntry, StartsAt, create};
    use crate::app::testing::{Class, noon, wait};
    use crate::db::records::RecordRow;
    use crate::db::testing::{at, day, on_each_database};
    use crate::db::{sessions, students};
    use crate::domain::access::{Actor, Reach};
    use crate::domain::ids::SessionId;
    use crate::domain::leave::LeaveKind;
    use crate::domain::status::AttendanceStatus::{self, Excused, Late};

    fn records(class: &Class, session: SessionId) -> Vec<(MemberId, AttendanceStatus, RecordSource)> {
        let said = |row: RecordRow| (row.member_id, row.status, row.source);
        class.run(|conn| records::list(conn, session)).into_iter().map(said).collect()
    }

    fn leave(class: &Class, member: MemberId) -> LeaveEntry {
        let student = class.run(|conn| members::get(conn, member)).student_id;
        LeaveEntry { student, days: (day("2025-09-01"), day("2025-09-02")), kind: LeaveKind::Sick, remark: None }
    }

    on_each_database! {
        fn a_session_without_photos_excuses_who_is_on_leave_and_nobody_is_absent(db) {
            let class = Class::new(db);
            let [asha, ravi, _] = class.members;
            let add = |member| wait(add(&class.school, leave(&class, member), By::command(), &Reach::All)).unwrap();
            class.correct(ravi, Late);
            let (row, effect) = add(asha);
            assert_eq!(effect.settled, [class.session]);
            let by_hand = (ravi, Late, RecordSource::Manual);
            assert_eq!(records(&class, class.session), [(asha, Excused, RecordSource::Auto), by_hand]);
            let note = class.run(|conn| records::list(conn, class.session)).remove(0).note;
            assert_eq!(note.as_deref(), Some("on sick leave from 2025-09-01 to 2025-09-02"));
            add(ravi);
            add(class.without_consent);
            let session = class.run(|conn| sessions::get(conn, class.session));
            assert_eq!((session.gallery_fingerprint, session.flags.0.len()), (None, 0), "nothing was judged");
            assert_eq!(records(&class, class.session).len(), 3);
            wait(remove(&class.school, row.id, By::command())).unwrap();
            let left = [by_hand, (class.without_consent, Excused, RecordSource::Auto)];
            assert_eq!(records(&class, class.session), left, "a leave that is taken back leaves no trace");
        }

        fn a_session_that_is_made_on_a_day_of_leave_excuses_at_once(db) {
            let class = Class::new(db);
            let asha = class.members[0];
            wait(add(&class.school, leave(&class, asha), By::command(), &Reach::All)).unwrap();
            let made = |starts_at: &str| {
                let starts_at = StartsAt::Utc(at(starts_at));
                let entry = SessionEntry { class: class.id, subject: None, name: Some("by hand".into()), starts_at };
                match wait(create(&class.school, entry)).unwrap() {
                    Created::New(row) => row.id,
                    Created::Existing(row) => panic!("there was {row:?}"),
                }
            };
            let excused = [(asha, Excused, RecordSource::Auto)];
            assert_eq!(records(&class, made("2025-09-02 03:30:00")), excused);
            assert_eq!(records(&class, made("2025-09-03 03:30:00")), []);
        }

        fn whoever_is_on_leave_is_excused_again_when_a_correction_is_withdrawn(db) {
            let class = Class::new(db);
            let asha = class.members[0];
            wait(add(&class.school, leave(&class, asha), By::command(), &Reach::All)).unwrap();
            class.correct(asha, Late);
            let withdrawn = withdraw(&class.school, class.session, asha, Actor::command(), None);
            assert_eq!(wait(withdrawn).unwrap().unwrap().status, Excused);
            assert_eq!(records(&class, class.session), [(asha, Excused, RecordSource::Auto)]);
        }

        fn photos_that_come_later_say_the_rest(db) {
            let class = Class::new(db);
            wait(add(&class.school, leave(&class, class.members[1]), By::command(), &Reach::All)).unwrap();
            class.photo(1, &[(&[(0, 0.8)], 1)]);
            let statuses = class.members.map(|member| class.status(member));
            assert_eq!(statuses, [AttendanceStatus::Present, Excused, AttendanceStatus::Absent]);
        }

        fn who_is_marked_inactive_is_not_excused(db) {
            let class = Class::new(db);
            let student = class.run(|conn| members::get(conn, class.members[0])).student_id;
            let left = students::StudentChange { active: Some(false), ..students::StudentChange::at(noon()) };
            class.run(|conn| students::update(conn, student, &left));
            wait(add(&class.school, leave(&class, class.members[0]), By::command(), &Reach::All)).unwrap();
            assert_eq!(records(&class, class.session), []);
        }
    }
}
