//! Renewing the lease of a running message.

use std::{
    future::{self, Future},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::{task::yield_now, time};
use tokio_util::task::AbortOnDropHandle;

use super::{
    node::Node,
    store::{Renewed, Run},
    table::Task,
};

/// Renews the lease of a running message, until it is dropped.
///
/// The renewal is a task of its own, so that a handler that blocks its thread does not lose the lease; on a runtime with
/// one thread it does all the same.
pub(super) struct Renewal {
    /// Ends when the lease is lost. `None` without a store: nobody can take the message.
    task: Option<AbortOnDropHandle<()>>,
}

impl Renewal {
    /// Renews the task's lease for its run with this number.
    pub(super) async fn start(shared: &Arc<Node>, task: &Task, number: u32) -> Self {
        if !shared.store.is_shared() {
            return Self { task: None };
        }
        let (shared, renewed) = (Arc::clone(shared), task.clone());
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                time::sleep(RENEWAL).await;
                let run = Run::new(renewed.age(), number);
                if shared.store.renew(renewed.claim, run).await == Ok(Renewed::Lost) {
                    return;
                }
            }
        }));
        // No other thread takes over a task that has just been spawned, so it is polled before a handler can block this
        // one.
        yield_now().await;
        Self { task: Some(task) }
    }

    /// Runs `work`. If the lease is lost meanwhile, calls `lost`, drops the work and returns `None`.
    pub(super) async fn unless_lost<T>(
        &mut self,
        work: impl Future<Output = T>,
        lost: impl FnOnce(),
    ) -> Option<T> {
        let is_lost = async {
            if let Some(task) = &mut self.task
                && task.await.is_ok()
            {
                return;
            }
            // Without a store nobody takes the message.
            future::pending::<()>().await;
        };
        match select(pin!(work), pin!(is_lost)).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(((), _work)) => {
                lost();
                None
            }
        }
    }
}

/// A fifth of the lease, which so outlives four failed renewals.
pub(super) const RENEWAL: Duration = Duration::from_secs(1);
