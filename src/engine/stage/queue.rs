//! A bounded queue that several threads take from, each with a look at all that waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Requests in the order in which they came.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    capacity: usize,
    /// Something came, or the queue was closed.
    came: Condvar,
    /// Something was taken, or the queue was closed.
    taken: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    is_open: bool,
}

/// Why a queue takes nothing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

impl<T> Queue<T> {
    /// Takes in up to `capacity`, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State { waiting: VecDeque::new(), is_open: true }),
            capacity: capacity.max(1),
            came: Condvar::new(),
            taken: Condvar::new(),
        }
    }

    /// Blocks while the queue is full.
    pub(super) fn push(&self, item: T) -> Result<(), Refused> {
        let full = |state: &mut State<T>| state.is_open && state.waiting.len() >= self.capacity;
        let state = self.taken.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        self.push_into(state, item)
    }

    pub(super) fn try_push(&self, item: T) -> Result<(), Refused> {
        self.push_into(self.lock(), item)
    }

    /// What `choose` takes out of all that waits; blocks while nothing does. `None` when the queue is closed and empty.
    pub(super) fn take<R>(&self, choose: impl FnOnce(&mut VecDeque<T>) -> R) -> Option<R> {
        let nothing = |state: &mut State<T>| state.is_open && state.waiting.is_empty();
        let mut state = self.came.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        if state.waiting.is_empty() {
            return None;
        }
        let chosen = choose(&mut state.waiting);
        drop(state);
        self.taken.notify_all();
        Some(chosen)
    }

    /// Takes nothing more in; what waits can still be taken.
    pub(super) fn close(&self) {
        self.lock().is_open = false;
        self.came.notify_all();
        self.taken.notify_all();
    }

    /// Closes the queue and drops what waits.
    pub(super) fn abort(&self) {
        self.close();
        let waiting = std::mem::take(&mut self.lock().waiting);
        drop(waiting);
    }

    fn push_into(&self, mut state: MutexGuard<'_, State<T>>, item: T) -> Result<(), Refused> {
        if !state.is_open {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.capacity {
            return Err(Refused::Full);
        }
        state.waiting.push_back(item);
        drop(state);
        self.came.notify_one();
        Ok(())
    }

    /// The state is whole at every moment, so what a panic left behind can be used.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
