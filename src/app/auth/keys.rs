//! The secret of a school's servers, and the keys that are made of it: one for each purpose, so that what one of them has
//! signed means nothing to another.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::opaque::random_text;
use crate::app::error::{Code, Error};
use crate::app::{School, blocking};

/// File of the data folder that holds the secret where the settings name none.
const FILE_NAME: &str = "secret.key";

/// 256 bits for HMAC-SHA-256.
type Key = [u8; 32];

/// What tokens and links are signed with. Never printed.
#[derive(Clone)]
pub struct Keys {
    access: Key,
    links: Key,
    names: Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

impl Keys {
    /// The keys of a school: from `auth.secret` of the settings, otherwise from a file of the data folder that the first one
    /// who asks makes.
    ///
    /// # Errors
    /// `FILE_ERROR` when the file can be neither read nor made; `INVALID_SETTINGS` when others can read it or it is damaged.
    pub async fn of(school: &School) -> Result<Self, Error> {
        if let Some(secret) = school.config.auth.secret.expose() {
            return Ok(Self::from_secret(secret.as_bytes()));
        }
        let folder = school.config.data_dir.clone();
        blocking(move || Ok(Self::from_secret(kept_secret(&folder)?.as_bytes()))).await
    }

    /// Each key is the HMAC-SHA-256 of its purpose under the secret.
    pub fn from_secret(secret: &[u8]) -> Self {
        let key = |label: &str| mac(secret, &[label.as_bytes()]).finalize().into_bytes().into();
        Self { access: key("rollcall access tokens 1"), links: key("rollcall links 1"), names: key("rollcall names 1") }
    }

    /// Signs access tokens.
    pub(super) const fn access(&self) -> &Key {
        &self.access
    }

    /// Signs links.
    pub(super) const fn links(&self) -> &Key {
        &self.links
    }

    /// A number that stands for a name nobody has, under which failed logins are counted. The text itself is not kept: people
    /// type passwords where names belong.
    pub(super) fn number_of_name(&self, name: &str) -> i64 {
        let digest = mac(&self.names, &[name.trim().to_lowercase().as_bytes()]).finalize().into_bytes();
        let first: [u8; 8] = digest[..8].try_into().expect("a digest of 32 bytes has 8");
        i64::from_be_bytes(first)
    }
}

/// HMAC-SHA-256 over parts, each with its length before it, so that no two lists of parts are the same bytes.
pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

/// The secret in the file of the folder; made where there is none. Of several who make it at once all get the same.
fn kept_secret(folder: &Path) -> Result<String, Error> {
    let file = folder.join(FILE_NAME);
    if let Some(secret) = read_secret(&file)? {
        return Ok(secret);
    }
    make_secret(folder, &file)?;
    read_secret(&file)?.ok_or_else(|| Error::file(&file, &ErrorKind::NotFound.into()))
}

fn read_secret(file: &Path) -> Result<Option<String>, Error> {
    let mode = match fs::metadata(file) {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file(file, &error)),
    };
    let wrong = |what: &str| Err(Error::new(Code::InvalidSettings, format!("{}: {what}", file.display())));
    if mode & 0o077 != 0 {
        return wrong("others can read this secret; `chmod 600` it, or set auth.secret");
    }
    let secret = fs::read_to_string(file).map_err(|e| Error::file(file, &e))?.trim().to_owned();
    if secret.len() < 32 {
        return wrong("this is not a whole secret; delete it, and a new one is made");
    }
    Ok(Some(secret))
}

/// Written under another name first: a hard link puts the whole file in its place, and fails where there is one already.
fn make_secret(folder: &Path, file: &Path) -> Result<(), Error> {
    let draft = folder.join(format!(".{FILE_NAME}.{}", random_text()?));
    let failed = |error: &std::io::Error| Error::file(file, error).of("set auth.secret, or make this file possible");
    let write = || {
        let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(open, "{}", random_text().map_err(|e| std::io::Error::other(e.message))?)?;
        open.sync_all()
    };
    let placed = write().and_then(|()| match fs::hard_link(&draft, file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        placed => placed,
    });
    // A draft that stays is a secret that nobody uses.
    let _ = fs::remove_file(&draft);
    placed.map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_purpose_has_its_own_key_and_none_is_printed() {
        let keys = Keys::from_secret(b"an example of more than 32 characters");
        assert_eq!(HashSet::from([keys.access, keys.links, keys.names]).len(), 3);
        assert_eq!(keys.access, Keys::from_secret(b"an example of more than 32 characters").access);
        assert_ne!(keys.access, Keys::from_secret(b"another example of over 32 characters").access);
        assert_eq!(format!("{keys:?}"), "Keys(***)");
        assert_eq!(keys.number_of_name(" Ann"), keys.number_of_name("ann"));
        assert_ne!(keys.number_of_name("ann"), keys.number_of_name("anne"));
    }

    #[test]
    fn all_who_start_at_once_get_the_same_secret() {
        let folder = tempfile::tempdir().unwrap();
        let secrets: HashSet<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..16).map(|_| scope.spawn(|| kept_secret(folder.path()).unwrap())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets.iter().next().unwrap().len(), 43, "32 random bytes");
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE_NAME], "no draft is left");
        assert_eq!(fs::metadata(folder.path().join(FILE_NAME)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_secret_that_others_can_read_or_that_is_cut_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        kept_secret(folder.path()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = kept_secret(folder.path()).unwrap_err();
        assert_eq!(refused.code, Code::InvalidSettings);
        assert!(refused.message.contains("chmod 600"), "{refused}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "short\n").unwrap();
        assert_eq!(kept_secret(folder.path()).unwrap_err().code, Code::InvalidSettings);
    }

    #[test]
    fn parts_cannot_be_cut_elsewhere() {
        let tag = |parts: &[&[u8]]| mac(b"key", parts).finalize().into_bytes();
        assert_ne!(tag(&[b"ab", b"c"]), tag(&[b"a", b"bc"]));
        assert_ne!(tag(&[b"ab"]), tag(&[b"ab", b""]));
    }
}
