//! One thread owns one net; requests of all photos in flight queue before it and leave in batches.
//!
//! ONNX Runtime must not run one net from two threads, and a net is most efficient on full batches. So callers on any thread
//! hand a tensor in and hold a [`Ticket`]; the owner thread takes what waits, joins requests of the same item shape along
//! axis 0 and answers each with its own slice. Batches form while the net is busy; nobody waits for a batch to fill.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::EngineError;
use super::net::Tensor;
use crate::telemetry::metric;

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
    /// Requests that may wait in the channel; as many again may have been taken out and not yet run.
    pub queue: usize,
}

/// Requests of one caller of [`Stage::stream`] that are under way at a time.
const IN_FLIGHT: usize = 3;

/// What a stage has done since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageStats {
    pub batches: u64,
    pub items: u64,
    pub largest_batch: u64,
    /// Requests dropped because nobody waited for them any more.
    pub abandoned: u64,
    /// Time the net was running.
    pub busy: Duration,
}

/// The handle through which everybody reaches the net. Dropping it runs what still waits and joins the thread.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
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

struct Request {
    input: Tensor,
    answer: SyncSender<Answer>,
    caller: Weak<()>,
}

#[derive(Debug, Default)]
struct Counters {
    batches: AtomicU64,
    items: AtomicU64,
    largest_batch: AtomicU64,
    abandoned: AtomicU64,
    busy_us: AtomicU64,
}

impl Stage {
    /// Starts the thread that owns `run`: batch in, outputs out, as many items each as the batch has.
    ///
    /// # Errors
    /// [`EngineError::ModelNotLoaded`] when the system gives no thread.
    pub fn start<F>(name: &'static str, options: StageOptions, run: F) -> Result<Self, EngineError>
    where
        F: FnMut(&Tensor) -> Answer + Send + 'static,
    {
        let (sender, requests) = sync_channel(options.queue);
        let counters = Arc::new(Counters::default());
        let counted = Arc::clone(&counters);
        let worker = Worker { name, requests, options, run, counters: counted, waiting: VecDeque::new() };
        let thread = std::thread::Builder::new()
            .name(format!("net-{name}"))
            .spawn(move || worker.work())
            .map_err(|e| EngineError::ModelNotLoaded { net: name.to_owned(), reason: e.to_string() })?;
        Ok(Self { name, requests: Some(sender), thread: Some(thread), counters })
    }

    /// Queues `input` (`[n, ...]`, n > 0).
    ///
    /// # Errors
    /// [`EngineError::Busy`] when the queue is full and `admission` says so, [`EngineError::Stopped`] when the thread is gone.
    pub fn submit(&self, input: Tensor, admission: Admission) -> Result<Ticket, EngineError> {
        let (sender, answer) = sync_channel(1);
        let waiting = Arc::new(());
        let request = Request { input, answer: sender, caller: Arc::downgrade(&waiting) };
        let queue = self.requests.as_ref().expect("the channel is taken in drop only");
        let sent = match admission {
            Admission::Wait => queue.send(request).map_err(|_| self.stopped()),
            Admission::Refuse => queue.try_send(request).map_err(|e| match e {
                TrySendError::Full(_) => EngineError::Busy { net: self.name.to_owned() },
                TrySendError::Disconnected(_) => self.stopped(),
            }),
        };
        sent.map(|()| Ticket { net: self.name, answer, _waiting: waiting })
    }

    /// Makes and hands in one request for each job, and takes the answers in the order of the jobs. A few are in flight at a
    /// time: the next input is made while the net works, and no more than `IN_FLIGHT` inputs and outputs exist at once.
    /// `admission` decides about the first request; work that was let in is brought to its end.
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
        let mut in_flight: VecDeque<(J, Ticket)> = VecDeque::with_capacity(IN_FLIGHT);
        for job in jobs {
            if in_flight.len() == IN_FLIGHT
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
        let Counters { batches, items, largest_batch, abandoned, busy_us } = &*self.counters;
        StageStats {
            batches: batches.load(Relaxed),
            items: items.load(Relaxed),
            largest_batch: largest_batch.load(Relaxed),
            abandoned: abandoned.load(Relaxed),
            busy: Duration::from_micros(busy_us.load(Relaxed)),
        }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    fn stopped(&self) -> EngineError {
        EngineError::Stopped { net: self.name.to_owned() }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(net = self.name, "the thread of a net panicked");
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
    /// Of the standard library on purpose: what is still inside when this end is dropped is dropped with it, and so its callers
    /// are told. Other channels keep it as long as the other end lives, and whoever asked during a panic would wait for ever.
    requests: Receiver<Request>,
    options: StageOptions,
    counters: Arc<Counters>,
    waiting: VecDeque<Request>,
}

impl<F: FnMut(&Tensor) -> Answer> Worker<F> {
    /// Until all handles are gone and nothing waits. A panic of the net ends the thread: whoever waits hears `Stopped`.
    fn work(mut self) {
        while self.gather() {
            let batch = self.next_batch();
            if !batch.is_empty() {
                self.answer(batch);
            }
        }
    }

    /// Takes over what is in the channel, blocking only when there is nothing to do.
    fn gather(&mut self) -> bool {
        if self.waiting.is_empty() {
            match self.requests.recv() {
                Ok(request) => self.waiting.push_back(request),
                Err(_) => return false,
            }
        }
        while self.waiting.len() < self.options.queue
            && let Ok(request) = self.requests.try_recv()
        {
            self.waiting.push_back(request);
        }
        true
    }

    /// The oldest request and those of its shape that fit; the others keep their place. Abandoned ones are dropped.
    fn next_batch(&mut self) -> Vec<Request> {
        let before = self.waiting.len();
        self.waiting.retain(|request| request.caller.strong_count() > 0);
        self.counters.abandoned.fetch_add((before - self.waiting.len()) as u64, Relaxed);

        let Some(first) = self.waiting.pop_front() else { return Vec::new() };
        let mut items = first.input.items();
        let mut batch = vec![first];
        let mut later = VecDeque::new();
        for request in self.waiting.drain(..) {
            let same_shape = request.input.shape[1..] == batch[0].input.shape[1..];
            if same_shape && items + request.input.items() <= self.options.max_batch {
                items += request.input.items();
                batch.push(request);
            } else {
                later.push_back(request);
            }
        }
        self.waiting = later;
        batch
    }

    fn answer(&mut self, batch: Vec<Request>) {
        if let [single] = batch.as_slice() {
            let outputs = self.run(&single.input);
            // The caller may have left in the meantime: nobody to tell, here and below.
            let _ = single.answer.send(outputs);
            return;
        }
        let outputs = self.run(&join(&batch));
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

    fn run(&mut self, input: &Tensor) -> Answer {
        let start = Instant::now();
        let outputs = (self.run)(input);
        metrics::histogram!(metric::NET_SECONDS, "net" => self.name).record(start.elapsed().as_secs_f64());
        metrics::histogram!(metric::BATCH_SIZE, "net" => self.name).record(input.items() as f64);
        if outputs.is_err() {
            metrics::counter!(metric::NET_ERRORS, "net" => self.name).increment(1);
        }
        self.counters.busy_us.fetch_add(start.elapsed().as_micros() as u64, Relaxed);
        self.counters.batches.fetch_add(1, Relaxed);
        self.counters.items.fetch_add(input.items() as u64, Relaxed);
        self.counters.largest_batch.fetch_max(input.items() as u64, Relaxed);
        outputs
    }
}

fn join(batch: &[Request]) -> Tensor {
    let mut shape = batch[0].input.shape.clone();
    shape[0] = batch.iter().map(|request| request.input.items()).sum();
    let mut data = Vec::with_capacity(shape.iter().product());
    for request in batch {
        data.extend_from_slice(&request.input.data);
    }
    Tensor::new(shape, data)
}

fn slice(tensor: &Tensor, first: usize, count: usize) -> Tensor {
    let item: usize = tensor.shape[1..].iter().product();
    let mut shape = tensor.shape.clone();
    shape[0] = count;
    Tensor::new(shape, tensor.data[first * item..(first + count) * item].to_vec())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const OPTIONS: StageOptions = StageOptions { max_batch: 4, queue: 2 };

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::new(vec![values.len(), 1], values.to_vec())
    }

    fn doubled(input: &Tensor) -> Answer {
        Ok(vec![Tensor::new(input.shape.clone(), input.data.iter().map(|v| v * 2.0).collect())])
    }

    /// A stage whose net waits for a word before each run, and says when it is inside.
    fn gated(options: StageOptions) -> (Stage, mpsc::Sender<()>, mpsc::Receiver<Vec<usize>>) {
        let (go, gate) = mpsc::channel();
        let (inside, seen) = mpsc::channel();
        let stage = Stage::start("gated", options, move |input| {
            inside.send(input.shape.clone()).unwrap();
            gate.recv().unwrap();
            doubled(input)
        });
        (stage.unwrap(), go, seen)
    }

    #[test]
    fn what_waits_leaves_as_one_batch_and_everybody_gets_the_own_slice() {
        let (stage, go, seen) = gated(StageOptions { max_batch: 4, queue: 8 });
        let first = stage.submit(tensor(&[1.0]), Admission::Wait).unwrap();
        assert_eq!(seen.recv().unwrap(), [1, 1]);
        let second = stage.submit(tensor(&[2.0, 3.0]), Admission::Wait).unwrap();
        let third = stage.submit(tensor(&[4.0]), Admission::Wait).unwrap();
        let fourth = stage.submit(tensor(&[5.0, 6.0]), Admission::Wait).unwrap();
        (0..3).for_each(|_| go.send(()).unwrap());
        let answers = [first, second, third, fourth].map(|t| t.wait().unwrap().remove(0));
        assert_eq!(answers, [tensor(&[2.0]), tensor(&[4.0, 6.0]), tensor(&[8.0]), tensor(&[10.0, 12.0])]);
        // Two items and one fit in four, two more do not.
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [[3, 1], [2, 1]]);
        let stats = stage.stats();
        assert_eq!((stats.batches, stats.items, stats.largest_batch, stats.abandoned), (3, 6, 3, 0));
    }

    #[test]
    fn other_shapes_run_separately_in_order() {
        let (stage, go, seen) = gated(StageOptions { max_batch: 9, queue: 8 });
        let wide = || Tensor::new(vec![1, 2], vec![1.0, 2.0]);
        let inputs = [tensor(&[0.0]), tensor(&[1.0]), wide(), tensor(&[2.0]), wide()];
        let mut tickets = Vec::new();
        for (n, input) in inputs.into_iter().enumerate() {
            tickets.push(stage.submit(input, Admission::Wait).unwrap());
            if n == 0 {
                assert_eq!(seen.recv().unwrap(), [1, 1]);
            }
        }
        (0..3).for_each(|_| go.send(()).unwrap());
        assert!(tickets.into_iter().all(|t| t.wait().is_ok()));
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [[2, 1], [2, 2]]);
    }

    #[test]
    fn a_full_queue_refuses_whoever_does_not_wait() {
        let (stage, go, seen) = gated(OPTIONS);
        let mut tickets = vec![stage.submit(tensor(&[1.0]), Admission::Refuse).unwrap()];
        seen.recv().unwrap();
        tickets.push(stage.submit(tensor(&[1.0]), Admission::Refuse).unwrap());
        tickets.push(stage.submit(tensor(&[1.0]), Admission::Refuse).unwrap());
        let busy = stage.submit(tensor(&[1.0]), Admission::Refuse).unwrap_err();
        assert_eq!(busy, EngineError::Busy { net: "gated".to_owned() });
        (0..3).for_each(|_| go.send(()).unwrap());
        assert!(tickets.into_iter().all(|t| t.wait().is_ok()));
    }

    #[test]
    fn a_caller_that_left_is_not_run_for() {
        let (stage, go, seen) = gated(OPTIONS);
        let first = stage.submit(tensor(&[1.0]), Admission::Wait).unwrap();
        seen.recv().unwrap();
        drop(stage.submit(tensor(&[7.0]), Admission::Wait).unwrap());
        let last = stage.submit(tensor(&[3.0]), Admission::Wait).unwrap();
        (0..2).for_each(|_| go.send(()).unwrap());
        assert_eq!(first.wait().unwrap(), [tensor(&[2.0])]);
        assert_eq!(last.wait().unwrap(), [tensor(&[6.0])]);
        assert_eq!((stage.stats().abandoned, stage.stats().items), (1, 2));
    }

    #[test]
    fn a_panic_of_the_net_is_an_error_for_all_and_no_hang() {
        let stage = Stage::start("shaky", OPTIONS, |_| panic!("out of order")).unwrap();
        let stopped = EngineError::Stopped { net: "shaky".to_owned() };
        let ticket = stage.submit(tensor(&[1.0]), Admission::Wait).unwrap();
        assert_eq!(ticket.wait(), Err(stopped.clone()));
        let later = stage.submit(tensor(&[1.0]), Admission::Wait).and_then(Ticket::wait);
        assert_eq!(later, Err(stopped));
    }

    /// Does not let a panicking thread end before it is told to.
    struct SlowEnd(mpsc::Receiver<()>);

    impl Drop for SlowEnd {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[test]
    fn whoever_asks_while_the_thread_of_a_panicked_net_ends_is_told_too() {
        let (end, gate) = mpsc::channel();
        let slow = SlowEnd(gate);
        let stage = Stage::start("shaky", OPTIONS, move |_| {
            let _owned = &slow;
            panic!("out of order")
        })
        .unwrap();
        let stopped = EngineError::Stopped { net: "shaky".to_owned() };
        let first = stage.submit(tensor(&[1.0]), Admission::Wait).unwrap();
        assert_eq!(first.wait(), Err(stopped.clone()));
        let during = stage.submit(tensor(&[1.0]), Admission::Wait).unwrap();
        end.send(()).unwrap();
        assert_eq!(during.wait(), Err(stopped));
    }

    #[test]
    fn a_failed_run_fails_every_request_of_its_batch_only() {
        let failure = EngineError::Inference { net: "picky".to_owned(), reason: "negative".to_owned() };
        let reason = failure.clone();
        let stage = Stage::start("picky", OPTIONS, move |input: &Tensor| {
            if input.data.iter().any(|v| *v < 0.0) { Err(reason.clone()) } else { doubled(input) }
        })
        .unwrap();
        assert_eq!(stage.submit(tensor(&[-1.0]), Admission::Wait).unwrap().wait(), Err(failure));
        assert_eq!(stage.submit(tensor(&[1.0]), Admission::Wait).unwrap().wait(), Ok(vec![tensor(&[2.0])]));
    }

    #[test]
    fn dropping_the_handle_answers_what_waits_and_ends() {
        let (stage, go, seen) = gated(OPTIONS);
        let first = stage.submit(tensor(&[1.0]), Admission::Wait).unwrap();
        seen.recv().unwrap();
        let second = stage.submit(tensor(&[2.0]), Admission::Wait).unwrap();
        (0..2).for_each(|_| go.send(()).unwrap());
        drop(stage);
        assert!(first.wait().is_ok() && second.wait().is_ok());
    }

    #[test]
    fn a_stream_of_more_requests_than_fit_comes_back_in_order() {
        let stage = Stage::start("stream", StageOptions { max_batch: 3, queue: 1 }, doubled).unwrap();
        let mut taken = Vec::new();
        let take = |job: u8, outputs: Vec<Tensor>| {
            taken.push((job, outputs[0].data[0]));
            Ok(())
        };
        stage.stream(0..20_u8, Admission::Wait, |job| tensor(&[f32::from(*job)]), take).unwrap();
        assert_eq!(taken, (0..20).map(|job| (job, 2.0 * f32::from(job))).collect::<Vec<_>>());
    }
}
