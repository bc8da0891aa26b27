//! Opening: what is refused, and what is said about the provider.

use std::fs;

use rollcall::engine::net::{BatchAxis, Dim, Net, NetSpec};
use rollcall::engine::{
    Engine, EngineError, EngineOptions, Placement, Provider, ProviderChoice, Runtime, RuntimeOptions,
};

use crate::support::{on_cpu, root, runtime, starter};

fn asked_for(provider: ProviderChoice) -> EngineOptions {
    EngineOptions { provider, ..EngineOptions::default() }
}

#[test]
fn the_runtime_loads_once_and_again() {
    let first = runtime();
    let elsewhere = RuntimeOptions { dirs: vec![root().join("nowhere")], ..RuntimeOptions::default() };
    let second = Runtime::load(&elsewhere).unwrap();
    assert_eq!(first.library(), second.library());
    assert!(first.library().starts_with(root().join("runtime")), "{}", first.library().display());
    assert!(first.build_info().contains("Build Info"), "{}", first.build_info());
}

#[test]
fn the_cpu_is_what_was_asked_for_and_no_fallback() {
    let engine = Engine::open(&runtime(), &starter(), on_cpu()).unwrap();
    assert_eq!((engine.provider().provider, &engine.provider().fallback_reason), (Provider::Cpu, &None));
    assert_eq!((engine.pack_id(), engine.dims()), ("starter@0", 512));
}

#[test]
fn a_gpu_that_is_not_there_is_an_error_or_a_loud_fallback() {
    let cuda = Engine::open(&runtime(), &starter(), asked_for(ProviderChoice::Cuda));
    if cuda.is_ok() {
        println!("skipped: this machine runs CUDA");
        return;
    }
    let error = cuda.unwrap_err();
    assert!(matches!(error, EngineError::ProviderUnavailable { provider: Provider::Cuda, .. }), "{error}");
    assert!(error.to_string().contains("--provider cpu"), "{error}");
    let trt = Engine::open(&runtime(), &starter(), asked_for(ProviderChoice::TensorRt)).unwrap_err();
    assert!(matches!(trt, EngineError::ProviderUnavailable { provider: Provider::TensorRt, .. }), "{trt}");

    let auto = Engine::open(&runtime(), &starter(), asked_for(ProviderChoice::Auto)).unwrap();
    assert_eq!(auto.provider().provider, Provider::Cpu);
    let reason = auto.provider().fallback_reason.as_deref().unwrap();
    assert!(reason.contains("CUDA"), "{reason}");
    println!("fallback reason: {reason}");
}

#[test]
fn a_net_of_another_shape_is_refused_with_what_was_found() {
    let spec = |file: &str, side: usize, output: &'static str, size: usize| NetSpec {
        name: "rnet",
        path: root().join("models/starter").join(file),
        input: vec![Dim::Free, Dim::Fixed(3), Dim::Fixed(side), Dim::Fixed(side)],
        outputs: vec![(Some(output), vec![Dim::Free, Dim::Fixed(size)])],
        batch: BatchAxis::Kept,
    };
    let refused = |spec| match Net::load(&runtime(), &Placement::cpu(), spec).unwrap_err() {
        EngineError::ModelNotLoaded { net, reason } => format!("{net}: {reason}"),
        other => panic!("{other}"),
    };
    let reason = refused(spec("onet.onnx", 24, "prob", 2));
    assert_eq!(reason, "rnet: input must have the shape [any, 3, 24, 24], found [any, 3, 48, 48]");
    let reason = refused(spec("rnet.onnx", 24, "landmarks", 10));
    assert_eq!(reason, "rnet: output landmarks expected, found prob, reg");
    let reason = refused(spec("rnet.onnx", 24, "reg", 5));
    assert_eq!(reason, "rnet: reg must have the shape [any, 5], found [any, 4]");
}

#[test]
fn a_file_that_is_no_net_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pnet.onnx");
    fs::write(&path, "this is no net").unwrap();
    let spec = NetSpec { name: "pnet", path, input: vec![], outputs: vec![], batch: BatchAxis::Kept };
    let error = Net::load(&runtime(), &Placement::cpu(), spec).unwrap_err();
    assert!(matches!(&error, EngineError::ModelNotLoaded { net, .. } if net == "pnet"), "{error}");
}
