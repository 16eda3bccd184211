use std::{
    future::{self, Future},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::{task::JoinHandle, time};

use super::{
    shared::Shared,
    store::{RenewRequest, Renewed},
};

/// Renews the lease of a running message, until it is dropped.
///
/// The renewal is a task of its own, so that a handler that blocks its thread does not lose the lease; on a runtime with
/// one thread it does all the same.
pub(super) struct Renewal {
    /// Ends when the lease is lost. `None` without a store: nobody can take the message.
    task: Option<JoinHandle<()>>,
}

impl Renewal {
    pub(super) fn start(shared: &Arc<Shared>, request: RenewRequest) -> Self {
        let task = shared.store.is_shared().then(|| {
            let shared = Arc::clone(shared);
            tokio::spawn(async move {
                loop {
                    time::sleep(RENEWAL).await;
                    if shared.store.renew(request).await == Ok(Renewed::Lost) {
                        return;
                    }
                }
            })
        });
        Self { task }
    }

    /// Runs `work`. If the lease is lost meanwhile, calls `lost`, drops the work and returns `None`.
    pub(super) async fn unless_lost<T>(
        &mut self,
        work: impl Future<Output = T>,
        lost: impl FnOnce(),
    ) -> Option<T> {
        let is_lost = async {
            match &mut self.task {
                Some(task) => drop(task.await),
                None => future::pending().await,
            }
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

impl Drop for Renewal {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A fifth of the lease, which so outlives four failed renewals.
pub(super) const RENEWAL: Duration = Duration::from_secs(1);
