//! Who asks, and what they may do: roles of people, scopes of other systems' tokens, the classes somebody may see.
//!
//! Words and rules only. `app` finds out who asks, `http` holds every route to what is said here.

use serde::{Deserialize, Serialize};

use super::ids::{ClassId, TokenId, UserId};

super::status::words! {
    /// What somebody is to the school.
    Role, "a role": {
        /// Everything.
        Admin = "admin",
        /// Sees and changes the attendance of their own classes.
        Teacher = "teacher",
        /// Sees everything, changes nothing.
        Viewer = "viewer",
        /// Another system, with a token: what the token's scopes allow.
        Machine = "machine",
    }

    /// One thing that a token may do.
    Scope, "a scope": {
        /// Read classes, students, members, subjects.
        Roster = "roster",
        /// Change them, and enrol.
        Enrol = "enrol",
        /// Read sessions, records, photos, sheets.
        Attendance = "attendance",
        /// Make sessions, upload photos, correct and confirm.
        Record = "record",
        /// Detect, embed and compare pictures that belong to nobody here.
        Recognise = "recognise",
        /// What only administrators may do otherwise: users, tokens, jobs, audit log.
        Manage = "manage",
    }

    /// What kind of thing acted.
    ActorKind, "a kind of actor": {
        User = "user",
        Token = "token",
        /// The command line: whoever may run programs on the machine.
        Command = "command",
        /// Whoever has a signed link.
        Link = "link",
        Nobody = "nobody",
    }
}

/// Who did something, as it is written down beside what was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub kind: ActorKind,
    /// Of the user or token.
    pub id: Option<i64>,
    /// The name at that time.
    pub name: String,
}

impl Actor {
    pub fn user(id: UserId, name: impl Into<String>) -> Self {
        Self { kind: ActorKind::User, id: Some(id.0), name: name.into() }
    }

    pub fn token(id: TokenId, name: impl Into<String>) -> Self {
        Self { kind: ActorKind::Token, id: Some(id.0), name: name.into() }
    }

    /// The command line.
    pub fn command() -> Self {
        Self { kind: ActorKind::Command, id: None, name: "command line".into() }
    }

    /// Nobody who is known: a failed login, a request without a token.
    pub fn nobody() -> Self {
        Self { kind: ActorKind::Nobody, id: None, name: String::new() }
    }

    /// As owners of jobs are written: `user:5`; nothing for those without an id.
    pub fn key(&self) -> Option<String> {
        self.id.map(|id| format!("{}:{id}", self.kind))
    }
}

/// The classes somebody may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    All,
    /// These, in ascending order.
    Only(Vec<ClassId>),
}

impl Reach {
    pub fn includes(&self, class: ClassId) -> bool {
        match self {
            Self::All => true,
            Self::Only(classes) => classes.binary_search(&class).is_ok(),
        }
    }
}

/// Somebody who has shown who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub actor: Actor,
    pub role: Role,
    /// Of a machine's token; empty for people.
    pub scopes: Vec<Scope>,
    pub reach: Reach,
}

/// What a route asks of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// People's roles that may call it. [`Role::Machine`] is never among them: see `scope`.
    pub roles: &'static [Role],
    /// What a token must allow; `None` keeps tokens out.
    pub scope: Option<Scope>,
}

impl Access {
    pub fn admits(&self, caller: &Caller) -> bool {
        match caller.role {
            Role::Machine => self.scope.is_some_and(|scope| caller.scopes.contains(&scope)),
            role => self.roles.contains(&role),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, scopes: &[Scope]) -> Caller {
        Caller { actor: Actor::nobody(), role, scopes: scopes.to_vec(), reach: Reach::All }
    }

    #[test]
    fn people_pass_by_role_and_tokens_by_scope() {
        let route = Access { roles: &[Role::Admin, Role::Teacher], scope: Some(Scope::Record) };
        assert!(route.admits(&caller(Role::Teacher, &[])));
        assert!(!route.admits(&caller(Role::Viewer, &[Scope::Record])));
        assert!(route.admits(&caller(Role::Machine, &[Scope::Roster, Scope::Record])));
        assert!(!route.admits(&caller(Role::Machine, &[Scope::Roster])));
        let people_only = Access { scope: None, ..route };
        assert!(!people_only.admits(&caller(Role::Machine, Scope::ALL)));
    }

    #[test]
    fn a_reach_holds_its_own_classes_only() {
        let reach = Reach::Only(vec![ClassId(2), ClassId(5)]);
        assert!(reach.includes(ClassId(5)) && !reach.includes(ClassId(3)));
        assert!(Reach::All.includes(ClassId(3)));
    }
}
