//! The states things are in, each with the one word that files, the database and the wire use for it.
//!
//! Words only: what leads from one state to the next is decided by the rules in this layer and carried out by `app`.

use thiserror::Error;

/// A word that none of the states of `what` has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{found}` is not {what}; expected one of: {expected}")]
pub struct UnknownWord {
    pub what: &'static str,
    pub found: String,
    pub expected: &'static str,
}

macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $name:ident, $what:literal: { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }
    )+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::status::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::domain::status::UnknownWord {
                        what: $what,
                        found: word.to_owned(),
                        expected: concat!($($word, " ",)+).trim_ascii_end(),
                    }),
                }
            }
        }
    )+};
}
pub(crate) use words;

words! {
    /// What a record says about a member in a session.
    AttendanceStatus, "an attendance status": {
        /// Nobody has decided: shown as `?`, outside the percentages, waiting for the teacher.
        Unmarked = "unmarked",
        Present = "present",
        /// Said by a person, or automatically when all photos are done and the student was a candidate.
        Absent = "absent",
        Late = "late",
        Excused = "excused",
    }
    /// Where a record comes from. An automatic run never overwrites the other two.
    RecordSource, "a record's source": {
        Auto = "auto",
        Manual = "manual",
        Import = "import",
    }
    /// How far a session has come.
    SessionState, "a session state": {
        Open = "open",
        /// Something waits for the teacher.
        Review = "review",
        /// The teacher has signed it.
        Confirmed = "confirmed",
    }
    /// How far a photo has come.
    PhotoState, "a photo state": {
        Queued = "queued",
        Processing = "processing",
        Done = "done",
        Failed = "failed",
    }
    /// Whether a student may be recognised. Without `Given` there is no template.
    Consent, "a consent state": {
        Unknown = "unknown",
        Given = "given",
        Withdrawn = "withdrawn",
    }
    /// Where the face of a sample comes from.
    Origin, "an origin of a sample": {
        /// A picture that somebody enrolled.
        Portrait = "portrait",
        /// A face of a session that a teacher has confirmed.
        Session = "session",
    }
    /// What recognition says about one face.
    Verdict, "a verdict": {
        Match = "match",
        /// Shown to the teacher, never silently present.
        Doubt = "doubt",
        Stranger = "stranger",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_use_the_same_word() {
        for status in AttendanceStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            assert_eq!(serde_json::to_string(status).unwrap(), format!("\"{status}\""));
        }
        for verdict in Verdict::ALL {
            assert_eq!(serde_json::to_string(verdict).unwrap(), format!("\"{verdict}\""));
        }
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        let error = "here".parse::<Consent>().unwrap_err();
        assert_eq!(error.to_string(), "`here` is not a consent state; expected one of: unknown given withdrawn");
        assert!("Present".parse::<AttendanceStatus>().is_err(), "words are lower case");
    }
}
