//! Looking around in a graph and changing it.

use std::collections::{HashMap, HashSet};

use super::onnx::{FLOAT, Graph, MARK, Model, Node, Tensor};

/// First version of ONNX whose files list weights apart from inputs.
const WEIGHTS_ARE_NO_INPUTS: i64 = 4;

/// A graph under change. Nodes are known by their place; a replaced one keeps it.
pub(super) struct Editor<'a> {
    graph: &'a mut Graph,
    weights: HashMap<String, Tensor>,
    /// Version of the set of operators.
    operators: i64,
    /// What callers of the net see.
    outputs: HashSet<String>,
    /// What stands in the place of a node now.
    replaced: HashMap<usize, Vec<Node>>,
}

/// Weights as numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub(super) dims: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// A convolution over pictures that is no group convolution, with weights that are known.
#[derive(Debug, Clone)]
pub(super) struct Convolution {
    pub(super) at: usize,
    /// `[out, in, height, width]`
    pub(super) kernel: Weights,
    /// `[out]`, when there is one.
    pub(super) bias: Option<Weights>,
}

impl<'a> Editor<'a> {
    /// `None` for files of a kind that is not rewritten.
    pub(super) fn open(model: &'a mut Model) -> Option<Self> {
        let operators = model.opset_import.iter().find(|set| matches!(set.domain(), "" | "ai.onnx"))?.version;
        let graph = model.graph.as_mut()?;
        let elsewhere = graph.initializer.iter().any(|tensor| tensor.data_location != 0);
        if model.ir_version < WEIGHTS_ARE_NO_INPUTS || elsewhere {
            return None;
        }
        let outputs = graph.output.iter().map(|value| value.name.clone()).collect();
        // An input of the same name would go before the weights.
        let inputs: HashSet<&str> = graph.input.iter().map(|value| value.name.as_str()).collect();
        let weights = graph.initializer.iter().filter(|tensor| !inputs.contains(tensor.name.as_str()));
        let weights = weights.map(|tensor| (tensor.name.clone(), tensor.clone())).collect();
        Some(Self { graph, weights, operators, outputs, replaced: HashMap::new() })
    }

    /// Writes the changes into the model; whether there were any.
    pub(super) fn close(mut self) -> bool {
        self.settle();
        let changed = self.graph.initializer.iter().any(|tensor| tensor.name.starts_with(MARK));
        if changed {
            // Shapes noted between nodes may be those of before.
            self.graph.value_info.clear();
            let Graph { node, initializer, .. } = &mut *self.graph;
            let used: HashSet<&String> = node.iter().flat_map(|node| &node.input).collect();
            initializer.retain(|tensor| used.contains(&tensor.name));
        }
        changed
    }

    /// Puts what was replaced into the list of nodes. Places change, so it is called between two kinds of rewriting.
    pub(super) fn settle(&mut self) {
        let nodes = std::mem::take(&mut self.graph.node);
        let mut replaced = std::mem::take(&mut self.replaced);
        self.graph.node = nodes
            .into_iter()
            .enumerate()
            .flat_map(|(at, node)| replaced.remove(&at).unwrap_or_else(|| vec![node]))
            .collect();
    }

    /// Version of the set of operators that the nodes are of.
    pub(super) fn operators(&self) -> i64 {
        self.operators
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.graph.node
    }

    /// Has `nodes` in the place of the node `at`.
    pub(super) fn replace(&mut self, at: usize, nodes: Vec<Node>) {
        self.replaced.insert(at, nodes);
    }

    /// Where the node is that makes `value`.
    pub(super) fn maker(&self, value: &str) -> Option<usize> {
        self.graph.node.iter().position(|node| node.output.iter().any(|name| name == value))
    }

    /// The one node that reads `value`, when nobody else does, callers of the net included.
    pub(super) fn only_reader(&self, value: &str) -> Option<usize> {
        let mut readers = (0..self.graph.node.len()).filter(|at| self.graph.node[*at].input.iter().any(|i| i == value));
        let first = readers.next()?;
        (readers.next().is_none() && !self.outputs.contains(value)).then_some(first)
    }

    /// 32-bit weights of this name.
    pub(super) fn weights(&self, name: &str) -> Option<Weights> {
        let tensor = self.weights.get(name).filter(|tensor| tensor.data_type == FLOAT)?;
        let dims: Vec<usize> = tensor.dims.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<_>>()?;
        let values: Vec<f32> = match &tensor.raw_data {
            Some(raw) => raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            None => tensor.float_data.clone(),
        };
        let count = dims.iter().try_fold(1_usize, |product, d| product.checked_mul(*d))?;
        (count == values.len()).then_some(Weights { dims, values })
    }

    /// Adds weights and returns their name, which nothing else has.
    pub(super) fn add(&mut self, weights: &Weights) -> String {
        self.add_tensor(|name| Tensor::floats(name, &weights.dims, &weights.values))
    }

    /// Adds a list of whole numbers and returns its name.
    pub(super) fn add_ints(&mut self, values: &[i64]) -> String {
        self.add_tensor(|name| Tensor::ints(name, values))
    }

    /// The convolution at this place, where it is one that can be changed.
    pub(super) fn convolution(&self, at: usize) -> Option<Convolution> {
        let node = self.graph.node.get(at).filter(|node| node.is("Conv") && node.int("group").unwrap_or(1) == 1)?;
        let kernel = self.weights(node.input.get(1)?).filter(|kernel| kernel.dims.len() == 4)?;
        let bias = match node.input.get(2).filter(|name| !name.is_empty()) {
            Some(name) => Some(self.weights(name).filter(|bias| bias.dims == [kernel.dims[0]])?),
            None => None,
        };
        Some(Convolution { at, kernel, bias })
    }

    /// The node of `convolution` with its weights as they are there now.
    pub(super) fn with_weights(&mut self, convolution: &Convolution) -> Node {
        let mut node = self.graph.node[convolution.at].clone();
        node.input.truncate(1);
        node.input.push(self.add(&convolution.kernel));
        if let Some(bias) = &convolution.bias {
            node.input.push(self.add(bias));
        }
        node
    }

    fn add_tensor(&mut self, tensor: impl FnOnce(&str) -> Tensor) -> String {
        let name = format!("{MARK}{}", self.weights.len());
        let tensor = tensor(&name);
        self.weights.insert(name.clone(), tensor.clone());
        self.graph.initializer.push(tensor);
        name
    }
}

impl Convolution {
    /// Channels that it gives.
    pub(super) fn outputs(&self) -> usize {
        self.kernel.dims[0]
    }

    /// Channels that it takes.
    pub(super) fn inputs(&self) -> usize {
        self.kernel.dims[1]
    }
}
