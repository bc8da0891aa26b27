//! How fast this machine is with a pack: photos from their bytes to embedded faces, as a worker does it.
//!
//! Nothing is compared or stored: what the database and the storage take is in the report of every `batch`. Called by
//! `rollcall bench`; decides nothing and keeps nothing.

mod canvas;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use serde::Serialize;

pub use canvas::Canvas;

use super::batch_report::TimingsMs;
use super::error::Error;
use super::process_memory;
use super::recogniser::{Recogniser, SeenPhoto};
use crate::engine::StageStats;
use crate::vision::decode::decode;

/// What is to be looked at, and how often.
#[derive(Debug)]
pub struct Load {
    /// Bytes of picture files.
    pub photos: Vec<Vec<u8>>,
    /// How often each is looked at and counted, after once that is not.
    pub runs: u32,
    /// Photos looked at at a time.
    pub in_flight: NonZeroUsize,
    pub work: Work,
}

/// What is done with a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Decode, find, align and embed.
    Recognise,
    /// Decode: what is left when nets take no time, which is the most that a GPU can bring.
    Decode,
}

/// What was measured. Times are of the wall unless their name says otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Speed {
    /// Looked at and counted.
    pub photos: usize,
    /// In them, added up.
    pub faces: usize,
    pub megapixels: f64,
    pub in_flight: usize,
    pub seconds: f64,
    pub photos_per_second: f64,
    pub faces_per_second: f64,
    /// From bytes to faces, waiting for other photos included.
    pub photo_ms: Spread,
    /// The same in parts; `decode`, `detect`, `align` (with the measuring of quality) and `embed`.
    pub stages_ms: BTreeMap<&'static str, Spread>,
    /// Processor time of the whole program.
    pub processor_seconds: f64,
    /// How much of it was spent inside ONNX Runtime. Unknown where nets run on a GPU or on threads of their own.
    pub share_in_nets: Option<f64>,
    pub nets: Vec<NetSpeed>,
    /// Most memory that the program has held so far, bytes; where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

/// Times of many photos, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

/// What one net did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetSpeed {
    pub net: &'static str,
    /// How many of it there are, each with so many threads.
    pub copies: usize,
    pub threads_each: usize,
    /// Crops, tiles or faces.
    pub items: u64,
    pub runs: u64,
    /// Time inside it, its copies added up.
    pub busy_ms: f64,
    pub ms_per_item: f64,
    /// How often a batch had so many items.
    pub batches: BTreeMap<usize, u64>,
}

/// Looks at the photos of `load` and measures. Blocks.
///
/// # Errors
/// What is wrong with a photo, or with a net.
pub fn measure(recogniser: &Recogniser, load: &Load) -> Result<Speed, Error> {
    for photo in &load.photos {
        seen(recogniser, photo, load.work)?;
    }
    let before = recogniser.net_stats();
    let (start, processor) = (Instant::now(), ProcessTime::now());
    let seen = look(recogniser, load)?;
    let (elapsed, processor) = (start.elapsed(), processor.elapsed());
    let nets = since(&before, &recogniser.net_stats());
    Ok(Speed::of(load, &seen, (elapsed, processor), &nets))
}

/// A photo looked at.
struct Seen {
    faces: usize,
    pixels: u64,
    total: Duration,
    stages: [(&'static str, f32); 6],
}

fn seen(recogniser: &Recogniser, photo: &[u8], work: Work) -> Result<Seen, Error> {
    let start = Instant::now();
    let (size, faces, timings) = match work {
        Work::Recognise => {
            let SeenPhoto { size, faces, timings, .. } = recogniser.analyse(photo)?;
            (size, faces.len(), timings)
        }
        Work::Decode => {
            let photo = decode(photo, recogniser.limits())?;
            let decode = milliseconds(start.elapsed()) as f32;
            (photo.pixels.dimensions(), 0, TimingsMs { decode, ..TimingsMs::default() })
        }
    };
    let pixels = u64::from(size.0) * u64::from(size.1);
    Ok(Seen { faces, pixels, total: start.elapsed(), stages: timings.named() })
}

fn look(recogniser: &Recogniser, load: &Load) -> Result<Vec<Seen>, Error> {
    let (next, all) = (AtomicUsize::new(0), load.photos.len() * load.runs as usize);
    let seen = Mutex::new(Vec::with_capacity(all));
    let worker = || -> Result<(), Error> {
        loop {
            let turn = next.fetch_add(1, Relaxed);
            if turn >= all {
                return Ok(());
            }
            let photo = self::seen(recogniser, &load.photos[turn % load.photos.len()], load.work)?;
            seen.lock().expect("nothing between lock and push panics").push(photo);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..load.in_flight.get()).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("looking at a photo does not panic"))
    })?;
    Ok(seen.into_inner().expect("nothing between lock and push panics"))
}

fn since(
    before: &[(&'static str, StageStats)],
    after: &[(&'static str, StageStats)],
) -> Vec<(&'static str, StageStats)> {
    before.iter().zip(after).map(|((name, before), (_, after))| (*name, after.since(before))).collect()
}

impl Speed {
    fn of(
        load: &Load,
        seen: &[Seen],
        (elapsed, processor): (Duration, Duration),
        nets: &[(&'static str, StageStats)],
    ) -> Self {
        let seconds = elapsed.as_secs_f64();
        let faces = seen.iter().map(|photo| photo.faces).sum();
        let looked = ["decode", "detect", "align", "embed"];
        let stage = |name: &'static str| {
            let of = |photo: &Seen| photo.stages.iter().find(|(stage, _)| *stage == name).map(|(_, ms)| f64::from(*ms));
            (name, Spread::of(seen.iter().filter_map(of).collect()))
        };
        let single = nets.iter().all(|(_, stats)| stats.threads_each == 1);
        let inside: f64 = nets.iter().map(|(_, stats)| stats.processor.as_secs_f64()).sum();
        Self {
            photos: seen.len(),
            faces,
            megapixels: seen.iter().map(|photo| photo.pixels as f64 / 1e6).sum(),
            in_flight: load.in_flight.get(),
            seconds,
            photos_per_second: seen.len() as f64 / seconds,
            faces_per_second: faces as f64 / seconds,
            photo_ms: Spread::of(seen.iter().map(|photo| milliseconds(photo.total)).collect()),
            stages_ms: looked.map(stage).into(),
            processor_seconds: processor.as_secs_f64(),
            share_in_nets: (single && load.work == Work::Recognise).then(|| inside / processor.as_secs_f64()),
            nets: nets.iter().map(|(name, stats)| NetSpeed::of(name, stats)).collect(),
            peak_memory_bytes: process_memory::peak_bytes(),
        }
    }
}

impl Spread {
    /// All zero for no times at all.
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |place: usize| times.get(place).copied().unwrap_or(0.0);
        Self { least: at(0), median: at(times.len() / 2), most: at(times.len().saturating_sub(1)) }
    }
}

impl NetSpeed {
    fn of(net: &'static str, stats: &StageStats) -> Self {
        let busy_ms = milliseconds(stats.busy);
        Self {
            net,
            copies: stats.copies,
            threads_each: stats.threads_each,
            items: stats.items,
            runs: stats.runs(),
            busy_ms,
            ms_per_item: if stats.items == 0 { 0.0 } else { busy_ms / stats.items as f64 },
            batches: stats.batches.clone(),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::recogniser::testing::starter;

    #[test]
    fn a_spread_has_the_middle_and_both_ends() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { least: 1.0, median: 2.0, most: 3.0 });
        assert_eq!(Spread::of(Vec::new()), Spread { least: 0.0, median: 0.0, most: 0.0 });
    }

    #[test]
    fn everything_that_was_done_is_counted_and_nothing_before() {
        let portraits = Canvas::portraits(&crate::app::recogniser::testing::settings(), 3).unwrap();
        let photo = Canvas { width: 600, height: 400, faces: 6 }.painted(&portraits).unwrap();
        let in_flight = NonZeroUsize::new(2).unwrap();
        let load = Load { photos: vec![photo], runs: 2, in_flight, work: Work::Recognise };
        let speed = measure(starter(), &load).unwrap();
        assert_eq!((speed.photos, speed.faces), (2, 12));
        assert!((speed.megapixels - 0.48).abs() < 1e-9);
        let embedder = speed.nets.iter().find(|net| net.net == "embedder").unwrap();
        // Other tests may embed with the same nets at the same time.
        assert!(embedder.items >= 12, "{embedder:?}");
        assert_eq!(embedder.batches.iter().map(|(size, times)| *size as u64 * times).sum::<u64>(), embedder.items);
        assert_eq!(speed.stages_ms.keys().copied().collect::<Vec<_>>(), ["align", "decode", "detect", "embed"]);
        assert!(speed.photo_ms.most >= speed.stages_ms["detect"].least && speed.photos_per_second > 0.0);

        let decoded = measure(starter(), &Load { work: Work::Decode, ..load }).unwrap();
        assert_eq!((decoded.photos, decoded.faces, decoded.share_in_nets), (2, 0, None));
        assert!((decoded.megapixels - 0.48).abs() < 1e-9 && decoded.stages_ms["decode"].least > 0.0);
        assert!(decoded.stages_ms["detect"].most.abs() < f64::EPSILON);
    }
}
