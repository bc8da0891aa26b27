//! Registers as teachers write them, beside sessions whose outcome is known.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use chrono_tz::Asia::Kolkata;
use proptest::prelude::*;

use super::*;
use crate::domain::class_label::{ClassLabels, class_refs};
use crate::domain::ids::{ClassId, MemberId, SessionId, StudentId};
use crate::domain::sheet::StatusLabels;
use crate::domain::status::AttendanceStatus;

fn register(text: &str) -> Register {
    parse_register(text.as_bytes(), &StatusLabels::default(), Kolkata).unwrap()
}

fn at(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The marks as `(line, meeting, roll number, status)`.
fn marks(register: &Register) -> Vec<(u64, Meeting, &str, AttendanceStatus)> {
    register.entries.iter().map(|e| (e.line, e.meeting, e.roll_no.as_str(), e.status)).collect()
}

fn reasons(register: &Register) -> Vec<String> {
    register.left_out.iter().map(|l| format!("{} {}", l.line, l.reason)).collect()
}

/// A lesson of CSE-A (class 1) whose roll has these opinions, numbered from 01.
fn lesson(session: i64, starts_at: &str, opinions: &[Option<Opinion>]) -> Lesson {
    let entry = |(number, opinion): (i64, &Option<Opinion>)| RollEntry {
        member: MemberId(number),
        student: StudentId(number),
        roll_no: format!("CSE-A-{number:02}"),
        name: format!("Student {number}"),
        opinion: *opinion,
        confidence: (*opinion == Some(Opinion::Present)).then_some(0.98),
        photo: (*opinion == Some(Opinion::Present)).then(|| "full.jpg".to_owned()),
    };
    Lesson {
        session: SessionId(session),
        class: ClassId(1),
        label: "CSE-A".into(),
        starts_at: at(starts_at),
        kind: LessonKind::Pilot,
        strangers: 1,
        photos: vec!["full.jpg".into(), "left.jpg".into()],
        roll: (1..).zip(opinions).map(entry).collect(),
    }
}

fn compared(text: &str, lessons: &[Lesson]) -> Comparison {
    compared_on(text, lessons, (None, None))
}

fn compared_on(text: &str, lessons: &[Lesson], days: (Option<NaiveDate>, Option<NaiveDate>)) -> Comparison {
    let classes = ClassLabels::new(class_refs(&[("CSE", "A")]));
    compare(register(text), &Scope { classes: &classes, lessons, days, tolerance: TimeDelta::minutes(20) })
}

use AttendanceStatus::{Absent, Excused, Late, Present};

#[test]
fn a_row_for_each_mark_is_read_in_the_usual_spellings() {
    let read = register(
        "Date;Start time;Session no;Roll No.;Attendance\n\
         2026-11-16;09:00;;01;P\n\
         2026-11-16;;;02;absent\n\
         ;;7;03;Late\n\
         ;2026-11-16T03:30Z;;04;e\n\
         2026-11-16 00:00:00;0900;;05;Ab\n\
         2026-11-16;;;06;?\n\
         2026-11-16;2026-11-16 09:00;;07;P\n\
         2026-11-16;2026-11-17 09:00;;08;P\n",
    );
    let nine = Meeting::At(at("2026-11-16 09:00"));
    let on_day = Meeting::Day(day("2026-11-16"));
    assert_eq!(
        marks(&read),
        [
            (2, nine, "01", Present),
            (3, on_day, "02", Absent),
            (4, Meeting::Session(SessionId(7)), "03", Late),
            (5, nine, "04", Excused),
            (6, nine, "05", Absent),
            (8, nine, "07", Present),
        ]
    );
    assert!(
        read.left_out.len() == 1 && read.left_out[0].reason.starts_with("\"2026-11-16 2026-11-17 09:00\" is no time")
    );
}

#[test]
fn a_column_for_each_day_is_read_and_other_columns_are_not() {
    let read = register(
        "roll_no,name,2026-11-16 09:00 Algebra,17/11/2026,2026-11-18,percentage\n\
         01,Ann,P,P,A,50\n\
         02,Bob,,P,l,100\n\
         03,Cy,x,P,P,100\n",
    );
    let (nine, on_day) = (Meeting::At(at("2026-11-16 09:00")), Meeting::Day(day("2026-11-18")));
    assert_eq!(
        marks(&read),
        [(2, nine, "01", Present), (2, on_day, "01", Absent), (3, on_day, "02", Late), (4, on_day, "03", Present)]
    );
    assert_eq!(
        reasons(&read),
        [
            "1 heading \"17/11/2026\" is no day; write 2026-11-16 or 2026-11-16 09:00",
            "4 \"x\" is no status; write p, a, l or e, or the school's own labels",
        ]
    );
    assert_eq!(read.left_out[1].column.as_deref(), Some("2026-11-16 09:00 Algebra"));
}

#[test]
fn the_schools_own_labels_go_before_the_usual_words() {
    let own = StatusLabels::new(|status| match status {
        Excused => "L".to_owned(),
        Late => "T".to_owned(),
        other => StatusLabels::default().label(other).to_owned(),
    });
    let text = "roll_no,2026-11-16\n1,L\n2,t\n3,late\n";
    let read = parse_register(text.as_bytes(), &own.unwrap(), Kolkata).unwrap();
    assert_eq!(read.entries.iter().map(|e| e.status).collect::<Vec<_>>(), [Excused, Late, Late]);
}

#[test]
fn what_cannot_be_read_is_listed_and_what_is_no_register_is_refused() {
    let read = register(
        "date,time,roll_no,status\n16.11.26,,1,P\n2026-11-16,nine,2,P\n,,3,P\n2026-11-16,,4,X\n2026-11-16,,,P\n",
    );
    assert_eq!(read.entries, []);
    let reasons = reasons(&read);
    let begins =
        ["6 is empty", "2 \"16.11.26\" is no time", "3 \"2026-11-16 nine\" is no time", "4 says neither", "5 \"X\""];
    assert_eq!(reasons.len(), begins.len(), "{reasons:?}");
    for (reason, begin) in reasons.iter().zip(begins) {
        assert!(reason.starts_with(begin), "{reason}");
    }
    let refused =
        |text: &str| parse_register(text.as_bytes(), &StatusLabels::default(), Kolkata).unwrap_err().to_string();
    assert!(refused("roll_no,name\n1,Ann\n").contains("neither a column \"status\" nor one headed by a day"));
    assert!(refused("name,status\nAnn,P\n").contains("roll_no: column is missing"));
    assert_eq!(refused(""), "file is empty");
    let days: Vec<String> = (0..1001).map(|n| format!("2026-01-01 {:02}:{:02}", n / 60 % 24, n % 60)).collect();
    assert!(refused(&format!("roll_no,{}\n1\n", days.join(","))).contains("at most 1000"));
    let many = format!("session,roll_no,status\n{}", "1,1,p\n".repeat(200_001));
    assert!(refused(&many).contains("file has 200001 marks; at most 200000"));
}

#[test]
fn every_pair_of_opinions_has_its_outcome() {
    use Opinion::{Asks, NoConsent};
    let all = [
        (Opinion::Present, "p", Outcome::AgreePresent),
        (Opinion::Present, "l", Outcome::AgreePresent),
        (Opinion::Present, "a", Outcome::WrongPresent),
        (Opinion::Present, "e", Outcome::WrongPresent),
        (Opinion::Absent, "a", Outcome::AgreeAbsent),
        (Opinion::Absent, "e", Outcome::AgreeAbsent),
        (Opinion::Absent, "l", Outcome::Missed),
        (Asks, "p", Outcome::AskedPresent),
        (Asks, "a", Outcome::AskedAbsent),
        (NoConsent, "p", Outcome::NotComparable),
    ];
    for (opinion, mark, outcome) in all {
        let found = compared(
            &format!("roll_no,2026-11-16\nCSE-A-01,{mark}\n"),
            &[lesson(1, "2026-11-16 09:00", &[Some(opinion)])],
        );
        assert_eq!((found.total.of(outcome), found.total.records()), (1, 1), "{opinion} {mark}");
        assert_eq!(found.differences.len(), usize::from(outcome.is_difference()));
    }
}

#[test]
fn differences_say_what_to_look_at_the_worst_first() {
    let opinions = [Opinion::Absent, Opinion::Asks, Opinion::Present, Opinion::Present].map(Some);
    let found = compared(
        "date,roll_no,status\n2026-11-16,CSE-A-01,p\n2026-11-16,2,p\n2026-11-16,cse-a-3,a\n",
        &[lesson(5, "2026-11-16 09:00", &opinions)],
    );
    let told: Vec<_> =
        found.differences.iter().map(|d| (d.outcome, d.roll_no.as_str(), d.photos.len(), d.line)).collect();
    assert_eq!(told, [(Outcome::WrongPresent, "CSE-A-03", 1, 4), (Outcome::Missed, "CSE-A-01", 2, 2)]);
    assert_eq!(found.differences[0].confidence, Some(0.98));
    assert!(found.differences[1].reason.contains("1 person in the photos is unknown"));
    // 2 is no roll number of CSE-A-02; the others of the roll are not in the register.
    assert_eq!(found.left_out.len(), 1);
    assert!(found.left_out[0].reason.contains("nobody of CSE-A has roll number 2 on that day"), "{found:?}");
    assert_eq!(found.not_comparable, [NotCompared { reason: "the register says nothing", records: 2 }]);
    assert_eq!(found.by_student.iter().map(|s| s.roll_no.as_str()).collect::<Vec<_>>(), ["CSE-A-01", "CSE-A-03"]);
}

#[test]
fn a_time_means_the_nearest_lesson_and_a_day_alone_the_only_one() {
    let one = [Some(Opinion::Present)];
    let lessons = [
        lesson(1, "2026-11-16 09:05", &one),
        lesson(2, "2026-11-16 11:00", &one),
        lesson(3, "2026-11-17 09:00", &one),
        Lesson { kind: LessonKind::Counting, ..lesson(4, "2026-11-18 09:00", &one) },
        Lesson { kind: LessonKind::Counting, ..lesson(5, "2026-11-17 12:00", &one) },
    ];
    let found = compared(
        "date,time,session,roll_no,status\n\
         2026-11-16,09:00,,CSE-A-01,p\n\
         2026-11-16,,,CSE-A-01,p\n\
         2026-11-16,10:00,,CSE-A-01,p\n\
         2026-11-17,,,CSE-A-01,p\n\
         2026-11-18,,,CSE-A-01,p\n\
         2026-11-19,,,CSE-A-01,p\n\
         ,,2,CSE-A-01,p\n\
         ,,2,CSE-A-01,p\n\
         ,,2,CSE-A-01,a\n\
         ,,9,CSE-A-01,p\n",
        &lessons,
    );
    assert_eq!((found.sessions, found.days, found.total.agree_present), (3, 2, 3));
    let told: Vec<String> = found.left_out.iter().map(|l| format!("{} {}", l.line, l.reason)).collect();
    let expected = [
        "3 there are 2 pilot sessions on 2026-11-16: say the time or the session's number",
        "4 there is no session within 20 minutes of 2026-11-16 10:00",
        "6 session 4 is not of the pilot: it counts",
        "7 there is no session on 2026-11-19",
        "9 roll number CSE-A-01: line 8 says the same",
        "10 roll number CSE-A-01: line 8 says present, which is what is compared",
        "11 there is no session 9 of the class in these days",
    ];
    assert_eq!(told, expected);
}

#[test]
fn classes_are_told_apart_by_label_or_name_and_section() {
    let classes = ClassLabels::new(class_refs(&[("CSE", "A"), ("AIML", "B")]));
    let one = [Some(Opinion::Present)];
    let other = Lesson { class: ClassId(2), label: "AIML-B".into(), ..lesson(2, "2026-11-16 09:00", &one) };
    let lessons = [lesson(1, "2026-11-16 09:00", &one), other];
    let scope = Scope { classes: &classes, lessons: &lessons, days: (None, None), tolerance: TimeDelta::zero() };
    let text = "class,section,date,session,roll_no,status\n\
                cse-a,,2026-11-16,,CSE-A-01,p\n\
                AIML,B,2026-11-16,,CSE-A-01,a\n\
                ,,2026-11-16,,CSE-A-01,p\n\
                Physics,,2026-11-16,,CSE-A-01,p\n";
    let found = compare(register(text), &scope);
    let classes: Vec<_> = found.by_class.iter().map(|c| (c.label.as_str(), c.tally.wrong_present)).collect();
    assert_eq!(classes, [("AIML-B", 1), ("CSE-A", 0)]);
    let told: Vec<&str> = found.left_out.iter().map(|l| l.reason.as_str()).collect();
    assert_eq!(told, ["does not say the class, and several are compared", "class Physics is not among those compared"]);
}

#[test]
fn leading_zeros_that_a_spreadsheet_drops_are_forgiven_where_one_student_fits() {
    let mut of_zeros = lesson(1, "2026-11-16 09:00", &[Some(Opinion::Present); 3]);
    for (student, roll_no) in of_zeros.roll.iter_mut().zip(["007", "8", "08"]) {
        student.roll_no = roll_no.to_owned();
    }
    let found = compared("roll_no,2026-11-16\n7,P\n8,P\n008,P\n", &[of_zeros]);
    assert_eq!(found.total.agree_present, 2);
    assert_eq!(found.left_out.len(), 1);
    assert!(found.left_out[0].reason.contains("008 fits several"), "{:?}", found.left_out);
}

#[test]
fn days_that_nobody_asked_about_are_counted_and_sessions_without_marks_are_named() {
    let one = [Some(Opinion::Present)];
    let lessons = [lesson(1, "2026-11-16 09:00", &one), lesson(2, "2026-11-17 09:00", &one)];
    let days = (Some(day("2026-11-16")), Some(day("2026-11-17")));
    let found = compared_on("roll_no,2026-11-13,2026-11-16,2026-11-18\nCSE-A-01,P,P,P\n", &lessons, days);
    assert_eq!((found.outside, found.left_out.len(), found.sessions), (2, 0, 1));
    let without: Vec<_> = found.sessions_without_register.iter().map(|s| s.session).collect();
    assert_eq!(without, [SessionId(2)]);
}

#[test]
fn a_day_without_a_session_and_a_student_who_is_not_there_are_told_once() {
    let lessons = [
        lesson(1, "2026-11-16 09:00", &[Some(Opinion::Present)]),
        lesson(2, "2026-11-17 09:00", &[Some(Opinion::Present)]),
    ];
    let found = compared("roll_no,2026-11-16,2026-11-17,2026-11-18\nCSE-A-01,P,P,P\nCSE-A-02,P,P,P\n", &lessons);
    let told: Vec<_> = found.left_out.iter().map(|l| (l.line, l.marks, l.reason.as_str())).collect();
    assert_eq!(
        told,
        [(2, 2, "there is no session on 2026-11-18"), (3, 2, "nobody of CSE-A has roll number CSE-A-02 on that day")]
    );
}

fn tally(agree_present: usize, wrong_present: usize, missed: usize) -> Tally {
    Tally { agree_present, wrong_present, missed, ..Tally::default() }
}

#[test]
fn the_verdict_needs_evidence_and_then_the_upper_ends_decide() {
    let of = |sessions, days, tally: &Tally| Verdict::of(sessions, days, tally).readiness;
    assert_eq!(of(LEAST_SESSIONS, LEAST_DAYS, &tally(LEAST_NAMES, 0, 0)), Readiness::Ready);
    for (sessions, days, names) in [(9, 5, 400), (10, 4, 400), (10, 5, 399)] {
        let verdict = Verdict::of(sessions, days, &tally(names, 0, 0));
        assert_eq!((verdict.readiness, verdict.reasons.len()), (Readiness::NotEnoughYet, 1), "{verdict:?}");
    }
    // One wrong name of 401 is 0.25 %, but up to 1.4 % are not excluded.
    let doubtful = Verdict::of(10, 5, &tally(400, 1, 0));
    assert_eq!(doubtful.readiness, Readiness::NotReady);
    assert!(
        doubtful.reasons[0].contains("1 of 401, at most 1.40 % (95 % interval), above the line of 1 %"),
        "{doubtful:?}"
    );
    assert_eq!(of(100, 50, &tally(4000, 10, 0)), Readiness::Ready);
    assert_eq!(of(10, 5, &tally(400, 0, 20)), Readiness::NotReady, "too many are missed");
    assert_eq!(of(10, 5, &tally(400, 0, 5)), Readiness::Ready);
}

/// What the note on [`LEAST_NAMES`] says.
#[test]
fn without_a_wrong_name_the_least_number_of_names_is_just_enough() {
    let high = |names| tally(names, 0, 0).shares().wrong_names.interval.unwrap().high;
    assert!(high(380) > MOST_WRONG_NAMES && high(381) < MOST_WRONG_NAMES && high(LEAST_NAMES) < 0.0096);
}

proptest! {
    #[test]
    fn totals_add_up(
        opinions in proptest::collection::vec(proptest::option::of(proptest::sample::select(Opinion::ALL)), 1..6),
        marks in proptest::collection::vec((0..40_u32, 1..8_usize, proptest::sample::select(&["p", "a", "l", "e", "", "x"][..])), 0..60),
    ) {
        let lessons: Vec<Lesson> = (0..40)
            .step_by(3)
            .map(|n| lesson(n, &format!("{} 09:00", day("2026-10-01") + chrono::Days::new(n as u64)), &opinions))
            .collect();
        let rows: String = marks.iter().map(|(n, roll, mark)| {
            format!("{},CSE-A-{roll:02},{mark}\n", day("2026-10-01") + chrono::Days::new(u64::from(*n)))
        }).collect();
        let text = format!("date,roll_no,status\n{rows}");
        prop_assume!(!marks.is_empty());
        let found = compared(&text, &lessons);
        let sum = |parts: Vec<Tally>| parts.into_iter().fold(Tally::default(), Tally::plus);
        prop_assert_eq!(sum(found.by_week.iter().map(|w| w.tally).collect()), found.total);
        prop_assert_eq!(sum(found.by_class.iter().map(|c| c.tally).collect()), found.total);
        prop_assert_eq!(found.total.records(), found.sessions * opinions.len());
        prop_assert_eq!(found.sessions + found.sessions_without_register.len(), lessons.len());
        let Tally { wrong_present, missed, asked_present, asked_absent, not_comparable, .. } = found.total;
        prop_assert_eq!(found.differences.len(), wrong_present + missed + asked_present + asked_absent);
        prop_assert_eq!(found.not_comparable.iter().map(|n| n.records).sum::<usize>(), not_comparable);
        // Every mark is compared or left out.
        let unheard = found.not_comparable.iter().filter(|n| n.reason == "the register says nothing");
        let unheard = unheard.map(|n| n.records).sum::<usize>();
        let heard = found.total.records() - unheard;
        let left_out: usize = found.left_out.iter().map(|l| l.marks).sum();
        prop_assert!(marks.len() - left_out <= heard);
    }

    #[test]
    fn arbitrary_registers_never_panic(text in "[a-z0-9,;:\"\n -]{0,200}") {
        let _ = parse_register(text.as_bytes(), &StatusLabels::default(), Kolkata);
        let _ = parse_register(format!("roll_no,2026-11-16\n{text}").as_bytes(), &StatusLabels::default(), Kolkata);
    }
}
