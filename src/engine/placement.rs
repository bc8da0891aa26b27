//! Where a net runs and how it is set up there: provider, precision, shapes, memory of the card.
//!
//! Decides once, when an engine is opened; nothing here loads or runs a net. With `runtime` and `net` the only files that know
//! ONNX Runtime's own types. What is said to its providers are the names and values of their documentation (1.31).

use std::path::PathBuf;

use ort::ep::{self, ArenaExtendStrategy, ExecutionProviderDispatch};
use serde::Serialize;

use super::error::EngineError;
use super::net::NetSpec;
use super::runtime::Provider;
use super::stage::BatchSizes;

/// What is said about a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GpuOptions {
    /// Which card, as CUDA counts them. Default: 0.
    pub device: u32,
    /// Memory of the card that the nets of an engine may take together, bytes. Default: no limit.
    pub memory_limit_bytes: Option<u64>,
    /// Default: [`HalfPrecision::Auto`].
    pub half_precision: HalfPrecision,
    /// Folder in which TensorRT keeps what it has built, one folder in it for each pack. `None`: it builds at every start.
    pub engine_cache: Option<PathBuf>,
}

/// When nets compute with 16-bit floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HalfPrecision {
    /// Where the self-test holds, otherwise single precision.
    #[default]
    Auto,
    /// Half precision or an error.
    Always,
    Never,
}

/// How wide the numbers are that a net computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    Single,
    /// 16-bit floats (of CUDA's matrices, TF32 where something is left) between the input and the outputs, which are 32-bit floats still.
    Half,
}

/// Which parts of a photo nets are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shapes {
    /// Small ones of their own size: the caches of a processor hold them.
    AsTheyCome,
    /// Large ones, filled up to one size: a GPU sets itself up for every new shape, and keeps memory for it.
    Few,
}

/// Where a net runs and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub(super) provider: Provider,
    pub(super) precision: Precision,
    pub(super) shapes: Shapes,
    pub(super) batch_sizes: BatchSizes,
    gpu: GpuOptions,
    /// Nets that share the memory of the card.
    nets: u64,
}

impl Placement {
    /// On the processor.
    pub fn cpu() -> Self {
        Self::on(Provider::Cpu, Precision::Single, GpuOptions::default())
    }

    /// On a provider; `gpu` says nothing to the CPU.
    pub(super) fn on(provider: Provider, precision: Precision, gpu: GpuOptions) -> Self {
        let (shapes, batch_sizes) = match provider {
            Provider::Cpu => (Shapes::AsTheyCome, BatchSizes::Any),
            Provider::Cuda | Provider::TensorRt => (Shapes::Few, BatchSizes::Buckets),
        };
        Self { provider, precision, shapes, batch_sizes, gpu, nets: 1 }
    }

    /// For each of `nets` nets that share the memory of the card evenly.
    pub(super) fn shared_by(self, nets: u64) -> Self {
        Self { nets: nets.max(1), ..self }
    }

    /// On the processor with the parts of a photo that a GPU is given: what a GPU must agree with.
    pub(super) fn cpu_with_few_shapes() -> Self {
        Self { shapes: Shapes::Few, ..Self::cpu() }
    }

    /// On the processor as on a GPU: what can be tested where there is none.
    #[cfg(test)]
    pub(super) fn cpu_as_gpu(precision: Precision) -> Self {
        Self { precision, shapes: Shapes::Few, batch_sizes: BatchSizes::Buckets, ..Self::cpu() }
    }

    /// The same in single precision: for nets whose results 16-bit floats move too far.
    pub(super) fn in_single_precision(&self) -> Self {
        Self { precision: Precision::Single, ..self.clone() }
    }

    /// The execution providers to register, best first; registering fails loudly.
    pub(super) fn execution_providers(&self) -> Vec<ExecutionProviderDispatch> {
        match self.provider {
            Provider::Cpu => Vec::new(),
            Provider::Cuda => vec![self.cuda().build().error_on_failure()],
            Provider::TensorRt => {
                vec![self.tensorrt().build().error_on_failure(), self.cuda().build().error_on_failure()]
            }
        }
    }

    /// The provider does not run this net.
    pub(super) fn refused(&self, spec: &NetSpec, reason: &str) -> EngineError {
        let reason = self.explained(reason);
        EngineError::ProviderUnavailable { provider: self.provider, net: spec.name.to_owned(), reason }
    }

    /// What ONNX Runtime said of a failure, with the setting that may be behind it.
    pub(super) fn explained(&self, reason: &str) -> String {
        let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        let reason = reason.trim_end_matches('.');
        if self.provider == Provider::Cpu {
            reason.to_owned()
        } else if self.gpu.memory_limit_bytes.is_some() && says(&["BFCArena", "bfc_arena", "Available memory"]) {
            format!("{reason} (gpu.memory_limit_mb is too small for this pack)")
        } else if says(&["out of memory", "Failed to allocate memory"]) {
            format!("{reason} (the card is full: gpu.memory_limit_mb keeps this program within bounds)")
        } else if says(&["device ordinal", "device_id", "Invalid device"]) {
            format!("{reason} (gpu.device is {})", self.gpu.device)
        } else {
            reason.to_owned()
        }
    }

    fn cuda(&self) -> ep::CUDA {
        // `SameAsRequested`: all shapes are seen at the start, so the arena need not grow ahead of what is asked for.
        // TF32 rounds as coarsely as 16-bit floats do. An exhaustive search tries every algorithm for every shape of every net, which takes minutes.
        let cuda = ep::CUDA::default()
            .with_device_id(self.device())
            .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
            .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
            .with_tf32(self.precision == Precision::Half);
        match self.memory_share() {
            Some(bytes) => cuda.with_memory_limit(bytes),
            None => cuda,
        }
    }

    fn tensorrt(&self) -> ep::TensorRT {
        let mut tensorrt =
            ep::TensorRT::default().with_device_id(self.device()).with_fp16(self.precision == Precision::Half);
        if let Some(bytes) = self.memory_share() {
            tensorrt = tensorrt.with_max_workspace_size(bytes);
        }
        if let Some(folder) = &self.gpu.engine_cache {
            tensorrt = tensorrt
                .with_engine_cache(true)
                .with_engine_cache_path(folder.display())
                .with_timing_cache(true)
                .with_timing_cache_path(folder.display());
        }
        tensorrt
    }

    fn device(&self) -> i32 {
        i32::try_from(self.gpu.device).unwrap_or(i32::MAX)
    }

    /// A limit counts for the arena of one net.
    fn memory_share(&self) -> Option<usize> {
        let share = self.gpu.memory_limit_bytes? / self.nets;
        Some(usize::try_from(share).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited() -> Placement {
        let gpu = GpuOptions {
            device: 1,
            memory_limit_bytes: Some(4 << 30),
            engine_cache: Some(PathBuf::from("/school/tensorrt/abc")),
            ..GpuOptions::default()
        };
        Placement::on(Provider::TensorRt, Precision::Half, gpu).shared_by(4)
    }

    #[test]
    fn a_provider_is_told_what_the_settings_say() {
        let cuda = format!("{:?}", limited().cuda());
        for said in
            ["\"device_id\"", "\"1\"", "\"gpu_mem_limit\"", "\"1073741824\"", "\"kSameAsRequested\"", "\"HEURISTIC\""]
        {
            assert!(cuda.contains(said), "{said} in {cuda}");
        }
        let tensorrt = format!("{:?}", limited().tensorrt());
        for said in ["\"trt_fp16_enable\"", "\"trt_engine_cache_path\"", "\"/school/tensorrt/abc\"", "\"1073741824\""] {
            assert!(tensorrt.contains(said), "{said} in {tensorrt}");
        }
        let unlimited = Placement::on(Provider::Cuda, Precision::Single, GpuOptions::default());
        assert!(!format!("{:?}", unlimited.cuda()).contains("gpu_mem_limit"));
        assert!(Placement::cpu().execution_providers().is_empty());
        assert_eq!(limited().execution_providers().len(), 2);
    }

    #[test]
    fn a_failure_names_the_setting_behind_it() {
        let said = limited().explained("BFCArena::AllocateRawInternal Available memory of 1 is smaller than 2.");
        assert!(said.contains("gpu.memory_limit_mb is too small"), "{said}");
        let said = limited().explained("CUDA failure 101: invalid device ordinal");
        assert!(said.ends_with("(gpu.device is 1)"), "{said}");
        assert_eq!(limited().explained("something else."), "something else");
        assert_eq!(Placement::cpu().explained("bfc_arena"), "bfc_arena");
    }
}
