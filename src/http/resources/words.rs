//! Words of the domain as they are described on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::access::{ActorKind, Role, Scope};
use crate::domain::status::SessionState;

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

    /// What kind of thing acted.
    ActorKindName = ActorKind { User Token Command Link Nobody }
}
