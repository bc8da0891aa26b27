//! Passwords: which are good enough, and how they are kept.
//!
//! Hashing costs 19 MiB and tens of milliseconds on purpose. It runs away from the async threads, a few at a time, so that a
//! crowd of logins waits in line instead of filling the memory.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::app::blocking;
use crate::app::error::{Code, Error};

/// Memory of one hash, KiB; with [`PASSES`] and [`LANES`] the first choice for Argon2id of the OWASP Password Storage Cheat Sheet
/// (m = 19 MiB, t = 2, p = 1).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes computed at a time: at most 76 MiB.
static AT_WORK: Semaphore = Semaphore::const_new(4);

/// Shortest and longest password, characters. Length is the only rule of composition (NIST SP 800-63B, 5.1.1.2, which wants at
/// least 8 and room for 64).
const SHORTEST: usize = 10;
const LONGEST: usize = 256;

/// Compared in place of the password of somebody who does not exist, so that the answer takes as long. Belongs to no password
/// that anybody knows: its last part is the SHA-256 of nothing.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$cm9sbGNhbGwgbm9ib2R5$47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

/// The commonest passwords that are long enough, of published lists (RockYou, Have I Been Pwned), and what a school would
/// think of first. In lower case, between single blanks.
const COMMON: &str = "\
    0123456789 0987654321 1029384756 1122334455 123123123123 1234554321 1234567890 12345678910 1234567891 \
    123456789a 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 9876543210 a123456789 abc1234567 abcdefghij administrator \
    asdfghjkl1 asdfghjkl; attendance attendance1 basketball changeme123 classroom1 computer123 football123 \
    iloveyou12 iloveyou123 letmein123 letmein1234 passw0rd123 password10 password11 password12 password123 \
    password1234 password12345 princess123 q1w2e3r4t5 qazwsxedcr qwerty12345 qwerty123456 qwertyuiop qwertyuiop1 \
    rollcall123 school1234 student123 sunshine123 superman123 teacher123 teacher1234 welcome123 welcome1234 \
    zaq12wsxcde zxcvbnm123";

/// What somebody typed. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl From<String> for Password {
    fn from(typed: String) -> Self {
        Self(typed)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Password {
    /// Refuses a password that is too short, too long, one of the commonest, or the same as one of the `names` of its owner.
    ///
    /// # Errors
    /// `WEAK_PASSWORD`, saying which.
    pub fn check(&self, names: &[&str]) -> Result<(), Error> {
        let weak = |what: &str| Err(Error::new(Code::WeakPassword, format!("the password {what}")));
        let length = self.0.chars().count();
        if length < SHORTEST {
            return weak(&format!("has {length} characters; it needs at least {SHORTEST}"));
        }
        if length > LONGEST {
            return weak(&format!("has {length} characters; at most {LONGEST} are read"));
        }
        let folded = self.0.trim().to_lowercase();
        if names.iter().any(|name| name.trim().to_lowercase() == folded) {
            return weak("is the name of its owner");
        }
        let mut characters = folded.chars();
        let first = characters.next();
        if COMMON.split(' ').any(|common| common == folded) || characters.all(|c| Some(c) == first) {
            return weak("is one of the first that anybody would try; several unrelated words are better");
        }
        Ok(())
    }
}

/// What came of comparing a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Compared {
    Wrong,
    Right,
    /// And it was kept by older parameters: this hash shall take the place.
    RightRehashed(String),
}

/// The form in which a password is kept (PHC string).
///
/// # Errors
/// `PROCESSING_ERROR` when it cannot be computed.
pub(super) async fn hash(password: Password) -> Result<String, Error> {
    apart(move || hash_now(&password)).await
}

/// Compares a password with a kept one; with nobody's, in the same time, where there is none.
///
/// # Errors
/// `PROCESSING_ERROR` when what is kept is no hash.
pub(super) async fn compare(password: Password, kept: Option<String>) -> Result<Compared, Error> {
    apart(move || compare_now(&password, kept.as_deref())).await
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let place = AT_WORK.acquire().await.expect("nobody closes the semaphore");
    // The place belongs to the work: a caller who goes away does not make room for another hash while this one runs.
    blocking(move || {
        let _place = place;
        work()
    })
    .await
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within the limits of Argon2");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &Password) -> Result<String, Error> {
    Ok(argon2().hash_password(password.0.as_bytes()).map_err(broken)?.to_string())
}

fn compare_now(password: &Password, kept: Option<&str>) -> Result<Compared, Error> {
    let hash = PasswordHash::new(kept.unwrap_or(NOBODYS)).map_err(broken)?;
    match argon2().verify_password(password.0.as_bytes(), &hash) {
        Err(HashError::PasswordInvalid) => Ok(Compared::Wrong),
        Err(error) => Err(broken(error)),
        Ok(()) if kept.is_none() => Ok(Compared::Wrong),
        Ok(()) if is_current(&hash) => Ok(Compared::Right),
        Ok(()) => Ok(Compared::RightRehashed(hash_now(password)?)),
    }
}

/// Whether a hash was made with today's parameters.
fn is_current(hash: &PasswordHash) -> bool {
    let current = |params: Params| (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES);
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && Params::try_from(hash).is_ok_and(current)
}

fn broken(error: impl fmt::Display) -> Error {
    Error::new(Code::ProcessingError, format!("a password could not be hashed or compared: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    #[test]
    fn length_counts_and_composition_does_not() {
        let refusal = |text: &str| password(text).check(&["ann.example", "Ann Example"]).map_err(|e| e.message);
        assert!(refusal("correct horse").is_ok());
        assert!(refusal("öäüßéèàçñø").is_ok(), "ten characters, whatever their bytes");
        assert!(refusal("nine char").unwrap_err().contains("at least 10"));
        assert!(refusal(&"ab".repeat(129)).unwrap_err().contains("at most 256"));
        assert!(refusal("Ann Example").unwrap_err().contains("name"));
        assert!(refusal("ANN.example ").unwrap_err().contains("name"));
        assert!(refusal("Password123").unwrap_err().contains("first that anybody"));
        assert!(refusal("xxxxxxxxxxxx").unwrap_err().contains("first that anybody"));
        assert_eq!(password("short").check(&[]).unwrap_err().code, Code::WeakPassword);
    }

    #[test]
    fn common_passwords_stand_as_they_are_compared() {
        for common in COMMON.split(' ') {
            assert_eq!(common, common.to_lowercase());
            assert!(common.len() >= SHORTEST, "{common} is refused for its length already");
        }
    }

    #[test]
    fn the_right_password_fits_its_hash_and_no_other() {
        let kept = hash_now(&password("correct horse")).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, hash_now(&password("correct horse")).unwrap(), "each has its own salt");
        assert!(compare_now(&password("correct horse"), Some(&kept)).unwrap() == Compared::Right);
        assert!(compare_now(&password("correct horsf"), Some(&kept)).unwrap() == Compared::Wrong);
        assert!(compare_now(&password("correct horse"), Some("not a hash")).is_err());
    }

    #[test]
    fn nobody_has_a_password_but_costs_as_much() {
        assert!(compare_now(&password(""), None).unwrap() == Compared::Wrong);
        assert!(is_current(&PasswordHash::new(NOBODYS).unwrap()));
    }

    #[test]
    fn a_hash_of_older_parameters_is_replaced() {
        let older = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let kept = older.hash_password(b"correct horse").unwrap().to_string();
        let Compared::RightRehashed(new) = compare_now(&password("correct horse"), Some(&kept)).unwrap() else {
            panic!("not replaced")
        };
        assert!(compare_now(&password("correct horse"), Some(&new)).unwrap() == Compared::Right);
        assert!(compare_now(&password("wrong horse!"), Some(&kept)).unwrap() == Compared::Wrong);
    }

    #[test]
    fn passwords_are_not_printed() {
        assert_eq!(format!("{:?}", password("correct horse")), "***");
    }
}
