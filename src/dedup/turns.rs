//! The order of one user's messages: their runs follow each other.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use futures_util::future::{MaybeDone, maybe_done};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::key::Key;

/// The users whose messages run, or wait for their turn. A semaphore lets its waiters through in their order.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Key, Arc<Semaphore>>>);

/// A message's turn. Dropped, it is the next message's.
pub(super) struct Turn {
    turns: Arc<Turns>,
    user: Key,
    place: Option<Pin<Box<Place>>>,
}

/// Waiting, or let through.
type Place = MaybeDone<Acquiring>;
type Acquiring = Pin<Box<dyn Future<Output = Acquired> + Send + Sync>>;
type Acquired = Result<OwnedSemaphorePermit, AcquireError>;

impl Turns {
    /// Whether no further message of the user may wait.
    pub(super) fn are_full(&self, user: Key) -> bool {
        // The map has one, and each message that runs or waits.
        let users = self.users();
        let user = users.get(&user);
        user.is_some_and(|user| Arc::strong_count(user) > MAX_MESSAGES)
    }

    /// Takes the next turn of the user.
    pub(super) fn take(self: &Arc<Self>, user: Key) -> Turn {
        let mut users = self.users();
        let semaphore = users.entry(user);
        let semaphore = semaphore.or_insert_with(|| Arc::new(Semaphore::new(1)));
        let acquired: Acquiring = Box::pin(Arc::clone(semaphore).acquire_owned());
        let mut place = Box::pin(maybe_done(acquired));
        // The first poll takes the place among the waiters.
        let _ = place.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        Turn {
            turns: Arc::clone(self),
            user,
            place: Some(place),
        }
    }

    /// Each change is one insertion or removal, so a poisoned lock guards a whole map.
    fn users(&self) -> MutexGuard<'_, HashMap<Key, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until it comes.
    pub(super) async fn comes(&mut self) {
        if let Some(place) = &mut self.place {
            place.as_mut().await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut users = self.turns.users();
        self.place = None;
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
