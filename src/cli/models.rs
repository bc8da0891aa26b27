//! `rollcall models`: which packs there are, whether their files are whole, how fast they run here.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::Outcome;
use super::output::{Output, table};
use crate::app::Recogniser;
use crate::app::error::{Code, Error};
use crate::config::Config;
use crate::pack::{self, FileState};

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the packs of every models/ folder with their licence
    List,
    /// Check every file of a pack against its manifest
    Verify(VerifyArgs),
    /// Time a pack on this machine
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Name of the pack [default: all packs]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// Photo to analyse
    photo: std::path::PathBuf,
    /// Counted runs, after one that warms up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
}

pub(super) fn run(command: &ModelsCommand, config: &Config, output: &Output) -> Result<Outcome, Error> {
    match command {
        ModelsCommand::List => list(config, output),
        ModelsCommand::Verify(args) => verify(args, config, output),
        ModelsCommand::Bench(args) => tokio::task::block_in_place(|| bench(args, config, output)),
    }
}

#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    folder: String,
    version: Option<String>,
    title: Option<String>,
    licence: Option<String>,
    commercial_use: Option<bool>,
    active: bool,
    error: Option<String>,
}

fn list(config: &Config, output: &Output) -> Result<Outcome, Error> {
    let active = config.pack_dir();
    let mut packs = Vec::new();
    for models in config.models_dirs() {
        for (name, manifest) in pack::list(&models).map_err(|e| Error::file(&models, &e))? {
            let folder = models.join(&name);
            let known = manifest.as_ref().ok();
            packs.push(Listed {
                active: active.as_deref() == Some(folder.as_path()),
                folder: folder.display().to_string(),
                version: known.map(|m| m.version.clone()),
                title: known.map(|m| m.title.clone()),
                licence: known.map(|m| m.licence.text.clone()),
                commercial_use: known.map(|m| m.licence.commercial_use),
                error: manifest.as_ref().err().map(ToString::to_string),
                name,
            });
        }
    }
    let text = packs.iter().map(describe).collect::<Vec<_>>().join("\n\n");
    let any_broken = packs.iter().any(|p| p.error.is_some());
    output.result(&packs, text);
    Ok(if any_broken { Outcome::SomeFailed } else { Outcome::Done })
}

fn describe(pack: &Listed) -> String {
    let active = if pack.active { " (in use)" } else { "" };
    let known = |text: &Option<String>| text.clone().unwrap_or_default();
    if let Some(error) = &pack.error {
        return format!("{}{active}: broken\n  {error}", pack.name);
    }
    let commercial = if pack.commercial_use == Some(true) { "allowed" } else { "not allowed" };
    format!(
        "{} {}{active}: {}\n  commercial use {commercial}\n  licence: {}\n  {}",
        pack.name,
        known(&pack.version),
        known(&pack.title),
        known(&pack.licence),
        pack.folder,
    )
}

fn verify(args: &VerifyArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let mut checked = Vec::new();
    for models in config.models_dirs() {
        for (name, _) in pack::list(&models).map_err(|e| Error::file(&models, &e))? {
            if args.name.as_ref().is_none_or(|wanted| *wanted == name) {
                checked.push((name.clone(), verify_one(&models.join(&name))));
            }
        }
    }
    if checked.is_empty() {
        let wanted = args.name.as_deref().unwrap_or("any pack");
        return Err(Error::new(Code::ModelNotLoaded, format!("{wanted} is in no models/ folder")));
    }
    let json: Vec<_> = checked.iter().map(|(name, files)| json!({ "pack": name, "files": files })).collect();
    let rows = checked.iter().flat_map(|(name, files)| {
        files.iter().map(move |f| vec![name.clone(), f.file.clone(), f.problem.clone().unwrap_or_else(|| "ok".into())])
    });
    let text = table(&["pack", "file", "state"], &[], rows).to_string();
    output.result(&json, text);
    let whole = checked.iter().all(|(_, files)| files.iter().all(|f| f.problem.is_none()));
    Ok(if whole { Outcome::Done } else { Outcome::SomeFailed })
}

#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    problem: Option<String>,
}

fn verify_one(dir: &Path) -> Vec<Checked> {
    match pack::verify(dir) {
        Ok(files) => files
            .into_iter()
            .map(|(file, state)| Checked { file, problem: (state != FileState::Good).then(|| state.to_string()) })
            .collect(),
        Err(e) => vec![Checked { file: pack::MANIFEST_FILE.into(), problem: Some(e.to_string()) }],
    }
}

fn bench(args: &BenchArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
    let bytes = std::fs::read(&args.photo).map_err(|e| Error::file(&args.photo, &e))?;
    let recogniser = Recogniser::open_blocking(config)?;
    let warm = recogniser.analyse(&bytes)?;
    let mut walls = Vec::new();
    let mut runs = Vec::new();
    for _ in 0..args.runs {
        let start = Instant::now();
        runs.push(recogniser.analyse(&bytes)?.timings);
        walls.push(start.elapsed());
    }
    walls.sort_unstable();
    let median = walls[walls.len() / 2];
    let (width, height) = warm.size;
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    let stages: Vec<(&str, f64)> = runs[0]
        .named()
        .iter()
        .enumerate()
        .map(|(i, (name, _))| {
            let mut all: Vec<f32> = runs.iter().map(|r| r.named()[i].1).collect();
            all.sort_by(f32::total_cmp);
            (*name, f64::from(all[all.len() / 2]))
        })
        .collect();
    let report = json!({
        "pack": recogniser.pack(), "provider": recogniser.provider(), "width": width, "height": height,
        "faces": warm.faces.len(), "runs": args.runs, "median_ms": ms(median),
        "stages_ms": stages.iter().map(|(n, v)| ((*n).to_owned(), json!(v))).collect::<serde_json::Map<_, _>>(),
    });
    let rows = stages.iter().map(|(name, value)| vec![(*name).to_owned(), format!("{value:.1}")]);
    let text = format!(
        "{} on {}: {width} x {height}, {} faces, median of {} runs {:.0} ms\n\n{}",
        recogniser.pack(),
        recogniser.provider(),
        warm.faces.len(),
        args.runs,
        ms(median),
        table(&["stage", "ms"], &[1], rows)
    );
    output.result(&report, text);
    Ok(Outcome::Done)
}
