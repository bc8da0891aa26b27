//! Words of the domain as they are described on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::access::{ActorKind, Role, Scope};
use crate::domain::leave::LeaveKind;
use crate::domain::status::{SessionState, Verdict};

/// What a person can be to the school. Machines are no users; they get a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum PersonRole {
    Admin,
    Teacher,
    Viewer,
}

impl From<PersonRole> for Role {
    fn from(role: PersonRole) -> Self {
        match role {
            PersonRole::Admin => Self::Admin,
            PersonRole::Teacher => Self::Teacher,
            PersonRole::Viewer => Self::Viewer,
        }
    }
}

/// A word of the domain, and the same on the wire; the compiler sees to it that none is forgotten.
macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident = $domain:ident { $($variant:ident)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "lowercase")]
        pub(in crate::http) enum $name {
            $($variant,)+
        }

        impl From<$domain> for $name {
            fn from(word: $domain) -> Self {
                match word {
                    $($domain::$variant => Self::$variant,)+
                }
            }
        }

        impl From<$name> for $domain {
            fn from(word: $name) -> Self {
                match word {
                    $($name::$variant => Self::$variant,)+
                }
            }
        }
    )+};
}

wire! {
    /// What somebody is to the school. `machine` is a token.
    RoleName = Role { Admin Teacher Viewer Machine }

    /// One thing that a token may do.
    ScopeName = Scope { Roster Enrol Attendance Record Recognise Manage }

    /// How far a session has come: photos wait, the teacher is asked, the teacher has signed it.
    SessionProgress = SessionState { Open Review Confirmed }

    /// What recognition says about a face: it is the member, it may be the member, it is nobody of the class.
    VerdictName = Verdict { Match Doubt Stranger }

    /// Why a student is away: leave, illness, duty for the school elsewhere.
    LeaveReason = LeaveKind { Leave Sick Duty }

    /// What kind of thing acted.
    ActorKindName = ActorKind { User Token Command Link Nobody }
}
