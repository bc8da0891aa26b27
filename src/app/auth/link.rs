//! Links that open one photo or sheet for a short time without a token: for `<img>` and downloads, which send no headers.
//!
//! The query holds who asked for the link and until when it opens; an HMAC over both and the path holds them together. A link
//! is as good as the thing it opens: keep it short-lived.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::Mac;
use serde::{Deserialize, Serialize};

use super::keys::{Keys, mac};
use crate::app::error::{Code, Error};
use crate::domain::access::{Actor, ActorKind};

/// The query of a signed link. Its text form is what stands after the `?`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkQuery {
    /// Seconds since 1970, UTC; closed from then on.
    pub expires: i64,
    /// Whom the link was given to, as `user:5`.
    pub who: String,
    /// HMAC-SHA-256, base64url.
    pub signature: String,
}

impl fmt::Display for LinkQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expires={}&who={}&signature={}", self.expires, self.who, self.signature)
    }
}

/// Signs the link to `path` (as the router sees it, without query) for whoever asks.
pub fn sign_link(keys: &Keys, path: &str, expires: DateTime<Utc>, asker: &Actor) -> LinkQuery {
    let (expires, who) = (expires.timestamp(), asker.key().unwrap_or_else(|| asker.kind.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(tag(keys, path, expires, &who).finalize().into_bytes());
    LinkQuery { expires, who, signature }
}

/// Whom a link acts for: [`ActorKind::Link`] with whom it was given to as its name.
///
/// # Errors
/// `FORBIDDEN` for a link that we have not signed like this, or that is over.
pub fn check_link(keys: &Keys, path: &str, query: &LinkQuery, now: DateTime<Utc>) -> Result<Actor, Error> {
    let refused = |what: &str| Error::new(Code::Forbidden, what);
    let signature = URL_SAFE_NO_PAD.decode(&query.signature).unwrap_or_default();
    // In constant time.
    tag(keys, path, query.expires, &query.who)
        .verify_slice(&signature)
        .map_err(|_| refused("the link is not one of this school's"))?;
    if query.expires <= now.timestamp() {
        return Err(refused("the link is over; ask for a new one"));
    }
    Ok(Actor { kind: ActorKind::Link, id: None, name: query.who.clone() })
}

fn tag(keys: &Keys, path: &str, expires: i64, who: &str) -> hmac::Hmac<sha2::Sha256> {
    mac(keys.links(), &[path.as_bytes(), &expires.to_be_bytes(), who.as_bytes()])
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::UserId;

    const PATH: &str = "/api/v1/photos/12/original";

    fn keys() -> Keys {
        Keys::from_secret(b"an example of more than 32 characters")
    }

    fn now() -> DateTime<Utc> {
        "2026-01-05T08:00:00Z".parse().unwrap()
    }

    fn link() -> LinkQuery {
        sign_link(&keys(), PATH, now() + TimeDelta::minutes(5), &Actor::user(UserId(5), "ann"))
    }

    #[test]
    fn a_link_opens_its_path_until_its_time() {
        let link = link();
        let expected = Actor { kind: ActorKind::Link, id: None, name: "user:5".into() };
        assert_eq!(check_link(&keys(), PATH, &link, now()).unwrap(), expected);
        assert!(check_link(&keys(), PATH, &link, now() + TimeDelta::seconds(299)).is_ok());
        let over = check_link(&keys(), PATH, &link, now() + TimeDelta::minutes(5)).unwrap_err();
        assert_eq!(over.code, Code::Forbidden);
        assert!(over.message.contains("ask for a new one"), "{over}");
        assert!(link.to_string().starts_with("expires=1767600300&who=user:5&signature="), "{link}");
    }

    #[test]
    fn the_last_bits_of_a_signature_count_too() {
        // 43 characters hold 258 bits: the two that are left over must be zero, or one link would have four spellings.
        let link = link();
        for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
            let signature = format!("{}{last}", &link.signature[..42]);
            let same = signature == link.signature;
            let changed = LinkQuery { signature, ..link.clone() };
            assert_eq!(check_link(&keys(), PATH, &changed, now()).is_ok(), same);
        }
    }

    proptest! {
        #[test]
        fn a_link_with_any_part_changed_opens_nothing(
            path in "/[a-z0-9/]{0,30}",
            later in -1_000_000_i64..1_000_000,
            who in "[a-z]{0,8}(:[0-9]{1,4})?",
            signature in "[A-Za-z0-9_-]{0,60}",
        ) {
            let link = link();
            let opens = |path: &str, query: LinkQuery| check_link(&keys(), path, &query, now()).is_ok();
            let at_another_time = LinkQuery { expires: link.expires + later, ..link.clone() };
            let for_another = LinkQuery { who, ..link.clone() };
            let signed_otherwise = LinkQuery { signature, ..link.clone() };
            prop_assert!(path == PATH || !opens(&path, link.clone()));
            for changed in [at_another_time, for_another, signed_otherwise] {
                prop_assert!(changed == link || !opens(PATH, changed));
            }
            let other = Keys::from_secret(path.as_bytes());
            prop_assert!(check_link(&other, PATH, &link, now()).is_err());
        }
    }
}
