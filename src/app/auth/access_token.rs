//! Access tokens: what somebody who has signed in shows with each request, for a few minutes.
//!
//! JWT (RFC 7519) signed with HMAC-SHA-256; no other algorithm is read, whatever a token says of itself (RFC 8725, 3.1). A
//! token says who and until when. What the user may do is looked up each time: the role in it is for the client to read.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::opaque::random_text;
use crate::app::error::{Code, Error};
use crate::db::users::UserRow;
use crate::domain::access::Role;
use crate::domain::ids::UserId;

const ISSUER: &str = "rollcall";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// The user's id.
    sub: String,
    role: Role,
    /// Seconds since 1970, UTC.
    iat: i64,
    exp: i64,
    jti: String,
    /// Which password the user had, as the microsecond at which it was set: exact where clocks differ and within a second.
    pwd: i64,
}

/// What a token says that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) user: UserId,
    password_of: i64,
}

impl Claim {
    /// Whether the user still has the password that the token was given for.
    pub(super) fn fits(&self, user: &UserRow) -> bool {
        self.password_of == password_stamp(user)
    }
}

/// A token for a user, valid from now on for so long.
///
/// # Errors
/// `PROCESSING_ERROR` when it cannot be signed.
pub(super) fn issue(keys: &Keys, user: &UserRow, life: TimeDelta, now: DateTime<Utc>) -> Result<String, Error> {
    let claims = Claims {
        iss: ISSUER.into(),
        sub: user.id.0.to_string(),
        role: user.role,
        iat: now.timestamp(),
        exp: (now + life).timestamp(),
        jti: random_text()?,
        pwd: password_stamp(user),
    };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(keys.access()))
        .map_err(|e| Error::new(Code::ProcessingError, format!("the access token could not be signed: {e}")))
}

/// What a token says, if we have signed it and its time is not over.
///
/// # Errors
/// `UNAUTHENTICATED`.
pub(super) fn read(keys: &Keys, token: &str, now: DateTime<Utc>) -> Result<Claim, Error> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_issuer(&[ISSUER]);
    rules.set_required_spec_claims(&["iss", "sub", "exp"]);
    // By the caller's clock, below.
    rules.validate_exp = false;
    let refused = |what: &str| Error::new(Code::Unauthenticated, what);
    let claims = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_secret(keys.access()), &rules)
        .map_err(|_| refused("the access token is not one of this school's; sign in again"))?
        .claims;
    if claims.exp <= now.timestamp() {
        return Err(refused("the access token is over; renew it with the refresh token"));
    }
    let user = claims.sub.parse().map_err(|_| refused("the access token names nobody; sign in again"))?;
    Ok(Claim { user: UserId(user), password_of: claims.pwd })
}

fn password_stamp(user: &UserRow) -> i64 {
    user.password_changed_at.and_utc().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn keys() -> Keys {
        Keys::from_secret(b"an example of more than 32 characters")
    }

    fn now() -> DateTime<Utc> {
        "2026-01-05T08:00:00.7Z".parse().unwrap()
    }

    fn user() -> UserRow {
        UserRow {
            id: UserId(5),
            name: "ann".into(),
            display_name: "Ann".into(),
            role: Role::Teacher,
            active: true,
            failed_logins: 0,
            locked_until: None,
            password_changed_at: now().naive_utc(),
            created_at: now().naive_utc(),
            updated_at: now().naive_utc(),
        }
    }

    fn token() -> String {
        issue(&keys(), &user(), TimeDelta::minutes(15), now()).unwrap()
    }

    fn claims_of(token: &str) -> Value {
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    /// The claims under any header, signed by anybody.
    fn forged(header: Value, key: &[u8]) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims_of(&token())));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(key), Algorithm::HS256);
        format!("{message}.{}", signature.unwrap())
    }

    #[test]
    fn a_token_says_who_and_holds_for_its_time() {
        let token = token();
        let claims = claims_of(&token);
        assert_eq!(
            (&claims["sub"], &claims["role"], &claims["iss"]),
            (&json!("5"), &json!("teacher"), &json!("rollcall"))
        );
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 15 * 60);
        let claim = read(&keys(), &token, now()).unwrap();
        assert!(claim.user == UserId(5) && claim.fits(&user()));
        assert!(read(&keys(), &token, now() + TimeDelta::seconds(14 * 60 + 59)).is_ok());
        let over = read(&keys(), &token, now() + TimeDelta::minutes(15)).unwrap_err();
        assert_eq!(over.code, Code::Unauthenticated);
        assert!(over.message.contains("renew"), "{over}");
    }

    #[test]
    fn a_new_password_ends_it_within_the_same_second() {
        let claim = read(&keys(), &token(), now()).unwrap();
        let changed =
            UserRow { password_changed_at: user().password_changed_at + TimeDelta::milliseconds(1), ..user() };
        assert!(!claim.fits(&changed));
    }

    #[test]
    fn a_token_under_another_algorithm_key_or_issuer_is_refused() {
        let own = *keys().access();
        assert!(
            read(&keys(), &forged(json!({ "alg": "HS256", "typ": "JWT" }), &own), now()).is_ok(),
            "the test can forge"
        );
        for alg in ["none", "None", "HS384", "HS512", "RS256", "ES256"] {
            assert!(read(&keys(), &forged(json!({ "alg": alg, "typ": "JWT" }), &own), now()).is_err(), "{alg}");
        }
        let unsigned = forged(json!({ "alg": "none" }), &own);
        let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        assert!(read(&keys(), &unsigned, now()).is_err());
        let header = || json!({ "alg": "HS256", "typ": "JWT" });
        assert!(read(&keys(), &forged(header(), b"another key"), now()).is_err());
        assert!(read(&keys(), &forged(header(), keys().links()), now()).is_err(), "keys of links sign no tokens");
        let other = Keys::from_secret(b"the secret of some other school's server");
        assert!(read(&other, &token(), now()).is_err());
        let mut claims = serde_json::from_value::<Claims>(claims_of(&token())).unwrap();
        claims.iss = "elsewhere".into();
        let elsewhere = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&own)).unwrap();
        assert!(read(&keys(), &elsewhere, now()).is_err());
    }

    proptest! {
        #[test]
        fn a_token_with_any_character_changed_is_refused(at in 0_usize..1000, new in "[A-Za-z0-9_.-]") {
            let token = token();
            let at = at % token.len();
            let changed = format!("{}{new}{}", &token[..at], &token[at + 1..]);
            prop_assume!(changed != token);
            prop_assert!(read(&keys(), &changed, now()).is_err());
        }
    }
}
