//! A net that computes with 16-bit floats instead of 32-bit ones.
//!
//! Weights become 16-bit floats, rounded to the nearest; a cast behind each input and one before each output leave what callers see
//! as it was. Only graphs of operators that are known to take 16-bit floats wherever they take 32-bit ones are rewritten, and only
//! where every weight is within the range of such a float. Whether the results are near enough is not decided here: the
//! self-test of the engine compares them.

use std::collections::{HashMap, HashSet};

use half::f16;
use prost::Message as _;
use prost::bytes::Bytes;

use super::onnx::{Attribute, FLOAT, FLOAT16, Graph, MARK, Model, Node, Tensor};

/// Operators whose inputs and outputs may all be 16-bit floats where they are floats, by the ONNX specification (1.19) and the list
/// of kernels of ONNX Runtime's CUDA provider.
const KNOWN: [&str; 46] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "Div",
    "Dropout",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LayerNormalization",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "ReduceL2",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

/// Rewrites the whole graph, or refuses and says why; it is then of no use any more.
pub(super) fn rewrite(model: &mut Model) -> Result<(), String> {
    let graph = model.graph.as_mut().ok_or("there is no graph in it")?;
    let other = graph.node.iter().find(|node| !KNOWN.iter().any(|known| node.is(known)));
    if let Some(node) = other {
        return Err(format!("operator {} is not known to take 16-bit floats", node.op_type));
    }
    let wide = stays_wide(graph);
    for tensor in &mut graph.initializer {
        if !wide.contains(&tensor.name) {
            narrow(tensor)?;
        }
    }
    for node in &mut graph.node {
        narrow_attributes(node, &wide)?;
    }
    cast_inputs(graph);
    cast_outputs(graph);
    // Types noted between nodes are those of before.
    graph.value_info.clear();
    Ok(())
}

/// Values that are no numbers of the picture and 32-bit floats by definition: regions and scales of a `Resize`.
fn stays_wide(graph: &Graph) -> HashSet<String> {
    let resizes = graph.node.iter().filter(|node| node.is("Resize"));
    resizes.flat_map(|node| node.input.iter().skip(1)).filter(|name| !name.is_empty()).cloned().collect()
}

fn narrow_attributes(node: &mut Node, wide: &HashSet<String>) -> Result<(), String> {
    if node.is("Constant") && !node.output.iter().any(|output| wide.contains(output)) {
        if node.attributes().any(|attribute| matches!(attribute.name.as_str(), "value_float" | "value_floats")) {
            return Err("a constant is not given as a tensor".to_owned());
        }
        return change_attribute(node, "value", |value| value.tensor.as_mut().map_or(Ok(()), narrow));
    }
    if node.is("Cast") {
        return change_attribute(node, "to", |to| {
            to.i = to.i.map(|kind| if kind == i64::from(FLOAT) { i64::from(FLOAT16) } else { kind });
            Ok(())
        });
    }
    Ok(())
}

fn change_attribute(
    node: &mut Node,
    name: &str,
    change: impl Fn(&mut Attribute) -> Result<(), String>,
) -> Result<(), String> {
    for bytes in &mut node.attribute {
        let Ok(mut attribute) = Attribute::decode(bytes.clone()) else { continue };
        if attribute.name == name {
            change(&mut attribute)?;
            *bytes = attribute.encode_to_vec().into();
        }
    }
    Ok(())
}

/// 32-bit floats -> 16-bit floats; other kinds of numbers stay.
fn narrow(tensor: &mut Tensor) -> Result<(), String> {
    if tensor.data_location != 0 {
        return Err(format!("weights {} are in another file", tensor.name));
    }
    if tensor.data_type != FLOAT {
        return Ok(());
    }
    let values: Vec<f32> = match &tensor.raw_data {
        Some(raw) => raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        None => std::mem::take(&mut tensor.float_data),
    };
    let halves: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
    if halves.iter().any(|value| !value.is_finite()) {
        return Err(format!("a weight of {} is beyond the range of a 16-bit float", tensor.name));
    }
    let raw: Vec<u8> = halves.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor.raw_data = Some(Bytes::from(raw));
    tensor.data_type = FLOAT16;
    Ok(())
}

/// Who read an input reads what a cast makes of it. Every input is a picture: that it is one of floats, `net` checks.
fn cast_inputs(graph: &mut Graph) {
    let weights: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().map(|input| input.name.clone()).filter(|name| !weights.contains(name.as_str()));
    let renamed: HashMap<String, String> = inputs.map(|name| (name.clone(), narrow_name(&name))).collect();
    for value in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        if let Some(narrow) = renamed.get(value) {
            value.clone_from(narrow);
        }
    }
    let casts = renamed.iter().map(|(from, to)| cast(from, to, FLOAT16));
    graph.node = casts.chain(std::mem::take(&mut graph.node)).collect();
}

/// What made an output makes its narrow form, from which a cast makes the output.
fn cast_outputs(graph: &mut Graph) {
    let outputs: HashMap<String, String> =
        graph.output.iter().map(|output| (output.name.clone(), narrow_name(&output.name))).collect();
    for value in graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output)) {
        if let Some(narrow) = outputs.get(value) {
            value.clone_from(narrow);
        }
    }
    graph.node.extend(outputs.iter().map(|(to, from)| cast(from, to, FLOAT)));
}

fn cast(from: &str, to: &str, kind: i32) -> Node {
    Node::new("Cast", &[from], to).with_int("to", i64::from(kind))
}

fn narrow_name(value: &str) -> String {
    format!("{MARK}half/{value}")
}
