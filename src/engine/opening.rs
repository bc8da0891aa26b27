//! Opening an engine: on what was asked for, or on the best that sees what the CPU sees.
//!
//! Called by [`Engine::open`] alone. The order of attempts is in two functions that know no net, so that it is tested without a
//! GPU.

use super::embedder::OnnxEmbedder;
use super::error::EngineError;
use super::placement::{GpuOptions, HalfPrecision, Placement, Precision};
use super::runtime::{Provider, ProviderChoice, ProviderReport, Runtime};
use super::{Detector, Engine, EngineOptions, mtcnn, scrfd, self_test};
use crate::pack::Pack;
use crate::pack::manifest::DetectorSpec;

/// What an engine is opened from.
pub(super) struct Opening<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) pack: &'a Pack,
    pub(super) options: &'a EngineOptions,
}

impl Opening<'_> {
    /// As [`Engine::open`] has it.
    pub(super) fn run(&self) -> Result<Engine, EngineError> {
        let on_cpu = || self.on(&Placement::cpu());
        if self.options.provider != ProviderChoice::Cpu {
            self.runtime.load_cuda();
        }
        match self.options.provider {
            ProviderChoice::Cpu => on_cpu(),
            ProviderChoice::Cuda => self.on_gpu(Provider::Cuda),
            ProviderChoice::TensorRt => self.on_gpu(Provider::TensorRt),
            ProviderChoice::Auto => or_on_cpu(self.on_gpu(Provider::Cuda), on_cpu),
        }
    }

    /// At one place, whatever it sees there.
    pub(super) fn on(&self, place: &Placement) -> Result<Engine, EngineError> {
        let Self { runtime, pack, options } = self;
        let manifest = pack.manifest();
        let min_face_px = options.min_face_px.unwrap_or(manifest.detector.min_face_px());
        let detector: Box<dyn Detector> = match &manifest.detector {
            DetectorSpec::Mtcnn(spec) => Box::new(mtcnn::Mtcnn::open(runtime, place, pack, spec, min_face_px)?),
            DetectorSpec::Scrfd(spec) => Box::new(scrfd::Scrfd::open(runtime, place, pack, spec, min_face_px)?),
        };
        Ok(Engine {
            detector,
            embedder: Box::new(OnnxEmbedder::open(runtime, place, pack, &manifest.embedder)?),
            provider: ProviderReport::of(place),
            pack_id: pack.id_version(),
            max_faces: options.max_faces,
        })
    }

    /// Only where it sees what the CPU sees.
    fn on_gpu(&self, provider: Provider) -> Result<Engine, EngineError> {
        let gpu = self.gpu_options(provider)?;
        in_best_precision(gpu.half_precision, |precision| {
            let place = Placement::on(provider, precision, gpu.clone()).shared_by(self.nets());
            let engine = self.on(&place)?;
            let expected = self.on(&Placement::cpu_with_few_shapes())?;
            self_test::agree(&engine, &expected)?;
            Ok(engine)
        })
    }

    /// Those asked for, with a folder for what TensorRT builds of this very pack: it tells nets by their shape, not by their weights.
    fn gpu_options(&self, provider: Provider) -> Result<GpuOptions, EngineError> {
        let mut gpu = self.options.gpu.clone();
        gpu.engine_cache = gpu.engine_cache.map(|folder| folder.join(self.pack.manifest().digest()));
        if let Some(folder) = gpu.engine_cache.as_ref().filter(|_| provider == Provider::TensorRt) {
            std::fs::create_dir_all(folder).map_err(|e| EngineError::ProviderUnavailable {
                provider,
                net: "detector".to_owned(),
                reason: format!("the folder {} for what it builds cannot be made: {e}", folder.display()),
            })?;
        }
        Ok(gpu)
    }

    /// Nets of the pack.
    fn nets(&self) -> u64 {
        match self.pack.manifest().detector {
            DetectorSpec::Mtcnn(_) => 4,
            DetectorSpec::Scrfd(_) => 2,
        }
    }
}

/// An engine in the precision that is asked for; where either will do, in half precision if it opens so, which includes the
/// self-test.
fn in_best_precision(
    wanted: HalfPrecision,
    open: impl Fn(Precision) -> Result<Engine, EngineError>,
) -> Result<Engine, EngineError> {
    match wanted {
        HalfPrecision::Always => open(Precision::Half),
        HalfPrecision::Never => open(Precision::Single),
        HalfPrecision::Auto => open(Precision::Half).or_else(|reason| {
            let mut engine = open(Precision::Single)?;
            tracing::warn!(%reason, "half precision is not used");
            engine.provider.single_precision_reason = Some(reason.to_string());
            Ok(engine)
        }),
    }
}

/// The engine on a GPU, or one on the CPU that says why.
fn or_on_cpu(
    on_gpu: Result<Engine, EngineError>,
    on_cpu: impl FnOnce() -> Result<Engine, EngineError>,
) -> Result<Engine, EngineError> {
    on_gpu.or_else(|reason| {
        let mut engine = on_cpu()?;
        engine.provider.fallback_reason = Some(match reason {
            EngineError::ProviderUnavailable { reason, .. } => reason,
            other => other.to_string(),
        });
        Ok(engine)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn differs() -> EngineError {
        let reason = "it finds 0 drawn faces instead of 5".to_owned();
        EngineError::ProviderDiffers { provider: Provider::Cuda, reason }
    }

    /// Opens in the precisions of `good`; what was tried, and what came of it.
    fn opened(wanted: HalfPrecision, good: &[Precision]) -> (Vec<Precision>, Result<Engine, EngineError>) {
        let tried = RefCell::new(Vec::new());
        let opened = in_best_precision(wanted, |precision| {
            tried.borrow_mut().push(precision);
            if good.contains(&precision) { Ok(Engine::fake()) } else { Err(differs()) }
        });
        (tried.into_inner(), opened)
    }

    #[test]
    fn half_precision_that_sees_other_faces_is_not_used_and_that_is_said() {
        let (tried, engine) = opened(HalfPrecision::Auto, &[Precision::Single]);
        assert_eq!(tried, [Precision::Half, Precision::Single]);
        let reason = engine.unwrap().provider.single_precision_reason.unwrap();
        assert!(reason.contains("finds 0 drawn faces"), "{reason}");
        let (tried, engine) = opened(HalfPrecision::Auto, &[Precision::Half]);
        assert_eq!((tried, engine.unwrap().provider.single_precision_reason), (vec![Precision::Half], None));
    }

    #[test]
    fn a_precision_that_is_asked_for_is_that_or_an_error() {
        let (tried, engine) = opened(HalfPrecision::Always, &[Precision::Single]);
        assert_eq!((tried, engine.unwrap_err()), (vec![Precision::Half], differs()));
        let (tried, engine) = opened(HalfPrecision::Never, &[Precision::Single]);
        assert_eq!((tried, engine.unwrap().provider.single_precision_reason), (vec![Precision::Single], None));
        assert_eq!(opened(HalfPrecision::Auto, &[]).1.unwrap_err(), differs());
    }

    #[test]
    fn a_provider_that_sees_other_faces_is_left_for_the_cpu_and_that_is_said() {
        let engine = or_on_cpu(Err(differs()), || Ok(Engine::fake())).unwrap();
        let reason = engine.provider.fallback_reason.unwrap();
        assert!(reason.contains("does not see what the CPU sees"), "{reason}");
        let engine = or_on_cpu(Ok(Engine::fake()), || Err(differs())).unwrap();
        assert_eq!(engine.provider.fallback_reason, None);
    }
}
