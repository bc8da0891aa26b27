//! How many photos are decoded at a time, so that the program keeps within the memory it was given.
//!
//! Photos differ by a factor of fifty, so not their number is limited but what they take together. Whoever wants to decode one
//! says how much it will take and waits until there is room, in the order of asking: a large photo is not overtaken for ever
//! by small ones. A photo that is larger than all there is waits until it is alone. Called by [`Recogniser`](super::Recogniser),
//! which all photos pass.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What nets at work take besides their weights: tiles, batches and what lies between operators.
const NETS_AT_WORK_BYTES: u64 = 64 * 1024 * 1024;
/// Below this much for photos the budget was meant for another program: one photo at a time is looked at all the same.
const LEAST_BYTES: u64 = 36 * 1024 * 1024;

/// Room for decoded photos. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: u64,
    /// Numbers that were given out, and the one whose turn it is.
    next: u64,
    turn: u64,
}

/// A photo's share, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    budget: MemoryBudget,
    bytes: u64,
}

impl MemoryBudget {
    /// What is left for photos of `whole` bytes for the program, which holds `held` now with its nets open.
    pub(crate) fn after_opening(whole: u64, held: u64) -> Self {
        Self::of(whole.saturating_sub(held).saturating_sub(NETS_AT_WORK_BYTES).max(LEAST_BYTES))
    }

    fn of(bytes: u64) -> Self {
        Self(Arc::new(Shared { bytes, state: Mutex::default(), changed: Condvar::new() }))
    }

    /// For photos, bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Blocks until a photo of `bytes` has room.
    pub(crate) fn enter(&self, bytes: u64) -> Room {
        let bytes = bytes.min(self.0.bytes);
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        let must_wait = |state: &mut State| state.turn != number || state.taken + bytes > self.0.bytes;
        let mut state = self.0.changed.wait_while(state, must_wait).unwrap_or_else(PoisonError::into_inner);
        state.turn += 1;
        state.taken += bytes;
        drop(state);
        // The next in line may fit beside this one.
        self.0.changed.notify_all();
        Room { budget: self.clone(), bytes }
    }

    /// The state is whole at every moment, so what a panic left behind can be used.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.budget.lock().taken -= self.bytes;
        self.budget.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const MEGABYTE: u64 = 1024 * 1024;

    #[test]
    fn photos_get_what_nets_leave_and_never_nothing() {
        let left = |whole: u64, held: u64| MemoryBudget::after_opening(whole * MEGABYTE, held * MEGABYTE).bytes();
        assert_eq!(left(1024, 100), 860 * MEGABYTE);
        assert_eq!(left(100, 100), LEAST_BYTES);
    }

    #[test]
    fn what_fits_enters_and_what_does_not_waits_without_being_overtaken() {
        let budget = MemoryBudget::of(100);
        let (first, second) = (budget.enter(60), budget.enter(40));
        let (entered, order) = mpsc::channel();
        let ask = |bytes: u64| {
            let (budget, entered) = (budget.clone(), entered.clone());
            let before = budget.lock().next;
            let thread = std::thread::spawn(move || {
                let room = budget.enter(bytes);
                entered.send(bytes).unwrap();
                room
            });
            // In line before anybody else asks.
            while asked(&first) == before {
                std::thread::yield_now();
            }
            thread
        };
        let (large, small) = (ask(100), ask(10));
        drop(second);
        // There is room for the small one, but it is not its turn.
        assert_eq!(order.recv_timeout(Duration::from_millis(50)), Err(mpsc::RecvTimeoutError::Timeout));
        drop(first);
        assert_eq!(order.recv(), Ok(100));
        drop(large.join().unwrap());
        assert_eq!(order.recv(), Ok(10));
        drop(small.join().unwrap());
        assert_eq!(budget.lock().taken, 0);
    }

    /// How many have asked so far.
    fn asked(room: &Room) -> u64 {
        room.budget.lock().next
    }

    #[test]
    fn a_photo_larger_than_all_there_is_enters_alone() {
        let budget = MemoryBudget::of(100);
        let all = budget.enter(1_000_000);
        assert_eq!(budget.lock().taken, 100);
        drop(all);
        drop(budget.enter(1));
    }
}
