//! The suite on the store for nodes in one process.

use std::time::Duration;

use tokio::{
    runtime::{Builder, Runtime},
    time::advance,
};
use tower_wechat::dedup::{Key, store::MemoryStore};

use super::suite::{Harness, suite};

struct Memory;

impl Harness for Memory {
    type Store = MemoryStore;

    const TOLERANCE: Duration = Duration::ZERO;

    fn nodes(&self) -> [MemoryStore; 2] {
        let store = MemoryStore::new();
        [store.clone(), store]
    }

    async fn pass(&self, _keys: &[Key], time: Duration) {
        advance(time).await;
    }
}

/// A runtime with a stopped clock.
pub(super) fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

#[test]
fn memory_store_keeps_the_contract() {
    suite(&paused(), &Memory, 20_000).unwrap_or_else(|difference| panic!("{difference}"));
}
