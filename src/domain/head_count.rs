//! Whether a session adds up before it is signed: who was seen on its photos, who is marked, how many heads were counted.
//!
//! A difference never changes a record and never ends the matter: it asks the teacher for a sentence. Therefore it is told only
//! where nothing explains it. A poster on the wall is explained by the teacher's own count, by a guest, or by saying that the face
//! is nobody of the class; whoever was not seen and is marked by hand is explained by that. A session without faces is judged by
//! its records alone. Called by `app`, before a session is confirmed and when it is.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::attendance::Flag;
use super::ids::MemberId;
use super::sheet::StatusCounts;
use super::status::{AttendanceStatus, RecordSource, Verdict};

/// A face of the session's photos with what is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaceSeen {
    pub verdict: Verdict,
    /// Of a match, and of a doubt where somebody is nearest.
    pub member: Option<MemberId>,
    /// Faces of one session with the same number are the same person.
    pub person: Option<i32>,
    /// A person has said who it is, or that it is nobody of the class.
    pub is_decided: bool,
}

/// A record of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordSeen {
    pub member: MemberId,
    pub status: AttendanceStatus,
    pub source: RecordSource,
    /// On the roll of that day and not marked inactive.
    pub is_on_roll: bool,
}

/// What is known of a session, in numbers of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadCount {
    /// Different people on all photos: named, doubts and strangers.
    pub people: u32,
    /// Members with a face of their own.
    pub named: u32,
    /// Members who may be on the photos, and are not named.
    pub doubts: u32,
    /// People who are nobody of the class, as far as is known.
    pub strangers: u32,
    /// Those among them of whom a person has said so.
    pub strangers_decided: u32,
    /// Members on the roll of that day who are not marked inactive.
    pub roll: u32,
    pub statuses: StatusCounts,
    /// Records of the roll that nobody has decided.
    pub undecided: u32,
    /// Doubts whose record nobody has decided.
    open_doubts: u32,
    /// Doubts whose member is marked present or late.
    doubts_marked: u32,
    /// Members with a face of their own whom nobody has corrected, and members whom the machine marked present.
    unexplained: (u32, u32),
    evidence: Vec<Flag>,
}

/// What the teacher says beside the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Heads that were counted in the room, guests included.
    pub head_count: Option<u32>,
    /// People in the room who are not of the class.
    pub guests: u32,
    /// Records that nobody has decided stay open, and so do the doubts behind them.
    pub keeps_undecided: bool,
}

/// Something that does not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Records of the roll wait for a decision.
    RecordsUndecided { records: u32 },
    /// Faces that may be members wait for a decision.
    DoubtsOpen { people: u32 },
    /// More people were seen than are marked, and some of them nobody has looked at.
    StrangersUnexplained { people: u32, seen: u32, marked: u32, guests: u32 },
    /// What the machine marked is not what it saw, and nobody has said why.
    RecordsUnlikePhotos { seen: u32, marked: u32 },
    /// The teacher has counted another number of heads.
    CountDiffers { counted: u32, marked: u32, guests: u32 },
    /// A photo was used for another session, so that it says little about this one.
    ReusedPhoto,
    /// By its own clock a photo was not taken in this lesson.
    OutsideLesson,
}

/// A difference as it is kept with the session and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceNote {
    /// Stable, such as `COUNT_DIFFERS`.
    pub code: String,
    /// For people.
    pub text: String,
}

impl From<&Difference> for DifferenceNote {
    fn from(difference: &Difference) -> Self {
        Self { code: difference.code().to_owned(), text: difference.to_string() }
    }
}

impl HeadCount {
    /// Counts people. `flags` are the session's own; those that question its photos become differences.
    pub fn of(faces: &[FaceSeen], records: &[RecordSeen], flags: &[Flag]) -> Self {
        let named: BTreeSet<MemberId> = members(faces, Verdict::Match).collect();
        let doubts: BTreeSet<MemberId> = members(faces, Verdict::Doubt).filter(|m| !named.contains(m)).collect();
        let (strangers, strangers_decided) = strangers(faces);
        let record = |member: &MemberId| records.iter().find(|record| record.member == *member);
        let is_undecided = |r: &RecordSeen| r.status == AttendanceStatus::Unmarked;
        let machine = |r: &&RecordSeen| r.source == RecordSource::Auto;
        let uncorrected = named.iter().filter(|m| record(m).is_none_or(|r| machine(&r)));
        let present = records.iter().filter(machine).filter(|r| r.status == AttendanceStatus::Present);
        let on_roll = || records.iter().filter(|r| r.is_on_roll);
        Self {
            people: number(named.len() + doubts.len()) + strangers,
            named: number(named.len()),
            doubts: number(doubts.len()),
            strangers,
            strangers_decided,
            roll: number(on_roll().count()),
            statuses: records.iter().map(|r| r.status).collect(),
            undecided: number(on_roll().filter(|r| is_undecided(r)).count()),
            open_doubts: number(doubts.iter().filter(|m| record(m).is_none_or(is_undecided)).count()),
            doubts_marked: number(doubts.iter().filter(|m| record(m).is_some_and(is_there)).count()),
            unexplained: (number(uncorrected.count()), number(present.count())),
            evidence: flags.to_vec(),
        }
    }

    /// Members who are marked present or late.
    pub fn marked(&self) -> u32 {
        self.statuses.present + self.statuses.late
    }

    /// What does not add up with what the teacher says; empty where everything does.
    pub fn differences(&self, told: Told) -> Vec<Difference> {
        let Told { guests, keeps_undecided, .. } = told;
        let (seen, marked) = self.unexplained;
        [
            (self.undecided > 0 && !keeps_undecided)
                .then_some(Difference::RecordsUndecided { records: self.undecided }),
            (self.open_doubts > 0 && !keeps_undecided).then_some(Difference::DoubtsOpen { people: self.open_doubts }),
            self.unexplained_strangers(told),
            (seen != marked).then_some(Difference::RecordsUnlikePhotos { seen, marked }),
            told.head_count
                .filter(|counted| !self.is_in_room(*counted, told))
                .map(|counted| Difference::CountDiffers { counted, marked: self.marked(), guests }),
            self.evidence.contains(&Flag::ReusedPhoto).then_some(Difference::ReusedPhoto),
            self.evidence.contains(&Flag::OutsideLesson).then_some(Difference::OutsideLesson),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Whether the records and the guests make so many heads. Who stays undecided may be in the room or not.
    fn is_in_room(&self, counted: u32, told: Told) -> bool {
        let least = self.marked().saturating_add(told.guests);
        let open = if told.keeps_undecided { self.undecided } else { 0 };
        (least..=least.saturating_add(open)).contains(&counted)
    }

    /// Strangers nobody has looked at, as far as more people were seen than are marked. A count of heads that agrees with the
    /// records says that they were not in the room.
    fn unexplained_strangers(&self, told: Told) -> Option<Difference> {
        if told.head_count.is_some_and(|counted| self.is_in_room(counted, told)) {
            return None;
        }
        let (marked, guests) = (self.marked(), told.guests);
        let unseen = self.strangers - self.strangers_decided;
        let seen = self.named + self.doubts_marked + unseen;
        let people = unseen.min(seen.saturating_sub(marked.saturating_add(guests)));
        (people > 0).then_some(Difference::StrangersUnexplained { people, seen, marked, guests })
    }
}

fn is_there(record: &RecordSeen) -> bool {
    matches!(record.status, AttendanceStatus::Present | AttendanceStatus::Late)
}

fn members(faces: &[FaceSeen], verdict: Verdict) -> impl Iterator<Item = MemberId> {
    faces.iter().filter(move |face| face.verdict == verdict).filter_map(|face| face.member)
}

/// People all of whose faces are strangers or doubts about nobody, and how many of them a person has decided about.
fn strangers(faces: &[FaceSeen]) -> (u32, u32) {
    let is_nobody = |face: &&FaceSeen| face.member.is_none();
    let known: BTreeSet<i32> = faces.iter().filter(|face| !is_nobody(face)).filter_map(|face| face.person).collect();
    let strange = || faces.iter().filter(is_nobody).filter(|f| f.person.is_none_or(|p| !known.contains(&p)));
    let alone = |decided: bool| strange().filter(|f| f.person.is_none() && (!decided || f.is_decided)).count();
    let people: BTreeSet<i32> = strange().filter_map(|f| f.person).collect();
    let decided: BTreeSet<i32> = strange().filter(|f| f.is_decided).filter_map(|f| f.person).collect();
    (number(people.len() + alone(false)), number(decided.len() + alone(true)))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Difference {
    /// The stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RecordsUndecided { .. } => "RECORDS_UNDECIDED",
            Self::DoubtsOpen { .. } => "DOUBTS_OPEN",
            Self::StrangersUnexplained { .. } => "STRANGERS_UNEXPLAINED",
            Self::RecordsUnlikePhotos { .. } => "RECORDS_UNLIKE_PHOTOS",
            Self::CountDiffers { .. } => "COUNT_DIFFERS",
            Self::ReusedPhoto => "REUSED_PHOTO",
            Self::OutsideLesson => "OUTSIDE_LESSON",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guests =
            |n: u32| if n == 0 { String::new() } else { format!(" and {} named", people(n, "guest", "guests")) };
        match *self {
            Self::RecordsUndecided { records } => {
                write!(f, "{} not decided", people(records, "student is", "students are"))
            }
            Self::DoubtsOpen { people: n } => {
                write!(f, "{} on the photos and nobody has decided", people(n, "student may be", "students may be"))
            }
            Self::StrangersUnexplained { people: n, seen, marked, guests: g } => {
                let who = people(n, "stranger on the photos was", "strangers on the photos were");
                write!(f, "{who} not looked at: {seen} people seen, {marked} marked present or late{}", guests(g))
            }
            Self::RecordsUnlikePhotos { seen, marked } => {
                write!(
                    f,
                    "{} recognised, but {marked} marked present because of it",
                    people(seen, "student was", "students were")
                )
            }
            Self::CountDiffers { counted, marked, guests: g } => {
                let heads = people(counted, "head was", "heads were");
                write!(f, "{heads} counted in the room, {marked} marked present or late{}", guests(g))
            }
            Self::ReusedPhoto => f.write_str("a photo was used for another session, too"),
            Self::OutsideLesson => f.write_str("by its own clock a photo was not taken in this lesson"),
        }
    }
}

fn people(n: u32, one: &str, more: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {more}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttendanceStatus::{Absent, Late, Present, Unmarked};
    use RecordSource::{Auto, Manual};

    fn face(verdict: Verdict, member: Option<i64>, person: i32) -> FaceSeen {
        FaceSeen { verdict, member: member.map(MemberId), person: Some(person), is_decided: false }
    }

    fn named(member: i32) -> FaceSeen {
        face(Verdict::Match, Some(i64::from(member)), member)
    }

    fn doubt(member: i32) -> FaceSeen {
        face(Verdict::Doubt, Some(i64::from(member)), member)
    }

    fn stranger(person: i32) -> FaceSeen {
        face(Verdict::Stranger, None, person)
    }

    /// Members 0, 1, 2 and so on.
    fn records(said: &[(AttendanceStatus, RecordSource)]) -> Vec<RecordSeen> {
        let record = |(i, (status, source)): (i64, &(_, _))| RecordSeen {
            member: MemberId(i),
            status: *status,
            source: *source,
            is_on_roll: true,
        };
        (0..).zip(said).map(record).collect()
    }

    fn codes(count: &HeadCount, told: Told) -> Vec<&'static str> {
        count.differences(told).iter().map(Difference::code).collect()
    }

    fn counted(head_count: u32, guests: u32) -> Told {
        Told { head_count: Some(head_count), guests, keeps_undecided: false }
    }

    const NOTHING: Told = Told { head_count: None, guests: 0, keeps_undecided: false };
    const KEEPS: Told = Told { keeps_undecided: true, ..NOTHING };

    #[test]
    fn who_was_seen_is_counted_once_however_many_faces_there_are() {
        let faces = [
            named(0),
            named(0),
            // The same member in another photo, as a doubt that nobody joined to the first.
            face(Verdict::Doubt, Some(0), 7),
            doubt(1),
            stranger(5),
            stranger(5),
            FaceSeen { is_decided: true, ..stranger(6) },
            FaceSeen { person: None, ..stranger(0) },
        ];
        let records = records(&[(Present, Auto), (Unmarked, Auto), (Absent, Auto)]);
        let count = HeadCount::of(&faces, &records, &[]);
        assert_eq!((count.people, count.named, count.doubts), (5, 1, 1));
        assert_eq!((count.strangers, count.strangers_decided, count.roll, count.undecided), (3, 1, 3, 1));
        assert_eq!((count.statuses.present, count.statuses.absent, count.statuses.unmarked), (1, 1, 1));
    }

    #[test]
    fn a_session_that_adds_up_asks_nothing() {
        let faces = [named(0), named(1)];
        let count = HeadCount::of(&faces, &records(&[(Present, Auto), (Present, Auto), (Absent, Auto)]), &[]);
        assert_eq!(codes(&count, NOTHING), [""; 0]);
        assert_eq!(codes(&count, counted(2, 0)), [""; 0]);
    }

    #[test]
    fn undecided_records_and_doubts_are_asked_about_until_they_are_decided_or_kept() {
        let faces = [named(0), doubt(1)];
        let open = HeadCount::of(&faces, &records(&[(Present, Auto), (Unmarked, Auto)]), &[]);
        assert_eq!(codes(&open, NOTHING), ["RECORDS_UNDECIDED", "DOUBTS_OPEN"]);
        assert_eq!(codes(&open, KEEPS), [""; 0]);
        for status in [Present, Late, Absent] {
            let decided = HeadCount::of(&faces, &records(&[(Present, Auto), (status, Manual)]), &[]);
            assert_eq!(codes(&decided, NOTHING), [""; 0], "{status}");
        }
        let inactive = records(&[(Present, Auto), (Unmarked, Auto)])
            .into_iter()
            .map(|r| RecordSeen { is_on_roll: r.member == MemberId(0), ..r });
        let count = HeadCount::of(&[named(0)], &inactive.collect::<Vec<_>>(), &[]);
        assert_eq!(codes(&count, NOTHING), [""; 0], "nobody waits for who has left");
    }

    #[test]
    fn a_stranger_is_explained_by_a_look_a_guest_a_count_or_a_record_made_by_hand() {
        let faces = [named(0), stranger(9)];
        let seen = records(&[(Present, Auto), (Absent, Auto)]);
        let count = HeadCount::of(&faces, &seen, &[]);
        assert_eq!(
            count.differences(NOTHING),
            [Difference::StrangersUnexplained { people: 1, seen: 2, marked: 1, guests: 0 }]
        );
        assert_eq!(codes(&count, KEEPS), ["STRANGERS_UNEXPLAINED"]);
        assert_eq!(codes(&count, Told { guests: 1, ..NOTHING }), [""; 0]);
        assert_eq!(codes(&count, counted(1, 0)), [""; 0], "a poster is no head in the room");
        let looked_at = [named(0), FaceSeen { is_decided: true, ..stranger(9) }];
        assert_eq!(codes(&HeadCount::of(&looked_at, &seen, &[]), NOTHING), [""; 0]);
        let found = HeadCount::of(&faces, &records(&[(Present, Auto), (Present, Manual)]), &[]);
        assert_eq!(codes(&found, NOTHING), [""; 0], "the stranger was member 1");
    }

    #[test]
    fn a_doubt_decided_by_hand_does_not_hide_a_stranger() {
        let faces = [named(0), doubt(1), stranger(9)];
        let count = HeadCount::of(&faces, &records(&[(Present, Auto), (Present, Manual)]), &[]);
        assert_eq!(
            count.differences(NOTHING),
            [Difference::StrangersUnexplained { people: 1, seen: 3, marked: 2, guests: 0 }]
        );
    }

    #[test]
    fn the_teachers_count_includes_guests_and_may_include_who_stays_undecided() {
        let count = HeadCount::of(&[named(0)], &records(&[(Present, Auto), (Late, Manual), (Unmarked, Manual)]), &[]);
        let keeps = |head_count| Told { head_count: Some(head_count), guests: 1, keeps_undecided: true };
        for (heads, is_right) in [(2, false), (3, true), (4, true), (5, false)] {
            assert_eq!(codes(&count, keeps(heads)).is_empty(), is_right, "{heads}");
        }
        let refused = count.differences(counted(4, 1));
        assert_eq!(refused[1], Difference::CountDiffers { counted: 4, marked: 2, guests: 1 });
        assert_eq!(
            refused[1].to_string(),
            "4 heads were counted in the room, 2 marked present or late and 1 guest named"
        );
    }

    #[test]
    fn a_register_by_hand_is_judged_by_its_records_alone() {
        let count = HeadCount::of(&[], &records(&[(Present, Manual), (Present, Manual), (Absent, Manual)]), &[]);
        assert_eq!((count.people, count.marked()), (0, 2));
        assert_eq!(codes(&count, NOTHING), [""; 0]);
        assert_eq!(codes(&count, counted(2, 0)), [""; 0]);
        assert_eq!(codes(&count, counted(3, 0)), ["COUNT_DIFFERS"]);
    }

    #[test]
    fn records_that_do_not_follow_from_the_faces_need_a_correction_that_says_why() {
        let unlike = HeadCount::of(&[named(0)], &records(&[(Absent, Auto)]), &[]);
        assert_eq!(codes(&unlike, NOTHING), ["RECORDS_UNLIKE_PHOTOS"]);
        assert_eq!(codes(&HeadCount::of(&[named(0)], &records(&[(Absent, Manual)]), &[]), NOTHING), [""; 0]);
        let unseen = HeadCount::of(&[], &records(&[(Present, Auto)]), &[]);
        assert_eq!(unseen.differences(NOTHING), [Difference::RecordsUnlikePhotos { seen: 0, marked: 1 }]);
    }

    #[test]
    fn photos_of_another_lesson_need_a_reason_whatever_was_counted() {
        let flags = [Flag::ReusedPhoto, Flag::OutsideLesson];
        let count = HeadCount::of(&[named(0)], &records(&[(Present, Auto)]), &flags);
        assert_eq!(codes(&count, counted(1, 0)), ["REUSED_PHOTO", "OUTSIDE_LESSON"]);
    }

    #[test]
    fn sentences_count_as_people_speak() {
        let text = |difference: Difference| DifferenceNote::from(&difference).text;
        assert_eq!(text(Difference::RecordsUndecided { records: 1 }), "1 student is not decided");
        assert_eq!(
            text(Difference::DoubtsOpen { people: 2 }),
            "2 students may be on the photos and nobody has decided"
        );
        assert_eq!(
            text(Difference::StrangersUnexplained { people: 2, seen: 23, marked: 21, guests: 0 }),
            "2 strangers on the photos were not looked at: 23 people seen, 21 marked present or late"
        );
    }
}
