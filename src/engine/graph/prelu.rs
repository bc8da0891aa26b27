//! PReLU in operators that know the blocked layout.
//!
//! `prelu(x) = x` where `x > 0` and `s * x` elsewhere, one slope `s` for each channel, is `relu(x) + (-s) * relu(-x)`. Multiplying
//! by a number for each channel is a depthwise convolution of one pixel, into which ONNX Runtime then folds the activation and
//! the sum. Nothing is rounded that was not before: one of the two sides is zero, so results are the same to the bit.

use super::BlockSize;
use super::edit::{Editor, Weights};
use super::onnx::Node;

/// Rewrites every PReLU with known slopes over pictures whose channels fill whole blocks. Without whole blocks a depthwise
/// convolution would not be computed in the blocked layout, and nothing gained.
pub(super) fn in_blocks(editor: &mut Editor, block: BlockSize) {
    for at in 0..editor.nodes().len() {
        if let Some(slopes) = slopes(editor, at).filter(|slopes| slopes.len().is_multiple_of(block.0)) {
            let nodes = in_convolutions(editor, at, slopes);
            editor.replace(at, nodes);
        }
    }
    editor.settle();
}

/// One slope for each channel, where the node is a PReLU over pictures.
pub(super) fn slopes(editor: &Editor, at: usize) -> Option<Vec<f32>> {
    let node = &editor.nodes()[at];
    let [x, slope] = node.input.as_slice() else { return None };
    let weights = editor.weights(slope).filter(|_| node.is("PRelu"))?;
    let for_channels = matches!(weights.dims.as_slice(), [_, 1, 1] | [1, _, 1, 1]);
    (for_channels && is_picture(editor, x, weights.values.len())).then_some(weights.values)
}

/// Whether `value` is `[n, channels, height, width]`, as far as the graph tells.
fn is_picture(editor: &Editor, value: &str, channels: usize) -> bool {
    let Some(at) = editor.maker(value) else { return false };
    let node = &editor.nodes()[at];
    if node.is("Conv") {
        let kernel = node.input.get(1).and_then(|name| editor.weights(name));
        return kernel.is_some_and(|kernel| kernel.dims.len() == 4 && kernel.dims[0] == channels);
    }
    // These keep the shape of what they read.
    let keeps = node.is("BatchNormalization") || node.is("PRelu") || node.is("MaxPool");
    keeps && node.input.first().is_some_and(|input| is_picture(editor, input, channels))
}

fn in_convolutions(editor: &mut Editor, at: usize, slopes: Vec<f32>) -> Vec<Node> {
    let node = editor.nodes()[at].clone();
    let (x, y) = (&node.input[0], &node.output[0]);
    let channels = slopes.len();
    let mut scale = |values: Vec<f32>| editor.add(&Weights { dims: vec![channels, 1, 1, 1], values });
    let (minus_one, minus_slope) = (scale(vec![-1.0; channels]), scale(slopes.into_iter().map(|s| -s).collect()));
    let depthwise = |input: &str, weights: &str, output: &str| {
        let node = Node::new("Conv", &[input, weights], output);
        node.with_int("group", channels as i64).with_ints("kernel_shape", &[1, 1])
    };
    let part = |name: &str| format!("{y}/{name}");
    let (above, turned, below, sloped) = (part("above"), part("turned"), part("below"), part("sloped"));
    vec![
        Node::new("Relu", &[x], &above),
        depthwise(x, &minus_one, &turned),
        Node::new("Relu", &[&turned], &below),
        depthwise(&below, &minus_slope, &sloped),
        Node::new("Add", &[&above, &sloped], y),
    ]
}
