//! All photos of a session together: one student's evidence is combined, contradictions are shown, and faces are grouped
//! into people so that head counts add up.
//!
//! The rules, in this order:
//! 1. Each photo is judged by itself ([`judge_photo`]).
//! 2. A student's nearest match is the *anchor*. A match of the same student in another photo that looks like a
//!    different person than the anchor (negative log likelihood ratio between the two faces) becomes a doubt.
//! 3. Two matches with different names in different photos whose faces look like one person (at or below the accept line)
//!    contradict each other, unless both students stand side by side in one photo; the farther one becomes a doubt.
//! 4. A doubt whose best candidate is anchored in another photo by a face that looks the same (at or below the accept
//!    line) is that student: it becomes a match.
//! 5. Everybody left is grouped across photos: faces at or below the doubt line are one person, nearest pairs first,
//!    never two faces of one photo. A stranger who looks like a named face of another photo (at or below the accept line)
//!    becomes a doubt.
//!
//! What a person decided stands: no rule changes it. A decided match anchors its student beside the nearest measured one
//! (rules 3 and 4) and belongs to that student's person (rule 5), but rule 2 passes it over: a person looked at it, and faces
//! that need one seldom look like the others. A decided stranger is nobody's evidence, and no student's person holds it.

use super::assign::{FaceVerdict, Probe, Reason, judge_photo};
use super::gallery::Gallery;
use super::ids::MemberId;
use super::score::Scoring;
use super::status::Verdict;

/// The verdict of a face after all photos of its session were looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionFace {
    pub verdict: FaceVerdict,
    /// Index of the photo in the session's order.
    pub photo: usize,
    /// Number of the person within the session, from 0: equal for faces taken for the same person.
    pub person: u32,
}

/// All faces of a session, in the order given, and what they add up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fused {
    pub faces: Vec<SessionFace>,
    /// Members whose matches contradicted each other.
    pub conflicts: Vec<MemberId>,
    /// People who are strangers in every photo they were seen in.
    pub strangers: u32,
}

/// Judges every photo and combines them. `photos` holds the probes of each photo; results come in the same order and do
/// not depend on it but for the numbering of people.
pub fn fuse(photos: &[Vec<Probe>], gallery: &Gallery, scoring: &Scoring) -> Fused {
    let mut session = Session { faces: Vec::new(), probes: photos.concat(), conflicts: Vec::new(), gallery, scoring };
    for (photo, probes) in photos.iter().enumerate() {
        for verdict in judge_photo(probes, gallery, scoring) {
            session.faces.push(SessionFace { verdict, photo, person: 0 });
        }
    }
    if photos.len() > 1 {
        session.question_unlike_matches();
        session.question_other_names();
        session.confirm_doubts();
    }
    let people = session.group();
    session.number(&people);
    session.conflicts.sort_unstable();
    session.conflicts.dedup();
    let strangers = session.count_strangers();
    Fused { faces: session.faces, conflicts: session.conflicts, strangers }
}

struct Session<'a> {
    faces: Vec<SessionFace>,
    probes: Vec<Probe>,
    conflicts: Vec<MemberId>,
    gallery: &'a Gallery,
    scoring: &'a Scoring,
}

impl Session<'_> {
    /// Combined score between two faces; infinite where one has no vector.
    fn between(&self, a: usize, b: usize) -> f32 {
        match (&self.probes[a].vector, &self.probes[b].vector) {
            (Some(a), Some(b)) => self.scoring.between(a, b).combined,
            _ => f32::INFINITY,
        }
    }

    fn own_score(&self, face: usize) -> f32 {
        self.faces[face].verdict.score.map_or(f32::INFINITY, |s| s.combined)
    }

    fn is_decided(&self, face: usize) -> bool {
        self.faces[face].verdict.is_decided()
    }

    /// Faces with the verdict: those that a person decided, then nearest to their candidate first; ties by face id, so that
    /// order is settled.
    fn nearest_first(&self, verdict: Verdict) -> Vec<usize> {
        let mut found: Vec<usize> =
            (0..self.faces.len()).filter(|i| self.faces[*i].verdict.verdict == verdict).collect();
        found.sort_by(|a, b| {
            let by_decision = self.is_decided(*b).cmp(&self.is_decided(*a));
            let by_score = self.own_score(*a).total_cmp(&self.own_score(*b));
            by_decision.then(by_score).then(self.faces[*a].verdict.face.cmp(&self.faces[*b].verdict.face))
        });
        found
    }

    /// A student's nearest match that nobody decided.
    fn anchor_of(&self, member: MemberId) -> Option<usize> {
        let is_own = |i: &usize| self.faces[*i].verdict.member == Some(member) && !self.is_decided(*i);
        self.nearest_first(Verdict::Match).into_iter().find(is_own)
    }

    /// That one, and every face that a person said is the student.
    fn anchors_of(&self, member: MemberId) -> Vec<usize> {
        let decided = |i: &usize| self.is_decided(*i) && self.faces[*i].verdict.member == Some(member);
        self.anchor_of(member).into_iter().chain((0..self.faces.len()).filter(decided)).collect()
    }

    fn doubt(&mut self, face: usize, reason: Reason) {
        let verdict = &mut self.faces[face].verdict;
        verdict.verdict = Verdict::Doubt;
        verdict.reason = reason;
    }

    fn ask_about(&mut self, face: usize, member: MemberId) {
        let scores = self.probes[face].vector.as_ref().map(|v| self.gallery.scores(v, self.scoring));
        if let Some(scores) = scores {
            self.faces[face].verdict.ask_about(member, &scores, self.gallery, self.scoring);
        }
    }

    /// Rule 2.
    fn question_unlike_matches(&mut self) {
        for face in self.nearest_first(Verdict::Match) {
            let Some(member) = self.faces[face].verdict.member else { continue };
            let Some(anchor) = self.anchor_of(member).filter(|_| !self.is_decided(face)) else { continue };
            if anchor != face && self.scoring.llr(self.between(anchor, face)) < 0.0 {
                self.doubt(face, Reason::LooksUnlikeOtherPhoto);
                self.conflicts.push(member);
            }
        }
    }

    /// Rule 3.
    fn question_other_names(&mut self) {
        let matches = self.nearest_first(Verdict::Match);
        for (rank, near) in matches.iter().enumerate() {
            for far in &matches[rank + 1..] {
                if self.contradict(*near, *far) {
                    self.doubt(*far, Reason::OtherNameInOtherPhoto);
                    self.conflicts.extend(self.faces[*near].verdict.member);
                    self.conflicts.extend(self.faces[*far].verdict.member);
                }
            }
        }
    }

    fn contradict(&self, near: usize, far: usize) -> bool {
        let (a, b) = (&self.faces[near], &self.faces[far]);
        let both_named = a.verdict.verdict == Verdict::Match && b.verdict.verdict == Verdict::Match;
        both_named
            && !self.is_decided(far)
            && a.photo != b.photo
            && a.verdict.member != b.verdict.member
            && self.between(near, far) <= self.scoring.lines.accept
            && !self.side_by_side(a.verdict.member, b.verdict.member)
    }

    /// Both members are matched in one and the same photo: they are two people, however alike.
    fn side_by_side(&self, a: Option<MemberId>, b: Option<MemberId>) -> bool {
        let photos_of = |member| {
            let named = move |f: &&SessionFace| f.verdict.verdict == Verdict::Match && f.verdict.member == member;
            self.faces.iter().filter(named).map(|f| f.photo).collect::<Vec<_>>()
        };
        let with_b = photos_of(b);
        photos_of(a).iter().any(|photo| with_b.contains(photo))
    }

    /// Rule 4. Doubts raised by rules 2 and 3 stay: they are contradictions, not weak evidence.
    fn confirm_doubts(&mut self) {
        for face in self.nearest_first(Verdict::Doubt) {
            let verdict = &self.faces[face].verdict;
            let weak = matches!(verdict.reason, Reason::BetweenLines | Reason::RunnerUpTooNear);
            let Some(member) = verdict.member.filter(|_| weak) else { continue };
            let looks_the_same = |anchor: &usize| {
                self.faces[*anchor].photo != self.faces[face].photo
                    && self.between(*anchor, face) <= self.scoring.lines.accept
            };
            if self.anchors_of(member).iter().any(looks_the_same) {
                self.faces[face].verdict.verdict = Verdict::Match;
                self.faces[face].verdict.reason = Reason::SeenInOtherPhoto;
            }
        }
    }

    /// Rule 5: the group of each face, as the index of some face of the group.
    fn group(&mut self) -> Vec<usize> {
        let mut groups = Groups::of(&self.faces);
        for (a, b, combined) in self.alike_across_photos() {
            let named = [a, b].map(|i| groups.member(i));
            let line =
                if named.iter().any(Option::is_some) { self.scoring.lines.accept } else { self.scoring.lines.doubt };
            if combined <= line && groups.join(a, b) {
                for (face, other) in [(a, named[1]), (b, named[0])] {
                    if let (Verdict::Stranger, Some(member)) = (self.faces[face].verdict.verdict, other) {
                        self.ask_about(face, member);
                    }
                }
            }
        }
        groups.roots()
    }

    /// Pairs of faces of different photos at or below the doubt line, nearest first.
    fn alike_across_photos(&self) -> Vec<(usize, usize, f32)> {
        let mut pairs = Vec::new();
        for a in 0..self.faces.len() {
            for b in a + 1..self.faces.len() {
                if self.faces[a].photo != self.faces[b].photo {
                    let combined = self.between(a, b);
                    if combined <= self.scoring.lines.doubt {
                        pairs.push((a, b, combined));
                    }
                }
            }
        }
        let id = |i: usize| self.faces[i].verdict.face;
        pairs.sort_by(|x, y| {
            let ends = |p: &(usize, usize, f32)| (id(p.0).min(id(p.1)), id(p.0).max(id(p.1)));
            x.2.total_cmp(&y.2).then(ends(x).cmp(&ends(y)))
        });
        pairs
    }

    fn number(&mut self, roots: &[usize]) {
        let mut seen: Vec<usize> = Vec::new();
        for (face, root) in self.faces.iter_mut().zip(roots) {
            let known = seen.iter().position(|r| r == root);
            let person = known.unwrap_or_else(|| {
                seen.push(*root);
                seen.len() - 1
            });
            face.person = u32::try_from(person).expect("a session holds fewer than 2^32 faces");
        }
    }

    fn count_strangers(&self) -> u32 {
        let people = self.faces.iter().map(|f| f.person + 1).max().unwrap_or(0);
        let all_strangers = |person: &u32| {
            self.faces.iter().filter(|f| f.person == *person).all(|f| f.verdict.verdict == Verdict::Stranger)
        };
        u32::try_from((0..people).filter(all_strangers).count()).expect("counted in u32")
    }
}

/// Disjoint sets of faces that are one person. Faces matched to one member start as one set.
struct Groups {
    parent: Vec<usize>,
    /// The matched member of each set; valid at its root.
    members: Vec<Option<MemberId>>,
    /// A person said of one of each set that it is nobody of the class; valid at its root.
    nobody: Vec<bool>,
    /// The photos each set was seen in; valid at its root.
    photos: Vec<Vec<usize>>,
}

impl Groups {
    fn of(faces: &[SessionFace]) -> Self {
        let matched = |f: &SessionFace| f.verdict.member.filter(|_| f.verdict.verdict == Verdict::Match);
        let mut groups = Self {
            parent: (0..faces.len()).collect(),
            members: faces.iter().map(matched).collect(),
            nobody: faces.iter().map(|f| f.verdict.is_decided() && f.verdict.member.is_none()).collect(),
            photos: faces.iter().map(|f| vec![f.photo]).collect(),
        };
        for a in 0..faces.len() {
            let same = (0..a).find(|b| groups.members[a].is_some() && matched(&faces[*b]) == groups.members[a]);
            if let Some(b) = same {
                groups.join(b, a);
            }
        }
        groups
    }

    fn root(&self, mut face: usize) -> usize {
        while self.parent[face] != face {
            face = self.parent[face];
        }
        face
    }

    fn member(&self, face: usize) -> Option<MemberId> {
        self.members[self.root(face)]
    }

    fn roots(&self) -> Vec<usize> {
        (0..self.parent.len()).map(|face| self.root(face)).collect()
    }

    /// Makes two sets one, unless they share a photo, are two different members, or one is a member and one nobody. True when they were joined now.
    fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        let two_members = self.members[a].is_some() && self.members[b].is_some() && self.members[a] != self.members[b];
        let nobody_and_member =
            (self.nobody[a] && self.members[b].is_some()) || (self.nobody[b] && self.members[a].is_some());
        if a == b || two_members || nobody_and_member || self.photos[a].iter().any(|p| self.photos[b].contains(p)) {
            return false;
        }
        self.parent[b] = a;
        self.members[a] = self.members[a].or(self.members[b]);
        self.nobody[a] |= self.nobody[b];
        let photos = std::mem::take(&mut self.photos[b]);
        self.photos[a].extend(photos);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::assign::tests::{class_of, looks_like, scoring64};
    use super::super::decision::Decision;
    use super::super::ids::FaceId;
    use super::*;

    /// A face that leans towards members and towards the look of one photo person (axis 16 + `look`).
    fn probe(id: i64, parts: &[(usize, f32)], look: usize) -> Probe {
        let used: f32 = parts.iter().map(|p| p.1 * p.1).sum();
        let mut all = parts.to_vec();
        // Nine tenths of what is left is the person's own look, shared by all their faces.
        all.push((16 + look, (0.9 * (1.0 - used)).sqrt()));
        Probe { face: FaceId(id), vector: Some(scoring64().scaled(&looks_like(&all, id as usize))), said: None }
    }

    fn fused(photos: &[Vec<Probe>]) -> Fused {
        fuse(photos, &class_of(10), &scoring64())
    }

    fn is_first(probe: Probe) -> Probe {
        Probe { said: Some(Decision::Member(MemberId(0))), ..probe }
    }

    fn is_nobody(probe: Probe) -> Probe {
        Probe { said: Some(Decision::Stranger), ..probe }
    }

    fn people(f: &Fused) -> Vec<u32> {
        f.faces.iter().map(|f| f.person).collect()
    }

    fn short(f: &SessionFace) -> (Verdict, Option<i64>, Reason) {
        (f.verdict.verdict, f.verdict.member.map(|m| m.0), f.verdict.reason)
    }

    #[test]
    fn one_student_in_two_photos_is_one_person() {
        let f = fused(&[vec![probe(1, &[(0, 0.8)], 1)], vec![probe(2, &[(0, 0.7)], 1)]]);
        assert_eq!(f.faces.iter().map(|f| f.person).collect::<Vec<_>>(), [0, 0]);
        assert!(f.faces.iter().all(|f| short(f) == (Verdict::Match, Some(0), Reason::Clear)));
        assert_eq!((f.conflicts.len(), f.strangers), (0, 0));
    }

    #[test]
    fn two_different_looking_faces_of_one_name_are_a_conflict() {
        // Alike enough to the template, but not to each other: cosine 0.3 between them.
        let plain = |id, parts: &[(usize, f32)]| {
            let vector = scoring64().scaled(&looks_like(parts, id as usize));
            Probe { face: FaceId(id), vector: Some(vector), said: None }
        };
        let (anchor, other) = (plain(1, &[(0, 0.62), (11, 0.7)]), plain(2, &[(0, 0.57), (11, -0.5)]));
        let f = fused(&[vec![anchor], vec![other]]);
        assert_eq!(short(&f.faces[0]), (Verdict::Match, Some(0), Reason::Clear));
        assert_eq!(short(&f.faces[1]), (Verdict::Doubt, Some(0), Reason::LooksUnlikeOtherPhoto));
        assert_eq!(f.conflicts, [MemberId(0)]);
    }

    #[test]
    fn one_face_with_two_names_is_a_conflict_unless_they_sit_side_by_side() {
        let as_first = probe(1, &[(0, 0.65), (1, 0.58)], 1);
        let as_second = probe(2, &[(0, 0.55), (1, 0.65)], 1);
        let f = fused(&[vec![as_first.clone()], vec![as_second.clone()]]);
        assert_eq!(short(&f.faces[1]).0, Verdict::Doubt);
        assert_eq!(f.conflicts, [MemberId(0), MemberId(1)]);

        let clear = |id, who| probe(id, &[(who, 0.9)], 5);
        let f = fused(&[vec![as_first], vec![as_second], vec![clear(3, 0), clear(4, 1)]]);
        assert_eq!(f.conflicts, []);
    }

    #[test]
    fn doubt_is_confirmed_by_the_same_face_in_another_photo() {
        let f = fused(&[vec![probe(1, &[(0, 0.7)], 1)], vec![probe(2, &[(0, 0.5)], 1)]]);
        assert_eq!(short(&f.faces[1]), (Verdict::Match, Some(0), Reason::SeenInOtherPhoto));
        // Another person with the same weak likeness stays a doubt.
        let f = fused(&[vec![probe(1, &[(0, 0.7)], 1)], vec![probe(2, &[(0, 0.5)], 2)]]);
        assert_eq!(short(&f.faces[1]), (Verdict::Doubt, Some(0), Reason::BetweenLines));
    }

    #[test]
    fn two_doubts_do_not_make_a_match() {
        let f = fused(&[vec![probe(1, &[(0, 0.5)], 1)], vec![probe(2, &[(0, 0.5)], 1)]]);
        assert!(f.faces.iter().all(|f| f.verdict.verdict == Verdict::Doubt));
        assert_eq!(f.faces[0].person, f.faces[1].person);
    }

    #[test]
    fn strangers_are_counted_as_people_not_as_faces() {
        let left = vec![probe(1, &[], 1), probe(2, &[], 2), probe(3, &[(0, 0.8)], 3)];
        let right = vec![probe(4, &[], 2), probe(5, &[], 4)];
        let f = fused(&[left, right]);
        assert_eq!(f.strangers, 3);
        assert_eq!(f.faces[1].person, f.faces[3].person);
    }

    #[test]
    fn two_faces_of_one_photo_are_never_one_person() {
        let f = fused(&[vec![probe(1, &[], 1), probe(2, &[], 1)], vec![probe(3, &[], 1)]]);
        assert_eq!(f.strangers, 2);
        assert_ne!(f.faces[0].person, f.faces[1].person);
    }

    #[test]
    fn stranger_who_looks_like_a_named_face_is_asked_about() {
        let f = fused(&[vec![probe(1, &[(0, 0.6)], 1)], vec![probe(2, &[(0, 0.3)], 1)]]);
        assert_eq!(short(&f.faces[1]), (Verdict::Doubt, Some(0), Reason::SeenInOtherPhoto));
        assert_eq!(f.strangers, 0);
        assert_eq!(f.faces[0].person, f.faces[1].person);
    }

    #[test]
    fn face_without_vector_is_a_person_of_its_own() {
        let blind = |id| Probe { face: FaceId(id), vector: None, said: None };
        assert_eq!(fused(&[vec![blind(1)], vec![blind(2)]]).strangers, 2);
    }

    #[test]
    fn decided_face_is_the_students_person_and_unlike_faces_are_no_conflict() {
        let f = fused(&[vec![probe(1, &[(0, 0.8)], 1)], vec![is_first(probe(2, &[], 2))]]);
        assert_eq!(short(&f.faces[0]), (Verdict::Match, Some(0), Reason::Clear));
        assert_eq!(short(&f.faces[1]), (Verdict::Match, Some(0), Reason::Decided));
        assert_eq!((people(&f), f.conflicts.len(), f.strangers), (vec![0, 0], 0, 0));
    }

    #[test]
    fn decided_face_confirms_the_doubt_that_looks_like_it() {
        let f = fused(&[vec![is_first(probe(1, &[(0, 0.3)], 1))], vec![probe(2, &[(0, 0.5)], 1)]]);
        assert_eq!(short(&f.faces[1]), (Verdict::Match, Some(0), Reason::SeenInOtherPhoto));
        // A poor face that a person named does not keep the measured match from confirming.
        let clear = vec![probe(1, &[(0, 0.7)], 1)];
        let f = fused(&[clear, vec![is_first(probe(2, &[], 7))], vec![probe(3, &[(0, 0.5)], 1)]]);
        assert_eq!(short(&f.faces[2]), (Verdict::Match, Some(0), Reason::SeenInOtherPhoto));
    }

    #[test]
    fn other_name_for_a_face_that_a_person_named_is_questioned_however_near() {
        let named = is_first(probe(1, &[(0, 0.55), (1, 0.65)], 1));
        let f = fused(&[vec![named], vec![probe(2, &[(0, 0.5), (1, 0.7)], 1)]]);
        assert_eq!(short(&f.faces[0]), (Verdict::Match, Some(0), Reason::Decided));
        assert_eq!(short(&f.faces[1]), (Verdict::Doubt, Some(1), Reason::OtherNameInOtherPhoto));
        assert_eq!(f.conflicts, [MemberId(0), MemberId(1)]);
    }

    #[test]
    fn stranger_who_looks_like_a_face_that_a_person_named_is_asked_about() {
        let f = fused(&[vec![is_first(probe(1, &[], 1))], vec![probe(2, &[], 1)]]);
        assert_eq!(short(&f.faces[1]), (Verdict::Doubt, Some(0), Reason::SeenInOtherPhoto));
        assert_eq!((people(&f), f.strangers), (vec![0, 0], 0));
    }

    #[test]
    fn decided_stranger_is_nobodys_evidence() {
        // Without the decision the second face would be asked about.
        let photos = [vec![probe(1, &[(0, 0.6)], 1)], vec![is_nobody(probe(2, &[(0, 0.3)], 1))]];
        let f = fused(&photos);
        assert_eq!(short(&f.faces[0]), (Verdict::Match, Some(0), Reason::Clear));
        assert_eq!(short(&f.faces[1]), (Verdict::Stranger, None, Reason::Decided));
        assert_eq!((people(&f), f.strangers), (vec![0, 1], 1));
        // Nor does a third face in between bring the two together, and the stranger is one person in both photos.
        let f = fused(&[&photos[..], &[vec![probe(3, &[(0, 0.2)], 1)]]].concat());
        assert_eq!(short(&f.faces[1]), (Verdict::Stranger, None, Reason::Decided));
        assert_ne!(f.faces[0].person, f.faces[1].person);
    }

    #[test]
    fn decided_stranger_of_two_photos_is_counted_once() {
        let f = fused(&[vec![is_nobody(probe(1, &[(0, 0.7)], 1))], vec![probe(2, &[(1, 0.1)], 1)]]);
        assert_eq!((people(&f), f.strangers), (vec![0, 0], 1));
    }

    proptest! {
        #[test]
        fn what_was_decided_stands_and_people_are_consistent(
            weights in proptest::collection::vec((0.0_f32..0.9, 0_usize..4, 0_usize..4), 1..12),
            decisions in proptest::collection::vec(proptest::option::of(0_i64..6), 12),
        ) {
            let faces: Vec<Probe> =
                weights.iter().enumerate().map(|(i, (w, who, look))| probe(i as i64, &[(*who, *w)], *look)).collect();
            let mut photos: Vec<Vec<Probe>> = faces.chunks(4).map(<[_]>::to_vec).collect();
            let mut wanted = decisions.into_iter();
            for photo in &mut photos {
                let mut named = Vec::new();
                for probe in photo {
                    let said = wanted.next().flatten();
                    let decision = |m| if m < 4 { Decision::Member(MemberId(m)) } else { Decision::Stranger };
                    probe.said = said.filter(|m| *m >= 4 || !named.contains(m)).map(decision);
                    named.extend(said);
                }
            }
            let f = fused(&photos);
            let all = photos.concat();
            for (probe, face) in all.iter().zip(&f.faces) {
                if let Some(said) = probe.said {
                    let verdict = if said == Decision::Stranger { Verdict::Stranger } else { Verdict::Match };
                    prop_assert_eq!((face.verdict.verdict, face.verdict.member), (verdict, said.member()));
                }
                prop_assert_eq!(probe.said.is_some(), face.verdict.is_decided());
            }
            for (i, a) in f.faces.iter().enumerate() {
                for (j, b) in f.faces.iter().enumerate().skip(i + 1) {
                    prop_assert!(a.photo != b.photo || a.person != b.person);
                    let name = |f: &SessionFace| f.verdict.member.filter(|_| f.verdict.verdict == Verdict::Match);
                    if let (Some(x), Some(y)) = (name(a), name(b)) {
                        prop_assert_eq!(x == y, a.person == b.person);
                        prop_assert!(a.photo != b.photo || x != y);
                    }
                    let nobody = |i: usize| all[i].said == Some(Decision::Stranger);
                    let apart = (nobody(i) && name(b).is_some()) || (nobody(j) && name(a).is_some());
                    prop_assert!(!(apart && a.person == b.person));
                }
            }
        }

        #[test]
        fn order_of_photos_does_not_matter(
            weights in proptest::collection::vec((0.0_f32..0.9, 0_usize..4, 0_usize..4), 3..12), turn in 0_usize..3,
        ) {
            let faces: Vec<Probe> =
                weights.iter().enumerate().map(|(i, (w, who, look))| probe(i as i64, &[(*who, *w)], *look)).collect();
            let mut photos: Vec<Vec<Probe>> = faces.chunks(faces.len().div_ceil(3)).map(<[_]>::to_vec).collect();
            let straight = fused(&photos);
            let by = turn % photos.len();
            photos.rotate_left(by);
            let turned = fused(&photos);
            prop_assert_eq!(straight.strangers, turned.strangers);
            prop_assert_eq!(&straight.conflicts, &turned.conflicts);
            let sorted = |f: &Fused| {
                let mut all: Vec<FaceVerdict> = f.faces.iter().map(|f| f.verdict.clone()).collect();
                all.sort_by_key(|v| v.face);
                all
            };
            prop_assert_eq!(sorted(&straight), sorted(&turned));
        }

        #[test]
        fn no_student_twice_in_a_photo_and_no_group_with_two_faces_of_a_photo(
            weights in proptest::collection::vec((0.0_f32..0.9, 0_usize..4, 0_usize..4), 0..12),
        ) {
            let faces: Vec<Probe> =
                weights.iter().enumerate().map(|(i, (w, who, look))| probe(i as i64, &[(*who, *w)], *look)).collect();
            let photos: Vec<Vec<Probe>> = faces.chunks(4).map(<[_]>::to_vec).collect();
            let f = fused(&photos);
            for (i, a) in f.faces.iter().enumerate() {
                for b in &f.faces[i + 1..] {
                    prop_assert!(a.photo != b.photo || a.person != b.person);
                    let both = a.verdict.verdict == Verdict::Match && b.verdict.verdict == Verdict::Match;
                    prop_assert!(!(both && a.photo == b.photo && a.verdict.member == b.verdict.member));
                }
            }
        }
    }
}
