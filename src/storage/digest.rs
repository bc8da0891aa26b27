//! SHA-256 of an object's bytes, whole and shortened.

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::BadKey;

/// The SHA-256 of an object's bytes; 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// The first 48 bits of a [`Digest`]; 12 lower-case hex digits as text. Tells the photos of one session apart in a name: two
/// of a hundred agree in it with a probability below 1e-10, unless somebody means them to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortDigest([u8; 6]);

/// Hashes bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct Hashing(Sha256);

impl Hashing {
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl Digest {
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Hashes everything that `reader` gives, without holding it.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of_reader(mut reader: impl Read) -> std::io::Result<Self> {
        let mut hash = Hashing::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(hash.finish()),
                n => hash.update(&buffer[..n]),
            }
        }
    }

    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn short(&self) -> ShortDigest {
        ShortDigest(*self.0.first_chunk().expect("32 bytes begin with 6"))
    }
}

impl ShortDigest {
    pub const fn new(first: [u8; 6]) -> Self {
        Self(first)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bad = || BadKey { text: text.to_owned(), what: "a SHA-256 in 64 lower-case hex digits" };
        read_hex(text).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for ShortDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for ShortDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortDigest({self})")
    }
}

impl FromStr for ShortDigest {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bad = || BadKey { text: text.to_owned(), what: "the beginning of a SHA-256 in 12 lower-case hex digits" };
        read_hex(text).map(Self).ok_or_else(bad)
    }
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn read_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect();
    bytes?.try_into().ok()
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_in_pieces_is_the_digest_of_the_whole() {
        let mut pieces = Hashing::default();
        pieces.update(b"a");
        pieces.update(b"bc");
        // FIPS 180-2, appendix B.1.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(pieces.finish().to_string(), hex);
        assert_eq!(Digest::of(b"abc").to_string(), hex);
        assert_eq!(Digest::of_reader(&b"abc"[..]).unwrap().short().to_string(), hex[..12]);
    }

    #[test]
    fn only_lower_case_hex_of_the_right_length_is_read() {
        let hex = Digest::of(b"abc").to_string();
        assert_eq!(hex.parse(), Ok(Digest::of(b"abc")));
        for wrong in [&hex[1..], &hex[..12], &hex.to_uppercase(), ""] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
