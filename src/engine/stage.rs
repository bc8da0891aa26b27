//! Threads that own the copies of one net; requests of all photos in flight queue before them and leave in batches.
//!
//! ONNX Runtime must not run one net from two threads. So callers on any thread hand a tensor in and hold a [`Ticket`]; whichever
//! owner is free takes what waits, joins requests of the same item shape along axis 0 and answers each with its own slice.
//! Batches form while the net is busy; nobody waits for a batch to fill.
//!
//! A GPU has one copy of each net and full batches. A CPU has one for each core, on one thread each: that keeps the cores
//! busier than one copy on all of them, whose threads wait for each other after every operator.

mod batch_sizes;
mod queue;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

use super::error::EngineError;
use super::net::{Net, Tensor};
use crate::telemetry::metric;
pub use batch_sizes::BatchSizes;
use queue::{Queue, Refused};

/// What to do when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Block until there is room.
    Wait,
    /// [`EngineError::Busy`] at once.
    Refuse,
}

/// Limits of a stage.
#[derive(Debug, Clone, Copy)]
pub struct StageOptions {
    /// Requests are joined up to this many items; a larger single request runs as it is.
    pub max_batch: usize,
    /// How many items a batch is run with.
    pub batch_sizes: BatchSizes,
    /// Requests that may wait.
    pub queue: usize,
}

/// Requests of one caller of [`Stage::stream`] that are under way beyond those that are being run.
const AHEAD: usize = 2;

/// What a stage has done since it started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StageStats {
    pub items: u64,
    /// How often a batch of so many items was run.
    pub batches: BTreeMap<usize, u64>,
    /// Requests dropped because nobody waited for them any more.
    pub abandoned: u64,
    /// Time the net was running, added up over its copies.
    pub busy: Duration,
    /// Processor time of the threads that own the copies, inside the net. Threads that ONNX Runtime starts itself are not
    /// among it.
    pub processor: Duration,
    /// Copies of the net, each with so many threads.
    pub copies: usize,
    pub threads_each: usize,
}

impl StageStats {
    /// What was done after `earlier`, of the same stage.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let new = |(size, times): (&usize, &u64)| {
            let times = times - earlier.batches.get(size).copied().unwrap_or(0);
            (times > 0).then_some((*size, times))
        };
        Self {
            items: self.items - earlier.items,
            batches: self.batches.iter().filter_map(new).collect(),
            abandoned: self.abandoned - earlier.abandoned,
            busy: self.busy.saturating_sub(earlier.busy),
            processor: self.processor.saturating_sub(earlier.processor),
            copies: self.copies,
            threads_each: self.threads_each,
        }
    }

    /// Items of the largest batch.
    pub fn largest_batch(&self) -> usize {
        self.batches.keys().next_back().copied().unwrap_or(0)
    }

    /// How many batches were run.
    pub fn runs(&self) -> u64 {
        self.batches.values().sum()
    }
}

/// The handle through which everybody reaches the net. Dropping it runs what still waits and joins the threads.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    queue: Arc<Queue<Request>>,
    threads: Vec<JoinHandle<()>>,
    threads_each: usize,
    counters: Arc<Counters>,
}

/// The promise of an answer.
#[derive(Debug)]
pub struct Ticket {
    net: &'static str,
    answer: Receiver<Answer>,
    /// While it lives, somebody waits.
    _waiting: Arc<()>,
}

type Answer = Result<Vec<Tensor>, EngineError>;

#[derive(Debug)]
struct Request {
    input: Tensor,
    answer: SyncSender<Answer>,
    caller: Weak<()>,
}

#[derive(Debug, Default)]
struct Counters {
    batches: Mutex<BTreeMap<usize, u64>>,
    items: AtomicU64,
    abandoned: AtomicU64,
    busy_us: AtomicU64,
    processor_us: AtomicU64,
}

impl Stage {
    /// Starts one thread for each of `copies`, which it owns: batch in, outputs out, as many items each as the batch has.
    ///
    /// # Errors
    /// [`EngineError::ModelNotLoaded`] when the system gives no thread.
    ///
    /// # Panics
    /// When there is no copy.
    pub fn start<F>(name: &'static str, options: StageOptions, copies: Vec<F>) -> Result<Self, EngineError>
    where
        F: FnMut(&Tensor) -> Answer + Send + 'static,
    {
        assert!(!copies.is_empty(), "a stage without a net answers nobody");
        let (queue, counters) = (Arc::new(Queue::new(options.queue)), Arc::new(Counters::default()));
        let mut stage = Self { name, queue, threads: Vec::with_capacity(copies.len()), threads_each: 1, counters };
        for run in copies {
            let (queue, counters) = (Arc::clone(&stage.queue), Arc::clone(&stage.counters));
            let worker = Worker { name, run, queue, options, counters };
            let thread = std::thread::Builder::new()
                .name(format!("net-{name}"))
                .spawn(move || worker.work())
                .map_err(|e| EngineError::ModelNotLoaded { net: name.to_owned(), reason: e.to_string() })?;
            stage.threads.push(thread);
        }
        Ok(stage)
    }

    /// Runs each copy of a net on blank inputs `[n, 3, height, width]`, with every `n` where there are few and once otherwise, which
    /// sets up memory and shows a broken provider, and starts a thread for each.
    ///
    /// # Errors
    /// What the first runs report, and as [`Stage::start`].
    pub fn of(mut copies: Vec<Net>, [height, width]: [u32; 2], options: StageOptions) -> Result<Self, EngineError> {
        for items in options.batch_sizes.to_warm_up(options.max_batch) {
            let blank = Tensor::zeros(vec![items, 3, height as usize, width as usize]);
            copies.iter_mut().try_for_each(|net| net.run(&blank).map(drop))?;
        }
        let first = copies.first().expect("nets are loaded once or more");
        let (name, threads_each) = (first.name(), first.threads().get());
        let copies = copies.into_iter().map(|mut net| move |input: &Tensor| net.run(input)).collect();
        let mut stage = Self::start(name, options, copies)?;
        stage.threads_each = threads_each;
        Ok(stage)
    }

    /// Queues `input` (`[n, ...]`, n > 0).
    ///
    /// # Errors
    /// [`EngineError::Busy`] when the queue is full and `admission` says so, [`EngineError::Stopped`] when a thread is gone.
    pub fn submit(&self, input: Tensor, admission: Admission) -> Result<Ticket, EngineError> {
        let (sender, answer) = sync_channel(1);
        let waiting = Arc::new(());
        let request = Request { input, answer: sender, caller: Arc::downgrade(&waiting) };
        let queued = match admission {
            Admission::Wait => self.queue.push(request),
            Admission::Refuse => self.queue.try_push(request),
        };
        let net = self.name;
        queued.map(|()| Ticket { net, answer, _waiting: waiting }).map_err(|refused| match refused {
            Refused::Full => EngineError::Busy { net: net.to_owned() },
            Refused::Closed => EngineError::Stopped { net: net.to_owned() },
        })
    }

    /// Makes and hands in one request for each job, and takes the answers in the order of the jobs. A few are in flight at a
    /// time: the next input is made while the net works, and no more inputs and outputs exist at once than the copies of the
    /// net and two more. `admission` decides about the first request; work that was let in is brought to its end.
    ///
    /// # Errors
    /// Those of [`Stage::submit`], [`Ticket::wait`] and `take`; the first ends it.
    pub fn stream<J>(
        &self,
        jobs: impl IntoIterator<Item = J>,
        mut admission: Admission,
        make: impl Fn(&J) -> Tensor,
        mut take: impl FnMut(J, Vec<Tensor>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let most = self.threads.len() + AHEAD;
        let mut in_flight: VecDeque<(J, Ticket)> = VecDeque::with_capacity(most);
        for job in jobs {
            if in_flight.len() == most
                && let Some((job, ticket)) = in_flight.pop_front()
            {
                take(job, ticket.wait()?)?;
            }
            let ticket = self.submit(make(&job), admission)?;
            in_flight.push_back((job, ticket));
            admission = Admission::Wait;
        }
        in_flight.into_iter().try_for_each(|(job, ticket)| take(job, ticket.wait()?))
    }

    pub fn stats(&self) -> StageStats {
        let Counters { batches, items, abandoned, busy_us, processor_us } = &*self.counters;
        StageStats {
            items: items.load(Relaxed),
            batches: batches.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            abandoned: abandoned.load(Relaxed),
            busy: Duration::from_micros(busy_us.load(Relaxed)),
            processor: Duration::from_micros(processor_us.load(Relaxed)),
            copies: self.threads.len(),
            threads_each: self.threads_each,
        }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Copies of the net.
    pub fn copies(&self) -> usize {
        self.threads.len()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(net = self.name, "the thread of a net panicked");
            }
        }
    }
}

impl Ticket {
    /// Blocks until the net has answered: the outputs, with as many items as were handed in.
    ///
    /// # Errors
    /// [`EngineError::Inference`] when the run failed, [`EngineError::Stopped`] when the thread died before it answered.
    pub fn wait(self) -> Answer {
        self.answer.recv().unwrap_or_else(|_| Err(EngineError::Stopped { net: self.net.to_owned() }))
    }
}

struct Worker<F> {
    name: &'static str,
    run: F,
    queue: Arc<Queue<Request>>,
    options: StageOptions,
    counters: Arc<Counters>,
}

/// Ends the stage when the thread of a net ends by a panic: the net may be broken, and whoever waits is told.
struct EndsWithPanic<'a>(&'a Queue<Request>);

impl Drop for EndsWithPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.abort();
        }
    }
}

impl<F: FnMut(&Tensor) -> Answer> Worker<F> {
    /// Until the handle is gone and nothing waits.
    fn work(mut self) {
        let queue = Arc::clone(&self.queue);
        while let Some(batch) = queue.take(|waiting| self.next_batch(waiting)) {
            if !batch.is_empty() {
                self.answer(batch);
            }
        }
    }

    /// The oldest request and those of its shape that fit; the others keep their place. Abandoned ones are dropped.
    fn next_batch(&self, waiting: &mut VecDeque<Request>) -> Vec<Request> {
        let before = waiting.len();
        waiting.retain(|request| request.caller.strong_count() > 0);
        self.counters.abandoned.fetch_add((before - waiting.len()) as u64, Relaxed);

        let Some(first) = waiting.pop_front() else { return Vec::new() };
        let mut items = first.input.items();
        let mut batch = vec![first];
        let mut later = VecDeque::with_capacity(waiting.len());
        for request in waiting.drain(..) {
            let same_shape = request.input.shape[1..] == batch[0].input.shape[1..];
            if same_shape && items + request.input.items() <= self.options.max_batch {
                items += request.input.items();
                batch.push(request);
            } else {
                later.push_back(request);
            }
        }
        *waiting = later;
        batch
    }

    fn answer(&mut self, batch: Vec<Request>) {
        let items = batch.iter().map(|request| request.input.items()).sum();
        let rows = self.options.batch_sizes.rows(items, self.options.max_batch);
        if let [single] = batch.as_slice()
            && rows == items
        {
            let outputs = self.run(&single.input, items);
            // The caller may have left in the meantime: nobody to tell, here and below.
            let _ = single.answer.send(outputs);
            return;
        }
        let outputs = self.run(&join(&batch, rows), items);
        let mut first = 0;
        for request in batch {
            let count = request.input.items();
            let share = match &outputs {
                Ok(all) => Ok(all.iter().map(|tensor| slice(tensor, first, count)).collect()),
                Err(error) => Err(error.clone()),
            };
            first += count;
            let _ = request.answer.send(share);
        }
    }

    /// Runs a batch whose first `items` items somebody waits for.
    fn run(&mut self, input: &Tensor, items: usize) -> Answer {
        let (start, processor) = (Instant::now(), ThreadTime::try_now());
        // Before anybody hears of the panic: who asks again must not come to another copy.
        let guard = EndsWithPanic(&self.queue);
        let outputs = (self.run)(input);
        drop(guard);
        let busy = start.elapsed();
        metrics::histogram!(metric::NET_SECONDS, "net" => self.name).record(busy.as_secs_f64());
        metrics::histogram!(metric::BATCH_SIZE, "net" => self.name).record(items as f64);
        if outputs.is_err() {
            metrics::counter!(metric::NET_ERRORS, "net" => self.name).increment(1);
        }
        let processor = processor.and_then(|start| start.try_elapsed()).unwrap_or_default();
        self.counters.busy_us.fetch_add(busy.as_micros() as u64, Relaxed);
        self.counters.processor_us.fetch_add(processor.as_micros() as u64, Relaxed);
        self.counters.items.fetch_add(items as u64, Relaxed);
        let mut batches = self.counters.batches.lock().unwrap_or_else(PoisonError::into_inner);
        *batches.entry(items).or_default() += 1;
        outputs
    }
}

/// The inputs one after the other, and zeros up to `rows` items.
fn join(batch: &[Request], rows: usize) -> Tensor {
    let mut shape = batch[0].input.shape.clone();
    shape[0] = rows;
    let len = shape.iter().product();
    let mut data = Vec::with_capacity(len);
    for request in batch {
        data.extend_from_slice(&request.input.data);
    }
    data.resize(len, 0.0);
    Tensor::new(shape, data)
}

fn slice(tensor: &Tensor, first: usize, count: usize) -> Tensor {
    let item: usize = tensor.shape[1..].iter().product();
    let mut shape = tensor.shape.clone();
    shape[0] = count;
    Tensor::new(shape, tensor.data[first * item..(first + count) * item].to_vec())
}

#[cfg(test)]
mod tests;
