//! From verdicts to records: who is present, absent, or waits for the teacher.

use std::collections::BTreeSet;

use super::fusion::Fused;
use super::gallery::Standing;
use super::ids::{FaceId, MemberId};
use super::status::{AttendanceStatus, PhotoState, RecordSource, Verdict};

/// What became of a photo of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhotoOutcome {
    pub state: PhotoState,
    /// Faces that were found but not looked at because the photo held more than the limit.
    pub faces_left_out: u32,
    /// The file was damaged: parts of the picture may be missing.
    pub damaged: bool,
}

/// A status that a person or an import set; it wins over every automatic run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    pub member: MemberId,
    pub status: AttendanceStatus,
    pub source: RecordSource,
}

/// Why an automatic record says what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// A face was matched, or a person said whose it is.
    Seen,
    /// Compared with every face of every photo, and none was near.
    NotSeen,
    /// Some face may be the student: the teacher decides.
    Doubt,
    /// No recorded consent: faces are never compared.
    NoConsent,
    /// Nothing usable is enrolled.
    NoTemplate,
    /// The school marked the student inactive.
    Inactive,
    /// Photos are missing, failed or not looked at completely, so absence proves nothing.
    PhotosIncomplete,
    /// No face in any photo.
    EmptyRoom,
    /// Most people in the photos are not of this class: they may show another one.
    OtherClass,
    /// Not seen, and excused beforehand.
    OnLeave,
    /// A face was matched, or a person said whose it is, on a day of leave.
    SeenOnLeave,
    /// A person or an import set it.
    Corrected,
}

/// A member's status in the session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    pub member: MemberId,
    pub status: AttendanceStatus,
    pub source: RecordSource,
    pub ground: Ground,
    /// Posterior of the best face, 0..1; none without a face, or where a person named somebody who was never compared.
    pub confidence: Option<f32>,
    /// The face that shows the student, or the best doubt.
    pub face: Option<FaceId>,
}

/// What a teacher should look at before confirming.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// No face in any photo: an empty room, or a photo of something else.
    NoFaces,
    /// A photo could not be processed; nobody was marked absent.
    PhotoFailed,
    /// A photo's file was damaged, so that parts of it may be missing; nobody was marked absent.
    PhotoDamaged,
    /// A photo is still waiting; nobody was marked absent.
    PhotosPending,
    /// A photo held more faces than the limit; nobody was marked absent.
    FacesLeftOut,
    /// Most people in the photos are not of this class: perhaps it is the wrong one. Nobody was marked absent.
    MostlyStrangers,
    /// One student was matched by different-looking faces, or one face by different students.
    Conflict,
    /// Some face may be a student of the class.
    Doubts,
    /// People who are not enrolled in the class were seen.
    Strangers,
    /// A photo is the same, or nearly, as one that another session of the class had before: who is in it says little about this
    /// lesson. Set by guards, not by [`settle`]; records stay as they are.
    ReusedPhoto,
    /// By its own clock a photo was not taken in this lesson. Set as `ReusedPhoto` is.
    OutsideLesson,
    /// Somebody was seen who is on leave that day.
    SeenOnLeave,
}

impl Flag {
    /// Those that question whether the photos show this lesson.
    pub const GUARDS: [Self; 2] = [Self::ReusedPhoto, Self::OutsideLesson];

    /// The word stored with the session and shown in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoFaces => "no_faces",
            Self::PhotoFailed => "photo_failed",
            Self::PhotoDamaged => "photo_damaged",
            Self::PhotosPending => "photos_pending",
            Self::FacesLeftOut => "faces_left_out",
            Self::MostlyStrangers => "mostly_strangers",
            Self::Conflict => "conflict",
            Self::Doubts => "doubts",
            Self::Strangers => "strangers",
            Self::ReusedPhoto => "reused_photo",
            Self::OutsideLesson => "outside_lesson",
            Self::SeenOnLeave => "seen_on_leave",
        }
    }
}

/// Records of everybody on the roll, in its order, and what to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    pub records: Vec<Record>,
    pub flags: Vec<Flag>,
}

/// What people have said of a session's members.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    pub corrections: &'a [Correction],
    /// Who is excused beforehand on that day.
    pub on_leave: &'a [MemberId],
}

/// Settles a session. Absence is stated only when every photo was looked at completely and at least one face was found;
/// a doubt keeps everybody it may be unmarked; whoever is on leave and was not seen is excused; corrections always win.
pub fn settle(roll: &[(MemberId, Standing)], photos: &[PhotoOutcome], fused: &Fused, said: Said<'_>) -> Settlement {
    let mut flags = flags(photos, fused);
    let records: Vec<Record> = roll
        .iter()
        .map(|(member, standing)| {
            let mut automatic = record(*member, *standing, &flags, photos.is_empty(), fused);
            if said.on_leave.contains(member) {
                automatic = on_leave(automatic);
            }
            match said.corrections.iter().find(|c| c.member == *member) {
                Some(c) => Record { status: c.status, source: c.source, ground: Ground::Corrected, ..automatic },
                None => automatic,
            }
        })
        .collect();
    let seen_on_leave = records.iter().any(|record| record.ground == Ground::SeenOnLeave);
    flags.extend(seen_on_leave.then_some(Flag::SeenOnLeave));
    Settlement { records, flags }
}

/// The same record of somebody who is on leave: a doubt stays one, as does a student who is marked inactive.
fn on_leave(record: Record) -> Record {
    match record.ground {
        Ground::Seen => Record { ground: Ground::SeenOnLeave, ..record },
        Ground::NotSeen
        | Ground::NoConsent
        | Ground::NoTemplate
        | Ground::PhotosIncomplete
        | Ground::EmptyRoom
        | Ground::OtherClass => Record { status: AttendanceStatus::Excused, ground: Ground::OnLeave, ..record },
        Ground::Doubt | Ground::Inactive | Ground::OnLeave | Ground::SeenOnLeave | Ground::Corrected => record,
    }
}

fn flags(photos: &[PhotoOutcome], fused: &Fused) -> Vec<Flag> {
    let any = |state: PhotoState| photos.iter().any(|p| p.state == state);
    let pending = any(PhotoState::Queued) || any(PhotoState::Processing);
    let has = |verdict: Verdict| fused.faces.iter().any(|f| f.verdict.verdict == verdict);
    let left_out = photos.iter().any(|p| p.faces_left_out > 0);
    [
        (Flag::NoFaces, any(PhotoState::Done) && fused.faces.is_empty()),
        (Flag::PhotoFailed, any(PhotoState::Failed)),
        (Flag::PhotoDamaged, photos.iter().any(|p| p.damaged)),
        (Flag::PhotosPending, pending),
        (Flag::FacesLeftOut, left_out),
        (Flag::MostlyStrangers, shows_others(fused)),
        (Flag::Conflict, !fused.conflicts.is_empty()),
        (Flag::Doubts, has(Verdict::Doubt)),
        (Flag::Strangers, fused.strangers > 0),
    ]
    .into_iter()
    .filter_map(|(flag, raised)| raised.then_some(flag))
    .collect()
}

/// So many strangers may be visitors of one lesson.
const SOME_VISITORS: u32 = 4;

/// More than two strangers for each person who is or may be of the class: a photo of another class looks like that, and
/// absences concluded from it would be wrong, all of them.
fn shows_others(fused: &Fused) -> bool {
    let of_class = fused.faces.iter().filter(|f| f.verdict.verdict != Verdict::Stranger);
    let people: BTreeSet<u32> = of_class.map(|f| f.person).collect();
    fused.strangers > SOME_VISITORS && fused.strangers as usize > 2 * people.len()
}

fn record(member: MemberId, standing: Standing, flags: &[Flag], no_photos: bool, fused: &Fused) -> Record {
    let automatic = |status, ground, face: Option<(FaceId, Option<f32>)>| Record {
        member,
        status,
        source: RecordSource::Auto,
        ground,
        confidence: face.and_then(|f| f.1),
        face: face.map(|f| f.0),
    };
    let unmarked = |ground| automatic(AttendanceStatus::Unmarked, ground, None);
    if standing == Standing::NoConsent {
        return unmarked(Ground::NoConsent);
    }
    // Somebody who was never compared can still have been named by a person.
    if let Some(face) = best_face(member, Verdict::Match, fused) {
        return automatic(AttendanceStatus::Present, Ground::Seen, Some(face));
    }
    match standing {
        Standing::NoTemplate => return unmarked(Ground::NoTemplate),
        Standing::Inactive => return unmarked(Ground::Inactive),
        Standing::Candidate | Standing::NoConsent => {}
    }
    if let Some(face) = best_face(member, Verdict::Doubt, fused) {
        return automatic(AttendanceStatus::Unmarked, Ground::Doubt, Some(face));
    }
    let possible = |v: Verdict, members: &[MemberId]| v == Verdict::Doubt && members.contains(&member);
    if fused.faces.iter().any(|f| possible(f.verdict.verdict, &f.verdict.possible)) {
        return unmarked(Ground::Doubt);
    }
    if flags.contains(&Flag::NoFaces) {
        return unmarked(Ground::EmptyRoom);
    }
    let incomplete = [Flag::PhotoFailed, Flag::PhotoDamaged, Flag::PhotosPending, Flag::FacesLeftOut];
    if no_photos || incomplete.iter().any(|f| flags.contains(f)) {
        return unmarked(Ground::PhotosIncomplete);
    }
    if flags.contains(&Flag::MostlyStrangers) {
        return unmarked(Ground::OtherClass);
    }
    automatic(AttendanceStatus::Absent, Ground::NotSeen, None)
}

/// The face with the verdict that speaks most surely of the member, and its confidence where it was measured.
fn best_face(member: MemberId, verdict: Verdict, fused: &Fused) -> Option<(FaceId, Option<f32>)> {
    fused
        .faces
        .iter()
        .map(|f| &f.verdict)
        .filter(|v| v.verdict == verdict && v.member == Some(member))
        .max_by(|a, b| a.confidence.total_cmp(&b.confidence).then(b.face.cmp(&a.face)))
        .map(|v| (v.face, v.score.map(|_| v.confidence)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::assign::Probe;
    use super::super::assign::tests::{class_of, probe, scoring64};
    use super::super::decision::Decision;
    use super::super::fusion::fuse;
    use super::*;

    const DONE: PhotoOutcome = PhotoOutcome { state: PhotoState::Done, faces_left_out: 0, damaged: false };

    fn roll(n: i64) -> Vec<(MemberId, Standing)> {
        (0..n).map(|i| (MemberId(i), Standing::Candidate)).collect()
    }

    fn settled(photos: &[Vec<Probe>], outcomes: &[PhotoOutcome], corrections: &[Correction]) -> Settlement {
        settle(&roll(4), outcomes, &fuse(photos, &class_of(4), &scoring64()), Said { corrections, on_leave: &[] })
    }

    fn statuses(s: &Settlement) -> String {
        let letter = |r: &Record| match r.status {
            AttendanceStatus::Present => 'P',
            AttendanceStatus::Absent => 'A',
            AttendanceStatus::Unmarked => '?',
            AttendanceStatus::Late => 'L',
            AttendanceStatus::Excused => 'E',
        };
        s.records.iter().map(letter).collect()
    }

    #[test]
    fn leave_excuses_whoever_was_not_seen_and_points_out_whoever_was() {
        let photo = vec![probe(1, &[(0, 0.8)]), probe(2, &[(1, 0.5)]), probe(3, &[])];
        let fused = fuse(&[photo], &class_of(4), &scoring64());
        let all: Vec<MemberId> = (0..4).map(MemberId).collect();
        let late = Correction { member: MemberId(3), status: AttendanceStatus::Late, source: RecordSource::Manual };
        let said = Said { corrections: &[late], on_leave: &all };
        let s = settle(&roll(4), &[DONE], &fused, said);
        assert_eq!(statuses(&s), "P?EL");
        let grounds: Vec<Ground> = s.records.iter().map(|record| record.ground).collect();
        assert_eq!(grounds, [Ground::SeenOnLeave, Ground::Doubt, Ground::OnLeave, Ground::Corrected]);
        assert!(s.flags.contains(&Flag::SeenOnLeave), "{:?}", s.flags);
        let nobody_seen = settle(&roll(4), &[DONE], &fused, Said { on_leave: &all[1..], ..Said::default() });
        assert!(!nobody_seen.flags.contains(&Flag::SeenOnLeave));
    }

    #[test]
    fn match_is_present_doubt_is_a_question_unseen_is_absent() {
        let s = settled(&[vec![probe(1, &[(0, 0.8)]), probe(2, &[(1, 0.5)]), probe(3, &[])]], &[DONE], &[]);
        assert_eq!(statuses(&s), "P?AA");
        assert_eq!(s.flags, [Flag::Doubts, Flag::Strangers]);
        assert_eq!(s.records[0].face, Some(FaceId(1)));
        assert!(s.records[0].confidence > Some(0.9) && s.records[2].confidence.is_none());
    }

    #[test]
    fn everybody_a_doubt_may_be_stays_unmarked() {
        let s = settled(&[vec![probe(1, &[(0, 0.66), (1, 0.64)])]], &[DONE], &[]);
        assert_eq!(statuses(&s), "??AA");
    }

    #[test]
    fn empty_room_marks_nobody() {
        let s = settled(&[vec![]], &[DONE], &[]);
        assert_eq!((statuses(&s).as_str(), s.flags), ("????", vec![Flag::NoFaces]));
        assert!(s.records.iter().all(|r| r.ground == Ground::EmptyRoom));
    }

    #[test]
    fn absence_is_not_stated_while_anything_was_not_looked_at() {
        let seen = vec![vec![probe(1, &[(0, 0.8)])]];
        let failed = PhotoOutcome { state: PhotoState::Failed, faces_left_out: 0, damaged: false };
        let waiting = PhotoOutcome { state: PhotoState::Queued, faces_left_out: 0, damaged: false };
        let crowded = PhotoOutcome { state: PhotoState::Done, faces_left_out: 3, damaged: false };
        let damaged = PhotoOutcome { damaged: true, ..DONE };
        for (outcomes, flag) in [
            ([DONE, damaged], Flag::PhotoDamaged),
            ([DONE, failed], Flag::PhotoFailed),
            ([DONE, waiting], Flag::PhotosPending),
            ([DONE, crowded], Flag::FacesLeftOut),
        ] {
            let s = settled(&seen, &outcomes, &[]);
            assert_eq!((statuses(&s).as_str(), s.flags), ("P???", vec![flag]));
        }
        assert_eq!(statuses(&settled(&[], &[], &[])), "????");
    }

    #[test]
    fn who_was_never_compared_is_never_absent() {
        let roll = [
            (MemberId(0), Standing::NoConsent),
            (MemberId(1), Standing::NoTemplate),
            (MemberId(2), Standing::Inactive),
            (MemberId(3), Standing::Candidate),
        ];
        let fused = fuse(&[vec![probe(1, &[])]], &class_of(0), &scoring64());
        let s = settle(&roll, &[DONE], &fused, Said::default());
        assert_eq!(statuses(&s), "???A");
        assert_eq!(s.records[0].ground, Ground::NoConsent);
    }

    #[test]
    fn who_was_named_by_a_person_is_present_without_a_template_but_never_without_consent() {
        let roll = [
            (MemberId(0), Standing::NoConsent),
            (MemberId(1), Standing::NoTemplate),
            (MemberId(2), Standing::Inactive),
            (MemberId(3), Standing::Candidate),
        ];
        let said = |id: i64| Probe { said: Some(Decision::Member(MemberId(id))), ..probe(id, &[]) };
        let fused = fuse(&[vec![said(0), said(1), said(2)]], &class_of(0), &scoring64());
        let s = settle(&roll, &[DONE], &fused, Said::default());
        assert_eq!(statuses(&s), "?PPA");
        assert_eq!((s.records[1].face, s.records[1].confidence), (Some(FaceId(1)), None));
    }

    #[test]
    fn doubt_that_a_person_ended_is_no_question_any_more() {
        let doubtful = probe(1, &[(0, 0.5)]);
        assert_eq!(statuses(&settled(&[vec![doubtful.clone()]], &[DONE], &[])), "?AAA");
        let stranger = Probe { said: Some(Decision::Stranger), ..doubtful.clone() };
        let s = settled(&[vec![stranger]], &[DONE], &[]);
        assert_eq!((statuses(&s).as_str(), s.flags), ("AAAA", vec![Flag::Strangers]));
        let second = Probe { said: Some(Decision::Member(MemberId(1))), ..doubtful };
        assert_eq!(statuses(&settled(&[vec![second]], &[DONE], &[])), "APAA");
    }

    #[test]
    fn correction_wins_over_every_automatic_run() {
        let manual = |member, status| Correction { member: MemberId(member), status, source: RecordSource::Manual };
        let corrections = [manual(0, AttendanceStatus::Late), manual(3, AttendanceStatus::Present)];
        let s = settled(&[vec![probe(1, &[(0, 0.8)])]], &[DONE], &corrections);
        assert_eq!(statuses(&s), "LAAP");
        assert_eq!(s.records[0].source, RecordSource::Manual);
        assert_eq!(s.records[0].face, Some(FaceId(1)), "what was seen stays visible");
    }

    #[test]
    fn a_photo_of_another_class_marks_nobody_absent() {
        let with = |known: i64, strangers: i64| {
            let known = (0..known).map(|i| probe(i, &[(usize::try_from(i).unwrap(), 0.8)]));
            let strangers = (0..strangers).map(|i| probe(100 + i, &[]));
            settled(&[known.chain(strangers).collect()], &[DONE], &[])
        };
        let s = with(1, 5);
        assert_eq!((statuses(&s).as_str(), s.flags), ("P???", vec![Flag::MostlyStrangers, Flag::Strangers]));
        assert_eq!(s.records[1].ground, Ground::OtherClass);
        // Some visitors; a class with as many guests as members.
        assert_eq!(statuses(&with(0, 4)), "AAAA");
        assert_eq!(statuses(&with(3, 6)), "PPPA");
    }

    #[test]
    fn second_photo_adds_who_the_first_did_not_show() {
        let s = settled(&[vec![probe(1, &[(0, 0.8)])], vec![probe(2, &[(1, 0.8)])]], &[DONE, DONE], &[]);
        assert_eq!(statuses(&s), "PPAA");
    }

    proptest! {
        #[test]
        fn everybody_on_the_roll_has_exactly_one_record(
            weights in proptest::collection::vec((0.0_f32..0.9, 0_usize..4), 0..8), failed in any::<bool>(),
        ) {
            let probes: Vec<Probe> =
                weights.iter().enumerate().map(|(i, (w, who))| probe(i as i64, &[(*who, *w)])).collect();
            let state = if failed { PhotoState::Failed } else { PhotoState::Done };
            let outcomes = [DONE, PhotoOutcome { state, faces_left_out: 0, damaged: false }];
            let s = settled(&[probes, vec![]], &outcomes, &[]);
            let members: Vec<i64> = s.records.iter().map(|r| r.member.0).collect();
            prop_assert_eq!(members, [0, 1, 2, 3]);
            let absent = s.records.iter().filter(|r| r.status == AttendanceStatus::Absent).count();
            prop_assert!(!(failed && absent > 0));
            for r in &s.records {
                prop_assert_eq!(r.status == AttendanceStatus::Present, r.ground == Ground::Seen);
            }
        }
    }
}
