use std::sync::mpsc;

use std::collections::BTreeMap;

use super::*;

const OPTIONS: StageOptions = options(4, 2);

const fn options(max_batch: usize, queue: usize) -> StageOptions {
    StageOptions { max_batch, batch_sizes: BatchSizes::Any, queue }
}

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
    let net = move |input: &Tensor| {
        inside.send(input.shape.clone()).unwrap();
        gate.recv().unwrap();
        doubled(input)
    };
    (Stage::start("gated", options, vec![net]).unwrap(), go, seen)
}

#[test]
fn what_waits_leaves_as_one_batch_and_everybody_gets_the_own_slice() {
    let (stage, go, seen) = gated(options(4, 8));
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
    assert_eq!((stats.runs(), stats.items, stats.largest_batch(), stats.abandoned), (3, 6, 3, 0));
    assert_eq!(stats.batches, BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
}

#[test]
fn buckets_are_filled_with_blank_items_that_nobody_sees() {
    let (stage, go, seen) = gated(StageOptions { max_batch: 6, batch_sizes: BatchSizes::Buckets, queue: 8 });
    let first = stage.submit(tensor(&[1.0, 2.0, 3.0]), Admission::Wait).unwrap();
    assert_eq!(seen.recv().unwrap(), [4, 1]);
    let second = stage.submit(tensor(&[4.0, 5.0]), Admission::Wait).unwrap();
    let third = stage.submit(tensor(&[6.0, 7.0, 8.0]), Admission::Wait).unwrap();
    (0..2).for_each(|_| go.send(()).unwrap());
    let answers = [first, second, third].map(|t| t.wait().unwrap().remove(0));
    assert_eq!(answers, [tensor(&[2.0, 4.0, 6.0]), tensor(&[8.0, 10.0]), tensor(&[12.0, 14.0, 16.0])]);
    assert_eq!(seen.recv().unwrap(), [6, 1]);
    // Items count, blank ones do not.
    let stats = stage.stats();
    assert_eq!((stats.items, stats.batches), (8, BTreeMap::from([(3, 1), (5, 1)])));
}

#[test]
fn other_shapes_run_separately_in_order() {
    let (stage, go, seen) = gated(options(9, 8));
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
    let stage = Stage::start("shaky", OPTIONS, vec![|_: &Tensor| panic!("out of order")]).unwrap();
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
    let net = move |_: &Tensor| {
        let _owned = &slow;
        panic!("out of order")
    };
    let stage = Stage::start("shaky", OPTIONS, vec![net]).unwrap();
    let stopped = EngineError::Stopped { net: "shaky".to_owned() };
    let first = stage.submit(tensor(&[1.0]), Admission::Wait).unwrap();
    assert_eq!(first.wait(), Err(stopped.clone()));
    let during = stage.submit(tensor(&[1.0]), Admission::Wait).and_then(Ticket::wait);
    end.send(()).unwrap();
    assert_eq!(during, Err(stopped));
}

#[test]
fn a_failed_run_fails_every_request_of_its_batch_only() {
    let failure = EngineError::Inference { net: "picky".to_owned(), reason: "negative".to_owned() };
    let reason = failure.clone();
    let net = move |input: &Tensor| {
        if input.data.iter().any(|v| *v < 0.0) { Err(reason.clone()) } else { doubled(input) }
    };
    let stage = Stage::start("picky", OPTIONS, vec![net]).unwrap();
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
    let stage = Stage::start("stream", options(3, 1), vec![doubled; 3]).unwrap();
    let mut taken = Vec::new();
    let take = |job: u8, outputs: Vec<Tensor>| {
        taken.push((job, outputs[0].data[0]));
        Ok(())
    };
    stage.stream(0..20_u8, Admission::Wait, |job| tensor(&[f32::from(*job)]), take).unwrap();
    assert_eq!(taken, (0..20).map(|job| (job, 2.0 * f32::from(job))).collect::<Vec<_>>());
}

#[test]
fn copies_work_at_the_same_time() {
    let both = Arc::new(std::sync::Barrier::new(2));
    let copy = || {
        let both = Arc::clone(&both);
        move |input: &Tensor| {
            // Nobody comes past alone.
            both.wait();
            doubled(input)
        }
    };
    let stage = Stage::start("twins", options(1, 8), vec![copy(), copy()]).unwrap();
    let tickets: Vec<_> = (0..4_u8).map(|n| stage.submit(tensor(&[f32::from(n)]), Admission::Wait).unwrap()).collect();
    let answers: Vec<f32> = tickets.into_iter().map(|ticket| ticket.wait().unwrap()[0].data[0]).collect();
    assert_eq!(answers, [0.0, 2.0, 4.0, 6.0]);
    assert_eq!((stage.stats().copies, stage.stats().runs()), (2, 4));
}

#[test]
fn a_panic_of_one_copy_ends_the_stage() {
    let copy = |broken: bool| {
        move |input: &Tensor| {
            assert!(!broken, "out of order");
            doubled(input)
        }
    };
    let stage = Stage::start("twins", OPTIONS, vec![copy(false), copy(true)]).unwrap();
    let ask = || stage.submit(tensor(&[1.0]), Admission::Wait).and_then(Ticket::wait);
    // Whichever copy is free answers; the broken one has its turn in the end.
    let stopped = (0..100_000).find_map(|_| ask().err()).expect("the broken copy took none of 100,000 requests");
    assert_eq!(stopped, EngineError::Stopped { net: "twins".to_owned() });
    assert_eq!(ask(), Err(stopped));
}
