//! A store with faults that a test switches on and off.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::sleep;
use tower::BoxError;
use tower_wechat::dedup::store::{
    Acknowledged, Claim, Completed, Ending, Found, MemoryStore, Released, Renewed, Run, Store,
};

/// A `MemoryStore` behind a bad network. Clones are one store.
#[derive(Clone, Default)]
pub(crate) struct Faulty(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    store: MemoryStore,
    is_away: bool,
    /// Operations of these kinds fail, and are not carried out.
    failing: Vec<Operation>,
    delays: HashMap<Operation, Delay>,
    calls: HashMap<Operation, usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Claim,
    Renew,
    Complete,
    Acknowledge,
    Release,
}

/// How long an operation takes, before and after it is carried out.
#[derive(Clone, Copy, Default)]
struct Delay {
    there: Duration,
    back: Duration,
}

impl Faulty {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns another way to the same store, with faults of its own.
    pub(crate) fn beside(&self) -> Self {
        let store = self.state().store.clone();
        Self(Arc::new(Mutex::new(State {
            store,
            ..State::default()
        })))
    }

    /// Makes every operation fail from now on. No data is lost.
    pub(crate) fn go_away(&self) {
        self.state().is_away = true;
    }

    pub(crate) fn come_back(&self) {
        self.state().is_away = false;
    }

    /// Makes the operations of one kind fail from now on.
    pub(crate) fn fail(&self, operation: Operation) {
        self.state().failing.push(operation);
    }

    /// Loses all data.
    pub(crate) fn forget(&self) {
        self.state().store = MemoryStore::new();
    }

    /// Delays the operations of one kind by `there` before they are carried out, and by `back` after it.
    pub(crate) fn delay(&self, operation: Operation, there: Duration, back: Duration) {
        self.state().delays.insert(operation, Delay { there, back });
    }

    /// Returns how many operations have been asked for.
    pub(crate) fn all_calls(&self) -> usize {
        self.state().calls.values().sum()
    }

    /// Returns how many operations of one kind have been asked for.
    pub(crate) fn calls(&self, operation: Operation) -> usize {
        let state = self.state();
        state.calls.get(&operation).copied().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The way to the store. Returns the delay of the answer.
    async fn reach(&self, operation: Operation) -> Result<(MemoryStore, Duration), BoxError> {
        let delay = {
            let mut state = self.state();
            *state.calls.entry(operation).or_default() += 1;
            state.delays.get(&operation).copied().unwrap_or_default()
        };
        wait(delay.there).await;
        let state = self.state();
        if state.is_away || state.failing.contains(&operation) {
            return Err("away".into());
        }
        Ok((state.store.clone(), delay.back))
    }
}

impl Store for Faulty {
    type Error = BoxError;

    async fn claim(&self, claim: Claim) -> Result<Found, BoxError> {
        let (store, back) = self.reach(Operation::Claim).await?;
        let claimed = store.claim(claim).await?;
        wait(back).await;
        Ok(claimed)
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, BoxError> {
        let (store, back) = self.reach(Operation::Renew).await?;
        let renewed = store.renew(claim, run).await?;
        wait(back).await;
        Ok(renewed)
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, BoxError> {
        let (store, back) = self.reach(Operation::Complete).await?;
        let completed = store.complete(claim, ending).await?;
        wait(back).await;
        Ok(completed)
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, BoxError> {
        let (store, back) = self.reach(Operation::Acknowledge).await?;
        let acknowledged = store.acknowledge(claim).await?;
        wait(back).await;
        Ok(acknowledged)
    }

    async fn release(&self, claim: Claim) -> Result<Released, BoxError> {
        let (store, back) = self.reach(Operation::Release).await?;
        let released = store.release(claim).await?;
        wait(back).await;
        Ok(released)
    }
}

/// A sleep of zero would still wait for the next tick of the timer.
async fn wait(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}
