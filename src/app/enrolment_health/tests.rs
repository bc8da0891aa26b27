use super::*;
use crate::app::testing::{Class, noon, wait};
use crate::db::photos::PhotoResult;
use crate::db::records::{self, NewRecord};
use crate::db::samples::NewSample;
use crate::db::sessions::{self, NewSession};
use crate::db::testing::{day, new_photo, new_student, on_each_database, photo_result, quality, sha256};
use crate::db::{Json, faces, photos};
use crate::domain::assign::tests::looks_like;
use crate::domain::status::{AttendanceStatus, RecordSource};

const WISH: Wish = Wish { on: None, sessions: SESSIONS, order: Order::RollNo };

fn health(class: &Class, wish: Wish) -> ClassHealth {
    let wish = Wish { on: Some(day("2025-09-01")), ..wish };
    wait(of_class(&class.school, &class.matching, WhichClass::Id(class.id), wish)).unwrap()
}

fn roll_nos(health: &ClassHealth) -> Vec<&str> {
    health.members.iter().map(|m| m.roll_no.as_deref().unwrap()).collect()
}

fn codes(health: &ClassHealth, roll_no: &str) -> Vec<&'static str> {
    let member = health.members.iter().find(|m| m.roll_no.as_deref() == Some(roll_no)).unwrap();
    member.suggestions.iter().map(|advice| advice.code).collect()
}

fn portrait(class: &Class, member: MemberId, parts: &[(usize, f32)], image: u8) {
    class.run(|conn| {
        let new = NewSample {
            student_id: members::get(conn, member)?.student_id,
            pack_id: "starter".into(),
            pack_version: "1".into(),
            sha256: sha256(image),
            object_key: String::new(),
            embedding: looks_like(parts, image.into()),
            quality: Json(Some(quality())),
            weight: 0.5,
            created_at: noon(),
        };
        samples::insert(conn, &new)
    });
}

/// Sessions after the portraits were taken: the first member is found, the second asked about, the third not found; the
/// teacher says that all were there.
fn meet(class: &Class, times: u8) {
    for time in 1..=times {
        let (class_id, starts_at) = (class.id, noon() + chrono::TimeDelta::days(time.into()));
        class.run(|conn| {
            let new = NewSession { class_id, subject_id: None, name: None, starts_at, created_at: noon() };
            let session = sessions::find_or_insert(conn, &new)?.id;
            let photo = photos::insert(conn, &new_photo(session, time))?;
            photos::finish(conn, photo, &PhotoResult { faces_left_out: 0, processed_at: starts_at, ..photo_result() })?;
            let looks = [looks_like(&[(0, 0.8)], 1), looks_like(&[(1, 0.5)], 2)];
            let face = |(i, look)| faces::NewFace { embedding: Some(look), ..crate::db::testing::new_face(i) };
            let faces: Vec<_> = (0..).zip(looks).map(face).collect();
            faces::replace_for_photo(conn, photo, &faces)?;
            crate::app::session::settle(conn, session, &class.matching, starts_at)?;
            let said = class.members.map(|member_id| NewRecord {
                session_id: session,
                member_id,
                status: AttendanceStatus::Present,
                source: RecordSource::Manual,
                confidence: None,
                face_id: None,
                note: None,
                updated_at: starts_at,
            });
            records::upsert(conn, &said)
        });
    }
}

on_each_database! {
    fn a_class_shows_who_is_found_asked_about_and_missed(db) {
        let class = Class::new(db);
        meet(&class, 3);
        let all = health(&class, WISH);
        assert_eq!(roll_nos(&all), ["1", "2", "3", "4", "5"], "who has left is not on the roll");
        let counts = |i: usize| {
            let s = all.members[i].sightings;
            (s.sessions, s.matched, s.asked, s.missed)
        };
        assert_eq!([counts(0), counts(1), counts(2), counts(3)], [(3, 3, 0, 0), (3, 0, 3, 0), (3, 0, 0, 3), (0, 0, 0, 0)]);
        assert!(all.members[0].sightings.mean_confidence.unwrap() > 0.5);
        assert_eq!(codes(&all, "3")[0], "KEPT_MISSING");
        assert!(all.members[2].suggestions[0].text.contains("3 of 3 sessions"));
        assert_eq!((codes(&all, "4"), codes(&all, "5")), (vec!["NO_SAMPLE"], vec!["NO_CONSENT"]));
        let expected = Summary { members: 5, recognisable: 3, with_suggestions: 5, kept_missing: 1, learned: 0 };
        assert_eq!((all.summary, all.sessions), (expected, 3));
        assert_eq!(roll_nos(&health(&class, Wish { order: Order::Missed, ..WISH }))[..2], ["3", "2"]);
        assert_eq!(roll_nos(&health(&class, Wish { order: Order::Urgency, ..WISH })), ["5", "4", "3", "1", "2"]);
        assert_eq!(health(&class, Wish { sessions: 2, ..WISH }).members[2].sightings.missed, 2, "the newest two");
    }

    fn samples_are_measured_compared_and_told_apart(db) {
        let class = Class::new(db);
        let [asha, ravi, mina] = class.members;
        // Ravi's second portrait is somebody else; Mina's looks like Asha, and a third one outvotes it.
        portrait(&class, ravi, &[(5, 1.0)], 11);
        portrait(&class, mina, &[(2, 0.9)], 12);
        portrait(&class, mina, &[(7, 1.0)], 13);
        portrait(&class, class.unenrolled, &[(0, 0.8), (8, 0.6)], 14);
        let all = health(&class, WISH);
        assert_eq!(codes(&all, "2")[0], "SAMPLES_DISAGREE");
        assert!(all.members[1].disagree && all.members[1].nearest.is_none());
        assert_eq!((codes(&all, "3")[0], all.members[2].outliers, all.members[2].portraits), ("OUTLIERS", 1, 3));
        let best = all.members[2].best.unwrap();
        assert_eq!(best.quality, quality());
        let nearest = all.members[0].nearest.clone().unwrap();
        assert_eq!((nearest.member_id, nearest.roll_no.as_str(), nearest.looks_alike), (class.unenrolled.0, "4", true));
        assert!((nearest.cosine - 0.8).abs() < 1e-3);
        let advice = &all.members[0].suggestions[0];
        assert!(advice.code == "LOOKS_LIKE" && advice.text.contains("roll number 4"), "{advice:?}");
        assert_eq!(all.members[3].nearest.as_ref().map(|n| n.member_id), Some(asha.0));
    }

    fn a_student_is_shown_in_each_class_that_may_be_seen_or_alone(db) {
        let class = Class::new(db);
        let asha = class.run(|conn| members::get(conn, class.members[0])).student_id;
        let of = |student, among| wait(of_student(&class.school, &class.matching, (student, among), SESSIONS));
        let all = of(asha, None).unwrap();
        assert_eq!((all.len(), all[0].member_id, all[0].portraits), (1, Some(class.members[0].0), 1));
        let elsewhere = of(asha, Some(vec![ClassId(404)])).unwrap();
        assert_eq!((elsewhere.len(), elsewhere[0].class_id, elsewhere[0].nearest.is_some()), (1, None, false));
        let nowhere = class.run(|conn| students::insert(conn, &new_student("P9", Consent::Given)));
        let alone = of(nowhere, None).unwrap();
        assert_eq!((alone[0].member_id, alone[0].suggestions[0].code), (None, "NO_SAMPLE"));
        assert_eq!(of(StudentId(404), None).unwrap_err().code, crate::app::error::Code::StudentNotFound);
    }
}
