//! rollcall's side of the comparison in `benches/peers/`: one engine, kept open, answers requests line by line.
//!
//! Each line of standard input is a JSON object, each answer one line of JSON on standard output; README.md of this folder
//! has both. The clock runs from the bytes of the file to the result, without the writing of the answer. Every peer has such
//! a program in Python. Uses the library as another Rust program would.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use rollcall::domain::geometry::Detection;
use rollcall::engine::{Engine, EngineOptions, ProviderChoice, Runtime, RuntimeOptions};
use rollcall::pack::Pack;
use rollcall::vision::decode::{DecodeLimits, decode};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Parser)]
struct Args {
    /// Folder with ONNX Runtime.
    #[arg(long)]
    runtime: PathBuf,
    /// Folder of the model pack.
    #[arg(long)]
    pack: PathBuf,
    /// Smallest face to look for, pixels of the photo; what the pack says by default.
    #[arg(long)]
    min_face: Option<u32>,
    /// Most faces of a photo that are embedded.
    #[arg(long, default_value_t = 1000)]
    max_faces: usize,
    /// Threads of ONNX Runtime; one for each core by default.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Request {
    /// Decode, detect, align, embed.
    Analyse { photo: PathBuf },
    /// Decode, detect.
    Detect { photo: PathBuf },
    /// Embed faces that are aligned already: files of 112 x 112 pixels, read before the clock runs.
    Embed { faces: Vec<PathBuf> },
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let options = RuntimeOptions { dirs: vec![args.runtime], threads: args.threads, ..RuntimeOptions::default() };
    let runtime = Runtime::load(&options)?;
    let options = EngineOptions {
        provider: ProviderChoice::Cpu,
        min_face_px: args.min_face,
        max_faces: args.max_faces,
        ..EngineOptions::default()
    };
    let engine = Engine::open(&runtime, &Pack::open(&args.pack)?, options)?;
    say(&json!({ "ready": format!("rollcall {}, pack {}", env!("CARGO_PKG_VERSION"), engine.pack_id()),
                 "onnxruntime": runtime.version() }))?;
    for line in std::io::stdin().lock().lines() {
        say(&answer(&engine, serde_json::from_str(&line?)?)?)?;
    }
    Ok(())
}

fn say(answer: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{answer}")?;
    out.flush()
}

fn answer(engine: &Engine, request: Request) -> Result<Value, Box<dyn Error>> {
    match request {
        Request::Analyse { photo } => analyse(engine, &photo),
        Request::Detect { photo } => detect(engine, &photo),
        Request::Embed { faces } => embed(engine, &faces),
    }
}

fn analyse(engine: &Engine, photo: &Path) -> Result<Value, Box<dyn Error>> {
    let start = Instant::now();
    let photo = decode(&std::fs::read(photo)?, &DecodeLimits::default())?.pixels;
    let decoded = start.elapsed();
    let found = engine.analyse(&photo)?;
    let wall = start.elapsed();
    let mut faces = Vec::with_capacity(found.faces.len());
    for face in found.faces {
        faces.push(face_json(&face.detection, face.embedding?.values()));
    }
    let stages = json!({ "decode": ms(decoded), "detect": ms(found.timings.detect), "align": ms(found.timings.align),
                         "embed": ms(found.timings.embed) });
    Ok(json!({ "wall_ms": ms(wall), "stages_ms": stages, "size": [photo.width(), photo.height()], "faces": faces }))
}

fn detect(engine: &Engine, photo: &Path) -> Result<Value, Box<dyn Error>> {
    let start = Instant::now();
    let photo = decode(&std::fs::read(photo)?, &DecodeLimits::default())?.pixels;
    let decoded = start.elapsed();
    let found = engine.detect(&photo)?;
    let wall = start.elapsed();
    let faces: Vec<_> = found.iter().map(|detection| face_json(detection, &[])).collect();
    let stages = json!({ "decode": ms(decoded), "detect": ms(wall - decoded) });
    Ok(json!({ "wall_ms": ms(wall), "stages_ms": stages, "size": [photo.width(), photo.height()], "faces": faces }))
}

fn embed(engine: &Engine, faces: &[PathBuf]) -> Result<Value, Box<dyn Error>> {
    let mut aligned = Vec::with_capacity(faces.len());
    for face in faces {
        aligned.push(decode(&std::fs::read(face)?, &DecodeLimits::default())?.pixels);
    }
    let start = Instant::now();
    let embeddings = engine.embed_aligned(&aligned)?;
    let wall = start.elapsed();
    let mut vectors = Vec::with_capacity(embeddings.len());
    for embedding in embeddings {
        vectors.push(embedding?.values().to_vec());
    }
    Ok(json!({ "wall_ms": ms(wall), "stages_ms": { "embed": ms(wall) }, "embeddings": vectors }))
}

fn face_json(detection: &Detection, embedding: &[f32]) -> Value {
    let b = detection.bbox;
    let landmarks = detection.landmarks.map(|p| [p.x, p.y]);
    json!({ "box": [b.x1, b.y1, b.x2, b.y2], "score": detection.score, "landmarks": landmarks, "embedding": embedding })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
