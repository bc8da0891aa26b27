//! Mutations as a fuzzer makes them: bytes changed, cut out, doubled, put in, numbers made extreme, words of the format added.

use std::fs;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::fuzz_folder;

/// One change to a file; places are given as a share of its length.
#[derive(Debug, Clone)]
enum Edit {
    Flip {
        at: Index,
        bit: u8,
    },
    Set {
        at: Index,
        byte: u8,
    },
    /// Four bytes in a row become 0xFF, 0x7F.. or 0: sizes that nobody has.
    Extreme {
        at: Index,
        byte: u8,
    },
    Cut {
        at: Index,
        len: u8,
    },
    Double {
        at: Index,
        len: u8,
    },
    Word {
        at: Index,
        word: Vec<u8>,
    },
    Truncate {
        at: Index,
    },
}

/// One to six edits of one of `seeds`.
pub(crate) fn mutations(seeds: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(seeds), prop::collection::vec(edit(words), 1..=6))
        .prop_map(|(seed, edits)| edits.into_iter().fold(seed, |bytes, edit| edit.applied(bytes)))
}

fn edit(words: Vec<Vec<u8>>) -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 0_u8..8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set { at, byte }),
        2 => (at(), select(vec![0_u8, 0x7F, 0x80, 0xFF])).prop_map(|(at, byte)| Edit::Extreme { at, byte }),
        1 => (at(), 1_u8..).prop_map(|(at, len)| Edit::Cut { at, len }),
        1 => (at(), 1_u8..).prop_map(|(at, len)| Edit::Double { at, len }),
        2 => (at(), select(words)).prop_map(|(at, word)| Edit::Word { at, word }),
        1 => at().prop_map(|at| Edit::Truncate { at }),
    ]
}

impl Edit {
    fn applied(self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.is_empty() {
            return bytes;
        }
        let len = bytes.len();
        let span = |at: Index, span: u8| at.index(len)..(at.index(len) + usize::from(span)).min(len);
        match self {
            Self::Flip { at, bit } => bytes[at.index(len)] ^= 1 << bit,
            Self::Set { at, byte } => bytes[at.index(len)] = byte,
            Self::Extreme { at, byte } => bytes[span(at, 4)].fill(byte),
            Self::Cut { at, len } => drop(bytes.drain(span(at, len))),
            Self::Double { at, len } => {
                let again = bytes[span(at, len)].to_vec();
                bytes.splice(at.index(bytes.len())..at.index(bytes.len()), again);
            }
            Self::Word { at, word } => drop(bytes.splice(at.index(len)..at.index(len), word)),
            Self::Truncate { at } => bytes.truncate(at.index(len)),
        }
        bytes
    }
}

/// The words of a fuzz target's dictionary (libFuzzer's format: one quoted word a line, `\xHH`, `\\` and `\"`).
pub(crate) fn dictionary(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(fuzz_folder("dictionaries", "").join(format!("{target}.dict"))).unwrap();
    let words = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    words.map(|line| unquoted(line).unwrap_or_else(|| panic!("{target}.dict: {line}"))).collect()
}

fn unquoted(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut word = Vec::new();
    while let Some(byte) = rest.next() {
        word.push(match byte {
            b'\\' => match rest.next()? {
                b'x' => u8::from_str_radix(str::from_utf8(&[rest.next()?, rest.next()?]).ok()?, 16).ok()?,
                escaped => escaped,
            },
            byte => byte,
        });
    }
    Some(word)
}
