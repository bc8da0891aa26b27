//! Channels that fill whole blocks.
//!
//! A convolution whose channels fill no block is padded inside ONNX Runtime anyway, but what follows it is computed in the plain
//! layout. With channels of zeros in the file itself, everything up to the next convolution stays in blocks, and that one has
//! zeros for what it does not read. The sums are the same.

use super::BlockSize;
use super::edit::{Convolution, Editor, Weights};
use super::prelu;

/// Adds channels to every convolution that has too few for whole blocks, where each way from it ends in one other convolution
/// and what lies between keeps channels apart.
pub(super) fn fill_blocks(editor: &mut Editor, block: BlockSize) {
    for at in 0..editor.nodes().len() {
        let Some(first) = editor.convolution(at) else { continue };
        if first.outputs().is_multiple_of(block.0) {
            continue;
        }
        if let Some((between, last)) = way_to_next(editor, &first) {
            widen(editor, first, &between, last, block);
            // The next one may begin where this one ended.
            editor.settle();
        }
    }
}

/// The nodes between a convolution and the next, and that.
fn way_to_next(editor: &Editor, first: &Convolution) -> Option<(Vec<usize>, Convolution)> {
    let mut between = Vec::new();
    let mut at = first.at;
    loop {
        let [value] = editor.nodes()[at].output.as_slice() else { return None };
        at = editor.only_reader(value)?;
        let node = &editor.nodes()[at];
        if node.is("Conv") {
            let next = editor.convolution(at).filter(|next| next.inputs() == first.outputs())?;
            return (node.input[0] == *value).then_some((between, next));
        }
        let apart = ["Relu", "LeakyRelu", "MaxPool", "AveragePool"].iter().any(|kind| node.is(kind));
        let sloped = prelu::slopes(editor, at).is_some_and(|slopes| slopes.len() == first.outputs());
        if !apart && !sloped {
            return None;
        }
        between.push(at);
    }
}

fn widen(editor: &mut Editor, mut first: Convolution, between: &[usize], mut last: Convolution, block: BlockSize) {
    let (from, to) = (first.outputs(), first.outputs().next_multiple_of(block.0));
    let item = first.kernel.values.len() / from;
    first.kernel.values.resize(to * item, 0.0);
    first.kernel.dims[0] = to;
    if let Some(bias) = &mut first.bias {
        *bias = Weights { dims: vec![to], values: padded(&bias.values, to) };
    }
    let pixels = last.kernel.dims[2] * last.kernel.dims[3];
    let rows = last.kernel.values.chunks_exact(from * pixels);
    last.kernel.values = rows.flat_map(|row| padded(row, to * pixels)).collect();
    last.kernel.dims[1] = to;
    for convolution in [first, last] {
        let node = editor.with_weights(&convolution);
        editor.replace(convolution.at, vec![node]);
    }
    for at in between {
        if let Some(slopes) = prelu::slopes(editor, *at) {
            let mut node = editor.nodes()[*at].clone();
            node.input[1] = editor.add(&Weights { dims: vec![to, 1, 1], values: padded(&slopes, to) });
            editor.replace(*at, vec![node]);
        }
    }
}

fn padded(values: &[f32], len: usize) -> Vec<f32> {
    let mut values = values.to_vec();
    values.resize(len, 0.0);
    values
}
