//! A store for nodes in one process.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::{
    machine::Machine,
    store::{
        AcknowledgeRequest, Acknowledged, ClaimRequest, Claimed, CompleteRequest, Completed,
        ReleaseRequest, Released, RenewRequest, Renewed, Store,
    },
};

/// A [`Store`] for nodes that live in one process, as in tests.
///
/// Its clones are one store. It remembers 100 000 messages. At the bound, the message that was claimed first is
/// forgotten; a running one never is.
#[derive(Clone)]
pub struct MemoryStore {
    machine: Arc<Mutex<Machine>>,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self {
            machine: Arc::new(Mutex::new(Machine::new(CAPACITY))),
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        // No operation panics between two changes of a message, so a poisoned lock guards whole messages.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn claim(
        &self,
        request: ClaimRequest,
    ) -> impl Future<Output = Result<Claimed, Infallible>> + Send {
        ready(Ok(self.machine().claim(request, Instant::now())))
    }

    fn renew(
        &self,
        request: RenewRequest,
    ) -> impl Future<Output = Result<Renewed, Infallible>> + Send {
        ready(Ok(self.machine().renew(request, Instant::now())))
    }

    fn complete(
        &self,
        request: CompleteRequest<'_>,
    ) -> impl Future<Output = Result<Completed, Infallible>> + Send {
        ready(Ok(self.machine().complete(request, Instant::now())))
    }

    fn acknowledge(
        &self,
        request: AcknowledgeRequest,
    ) -> impl Future<Output = Result<Acknowledged, Infallible>> + Send {
        ready(Ok(self.machine().acknowledge(request, Instant::now())))
    }

    fn release(
        &self,
        request: ReleaseRequest,
    ) -> impl Future<Output = Result<Released, Infallible>> + Send {
        ready(Ok(self.machine().release(request, Instant::now())))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("messages", &self.machine().len())
            .finish_non_exhaustive()
    }
}

const CAPACITY: usize = 100_000;
