//! `rollcall models bench`: how fast a pack is on this machine.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::app::Recogniser;
use crate::app::error::Error;
use crate::cli::Outcome;
use crate::cli::output::{Output, table};
use crate::config::Config;

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchArgs {
    /// Photo to analyse
    photo: PathBuf,
    /// Counted runs, after one that warms up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
}

pub(super) fn run(args: &BenchArgs, config: &Config, output: &Output) -> Result<Outcome, Error> {
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
