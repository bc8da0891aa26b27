//! Which faces of a confirmed session may join the templates of the students they show.
//!
//! A template that learns from its own matches can drift: one wrong face makes the next one likelier. So a face must be near
//! to the student's portraits alone, nearer than a match needs to be; nobody else of the class may be in question; and it
//! must be as good as a portrait has to be. Chooses only; `app::learn` asks for consent and room, and keeps what is chosen.

use super::enrolment_health::look_alike_line;
use super::gallery::Gallery;
use super::ids::{FaceId, MemberId};
use super::quality::{EnrolLines, FaceQuality};
use super::score::{ScaledEmbedding, Scoring};

/// A face that a teacher has signed to be a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub face: FaceId,
    pub member: MemberId,
    pub quality: FaceQuality,
    pub vector: ScaledEmbedding,
}

/// A face that may be learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lesson {
    pub member: MemberId,
    pub face: FaceId,
}

/// The faces that may be learned, at most one for each member: the one of the highest quality weight. `portraits` is the
/// gallery of the class by portraits alone.
pub fn lessons(shown: &[Shown], portraits: &Gallery, lines: &EnrolLines, scoring: &Scoring) -> Vec<Lesson> {
    let alike = portraits.look_alikes(look_alike_line(&scoring.lines), scoring);
    let has_look_alike = |member| alike.iter().any(|(a, b, _)| *a == member || *b == member);
    let mut chosen: Vec<&Shown> = Vec::new();
    for face in shown.iter().filter(|face| !has_look_alike(face.member) && may_teach(face, portraits, lines, scoring)) {
        match chosen.iter_mut().find(|other| other.member == face.member) {
            Some(other) if other.quality.weight() < face.quality.weight() => *other = face,
            Some(_) => {}
            None => chosen.push(face),
        }
    }
    chosen.into_iter().map(|face| Lesson { member: face.member, face: face.face }).collect()
}

/// As good as a portrait; inside the accept line by a whole margin; and nobody else of the class even a doubt.
fn may_teach(face: &Shown, portraits: &Gallery, lines: &EnrolLines, scoring: &Scoring) -> bool {
    let Some(own) = portraits.candidates().iter().position(|c| c.member == face.member) else { return false };
    let student = portraits.candidates()[own].student;
    let scores = portraits.scores(&face.vector, scoring);
    let mut others = portraits.candidates().iter().zip(&scores).filter(|(other, _)| other.student != student);
    face.quality.shortfalls(lines).is_empty()
        && scores[own].combined <= scoring.lines.accept - scoring.lines.margin
        && others.all(|(_, score)| score.combined > scoring.lines.doubt)
}

#[cfg(test)]
mod tests {
    use super::super::assign::tests::{class_of, looks_like, scoring64};
    use super::super::gallery::Enrolled;
    use super::super::ids::{SampleId, StudentId};
    use super::super::status::{Consent, Origin};
    use super::super::template::Sample;
    use super::*;

    const GOOD: FaceQuality = FaceQuality {
        side_px: 100.0,
        sharpness: 300.0,
        brightness: 120.0,
        contrast: 40.0,
        yaw_deg: 0.0,
        roll_deg: 0.0,
    };

    fn shown(face: i64, member: i64, parts: &[(usize, f32)]) -> Shown {
        let vector = scoring64().scaled(&looks_like(parts, face as usize));
        Shown { face: FaceId(face), member: MemberId(member), quality: GOOD, vector }
    }

    fn faces(shown: &[Shown], class: &Gallery) -> Vec<i64> {
        lessons(shown, class, &EnrolLines::default(), &scoring64()).iter().map(|l| l.face.0).collect()
    }

    #[test]
    fn only_a_face_well_inside_the_line_teaches() {
        // The line is at cosine 0.553, a margin inside it at about 0.61.
        let of = |cosine| faces(&[shown(1, 0, &[(0, cosine)])], &class_of(3));
        assert_eq!(of(0.64), [1]);
        assert_eq!(of(0.57), [0; 0], "a match, but only just");
        assert_eq!(faces(&[shown(1, 9, &[(0, 0.9)])], &class_of(3)), [0; 0], "somebody without portraits");
    }

    #[test]
    fn a_face_that_may_be_somebody_else_teaches_nobody() {
        assert_eq!(faces(&[shown(1, 0, &[(0, 0.8), (1, 0.3)])], &class_of(3)), [1]);
        assert_eq!(faces(&[shown(1, 0, &[(0, 0.8), (1, 0.45)])], &class_of(3)), [0; 0]);
        assert_eq!(
            faces(&[shown(1, 1, &[(0, 0.9)])], &class_of(3)),
            [0; 0],
            "signed as another one than it looks like"
        );
    }

    #[test]
    fn a_face_below_the_lines_of_portraits_teaches_nobody() {
        let small = Shown { quality: FaceQuality { side_px: 40.0, ..GOOD }, ..shown(1, 0, &[(0, 0.9)]) };
        assert_eq!(faces(&[small], &class_of(3)), [0; 0]);
    }

    #[test]
    fn the_better_of_two_faces_is_taken_once() {
        let poor = Shown { quality: FaceQuality { side_px: 66.0, ..GOOD }, ..shown(1, 0, &[(0, 0.95)]) };
        let all = [poor, shown(2, 0, &[(0, 0.8)]), shown(3, 0, &[(0, 0.8)]), shown(4, 1, &[(1, 0.8)])];
        assert_eq!(faces(&all, &class_of(3)), [2, 4]);
    }

    #[test]
    fn look_alikes_learn_nothing() {
        let member = |id: i64, parts: &[(usize, f32)]| Enrolled {
            member: MemberId(id),
            student: StudentId(id),
            consent: Consent::Given,
            active: true,
            samples: vec![Sample {
                id: SampleId(id),
                embedding: looks_like(parts, 0),
                weight: 1.0,
                origin: Origin::Portrait,
            }],
        };
        // Cosine 0.6 between the two; the face is the first one's and far from the second.
        let roll = [member(0, &[(0, 1.0)]), member(1, &[(0, 0.6), (1, 0.8)]), member(2, &[(2, 1.0)])];
        let class = Gallery::build(&roll, &scoring64());
        let face = [shown(1, 0, &[(0, 0.8), (1, -0.55)]), shown(2, 2, &[(2, 0.9)])];
        assert_eq!(faces(&face, &class), [2]);
        let apart = Gallery::build(&[roll[0].clone(), roll[2].clone()], &scoring64());
        assert_eq!(faces(&face, &apart), [1, 2]);
    }
}
