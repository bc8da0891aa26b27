use std::collections::BTreeMap;
use std::path::Path;

use prost::bytes::Bytes;

use super::onnx::{Graph, Model, Node, OperatorSet, Tensor, Value};
use super::*;
use crate::engine::net::{self, BatchAxis, Dim, Net, NetSpec};
use crate::engine::{Runtime, RuntimeOptions};

/// `TypeProto` of a tensor of floats whose axes are all open.
#[derive(Clone, PartialEq, prost::Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    axes: Vec<Axis>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Axis {
    #[prost(int64, optional, tag = "1")]
    length: Option<i64>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
}

fn pictures(name: &str, channels: i64) -> Value {
    let open = |name: &str| Axis { length: None, name: Some(name.to_owned()) };
    let axes = vec![open("n"), Axis { length: Some(channels), name: None }, open("h"), open("w")];
    let kind = Type { tensor: Some(TensorType { element: 1, shape: Some(Shape { axes }) }) };
    Value { name: name.to_owned(), kind: Some(kind.encode_to_vec().into()), ..Value::default() }
}

/// Numbers between -1 and 1 that look like none in particular.
fn noise(seed: u32) -> impl Iterator<Item = f32> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / f32::from_bits(0x4B00_0000) - 1.0
    })
}

/// A model under construction: nodes and noise for weights.
struct Draft {
    nodes: Vec<Node>,
    weights: Vec<Tensor>,
    outputs: Vec<Value>,
}

impl Draft {
    fn new() -> Self {
        Self { nodes: Vec::new(), weights: Vec::new(), outputs: Vec::new() }
    }

    fn weights(&mut self, name: &str, dims: &[usize]) {
        let count = dims.iter().product();
        // As trained nets have them: sums stay about as large as what is added up.
        let fan_in: usize = dims[1..].iter().product();
        let scale = (2.0 / fan_in as f32).sqrt();
        let values: Vec<f32> = noise(self.weights.len() as u32 + 7).take(count).map(|v| v * scale).collect();
        self.weights.push(Tensor::floats(name, dims, &values));
    }

    fn conv(&mut self, input: &str, output: &str, [inputs, outputs]: [usize; 2], side: usize) -> &mut Node {
        let (kernel, bias) = (format!("{output}.weight"), format!("{output}.bias"));
        self.weights(&kernel, &[outputs, inputs, side, side]);
        self.weights(&bias, &[outputs]);
        self.push(Node::new("Conv", &[input, &kernel, &bias], output))
    }

    fn prelu(&mut self, input: &str, output: &str, channels: usize) {
        let slope = format!("{output}.slope");
        self.weights(&slope, &[channels, 1, 1]);
        self.push(Node::new("PRelu", &[input, &slope], output));
    }

    fn push(&mut self, node: Node) -> &mut Node {
        self.nodes.push(node);
        self.nodes.last_mut().expect("one was added")
    }

    fn output(&mut self, name: &str, channels: i64) {
        self.outputs.push(pictures(name, channels));
    }

    fn model(self) -> Model {
        let graph = Graph {
            node: self.nodes,
            initializer: self.weights,
            input: vec![pictures("input", 3)],
            output: self.outputs,
            name: "draft".to_owned(),
            ..Graph::default()
        };
        let operators = OperatorSet { domain: None, version: 13 };
        Model { ir_version: 8, graph: Some(graph), opset_import: vec![operators], ..Model::default() }
    }
}

/// As MTCNN's first net, with channels that fill no block.
fn proposals() -> Model {
    let mut draft = Draft::new();
    draft.conv("input", "conv1", [3, 10], 3);
    draft.prelu("conv1", "prelu1", 10);
    let pool = Node::new("MaxPool", &["prelu1"], "pool1");
    draft.push(pool.with_ints("kernel_shape", &[2, 2]).with_ints("strides", &[2, 2]).with_int("ceil_mode", 1));
    draft.conv("pool1", "conv2", [10, 16], 3);
    draft.prelu("conv2", "prelu2", 16);
    draft.conv("prelu2", "logits", [16, 2], 1);
    draft.push(Node::new("Softmax", &["logits"], "prob").with_int("axis", 1));
    draft.conv("prelu2", "reg", [16, 4], 1);
    draft.output("prob", 2);
    draft.output("reg", 4);
    draft.model()
}

fn rewritten(model: &Model) -> Option<Model> {
    let file = for_cpu(model.encode_to_vec(), BlockSize(16))?;
    Some(Model::decode(Bytes::from(file)).unwrap())
}

/// How often each operator stands in a model.
fn operators(model: &Model) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for node in &model.graph.as_ref().unwrap().node {
        *count.entry(node.op_type.clone()).or_default() += 1;
    }
    count
}

/// Outputs of a file for a picture of noise.
fn run(file: &[u8], side: [usize; 2], outputs: &[(&'static str, usize)]) -> Vec<net::Tensor> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.onnx");
    std::fs::write(&path, file).unwrap();
    let axes = |channels| vec![Dim::Free, Dim::Fixed(channels), Dim::Free, Dim::Free];
    let outputs = outputs.iter().map(|(name, channels)| (Some(*name), axes(*channels))).collect();
    let spec = NetSpec { name: "draft", path, input: axes(3), outputs, batch: BatchAxis::Kept };
    let runtime = RuntimeOptions {
        dirs: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime")],
        ..RuntimeOptions::default()
    };
    let mut net = Net::load_unchanged(&Runtime::load(&runtime).unwrap(), spec).unwrap();
    let [height, width] = side;
    let picture = net::Tensor::new(vec![2, 3, height, width], noise(1).take(6 * height * width).collect());
    net.run(&picture).unwrap()
}

#[test]
fn slopes_become_convolutions_and_a_softmax_a_logistic_function() {
    let before = proposals();
    let after = rewritten(&before).unwrap();
    assert_eq!(
        operators(&before),
        BTreeMap::from([("Conv".into(), 4), ("MaxPool".into(), 1), ("PRelu".into(), 2), ("Softmax".into(), 1),])
    );
    // Two depthwise convolutions for each PReLU; the last two convolutions are one.
    assert_eq!(
        operators(&after),
        BTreeMap::from([
            ("Add".into(), 2),
            ("Conv".into(), 7),
            ("MaxPool".into(), 1),
            ("Relu".into(), 4),
            ("Sigmoid".into(), 1),
            ("Split".into(), 1),
        ])
    );
    let graph = after.graph.unwrap();
    let widest = graph.initializer.iter().find(|tensor| tensor.dims[..] == [16, 16, 3, 3]);
    assert!(widest.is_some(), "the ten channels are sixteen");
    assert!(graph.initializer.iter().all(|tensor| !tensor.name.ends_with("slope")), "old weights stay");
}

#[test]
fn a_rewritten_net_says_the_same() {
    let before = proposals();
    let outputs = [("prob", 2), ("reg", 4)];
    let after = rewritten(&before).unwrap().encode_to_vec();
    // Odd sides: the last window of the pooling reaches over the edge.
    for side in [[37, 50], [64, 31]] {
        let (plain, fast) = (run(&before.encode_to_vec(), side, &outputs), run(&after, side, &outputs));
        for (plain, fast) in plain.iter().zip(&fast) {
            assert_eq!(plain.shape, fast.shape);
            let furthest = plain.data.iter().zip(&fast.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(furthest < 2e-6, "{furthest}");
        }
        assert!(plain[0].data.iter().any(|v| (0.1..0.9).contains(v)), "a net that always says the same shows nothing");
    }
}

#[test]
fn a_slope_is_the_same_to_the_bit() {
    let mut draft = Draft::new();
    draft.conv("input", "conv", [3, 16], 3);
    draft.prelu("conv", "out", 16);
    draft.output("out", 16);
    let before = draft.model();
    let after = rewritten(&before).unwrap();
    assert!(!operators(&after).contains_key("PRelu"));
    let [plain, fast] = [before, after].map(|model| run(&model.encode_to_vec(), [20, 21], &[("out", 16)]).remove(0));
    assert!(plain.data.iter().any(|v| *v < 0.0));
    assert_eq!(plain, fast);
}

#[test]
fn what_is_shared_seen_or_grouped_keeps_its_channels() {
    // Somebody else reads the value, callers see it, the next convolution is in groups.
    for kind in 0..3 {
        let mut draft = Draft::new();
        draft.conv("input", "conv1", [3, 10], 3);
        draft.push(Node::new("Relu", &["conv1"], "relu1"));
        let next = draft.conv("relu1", "conv2", [if kind == 2 { 1 } else { 10 }, 10], 3);
        if kind == 2 {
            *next = next.clone().with_int("group", 10);
        }
        draft.output("conv2", 10);
        match kind {
            0 => {
                draft.push(Node::new("Sigmoid", &["relu1"], "other"));
                draft.output("other", 10);
            }
            1 => draft.output("relu1", 10),
            _ => {}
        }
        assert_eq!(rewritten(&draft.model()), None, "kind {kind}");
    }
}

#[test]
fn files_of_another_kind_are_left_alone() {
    assert_eq!(for_cpu(b"no net at all".to_vec(), BlockSize(16)), None);
    assert_eq!(for_cpu(Vec::new(), BlockSize(16)), None);
    let old = Model { ir_version: 3, ..proposals() };
    assert_eq!(rewritten(&old), None);
    let mut elsewhere = proposals();
    elsewhere.graph.as_mut().unwrap().initializer[0].data_location = 1;
    assert_eq!(rewritten(&elsewhere), None);
    let mut cut = proposals();
    for tensor in &mut cut.graph.as_mut().unwrap().initializer {
        tensor.raw_data = tensor.raw_data.as_ref().map(|raw| raw.slice(..raw.len() / 2));
    }
    assert_eq!(rewritten(&cut), None);
}

#[test]
fn a_net_in_half_precision_is_asked_as_before_and_says_the_same_to_three_digits() {
    let before = proposals().encode_to_vec();
    let after = in_half_precision(before.clone()).unwrap();
    let graph = Model::decode(Bytes::from(after.clone())).unwrap().graph.unwrap();
    assert!(graph.initializer.iter().all(|tensor| tensor.data_type == onnx::FLOAT16));
    assert_eq!(graph.node.iter().filter(|node| node.is("Cast")).count(), 3);
    let outputs = [("prob", 2), ("reg", 4)];
    for (wide, narrow) in run(&before, [37, 50], &outputs).iter().zip(&run(&after, [37, 50], &outputs)) {
        assert_eq!(wide.shape, narrow.shape);
        let furthest = wide.data.iter().zip(&narrow.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!((1e-7..5e-3).contains(&furthest), "{furthest}");
    }
}

#[test]
fn a_net_with_unknown_operators_or_weights_that_do_not_fit_is_not_halved() {
    let mut other = proposals();
    other.graph.as_mut().unwrap().node[1].op_type = "CumSum".to_owned();
    let said = in_half_precision(other.encode_to_vec()).unwrap_err();
    assert!(said.contains("operator CumSum"), "{said}");
    let mut large = proposals();
    large.graph.as_mut().unwrap().initializer[1] = Tensor::floats("conv1.bias", &[10], &[70_000.0; 10]);
    let said = in_half_precision(large.encode_to_vec()).unwrap_err();
    assert!(said.contains("conv1.bias is beyond the range"), "{said}");
    assert!(in_half_precision(b"no net at all".to_vec()).is_err());
}

#[test]
fn another_softmax_stays() {
    // Operators before 13: a softmax over all that follows the axis. And one over another axis.
    let mut old = proposals();
    old.opset_import[0].version = 12;
    let mut other = proposals();
    let softmax = other.graph.as_mut().unwrap().node.iter_mut().find(|node| node.op_type == "Softmax").unwrap();
    softmax.attribute.clear();
    *softmax = softmax.clone().with_int("axis", 2);
    for model in [old, other] {
        let after = operators(&rewritten(&model).unwrap());
        assert_eq!((after.get("Softmax"), after.get("Sigmoid"), after.get("PRelu")), (Some(&1), None, None));
    }
}
