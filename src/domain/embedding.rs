//! The vector that stands for a face.

use thiserror::Error;

/// Why numbers are not an embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmbeddingError {
    #[error("embedding has {found} dimensions, the pack has {expected}")]
    Dimensions { expected: usize, found: usize },
    #[error("embedding holds a value that is not a finite number")]
    NotFinite,
    #[error("embedding has no length: every value is zero")]
    Zero,
    #[error("embedding has a length that no face has: from {} to {} can be compared", LENGTHS.start(), LENGTHS.end())]
    Length,
}

/// Lengths that can be squared and divided by in f32 without becoming nothing or infinite; nets give 1 to some hundred.
const LENGTHS: std::ops::RangeInclusive<f32> = 1.0e-6..=1.0e6;

/// A face as `D` finite numbers, not all zero. Raw network output or unit length, as the pack says; scoring takes care of the scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Box<[f32]>);

impl Embedding {
    /// Checks `values` (`[D]` f32).
    ///
    /// # Errors
    /// [`EmbeddingError::NotFinite`], [`EmbeddingError::Zero`] and [`EmbeddingError::Length`] for output that no face
    /// produces.
    pub fn new(values: Vec<f32>) -> Result<Self, EmbeddingError> {
        if values.iter().any(|v| !v.is_finite()) {
            return Err(EmbeddingError::NotFinite);
        }
        if values.iter().all(|v| *v == 0.0) {
            return Err(EmbeddingError::Zero);
        }
        let embedding = Self(values.into_boxed_slice());
        if LENGTHS.contains(&embedding.norm()) { Ok(embedding) } else { Err(EmbeddingError::Length) }
    }

    /// Reads what [`Embedding::to_le_bytes`] wrote.
    ///
    /// # Errors
    /// [`EmbeddingError::Dimensions`] when `bytes` is not `dims` little-endian f32 values, and those of [`Embedding::new`].
    pub fn from_le_bytes(bytes: &[u8], dims: usize) -> Result<Self, EmbeddingError> {
        let (values, rest) = bytes.as_chunks::<4>();
        if values.len() != dims || !rest.is_empty() {
            return Err(EmbeddingError::Dimensions { expected: dims, found: values.len() });
        }
        Self::new(values.iter().map(|v| f32::from_le_bytes(*v)).collect())
    }

    /// `4 * D` bytes, little-endian f32.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    pub fn values(&self) -> &[f32] {
        &self.0
    }

    pub fn dims(&self) -> usize {
        self.0.len()
    }

    /// Euclidean length.
    pub fn norm(&self) -> f32 {
        self.dot(self).sqrt()
    }

    /// Inner product, summed in f64 so that a batch of 512 terms stays exact to f32.
    ///
    /// # Panics
    /// When the dimensions differ: embeddings of different packs never meet.
    pub fn dot(&self, other: &Self) -> f32 {
        assert_eq!(self.dims(), other.dims(), "embeddings of different packs never meet");
        self.0.iter().zip(&other.0).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() as f32
    }

    /// Cosine of the angle between two embeddings, -1..1.
    pub fn cosine(&self, other: &Self) -> f32 {
        (self.dot(other) / (self.norm() * other.norm())).clamp(-1.0, 1.0)
    }

    /// The same direction at length 1.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let norm = self.norm();
        Self(self.0.iter().map(|v| v / norm).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip() {
        let e = Embedding::new(vec![1.5, -2.25, 0.0]).unwrap();
        assert_eq!(Embedding::from_le_bytes(&e.to_le_bytes(), 3), Ok(e));
    }

    #[test]
    fn numbers_that_are_no_face_are_refused() {
        assert_eq!(Embedding::new(vec![0.0, 0.0]), Err(EmbeddingError::Zero));
        assert_eq!(Embedding::new(vec![f32::NAN]), Err(EmbeddingError::NotFinite));
        assert_eq!(Embedding::from_le_bytes(&[0; 9], 2), Err(EmbeddingError::Dimensions { expected: 2, found: 2 }));
        // Their squares are nothing or infinite, so that scaling them would give no embedding.
        for value in [1.0e30, f32::MAX, 1.0e-30, f32::MIN_POSITIVE] {
            assert_eq!(Embedding::new(vec![value, 0.0]), Err(EmbeddingError::Length), "{value}");
        }
    }

    #[test]
    fn normalised_has_length_one_and_the_same_direction() {
        let e = Embedding::new(vec![3.0, 4.0]).unwrap();
        assert!((e.normalised().norm() - 1.0).abs() < 1e-6);
        assert!((e.cosine(&e.normalised()) - 1.0).abs() < 1e-6);
    }
}
