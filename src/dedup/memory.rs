//! A store for nodes in one process.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, ready},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::Instant;

use super::{
    messages::{Bounds, Messages},
    store::{Acknowledged, Claim, Completed, Ending, Found, Released, Renewed, Run, Store},
};

/// A [`Store`] for nodes that live in one process, as in tests.
///
/// Its clones are one store. It remembers 100 000 messages and 16 MiB of replies. At a bound, the oldest are forgotten;
/// a message whose lease lasts never is. Late replies are dropped after all others.
#[derive(Clone)]
pub struct MemoryStore {
    messages: Arc<Mutex<Messages>>,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self {
            messages: Arc::new(Mutex::new(Messages::new(Bounds {
                messages: 100_000,
                reply_bytes: 16 * 1024 * 1024,
                spares_unfetched: false,
            }))),
        }
    }

    fn now<T>(
        &self,
        operation: impl FnOnce(&mut Messages, Instant) -> T,
    ) -> impl Future<Output = Result<T, Infallible>> {
        // No operation panics between two changes of a message, so a poisoned lock guards whole messages.
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = operation(&mut messages, Instant::now());
        let dropped = messages.take_dropped();
        drop(messages);
        drop(dropped);
        ready(Ok(answer))
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    async fn claim(&self, claim: Claim) -> Result<Found, Infallible> {
        self.now(|messages, now| messages.find(claim, now)).await
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, Infallible> {
        self.now(|messages, now| messages.renew(claim, run, now))
            .await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, Infallible> {
        self.now(|messages, now| messages.complete(claim, ending, now))
            .await
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, Infallible> {
        self.now(|messages, now| messages.acknowledge(claim, now))
            .await
    }

    async fn release(&self, claim: Claim) -> Result<Released, Infallible> {
        self.now(|messages, now| messages.release(claim, now)).await
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("MemoryStore")
            .field("messages", &messages.len())
            .finish_non_exhaustive()
    }
}
