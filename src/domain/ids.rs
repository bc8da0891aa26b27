//! Identifiers of stored things. A newtype each, so that a student never stands where a class member is meant.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    )*};
}

ids! {
    /// A class: name and section of one term.
    ClassId, "class";
    /// One person, known to the school by a PRN.
    StudentId, "student";
    /// A student in a class, with a roll number.
    MemberId, "member";
    /// What is taught in a session.
    SubjectId, "subject";
    /// One enrolment photo's embedding.
    SampleId, "sample";
    /// A lesson that comes every week.
    SlotId, "slot";
    /// Days without lessons.
    HolidayId, "holiday";
    /// Days on which a student is excused beforehand.
    LeaveId, "leave";
    /// One meeting of a class.
    SessionId, "session";
    /// One picture of a session.
    PhotoId, "photo";
    /// One detection in a photo.
    FaceId, "face";
    /// Somebody who signs in.
    UserId, "user";
    /// A key of another system.
    TokenId, "token";
}
