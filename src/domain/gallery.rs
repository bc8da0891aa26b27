//! The templates of one class for one pack: the only people a face of that class's photos is ever compared with.

use super::ids::{MemberId, SampleId, StudentId};
use super::score::{ScaledEmbedding, Score, Scoring};
use super::status::Consent;
use super::template::{Sample, Template, TemplateError, template};

/// One row of the class roll on the day of the session, with what is enrolled for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Enrolled {
    pub member: MemberId,
    pub student: StudentId,
    pub consent: Consent,
    pub active: bool,
    pub samples: Vec<Sample>,
}

/// Whether, and why not, a member can be found by face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Candidate,
    /// No recorded consent: never compared, marked by hand.
    NoConsent,
    /// Consent, but no usable enrolment photo.
    NoTemplate,
    /// The student is marked inactive by the school.
    Inactive,
}

/// A member who can be found by face.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub member: MemberId,
    pub student: StudentId,
    vector: ScaledEmbedding,
}

/// The candidates of a class, and the standing of everybody else on its roll.
#[derive(Debug, Clone, PartialEq)]
pub struct Gallery {
    candidates: Vec<Candidate>,
    standings: Vec<(MemberId, Standing)>,
    outliers: Vec<SampleId>,
    disagreeing: Vec<MemberId>,
}

impl Gallery {
    /// Builds the templates of a class. Only active members with recorded consent and a template become candidates.
    pub fn build(roll: &[Enrolled], scoring: &Scoring) -> Self {
        let mut gallery =
            Self { candidates: Vec::new(), standings: Vec::new(), outliers: Vec::new(), disagreeing: Vec::new() };
        for row in roll {
            let standing = gallery.admit(row, scoring);
            gallery.standings.push((row.member, standing));
        }
        gallery
    }

    fn admit(&mut self, row: &Enrolled, scoring: &Scoring) -> Standing {
        if !row.active {
            return Standing::Inactive;
        }
        if row.consent != Consent::Given {
            return Standing::NoConsent;
        }
        match template(&row.samples, scoring) {
            Ok(Template { vector, outliers }) => {
                self.outliers.extend(outliers);
                let vector = scoring.scaled(&vector);
                self.candidates.push(Candidate { member: row.member, student: row.student, vector });
                Standing::Candidate
            }
            Err(TemplateError::NoSample) => Standing::NoTemplate,
            Err(TemplateError::Disagree { .. }) => {
                self.disagreeing.push(row.member);
                Standing::NoTemplate
            }
        }
    }

    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Everybody on the roll, in the order given.
    pub fn standings(&self) -> &[(MemberId, Standing)] {
        &self.standings
    }

    /// Samples left out of templates because they look like somebody else.
    pub fn outliers(&self) -> &[SampleId] {
        &self.outliers
    }

    /// Members whose samples contradict each other, so that they have no template.
    pub fn disagreeing(&self) -> &[MemberId] {
        &self.disagreeing
    }

    /// The same class without these candidates: they cannot be anybody of what is compared with it.
    #[must_use]
    pub fn without(&self, members: &[MemberId]) -> Self {
        let mut left = self.clone();
        left.candidates.retain(|c| !members.contains(&c.member));
        left
    }

    /// One score for each candidate, in their order.
    pub fn scores(&self, face: &ScaledEmbedding, scoring: &Scoring) -> Vec<Score> {
        self.candidates.iter().map(|c| scoring.between(face, &c.vector)).collect()
    }

    /// Whether the template of another student lies at or below the accept line of this candidate's (an index): by face the two
    /// pass for one person. Measured on siblings drawn by mixing two people's portraits, up to 15 % of their faces got the
    /// other's name, clear of every margin.
    pub fn has_look_alike(&self, candidate: usize, scoring: &Scoring) -> bool {
        let own = &self.candidates[candidate];
        let is_near = |other: &Candidate| scoring.between(&own.vector, &other.vector).combined <= scoring.lines.accept;
        self.candidates.iter().any(|other| other.student != own.student && is_near(other))
    }

    /// Pairs of candidates whose templates are at or below `line`: students that a face may be mistaken between.
    pub fn look_alikes(&self, line: f32, scoring: &Scoring) -> Vec<(MemberId, MemberId, Score)> {
        let mut pairs = Vec::new();
        for (i, a) in self.candidates.iter().enumerate() {
            for b in &self.candidates[i + 1..] {
                let score = scoring.between(&a.vector, &b.vector);
                if score.combined <= line && a.student != b.student {
                    pairs.push((a.member, b.member, score));
                }
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::super::embedding::Embedding;
    use super::super::score::tests::STARTER;
    use super::super::status::Origin;
    use super::*;

    fn row(id: i64, consent: Consent, active: bool, axes: &[usize]) -> Enrolled {
        let samples = axes
            .iter()
            .map(|axis| {
                let mut v = vec![0.0; 512];
                v[*axis] = 1.0;
                Sample {
                    id: SampleId(*axis as i64),
                    embedding: Embedding::new(v).unwrap(),
                    weight: 1.0,
                    origin: Origin::Portrait,
                }
            })
            .collect();
        Enrolled { member: MemberId(id), student: StudentId(id), consent, active, samples }
    }

    #[test]
    fn only_active_consenting_members_with_a_template_are_candidates() {
        let roll = [
            row(1, Consent::Given, true, &[0]),
            row(2, Consent::Unknown, true, &[1]),
            row(3, Consent::Withdrawn, true, &[2]),
            row(4, Consent::Given, false, &[3]),
            row(5, Consent::Given, true, &[]),
            row(6, Consent::Given, true, &[4, 5]),
        ];
        let gallery = Gallery::build(&roll, &STARTER);
        assert_eq!(gallery.candidates().iter().map(|c| c.member.0).collect::<Vec<_>>(), [1]);
        let standings: Vec<Standing> = gallery.standings().iter().map(|s| s.1).collect();
        use Standing::*;
        assert_eq!(standings, [Candidate, NoConsent, NoConsent, Inactive, NoTemplate, NoTemplate]);
        assert_eq!(gallery.disagreeing(), [MemberId(6)]);
    }

    #[test]
    fn look_alikes_are_pairs_of_different_students() {
        let mut twin = row(2, Consent::Given, true, &[0]);
        twin.samples[0].id = SampleId(99);
        let mut same_student = row(3, Consent::Given, true, &[0]);
        same_student.student = StudentId(1);
        let gallery = Gallery::build(&[row(1, Consent::Given, true, &[0]), twin, same_student], &STARTER);
        let pairs = gallery.look_alikes(STARTER.lines.doubt, &STARTER);
        assert_eq!(pairs.iter().map(|p| (p.0.0, p.1.0)).collect::<Vec<_>>(), [(1, 2), (2, 3)]);
    }
}
