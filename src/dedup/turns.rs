//! The order of one user's messages: their runs follow each other.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Duration,
};

use futures_util::future::{MaybeDone, maybe_done};
use tokio::{
    runtime::Handle,
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    hand_over::Lease,
    node::{FIRST_POLL, LAST_POLL, MAX_CLAIM_FAILURES, Node},
    store::{Claim, Claimed, Run, Ttls},
};
use crate::{
    breaker::Unavailable,
    key::{BuildKeyHasher, Key},
    late::mailbox::Conversation,
};

/// The users whose messages run, or wait for their turn. A semaphore lets its waiters through in their order.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Users>);

type Users = HashMap<Key, Arc<Semaphore>, BuildKeyHasher>;

/// A message's turn. Dropped, it is the next message's.
pub(super) struct Turn {
    turns: Arc<Turns>,
    user: Key,
    on_node: Option<Pin<Box<OnNode>>>,
    among_nodes: Option<Box<Held>>,
}

/// A turn that has come, and its claim, which the store may know. Dropped, it is the next node's.
struct Held {
    node: Arc<Node>,
    claim: Claim,
    _renewing: AbortOnDropHandle<Infallible>,
}

/// Waiting, or let through.
type OnNode = MaybeDone<Acquiring>;
type Acquiring = Pin<Box<dyn Future<Output = Acquired> + Send + Sync>>;
type Acquired = Result<OwnedSemaphorePermit, AcquireError>;

impl Turns {
    /// Takes the next turn of the user. `None`: no further message of the user may wait.
    pub(super) fn try_take(self: &Arc<Self>, user: Key) -> Option<Turn> {
        let mut users = self.users();
        // The map has one, and each message that runs or waits.
        let waiting = users.get(&user).map_or(0, Arc::strong_count);
        (waiting <= MAX_MESSAGES).then(|| self.take_among(&mut users, user))
    }

    fn take(self: &Arc<Self>, user: Key) -> Turn {
        self.take_among(&mut self.users(), user)
    }

    fn take_among(self: &Arc<Self>, users: &mut Users, user: Key) -> Turn {
        let semaphore = users.entry(user);
        let semaphore = semaphore.or_insert_with(|| Arc::new(Semaphore::new(1)));
        let acquired: Acquiring = Box::pin(Arc::clone(semaphore).acquire_owned());
        let mut on_node = Box::pin(maybe_done(acquired));
        // The first poll takes the place among the waiters.
        let _ = on_node
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        Turn {
            turns: Arc::clone(self),
            user,
            on_node: Some(on_node),
            among_nodes: None,
        }
    }

    /// Each change is one insertion or removal, so a poisoned lock guards a whole map.
    fn users(&self) -> MutexGuard<'_, Users> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Takes the next turn of the user. `None`: messages do not wait for each other.
    pub(super) fn of(node: &Node, user: Option<Conversation>) -> Option<Self> {
        let turns = node.turns.as_ref()?;
        Some(turns.take(user?.key()))
    }

    /// Waits until it comes: on this node, then among the nodes. There, no message has a place: the nodes ask whose turn is
    /// over. A store that is away is not waited for.
    pub(super) async fn comes(&mut self, node: &Arc<Node>, claim: Claim) {
        if let Some(on_node) = &mut self.on_node {
            on_node.as_mut().await;
        }
        let Some(store) = &node.store else {
            return;
        };
        // In the store, the turn is a message that is never over.
        let key = Key::new([b"turn", self.user.as_bytes().as_slice()]);
        let ttls = Ttls::new(claim.ttls.lease);
        let claim = Claim {
            ttls,
            ..claim.for_key(key)
        };
        let mut failures = 0;
        let mut next_pause = FIRST_POLL;
        loop {
            let pause = next_pause;
            next_pause = (pause * 2).min(LAST_POLL);
            match store.claim(claim).await {
                Ok(Claimed::Running { .. }) => failures = 0,
                Err(Unavailable) if failures < MAX_CLAIM_FAILURES => failures += 1,
                _ => break,
            }
            time::sleep(pause).await;
        }
        self.among_nodes = Some(Box::new(Held::new(Arc::clone(node), claim)));
    }
}

impl Held {
    fn new(node: Arc<Node>, claim: Claim) -> Self {
        let lease = Lease::Own(Run::new(Duration::ZERO, 1));
        let renewed = Arc::clone(&node);
        let renewing = async move { lease.renew_for_ever(&renewed, claim).await };
        Self {
            node,
            claim,
            _renewing: AbortOnDropHandle::new(tokio::spawn(renewing)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (node, claim) = (Arc::clone(&self.node), self.claim);
        let release = async move {
            if let Some(store) = &node.store {
                // If it does not answer, the lease runs out.
                let _ = store.release(claim).await;
            }
        };
        if let Ok(runtime) = Handle::try_current() {
            self.node.tasks.spawn_on(release, &runtime);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut users = self.turns.users();
        self.on_node = None;
        if users
            .get(&self.user)
            .is_some_and(|user| Arc::strong_count(user) == 1)
        {
            users.remove(&self.user);
        }
    }
}

/// Of one user, running or waiting. Further messages wait like those that there is no room for.
const MAX_MESSAGES: usize = 16;

#[cfg(test)]
mod tests;
