//! A net: one ONNX file, loaded, checked against what the pack promises, and run on one batch at a time.
//!
//! With `runtime` and `placement` the only files that talk to `ort`. A net is owned by the thread of its [`Stage`](super::stage::Stage).

use std::num::NonZeroUsize;
use std::path::PathBuf;

use ort::session::{Session, builder::SessionBuilder};
use ort::value::{Outlet, Shape, TensorElementType, TensorRef, ValueType};

use super::error::EngineError;
use super::graph;
use super::placement::{Placement, Precision};
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

    /// All zero.
    pub fn zeros(shape: Vec<usize>) -> Self {
        let data = vec![0.0; shape.iter().product()];
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
    place: Placement,
    session: Session,
    threads: NonZeroUsize,
    /// Position in the file of each output of the spec.
    picks: Vec<usize>,
}

impl Net {
    /// Loads `spec.path` for `place` and compares inputs and outputs with the spec. Uses all threads of the runtime.
    ///
    /// # Errors
    /// [`EngineError::ModelNotLoaded`] with what was found instead, [`EngineError::ProviderUnavailable`] when the provider
    /// itself does not start.
    pub fn load(runtime: &Runtime, place: &Placement, spec: NetSpec) -> Result<Self, EngineError> {
        Self::can_start(runtime, place, &spec)?;
        let source = Source::read(&spec, place)?;
        Self::open(runtime, place, &source, runtime.threads(), &[spec])
    }

    /// As many copies of a net as the provider is best used with; see [`Stage`](super::stage::Stage).
    ///
    /// # Errors
    /// As [`Net::load`].
    pub fn load_copies(runtime: &Runtime, place: &Placement, spec: NetSpec) -> Result<Vec<Self>, EngineError> {
        Self::load_copies_as(runtime, place, &[spec])
    }

    /// The same for a file that comes in several forms: `forms` describe the same file, the first that fits counts.
    ///
    /// # Errors
    /// As [`Net::load`]; where none fits, with what is missing for the first.
    ///
    /// # Panics
    /// When there is no form.
    pub fn load_copies_as(runtime: &Runtime, place: &Placement, forms: &[NetSpec]) -> Result<Vec<Self>, EngineError> {
        Self::can_start(runtime, place, &forms[0])?;
        let source = Source::read(&forms[0], place)?;
        let Share { copies, threads_each } = Share::of(runtime.threads(), place.provider, source.bytes);
        (0..copies.get()).map(|_| Self::open(runtime, place, &source, threads_each, forms)).collect()
    }

    /// As [`Net::load`], but never rewritten.
    #[cfg(test)]
    pub(super) fn load_unchanged(runtime: &Runtime, spec: NetSpec) -> Result<Self, EngineError> {
        let source = Source { bytes: 0, rewritten: None };
        Self::open(runtime, &Placement::cpu(), &source, runtime.threads(), &[spec])
    }

    /// Whether the provider can be registered at all, before a file is read and rewritten for it.
    fn can_start(runtime: &Runtime, place: &Placement, spec: &NetSpec) -> Result<(), EngineError> {
        let builder = Session::builder(runtime.environment()).map_err(|e| place.refused(spec, &e.to_string()))?;
        providers(builder, place).map(drop).map_err(|reason| place.refused(spec, &reason))
    }

    fn open(
        runtime: &Runtime,
        place: &Placement,
        source: &Source,
        threads: NonZeroUsize,
        forms: &[NetSpec],
    ) -> Result<Self, EngineError> {
        let spec = &forms[0];
        let refused = |reason: String| place.refused(spec, &reason);
        let broken = |reason: String| EngineError::ModelNotLoaded { net: spec.name.to_owned(), reason };
        let builder = Session::builder(runtime.environment()).map_err(|e| broken(e.to_string()))?;
        let builder = providers(builder, place).map_err(refused)?;
        let mut builder = settings(builder, threads).map_err(broken)?;
        let session = match &source.rewritten {
            Some(file) => builder.commit_from_memory(file),
            None => builder.commit_from_file(&spec.path),
        };
        // With a provider of its own a net fails here when the provider finds no device.
        let session = session.map_err(|e| {
            if place.provider == Provider::Cpu { broken(e.to_string()) } else { refused(e.to_string()) }
        })?;
        let fits = |spec: &NetSpec| check(spec, session.inputs(), session.outputs());
        let fitting = forms.iter().find_map(|form| Some((form.clone(), fits(form).ok()?)));
        match (fitting, fits(spec)) {
            (Some((spec, picks)), _) => Ok(Self { spec, place: place.clone(), session, threads, picks }),
            (None, Err(reason)) => Err(broken(reason)),
            (None, Ok(_)) => unreachable!("the first form is among those that were tried"),
        }
    }

    /// Threads that one run uses.
    pub fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// The form that the file has.
    pub fn spec(&self) -> &NetSpec {
        &self.spec
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
        let place = &self.place;
        let outputs = self.session.run(ort::inputs![view]).map_err(|e| {
            metrics::counter!(metric::PROVIDER_ERRORS, "provider" => place.provider.to_string()).increment(1);
            failed(place.explained(&e.to_string()))
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

/// What a net is loaded from.
struct Source {
    /// Length of the file.
    bytes: u64,
    /// The same net for the CPU, where that is worth it, or in half precision.
    rewritten: Option<Vec<u8>>,
}

impl Source {
    fn read(spec: &NetSpec, place: &Placement) -> Result<Self, EngineError> {
        let broken = |reason: String| EngineError::ModelNotLoaded { net: spec.name.to_owned(), reason };
        let file =
            || std::fs::read(&spec.path).map_err(|e| broken(format!("{} cannot be read: {e}", spec.path.display())));
        match (place.provider, place.precision) {
            (Provider::Cpu, Precision::Single) => {
                let file = file()?;
                let bytes = file.len() as u64;
                Ok(Self { bytes, rewritten: graph::for_cpu(file, graph::BlockSize::of_this_machine()) })
            }
            (Provider::Cpu | Provider::Cuda, Precision::Half) => {
                let rewritten = graph::in_half_precision(file()?).map_err(|reason| {
                    broken(format!("it cannot be had in half precision: {reason}; gpu.fp16 = \"off\" does without"))
                })?;
                Ok(Self { bytes: 0, rewritten: Some(rewritten) })
            }
            // TensorRT halves numbers by itself.
            (Provider::Cuda, Precision::Single) | (Provider::TensorRt, _) => Ok(Self { bytes: 0, rewritten: None }),
        }
    }
}

/// How threads are shared out among the copies of a net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    copies: NonZeroUsize,
    threads_each: NonZeroUsize,
}

impl Share {
    /// Weights of all copies of a net together, bytes: large nets keep their threads busy by themselves.
    const MOST_BYTES: u64 = 128 * 1024 * 1024;
    /// Each copy keeps memory for what lies between its operators.
    const MOST_COPIES: usize = 8;

    /// A copy for each thread on the CPU, as far as memory goes; one on a GPU, which needs no more and has no room.
    fn of(threads: NonZeroUsize, provider: Provider, file_bytes: u64) -> Self {
        let fit = usize::try_from(Self::MOST_BYTES / file_bytes.max(1)).unwrap_or(usize::MAX);
        let most = if provider == Provider::Cpu { fit.min(Self::MOST_COPIES) } else { 1 };
        let copies = NonZeroUsize::new(threads.get().min(most)).unwrap_or(NonZeroUsize::MIN);
        let threads_each = NonZeroUsize::new(threads.get() / copies.get()).unwrap_or(NonZeroUsize::MIN);
        Self { copies, threads_each }
    }
}

fn settings(builder: SessionBuilder, threads: NonZeroUsize) -> Result<SessionBuilder, String> {
    let refused = |e: ort::Error<SessionBuilder>| e.to_string();
    let builder = builder.with_intra_threads(threads.get()).map_err(refused)?;
    let builder = builder.with_inter_threads(1).map_err(refused)?;
    // Waiting threads sleep: the cores are shared with decoding, resampling and the rest of the machine.
    let builder = builder.with_intra_op_spinning(false).map_err(refused)?;
    // Plans are kept for every input shape ever seen, and pyramids come in many shapes.
    builder.with_memory_pattern(false).map_err(refused)
}

fn providers(builder: SessionBuilder, place: &Placement) -> Result<SessionBuilder, String> {
    builder.with_execution_providers(place.execution_providers()).map_err(|e| e.to_string())
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
    // Looks at all of them without a way out in between, so that many are looked at in one step.
    let all_finite = |values: &[f32]| values.iter().fold(true, |all, value| all & value.is_finite());
    if outputs.iter().all(|tensor| all_finite(&tensor.data)) {
        return Ok(());
    }
    Err(EngineError::Inference { net: net.to_owned(), reason: "it gave values that are not finite numbers".to_owned() })
}

fn names(outlets: &[Outlet]) -> String {
    let names: Vec<_> = outlets.iter().map(Outlet::name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(threads: usize, provider: Provider, megabytes: u64) -> (usize, usize) {
        let share = Share::of(NonZeroUsize::new(threads).unwrap(), provider, megabytes * 1024 * 1024);
        (share.copies.get(), share.threads_each.get())
    }

    #[test]
    fn small_nets_have_a_copy_for_each_core_and_large_ones_a_few_with_several_threads() {
        assert_eq!(share(2, Provider::Cpu, 5), (2, 1));
        assert_eq!(share(16, Provider::Cpu, 5), (8, 2));
        assert_eq!(share(8, Provider::Cpu, 40), (3, 2));
        assert_eq!(share(2, Provider::Cpu, 174), (1, 2));
        assert_eq!(share(1, Provider::Cpu, 0), (1, 1));
    }

    #[test]
    fn a_gpu_has_one_copy() {
        assert_eq!(share(16, Provider::Cuda, 5), (1, 16));
    }
}
