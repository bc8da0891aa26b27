//! NumPy's `.npy` files, as far as face embeddings go: vectors of 32-bit floats, read and written.
//!
//! Older systems keep a `face_embedding.npy` in every student's folder; `enrol --npy-pack` reads them and `export dataset`
//! writes them. The format is NumPy's NEP 1 in its versions 1.0, 2.0 and 3.0. Files come from outside: whatever is not
//! exactly what is expected is refused with the reason, and nothing is allocated by a number that a file claims.

use thiserror::Error;

/// What every file begins with; two bytes of version follow.
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// NumPy's own limit for headers of files that nobody vouches for is 10,000; one of a plain array has about 120 bytes.
const MAX_HEADER_BYTES: usize = 4096;
/// NumPy pads headers so that the data begins at a multiple of this.
const ALIGNMENT: usize = 64;
/// Magic, version and the 16-bit length of a header of version 1.0.
const PREFIX_BYTES: usize = 10;

/// Why a file holds no vectors that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NpyError {
    #[error("not a NumPy file")]
    NotNpy,
    #[error("NumPy format {major}.{minor} is not read; 1.0, 2.0 and 3.0 are")]
    Version { major: u8, minor: u8 },
    #[error("the file ends before its header does")]
    CutOff,
    #[error("the header is {bytes} bytes long, more than any array of numbers needs")]
    HeaderTooLong { bytes: usize },
    #[error("the header cannot be read: {reason}")]
    Header { reason: &'static str },
    #[error("the numbers are of type {found:?}; '<f4' is needed (save it with .astype('<f4'))")]
    Type { found: String },
    #[error("the array is in Fortran order; save numpy.ascontiguousarray(...) of it")]
    FortranOrder,
    #[error("the shape is {found}; one vector (D,) or several (n, D) are needed")]
    Shape { found: String },
    #[error("the shape asks for {expected} bytes of numbers, the file holds {found}")]
    Length { expected: usize, found: usize },
}

/// The vectors of a file, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct NpyVectors {
    /// Numbers in each vector, at least 1.
    dims: usize,
    values: Vec<f32>,
}

impl NpyVectors {
    /// Numbers in each vector, at least 1.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Each vector, `[D]` f32; at least one. Numbers may still be anything a float can be.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dims)
    }
}

/// Reads an array of shape `(D,)` or `(n, D)`, type `<f4`, C order.
///
/// # Errors
/// [`NpyError`]: see its variants. Bytes behind the numbers are an error too.
pub fn parse(bytes: &[u8]) -> Result<NpyVectors, NpyError> {
    let (header, data) = split(bytes)?;
    let Header { descr, fortran_order, shape } = Header::read(header)?;
    if descr != "<f4" {
        return Err(NpyError::Type { found: descr });
    }
    if fortran_order {
        return Err(NpyError::FortranOrder);
    }
    let found = || NpyError::Shape { found: shape_in_words(&shape) };
    let (rows, dims) = match shape[..] {
        [dims] => (1, dims),
        [rows, dims] => (rows, dims),
        _ => return Err(found()),
    };
    if rows == 0 || dims == 0 {
        return Err(found());
    }
    let expected = rows.checked_mul(dims).and_then(|n| n.checked_mul(4)).ok_or_else(found)?;
    if data.len() != expected {
        return Err(NpyError::Length { expected, found: data.len() });
    }
    let (numbers, _) = data.as_chunks::<4>();
    Ok(NpyVectors { dims, values: numbers.iter().map(|n| f32::from_le_bytes(*n)).collect() })
}

/// One vector (`[D]` f32) as a file of version 1.0 and shape `(D,)`, byte for byte what `numpy.save` writes.
pub fn write(vector: &[f32]) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", vector.len());
    let unpadded = PREFIX_BYTES + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a header of one shape is shorter than 200 bytes");
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + header.len() + 4 * vector.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Header text and data.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), NpyError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::NotNpy)?;
    let ([major, minor], rest) = rest.split_first_chunk::<2>().ok_or(NpyError::CutOff)?;
    let (length, rest) = match (major, minor) {
        (1, 0) => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or(NpyError::CutOff)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        (2 | 3, 0) => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or(NpyError::CutOff)?;
            (usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX), rest)
        }
        (major, minor) => return Err(NpyError::Version { major: *major, minor: *minor }),
    };
    if length > MAX_HEADER_BYTES {
        return Err(NpyError::HeaderTooLong { bytes: length });
    }
    let (header, data) = rest.split_at_checked(length).ok_or(NpyError::CutOff)?;
    let header = std::str::from_utf8(header).map_err(|_| NpyError::Header { reason: "it is not text" })?;
    Ok((header, data))
}

fn shape_in_words(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("({}{})", sizes.join(", "), if shape.len() == 1 { "," } else { "" })
}

/// What the header's Python dictionary says.
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads exactly the three keys that NumPy writes, in any order.
    fn read(text: &str) -> Result<Self, NpyError> {
        let mut literal = Literal { rest: text };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        literal.expect("{", "it does not begin with {")?;
        while !literal.skip("}") {
            let key = literal.quoted()?;
            literal.expect(":", "a key has no value")?;
            let is_new = match key {
                "descr" => descr.replace(literal.quoted()?).is_none(),
                "fortran_order" => fortran_order.replace(literal.truth()?).is_none(),
                "shape" => shape.replace(literal.tuple()?).is_none(),
                _ => return Err(NpyError::Header { reason: "it has a key that arrays of numbers do not have" }),
            };
            if !is_new {
                return Err(NpyError::Header { reason: "it has a key twice" });
            }
            if !literal.skip(",") {
                literal.expect("}", "it does not end with }")?;
                break;
            }
        }
        if !literal.rest.trim().is_empty() {
            return Err(NpyError::Header { reason: "something stands behind it" });
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => {
                Ok(Self { descr: descr.to_owned(), fortran_order, shape })
            }
            _ => Err(NpyError::Header { reason: "it lacks type, order or shape" }),
        }
    }
}

/// The part of a Python literal that is still to be read.
struct Literal<'t> {
    rest: &'t str,
}

impl<'t> Literal<'t> {
    fn skip(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let after = rest.strip_prefix(token);
        self.rest = after.unwrap_or(rest);
        after.is_some()
    }

    fn expect(&mut self, token: &str, reason: &'static str) -> Result<(), NpyError> {
        if self.skip(token) { Ok(()) } else { Err(NpyError::Header { reason }) }
    }

    /// A text without escapes, in single or double quotes.
    fn quoted(&mut self) -> Result<&'t str, NpyError> {
        let refused = NpyError::Header { reason: "a text is expected" };
        let quote = if self.skip("'") { '\'' } else { '"' };
        if quote == '"' && !self.skip("\"") {
            return Err(refused);
        }
        let (text, rest) = self.rest.split_once(quote).ok_or(refused)?;
        self.rest = rest;
        Ok(text)
    }

    fn truth(&mut self) -> Result<bool, NpyError> {
        match (self.skip("True"), self.skip("False")) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            _ => Err(NpyError::Header { reason: "True or False is expected" }),
        }
    }

    /// A tuple of whole numbers; Python 2 wrote them with an `L` behind.
    fn tuple(&mut self) -> Result<Vec<usize>, NpyError> {
        const REASON: &str = "the shape is no tuple of whole numbers";
        self.expect("(", REASON)?;
        let mut sizes = Vec::new();
        while !self.skip(")") {
            let rest = self.rest.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at(end);
            self.rest = after;
            sizes.push(digits.parse().map_err(|_| NpyError::Header { reason: REASON })?);
            self.skip("L");
            if !self.skip(",") {
                self.expect(")", REASON)?;
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file with this header dictionary and this many bytes of ones.
    fn file(version: u8, dictionary: &str, floats: usize) -> Vec<u8> {
        let mut bytes = [MAGIC.as_slice(), &[version, 0]].concat();
        let header = format!("{dictionary}\n");
        match version {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(std::iter::repeat_n(1.0_f32.to_le_bytes(), floats).flatten());
        bytes
    }

    fn refused(dictionary: &str, floats: usize) -> String {
        parse(&file(1, dictionary, floats)).unwrap_err().to_string()
    }

    #[test]
    fn one_vector_or_several_are_read_in_every_version() {
        for version in [1, 2, 3] {
            for (shape, vectors) in [("(4,)", 1), ("(1, 4)", 1), ("(3, 4)", 3), ("(3L,4L)", 3)] {
                let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
                let read = parse(&file(version, &dictionary, 4 * vectors)).unwrap();
                assert_eq!((read.dims(), read.vectors().len()), (4, vectors), "{version} {shape}");
                assert!(read.vectors().all(|v| v == [1.0; 4]));
            }
        }
        let other_style = "{\"shape\":(4,),\"descr\":\"<f4\",\"fortran_order\":False}   ";
        assert_eq!(parse(&file(1, other_style, 4)).unwrap().dims(), 4);
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for (descr, order, shape, reason) in [
            ("<f8", "False", "(4,)", "'<f4' is needed"),
            (">f4", "False", "(4,)", "'<f4' is needed"),
            ("|O", "False", "(4,)", "'<f4' is needed"),
            ("<f4", "True", "(2, 2)", "Fortran order"),
            ("<f4", "False", "()", "shape is ()"),
            ("<f4", "False", "(1, 2, 2)", "shape is (1, 2, 2)"),
            ("<f4", "False", "(0, 4)", "shape is (0, 4)"),
            ("<f4", "False", "(5,)", "asks for 20 bytes of numbers, the file holds 16"),
            ("<f4", "False", "(3,)", "asks for 12 bytes of numbers, the file holds 16"),
            ("<f4", "False", "(9223372036854775807, 4)", "shape is"),
            ("<f4", "False", "(-4,)", "no tuple of whole numbers"),
            ("<f4", "Maybe", "(4,)", "True or False"),
        ] {
            let dictionary = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
            let said = refused(&dictionary, 4);
            assert!(said.contains(reason), "{dictionary}: {said}");
        }
        assert!(refused("{'descr': '<f4', 'shape': (4,), }", 4).contains("lacks"));
        assert!(refused("{'descr': '<f4', 'descr': '<f4', }", 4).contains("twice"));
        assert!(refused("{'descr': [('x', '<f4')], }", 4).contains("a text is expected"));
    }

    #[test]
    fn what_is_no_numpy_file_or_only_a_part_of_one_is_refused() {
        let whole = write(&[1.0; 8]);
        assert_eq!(parse(b"GIF89a"), Err(NpyError::NotNpy));
        assert_eq!(parse(&[MAGIC.as_slice(), &[4, 0, 1, 0]].concat()), Err(NpyError::Version { major: 4, minor: 0 }));
        let claims = [MAGIC.as_slice(), &[2, 0], &u32::MAX.to_le_bytes()].concat();
        assert_eq!(parse(&claims), Err(NpyError::HeaderTooLong { bytes: u32::MAX as usize }));
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length} bytes of {}", whole.len());
        }
    }

    #[test]
    fn what_is_written_is_laid_out_as_numpy_does_it() {
        let bytes = write(&[0.5; 512]);
        assert_eq!(bytes.len(), 128 + 4 * 512);
        assert_eq!(&bytes[..12], b"\x93NUMPY\x01\x00\x76\x00{'");
        assert_eq!(bytes[127], b'\n');
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(values in proptest::collection::vec(any::<f32>(), 1..700)) {
            let read = parse(&write(&values)).unwrap();
            let read: Vec<u32> = read.vectors().next().unwrap().iter().map(|v| v.to_bits()).collect();
            prop_assert_eq!(read, values.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), version in 0_u8..5) {
            let _ = parse(&bytes);
            let _ = parse(&[MAGIC.as_slice(), &[version, 0], &bytes].concat());
        }

        #[test]
        fn arbitrary_headers_never_panic(header in "[{}(),:'a-z0-9<LTrueFals_ ]{0,120}") {
            let _ = parse(&file(1, &header, 3));
        }
    }
}
