//! Who is who in one photo: an optimal one-to-one assignment of faces to candidates, and a verdict for each face.
//!
//! Called by [`super::fusion`], which then looks over all photos of the session.

use std::fmt;

use pathfinding::prelude::{Matrix, kuhn_munkres_min};

use super::decision::Decision;
use super::gallery::Gallery;
use super::ids::{FaceId, MemberId};
use super::score::{ScaledEmbedding, Score, Scoring};
use super::status::Verdict;

/// Likelihood ratios are compared in whole millionths of a nat: the assignment is exact and the same on every machine.
const MICRO_NATS: f32 = 1e6;

/// Why a face got its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Inside the accept line, clear of the runner-up, and the face's own best candidate.
    Clear,
    /// No candidate at or below the doubt line.
    BeyondDoubtLine,
    /// Between the accept and the doubt line.
    BetweenLines,
    /// Another candidate is nearer than the margin allows.
    RunnerUpTooNear,
    /// The face's own best candidate went to another face of the photo.
    BestCandidateTaken,
    /// Another student looks so much like the candidate that a face alone cannot say which of them it is.
    LooksLikeAnother,
    /// Another face of the photo fits the same candidate about as well.
    ContestedByAnotherFace,
    /// Two different-looking faces of the session fit the same candidate.
    LooksUnlikeOtherPhoto,
    /// The same-looking face got another name in another photo of the session.
    OtherNameInOtherPhoto,
    /// A face in another photo that was named looks like this one.
    SeenInOtherPhoto,
    /// The embedder gave no usable vector for the face.
    NoEmbedding,
    /// A person has said who it is, or that it is nobody of the class.
    Decided,
}

impl Reason {
    pub const ALL: &'static [Self] = &[
        Self::Clear,
        Self::BeyondDoubtLine,
        Self::BetweenLines,
        Self::RunnerUpTooNear,
        Self::BestCandidateTaken,
        Self::LooksLikeAnother,
        Self::ContestedByAnotherFace,
        Self::LooksUnlikeOtherPhoto,
        Self::OtherNameInOtherPhoto,
        Self::SeenInOtherPhoto,
        Self::NoEmbedding,
        Self::Decided,
    ];

    /// The word stored with the face.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::BeyondDoubtLine => "beyond_doubt_line",
            Self::BetweenLines => "between_lines",
            Self::RunnerUpTooNear => "runner_up_too_near",
            Self::BestCandidateTaken => "best_candidate_taken",
            Self::LooksLikeAnother => "looks_like_another",
            Self::ContestedByAnotherFace => "contested_by_another_face",
            Self::LooksUnlikeOtherPhoto => "looks_unlike_other_photo",
            Self::OtherNameInOtherPhoto => "other_name_in_other_photo",
            Self::SeenInOtherPhoto => "seen_in_other_photo",
            Self::NoEmbedding => "no_embedding",
            Self::Decided => "decided",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A candidate and how near a face is to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub member: MemberId,
    pub score: Score,
}

/// What is known about one face after its photo was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceVerdict {
    pub face: FaceId,
    pub verdict: Verdict,
    pub reason: Reason,
    /// The member a match or doubt speaks of; none for strangers.
    pub member: Option<MemberId>,
    /// The score of `member`, or of the nearest candidate for a stranger; none when there was nobody to compare with, or when
    /// a person named somebody who has no template.
    pub score: Option<Score>,
    /// Posterior probability that the face is the one `score` speaks of, 0..1 (see [`Scoring::posterior`]).
    pub confidence: f32,
    /// The nearest other candidate.
    pub runner_up: Option<Scored>,
    /// All candidates at or below the doubt line, nearest first: who the face may be when it is a doubt.
    pub possible: Vec<MemberId>,
}

impl FaceVerdict {
    /// A person has said it: nothing that is measured changes it.
    pub fn is_decided(&self) -> bool {
        self.reason == Reason::Decided
    }

    /// Makes a stranger a doubt about `member`, with that member's score. `scores` are the face's, one a candidate.
    pub(super) fn ask_about(&mut self, member: MemberId, scores: &[Score], gallery: &Gallery, scoring: &Scoring) {
        self.verdict = Verdict::Doubt;
        self.reason = Reason::SeenInOtherPhoto;
        self.member = Some(member);
        self.possible = vec![member];
        if let Some(subject) = gallery.candidates().iter().position(|c| c.member == member) {
            self.measure_against(subject, scores, gallery, scoring);
        }
    }

    /// Score, confidence and runner-up as seen from the candidate at `subject`.
    fn measure_against(&mut self, subject: usize, scores: &[Score], gallery: &Gallery, scoring: &Scoring) {
        let combined: Vec<f32> = scores.iter().map(|s| s.combined).collect();
        self.score = Some(scores[subject]);
        self.confidence = scoring.posterior(&combined, subject);
        self.runner_up = nearest_but(scores, Some(subject))
            .map(|i| Scored { member: gallery.candidates()[i].member, score: scores[i] });
    }
}

/// One face of a photo.
#[derive(Debug, Clone)]
pub struct Probe {
    pub face: FaceId,
    /// What it is compared by; `None` where the embedder failed or the numbers were deleted.
    pub vector: Option<ScaledEmbedding>,
    /// What a person has said about it. No two faces of a photo are said to be the same member.
    pub said: Option<Decision>,
}

/// Judges each face of one photo. Returns one verdict for each probe, in their order.
///
/// What a person said is taken as it is: that face is its member, or a stranger, with its scores as they were measured. The
/// other faces are judged as if neither those faces nor those members were there.
pub fn judge_photo(probes: &[Probe], gallery: &Gallery, scoring: &Scoring) -> Vec<FaceVerdict> {
    if probes.iter().all(|p| p.said.is_none()) {
        return judge_undecided(probes, gallery, scoring);
    }
    let (decided, open): (Vec<&Probe>, Vec<&Probe>) = probes.iter().partition(|p| p.said.is_some());
    let named: Vec<MemberId> = decided.iter().filter_map(|p| p.said?.member()).collect();
    let open: Vec<Probe> = open.into_iter().cloned().collect();
    let mut judged = judge_undecided(&open, &gallery.without(&named), scoring).into_iter();
    let verdict = |probe: &Probe| match probe.said {
        Some(decision) => decided_verdict(probe, decision, gallery, scoring),
        None => judged.next().expect("one verdict for each open face"),
    };
    probes.iter().map(verdict).collect()
}

/// The verdict of a face that a person has decided about.
fn decided_verdict(probe: &Probe, decision: Decision, gallery: &Gallery, scoring: &Scoring) -> FaceVerdict {
    let member = decision.member();
    let mut verdict = FaceVerdict {
        face: probe.face,
        verdict: if member.is_some() { Verdict::Match } else { Verdict::Stranger },
        reason: Reason::Decided,
        member,
        score: None,
        confidence: 0.0,
        runner_up: None,
        possible: member.into_iter().collect(),
    };
    if let Some(vector) = &probe.vector {
        let scores = gallery.scores(vector, scoring);
        let subject = match member {
            Some(member) => gallery.candidates().iter().position(|c| c.member == member),
            None => nearest_but(&scores, None),
        };
        if let Some(subject) = subject {
            verdict.measure_against(subject, &scores, gallery, scoring);
        }
    }
    verdict
}

/// A candidate, how near a face is to it, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    pub member: MemberId,
    pub score: Score,
    /// Posterior probability that the face is this candidate, 0..1 (see [`Scoring::posterior`]).
    pub confidence: f32,
}

/// The `count` candidates nearest to a face, nearest first: for a person who has to say who it is.
pub fn nearest(face: &ScaledEmbedding, gallery: &Gallery, scoring: &Scoring, count: usize) -> Vec<Ranked> {
    let scores = gallery.scores(face, scoring);
    let combined: Vec<f32> = scores.iter().map(|s| s.combined).collect();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| combined[*a].total_cmp(&combined[*b]));
    let ranked = |i: usize| Ranked {
        member: gallery.candidates()[i].member,
        score: scores[i],
        confidence: scoring.posterior(&combined, i),
    };
    order.into_iter().take(count).map(ranked).collect()
}

/// Assigns faces that nobody has decided about to the candidates of their class and judges each.
///
/// The cost of a pair is its negative log likelihood ratio; every face may instead take a stranger column at the cost of
/// the doubt line, so no pair beyond that line is ever made. The assignment with the least total cost is taken
/// (Kuhn-Munkres); each student gets at most one face and each face at most one student. Returns one verdict for each
/// probe, in their order.
fn judge_undecided(probes: &[Probe], gallery: &Gallery, scoring: &Scoring) -> Vec<FaceVerdict> {
    let scores: Vec<Vec<Score>> =
        probes.iter().map(|p| p.vector.as_ref().map_or_else(Vec::new, |v| gallery.scores(v, scoring))).collect();
    let assigned = assign(&scores, gallery.candidates().len(), scoring);
    (0..probes.len())
        .map(|i| {
            let contested = assigned[i].is_some_and(|c| contested(&scores, i, c, scoring));
            let row = Row { probe: &probes[i], scores: &scores[i], assigned: assigned[i], contested };
            row.judge(gallery, scoring)
        })
        .collect()
}

/// The candidate of each face, by the cheapest one-to-one assignment.
fn assign(scores: &[Vec<Score>], candidates: usize, scoring: &Scoring) -> Vec<Option<usize>> {
    let faces = scores.len();
    if faces == 0 {
        return Vec::new();
    }
    let stranger = cost(scoring.lines.doubt, scoring);
    let costs = Matrix::from_fn(faces, candidates + faces, |(face, column)| match scores[face].get(column) {
        Some(score) if score.combined <= scoring.lines.doubt => cost(score.combined, scoring),
        // Beyond the doubt line: as dear as any assignment may get, and never better than being a stranger.
        Some(_) => stranger + 1,
        None if column < candidates => stranger + 1,
        None => stranger,
    });
    let (_, columns) = kuhn_munkres_min(&costs);
    let is_pair =
        |face: usize, column: &usize| scores[face].get(*column).is_some_and(|s| s.combined <= scoring.lines.doubt);
    columns.into_iter().enumerate().map(|(face, column)| Some(column).filter(|c| is_pair(face, c))).collect()
}

fn cost(combined: f32, scoring: &Scoring) -> i64 {
    (-scoring.llr(combined) * MICRO_NATS).round() as i64
}

/// Another face of the photo is inside the accept line of the same candidate and within the margin of this one:
/// one of them is not the student, and the score does not say which.
fn contested(scores: &[Vec<Score>], face: usize, candidate: usize, scoring: &Scoring) -> bool {
    let own = scores[face][candidate].combined;
    scores.iter().enumerate().any(|(other, row)| {
        other != face
            && row
                .get(candidate)
                .is_some_and(|s| s.combined <= scoring.lines.accept && s.combined < own + scoring.lines.margin)
    })
}

/// Index of the nearest candidate, leaving one out.
fn nearest_but(scores: &[Score], left_out: Option<usize>) -> Option<usize> {
    (0..scores.len())
        .filter(|i| Some(*i) != left_out)
        .min_by(|a, b| scores[*a].combined.total_cmp(&scores[*b].combined))
}

/// One face against the whole class.
struct Row<'a> {
    probe: &'a Probe,
    scores: &'a [Score],
    assigned: Option<usize>,
    contested: bool,
}

impl Row<'_> {
    fn judge(&self, gallery: &Gallery, scoring: &Scoring) -> FaceVerdict {
        let Some(best) = nearest_but(self.scores, None) else {
            let reason = if self.probe.vector.is_some() { Reason::BeyondDoubtLine } else { Reason::NoEmbedding };
            return FaceVerdict {
                face: self.probe.face,
                verdict: Verdict::Stranger,
                reason,
                member: None,
                score: None,
                confidence: 0.0,
                runner_up: None,
                possible: Vec::new(),
            };
        };
        let (verdict, reason) = self.decide(best, gallery, scoring);
        // A face whose best candidate was taken, and that got nobody, is asked about under that candidate's name.
        let subject = self.assigned.unwrap_or(best);
        let mut judged = FaceVerdict {
            face: self.probe.face,
            verdict,
            reason,
            member: (verdict != Verdict::Stranger).then(|| gallery.candidates()[subject].member),
            score: None,
            confidence: 0.0,
            runner_up: None,
            possible: self.possible(gallery, scoring),
        };
        judged.measure_against(subject, self.scores, gallery, scoring);
        judged
    }

    fn decide(&self, best: usize, gallery: &Gallery, scoring: &Scoring) -> (Verdict, Reason) {
        let lines = scoring.lines;
        if self.scores[best].combined > lines.doubt {
            return (Verdict::Stranger, Reason::BeyondDoubtLine);
        }
        if self.assigned != Some(best) {
            return (Verdict::Doubt, Reason::BestCandidateTaken);
        }
        let own = self.scores[best].combined;
        if own > lines.accept {
            return (Verdict::Doubt, Reason::BetweenLines);
        }
        if nearest_but(self.scores, Some(best)).is_some_and(|i| self.scores[i].combined - own < lines.margin) {
            return (Verdict::Doubt, Reason::RunnerUpTooNear);
        }
        if gallery.has_look_alike(best, scoring) {
            return (Verdict::Doubt, Reason::LooksLikeAnother);
        }
        if self.contested {
            return (Verdict::Doubt, Reason::ContestedByAnotherFace);
        }
        (Verdict::Match, Reason::Clear)
    }

    fn possible(&self, gallery: &Gallery, scoring: &Scoring) -> Vec<MemberId> {
        let mut near: Vec<usize> =
            (0..self.scores.len()).filter(|i| self.scores[*i].combined <= scoring.lines.doubt).collect();
        near.sort_by(|a, b| self.scores[*a].combined.total_cmp(&self.scores[*b].combined));
        near.into_iter().map(|i| gallery.candidates()[i].member).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::super::embedding::Embedding;
    use super::super::gallery::Enrolled;
    use super::super::ids::{SampleId, StudentId};
    use super::super::score::tests::STARTER;
    use super::super::status::{Consent, Origin};
    use super::super::template::Sample;
    use super::*;

    /// Weight of the axis of person `i` in a 64-d space; what is left goes to axis `noise`.
    pub(crate) fn looks_like(parts: &[(usize, f32)], noise: usize) -> Embedding {
        let mut v = vec![0.0; 64];
        for (axis, weight) in parts {
            v[*axis] = *weight;
        }
        let used: f32 = parts.iter().map(|p| p.1 * p.1).sum();
        v[32 + noise % 32] = (1.0 - used).max(0.0).sqrt();
        Embedding::new(v).unwrap()
    }

    /// The starter pack's lines moved to 64 dimensions: what is cosine 0.553 and 0.420 stays so.
    pub(crate) fn scoring64() -> Scoring {
        let combined = |cosine: f32| 0.7 * (2.0_f32 * 64.0 * (1.0 - cosine)).sqrt() + 6.0 * (1.0 - cosine);
        let lines = super::super::score::Lines { accept: combined(0.553), doubt: combined(0.420), margin: 0.4 };
        let slope = (8.73 - 3.72) / (lines.doubt - lines.accept);
        let llr = super::super::score::LikelihoodRatio { intercept: 8.73 + slope * lines.accept, slope };
        Scoring { lines, llr, ..STARTER }
    }

    /// A class in which member `i` (from 0) looks exactly along axis `i`.
    pub(crate) fn class_of(n: usize) -> Gallery {
        let roll: Vec<Enrolled> = (0..n)
            .map(|i| Enrolled {
                member: MemberId(i as i64),
                student: StudentId(i as i64),
                consent: Consent::Given,
                active: true,
                samples: vec![Sample {
                    id: SampleId(i as i64),
                    embedding: looks_like(&[(i, 1.0)], i),
                    weight: 1.0,
                    origin: Origin::Portrait,
                }],
            })
            .collect();
        Gallery::build(&roll, &scoring64())
    }

    pub(crate) fn probe(id: i64, parts: &[(usize, f32)]) -> Probe {
        Probe { face: FaceId(id), vector: Some(scoring64().scaled(&looks_like(parts, id as usize))), said: None }
    }

    fn judge(probes: &[Probe], class: usize) -> Vec<FaceVerdict> {
        judge_photo(probes, &class_of(class), &scoring64())
    }

    fn short(v: &FaceVerdict) -> (Verdict, Option<i64>, Reason) {
        (v.verdict, v.member.map(|m| m.0), v.reason)
    }

    #[test]
    fn clear_face_is_named_and_unknown_face_is_a_stranger() {
        let v = judge(&[probe(1, &[(0, 0.8)]), probe(2, &[(1, 0.2)])], 3);
        assert_eq!(short(&v[0]), (Verdict::Match, Some(0), Reason::Clear));
        assert_eq!(short(&v[1]), (Verdict::Stranger, None, Reason::BeyondDoubtLine));
        assert!(v[0].confidence > 0.98 && v[1].confidence < 0.2, "{v:?}");
        assert!((v[1].score.unwrap().cosine - 0.2).abs() < 1e-3);
        assert_eq!(v[0].runner_up.map(|r| r.score.cosine.abs() < 1e-3), Some(true));
    }

    #[test]
    fn between_the_lines_is_a_doubt() {
        let v = judge(&[probe(1, &[(0, 0.5)])], 3);
        assert_eq!(short(&v[0]), (Verdict::Doubt, Some(0), Reason::BetweenLines));
        assert_eq!(v[0].possible, [MemberId(0)]);
    }

    #[test]
    fn near_runner_up_is_a_doubt_with_both_names_possible() {
        let v = judge(&[probe(1, &[(0, 0.66), (1, 0.64)])], 3);
        assert_eq!(short(&v[0]), (Verdict::Doubt, Some(0), Reason::RunnerUpTooNear));
        assert_eq!(v[0].possible, [MemberId(0), MemberId(1)]);
    }

    #[test]
    fn a_student_with_a_double_is_asked_about_until_the_double_is_elsewhere() {
        let member = |id: i64, parts: &[(usize, f32)]| Enrolled {
            member: MemberId(id),
            student: StudentId(id),
            consent: Consent::Given,
            active: true,
            samples: vec![Sample {
                id: SampleId(id),
                embedding: looks_like(parts, id as usize),
                weight: 1.0,
                origin: Origin::Portrait,
            }],
        };
        let roll = [member(0, &[(0, 1.0)]), member(1, &[(0, 0.7)]), member(2, &[(2, 1.0)])];
        let gallery = Gallery::build(&roll, &scoring64());
        // Far beyond the margin: cosine 0.9 against 0.63.
        let faces = [probe(11, &[(0, 0.9)]), probe(12, &[(2, 0.9)])];
        let v = judge_photo(&faces, &gallery, &scoring64());
        assert_eq!(short(&v[0]), (Verdict::Doubt, Some(0), Reason::LooksLikeAnother));
        assert_eq!(v[0].possible, [MemberId(0), MemberId(1)]);
        assert_eq!(short(&v[1]), (Verdict::Match, Some(2), Reason::Clear));
        // Once a person has said where in the photo the double is, nobody is left to be mistaken for.
        let double = Probe { said: Some(Decision::Member(MemberId(1))), ..probe(13, &[(0, 0.6)]) };
        let v = judge_photo(&[faces[0].clone(), double], &gallery, &scoring64());
        assert_eq!(short(&v[0]), (Verdict::Match, Some(0), Reason::Clear));
    }

    #[test]
    fn assignment_is_optimal_not_greedy_and_second_choice_is_at_most_a_doubt() {
        // Both faces are nearest to student 0; face 2 also fits student 1 a little. Greedy would leave nothing for face 1.
        let v = judge(&[probe(1, &[(0, 0.75)]), probe(2, &[(0, 0.65), (1, 0.5)])], 2);
        assert_eq!(short(&v[0]), (Verdict::Match, Some(0), Reason::Clear));
        assert_eq!(short(&v[1]), (Verdict::Doubt, Some(1), Reason::BestCandidateTaken));
    }

    #[test]
    fn two_faces_that_fit_one_student_equally_are_both_doubts() {
        let v = judge(&[probe(1, &[(0, 0.75)]), probe(2, &[(0, 0.74)])], 2);
        assert_eq!(short(&v[0]), (Verdict::Doubt, Some(0), Reason::ContestedByAnotherFace));
        assert_eq!(short(&v[1]), (Verdict::Doubt, Some(0), Reason::BestCandidateTaken));
    }

    #[test]
    fn face_without_embedding_and_class_without_candidates_name_nobody() {
        let blind = Probe { face: FaceId(1), vector: None, said: None };
        assert_eq!(short(&judge(&[blind], 2)[0]), (Verdict::Stranger, None, Reason::NoEmbedding));
        assert_eq!(short(&judge(&[probe(1, &[(0, 0.9)])], 0)[0]), (Verdict::Stranger, None, Reason::BeyondDoubtLine));
        assert_eq!(judge(&[], 3), []);
    }

    fn said(probe: Probe, decision: Decision) -> Probe {
        Probe { said: Some(decision), ..probe }
    }

    const FIRST: Decision = Decision::Member(MemberId(0));

    #[test]
    fn what_a_person_said_stands_whatever_was_measured() {
        // A face that looks like student 1 is said to be student 0, one that looks like student 2 to be a stranger.
        let v = judge(&[said(probe(1, &[(1, 0.8)]), FIRST), said(probe(2, &[(2, 0.9)]), Decision::Stranger)], 3);
        assert_eq!(short(&v[0]), (Verdict::Match, Some(0), Reason::Decided));
        assert_eq!(short(&v[1]), (Verdict::Stranger, None, Reason::Decided));
        assert!(v[0].score.unwrap().cosine.abs() < 1e-3 && v[0].confidence < 0.01, "as measured: {:?}", v[0]);
        assert_eq!(v[0].runner_up.map(|r| r.member), Some(MemberId(1)));
        assert!((v[1].score.unwrap().cosine - 0.9).abs() < 1e-3, "of the nearest: {:?}", v[1]);
        assert_eq!(v[1].possible, []);
    }

    #[test]
    fn member_who_was_named_by_a_person_is_given_to_no_other_face() {
        let twin = probe(2, &[(0, 0.75)]);
        assert_eq!(short(&judge(std::slice::from_ref(&twin), 3)[0]), (Verdict::Match, Some(0), Reason::Clear));
        let v = judge(&[said(probe(1, &[(1, 0.3)]), FIRST), twin], 3);
        assert_eq!(short(&v[1]), (Verdict::Stranger, None, Reason::BeyondDoubtLine));
        // The face it was contested by is decided: nothing is left to ask.
        let v = judge(&[said(probe(1, &[(0, 0.75)]), Decision::Stranger), probe(2, &[(0, 0.74)])], 2);
        assert_eq!(short(&v[1]), (Verdict::Match, Some(0), Reason::Clear));
    }

    #[test]
    fn member_without_template_and_face_without_vector_can_be_decided() {
        let v = judge(&[said(probe(1, &[(0, 0.8)]), Decision::Member(MemberId(77)))], 3);
        assert_eq!((short(&v[0]), v[0].score), ((Verdict::Match, Some(77), Reason::Decided), None));
        let blind = Probe { face: FaceId(1), vector: None, said: Some(FIRST) };
        let v = judge(&[blind], 3);
        assert_eq!((short(&v[0]), v[0].score), ((Verdict::Match, Some(0), Reason::Decided), None));
    }

    #[test]
    fn nearest_candidates_come_best_first() {
        let face = probe(1, &[(2, 0.7), (0, 0.5), (1, 0.1)]);
        let ranked = nearest(face.vector.as_ref().unwrap(), &class_of(4), &scoring64(), 3);
        assert_eq!(ranked.iter().map(|r| r.member.0).collect::<Vec<_>>(), [2, 0, 1]);
        assert!((ranked[0].score.cosine - 0.7).abs() < 1e-3 && ranked[0].confidence > 0.9, "{ranked:?}");
        assert!(ranked.windows(2).all(|w| w[0].score.combined <= w[1].score.combined));
        assert_eq!(nearest(face.vector.as_ref().unwrap(), &class_of(2), &scoring64(), 10).len(), 2);
    }

    fn faces() -> impl Strategy<Value = Vec<Vec<f32>>> {
        proptest::collection::vec(proptest::collection::vec(0.0_f32..0.57, 3), 0..12)
    }

    /// Face `i` leans towards persons i, i+1 and i+2 of a class of ten.
    fn probes(faces: &[Vec<f32>]) -> Vec<Probe> {
        let lean = |i: usize, w: &[f32]| [(i % 10, w[0]), ((i + 1) % 10, w[1]), ((i + 2) % 10, w[2])];
        faces.iter().enumerate().map(|(i, w)| probe(i as i64, &lean(i, w))).collect()
    }

    proptest! {
        #[test]
        fn no_student_is_matched_twice(faces in faces()) {
            let verdicts = judge(&probes(&faces), 10);
            let mut named: Vec<_> = verdicts.iter().filter(|v| v.verdict == Verdict::Match).map(|v| v.member).collect();
            let all = named.len();
            named.sort();
            named.dedup();
            prop_assert_eq!(named.len(), all);
        }

        #[test]
        fn others_are_judged_as_if_the_decided_were_not_there(
            faces in faces(), decisions in proptest::collection::vec(proptest::option::of(0_i64..14), 12),
        ) {
            let mut all = probes(&faces);
            let mut named: Vec<MemberId> = Vec::new();
            for (probe, said) in all.iter_mut().zip(decisions) {
                // Above 9 a stranger; a member is said once.
                probe.said = said.map(|m| if m < 10 { Decision::Member(MemberId(m)) } else { Decision::Stranger });
                let member = probe.said.and_then(Decision::member);
                if member.is_some_and(|m| named.contains(&m)) {
                    probe.said = None;
                } else {
                    named.extend(member);
                }
            }
            let verdicts = judge(&all, 10);
            let open: Vec<Probe> = all.iter().filter(|p| p.said.is_none()).cloned().collect();
            let left: Vec<FaceVerdict> = verdicts.iter().filter(|v| !v.is_decided()).cloned().collect();
            prop_assert_eq!(judge_photo(&open, &class_of(10).without(&named), &scoring64()), left);
            for (probe, verdict) in all.iter().zip(&verdicts) {
                if let Some(said) = probe.said {
                    prop_assert_eq!(verdict.member, said.member());
                    prop_assert_eq!(verdict.verdict == Verdict::Stranger, said == Decision::Stranger);
                }
            }
        }

        #[test]
        fn order_of_faces_does_not_matter(faces in faces(), turn in 0_usize..12) {
            let straight = probes(&faces);
            let mut turned = straight.clone();
            if !turned.is_empty() {
                let by = turn % turned.len();
                turned.rotate_left(by);
            }
            let mut a = judge(&straight, 10);
            let mut b = judge(&turned, 10);
            a.sort_by_key(|v| v.face);
            b.sort_by_key(|v| v.face);
            prop_assert_eq!(a, b);
        }

        #[test]
        fn no_match_beyond_the_accept_line_and_no_name_beyond_the_doubt_line(faces in faces()) {
            let lines = scoring64().lines;
            for v in judge(&probes(&faces), 10) {
                let combined = v.score.unwrap().combined;
                prop_assert!(v.verdict != Verdict::Match || combined <= lines.accept);
                prop_assert!(v.member.is_none() || combined <= lines.doubt);
                prop_assert_eq!(v.member.is_none(), v.verdict == Verdict::Stranger);
            }
        }

        #[test]
        fn nearer_never_turns_a_lone_match_into_less(a in 0.0_f32..1.0, b in 0.0_f32..1.0) {
            let rank = |v: Verdict| match v { Verdict::Stranger => 0, Verdict::Doubt => 1, Verdict::Match => 2 };
            let verdict = |c: f32| rank(judge(&[probe(1, &[(0, c)])], 5)[0].verdict);
            let (near, far) = if a > b { (a, b) } else { (b, a) };
            prop_assert!(verdict(near) >= verdict(far));
        }

        #[test]
        fn only_candidates_of_the_class_are_ever_named(faces in faces(), class in 1_usize..10) {
            for v in judge(&probes(&faces), class) {
                let named = v.member.iter().chain(v.runner_up.as_ref().map(|r| &r.member)).chain(&v.possible);
                for member in named {
                    prop_assert!((member.0 as usize) < class);
                }
            }
        }
    }
}
