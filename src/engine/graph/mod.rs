//! Rewrites of nets that ONNX Runtime's CPU provider computes slowly into ones that it computes fast, with the same results.
//!
//! Files stay as their publishers made them; what is rewritten exists in memory only. The CPU provider keeps pictures in blocks
//! of channels between operators that know that layout (convolutions, pooling, sums, a few activations) and computes these with
//! all the processor has. Some operators do not know it, cost two changes of layout, and run on one thread besides. Three of
//! them stand in the nets of face recognition:
//! - PReLU, after nearly every convolution of MobileFaceNet and MTCNN: half of their time ([`prelu`]);
//! - channels that fill no block, as in MTCNN's first layers: [`channels`];
//! - a softmax over "face" and "no face" at every place of a picture, and two convolutions that look at the same one: [`heads`].
//!
//! Measured on one thread of a machine with AVX-512: MobileFaceNet 15.4 -> 6.8 ms a face; `benches/SPEED.md` has the rest.
//!
//! For CUDA, which has kernels of its own for all of these, a net can be rewritten to compute with 16-bit floats instead
//! ([`half`]). Pure: bytes in, bytes out. Called by `net`.

mod channels;
mod edit;
mod half;
mod heads;
mod onnx;
mod prelu;

use prost::Message as _;
use prost::bytes::Bytes;

use edit::Editor;

/// Channels that the CPU provider keeps together: what one vector register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockSize(usize);

impl BlockSize {
    /// As `MlasNchwcGetBlockSize` of ONNX Runtime has it.
    pub(super) fn of_this_machine() -> Self {
        #[cfg(target_arch = "x86_64")]
        let wide = std::arch::is_x86_feature_detected!("avx512f");
        #[cfg(not(target_arch = "x86_64"))]
        let wide = true;
        Self(if wide { 16 } else { 8 })
    }
}

/// The file of a net, rewritten; `None` when there is nothing to gain, or it is not a file that can be rewritten with certainty.
pub(super) fn for_cpu(file: Vec<u8>, block: BlockSize) -> Option<Vec<u8>> {
    let mut model = onnx::Model::decode(Bytes::from(file)).ok()?;
    let mut editor = Editor::open(&mut model)?;
    channels::fill_blocks(&mut editor, block);
    prelu::in_blocks(&mut editor, block);
    heads::simplify(&mut editor);
    editor.close().then(|| model.encode_to_vec())
}

/// The file of a net, rewritten to compute with 16-bit floats; inputs and outputs are 32-bit floats still, so it is asked as before.
///
/// # Errors
/// Why it cannot be rewritten with certainty.
pub(super) fn in_half_precision(file: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut model = onnx::Model::decode(Bytes::from(file)).map_err(|e| format!("the file is no ONNX file: {e}"))?;
    half::rewrite(&mut model)?;
    Ok(model.encode_to_vec())
}

#[cfg(test)]
mod tests;
