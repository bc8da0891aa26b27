//! How well somebody is enrolled: what there is, how good and how old it is, whom it looks like, how often it failed, and
//! what should be done about it.
//!
//! Judges only; changes nothing and refuses nobody. Facts come from `db`, `app::enrol` brings them here, REST and the
//! command line show the result.

use chrono::{NaiveDateTime, TimeDelta};

use super::ids::{MemberId, SampleId, SessionId};
use super::quality::{EnrolLines, FaceQuality};
use super::score::{Lines, Score};
use super::status::{Consent, Origin, Verdict};

/// When every portrait is older than this, new ones are worth their trouble: children change. A judgement, not a measurement:
/// there are no pictures of the same children over years here to measure it on.
pub const STALE_AFTER_DAYS: i64 = 2 * 365;

/// A portrait whose side is under so many times the line of enrolment can be used, but a larger one is worth the trouble. The
/// same for its sharpness.
const COMFORT: f32 = 1.5;

/// From so many sessions on a share of misses says something about the portraits, not about one bad photo.
const MISSES_FROM_SESSIONS: u32 = 3;

/// So large a share of sessions without being found, 0..1, is worth new portraits.
const MISSED_SHARE: f32 = 0.3;

/// A sample as far as its health goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleFacts {
    pub id: SampleId,
    pub origin: Origin,
    /// None for a vector that came without a picture.
    pub quality: Option<FaceQuality>,
    /// Share in the template, above 0.
    pub weight: f32,
    /// UTC.
    pub created_at: NaiveDateTime,
    /// It looks like somebody else than the others and does not count.
    pub is_outlier: bool,
}

/// The student of the same class whose template is nearest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    pub member: MemberId,
    pub score: Score,
    /// So near that a face may be mistaken between the two: expect doubts.
    pub looks_alike: bool,
}

/// What became of a student in a session that they were in by the final record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// By their face.
    Matched,
    /// Some face was in doubt.
    Asked,
    /// No face was near: the teacher had to say it.
    Missed,
}

/// A face of a session that was said to be, or may be, a member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceSaid {
    pub verdict: Verdict,
    /// A person said whose it is; the scores are the machine's all the same.
    pub decided: bool,
    pub combined: Option<f32>,
    /// 0..1.
    pub confidence: Option<f32>,
}

impl Found {
    /// From all faces of one session that name the member. A face that a person had to name is what the machine would have
    /// said of it at best: a doubt where it was near enough for one, otherwise a miss.
    pub fn of(faces: &[FaceSaid], lines: &Lines) -> Self {
        let is_match = |face: &FaceSaid| face.verdict == Verdict::Match && !face.decided;
        let is_near = |face: &FaceSaid| face.combined.is_some_and(|combined| combined <= lines.doubt);
        let is_doubt = |face: &FaceSaid| face.verdict == Verdict::Doubt || (face.decided && is_near(face));
        if faces.iter().any(is_match) {
            Self::Matched
        } else if faces.iter().any(is_doubt) {
            Self::Asked
        } else {
            Self::Missed
        }
    }
}

/// One session that a student was in by its final record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    pub session: SessionId,
    /// UTC.
    pub starts_at: NaiveDateTime,
    /// When its photos were looked at, UTC: portraits that are newer had no say in it.
    pub seen_at: NaiveDateTime,
    pub found: Found,
    /// Best confidence of a match, 0..1.
    pub confidence: Option<f32>,
    /// Score of that match; lower is nearer.
    pub combined: Option<f32>,
}

/// How often a student was found, over the sessions that they were in since their newest portrait.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sightings {
    pub sessions: u32,
    pub matched: u32,
    pub asked: u32,
    pub missed: u32,
    /// Mean of the matches, 0..1.
    pub mean_confidence: Option<f32>,
    /// Mean score of the matches; lower is nearer.
    pub mean_combined: Option<f32>,
    /// By how much that mean is higher in the newer half of the matches than in the older one; above 0 it gets worse. None
    /// for fewer than four matches.
    pub trend: Option<f32>,
}

impl Sightings {
    /// Counts the sightings since `since`, in any order.
    pub fn count(all: &[Sighting], since: NaiveDateTime) -> Self {
        let mut all: Vec<&Sighting> = all.iter().filter(|s| s.seen_at >= since).collect();
        all.sort_by_key(|s| (s.starts_at, s.session));
        let how_many = |found| all.iter().filter(|s| s.found == found).count() as u32;
        let matches: Vec<&&Sighting> = all.iter().filter(|s| s.found == Found::Matched).collect();
        let scores: Vec<f32> = matches.iter().filter_map(|s| s.combined).collect();
        let (older, newer) = scores.split_at(scores.len() / 2);
        let difference = || Some(mean(newer.iter().copied())? - mean(older.iter().copied())?);
        Self {
            sessions: all.len() as u32,
            matched: how_many(Found::Matched),
            asked: how_many(Found::Asked),
            missed: how_many(Found::Missed),
            mean_confidence: mean(matches.iter().filter_map(|s| s.confidence)),
            mean_combined: mean(scores.iter().copied()),
            trend: if scores.len() >= 4 { difference() } else { None },
        }
    }

    /// Sessions in which the face was not enough, as a share of all, 0..1.
    fn kept_missing(&self) -> bool {
        self.sessions >= MISSES_FROM_SESSIONS && self.missed as f32 >= MISSED_SHARE * self.sessions as f32
    }
}

fn mean(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f32)
}

/// Everything that is known about a student's enrolment in one pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub consent: Consent,
    pub active: bool,
    pub samples: Vec<SampleFacts>,
    /// The portraits contradict each other: there is no template.
    pub disagree: bool,
    /// None outside a class, and where nobody else has a template.
    pub nearest: Option<Nearest>,
    pub sightings: Vec<Sighting>,
}

/// How well a student is enrolled.
#[derive(Debug, Clone, PartialEq)]
pub struct EnrolmentHealth {
    pub portraits: u32,
    /// Samples learned from confirmed sessions.
    pub learned: u32,
    /// Samples that look like somebody else and do not count.
    pub outliers: u32,
    pub disagree: bool,
    /// The portrait with the least and the most weight; none where nothing was measured.
    pub weakest: Option<SampleFacts>,
    pub best: Option<SampleFacts>,
    /// Of the portraits, UTC.
    pub oldest: Option<NaiveDateTime>,
    pub newest: Option<NaiveDateTime>,
    pub nearest: Option<Nearest>,
    pub sightings: Sightings,
    /// Most urgent first.
    pub suggestions: Vec<Suggestion>,
}

/// What should be done, in the order of urgency.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub enum Suggestion {
    NoConsent,
    SamplesDisagree,
    NoSample,
    KeptMissing { missed: u32, sessions: u32 },
    LooksLike { member: MemberId },
    Outliers { count: u32 },
    LowQuality,
    OldSamples { days: i64 },
    OneSample,
}

impl Suggestion {
    /// Stable, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoConsent => "NO_CONSENT",
            Self::SamplesDisagree => "SAMPLES_DISAGREE",
            Self::NoSample => "NO_SAMPLE",
            Self::KeptMissing { .. } => "KEPT_MISSING",
            Self::LooksLike { .. } => "LOOKS_LIKE",
            Self::Outliers { .. } => "OUTLIERS",
            Self::LowQuality => "LOW_QUALITY",
            Self::OldSamples { .. } => "OLD_SAMPLES",
            Self::OneSample => "ONE_SAMPLE",
        }
    }
}

impl Suggestion {
    /// What to do, for people; `name` says who a member is.
    pub fn sentence(&self, name: impl FnOnce(MemberId) -> String) -> String {
        match self {
            Self::NoConsent => "no consent on record: ask for it, or mark by hand".into(),
            Self::SamplesDisagree => {
                "the portraits show different people: delete the wrong one, or take another to decide".into()
            }
            Self::NoSample => "no portrait: take two, from the front, in good light".into(),
            Self::KeptMissing { missed, sessions } => {
                format!("not found in {missed} of {sessions} sessions: take two new portraits")
            }
            Self::LooksLike { member } => {
                format!("looks like {}: expect doubts between them; more portraits of both help", name(*member))
            }
            Self::Outliers { count } => {
                format!("samples that look like somebody else and do not count: {count}; look at them, delete them")
            }
            Self::LowQuality => "even the best portrait is poor: take one that is larger and sharper".into(),
            Self::OldSamples { days } => {
                format!("the newest portrait is {:.1} years old: take two new ones", *days as f64 / 365.25)
            }
            Self::OneSample => "only one portrait: take a second one, on another day".into(),
        }
    }
}

/// Templates at or below this score look alike: of a face at the accept line of one, the other may be within the margin.
pub fn look_alike_line(lines: &Lines) -> f32 {
    lines.accept + lines.margin
}

/// Judges an enrolment. `now` is UTC; `lines` are the school's for portraits.
pub fn judge(facts: &Facts, lines: &EnrolLines, now: NaiveDateTime) -> EnrolmentHealth {
    let portraits: Vec<&SampleFacts> = facts.samples.iter().filter(|s| s.origin == Origin::Portrait).collect();
    let by_weight = |a: &&&SampleFacts, b: &&&SampleFacts| a.weight.total_cmp(&b.weight).then(b.id.cmp(&a.id));
    let measured = || portraits.iter().filter(|s| s.quality.is_some());
    let newest = portraits.iter().map(|s| s.created_at).max();
    let sightings = newest.map(|since| Sightings::count(&facts.sightings, since)).unwrap_or_default();
    let mut health = EnrolmentHealth {
        portraits: portraits.len() as u32,
        learned: (facts.samples.len() - portraits.len()) as u32,
        outliers: facts.samples.iter().filter(|s| s.is_outlier).count() as u32,
        disagree: facts.disagree,
        weakest: measured().min_by(by_weight).map(|s| **s),
        best: measured().max_by(by_weight).map(|s| **s),
        oldest: portraits.iter().map(|s| s.created_at).min(),
        newest,
        nearest: facts.nearest,
        sightings,
        suggestions: Vec::new(),
    };
    health.suggestions = suggestions(facts, &health, lines, now);
    health
}

fn suggestions(facts: &Facts, health: &EnrolmentHealth, lines: &EnrolLines, now: NaiveDateTime) -> Vec<Suggestion> {
    // Somebody who is not at the school needs nothing, and without consent nothing may be taken.
    if !facts.active {
        return Vec::new();
    }
    if facts.consent != Consent::Given {
        return vec![Suggestion::NoConsent];
    }
    if health.portraits == 0 {
        return vec![Suggestion::NoSample];
    }
    let Sightings { missed, sessions, .. } = health.sightings;
    let age = health.newest.map(|newest| now - newest).filter(|age| *age > TimeDelta::days(STALE_AFTER_DAYS));
    let is_poor = health.best.and_then(|best| best.quality).is_some_and(|quality| is_poor(&quality, lines));
    [
        facts.disagree.then_some(Suggestion::SamplesDisagree),
        health.sightings.kept_missing().then_some(Suggestion::KeptMissing { missed, sessions }),
        facts.nearest.filter(|n| n.looks_alike).map(|n| Suggestion::LooksLike { member: n.member }),
        (health.outliers > 0).then_some(Suggestion::Outliers { count: health.outliers }),
        is_poor.then_some(Suggestion::LowQuality),
        age.map(|age| Suggestion::OldSamples { days: age.num_days() }),
        (health.portraits == 1).then_some(Suggestion::OneSample),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Good enough to be enrolled, or enrolled under other lines, but only just.
fn is_poor(quality: &FaceQuality, lines: &EnrolLines) -> bool {
    quality.side_px < COMFORT * lines.min_face_px
        || quality.sharpness < COMFORT * lines.min_sharpness
        || !quality.shortfalls(lines).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: Lines = Lines { accept: 17.66, doubt: 20.54, margin: 1.0 };
    const GOOD: FaceQuality = FaceQuality {
        side_px: 150.0,
        sharpness: 300.0,
        brightness: 120.0,
        contrast: 50.0,
        yaw_deg: 2.0,
        roll_deg: 0.0,
    };

    fn at(day: i64) -> NaiveDateTime {
        "2026-01-01T08:00:00".parse::<NaiveDateTime>().unwrap() + TimeDelta::days(day)
    }

    fn portrait(id: i64, day: i64) -> SampleFacts {
        SampleFacts {
            id: SampleId(id),
            origin: Origin::Portrait,
            quality: Some(GOOD),
            weight: 1.0,
            created_at: at(day),
            is_outlier: false,
        }
    }

    fn sighting(day: i64, found: Found, combined: f32) -> Sighting {
        let is_match = found == Found::Matched;
        Sighting {
            session: SessionId(day),
            starts_at: at(day),
            seen_at: at(day),
            found,
            confidence: is_match.then_some(0.9),
            combined: is_match.then_some(combined),
        }
    }

    fn facts(samples: Vec<SampleFacts>) -> Facts {
        let (consent, active) = (Consent::Given, true);
        Facts { consent, active, samples, disagree: false, nearest: None, sightings: Vec::new() }
    }

    fn codes(facts: &Facts, day: i64) -> Vec<&'static str> {
        judge(facts, &EnrolLines::default(), at(day)).suggestions.iter().map(Suggestion::code).collect()
    }

    #[test]
    fn two_good_recent_portraits_need_nothing() {
        assert_eq!(codes(&facts(vec![portrait(1, 0), portrait(2, 1)]), 10), [""; 0]);
    }

    #[test]
    fn what_forbids_everything_else_stands_alone() {
        let none = facts(vec![]);
        assert_eq!(codes(&none, 10), ["NO_SAMPLE"]);
        assert_eq!(codes(&Facts { consent: Consent::Unknown, ..none.clone() }, 10), ["NO_CONSENT"]);
        assert_eq!(codes(&Facts { active: false, ..none }, 10), [""; 0]);
    }

    #[test]
    fn learned_faces_are_no_portraits() {
        let learned = SampleFacts { origin: Origin::Session, ..portrait(2, 5) };
        assert_eq!(codes(&facts(vec![learned]), 10), ["NO_SAMPLE"]);
        let health = judge(&facts(vec![portrait(1, 0), learned]), &EnrolLines::default(), at(10));
        assert_eq!((health.portraits, health.learned, health.newest), (1, 1, Some(at(0))));
    }

    #[test]
    fn everything_at_once_comes_in_order_of_urgency() {
        let small = FaceQuality { side_px: 70.0, ..GOOD };
        let samples = vec![SampleFacts { quality: Some(small), is_outlier: true, ..portrait(1, 0) }];
        let score = Score { combined: 15.0, cosine: 0.65 };
        let all = Facts {
            disagree: true,
            nearest: Some(Nearest { member: MemberId(7), score, looks_alike: true }),
            sightings: (1..4).map(|day| sighting(day, Found::Missed, 0.0)).collect(),
            ..facts(samples)
        };
        let expected =
            ["SAMPLES_DISAGREE", "KEPT_MISSING", "LOOKS_LIKE", "OUTLIERS", "LOW_QUALITY", "OLD_SAMPLES", "ONE_SAMPLE"];
        assert_eq!(codes(&all, STALE_AFTER_DAYS + 1), expected);
        let suggestions = judge(&all, &EnrolLines::default(), at(STALE_AFTER_DAYS + 1)).suggestions;
        assert!(suggestions.is_sorted(), "the order of the words is the order of urgency: {suggestions:?}");
    }

    #[test]
    fn the_best_portrait_decides_about_quality_and_the_newest_about_age() {
        let blurred = FaceQuality { sharpness: 45.0, ..GOOD };
        let weak = SampleFacts { quality: Some(blurred), weight: 0.4, ..portrait(1, 0) };
        assert_eq!(codes(&facts(vec![weak, portrait(2, 0)]), 10), [""; 0]);
        assert_eq!(codes(&facts(vec![weak, weak]), 10), ["LOW_QUALITY"]);
        let health = judge(&facts(vec![weak, portrait(2, 0)]), &EnrolLines::default(), at(10));
        assert_eq!((health.weakest.unwrap().id, health.best.unwrap().id), (SampleId(1), SampleId(2)));
        let late = STALE_AFTER_DAYS + 1;
        assert_eq!(codes(&facts(vec![portrait(1, 0), portrait(2, 5)]), late), [""; 0]);
        assert_eq!(codes(&facts(vec![portrait(1, 0), portrait(2, 0)]), late), ["OLD_SAMPLES"]);
        // A vector that came without a picture has no quality to complain about.
        let vector = SampleFacts { quality: None, ..portrait(1, 0) };
        assert_eq!(codes(&facts(vec![vector, vector]), 10), [""; 0]);
    }

    #[test]
    fn misses_count_from_three_sessions_on_and_begin_anew_with_a_new_portrait() {
        let missed = |days: std::ops::Range<i64>| days.map(|day| sighting(day, Found::Missed, 0.0)).collect::<Vec<_>>();
        let base = facts(vec![portrait(1, 0), portrait(2, 0)]);
        assert_eq!(codes(&Facts { sightings: missed(1..3), ..base.clone() }, 10), [""; 0]);
        let often = Facts { sightings: missed(1..4), ..base };
        assert_eq!(codes(&often, 10), ["KEPT_MISSING"]);
        let renewed = Facts { samples: vec![portrait(1, 0), portrait(3, 5)], ..often };
        assert_eq!(codes(&renewed, 10), [""; 0]);
        // Doubts are no misses.
        let asked = (1..9).map(|day| sighting(day, Found::Asked, 0.0)).chain(missed(9..10)).collect();
        assert_eq!(codes(&Facts { sightings: asked, ..renewed }, 20), [""; 0]);
    }

    #[test]
    fn sightings_are_counted_and_a_rising_score_is_a_trend() {
        let scores = [12.0, 12.0, 14.0, 15.0];
        let mut all: Vec<Sighting> =
            scores.iter().zip(1..).map(|(score, day)| sighting(day, Found::Matched, *score)).collect();
        all.push(sighting(9, Found::Asked, 0.0));
        all.reverse();
        let counted = Sightings::count(&all, at(0));
        assert_eq!((counted.sessions, counted.matched, counted.asked, counted.missed), (5, 4, 1, 0));
        assert_eq!((counted.mean_combined, counted.trend), (Some(13.25), Some(2.5)));
        assert!((counted.mean_confidence.unwrap() - 0.9).abs() < 1e-6);
        assert_eq!(Sightings::count(&all[2..], at(0)).trend, None, "three matches say nothing");
    }

    #[test]
    fn a_face_that_a_person_named_is_no_match() {
        let face = |verdict, decided, combined| FaceSaid { verdict, decided, combined, confidence: None };
        let of = |faces: &[FaceSaid]| Found::of(faces, &LINES);
        assert_eq!(of(&[]), Found::Missed);
        assert_eq!(of(&[face(Verdict::Doubt, false, Some(19.0))]), Found::Asked);
        assert_eq!(of(&[face(Verdict::Match, true, Some(19.0))]), Found::Asked);
        assert_eq!(of(&[face(Verdict::Match, true, Some(24.0))]), Found::Missed);
        assert_eq!(of(&[face(Verdict::Match, true, None)]), Found::Missed);
        let both = [face(Verdict::Doubt, false, Some(19.0)), face(Verdict::Match, false, Some(15.0))];
        assert_eq!(of(&both), Found::Matched);
    }
}
