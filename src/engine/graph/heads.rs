//! The ends of a net that says something about every place of a picture.

use super::edit::{Convolution, Editor, Weights};
use super::onnx::Node;

/// First set of operators whose `Softmax` works along one axis and whose `Split` takes its sizes as an input.
const OPERATORS: i64 = 13;

/// Both rewrites, of files whose operators have these meanings.
pub(super) fn simplify(editor: &mut Editor) {
    if editor.operators() >= OPERATORS {
        without_softmax(editor);
        merge(editor);
    }
}

/// Softmax over two channels behind a convolution -> logistic function of their difference, which the convolution gives itself:
/// `e^a / (e^a + e^b) = 1 / (1 + e^(b - a))`. Rounded in other places, so the same to about the last digit of a float.
fn without_softmax(editor: &mut Editor) {
    for at in 0..editor.nodes().len() {
        let node = &editor.nodes()[at];
        let [x] = node.input.as_slice() else { continue };
        if !node.is("Softmax") || node.int("axis") != Some(1) || editor.only_reader(x).is_none() {
            continue;
        }
        let Some(convolution) = editor.maker(x).and_then(|maker| editor.convolution(maker)) else { continue };
        if convolution.outputs() == 2 {
            let sigmoid = Node::new("Sigmoid", &[x], &node.output[0]);
            let convolution = difference(convolution);
            let node = editor.with_weights(&convolution);
            editor.replace(convolution.at, vec![node]);
            editor.replace(at, vec![sigmoid]);
        }
    }
    editor.settle();
}

/// Two convolutions of the same picture that differ in their weights only -> one, and its channels divided.
fn merge(editor: &mut Editor) {
    let mut done = vec![false; editor.nodes().len()];
    for at in 0..editor.nodes().len() {
        let Some(first) = editor.convolution(at).filter(|_| !done[at]) else { continue };
        let second = (at + 1..editor.nodes().len()).find_map(|other| {
            let second = editor.convolution(other).filter(|_| !done[other])?;
            are_alike(editor, &first, &second).then_some(second)
        });
        if let Some(second) = second {
            (done[first.at], done[second.at]) = (true, true);
            merge_two(editor, first, &second);
        }
    }
    editor.settle();
}

/// Two channels `a, b` -> `a - b, b - a`.
fn difference(mut convolution: Convolution) -> Convolution {
    let less_the_other = |values: &[f32]| -> Vec<f32> {
        let (a, b) = values.split_at(values.len() / 2);
        let difference = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
        [difference(a, b), difference(b, a)].concat()
    };
    convolution.kernel.values = less_the_other(&convolution.kernel.values);
    if let Some(bias) = &mut convolution.bias {
        bias.values = less_the_other(&bias.values);
    }
    convolution
}

/// Whether both read the same value in the same way. Only narrow ones are worth it: a wide one fills its blocks by itself.
fn are_alike(editor: &Editor, first: &Convolution, second: &Convolution) -> bool {
    const NARROW: usize = 8;
    let (a, b) = (&editor.nodes()[first.at], &editor.nodes()[second.at]);
    let outputs = first.outputs() + second.outputs();
    let same_settings = {
        let sorted = |node: &Node| {
            let mut attributes = node.attribute.clone();
            attributes.sort();
            attributes
        };
        sorted(a) == sorted(b)
    };
    a.input[0] == b.input[0]
        && first.kernel.dims[1..] == second.kernel.dims[1..]
        && first.bias.is_some() == second.bias.is_some()
        && outputs <= NARROW
        && same_settings
}

fn merge_two(editor: &mut Editor, first: Convolution, second: &Convolution) {
    let joined = |a: &Weights, b: &Weights| {
        let mut dims = a.dims.clone();
        dims[0] += b.dims[0];
        Weights { dims, values: [a.values.as_slice(), &b.values].concat() }
    };
    let sizes = [first.outputs() as i64, second.outputs() as i64];
    let outputs = [first.at, second.at].map(|at| editor.nodes()[at].output[0].clone());
    let both = Convolution {
        at: first.at,
        kernel: joined(&first.kernel, &second.kernel),
        bias: first.bias.as_ref().zip(second.bias.as_ref()).map(|(a, b)| joined(a, b)),
    };
    let mut convolution = editor.with_weights(&both);
    let value = format!("{}/both", outputs[0]);
    convolution.output = vec![value.clone()];
    let sizes = editor.add_ints(&sizes);
    let mut split = Node::new("Split", &[&value, &sizes], &outputs[0]).with_int("axis", 1);
    split.output = outputs.to_vec();
    editor.replace(first.at, vec![convolution, split]);
    editor.replace(second.at, Vec::new());
}
