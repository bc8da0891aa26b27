//! A class in pilot on both databases: begun, compared, ended.

use super::*;
use crate::app::audit::AuditFilter;
use crate::app::exports::Sheet;
use crate::app::report::{RegisterOf, SheetFormat, register_of, session_file, workbook_of};
use crate::app::testing::{Class, wait};
use crate::db::Page;
use crate::db::testing::{at, day, new_session, on_each_database};
use crate::domain::access::Actor;
use crate::domain::ids::UserId;
use crate::domain::pilot::{Opinion, Outcome, PilotSessions, Readiness};
use crate::domain::status::AttendanceStatus;

fn now() -> DateTime<Utc> {
    at("2025-09-01 12:00:00").and_utc()
}

fn switch_to(class: &Class, to: Switch) -> Option<chrono::NaiveDateTime> {
    let by = By::from(Actor::user(UserId(7), "head"));
    wait(switch(&class.school, class.id, to, by, now())).unwrap().pilot_since
}

fn audit_lines(class: &Class) -> Vec<(String, String, Option<ClassId>)> {
    let lines = wait(audit::list(&class.school, AuditFilter::default(), Page::first(9))).unwrap().rows;
    lines.into_iter().map(|line| (line.action, line.actor, line.class_id)).collect()
}

fn found(class: &Class, register: &str) -> crate::domain::pilot::Comparison {
    let wish = CompareWish { class: Some(class.id), register: register.into(), days: (None, None) };
    wait(compare(&class.school, wish)).unwrap().comparison
}

fn register(class: &Class, pilots: PilotSessions) -> String {
    let days = (day("2025-09-01"), day("2025-09-30"));
    let wanted = RegisterOf { class: class.id, days, subject: None, pilots };
    String::from_utf8(wait(register_of(&class.school, wanted, SheetFormat::Csv)).unwrap()).unwrap()
}

on_each_database! {
    fn a_pilot_is_begun_and_ended_once_and_it_is_written_down_by_whom(db) {
        let class = Class::new(db);
        assert_eq!(switch_to(&class, Switch::End), None);
        assert_eq!(audit_lines(&class), []);
        assert_eq!(switch_to(&class, Switch::Begin), Some(at("2025-09-01 12:00:00")));
        assert_eq!(switch_to(&class, Switch::Begin), Some(at("2025-09-01 12:00:00")));
        assert_eq!(switch_to(&class, Switch::End), None);
        let line = |action: &str| (action.to_owned(), "head".to_owned(), Some(class.id));
        assert_eq!(audit_lines(&class), [line("class.end_pilot"), line("class.begin_pilot")]);
        let unknown = wait(switch(&class.school, ClassId(404), Switch::Begin, By::command(), now()));
        assert_eq!(unknown.unwrap_err().code, Code::ClassNotFound);
    }

    fn classes_are_found_by_their_label_and_listed_while_they_have_pilots(db) {
        let class = Class::new(db);
        let named = |class: &str, section: Option<&str>| NamedClass {
            class: class.into(), section: section.map(String::from), term: None,
        };
        let find = |wanted| wait(find(&class.school, wanted, Some(day("2025-09-01"))));
        for wanted in [named("9-a", None), named("9 A", None), named("9", Some("A"))] {
            assert_eq!(find(wanted.clone()).unwrap().id, class.id, "{wanted:?}");
        }
        let wrong = find(named("9-B", None)).unwrap_err();
        assert_eq!((wrong.code, wrong.message.contains("is 9-A meant?")), (Code::ClassNotFound, true), "{wrong}");
        assert_eq!(find(named("Physics", None)).unwrap_err().code, Code::ClassNotFound);

        assert_eq!(wait(list(&class.school)).unwrap(), []);
        let class = class.in_pilot();
        let listed = wait(list(&class.school)).unwrap();
        assert_eq!((listed[0].class.as_str(), listed[0].since, listed[0].sessions), ("9-A", Some(now()), 1));
        switch_to(&class, Switch::End);
        assert_eq!(wait(list(&class.school)).unwrap()[0].since, None, "it is still known that there was one");
    }

    fn what_the_program_found_is_laid_beside_the_register(db) {
        let class = Class::new(db).in_pilot();
        let [_, ravi, _] = class.members;
        class.photo(1, &[(&[(0, 0.9)], 0), (&[(2, 0.9)], 2), (&[], 7)]);
        // What a person says is not what the program says.
        class.correct(ravi, AttendanceStatus::Present);
        class.settle();
        let found = found(&class, "roll_no,2025-09-02,2025-09-01\n1,P,P\n2,P,\n3,A,\n4,P,\n5,P,\n6,P,\n");
        let told: Vec<_> = found.differences.iter().map(|d| (d.outcome, d.roll_no.as_str(), d.program)).collect();
        assert_eq!(told, [(Outcome::WrongPresent, "3", Opinion::Present), (Outcome::Missed, "2", Opinion::Absent)]);
        assert!(found.differences[0].confidence.is_some());
        assert_eq!(found.differences[0].photos, ["9-A_2025-09-01_0900.jpg"]);
        assert!(found.differences[1].reason.contains("1 person in the photos is unknown"), "{found:?}");
        assert_eq!((found.total.agree_present, found.total.not_comparable, found.total.records()), (1, 2, 5));
        let reasons: Vec<&str> = found.not_comparable.iter().map(|n| n.reason).collect();
        assert_eq!(reasons, ["no consent on record: never compared", "no usable enrolment photo"]);
        let left_out: Vec<&str> = found.left_out.iter().map(|l| l.reason.as_str()).collect();
        assert_eq!(left_out, [
            "session 1 is not of the pilot: it counts",
            "nobody of 9-A has roll number 6 on that day",
        ]);
        assert_eq!(found.verdict.readiness, Readiness::NotEnoughYet);

        // Nothing that people say afterwards changes it, nor the end of the pilot.
        class.correct(class.members[2], AttendanceStatus::Absent);
        class.settle();
        switch_to(&class, Switch::End);
        let again = self::found(&class, "roll_no,2025-09-02\n1,P\n2,P\n3,A\n4,P\n5,P\n");
        assert_eq!((again.total, again.differences), (found.total, found.differences));
    }

    fn a_comparison_needs_a_register_and_days_in_order(db) {
        let class = Class::new(db);
        let code = |class, register: &str, days| {
            let wish = CompareWish { class, register: register.into(), days };
            wait(compare(&class_school(db), wish)).unwrap_err().code
        };
        let good = "roll_no,2025-09-02\n1,P\n";
        assert_eq!(code(None, good, (None, None)), Code::SessionNotFound);
        assert_eq!(code(Some(ClassId(404)), good, (None, None)), Code::ClassNotFound);
        assert_eq!(code(Some(class.id), "roll_no,name\n1,Ann\n", (None, None)), Code::InvalidTable);
        let backwards = (Some(day("2025-09-02")), Some(day("2025-09-01")));
        assert_eq!(code(Some(class.id), good, backwards), Code::InvalidRequest);
    }

    fn sessions_of_a_pilot_count_nowhere_unless_somebody_asks(db) {
        let class = Class::new(db);
        let counting = class.session;
        class.photo(1, &[(&[(0, 0.9)], 0)]);
        let before = register(&class, PilotSessions::LeftOut);
        let class = class.in_pilot();
        class.photo(2, &[(&[(1, 0.9)], 1)]);
        assert_eq!(register(&class, PilotSessions::LeftOut), before);
        let with = register(&class, PilotSessions::Included);
        assert!(with.lines().next().unwrap().contains("2025-09-02 03:30 PILOT"), "{with}");

        let sheet = |id| String::from_utf8(wait(session_file(&class.school, id, SheetFormat::Csv.into())).unwrap()).unwrap();
        let pilot = sheet(class.session);
        assert!(pilot.lines().skip(1).all(|line| line.contains(",does not count,")), "{pilot}");
        assert!(!sheet(counting).contains("does not count"));

        switch_to(&class, Switch::End);
        let later = class.run(|conn| crate::db::sessions::find_or_insert(conn, &new_session(class.id, "2025-09-03 03:30:00")));
        assert!(!later.pilot);
        let after = register(&class, PilotSessions::LeftOut);
        assert!(after.contains("2025-09-03 03:30") && !after.contains("2025-09-02"), "{after}");
    }

    fn a_wish_from_before_there_were_pilots_leaves_them_out(db) {
        let class = Class::new(db).in_pilot();
        let days = ["2025-09-01", "2025-09-30"];
        let old = json!({ "workbook": { "class": class.id, "days": days, "subject": null } });
        let Sheet::Workbook(wanted) = serde_json::from_value(old).unwrap() else { panic!("it is a workbook") };
        assert_eq!(wanted.pilots, PilotSessions::LeftOut);
        assert!(!wait(workbook_of(&class.school, wanted)).unwrap().is_empty());
    }
}

fn class_school(db: &crate::db::Db) -> School {
    crate::app::testing::school(db)
}
