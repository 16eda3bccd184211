//! A node's connection to the store: operations are carried out in the order in which they were sent.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::oneshot,
    task::yield_now,
    time::{Instant, sleep},
};
use tower::BoxError;
use tower_wechat::dedup::store::{
    Acknowledged, Claim, ClaimId, Completed, Ending, Found, MemoryStore, Released, Renewed, Run,
    Store,
};

use super::{play::Shape, world::World};

/// The store itself. Clones are one store.
#[derive(Clone, Default)]
pub(super) struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    store: MemoryStore,
    away_until: Option<Instant>,
    /// The claims that have ended their messages.
    completed: Vec<ClaimId>,
}

impl Server {
    pub(super) fn go_away(&self, time: Duration) {
        self.0.lock().unwrap().away_until = Some(Instant::now() + time);
    }

    pub(super) fn come_back(&self) {
        self.0.lock().unwrap().away_until = None;
    }

    /// Loses all data.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap().store = MemoryStore::new();
    }

    fn has_completed(&self, claim: Claim) -> bool {
        self.0.lock().unwrap().completed.contains(&claim.id)
    }

    fn reach(&self) -> Option<MemoryStore> {
        let state = self.0.lock().unwrap();
        let is_away = state.away_until.is_some_and(|until| Instant::now() < until);
        (!is_away).then(|| state.store.clone())
    }
}

/// An operation that has been sent is carried out, whether or not anybody waits for its answer.
#[derive(Clone)]
pub(super) struct Link {
    world: Arc<World>,
    server: Server,
    node: usize,
    line: Arc<tokio::sync::Mutex<()>>,
}

/// What happens to an operation on its way, or to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It arrives before anybody else goes on.
    AtOnce,
    /// Others may go first.
    Soon,
    Takes(u64),
    Fails,
}

impl Link {
    pub(super) fn new(world: &Arc<World>, server: &Server, node: usize) -> Self {
        Self {
            world: Arc::clone(world),
            server: server.clone(),
            node,
            line: Arc::default(),
        }
    }

    fn way(&self, what: &'static str) -> Way {
        let weights: &[u32] = match self.world.setting.shape {
            Shape::Faulty => &[8, 3, 3, 1, 1],
            _ => &[4, 2, 2],
        };
        match self.world.pick(what, weights) {
            0 => Way::AtOnce,
            1 => Way::Soon,
            2 => Way::Takes(20),
            3 => Way::Takes(300),
            _ => Way::Fails,
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        operation: impl FnOnce(&MemoryStore) -> T + Send + 'static,
    ) -> Result<T, BoxError> {
        let (there, back) = (self.way(what), self.way("the answer"));
        self.world
            .log(|| format!("node {}: {what}, {there:?}, {back:?}", self.node));
        self.world.seen().asked += 1;
        let mut waiting = Waiting {
            world: &self.world,
            node: self.node,
            begun: Instant::now(),
            is_failed: false,
        };
        let sent = {
            let free = Arc::clone(&self.line).try_lock_owned().ok();
            let server = self.server.clone();
            let carry_out = move || Some(operation(&server.reach()?));
            match (free, there, back) {
                (_, Way::Fails, _) => Err(None),
                (Some(_line), Way::AtOnce, Way::AtOnce) => Err(carry_out()),
                (free, ..) => {
                    let (answer, answered) = oneshot::channel();
                    let line = Arc::clone(&self.line);
                    tokio::spawn(async move {
                        let line = match free {
                            Some(line) => line,
                            None => line.lock_owned().await,
                        };
                        there.pass().await;
                        let carried_out = carry_out();
                        drop(line);
                        back.pass().await;
                        let _ = answer.send(carried_out.filter(|_| back != Way::Fails));
                    });
                    Ok(answered)
                }
            }
        };
        let answer = match sent {
            Ok(answered) => answered.await.ok().flatten(),
            Err(answer) => answer,
        };
        waiting.is_failed = answer.is_none();
        answer.ok_or_else(|| "away".into())
    }

    fn note_lost(&self, is_lost: bool) {
        if is_lost {
            self.world
                .log(|| format!("node {} has lost the message", self.node));
            self.world.seen().has_lost[self.node] = true;
        }
    }
}

impl Way {
    async fn pass(self) {
        match self {
            Self::Soon => yield_now().await,
            Self::Takes(millis) => sleep(Duration::from_millis(millis)).await,
            Self::AtOnce | Self::Fails => {}
        }
    }
}

/// Counts the operation as unanswered if it fails, or if the node gives up waiting.
struct Waiting<'a> {
    world: &'a World,
    node: usize,
    begun: Instant,
    is_failed: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_failed || self.begun.elapsed() >= TIMEOUT {
            self.world.log(|| "  no answer".to_owned());
            let mut seen = self.world.seen();
            seen.unanswered += 1;
            seen.last_unanswered[self.node] = Some(Instant::now());
        }
    }
}

impl Store for Link {
    type Error = BoxError;

    async fn claim(&self, claim: Claim) -> Result<Found, BoxError> {
        self.ask("claim", move |store| now(store.claim(claim)))
            .await
    }

    async fn renew(&self, claim: Claim, run: Run) -> Result<Renewed, BoxError> {
        let link = self.clone();
        self.ask("renew", move |store| {
            let renewed = now(store.renew(claim, run));
            // The message has ended, or another claim has it.
            link.note_lost(renewed == Renewed::Lost && !link.server.has_completed(claim));
            renewed
        })
        .await
    }

    async fn complete(&self, claim: Claim, ending: Ending) -> Result<Completed, BoxError> {
        let link = self.clone();
        self.ask("complete", move |store| {
            let completed = now(store.complete(claim, ending));
            if completed == Completed::Lost {
                link.note_lost(true);
            } else {
                link.server.0.lock().unwrap().completed.push(claim.id);
            }
            completed
        })
        .await
    }

    async fn acknowledge(&self, claim: Claim) -> Result<Acknowledged, BoxError> {
        self.ask("acknowledge", move |store| now(store.acknowledge(claim)))
            .await
    }

    async fn release(&self, claim: Claim) -> Result<Released, BoxError> {
        self.ask("release", move |store| now(store.release(claim)))
            .await
    }
}

/// The answer of a `MemoryStore`, which never waits.
fn now<T>(answer: impl Future<Output = Result<T, Infallible>>) -> T {
    answer.now_or_never().unwrap().unwrap()
}

/// How long a node waits for an operation.
const TIMEOUT: Duration = Duration::from_millis(250);
