//! What stands behind a session's records, for a person who wants to see it: each member's face as it was found, with its
//! numbers, and on request those of people nobody knows.
//!
//! Values and words only. Which face speaks for a member is decided by `app::report`, which also cuts it out.

use crate::domain::assign::Reason;
use crate::domain::status::{AttendanceStatus, Verdict};

/// Everything that the evidence of one session shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// In the order of the session's rows.
    pub rows: Vec<EvidenceRow>,
    /// One face for each person that is nobody of the class; none where nobody asked for them.
    pub strangers: Option<Vec<StrangerFace>>,
}

/// What speaks for one member's record.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceRow {
    pub roll_no: String,
    pub name: String,
    pub status: AttendanceStatus,
    pub shown: Shown,
    /// A sentence: why the face is or is not taken for the member, or why there is none.
    pub reason: String,
}

/// A member's face, or why none is shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    Face(Box<FaceShown>),
    /// No photo shows the member, not even perhaps.
    NotFound,
    /// Without consent no face is shown, whatever was found.
    NoConsent,
}

/// A face that was found, or that may be the member's.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceShown {
    /// A match or a doubt.
    pub verdict: Verdict,
    pub picture: FacePicture,
    /// Of face and member; lower is nearer.
    pub combined: Option<f64>,
    /// -1..=1.
    pub cosine: Option<f64>,
    /// Posterior probability, 0..=1.
    pub confidence: Option<f64>,
    pub runner_up: Option<RunnerUp>,
    /// The photo's name when it came.
    pub photo: String,
}

/// The nearest other member.
#[derive(Debug, Clone, PartialEq)]
pub struct RunnerUp {
    pub roll_no: String,
    /// Lower is nearer.
    pub combined: f64,
}

/// A face cut out of its photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FacePicture {
    Jpeg(Vec<u8>),
    /// The photo is not kept any more.
    Gone,
    /// The photo is there but cannot be read now.
    Unreadable,
}

/// Somebody who is nobody of the class. Nothing is told of who they may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrangerFace {
    /// Number of the person within the session, from 1.
    pub number: u32,
    pub picture: FacePicture,
    pub photo: String,
    /// Photos of the session that show the person.
    pub photos: u32,
}

impl Shown {
    /// What was found, in a word or two.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Face(face) => match face.verdict {
                Verdict::Match => "found",
                Verdict::Doubt => "DOUBT",
                Verdict::Stranger => "stranger",
            },
            Self::NotFound => "not found",
            Self::NoConsent => "no consent",
        }
    }
}

/// A stored reason of a face as a sentence; a word that is not known stands for itself.
pub fn reason_in_words(word: &str) -> &str {
    match Reason::ALL.iter().find(|reason| reason.as_str() == word) {
        Some(reason) => in_words(*reason),
        None => word,
    }
}

const fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Clear => "clearly this student",
        Reason::BeyondDoubtLine => "not like anybody of the class",
        Reason::BetweenLines => "like this student, but not enough to be sure",
        Reason::RunnerUpTooNear => "almost as much like somebody else",
        Reason::BestCandidateTaken => "another face of the photo is even more like this student",
        Reason::LooksLikeAnother => "two students look so much alike that a face alone cannot say",
        Reason::ContestedByAnotherFace => "another face of the photo is about as much like this student",
        Reason::LooksUnlikeOtherPhoto => "another photo has a different face for this student",
        Reason::OtherNameInOtherPhoto => "in another photo this face was somebody else",
        Reason::SeenInOtherPhoto => "in another photo this face was named",
        Reason::NoEmbedding => "the face could not be read",
        Reason::Decided => "a person has said so",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_sentence_of_its_own() {
        let sentences: HashSet<&str> = Reason::ALL.iter().map(|reason| reason_in_words(reason.as_str())).collect();
        assert_eq!(sentences.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().all(|reason| reason_in_words(reason.as_str()) != reason.as_str()));
        assert_eq!(reason_in_words("from_another_version"), "from_another_version");
    }
}
