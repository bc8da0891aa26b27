//! A net: one ONNX file, loaded, checked against what the pack promises, and run on one batch at a time.
//!
//! The only file besides `runtime` that talks to `ort`. A net is owned by the thread of its [`Stage`](super::stage::Stage).

use std::path::PathBuf;

use ort::session::{Session, builder::SessionBuilder};
use ort::value::{Outlet, Shape, TensorElementType, TensorRef, ValueType};

use super::error::EngineError;
use super::runtime::{Provider, Runtime};
use crate::telemetry::metric;

/// Numbers with a shape, row-major; axis 0 is the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

impl Tensor {
    /// # Panics
    /// When `data` does not fill `shape`.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "data must fill the shape");
        Self { shape, data }
    }

    /// Length of axis 0.
    pub fn items(&self) -> usize {
        self.shape[0]
    }
}

/// A dimension as the engine expects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    Fixed(usize),
    /// Any length; an input's must be open in the file too.
    Free,
}

impl Dim {
    fn admits(self, found: usize) -> bool {
        self == Self::Free || self == Self::Fixed(found)
    }
}

/// What a file must be to be this net.
#[derive(Debug, Clone)]
pub struct NetSpec {
    /// Name in messages and of the thread.
    pub name: &'static str,
    pub path: PathBuf,
    pub input: Vec<Dim>,
    /// Name and shape of each output, in the order in which [`Net::run`] returns them. No names: the outputs of the file in
    /// its own order, no more and no fewer.
    pub outputs: Vec<(Option<&'static str>, Vec<Dim>)>,
    pub batch: BatchAxis,
}

/// Whether the outputs of a file have the batch as axis 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchAxis {
    Kept,
    /// The file takes one item at a time and its outputs have no axis for it. [`Net::run`] gives them one; the shapes of
    /// the spec have it too.
    FoldedAway,
}

/// A loaded net.
#[derive(Debug)]
pub struct Net {
    spec: NetSpec,
    provider: Provider,
    session: Session,
    /// Position in the file of each output of the spec.
    picks: Vec<usize>,
}

impl Net {
    /// Loads `spec.path` for `provider` and compares inputs and outputs with the spec.
    ///
    /// # Errors
    /// [`EngineError::ModelNotLoaded`] with what was found instead, [`EngineError::ProviderUnavailable`] when the provider
    /// itself does not start.
    pub fn load(runtime: &Runtime, provider: Provider, spec: NetSpec) -> Result<Self, EngineError> {
        Self::load_as(runtime, provider, spec, None)
    }

    /// The same for a file that comes in two forms: as `spec`, or else as `other` describes the same file.
    ///
    /// # Errors
    /// As [`Net::load`]; where neither form fits, with what is missing for `spec`.
    pub fn load_as(
        runtime: &Runtime,
        provider: Provider,
        spec: NetSpec,
        other: Option<NetSpec>,
    ) -> Result<Self, EngineError> {
        let refused = |e: String| EngineError::ProviderUnavailable {
            provider,
            net: spec.name.to_owned(),
            reason: e.trim_end_matches('.').to_owned(),
        };
        let broken = |reason: String| EngineError::ModelNotLoaded { net: spec.name.to_owned(), reason };
        let builder = Session::builder(runtime.environment()).map_err(|e| broken(e.to_string()))?;
        let session = providers(builder, provider)
            .map_err(refused)?
            // Plans are kept for every input shape ever seen, and pyramids come in many shapes.
            .with_memory_pattern(false)
            .map_err(|e| broken(e.to_string()))?
            .commit_from_file(&spec.path)
            // With a provider of its own a net fails here when the provider finds no device.
            .map_err(|e| if provider == Provider::Cpu { broken(e.to_string()) } else { refused(e.to_string()) })?;
        let fits = |spec: &NetSpec| check(spec, session.inputs(), session.outputs());
        let (spec, picks) = match (fits(&spec), other) {
            (Ok(picks), _) => (spec, picks),
            (Err(reason), None) => return Err(broken(reason)),
            (Err(reason), Some(other)) => {
                let picks = fits(&other).map_err(|_| broken(reason))?;
                (other, picks)
            }
        };
        Ok(Self { spec, provider, session, picks })
    }

    /// Whether it runs more than one item at a time.
    pub fn batch(&self) -> BatchAxis {
        self.spec.batch
    }

    pub fn name(&self) -> &'static str {
        self.spec.name
    }

    /// Runs the net on a batch (one item where the batch is folded away); outputs in the order of the spec, as many items
    /// each as the input.
    ///
    /// # Errors
    /// [`EngineError::Inference`] when ONNX Runtime fails or an output has another batch size.
    pub fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>, EngineError> {
        let name = self.spec.name;
        let failed = |reason: String| EngineError::Inference { net: name.to_owned(), reason };
        let view = TensorRef::from_array_view((input.shape.as_slice(), input.data.as_slice()))
            .map_err(|e| failed(e.to_string()))?;
        let provider = self.provider;
        let outputs = self.session.run(ort::inputs![view]).map_err(|e| {
            metrics::counter!(metric::PROVIDER_ERRORS, "provider" => provider.to_string()).increment(1);
            failed(e.to_string())
        })?;
        let mut tensors = Vec::with_capacity(self.picks.len());
        for (pick, (_, dims)) in self.picks.iter().zip(&self.spec.outputs) {
            let (shape, data) = outputs[*pick].try_extract_tensor::<f32>().map_err(|e| failed(e.to_string()))?;
            let mut shape: Vec<usize> = shape.iter().map(|d| *d as usize).collect();
            if self.spec.batch == BatchAxis::FoldedAway {
                shape.insert(0, 1);
            }
            let as_promised =
                shape.len() == dims.len() && shape.iter().zip(dims).all(|(found, dim)| dim.admits(*found));
            if !as_promised || shape[0] != input.items() {
                return Err(failed(format!("a batch of {} gave an output of shape {shape:?}", input.items())));
            }
            tensors.push(Tensor::new(shape, data.to_vec()));
        }
        Ok(tensors)
    }
}

fn providers(builder: SessionBuilder, provider: Provider) -> Result<SessionBuilder, String> {
    builder.with_execution_providers(provider.execution_providers()).map_err(|e| e.to_string())
}

/// Where the outputs of the spec are in the file, or what is wrong.
fn check(spec: &NetSpec, inputs: &[Outlet], outputs: &[Outlet]) -> Result<Vec<usize>, String> {
    let [input] = inputs else { return Err(format!("one input expected, found {}", names(inputs))) };
    shapes_agree(input, &spec.input)?;
    if spec.input.iter().zip(&**shape_of(input)?).any(|(dim, found)| *dim == Dim::Free && *found >= 0) {
        return Err(misfit(input, &spec.input)?);
    }
    let find = |(place, (name, dims)): (usize, &(Option<&'static str>, Vec<Dim>))| {
        let found = match name {
            Some(name) => outputs.iter().position(|o| o.name() == *name),
            None => (outputs.len() == spec.outputs.len()).then_some(place),
        };
        let found = found.ok_or_else(|| match name {
            Some(name) => format!("output {name} expected, found {}", names(outputs)),
            None => format!("{} outputs expected, found {}", spec.outputs.len(), names(outputs)),
        })?;
        let dims = if spec.batch == BatchAxis::FoldedAway { &dims[1..] } else { dims };
        shapes_agree(&outputs[found], dims).map(|()| found)
    };
    spec.outputs.iter().enumerate().map(find).collect()
}

/// A dimension that the file leaves open agrees with every expectation; `run` looks at the real one.
fn shapes_agree(outlet: &Outlet, expected: &[Dim]) -> Result<(), String> {
    let shape = shape_of(outlet)?;
    let agrees = |(found, dim): (&i64, &Dim)| usize::try_from(*found).map_or(true, |found| dim.admits(found));
    if shape.len() == expected.len() && shape.iter().zip(expected).all(agrees) {
        Ok(())
    } else {
        Err(misfit(outlet, expected)?)
    }
}

fn shape_of(outlet: &Outlet) -> Result<&Shape, String> {
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => Ok(shape),
        other => Err(format!("{} must be a float32 tensor, found {other:?}", outlet.name())),
    }
}

fn misfit(outlet: &Outlet, expected: &[Dim]) -> Result<String, String> {
    let found: Vec<_> =
        shape_of(outlet)?.iter().map(|d| if *d < 0 { "any".to_owned() } else { d.to_string() }).collect();
    Ok(format!("{} must have the shape {}, found [{}]", outlet.name(), wording(expected), found.join(", ")))
}

fn wording(dims: &[Dim]) -> String {
    let word = |dim: &Dim| match dim {
        Dim::Fixed(n) => n.to_string(),
        Dim::Free => "any".to_owned(),
    };
    format!("[{}]", dims.iter().map(word).collect::<Vec<_>>().join(", "))
}

/// A score that is no number would compare as "no face", and a full room would look empty.
pub(super) fn check_finite(net: &'static str, outputs: &[Tensor]) -> Result<(), EngineError> {
    if outputs.iter().flat_map(|t| &t.data).all(|v| v.is_finite()) {
        return Ok(());
    }
    Err(EngineError::Inference { net: net.to_owned(), reason: "it gave values that are not finite numbers".to_owned() })
}

fn names(outlets: &[Outlet]) -> String {
    let names: Vec<_> = outlets.iter().map(Outlet::name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
