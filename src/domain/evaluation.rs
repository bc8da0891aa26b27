//! Counting right and wrong against a truth: which faces of a photo were found, and who they were said to be.
//!
//! Called by `demo` and `evaluate`. Pure counting; how truth files look is the caller's business.

use std::ops::AddAssign;

use serde::Serialize;

use super::geometry::BoundingBox;
use super::status::{AttendanceStatus, Verdict};

/// A face that is really there.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueFace {
    pub bbox: BoundingBox,
    pub who: TruePerson,
}

/// Who a face really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TruePerson {
    /// A member who can be found by face, under the name the prediction uses.
    Enrolled(String),
    Stranger,
    /// Not labelled: counts neither way.
    Ignored,
}

/// A face that was found, and the name it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundFace {
    pub bbox: BoundingBox,
    pub verdict: Verdict,
    /// The name of a match or doubt.
    pub who: Option<String>,
}

/// Counts over any number of photos; they add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FaceTally {
    /// Labelled faces.
    pub faces: u32,
    /// Labelled faces that were found.
    pub found: u32,
    /// Found where no face is labelled.
    pub false_faces: u32,
    /// Labelled faces of enrolled people.
    pub enrolled: u32,
    /// Enrolled and matched with the right name.
    pub named_right: u32,
    /// Enrolled and matched with another's name.
    pub named_wrong: u32,
    /// Enrolled and asked about under the right name.
    pub doubt_right: u32,
    /// Enrolled and asked about under another's name.
    pub doubt_wrong: u32,
    /// Enrolled, found, and taken for a stranger.
    pub missed: u32,
    /// Enrolled and not found at all.
    pub undetected: u32,
    /// Labelled faces of strangers.
    pub strangers: u32,
    /// Strangers matched with somebody's name: the worst error.
    pub strangers_named: u32,
    /// Strangers asked about.
    pub strangers_doubted: u32,
    /// False faces matched with somebody's name.
    pub false_named: u32,
}

impl AddAssign for FaceTally {
    fn add_assign(&mut self, other: Self) {
        self.faces += other.faces;
        self.found += other.found;
        self.false_faces += other.false_faces;
        self.enrolled += other.enrolled;
        self.named_right += other.named_right;
        self.named_wrong += other.named_wrong;
        self.doubt_right += other.doubt_right;
        self.doubt_wrong += other.doubt_wrong;
        self.missed += other.missed;
        self.undetected += other.undetected;
        self.strangers += other.strangers;
        self.strangers_named += other.strangers_named;
        self.strangers_doubted += other.strangers_doubted;
        self.false_named += other.false_named;
    }
}

/// What became of a labelled face, or what a found one is that stands for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    NamedRight,
    NamedWrong,
    DoubtRight,
    DoubtWrong,
    /// Enrolled, found, and taken for a stranger.
    Missed,
    /// Enrolled and not found.
    Undetected,
    StrangerNamed,
    StrangerDoubted,
    /// A stranger who was found and left nameless: right.
    StrangerLeft,
    StrangerUndetected,
    /// No face is labelled there, and a name was given.
    FalseFaceNamed,
    /// No face is labelled there.
    FalseFace,
}

/// One face of a photo: what it is and what was made of it. Indices are those of the lists that were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedFace {
    pub truth: Option<usize>,
    pub found: Option<usize>,
    pub outcome: Outcome,
}

/// Compares one photo with its truth, labelled faces first, then found ones that stand for none. A found face stands for the
/// true face it overlaps most, each for at most one, nearest pairs first, at `min_iou` (0..1) or more. Faces that count
/// neither way are left out, with what stands for them.
pub fn judge_faces(truth: &[TrueFace], found: &[FoundFace], min_iou: f32) -> Vec<JudgedFace> {
    let partner = pair_up(truth, found, min_iou);
    let labelled = truth.iter().enumerate().filter_map(|(t, face)| {
        let f = partner.iter().position(|p| *p == Some(t));
        let outcome = Outcome::of(&face.who, f.map(|f| &found[f]))?;
        Some(JudgedFace { truth: Some(t), found: f, outcome })
    });
    let unpaired = found.iter().enumerate().filter(|(f, _)| partner[*f].is_none()).map(|(f, face)| {
        let named = face.verdict == Verdict::Match;
        let outcome = if named { Outcome::FalseFaceNamed } else { Outcome::FalseFace };
        JudgedFace { truth: None, found: Some(f), outcome }
    });
    labelled.chain(unpaired).collect()
}

/// Counts one photo; see [`judge_faces`].
pub fn tally_photo(truth: &[TrueFace], found: &[FoundFace], min_iou: f32) -> FaceTally {
    judge_faces(truth, found, min_iou).iter().map(|face| face.outcome).collect()
}

impl Outcome {
    /// Whether there really is a face.
    pub const fn is_labelled(self) -> bool {
        !matches!(self, Self::FalseFace | Self::FalseFaceNamed)
    }

    /// Whether something was found there.
    pub const fn is_found(self) -> bool {
        !matches!(self, Self::Undetected | Self::StrangerUndetected)
    }

    /// Whether the face is that of somebody who cannot be named.
    pub const fn is_stranger(self) -> bool {
        matches!(self, Self::StrangerNamed | Self::StrangerDoubted | Self::StrangerLeft | Self::StrangerUndetected)
    }

    /// `None` for a face that counts neither way.
    fn of(who: &TruePerson, found: Option<&FoundFace>) -> Option<Self> {
        let verdict = found.map(|f| f.verdict);
        Some(match who {
            TruePerson::Ignored => return None,
            TruePerson::Enrolled(name) => match (verdict, found.is_some_and(|f| f.who.as_deref() == Some(name))) {
                (None, _) => Self::Undetected,
                (Some(Verdict::Match), true) => Self::NamedRight,
                (Some(Verdict::Match), false) => Self::NamedWrong,
                (Some(Verdict::Doubt), true) => Self::DoubtRight,
                (Some(Verdict::Doubt), false) => Self::DoubtWrong,
                (Some(Verdict::Stranger), _) => Self::Missed,
            },
            TruePerson::Stranger => match verdict {
                None => Self::StrangerUndetected,
                Some(Verdict::Match) => Self::StrangerNamed,
                Some(Verdict::Doubt) => Self::StrangerDoubted,
                Some(Verdict::Stranger) => Self::StrangerLeft,
            },
        })
    }
}

impl FromIterator<Outcome> for FaceTally {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        let mut tally = Self::default();
        outcomes.into_iter().for_each(|outcome| tally.count(outcome));
        tally
    }
}

impl FaceTally {
    fn count(&mut self, outcome: Outcome) {
        self.faces += u32::from(outcome.is_labelled());
        self.found += u32::from(outcome.is_labelled() && outcome.is_found());
        self.enrolled += u32::from(outcome.is_labelled() && !outcome.is_stranger());
        self.strangers += u32::from(outcome.is_stranger());
        self.false_faces += u32::from(!outcome.is_labelled());
        let part = match outcome {
            Outcome::NamedRight => &mut self.named_right,
            Outcome::NamedWrong => &mut self.named_wrong,
            Outcome::DoubtRight => &mut self.doubt_right,
            Outcome::DoubtWrong => &mut self.doubt_wrong,
            Outcome::Missed => &mut self.missed,
            Outcome::Undetected => &mut self.undetected,
            Outcome::StrangerNamed => &mut self.strangers_named,
            Outcome::StrangerDoubted => &mut self.strangers_doubted,
            Outcome::FalseFaceNamed => &mut self.false_named,
            Outcome::StrangerLeft | Outcome::StrangerUndetected | Outcome::FalseFace => return,
        };
        *part += 1;
    }
}

/// The index of the true face of each found one.
fn pair_up(truth: &[TrueFace], found: &[FoundFace], min_iou: f32) -> Vec<Option<usize>> {
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (f, face) in found.iter().enumerate() {
        for (t, real) in truth.iter().enumerate() {
            let iou = face.bbox.iou(&real.bbox);
            if iou >= min_iou {
                pairs.push((iou, f, t));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut partner = vec![None; found.len()];
    for (_, f, t) in pairs {
        if partner[f].is_none() && !partner.contains(&Some(t)) {
            partner[f] = Some(t);
        }
    }
    partner
}

/// Attendance rows against the truth; they add up to all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RowTally {
    pub rows: u32,
    pub right: u32,
    /// Left to the teacher.
    pub open: u32,
    /// Present, marked absent.
    pub wrongly_absent: u32,
    /// Absent, marked present: the worst error.
    pub wrongly_present: u32,
}

impl AddAssign for RowTally {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.right += other.right;
        self.open += other.open;
        self.wrongly_absent += other.wrongly_absent;
        self.wrongly_present += other.wrongly_present;
    }
}

impl RowTally {
    /// Counts one member of one session.
    pub fn count(&mut self, was_there: bool, status: AttendanceStatus) {
        self.rows += 1;
        *match (status, was_there) {
            (AttendanceStatus::Unmarked, _) => &mut self.open,
            (AttendanceStatus::Present | AttendanceStatus::Late, true) => &mut self.right,
            (AttendanceStatus::Present | AttendanceStatus::Late, false) => &mut self.wrongly_present,
            (AttendanceStatus::Absent | AttendanceStatus::Excused, false) => &mut self.right,
            (AttendanceStatus::Absent | AttendanceStatus::Excused, true) => &mut self.wrongly_absent,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32) -> BoundingBox {
        BoundingBox::from_xywh(x, 0.0, 10.0, 10.0)
    }

    fn real(x: f32, who: TruePerson) -> TrueFace {
        TrueFace { bbox: at(x), who }
    }

    fn found(x: f32, verdict: Verdict, who: Option<&str>) -> FoundFace {
        FoundFace { bbox: at(x), verdict, who: who.map(String::from) }
    }

    #[test]
    fn every_kind_of_outcome_is_counted_once() {
        let enrolled = |x, name: &str| real(x, TruePerson::Enrolled(name.into()));
        let truth = [
            enrolled(0.0, "a"),
            enrolled(20.0, "b"),
            enrolled(40.0, "c"),
            enrolled(60.0, "d"),
            enrolled(80.0, "e"),
            real(100.0, TruePerson::Stranger),
            real(120.0, TruePerson::Ignored),
        ];
        let seen = [
            found(1.0, Verdict::Match, Some("a")),
            found(21.0, Verdict::Match, Some("x")),
            found(41.0, Verdict::Doubt, Some("c")),
            found(61.0, Verdict::Stranger, None),
            found(101.0, Verdict::Match, Some("b")),
            found(121.0, Verdict::Match, Some("z")),
            found(200.0, Verdict::Match, Some("y")),
        ];
        let expected = FaceTally {
            faces: 6,
            found: 5,
            false_faces: 1,
            enrolled: 5,
            named_right: 1,
            named_wrong: 1,
            doubt_right: 1,
            missed: 1,
            undetected: 1,
            strangers: 1,
            strangers_named: 1,
            false_named: 1,
            ..FaceTally::default()
        };
        assert_eq!(tally_photo(&truth, &seen, 0.4), expected);
        let judged = judge_faces(&truth, &seen, 0.4);
        let last = judged.last().unwrap();
        assert_eq!((last.truth, last.found, last.outcome), (None, Some(6), Outcome::FalseFaceNamed));
        assert_eq!((judged[4].outcome, judged[4].found), (Outcome::Undetected, None));
        assert_eq!(judged.len(), 7);
        let mut twice = expected;
        twice += expected;
        assert_eq!((twice.faces, twice.named_right, twice.false_named), (12, 2, 2));
    }

    #[test]
    fn two_boxes_on_one_face_are_one_found_and_one_false() {
        let tally = tally_photo(
            &[real(0.0, TruePerson::Stranger)],
            &[found(0.0, Verdict::Stranger, None), found(1.0, Verdict::Stranger, None)],
            0.4,
        );
        assert_eq!((tally.found, tally.false_faces), (1, 1));
    }

    #[test]
    fn rows_are_right_open_or_wrong() {
        let mut rows = RowTally::default();
        rows.count(true, AttendanceStatus::Present);
        rows.count(false, AttendanceStatus::Absent);
        rows.count(true, AttendanceStatus::Unmarked);
        rows.count(true, AttendanceStatus::Absent);
        rows.count(false, AttendanceStatus::Present);
        assert_eq!(rows, RowTally { rows: 5, right: 2, open: 1, wrongly_absent: 1, wrongly_present: 1 });
    }
}
